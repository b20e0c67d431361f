package codec

import (
	"encoding/hex"
	"strings"

	"daybook/domain"
	"daybook/eventstore"
)

// The starts of stream names, for filters. Every stream of the ledger has one of them.
const (
	DayPrefix        = "day-"
	DemandPrefix     = "demand-"
	RestaurantPrefix = "restaurant-"
	WebhooksPrefix   = "webhooks-"
	UserPrefix       = "user-"
	EmailPrefix      = "email-"
)

const (
	restaurantIDPrefix = "rst_"
	userIDPrefix       = "usr_"
)

// DayStream is the book of a restaurant-day.
func DayStream(r domain.RestaurantID, d domain.ServiceDate) eventstore.StreamName {
	return dated(DayPrefix, r, d)
}

// DemandStream is what a restaurant-day could not meet.
func DemandStream(r domain.RestaurantID, d domain.ServiceDate) eventstore.StreamName {
	return dated(DemandPrefix, r, d)
}

// RestaurantStream is a restaurant's own.
func RestaurantStream(r domain.RestaurantID) eventstore.StreamName {
	return eventstore.StreamName(RestaurantPrefix + strings.TrimPrefix(string(r), restaurantIDPrefix))
}

// WebhooksStream is where a restaurant's webhooks stand.
func WebhooksStream(r domain.RestaurantID) eventstore.StreamName {
	return eventstore.StreamName(WebhooksPrefix + strings.TrimPrefix(string(r), restaurantIDPrefix))
}

// TradePrefixes are the starts of the names of the streams that tell of a restaurant's
// trade: its own, its days and the demand they could not meet.
func TradePrefixes(r domain.RestaurantID) []string {
	body := strings.TrimPrefix(string(r), restaurantIDPrefix)
	return []string{DayPrefix + body + "-", DemandPrefix + body + "-", RestaurantPrefix + body}
}

// TradeOf returns whose trade a stream tells of.
func TradeOf(s eventstore.StreamName) (domain.RestaurantID, bool) {
	if r, _, ok := ParseDayStream(s); ok {
		return r, true
	}
	if r, _, ok := ParseDemandStream(s); ok {
		return r, true
	}
	return ParseRestaurantStream(s)
}

// UserStream is a user's own.
func UserStream(u domain.UserID) eventstore.StreamName {
	return eventstore.StreamName(UserPrefix + strings.TrimPrefix(string(u), userIDPrefix))
}

// EmailStream is where an e-mail address, known by its keyed hash alone, is claimed.
func EmailStream(hash [32]byte) eventstore.StreamName {
	return eventstore.StreamName(EmailPrefix + hex.EncodeToString(hash[:]))
}

// ParseDayStream returns whose book a stream is.
func ParseDayStream(s eventstore.StreamName) (domain.RestaurantID, domain.ServiceDate, bool) {
	return parseDated(DayPrefix, s)
}

// ParseDemandStream returns whose unmet demand a stream is.
func ParseDemandStream(s eventstore.StreamName) (domain.RestaurantID, domain.ServiceDate, bool) {
	return parseDated(DemandPrefix, s)
}

// ParseRestaurantStream returns whose stream s is.
func ParseRestaurantStream(s eventstore.StreamName) (domain.RestaurantID, bool) {
	body, ok := strings.CutPrefix(string(s), RestaurantPrefix)
	if !ok {
		return "", false
	}
	r, err := domain.ParseRestaurantID(restaurantIDPrefix + body)
	return r, err == nil
}

// ParseWebhooksStream returns whose webhooks a stream is about.
func ParseWebhooksStream(s eventstore.StreamName) (domain.RestaurantID, bool) {
	body, ok := strings.CutPrefix(string(s), WebhooksPrefix)
	if !ok {
		return "", false
	}
	r, err := domain.ParseRestaurantID(restaurantIDPrefix + body)
	return r, err == nil
}

// ParseUserStream returns whose stream s is.
func ParseUserStream(s eventstore.StreamName) (domain.UserID, bool) {
	body, ok := strings.CutPrefix(string(s), UserPrefix)
	if !ok {
		return "", false
	}
	u, err := domain.ParseUserID(userIDPrefix + body)
	return u, err == nil
}

func dated(prefix string, r domain.RestaurantID, d domain.ServiceDate) eventstore.StreamName {
	b := make([]byte, 0, 64)
	b = append(b, prefix...)
	b = append(b, strings.TrimPrefix(string(r), restaurantIDPrefix)...)
	b = append(b, '-')
	b = append(b, d.String()...)
	return eventstore.StreamName(b)
}

func parseDated(prefix string, s eventstore.StreamName) (domain.RestaurantID, domain.ServiceDate, bool) {
	rest, ok := strings.CutPrefix(string(s), prefix)
	if !ok {
		return "", 0, false
	}
	body, date, ok := strings.Cut(rest, "-")
	if !ok {
		return "", 0, false
	}
	r, err := domain.ParseRestaurantID(restaurantIDPrefix + body)
	if err != nil {
		return "", 0, false
	}
	d, err := domain.ParseServiceDate(date)
	if err != nil {
		return "", 0, false
	}
	return r, d, true
}

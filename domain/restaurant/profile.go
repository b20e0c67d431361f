package restaurant

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/domain"
)

// The limits of a profile: lengths in characters.
const (
	maxName        = 200
	maxCuisine     = 100
	maxAddress     = 300
	maxCity        = 100
	maxState       = 100
	maxZip         = 20
	maxDescription = 4000
	maxFeature     = 50
	maxFeatures    = 50
	maxPriceLevel  = 4
)

// checkZone refuses a zone that could not be loaded, and the machine's own, which is
// another one elsewhere.
func (p Profile) checkZone(zone *time.Location) error {
	if p.TimeZone == "" || p.TimeZone == "Local" || zone == nil || zone.String() != p.TimeZone {
		return domain.Invalid("time_zone", "the time zone is not an IANA name such as Europe/Berlin")
	}
	return nil
}

// tidied returns the profile as it is kept, or why it cannot be; the zone is not looked at.
func (p Profile) tidied() (Profile, error) {
	for _, f := range []struct {
		value *string
		check func(string) (string, error)
	}{
		{&p.Name, required("name", maxName)},
		{&p.Cuisine, required("cuisine", maxCuisine)},
		{&p.Address, required("address", maxAddress)},
		{&p.City, required("city", maxCity)},
		{&p.State, line("state", maxState)},
		{&p.Zip, line("zip", maxZip)},
		{&p.Description, prose("description", maxDescription)},
		{&p.ContactEmail, email},
		{&p.ContactPhone, phone},
	} {
		tidy, err := f.check(*f.value)
		if err != nil {
			return Profile{}, err
		}
		*f.value = tidy
	}
	if p.PriceLevel < 0 || p.PriceLevel > maxPriceLevel {
		return Profile{}, outOfRange("price_level", p.PriceLevel, 0, maxPriceLevel)
	}
	if l := p.Location; l != nil {
		// Written so that NaN is refused too.
		if !(l.Lat >= -90 && l.Lat <= 90 && l.Lng >= -180 && l.Lng <= 180) {
			return Profile{}, domain.Invalid("location", "the location is not on the globe: lat is −90 to 90, lng −180 to 180")
		}
		kept := *l
		p.Location = &kept
	}
	features, err := checkedFeatures(p.Features)
	p.Features = features
	return p, err
}

func checkedFeatures(features []string) ([]string, error) {
	if len(features) > maxFeatures {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("a restaurant names at most %d features", maxFeatures),
			domain.Reason{Rule: "features", Limit: maxFeatures, Actual: int64(len(features))})
	}
	var kept []string
	for _, f := range features {
		f, err := domain.RequiredLine("features", f, maxFeature)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(kept, func(k string) bool { return strings.EqualFold(k, f) }) {
			kept = append(kept, f)
		}
	}
	return kept, nil
}

// apply returns p with what is not nil in c.
func (c ProfileChanges) apply(p Profile) Profile {
	set(&p.Name, c.Name)
	set(&p.Cuisine, c.Cuisine)
	set(&p.Address, c.Address)
	set(&p.City, c.City)
	set(&p.State, c.State)
	set(&p.Zip, c.Zip)
	set(&p.TimeZone, c.TimeZone)
	set(&p.PriceLevel, c.PriceLevel)
	set(&p.Features, c.Features)
	set(&p.Description, c.Description)
	set(&p.ContactEmail, c.ContactEmail)
	set(&p.ContactPhone, c.ContactPhone)
	if c.Location != nil {
		p.Location = c.Location
	}
	return p
}

func (p Profile) equal(o Profile) bool {
	if (p.Location == nil) != (o.Location == nil) || (p.Location != nil && *p.Location != *o.Location) {
		return false
	}
	return p.Name == o.Name && p.Cuisine == o.Cuisine && p.Address == o.Address && p.City == o.City &&
		p.State == o.State && p.Zip == o.Zip && p.TimeZone == o.TimeZone && p.PriceLevel == o.PriceLevel &&
		slices.Equal(p.Features, o.Features) && p.Description == o.Description &&
		p.ContactEmail == o.ContactEmail && p.ContactPhone == o.ContactPhone
}

// set writes what v leads to, if anything.
func set[T any](to, v *T) {
	if v != nil {
		*to = *v
	}
}

func line(field string, limit int) func(string) (string, error) {
	return func(s string) (string, error) { return domain.Line(field, s, limit) }
}

func required(field string, limit int) func(string) (string, error) {
	return func(s string) (string, error) { return domain.RequiredLine(field, s, limit) }
}

func prose(field string, limit int) func(string) (string, error) {
	return func(s string) (string, error) { return domain.Prose(field, s, limit) }
}

func email(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return domain.NormalizeEmail("contact_email", s)
}

func phone(s string) (string, error) { return domain.NormalizePhone("contact_phone", s) }

func outOfRange(field string, got, least, most int) error {
	limit := most
	if got < least {
		limit = least
	}
	return domain.Reject(domain.CodeInvalid, fmt.Sprintf("%s is %d; it can be %d to %d", field, got, least, most),
		domain.Reason{Rule: field, Limit: int64(limit), Actual: int64(got)})
}

// tooMany refuses more of something than there may be; format says what, with the limit.
func tooMany(field, format string, limit, actual int) error {
	return domain.Reject(domain.CodeInvalid, fmt.Sprintf(format, limit),
		domain.Reason{Rule: field, Limit: int64(limit), Actual: int64(actual)})
}

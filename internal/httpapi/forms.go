package httpapi

import (
	"sync"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Times in answers are RFC 3339 with the restaurant's own offset.

var zones sync.Map // name → *time.Location

// Zone finds a time zone by its IANA name, and keeps it: the zone database is not read for
// each answer.
func Zone(name string) (*time.Location, error) {
	if found, ok := zones.Load(name); ok {
		return found.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, loc)
	return loc, nil
}

// InZone writes instants as clocks in a zone show them; in UTC where the zone is not known.
func InZone(name string) func(domain.Instant) string {
	loc, err := Zone(name)
	if err != nil || name == "Local" {
		loc = time.UTC
	}
	return func(i domain.Instant) string {
		if i == 0 {
			return ""
		}
		return i.Time().In(loc).Format(time.RFC3339)
	}
}

// Reservation is a reservation as every answer shows it.
type Reservation struct {
	ReservationID    string   `json:"reservationId"`
	Status           string   `json:"status" enum:"pending,confirmed,cancelled,expired"`
	ExpiresAt        string   `json:"expiresAt,omitempty" format:"date-time" doc:"when a pending hold lapses"`
	ConfirmationCode string   `json:"confirmationCode"`
	RestaurantID     string   `json:"restaurantId"`
	Date             string   `json:"date" doc:"the service date"`
	Time             string   `json:"time" doc:"local time"`
	StartsAt         string   `json:"startsAt" format:"date-time"`
	EndsAt           string   `json:"endsAt" format:"date-time" doc:"of the turn"`
	Party            int      `json:"party"`
	TableIDs         []string `json:"tableIds"`
	Bound            bool     `json:"bound" doc:"whether the tables are final"`
	Revision         uint64   `json:"revision" doc:"of the restaurant-day"`
	Guest            *Guest   `json:"guest,omitempty"`
	Notes            string   `json:"notes,omitempty"`
	SpecialRequests  string   `json:"specialRequests,omitempty"`
	Occasion         string   `json:"occasion,omitempty"`
}

// Guest is the person a table is kept for.
type Guest struct {
	Name  string `json:"name,omitempty" maxLength:"100"`
	Email string `json:"email,omitempty" maxLength:"254"`
	Phone string `json:"phone,omitempty" maxLength:"40"`
}

// ReservationOf is the form of a reservation. Tables are bound from the first hold on:
// nobody moves a party to another table without its being put on record.
func ReservationOf(
	id domain.ReservationID, r *restaurantday.Reservation, zone string, revision uint64,
) Reservation {
	restaurant, date, _ := id.Day()
	at := InZone(zone)
	f := Reservation{
		ReservationID: string(id), Status: string(r.Status), ConfirmationCode: r.Code,
		RestaurantID: string(restaurant), Date: date.String(), Time: r.Slot.Time,
		StartsAt: at(r.Turn.From), EndsAt: at(r.Turn.To), Party: int(r.Party), Bound: true, Revision: revision,
		TableIDs: make([]string, len(r.Tables)), Notes: r.Details.Notes,
		SpecialRequests: r.Details.SpecialRequests, Occasion: r.Details.Occasion,
	}
	for i, t := range r.Tables {
		f.TableIDs[i] = string(t)
	}
	if r.Status == restaurantday.StatusPending {
		f.ExpiresAt = at(r.ExpiresAt)
	}
	if g := r.Details.Guest; g != (restaurantday.Guest{}) {
		f.Guest = &Guest{Name: g.Name, Email: g.Email, Phone: g.Phone}
	}
	return f
}

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

// Reservation is a reservation as every answer shows it. What is below Override is for the
// restaurant's staff alone.
type Reservation struct {
	ReservationID    string   `json:"reservationId"`
	Status           string   `json:"status" enum:"pending,confirmed,seated,completed,cancelled,expired,no_show,moved,withdrawn"`
	ExpiresAt        string   `json:"expiresAt,omitempty" format:"date-time" doc:"when a pending hold lapses"`
	ConfirmationCode string   `json:"confirmationCode"`
	RestaurantID     string   `json:"restaurantId"`
	Date             string   `json:"date" doc:"the service date"`
	Time             string   `json:"time" doc:"local time"`
	StartsAt         string   `json:"startsAt" format:"date-time"`
	EndsAt           string   `json:"endsAt" format:"date-time" doc:"of the turn"`
	Party            int      `json:"party"`
	TableIDs         []string `json:"tableIds" doc:"provisional while bound is false"`
	Bound            bool     `json:"bound" doc:"whether the tables are the party's own: pinned, chosen by staff, or sat at. Until then it may be given others that seat it"`
	Revision         uint64   `json:"revision" doc:"of the restaurant-day"`
	Source           string   `json:"source,omitempty" enum:"walk_in,waitlist,move,import" doc:"how it came into the book; missing where somebody asked for a table"`
	Wish             *Wish    `json:"wish,omitempty" doc:"what any other tables must be, too"`
	Guest            *Guest   `json:"guest,omitempty"`
	Notes            string   `json:"notes,omitempty"`
	SpecialRequests  string   `json:"specialRequests,omitempty"`
	Occasion         string   `json:"occasion,omitempty"`

	Covers      int    `json:"covers,omitempty" doc:"who of the party sit, or sat"`
	SeatedAt    string `json:"seatedAt,omitempty" format:"date-time" doc:"when the first of them sat down"`
	CompletedAt string `json:"completedAt,omitempty" format:"date-time" doc:"when the party left"`
	CancelledBy string `json:"cancelledBy,omitempty" enum:"diner,restaurant"`
	Late        bool   `json:"late,omitempty" doc:"cancelled after the last free cancellation"`
	Reason      string `json:"cancelReason,omitempty" doc:"why it was cancelled: what its diner said, or wrote the restaurant to him; staff see whatever was said"`
	WaitlistID  string `json:"waitlistId,omitempty" doc:"the entry of the waitlist that it was offered to"`
	MovingTo    string `json:"movingTo,omitempty" doc:"the service date that it is being moved to"`
	MovedTo     string `json:"movedTo,omitempty" doc:"the reservation of another day that took its place"`
	MovedFrom   string `json:"movedFrom,omitempty" doc:"the reservation of another day whose place it took"`

	Override  *Override `json:"override,omitempty" doc:"only for the restaurant's staff: the rule that was set aside for it"`
	Exception bool      `json:"exception,omitempty" doc:"only for the restaurant's staff: kept though the day's plan, as changed since, would not have it"`

	Conflicts []Conflict `json:"conflicts,omitempty" doc:"only for the restaurant's staff: what an imported booking contradicts; give it tables, change it or cancel it"`
	Imported  *Imported  `json:"imported,omitempty" doc:"only for the restaurant's staff: where it was booked"`
}

// Wish is what a party wants of its tables.
type Wish struct {
	TableID string `json:"tableId,omitempty"`
	Area    string `json:"area,omitempty"`
}

// Override is one rule that staff set aside, and why.
type Override struct {
	Rule   string `json:"rule" minLength:"1" maxLength:"40" pattern:"^[a-z_]+$" doc:"in_the_past, too_soon, too_far_ahead, pacing_full, party_too_large or outside_hours"`
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

// Guest is the person a table is kept for.
type Guest struct {
	Name  string `json:"name,omitempty" maxLength:"100"`
	Email string `json:"email,omitempty" maxLength:"254"`
	Phone string `json:"phone,omitempty" maxLength:"40"`
}

// ReservationOf is the form of a reservation as its diner sees it.
func ReservationOf(
	id domain.ReservationID, r *restaurantday.Reservation, zone string, revision uint64,
) Reservation {
	restaurant, date, _ := id.Day()
	at := InZone(zone)
	f := Reservation{
		ReservationID: string(id), Status: string(r.Status), ConfirmationCode: r.Code,
		RestaurantID: string(restaurant), Date: date.String(), Time: r.Slot.Time,
		StartsAt: at(r.Turn.From), EndsAt: at(r.Turn.To), Party: int(r.Party), Bound: r.Bound, Revision: revision,
		TableIDs: make([]string, len(r.Tables)), Source: string(r.Source), Wish: wishOf(r.Wish), Guest: guestOf(r.Details.Guest),
		Notes: r.Details.Notes, SpecialRequests: r.Details.SpecialRequests, Occasion: r.Details.Occasion,
		Covers: int(r.Covers), SeatedAt: at(r.SeatedAt), CompletedAt: at(r.FreedAt), MovedTo: string(r.MovedTo), MovedFrom: string(r.MovedFrom),
	}
	for i, t := range r.Tables {
		f.TableIDs[i] = string(t)
	}
	switch r.Status {
	case restaurantday.StatusPending:
		f.ExpiresAt = at(r.ExpiresAt)
	case restaurantday.StatusCancelled:
		f.CancelledBy, f.Late = string(r.By), r.Late
		if r.Told {
			f.Reason = r.Reason
		}
	default: // nothing more to say
	}
	if r.Entry != 0 {
		f.WaitlistID = string(domain.NewWaitlistID(restaurant, date, r.Entry))
	}
	if r.Moving.To != 0 {
		f.MovingTo = r.Moving.To.String()
	}
	return f
}

// ForStaff is the form with what the restaurant's own people see besides.
func (f Reservation) ForStaff(r *restaurantday.Reservation) Reservation {
	f.Exception, f.Reason = r.Exception, r.Reason
	f.ofFact(r)
	if r.Override != (restaurantday.Override{}) {
		f.Override = &Override{Rule: string(r.Override.Rule), Reason: r.Override.Reason}
	}
	return f
}

func wishOf(w restaurantday.Wish) *Wish {
	if w == (restaurantday.Wish{}) {
		return nil
	}
	return &Wish{TableID: string(w.Table), Area: w.Area}
}

func guestOf(g restaurantday.Guest) *Guest {
	if g == (restaurantday.Guest{}) {
		return nil
	}
	return &Guest{Name: g.Name, Email: g.Email, Phone: g.Phone}
}

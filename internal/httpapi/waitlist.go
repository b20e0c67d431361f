package httpapi

import (
	"fmt"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// WaitlistEntry is an entry of a day's waitlist as every answer shows it.
type WaitlistEntry struct {
	WaitlistID       string       `json:"waitlistId"`
	Status           string       `json:"status" enum:"waiting,offered,accepted,left"`
	Place            int          `json:"place,omitempty" doc:"1 for the first; missing where it does not wait. Those at the door stand in a list of their own"`
	RestaurantID     string       `json:"restaurantId"`
	Date             string       `json:"date" doc:"the service date"`
	From             string       `json:"from" doc:"the first local time that will do"`
	To               string       `json:"to" doc:"the last local time that will do"`
	Earliest         string       `json:"earliest" format:"date-time" doc:"the instant of from"`
	Latest           string       `json:"latest" format:"date-time" doc:"the instant of to"`
	Party            int          `json:"party"`
	Wish             *Wish        `json:"wish,omitempty"`
	WalkIn           bool         `json:"walkIn,omitempty" doc:"the party waits at the door, and staff seat it"`
	QuotedFor        string       `json:"quotedFor,omitempty" format:"date-time" doc:"when a party at the door was told there would be a table; missing for not today"`
	ConfirmationCode string       `json:"confirmationCode"`
	ReservationID    string       `json:"reservationId,omitempty" doc:"what it was offered last, or what it accepted"`
	ExpiresAt        string       `json:"expiresAt,omitempty" format:"date-time" doc:"until when the offer can be accepted"`
	LeftBecause      string       `json:"leftBecause,omitempty" enum:"left,declined,lapsed,seated,date_past,plan_changed"`
	JoinedAt         string       `json:"joinedAt" format:"date-time"`
	PassedOver       []PassedOver `json:"passedOver,omitempty" doc:"the last times that somebody behind it was offered a table"`
	Revision         uint64       `json:"revision" doc:"of the restaurant-day"`
	Guest            *Guest       `json:"guest,omitempty"`
	Notes            string       `json:"notes,omitempty"`
}

// PassedOver is one time that somebody behind an entry was offered a table.
type PassedOver struct {
	At         string `json:"at" format:"date-time"`
	Code       string `json:"code" doc:"the rule by which this entry could not have it; staff_choice where staff chose"`
	Why        string `json:"why" doc:"the same in a sentence"`
	WaitlistID string `json:"waitlistId,omitempty" doc:"only for the restaurant's staff: whose it was"`
}

// WaitlistEntryOf is the form of an entry as its diner sees it. place is 0 where it does not
// wait, expires that of the offer that it has, 0 for none.
func WaitlistEntryOf(
	id domain.WaitlistID, w *restaurantday.WaitlistEntry, zone string, place int, expires domain.Instant, revision uint64,
) WaitlistEntry {
	restaurant, date, _ := id.Day()
	at, clock := InZone(zone), clockIn(zone)
	f := WaitlistEntry{
		WaitlistID: string(id), Status: string(w.Status), Place: place, RestaurantID: string(restaurant), Date: date.String(),
		From: clock(w.From), To: clock(w.To), Earliest: at(w.From), Latest: at(w.To), Party: int(w.Party), Wish: wishOf(w.Wish),
		WalkIn: w.WalkIn, QuotedFor: at(w.Quoted), ConfirmationCode: w.Code, ExpiresAt: at(expires), LeftBecause: string(w.Reason),
		JoinedAt: at(w.JoinedAt), Revision: revision, Guest: guestOf(w.Details.Guest), Notes: w.Details.Notes,
	}
	if w.Number != 0 {
		f.ReservationID = string(domain.NewReservationID(restaurant, date, w.Number))
	}
	for _, p := range w.Passed {
		f.PassedOver = append(f.PassedOver, PassedOver{At: at(p.At), Code: string(p.Code), Why: whyPassedOver(p.Code, w.Party)})
	}
	return f
}

// ForStaff is the form with what the restaurant's own people see besides.
func (f WaitlistEntry) ForStaff(id domain.WaitlistID, w *restaurantday.WaitlistEntry) WaitlistEntry {
	restaurant, date, _ := id.Day()
	f.PassedOver = append([]PassedOver(nil), f.PassedOver...)
	for i, p := range w.Passed {
		f.PassedOver[i].WaitlistID = string(domain.NewWaitlistID(restaurant, date, p.For))
	}
	return f
}

// whyPassedOver says in a sentence why a party was not the one that got the table.
func whyPassedOver(code domain.Code, party domain.PartySize) string {
	switch code {
	case domain.CodeNoTable:
		return fmt.Sprintf("what became free does not seat a party of %d at a time it would take", party)
	case domain.CodePartyTooLarge:
		return fmt.Sprintf("no table that can be had seats a party of %d", party)
	case domain.CodePacingFull:
		return fmt.Sprintf("as many begin at its times as the kitchen takes, without another %d", party)
	case domain.CodeBlocked:
		return "the tables that would do are blocked at its times"
	case domain.CodeTooSoon:
		return "its times are nearer than the notice that the restaurant wants"
	case domain.CodeInPast:
		return "its times are past"
	case domain.CodeStaffChoice:
		return "the restaurant's staff gave the table to another party"
	default:
		return "the rule " + string(code) + " stood in its way"
	}
}

// clockIn writes instants as HH:MM in a zone; in UTC where the zone is not known.
func clockIn(name string) func(domain.Instant) string {
	loc, err := Zone(name)
	if err != nil || name == "Local" {
		loc = time.UTC
	}
	return func(i domain.Instant) string { return i.Time().In(loc).Format("15:04") }
}

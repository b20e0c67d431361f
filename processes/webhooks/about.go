package webhooks

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// about tells of the reservation or the entry of the waitlist that an event is about.
func (l *letter) about(e restaurantday.Event, before, after restaurantday.State, personal bool) {
	if number := restaurantday.ReservationOf(e); number != 0 {
		l.Data.Reservation = reservationLetter(number, before, after, personal)
	}
	if entry := restaurantday.EntryOf(e); entry != 0 {
		l.Data.Waitlist = waitingLetter(entry, after, personal)
	}
}

func reservationLetter(number uint32, before, after restaurantday.State, personal bool) *letterReservation {
	r, ok := after.Reservation(number)
	if !ok {
		return nil
	}
	l := &letterReservation{
		ID: after.ID(number), Status: string(r.Status), Party: r.Party, Time: r.Slot.Time, StartsAt: r.Turn.From, EndsAt: r.Turn.To,
		Tables: r.Tables, Source: string(r.Source), Covers: r.Covers, SeatedAt: instant(r.SeatedAt), CompletedAt: instant(r.FreedAt),
		MovedTo: r.MovedTo, MovedFrom: r.MovedFrom,
	}
	if l.Tables == nil {
		l.Tables = []domain.TableID{}
	}
	if after.Plan != nil {
		l.TimeZone = after.Plan.Zone
	}
	if was, ok := before.Reservation(number); ok {
		l.Before = string(was.Status)
	}
	switch r.Status {
	case restaurantday.StatusPending:
		l.ExpiresAt = instant(r.ExpiresAt)
	case restaurantday.StatusCancelled:
		l.CancelledBy, l.Late = string(r.By), r.Late
	default: // nothing more to say
	}
	if personal {
		l.Personal = personalLetter(r.Diner, r.Details, r.Code)
	}
	return l
}

func waitingLetter(entry uint32, after restaurantday.State, personal bool) *letterWaiting {
	w, ok := after.WaitlistEntry(entry)
	if !ok {
		return nil
	}
	l := &letterWaiting{
		ID: domain.NewWaitlistID(after.Restaurant, after.Date, entry), Status: string(w.Status), Party: w.Party, Earliest: w.From, Latest: w.To,
		WalkIn: w.WalkIn, LeftBecause: string(w.Reason),
	}
	if w.Number != 0 {
		l.Reservation = after.ID(w.Number)
	}
	if personal {
		l.Personal = personalLetter(w.Diner, w.Details, w.Code)
	}
	return l
}

func personalLetter(diner domain.UserID, d restaurantday.Details, code string) *letterPersonal {
	return &letterPersonal{
		Diner: diner, Name: d.Guest.Name, Email: d.Guest.Email, Phone: d.Guest.Phone, Notes: d.Notes,
		SpecialRequests: d.SpecialRequests, Occasion: d.Occasion, ConfirmationCode: code,
	}
}

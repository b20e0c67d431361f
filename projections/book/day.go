package book

import (
	"context"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// Day is a day's book as it stands at an instant. What follows from the instant alone, such
// as a hold that has lapsed, is told as it is by then, whether or not it was recorded yet.
// It is made from a folded state and an instant, and from nothing else, so it tells of any
// prefix of the stream as it does of all.
type Day struct {
	State    restaurantday.State
	At       domain.Instant // no earlier than the last entry
	Revision uint64         // of the last entry
}

// Day reads a day as of now. ErrNotFound where it has no book yet.
func (b *Book) Day(ctx context.Context, restaurant domain.RestaurantID, date domain.ServiceDate, now domain.Instant) (Day, error) {
	state, records, err := b.days.Latest(ctx, codec.DayStream(restaurant, date))
	if err != nil {
		return Day{}, err
	}
	if !state.Opened() {
		return Day{}, fmt.Errorf("day %s of %s: %w", date, restaurant, ErrNotFound)
	}
	return dayAt(state, now, uint64(records)-1), nil
}

func dayAt(state restaurantday.State, at domain.Instant, revision uint64) Day {
	return Day{State: state, At: max(at, state.Clock()), Revision: revision}
}

// Reservation is the entry of the book with this number.
func (d Day) Reservation(number uint32) (*restaurantday.Reservation, bool) {
	r, ok := d.State.Reservation(number)
	if ok && r.Status == restaurantday.StatusPending && r.ExpiresAt <= d.At {
		lapsed := *r
		lapsed.Status = restaurantday.StatusExpired
		r = &lapsed
	}
	return r, ok
}

// Reservations is all entries of the book, by number.
func (d Day) Reservations() []*restaurantday.Reservation {
	all := make([]*restaurantday.Reservation, d.State.Reservations())
	for i := range all {
		all[i], _ = d.Reservation(uint32(i + 1))
	}
	return all
}

// Waiting is an entry of a waitlist as it stands.
type Waiting struct {
	ID    domain.WaitlistID
	Entry *restaurantday.WaitlistEntry
	Place int // 1 for the first of its list; 0 where it does not wait
	// Offer is the hold that keeps the tables it is offered, or that it accepted; nil where
	// it was offered nothing.
	Offer    *restaurantday.Reservation
	Zone     string
	Revision uint64 // of the day
}

// Waiting is the entry of the waitlist with this number.
func (d Day) Waiting(entry uint32) (Waiting, bool) {
	e, ok := d.State.WaitlistEntry(entry)
	if !ok {
		return Waiting{}, false
	}
	w := Waiting{
		ID: domain.NewWaitlistID(d.State.Restaurant, d.State.Date, entry), Entry: e, Place: d.State.Place(entry),
		Zone: d.State.Plan.Zone, Revision: d.Revision,
	}
	if e.Number != 0 {
		w.Offer, _ = d.Reservation(e.Number)
	}
	switch {
	case e.Status == restaurantday.WaitlistOffering && w.Offer != nil && w.Offer.Status == restaurantday.StatusExpired:
		w.Entry = gone(e, restaurantday.LeftLapsed)
	case e.Status == restaurantday.WaitlistWaiting && e.To < d.At:
		w.Entry, w.Place = gone(e, restaurantday.LeftPast), 0
	}
	return w, true
}

// OfferID names the offer, where there is one.
func (w Waiting) OfferID() domain.ReservationID {
	restaurant, date, _ := w.ID.Day()
	return domain.NewReservationID(restaurant, date, w.Entry.Number)
}

func gone(e *restaurantday.WaitlistEntry, because restaurantday.LeftBecause) *restaurantday.WaitlistEntry {
	left := *e
	left.Status, left.Reason = restaurantday.WaitlistGone, because
	return &left
}

// Waitlist is all entries of the waitlist, in their order.
func (d Day) Waitlist() []Waiting {
	all := make([]Waiting, d.State.WaitlistEntries())
	for i := range all {
		all[i], _ = d.Waiting(uint32(i + 1))
	}
	return all
}

// WaitlistEntry reads one entry of a waitlist as of now.
func (b *Book) WaitlistEntry(ctx context.Context, id domain.WaitlistID, now domain.Instant) (Waiting, error) {
	restaurant, date, entry := id.Day()
	d, err := b.Day(ctx, restaurant, date, now)
	if err != nil {
		return Waiting{}, err
	}
	w, ok := d.Waiting(entry)
	if !ok {
		return Waiting{}, fmt.Errorf("entry %s of a waitlist: %w", id, ErrNotFound)
	}
	return w, nil
}

// SlotCovers is who comes and who is there, of those who begin in one slot: at its start
// or after it, before the next. Who began before the first slot counts there.
type SlotCovers struct {
	Slot     restaurantday.Slot
	Held     int // covers of the holds
	Expected int // of the confirmed, and of those seated in part who are still to come
	Seated   int // who sit
	Left     int // who were here and have gone
	Paced    int // covers that count against the slot's pacing
}

// Covers tells of each slot of the day who comes and who is there.
func (d Day) Covers() []SlotCovers {
	slots := d.State.Plan.Slots
	all := make([]SlotCovers, len(slots))
	for i := range slots {
		all[i].Slot = slots[i]
	}
	if len(all) == 0 {
		return all
	}
	at := func(start domain.Instant) int {
		i, found := slices.BinarySearchFunc(slots, start, func(s restaurantday.Slot, t domain.Instant) int { return int(s.StartsAt - t) })
		if !found {
			i--
		}
		return i
	}
	for _, r := range d.Reservations() {
		c := &all[max(0, at(r.Slot.StartsAt))]
		switch r.Status {
		case restaurantday.StatusPending:
			c.Held += int(r.Party)
		case restaurantday.StatusConfirmed:
			c.Expected += int(r.Party)
		case restaurantday.StatusSeated:
			c.Seated += int(r.Covers)
			c.Expected += int(r.Party - r.Covers)
		case restaurantday.StatusCompleted:
			c.Left += int(r.Covers)
		case restaurantday.StatusCancelled, restaurantday.StatusExpired, restaurantday.StatusNoShow,
			restaurantday.StatusMoved, restaurantday.StatusWithdrawn: // nobody comes
		}
	}
	for _, b := range d.State.Bookings() {
		if i := at(b.Slot); i >= 0 && (b.Expires == 0 || b.Expires > d.At) {
			all[i].Paced += int(b.Party)
		}
	}
	return all
}

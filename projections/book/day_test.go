package book

import (
	"errors"
	"reflect"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// TestADayAsOf: what an instant alone makes of a day is told, and nothing is written to.
func TestADayAsOf(t *testing.T) {
	s := newShelf(t)
	stream := codec.DayStream(ida, evening)
	if _, err := s.book.Day(t.Context(), ida, evening, noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it is opened: %v", err)
	}
	waits := restaurantday.WaitlistJoined{Stamp: stamp(noon), Entry: 1, Diner: ada, Party: 2, From: slot.StartsAt, To: slot.StartsAt, Code: "J"}
	later := restaurantday.WaitlistJoined{Stamp: stamp(noon), Entry: 2, Diner: ada, Party: 2, From: slot.StartsAt, To: slot.StartsAt, Code: "K"}
	h := held(1)
	h.Source, h.Entry = restaurantday.SourceWaitlist, 1
	s.write(stream, opened(), waits, later, h, restaurantday.WaitlistOffered{Stamp: stamp(noon), Entry: 1, Number: 1, ExpiresAt: h.ExpiresAt})
	type seen struct {
		Statuses []restaurantday.Status
		Waitlist []restaurantday.WaitlistStatus
		Because  []restaurantday.LeftBecause
		Places   []int
		Covers   []SlotCovers
	}
	look := func(now domain.Instant) (got seen) {
		t.Helper()
		d, err := s.book.Day(t.Context(), ida, evening, now)
		if err != nil || d.Revision != 4 {
			t.Fatalf("%+v, %v", d, err)
		}
		for _, r := range d.Reservations() {
			got.Statuses = append(got.Statuses, r.Status)
		}
		for _, w := range d.Waitlist() {
			got.Waitlist, got.Because, got.Places = append(got.Waitlist, w.Entry.Status), append(got.Because, w.Entry.Reason), append(got.Places, w.Place)
			if w.Entry.Entry == 1 && (w.Offer == nil || w.OfferID() != domain.NewReservationID(ida, evening, 1)) {
				t.Errorf("the offer is %+v", w.Offer)
			}
		}
		got.Covers = d.Covers()
		return got
	}
	before := seen{
		Statuses: []restaurantday.Status{restaurantday.StatusPending},
		Waitlist: []restaurantday.WaitlistStatus{restaurantday.WaitlistOffering, restaurantday.WaitlistWaiting},
		Because:  []restaurantday.LeftBecause{"", ""}, Places: []int{0, 1},
		Covers: []SlotCovers{{Slot: slot, Held: 2, Paced: 2}},
	}
	lapsed := seen{
		Statuses: []restaurantday.Status{restaurantday.StatusExpired},
		Waitlist: []restaurantday.WaitlistStatus{restaurantday.WaitlistGone, restaurantday.WaitlistWaiting},
		Because:  []restaurantday.LeftBecause{restaurantday.LeftLapsed, ""}, Places: []int{0, 1},
		Covers: []SlotCovers{{Slot: slot}},
	}
	past := lapsed
	past.Waitlist = []restaurantday.WaitlistStatus{restaurantday.WaitlistGone, restaurantday.WaitlistGone}
	past.Because, past.Places = []restaurantday.LeftBecause{restaurantday.LeftLapsed, restaurantday.LeftPast}, []int{0, 0}
	for _, c := range []struct {
		what string
		now  domain.Instant
		want seen
	}{
		{"an hour before the day's own clock", noon - 3_600_000, before}, {"while it is offered", h.ExpiresAt - 1, before},
		{"when the offer has lapsed", h.ExpiresAt, lapsed}, {"when nothing is left to wait for", slot.StartsAt + 1, past},
		{"earlier again", h.ExpiresAt - 1, before},
	} {
		if got := look(c.now); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", c.what, got, c.want)
		}
	}
	if _, err := s.book.WaitlistEntry(t.Context(), domain.NewWaitlistID(ida, evening, 3), noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
}

// TestChain follows a reservation over three days, from any of its ids; a move that never
// came to its end joins nothing.
func TestChain(t *testing.T) {
	s := newShelf(t)
	id := func(day int) domain.ReservationID { return domain.NewReservationID(ida, evening.AddDays(day), 1) }
	for day := range 4 {
		date := evening.AddDays(day)
		o, h := opened(), held(1)
		o.Date = date
		if day > 0 {
			h.MovedFrom = id(day - 1)
		}
		s.write(codec.DayStream(ida, date), o, h, restaurantday.Confirmed{Stamp: stamp(noon), Number: 1})
		if day < 2 {
			s.write(codec.DayStream(ida, date), restaurantday.Moved{Stamp: stamp(noon), Number: 1, To: id(day + 1)})
		}
	}
	for asked, want := range map[int][]domain.ReservationID{
		0: {id(0), id(1), id(2)}, 1: {id(0), id(1), id(2)}, 2: {id(0), id(1), id(2)},
		3: {id(3)}, // held for a move from day 2 that was not finished
	} {
		chain, err := s.book.Chain(t.Context(), id(asked), noon)
		var got []domain.ReservationID
		for _, e := range chain {
			got = append(got, e.ID)
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("from day %d: got %v, %v, want %v", asked, got, err, want)
		}
	}
	if _, err := s.book.Chain(t.Context(), id(9), noon); !errors.Is(err, ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

package whatif

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// ask replays and keeps both worlds to look at.
func (w *town) ask(t interface{ Fatal(...any) }, q Question) (Answer, *replay) {
	a, r, err := ask(context.Background(), w, q)
	if err != nil {
		t.Fatal(err)
	}
	return a, r
}

// An unchanged plan gives every day as it is in the ledger: entry by entry, hold by hold.
func TestUnchangedPlanReproducesHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := anyHistory(rt, t)
		a, r := w.ask(rt, asked(2, restaurant.OtherPlan{}))
		if len(a.Differences) > 0 {
			rt.Fatalf("%d decisions, %d differences, such as\n%+v", a.Decisions, len(a.Differences), a.Differences[0])
		}
		if w.refusals > 0 && a.Decisions == 0 {
			rt.Fatal("nothing was decided again")
		}
		for _, d := range a.Days {
			if !reflect.DeepEqual(d.History, d.WhatIf) {
				rt.Fatalf("figures\n%+v\nand\n%+v", d.History, d.WhatIf)
			}
		}
		for date, d := range r.days {
			if here, there := memoryOf(d.history), memoryOf(d.other.State); !reflect.DeepEqual(here, there) {
				rt.Fatalf("%s is\n%+v\nin the other world\n%+v", date, here, there)
			}
		}
	})
}

// The histories that are drawn have every event in them that a day can have.
func TestHistoriesHaveEveryEvent(t *testing.T) {
	histories := rapid.Custom(func(rt *rapid.T) *town { return anyHistory(rt, t) })
	seen := map[string]bool{}
	for seed := range 400 {
		for _, name := range histories.Example(seed).types() {
			seen[name] = true
		}
	}
	for _, name := range codec.Types() {
		of, _, _ := strings.Cut(name, ".")
		if slices.Contains([]string{"day", "reservation", "waitlist", "action", "demand"}, of) && !seen[name] {
			t.Errorf("%s is in none: draw the command that comes to it, and tell candidates of it", name)
		}
	}
}

// memory is what a day's book holds, but for what parties told.
type memory struct {
	clock        domain.Instant
	plan         *restaurantday.Plan
	bookings     []restaurantday.Booking
	reservations []restaurantday.Reservation
	waitlist     []restaurantday.WaitlistEntry
	actions      []uint32
	facts        []uint32
}

func memoryOf(s restaurantday.State) memory {
	m := memory{clock: s.Clock(), plan: s.Plan, facts: s.Facts()}
	if s.Opened() {
		m.bookings = s.Bookings()
	}
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		one := *r
		one.Details, one.Override.Reason, one.Reason, one.Told = restaurantday.Details{}, "", "", false
		m.reservations = append(m.reservations, one)
	}
	for n := uint32(1); int(n) <= s.WaitlistEntries(); n++ {
		w, _ := s.WaitlistEntry(n)
		one := *w
		one.Details = restaurantday.Details{}
		m.waitlist = append(m.waitlist, one)
	}
	for _, a := range s.Actions() {
		m.actions = append(m.actions, a.Sequence)
	}
	return m
}

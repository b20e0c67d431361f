package whatif

import (
	"errors"
	"fmt"
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

// book asks for a table, confirmed at once, and returns its number; 0 where it is refused.
func (w *town) book(t *testing.T, date domain.ServiceDate, now, at domain.Instant, party domain.PartySize) uint32 {
	t.Helper()
	events, err := w.do(date, w.id(), domain.Diner(diner[0]), restaurantday.Hold{
		Now: now, Opening: w.opening(date, now), Actor: domain.Diner(diner[0]), Diner: diner[0], Party: party, StartsAt: at, Confirm: true,
	})
	must(t, refusalOrError(err))
	return ownNumber(events)
}

func (w *town) staff(t *testing.T, date domain.ServiceDate, c restaurantday.Command) {
	t.Helper()
	_, err := w.do(date, w.id(), domain.Staff(owner), c)
	must(t, err)
}

// tell is a difference in one line.
func tell(d Difference) string {
	say := func(o Outcome) string {
		if o.Code != "" {
			return string(o.Code)
		}
		return strings.TrimSpace(o.Status + " " + strings.Join(o.Last.Tables, "+"))
	}
	return fmt.Sprintf("%s %s %d of %d: %s → %s", d.Date, d.What, d.Number, d.Party, say(d.History), say(d.WhatIf))
}

func (w *town) differences(t *testing.T, q Question) []string {
	t.Helper()
	a, _ := w.ask(t, q)
	var list []string
	for _, d := range a.Differences {
		list = append(list, tell(d))
	}
	return list
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// firstFit gives each party its table for good, so that differences have one cause.
func firstFit() restaurantday.Policy {
	p := policy()
	p.Assignment = restaurantday.FirstFit
	return p
}

// Of a party that history refused nothing is known: it is taken to come.
func TestWhoWasRefusedIsTakenToCome(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	for range 3 { // tables 1 to 3; the fourth is not given online
		w.book(t, friday, now, seven, 2)
	}
	if w.book(t, friday, now, seven, 2) != 0 {
		t.Fatal("there is a fourth table")
	}
	more := restaurant.OtherPlan{Tables: []restaurantday.Table{
		{Number: "1", Min: 1, Max: 2}, {Number: "2", Min: 1, Max: 4, Area: "terrace"}, {Number: "3", Min: 1, Max: 4}, {Number: "5", Min: 1, Max: 6},
	}}
	expect(t, w.differences(t, asked(1, more)), "2025-11-21 booking 0 of 2: no_table → confirmed 5")
	a, _ := w.ask(t, asked(1, more))
	want := Figures{
		Requests: 4, Accepted: 4, Refused: map[domain.Code]int{}, Reservations: 4, Covers: 8, Assumed: 1,
		SeatMinutesSold: 8 * 90, SeatMinutesOffered: 16 * 5 * 60,
	}
	if !reflect.DeepEqual(a.Days[0].WhatIf, want) {
		t.Errorf("got  %+v\nwant %+v", a.Days[0].WhatIf, want)
	}
}

// A request that is repeated under its key is one party, not two.
func TestWhoAsksAgainIsOneParty(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	first := w.book(t, friday, now, seven, 4)
	w.book(t, friday, now, seven, 4)
	again, id := restaurantday.Hold{Now: now, Actor: domain.Diner(diner[1]), Diner: diner[1], Party: 4, StartsAt: seven, Confirm: true}, w.id()
	_, err := w.do(friday, id, again.Actor, again)
	if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeNoTable {
		t.Fatal(err)
	}
	w.staff(t, friday, restaurantday.Cancel{Now: now + minute, Actor: domain.Staff(owner), Number: first})
	again.Now = now + 2*minute
	if _, err := w.do(friday, id, again.Actor, again); err != nil {
		t.Fatal(err)
	}
	w.staff(t, friday, restaurantday.Seat{Now: seven, Actor: domain.Staff(owner), Number: 3})
	online := restaurant.OtherPlan{Tables: []restaurantday.Table{
		{Number: "1", Min: 1, Max: 2}, {Number: "2", Min: 1, Max: 4}, {Number: "3", Min: 1, Max: 4}, {Number: "4", Min: 2, Max: 6},
	}}
	a, _ := w.ask(t, asked(1, online))
	if f := a.Days[0].WhatIf; f.Reservations != 2 || f.Assumed != 0 || f.Covers != 8 {
		t.Errorf("%+v", f)
	}
}

// Who was accepted in history and is refused in the other world is gone from it, with all
// that was done for it later.
func TestWhoIsRefusedDoesNothingElse(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	w.book(t, friday, now, seven, 2)
	second := w.book(t, friday, now, seven, 2)
	w.staff(t, friday, restaurantday.Seat{Now: seven, Actor: domain.Staff(owner), Number: second})
	w.staff(t, friday, restaurantday.Complete{Now: seven.AddMinutes(60), Actor: domain.Staff(owner), Number: second})
	one := restaurant.OtherPlan{Tables: []restaurantday.Table{{Number: "1", Min: 1, Max: 2}}}
	expect(t, w.differences(t, asked(1, one)), "2025-11-21 booking 2 of 2: completed 2 → no_table")
}

// Where staff chose a table that is taken, or is not there, they choose another.
func TestStaffChooseAnotherTable(t *testing.T) {
	w := opened(t, firstFit())
	now := w.at(friday, 19, 0)
	w.staff(t, friday, restaurantday.WalkIn{
		Now: now, Opening: w.opening(friday, now), Actor: domain.Staff(owner), Party: 2, Tables: []domain.TableID{domain.NewTableID([16]byte{3})},
	})
	less := restaurant.OtherPlan{Tables: []restaurantday.Table{{Number: "1", Min: 1, Max: 2}}}
	expect(t, w.differences(t, asked(1, less)), "2025-11-21 walk_in 1 of 2: seated 3 → seated 1")
}

// What was done in history and cannot be done in the other world is told.
func TestWhatCannotBeDoneIsTold(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	first := w.book(t, friday, now, seven, 2)
	second := w.book(t, friday, now, w.at(friday, 20, 30), 2)
	w.staff(t, friday, restaurantday.Seat{Now: seven, Actor: domain.Staff(owner), Number: first})
	w.staff(t, friday, restaurantday.Amend{Now: seven, Actor: domain.Staff(owner), Number: second, StartsAt: w.at(friday, 20, 0)})
	one := restaurant.OtherPlan{Tables: []restaurantday.Table{{Number: "1", Min: 1, Max: 2}}}
	expect(t, w.differences(t, asked(1, one)),
		"2025-11-21 booking 2 of 2: confirmed 2 → confirmed 1",
		"2025-11-21 amend 2 of 2: done → no_table")
}

// A hold that was confirmed in time lapses where holds are shorter.
func TestHoldsLapseByTheOtherPlan(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	who := domain.Diner(diner[0])
	_, err := w.do(friday, w.id(), who, restaurantday.Hold{Now: now, Opening: w.opening(friday, now), Actor: who, Diner: who.User, Party: 2, StartsAt: seven})
	must(t, err)
	_, err = w.do(friday, w.id(), who, restaurantday.Confirm{Now: now + 3*minute, Actor: who, Number: 1})
	must(t, err)
	two := 2
	expect(t, w.differences(t, asked(1, restaurant.OtherPlan{Policy: restaurant.OtherPolicy{HoldMinutes: &two}})),
		"2025-11-21 booking 1 of 2: confirmed 1 → expired 1",
		"2025-11-21 confirm 1 of 2: done → hold_expired")
}

// Who waits and gets a table in the other world alone takes it, unless it let one go.
func TestWhoWaitsIsOfferedInTheOtherWorld(t *testing.T) {
	for _, c := range []struct {
		declines bool
		want     []string
	}{
		{false, []string{"2025-11-21 waitlist 1 of 2: waiting → accepted, confirmed 5"}},
		{true, []string{"2025-11-21 waitlist 1 of 2: left: declined, cancelled 1 → left: lapsed, expired 5"}},
	} {
		w := opened(t, firstFit())
		now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
		first := w.book(t, friday, now, seven, 2)
		w.book(t, friday, now, seven, 2)
		w.book(t, friday, now, seven, 2)
		who := domain.Diner(diner[1])
		_, err := w.do(friday, w.id(), who, restaurantday.JoinWaitlist{Now: now, Actor: who, Diner: who.User, Party: 2, From: seven, To: seven})
		must(t, err)
		if c.declines {
			w.staff(t, friday, restaurantday.Cancel{Now: now + 30*minute, Actor: domain.Staff(owner), Number: first})
			_, err := w.do(friday, w.id(), who, restaurantday.LeaveWaitlist{Now: now + 31*minute, Actor: who, Entry: 1})
			must(t, err)
		}
		more := restaurant.OtherPlan{Tables: []restaurantday.Table{
			{Number: "1", Min: 1, Max: 2}, {Number: "2", Min: 1, Max: 4, Area: "terrace"}, {Number: "3", Min: 1, Max: 4}, {Number: "5", Min: 1, Max: 4},
		}}
		expect(t, w.differences(t, asked(1, more)), c.want...)
	}
}

// A party whose other day refuses it in the other world stays on the day it is on.
func TestAMoveThatIsRefusedThere(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	number := w.book(t, friday, now, seven, 4)
	w.book(t, friday+1, now, w.at(friday+1, 19, 0), 4)
	system := domain.System()
	w.staff(t, friday, restaurantday.StartMove{Now: now, Actor: domain.Staff(owner), Number: number, To: friday + 1, Move: "m"})
	events, err := w.do(friday+1, w.id(), system, restaurantday.Hold{
		Now: now, Actor: system, Diner: diner[0], Party: 4, Time: "19:00", Confirm: true, MovedFrom: domain.NewReservationID(inn, friday, number),
	})
	must(t, err)
	_, err = w.do(friday, [16]byte{}, system, restaurantday.FinishMove{
		Now: now, Actor: system, Number: number, Move: "m", To: domain.NewReservationID(inn, friday+1, ownNumber(events)),
	})
	must(t, err)
	one := restaurant.OtherPlan{Tables: []restaurantday.Table{{Number: "2", Min: 1, Max: 4}}}
	expect(t, w.differences(t, asked(2, one)),
		"2025-11-21 booking 1 of 4: moved 2 → confirmed 2",
		"2025-11-22 move 2 of 4: confirmed 3 → no_table")
	// It asked once, whatever came of its move.
	a, _ := w.ask(t, asked(2, one))
	type count struct{ Requests, Accepted, Reservations int }
	var got []count
	for _, d := range a.Days {
		for _, f := range []Figures{d.History, d.WhatIf} {
			got = append(got, count{f.Requests, f.Accepted, f.Reservations})
		}
	}
	if want := []count{{1, 1, 0}, {1, 1, 1}, {1, 1, 2}, {1, 1, 1}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// An offer that nobody took is no request.
func TestAnOfferIsNoRequest(t *testing.T) {
	w := opened(t, firstFit())
	now, seven := w.at(friday, 12, 0), w.at(friday, 19, 0)
	first := w.book(t, friday, now, seven, 4)
	w.book(t, friday, now, seven, 4)
	who := domain.Diner(diner[1])
	_, err := w.do(friday, w.id(), who, restaurantday.JoinWaitlist{Now: now, Actor: who, Diner: who.User, Party: 4, From: seven, To: seven})
	must(t, err)
	w.staff(t, friday, restaurantday.Cancel{Now: now + minute, Actor: domain.Staff(owner), Number: first})
	_, err = w.do(friday, [16]byte{}, domain.System(), restaurantday.Lapse{Now: now + 60*minute})
	must(t, err)
	a, _ := w.ask(t, asked(1, restaurant.OtherPlan{}))
	if s := w.days[friday]; s.Reservations() != 3 || a.Days[0].History.Requests != 2 || a.Days[0].WhatIf.Requests != 2 {
		t.Errorf("%d entries, %+v", s.Reservations(), a.Days[0])
	}
}

// A restaurant that was published between a refusal and its record refused it as a draft.
func TestARefusalThatWasPutOnRecordLater(t *testing.T) {
	w := newTown()
	by := domain.Staff(owner)
	must(t, w.run(
		restaurant.Register{Now: 1, Actor: by, ID: inn, Owner: owner, Zone: w.zone, Profile: restaurant.Profile{
			Name: "Inn", Cuisine: "any", Address: "1 Street", City: "Berlin", TimeZone: berlin,
		}},
		restaurant.SetHours{Now: 1, Actor: by, Shifts: []restaurant.Shift{
			{Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 21 * 60, Closes: 23 * 60, SlotMinutes: 30},
		}},
		restaurant.AddTable{Now: 1, Actor: by, Table: restaurantday.Table{ID: domain.NewTableID([16]byte{1}), Number: "1", Min: 1, Max: 2}},
	))
	now := w.at(friday, 12, 0)
	must(t, w.run(restaurant.Publish{Now: now + 1, Actor: by}))
	w.append(codec.DemandStream(inn, friday), w.id(), domain.Actor{Kind: domain.ActorDiner}, restaurantday.Refused{
		Stamp: domain.Stamp{At: now}, Code: domain.CodeClosed, Party: 2, Time: "12:30", By: domain.ActorDiner,
	})
	expect(t, w.differences(t, asked(1, restaurant.OtherPlan{})))
	// What the day offers is what it offered in the end.
	a, _ := w.ask(t, asked(1, restaurant.OtherPlan{}))
	if offered := a.Days[0].History.SeatMinutesOffered; offered != 2*5*60 || a.Days[0].WhatIf.SeatMinutesOffered != offered {
		t.Errorf("%+v", a.Days[0])
	}
}

// Under any other plan what-ifs end, and every request that history knows is answered for
// once in both worlds.
func TestAnyOtherPlanIsAnswered(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := anyHistory(rt, t)
		n := func(most int, name string) *int { i := rapid.IntRange(1, most).Draw(rt, name); return &i }
		var o restaurant.OtherPlan
		if rapid.Bool().Draw(rt, "turns") {
			o.TurnMinutesBy = rapid.SampledFrom([]int{-30, 45}).Draw(rt, "by")
		}
		if rapid.Bool().Draw(rt, "policy") {
			late := rapid.SampledFrom([]restaurantday.Assignment{restaurantday.FirstFit, restaurantday.LateBinding}).Draw(rt, "other assignment")
			o.Policy = restaurant.OtherPolicy{HoldMinutes: n(30, "hold"), PacingCovers: n(12, "other pacing"), Assignment: &late}
		}
		if rapid.Bool().Draw(rt, "tables") {
			for i := range *n(4, "how many") {
				o.Tables = append(o.Tables, restaurantday.Table{Number: fmt.Sprint(i + 1), Min: 1, Max: domain.PartySize(*n(8, "seats"))})
			}
		}
		if rapid.Bool().Draw(rt, "hours") {
			o.Shifts = []restaurant.Shift{{Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 20 * 60, Closes: 22 * 60, SlotMinutes: 60}}
		}
		a, r := w.ask(rt, asked(2, o))
		for _, d := range a.Days {
			if d.WhatIf.Assumed < 0 || d.WhatIf.Assumed > d.WhatIf.Reservations || d.WhatIf.Requests != d.WhatIf.Accepted+d.WhatIf.RefusedInAll() {
				rt.Fatalf("%+v", d.WhatIf)
			}
		}
		again, _ := w.ask(rt, asked(2, o))
		if !reflect.DeepEqual(a, again) {
			rt.Fatal("asked again it is another")
		}
		for date, d := range r.days {
			if !reflect.DeepEqual(memoryOf(d.history), memoryOf(w.days[date])) {
				rt.Fatalf("%s: history is not what it was", date)
			}
			for _, q := range d.requests {
				if (q.refused == "") != (q.number != 0) || (q.unmet == "") != (q.there != 0) {
					rt.Fatalf("%+v", q)
				}
			}
		}
	})
}

func TestNoSuchRestaurant(t *testing.T) {
	q := asked(1, restaurant.OtherPlan{})
	q.Restaurant = domain.NewRestaurantID([16]byte{9})
	if _, err := Ask(t.Context(), opened(t, policy()), q); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

package commands

import (
	"bytes"
	"context"
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

func TestRefusalsGoOnRecord(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	ask := func(key string, spoil func(*HoldTable)) error {
		want := firmTable(id)
		want.Details = restaurantday.Details{
			Guest: restaurantday.Guest{Name: "Greta Guest", Email: "greta@example.com", Phone: "+493012345"}, Notes: "her birthday",
		}
		spoil(&want)
		_, err := a.HoldTable(t.Context(), caller(ada, key), want)
		return err
	}
	if err := ask("accepted", func(*HoldTable) {}); err != nil {
		t.Fatal(err)
	}
	seven, ten := domain.InstantOf(morning), domain.InstantOf(morning.Add(3*time.Minute))
	startsAt := domain.InstantOf(time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC))
	for range 3 { // under one key: one demand
		if err := ask("full", func(*HoldTable) {}); code(err) != domain.CodeNoTable {
			t.Fatal(err)
		}
	}
	h.clock.set(ten.Time())
	if err := ask("large", func(h *HoldTable) { h.Party, h.Time, h.StartsAt, h.Wish.Area = 3, "", startsAt, "where Greta sat" }); code(err) != domain.CodePartyTooLarge {
		t.Fatal(err)
	}
	if err := ask("off", func(h *HoldTable) { h.Time = "19:10" }); code(err) != domain.CodeOffSlot {
		t.Fatal(err)
	}
	day, demand := codec.DayStream(id, evening), codec.DemandStream(id, evening)
	before := h.types(day)
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	entry := func(key string, e restaurantday.Refused) codec.Decoded {
		return codec.Decoded{Event: e, Meta: codec.Metadata{
			CommandID: a.commandID(caller(ada, key), string(id)+" "+evening.String()), DecidedAt: e.At, Actor: domain.Diner(""), RequestID: "req", Role: "diner",
		}}
	}
	slot := restaurantday.Slot{Time: "19:00", StartsAt: startsAt, Closes: startsAt.AddMinutes(240), Shift: "dinner"}
	want := []codec.Decoded{
		entry("full", restaurantday.Refused{Stamp: domain.Stamp{At: seven}, Code: domain.CodeNoTable, Party: 2, Time: "19:00", Seen: 3, By: domain.ActorDiner, Slot: slot}),
		entry("large", restaurantday.Refused{Stamp: domain.Stamp{At: ten}, Code: domain.CodePartyTooLarge, Party: 3, StartsAt: startsAt, Seen: 3,
			Wish: restaurantday.Wish{Area: noArea}, By: domain.ActorDiner, Slot: slot}),
		entry("off", restaurantday.Refused{Stamp: domain.Stamp{At: ten}, Code: domain.CodeOffSlot, Party: 2, Time: "19:10", Seen: 3, By: domain.ActorDiner}),
	}
	if got := h.events(demand); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	for _, r := range h.records(demand) {
		for _, personal := range []string{"Greta", "greta", "+4930", "birthday", string(ada)} {
			if bytes.Contains(r.Data, []byte(personal)) || bytes.Contains(r.Metadata, []byte(personal)) {
				t.Errorf("%s stands in %s %s", personal, r.Data, r.Metadata)
			}
		}
	}
	if after := h.types(day); !reflect.DeepEqual(after, before) {
		t.Errorf("the day's stream went from %v to %v", before, after)
	}
	// After Close there is nobody left to write, and nobody waits for him.
	if err := ask("late", func(*HoldTable) {}); code(err) != domain.CodeNoTable {
		t.Error(err)
	}
}

// An area that the floor has is on record; by another, anything could be written down.
func TestWishesOnRecord(t *testing.T) {
	plan := &restaurantday.Plan{Tables: []restaurantday.Table{{Area: "terrace"}}}
	for area, want := range map[string]string{"": "", "terrace": "terrace", "with Greta": noArea} {
		h := restaurantday.Hold{Wish: restaurantday.Wish{Table: "tbl_1", Area: area}}
		if got := wishOnRecord(plan, h); got != (restaurantday.Wish{Table: "tbl_1", Area: want}) {
			t.Errorf("%q: got %+v", area, got)
		}
		h.Opening = &restaurantday.Open{Plan: plan}
		if got := wishOnRecord(nil, h); got.Area != want {
			t.Errorf("%q, of a day to be opened: got %+v", area, got)
		}
	}
}

// A refusal that rests on the plan that cannot be made is told and recorded as that.
func TestADayThatCannotBeOpened(t *testing.T) {
	h := newHouse(t)
	a := h.app()
	r, err := a.RegisterRestaurant(t.Context(), caller(owner, "r"), RegisterRestaurant{Profile: place("Draft", 0).Profile})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(r.State.ID)); code(err) != domain.CodeClosed {
		t.Errorf("got %v", err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := h.events(codec.DemandStream(r.State.ID, evening))
	if len(got) != 1 || got[0].Event.(restaurantday.Refused).Code != domain.CodeClosed || len(h.records(codec.DayStream(r.State.ID, evening))) != 0 {
		t.Errorf("got %+v", got)
	}
}

// A time that comes twice is asked back for: the request is made again with the instant, and
// counts once.
func TestATimeThatComesTwiceIsNoDemand(t *testing.T) {
	h := newHouse(t)
	a := h.app()
	now := time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)
	h.clock.set(now)
	night := place("Night", 1)
	night.At = domain.InstantOf(now)
	night.Shifts[0].LastSeating, night.Shifts[0].Closes = 3*60, 5*60
	id, err := a.BringInRestaurant(t.Context(), night)
	if err != nil {
		t.Fatal(err)
	}
	date, err := domain.ParseServiceDate("2026-10-24")
	if err != nil {
		t.Fatal(err)
	}
	want := HoldTable{Restaurant: id, Date: date, Time: "02:30", Party: 2}
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), want); code(err) != domain.CodeAmbiguousTime {
		t.Fatal(err)
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.events(codec.DemandStream(id, date)); len(got) != 0 {
		t.Errorf("on record is %+v", got)
	}
}

// Refusals reach the ledger beside the answers too, not at Close alone.
func TestDemandIsWrittenDownSoon(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	want := firmTable(id)
	want.Party = 3
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), want); err == nil {
		t.Fatal("accepted")
	}
	until(t, "it is on record", func() bool { return len(h.records(codec.DemandStream(id, evening))) == 1 })
}

func TestDemandOnRecordAlready(t *testing.T) {
	for name, elsewhere := range map[string]bool{"here": false, "over the network": true} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			store := h.store
			if elsewhere {
				store = remote(t, store)
			}
			stream := eventstore.StreamName("demand-x")
			c := codec.New(h.keys)
			one := func(n byte) refused {
				return refused{[16]byte{n}, codec.Metadata{CommandID: [16]byte{n}}, restaurantday.Refused{Stamp: domain.Stamp{At: 5}, Code: domain.CodeNoTable, Party: domain.PartySize(n)}}
			}
			for _, list := range [][]refused{{one(1)}, {one(1), one(2), one(2)}, {one(3), one(2), one(4), one(1)}, {one(2), one(3)}} {
				if err := appendDemand(t.Context(), store, c, stream, list); err != nil {
					t.Fatal(err)
				}
			}
			var got []domain.PartySize
			for _, d := range h.events(stream) {
				got = append(got, d.Event.(restaurantday.Refused).Party)
			}
			if want := []domain.PartySize{1, 2, 3, 4}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// A day whose demand cannot be written keeps no other from being so.
func TestDemandThatCannotBeWritten(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	lost := codec.DemandStream(id, evening)
	a := h.app(on(&hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		if s == lost {
			return eventstore.Appended{}, eventstore.ErrUnavailable
		}
		return do(ctx, s, x, es...)
	}}))
	for i := range domain.ServiceDate(3) {
		want := firmTable(id)
		want.Date, want.Party = want.Date+i, 3
		if _, err := a.HoldTable(t.Context(), caller(ada, "k"), want); code(err) != domain.CodePartyTooLarge {
			t.Fatal(err)
		}
	}
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 1, 1} {
		if n := len(h.records(codec.DemandStream(id, evening+domain.ServiceDate(i)))); n != want {
			t.Errorf("day %d has %d refusals on record, want %d", i, n, want)
		}
	}
}

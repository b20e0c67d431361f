package commands

import (
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

func TestRestaurantFromDraftToOpen(t *testing.T) {
	h := newHouse(t)
	a := h.app()
	b := place("Ida", 2)
	c := func(key string) Caller { return caller(owner, key) }
	r, err := a.RegisterRestaurant(t.Context(), c("r"), RegisterRestaurant{Profile: b.Profile})
	if err != nil || r.State.Owner != owner || r.State.Status != restaurant.StatusDraft || r.Revision != 0 {
		t.Fatalf("got %+v, %v", r, err)
	}
	again, err := h.app().RegisterRestaurant(t.Context(), c("r"), RegisterRestaurant{Profile: b.Profile})
	r.Replayed = true
	if err != nil || !reflect.DeepEqual(again, r) {
		t.Errorf("again: got\n%+v, %v\nwant\n%+v", again, err, r)
	}
	id := r.State.ID
	if _, err := alter(t, a, c("h"), id, SetHours{Shifts: b.Shifts}); err != nil {
		t.Fatal(err)
	}
	if _, err := alter(t, a, c("p"), id, SetPolicy{Policy: b.Policy}); err != nil {
		t.Fatal(err)
	}
	_, one, err := a.ChangePlan(t.Context(), c("t1"), id, AddTable{b.Tables[0]}, OnOpenDays{})
	if err != nil {
		t.Fatal(err)
	}
	added, second, err := a.ChangePlan(t.Context(), c("t2"), id, AddTable{b.Tables[1]}, OnOpenDays{})
	two := domain.TableID(second)
	if err != nil || one == second {
		t.Fatal(err)
	}
	repeat, same, err := h.app().ChangePlan(t.Context(), c("t2"), id, AddTable{b.Tables[1]}, OnOpenDays{})
	added.Replayed = true
	if err != nil || same != second || !reflect.DeepEqual(repeat, added) {
		t.Errorf("again: got\n%+v, %v\nwant\n%+v", repeat, err, added)
	}
	number, area := "9", "terrace"
	if _, err := alter(t, a, c("t3"), id, ChangeTable{two, TableChanges{Number: &number, Area: &area}}); err != nil {
		t.Fatal(err)
	}
	if _, err := alter(t, a, c("t4"), id, RemoveTable{domain.TableID(one)}); err != nil {
		t.Fatal(err)
	}
	zone, name := "America/New_York", "Ida's"
	if _, err := a.ChangeProfile(t.Context(), c("n"), id, ChangeProfile{Changes: restaurant.ProfileChanges{Name: &name, TimeZone: &zone}}); err != nil {
		t.Fatal(err)
	}
	open, err := a.Publish(t.Context(), c("o"), id)
	if err != nil {
		t.Fatal(err)
	}
	now := domain.InstantOf(morning)
	want := restaurant.State{
		ID: id, Owner: owner, Profile: b.Profile, Shifts: b.Shifts, DayBoundary: restaurant.DefaultDayBoundary,
		Tables: []restaurantday.Table{{ID: two, Number: "9", Min: 1, Max: 2, Area: "terrace"}}, Policy: b.Policy,
		Status: restaurant.StatusOpen, RegisteredAt: now, ChangedAt: now,
	}
	want.Profile.Name, want.Profile.TimeZone = name, zone
	want.Policy.WaitlistOfferMinutes = restaurantday.DefaultOfferMinutes
	if !reflect.DeepEqual(open.State, want) || open.Revision != 8 {
		t.Errorf("got\n%+v\nwant\n%+v", open, want)
	}
	booked, err := a.HoldTable(t.Context(), caller(ada, "b"), firmTable(id))
	if err != nil || booked.Zone != zone {
		t.Errorf("got %+v, %v", booked, err)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	for _, who := range []domain.UserID{ada, ""} {
		if _, err := alter(t, a, caller(who, "p"), id, SetPolicy{Policy: place("", 0).Policy}); code(err) != domain.CodeForbidden {
			t.Errorf("%q set the policy: %v", who, err)
		}
	}
	if _, err := a.RegisterRestaurant(t.Context(), caller("", "r"), RegisterRestaurant{Profile: place("X", 0).Profile}); code(err) != domain.CodeForbidden {
		t.Errorf("nobody registered a restaurant: %v", err)
	}
	own, err := a.HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
	if err != nil || own.Staff || own.Reservation.Diner != ada {
		t.Fatalf("got %+v, %v", own, err)
	}
	for _, who := range []domain.UserID{noor, ""} {
		if _, err := a.ConfirmReservation(t.Context(), caller(who, "c"), own.ID); code(err) != domain.CodeNotFound {
			t.Errorf("%q confirmed another's: %v", who, err)
		}
		if _, err := a.CancelReservation(t.Context(), caller(who, "d"), own.ID, ""); code(err) != domain.CodeNotFound {
			t.Errorf("%q cancelled another's: %v", who, err)
		}
	}
	// Staff who name a guest book for him, else for themselves.
	guest := tableFor(id, 2)
	guest.Details.Guest.Name = "Greta"
	if b, err := a.HoldTable(t.Context(), caller(owner, "g"), guest); err != nil || !b.Staff || b.Reservation.Diner != "" {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := a.HoldTable(t.Context(), caller(owner, "o"), tableFor(id, 2)); err != nil || b.Reservation.Diner != owner {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := a.ConfirmReservation(t.Context(), caller(owner, "c"), own.ID); err != nil || !b.Staff || b.Reservation.Status != restaurantday.StatusConfirmed {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, err := a.CancelReservation(t.Context(), caller(ada, "d"), own.ID, "ill"); err != nil || b.Staff || b.Reservation.Status != restaurantday.StatusCancelled {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestWhatIsNotThere(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	nowhere := domain.NewRestaurantID([16]byte{7})
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(nowhere)); code(err) != domain.CodeNotFound {
		t.Errorf("got %v", err)
	}
	for _, r := range []domain.ReservationID{domain.NewReservationID(nowhere, evening, 1), domain.NewReservationID(id, evening, 1)} {
		if _, err := a.ConfirmReservation(t.Context(), caller(ada, "k"), r); code(err) != domain.CodeNotFound {
			t.Errorf("got %v", err)
		}
	}
	want := firmTable(id)
	want.StartsAt = domain.InstantOf(time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC))
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), want); code(err) != domain.CodeInvalid {
		t.Errorf("startsAt on another date: got %v", err)
	}
	want.Date = 0
	if b, err := a.HoldTable(t.Context(), caller(ada, "k"), want); err != nil || b.Date != evening+1 {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestOpenDay(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	today := mustDate("2026-11-02")
	for date, want := range map[domain.ServiceDate]domain.Code{
		today - 1: domain.CodeInPast, today: "", today + 60: "", today + 61: domain.CodeTooFarAhead,
	} {
		first, err := a.OpenDay(t.Context(), id, date)
		if code(err) != want || want == "" && err != nil {
			t.Errorf("%s: got %v", date, err)
		}
		again, err := h.app().OpenDay(t.Context(), id, date)
		if again != first || code(err) != want {
			t.Errorf("%s, again: got %d, %v after %d", date, again, err, first)
		}
		opened := 0
		if want == "" {
			opened = 1
		}
		if log := h.records(codec.DayStream(id, date)); len(log) != opened || opened == 1 && log[0].Position != first {
			t.Errorf("%s: %d entries, answered %d", date, len(log), first)
		}
	}
}

func TestRecordLapses(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	b, err := a.HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.HoldTable(t.Context(), caller(ada, "l"), firmTable(id)); err != nil {
		t.Fatal(err)
	}
	stream := codec.DayStream(id, evening)
	before := len(h.records(stream))
	h.clock.set(b.Reservation.ExpiresAt.Time().Add(-time.Millisecond))
	if _, err := a.RecordLapses(t.Context(), id, evening); err != nil || len(h.records(stream)) != before {
		t.Errorf("too soon: %v, %v", h.types(stream), err)
	}
	h.clock.set(b.Reservation.ExpiresAt.Time())
	for range 2 {
		at, err := a.RecordLapses(t.Context(), id, evening)
		log := h.records(stream)
		if err != nil || len(log) != before+1 || log[before].Type != codec.TypeReservationExpired || log[before].Position != at {
			t.Errorf("got %d, %v; %v", at, err, h.types(stream))
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	h := newHouse(t)
	good := h.app().cfg
	for name, spoil := range map[string]func(*Config){
		"store": func(c *Config) { c.Store = nil }, "codec": func(c *Config) { c.Codec = nil },
		"passwords": func(c *Config) { c.Passwords = nil }, "body key": func(c *Config) { c.BodyKey = c.BodyKey[:15] },
		"e-mail key": func(c *Config) { c.EmailKey = nil },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("without a %s", name)
		}
	}
}

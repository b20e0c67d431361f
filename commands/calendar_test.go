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

// What a restaurant has beside its week and tables is added under an id made of the key,
// found again by a repeat, shown in the plan of a day, and removed.
func TestCalendarAndFloor(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(2)
	a := h.app()
	c := func(key string) Caller { return caller(owner, key) }
	start, err := a.restaurantState(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	tables := []domain.TableID{start.State.Tables[0].ID, start.State.Tables[1].ID}
	shift := restaurant.Shift{Name: "lunch", Opens: 12 * 60, LastSeating: 12 * 60, Closes: 14 * 60, SlotMinutes: 30, PacingCovers: 8}
	feast := restaurant.SpecialDay{Date: evening, Name: "a feast", Shifts: []restaurant.Shift{shift}}
	shut := restaurant.Closure{From: evening + 1, To: evening + 2, Reason: "works"}
	block := restaurant.Block{Tables: tables[:1], Date: evening, From: 12 * 60, To: 13 * 60, Reason: "wet paint"}
	pair := restaurantday.Combination{Tables: tables, Min: 3, Max: 4}

	change := func(key string, change PlanChange) (Receipt[restaurant.State], string) {
		t.Helper()
		r, made, err := a.ChangePlan(t.Context(), c(key), id, change, OnOpenDays{})
		if err != nil {
			t.Fatal(err)
		}
		return r, made
	}
	change("s", SetSpecialDay{feast})
	_, made := change("c", AddClosure{shut})
	shut.ID = domain.ClosureID(made)
	_, made = change("b", AddBlock{block})
	block.ID = domain.BlockID(made)
	r, made := change("k", AddCombination{pair})
	pair.ID = domain.CombinationID(made)
	want := start.State
	want.SpecialDays, want.Closures = []restaurant.SpecialDay{feast}, []restaurant.Closure{shut}
	want.Blocks, want.Combinations = []restaurant.Block{block}, []restaurantday.Combination{pair}
	want.ChangedAt = r.State.ChangedAt
	if !reflect.DeepEqual(r.State, want) {
		t.Errorf("got\n%+v\nwant\n%+v", r.State, want)
	}
	again, same, err := h.app().ChangePlan(t.Context(), c("k"), id, AddCombination{pair}, OnOpenDays{})
	r.Replayed = true
	if err != nil || same != made || !reflect.DeepEqual(again, r) {
		t.Errorf("again: got %+v, %s, %v", again, same, err)
	}

	open := func(date domain.ServiceDate) *restaurantday.Plan {
		t.Helper()
		if _, err := a.OpenDay(t.Context(), id, date); err != nil {
			t.Fatal(err)
		}
		o, err := a.days.state(t.Context(), codec.DayStream(id, date), 0)
		if err != nil {
			t.Fatal(err)
		}
		return o.State.Plan
	}
	loc := a.zone(start.State.Profile.TimeZone)
	noon := evening.Clock(12*60, loc)
	plan, err := start.State.DayPlan(evening, 0, loc)
	if err != nil {
		t.Fatal(err)
	}
	plan.Revision = r.Revision
	plan.Slots = []restaurantday.Slot{{Time: "12:00", StartsAt: noon, Closes: noon.AddMinutes(120), Shift: "lunch"}}
	plan.Shifts = []restaurantday.ShiftPlan{{Name: "lunch", PacingCovers: 8}}
	plan.Combinations = []restaurantday.Combination{pair}
	plan.Blocks = []restaurantday.Block{{ID: block.ID, Tables: block.Tables, During: domain.Interval{From: noon, To: noon.AddMinutes(60)}, Reason: "wet paint"}}
	if got := open(evening); !reflect.DeepEqual(got, plan) {
		t.Errorf("got\n%+v\nwant\n%+v", got, plan)
	}
	if got := open(evening + 2); got.Closure != "works" || got.Slots != nil {
		t.Errorf("got %+v", got)
	}

	for key, remove := range map[string]PlanChange{
		"rs": RemoveSpecialDay{evening}, "rc": RemoveClosure{shut.ID}, "rb": RemoveBlock{block.ID}, "rk": RemoveCombination{pair.ID},
	} {
		if _, err := alter(t, a, caller(ada, key), id, remove); code(err) != domain.CodeForbidden {
			t.Errorf("a stranger, %s: got %v", key, err)
		}
		r, _ = change(key, remove)
	}
	end := r.State
	if len(end.SpecialDays)+len(end.Closures)+len(end.Blocks)+len(end.Combinations) != 0 {
		t.Errorf("got %+v", end)
	}
}

// A change of zone names the days that are open, with what stands on them, and goes
// through once they are accepted.
func TestZoneChangeNamesOpenDays(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(3)
	a := h.app()
	if _, err := a.HoldTable(t.Context(), caller(ada, "1"), tableFor(id, 2)); err != nil { // lapses
		t.Fatal(err)
	}
	for _, key := range []string{"2", "3"} {
		if _, err := a.HoldTable(t.Context(), caller(ada, key), firmTable(id)); err != nil {
			t.Fatal(err)
		}
	}
	gone, err := a.HoldTable(t.Context(), caller(ada, "4"), func() HoldTable { c := firmTable(id); c.Date++; return c }())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CancelReservation(t.Context(), caller(ada, "5"), gone.ID, ""); err != nil {
		t.Fatal(err)
	}
	h.clock.set(morning.Add(20 * time.Minute))

	zone := "Asia/Tokyo"
	change := ChangeProfile{Changes: restaurant.ProfileChanges{TimeZone: &zone}}
	want := domain.Reject(domain.CodeZoneInUse, "2 days are open by the clocks of Europe/Berlin, with 2 reservations, and would keep those times",
		domain.Reason{Rule: "open_day", Date: evening, Actual: 2}, domain.Reason{Rule: "open_day", Date: evening + 1})
	_, err = a.ChangeProfile(t.Context(), caller(owner, "z"), id, change)
	if no, _ := domain.Rejected(err); !reflect.DeepEqual(no, want) {
		t.Errorf("got %+v, %v", no, err)
	}
	if _, err := a.ChangeProfile(t.Context(), caller(ada, "z"), id, change); code(err) != domain.CodeForbidden {
		t.Errorf("a stranger: got %v", err)
	}
	change.AcceptZoneChange = []domain.ServiceDate{evening, evening + 1}
	if r, err := a.ChangeProfile(t.Context(), caller(owner, "z2"), id, change); err != nil || r.State.Profile.TimeZone != zone {
		t.Errorf("got %+v, %v", r, err)
	}
	// Looking left nothing in memory that was not there.
	if n := len(a.days.lanes); n != 2 {
		t.Errorf("%d days are in memory", n)
	}
}

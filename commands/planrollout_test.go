package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// day is a day of the house as its log has it.
func (h *house) day(id domain.RestaurantID, date domain.ServiceDate) (s restaurantday.State) {
	h.t.Helper()
	for _, d := range h.events(codec.DayStream(id, date)) {
		s = restaurantday.Decider().Fold(s, d.Event.(restaurantday.Event))
	}
	return s
}

func shut(from, to domain.ServiceDate) AddClosure {
	return AddClosure{restaurant.Closure{From: from, To: to, Reason: "works"}}
}

// booked makes a firm booking at a time of the evening.
func (h *house) booked(a *App, id domain.RestaurantID, date domain.ServiceDate, time string) Booked {
	h.t.Helper()
	b, err := a.HoldTable(h.t.Context(), caller(ada, fmt.Sprint(date, time)), HoldTable{Restaurant: id, Date: date, Time: time, Party: 2, Confirm: true})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// stranded tells which bookings of a day contradict its plan and were not dealt with.
func stranded(s restaurantday.State) (numbers []uint32) {
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		if !r.Status.Live() || r.Exception {
			continue
		}
		if !s.Plan.Keeps(restaurantday.Place{Party: r.Party, StartsAt: r.Slot.StartsAt, Occupied: r.Occupied, Tables: r.Tables, Online: r.Online}) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

var errKilled = errors.New("killed")

// dyingLedger is the ledger of a process that dies before its append of that number, or right
// after it, and reaches nothing from then on.
func dyingLedger(h *house, at int, after bool) eventstore.Store {
	var mu sync.Mutex
	n := 0
	return &hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n > at || (n == at && !after) {
			return eventstore.Appended{}, errKilled
		}
		return do(ctx, s, x, es...)
	}}
}

// TestRollOutKilledAtEveryStep kills the process that decides and rolls out a change before
// and after each of its appends; another one ends what it has begun.
func TestRollOutKilledAtEveryStep(t *testing.T) {
	const appends = 9 // more than there are
	for at := 1; at <= appends; at++ {
		for _, after := range []bool{false, true} {
			h := newHouse(t)
			id := h.restaurant(4)
			a := h.app()
			kept, off, next := h.booked(a, id, evening, "18:00"), h.booked(a, id, evening, "19:00"), h.booked(a, id, evening+1, "19:00")
			seen := []restaurant.DaySeen{{Date: evening, Revision: h.revision(id, evening)}, {Date: evening + 1, Revision: h.revision(id, evening+1)}}
			change := OnOpenDays{Seen: seen, Default: restaurantday.Keep, Decisions: []BookingDecision{
				{Reservation: off.ID, Do: restaurantday.CallOff, Message: "so sorry"},
			}}
			dying := h.app(on(dyingLedger(h, at, after)))
			_, _, err := dying.ChangePlan(t.Context(), caller(owner, "shut"), id, shut(evening, evening+1), change)
			_ = dying.RollOut(t.Context(), id)
			if err != nil { // the owner sends it again, under the same key
				if _, _, err = h.app().ChangePlan(t.Context(), caller(owner, "shut"), id, shut(evening, evening+1), change); err != nil {
					t.Fatalf("killed at %d: again: %v", at, err)
				}
			}
			if err := h.app().RollOut(t.Context(), id); err != nil {
				t.Fatalf("killed at %d: %v", at, err)
			}
			length := len(h.records(codec.DayStream(id, evening)))
			if err := h.app().RollOut(t.Context(), id); err != nil || len(h.records(codec.DayStream(id, evening))) != length {
				t.Errorf("killed at %d: rolled out twice, %v", at, err)
			}
			for date, want := range map[domain.ServiceDate]map[domain.ReservationID]restaurantday.Status{
				evening:     {kept.ID: restaurantday.StatusConfirmed, off.ID: restaurantday.StatusCancelled},
				evening + 1: {next.ID: restaurantday.StatusConfirmed},
			} {
				s := h.day(id, date)
				if s.Fence() != "" || s.Plan.Closure != "works" || stranded(s) != nil {
					t.Errorf("killed at %d: fence %q, closure %q, stranded %v", at, s.Fence(), s.Plan.Closure, stranded(s))
				}
				for id, status := range want {
					_, _, number := id.Day()
					if r, _ := s.Reservation(number); r.Status != status || r.Exception != (status == restaurantday.StatusConfirmed) {
						t.Errorf("killed at %d: %s is %s, exception %v", at, id, r.Status, r.Exception)
					}
				}
			}
			for _, d := range h.events(codec.DayStream(id, evening)) {
				if e, ok := d.Event.(restaurantday.Cancelled); ok && (e.Reason != "so sorry" || e.Change == "" || e.By != restaurantday.ByRestaurant) {
					t.Errorf("cancelled %+v", e)
				}
			}
		}
	}
}

func (h *house) revision(id domain.RestaurantID, date domain.ServiceDate) uint64 {
	return uint64(len(h.records(codec.DayStream(id, date)))) - 1
}

// TestADayOpenedWithAnOlderPlan opens a day by a process that knows the restaurant as it was.
func TestADayOpenedWithAnOlderPlan(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(2)
	slow, quick := h.app(), h.app()
	if _, err := slow.restaurantState(t.Context(), id); err != nil { // which it believes for a second
		t.Fatal(err)
	}
	if _, _, err := quick.ChangePlan(t.Context(), caller(owner, "shut"), id, shut(evening, evening), OnOpenDays{}); err != nil {
		t.Fatal(err)
	}
	b := h.booked(slow, id, evening, "19:00")
	if err := quick.RollOutDay(t.Context(), id, evening); err != nil {
		t.Fatal(err)
	}
	s := h.day(id, evening)
	if r, _ := s.Reservation(b.Reservation.Number); r.Status != restaurantday.StatusConfirmed || !r.Exception || s.Plan.Closure == "" || s.Fence() != "" {
		t.Errorf("%+v under %+v", r, s.Plan)
	}
	if err := quick.RollOutDay(t.Context(), id, evening+7); err != nil || len(h.records(codec.DayStream(id, evening+7))) != 0 {
		t.Errorf("a day was opened to be rolled out: %v", err)
	}
	h.clock.set(morning.AddDate(0, 1, 0)) // past days are left alone
	if _, _, err := quick.ChangePlan(t.Context(), caller(owner, "t"), id, AddTable{restaurantday.Table{Number: "9", Min: 1, Max: 2}}, OnOpenDays{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(quick.RollOut(t.Context(), id), quick.RollOutDay(t.Context(), id, evening)); err != nil || len(h.day(id, evening).Plan.Tables) != 2 {
		t.Errorf("a past day was changed: %v", err)
	}
}

// TestSeveralChangesAreRolledOutInOrder decides two before the first is rolled out.
func TestSeveralChangesAreRolledOutInOrder(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(2)
	a := h.app()
	h.booked(a, id, evening, "19:00")
	keep := OnOpenDays{Default: restaurantday.Keep}
	if _, _, err := a.ChangePlan(t.Context(), caller(owner, "1"), id, shut(evening, evening), keep); err != nil {
		t.Fatal(err)
	}
	// What was decided already is not asked again, and counts as done.
	p, err := a.PreviewPlan(t.Context(), caller(owner, ""), id, shut(evening, evening+3))
	if err != nil || len(p.Days) != 1 || len(p.Days[0].Touched) != 0 {
		t.Fatalf("previewed %+v, %v", p, err)
	}
	if _, _, err := a.ChangePlan(t.Context(), caller(owner, "2"), id, AddTable{restaurantday.Table{Number: "9", Min: 1, Max: 2}}, OnOpenDays{}); err != nil {
		t.Fatal(err)
	}
	if err := a.RollOut(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, d := range h.events(codec.DayStream(id, evening)) {
		if _, ok := d.Event.(restaurantday.PlanChanged); ok {
			changed++
		}
	}
	if s := h.day(id, evening); changed != 2 || len(s.Plan.Tables) != 3 || s.Plan.Closure == "" || s.Fence() != "" {
		t.Errorf("%d changes: %+v", changed, s.Plan)
	}
}

// TestPreviewOfABlock: what a block would touch is told without the id of a block that is
// not made, and with the ids of those that are.
func TestPreviewOfABlock(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	h.booked(a, id, evening, "19:00")
	preview := func() (told []restaurantday.Misfit) {
		t.Helper()
		p, err := a.PreviewPlan(t.Context(), caller(owner, ""), id, AddBlock{restaurant.Block{Date: evening, From: 18 * 60, To: 23 * 60}})
		if err != nil || len(p.Days) != 1 || len(p.Days[0].Touched) != 1 {
			t.Fatalf("previewed %+v, %v", p, err)
		}
		return p.Days[0].Touched[0].Misfits
	}
	for _, m := range preview() {
		if m.Rule != "block" || m.Table == "" || m.Block != "" {
			t.Errorf("a block that is not made is %+v", m)
		}
	}
}

// TestBookingsAgainstAChange races bookings by two processes against a closure, which two
// more roll out: after the fence nobody books what is closed, and nobody is lost.
func TestBookingsAgainstAChange(t *testing.T) {
	for round := range 6 {
		h := newHouse(t)
		id := h.restaurant(20)
		h.booked(h.app(), id, evening, "18:00")
		owners := h.app()
		var wg sync.WaitGroup
		for p := range 2 {
			a := h.app()
			for i := range 12 {
				wg.Go(func() {
					_, err := a.HoldTable(context.Background(), caller(noor, fmt.Sprint(round, p, i)), HoldTable{Restaurant: id, Date: evening, Time: "19:00", Party: 2, Confirm: true})
					if _, refused := domain.Rejected(err); err != nil && !refused {
						t.Error(err)
					}
				})
			}
		}
		wg.Go(func() {
			if _, _, err := owners.ChangePlan(context.Background(), caller(owner, "shut"), id, shut(evening, evening), OnOpenDays{Default: restaurantday.CallOff}); err != nil {
				t.Error(err)
			}
			var both sync.WaitGroup
			for range 2 {
				a := h.app()
				both.Go(func() {
					if err := a.RollOut(context.Background(), id); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		})
		wg.Wait()
		if err := h.app().RollOut(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		fenced, held, called := false, 0, 0
		for _, d := range h.events(codec.DayStream(id, evening)) {
			switch d.Event.(type) {
			case restaurantday.PlanFenced:
				fenced = true
			case restaurantday.Held:
				if held++; fenced {
					t.Errorf("round %d: booked behind the fence", round)
				}
			case restaurantday.Cancelled:
				called++
			}
		}
		if s := h.day(id, evening); !fenced || held != called || stranded(s) != nil || s.Plan.Closure == "" {
			t.Errorf("round %d: %d held, %d called off, stranded %v", round, held, called, stranded(s))
		}
	}
}

// TestAChangeThatSaysTooLittle is refused and changes nothing; so is one for a booking that
// became another since its day was seen.
func TestAChangeThatSaysTooLittle(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	b := h.booked(a, id, evening, "18:00")
	seen := h.revision(id, evening)
	lunch := "19:30"
	if _, err := a.AmendReservation(t.Context(), caller(ada, "later"), b.ID, AmendReservation{Time: lunch}); err != nil {
		t.Fatal(err)
	}
	before := len(h.records(codec.RestaurantStream(id)))
	decision := OnOpenDays{
		Seen:      []restaurant.DaySeen{{Date: evening, Revision: seen}},
		Decisions: []BookingDecision{{Reservation: b.ID, Do: restaurantday.CallOff}},
	}
	for what, open := range map[string]OnOpenDays{"nothing": {}, "of before": decision} {
		_, _, err := a.ChangePlan(t.Context(), caller(owner, what), id, shut(evening, evening), open)
		if no, ok := domain.Rejected(err); !ok || no.Code != domain.CodeDecisionNeeded || len(no.Reasons) != 1 || no.Reasons[0].Date != evening {
			t.Errorf("%s: %v", what, err)
		}
	}
	if after := len(h.records(codec.RestaurantStream(id))); after != before || h.day(id, evening).Fence() != "" {
		t.Errorf("%d events, then %d", before, after)
	}
	decision.Seen[0].Revision = h.revision(id, evening)
	if _, _, err := a.ChangePlan(t.Context(), caller(owner, "now"), id, shut(evening, evening), decision); err != nil {
		t.Error(err)
	}
	if _, _, err := a.ChangePlan(t.Context(), caller(ada, "who"), id, shut(evening, evening), decision); err == nil {
		t.Error("anybody closes the restaurant")
	}
}

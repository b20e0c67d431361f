package processes

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// plan is the plan of a day as its log has it, and whether a fence stands.
func (h *house) plan(date domain.ServiceDate) (closure, fence string) {
	h.t.Helper()
	var s restaurantday.State
	c := codec.New(h.keys)
	for r, err := range h.store.ReadStream(h.t.Context(), codec.DayStream(h.id, date), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		d, err := c.Decode(h.t.Context(), r)
		if err != nil {
			h.t.Fatal(err)
		}
		s = restaurantday.Decider().Fold(s, d.Event.(restaurantday.Event))
	}
	return s.Plan.Closure, s.Fence()
}

func (h *house) close(from, to domain.ServiceDate) {
	h.t.Helper()
	c := h.caller()
	c.Import = true
	if _, _, err := h.app.ChangePlan(h.t.Context(), c, h.id,
		commands.AddClosure{Closure: restaurant.Closure{From: from, To: to, Reason: "works"}}, commands.OnOpenDays{Default: restaurantday.Keep}); err != nil {
		h.t.Fatal(err)
	}
}

// awayFor is a process's way to the house that is away for a while.
type awayFor struct {
	RollOuts
	left atomic.Int64
}

func (a *awayFor) RollOut(ctx context.Context, id domain.RestaurantID) error {
	if a.left.Add(-1) >= 0 {
		return errors.New("the ledger is away")
	}
	return a.RollOuts.RollOut(ctx, id)
}

// TestChangesReachOpenDays rolls out a change by two processes, one of which fails at first;
// a third one that begins later finds nothing left to do.
func TestChangesReachOpenDays(t *testing.T) {
	h := newHouse(t)
	h.hold(h.date)
	h.hold(h.date + 1)
	h.close(h.date, h.date+1)
	if closure, fence := h.plan(h.date); closure != "" || fence == "" {
		t.Fatalf("the command left closure %q and fence %q", closure, fence)
	}
	away := &awayFor{RollOuts: h.app}
	away.left.Store(1)
	var list []*Deadlines
	for _, app := range []RollOuts{away, h.app} {
		p, err := NewPlanRollout(h.config(&checkpoints{}), app)
		if err != nil {
			t.Fatal(err)
		}
		h.run(p)
		list = append(list, p)
	}
	h.until("the first has failed", func() bool { return away.left.Load() < 1 && list[1].Waiting() == 0 && list[1].Live() })
	h.moveTo(domain.InstantOf(h.clock()).AddMinutes(1))
	for _, p := range list {
		h.until("it has nothing left to do", func() bool { h.stir(); return p.Live() && p.Waiting() == 0 })
	}
	for _, date := range []domain.ServiceDate{h.date, h.date + 1} {
		if closure, fence := h.plan(date); closure != "works" || fence != "" {
			t.Errorf("%s: closure %q, fence %q", date, closure, fence)
		}
	}
	head, err := h.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	third, err := NewPlanRollout(h.config(&checkpoints{}), h.app)
	if err != nil {
		t.Fatal(err)
	}
	h.run(third)
	h.until("the third is done", func() bool { return third.Live() && third.Waiting() == 0 })
	if again, err := h.store.Head(t.Context()); err != nil || again != head {
		t.Errorf("the ledger went on from %d to %d, %v", head, again, err)
	}
}

func TestRolloutNeedsSomebodyToDoIt(t *testing.T) {
	h := newHouse(t)
	if _, err := NewPlanRollout(h.config(&checkpoints{}), nil); err == nil {
		t.Error("made without")
	}
}

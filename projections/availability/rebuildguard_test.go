package availability

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"sync"
	"testing"

	"daybook/eventstore"
	"daybook/projections"
)

// copyOf begins a copy and brings it to the head of the ledger.
func (h *house) copyOf(v *View) *copied {
	h.t.Helper()
	build, err := v.Rebuild(context.Background(), "a")
	if err != nil {
		h.t.Fatal(err)
	}
	c := build.View.(*copied)
	if _, err := c.Checkpoint(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	if err := c.follow(context.Background()); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// rebuilt rebuilds as another process would, or puts back what that replaced.
func (h *house) rebuilt(e end, rollback bool) {
	h.t.Helper()
	o := projections.RebuildOptions{Options: projections.Options{Logger: quiet}, Build: "a", Rollback: rollback}
	if _, err := projections.Rebuild(context.Background(), h.store, h.view(e.client()), o); err != nil {
		h.t.Fatal(err)
	}
}

// unchanged compares all of Redis with what was there before.
func unchanged(t *testing.T, e end, before map[string]string) {
	t.Helper()
	if got := dump(t, e.client()); !reflect.DeepEqual(got, before) {
		maps.DeleteFunc(got, func(k, v string) bool {
			had, there := before[k]
			return there && had == v
		})
		t.Errorf("Redis was changed: keys of %d, of them new or other %q", len(before), got)
	}
}

// A read of a stream that began before two swaps ends when the epoch that it was for counts
// again. It is as old as the swaps are, and is not written back.
func TestAReadFromBeforeTwoSwapsIsNotWrittenBack(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		h.rebuilt(e, false)
		h.rebuilt(e, false)
		store := &counting{Store: h.store}
		healer := h.view(e.client(), func(o *Options) { o.Store = store })
		h.checkpoint(healer)
		in := parseMark(dump(t, e.client())[epochKey], "0").in
		lose := func() {
			if err := e.client().Del(context.Background(), today.redisKey(in)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		lose()
		before := dump(t, e.client())[epochKey]
		var once sync.Once
		var swapped map[string]string
		hook := func() {
			once.Do(func() {
				h.rebuilt(e, true)
				h.do(today, h.hold(today, 2, "18:30"))
				h.rebuilt(e, true)
				lose()
				swapped = dump(t, e.client())
			})
		}
		store.atEnd.Store(&hook)
		if a, err := healer.Day(context.Background(), restaurant, date, 2); err != nil || a.Revision != 2 {
			t.Fatalf("answered %+v, %v", a, err)
		}
		if now := swapped[epochKey]; now == before || now[:len(epoch{})+1] != before[:len(epoch{})+1] {
			t.Errorf("epoch %x after two swaps, %x before", now, before)
		}
		unchanged(t, e, swapped)
		h.check(h.view(e.client()), today, 4, 2)
	})
}

// Of two that go on with one copy, the first to write ends the other, also where all that is
// left for that one to do is to swap.
func TestACopyThatAnotherFeedsIsNotSwapped(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		p := h.do(today, h.hold(today, 2, "18:30")).Position
		v := h.view(e.client())
		h.feed(v, h.checkpoint(v))
		first, second := h.copyOf(h.view(e.client())), h.copyOf(h.view(e.client()))
		if first.at.Position != p || second.at.Position != p || first.epoch != second.epoch {
			t.Fatalf("copies %+v and %+v, want one at %d", first, second, p)
		}
		h.do(today, h.hold(today, 2, "18:30"))
		if err := second.follow(context.Background()); err != nil {
			t.Fatal(err)
		}
		before := dump(t, e.client())
		if err := first.trySwap(context.Background()); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the first swaps: %v", err)
		}
		unchanged(t, e, before)
		if err := second.swap(context.Background()); err != nil {
			t.Errorf("the second swaps: %v", err)
		}
		h.check(h.view(e.client()), today, 4, 2)
	})
}

// A live view that moves on just before the swap is not taken back: the copy follows it first.
func TestASwapNeverGoesBack(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		client, meddler := meddled(t, e)
		p := h.do(today, h.hold(today, 2, "18:30")).Position
		live := h.view(e.client())
		h.checkpoint(live)
		c := h.copyOf(h.view(client))
		var to eventstore.Position
		meddler.act = func() {
			h.do(today, h.hold(today, 2, "18:30"))
			to = h.feed(live, p)
		}
		if err := c.swap(context.Background()); err != nil {
			t.Fatal(err)
		}
		m, err := h.view(e.client()).mark(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if want := (mark{known: true, epoch: c.epoch, in: c.in, turn: m.turn, position: to}); m != want || to <= p {
			t.Errorf("Redis stands at %+v, want %+v", m, want)
		}
		h.check(h.view(e.client()), today, 4, 2)
	})
}

// Where the live view is lost while a copy is made, the copy may take its place, but not with
// less than this process has seen, and what was lost is not kept to go back to.
func TestASwapWhereTheLiveViewIsLost(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		ctx := context.Background()
		h := newHouse(t)
		p := h.do(today, h.hold(today, 2, "18:30")).Position
		v := h.view(e.client())
		h.checkpoint(v)
		c := h.copyOf(v)
		h.do(today, h.hold(today, 2, "18:30"))
		to := h.feed(v, p)
		if err := e.client().Del(ctx, epochKey).Err(); err != nil {
			t.Fatal(err)
		}
		if err := c.trySwap(ctx); !errors.Is(err, errBehind) {
			t.Errorf("with less than was seen: %v", err)
		}
		if err := c.swap(ctx); err != nil {
			t.Fatal(err)
		}
		if c.at.Position != to {
			t.Errorf("swapped at %d, want %d", c.at.Position, to)
		}
		if kept, there := dump(t, e.client())[besideKey]; there {
			t.Errorf("what was lost is kept: %q", kept)
		}
		h.check(h.view(e.client()), today, 4, 2)
	})
}

// An epoch that begins where Redis knew of none begins in the first half, and ends what was
// filled there.
func TestACopyInTheLiveHalfIsNotSwapped(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		ctx := context.Background()
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		h.rebuilt(e, false)
		c := h.copyOf(h.view(e.client()))
		if err := e.client().Del(ctx, epochKey).Err(); err != nil {
			t.Fatal(err)
		}
		h.check(h.view(e.client()), today, 2, 2)
		before := dump(t, e.client())
		if in := parseMark(before[epochKey], "0").in; c.in != halfA || in != halfA {
			t.Fatalf("the copy in %c, the epoch in %c", c.in, in)
		}
		if err := c.swap(ctx); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("swapped: %v", err)
		}
		unchanged(t, e, before)
	})
}

// A copy whose half another rebuild took does not read that one's position for its own, and
// does not drop that one's days.
func TestACopyWhoseHalfIsTaken(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		ctx := context.Background()
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		c := h.copyOf(h.view(e.client()))
		if _, err := projections.Rebuild(ctx, h.store, h.view(e.client()), projections.RebuildOptions{Build: "b"}); err != nil {
			t.Fatal(err)
		}
		h.rebuilt(e, true)
		before := dump(t, e.client())
		if _, err := c.Checkpoint(ctx); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the first has a checkpoint: %v", err)
		}
		if err := c.abandon(ctx); err != nil {
			t.Error(err)
		}
		unchanged(t, e, before)
	})
}

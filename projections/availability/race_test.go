package availability

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections"
)

// meddler lets somebody else act just before a client's next transaction is carried out.
type meddler struct {
	redis.Hook
	mu  sync.Mutex
	act func()
}

func (m *meddler) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (m *meddler) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (m *meddler) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() == "multi" {
			m.mu.Lock()
			act := m.act
			m.act = nil
			m.mu.Unlock()
			if act != nil {
				act()
			}
		}
		return next(ctx, cmds)
	}
}

// meddled returns a client of the same Redis whose transactions can be disturbed.
func meddled(t *testing.T, e end) (*redis.Client, *meddler) {
	o := *e.client().Options()
	if _, ok := e.(*inProcessEnd); ok {
		o.ReadTimeout, o.WriteTimeout = -2, -2 // NewClient has put other words for it there
	}
	c := redis.NewClient(&o)
	t.Cleanup(func() { c.Close() })
	m := &meddler{}
	c.AddHook(m)
	return c, m
}

func (h *house) batch(after, to eventstore.Position) eventstore.Batch {
	b := eventstore.Batch{Position: to}
	for r, err := range h.store.ReadAll(context.Background(), after, eventstore.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		if r.Position <= to {
			b.Records = append(b.Records, r)
		}
	}
	return b
}

func TestAHealerComesBeforeTheRunner(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		client, meddler := meddled(t, e)
		runner, healer := h.view(client), h.view(e.client())
		other := DayKey{restaurant, date + 1}
		p := h.do(other, h.hold(other, 2, "18:00")).Position
		h.checkpoint(runner)
		first := h.do(today, h.hold(today, 2, "18:30"))
		last := h.do(today, h.hold(today, 2, "18:30"))
		meddler.act = func() { h.check(healer, today, 4, 2, AtLeast(last.Position)) }
		if err := runner.Apply(context.Background(), h.batch(p, first.Position)); err != nil {
			t.Fatal(err)
		}
		h.check(h.view(e.client()), today, 4, 2)
	})
}

func TestTheRunnerComesBeforeAHealer(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		client, meddler := meddled(t, e)
		healer, runner := h.view(client), h.view(e.client())
		h.do(today, h.hold(today, 2, "18:30"))
		p := h.checkpoint(runner)
		meddler.act = func() {
			h.do(today, h.hold(today, 2, "18:30"))
			h.feed(runner, p)
		}
		if _, err := healer.Day(context.Background(), restaurant, date, 2); err != nil {
			t.Fatal(err)
		}
		h.check(h.view(e.client()), today, 4, 2)
	})
}

func TestTwoBeginAnEpoch(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		client, meddler := meddled(t, e)
		one, two := h.view(client), h.view(e.client())
		h.do(today, h.hold(today, 2, "18:30"))
		var began string
		meddler.act = func() {
			h.checkpoint(two)
			began = e.client().Get(context.Background(), epochKey).Val()
		}
		h.checkpoint(one)
		if now := e.client().Get(context.Background(), epochKey).Val(); began == "" || now != began {
			t.Errorf("epoch %x, want the one that was there first, %x", now, began)
		}
	})
}

// An epoch begins at the head of the ledger. A runner that has not come so far must not
// put days as they were before in it.
func TestARunnerBehindTheEpochWritesNoDays(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		runner, other := h.view(e.client()), h.view(e.client())
		first := h.do(today, h.hold(today, 2, "18:30"))
		last := h.do(today, h.hold(today, 2, "18:30"))
		if got := h.checkpoint(other); got != last.Position {
			t.Fatalf("the epoch begins at %d, want %d", got, last.Position)
		}
		before := dump(t, e.client())
		if err := runner.Apply(context.Background(), h.batch(0, first.Position)); err != nil {
			t.Fatal(err)
		}
		if after := dump(t, e.client()); !reflect.DeepEqual(after, before) {
			t.Errorf("Redis had %q, the runner left %q", before, after)
		}
		h.check(other, today, 4, 2)
	})
}

// What the view does not know it passes over; what it cannot read is the runner's to park.
func TestStrangeRecords(t *testing.T) {
	h := newHouse(t)
	e := newInProcessEnd(t)
	v := h.view(e.client())
	other := DayKey{restaurant, date + 1}
	p := h.do(other, h.hold(other, 2, "18:00")).Position
	h.checkpoint(v)
	put := func(key DayKey, kind, data string) eventstore.Position {
		t.Helper()
		var id eventstore.EventID
		rand.Read(id[:])
		at, err := h.store.Append(context.Background(), codec.DayStream(key.Restaurant, key.Date), eventstore.Any(),
			eventstore.Event{ID: id, Type: kind, Data: []byte(data), Metadata: []byte(`{"v":1}`)})
		if err != nil {
			t.Fatal(err)
		}
		return at.Position
	}
	p1 := put(today, "reservation.sung", "{}")
	if err := v.Apply(context.Background(), h.batch(p, p1)); err != nil {
		t.Fatal(err)
	}
	if a, err := v.Day(context.Background(), restaurant, date, 2); err != nil || a.Opened {
		t.Errorf("got %+v, %v of a day that has only an unknown event", a, err)
	}
	p2 := put(other, "reservation.held", "{")
	err := v.Apply(context.Background(), h.batch(p1, p2))
	if !errors.Is(err, projections.ErrCorrupt) {
		t.Fatalf("got %v, want ErrCorrupt", err)
	}
	if err := v.Apply(context.Background(), eventstore.Batch{Position: p2}); err != nil {
		t.Fatal(err)
	}
	a, err := v.Day(context.Background(), other.Restaurant, other.Date, 2, AtLeast(p2))
	if err != nil || !a.Opened || a.Position < p2 {
		t.Errorf("got %+v, %v of a day with an event that cannot be read", a, err)
	}
}

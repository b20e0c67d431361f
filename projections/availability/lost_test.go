package availability

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/internal/enginetest"
	"daybook/projections"
)

func TestFlushedIsHealed(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		store := &counting{Store: h.store}
		v := h.view(e.client(), func(o *Options) { o.Store = store })
		at := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, 0)
		if got := h.checkpoint(v); got != at.Position {
			t.Fatalf("checkpoint %d, want %d", got, at.Position)
		}
		before := dump(t, e.client())[epochKey]
		e.flush()
		h.check(v, today, 2, 2)
		reads := store.reads.Load()
		h.check(v, today, 2, 2)
		if n := store.reads.Load() - reads; n != 0 {
			t.Errorf("%d streams read for a healed day", n)
		}
		after := dump(t, e.client())
		if after[epochKey] == "" || after[epochKey] == before {
			t.Errorf("epoch %x after %x, want a new one", after[epochKey], before)
		}
		if _, kept := after[today.redisKey(halfA)]; !kept {
			t.Error("the healed day was not written back")
		}
	})
}

func TestAnEmptyStartReplaysNothing(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		at := h.do(today, h.hold(today, 2, "18:30"))
		v := h.view(e.client())
		if got := h.checkpoint(v); got != at.Position {
			t.Fatalf("checkpoint %d, want the head %d", got, at.Position)
		}
		h.check(v, today, 2, 2)
		next := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, at.Position)
		h.check(v, today, 4, 2, AtLeast(next.Position))
	})
}

// A Redis put back to the past is noticed by the next reader, without any runner.
func TestPutBackIsNoticedByAReader(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		at := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, 0)
		restore := e.snapshot()
		h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, at.Position)
		h.check(v, today, 4, 2)
		old := dump(t, e.client())
		restore()
		h.check(v, today, 4, 2)
		if now := dump(t, e.client()); now[epochKey] == old[epochKey] {
			t.Error("no new epoch")
		}
		// Put back once more, to before that epoch: its own must not come alive again.
		restore()
		h.check(v, today, 4, 2)
	})
}

// What a runner finds put back it does not write on to: a process that has seen nothing
// before must not take the days that were put back for current.
func TestPutBackIsNoticedByTheRunner(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		at := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, 0)
		restore := e.snapshot()
		at2 := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, at.Position)
		restore()
		other := DayKey{restaurant, date + 1}
		at3 := h.do(other, h.hold(other, 2, "18:00"))
		h.feed(v, at2.Position)
		fresh := h.view(e.client())
		if got := h.checkpoint(fresh); got != at3.Position {
			t.Fatalf("checkpoint %d, want %d", got, at3.Position)
		}
		h.check(fresh, today, 4, 2)
		h.check(fresh, other, 2, 2)
	})
}

// A Redis that served another ledger, or one that was put back to the past, is empty.
func TestAnotherLedgersRedis(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		first, second := newHouse(t), newHouse(t)
		first.do(today, first.hold(today, 4, "18:30"))
		first.feed(first.view(e.client()), 0)
		second.do(today, second.hold(today, 2, "18:30"))
		second.check(second.view(e.client()), today, 2, 2)
	})
}

func TestLedgerPutBack(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		at := h.feed(h.view(e.client()), 0)
		// As if Redis had seen more of this ledger than there is.
		if err := e.client().Set(context.Background(), positionKey, formatPosition(at+1000), 0).Err(); err != nil {
			t.Fatal(err)
		}
		v := h.view(e.client())
		if got := h.checkpoint(v); got != at {
			t.Fatalf("checkpoint %d, want %d", got, at)
		}
		h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, at)
		h.check(v, today, 4, 2)
	})
}

// A ledger that was put back and has grown past where Redis stands: no day in Redis counts, for
// a reader and for the runner.
func TestLedgerPutBackAndGrown(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		restored := h.restored()
		h.do(today, h.hold(today, 2, "18:30"))
		h.feed(h.view(e.client()), 0)
		h.check(h.view(e.client()), today, 4, 2)
		before := dump(t, e.client())[epochKey]
		other := DayKey{restaurant, date + 1}
		restored.do(other, restored.hold(other, 2, "18:00"), restored.hold(other, 2, "18:00"))
		restored.check(restored.view(e.client()), today, 2, 2)
		if now := dump(t, e.client())[epochKey]; now == before {
			t.Error("no new epoch")
		}
		v := restored.view(e.client())
		runner := restored.run(v)
		at := restored.do(today, restored.hold(today, 1, "20:00"))
		restored.wait(runner, at.Position)
		restored.check(v, today, 4, 2)
		restored.check(v, other, 4, 2)
	})
}

func TestProcessesAgreeOnTheEpoch(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		h.do(today, h.hold(today, 2, "18:30"))
		views := make([]*View, 4)
		for i := range views {
			views[i] = h.view(e.client())
			h.check(views[i], today, 2, 2)
		}
		e.flush()
		var wg sync.WaitGroup
		for _, v := range views {
			wg.Go(func() {
				if _, err := v.Day(context.Background(), restaurant, date, 2); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		epoch := dump(t, e.client())[epochKey]
		for _, v := range views {
			h.check(v, today, 2, 2)
		}
		if got := dump(t, e.client())[epochKey]; got != epoch {
			t.Errorf("epoch %x after %x though nothing was lost", got, epoch)
		}
	})
}

func TestWithoutRedis(t *testing.T) {
	server := enginetest.NewRedis(t)
	e := &realEnd{t: t, server: server}
	h := newHouse(t)
	v := h.view(e.client())
	runner := h.run(v)
	at := h.do(today, h.hold(today, 2, "18:30"))
	h.wait(runner, at.Position)
	h.check(v, today, 2, 2)

	server.Stop(t)
	next := h.do(today, h.hold(today, 2, "18:30"))
	h.check(v, today, 4, 2, AtLeast(next.Position))
	began := time.Now()
	for range 1000 {
		h.check(v, today, 4, 2)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("1000 answers without Redis took %v", took)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := runner.Wait(ctx, Name, next.Position); !errors.Is(err, projections.ErrBehind) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wait without Redis: %v, want ErrBehind", err)
	}

	server.Start(t)
	h.wait(runner, next.Position)
	h.check(v, today, 4, 2)
	eventually(t, "the day stands in Redis again", func() bool {
		h.check(v, today, 4, 2)
		return e.client().Exists(context.Background(), today.redisKey(halfA)).Val() == 1
	})
}

func TestRebuiltEqualsLive(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		p := h.checkpoint(v)
		for i := range domain.ServiceDate(30) {
			key := DayKey{restaurant, date + i}
			h.do(key, h.hold(key, 2, "18:30"), h.pending(key, 4, "19:00"), h.hold(key, 1, "20:00"),
				restaurantday.Cancel{Now: morning, Actor: domain.System(), Number: 1})
			r := rand.New(rand.NewPCG(uint64(i), 3))
			for range 30 {
				if _, err := h.try(key, h.draw(key, r)); err != nil {
					if _, refused := domain.Rejected(err); !refused {
						t.Fatal(err)
					}
				}
			}
			if i%7 == 0 {
				p = h.feed(v, p)
			}
		}
		h.feed(v, p)
		live := days(t, e.client())
		rebuild := func(o projections.RebuildOptions) projections.Rebuilt {
			t.Helper()
			done, err := projections.Rebuild(context.Background(), h.store, h.view(e.client()), o)
			if err != nil {
				t.Fatal(err)
			}
			if head, _ := h.store.Head(context.Background()); done.Position != head {
				t.Errorf("stands at %d, want %d", done.Position, head)
			}
			return done
		}
		same := func(done projections.Rebuilt, differing uint64) {
			t.Helper()
			want := []projections.Compared{{What: "days", Entries: 30, OnlyLive: differing, OnlyCopy: differing}}
			if !reflect.DeepEqual(done.Compared, want) {
				t.Errorf("compared %+v, want %+v", done.Compared, want)
			}
			if got := days(t, e.client()); len(live) != 30 || !reflect.DeepEqual(got, live) {
				t.Errorf("%d days, %d before, not equal", len(got), len(live))
			}
		}
		if _, err := projections.Rebuild(context.Background(), h.store, v, projections.RebuildOptions{Rollback: true}); !errors.Is(err, projections.ErrNothingKept) {
			t.Errorf("with nothing kept: %v", err)
		}
		same(rebuild(projections.RebuildOptions{Build: "a"}), 0)
		same(rebuild(projections.RebuildOptions{Rollback: true}), 0)

		// A value made wrong by hand is found, and put back where that is wished.
		in := parseMark(dump(t, e.client())[epochKey], "0").in
		spoil := func(from, to DayKey) {
			raw, other := []byte(e.client().Get(context.Background(), to.redisKey(in)).Val()), e.client().Get(context.Background(), from.redisKey(in)).Val()
			if err := e.client().Set(context.Background(), to.redisKey(in), string(raw[:headerSize])+other[headerSize:], 0).Err(); err != nil {
				t.Fatal(err)
			}
		}
		spoil(DayKey{restaurant, date + 1}, DayKey{restaurant, date + 2})
		if done, err := projections.Rebuild(context.Background(), h.store, v, projections.RebuildOptions{Build: "a", IfEqual: true}); !errors.Is(err, projections.ErrDiffers) || done.Equal() {
			t.Errorf("got %+v, %v", done, err)
		}
		same(rebuild(projections.RebuildOptions{Build: "b"}), 1)
		// To put it back only where it is equal puts nothing back, and leaves it there.
		for range 2 {
			if _, err := projections.Rebuild(context.Background(), h.store, v, projections.RebuildOptions{Rollback: true, IfEqual: true}); !errors.Is(err, projections.ErrDiffers) {
				t.Errorf("put back where it differs: %v", err)
			}
		}
		// The live view goes on in the other half, and so does what is kept.
		key := DayKey{restaurant, date + 3}
		h.do(key, restaurantday.Record{
			Now: morning, Actor: domain.System(), Fact: restaurantday.Fact{Batch: "last", Run: 1, Source: "theirs", External: "last"},
			Status: restaurantday.StatusConfirmed, Party: 2, StartsAt: evening + hour, Time: "19:00",
		})
		h.feed(v, p)
		live = days(t, e.client())
		rebuild(projections.RebuildOptions{Rollback: true})
		if got := days(t, e.client()); reflect.DeepEqual(got, live) {
			t.Error("what was put back is not what was kept")
		}
		same(rebuild(projections.RebuildOptions{Rollback: true}), 1)
	})
}

// A rebuild that was cut off is gone on with by the same build, and a copy has one who
// feeds it.
func TestRebuildGoesOn(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		ctx := context.Background()
		h := newHouse(t)
		for i := range domain.ServiceDate(8) {
			key := DayKey{restaurant, date + i}
			h.do(key, h.hold(key, 2, "18:30"), h.pending(key, 4, "19:00"))
		}
		v := h.view(e.client())
		h.feed(v, h.checkpoint(v))
		half := eventstore.Position(0)
		n := 0
		for r, err := range h.store.ReadAll(ctx, 0, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 9 {
				half = r.Position
				break
			}
		}
		cutOff := func() projections.View {
			build, err := h.view(e.client()).Rebuild(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := build.View.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
			if err := build.View.Apply(ctx, h.batch(0, half)); err != nil {
				t.Fatal(err)
			}
			return build.View
		}
		for _, c := range []struct {
			build string
			from  eventstore.Position
		}{{"a", half}, {"b", 0}} {
			left := cutOff()
			done, err := projections.Rebuild(ctx, h.store, h.view(e.client()), projections.RebuildOptions{Build: c.build})
			if err != nil || done.From != c.from || !reflect.DeepEqual(done.Compared, []projections.Compared{{What: "days", Entries: 8}}) {
				t.Errorf("%s: %+v, %v", c.build, done, err)
			}
			if err := left.Apply(ctx, h.batch(half, done.Position)); !errors.Is(err, projections.ErrMoved) {
				t.Errorf("the first goes on: %v", err)
			}
		}
	})
}

// shown is all of a value but its epoch and when it was read.
type shown struct {
	Revision  uint64
	Clock     domain.Instant
	Plan      *restaurantday.Plan
	Occupancy []restaurantday.Booking
}

// days reads all day values that count.
func days(t *testing.T, c *redis.Client) map[string]shown {
	t.Helper()
	all := make(map[string]shown)
	held := dump(t, c)
	for key, raw := range held {
		m := parseMark(held[epochKey], held[positionKey])
		day, lies := strings.CutPrefix(key, m.in.prefix())
		h, ok := parseHeader(raw)
		if !lies || !ok || h.epoch != m.epoch {
			continue
		}
		v, ok := decodeValue(raw, nil)
		if !ok {
			t.Fatalf("value of %s cannot be read", key)
		}
		all[day] = shown{h.revision, h.clock, v.occupancy.Plan, v.occupancy.Bookings()}
	}
	return all
}

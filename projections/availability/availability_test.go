package availability

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/projections"
)

func TestAnswersWhatWouldBeDecided(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		runner := h.run(v)
		first := h.do(today, h.hold(today, 2, "18:30"))
		h.wait(runner, first.Position)
		a := h.check(v, today, 2, 2)
		if a.Position < first.Position {
			t.Errorf("position %d, want %d at least", a.Position, first.Position)
		}
		h.check(v, today, 2, 4)
		at := h.do(today, h.hold(today, 4, "18:00"), restaurantday.Cancel{Now: morning, Actor: domain.System(), Number: 1})
		h.wait(runner, at.Position)
		h.check(v, today, 5, 2)
		h.check(v, today, 5, 2)
		// And another process has it from Redis alone.
		store := &counting{Store: h.store}
		other := h.view(e.client(), func(o *Options) { o.Store = store })
		h.checkpoint(other) // looks up whether the ledger holds what Redis stands at
		reads := store.reads.Load()
		h.check(other, today, 5, 2)
		if n := store.reads.Load() - reads; n != 0 {
			t.Errorf("%d streams read for a day that stands in Redis", n)
		}
	})
}

func TestADayWithoutABookIsNotRemembered(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		for range 2 { // of an empty ledger, then of one that has other days
			got, err := v.Day(context.Background(), restaurant, date, 2)
			if want := (Answer{Position: got.Position}); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, want)
			}
			h.do(DayKey{restaurant, date + 1}, h.hold(DayKey{restaurant, date + 1}, 2, "18:00"))
		}
		h.do(today, h.hold(today, 2, "18:00"))
		h.check(v, today, 2, 2)
	})
}

func TestManyDaysAtOnce(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		var keys []DayKey
		var want []Answer
		for i := range domain.ServiceDate(maxDaysAtOnce + 30) {
			key := DayKey{restaurant, date + i}
			keys = append(keys, key)
			if i%10 == 3 {
				want = append(want, Answer{}) // no book
				continue
			}
			h.do(key, h.hold(key, 2, "18:30"))
			if i == 40 {
				h.feed(v, h.checkpoint(v))
			}
			want = append(want, h.want(key, 2, 2))
		}
		for range 2 {
			got, err := v.Days(context.Background(), keys, 2)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Position = 0
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatal("answers differ from the streams")
			}
		}
	})
}

func TestOlderIsNeverWritten(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		healer, runner := h.view(e.client()), h.view(e.client())
		at := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(runner, 0)
		first := e.client().Get(context.Background(), today.redisKey(halfA)).Val()
		h.do(today, h.hold(today, 2, "18:30"))
		h.check(healer, today, 4, 2, AtLeast(at.Position+1))

		t.Run("by the runner", func(t *testing.T) {
			b := eventstore.Batch{Position: at.Position}
			for r, err := range h.store.ReadAll(context.Background(), 0, eventstore.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Position <= at.Position {
					b.Records = append(b.Records, r)
				}
			}
			if err := runner.Apply(context.Background(), b); err != nil {
				t.Fatal(err)
			}
			h.check(h.view(e.client()), today, 4, 2)
		})
		t.Run("by a healer", func(t *testing.T) {
			m, err := healer.mark(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			d := newDay()
			d.state = h.state(today, 2)
			d.plan = &encodedPlan{encodePlan(d.state.Plan)}
			old := &flight{mark: m, day: d, revision: 2, asOf: morning}
			if err := healer.writeBack(context.Background(), today, old); err != nil {
				t.Fatal(err)
			}
			h.check(h.view(e.client()), today, 4, 2)
			// Nor with an epoch that has passed.
			e.flush()
			h.check(healer, today, 4, 2)
			before := dump(t, e.client())
			old.revision = 99
			if err := healer.writeBack(context.Background(), today, old); err != nil {
				t.Fatal(err)
			}
			if after := dump(t, e.client()); !reflect.DeepEqual(after, before) {
				t.Error("a value of an epoch that has passed was written")
			}
		})
		if first == "" {
			t.Error("the runner wrote nothing at first")
		}
	})
}

// The runner is behind: it has not seen that the hold was confirmed before it lapsed.
func TestALapsedHoldIsReadAgain(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		store := &counting{Store: h.store}
		v := h.view(e.client(), func(o *Options) { o.Store = store })
		h.do(today, h.pending(today, 2, "18:30"))
		h.feed(v, 0)
		h.check(v, today, 1, 2)
		h.now.Add(int64(4 * minute))
		h.do(today, restaurantday.Confirm{Now: h.clock(), Actor: domain.System(), Number: 1})
		h.check(v, today, 1, 2) // still right to say: it holds a hold
		h.now.Add(int64(2 * minute))
		h.check(v, today, 2, 2)
		reads := store.reads.Load()
		h.check(v, today, 2, 2)
		if n := store.reads.Load() - reads; n != 0 {
			t.Errorf("%d streams read for a day that was just read", n)
		}
	})
}

// Nobody confirmed and nothing was appended: the table is free by the clock, and the
// stream is read once for that, not at each question.
func TestAHoldLapsesByTheClock(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		store := &counting{Store: h.store}
		v := h.view(e.client(), func(o *Options) { o.Store = store })
		h.do(today, h.pending(today, 2, "18:30"))
		h.feed(v, 0)
		taken := h.check(v, today, 1, 2).Slots[1].TablesLeft
		h.now.Add(int64(6 * minute))
		free := h.check(v, today, 1, 2).Slots[1].TablesLeft
		if free != taken+1 {
			t.Errorf("%d tables left after the hold lapsed, %d before", free, taken)
		}
		reads := store.reads.Load()
		h.check(v, today, 1, 2)
		if n := store.reads.Load() - reads; n != 0 {
			t.Errorf("%d streams read once the lapse was known", n)
		}
	})
}

// What the runner wrote is sure up to the day's own clock only, even if it wrote it later.
func TestALateRunnersValueIsReadAgain(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		at := h.do(today, h.pending(today, 2, "18:30"))
		confirmed := h.do(today, restaurantday.Confirm{Now: h.clock(), Actor: domain.System(), Number: 1})
		h.now.Add(int64(10 * minute))
		b := eventstore.Batch{Position: at.Position}
		for r, err := range h.store.ReadAll(context.Background(), 0, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Position < confirmed.Position {
				b.Records = append(b.Records, r)
			}
		}
		v.ledger.ready.Store(false)
		if err := e.client().FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		// The epoch begins where the batch does, as on a Redis that was kept.
		if _, err := v.prepare(context.Background()); err != nil {
			t.Fatal(err)
		}
		v.seen.Store(0)
		if err := e.client().Set(context.Background(), positionKey, "0", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		h.check(v, today, 2, 2)
	})
}

// The read under way has passed the end of the stream when something is appended: who
// asks knowing of that must not be answered by it.
func TestAReadUnderWayIsNotForThoseWhoCameLater(t *testing.T) {
	h := newHouse(t)
	e := newInProcessEnd(t)
	store := &counting{Store: h.store}
	v := h.view(e.client(), func(o *Options) { o.Store = store })
	h.do(today, h.hold(today, 2, "18:30"))
	h.checkpoint(v)
	reading, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hook := func() { once.Do(func() { close(reading); <-goOn }) }
	store.atEnd.Store(&hook)
	ask := func(how ...Asking) chan uint64 {
		got := make(chan uint64, 1)
		go func() {
			a, err := v.Day(context.Background(), restaurant, date, 2, how...)
			if err != nil {
				t.Error(err)
			}
			got <- a.Revision
		}()
		return got
	}
	early := ask()
	<-reading
	next := h.do(today, h.hold(today, 2, "18:30"))
	late := ask(AtLeast(next.Position))
	eventually(t, "the late one waits for the next read", func() bool {
		v.heals.mu.Lock()
		defer v.heals.mu.Unlock()
		p := v.heals.running[today]
		return p == nil || p.next != nil || len(late) == 1
	})
	close(goOn)
	if a, b := <-early, <-late; a != 2 || b != 4 {
		t.Errorf("answers at revisions %d and %d, want 2 and 4", a, b)
	}
}

func TestOneReadForAllWhoAsk(t *testing.T) {
	s := flights{slots: make(chan struct{}, 1), running: make(map[DayKey]*pair)}
	reads, goOn := make(chan DayKey, 10), make(chan struct{})
	fly := func(key DayKey, f *flight) {
		reads <- key
		<-goOn
	}
	first := s.join(today, mark{}, fly)
	<-reads
	next := s.join(today, mark{}, fly)
	marked := mark{known: true, position: 9}
	for range 99 {
		if f := s.join(today, marked, fly); f != next || f == first {
			t.Fatal("who asks while a read is under way must share the next one")
		}
	}
	other := s.join(DayKey{restaurant, date + 1}, mark{}, fly)
	close(goOn)
	<-first.done
	<-next.done
	<-other.done
	if next.mark != marked {
		t.Errorf("the read had mark %+v, want %+v", next.mark, marked)
	}
	if n := len(reads); n != 2 {
		t.Errorf("%d reads after the first, want 2", n)
	}
	eventually(t, "nothing is left behind", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.running) == 0
	})
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so after 10 s: %s", what)
		}
	}
}

func TestAtLeastRefusesWhatTheLedgerHasNotReached(t *testing.T) {
	h := newHouse(t)
	e := newInProcessEnd(t)
	v := h.view(e.client())
	at := h.do(today, h.hold(today, 2, "18:30"))
	h.feed(v, h.checkpoint(v))
	h.check(v, today, 2, 2)
	next := h.do(today, h.hold(today, 2, "18:30"))
	h.check(v, today, 2, 2, AtLeast(at.Position)) // Redis's value will do
	if a := h.check(v, today, 4, 2, AtLeast(next.Position)); a.Position < next.Position {
		t.Errorf("position %d, want %d at least", a.Position, next.Position)
	}
	if _, err := v.Day(context.Background(), restaurant, date, 2, AtLeast(next.Position+1)); !errors.Is(err, projections.ErrBehind) {
		t.Errorf("a position past the head: %v, want ErrBehind", err)
	}
}

func TestPastDaysAreNotKept(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		at := h.do(today, h.hold(today, 2, "18:30"))
		h.feed(v, 0)
		kept := func() bool { return e.client().Exists(context.Background(), today.redisKey(halfA)).Val() == 1 }
		if !kept() {
			t.Fatal("not written")
		}
		h.now.Store(int64(evening + 10*24*hour))
		h.do(today, restaurantday.Cancel{Now: h.clock(), Actor: domain.System(), Number: 1})
		h.feed(v, at.Position)
		if kept() {
			t.Error("a value that nobody keeps up to date any more was left")
		}
		h.check(v, today, 3, 2)
		if kept() {
			t.Error("a past day was written back")
		}
	})
}

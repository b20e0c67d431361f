package availability

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections"
)

// Under concurrent bookings Redis is flushed and put back to where it was a while ago, and
// the view is rebuilt and put back, over and over. Every answer must be the stream's, at a revision no older than what had
// been acknowledged when it was asked for, and no newer than what was there after.
func TestFlushedAndPutBackUnderLoad(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		s := &storm{h: newHouse(t), t: t, acked: make(map[DayKey]eventstore.Appended), seen: make(map[DayKey][]sighting)}
		for i := range domain.ServiceDate(4) {
			key := DayKey{restaurant, date + i}
			s.keys = append(s.keys, key)
			s.acknowledge(key, s.h.do(key, s.h.hold(key, 2, "18:30")))
		}
		view, elsewhere := s.h.view(e.client()), s.h.view(e.client())
		runner := s.h.run(view)
		far, err := projections.NewRunner(s.h.store, projections.Options{Logger: quiet, Elsewhere: []projections.View{elsewhere}})
		if err != nil {
			t.Fatal(err)
		}
		lasts, age := 2500*time.Millisecond, 400*time.Millisecond
		if os.Getenv("DAYBOOK_SOAK") == "1" {
			lasts, age = 2*time.Minute, 5*time.Second
		}
		ctx, cancel := context.WithTimeout(context.Background(), lasts)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { s.passTime(ctx) })
		for i := range 3 {
			wg.Go(func() { s.book(ctx, uint64(i)) })
		}
		for i := range 3 {
			wg.Go(func() { s.ask(ctx, view, runner, uint64(10+i)) })
			wg.Go(func() { s.ask(ctx, elsewhere, far, uint64(20+i)) })
		}
		wg.Go(func() { s.rebuild(ctx, s.h.view(e.client())) })
		upsets := 0
		for ctx.Err() == nil || upsets < 3 { // a busy machine is slow to upset
			restore := e.snapshot()
			pause(ctx, age)
			if upsets++; upsets%2 == 0 {
				e.flush()
				pause(ctx, age/4)
			}
			restore()
			pause(ctx, age/2)
		}
		wg.Wait()
		if n := s.judge(); n < 100 || upsets < 3 || s.swaps < 1 {
			t.Errorf("%d answers, %d upsets and %d swaps are no storm", n, upsets, s.swaps)
		} else {
			t.Logf("%d answers, %d upsets, %d swaps", n, upsets, s.swaps)
		}
	})
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

type storm struct {
	h    *house
	t    *testing.T
	keys []DayKey

	mu    sync.Mutex
	acked map[DayKey]eventstore.Appended
	seen  map[DayKey][]sighting
	swaps int
}

// rebuild changes the halves over, and back. A copy is lost with what Redis loses, and Redis
// may be away: what failed is tried again.
func (s *storm) rebuild(ctx context.Context, v *View) {
	for n := 0; ctx.Err() == nil; n++ {
		done, err := projections.Rebuild(ctx, s.h.store, v, projections.RebuildOptions{Options: projections.Options{Logger: quiet}, Build: "a", Rollback: n%2 == 1})
		switch {
		case err != nil:
			pause(ctx, 5*time.Millisecond)
		case !done.Equal():
			s.t.Errorf("rebuilt %+v", done)
		default:
			s.swaps++
		}
	}
}

// sighting is an answer and what it is measured by.
type sighting struct {
	answer     Answer
	party      domain.PartySize
	asked, got domain.Instant
	after      eventstore.Appended // acknowledged before it was asked for
	before     eventstore.Revision // of the stream's end after the answer
}

// step is how the clock of the storm moves: two minutes a second, so that holds lapse.
const step = 2400 * domain.Instant(1)

func (s *storm) passTime(ctx context.Context) {
	for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		s.h.now.Add(int64(step))
	}
}

func (s *storm) acknowledge(key DayKey, at eventstore.Appended) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at.Position > s.acked[key].Position {
		s.acked[key] = at
	}
}

func (s *storm) book(ctx context.Context, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		key := s.keys[r.IntN(len(s.keys))]
		c := s.h.draw(key, r)
		at, err := s.h.try(key, c)
		if _, refused := domain.Rejected(err); err != nil && !refused {
			s.t.Error(err)
			return
		}
		if at.Position > 0 {
			s.acknowledge(key, at)
		}
	}
}

func (s *storm) ask(ctx context.Context, v *View, runner *projections.Runner, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 2))
	for ctx.Err() == nil {
		key := s.keys[r.IntN(len(s.keys))]
		o := sighting{party: domain.PartySize(1 + r.IntN(4))}
		s.mu.Lock()
		o.after = s.acked[key]
		s.mu.Unlock()
		var how []Asking
		if r.IntN(3) == 0 {
			how = append(how, AtLeast(o.after.Position))
		} else {
			s.h.wait(runner, o.after.Position)
		}
		var err error
		o.asked = s.h.clock()
		if o.answer, err = v.Day(context.Background(), key.Restaurant, key.Date, o.party, how...); err != nil {
			s.t.Error(err)
			return
		}
		o.got = s.h.clock()
		for rec, err := range s.h.store.ReadStreamBackwards(context.Background(), codec.DayStream(key.Restaurant, key.Date), eventstore.Last) {
			if err != nil {
				s.t.Error(err)
			}
			o.before = rec.Revision
			break
		}
		s.mu.Lock()
		s.seen[key] = append(s.seen[key], o)
		s.mu.Unlock()
	}
}

// judge folds every stream once and compares each answer with it.
func (s *storm) judge() (answers int) {
	for _, key := range s.keys {
		at := make(map[uint64][]sighting)
		for _, o := range s.seen[key] {
			at[o.answer.Revision] = append(at[o.answer.Revision], o)
		}
		state := decider.Initial()
		for rec, err := range s.h.store.ReadStream(context.Background(), codec.DayStream(key.Restaurant, key.Date), 0) {
			if err != nil {
				s.t.Fatal(err)
			}
			if state, err = s.h.evolve(context.Background(), state, rec); err != nil {
				s.t.Fatal(err)
			}
			for _, o := range at[uint64(rec.Revision)] {
				answers++
				if wrong := o.judge(state); wrong != "" {
					s.t.Errorf("%s: %s", key.Date, wrong)
					return answers
				}
			}
		}
	}
	return answers
}

func (o sighting) judge(state restaurantday.State) string {
	if r := eventstore.Revision(o.answer.Revision); r < o.after.Revision || r > o.before {
		return fmt.Sprintf("an answer of revision %d, want one from %d to %d", r, o.after.Revision, o.before)
	}
	if o.answer.Position < o.after.Position {
		return fmt.Sprintf("an answer of position %d, want %d at least", o.answer.Position, o.after.Position)
	}
	for at := o.asked; at <= o.got; at += step {
		want := Answer{
			Opened: true, Revision: o.answer.Revision, Plan: withoutReasons(state.Plan), Position: o.answer.Position,
			Slots: state.Slots(o.party, max(at, state.Clock())),
		}
		if reflect.DeepEqual(o.answer, want) {
			return ""
		}
	}
	return fmt.Sprintf("revision %d, party of %d, asked at %s: got\n%+v\nthe stream says\n%+v", o.answer.Revision, o.party, o.asked,
		o.answer.Slots, state.Slots(o.party, max(o.asked, state.Clock())))
}

package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"sync"

	"daybook/eventstore"
)

func checkOneWinner(e *env) {
	s := e.store()
	e.oneWinner(func(int) eventstore.Store { return s })
}

func checkOneWinnerOverTwoStores(e *env) {
	stores := []eventstore.Store{e.store(), e.store()}
	e.oneWinner(func(writer int) eventstore.Store { return stores[writer%2] })
}

// oneWinner lets writers start from one barrier with one expectation, round after
// round on the same stream: in each, exactly one append succeeds and all others learn
// where the stream stands.
func (e *env) oneWinner(of func(writer int) eventstore.Store) {
	const writers = 12
	ctx := e.context()
	for run := range 2 {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", run))
		expected := eventstore.NoStream()
		var want []eventstore.Event
		for round := range soak(25) {
			batches := make([][]eventstore.Event, writers)
			for i := range batches {
				batches[i] = newEvents(held, 1+i%2)
			}
			places := make([]eventstore.Appended, writers)
			errs := make([]error, writers)
			together(writers, func(i int) { places[i], errs[i] = of(i).Append(ctx, stream, expected, batches[i]...) })

			winner := -1
			for i, err := range errs {
				switch {
				case err == nil && winner >= 0:
					e.Fatalf("round %d: writers %d and %d both won, expecting %s", round, winner, i, expected)
				case err == nil:
					winner = i
				}
			}
			if winner < 0 {
				e.Fatalf("round %d: nobody won, expecting %s: %v", round, expected, errors.Join(errs...))
			}
			want = append(want, batches[winner]...)
			now := eventstore.Revision(len(want) - 1)
			if places[winner].Revision != now {
				e.Fatalf("round %d: the winner ended at %+v, want revision %d", round, places[winner], now)
			}
			for i, err := range errs {
				if i != winner {
					e.conflicts(fmt.Sprintf("round %d, writer %d", round, i), err, eventstore.ConflictError{
						Stream: stream, Expected: expected, Actual: eventstore.Actual{Exists: true, Revision: now},
					})
				}
			}
			expected = eventstore.At(now)
		}
		e.holds(of(0), stream, want...)
	}
}

// checkManyWriters lets writers append to streams they share, deciding again on
// conflict. Afterwards each stream and the whole ledger hold exactly what was
// acknowledged, where it was said to be.
func checkManyWriters(e *env) {
	s := e.store()
	ctx := e.context()
	const writers, streams = 8, 5
	rounds := soak(40)

	type acked struct {
		stream eventstore.StreamName
		at     eventstore.Appended
		events []eventstore.Event
	}
	var mu sync.Mutex
	var all []acked
	var failed error
	together(writers, func(w int) {
		rng := rand.New(rand.NewPCG(uint64(w), 7))
		known := map[eventstore.StreamName]eventstore.Expected{}
		for n := 0; n < rounds; {
			stream := eventstore.StreamName(fmt.Sprintf("day-%d", rng.IntN(streams)))
			expected, ok := known[stream]
			if !ok {
				expected = eventstore.NoStream()
			}
			if rng.IntN(8) == 0 {
				expected = eventstore.Any()
			}
			events := newEvents(held, 1+rng.IntN(3))
			at, err := s.Append(ctx, stream, expected, events...)
			var conflict *eventstore.ConflictError
			switch {
			case errors.As(err, &conflict):
				known[stream] = eventstore.At(conflict.Actual.Revision)
				continue
			case err != nil:
				mu.Lock()
				failed = err
				mu.Unlock()
				return
			}
			known[stream] = eventstore.At(at.Revision)
			mu.Lock()
			all = append(all, acked{stream, at, events})
			mu.Unlock()
			n++
		}
	})
	if failed != nil {
		e.Fatalf("append: %v", failed)
	}

	sort.Slice(all, func(i, j int) bool { return all[i].at.Position < all[j].at.Position })
	ledger := e.readAll(s)
	e.ordered("ledger", ledger)
	perStream := map[eventstore.StreamName][]eventstore.Record{}
	rest := ledger
	for _, a := range all {
		if len(rest) < len(a.events) {
			e.Fatalf("the ledger ends before the append at %+v", a.at)
		}
		part := rest[:len(a.events)]
		first := a.at.Revision + 1 - eventstore.Revision(len(a.events))
		e.sameEvents(fmt.Sprintf("append acknowledged at %+v", a.at), part, a.stream, first, a.events)
		if end := part[len(part)-1].Position; end != a.at.Position {
			e.Fatalf("append acknowledged at %+v ends at position %d", a.at, end)
		}
		perStream[a.stream] = append(perStream[a.stream], part...)
		rest = rest[len(a.events):]
	}
	if len(rest) > 0 {
		e.Fatalf("the ledger holds %d records that nobody was told of", len(rest))
	}
	for stream, want := range perStream {
		e.sameRecords(fmt.Sprintf("stream %q against the ledger", stream), e.readStream(s, stream), want)
	}
}

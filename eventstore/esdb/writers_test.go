package esdb_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
)

// writing is writers that append one event after the other, each to a stream of its own,
// and send each again until it is acknowledged.
type writing struct {
	testing.TB
	store  eventstore.Store // the ledger itself, behind the server
	over   chan struct{}
	done   sync.WaitGroup
	cancel context.CancelFunc
	counts []int
	errs   []error
}

func startWriters(t testing.TB, s *esdb.Store, store eventstore.Store, writers int) *writing {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w := &writing{TB: t, store: store, over: make(chan struct{}), cancel: cancel, counts: make([]int, writers), errs: make([]error, writers)}
	for i := range writers {
		w.done.Add(1)
		go func() {
			defer w.done.Done()
			w.errs[i] = w.write(ctx, s, i)
		}()
	}
	return w
}

func (w *writing) write(ctx context.Context, s *esdb.Store, i int) error {
	name := fmt.Sprintf("day-%d", i)
	expected := eventstore.NoStream()
	for {
		select {
		case <-w.over:
			return nil
		default:
		}
		at, err := s.Append(ctx, eventstore.StreamName(name), expected, event(name, w.counts[i]))
		for again(err) {
			at, err = s.Append(ctx, eventstore.StreamName(name), expected, event(name, w.counts[i]))
		}
		if err != nil {
			return err
		}
		if at.Revision != eventstore.Revision(w.counts[i]) {
			return fmt.Errorf("event %d stands at revision %d", w.counts[i], at.Revision)
		}
		expected = eventstore.At(at.Revision)
		w.counts[i]++
	}
}

// goOn waits until the ledger has got more events.
func (w *writing) goOn(events eventstore.Position) {
	w.Helper()
	head := func() eventstore.Position {
		p, err := w.store.Head(context.Background())
		if err != nil {
			w.Fatalf("head: %v", err)
		}
		return p
	}
	from := head()
	eventually(w, "appends go on", func() error {
		if p := head(); p < from+events {
			return fmt.Errorf("head at %d, began at %d", p, from)
		}
		return nil
	})
}

// finish ends the writers and requires that each acknowledged event stands once and in
// its place, and no other.
func (w *writing) finish() {
	w.Helper()
	close(w.over)
	w.done.Wait()
	w.cancel()
	for i, err := range w.errs {
		if err != nil {
			w.Fatalf("writer %d: %v", i, err)
		}
		name := fmt.Sprintf("day-%d", i)
		n := 0
		for r, err := range w.store.ReadStream(context.Background(), eventstore.StreamName(name), 0) {
			if err != nil {
				w.Fatalf("stream %s: %v", name, err)
			}
			if r.ID != event(name, n).ID {
				w.Fatalf("stream %s holds event %s at revision %d, want %s", name, r.ID, n, event(name, n).ID)
			}
			n++
		}
		if n != w.counts[i] {
			w.Fatalf("stream %s holds %d events, %d were acknowledged", name, n, w.counts[i])
		}
	}
}

package projections

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"daybook/eventstore"
)

// Evolve folds one record of a stream into the state of that stream. It leaves the state
// as it is for a record it does not know, wraps ErrCorrupt for one that cannot be read,
// and never writes to the state it was given. Other errors are an engine's, for example
// the key store's.
type Evolve[S any] func(ctx context.Context, state S, r eventstore.Record) (S, error)

// Folds keeps the folded states of the streams last touched, at most a given number, for
// views which need what a stream was before and after an event. It is exact: a fold
// never runs ahead of the record asked for, since what is before it is read from the
// stream up to that record and no further. Safe for concurrent use.
type Folds[S any] struct {
	store   eventstore.Reader
	initial func() S
	evolve  Evolve[S]
	limit   int

	mu    sync.Mutex
	order *list.List // of *fold[S], the last touched first
	byKey map[eventstore.StreamName]*list.Element
}

// fold is a stream folded up to and including revision next-1.
type fold[S any] struct {
	stream eventstore.StreamName
	next   eventstore.Revision
	state  S
}

// NewFolds makes a cache of at most limit states, at least 1.
func NewFolds[S any](store eventstore.Reader, limit int, initial func() S, evolve Evolve[S]) *Folds[S] {
	return &Folds[S]{
		store: store, initial: initial, evolve: evolve, limit: max(limit, 1),
		order: list.New(), byKey: make(map[eventstore.StreamName]*list.Element),
	}
}

// Apply returns the state of r's stream before and after r. Records of one stream should
// come in order: then nothing is read. A record that comes again, one after a gap, or one
// of a stream not kept costs a read of what stands before it.
//
// Errors: Evolve's for r itself (ErrCorrupt leaves the fold as if r had no effect, and
// before is returned twice), else the store's. A corrupt record *before* r is skipped: it
// was reported when it came by itself.
func (f *Folds[S]) Apply(ctx context.Context, r eventstore.Record) (before, after S, err error) {
	at := f.get(r.Stream)
	if at.next > r.Revision {
		at = fold[S]{stream: r.Stream, state: f.initial()}
	}
	if at.next < r.Revision {
		if at, err = f.read(ctx, at, r.Revision); err != nil {
			return before, after, err
		}
		if at.next != r.Revision {
			return before, after, fmt.Errorf("projections: stream %q ends before revision %d, which was handed out: %w",
				r.Stream, r.Revision, eventstore.ErrUnavailable)
		}
	}
	before = at.state
	after, err = f.step(ctx, before, r)
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return before, before, err
	}
	if err != nil {
		after = before
	}
	f.put(fold[S]{stream: r.Stream, next: r.Revision + 1, state: after})
	return before, after, err
}

// Latest folds stream to its end and returns how many records that is; 0 means that there
// is no such stream. It reads only what came since the state kept. A Folds that serves
// Latest runs ahead of the feed, so use another for Apply.
func (f *Folds[S]) Latest(ctx context.Context, stream eventstore.StreamName) (state S, records eventstore.Revision, err error) {
	at, err := f.read(ctx, f.get(stream), ^eventstore.Revision(0))
	if err != nil {
		return state, 0, err
	}
	if at.next > 0 {
		f.put(at)
	}
	return at.state, at.next, nil
}

// read folds on from at, up to but not including revision until.
func (f *Folds[S]) read(ctx context.Context, at fold[S], until eventstore.Revision) (fold[S], error) {
	for r, err := range f.store.ReadStream(ctx, at.stream, at.next) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
		if r.Revision >= until {
			break
		}
		next, err := f.step(ctx, at.state, r)
		switch {
		case err == nil:
			at.state = next
		case !errors.Is(err, ErrCorrupt):
			return at, err
		}
		at.next = r.Revision + 1
	}
	return at, nil
}

// step evolves; a fold that panics on a record will always do so, and must not take the
// records after it along.
func (f *Folds[S]) step(ctx context.Context, state S, r eventstore.Record) (next S, err error) {
	defer recovered(&err)
	return f.evolve(ctx, state, r)
}

// get returns what is kept of a stream, or its beginning.
func (f *Folds[S]) get(stream eventstore.StreamName) fold[S] {
	f.mu.Lock()
	defer f.mu.Unlock()
	if el, ok := f.byKey[stream]; ok {
		f.order.MoveToFront(el)
		return *el.Value.(*fold[S])
	}
	return fold[S]{stream: stream, state: f.initial()}
}

func (f *Folds[S]) put(at fold[S]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if el, ok := f.byKey[at.stream]; ok {
		*el.Value.(*fold[S]) = at
		f.order.MoveToFront(el)
		return
	}
	f.byKey[at.stream] = f.order.PushFront(&at)
	for f.order.Len() > f.limit {
		last := f.order.Back()
		f.order.Remove(last)
		delete(f.byKey, last.Value.(*fold[S]).stream)
	}
}

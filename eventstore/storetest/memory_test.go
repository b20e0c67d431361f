package storetest

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"daybook/eventstore"
)

// memory is a store in a slice, right when faults is zero. The suite is tested with
// it: it must pass, and with any one fault it must not.
type memory struct {
	faults faults

	mu      sync.Mutex
	records []eventstore.Record
	grown   chan struct{} // closed and replaced when records grows
	closed  chan struct{}
	once    sync.Once
}

// faults are ways in which real stores go wrong.
type faults struct {
	ignoreExpected     bool // takes every append
	checkThenAct       bool // lets others in between checking and appending
	forgetIDs          bool // a retry is a new append, or a conflict
	trustFirstID       bool // answers a retry from its first id alone
	tearBatches        bool // shows a batch record by record
	keepCallersMemory  bool
	skipChecks         bool // takes invalid input
	inclusiveStart     bool // reads and subscribes from, not after
	ignoreFilter       bool
	missingIsEmpty     bool // a stream that does not exist reads as empty
	skipAtJoin         bool // loses what is appended between catching up and live
	repeatAtJoin       bool // gives the last record again when going live
	dropWhenSlow       bool // skips what a slow subscriber has not taken
	silentFilter       bool // tells no position where no record passes
	neverLive          bool
	ignoreContext      bool
	eagerPosition      bool // says it saw the head with every batch
	deafSubscriptions  bool // Close does not wake a waiting Next
	wrongActual        bool // conflicts tell the expectation back
	stuckHead          bool
	sloppyClose        bool // goes on answering after Close
	backwardsForwards  bool
	exclusiveBackwards bool
}

func newMemory(f faults) *memory {
	return &memory{faults: f, grown: make(chan struct{}), closed: make(chan struct{})}
}

func (m *memory) done() error {
	select {
	case <-m.closed:
		if !m.faults.sloppyClose {
			return eventstore.ErrClosed
		}
	default:
	}
	return nil
}

func (m *memory) ended(ctx context.Context) error {
	if m.faults.ignoreContext {
		return nil
	}
	return ctx.Err()
}

func (m *memory) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if !m.faults.skipChecks {
		if err := eventstore.CheckAppend(stream, expected, events); err != nil {
			return eventstore.Appended{}, err
		}
	}
	if err := m.ended(ctx); err != nil {
		return eventstore.Appended{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.done(); err != nil {
		return eventstore.Appended{}, err
	}
	old := m.stream(stream)
	if at, known, all := m.find(old, expected, events); all {
		return at, nil
	} else if actual := actualOf(old); !m.faults.ignoreExpected && (known || !expected.Permits(actual)) {
		if m.faults.wrongActual {
			if r, ok := expected.Revision(); ok {
				actual.Revision = r
			}
		}
		return eventstore.Appended{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}
	if m.faults.checkThenAct {
		m.mu.Unlock()
		time.Sleep(time.Millisecond)
		m.mu.Lock()
	}
	rev := eventstore.Revision(len(m.stream(stream)))
	for i, ev := range events {
		if !m.faults.keepCallersMemory {
			ev.Data, ev.Metadata = bytes.Clone(ev.Data), bytes.Clone(ev.Metadata)
		}
		m.records = append(m.records, eventstore.Record{
			Event: ev, Stream: stream, Revision: rev + eventstore.Revision(i),
			Position: eventstore.Position(2 * (len(m.records) + 1)), Recorded: time.Now().UTC(),
		})
		if m.faults.tearBatches {
			m.mu.Unlock()
			time.Sleep(100 * time.Microsecond)
			m.mu.Lock()
		}
	}
	close(m.grown)
	m.grown = make(chan struct{})
	last := m.records[len(m.records)-1]
	return eventstore.Appended{Revision: last.Revision, Position: last.Position}, nil
}

func (m *memory) stream(name eventstore.StreamName) []eventstore.Record {
	return ofStream(m.records, name)
}

// find looks for events where expected puts them: known says that one of their ids
// stands in the way of a new append, all that the whole append stands there.
func (m *memory) find(stream []eventstore.Record, expected eventstore.Expected, events []eventstore.Event) (at eventstore.Appended, known, all bool) {
	if m.faults.forgetIDs {
		return eventstore.Appended{}, false, false
	}
	matches := func(from int) bool {
		if from+len(events) > len(stream) {
			return false
		}
		for i, ev := range events {
			if stream[from+i].ID != ev.ID && (i == 0 || !m.faults.trustFirstID) {
				return false
			}
		}
		last := stream[from+len(events)-1]
		at = eventstore.Appended{Revision: last.Revision, Position: last.Position}
		return true
	}
	if expected.Is(eventstore.NoStream()) {
		return at, false, matches(0)
	}
	if r, ok := expected.Revision(); ok {
		return at, false, r < 1<<20 && matches(int(r)+1)
	}
	for from := range stream {
		if matches(from) {
			return at, true, true
		}
		known = known || slices.ContainsFunc(events, func(ev eventstore.Event) bool { return ev.ID == stream[from].ID })
	}
	return at, known, false
}

func (m *memory) snapshot() []eventstore.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

func (m *memory) yield(ctx context.Context, records func() ([]eventstore.Record, error)) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		rs, err := records()
		for _, r := range rs {
			if err == nil {
				err = m.ended(ctx)
			}
			if err == nil {
				err = m.done()
			}
			if err != nil {
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if err == nil {
			err = m.ended(ctx)
		}
		if err == nil {
			err = m.done()
		}
		if err != nil {
			yield(eventstore.Record{}, err)
		}
	}
}

func (m *memory) readStream(name eventstore.StreamName) ([]eventstore.Record, error) {
	if err := eventstore.CheckStream(name); err != nil && !m.faults.skipChecks {
		return nil, err
	}
	records := ofStream(m.snapshot(), name)
	if len(records) == 0 && !m.faults.missingIsEmpty {
		return nil, eventstore.ErrStreamNotFound
	}
	return records, nil
}

func (m *memory) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return m.yield(ctx, func() ([]eventstore.Record, error) {
		records, err := m.readStream(stream)
		if m.ended(ctx) != nil || m.done() != nil {
			return nil, nil //nolint:nilerr // yield says what ended it
		}
		return records[min(uint64(from), uint64(len(records))):], err
	})
}

func (m *memory) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return m.yield(ctx, func() ([]eventstore.Record, error) {
		records, err := m.readStream(stream)
		if m.ended(ctx) != nil || m.done() != nil {
			return nil, nil //nolint:nilerr // yield says what ended it
		}
		if uint64(from) < uint64(len(records)) {
			records = records[:from+1]
		}
		if m.faults.backwardsForwards {
			return records, err
		}
		return reversed(records), err
	})
}

func (m *memory) all(after eventstore.Position, filter eventstore.Filter) []eventstore.Record {
	var out []eventstore.Record
	for _, r := range m.snapshot() {
		if (r.Position > after || m.faults.inclusiveStart && r.Position == after) && (m.faults.ignoreFilter || filter.Passes(r.Stream, r.Type)) {
			out = append(out, r)
		}
	}
	return out
}

func (m *memory) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return m.yield(ctx, func() ([]eventstore.Record, error) { return m.all(after, filter), nil })
}

func (m *memory) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return m.yield(ctx, func() ([]eventstore.Record, error) {
		var out []eventstore.Record
		for _, r := range m.all(eventstore.Start, filter) {
			if r.Position < from || r.Position == from && !m.faults.exclusiveBackwards {
				out = append(out, r)
			}
		}
		return reversed(out), nil
	})
}

func (m *memory) Head(ctx context.Context) (eventstore.Position, error) {
	if err := m.ended(ctx); err != nil {
		return 0, err
	}
	if err := m.done(); err != nil {
		return 0, err
	}
	records := m.snapshot()
	if len(records) == 0 || m.faults.stuckHead {
		return eventstore.Start, nil
	}
	return records[len(records)-1].Position, nil
}

func (m *memory) Close() error {
	m.once.Do(func() { close(m.closed) })
	return nil
}

func (m *memory) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	if err := m.ended(ctx); err != nil {
		return nil, err
	}
	if err := m.done(); err != nil {
		return nil, err
	}
	return &memorySubscription{m: m, ctx: ctx, at: after, filter: filter, closed: make(chan struct{})}, nil
}

type memorySubscription struct {
	m      *memory
	ctx    context.Context
	at     eventstore.Position
	filter eventstore.Filter
	live   bool
	closed chan struct{}
	once   sync.Once
}

func (s *memorySubscription) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

func (s *memorySubscription) Next(ctx context.Context) (eventstore.Batch, error) {
	storeClosed := s.m.closed
	if s.m.faults.deafSubscriptions {
		storeClosed = nil
	}
	for {
		s.m.mu.Lock()
		grown := s.m.grown
		s.m.mu.Unlock()
		if err := s.m.ended(ctx); err != nil {
			return eventstore.Batch{}, err
		}
		if err := s.m.ended(s.ctx); err != nil {
			return eventstore.Batch{}, err
		}
		select {
		case <-s.closed:
			return eventstore.Batch{}, eventstore.ErrClosed
		case <-storeClosed:
			return eventstore.Batch{}, eventstore.ErrClosed
		default:
		}
		if b, ok := s.take(); ok {
			return b, nil
		}
		subscription, call := s.ctx.Done(), ctx.Done()
		if s.m.faults.ignoreContext {
			subscription, call = nil, nil
		}
		select {
		case <-grown:
		case <-subscription:
		case <-call:
		case <-s.closed:
		case <-storeClosed:
		}
	}
}

func (s *memorySubscription) take() (eventstore.Batch, bool) {
	f := s.m.faults
	fresh := s.m.all(s.at, eventstore.Filter{})
	if f.dropWhenSlow && s.live && len(fresh) > 500 {
		fresh = fresh[len(fresh)-500:]
	}
	const stretch = 256
	atEnd := len(fresh) <= stretch
	if !atEnd {
		fresh = fresh[:stretch]
	}
	if len(fresh) == 0 && s.live {
		return eventstore.Batch{}, false
	}
	goesLive := atEnd && !s.live
	if goesLive && f.skipAtJoin && len(fresh) > 1 {
		fresh = fresh[:len(fresh)-1]
		s.at = fresh[len(fresh)-1].Position + 2
	}
	b := eventstore.Batch{Position: s.at, Live: atEnd && !f.neverLive}
	if len(fresh) > 0 {
		b.Position = max(s.at, fresh[len(fresh)-1].Position)
	}
	s.at = b.Position
	if goesLive && f.repeatAtJoin && len(fresh) > 0 {
		s.at -= 2
	}
	s.live = s.live || atEnd
	b.Records = fresh
	if !f.ignoreFilter {
		b.Records = passing(fresh, s.filter)
	}
	if f.eagerPosition {
		b.Position, _ = s.m.Head(context.Background())
	}
	if f.silentFilter && len(b.Records) == 0 && len(fresh) > 0 {
		return b, false
	}
	return b, true
}

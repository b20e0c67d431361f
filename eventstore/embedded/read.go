package embedded

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// Reads take the ledger in stretches: each opens an iterator, copies records out and
// closes it before any is handed over. So a slow reader holds nothing of the storage,
// and Close need not wait for it. All stretches of one read end at the position that
// was durable when it began, and nothing before that ever changes: the read is
// consistent, however long it takes.

// stretch bounds what is read in one go. Zero means unbounded.
type stretch struct {
	records int // that pass
	bytes   int // of data and metadata that pass
	scan    int // records looked at, passing or not
}

// A read's first stretch is short, because many readers want one record, and each
// next one is twice as long.
const (
	firstStretch   = 16
	longestStretch = 512
	stretchBytes   = 1 << 20
)

func (l stretch) longer() stretch {
	l.records = min(2*l.records, longestStretch)
	return l
}

func newStretch() stretch { return stretch{records: firstStretch, bytes: stretchBytes} }

// hold keeps the storage open for one stretch; release it soon.
func (s *Store) hold(ctx context.Context) error {
	s.life.RLock()
	if err := s.mayRead(ctx); err != nil {
		s.life.RUnlock()
		return err
	}
	return nil
}

func (s *Store) letGo() { s.life.RUnlock() }

// checkEvery is how many yielded records may pass before the context is looked at.
const checkEvery = 8

// hand yields records. more is false when the reader has had enough or was told why
// there is no more.
func (s *Store) hand(ctx context.Context, records []eventstore.Record, yield func(eventstore.Record, error) bool) (more bool) {
	for i := range records {
		if i%checkEvery == 0 {
			if err := s.mayRead(ctx); err != nil {
				yield(eventstore.Record{}, err)
				return false
			}
		}
		if !yield(records[i], nil) {
			return false
		}
	}
	return true
}

// ReadAll implements eventstore.Reader.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		end := s.end()
		limit := newStretch()
		var names interner
		var records []eventstore.Record
		for at := after; ; limit = limit.longer() {
			var err error
			if records, at, err = s.readForwards(ctx, at, end, filter, limit, &names, records[:0]); err != nil {
				yield(eventstore.Record{}, err)
				return
			}
			if !s.hand(ctx, records, yield) || at >= end {
				return
			}
		}
	}
}

// readForwards appends to into the records after after and up to end that pass, and
// returns the position it looked up to: end, or where the stretch was full.
func (s *Store) readForwards(ctx context.Context, after, end eventstore.Position, filter eventstore.Filter, limit stretch, names *interner, into []eventstore.Record) ([]eventstore.Record, eventstore.Position, error) {
	if err := s.hold(ctx); err != nil {
		return nil, after, err
	}
	defer s.letGo()
	if after >= end {
		return into, after, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(after + 1), UpperBound: recordKey(end + 1)})
	if err != nil {
		return nil, after, corruption(err)
	}
	defer func() { _ = it.Close() }()
	c := collector{limit: limit, filter: filter, names: names, into: into}
	expected := after
	for ok := it.First(); ok; ok = it.Next() {
		expected++
		p, full, err := c.look(it)
		if err != nil {
			return nil, after, err
		}
		if p != expected {
			return nil, after, fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, expected)
		}
		if full {
			return c.into, p, nil
		}
		if err := c.interrupted(ctx); err != nil {
			return nil, after, err
		}
	}
	if err := it.Error(); err != nil {
		return nil, after, corruption(err)
	}
	if expected != end {
		return nil, after, fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, expected+1)
	}
	return c.into, end, nil
}

// ReadAllBackwards implements eventstore.Reader.
func (s *Store) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		limit := newStretch()
		var names interner
		var records []eventstore.Record
		for before := min(from, s.end()) + 1; ; limit = limit.longer() {
			var err error
			if records, before, err = s.readBackwards(ctx, before, filter, limit, &names, records[:0]); err != nil {
				yield(eventstore.Record{}, err)
				return
			}
			if !s.hand(ctx, records, yield) || before <= eventstore.Start+1 {
				return
			}
		}
	}
}

// readBackwards is readForwards the other way, from the record before before.
func (s *Store) readBackwards(ctx context.Context, before eventstore.Position, filter eventstore.Filter, limit stretch, names *interner, into []eventstore.Record) ([]eventstore.Record, eventstore.Position, error) {
	if err := s.hold(ctx); err != nil {
		return nil, before, err
	}
	defer s.letGo()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(eventstore.Start + 1), UpperBound: recordKey(before)})
	if err != nil {
		return nil, before, corruption(err)
	}
	defer func() { _ = it.Close() }()
	c := collector{limit: limit, filter: filter, names: names, into: into}
	expected := before
	for ok := it.Last(); ok; ok = it.Prev() {
		expected--
		p, full, err := c.look(it)
		if err != nil {
			return nil, before, err
		}
		if p != expected {
			return nil, before, fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, expected)
		}
		if full {
			return c.into, p, nil
		}
		if err := c.interrupted(ctx); err != nil {
			return nil, before, err
		}
	}
	if err := it.Error(); err != nil {
		return nil, before, corruption(err)
	}
	if expected != eventstore.Start+1 {
		return nil, before, fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, expected-1)
	}
	return c.into, eventstore.Start + 1, nil
}

// collector gathers the records of one stretch.
type collector struct {
	limit   stretch
	filter  eventstore.Filter
	names   *interner
	into    []eventstore.Record
	mem     arena
	bytes   int
	scanned int
}

// look decodes the record an iterator stands on, and takes it if it passes; full says
// that the stretch ends with it.
func (c *collector) look(it *pebble.Iterator) (p eventstore.Position, full bool, err error) {
	p, value, err := entry(it)
	if err != nil {
		return 0, false, err
	}
	e, err := cut(value, p)
	if err != nil {
		return 0, false, err
	}
	c.scanned++
	if c.filter.Passes(eventstore.StreamName(c.names.stream.of(e.stream)), c.names.kind.of(e.kind)) {
		c.take(e.record(p, c.names, &c.mem))
	}
	return p, c.full(), nil
}

func (c *collector) take(r eventstore.Record) {
	c.into = append(c.into, r)
	c.bytes += weight(&r)
}

func (c *collector) full() bool {
	return c.limit.records > 0 && len(c.into) >= c.limit.records ||
		c.limit.bytes > 0 && c.bytes >= c.limit.bytes ||
		c.limit.scan > 0 && c.scanned >= c.limit.scan
}

// interrupted notices a context that ends during a long search for what passes.
func (c *collector) interrupted(ctx context.Context) error {
	if c.scanned%1024 == 0 {
		return ctx.Err()
	}
	return nil
}

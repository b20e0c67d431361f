package embedded

import (
	"context"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// ReadStream implements eventstore.Reader.
func (s *Store) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		s.readStream(ctx, streamRead{name: stream, next: from}, yield)
	}
}

// ReadStreamBackwards implements eventstore.Reader.
func (s *Store) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		s.readStream(ctx, streamRead{name: stream, next: behind(from), backwards: true}, yield)
	}
}

// fromTheEnd is where a read backwards of the whole stream begins.
const fromTheEnd = eventstore.Last

// behind is the revision after from, from which a read backwards begins.
func behind(from eventstore.Revision) eventstore.Revision {
	if from == eventstore.Last {
		return fromTheEnd
	}
	return from + 1
}

// streamRead is one read of a stream: where it stands and how it goes on.
type streamRead struct {
	name      eventstore.StreamName
	number    uint64
	first     eventstore.Revision // what is before it is hidden
	next      eventstore.Revision // forwards the next to read, backwards the one after it
	backwards bool
	begun     bool
	end       eventstore.Position // nothing behind it is shown
	names     interner
}

func (s *Store) readStream(ctx context.Context, r streamRead, yield func(eventstore.Record, error) bool) {
	r.end = s.end()
	limit := newStretch()
	var records []eventstore.Record
	var places []place
	for ; ; limit = limit.longer() {
		var err error
		var more bool
		if records, places, more, err = s.stretchOf(ctx, &r, limit, records[:0], places[:0]); err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		if !s.hand(ctx, records, yield) || !more {
			return
		}
	}
}

// stretchOf reads the next stretch of a stream; more says that there may be another.
func (s *Store) stretchOf(ctx context.Context, r *streamRead, limit stretch, into []eventstore.Record, places []place) ([]eventstore.Record, []place, bool, error) {
	if err := s.hold(ctx); err != nil {
		return nil, nil, false, err
	}
	defer s.letGo()
	if r.number == 0 {
		if err := s.findStream(r); err != nil {
			return nil, nil, false, err
		}
	}
	places, err := s.places(r, limit.records, places)
	if err != nil {
		return nil, nil, false, err
	}
	more := len(places) == limit.records
	records, err := s.recordsAt(r, places, limit, into)
	if err != nil {
		return nil, nil, false, err
	}
	if len(records) < len(places) {
		more = true // the stretch was full before its places were
	}
	if err := r.follow(records); err != nil {
		return nil, nil, false, err
	}
	if r.backwards && !more && r.begun && r.next != r.first {
		return nil, nil, false, r.lacks(r.next - 1)
	}
	return records, places, more, nil
}

// follow moves on past records, which must be the stream's next ones without a gap.
func (r *streamRead) follow(records []eventstore.Record) error {
	for i := range records {
		revision := records[i].Revision
		switch {
		case !r.backwards && revision != r.next:
			return r.lacks(r.next)
		case r.backwards && r.begun && revision != r.next-1:
			return r.lacks(r.next - 1)
		case r.backwards:
			r.next = revision
		default:
			r.next = revision + 1
		}
		r.begun = true
	}
	return nil
}

func (r *streamRead) lacks(revision eventstore.Revision) error {
	return fmt.Errorf("%w: stream %q lacks revision %d", ErrCorrupt, r.name, revision)
}

// places reads up to limit entries of the stream's index, in the direction of the read.
func (s *Store) places(r *streamRead, limit int, into []place) ([]place, error) {
	bounds := &pebble.IterOptions{LowerBound: streamKey(r.number, r.next), UpperBound: streamEnd(r.number)}
	if r.backwards {
		if r.next <= r.first {
			return into, nil
		}
		bounds = &pebble.IterOptions{LowerBound: streamKey(r.number, r.first), UpperBound: streamKey(r.number, r.next)}
	}
	it, err := s.db.NewIter(bounds)
	if err != nil {
		return nil, corruption(err)
	}
	defer func() { _ = it.Close() }()
	start, step := it.First, it.Next
	if r.backwards {
		start, step = it.Last, it.Prev
	}
	for ok := start(); ok && len(into) < limit; ok = step() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, corruption(err)
		}
		p, err := decodePlace(value)
		if err != nil {
			return nil, err
		}
		if p.position > r.end {
			if r.backwards {
				continue // not yet durable: what is before it is
			}
			break
		}
		into = append(into, p)
	}
	return into, corruption(it.Error())
}

// recordsAt reads the records at places until the stretch is full.
func (s *Store) recordsAt(r *streamRead, places []place, limit stretch, into []eventstore.Record) ([]eventstore.Record, error) {
	if len(places) == 0 {
		return into, nil
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: recordKey(0), UpperBound: recordsEnd()})
	if err != nil {
		return nil, corruption(err)
	}
	defer func() { _ = it.Close() }()
	c := collector{limit: limit, names: &r.names, into: into}
	var key [recordKeySize]byte
	last := eventstore.Start
	for _, p := range places {
		ok := false
		switch { // a stream's records often stand side by side
		case last != eventstore.Start && p.position == last+1:
			ok = it.Next()
		case last != eventstore.Start && p.position == last-1:
			ok = it.Prev()
		default:
			putRecordKey(key[:], p.position)
			ok = it.SeekGE(key[:])
		}
		if !ok {
			if err := it.Error(); err != nil {
				return nil, corruption(err)
			}
			return nil, fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, p.position)
		}
		rec, err := decodeEntry(it, c.names, &c.mem)
		if err != nil {
			return nil, err
		}
		if rec.Position != p.position || rec.Stream != r.name || rec.ID != p.id {
			return nil, fmt.Errorf("%w: stream %q has event %s at position %d, the ledger has %s of stream %q at %d",
				ErrCorrupt, r.name, p.id, p.position, rec.ID, rec.Stream, rec.Position)
		}
		last = rec.Position
		if c.take(rec); c.full() {
			break
		}
	}
	return c.into, nil
}

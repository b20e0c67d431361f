package embedded

import (
	"encoding/binary"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// course is one stream's entries read in the order of revisions.
type course struct {
	number uint64
	count  uint64              // of its entries
	next   eventstore.Revision // expected
	last   eventstore.Position
	ended  eventstore.Position // of its tombstone
	ids    uint64              // the sum of what its entries say of ids
}

// streams verifies each stream's entries: their order, that the event ids lead back to
// them, and that the stream's name does.
func (c *checker) streams() error {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: []byte{idPrefix}, UpperBound: []byte{idPrefix + 1}})
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = it.Close() }()
	ids := idEntries{it: it, seed: maphash.MakeSeed(), more: it.First()}
	var at course
	finish := func() error {
		if at.number == 0 { // there is none yet
			return nil
		}
		if err := c.stream(&at); err != nil {
			return err
		}
		count, sum, err := c.idsOf(&ids, at.number)
		if err != nil || count == at.count && sum == at.ids {
			return err
		}
		return c.compareIDs(at.number)
	}
	err = c.each([]byte{streamPrefix}, []byte{streamPrefix + 1}, func(key, value []byte) error {
		n, revision, p, ok := streamEntry(key, value)
		if !ok {
			c.report.fault("entry %x of a stream has a key of %d and a value of %d bytes", clip(key), len(key), len(value))
			return nil
		}
		if n != at.number {
			if err := finish(); err != nil {
				return err
			}
			at = course{number: n}
		}
		c.step(&at, revision, p)
		at.ids += idSum(ids.seed, p.id[:], uint64(revision))
		return nil
	})
	if err == nil {
		err = finish()
	}
	if err == nil {
		_, _, err = c.idsOf(&ids, noStream)
	}
	return err
}

// noStream is behind every stream's number.
const noStream = 1<<64 - 1

// idEntries is a walk over all event ids, beside the one over the streams.
type idEntries struct {
	it   *pebble.Iterator
	seed maphash.Seed
	more bool
}

// idsOf sums up what the event ids say that lead to a stream. Those passed on the way
// lead to none.
func (c *checker) idsOf(ids *idEntries, number uint64) (count, sum uint64, err error) {
	for ; ids.more; ids.more = ids.it.Next() {
		key := ids.it.Key()
		if len(key) != idKeySize {
			c.report.fault("entry %x is no event id's key", clip(key))
			continue
		}
		n := binary.BigEndian.Uint64(key[1:])
		if n > number {
			break
		}
		if err := c.tick(); err != nil {
			return 0, 0, err
		}
		value, err := ids.it.ValueAndErr()
		if err != nil {
			return 0, 0, unreadable(err)
		}
		revision, err := decodeNumber("event's revision", value)
		switch {
		case err != nil:
			c.report.fault("event id %x of stream %d: %v", key[9:], n, err)
		case n < number:
			c.report.fault("event id %x leads to stream %d, which has no events", key[9:], n)
		default:
			sum += idSum(ids.seed, key[9:], revision)
			count++
		}
	}
	if err := ids.it.Error(); err != nil {
		return 0, 0, unreadable(err)
	}
	return count, sum, nil
}

func idSum(seed maphash.Seed, id []byte, revision uint64) uint64 {
	var b [16 + 8]byte
	copy(b[:], id)
	binary.BigEndian.PutUint64(b[16:], revision)
	return maphash.Bytes(seed, b[:])
}

// step moves on by one entry.
func (c *checker) step(at *course, revision eventstore.Revision, p place) {
	switch {
	case revision == eventstore.DeletedRevision:
		at.ended = p.position
	case revision == at.next+1:
		c.report.fault("stream %d lacks revision %d", at.number, at.next)
	case revision != at.next:
		c.report.fault("stream %d lacks revisions %d to %d", at.number, at.next, revision-1)
	}
	if at.count == 0 && uint64(p.position) != at.number {
		c.report.fault("stream %d begins at position %d", at.number, p.position)
	}
	if at.count > 0 && p.position <= at.last {
		c.report.fault("stream %d has revision %d at position %d, the one before it at %d", at.number, revision, p.position, at.last)
	}
	at.next, at.last = revision+1, p.position
	at.count++
}

// stream verifies what a stream's name says of it.
func (c *checker) stream(at *course) error {
	c.report.Streams++
	r, err := getRecord(c.db, eventstore.Position(at.number))
	if err != nil {
		return c.doubt(err, "stream %d has no first record", at.number)
	}
	st, found, err := getStanding(c.db, appendNameKey(nil, r.Stream))
	if err != nil || !found || st.number != at.number {
		return c.doubt(err, "stream %q leads to number %d, its first record is at position %d", r.Stream, st.number, at.number)
	}
	if st.tombstone != at.ended {
		c.report.fault("stream %q ended at position %d, its name says %d", r.Stream, at.ended, st.tombstone)
	}
	if st.tombstone != eventstore.Start {
		c.report.Tombstones++
	}
	metadata, says, err := metadataAt(c.db, r.Stream, eventstore.End)
	if err != nil {
		return c.doubt(err, "stream %q: its metadata cannot be read", r.Stream)
	}
	if _, is := original(r.Stream); is {
		says = limits{} // of no effect
	}
	if st.metadata != metadata || st.limits != says {
		c.report.fault("stream %q has metadata %+v at position %d, its name says %+v at %d", r.Stream, says, metadata, st.limits, st.metadata)
	}
	if metadata != eventstore.Start {
		c.report.Limited++
	}
	return nil
}

// compareIDs finds out which of a stream's event ids are wrong. An id that stands twice
// leads to its later place.
func (c *checker) compareIDs(number uint64) error {
	from, to := streamKey(number, 0), streamEnd(number)
	if err := c.each(from, to, func(key, value []byte) error {
		_, revision, p, ok := streamEntry(key, value)
		if !ok {
			return nil
		}
		var idKey [idKeySize]byte
		putIDKey(idKey[:], number, p.id)
		r, found, err := getNumber(c.db, "event's revision", idKey[:])
		if err != nil || !found {
			return c.doubt(err, "event %s, revision %d of stream %d, is not found by its id", p.id, revision, number)
		}
		later, err := getPlace(c.db, number, eventstore.Revision(r))
		if err != nil || later.id != p.id || eventstore.Revision(r) < revision {
			return c.doubt(err, "event %s, revision %d of stream %d, is found at revision %d by its id", p.id, revision, number, r)
		}
		return nil
	}); err != nil {
		return err
	}
	var first, end [idKeySize]byte
	putIDKey(first[:], number, eventstore.EventID{})
	putIDKey(end[:], number+1, eventstore.EventID{})
	return c.each(first[:], end[:], func(key, value []byte) error {
		revision, err := decodeNumber("event's revision", value)
		if err != nil || len(key) != idKeySize {
			return nil //nolint:nilerr // it is in the report already
		}
		p, err := getPlace(c.db, number, eventstore.Revision(revision))
		if err != nil || string(p.id[:]) != string(key[9:]) {
			return c.doubt(err, "event id %x of stream %d leads to revision %d, which is event %s", key[9:], number, revision, p.id)
		}
		return nil
	})
}

// names verifies that every name leads to a stream of that name.
func (c *checker) names() error {
	var count uint64
	err := c.each([]byte{namePrefix}, []byte{namePrefix + 1}, func(key, value []byte) error {
		count++
		name := eventstore.StreamName(key[1:])
		st, err := decodeStanding(value)
		if err != nil {
			return c.doubt(err, "the name %q", name)
		}
		r, err := getRecord(c.db, eventstore.Position(st.number))
		if err != nil || r.Stream != name {
			return c.doubt(err, "the name %q leads to number %d, where stream %q begins", name, st.number, r.Stream)
		}
		if p, err := getPlace(c.db, st.number, r.Revision); err != nil || p.position != r.Position {
			return c.doubt(err, "the name %q leads to number %d, which has no first event", name, st.number)
		}
		return nil
	})
	if err == nil && count != c.report.Streams && c.report.Sound() {
		c.report.fault("there are %d names and %d streams", count, c.report.Streams)
	}
	return err
}

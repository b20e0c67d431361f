package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// How the entries are compared without holding them in memory: the records and the
// streams' entries are each read once, in their own order, and each contributes the hash
// of what it says to a sum. Equal sums over as many entries mean that the two say the
// same, whatever their order; the hash is keyed anew in each check. Only where sums
// differ is each entry looked up, to say which one is wrong.

// each calls look with every entry between two keys.
func (c *checker) each(from, to []byte, look func(key, value []byte) error) error {
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return unreadable(err)
	}
	defer func() { _ = it.Close() }()
	for ok := it.First(); ok; ok = it.Next() {
		if err := c.tick(); err != nil {
			return err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return unreadable(err)
		}
		if err := look(it.Key(), value); err != nil {
			return err
		}
	}
	if err := it.Error(); err != nil {
		return unreadable(err)
	}
	return nil
}

// keys looks for what should not be there at all.
func (c *checker) keys() error {
	stray := func(key, _ []byte) error {
		c.report.fault("entry %x is of no known kind", clip(key))
		return nil
	}
	var from []byte
	for _, prefix := range []byte{formatKey[0], idPrefix, namePrefix, recordPrefix, streamPrefix} { // in order
		if err := c.each(from, []byte{prefix}, stray); err != nil {
			return err
		}
		from = []byte{prefix + 1}
	}
	if err := c.each(from, nil, stray); err != nil {
		return err
	}
	return c.each(append(formatKey[:1:1], 0), []byte{formatKey[0] + 1}, stray)
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// tally is the sum over entries that say where an event stands.
type tally struct {
	seed  maphash.Seed
	sum   uint64
	count uint64
}

func (t *tally) add(stream eventstore.StreamName, revision eventstore.Revision, p place) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	var b [8 + placeSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(revision))
	putPlace(b[8:], p)
	_, _ = h.Write(b[:]) // never fails
	_, _ = h.WriteString(string(stream))
	t.sum += h.Sum64()
	t.count++
}

// records verifies each record by itself, and that streams' entries say the same.
func (c *checker) records() error {
	seed := maphash.MakeSeed()
	ofRecords, ofStreams := tally{seed: seed}, tally{seed: seed}
	next := eventstore.Start + 1
	clock := int64(0)
	var names interner
	var mem arena
	err := c.each(recordKey(0), recordsEnd(), func(key, value []byte) error {
		if len(key) != recordKeySize {
			c.report.fault("entry %x is no record's key", clip(key))
			return nil
		}
		p := eventstore.Position(binary.BigEndian.Uint64(key[1:]))
		switch {
		case p < next:
			c.report.fault("there is a record at position %d", p)
			return nil
		case p == next+1:
			c.report.fault("the record at position %d is missing", next)
		case p > next:
			c.report.fault("the records at positions %d to %d are missing", next, p-1)
		}
		next = p + 1
		e, err := cut(value, p)
		if err != nil {
			c.report.fault("%v", err)
			return nil
		}
		r := e.record(p, &names, &mem)
		c.report.Records++
		if micros := r.Recorded.UnixMicro(); micros < clock {
			c.report.fault("the record at position %d was recorded before the one ahead of it", p)
		} else {
			clock = micros
		}
		c.event(&r)
		ofRecords.add(r.Stream, r.Revision, place{position: p, id: r.ID})
		return nil
	})
	if err != nil {
		return err
	}
	var number uint64
	var name eventstore.StreamName
	err = c.each([]byte{streamPrefix}, []byte{streamPrefix + 1}, func(key, value []byte) error {
		n, revision, p, ok := streamEntry(key, value)
		if !ok {
			return nil // streams says so
		}
		if n != number {
			number, name = n, ""
			if r, err := getRecord(c.db, eventstore.Position(n)); err == nil {
				name = r.Stream
			} else if err = unreadable(err); !errors.Is(err, ErrCorrupt) {
				return err
			}
		}
		ofStreams.add(name, revision, p)
		return nil
	})
	if err != nil || ofRecords == ofStreams {
		return err
	}
	return c.compareRecords()
}

// event verifies what can be said of a record alone.
func (c *checker) event(r *eventstore.Record) {
	tombstone := r.Type == eventstore.StreamDeletedType
	if tombstone != (r.Revision == eventstore.DeletedRevision) {
		c.report.fault("the record at position %d has type %q and revision %d", r.Position, r.Type, r.Revision)
	}
	if _, is := original(r.Stream); is {
		if _, err := readMetadata(&r.Event); err != nil {
			c.report.fault("the record at position %d of stream %q holds %v", r.Position, r.Stream, err)
		}
	}
	if err := eventstore.CheckStream(r.Stream); err != nil {
		c.report.fault("the record at position %d: %v", r.Position, err)
	}
}

// compareRecords finds out which records and streams' entries do not agree.
func (c *checker) compareRecords() error {
	found := len(c.report.Faults)
	err := c.each(recordKey(0), recordsEnd(), func(key, value []byte) error {
		if len(key) != recordKeySize {
			return nil
		}
		p := eventstore.Position(binary.BigEndian.Uint64(key[1:]))
		e, err := cut(value, p)
		if err != nil {
			return nil //nolint:nilerr // it is in the report already
		}
		r := e.record(p, new(interner), nil)
		st, ok, err := getStanding(c.db, appendNameKey(nil, r.Stream))
		if err != nil || !ok {
			return c.doubt(err, "the record at position %d is of stream %q, which has no number", p, r.Stream)
		}
		at, err := getPlace(c.db, st.number, r.Revision)
		if want := (place{position: p, id: r.ID}); err != nil || at != want {
			return c.doubt(err, "the record at position %d is event %s, revision %d of stream %q: that stream has event %s at position %d there",
				p, r.ID, r.Revision, r.Stream, at.id, at.position)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = c.each([]byte{streamPrefix}, []byte{streamPrefix + 1}, func(key, value []byte) error {
		n, revision, p, ok := streamEntry(key, value)
		if !ok {
			return nil
		}
		r, err := getRecord(c.db, p.position)
		if err != nil || r.ID != p.id || r.Revision != revision {
			return c.doubt(err, "stream %d has event %s, revision %d, at position %d: the ledger has event %s, revision %d of stream %q there",
				n, p.id, revision, p.position, r.ID, r.Revision, r.Stream)
		}
		return nil
	})
	if err == nil && len(c.report.Faults) == found && c.report.Further == 0 {
		c.report.fault("the records and the streams' entries do not say the same")
	}
	return err
}

// doubt notes a fault unless err says that the check cannot go on.
func (c *checker) doubt(err error, format string, args ...any) error {
	if err != nil {
		if err = unreadable(err); !errors.Is(err, ErrCorrupt) {
			return err
		}
	}
	line := fmt.Sprintf(format, args...)
	if err != nil {
		line += fmt.Sprintf(" (%v)", err)
	}
	c.report.fault("%s", line)
	return nil
}

// streamEntry takes an entry of a stream apart.
func streamEntry(key, value []byte) (number uint64, revision eventstore.Revision, p place, ok bool) {
	if len(key) != streamKeySize {
		return 0, 0, place{}, false
	}
	p, err := decodePlace(value)
	return binary.BigEndian.Uint64(key[1:]), eventstore.Revision(binary.BigEndian.Uint64(key[9:])), p, err == nil
}

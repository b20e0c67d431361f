package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"daybook/eventstore"
)

// structure finds what no ledger has, whatever was signed: an id twice, a stream with a
// revision missing, twice, or out of order. It needs no log, and bounded memory.
type structure struct {
	ids, streams *sorter
}

func newStructure(dir string) *structure {
	return &structure{ids: newSorter(dir), streams: newSorter(dir)}
}

// Layout of the rows: the id, then the index; the first half of the SHA-256 of the stream's
// name, then the revision and the index.
const rowKey = 16

func (s *structure) add(index uint64, item *Item) error {
	var id, stream sortedRow
	copy(id[:], item.ID[:])
	binary.BigEndian.PutUint64(id[rowKey:], index)
	name := sha256.Sum256([]byte(item.Stream))
	copy(stream[:], name[:rowKey])
	binary.BigEndian.PutUint64(stream[rowKey:], uint64(item.Revision))
	binary.BigEndian.PutUint64(stream[rowKey+8:], index)
	return errors.Join(s.ids.add(id), s.streams.add(stream))
}

// fault is one thing that no ledger has.
type fault struct {
	kind  Kind
	index uint64              // of the event at which it shows
	other uint64              // of the one that it repeats, or comes before
	want  eventstore.Revision // that is missing
	upTo  eventstore.Revision // the last one that is missing
}

// maxFaults bounds how many faults are kept, those of the lowest indexes.
const maxFaults = 100

// faults tells what was found, by index, and how many there are in all.
func (s *structure) faults() (found []fault, all int, err error) {
	note := func(f fault) {
		all++
		at := len(found)
		for at > 0 && found[at-1].index > f.index {
			at--
		}
		if at == maxFaults {
			return
		}
		found = append(found, fault{})
		copy(found[at+1:], found[at:])
		found[at] = f
		found = found[:min(len(found), maxFaults)]
	}
	var last sortedRow
	some := false
	err = s.ids.each(func(r sortedRow) {
		if some && [rowKey]byte(r[:rowKey]) == [rowKey]byte(last[:rowKey]) {
			note(fault{kind: Repeated, index: binary.BigEndian.Uint64(r[rowKey:]), other: binary.BigEndian.Uint64(last[rowKey:])})
		}
		last, some = r, true
	})
	if err != nil {
		return nil, 0, err
	}
	some = false
	next, latest := uint64(0), uint64(0) // the revision that comes next, and the last index of the stream
	err = s.streams.each(func(r sortedRow) {
		if !some || [rowKey]byte(r[:rowKey]) != [rowKey]byte(last[:rowKey]) {
			next, latest = 0, 0
		}
		revision, index := binary.BigEndian.Uint64(r[rowKey:]), binary.BigEndian.Uint64(r[rowKey+8:])
		switch {
		case revision > next:
			note(fault{kind: Gap, index: index, want: eventstore.Revision(next), upTo: eventstore.Revision(revision - 1)})
		case revision < next: // the rows of one revision stand in the order of their indexes
			note(fault{kind: RevisionTwice, index: index, other: latest})
			return
		case index < latest:
			note(fault{kind: Disorder, index: index, other: latest})
		}
		next, latest = revision+1, index
		last, some = r, true
	})
	return found, all, err
}

func (s *structure) close() error { return errors.Join(s.ids.close(), s.streams.close()) }

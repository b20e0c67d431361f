package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// Single entries of the folder, looked up by key. Readers and the writer use the same.

// value hands the value under key to use, unless there is none.
func value(db *pebble.DB, key []byte, use func([]byte) error) (found bool, err error) {
	b, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, corruption(err)
	}
	defer func() { _ = closer.Close() }()
	err = use(b)
	return err == nil, err
}

func getNumber(db *pebble.DB, what string, key []byte) (n uint64, found bool, err error) {
	found, err = value(db, key, func(b []byte) error {
		n, err = decodeNumber(what, b)
		return err
	})
	return n, found, err
}

func getStanding(db *pebble.DB, nameKey []byte) (st standing, found bool, err error) {
	found, err = value(db, nameKey, func(b []byte) error {
		st, err = decodeStanding(b)
		return err
	})
	return st, found, err
}

// getPlace returns where a stream's event at revision stands, which must exist.
func getPlace(db *pebble.DB, number uint64, revision eventstore.Revision) (p place, err error) {
	found, err := value(db, streamKey(number, revision), func(b []byte) error {
		p, err = decodePlace(b)
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: stream %d lacks revision %d", ErrCorrupt, number, revision)
	}
	return p, err
}

// getRecord returns the record at position, which must exist, in memory of its own.
func getRecord(db *pebble.DB, position eventstore.Position) (r eventstore.Record, err error) {
	found, err := value(db, recordKey(position), func(b []byte) error {
		e, err := cut(b, position)
		if err == nil {
			r = e.record(position, new(interner), nil)
		}
		return err
	})
	if err == nil && !found {
		err = fmt.Errorf("%w: the record at position %d is missing", ErrCorrupt, position)
	}
	return r, err
}

// lastEntry returns the place and revision of a stream's last event at or before end;
// found is false if there is none. Tombstones count.
func lastEntry(db *pebble.DB, number uint64, end eventstore.Position) (p place, revision eventstore.Revision, found bool, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: streamKey(number, 0), UpperBound: streamEnd(number)})
	if err != nil {
		return place{}, 0, false, corruption(err)
	}
	defer func() { _ = it.Close() }()
	for ok := it.Last(); ok; ok = it.Prev() {
		b, err := it.ValueAndErr()
		if err != nil {
			return place{}, 0, false, corruption(err)
		}
		if p, err = decodePlace(b); err != nil {
			return place{}, 0, false, err
		}
		if p.position <= end {
			revision, err = revisionIn(it.Key())
			return p, revision, err == nil, err
		}
	}
	return place{}, 0, false, corruption(it.Error())
}

func revisionIn(key []byte) (eventstore.Revision, error) {
	if len(key) != streamKeySize {
		return 0, fmt.Errorf("%w: stream key of %d bytes", ErrCorrupt, len(key))
	}
	return eventstore.Revision(binary.BigEndian.Uint64(key[9:])), nil
}

// metadataAt returns what the metadata of stream said at position end, and where; Start
// if there were none.
func metadataAt(db *pebble.DB, stream eventstore.StreamName, end eventstore.Position) (eventstore.Position, limits, error) {
	st, found, err := getStanding(db, appendNameKey(nil, eventstore.MetadataOf(stream)))
	if err != nil || !found {
		return eventstore.Start, limits{}, err
	}
	p, _, found, err := lastEntry(db, st.number, end)
	if err != nil || !found {
		return eventstore.Start, limits{}, err
	}
	r, err := getRecord(db, p.position)
	if err != nil {
		return eventstore.Start, limits{}, err
	}
	l, err := readMetadata(&r.Event)
	if err != nil {
		return eventstore.Start, limits{}, fmt.Errorf("%w: position %d holds %w", ErrCorrupt, p.position, err)
	}
	return p.position, l, nil
}

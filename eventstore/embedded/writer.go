package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

const (
	// groupEvents and groupBytes bound one group, so that a burst does not make its first
	// caller wait for all of it. One append may go past them, never two.
	groupEvents = 4096
	groupBytes  = 4 << 20
	// pendingScan bounds the search for an event id in a stream's pending events.
	pendingScan = 512
)

// group is a row of appends that become durable together.
type group struct {
	batch    *pebble.Batch
	requests []*request
	records  int
	bytes    int
	end      eventstore.Position // of the ledger after it
	err      error               // the batch could not be applied
}

// writer decides what is appended. All its fields belong to its goroutine.
type writer struct {
	s     *Store
	heads heads
	// groups goes to the publisher, in order. It has no room: with one group being synced
	// and the next one applied, waiting here only lets more appends gather for the group
	// after them, which is worth more than a third under way.
	groups chan *group
	spare  chan *group // back from the publisher, to be used again

	number   uint64 // of the group being put together
	current  *group
	end      eventstore.Position // of the last record given a place
	recorded int64               // its time, microseconds
	key      []byte
}

func newWriter(s *Store, cachedStreams int, last eventstore.Record) *writer {
	w := &writer{
		s:      s,
		heads:  newHeads(cachedStreams),
		groups: make(chan *group),
		spare:  make(chan *group, 3),
		end:    last.Position,
	}
	if last.Position != eventstore.Start {
		w.recorded = last.Recorded.UnixMicro()
	}
	return w
}

// run ends when the queue is closed and empty.
func (w *writer) run() {
	defer close(w.groups)
	var list []*request
	for {
		var more bool
		if list, more = w.s.queue.take(list[:0]); !more {
			return
		}
		for i, r := range list {
			list[i] = nil
			if r.state.CompareAndSwap(queued, taken) {
				w.take(r)
			}
		}
		w.commit()
	}
}

// take judges one append and adds it to the group.
func (w *writer) take(r *request) {
	if err := w.s.Failure(); err != nil {
		r.err = fmt.Errorf("%w: an earlier write failed: %v", eventstore.ErrUnavailable, err)
	} else {
		w.open()
		r.err = w.judge(r)
	}
	g := w.open()
	g.requests = append(g.requests, r)
	if g.records >= groupEvents || g.bytes >= groupBytes {
		w.commit()
	}
}

// open returns the group being put together, a new one if there is none.
func (w *writer) open() *group {
	if w.current == nil {
		w.number++
		w.heads.age()
		select {
		case w.current = <-w.spare:
		default:
			w.current = &group{}
		}
		w.current.batch = w.s.db.NewBatch()
		w.recorded = max(w.recorded, w.s.clock().UnixMicro())
	}
	return w.current
}

// commit applies the group and passes it on. Its records are then in Pebble for the
// writer to see, on their way to the disk, and not yet shown to anyone else.
func (w *writer) commit() {
	g := w.current
	if g == nil {
		return
	}
	w.current = nil
	g.end = w.end
	if g.records > 0 && w.s.Failure() == nil {
		if g.err = w.s.db.ApplyNoSyncWait(g.batch, pebble.Sync); g.err != nil {
			w.s.fail(g.err) // at once: the next group must not build on this one
		}
	}
	w.groups <- g
}

// judge sets r.at and adds r's events to the group, or finds that they stand there
// already, or returns why not.
func (w *writer) judge(r *request) error {
	h, err := w.head(r.stream)
	if err != nil {
		return err
	}
	actual := h.actual()
	rev, exact := r.expected.Revision()
	conflict := func() error {
		return &eventstore.ConflictError{Stream: r.stream, Expected: r.expected, Actual: actual}
	}
	switch {
	case !actual.Exists:
		if !r.expected.Permits(actual) {
			return conflict()
		}
	case exact && actual.Revision == rev: // there is nothing behind it that could be a retry
	case exact || r.expected.Is(eventstore.NoStream()):
		from := eventstore.Revision(0)
		if exact {
			if rev > actual.Revision {
				return conflict()
			}
			from = rev + 1
		}
		return w.retry(r, h, from, conflict)
	default: // Exists or Any: a retry can stand anywhere
		from, known, err := w.find(h, r.records)
		if err != nil {
			return err
		}
		if known {
			return w.retry(r, h, from, conflict)
		}
	}
	w.add(r, h)
	return nil
}

// retry answers an append whose events may stand from revision from on.
func (w *writer) retry(r *request, h *head, from eventstore.Revision, conflict func() error) error {
	if uint64(h.next-from) < uint64(len(r.records)) {
		return conflict()
	}
	var at eventstore.Appended
	for i := range r.records {
		revision := from + eventstore.Revision(i)
		p, err := w.placeAt(h, revision)
		if err != nil {
			return err
		}
		if p.id != r.records[i].ID {
			return conflict()
		}
		at = eventstore.Appended{Revision: revision, Position: p.position}
	}
	r.at = at
	w.s.counters.retries.Add(1)
	return nil
}

// find looks for any of the events' ids in the stream. Where one stands, from is where
// the first event would be if all stood there in order. An id that stands twice, which
// only exact expectations let happen, is known by its later place.
func (w *writer) find(h *head, records []eventstore.Record) (from eventstore.Revision, known bool, err error) {
	if len(h.pending(w.number)) > pendingScan || len(records) > 1 && len(h.pending(w.number))*len(records) > pendingScan*16 {
		w.commit() // cheaper than comparing each with each: then Pebble's index knows them
		w.open()
	}
	pending := h.pending(w.number)
	for i := range records {
		at, ok := lookUp(pending, h.next, records[i].ID)
		if !ok {
			if at, ok, err = w.revisionOf(h, records[i].ID); err != nil {
				return 0, false, err
			}
		}
		if ok {
			if at < eventstore.Revision(i) {
				return h.next, true, nil // the first would stand before the stream begins
			}
			return at - eventstore.Revision(i), true, nil
		}
	}
	return 0, false, nil
}

// lookUp searches the pending events, which end before revision next.
func lookUp(pending []place, next eventstore.Revision, id eventstore.EventID) (eventstore.Revision, bool) {
	for i := len(pending) - 1; i >= 0; i-- {
		if pending[i].id == id {
			return next - eventstore.Revision(len(pending)-i), true
		}
	}
	return 0, false
}

// add gives the events their places and puts them into the batch.
func (w *writer) add(r *request, h *head) {
	g, b := w.current, w.current.batch
	if h.next == 0 {
		h.number = uint64(w.end) + 1
		w.heads.put(r.stream, h)
		w.key = appendNameKey(w.key[:0], r.stream)
		op := b.SetDeferred(len(w.key), 8)
		copy(op.Key, w.key)
		binary.BigEndian.PutUint64(op.Value, h.number)
		_ = op.Finish() // fails only for indexed batches
	}
	recorded := time.UnixMicro(w.recorded).UTC()
	rest := r.encoded
	for i := range r.records {
		rec := &r.records[i]
		w.end++
		rec.Position, rec.Revision, rec.Recorded = w.end, h.next, recorded
		size := recordSize(r.stream, &rec.Event)
		value := rest[:size]
		rest = rest[size:]
		seal(value, rec.Position, rec.Revision, w.recorded)
		p := place{position: rec.Position, id: rec.ID}

		op := b.SetDeferred(recordKeySize, size)
		putRecordKey(op.Key, rec.Position)
		copy(op.Value, value)
		_ = op.Finish()
		op = b.SetDeferred(streamKeySize, placeSize)
		putStreamKey(op.Key, h.number, rec.Revision)
		putPlace(op.Value, p)
		_ = op.Finish()
		op = b.SetDeferred(idKeySize, 8)
		putIDKey(op.Key, h.number, rec.ID)
		binary.BigEndian.PutUint64(op.Value, uint64(rec.Revision))
		_ = op.Finish()

		h.add(w.number, p)
	}
	g.records += len(r.records)
	g.bytes += len(r.encoded)
	r.wrote = true
	last := &r.records[len(r.records)-1]
	r.at = eventstore.Appended{Revision: last.Revision, Position: last.Position}
}

// head returns the stream's end, one with no events if it does not exist.
func (w *writer) head(stream eventstore.StreamName) (*head, error) {
	if h := w.heads.get(stream); h != nil {
		return h, nil
	}
	w.key = appendNameKey(w.key[:0], stream)
	number, found, err := getNumber(w.s.db, "stream number", w.key)
	if err != nil || !found {
		return &head{}, err
	}
	it, err := w.s.db.NewIter(&pebble.IterOptions{LowerBound: streamKey(number, 0), UpperBound: streamEnd(number)})
	if err != nil {
		return nil, corruption(err)
	}
	defer func() { _ = it.Close() }()
	if !it.Last() {
		if err := it.Error(); err != nil {
			return nil, corruption(err)
		}
		return nil, fmt.Errorf("%w: stream %q has a number and no events", ErrCorrupt, stream)
	}
	last, err := revisionIn(it.Key())
	if err != nil {
		return nil, err
	}
	h := &head{number: number, next: last + 1}
	w.heads.put(stream, h)
	return h, nil
}

func revisionIn(key []byte) (eventstore.Revision, error) {
	if len(key) != streamKeySize {
		return 0, fmt.Errorf("%w: stream key of %d bytes", ErrCorrupt, len(key))
	}
	return eventstore.Revision(binary.BigEndian.Uint64(key[9:])), nil
}

// placeAt returns the place of the stream's event at revision, which must exist.
func (w *writer) placeAt(h *head, revision eventstore.Revision) (place, error) {
	if pending := h.pending(w.number); h.next-revision <= eventstore.Revision(len(pending)) {
		return pending[len(pending)-int(h.next-revision)], nil
	}
	value, closer, err := w.s.db.Get(streamKey(h.number, revision))
	if err != nil {
		if errors.Is(err, pebble.ErrNotFound) {
			return place{}, fmt.Errorf("%w: stream %d lacks revision %d", ErrCorrupt, h.number, revision)
		}
		return place{}, corruption(err)
	}
	defer func() { _ = closer.Close() }()
	return decodePlace(value)
}

// revisionOf looks an event id up among the stream's events in Pebble.
func (w *writer) revisionOf(h *head, id eventstore.EventID) (eventstore.Revision, bool, error) {
	var key [idKeySize]byte
	putIDKey(key[:], h.number, id)
	r, found, err := getNumber(w.s.db, "event's revision", key[:])
	return eventstore.Revision(r), found, err
}

func getNumber(db *pebble.DB, what string, key []byte) (uint64, bool, error) {
	value, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, corruption(err)
	}
	defer func() { _ = closer.Close() }()
	n, err := decodeNumber(what, value)
	return n, err == nil, err
}

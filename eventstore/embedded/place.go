package embedded

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

// add gives r's events their places and puts them into the batch, with what they change
// of the stream's metadata, or of the metadata's stream.
func (w *writer) add(r *request, h *head) error {
	c, err := w.change(r, h)
	if err != nil {
		return err
	}
	rest := r.encoded
	for i := range r.records {
		rec := &r.records[i]
		size := recordSize(r.stream, &rec.Event)
		w.put(r.stream, h, rec, h.next, rest[:size])
		rest = rest[size:]
	}
	last := &r.records[len(r.records)-1]
	r.at = eventstore.Appended{Revision: last.Revision, Position: last.Position}
	r.wrote = true
	switch {
	case c.h == nil:
	case c.data == nil:
		w.limit(c.stream, c.h, r.at.Position, c.limits)
	default:
		w.setMetadata(r, &c)
	}
	return nil
}

// change is new metadata of a stream. All that can fail is done by the time there is one,
// so that an append is never half put into the batch.
type change struct {
	stream eventstore.StreamName
	h      *head // of stream; nil if nothing changes
	holder *head // of the stream that holds the metadata
	data   []byte
	limits limits // what data say
}

// change returns what adding r's events changes. Metadata written limit their stream;
// and where a stream was deleted, events or metadata recreate it: what stood there stays
// hidden behind a $tb at the next revision, whatever else the metadata say.
func (w *writer) change(r *request, h *head) (change, error) {
	if of, is := original(r.stream); is {
		oh, err := w.head(of)
		if err != nil {
			return change{}, err
		}
		c := change{stream: of, h: oh, holder: h, limits: r.limits}
		if oh.limits.deleted() {
			err = c.recreate(r.records[len(r.records)-1].Data)
		}
		return c, err
	}
	if !h.limits.deleted() {
		return change{}, nil
	}
	old, err := w.recordAt(h.metadata)
	if err != nil {
		return change{}, err
	}
	holder, err := w.head(eventstore.MetadataOf(r.stream))
	if err != nil {
		return change{}, err
	}
	c := change{stream: r.stream, h: h, holder: holder}
	return c, c.recreate(old.Data)
}

// recreate makes metadata of what they were.
func (c *change) recreate(old []byte) (err error) {
	if c.data, err = withBefore(old, c.h.next); err == nil {
		c.limits, err = readMetadata(&eventstore.Event{Data: c.data})
	}
	if err != nil {
		return fmt.Errorf("%w: stream %q has %w", ErrCorrupt, c.stream, err)
	}
	return nil
}

// limit notes the newest metadata of stream, also where it has no event yet.
func (w *writer) limit(stream eventstore.StreamName, h *head, at eventstore.Position, l limits) {
	if _, is := original(stream); is {
		l = limits{} // metadata of metadata: kept, and without effect
	}
	h.metadata, h.limits = at, l
	w.heads.put(stream, h)
	if h.number != 0 {
		w.name(stream, h)
	}
}

// setMetadata adds to r metadata that the engine itself has made.
func (w *writer) setMetadata(r *request, c *change) {
	e := eventstore.Event{Type: eventstore.MetadataType, Data: c.data}
	rec := w.own(r, eventstore.MetadataOf(c.stream), c.holder, c.holder.next, e)
	w.limit(c.stream, c.h, rec.Position, c.limits)
}

// delete hides all of the stream.
func (w *writer) delete(r *request, h *head) error {
	switch {
	case h.limits.deleted(): // a retry, or one too many
		r.at.Position = h.metadata
		w.s.counters.retries.Add(1)
		return nil
	case h.number == 0 && h.metadata == eventstore.Start:
		return conflict(r, h)
	}
	holder, err := w.head(eventstore.MetadataOf(r.stream))
	if err != nil {
		return err
	}
	w.setMetadata(r, &change{stream: r.stream, h: h, holder: holder, data: deletion, limits: limits{before: all}})
	r.at.Position = h.metadata
	return nil
}

// end puts a tombstone behind the stream.
func (w *writer) end(r *request, h *head) {
	e := eventstore.Event{Type: eventstore.StreamDeletedType, Binary: true}
	rec := w.own(r, r.stream, h, eventstore.DeletedRevision, e)
	h.tombstone = rec.Position
	w.name(r.stream, h)
	r.at = eventstore.Appended{Revision: rec.Revision, Position: rec.Position}
}

// own adds to r a record of the engine's own making.
func (w *writer) own(r *request, stream eventstore.StreamName, h *head, revision eventstore.Revision, e eventstore.Event) *eventstore.Record {
	_, _ = rand.Read(e.ID[:]) // never fails
	value, kept := appendRecord(nil, stream, &e)
	r.records = append(r.records, eventstore.Record{Event: kept, Stream: stream})
	rec := &r.records[len(r.records)-1]
	w.put(stream, h, rec, revision, value)
	r.wrote = true
	return rec
}

// put gives a record its place behind all others, and the batch what leads to it.
func (w *writer) put(stream eventstore.StreamName, h *head, rec *eventstore.Record, revision eventstore.Revision, value []byte) {
	b := w.current.batch
	w.last++
	if h.number == 0 {
		h.number = uint64(w.last)
		w.heads.put(stream, h)
		w.name(stream, h)
	}
	rec.Position, rec.Revision, rec.Recorded = w.last, revision, time.UnixMicro(w.recorded).UTC()
	seal(value, rec.Position, rec.Revision, w.recorded)
	p := place{position: rec.Position, id: rec.ID}

	op := b.SetDeferred(recordKeySize, len(value))
	putRecordKey(op.Key, rec.Position)
	copy(op.Value, value)
	_ = op.Finish() // fails only for indexed batches
	w.entries = append(w.entries, streamPlace{number: h.number, revision: revision, place: p})

	if revision != eventstore.DeletedRevision {
		w.heads.add(h, w.number, p)
	}
	w.current.records++
	w.current.bytes += len(value)
}

// streamPlace is what the batch has yet to say of a record.
type streamPlace struct {
	number   uint64
	revision eventstore.Revision
	place
}

// index adds to the batch what leads to its records. It comes after all of them, kind by
// kind: Pebble finds the place for a key in half the time if the one before it is near.
func (w *writer) index(b *pebble.Batch) {
	for i := range w.entries {
		e := &w.entries[i]
		op := b.SetDeferred(streamKeySize, placeSize)
		putStreamKey(op.Key, e.number, e.revision)
		putPlace(op.Value, e.place)
		_ = op.Finish()
	}
	for i := range w.entries {
		e := &w.entries[i]
		op := b.SetDeferred(idKeySize, 8)
		putIDKey(op.Key, e.number, e.id)
		binary.BigEndian.PutUint64(op.Value, uint64(e.revision))
		_ = op.Finish()
	}
}

// name writes what the stream's name leads to.
func (w *writer) name(stream eventstore.StreamName, h *head) {
	w.key = appendNameKey(w.key[:0], stream)
	op := w.current.batch.SetDeferred(len(w.key), h.size())
	copy(op.Key, w.key)
	h.standing.put(op.Value)
	_ = op.Finish()
}

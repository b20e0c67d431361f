package embedded

import (
	"fmt"

	"daybook/eventstore"
)

// pendingScan bounds the search for an event id in a stream's pending events.
const pendingScan = 512

// judge sets r.at and adds what r asks for to the group, or finds that it stands there
// already, or returns why not.
func (w *writer) judge(r *request) error {
	h, err := w.head(r.stream)
	if err != nil {
		return err
	}
	if ended, err := w.ended(r.stream, h); err != nil {
		return err
	} else if ended {
		return streamDeleted(r.stream)
	}
	answered, err := w.expect(r, h)
	if answered || err != nil {
		return err
	}
	switch r.kind {
	case deleting:
		return w.delete(r, h)
	case ending:
		w.end(r, h)
		return nil
	default:
		return w.add(r, h)
	}
}

// ended reports whether the stream, or the one it holds the metadata of, has ended.
func (w *writer) ended(stream eventstore.StreamName, h *head) (bool, error) {
	if top := root(stream); top != stream {
		var err error
		if h, err = w.head(top); err != nil {
			return false, err
		}
	}
	return h.ended(), nil
}

func conflict(r *request, h *head) error {
	return &eventstore.ConflictError{Stream: r.stream, Expected: r.expected, Actual: h.actual()}
}

// expect returns an error if the stream is not where r expects it, and answers r if it
// asks again for what stands there.
func (w *writer) expect(r *request, h *head) (answered bool, err error) {
	actual := h.actual()
	rev, exact := r.expected.Revision()
	exists := r.expected.Is(eventstore.Exists())
	deleted := h.limits.deleted()
	switch {
	case exists && deleted:
		return false, streamDeleted(r.stream)
	case !actual.Exists:
		if !r.expected.Permits(actual) && !(exists && h.metadata != eventstore.Start) {
			return false, conflict(r, h)
		}
		return false, nil
	case exact && actual.Revision == rev: // there is nothing behind it that could be a retry
		return false, nil
	case exact && rev > actual.Revision:
		return false, conflict(r, h)
	case exact:
		return true, w.retry(r, h, rev+1)
	case r.expected.Is(eventstore.NoStream()):
		if deleted {
			if begun, err := w.begins(r, h); err != nil || !begun {
				return false, err
			}
		}
		return true, w.retry(r, h, 0)
	default: // Exists or Any: a retry can stand anywhere
		from, known, err := w.find(h, r.records)
		if err != nil || !known {
			return false, err
		}
		return true, w.retry(r, h, from)
	}
}

// begins reports whether the stream begins with r's first event.
func (w *writer) begins(r *request, h *head) (bool, error) {
	if len(r.records) == 0 {
		return false, nil
	}
	p, err := w.placeAt(h, 0)
	return err == nil && p.id == r.records[0].ID, err
}

// retry answers an append whose events may stand from revision from on.
func (w *writer) retry(r *request, h *head, from eventstore.Revision) error {
	if len(r.records) == 0 || uint64(h.next-from) < uint64(len(r.records)) {
		return conflict(r, h)
	}
	var at eventstore.Appended
	for i := range r.records {
		revision := from + eventstore.Revision(i)
		p, err := w.placeAt(h, revision)
		if err != nil {
			return err
		}
		if p.id != r.records[i].ID {
			return conflict(r, h)
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

// head returns the stream's end, one with no events if it does not exist.
func (w *writer) head(stream eventstore.StreamName) (*head, error) {
	if h := w.heads.get(stream); h != nil {
		return h, nil
	}
	w.key = appendNameKey(w.key[:0], stream)
	st, found, err := getStanding(w.s.db, w.key)
	if err != nil {
		return nil, err
	}
	if !found {
		h := &head{}
		h.metadata, h.limits, err = metadataAt(w.s.db, stream, eventstore.End)
		if err != nil {
			return nil, err
		}
		if _, is := original(stream); is {
			h.limits = limits{}
		}
		return h, nil
	}
	h := &head{standing: st}
	if !h.ended() { // else no one asks for its end
		_, last, found, err := lastEntry(w.s.db, st.number, eventstore.End)
		if err == nil && !found {
			err = noEvents(stream)
		}
		if err != nil {
			return nil, err
		}
		h.next = last + 1
	}
	w.heads.put(stream, h)
	return h, nil
}

// placeAt returns the place of the stream's event at revision, which must exist.
func (w *writer) placeAt(h *head, revision eventstore.Revision) (place, error) {
	if pending := h.pending(w.number); h.next-revision <= eventstore.Revision(len(pending)) {
		return pending[len(pending)-int(h.next-revision)], nil
	}
	return getPlace(w.s.db, h.number, revision)
}

// revisionOf looks an event id up among the stream's events in Pebble.
func (w *writer) revisionOf(h *head, id eventstore.EventID) (eventstore.Revision, bool, error) {
	var key [idKeySize]byte
	putIDKey(key[:], h.number, id)
	r, found, err := getNumber(w.s.db, "event's revision", key[:])
	return eventstore.Revision(r), found, err
}

// recordAt returns a record that the writer gave a place. One that only the group under
// way holds is applied first.
func (w *writer) recordAt(p eventstore.Position) (eventstore.Record, error) {
	if p > w.applied {
		w.commit()
		w.open()
	}
	r, err := getRecord(w.s.db, p)
	if err != nil {
		return r, fmt.Errorf("metadata: %w", err)
	}
	return r, nil
}

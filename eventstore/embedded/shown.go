package embedded

import (
	"context"
	"fmt"
	"sort"

	"daybook/eventstore"
)

// What of a stream is shown: all of it, unless its metadata say otherwise. Times never go
// back along the ledger, so what is hidden is always the stream's beginning, and a read
// begins behind it at no cost for what it passes.

// extent is what a reader may see of a stream. number is 0 where there is nothing.
type extent struct {
	number uint64
	first  eventstore.Revision // the first one shown
	ended  eventstore.Position // of the tombstone; Start if there is none
}

// extentOf looks stream up as it stood at end.
func (s *Store) extentOf(stream eventstore.StreamName, end eventstore.Position) (extent, error) {
	st, found, err := s.standingAt(stream, end)
	if err != nil {
		return extent{}, err
	}
	if top := root(stream); top != stream {
		above, _, err := s.standingAt(top, end)
		if err != nil || above.tombstone != eventstore.Start {
			return extent{number: st.number, ended: above.tombstone}, err
		}
	}
	if !found || st.tombstone != eventstore.Start {
		return extent{number: st.number, ended: st.tombstone}, nil
	}
	x := extent{number: st.number}
	if st.limits == (limits{}) {
		return x, nil
	}
	_, last, found, err := lastEntry(s.db, st.number, end)
	if err == nil && !found {
		err = noEvents(stream)
	}
	if err != nil {
		return extent{}, err
	}
	if x.first, err = s.firstShown(&st, last); err != nil || x.first > last {
		return extent{}, err
	}
	return x, nil
}

// standingAt is the standing of a stream as it was at end: what is not yet durable has
// not happened. The number is the position of the stream's first record: one behind the
// end is of a stream that, for a reader, does not exist yet.
func (s *Store) standingAt(stream eventstore.StreamName, end eventstore.Position) (standing, bool, error) {
	st, found, err := getStanding(s.db, appendNameKey(nil, stream))
	if err != nil || !found || eventstore.Position(st.number) > end {
		return standing{}, false, err
	}
	if st.tombstone > end {
		st.tombstone = eventstore.Start
	}
	if st.metadata > end {
		if st.metadata, st.limits, err = metadataAt(s.db, stream, end); err != nil {
			return standing{}, false, err
		}
	}
	if _, is := original(stream); is {
		st.limits = ofMetadata
	}
	return st, true, nil
}

// firstShown returns the first revision that is shown of a stream that ends with last,
// one behind it if nothing is.
func (s *Store) firstShown(st *standing, last eventstore.Revision) (eventstore.Revision, error) {
	first := eventstore.Revision(0)
	if n := st.limits.maxCount; n > 0 && uint64(last) >= n {
		first = last - eventstore.Revision(n) + 1
	}
	if first = max(first, st.limits.before); first > last || st.limits.maxAge == 0 {
		return min(first, last+1), nil
	}
	oldest := s.clock().UnixMicro() - int64(min(st.limits.maxAge, maxAgeSeconds))*1e6
	var failed error
	older := sort.Search(int(last-first)+1, func(i int) bool {
		if failed != nil {
			return true
		}
		var r eventstore.Record
		p, err := getPlace(s.db, st.number, first+eventstore.Revision(i))
		if err == nil {
			r, err = getRecord(s.db, p.position)
		}
		failed = err
		return err != nil || r.Recorded.UnixMicro() >= oldest
	})
	return first + eventstore.Revision(older), failed
}

// maxAgeSeconds is longer than any ledger and still fits when counted in microseconds.
const maxAgeSeconds = 1 << 40

// findStream prepares a read: from here on the stream's hidden beginning does not exist.
func (s *Store) findStream(r *streamRead) error {
	if err := eventstore.CheckStream(r.name); err != nil {
		return err
	}
	x, err := s.extentOf(r.name, r.end)
	switch {
	case err != nil:
		return err
	case x.ended != eventstore.Start:
		return streamDeleted(r.name)
	case x.number == 0:
		return fmt.Errorf("%w: %q", eventstore.ErrStreamNotFound, r.name)
	}
	r.number, r.first = x.number, x.first
	if !r.backwards {
		r.next = max(r.next, r.first)
	}
	return nil
}

func streamDeleted(stream eventstore.StreamName) error {
	return fmt.Errorf("%w: %q", eventstore.ErrStreamDeleted, stream)
}

func noEvents(stream eventstore.StreamName) error {
	return fmt.Errorf("%w: stream %q has a number and no events", ErrCorrupt, stream)
}

// Look implements eventstore.Engine.
func (s *Store) Look(ctx context.Context, stream eventstore.StreamName) (eventstore.StreamState, error) {
	if err := eventstore.CheckStream(stream); err != nil {
		return eventstore.StreamState{}, err
	}
	end := s.end()
	if err := s.hold(ctx); err != nil {
		return eventstore.StreamState{}, err
	}
	defer s.letGo()
	x, err := s.extentOf(stream, end)
	if err != nil {
		return eventstore.StreamState{}, err
	}
	state := eventstore.StreamState{Deleted: x.ended != eventstore.Start}
	number := x.number
	if number == 0 { // hidden is not absent
		st, _, err := s.standingAt(stream, end)
		if err != nil {
			return eventstore.StreamState{}, err
		}
		number = st.number
	}
	if number == 0 {
		return state, nil
	}
	p, last, found, err := lastEntry(s.db, number, end)
	if err == nil && !found {
		err = noEvents(stream)
	}
	if err != nil {
		return eventstore.StreamState{}, err
	}
	state.Position = p.position
	if x.number != 0 && !state.Deleted {
		state.Shown, state.First, state.Last = true, x.first, last
	}
	return state, nil
}

package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"time"

	"daybook/eventstore"
)

func isClosed(err error) bool { return errors.Is(err, eventstore.ErrClosed) }

// newEvent makes an event with an id of its own; n tells events apart in failures.
func newEvent(eventType string, n int) eventstore.Event {
	return eventstore.Event{
		ID:       newID(),
		Type:     eventType,
		Data:     fmt.Appendf(nil, `{"n":%d}`, n),
		Metadata: fmt.Appendf(nil, `{"decidedAt":"2026-11-21T19:%02d:00Z"}`, n%60),
	}
}

func newEvents(eventType string, count int) []eventstore.Event {
	events := make([]eventstore.Event, count)
	for i := range events {
		events[i] = newEvent(eventType, i)
	}
	return events
}

func newID() eventstore.EventID {
	var id eventstore.EventID
	_, _ = rand.Read(id[:]) // never fails
	return id
}

func (e *env) mustAppend(s eventstore.Store, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) eventstore.Appended {
	e.Helper()
	at, err := s.Append(e.context(), stream, expected, events...)
	if err != nil {
		e.Fatalf("append of %d events to %q expecting %s: %v", len(events), stream, expected, err)
	}
	return at
}

// collect drains a sequence. Where the sequence yields an error, collect returns it
// with the records before it, and fails the check if anything follows the error.
func (e *env) collect(seq iter.Seq2[eventstore.Record, error]) ([]eventstore.Record, error) {
	e.Helper()
	var records []eventstore.Record
	var failed error
	for r, err := range seq {
		if failed != nil {
			e.Fatalf("sequence went on after its error %v", failed)
		}
		if err != nil {
			failed = err
			continue
		}
		records = append(records, r)
	}
	return records, failed
}

func (e *env) mustCollect(what string, seq iter.Seq2[eventstore.Record, error]) []eventstore.Record {
	e.Helper()
	records, err := e.collect(seq)
	if err != nil {
		e.Fatalf("%s: %v", what, err)
	}
	return records
}

func (e *env) readStream(s eventstore.Store, stream eventstore.StreamName) []eventstore.Record {
	e.Helper()
	records, err := e.collect(s.ReadStream(e.context(), stream, 0))
	if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) {
		e.Fatalf("read of stream %q: %v", stream, err)
	}
	return records
}

func (e *env) readAll(s eventstore.Store) []eventstore.Record {
	e.Helper()
	return e.mustCollect("read of all", s.ReadAll(e.context(), eventstore.Start, eventstore.Filter{}))
}

// holds requires that stream has exactly these events.
func (e *env) holds(s eventstore.Store, stream eventstore.StreamName, want ...eventstore.Event) {
	e.Helper()
	e.sameEvents(fmt.Sprintf("stream %q", stream), e.readStream(s, stream), stream, 0, want)
}

// sameEvents requires that records are these events of stream, from revision first on.
func (e *env) sameEvents(what string, records []eventstore.Record, stream eventstore.StreamName, first eventstore.Revision, want []eventstore.Event) {
	e.Helper()
	if len(records) != len(want) {
		e.Fatalf("%s: %d records, want %d", what, len(records), len(want))
	}
	for i, r := range records {
		w := eventstore.Record{
			Event: want[i], Stream: stream, Revision: first + eventstore.Revision(i),
			Position: r.Position, Recorded: r.Recorded, // the store's own; ordered checks them
		}
		if !sameRecord(r, w) {
			e.Fatalf("%s: record %d:\n got %s\nwant %s", what, i, show(r), show(w))
		}
	}
	e.ordered(what, records)
}

// sameRecords requires that two reads gave the same records, store's fields included.
func (e *env) sameRecords(what string, got, want []eventstore.Record) {
	e.Helper()
	for i := range min(len(got), len(want)) {
		if !sameRecord(got[i], want[i]) {
			e.Fatalf("%s: record %d of %d:\n got %s\nwant %s", what, i, len(want), show(got[i]), show(want[i]))
		}
	}
	if len(got) != len(want) {
		e.Fatalf("%s: %d records, want %d", what, len(got), len(want))
	}
}

// ordered requires what holds along every ledger: positions after Start that strictly
// increase, and UTC times that never go back.
func (e *env) ordered(what string, records []eventstore.Record) {
	e.Helper()
	last := eventstore.Start
	var clock time.Time
	for i, r := range records {
		if r.Position <= last {
			e.Fatalf("%s: record %d has position %d after %d", what, i, r.Position, last)
		}
		if r.Recorded.IsZero() || r.Recorded.Location() != time.UTC {
			e.Fatalf("%s: record %d was recorded at %v, want a UTC time", what, i, r.Recorded)
		}
		if r.Recorded.Before(clock) {
			e.Fatalf("%s: record %d was recorded at %v, before the one ahead of it (%v)", what, i, r.Recorded, clock)
		}
		last, clock = r.Position, r.Recorded
	}
}

func sameRecord(a, b eventstore.Record) bool {
	return sameEvent(a.Event, b.Event) && a.Stream == b.Stream && a.Revision == b.Revision &&
		a.Position == b.Position && a.Recorded.Equal(b.Recorded)
}

// sameEvent does not tell nil from empty: a store may give either back.
func sameEvent(a, b eventstore.Event) bool {
	return a.ID == b.ID && a.Type == b.Type && a.Binary == b.Binary && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Metadata, b.Metadata)
}

func show(r eventstore.Record) string {
	return fmt.Sprintf("%s@%d pos %d %s %s binary %t data %.80s metadata %.80s at %s",
		r.Stream, r.Revision, r.Position, r.ID, r.Type, r.Binary, r.Data, r.Metadata, r.Recorded.Format(time.RFC3339Nano))
}

// conflicts requires that err is exactly this conflict.
func (e *env) conflicts(what string, err error, want eventstore.ConflictError) {
	e.Helper()
	var got *eventstore.ConflictError
	if !errors.As(err, &got) {
		e.Fatalf("%s: got error %v, want a conflict: %v", what, err, &want)
	}
	if *got != want {
		e.Fatalf("%s: got conflict %+v, want %+v", what, *got, want)
	}
}

func isContextError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func reversed(records []eventstore.Record) []eventstore.Record {
	out := make([]eventstore.Record, 0, len(records))
	for i := len(records) - 1; i >= 0; i-- {
		out = append(out, records[i])
	}
	return out
}

func passing(records []eventstore.Record, filter eventstore.Filter) []eventstore.Record {
	var out []eventstore.Record
	for _, r := range records {
		if filter.Passes(r.Stream, r.Type) {
			out = append(out, r)
		}
	}
	return out
}

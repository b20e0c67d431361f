package esdb_test

import (
	"context"
	"errors"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// peculiar is a ledger that answers retried appends as other servers may.
type peculiar struct {
	eventstore.Engine
	// retried answers an append whose first event the stream holds.
	retried func(stream eventstore.StreamName, expected eventstore.Expected, actual eventstore.Actual) (eventstore.Appended, error)
}

func (p peculiar) Write(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	known := false
	actual := eventstore.Actual{}
	for r, err := range p.ReadStream(ctx, stream, 0) {
		if err != nil {
			break
		}
		known = known || r.ID == events[0].ID
		actual = eventstore.Actual{Exists: true, Revision: r.Revision}
	}
	if known {
		return p.retried(stream, expected, actual)
	}
	return p.Engine.Write(ctx, stream, expected, events...)
}

// TestRetryAtPeculiarServers checks that an append sent again is answered with the
// place of its events, though the server does not know it again, or says another.
func TestRetryAtPeculiarServers(t *testing.T) {
	servers := map[string]func(eventstore.StreamName, eventstore.Expected, eventstore.Actual) (eventstore.Appended, error){
		"answers with a conflict": func(stream eventstore.StreamName, expected eventstore.Expected, actual eventstore.Actual) (eventstore.Appended, error) {
			return eventstore.Appended{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
		},
		"answers with the stream's end": func(_ eventstore.StreamName, _ eventstore.Expected, actual eventstore.Actual) (eventstore.Appended, error) {
			return eventstore.Appended{Revision: actual.Revision, Position: 4711}, nil
		},
	}
	for name, retried := range servers {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, peculiar{openLedger(t), retried}, "127.0.0.1:0", esdbserver.Options{})
			s := connect(t, url, esdb.Options{})
			ctx := context.Background()
			appends := []struct {
				expected eventstore.Expected
				events   []eventstore.Event
			}{
				{eventstore.NoStream(), []eventstore.Event{event("day-1", 0), event("day-1", 1)}},
				{eventstore.At(1), []eventstore.Event{event("day-1", 2), event("day-1", 3), event("day-1", 4)}},
				{eventstore.At(4), []eventstore.Event{event("day-1", 5)}},
				{eventstore.At(5), []eventstore.Event{event("day-1", 6)}},
			}
			var first []eventstore.Appended
			for _, a := range appends {
				at, err := s.Append(ctx, "day-1", a.expected, a.events...)
				if err != nil {
					t.Fatalf("append expecting %s: %v", a.expected, err)
				}
				first = append(first, at)
			}
			// The last one stands at the stream's end in any case.
			for i, a := range appends[:3] {
				at, err := s.Append(ctx, "day-1", a.expected, a.events...)
				if err != nil || at != first[i] {
					t.Errorf("append expecting %s sent again: %+v, %v, want %+v", a.expected, at, err, first[i])
				}
			}
		})
	}
}

// TestConflictIsNoRetry has a stream that went on with other events: a conflict,
// although there are as many as were to be appended.
func TestConflictIsNoRetry(t *testing.T) {
	url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{})
	s := connect(t, url, esdb.Options{})
	ctx := context.Background()
	if _, err := s.Append(ctx, "day-1", eventstore.NoStream(), event("day-1", 0), event("day-1", 1), event("day-1", 2)); err != nil {
		t.Fatalf("append: %v", err)
	}
	for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.At(0)} {
		_, err := s.Append(ctx, "day-1", expected, event("other", 0), event("other", 1))
		var conflict *eventstore.ConflictError
		want := eventstore.ConflictError{Stream: "day-1", Expected: expected, Actual: eventstore.Actual{Exists: true, Revision: 2}}
		if !errors.As(err, &conflict) || *conflict != want {
			t.Errorf("append expecting %s: %v, want %v", expected, err, &want)
		}
	}
}

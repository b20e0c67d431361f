package storetest

import (
	"bytes"
	"errors"
	"strings"

	"daybook/eventstore"
)

const held = "reservation.held"

func checkExpectations(e *env) {
	s := e.store()
	ctx := e.context()
	none := eventstore.Actual{}
	at := func(r eventstore.Revision) eventstore.Actual { return eventstore.Actual{Exists: true, Revision: r} }

	// Each step appends one event to "day-1" with one expectation. The stream grows only
	// where ok says so, so every expectation meets every state.
	steps := []struct {
		expected eventstore.Expected
		state    eventstore.Actual
		ok       bool
	}{
		{eventstore.Exists(), none, false},
		{eventstore.At(0), none, false},
		{eventstore.At(7), none, false},
		{eventstore.NoStream(), none, true},
		{eventstore.NoStream(), at(0), false},
		{eventstore.At(1), at(0), false},
		{eventstore.At(0), at(0), true},
		{eventstore.At(0), at(1), false},
		{eventstore.At(2), at(1), false},
		{eventstore.Exists(), at(1), true},
		{eventstore.Any(), at(2), true},
		{eventstore.At(3), at(3), true},
		{eventstore.NoStream(), at(4), false},
	}
	var want []eventstore.Event
	last := eventstore.Start
	for i, step := range steps {
		ev := newEvent(held, i)
		got, err := s.Append(ctx, "day-1", step.expected, ev)
		if !step.ok {
			e.conflicts("step", err, eventstore.ConflictError{Stream: "day-1", Expected: step.expected, Actual: step.state})
			continue
		}
		if err != nil {
			e.Fatalf("step %d, expecting %s: %v", i, step.expected, err)
		}
		if rev := eventstore.Revision(len(want)); got.Revision != rev || got.Position <= last {
			e.Fatalf("step %d: appended at %+v, want revision %d and a position after %d", i, got, rev, last)
		}
		last = got.Position
		want = append(want, ev)
	}
	e.holds(s, "day-1", want...)

	// Any also makes a stream, and a batch of several ends at its last event's revision.
	first := newEvents(held, 3)
	got := e.mustAppend(s, "day-2", eventstore.Any(), first...)
	if got.Revision != 2 {
		e.Fatalf("batch of three ended at revision %d, want 2", got.Revision)
	}
	e.holds(s, "day-2", first...)
	records := e.readStream(s, "day-2")
	if records[2].Position != got.Position {
		e.Fatalf("append said position %d, the record has %d", got.Position, records[2].Position)
	}
	e.holds(s, "day-1", want...)
}

func checkConflictError(e *env) {
	s := e.store()
	e.mustAppend(s, "day-1", eventstore.NoStream(), newEvents(held, 5)...)
	_, err := s.Append(e.context(), "day-1", eventstore.At(2), newEvent(held, 9))
	if !eventstore.IsConflict(err) {
		e.Fatalf("IsConflict(%v) = false", err)
	}
	e.conflicts("append at an old revision", err, eventstore.ConflictError{
		Stream: "day-1", Expected: eventstore.At(2), Actual: eventstore.Actual{Exists: true, Revision: 4},
	})
	for _, other := range []error{eventstore.ErrInvalid, eventstore.ErrUnknownOutcome, eventstore.ErrUnavailable, eventstore.ErrClosed} {
		if errors.Is(err, other) {
			e.Fatalf("a conflict is also %v", other)
		}
	}
}

func checkNoExpectation(e *env) {
	s := e.store()
	for _, stream := range []eventstore.StreamName{"day-1", "new"} {
		if stream == "day-1" {
			e.mustAppend(s, stream, eventstore.NoStream(), newEvent(held, 0))
		}
		var forgotten eventstore.Expected
		if _, err := s.Append(e.context(), stream, forgotten, newEvent(held, 1)); !errors.Is(err, eventstore.ErrNoExpectation) {
			e.Fatalf("append without an expectation to %q: %v, want ErrNoExpectation", stream, err)
		}
	}
	if n := len(e.readAll(s)); n != 1 {
		e.Fatalf("the ledger holds %d records, want 1", n)
	}
}

func checkInvalidAppend(e *env) {
	s := e.store()
	first := newEvent(held, 0)
	e.mustAppend(s, "day-1", eventstore.NoStream(), first)

	with := func(change func(*eventstore.Event)) []eventstore.Event {
		bad := newEvent(held, 1)
		change(&bad)
		// The bad one stands last, so that a store that checks as it writes is caught.
		return []eventstore.Event{newEvent(held, 2), bad}
	}
	twice := newEvent(held, 3)
	tooLarge := make([]eventstore.Event, 5)
	for i := range tooLarge {
		tooLarge[i] = newEvent(held, i)
		tooLarge[i].Data = make([]byte, eventstore.MaxEventSize-100)
	}
	cases := []struct {
		name   string
		stream eventstore.StreamName
		events []eventstore.Event
	}{
		{"empty stream name", "", newEvents(held, 1)},
		{"stream name too long", eventstore.StreamName(strings.Repeat("s", eventstore.MaxStreamName+1)), newEvents(held, 1)},
		{"the engine's stream", "$ce-day", newEvents(held, 1)},
		{"no events", "day-1", nil},
		{"too many events", "day-1", newEvents(held, eventstore.MaxAppendEvents+1)},
		{"zero id", "day-1", with(func(ev *eventstore.Event) { ev.ID = eventstore.EventID{} })},
		{"id twice", "day-1", []eventstore.Event{twice, newEvent(held, 4), twice}},
		{"no type", "day-1", with(func(ev *eventstore.Event) { ev.Type = "" })},
		{"type too long", "day-1", with(func(ev *eventstore.Event) { ev.Type = strings.Repeat("t", eventstore.MaxEventType+1) })},
		{"the engine's type", "day-1", with(func(ev *eventstore.Event) { ev.Type = "$metadata" })},
		{"event too large", "day-1", with(func(ev *eventstore.Event) { ev.Data = make([]byte, eventstore.MaxEventSize) })},
		{"append too large", "day-1", tooLarge},
	}
	for _, c := range cases {
		for _, expected := range []eventstore.Expected{eventstore.Any(), eventstore.At(0), eventstore.Exists(), eventstore.NoStream()} {
			if _, err := s.Append(e.context(), c.stream, expected, c.events...); !errors.Is(err, eventstore.ErrInvalid) {
				e.Fatalf("%s, expecting %s: %v, want ErrInvalid", c.name, expected, err)
			}
		}
	}
	e.sameEvents("ledger after refusals", e.readAll(s), "day-1", 0, []eventstore.Event{first})
}

func checkLimits(e *env) {
	s := e.store()
	name := eventstore.StreamName(strings.Repeat("é", eventstore.MaxStreamName/2))
	largest := newEvent(strings.Repeat("t", eventstore.MaxEventType), 0)
	largest.Metadata = []byte(`{"m":1}`)
	largest.Data = []byte(`"` + strings.Repeat("d", eventstore.MaxEventSize-len(largest.Metadata)-2) + `"`)
	e.mustAppend(s, name, eventstore.NoStream(), largest)
	e.holds(s, name, largest)

	bare := eventstore.Event{ID: newID(), Type: "t", Data: []byte(`{}`)}
	e.mustAppend(s, "n", eventstore.NoStream(), bare)
	e.holds(s, "n", bare)

	many := newEvents(held, eventstore.MaxAppendEvents)
	if got := e.mustAppend(s, "many", eventstore.NoStream(), many...); got.Revision != eventstore.MaxAppendEvents-1 {
		e.Fatalf("appended at %+v, want revision %d", got, eventstore.MaxAppendEvents-1)
	}
	e.holds(s, "many", many...)

	heavy := newEvents(held, 4)
	for i := range heavy {
		heavy[i].Metadata = nil
		heavy[i].Data = bytes.Repeat([]byte{'0' + byte(i)}, eventstore.MaxEventSize)
	}
	e.mustAppend(s, "heavy", eventstore.NoStream(), heavy...)
	e.holds(s, "heavy", heavy...)
}

func checkBatchIsWhole(e *env) {
	s := e.store()
	kept := newEvents(held, 2)
	e.mustAppend(s, "day-1", eventstore.NoStream(), kept...)
	for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.At(0), eventstore.At(2)} {
		if _, err := s.Append(e.context(), "day-1", expected, newEvents(held, 50)...); !eventstore.IsConflict(err) {
			e.Fatalf("expecting %s: %v, want a conflict", expected, err)
		}
	}
	e.holds(s, "day-1", kept...)

	// A reader beside the writer sees whole batches or nothing of them.
	const size, batches = 7, 60
	ctx := e.context()
	done := make(chan error, 1)
	go func() {
		expected := eventstore.NoStream()
		for range batches {
			at, err := s.Append(ctx, "day-2", expected, newEvents(held, size)...)
			if err != nil {
				done <- err
				return
			}
			expected = eventstore.At(at.Revision)
		}
		done <- nil
	}()
	for {
		select {
		case err := <-done:
			if err != nil {
				e.Fatalf("append: %v", err)
			}
			if n := len(e.readStream(s, "day-2")); n != size*batches {
				e.Fatalf("the stream holds %d events, want %d", n, size*batches)
			}
			return
		default:
			if n := len(e.readStream(s, "day-2")); n%size != 0 {
				e.Fatalf("a reader saw %d events: part of a batch of %d", n, size)
			}
		}
	}
}

func checkCallerKeepsItsMemory(e *env) {
	s := e.store()
	sub, err := s.Subscribe(e.context(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		e.Fatalf("subscribe: %v", err)
	}
	defer func() { _ = sub.Close() }()
	ev := newEvent(held, 1)
	want := ev
	want.Data, want.Metadata = bytes.Clone(ev.Data), bytes.Clone(ev.Metadata)
	events := []eventstore.Event{ev}
	e.mustAppend(s, "day-1", eventstore.NoStream(), events...)
	clear(ev.Data)
	clear(ev.Metadata)
	clear(events)
	e.holds(s, "day-1", want)
	e.sameEvents("subscription", e.follow(sub, eventstore.Start, 1), "day-1", 0, []eventstore.Event{want})
}

func checkStreamNamesStayApart(e *env) {
	s := e.store()
	// Names that are each other's prefixes, and bytes that a key encoding could trip over.
	names := []eventstore.StreamName{"a", "aa", "a-", "a-1", "a-10", "a b", "a/b", "a%2Fb", "day-é", "日-1", "a\x01", "A", "a:1", "a."}
	want := map[eventstore.StreamName][]eventstore.Event{}
	for round := range 3 {
		for i, name := range names {
			expected := eventstore.NoStream()
			if round > 0 {
				expected = eventstore.At(eventstore.Revision(round - 1))
			}
			ev := newEvent(held, round*100+i)
			e.mustAppend(s, name, expected, ev)
			want[name] = append(want[name], ev)
		}
	}
	for _, name := range names {
		e.holds(s, name, want[name]...)
	}
}

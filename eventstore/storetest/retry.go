package storetest

import (
	"fmt"
	"sync"

	"daybook/eventstore"
)

// checkRetry appends three times for each expectation: every time after the first
// must name the same place and add nothing.
func checkRetry(e *env) {
	s := e.store()
	for i, c := range retryCases() {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", i))
		before := c.prepare(e, s, stream)
		events := newEvents(held, c.size)
		first := e.mustAppend(s, stream, c.expected, events...)
		for range 2 {
			if again := e.mustAppend(s, stream, c.expected, events...); again != first {
				e.Fatalf("%s: retried append ended at %+v, the first at %+v", c.name, again, first)
			}
		}
		e.holds(s, stream, append(before, events...)...)
	}
}

func checkRetryMuchLater(e *env) {
	s := e.store()
	for i, c := range retryCases() {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", i))
		want := c.prepare(e, s, stream)
		events := newEvents(held, c.size)
		first := e.mustAppend(s, stream, c.expected, events...)
		want = append(want, events...)
		for range 15 {
			later := newEvents(held, 5)
			e.mustAppend(s, stream, eventstore.Exists(), later...)
			e.mustAppend(s, "other", eventstore.Any(), newEvents(held, 3)...)
			want = append(want, later...)
		}
		if again := e.mustAppend(s, stream, c.expected, events...); again != first {
			e.Fatalf("%s: retried append ended at %+v, the first at %+v", c.name, again, first)
		}
		e.holds(s, stream, want...)
	}
}

func checkRetryAfterReopen(e *env) {
	s := e.store()
	type kept struct {
		events, all []eventstore.Event
		at          eventstore.Appended
	}
	cases := retryCases()
	state := make([]kept, len(cases))
	name := func(i int) eventstore.StreamName { return eventstore.StreamName(fmt.Sprintf("day-%d", i)) }
	for i, c := range cases {
		before := c.prepare(e, s, name(i))
		events := newEvents(held, c.size)
		at := e.mustAppend(s, name(i), c.expected, events...)
		later := newEvents(held, 2)
		e.mustAppend(s, name(i), eventstore.At(at.Revision), later...)
		state[i] = kept{events: events, all: append(append(before, events...), later...), at: at}
	}
	if err := s.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	s = e.store()
	for i, c := range cases {
		if again := e.mustAppend(s, name(i), c.expected, state[i].events...); again != state[i].at {
			e.Fatalf("%s: retried append ended at %+v, the first at %+v", c.name, again, state[i].at)
		}
		e.holds(s, name(i), state[i].all...)
	}
}

type retryCase struct {
	name     string
	size     int
	expected eventstore.Expected
	prepare  func(e *env, s eventstore.Store, stream eventstore.StreamName) []eventstore.Event
}

func retryCases() []retryCase {
	empty := func(*env, eventstore.Store, eventstore.StreamName) []eventstore.Event { return nil }
	three := func(e *env, s eventstore.Store, stream eventstore.StreamName) []eventstore.Event {
		events := newEvents("restaurantday.opened", 3)
		e.mustAppend(s, stream, eventstore.NoStream(), events...)
		return events
	}
	var cases []retryCase
	for _, size := range []int{1, 4} {
		cases = append(cases,
			retryCase{"no stream", size, eventstore.NoStream(), empty},
			retryCase{"at", size, eventstore.At(2), three},
			retryCase{"exists", size, eventstore.Exists(), three},
			retryCase{"any, new stream", size, eventstore.Any(), empty},
			retryCase{"any, old stream", size, eventstore.Any(), three},
		)
	}
	return cases
}

func checkPartlyMatchingRetry(e *env) {
	s := e.store()
	old := newEvents(held, 6)
	e.mustAppend(s, "day-1", eventstore.NoStream(), old[:3]...)
	e.mustAppend(s, "day-1", eventstore.At(2), old[3:]...)
	other := newEvents(held, 3)
	e.mustAppend(s, "day-2", eventstore.NoStream(), other...)
	fresh := newEvents(held, 2)
	actual := eventstore.Actual{Exists: true, Revision: 5}

	cases := []struct {
		name     string
		expected eventstore.Expected
		events   []eventstore.Event
	}{
		{"no stream: one more than stands there", eventstore.NoStream(), append(append([]eventstore.Event{}, old...), fresh[0])},
		{"no stream: not the first", eventstore.NoStream(), old[1:3]},
		{"no stream: wrong order", eventstore.NoStream(), []eventstore.Event{old[1], old[0]}},
		{"no stream: second is new", eventstore.NoStream(), []eventstore.Event{old[0], fresh[0]}},
		{"at: second is new", eventstore.At(2), []eventstore.Event{old[3], fresh[0]}},
		{"at: first is new", eventstore.At(2), []eventstore.Event{fresh[0], old[4]}},
		{"at: past the end", eventstore.At(4), []eventstore.Event{old[5], fresh[0]}},
		{"at: a gap", eventstore.At(2), []eventstore.Event{old[3], old[5]}},
		{"at: other place", eventstore.At(1), old[3:5]},
		{"at: ids of another stream", eventstore.At(2), other[:2]},
		{"exists: second is new", eventstore.Exists(), []eventstore.Event{old[4], fresh[0]}},
		{"exists: first is new", eventstore.Exists(), []eventstore.Event{fresh[0], old[4]}},
		{"any: second is new", eventstore.Any(), []eventstore.Event{old[4], fresh[0]}},
		{"any: wrong order", eventstore.Any(), []eventstore.Event{old[4], old[3]}},
		{"any: a gap", eventstore.Any(), []eventstore.Event{old[1], old[3]}},
		{"any: past the end", eventstore.Any(), []eventstore.Event{old[5], fresh[1]}},
	}
	for _, c := range cases {
		_, err := s.Append(e.context(), "day-1", c.expected, c.events...)
		e.conflicts(c.name, err, eventstore.ConflictError{Stream: "day-1", Expected: c.expected, Actual: actual})
	}
	e.holds(s, "day-1", old...)

	// An id means one event in one stream: what another stream holds is new here.
	e.mustAppend(s, "day-1", eventstore.Any(), other...)
	e.holds(s, "day-1", append(append([]eventstore.Event{}, old...), other...)...)

	// Part of what one append wrote, or of two, counts as written: these ids stand
	// there, in this order.
	at := e.mustAppend(s, "day-1", eventstore.Any(), old[2:4]...)
	if at.Revision != 3 {
		e.Fatalf("ids that stand at 2 and 3 were answered with %+v", at)
	}
	e.holds(s, "day-1", append(append([]eventstore.Event{}, old...), other...)...)
}

// checkConcurrentRetry sends one append from several callers at once, as a client
// does whose first try got lost: all succeed, with one place, and it stands there once.
func checkConcurrentRetry(e *env) {
	s := e.store()
	ctx := e.context()
	for round := range soak(15) {
		for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.Any()} {
			stream := eventstore.StreamName(fmt.Sprintf("day-%d-%s", round, expected))
			events := newEvents(held, 1+round%3)
			const callers = 8
			places := make([]eventstore.Appended, callers)
			errs := make([]error, callers)
			together(callers, func(i int) { places[i], errs[i] = s.Append(ctx, stream, expected, events...) })
			for i := range callers {
				if errs[i] != nil || places[i] != places[0] {
					e.Fatalf("caller %d expecting %s: %+v, %v; caller 0 got %+v", i, expected, places[i], errs[i], places[0])
				}
			}
			e.holds(s, stream, events...)
		}
	}
}

// together runs f for 0 to n-1 at the same time and waits for all.
func together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			ready.Done()
			<-start
			f(i)
		}()
	}
	ready.Wait()
	close(start)
	done.Wait()
}

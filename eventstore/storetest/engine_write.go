package storetest

import (
	"bytes"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"daybook/eventstore"
)

func isNotFound(err error) bool { return errors.Is(err, eventstore.ErrStreamNotFound) }
func isDeleted(err error) bool  { return errors.Is(err, eventstore.ErrStreamDeleted) }
func isInvalid(err error) bool  { return errors.Is(err, eventstore.ErrInvalid) }

// testClock stands still until it is moved.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (e *engineEnv) reads(stream eventstore.StreamName, from eventstore.Revision) map[string]iter.Seq2[eventstore.Record, error] {
	return map[string]iter.Seq2[eventstore.Record, error]{
		"read":           e.ReadStream(e.context(), stream, from),
		"read backwards": e.ReadStreamBackwards(e.context(), stream, eventstore.Last),
	}
}

// checkWriteOwn writes beside ordinary events what only Everything shows.
func checkWriteOwn(e *engineEnv) {
	ctx := e.context()
	plain := newEvents(held, 2)
	own := newEvents("client.checkpoint", 2)
	link := newEvent(eventstore.LinkType, 0)
	link.Data, link.Binary = []byte("1@day-1"), true
	e.mustWrite("day-1", eventstore.NoStream(), plain...)
	e.mustWrite("$persistentsubscription-day", eventstore.NoStream(), own...)
	at := e.mustWrite("linked", eventstore.NoStream(), link)
	e.shows("day-1", 0, plain...)
	e.shows("$persistentsubscription-day", 0, own...)
	e.shows("linked", 0, link)
	if _, err := e.Append(ctx, "$own", eventstore.Any(), newEvent(held, 0)); !isInvalid(err) {
		e.Fatalf("append to the engine's stream: %v, want ErrInvalid", err)
	}

	want := append(append(append([]eventstore.Event{}, plain...), own...), link)
	for _, c := range []struct {
		filter eventstore.Filter
		want   []eventstore.Event
	}{
		{eventstore.Filter{}, plain},
		{eventstore.StreamPrefix("day", "$", "linked"), plain},
		{eventstore.TypePrefix(""), plain},
		{eventstore.Everything(), want},
	} {
		all := e.mustCollect("read", e.ReadAll(ctx, eventstore.Start, c.filter))
		var events []eventstore.Event
		for _, r := range all {
			events = append(events, r.Event)
		}
		if len(events) != len(c.want) {
			e.Fatalf("filter %+v: %d records, want %d", c.filter, len(events), len(c.want))
		}
		for i := range c.want {
			if !sameEvent(events[i], c.want[i]) {
				e.Fatalf("filter %+v: record %d is %s", c.filter, i, show(all[i]))
			}
		}
		e.sameRecords("backwards", e.mustCollect("read", e.ReadAllBackwards(ctx, eventstore.End, c.filter)), reversed(all))
		sub := e.subscribe(ctx, e.Engine, eventstore.Start, c.filter)
		t := newTrack(eventstore.Start)
		if err := t.until(ctx, sub, at.Position); err != nil {
			e.Fatalf("subscription: %v", err)
		}
		e.sameRecords("subscription", t.records, all)
		_ = sub.Close()
	}
	// A client of the protocol sends numbers of its own.
	all := e.mustCollect("read", e.ReadAll(ctx, eventstore.Start, eventstore.Everything()))
	for i, r := range all {
		e.sameRecords("from the number before", e.mustCollect("read", e.ReadAll(ctx, r.Position-1, eventstore.Everything())), all[i:])
		e.sameRecords("back from the number before", e.mustCollect("read", e.ReadAllBackwards(ctx, r.Position-1, eventstore.Everything())), reversed(all[:i]))
	}
}

func checkWriteInvalid(e *engineEnv) {
	ctx := e.context()
	e.mustWrite("day-1", eventstore.NoStream(), newEvent(held, 0))
	with := func(change func(*eventstore.Event)) []eventstore.Event {
		ev := newEvent(eventstore.MetadataType, 0)
		change(&ev)
		return []eventstore.Event{ev}
	}
	data := func(s string) []eventstore.Event {
		return with(func(ev *eventstore.Event) { ev.Data = []byte(s) })
	}
	longest := eventstore.StreamName(strings.Repeat("n", eventstore.MaxStreamName))
	for _, c := range []struct {
		name   string
		stream eventstore.StreamName
		events []eventstore.Event
	}{
		{"no stream", "", newEvents(held, 1)},
		{"metadata of nothing", "$$", newEvents(held, 1)},
		{"too long a name", longest + "n", newEvents(held, 1)},
		{"metadata of too long a name", "$$" + longest + "n", newEvents(held, 1)},
		{"no events", "$own", nil},
		{"a tombstone", "day-1", with(func(ev *eventstore.Event) { ev.Type = eventstore.StreamDeletedType })},
		{"metadata: text", "$$day-1", data(`maximum`)},
		{"metadata: two values", "$$day-1", data(`{} {}`)},
		{"metadata: a list", "$$day-1", data(`[]`)},
		{"metadata: null", "$$day-1", data(`null`)},
		{"metadata: no number", "$$day-1", data(`{"$maxCount":"3"}`)},
		{"metadata: a null for a number", "$$day-1", data(`{"$maxAge":null}`)},
		{"metadata: a fraction", "$$day-1", data(`{"$tb":1.5}`)},
		{"metadata: past the last revision", "$$day-1", data(`{"$tb":9223372036854775808}`)},
		{"metadata: binary", "$$day-1", with(func(ev *eventstore.Event) { ev.Binary = true })},
		{"metadata: the first of two", "$$day-1", append(data(`[]`), data(`{}`)...)},
	} {
		if _, err := e.Write(ctx, c.stream, eventstore.Any(), c.events...); !isInvalid(err) {
			e.Fatalf("%s: %v, want ErrInvalid", c.name, err)
		}
	}
	if _, err := e.Write(ctx, "day-1", eventstore.Expected{}, newEvent(held, 0)); !errors.Is(err, eventstore.ErrNoExpectation) {
		e.Fatalf("without an expectation: %v", err)
	}
	for name, call := range map[string]func(stream eventstore.StreamName, expected eventstore.Expected) (eventstore.Position, error){
		"delete": func(stream eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
			return e.Delete(ctx, stream, x)
		},
		"tombstone": func(stream eventstore.StreamName, x eventstore.Expected) (eventstore.Position, error) {
			return e.Tombstone(ctx, stream, x)
		},
	} {
		for _, stream := range []eventstore.StreamName{"", "$$", "$$day-1", longest + "n"} {
			if _, err := call(stream, eventstore.Any()); !isInvalid(err) {
				e.Fatalf("%s of %.10q: %v, want ErrInvalid", name, stream, err)
			}
		}
		if _, err := call("day-1", eventstore.Expected{}); !errors.Is(err, eventstore.ErrNoExpectation) {
			e.Fatalf("%s without an expectation: %v", name, err)
		}
	}
	for _, stream := range []eventstore.StreamName{"", longest + "n"} {
		if _, err := e.Look(ctx, stream); !isInvalid(err) {
			e.Fatalf("look at %.10q: %v, want ErrInvalid", stream, err)
		}
	}
	if n := len(e.everything()); n != 1 {
		e.Fatalf("%d records, want 1", n)
	}
	// The longest name still has metadata and an end.
	events := newEvents(held, 3)
	e.mustWrite(longest, eventstore.NoStream(), events...)
	e.set(longest, `{"$maxCount":1}`)
	e.shows(longest, 2, events[2])
	e.mustDelete(longest, eventstore.At(2))
	e.shows(longest, 0)
}

// binaryEvents are with and without a byte that no JSON has, and Binary set for each.
func binaryEvents() []eventstore.Event {
	events := newEvents("photo.taken", 4)
	events[0].Data, events[0].Binary = []byte{0xff, 0, 0xfe}, true
	events[1].Binary = true
	events[2].Data, events[2].Binary = nil, true
	events[3].Data, events[3].Binary = bytes.Repeat([]byte{0x80}, 70_000), true
	return append(events, newEvent(held, 4))
}

func checkBinary(e *engineEnv) {
	events := binaryEvents()
	e.mustWrite("$photos", eventstore.NoStream(), events...)
	again := binaryEvents()
	e.mustWrite("photos", eventstore.NoStream(), again[:4]...)
	e.shows("$photos", 0, events...)
	e.shows("photos", 0, again[:4]...)
	sub := e.subscribe(e.context(), e.Engine, eventstore.Start, eventstore.Everything())
	t := newTrack(eventstore.Start)
	if err := t.until(e.context(), sub, e.last().Position); err != nil {
		e.Fatalf("subscription: %v", err)
	}
	e.sameRecords("subscription", t.records, e.everything())
}

func checkBinaryReopened(e *engineEnv) {
	events := binaryEvents()
	e.mustWrite("photos", eventstore.NoStream(), events...)
	e.reopen()
	e.shows("photos", 0, events...)
	if at := e.mustWrite("photos", eventstore.NoStream(), events...); at.Revision != 4 {
		e.Fatalf("written again at revision %d", at.Revision)
	}
}

func checkLookOfNothing(e *engineEnv) {
	e.mustWrite("day-1", eventstore.NoStream(), newEvent(held, 0))
	for _, stream := range []eventstore.StreamName{"day", "day-10", "$$day-1", "$$$$day-1"} {
		if state, err := e.Look(e.context(), stream); err != nil || state != (eventstore.StreamState{}) {
			e.Fatalf("look at %q: %+v, %v", stream, state, err)
		}
	}
}

func checkEngineClosed(e *engineEnv) {
	e.mustWrite("day-1", eventstore.NoStream(), newEvent(held, 0))
	if err := e.Engine.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	ctx := e.context()
	results := map[string]error{}
	_, results["write"] = e.Write(ctx, "$own", eventstore.Any(), newEvent(held, 0))
	_, results["delete"] = e.Delete(ctx, "day-1", eventstore.Any())
	_, results["tombstone"] = e.Tombstone(ctx, "day-1", eventstore.Any())
	_, results["look"] = e.Look(ctx, "day-1")
	for what, err := range results {
		if !isClosed(err) {
			e.Fatalf("%s on a closed engine: %v, want ErrClosed", what, err)
		}
	}
	for name, ctx := range ended() {
		_, results["write"] = e.Write(ctx, "$own", eventstore.Any(), newEvent(held, 0))
		_, results["delete"] = e.Delete(ctx, "day-1", eventstore.Any())
		_, results["tombstone"] = e.Tombstone(ctx, "day-1", eventstore.Any())
		for _, what := range []string{"write", "delete", "tombstone"} {
			if err := results[what]; !errors.Is(err, ctx.Err()) && !isClosed(err) {
				e.Fatalf("%s with a context %s: %v", what, name, err)
			}
		}
	}
}

package storetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"daybook/eventstore"
)

func checkMetadataHide(e *engineEnv) {
	events := newEvents(held, 8)
	e.mustWrite("day-1", eventstore.NoStream(), events[:6]...)
	e.mustWrite("day-2", eventstore.NoStream(), newEvent(held, 0))
	for _, c := range []struct {
		metadata string
		first    eventstore.Revision // 6 for none
	}{
		{`{}`, 0},
		{`{"$maxCount":2}`, 4},
		{`{"$maxCount":6}`, 0},
		{`{"$maxCount":7}`, 0},
		{`{"$maxCount":9223372036854775807}`, 0},
		{`{"$maxCount":0}`, 0},
		{`{"$maxCount":-3}`, 0},
		{`{"$tb":3}`, 3},
		{`{"$tb":0}`, 0},
		{`{"$tb":-1}`, 0},
		{`{"$tb":5,"$maxCount":3}`, 5},
		{`{"$tb":1,"$maxCount":3}`, 3},
		{`{"$tb":6}`, 6},
		{`{"$tb":600}`, 6},
		{`{"$TB":3,"$MaxCount":1,"tb":2}`, 0},
		{`{"$tb":1,"$tb":4,"$acl":{"$r":["admin"]},"own":[1,{"$tb":5}]}`, 4},
	} {
		set := e.set("day-1", "%s", c.metadata)
		e.shows("day-1", c.first, events[c.first:6]...)
		e.sameEvents("metadata", e.readStream(e.Engine, "$$day-1"), "$$day-1", e.last().Revision, []eventstore.Event{set})
	}
	e.set("day-1", `{"$maxCount":3}`)
	e.mustWrite("day-1", eventstore.At(5), events[6:]...)
	e.shows("day-1", 5, events[5:]...)
	// Reads of all show what reads of the stream do not, and a retry finds it.
	e.sameEvents("all", ofStream(e.everything(), "day-1"), "day-1", 0, events)
	if at := e.mustWrite("day-1", eventstore.NoStream(), events[:2]...); at.Revision != 1 {
		e.Fatalf("what is hidden was written again at revision %d", at.Revision)
	}
	// A stream is hidden by its own metadata only.
	if n := len(e.readStream(e.Engine, "day-2")); n != 1 {
		e.Fatalf("the stream beside it shows %d events", n)
	}
}

func checkMaxAge(e *engineEnv) {
	events := newEvents(held, 6)
	for i := range events {
		e.mustWrite("day-1", eventstore.Any(), events[i])
		e.now.move(10 * time.Second)
	}
	// Now they are 60, 50, …, 10 seconds old.
	for age, first := range map[int64]eventstore.Revision{
		1: 6, 9: 6, 10: 5, 11: 5, 29: 4, 30: 3, 60: 0, 61: 0, 0: 0, -1: 0, math.MaxInt64: 0,
	} {
		e.set("day-1", `{"$maxAge":%d}`, age)
		e.shows("day-1", first, events[first:]...)
	}
	e.set("day-1", `{"$maxAge":35,"$tb":4}`)
	e.shows("day-1", 4, events[4:]...)
	e.set("day-1", `{"$maxAge":35,"$maxCount":5}`)
	e.shows("day-1", 3, events[3:]...)
	e.now.move(30 * time.Second)
	e.shows("day-1", 0)
	later := newEvent(held, 7)
	e.mustWrite("day-1", eventstore.At(5), later)
	e.shows("day-1", 6, later)
}

func checkMetadataOfMetadata(e *engineEnv) {
	e.mustWrite("day-1", eventstore.NoStream(), newEvents(held, 3)...)
	e.set("day-1", `{"$maxCount":1}`)
	set := e.set("day-1", `{"$maxCount":2}`)
	e.set("$$day-1", `{"$maxCount":5,"$tb":7}`)
	e.shows("$$day-1", 1, set)
	set = e.set("day-1", `{}`)
	e.shows("$$day-1", 2, set)
	e.reopen()
	e.shows("$$day-1", 2, set)
}

// checkMetadataAlone gives metadata to streams that have no event yet.
func checkMetadataAlone(e *engineEnv) {
	e.set("day-1", `{"$maxCount":2}`)
	e.set("day-2", `{"$tb":1}`)
	e.shows("day-1", 0)
	if _, err := e.Write(e.context(), "day-3", eventstore.Exists(), newEvent(held, 0)); !eventstore.IsConflict(err) {
		e.Fatalf("write to a stream without anything: %v, want a conflict", err)
	}
	events := newEvents(held, 3)
	e.mustWrite("day-1", eventstore.Exists(), events[0])
	e.mustWrite("day-1", eventstore.At(0), events[1:]...)
	e.shows("day-1", 1, events[1:]...)
	e.mustWrite("day-2", eventstore.NoStream(), events...)
	e.shows("day-2", 1, events[1:]...)
}

// checkDelete deletes and recreates, again and again, expecting each thing there is.
func checkDelete(e *engineEnv) {
	var all []eventstore.Event
	for round, expected := range []func(last eventstore.Revision) eventstore.Expected{
		func(eventstore.Revision) eventstore.Expected { return eventstore.NoStream() },
		eventstore.At,
		func(eventstore.Revision) eventstore.Expected { return eventstore.Any() },
		func(eventstore.Revision) eventstore.Expected { return eventstore.NoStream() },
	} {
		first := eventstore.Revision(len(all))
		events := newEvents(held, 3+round)
		at := e.mustWrite("day-1", expected(first-1), events[:2]...)
		if at.Revision != first+1 {
			e.Fatalf("recreated at revision %d, want %d", at.Revision, first+1)
		}
		if round > 0 {
			set := e.last()
			if set.Position <= at.Position || set.Stream != "$$day-1" || set.Type != eventstore.MetadataType ||
				string(set.Data) != fmt.Sprintf(`{"$tb":%d}`, first) {
				e.Fatalf("recreating wrote %s", show(set))
			}
		}
		e.shows("day-1", first, events[:2]...)
		e.mustWrite("day-1", eventstore.At(first+1), events[2:]...)
		e.shows("day-1", first, events...)
		all = append(all, events...)

		p := e.mustDelete("day-1", eventstore.At(eventstore.Revision(len(all)-1)))
		gone := e.last()
		want := eventstore.Record{
			Event:  eventstore.Event{ID: gone.ID, Type: eventstore.MetadataType, Data: []byte(`{"$tb":9223372036854775807}`)},
			Stream: "$$day-1", Revision: gone.Revision, Position: p, Recorded: gone.Recorded,
		}
		if !sameRecord(gone, want) {
			e.Fatalf("delete wrote %s\n want %s", show(gone), show(want))
		}
		e.shows("day-1", 0)
		state, err := e.Look(e.context(), "day-1")
		newest := ofStream(e.everything(), "day-1")
		if want := (eventstore.StreamState{Position: newest[len(newest)-1].Position}); err != nil || state != want {
			e.Fatalf("look at the deleted stream: %+v, %v, want %+v", state, err, want)
		}
		e.sameEvents("all", newest, "day-1", 0, all)
	}
}

func checkDeleteExpectations(e *engineEnv) {
	ctx := e.context()
	none := eventstore.Actual{}
	for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.Any(), eventstore.Exists(), eventstore.At(0)} {
		_, err := e.Delete(ctx, "day-1", expected)
		e.conflicts("delete of nothing", err, eventstore.ConflictError{Stream: "day-1", Expected: expected, Actual: none})
	}
	e.mustWrite("day-1", eventstore.NoStream(), newEvents(held, 3)...)
	there := eventstore.Actual{Exists: true, Revision: 2}
	for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.At(1), eventstore.At(3), eventstore.At(eventstore.DeletedRevision)} {
		_, err := e.Delete(ctx, "day-1", expected)
		e.conflicts("delete", err, eventstore.ConflictError{Stream: "day-1", Expected: expected, Actual: there})
	}
	for i, expected := range []eventstore.Expected{eventstore.Exists(), eventstore.Any(), eventstore.At(2)} {
		stream := eventstore.StreamName(fmt.Sprintf("other-%d", i))
		e.mustWrite(stream, eventstore.NoStream(), newEvents(held, 3)...)
		e.mustDelete(stream, expected)
		e.shows(stream, 0)
	}
	e.mustDelete("day-1", eventstore.Exists())
	// A deleted stream stands where it stood, and does not exist for those who say so.
	for _, expected := range []eventstore.Expected{eventstore.At(1), eventstore.At(3)} {
		_, err := e.Write(ctx, "day-1", expected, newEvent(held, 0))
		e.conflicts("write", err, eventstore.ConflictError{Stream: "day-1", Expected: expected, Actual: there})
	}
	if _, err := e.Write(ctx, "day-1", eventstore.Exists(), newEvent(held, 0)); !isDeleted(err) {
		e.Fatalf("write that expects a deleted stream to exist: %v, want ErrStreamDeleted", err)
	}
	if _, err := e.Delete(ctx, "day-1", eventstore.Exists()); !isDeleted(err) {
		e.Fatalf("delete that expects a deleted stream to exist: %v, want ErrStreamDeleted", err)
	}
	// Where there are only metadata, there is something to delete.
	e.set("day-2", `{"$maxCount":3}`)
	e.mustDelete("day-2", eventstore.NoStream())
	fresh := newEvent(held, 0)
	e.mustWrite("day-2", eventstore.NoStream(), fresh)
	e.shows("day-2", 0, fresh)
}

// checkMetadataRecreate writes metadata to deleted streams: they are kept, but for $tb.
func checkMetadataRecreate(e *engineEnv) {
	for i, c := range []struct{ set, kept string }{
		{`{"$maxCount":2,"$acl":{"$r":"<guests>"},"own":1.50}`, `{"$acl":{"$r":"<guests>"},"$maxCount":2,"$tb":4,"own":1.50}`},
		{`{"$tb":9223372036854775807}`, `{"$tb":4}`},
		{`{"$tb":0}`, `{"$tb":4}`},
		{``, `{"$tb":4}`},
	} {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", i))
		e.mustWrite(stream, eventstore.NoStream(), newEvents(held, 4)...)
		e.mustDelete(stream, eventstore.Any())
		e.set(stream, "%s", c.set)
		e.shows(stream, 0)
		set := e.last()
		var got, want map[string]any
		if err := errors.Join(json.Unmarshal(set.Data, &got), json.Unmarshal([]byte(c.kept), &want)); err != nil {
			e.Fatalf("metadata %s: %v", set.Data, err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || set.Stream != eventstore.MetadataOf(stream) || set.Revision != 2 {
			e.Fatalf("metadata of the recreated stream are %s, want %s", show(set), c.kept)
		}
		if _, err := e.Write(e.context(), stream, eventstore.NoStream(), newEvent(held, 0)); !eventstore.IsConflict(err) {
			e.Fatalf("write to a recreated stream expecting none: %v, want a conflict", err)
		}
		events := newEvents(held, 2)
		e.mustWrite(stream, eventstore.Exists(), events...)
		e.shows(stream, 4, events...)
	}
}

func checkDeleteRetries(e *engineEnv) {
	before := newEvents(held, 3)
	e.mustWrite("day-1", eventstore.NoStream(), before...)
	deleted := e.mustDelete("day-1", eventstore.At(2))
	for range 2 {
		count := len(e.everything())
		for _, expected := range []eventstore.Expected{eventstore.At(2), eventstore.Any(), eventstore.NoStream()} {
			if p := e.mustDelete("day-1", expected); p != deleted {
				e.Fatalf("deleted at %d, again at %d", deleted, p)
			}
		}
		// What was written before the delete stands there still.
		for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.Any()} {
			if at := e.mustWrite("day-1", expected, before...); at.Revision != 2 {
				e.Fatalf("written again at %+v", at)
			}
		}
		if n := len(e.everything()); n != count {
			e.Fatalf("retries added %d records", n-count)
		}
		if _, err := e.Write(e.context(), "day-1", eventstore.NoStream(), before[0], newEvent(held, 0)); !eventstore.IsConflict(err) {
			e.Fatalf("a retry with another second event: %v, want a conflict", err)
		}
		e.reopen()
	}
	after := newEvents(held, 2)
	at := e.mustWrite("day-1", eventstore.At(2), after...)
	for range 2 {
		count := len(e.everything())
		for _, expected := range []eventstore.Expected{eventstore.At(2), eventstore.Any(), eventstore.Exists()} {
			if again := e.mustWrite("day-1", expected, after...); again != at {
				e.Fatalf("written at %+v, again at %+v", at, again)
			}
		}
		if n := len(e.everything()); n != count {
			e.Fatalf("retries added %d records", n-count)
		}
		e.shows("day-1", 3, after...)
		e.reopen()
	}
}

// checkOneRecreates lets several writers recreate a deleted stream that they expect not
// to exist: one does.
func checkOneRecreates(e *engineEnv) {
	ctx := e.context()
	e.mustWrite("day-1", eventstore.NoStream(), newEvents(held, 2)...)
	last := eventstore.Revision(1)
	for range soak(10) {
		e.mustDelete("day-1", eventstore.At(last))
		var mu sync.Mutex
		won := map[eventstore.Revision]eventstore.Event{}
		together(8, func(i int) {
			ev := newEvent(held, i)
			at, err := e.Write(ctx, "day-1", eventstore.NoStream(), ev)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won[at.Revision] = ev
			} else if !eventstore.IsConflict(err) {
				e.Errorf("write: %v", err)
			}
		})
		if _, ok := won[last+1]; !ok || len(won) != 1 {
			e.Fatalf("winners at revisions %v, want one at %d", maps.Collect(maps.All(won)), last+1)
		}
		last++
		e.shows("day-1", last, won[last])
	}
}

func checkTombstone(e *engineEnv) {
	ctx := e.context()
	events := newEvents(held, 3)
	e.mustWrite("day-1", eventstore.NoStream(), events...)
	e.mustWrite("day-2", eventstore.NoStream(), events...)
	e.mustDelete("day-2", eventstore.Any())
	e.set("day-1", `{"$maxCount":1}`)
	ends := map[eventstore.StreamName]eventstore.Position{
		"day-1": e.mustTombstone("day-1", eventstore.At(2)),
		"day-2": e.mustTombstone("day-2", eventstore.NoStream()),
		"day-3": e.mustTombstone("day-3", eventstore.NoStream()),
		"day-4": e.mustTombstone("day-4", eventstore.Any()),
	}
	all := e.everything()
	for stream, p := range ends {
		of := ofStream(all, stream)
		end := of[len(of)-1]
		want := eventstore.Record{
			Event:  eventstore.Event{ID: end.ID, Type: eventstore.StreamDeletedType, Binary: true},
			Stream: stream, Revision: eventstore.DeletedRevision, Position: p, Recorded: end.Recorded,
		}
		if !sameRecord(end, want) || end.ID == (eventstore.EventID{}) {
			e.Fatalf("%q ended with %s\n want %s", stream, show(end), show(want))
		}
	}
	for range 2 {
		for stream, p := range ends {
			e.isDead(stream, p)
			for what, err := range e.attempts(stream, events) {
				if !isDeleted(err) {
					e.Fatalf("%s: %v, want ErrStreamDeleted", what, err)
				}
			}
			for what, seq := range e.reads(eventstore.MetadataOf(stream), 0) {
				if got, err := e.collect(seq); !isDeleted(err) || len(got) != 0 {
					e.Fatalf("%s of the metadata of %q: %d records, %v, want ErrStreamDeleted", what, stream, len(got), err)
				}
			}
			if state, err := e.Look(ctx, eventstore.MetadataOf(stream)); err != nil || !state.Deleted || state.Shown {
				e.Fatalf("look at the metadata of %q: %+v, %v", stream, state, err)
			}
		}
		e.sameRecords("all", e.everything(), all)
		e.reopen()
	}
	if n := len(e.readAll(e.Engine)); n != 6 {
		e.Fatalf("a read of all shows %d events, want the 6 that were written", n)
	}
}

// attempts tries all there is on stream.
func (e *engineEnv) attempts(stream eventstore.StreamName, old []eventstore.Event) map[string]error {
	ctx := e.context()
	results := map[string]error{}
	for _, expected := range []eventstore.Expected{
		eventstore.NoStream(), eventstore.Any(), eventstore.Exists(), eventstore.At(2), eventstore.At(0), eventstore.At(eventstore.DeletedRevision),
	} {
		_, results[fmt.Sprintf("write to %q expecting %s", stream, expected)] = e.Write(ctx, stream, expected, newEvent(held, 0))
		_, results[fmt.Sprintf("append to %q expecting %s", stream, expected)] = e.Append(ctx, stream, expected, newEvent(held, 0))
		_, results[fmt.Sprintf("retry on %q expecting %s", stream, expected)] = e.Append(ctx, stream, expected, old...)
		_, results[fmt.Sprintf("delete of %q expecting %s", stream, expected)] = e.Delete(ctx, stream, expected)
		_, results[fmt.Sprintf("tombstone of %q expecting %s", stream, expected)] = e.Tombstone(ctx, stream, expected)
		set := newEvent(eventstore.MetadataType, 0)
		_, results[fmt.Sprintf("metadata of %q expecting %s", stream, expected)] = e.Write(ctx, eventstore.MetadataOf(stream), expected, set)
	}
	return results
}

func checkTombstoneExpectations(e *engineEnv) {
	ctx := e.context()
	for _, expected := range []eventstore.Expected{eventstore.Exists(), eventstore.At(0)} {
		_, err := e.Tombstone(ctx, "day-1", expected)
		e.conflicts("tombstone of nothing", err, eventstore.ConflictError{Stream: "day-1", Expected: expected})
	}
	events := newEvents(held, 3)
	e.mustWrite("day-1", eventstore.NoStream(), events...)
	there := eventstore.Actual{Exists: true, Revision: 2}
	for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.At(1), eventstore.At(3)} {
		_, err := e.Tombstone(ctx, "day-1", expected)
		e.conflicts("tombstone", err, eventstore.ConflictError{Stream: "day-1", Expected: expected, Actual: there})
	}
	e.shows("day-1", 0, events...)
	e.isDead("day-1", e.mustTombstone("day-1", eventstore.Exists()))
	if !bytes.Equal(e.last().Data, nil) {
		e.Fatalf("the tombstone says %q", e.last().Data)
	}
}

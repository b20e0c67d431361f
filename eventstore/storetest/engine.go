package storetest

import (
	"fmt"
	"testing"
	"time"

	"daybook/eventstore"
)

// EngineOpener is an Opener of engines. What it opens takes the time from clock.
type EngineOpener func(clock func() time.Time) (eventstore.Engine, error)

// RunEngine is Run for what eventstore.Engine adds to a Store; an engine passes both.
func RunEngine(t *testing.T, features Features, fresh func(t testing.TB) EngineOpener) {
	t.Helper()
	for _, c := range engineChecks {
		if c.needs != nil && !c.needs(features) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newEngineEnv(t, fresh(t), features))
		})
	}
}

type engineCheck struct {
	name  string
	needs func(Features) bool // nil: every engine
	run   func(e *engineEnv)
}

var engineChecks = []engineCheck{
	{name: "write/the engine's own streams and types", run: checkWriteOwn},
	{name: "write/what no engine takes", run: checkWriteInvalid},
	{name: "write/binary data", run: checkBinary},
	{name: "write/binary data after reopen", needs: durable, run: checkBinaryReopened},
	{name: "metadata/hide", run: checkMetadataHide},
	{name: "metadata/age", run: checkMaxAge},
	{name: "metadata/of metadata", run: checkMetadataOfMetadata},
	{name: "metadata/without events", run: checkMetadataAlone},
	{name: "delete/hides and recreates", run: checkDelete},
	{name: "delete/keeps to expectations", run: checkDeleteExpectations},
	{name: "delete/metadata recreate", run: checkMetadataRecreate},
	{name: "delete/retries", run: checkDeleteRetries},
	{name: "delete/one recreates", run: checkOneRecreates},
	{name: "tombstone/ends for ever", run: checkTombstone},
	{name: "tombstone/keeps to expectations", run: checkTombstoneExpectations},
	{name: "look/of nothing", run: checkLookOfNothing},
	{name: "close/calls are refused", run: checkEngineClosed},
	{name: "any calls", run: checkAgainstModel},
	{name: "any calls, reopened", needs: durable, run: checkAgainstModelReopened},
}

// engineEnv is an env with an engine that is open, at a time that the check sets.
type engineEnv struct {
	*env
	eventstore.Engine
	now *testClock
}

func newEngineEnv(t testing.TB, open EngineOpener, _ Features) *engineEnv {
	now := &testClock{at: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	e := &engineEnv{now: now}
	e.env = newEnv(t, func() (eventstore.Store, error) { return open(now.read) })
	e.reopen()
	return e
}

// reopen closes the engine, if there is one, and opens it again.
func (e *engineEnv) reopen() {
	e.Helper()
	if e.Engine != nil {
		if err := e.Engine.Close(); err != nil {
			e.Fatalf("close: %v", err)
		}
	}
	e.Engine = e.store().(eventstore.Engine) // as its opener gave it
}

func (e *engineEnv) mustWrite(stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) eventstore.Appended {
	e.Helper()
	at, err := e.Write(e.context(), stream, expected, events...)
	if err != nil {
		e.Fatalf("write of %d events to %q expecting %s: %v", len(events), stream, expected, err)
	}
	return at
}

// set writes metadata of stream.
func (e *engineEnv) set(stream eventstore.StreamName, format string, args ...any) eventstore.Event {
	e.Helper()
	ev := newEvent(eventstore.MetadataType, 0)
	ev.Data = fmt.Appendf(nil, format, args...)
	e.mustWrite(eventstore.MetadataOf(stream), eventstore.Any(), ev)
	return ev
}

func (e *engineEnv) mustDelete(stream eventstore.StreamName, expected eventstore.Expected) eventstore.Position {
	e.Helper()
	p, err := e.Delete(e.context(), stream, expected)
	if err != nil {
		e.Fatalf("delete of %q expecting %s: %v", stream, expected, err)
	}
	return p
}

func (e *engineEnv) mustTombstone(stream eventstore.StreamName, expected eventstore.Expected) eventstore.Position {
	e.Helper()
	p, err := e.Tombstone(e.context(), stream, expected)
	if err != nil {
		e.Fatalf("tombstone of %q expecting %s: %v", stream, expected, err)
	}
	return p
}

// everything reads all there is.
func (e *engineEnv) everything() []eventstore.Record {
	e.Helper()
	return e.mustCollect("read of everything", e.ReadAll(e.context(), eventstore.Start, eventstore.Everything()))
}

// last returns the newest record of all.
func (e *engineEnv) last() eventstore.Record {
	e.Helper()
	all := e.everything()
	if len(all) == 0 {
		e.Fatalf("nothing stands there")
	}
	return all[len(all)-1]
}

// shows requires that stream shows exactly these events from revision first on, to every
// read and to Look. Without events it is not found.
func (e *engineEnv) shows(stream eventstore.StreamName, first eventstore.Revision, want ...eventstore.Event) {
	e.Helper()
	ctx := e.context()
	state, err := e.Look(ctx, stream)
	if err != nil {
		e.Fatalf("look at %q: %v", stream, err)
	}
	if len(want) == 0 {
		for what, seq := range e.reads(stream, 0) {
			if got, err := e.collect(seq); !isNotFound(err) || len(got) != 0 {
				e.Fatalf("%s of %q: %d records, %v, want ErrStreamNotFound", what, stream, len(got), err)
			}
		}
		if state.Shown || state.Deleted {
			e.Fatalf("look at %q: %+v, want nothing shown", stream, state)
		}
		return
	}
	last := first + eventstore.Revision(len(want)) - 1
	if w := (eventstore.StreamState{Shown: true, First: first, Last: last, Position: state.Position}); state != w {
		e.Fatalf("look at %q: %+v, want %+v", stream, state, w)
	}
	for from := eventstore.Revision(0); from <= last+1; from++ {
		begin := min(max(from, first), last+1)
		got := e.mustCollect("read", e.ReadStream(ctx, stream, from))
		e.sameEvents(fmt.Sprintf("%q from revision %d", stream, from), got, stream, begin, want[begin-first:])
		end := min(max(from+1, first), last+1)
		got = e.mustCollect("read backwards", e.ReadStreamBackwards(ctx, stream, from))
		e.sameEvents(fmt.Sprintf("%q backwards from revision %d", stream, from), reversed(got), stream, first, want[:end-first])
	}
	got := e.mustCollect("read backwards", e.ReadStreamBackwards(ctx, stream, eventstore.Last))
	e.sameEvents(fmt.Sprintf("%q backwards", stream), reversed(got), stream, first, want)
	if p := got[0].Position; p != state.Position {
		e.Fatalf("look at %q says position %d, its last event has %d", stream, state.Position, p)
	}
}

// isDead requires that stream has ended at position.
func (e *engineEnv) isDead(stream eventstore.StreamName, position eventstore.Position) {
	e.Helper()
	for what, seq := range e.reads(stream, 0) {
		if got, err := e.collect(seq); !isDeleted(err) || len(got) != 0 {
			e.Fatalf("%s of %q: %d records, %v, want ErrStreamDeleted", what, stream, len(got), err)
		}
	}
	state, err := e.Look(e.context(), stream)
	if want := (eventstore.StreamState{Deleted: true, Position: position}); err != nil || state != want {
		e.Fatalf("look at %q: %+v, %v, want %+v", stream, state, err, want)
	}
}

package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"daybook/eventstore"
)

// checkAgainstModel makes calls by chance, and after each requires that the engine
// answers and shows what the model does.
func checkAgainstModel(e *engineEnv)         { e.compare(soak(250), 0) }
func checkAgainstModelReopened(e *engineEnv) { e.compare(soak(80), 12) }

func (e *engineEnv) compare(steps, reopenEvery int) {
	seed := rand.Uint64()
	defer func() {
		if e.Failed() {
			e.Logf("seed %d", seed)
		}
	}()
	c := &caller{Rand: rand.New(rand.NewPCG(seed, 0)), m: &model{now: e.now.read}}
	for step := range steps {
		what := fmt.Sprintf("seed %d, step %d: ", seed, step)
		if reopenEvery > 0 && c.IntN(reopenEvery) == 0 {
			e.reopen()
		}
		switch n := c.IntN(20); {
		case n < 2:
			e.now.move(time.Duration(c.IntN(5)) * time.Second)
		case n < 6:
			e.callEnd(c, what)
		default:
			w := c.next()
			c.sent = append(c.sent, w)
			what += fmt.Sprintf("write of %d events to %q expecting %s", len(w.events), w.stream, w.expected)
			v := c.m.judge(w.stream, w.expected, w.events)
			var adds []eventstore.Record
			if v == (verdict{}) {
				adds = c.m.write(w.stream, w.events)
			}
			at, err := e.Write(e.context(), w.stream, w.expected, w.events...)
			e.agrees(what, err, v)
			got := e.added(what, c.m, adds)
			switch {
			case v.retry != nil && at != *v.retry:
				e.Fatalf("%s: %+v, it stands at %+v", what, at, *v.retry)
			case len(got) > 0:
				last := got[len(w.events)-1]
				if want := (eventstore.Appended{Revision: last.Revision, Position: last.Position}); at != want {
					e.Fatalf("%s: %+v, it stands at %+v", what, at, want)
				}
			}
		}
		e.showsModel(what, c)
	}
}

// callEnd deletes a stream or, rarely, ends it.
func (e *engineEnv) callEnd(c *caller, what string) {
	name := modelStreams[c.IntN(4)]
	expected := c.expectation(name)
	v := c.m.judge(name, expected, nil)
	var adds []eventstore.Record
	var p eventstore.Position
	var err error
	if c.IntN(8) == 0 {
		what += fmt.Sprintf("tombstone of %q expecting %s", name, expected)
		if v.err == nil {
			adds = []eventstore.Record{{
				Event:  eventstore.Event{Type: eventstore.StreamDeletedType, Binary: true},
				Stream: name, Revision: eventstore.DeletedRevision,
			}}
		}
		p, err = e.Tombstone(e.context(), name, expected)
	} else {
		what += fmt.Sprintf("delete of %q expecting %s", name, expected)
		if there, _ := c.m.stream(name); v.err == nil && len(there) == 0 && c.m.metadata(name) == nil {
			v.err = &eventstore.ConflictError{Stream: name, Expected: expected}
		}
		if v.err == nil {
			adds = c.m.delete(name)
		}
		p, err = e.Delete(e.context(), name, expected)
	}
	e.agrees(what, err, v)
	if got := e.added(what, c.m, adds); err == nil {
		want := ofStream(c.m.records, eventstore.MetadataOf(name))
		if len(got) > 0 {
			want = got
		}
		if last := want[len(want)-1].Position; p != last {
			e.Fatalf("%s: position %d, the record stands at %d", what, p, last)
		}
	}
}

// agrees requires that a call ended as the model says.
func (e *engineEnv) agrees(what string, err error, v verdict) {
	e.Helper()
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(v.err, &conflict):
		e.conflicts(what, err, *conflict)
	case !errors.Is(err, v.err):
		e.Fatalf("%s: %v, want %v", what, err, v.err)
	}
}

// added requires that these records, and no others, are new at the end of the ledger, and
// gives them to the model with what the engine chose.
func (e *engineEnv) added(what string, m *model, want []eventstore.Record) []eventstore.Record {
	e.Helper()
	after := eventstore.Start
	if n := len(m.records); n > 0 {
		after = m.records[n-1].Position
	}
	got := e.mustCollect(what, e.ReadAll(e.context(), after, eventstore.Everything()))
	if len(got) != len(want) {
		e.Fatalf("%s: added %d records, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		w.Position, w.Recorded = g.Position, g.Recorded
		if w.ID == (eventstore.EventID{}) {
			w.ID = g.ID
			if isMetadata(w.Stream) && reflect.DeepEqual(fieldsOf(g.Data), fieldsOf(w.Data)) {
				w.Data = g.Data
			}
		}
		if !sameRecord(g, w) || g.ID == (eventstore.EventID{}) {
			e.Fatalf("%s: added\n     %s\nwant %s", what, show(g), show(w))
		}
	}
	m.records = append(m.records, got...)
	return got
}

// showsModel compares what is shown of each stream, and now and then all.
func (e *engineEnv) showsModel(what string, c *caller) {
	e.Helper()
	ctx := e.context()
	for _, name := range modelStreams {
		shown, wrong := c.m.shown(name)
		all := ofStream(c.m.records, name)
		state := eventstore.StreamState{Shown: len(shown) > 0, Deleted: c.m.ended(name)}
		if len(all) > 0 {
			state.Position = all[len(all)-1].Position
		}
		if state.Shown {
			state.First, state.Last = shown[0].Revision, shown[len(shown)-1].Revision
		}
		if got, err := e.Look(ctx, name); err != nil || got != state {
			e.Fatalf("%s: look at %q: %+v, %v, want %+v", what, name, got, err, state)
		}
		from := eventstore.Revision(c.IntN(len(all) + 2))
		var forwards, backwards []eventstore.Record
		for _, r := range shown {
			if r.Revision >= from {
				forwards = append(forwards, r)
			}
			if r.Revision <= from {
				backwards = append(backwards, r)
			}
		}
		got, err := e.collect(e.ReadStream(ctx, name, from))
		if !errors.Is(err, wrong) {
			e.Fatalf("%s: read of %q: %v, want %v", what, name, err, wrong)
		}
		e.sameRecords(fmt.Sprintf("%s: %q from %d", what, name, from), got, forwards)
		got, err = e.collect(e.ReadStreamBackwards(ctx, name, from))
		if !errors.Is(err, wrong) {
			e.Fatalf("%s: read backwards of %q: %v, want %v", what, name, err, wrong)
		}
		e.sameRecords(fmt.Sprintf("%s: %q backwards from %d", what, name, from), got, reversed(backwards))
	}
	if c.IntN(10) == 0 {
		e.sameRecords(what+": everything", e.everything(), c.m.records)
		plain := e.readAll(e.Engine)
		e.sameRecords(what+": all", plain, passing(c.m.records, eventstore.Filter{}))
	}
}

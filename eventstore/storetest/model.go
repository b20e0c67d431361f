package storetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"daybook/eventstore"
)

// model is an engine written down as plainly as possible: a list of records, and what
// follows from it worked out anew each time.
type model struct {
	now     func() time.Time
	records []eventstore.Record
}

// stream returns the events of stream without its tombstone, and whether it has one.
func (m *model) stream(name eventstore.StreamName) (events []eventstore.Record, ended bool) {
	events = ofStream(m.records, name)
	if n := len(events); n > 0 && events[n-1].Revision == eventstore.DeletedRevision {
		return events[:n-1], true
	}
	return events, false
}

// ended reports whether stream has ended, by itself or as the metadata of one that has.
func (m *model) ended(name eventstore.StreamName) bool {
	_, ended := m.stream(name)
	if of, is := strings.CutPrefix(string(name), "$$"); is {
		return ended || m.ended(eventstore.StreamName(of))
	}
	return ended
}

// metadata returns the fields of the newest metadata of stream, nil if there are none.
func (m *model) metadata(name eventstore.StreamName) map[string]any {
	set, _ := m.stream(eventstore.MetadataOf(name))
	if len(set) == 0 {
		return nil
	}
	return fieldsOf(set[len(set)-1].Data)
}

func fieldsOf(data []byte) map[string]any {
	fields := map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	_ = d.Decode(&fields) // what is written here is JSON
	return fields
}

// limit returns a field of metadata that is a number, 0 if there is none.
func limit(fields map[string]any, name string) int64 {
	n, _ := fields[name].(json.Number)
	v, _ := n.Int64()
	return max(v, 0)
}

func (m *model) deleted(name eventstore.StreamName) bool {
	return !isMetadata(name) && limit(m.metadata(name), "$tb") == int64(eventstore.DeletedRevision)
}

func isMetadata(name eventstore.StreamName) bool { return strings.HasPrefix(string(name), "$$") }

// shown returns what a read of the whole stream yields.
func (m *model) shown(name eventstore.StreamName) ([]eventstore.Record, error) {
	events, _ := m.stream(name)
	if m.ended(name) {
		return nil, eventstore.ErrStreamDeleted
	}
	fields := m.metadata(name)
	if isMetadata(name) {
		fields = map[string]any{"$maxCount": json.Number("1")}
	}
	var out []eventstore.Record
	for i, r := range events {
		age := limit(fields, "$maxAge")
		count := limit(fields, "$maxCount")
		switch {
		case int64(r.Revision) < limit(fields, "$tb"):
		case count > 0 && int64(len(events)-i) > count:
		case age > 0 && m.now().Sub(r.Recorded) > time.Duration(age)*time.Second:
		default:
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, eventstore.ErrStreamNotFound
	}
	return out, nil
}

// verdict is what becomes of a call.
type verdict struct {
	err   error // ErrStreamDeleted or a ConflictError
	retry *eventstore.Appended
}

func (m *model) judge(name eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event) verdict {
	if m.ended(name) {
		return verdict{err: eventstore.ErrStreamDeleted}
	}
	there, _ := m.stream(name)
	actual := actualOf(there)
	conflict := verdict{err: &eventstore.ConflictError{Stream: name, Expected: expected, Actual: actual}}
	at, exact := expected.Revision()
	switch {
	case expected.Is(eventstore.Exists()) && m.deleted(name):
		return verdict{err: eventstore.ErrStreamDeleted}
	case expected.Is(eventstore.Exists()) && !actual.Exists && m.metadata(name) == nil:
		return conflict
	case exact && (!actual.Exists || at > actual.Revision):
		return conflict
	case !actual.Exists || exact && at == actual.Revision:
		return verdict{}
	case exact:
		return found(there, int(at)+1, events, conflict)
	case expected.Is(eventstore.NoStream()):
		if m.deleted(name) && (len(events) == 0 || there[0].ID != events[0].ID) {
			return verdict{}
		}
		return found(there, 0, events, conflict)
	}
	for i, ev := range events {
		for j, r := range there {
			if r.ID == ev.ID {
				return found(there, j-i, events, conflict)
			}
		}
	}
	return verdict{}
}

// found is a retry if events stand in there from place from on.
func found(there []eventstore.Record, from int, events []eventstore.Event, conflict verdict) verdict {
	if len(events) == 0 || from < 0 || from+len(events) > len(there) {
		return conflict
	}
	for i, ev := range events {
		if there[from+i].ID != ev.ID {
			return conflict
		}
	}
	last := there[from+len(events)-1]
	return verdict{retry: &eventstore.Appended{Revision: last.Revision, Position: last.Position}}
}

func actualOf(stream []eventstore.Record) eventstore.Actual {
	if len(stream) == 0 {
		return eventstore.Actual{}
	}
	return eventstore.Actual{Exists: true, Revision: eventstore.Revision(len(stream) - 1)}
}

// next returns the revision of the next event of stream.
func (m *model) next(name eventstore.StreamName) eventstore.Revision {
	there, _ := m.stream(name)
	return eventstore.Revision(len(there))
}

// write returns the records that events add, with those that the engine adds itself.
// Their ids, places and times are the engine's own.
func (m *model) write(name eventstore.StreamName, events []eventstore.Event) []eventstore.Record {
	var added []eventstore.Record
	next := m.next(name)
	for i, ev := range events {
		added = append(added, eventstore.Record{Event: ev, Stream: name, Revision: next + eventstore.Revision(i)})
	}
	set := func(of eventstore.StreamName, old map[string]any, revision eventstore.Revision) {
		fields := map[string]any{}
		for k, v := range old {
			fields[k] = v
		}
		fields["$tb"] = json.Number(fmt.Sprint(uint64(m.next(of))))
		data, _ := json.Marshal(fields) // numbers, strings, maps
		added = append(added, eventstore.Record{
			Event:  eventstore.Event{Type: eventstore.MetadataType, Data: data},
			Stream: eventstore.MetadataOf(of), Revision: revision,
		})
	}
	if of, is := strings.CutPrefix(string(name), "$$"); is {
		if of := eventstore.StreamName(of); m.deleted(of) {
			set(of, fieldsOf(events[len(events)-1].Data), next+eventstore.Revision(len(events)))
		}
	} else if m.deleted(name) {
		set(name, m.metadata(name), m.next(eventstore.MetadataOf(name)))
	}
	return added
}

// delete returns the record that a delete adds; none where the stream is deleted.
func (m *model) delete(name eventstore.StreamName) []eventstore.Record {
	if m.deleted(name) {
		return nil
	}
	holder := eventstore.MetadataOf(name)
	return []eventstore.Record{{
		Event:  eventstore.Event{Type: eventstore.MetadataType, Data: fmt.Appendf(nil, `{"$tb":%d}`, uint64(eventstore.DeletedRevision))},
		Stream: holder, Revision: m.next(holder),
	}}
}

// sent is a write that can be retried.
type sent struct {
	stream   eventstore.StreamName
	expected eventstore.Expected
	events   []eventstore.Event
}

// caller makes calls by chance, few streams and many collisions.
type caller struct {
	*rand.Rand
	m    *model
	sent []sent
}

var modelStreams = []eventstore.StreamName{"a", "b", "c", "$d", "$$a", "$$b", "$$c", "$$$d", "$$$$a"}

func (c *caller) expectation(name eventstore.StreamName) eventstore.Expected {
	switch c.IntN(8) {
	case 0, 1:
		return eventstore.NoStream()
	case 2:
		return eventstore.Exists()
	case 3:
		return eventstore.At(eventstore.Revision(c.IntN(6)))
	case 4, 5:
		if n := c.m.next(name); n > 0 {
			return eventstore.At(n - 1)
		}
	}
	return eventstore.Any()
}

// next makes up a write, or repeats one.
func (c *caller) next() sent {
	if len(c.sent) > 0 && c.IntN(4) == 0 {
		w := c.sent[c.IntN(len(c.sent))]
		if c.IntN(3) == 0 {
			w.expected = []eventstore.Expected{eventstore.Any(), eventstore.Exists(), eventstore.NoStream()}[c.IntN(3)]
		}
		from := c.IntN(len(w.events))
		w.events = w.events[from : from+1+c.IntN(len(w.events)-from)]
		if c.IntN(6) == 0 {
			w.events = append(append([]eventstore.Event{}, w.events...), c.event(w.stream))
		}
		if c.m.judge(w.stream, w.expected, w.events) == (verdict{}) {
			// An id could come to stand twice, and which of its places counts is left open.
			w.expected = eventstore.Any()
		}
		return w
	}
	name := modelStreams[c.IntN(len(modelStreams))]
	w := sent{stream: name, expected: c.expectation(name)}
	for range 1 + c.IntN(3) {
		w.events = append(w.events, c.event(name))
	}
	return w
}

func (c *caller) event(name eventstore.StreamName) eventstore.Event {
	ev := newEvent(held, c.IntN(1000))
	if !isMetadata(name) {
		ev.Binary = c.IntN(4) == 0
		return ev
	}
	ev.Data = nil
	switch n := c.IntN(9); c.IntN(6) {
	case 0:
		ev.Data = []byte(`{}`)
	case 1:
		ev.Data = fmt.Appendf(nil, `{"$maxCount":%d,"own":"<%d>"}`, n, n)
	case 2:
		ev.Data = fmt.Appendf(nil, `{"$maxAge":%d,"$tb":%d}`, n*3, n/2)
	case 3:
		ev.Data = fmt.Appendf(nil, `{"$tb":%d,"$acl":{"$r":["all"]}}`, n)
	case 4:
		ev.Data = fmt.Appendf(nil, `{"$tb":%d,"$maxCount":3}`, uint64(eventstore.DeletedRevision))
	}
	return ev
}

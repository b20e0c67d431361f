package transfer_test

import (
	"context"
	"errors"
	"iter"
	"reflect"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/transfer"
)

func append1(t testing.TB, s eventstore.Store, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) {
	t.Helper()
	if _, err := s.Append(t.Context(), stream, expected, events...); err != nil {
		t.Fatalf("append: %v", err)
	}
}

func numbered(n uint64) eventstore.Event {
	return eventstore.Event{ID: eventID(n), Type: "reservation.held", Data: []byte(`{"guest":"Ms Secret"}`), Metadata: []byte(`{"v":1}`)}
}

// TestForeignTarget has targets that are neither empty nor a beginning of the source.
// Nothing may be written to them.
func TestForeignTarget(t *testing.T) {
	changed := numbered(2)
	changed.Data = []byte(`{"guest":"Mr Secret"}`)
	cases := map[string]struct {
		fill   func(s eventstore.Store)
		number uint64
		says   string
		noMore bool // the source has no further record
	}{
		"another book": {
			fill: func(s eventstore.Store) { append1(t, s, "day-9", eventstore.NoStream(), numbered(99)) },
			says: `its record 0 is reservation.held 5a000000-0000-0000-0000-000000000063 at revision 0 of stream "day-9", the source's is ` +
				`reservation.held 5a000000-0000-0000-0000-000000000001 at revision 0 of stream "day-1"; they differ in stream`,
		},
		"another order": {
			fill: func(s eventstore.Store) {
				append1(t, s, "day-1", eventstore.NoStream(), numbered(1))
				append1(t, s, "day-2", eventstore.NoStream(), numbered(3))
				append1(t, s, "day-1", eventstore.At(0), numbered(2))
			},
			number: 1, says: "they differ in stream",
		},
		"another event id": {
			fill:   func(s eventstore.Store) { append1(t, s, "day-1", eventstore.NoStream(), numbered(1), numbered(7)) },
			number: 1, says: "they differ in event id",
		},
		"other data": {
			fill:   func(s eventstore.Store) { append1(t, s, "day-1", eventstore.NoStream(), numbered(1), changed) },
			number: 1, says: "they differ in data",
		},
		"a copy that was written to": {
			fill: func(s eventstore.Store) {
				append1(t, s, "day-1", eventstore.NoStream(), numbered(1), numbered(2))
				append1(t, s, "day-2", eventstore.NoStream(), numbered(3), numbered(4))
			},
			number: 3, noMore: true, says: "it goes on after the source's 3 records, with reservation.held",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			from, to := ledger(t), ledger(t)
			append1(t, from, "day-1", eventstore.NoStream(), numbered(1), numbered(2))
			append1(t, from, "day-2", eventstore.NoStream(), numbered(3))
			c.fill(to)
			before := records(t, to)
			report, err := transfer.Copy(t.Context(), from, to, transfer.Options{})
			var foreign *transfer.ForeignError
			if !errors.As(err, &foreign) {
				t.Fatalf("%v, want a ForeignError", err)
			}
			if foreign.Number != c.number || (foreign.Source == nil) != c.noMore || kept(foreign.Target) != kept(before[c.number]) {
				t.Errorf("%+v", foreign)
			}
			if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "Secret") {
				t.Errorf("%v\nwant it to say %s, and nothing of what is in an event", err, c.says)
			}
			if report.Copied != 0 || !reflect.DeepEqual(records(t, to), before) {
				t.Errorf("the target was written to: %+v", report)
			}
		})
	}
}

// TestTargetInUse lets somebody append to the target while the copy runs: to a stream that
// the source has, which the next append to it meets, and to one that it has not, which
// the comparison at the end finds.
func TestTargetInUse(t *testing.T) {
	for name, stream := range map[string]eventstore.StreamName{"same stream": "day-2", "new stream": "day-3"} {
		t.Run(name, func(t *testing.T) {
			from, to := ledger(t), ledger(t)
			append1(t, from, "day-1", eventstore.NoStream(), numbered(1), numbered(2))
			append1(t, from, "day-2", eventstore.NoStream(), numbered(3))
			used := false
			_, err := transfer.Copy(t.Context(), from, to, transfer.Options{Progress: func(transfer.Progress) {
				if !used {
					used = true
					append1(t, to, stream, eventstore.NoStream(), numbered(50))
				}
			}})
			var foreign *transfer.ForeignError
			var different *transfer.DifferenceError
			switch stream {
			case "day-2":
				if !errors.As(err, &foreign) || foreign.Number != 2 || foreign.Target.ID != eventID(50) || foreign.Source.ID != eventID(3) {
					t.Errorf("%v, want a ForeignError at 2", err)
				}
			default:
				if !errors.As(err, &different) || different.Number != 0 || different.B.ID != eventID(50) || different.A.ID != eventID(1) {
					t.Errorf("%v, want a DifferenceError at 0", err)
				}
			}
		})
	}
}

// without leaves records out of a ledger, as a scavenge does.
type without struct {
	eventstore.Store
	gone func(r eventstore.Record) bool
}

func (w without) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range w.Store.ReadAll(ctx, after, filter) {
			if err == nil && w.gone(r) {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestTruncatedSource(t *testing.T) {
	full := ledger(t)
	append1(t, full, "day-1", eventstore.NoStream(), numbered(1), numbered(2), numbered(3), numbered(4))
	append1(t, full, "day-2", eventstore.NoStream(), numbered(5))
	for name, c := range map[string]struct {
		gone func(r eventstore.Record) bool
		want transfer.GapError
	}{
		"its beginning":  {func(r eventstore.Record) bool { return r.Stream == "day-1" && r.Revision < 2 }, transfer.GapError{Stream: "day-1", Want: 0, Got: 2}},
		"in the middle":  {func(r eventstore.Record) bool { return r.Stream == "day-1" && r.Revision == 1 }, transfer.GapError{Stream: "day-1", Want: 1, Got: 2}},
		"two in the mid": {func(r eventstore.Record) bool { return r.Revision == 1 || r.Revision == 2 }, transfer.GapError{Stream: "day-1", Want: 1, Got: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := transfer.Copy(t.Context(), without{full, c.gone}, ledger(t), transfer.Options{})
			var gap *transfer.GapError
			if !errors.As(err, &gap) || *gap != c.want {
				t.Errorf("%v, want %v", err, &c.want)
			}
		})
	}
}

// alike yields the records of a ledger with one of them changed.
type alike struct {
	eventstore.Store
	change func(r *eventstore.Record)
}

func (a alike) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range a.Store.ReadAll(ctx, after, filter) {
			if r.Revision == 1 {
				a.change(&r)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// TestVerifySeesEveryDifference changes one thing at a time.
func TestVerifySeesEveryDifference(t *testing.T) {
	s := ledger(t)
	append1(t, s, "day-1", eventstore.NoStream(), numbered(1), numbered(2), numbered(3))
	same, err := transfer.Verify(t.Context(), s, s, transfer.Options{})
	if err != nil || same.Records != 3 {
		t.Fatalf("a ledger against itself: %+v, %v", same, err)
	}
	for says, change := range map[string]func(r *eventstore.Record){
		"stream":       func(r *eventstore.Record) { r.Stream = "day-2" },
		"revision":     func(r *eventstore.Record) { r.Revision = 7 },
		"event id":     func(r *eventstore.Record) { r.ID = eventID(9) },
		"type":         func(r *eventstore.Record) { r.Type = "reservation.held2" },
		"content type": func(r *eventstore.Record) { r.Binary = !r.Binary },
		"data":         func(r *eventstore.Record) { r.Data = append([]byte(" "), r.Data...) },
		"metadata":     func(r *eventstore.Record) { r.Metadata = nil },
	} {
		got, err := transfer.Verify(t.Context(), s, alike{s, change}, transfer.Options{})
		var different *transfer.DifferenceError
		if !errors.As(err, &different) || different.Number != 1 || got.Records != 1 || !strings.HasSuffix(err.Error(), "they differ in "+says) {
			t.Errorf("another %s: %+v, %v", says, got, err)
		}
		whole, err := transfer.Verify(t.Context(), alike{s, change}, alike{s, change}, transfer.Options{})
		if err != nil || whole.Hash == same.Hash {
			t.Errorf("another %s hashes alike (%v)", says, err)
		}
	}
	last := without{s, func(r eventstore.Record) bool { return r.Revision == 2 }}
	for name, c := range map[string]struct {
		a, b eventstore.Store
		says string
	}{
		"first is longer":  {s, last, "the second ledger ends after 2 records, the first goes on with reservation.held"},
		"second is longer": {last, s, "the first ledger ends after 2 records, the second goes on with reservation.held"},
	} {
		_, err := transfer.Verify(t.Context(), c.a, c.b, transfer.Options{})
		var different *transfer.DifferenceError
		if !errors.As(err, &different) || different.Number != 2 || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"daybook/eventstore"
)

// joined is a fold that shows exactly which records are in it.
func joined(_ context.Context, s string, r eventstore.Record) (string, error) {
	switch string(r.Data) {
	case "corrupt":
		return "", fmt.Errorf("%w: no such word", ErrCorrupt)
	case "panic":
		panic("no such word")
	}
	return s + string(r.Data), nil
}

func newFolds(l *ledger, limit int) *Folds[string] {
	return NewFolds(eventstore.Reader(l), limit, func() string { return "" }, joined)
}

func TestFoldsAreExact(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1", "2", "3", "4", "5")
	l.append("b", "x")
	a, b := l.records("a"), l.records("b")
	f := newFolds(l, 1)
	for _, c := range []struct {
		what          string
		record        eventstore.Record
		before, after string
		reads         []string
	}{
		{"from the beginning", a[0], "", "1", nil},
		{"the next", a[1], "1", "12", nil},
		{"that one again", a[1], "1", "12", []string{"a from 0"}},
		{"after a gap", a[4], "1234", "12345", []string{"a from 2"}},
		{"back again", a[2], "12", "123", []string{"a from 0"}},
		{"another stream", b[0], "", "x", nil},
		{"one that was pushed out", a[3], "123", "1234", []string{"a from 0"}},
	} {
		before, after, err := f.Apply(context.Background(), c.record)
		if err != nil || before != c.before || after != c.after {
			t.Errorf("%s: %q to %q, %v, want %q to %q", c.what, before, after, err, c.before, c.after)
		}
		if reads := l.taken(); !reflect.DeepEqual(reads, c.reads) {
			t.Errorf("%s: read %q, want %q", c.what, reads, c.reads)
		}
	}
	if len(f.byKey) != 1 || f.order.Len() != 1 {
		t.Errorf("%d folds kept, want 1", len(f.byKey))
	}
}

func TestFoldsLeaveOutWhatIsCorrupt(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1", "corrupt", "2", "panic", "3")
	all := l.records("a")
	f := newFolds(l, 8)
	states := []string{"", "1", "1", "12", "12", "123"}
	for i, r := range all {
		bad := string(r.Data) == "corrupt" || string(r.Data) == "panic"
		for range 2 { // again, as the runner does when it goes one by one
			before, after, err := f.Apply(context.Background(), r)
			if before != states[i] || after != states[i+1] || errors.Is(err, ErrCorrupt) != bad {
				t.Errorf("record %d: %q to %q, %v", i, before, after, err)
			}
		}
	}
	// Whoever comes to the stream later has the same.
	before, after, err := newFolds(l, 8).Apply(context.Background(), all[4])
	if before != "12" || after != "123" || err != nil {
		t.Errorf("%q to %q, %v, want 12 to 123", before, after, err)
	}
}

func TestFoldsKeepNothingOfAFailure(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1", "2")
	all := l.records("a")
	away := errors.New("the key store is away")
	failing := true
	f := NewFolds(eventstore.Reader(l), 8, func() string { return "" }, func(ctx context.Context, s string, r eventstore.Record) (string, error) {
		if failing && r.Revision == 1 {
			return s, away
		}
		return joined(ctx, s, r)
	})
	if _, _, err := f.Apply(context.Background(), all[0]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Apply(context.Background(), all[1]); !errors.Is(err, away) {
		t.Errorf("got %v, want the engine's error", err)
	}
	failing = false
	if before, after, err := f.Apply(context.Background(), all[1]); before != "1" || after != "12" || err != nil {
		t.Errorf("%q to %q, %v, want 1 to 12", before, after, err)
	}
}

func TestLatestReadsTheTailOnly(t *testing.T) {
	l := newLedger(t)
	f := newFolds(l, 8)
	for _, c := range []struct {
		add   string
		want  string
		reads []string
	}{
		{"", "", []string{"a from 0"}},
		{"1", "1", []string{"a from 0"}},
		{"", "1", []string{"a from 1"}},
		{"corrupt", "1", []string{"a from 1"}},
		{"2", "12", []string{"a from 2"}},
	} {
		if c.add != "" {
			l.append("a", c.add)
		}
		n := eventstore.Revision(0)
		if c.want != "" || c.add != "" {
			n = eventstore.Revision(len(l.records("a")))
		}
		got, records, err := f.Latest(context.Background(), "a")
		if got != c.want || records != n || err != nil {
			t.Errorf("got %q of %d records, %v, want %q of %d", got, records, err, c.want, n)
		}
		if reads := l.taken(); !reflect.DeepEqual(reads, c.reads) {
			t.Errorf("read %q, want %q", reads, c.reads)
		}
	}
}

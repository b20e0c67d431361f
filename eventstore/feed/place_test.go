package feed_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/feed"
	"daybook/internal/enginetest"
)

// TestPlaces: a place is known again by the ledger that it was read from, however that grows,
// and by none that was put back to before it, however that grows.
func TestPlaces(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	o := embedded.Options{FS: vfs.NewMem(), Logger: quiet, MemTableBytes: 1 << 20, CacheBytes: 1 << 20, Clock: func() time.Time { return now }}
	first, err := embedded.Open("ledger", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Close() })
	grow := func(s *embedded.Store, stream eventstore.StreamName, ids ...byte) (last eventstore.Record) {
		t.Helper()
		now = now.Add(time.Second)
		var events []eventstore.Event
		for _, id := range ids {
			events = append(events, eventstore.Event{ID: eventstore.EventID{id}, Type: "said", Data: []byte("{}")})
		}
		if _, err := s.Append(ctx, stream, eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
		for r := range s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
			return r
		}
		return last
	}
	check := func(what string, p feed.Place, s *embedded.Store, estranged bool) {
		t.Helper()
		if err := p.Check(ctx, s); errors.Is(err, feed.ErrEstranged) != estranged || !estranged && err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	grow(first, "a", 1, 2)
	kept := grow(first, "b", 3)
	restored, retried := enginetest.Backup(t, first, o), enginetest.Backup(t, first, o)
	grow(first, "a", 4)
	lost := grow(first, "b", 5)

	at, unknown := feed.PlaceOf(lost), feed.Place{Position: lost.Position}
	check("the ledger itself", at, first, false)
	check("the ledger itself, record not put down", unknown, first, false)
	check("nothing read", feed.Place{}, restored, false)
	check("restored", at, restored, true)
	check("restored, record not put down", unknown, restored, true)
	check("what was read before", feed.PlaceOf(kept), restored, false)
	check("read further, to what the engine wrote", feed.Place{Position: lost.Position, Record: feed.PlaceOf(kept).Record}, restored, true)
	// Somebody sends again what is lost, with the same ids: they come to stand at the same positions.
	grow(retried, "a", 4)
	if again := grow(retried, "b", 5); again.Position != lost.Position || again.ID != lost.ID || again.Revision != lost.Revision {
		t.Fatalf("%+v stands where %+v stood", again, lost)
	}
	check("restored, and sent again", at, retried, true)
	grow(restored, "c", 6, 7, 8)
	check("restored, and grown past it", at, restored, true)
	check("grown past it, record not put down", unknown, restored, false) // there is no telling
	grow(first, "b", 9)
	check("the ledger itself, grown", at, first, false)

	for s, want := range map[*embedded.Store]feed.Place{first: at, restored: feed.PlaceOf(kept), retried: feed.PlaceOf(kept)} {
		if got, err := at.Fork(ctx, s); err != nil || got != want {
			t.Errorf("they agree up to %+v, %v, want %+v", got, err, want)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := at.Check(ctx, first); err == nil || errors.Is(err, feed.ErrEstranged) {
		t.Errorf("a store that is away: %v", err)
	}
}

// TestAPlaceInADeletedStream: another client's stream that is deleted, or shows its newest events
// alone, takes from the ledger nothing that was read. What was never there stays unknown.
func TestAPlaceInADeletedStream(t *testing.T) {
	ctx := context.Background()
	for name, hide := range map[string]func(*embedded.Store) error{
		"deleted": func(s *embedded.Store) error { _, err := s.Delete(ctx, "theirs", eventstore.Any()); return err },
		"ended":   func(s *embedded.Store) error { _, err := s.Tombstone(ctx, "theirs", eventstore.Any()); return err },
		"cut short": func(s *embedded.Store) error {
			_, err := s.Write(ctx, eventstore.MetadataOf("theirs"), eventstore.Any(),
				eventstore.Event{ID: eventstore.EventID{8}, Type: eventstore.MetadataType, Data: []byte(`{"$tb":1}`)})
			if err == nil {
				_, err = s.Append(ctx, "theirs", eventstore.Any(), eventstore.Event{ID: eventstore.EventID{9}, Type: "said", Data: []byte("{}")})
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Logger: quiet, MemTableBytes: 1 << 20, CacheBytes: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			if _, err := s.Append(ctx, "theirs", eventstore.Any(), eventstore.Event{ID: eventstore.EventID{1}, Type: "said", Data: []byte("{}")}); err != nil {
				t.Fatal(err)
			}
			at, err := feed.Newest(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			if err := hide(s); err != nil {
				t.Fatal(err)
			}
			if err := at.Check(ctx, s); err != nil {
				t.Error(err)
			}
			at.Record.ID = eventstore.EventID{2}
			if err := at.Check(ctx, s); !errors.Is(err, feed.ErrEstranged) {
				t.Errorf("another event: %v", err)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	for _, m := range []feed.Mark{
		{},
		{Position: 1, ID: eventstore.EventID{1}, Stream: "a"},
		{Position: 1 << 63, Revision: 7, ID: eventstore.EventID{15: 255}, Recorded: -1, Stream: "with a space"},
		{Position: 1, Stream: "\x00 and \xff,\nand Zoë's"},
		{Position: 1, Stream: `"quoted"`},
		{Position: 1, Stream: `back\slash`},
	} {
		if text := m.String(); strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%q is not for every database", text)
		}
		if got, err := feed.ParseMark(m.String()); err != nil || got != m {
			t.Errorf("%q is %+v, %v, want %+v", m, got, err, m)
		}
	}
	for _, text := range []string{"1", "1 2 3 4 5", "x 0 00000000-0000-0000-0000-000000000001 5 a", "1 0 00000000-0000-0000-0000-000000000001 5"} {
		if m, err := feed.ParseMark(text); err == nil {
			t.Errorf("%q is %+v", text, m)
		}
	}
	read := feed.Place{Position: 5, Record: feed.Mark{Position: 5, Stream: "a"}}
	got := []feed.Place{read.After(eventstore.Batch{}), read.After(eventstore.Batch{Position: 9}), read.After(eventstore.Batch{
		Position: 8, Records: []eventstore.Record{{Position: 6}, {Position: 7, Revision: 3, Stream: "b", Recorded: time.Unix(1, 5)}},
	})}
	want := []feed.Place{read, {Position: 9, Record: read.Record}, {Position: 8, Record: feed.Mark{Position: 7, Revision: 3, Stream: "b", Recorded: 1e9 + 5}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

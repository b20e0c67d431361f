package esdb_test

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// TestConflictsAreTyped meets every kind of expectation with a stream that stands where
// it is not expected, on either side.
func TestConflictsAreTyped(t *testing.T) {
	url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{})
	s := connect(t, url, esdb.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := s.Append(ctx, "day-1", eventstore.NoStream(), event("day-1", 0), event("day-1", 1), event("day-1", 2)); err != nil {
		t.Fatal(err)
	}
	none, two := eventstore.Actual{}, eventstore.Actual{Exists: true, Revision: 2}
	cases := []eventstore.ConflictError{
		{Stream: "day-1", Expected: eventstore.NoStream(), Actual: two},
		{Stream: "day-1", Expected: eventstore.At(0), Actual: two},
		{Stream: "day-1", Expected: eventstore.At(1), Actual: two},
		{Stream: "day-1", Expected: eventstore.At(3), Actual: two},
		{Stream: "day-1", Expected: eventstore.At(1 << 62), Actual: two},
		{Stream: "day-2", Expected: eventstore.At(0), Actual: none},
		{Stream: "day-2", Expected: eventstore.At(3), Actual: none},
		{Stream: "day-2", Expected: eventstore.Exists(), Actual: none},
	}
	for i, want := range cases {
		_, err := s.Append(ctx, want.Stream, want.Expected, event("new", i))
		var got *eventstore.ConflictError
		if !errors.As(err, &got) || *got != want {
			t.Errorf("append to %s expecting %s: %v, want %v", want.Stream, want.Expected, err, &want)
		}
	}
	want := esdb.Stats{Appends: 9, Events: 3, Conflicts: 8, Connections: 1}
	if got := s.Stats(); got != want {
		t.Errorf("stats %+v, want %+v", got, want)
	}
}

// TestTombstone ends a stream for ever; one that is only hidden goes on.
func TestTombstone(t *testing.T) {
	engine := openLedger(t)
	url, _ := serve(t, engine, "127.0.0.1:0", esdbserver.Options{})
	s := connect(t, url, esdb.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, stream := range []eventstore.StreamName{"ended", "hidden"} {
		if _, err := s.Append(ctx, stream, eventstore.NoStream(), event(string(stream), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := engine.Tombstone(ctx, "ended", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Delete(ctx, "hidden", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	reads := map[string]func(eventstore.StreamName) error{
		"forwards": func(stream eventstore.StreamName) (end error) {
			for _, err := range s.ReadStream(ctx, stream, 0) {
				end = err
			}
			return end
		},
		"backwards": func(stream eventstore.StreamName) (end error) {
			for _, err := range s.ReadStreamBackwards(ctx, stream, eventstore.Last) {
				end = err
			}
			return end
		},
	}
	for name, read := range reads {
		if err := read("ended"); !errors.Is(err, eventstore.ErrStreamDeleted) || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("read %s of a stream that was ended: %v, want ErrStreamDeleted", name, err)
		}
		if err := read("hidden"); !errors.Is(err, eventstore.ErrStreamNotFound) {
			t.Errorf("read %s of a stream that is hidden: %v, want ErrStreamNotFound", name, err)
		}
	}
	for _, expected := range []eventstore.Expected{eventstore.Any(), eventstore.NoStream(), eventstore.Exists(), eventstore.At(0)} {
		_, err := s.Append(ctx, "ended", expected, event("ended", 1))
		if !errors.Is(err, eventstore.ErrStreamDeleted) || eventstore.IsConflict(err) || errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("append to a stream that was ended, expecting %s: %v, want ErrStreamDeleted", expected, err)
		}
	}
	if at, err := s.Append(ctx, "hidden", eventstore.NoStream(), event("hidden", 1)); err != nil || at.Revision != 1 {
		t.Errorf("append to a stream that is hidden: %+v, %v", at, err)
	}
	if got := s.Stats(); got.Connections != 1 {
		t.Errorf("%d connections: an answer was taken for a broken line", got.Connections)
	}
}

// TestEverythingAndBinary reads what the engine keeps beside the domain's events, and
// events that are no JSON, over the wire and beside it.
func TestEverythingAndBinary(t *testing.T) {
	engine := openLedger(t)
	url, _ := serve(t, engine, "127.0.0.1:0", esdbserver.Options{})
	s := connect(t, url, esdb.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	picture := event("picture", 0)
	picture.Data, picture.Binary = []byte{0xff, 0x00, '{'}, true
	text := event("text", 0)
	text.Binary = true // JSON by its looks, and said not to be
	if _, err := s.Append(ctx, "pictures", eventstore.NoStream(), picture, text, event("plain", 0)); err != nil {
		t.Fatal(err)
	}
	metadata := event("metadata", 0)
	metadata.Type, metadata.Data = "$metadata", []byte(`{"$maxCount":9}`)
	if _, err := engine.Write(ctx, eventstore.MetadataOf("pictures"), eventstore.NoStream(), metadata); err != nil {
		t.Fatal(err)
	}
	all := func(s eventstore.Store, filter eventstore.Filter) (records []eventstore.Record) {
		for r, err := range s.ReadAll(ctx, eventstore.Start, filter) {
			if err != nil {
				t.Fatalf("read all: %v", err)
			}
			records = append(records, r)
		}
		return records
	}
	for name, filter := range map[string]eventstore.Filter{"the domain's": {}, "everything": eventstore.Everything()} {
		want := all(engine, filter)
		if got := all(s, filter); !reflect.DeepEqual(got, want) {
			t.Errorf("%s over the wire\n%+v, want\n%+v", name, got, want)
		}
		if last := want[len(want)-1]; last.Type == "$metadata" != filter.PassesAll() {
			t.Errorf("%s ends with %+v", name, last)
		}
		sub, err := s.Subscribe(ctx, eventstore.Start, filter)
		if err != nil {
			t.Fatalf("subscribe: %v", err)
		}
		var followed []eventstore.Record
		for len(followed) < len(want) {
			batch, err := sub.Next(ctx)
			if err != nil {
				t.Fatalf("next: %v", err)
			}
			followed = append(followed, batch.Records...)
		}
		_ = sub.Close()
		if !reflect.DeepEqual(followed, want) {
			t.Errorf("%s followed\n%+v, want\n%+v", name, followed, want)
		}
	}
	if got := all(s, eventstore.Filter{}); !got[0].Binary || !got[1].Binary || got[2].Binary {
		t.Errorf("what is no JSON was read as %t, %t, %t", got[0].Binary, got[1].Binary, got[2].Binary)
	}
}

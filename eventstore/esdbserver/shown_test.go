package esdbserver_test

import (
	"fmt"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

func write(t testing.TB, store eventstore.Engine, stream eventstore.StreamName, kind, data string) eventstore.Appended {
	t.Helper()
	head, err := store.Head(within(t))
	if err != nil {
		t.Fatal(err)
	}
	e := event(1_000_000 + int(head))
	e.Type, e.Data = kind, []byte(data)
	at, err := store.Write(within(t), stream, eventstore.Any(), e)
	if err != nil {
		t.Fatalf("write to %q: %v", stream, err)
	}
	return at
}

// tell puts what a read says into a few words.
func tell(m *streams.ReadResp) string {
	switch c := m.GetContent().(type) {
	case *streams.ReadResp_Event:
		what := "nothing"
		if e := c.Event.GetEvent(); e != nil {
			what = fmt.Sprintf("%d@%s", e.GetStreamRevision(), e.GetStreamIdentifier().GetStreamName())
		}
		if l := c.Event.GetLink(); l != nil {
			what += fmt.Sprintf(" by %d@%s at %d", l.GetStreamRevision(), l.GetStreamIdentifier().GetStreamName(), c.Event.GetCommitPosition())
		}
		return what
	case *streams.ReadResp_StreamNotFound_:
		return "not found"
	case *streams.ReadResp_FirstStreamPosition:
		return fmt.Sprintf("first %d", c.FirstStreamPosition)
	case *streams.ReadResp_LastStreamPosition:
		return fmt.Sprintf("last %d", c.LastStreamPosition)
	default:
		return say(m)
	}
}

func resolving(o *streams.ReadReq_Options) { o.ResolveLinks = true }

// compatible asks for where a stream begins and ends.
func compatible(o *streams.ReadReq_Options) {
	o.ControlOption = &streams.ReadReq_Options_ControlOption{Compatibility: 1}
}

func TestLinks(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	fill(t, store, 4) // at 0 to 3, two each
	write(t, store, "gone", "left", "{}")
	if _, err := store.Tombstone(within(t), "gone", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"1@day-1", "0@day-0", "7@day-0", "0@absent", "0@gone", "day-0", "-1@day-0", "18446744073709551615@day-0", "0@", "", "0@links"} {
		write(t, store, "links", eventstore.LinkType, target)
	}
	for _, c := range []struct {
		name    string
		options []readOption
		want    []string
	}{
		{"not resolved", []readOption{ofStream("links", -1), count(2)}, []string{"0@links", "1@links"}},
		{"resolved", []readOption{ofStream("links", -1), resolving}, []string{
			"1@day-1 by 0@links at 6", "0@day-0 by 1@links at 7", "nothing by 2@links at 8", "nothing by 3@links at 9",
			"nothing by 4@links at 10", "nothing by 5@links at 11", "nothing by 6@links at 12", "nothing by 7@links at 13",
			"nothing by 8@links at 14", "nothing by 9@links at 15", "0@links by 10@links at 16",
		}},
		{"backwards from all", []readOption{fromPosition(8), backwards, resolving, count(3)},
			[]string{"0@day-0 by 1@links at 7", "1@day-1 by 0@links at 6", "9223372036854775807@gone"}},
		{"what is no link", []readOption{ofStream("day-0", -1), resolving}, []string{"0@day-0", "1@day-0"}},
	} {
		got, err := readAll(t, conn, request(c.options...))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var told []string
		for _, m := range got {
			told = append(told, tell(m))
		}
		if !reflect.DeepEqual(told, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, told, c.want)
		}
	}

	live := read(t, conn, subscription(ofStream("links", 8), resolving))
	var told []string
	for range 4 {
		m, err := live.Recv()
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, tell(m))
	}
	if want := []string{"confirmed", "nothing by 9@links at 15", "0@links by 10@links at 16", "caught up"}; !reflect.DeepEqual(told, want) {
		t.Errorf("a subscription says %q, want %q", told, want)
	}
	write(t, store, "links", eventstore.LinkType, "1@day-0")
	if m, err := live.Recv(); err != nil || tell(m) != "1@day-0 by 11@links at 17" {
		t.Errorf("a live link: %v, %v", m, err)
	}
}

// TestWhatIsShown hides the beginnings of streams, and says where they go on.
func TestWhatIsShown(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	for _, stream := range []eventstore.StreamName{"counted", "cut", "expired", "deleted", "whole"} {
		for range 5 {
			write(t, store, stream, "held", "{}")
		}
	}
	write(t, store, "$$counted", "$metadata", `{"$maxCount":2}`)
	write(t, store, "$$cut", "$metadata", `{"$tb":5}`)
	write(t, store, "$$expired", "$metadata", `{"$maxAge":1,"$maxCount":3}`)
	write(t, store, "$$alone", "$metadata", `{"$maxCount":3}`)
	if _, err := store.Delete(within(t), "deleted", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		options []readOption
		want    []string
	}{
		{"whole", []readOption{ofStream("whole", 3)}, []string{"3@whole", "4@whole"}},
		{"whole, with places", []readOption{ofStream("whole", 3), compatible}, []string{"3@whole", "4@whole", "last 4"}},
		{"one, with places", []readOption{ofStream("whole", 1), count(1), compatible}, []string{"1@whole", "last 4"}},
		{"none, with places", []readOption{ofStream("whole", 1), count(0), compatible}, []string{"last 4"}},
		{"past the end, with places", []readOption{ofStream("whole", 9), compatible}, []string{"first 5", "last 4"}},
		{"at the end, with places", []readOption{ofStream("whole", 5), compatible}, []string{"last 4"}},
		{"backwards, with places", []readOption{ofStream("whole", 1), backwards, compatible}, []string{"1@whole", "0@whole", "last 4"}},
		{"counted", []readOption{ofStream("counted", -1)}, []string{"3@counted", "4@counted"}},
		{"counted, with places", []readOption{ofStream("counted", -1), compatible}, []string{"3@counted", "4@counted", "last 4"}},
		{"counted, backwards into what is hidden", []readOption{ofStream("counted", 1), backwards, compatible}, []string{"last 4"}},
		{"cut", []readOption{ofStream("cut", -1)}, nil},
		{"cut, with places", []readOption{ofStream("cut", -1), compatible}, []string{"first 5", "last 4"}},
		{"cut, backwards", []readOption{ofStream("cut", 1<<63-1), backwards, compatible}, []string{"last 4"}},
		{"deleted", []readOption{ofStream("deleted", -1), compatible}, []string{"not found"}},
		{"metadata alone", []readOption{ofStream("alone", -1), compatible}, []string{"not found"}},
		{"absent", []readOption{ofStream("absent", -1), compatible}, []string{"not found"}},
		{"metadata", []readOption{ofStream("$$deleted", -1), compatible}, []string{"0@$$deleted", "last 0"}},
		{"all", []readOption{fromEnd(), backwards, count(6), compatible}, []string{
			"0@$$deleted", "0@$$alone", "0@$$expired", "0@$$cut", "0@$$counted", "4@whole",
		}},
	} {
		got, err := readAll(t, conn, request(c.options...))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var told []string
		for _, m := range got {
			told = append(told, tell(m))
		}
		if !reflect.DeepEqual(told, c.want) {
			t.Errorf("%s: %q, want %q", c.name, told, c.want)
		}
	}

	for stream, want := range map[string][]string{
		"counted": {"confirmed", "3@counted", "4@counted", "caught up"},
		"cut":     {"confirmed", "caught up"},
		"deleted": {"confirmed", "caught up"},
		"alone":   {"confirmed", "caught up"},
		"$$alone": {"confirmed", "0@$$alone", "caught up"},
	} {
		live := read(t, conn, subscription(ofStream(stream, -1)))
		var told []string
		for range want {
			m, err := live.Recv()
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, tell(m))
		}
		write(t, store, eventstore.StreamName(stream), "$metadata", "{}")
		m, err := live.Recv()
		if err != nil || !reflect.DeepEqual(told, want) || m.GetEvent() == nil {
			t.Errorf("a subscription to %s says %q and then %v, %v, want %q and an event", stream, told, m, err, want)
		}
	}
}

// TestWhatHasExpired is not what was never there.
func TestWhatHasExpired(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().Unix())
	store := openLedgerAt(t, func() time.Time { return time.Unix(now.Load(), 0) })
	_, conn := start(t, store, esdbserver.Options{})
	write(t, store, "$$short", "$metadata", `{"$maxAge":60}`)
	write(t, store, "short", "held", "{}")
	write(t, store, "short", "held", "{}")
	for _, step := range []struct {
		after int64 // seconds
		want  []string
	}{
		{59, []string{"0@short", "1@short", "last 1"}},
		{2, []string{"first 2", "last 1"}},
	} {
		now.Add(step.after)
		got, err := readAll(t, conn, request(ofStream("short", -1), compatible))
		if err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, m := range got {
			told = append(told, tell(m))
		}
		if !reflect.DeepEqual(told, step.want) {
			t.Errorf("%d s later: %q, want %q", step.after, told, step.want)
		}
	}
	// A client of the older kind is told nothing at all, rather than that there is no stream.
	if got, err := readAll(t, conn, request(ofStream("short", -1))); err != nil || len(got) != 0 {
		t.Errorf("read as %v, %v, want nothing", got, err)
	}
}

// moment is what newer clients read of a message that this module's protocol has no
// fields for.
type moment struct {
	time     bool
	revision int64 // -1: none
	position int64 // -1: none
}

// parse reads google.protobuf.Timestamp 1, int64 2 and a pair of equal positions 3.
func parse(t *testing.T, unknown []byte) moment {
	t.Helper()
	m := moment{revision: -1, position: -1}
	for len(unknown) > 0 {
		field, kind, n := protowire.ConsumeTag(unknown)
		unknown = unknown[n:]
		switch {
		case field == 1 && kind == protowire.BytesType:
			stamp, n := protowire.ConsumeBytes(unknown)
			m.time, unknown = len(stamp) > 0, unknown[n:]
		case field == 2 && kind == protowire.VarintType:
			v, n := protowire.ConsumeVarint(unknown)
			m.revision, unknown = int64(v), unknown[n:]
		case field == 3 && kind == protowire.BytesType:
			pair, n := protowire.ConsumeBytes(unknown)
			unknown = unknown[n:]
			p := &streams.ReadResp_Checkpoint{} // the same fields
			if err := proto.Unmarshal(pair, p); err != nil || p.GetCommitPosition() != p.GetPreparePosition() {
				t.Fatalf("a position that is none: %v, %v", p, err)
			}
			m.position = int64(p.GetCommitPosition())
		default:
			t.Fatalf("field %d of kind %d", field, kind)
		}
	}
	return m
}

// TestWhereASubscriptionCaughtUp is told to clients that know to ask: the revision of a
// stream, the position of all, and neither where there is none.
func TestWhereASubscriptionCaughtUp(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	caughtUp := func(r *streams.ReadReq) moment {
		stream := read(t, conn, r)
		for {
			m, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if c := m.GetCaughtUp(); c != nil {
				return parse(t, c.ProtoReflect().GetUnknown())
			}
		}
	}
	check := func(what string, r *streams.ReadReq, want moment) {
		t.Helper()
		if got := caughtUp(r); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	check("all of nothing", subscription(fromStart()), moment{false, -1, -1})
	check("a stream of nothing", subscription(ofStream("day-0", -1)), moment{false, -1, -1})
	fill(t, store, 6)
	check("all", subscription(fromStart()), moment{true, -1, 5})
	check("all from its end", subscription(fromEnd()), moment{true, -1, 5})
	check("all, filtered", subscription(fromStart(), filtered(typePrefix(100, 1, "absent."))), moment{true, -1, 5})
	check("a stream", subscription(ofStream("day-0", -1)), moment{true, 3, -1})
	check("a stream after a revision", subscription(ofStream("day-0", 1)), moment{true, 3, -1})
	check("a stream after its last revision", subscription(ofStream("day-0", 3)), moment{true, 3, -1})
	check("a stream from its end", subscription(ofStream("day-0", 1<<63-1)), moment{true, 3, -1})
	check("an empty stream", subscription(ofStream("absent", -1)), moment{true, -1, 5})
}

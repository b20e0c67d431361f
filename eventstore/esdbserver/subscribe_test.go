package esdbserver_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// say puts a message of a subscription into a few words.
func say(m *streams.ReadResp) string {
	switch c := m.GetContent().(type) {
	case *streams.ReadResp_Confirmation:
		return "confirmed"
	case *streams.ReadResp_CaughtUp_:
		return "caught up"
	case *streams.ReadResp_FellBehind_:
		return "fell behind"
	case *streams.ReadResp_Checkpoint_:
		if c.Checkpoint.GetCommitPosition() != c.Checkpoint.GetPreparePosition() {
			return "a checkpoint of two positions"
		}
		return fmt.Sprintf("checkpoint %d", c.Checkpoint.GetCommitPosition())
	case *streams.ReadResp_Event:
		return fmt.Sprintf("event %d", c.Event.GetEvent().GetCommitPosition())
	default:
		return fmt.Sprintf("%v", m)
	}
}

func hear(t testing.TB, stream streams.Streams_ReadClient, n int) []string {
	t.Helper()
	var heard []string
	for range n {
		m, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %s: %v", strings.Join(heard, ", "), err)
		}
		heard = append(heard, say(m))
	}
	return heard
}

// script runs "confirmed", each position in events as an event, "caught up".
func script(events ...uint64) []string {
	out := []string{"confirmed"}
	for _, e := range events {
		out = append(out, fmt.Sprintf("event %d", e))
	}
	return append(out, "caught up")
}

// TestSubscriptions compares all that a subscription says while it catches up, and
// then two live events, of which day-1 gets the second.
func TestSubscriptions(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	all := fill(t, store, 8) // day-0: 0 1 4 5, day-1: 2 3 6 7
	if last := all[7].Position; last != 8 {
		t.Fatalf("the 8th record stands at %d; this test writes positions out and wants them dense", last)
	}
	const end = math.MaxInt64
	cases := []struct {
		name    string
		request *streams.ReadReq
		catchUp []string
		live    []string
	}{
		{"all", subscription(fromStart()), script(0, 1, 2, 3, 4, 5, 6, 7), []string{"event 8", "event 9"}},
		{"all after a position", subscription(fromPosition(4)), script(5, 6, 7), []string{"event 8", "event 9"}},
		{"all from position 0", subscription(fromPosition(0)), script(1, 2, 3, 4, 5, 6, 7), []string{"event 8", "event 9"}},
		{"all from its end", subscription(fromEnd()), script(), []string{"event 8", "event 9"}},
		{"stream", subscription(ofStream("day-1", -1)), script(2, 3, 6, 7), []string{"event 9"}},
		{"stream after a revision", subscription(ofStream("day-1", 1)), script(6, 7), []string{"event 9"}},
		{"stream from its end", subscription(ofStream("day-1", end)), script(), []string{"event 9"}},
		{"stream whose name another's starts with", subscription(ofStream("day-", -1)), script(), nil},
		{"stream after a revision it will not have", subscription(ofStream("day-1", 4)), script(), nil},
		{
			"filtered, a checkpoint every 3",
			subscription(fromStart(), filtered(typePrefix(3, 1, "restaurant."))),
			[]string{"confirmed", "event 1", "checkpoint 2", "event 3", "event 5", "checkpoint 5", "event 7", "caught up"},
			[]string{"checkpoint 8", "event 9"},
		},
		{
			"filtered, a checkpoint every 2 times 2",
			subscription(fromStart(), filtered(typePrefix(2, 2, "absent."))),
			[]string{"confirmed", "checkpoint 3", "checkpoint 7", "caught up"},
			[]string{"checkpoint 8", "checkpoint 9"},
		},
		{
			"filtered, no checkpoint due but to catch up",
			subscription(fromStart(), filtered(typePrefix(100, 1, "absent."))),
			[]string{"confirmed", "checkpoint 7", "caught up"},
			[]string{"checkpoint 8", "checkpoint 9"},
		},
	}
	var open []streams.Streams_ReadClient
	for _, c := range cases {
		stream := read(t, conn, c.request)
		open = append(open, stream)
		if got := hear(t, stream, len(c.catchUp)); fmt.Sprint(got) != fmt.Sprint(c.catchUp) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.catchUp)
		}
	}
	for n, stream := range []eventstore.StreamName{"day-0", "day-1"} {
		if _, err := store.Append(within(t), stream, eventstore.Any(), event(8+n)); err != nil {
			t.Fatalf("append: %v", err)
		}
		for i, c := range cases {
			// One at a time, so that each is live when the next is appended.
			if n < len(c.live) && len(c.live) == 2 {
				if got := hear(t, open[i], 1); got[0] != c.live[n] {
					t.Errorf("%s, live: got %q, want %q", c.name, got[0], c.live[n])
				}
			}
		}
	}
	for i, c := range cases {
		if len(c.live) == 1 {
			if got := hear(t, open[i], 1); got[0] != c.live[0] {
				t.Errorf("%s, live: got %q, want %q", c.name, got[0], c.live[0])
			}
		}
	}
}

func TestSubscriptionToAnEmptyLedger(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	requests := map[string]*streams.ReadReq{
		"all":      subscription(fromStart()),
		"filtered": subscription(fromStart(), filtered(typePrefix(3, 1, "reservation."))),
		"stream":   subscription(ofStream("day-0", -1)),
	}
	for name, r := range requests {
		stream := read(t, conn, r)
		if got := hear(t, stream, 2); fmt.Sprint(got) != fmt.Sprint(script()) {
			t.Errorf("%s: got %q, want %q", name, got, script())
		}
	}
}

// TestStreamSubscriptionUnderWriters joins a stream while it grows: every revision
// comes once and in order.
func TestStreamSubscriptionUnderWriters(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	const total = 600
	written := make(chan error, 1)
	go func() {
		for n := range total {
			if _, err := store.Append(context.Background(), "day-0", eventstore.Any(), event(n)); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	for range 8 {
		stream := read(t, conn, subscription(ofStream("day-0", -1)))
		next := uint64(0)
		for next < total {
			m, err := stream.Recv()
			if err != nil {
				t.Fatalf("after revision %d: %v", next, err)
			}
			if e := m.GetEvent(); e != nil {
				if got := e.GetEvent().GetStreamRevision(); got != next {
					t.Fatalf("revision %d, want %d", got, next)
				}
				next++
			}
		}
	}
	if err := <-written; err != nil {
		t.Fatalf("append: %v", err)
	}
}

func TestCancelledSubscriptionEnds(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	ctx, cancel := context.WithCancel(within(t))
	stream, err := streams.NewStreamsClient(conn).Read(ctx, subscription(fromStart()))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	hear(t, stream, 2)
	cancel()
	_, err = stream.Recv()
	wantCode(t, "cancelled subscription", err, codes.Canceled)
}

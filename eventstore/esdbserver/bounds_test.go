package esdbserver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver"
)

// openSmall opens a ledger on disk that keeps little in memory, so that what the server
// keeps shows.
func openSmall(t testing.TB) eventstore.Engine {
	t.Helper()
	s, err := embedded.Open(t.TempDir(), embedded.Options{
		Logger: quiet(), CacheBytes: 4 << 20, MemTableBytes: 1 << 20, TailBytes: 1 << 20,
	})
	if err != nil {
		t.Fatalf("open a ledger: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// heap is what is in use, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// swell appends count events of 64 KiB each to stream "large".
func swell(t testing.TB, store eventstore.Engine, count int) {
	t.Helper()
	const together = 32
	for n := 0; n < count; n += together {
		var events []eventstore.Event
		for i := n; i < min(n+together, count); i++ {
			e := event(500_000 + i)
			e.Data = bytes.Repeat([]byte("x"), 64<<10)
			events = append(events, e)
		}
		if _, err := store.Append(within(t), "large", eventstore.Any(), events...); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
}

// TestClientsThatNeverRead subscribe and read, and take nothing, while the ledger grows
// by 32 MiB. If the server kept for each what it has not taken, that would be 1 GiB; a
// batch of the store's for each is 144 MiB.
func TestClientsThatNeverRead(t *testing.T) {
	store := openSmall(t)
	_, conn := start(t, store, esdbserver.Options{})
	fill(t, store, 2)
	const each, allowed = 6, 384 << 20
	before := heap()
	for range each {
		read(t, conn, subscription(fromStart()))
		read(t, conn, subscription(fromStart(), filtered(typePrefix(1, 1, "absent."))))
		read(t, conn, subscription(ofStream("large", -1)))
		hear(t, read(t, conn, subscription(fromPosition(1))), 2) // live, and then stops
	}
	swell(t, store, 512)
	for range each {
		read(t, conn, request(fromStart()))
		read(t, conn, request(ofStream("large", 1<<63-1), backwards))
	}
	// What a read holds it has taken by the time that another one is through.
	if got, err := readAll(t, conn, request(fromStart(), count(200))); err != nil || len(got) != 200 {
		t.Fatalf("a reader beside them: %d events, %v", len(got), err)
	}
	// What is being read or written at this moment is gone a moment later; what is kept for
	// clients stays.
	grown := heap() - before
	for ctx := within(t); grown > allowed && ctx.Err() == nil; grown = heap() - before {
		runtime.Gosched()
	}
	if grown > allowed {
		t.Errorf("the heap grew by %d MiB, want at most %d", grown>>20, allowed>>20)
	}
}

// TestSlowSubscriber stops reading while the ledger goes on, and then reads on: it is told
// that it fell behind and that it caught up, and gets every event once and in order.
func TestSlowSubscriber(t *testing.T) {
	store := openSmall(t)
	_, conn := start(t, store, esdbserver.Options{})
	fill(t, store, 2)
	slow := map[string]streams.Streams_ReadClient{
		"all":      read(t, conn, subscription(fromPosition(1))),
		"a stream": read(t, conn, subscription(ofStream("busy", -1))),
	}
	for _, stream := range slow {
		hear(t, stream, 2)
	}
	const appends, together = 3, eventstore.MaxAppendEvents
	for n := range appends {
		events := make([]eventstore.Event, together)
		for i := range events {
			events[i] = event(1000 + n*together + i)
		}
		if _, err := store.Append(within(t), "busy", eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
	}
	for name, stream := range slow {
		var said []string
		next := uint64(0)
		for next < appends*together || len(said) == 0 || said[len(said)-1] != "caught up" {
			m, err := stream.Recv()
			if err != nil {
				t.Fatalf("%s: after %d events and %q: %v", name, next, said, err)
			}
			if e := m.GetEvent().GetEvent(); e != nil {
				if e.GetStreamRevision() != next {
					t.Fatalf("%s: revision %d, want %d", name, e.GetStreamRevision(), next)
				}
				next++
			} else {
				said = append(said, say(m))
			}
		}
		if fmt.Sprint(said) != "[fell behind caught up]" {
			t.Errorf("%s: it says %q, want that it fell behind and caught up", name, said)
		}
	}
}

// TestHalfOpenAppends are more than the server takes in at a time, and never finished.
func TestHalfOpenAppends(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{AppendTimeout: 300 * time.Millisecond})
	var open []streams.Streams_AppendClient
	for n := range 400 {
		stream, err := streams.NewStreamsClient(conn).Append(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			_ = stream.Send(options("day-1"))
			_ = stream.Send(message(event(n)))
		}
		open = append(open, stream)
	}
	for _, stream := range open {
		err := stream.RecvMsg(&streams.AppendResp{})
		if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.ResourceExhausted {
			t.Fatalf("a half-open append ends with %v", err)
		}
	}
	if _, err := send(t, conn, options("day-1"), message(event(1))); err != nil {
		t.Fatalf("an append after the half-open ones: %v", err)
	}
}

// TestHalfOpenBatchAppends are refused beyond their number, and make room when they end.
func TestHalfOpenBatchAppends(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	client := streams.NewStreamsClient(conn)
	refused := make(chan error, 200)
	for n := range 200 {
		stream, err := client.BatchAppend(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.Send(batchOf(n, "day-1", anything, false, event(n)))
		go func() {
			_, err := stream.Recv()
			refused <- err
		}()
	}
	for range 200 - 128 {
		wantCode(t, "a batch append too many", <-refused, codes.ResourceExhausted)
	}
	cancel()
	for range 128 {
		wantCode(t, "a cancelled batch append", <-refused, codes.Canceled)
	}
	// The server learns of it a moment later than this test.
	for deadline := time.Now().Add(patience); ; {
		stream := openBatch(t, conn)
		_ = stream.Send(batchOf(1, "day-1", anything, true, event(1)))
		m, err := stream.Recv()
		if err == nil && m.GetSuccess() != nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a batch append after the half-open ones: %v, %v", m, err)
		}
	}
}

// TestBatchesWhoseAnswersNobodyTakes come to a halt.
func TestBatchesWhoseAnswersNobodyTakes(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	stream, err := streams.NewStreamsClient(conn).BatchAppend(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const total = 200_000
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for n := range total {
			if stream.Send(batchOf(n, "day-1", anything, true, event(n))) != nil {
				return
			}
		}
	}()
	last := eventstore.Start
	for {
		time.Sleep(200 * time.Millisecond)
		head, err := store.Head(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if head == last && head > 0 {
			break
		}
		last = head
	}
	cancel()
	<-sent
	if last > total/2 {
		t.Errorf("%d of %d batches were appended though nobody took an answer", last, total)
	}
}

// TestGiantHeaders are cut off; they come without a client that minds the server's limit.
func TestGiantHeaders(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	for name, value := range map[string]int{"one header": 1 << 20, "many headers": 64} {
		raw, err := net.Dial("tcp", conn.Target())
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.SetDeadline(time.Now().Add(patience))
		if _, err := io.WriteString(raw, http2.ClientPreface); err != nil {
			t.Fatal(err)
		}
		framer := http2.NewFramer(raw, raw)
		if err := framer.WriteSettings(); err != nil {
			t.Fatal(err)
		}
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "x"},
			{Name: ":path", Value: "/event_store.client.streams.Streams/Read"},
			{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
		} {
			_ = encoder.WriteField(f)
		}
		for n := range (1 << 20) / value {
			_ = encoder.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", n), Value: string(bytes.Repeat([]byte("v"), value)), Sensitive: true})
		}
		headers := block.Bytes()
		const frame = 16 << 10
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers[:frame]})
		for headers = headers[frame:]; err == nil && len(headers) > 0; {
			n := min(frame, len(headers))
			err = framer.WriteContinuation(1, n == len(headers), headers[:n])
			headers = headers[n:]
		}
		// The server resets the call, answers it with a failure or hangs up, and serves nothing.
		for err == nil {
			var f http2.Frame
			f, err = framer.ReadFrame()
			if _, data := f.(*http2.DataFrame); data {
				t.Errorf("%s: a call with giant headers was served", name)
			}
			if h, answered := f.(*http2.HeadersFrame); answered && h.StreamEnded() {
				break
			}
			if _, reset := f.(*http2.RSTStreamFrame); reset {
				break
			}
		}
		_ = raw.Close()
	}
	if _, err := gossip.NewGossipClient(conn).Read(within(t), &shared.Empty{}); err != nil {
		t.Fatalf("gossip after giant headers: %v", err)
	}
}

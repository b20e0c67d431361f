package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// eventually runs f until it succeeds or patience ends.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: still %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func event(stream string, n int) eventstore.Event {
	var id eventstore.EventID
	copy(id[:], fmt.Sprintf("%-8.8s%08d", stream, n))
	return eventstore.Event{
		ID: id, Type: "reservation.held",
		Data:     fmt.Appendf(nil, `{"n":%d}`, n),
		Metadata: []byte(`{}`),
	}
}

// again reports an outcome after which the same append is sent again.
func again(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome)
}

// TestWritersThroughRestarts stops the server and starts it on its port while writers
// append. That no connection is left behind is for goleak to see.
func TestWritersThroughRestarts(t *testing.T) {
	store := openLedger(t)
	url, stop := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	address := hostOf(url)
	s := connect(t, url, esdb.Options{})
	w := startWriters(t, s, store, 8)
	for range 4 {
		w.goOn(100)
		stop()
		_, stop = serve(t, store, address, esdbserver.Options{})
	}
	w.finish()
}

func TestServerAbsent(t *testing.T) {
	store := openLedger(t)
	url, stop := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	address := hostOf(url)
	url += "&discoveryInterval=5"
	s := connect(t, url, esdb.Options{})
	sub, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	defer func() { _ = sub.Close() }()
	first, err := s.Append(context.Background(), "day-1", eventstore.NoStream(), event("day-1", 0))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	seen := eventstore.Start
	for seen < first.Position {
		batch, err := sub.Next(context.Background())
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		seen = batch.Position
	}
	stop()

	for err == nil { // that it is live may still be to be told
		var batch eventstore.Batch
		if batch, err = sub.Next(context.Background()); len(batch.Records) > 0 {
			t.Fatalf("subscription gave %d records twice", len(batch.Records))
		}
	}
	if !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("next after the server stopped: %v, want ErrUnavailable", err)
	}

	// Nothing can have been handed over, and nobody may think so.
	for range 3 {
		_, appendErr := s.Append(context.Background(), "day-1", eventstore.At(0), event("day-1", 1))
		_, headErr := s.Head(context.Background())
		_, subscribeErr := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
		for call, err := range map[string]error{"append": appendErr, "head": headErr, "subscribe": subscribeErr} {
			if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome) {
				t.Fatalf("%s without a server: %v, want ErrUnavailable", call, err)
			}
		}
	}
	if _, err := esdb.Open(context.Background(), url, esdb.Options{Logger: quiet()}); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("open without a server: %v, want ErrUnavailable", err)
	}
	// A context of the caller's own ends the wait for a server.
	ended, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := s.Append(ended, "day-1", eventstore.At(0), event("day-1", 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("append without a server, with a short context: %v, want %v", err, context.DeadlineExceeded)
	}

	serve(t, store, address, esdbserver.Options{})
	at, err := s.Append(context.Background(), "day-1", eventstore.At(0), event("day-1", 1))
	if err != nil || at.Revision != 1 {
		t.Fatalf("append after the server came back: %+v, %v", at, err)
	}
	resumed, err := s.Subscribe(context.Background(), seen, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe again: %v", err)
	}
	defer func() { _ = resumed.Close() }()
	for seen < at.Position {
		batch, err := resumed.Next(context.Background())
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		for _, r := range batch.Records {
			if r.ID != event("day-1", 1).ID {
				t.Fatalf("resumed subscription gave event %s", r.ID)
			}
		}
		seen = batch.Position
	}
}

func behindProxy(t testing.TB, options esdb.Options) (eventstore.Store, *proxy, *esdb.Store) {
	t.Helper()
	store := openLedger(t)
	url, _ := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	p := newProxy(t, hostOf(url))
	s := connect(t, p.url(), options)
	if _, err := s.Append(context.Background(), "day-0", eventstore.NoStream(), event("day-0", 0)); err != nil {
		t.Fatalf("append: %v", err)
	}
	return store, p, s
}

// landed waits until the store behind the proxy holds stream.
func landed(t testing.TB, store eventstore.Store, stream eventstore.StreamName) eventstore.Appended {
	t.Helper()
	var at eventstore.Appended
	eventually(t, "the append reaches the store", func() error {
		for r, err := range store.ReadStreamBackwards(context.Background(), stream, eventstore.Last) {
			at = eventstore.Appended{Revision: r.Revision, Position: r.Position}
			return err
		}
		return nil
	})
	return at
}

// TestConnectionBreaksAfterAppend delivers an append and loses its answer: the outcome
// is unknown, and the same append again finds the first.
func TestConnectionBreaksAfterAppend(t *testing.T) {
	for name, expected := range map[string]eventstore.Expected{"no stream": eventstore.NoStream(), "any": eventstore.Any()} {
		t.Run(name, func(t *testing.T) {
			store, p, s := behindProxy(t, esdb.Options{})
			events := []eventstore.Event{event("day-1", 0), event("day-1", 1)}
			p.mute(true)
			failed := make(chan error, 1)
			go func() {
				_, err := s.Append(context.Background(), "day-1", expected, events...)
				failed <- err
			}()
			want := landed(t, store, "day-1")
			p.cut()
			if err := <-failed; !errors.Is(err, eventstore.ErrUnknownOutcome) || errors.Is(err, eventstore.ErrUnavailable) {
				t.Fatalf("append whose answer was lost: %v, want ErrUnknownOutcome", err)
			}
			p.mute(false)
			var at eventstore.Appended
			eventually(t, "append again", func() (err error) {
				at, err = s.Append(context.Background(), "day-1", expected, events...)
				return err
			})
			if at != want {
				t.Fatalf("the append sent again stands at %+v, want %+v", at, want)
			}
			n := 0
			for _, err := range store.ReadStream(context.Background(), "day-1", 0) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != len(events) {
				t.Fatalf("the stream holds %d events, want %d", n, len(events))
			}
		})
	}
}

// TestDeadlineAfterAppend lets the caller's deadline pass with the append delivered:
// the context's error would say that nothing was appended.
func TestDeadlineAfterAppend(t *testing.T) {
	store, p, s := behindProxy(t, esdb.Options{})
	p.mute(true)
	ctx, cancel := context.WithCancel(context.Background())
	failed := make(chan error, 1)
	go func() {
		_, err := s.Append(ctx, "day-1", eventstore.NoStream(), event("day-1", 0))
		failed <- err
	}()
	landed(t, store, "day-1")
	cancel()
	err := <-failed
	if !errors.Is(err, eventstore.ErrUnknownOutcome) || errors.Is(err, context.Canceled) {
		t.Fatalf("append cancelled after it was delivered: %v, want ErrUnknownOutcome alone", err)
	}
	p.cut() // the call itself goes on, and Close waits for it
}

// TestSilentServer keeps every answer back: the call timeout ends what the caller set
// no end to.
func TestSilentServer(t *testing.T) {
	_, p, s := behindProxy(t, esdb.Options{CallTimeout: 100 * time.Millisecond})
	p.mute(true)
	if _, err := s.Append(context.Background(), "day-1", eventstore.NoStream(), event("day-1", 0)); !errors.Is(err, eventstore.ErrUnknownOutcome) {
		t.Errorf("append: %v, want ErrUnknownOutcome", err)
	}
	if _, err := s.Head(context.Background()); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("head: %v, want ErrUnavailable", err)
	}
	if _, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{}); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("subscribe: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := esdb.Open(ctx, p.url()+"&gossipTimeout=1&maxDiscoverAttempts=1", esdb.Options{Logger: quiet()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v, want %v", err, context.DeadlineExceeded)
	}
	p.mute(false)
	p.cut()
	eventually(t, "the server is heard again", func() error {
		_, err := s.Head(context.Background())
		return err
	})
}

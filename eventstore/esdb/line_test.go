package esdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
)

// TestConnectionLostWithoutAWord has a router on the way forget a connection. The first
// call finds out by its timeout, and the next one gets a connection that works, long
// before a ping would notice.
func TestConnectionLostWithoutAWord(t *testing.T) {
	calls := map[string]struct {
		call func(s *esdb.Store) error
		want error
	}{
		"append": {func(s *esdb.Store) error {
			_, err := s.Append(context.Background(), "day-1", eventstore.NoStream(), event("day-1", 0))
			return err
		}, eventstore.ErrUnknownOutcome},
		"read": {func(s *esdb.Store) error {
			_, err := s.Head(context.Background())
			return err
		}, eventstore.ErrUnavailable},
		"subscribe": {func(s *esdb.Store) error {
			sub, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
			if err == nil {
				err = sub.Close()
			}
			return err
		}, eventstore.ErrUnavailable},
	}
	for name, c := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, s := behindProxy(t, esdb.Options{CallTimeout: 500 * time.Millisecond})
			p.lose()
			if err := c.call(s); !errors.Is(err, c.want) {
				t.Fatalf("%s over a connection that leads nowhere: %v, want %v", name, err, c.want)
			}
			if err := c.call(s); err != nil {
				t.Fatalf("%s again: %v", name, err)
			}
			if made := s.Stats().Connections; made != 2 {
				t.Errorf("%d connections were made, want 2", made)
			}
		})
	}
}

// TestIdleSubscriptionIsLost has a subscription wait on such a connection: pings find
// out. gRPC does not ping more often than every 10 s.
func TestIdleSubscriptionIsLost(t *testing.T) {
	t.Parallel()
	store := openLedger(t)
	url, _ := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	p := newProxy(t, hostOf(url))
	s := connect(t, p.url()+"&keepAliveInterval=10000&keepAliveTimeout=500", esdb.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sub, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	defer func() { _ = sub.Close() }()
	for live := false; !live; {
		batch, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		live = batch.Live
	}
	p.lose()
	if batch, err := sub.Next(ctx); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("next on a connection that leads nowhere: %+v, %v, want ErrUnavailable", batch, err)
	}
	if _, err := store.Append(ctx, "day-1", eventstore.NoStream(), event("day-1", 0)); err != nil {
		t.Fatal(err)
	}
	again, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe again: %v", err)
	}
	defer func() { _ = again.Close() }()
	if batch, err := again.Next(ctx); err != nil || len(batch.Records) != 1 {
		t.Fatalf("next: %+v, %v", batch, err)
	}
	if drops := s.Stats().Drops; drops != 1 {
		t.Errorf("%d subscriptions are counted as broken off, want 1", drops)
	}
}

// TestSlowReadersHoldNobodyUp has a subscription and a read that take nothing. The server
// sends them a bounded part of what there is, goes on serving others over the same
// connection, and both get all of it in the end.
func TestSlowReadersHoldNobodyUp(t *testing.T) {
	store := openLedger(t)
	url, _ := serve(t, store, "127.0.0.1:0", esdbserver.Options{})
	p := newProxy(t, hostOf(url))
	s := connect(t, p.url(), esdb.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const events, size = 32, 512 << 10 // 16 MiB
	large := bytes.Repeat([]byte("7"), size)
	for n := 0; n < events; n += 4 {
		four := []eventstore.Event{event("large", n), event("large", n+1), event("large", n+2), event("large", n+3)}
		for i := range four {
			four[i].Data, four[i].Metadata = large, nil
		}
		if _, err := store.Append(ctx, "large", eventstore.Any(), four...); err != nil {
			t.Fatal(err)
		}
	}
	sub, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	defer func() { _ = sub.Close() }()
	read := 0
	for r, err := range s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if read == 0 {
			// Both are held up once nothing comes any more.
			passed := int64(-1)
			eventually(t, "the server stops sending", func() error {
				before := passed
				if passed = p.down.Load(); passed != before {
					time.Sleep(50 * time.Millisecond)
					return fmt.Errorf("%d bytes so far", passed)
				}
				return nil
			})
			if passed > events*size { // of twice that
				t.Errorf("%d bytes were sent to readers that take nothing", passed)
			}
			for n := range 20 {
				if _, err := s.Append(ctx, "small", eventstore.Any(), event("small", n)); err != nil {
					t.Fatalf("append beside slow readers: %v", err)
				}
			}
		}
		if r.Stream == "large" {
			read++
		}
	}
	if read != events {
		t.Errorf("the slow read gave %d events, want %d", read, events)
	}
	followed := 0
	for followed < events+20 {
		batch, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		held := 0
		for _, r := range batch.Records {
			held += len(r.Data) + len(r.Metadata)
		}
		if held > 8<<20+eventstore.MaxEventSize {
			t.Errorf("a batch of %d bytes", held)
		}
		followed += len(batch.Records)
	}
	if followed != events+20 {
		t.Errorf("the slow subscription gave %d events, want %d", followed, events+20)
	}
}

package esdbserver_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// TestConsumersShareAStream has consumers on several connections compete for what is being
// appended: each message goes to one of them, none to two, and nobody holds more than its
// buffer.
func TestConsumersShareAStream(t *testing.T) {
	const consumers, buffer, events = 5, 7, 600
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	r := groupOn("day-0", "desk")
	r.Options.Settings.MaxSubscriberCount = consumers
	r.Options.Settings.ConsumerStrategy = "RoundRobin"
	createGroup(t, conn, r)

	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	var mu sync.Mutex
	given := map[uint64]int{}
	by := make([]int, consumers)
	all := make(chan struct{})
	failed := make(chan error, consumers)
	for n := range consumers {
		stream, err := persistent.NewPersistentSubscriptionsClient(conn).Read(ctx)
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		if err := stream.Send(readOptions("day-0", "desk", buffer)); err != nil {
			t.Fatalf("options: %v", err)
		}
		if m, err := stream.Recv(); err != nil || m.GetSubscriptionConfirmation() == nil {
			t.Fatalf("confirmation: %v, %v", m, err)
		}
		go func() {
			failed <- func() error {
				var unanswered []*persistent.ReadResp_ReadEvent
				for {
					m, err := stream.Recv()
					if err != nil {
						return err
					}
					mu.Lock()
					given[m.GetEvent().GetEvent().GetStreamRevision()]++
					by[n]++
					if len(given) == events {
						select {
						case <-all:
						default:
							close(all)
						}
					}
					mu.Unlock()
					if unanswered = append(unanswered, m.GetEvent()); len(unanswered) > buffer {
						return fmt.Errorf("%d messages in a buffer of %d", len(unanswered), buffer)
					}
					// Some at once, and not always all: the others stay for the next time.
					if len(unanswered) > n {
						answer := acked()
						for _, e := range unanswered {
							answer.GetAck().Ids = append(answer.GetAck().Ids, e.GetEvent().GetId())
						}
						unanswered = nil
						if err := stream.Send(answer); err != nil {
							return err
						}
					}
				}
			}()
		}()
	}
	for n := range events {
		if _, err := store.Append(within(t), "day-0", eventstore.Any(), event(n)); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	select {
	case <-all:
	case err := <-failed:
		t.Fatalf("a consumer: %v", err)
	case <-within(t).Done():
		mu.Lock()
		defer mu.Unlock()
		t.Fatalf("%d of %d messages were given", len(given), events)
	}
	// From here on what one holds goes to the others.
	mu.Lock()
	once, counts := maps.Clone(given), slices.Clone(by)
	mu.Unlock()
	cancel()
	for range consumers {
		<-failed
	}
	for revision, times := range once {
		if times != 1 {
			t.Errorf("revision %d was given %d times", revision, times)
		}
	}
	for n, count := range counts {
		if count == 0 {
			t.Errorf("consumer %d was given nothing: %v", n, counts)
		}
	}
}

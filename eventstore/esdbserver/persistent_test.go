package esdbserver_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// official returns the official client, connected to a server of its own of store.
func official(t *testing.T, store eventstore.Engine, options esdbserver.Options) (*esdbserver.Server, *esdb.Client) {
	t.Helper()
	server, _ := start(t, store, options)
	var address string
	eventually(t, "the server listens", func() bool {
		if server.Addr() == nil {
			return false
		}
		address = server.Addr().String()
		return true
	})
	config, err := esdb.ParseConnectionString("esdb://" + address + "?tls=false&keepAliveInterval=-1")
	if err != nil {
		t.Fatalf("connection string: %v", err)
	}
	config.Logger = func(esdb.LogLevel, string, ...interface{}) {}
	client, err := esdb.NewClient(config)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return server, client
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func wantErrorCode(t *testing.T, what string, err error, want esdb.ErrorCode) {
	t.Helper()
	failed, ok := esdb.FromError(err)
	if ok || failed.Code() != want {
		t.Errorf("%s: %v, want code %d", what, err, want)
	}
}

// revisions takes n events of a subscription, does with each what then says, and returns
// their revisions.
func revisions(t *testing.T, sub *esdb.PersistentSubscription, n int, then func(*esdb.ResolvedEvent) error) []uint64 {
	t.Helper()
	var out []uint64
	for range n {
		e := sub.Recv()
		if e.EventAppeared == nil {
			t.Fatalf("subscription dropped: %v", e.SubscriptionDropped.Error)
		}
		out = append(out, e.EventAppeared.Event.OriginalEvent().EventNumber)
		if err := then(e.EventAppeared.Event); err != nil {
			t.Fatalf("answer: %v", err)
		}
	}
	return out
}

func groupSettings() *esdb.PersistentSubscriptionSettings {
	s := esdb.SubscriptionSettingsDefault()
	s.CheckpointLowerBound, s.CheckpointUpperBound, s.CheckpointAfter = 1, 1, 0
	s.MaxSubscriberCount = 1
	return &s
}

func TestPersistentSubscriptionToAStream(t *testing.T) {
	store := openLedger(t)
	fill(t, store, 12) // six of them in day-0
	_, client := official(t, store, esdbserver.Options{})
	ctx := within(t)
	create := func() error {
		return client.CreatePersistentSubscription(ctx, "day-0", "desk", esdb.PersistentStreamSubscriptionOptions{
			StartFrom: esdb.Revision(1), Settings: groupSettings(),
		})
	}
	if err := create(); err != nil {
		t.Fatalf("create: %v", err)
	}
	wantErrorCode(t, "create again", create(), esdb.ErrorCodeResourceAlreadyExists)
	subscribe := func() (*esdb.PersistentSubscription, error) {
		return client.SubscribeToPersistentSubscription(ctx, "day-0", "desk", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 2})
	}
	sub, err := subscribe()
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	// The client has no code of its own for it.
	_, err = subscribe()
	wantErrorCode(t, "a second of one", err, esdb.ErrorCodeUnknown)

	ack := func(e *esdb.ResolvedEvent) error { return sub.Ack(e) }
	park := func(e *esdb.ResolvedEvent) error { return sub.Nack("too odd", esdb.NackActionPark, e) }
	if got := revisions(t, sub, 2, ack); !slices.Equal(got, []uint64{1, 2}) {
		t.Fatalf("given %v, want 1 and 2", got)
	}
	if got := revisions(t, sub, 1, park); got[0] != 3 {
		t.Fatalf("given %v, want 3", got)
	}
	retried := sub.Recv().EventAppeared
	if err := sub.Nack("later", esdb.NackActionRetry, retried.Event); err != nil {
		t.Fatalf("nack: %v", err)
	}
	// Revision 5 may be under way when 4 is put back.
	var last []uint64
	for len(last) < 2 {
		e := sub.Recv().EventAppeared
		if n := e.Event.OriginalEvent().EventNumber; n == 4 && e.RetryCount != 1 || n == 5 && e.RetryCount != 0 {
			t.Errorf("revision %d with %d retries", n, e.RetryCount)
		} else {
			last = append(last, n)
		}
		if err := sub.Ack(e.Event); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
	if slices.Sort(last); !slices.Equal(last, []uint64{4, 5}) {
		t.Fatalf("given %v, want 4 and 5", last)
	}

	var info *esdb.PersistentSubscriptionInfo
	eventually(t, "all is checkpointed", func() bool {
		info, err = client.GetPersistentSubscriptionInfo(ctx, "day-0", "desk", esdb.GetPersistentSubscriptionOptions{})
		if err != nil {
			t.Fatalf("info: %v", err)
		}
		return info.Stats.LastCheckpointedEventRevision != nil && *info.Stats.LastCheckpointedEventRevision == 5 && info.Stats.ParkedMessagesCount == 1
	})
	if *info.Stats.LastKnownEventRevision != 5 || info.Stats.TotalItems != 6 || info.Status != "Live" || len(info.Connections) != 1 {
		t.Errorf("info %+v, stats %+v", info, info.Stats)
	}
	want := *groupSettings()
	want.StartFrom = esdb.Revision(1)
	if *info.Settings != want {
		t.Errorf("settings %+v, want %+v", *info.Settings, want)
	}

	if err := client.ReplayParkedMessages(ctx, "day-0", "desk", esdb.ReplayParkedMessagesOptions{}); err != nil {
		t.Fatalf("replay: %v", err)
	}
	if got := revisions(t, sub, 1, ack); got[0] != 3 {
		t.Fatalf("replayed %v, want 3", got)
	}
	// An acknowledgement is not answered: what is written at the end shows that it came.
	eventually(t, "the replay is finished", func() bool {
		info, err := client.GetPersistentSubscriptionInfo(ctx, "day-0", "desk", esdb.GetPersistentSubscriptionOptions{})
		return err == nil && info.Stats.TotalInFlightMessages == 0
	})

	settings := groupSettings()
	settings.MaxRetryCount = 3
	if err := client.UpdatePersistentSubscription(ctx, "day-0", "desk", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Revision(1), Settings: settings}); err != nil {
		t.Fatalf("update: %v", err)
	}
	if e := sub.Recv(); e.SubscriptionDropped == nil {
		t.Fatalf("given %v after an update, want to be dropped", e)
	}
	_ = sub.Close()
	if sub, err = subscribe(); err != nil {
		t.Fatalf("subscribe after an update: %v", err)
	}
	fill(t, store, 2) // the same ids as before are the same events
	if _, err := store.Append(ctx, "day-0", eventstore.Any(), event(100)); err != nil {
		t.Fatalf("append: %v", err)
	}
	if got := revisions(t, sub, 1, func(*esdb.ResolvedEvent) error { return nil }); got[0] != 6 {
		t.Fatalf("given %v after an update, want 6", got)
	}
	if err := client.DeletePersistentSubscription(ctx, "day-0", "desk", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	if e := sub.Recv(); e.SubscriptionDropped == nil {
		t.Fatalf("given %v after a delete, want to be dropped", e)
	}
	_ = sub.Close()
	wantErrorCode(t, "delete again", client.DeletePersistentSubscription(ctx, "day-0", "desk", esdb.DeletePersistentSubscriptionOptions{}), esdb.ErrorCodeResourceNotFound)
	_, err = subscribe()
	wantErrorCode(t, "subscribe to what was deleted", err, esdb.ErrorCodeResourceNotFound)
	_, err = client.GetPersistentSubscriptionInfo(ctx, "day-0", "desk", esdb.GetPersistentSubscriptionOptions{})
	wantErrorCode(t, "info of what was deleted", err, esdb.ErrorCodeResourceNotFound)
	wantErrorCode(t, "replay of what was deleted", client.ReplayParkedMessages(ctx, "day-0", "desk", esdb.ReplayParkedMessagesOptions{}), esdb.ErrorCodeResourceNotFound)
}

func TestPersistentSubscriptionToAll(t *testing.T) {
	store := openLedger(t)
	records := fill(t, store, 6)
	_, client := official(t, store, esdbserver.Options{})
	ctx := within(t)
	from := esdb.Position{Commit: uint64(records[2].Position) - 1, Prepare: uint64(records[2].Position) - 1}
	if err := client.CreatePersistentSubscriptionToAll(ctx, "desk", esdb.PersistentAllSubscriptionOptions{
		StartFrom: from, Settings: groupSettings(),
		Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"day-"}},
	}); err != nil {
		t.Fatalf("create: %v", err)
	}
	sub, err := client.SubscribeToPersistentSubscriptionToAll(ctx, "desk", esdb.SubscribeToPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	defer func() { _ = sub.Close() }()
	var got, want []string
	for _, r := range records[2:] {
		want = append(want, fmt.Sprintf("%d@%s at %d", r.Revision, r.Stream, r.Position-1))
		e := sub.Recv().EventAppeared.Event
		got = append(got, fmt.Sprintf("%d@%s at %d", e.Event.EventNumber, e.Event.StreamID, e.Event.Position.Commit))
		if err := sub.Ack(e); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("given %v, want %v", got, want)
	}
	eventually(t, "all is checkpointed", func() bool {
		info, err := client.GetPersistentSubscriptionInfoToAll(ctx, "desk", esdb.GetPersistentSubscriptionOptions{})
		if err != nil {
			t.Fatalf("info: %v", err)
		}
		if info.Settings.StartFrom == nil || info.EventSource != "$all" {
			t.Fatalf("info %+v", info)
		}
		at := info.Stats.LastCheckpointedPosition
		return at != nil && at.Commit >= uint64(records[5].Position)-1
	})
	lists := map[string]func() ([]esdb.PersistentSubscriptionInfo, error){
		"all": func() ([]esdb.PersistentSubscriptionInfo, error) {
			return client.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
		},
		"to all": func() ([]esdb.PersistentSubscriptionInfo, error) {
			return client.ListPersistentSubscriptionsToAll(ctx, esdb.ListPersistentSubscriptionsOptions{})
		},
		"a stream": func() ([]esdb.PersistentSubscriptionInfo, error) {
			return client.ListPersistentSubscriptionsForStream(ctx, "day-0", esdb.ListPersistentSubscriptionsOptions{})
		},
	}
	for what, list := range lists {
		infos, err := list()
		if what == "a stream" {
			wantErrorCode(t, "list of a stream without any", err, esdb.ErrorCodeResourceNotFound)
		} else if err != nil || len(infos) != 1 || infos[0].GroupName != "desk" {
			t.Errorf("list of %s: %+v, %v, want desk", what, infos, err)
		}
	}
	if err := client.RestartPersistentSubscriptionSubsystem(ctx, esdb.RestartPersistentSubscriptionSubsystemOptions{}); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if e := sub.Recv(); e.SubscriptionDropped == nil {
		t.Fatalf("given %v after a restart, want to be dropped", e)
	}
	if err := client.UpdatePersistentSubscriptionToAll(ctx, "desk", esdb.PersistentAllSubscriptionOptions{Settings: groupSettings()}); err != nil {
		t.Fatalf("update: %v", err)
	}
	if err := client.DeletePersistentSubscriptionToAll(ctx, "desk", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatalf("delete: %v", err)
	}
}

// TestShutdownKeepsThePlace: what was acknowledged is not given again by the next server.
func TestShutdownKeepsThePlace(t *testing.T) {
	store := openLedger(t)
	fill(t, store, 12)
	server, client := official(t, store, esdbserver.Options{})
	settings := esdb.SubscriptionSettingsDefault() // a checkpoint is not due for long
	if err := client.CreatePersistentSubscription(within(t), "day-0", "desk", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: &settings}); err != nil {
		t.Fatalf("create: %v", err)
	}
	sub, err := client.SubscribeToPersistentSubscription(within(t), "day-0", "desk", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 1})
	if err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	// With a buffer of one, being given the fourth shows that three answers came.
	answered := 0
	if got := revisions(t, sub, 4, func(e *esdb.ResolvedEvent) error {
		if answered++; answered == 4 {
			return nil
		}
		return sub.Ack(e)
	}); !slices.Equal(got, []uint64{0, 1, 2, 3}) {
		t.Fatalf("given %v, want 0 to 3", got)
	}
	if err := server.Shutdown(within(t)); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	if e := sub.Recv(); e.SubscriptionDropped == nil {
		t.Fatalf("given %v after a shutdown, want to be dropped", e)
	}
	_, client = official(t, store, esdbserver.Options{})
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	if sub, err = client.SubscribeToPersistentSubscription(ctx, "day-0", "desk", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 1}); err != nil {
		t.Fatalf("subscribe again: %v", err)
	}
	if got := revisions(t, sub, 3, func(e *esdb.ResolvedEvent) error { return sub.Ack(e) }); !slices.Equal(got, []uint64{3, 4, 5}) {
		t.Fatalf("given %v by the next server, want 3 to 5", got)
	}
}

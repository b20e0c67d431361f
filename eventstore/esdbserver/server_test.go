package esdbserver_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openLedger(t testing.TB) eventstore.Engine { return openLedgerAt(t, time.Now) }

// openLedgerAt opens a ledger that reads its time from clock.
func openLedgerAt(t testing.TB, clock func() time.Time) eventstore.Engine {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Clock: clock, Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatalf("open a ledger: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// start serves store until the test ends and returns a bare connection to it.
func start(t testing.TB, store eventstore.Engine, options esdbserver.Options) (*esdbserver.Server, *grpc.ClientConn) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	options.Logger = quiet()
	server := esdbserver.New(store, options)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	// A window of its own for each call, so that it does not grow while a client does not read.
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithInitialWindowSize(64<<10))
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return server, conn
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func event(n int) eventstore.Event {
	var id eventstore.EventID
	copy(id[:], fmt.Sprintf("event---%08d", n))
	return eventstore.Event{
		ID: id, Type: []string{"reservation.held", "restaurant.registered"}[n%2],
		Data: fmt.Appendf(nil, `{"n":%d}`, n), Metadata: []byte(`{"m":true}`),
	}
}

// fill appends count events, one at a time, in turn to streams day-0 and day-1, and
// returns their records.
func fill(t testing.TB, store eventstore.Store, count int) []eventstore.Record {
	t.Helper()
	ctx := within(t)
	for n := range count {
		if _, err := store.Append(ctx, eventstore.StreamName(fmt.Sprintf("day-%d", n/2%2)), eventstore.Any(), event(n)); err != nil {
			t.Fatalf("append: %v", err)
		}
	}
	var records []eventstore.Record
	for r, err := range store.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		records = append(records, r)
	}
	return records
}

func wantCode(t testing.TB, what string, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Errorf("%s: %s (%v), want %s", what, got, err, want)
	}
}

func TestGossipNamesALeaderToDial(t *testing.T) {
	cases := []struct{ advertise, address string }{
		{"", "127.0.0.1"},
		{"events.example:2113", "events.example:2113"},
		{"[::1]:2113", "[::1]:2113"},
	}
	for _, c := range cases {
		server, conn := start(t, openLedger(t), esdbserver.Options{Advertise: c.advertise})
		info, err := gossip.NewGossipClient(conn).Read(within(t), &shared.Empty{})
		if err != nil || len(info.GetMembers()) != 1 {
			t.Fatalf("gossip: %v, %v, want one member", info, err)
		}
		want := c.address
		if c.advertise == "" {
			want = server.Addr().String()
		}
		m := info.GetMembers()[0]
		if got := fmt.Sprintf("%s:%d", m.GetHttpEndPoint().GetAddress(), m.GetHttpEndPoint().GetPort()); got != want {
			t.Errorf("advertising %q: leader at %s, want %s", c.advertise, got, want)
		}
		var id uuid.UUID
		binary.BigEndian.PutUint64(id[:8], uint64(m.GetInstanceId().GetStructured().GetMostSignificantBits()))
		binary.BigEndian.PutUint64(id[8:], uint64(m.GetInstanceId().GetStructured().GetLeastSignificantBits()))
		if id.Version() != 4 || id.Variant() != uuid.RFC4122 {
			t.Errorf("instance %s is no UUID that every client takes", id)
		}
		if m.GetState() != gossip.MemberInfo_Leader || !m.GetIsAlive() {
			t.Errorf("the one member is %v", m)
		}
	}
}

// TestFeatures compares all that clients are told they may call.
func TestFeatures(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	got, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(within(t), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"event_store.client.streams.streams/append":      nil,
		"event_store.client.streams.streams/batchappend": {"deadline_duration"},
		"event_store.client.streams.streams/delete":      nil,
		"event_store.client.streams.streams/read":        {"position", "events"},
		"event_store.client.streams.streams/tombstone":   nil,

		"event_store.client.gossip.gossip/read":                                 nil,
		"event_store.client.server_features.serverfeatures/getsupportedmethods": nil,
	}
	listed := map[string][]string{}
	for _, m := range got.GetMethods() {
		if m.GetServiceName() == "event_store.client.persistent_subscriptions.persistentsubscriptions" {
			continue // another test's
		}
		listed[m.GetServiceName()+"/"+m.GetMethodName()] = m.GetFeatures()
	}
	if !reflect.DeepEqual(listed, want) || got.GetEventStoreServerVersion() != "24.10.0" {
		t.Errorf("version %q with\n%v\nwant\n%v", got.GetEventStoreServerVersion(), listed, want)
	}
}

// brittle panics where an engine must not.
type brittle struct{ eventstore.Engine }

func (brittle) Write(context.Context, eventstore.StreamName, eventstore.Expected, ...eventstore.Event) (eventstore.Appended, error) {
	panic("brittle")
}

func TestPanicEndsItsCallAlone(t *testing.T) {
	_, conn := start(t, brittle{openLedger(t)}, esdbserver.Options{})
	for range 2 {
		_, err := send(t, conn, options("day-1"), message(event(0)))
		wantCode(t, "append to a store that panics", err, codes.Internal)
	}
	if _, err := gossip.NewGossipClient(conn).Read(within(t), &shared.Empty{}); err != nil {
		t.Fatalf("gossip after a panic: %v", err)
	}
}

// TestShutdownEndsSubscriptions needs no client to leave first.
func TestShutdownEndsSubscriptions(t *testing.T) {
	server, conn := start(t, openLedger(t), esdbserver.Options{})
	read := read(t, conn, subscription(fromStart()))
	for range 2 { // confirmed and caught up
		if _, err := read.Recv(); err != nil {
			t.Fatalf("subscription: %v", err)
		}
	}
	if err := server.Shutdown(within(t)); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	_, err := read.Recv()
	wantCode(t, "subscription after shutdown", err, codes.Unavailable)
	if err := server.Serve(nil); err == nil {
		t.Fatal("a server served twice")
	}
}

func TestSlowSenderIsCutOff(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{AppendTimeout: 20 * time.Millisecond})
	stream, err := streams.NewStreamsClient(conn).Append(within(t))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	if err := stream.Send(options("day-1")); err != nil {
		t.Fatalf("send: %v", err)
	}
	// Never closing its side, a client would hold a call for ever.
	err = stream.RecvMsg(&streams.AppendResp{})
	wantCode(t, "append that is never finished", err, codes.DeadlineExceeded)
}

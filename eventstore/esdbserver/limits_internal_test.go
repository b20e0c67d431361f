package esdbserver

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"daybook/eventstore/embedded"
)

// TestIntakesAreCounted: an append waits while as many as may be are taken in, is refused
// when its time is up, and goes on as soon as one ends.
func TestIntakesAreCounted(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	engine, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := New(engine, Options{AppendTimeout: 500 * time.Millisecond, Logger: quiet})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = conn.Close()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	empty := func() error {
		stream, err := streams.NewStreamsClient(conn).Append(ctx)
		if err != nil {
			return err
		}
		err = stream.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("day-1")},
			ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
		}}})
		if err != nil {
			return err
		}
		_, err = stream.CloseAndRecv()
		return err
	}
	if err := server.intakes.Acquire(ctx, maxIntakes); err != nil {
		t.Fatal(err)
	}
	if err := empty(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("an append too many: %v, want that resources are exhausted", err)
	}
	server.intakes.Release(1)
	if err := empty(); err != nil {
		t.Errorf("an append when there is room: %v", err)
	}
	if server.intakes.TryAcquire(2) {
		t.Error("an append gave back more than it took")
	}
	// It gives its place back a moment after its answer.
	if err := server.intakes.Acquire(ctx, 1); err != nil {
		t.Errorf("an append kept its place: %v", err)
	}
}

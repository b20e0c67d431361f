package esdbserver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

func groupOn(stream, group string) *persistent.CreateReq {
	return &persistent.CreateReq{Options: &persistent.CreateReq_Options{
		GroupName: group,
		StreamOption: &persistent.CreateReq_Options_Stream{Stream: &persistent.CreateReq_StreamOptions{
			StreamIdentifier: name(stream), RevisionOption: &persistent.CreateReq_StreamOptions_Start{Start: empty},
		}},
		Settings: &persistent.CreateReq_Settings{MaxRetryCount: 1, MaxSubscriberCount: 1, ResolveLinks: true},
	}}
}

func readOptions(stream, group string, buffer int32) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Options_{Options: &persistent.ReadReq_Options{
		GroupName: group, BufferSize: buffer,
		StreamOption: &persistent.ReadReq_Options_StreamIdentifier{StreamIdentifier: name(stream)},
	}}}
}

func acked(ids ...*shared.UUID) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Ack_{Ack: &persistent.ReadReq_Ack{Ids: ids}}}
}

func nacked(action persistent.ReadReq_Nack_Action, ids ...*shared.UUID) *persistent.ReadReq {
	return &persistent.ReadReq{Content: &persistent.ReadReq_Nack_{Nack: &persistent.ReadReq_Nack{Ids: ids, Action: action}}}
}

func createGroup(t testing.TB, conn *grpc.ClientConn, r *persistent.CreateReq) {
	t.Helper()
	if _, err := persistent.NewPersistentSubscriptionsClient(conn).Create(within(t), r); err != nil {
		t.Fatalf("create: %v", err)
	}
}

// consumer reads a group, and has been confirmed.
func consumer(t testing.TB, conn *grpc.ClientConn, options *persistent.ReadReq) persistent.PersistentSubscriptions_ReadClient {
	t.Helper()
	stream, err := persistent.NewPersistentSubscriptionsClient(conn).Read(within(t))
	if err == nil {
		err = stream.Send(options)
	}
	var first *persistent.ReadResp
	if err == nil {
		first, err = stream.Recv()
	}
	if err != nil {
		t.Fatalf("read a group: %v", err)
	}
	o := options.GetOptions()
	want := string(o.GetStreamIdentifier().GetStreamName()) + "::" + o.GetGroupName()
	if got := first.GetSubscriptionConfirmation().GetSubscriptionId(); got != want {
		t.Fatalf("confirmed as %q, want %q", got, want)
	}
	return stream
}

func received(t testing.TB, stream persistent.PersistentSubscriptions_ReadClient) *persistent.ReadResp_ReadEvent {
	t.Helper()
	m, err := stream.Recv()
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return m.GetEvent()
}

func TestGroupFaults(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	client := persistent.NewPersistentSubscriptionsClient(conn)
	createGroup(t, conn, groupOn("day-0", "desk"))
	one := consumer(t, conn, readOptions("day-0", "desk", 1))
	about := func(exception, stream, group string) map[string]string {
		return map[string]string{"exception": exception, "stream-name": stream, "group-name": group}
	}
	stream := func(s string) *persistent.DeleteReq_Options_StreamIdentifier {
		return &persistent.DeleteReq_Options_StreamIdentifier{StreamIdentifier: name(s)}
	}
	for _, c := range []struct {
		name string
		call func(ctx context.Context, o ...grpc.CallOption) error
		want outcome
	}{
		{"create twice", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.Create(ctx, groupOn("day-0", "desk"), o...)
			return err
		}, outcome{codes.AlreadyExists, about("persistent-subscription-exists", "day-0", "desk")}},
		{"update nothing", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.Update(ctx, &persistent.UpdateReq{Options: &persistent.UpdateReq_Options{
				GroupName: "nobody", Settings: &persistent.UpdateReq_Settings{},
				StreamOption: &persistent.UpdateReq_Options_All{All: &persistent.UpdateReq_AllOptions{AllOption: &persistent.UpdateReq_AllOptions_Start{Start: empty}}},
			}}, o...)
			return err
		}, outcome{codes.NotFound, about("persistent-subscription-does-not-exist", "$all", "nobody")}},
		{"delete nothing", func(ctx context.Context, o ...grpc.CallOption) error {
			_, err := client.Delete(ctx, &persistent.DeleteReq{Options: &persistent.DeleteReq_Options{GroupName: "Café", StreamOption: stream("day-0")}}, o...)
			return err
		}, outcome{codes.NotFound, about("persistent-subscription-does-not-exist", "day-0", "Caf%C3%A9")}},
		{"a consumer too many", func(ctx context.Context, o ...grpc.CallOption) error {
			read, err := client.Read(ctx, o...)
			if err == nil {
				_ = read.Send(readOptions("day-0", "desk", 1))
				_, err = read.Recv()
			}
			return err
		}, outcome{codes.FailedPrecondition, about("maximum-subscribers-reached", "day-0", "desk")}},
		{"a strategy nobody knows", func(ctx context.Context, o ...grpc.CallOption) error {
			r := groupOn("day-0", "other")
			r.Options.Settings.ConsumerStrategy = "Best"
			_, err := client.Create(ctx, r, o...)
			return err
		}, outcome{codes.InvalidArgument, map[string]string{}}},
	} {
		var trailer metadata.MD
		err := c.call(within(t), grpc.Trailer(&trailer))
		if got := outcomeOf(err, trailer); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Whoever is connected is told as well.
	if _, err := client.RestartSubsystem(within(t), empty); err != nil {
		t.Fatalf("restart: %v", err)
	}
	_, err := one.Recv()
	if got, want := outcomeOf(err, one.Trailer()), (outcome{codes.Canceled, about("persistent-subscription-dropped", "day-0", "desk")}); !reflect.DeepEqual(got, want) {
		t.Errorf("restarted: %v, want %v", got, want)
	}
	one = consumer(t, conn, readOptions("day-0", "desk", 1))
	if _, err := client.Delete(within(t), &persistent.DeleteReq{Options: &persistent.DeleteReq_Options{GroupName: "desk", StreamOption: stream("day-0")}}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	_, err = one.Recv()
	if got, want := outcomeOf(err, one.Trailer()), (outcome{codes.NotFound, about("persistent-subscription-does-not-exist", "day-0", "desk")}); !reflect.DeepEqual(got, want) {
		t.Errorf("deleted: %v, want %v", got, want)
	}
}

func TestMalformedGroupReads(t *testing.T) {
	store := openLedger(t)
	fill(t, store, 4)
	_, conn := start(t, store, esdbserver.Options{})
	createGroup(t, conn, groupOn("day-0", "desk"))
	good := readOptions("day-0", "desk", 5)
	nobody := readOptions("", "desk", 5)
	for _, c := range []struct {
		name     string
		messages []*persistent.ReadReq
		want     codes.Code
	}{
		{"no message", nil, codes.InvalidArgument},
		{"an empty message", []*persistent.ReadReq{{}}, codes.InvalidArgument},
		{"an answer before the options", []*persistent.ReadReq{acked(textUUID("x")), good}, codes.InvalidArgument},
		{"no group", []*persistent.ReadReq{readOptions("day-0", "", 5)}, codes.InvalidArgument},
		{"no stream", []*persistent.ReadReq{nobody}, codes.InvalidArgument},
		{"no buffer", []*persistent.ReadReq{readOptions("day-0", "desk", 0)}, codes.InvalidArgument},
		{"a negative buffer", []*persistent.ReadReq{readOptions("day-0", "desk", -1)}, codes.InvalidArgument},
		{"a group that is not there", []*persistent.ReadReq{readOptions("day-0", "nobody", 5)}, codes.NotFound},
		{"options twice", []*persistent.ReadReq{good, good}, codes.InvalidArgument},
		{"an empty message later", []*persistent.ReadReq{good, {}}, codes.InvalidArgument},
		{"an id that is none", []*persistent.ReadReq{good, acked(textUUID("x"))}, codes.InvalidArgument},
		{"no id", []*persistent.ReadReq{good, acked(&shared.UUID{})}, codes.InvalidArgument},
		{"an action nobody knows", []*persistent.ReadReq{good, nacked(9, textUUID(event(0).ID.String()))}, codes.InvalidArgument},
		{"an end without an answer", []*persistent.ReadReq{good}, codes.OK},
		{"answers about what it was never given", []*persistent.ReadReq{good, acked(textUUID("00000000-0000-0000-0000-000000000001")), nacked(1), acked()}, codes.OK},
	} {
		stream, err := persistent.NewPersistentSubscriptionsClient(conn).Read(within(t))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, m := range c.messages {
			if err := stream.Send(m); err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for err == nil {
			_, err = stream.Recv()
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		wantCode(t, c.name, err, c.want)
	}
}

func TestGroupReadsAnswerByTheLinksID(t *testing.T) {
	store := openLedger(t)
	records := fill(t, store, 2)
	linkID := eventstore.EventID{0xaa, 1}
	if _, err := store.Write(within(t), "links", eventstore.Any(),
		eventstore.Event{ID: linkID, Type: eventstore.LinkType, Data: []byte("1@day-0"), Binary: true},
		eventstore.Event{ID: eventstore.EventID{0xaa, 2}, Type: eventstore.LinkType, Data: []byte("9@day-0"), Binary: true},
	); err != nil {
		t.Fatalf("write links: %v", err)
	}
	_, conn := start(t, store, esdbserver.Options{})
	createGroup(t, conn, groupOn("links", "desk"))
	options := readOptions("links", "desk", 1)
	options.GetOptions().UuidOption = &persistent.ReadReq_Options_UUIDOption{Content: &persistent.ReadReq_Options_UUIDOption_String_{String_: empty}}
	stream := consumer(t, conn, options)
	first := received(t, stream)
	// The event is as a plain read gives it.
	want := onWire(records[1]).GetEvent().GetEvent()
	got := first.GetEvent()
	if got.GetId().GetString_() != records[1].ID.String() || !reflect.DeepEqual(got.GetMetadata(), want.GetMetadata()) ||
		string(got.GetData()) != string(want.GetData()) || got.GetStreamRevision() != 1 || string(got.GetStreamIdentifier().GetStreamName()) != "day-0" {
		t.Errorf("given %v, want revision 1 of day-0", got)
	}
	if link := first.GetLink(); link.GetId().GetString_() != linkID.String() || link.GetStreamRevision() != 0 || link.GetMetadata()["content-type"] != "application/octet-stream" || link.GetMetadata()["created"] == "" {
		t.Errorf("by the link %v, want revision 0 of links", link)
	}
	if first.GetRetryCount() != 0 || first.GetCommitPosition() != first.GetLink().GetCommitPosition() {
		t.Errorf("given %v at first, want no retry and the link's position", first)
	}
	for _, m := range []*persistent.ReadReq{acked(first.GetEvent().GetId()), acked(first.GetLink().GetId())} {
		if err := stream.Send(m); err != nil {
			t.Fatalf("ack: %v", err)
		}
	}
	if second := received(t, stream); second.GetEvent() != nil || second.GetLink().GetStreamRevision() != 1 {
		t.Errorf("given %v, want a link to nothing", second)
	}
}

func TestOptionsThatNeverCome(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{AppendTimeout: 20 * time.Millisecond})
	stream, err := persistent.NewPersistentSubscriptionsClient(conn).Read(within(t))
	if err == nil {
		_, err = stream.Recv()
	}
	wantCode(t, "a read that never says of what", err, codes.DeadlineExceeded)
}

func TestShutdownEndsConsumers(t *testing.T) {
	store := openLedger(t)
	server, conn := start(t, store, esdbserver.Options{})
	createGroup(t, conn, groupOn("day-0", "desk"))
	read := consumer(t, conn, readOptions("day-0", "desk", 1))
	idle, err := persistent.NewPersistentSubscriptionsClient(conn).Read(within(t)) // its options never come
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if err := server.Shutdown(within(t)); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	for what, stream := range map[string]persistent.PersistentSubscriptions_ReadClient{"a consumer": read, "one without options": idle} {
		_, err := stream.Recv()
		wantCode(t, what+" after a shutdown", err, codes.Unavailable)
	}
}

func TestWhoMayConsume(t *testing.T) {
	store := openLedger(t)
	fill(t, store, 2)
	_, writable := start(t, store, esdbserver.Options{})
	createGroup(t, writable, groupOn("day-0", "desk"))
	head, err := store.Head(within(t))
	if err != nil {
		t.Fatal(err)
	}
	_, conn := start(t, store, esdbserver.Options{ReadOnly: true, Authenticate: esdbserver.User("admin", "changeit")})
	client := persistent.NewPersistentSubscriptionsClient(conn)
	calls := map[string]func(ctx context.Context) error{
		"Create": func(ctx context.Context) error { _, err := client.Create(ctx, groupOn("day-0", "other")); return err },
		"Update": func(ctx context.Context) error { _, err := client.Update(ctx, &persistent.UpdateReq{}); return err },
		"Delete": func(ctx context.Context) error { _, err := client.Delete(ctx, &persistent.DeleteReq{}); return err },
		"Read": func(ctx context.Context) error {
			stream, err := client.Read(ctx)
			if err == nil {
				_ = stream.Send(readOptions("day-0", "desk", 1))
				_, err = stream.Recv()
			}
			return err
		},
		"ReplayParked": func(ctx context.Context) error {
			_, err := client.ReplayParked(ctx, &persistent.ReplayParkedReq{})
			return err
		},
		"RestartSubsystem": func(ctx context.Context) error { _, err := client.RestartSubsystem(ctx, empty); return err },
		"GetInfo": func(ctx context.Context) error {
			_, err := client.GetInfo(ctx, &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
				GroupName: "desk", StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: name("day-0")},
			}})
			return err
		},
		"List": func(ctx context.Context) error {
			_, err := client.List(ctx, &persistent.ListReq{Options: &persistent.ListReq_Options{
				ListOption: &persistent.ListReq_Options_ListAllSubscriptions{ListAllSubscriptions: empty},
			}})
			return err
		},
	}
	for what, call := range calls {
		wantCode(t, what+" by a stranger", call(within(t)), codes.Unauthenticated)
		want := codes.PermissionDenied
		if slices.Contains([]string{"GetInfo", "List"}, what) {
			want = codes.OK
		}
		wantCode(t, what+" where nobody writes", call(as(within(t), basic("admin", "changeit"))), want)
	}
	if now, err := store.Head(within(t)); err != nil || now != head {
		t.Errorf("the ledger went from %d to %d, %v: a read-only server wrote", head, now, err)
	}
}

// TestInfoTellsOfConsumers shows what an operator sees of who is connected.
func TestInfoTellsOfConsumers(t *testing.T) {
	store := openLedger(t)
	fill(t, store, 8)
	_, conn := start(t, store, esdbserver.Options{})
	r := groupOn("day-0", "desk")
	r.Options.Settings.ExtraStatistics = true
	createGroup(t, conn, r)
	ctx := metadata.AppendToOutgoingContext(as(within(t), basic("host", "secret")), "connection-name", "front desk")
	stream, err := persistent.NewPersistentSubscriptionsClient(conn).Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if err := stream.Send(readOptions("day-0", "desk", 3)); err != nil {
		t.Fatalf("options: %v", err)
	}
	received(t, stream) // the confirmation
	if err := stream.Send(acked(received(t, stream).GetEvent().GetId())); err != nil {
		t.Fatalf("ack: %v", err)
	}
	for range 3 {
		received(t, stream)
	}
	answer, err := persistent.NewPersistentSubscriptionsClient(conn).GetInfo(within(t), &persistent.GetInfoReq{Options: &persistent.GetInfoReq_Options{
		GroupName: "desk", StreamOption: &persistent.GetInfoReq_Options_StreamIdentifier{StreamIdentifier: name("day-0")},
	}})
	if err != nil {
		t.Fatalf("info: %v", err)
	}
	info := answer.GetSubscriptionInfo()
	if len(info.GetConnections()) != 1 {
		t.Fatalf("info %v, want one connection", info)
	}
	c := info.GetConnections()[0]
	got := fmt.Sprint(c.GetUsername(), " ", c.GetConnectionName(), " ", c.GetTotalItems(), " ", c.GetInFlightMessages(), " ", c.GetAvailableSlots(), " ", len(c.GetObservedMeasurements()))
	if want := "host front desk 4 3 0 14"; got != want || c.GetFrom() == "" {
		t.Errorf("the consumer is %q from %q, want %q", got, c.GetFrom(), want)
	}
	if info.GetStatus() != "Live" || info.GetStartFrom() != "0" || info.GetLastKnownEventPosition() != "3" || info.GetNamedConsumerStrategy() != "DispatchToSingle" {
		t.Errorf("info %v", info)
	}
}

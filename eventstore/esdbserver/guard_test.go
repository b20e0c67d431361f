package esdbserver_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"daybook/eventstore/esdbserver"
)

// outcome is what a client makes its typed errors of.
type outcome struct {
	code    codes.Code
	trailer map[string]string
}

func outcomeOf(err error, trailer metadata.MD) outcome {
	o := outcome{code: status.Code(err), trailer: map[string]string{}}
	for k, v := range trailer {
		if k != "content-type" { // gRPC's own, where an answer is nothing but trailers
			o.trailer[k] = strings.Join(v, ",")
		}
	}
	return o
}

// calls are all the ways to reach the ledger. Each gets a good request.
var calls = map[string]func(context.Context, *grpc.ClientConn) outcome{
	"Append": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		stream, err := streams.NewStreamsClient(conn).Append(ctx)
		if err != nil {
			return outcomeOf(err, nil)
		}
		for _, m := range []*streams.AppendReq{options("day-1"), message(event(1)), message(event(2)), message(event(3))} {
			if stream.Send(m) != nil {
				break // the answer says why
			}
		}
		_, err = stream.CloseAndRecv()
		return outcomeOf(err, stream.Trailer())
	},
	"BatchAppend": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		stream, err := streams.NewStreamsClient(conn).BatchAppend(ctx)
		if err != nil {
			return outcomeOf(err, nil)
		}
		_ = stream.Send(batchOf(1, "day-1", anything, true, event(1)))
		_, err = stream.Recv()
		return outcomeOf(err, stream.Trailer())
	},
	"Read": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		stream, err := streams.NewStreamsClient(conn).Read(ctx, request(fromEnd(), backwards, count(1)))
		if err == nil {
			_, err = stream.Recv()
		}
		return outcomeOf(err, stream.Trailer())
	},
	"Subscribe": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := streams.NewStreamsClient(conn).Read(ctx, subscription(fromStart()))
		if err == nil {
			_, err = stream.Recv()
		}
		if err == nil {
			return outcomeOf(nil, nil)
		}
		return outcomeOf(err, stream.Trailer())
	},
	"Delete": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		var trailer metadata.MD
		_, err := streams.NewStreamsClient(conn).Delete(ctx, deleteOf("day-0"), grpc.Trailer(&trailer))
		return outcomeOf(err, trailer)
	},
	"Tombstone": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		var trailer metadata.MD
		_, err := streams.NewStreamsClient(conn).Tombstone(ctx, tombstoneOf("day-9"), grpc.Trailer(&trailer))
		return outcomeOf(err, trailer)
	},
	"GetSupportedMethods": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		_, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{})
		return outcomeOf(err, nil)
	},
	"Gossip": func(ctx context.Context, conn *grpc.ClientConn) outcome {
		_, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
		return outcomeOf(err, nil)
	},
}

func deleteOf(stream string) *streams.DeleteReq {
	return &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier:       name(stream),
		ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: empty},
	}}
}

func tombstoneOf(stream string) *streams.TombstoneReq {
	return &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
		StreamIdentifier:       name(stream),
		ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: empty},
	}}
}

// as makes calls with credentials.
func as(ctx context.Context, authorization ...string) context.Context {
	for _, a := range authorization {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", a)
	}
	return ctx
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// TestWhoMayDoWhat goes through every call with every kind of caller, on servers of every
// kind.
func TestWhoMayDoWhat(t *testing.T) {
	ok := outcome{codes.OK, map[string]string{}}
	stranger := outcome{codes.Unauthenticated, map[string]string{}}
	readOnly := outcome{codes.PermissionDenied, map[string]string{"exception": "access-denied"}}
	admin := esdbserver.User("admin", "changeit")
	servers := []struct {
		name    string
		options esdbserver.Options
		callers map[string][]string // credentials by who they are
		read    outcome
		write   outcome
	}{
		{"open", esdbserver.Options{}, map[string][]string{"nobody": nil, "somebody": {basic("x", "y")}}, ok, ok},
		{"read-only", esdbserver.Options{ReadOnly: true}, map[string][]string{"nobody": nil}, ok, readOnly},
		{"of a user", esdbserver.Options{Authenticate: admin}, map[string][]string{
			"the user": {basic("admin", "changeit")}, "the user, in lower case": {"b" + basic("admin", "changeit")[1:]},
			"the user at last": {basic("x", "y"), basic("admin", "changeit")},
		}, ok, ok},
		{"of a user, read-only", esdbserver.Options{Authenticate: admin, ReadOnly: true},
			map[string][]string{"the user": {basic("admin", "changeit")}}, ok, readOnly},
		{"of a user, to strangers", esdbserver.Options{Authenticate: admin, ReadOnly: true}, map[string][]string{
			"nobody": nil, "a wrong password": {basic("admin", "change")}, "a longer password": {basic("admin", "changeit ")},
			"another user": {basic("root", "changeit")}, "no password": {basic("admin", "")}, "no colon": {"Basic YWRtaW4="},
			"no base64": {"Basic !!"}, "a token": {"Bearer changeit"}, "a scheme alone": {"Basic"}, "an empty header": {""},
			"too many guesses": {basic("a", "a"), basic("b", "b"), basic("c", "c"), basic("d", "d"), basic("admin", "changeit")},
		}, stranger, stranger},
	}
	for _, s := range servers {
		store := openLedger(t)
		fill(t, store, 2)
		_, conn := start(t, store, s.options)
		for who, credentials := range s.callers {
			for call, make := range calls {
				want := s.write
				switch call {
				case "GetSupportedMethods", "Gossip":
					want = ok
				case "Read", "Subscribe":
					want = s.read
				case "Delete", "Tombstone":
					if want.code == codes.OK {
						continue // once is enough, and another test's
					}
				}
				if got := make(as(within(t), credentials...), conn); !reflect.DeepEqual(got, want) {
					t.Errorf("server %s, %s by %s: %v, want %v", s.name, call, who, got, want)
				}
			}
		}
		if s.write.code != codes.OK {
			if head, err := store.Head(within(t)); err != nil || head != 2 {
				t.Errorf("server %s: the ledger is at %d, %v: a refused write was kept", s.name, head, err)
			}
		}
	}
}

// TestRefusedAppendsAreTakenIn to their end: a client whose messages are not taken sees
// that it cannot send, and not why.
func TestRefusedAppendsAreTakenIn(t *testing.T) {
	for name, c := range map[string]struct {
		options esdbserver.Options
		want    codes.Code
	}{
		"read-only":    {esdbserver.Options{ReadOnly: true}, codes.PermissionDenied},
		"to strangers": {esdbserver.Options{Authenticate: esdbserver.User("admin", "changeit")}, codes.Unauthenticated},
	} {
		_, conn := start(t, openLedger(t), c.options)
		stream, err := streams.NewStreamsClient(conn).Append(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for n := range 40 {
			m := changed(n, func(m *streams.AppendReq_ProposedMessage) { m.Data = make([]byte, 64<<10) })
			if err := stream.Send(m); err != nil {
				t.Errorf("%s: message %d: %v", name, n, err)
				break
			}
		}
		_, err = stream.CloseAndRecv()
		wantCode(t, name, err, c.want)
	}
}

// TestRefusalSaysHowToAllowIt, for whoever reads it has to do something about it.
func TestRefusalSaysHowToAllowIt(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{ReadOnly: true})
	_, err := streams.NewStreamsClient(conn).Delete(within(t), deleteOf("day-0"))
	if !strings.Contains(fmt.Sprint(err), "--writable") {
		t.Errorf("refused with %v, which does not say how to allow it", err)
	}
}

// TestUnknownMethodsAreWrites, so that a service that is added is guarded before anybody
// thinks of it.
func TestUnknownMethodsAreWrites(t *testing.T) {
	for method, want := range map[string]esdbserver.Access{
		"/event_store.client.gossip.Gossip/Read":                                    esdbserver.Open,
		"/event_store.client.server_features.ServerFeatures/GetSupportedMethods":    esdbserver.Open,
		"/event_store.client.streams.Streams/Read":                                  esdbserver.Reads,
		"/event_store.client.persistent_subscriptions.PersistentSubscriptions/List": esdbserver.Reads,
		"/event_store.client.persistent_subscriptions.PersistentSubscriptions/Read": esdbserver.Writes,
		"/event_store.client.streams.Streams/Append":                                esdbserver.Writes,
		"/somebody.Elses/Method":                                                    esdbserver.Writes,
		"":                                                                          esdbserver.Writes,
	} {
		if got := esdbserver.AccessOf(method); got != want {
			t.Errorf("%q asks %d, want %d", method, got, want)
		}
	}
}

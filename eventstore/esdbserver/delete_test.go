package esdbserver_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// TestDeleteAndTombstone goes through the life of a stream, and compares what a client is
// told of each step.
func TestDeleteAndTombstone(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	client := streams.NewStreamsClient(conn)
	fill(t, store, 4) // two each

	remove := func(change func(*streams.DeleteReq_Options)) (uint64, outcome) {
		r := deleteOf("day-0")
		if change != nil {
			change(r.Options)
		}
		var trailer metadata.MD
		got, err := client.Delete(within(t), r, grpc.Trailer(&trailer))
		if p := got.GetPosition(); p.GetCommitPosition() != p.GetPreparePosition() {
			t.Errorf("a delete at two positions: %v", p)
		}
		return got.GetPosition().GetCommitPosition(), outcomeOf(err, trailer)
	}
	end := func(change func(*streams.TombstoneReq_Options)) (uint64, outcome) {
		r := tombstoneOf("day-0")
		if change != nil {
			change(r.Options)
		}
		var trailer metadata.MD
		got, err := client.Tombstone(within(t), r, grpc.Trailer(&trailer))
		return got.GetPosition().GetCommitPosition(), outcomeOf(err, trailer)
	}
	add := func(n int) outcome {
		stream, err := client.Append(within(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*streams.AppendReq{options("day-0"), message(event(n))} {
			if err := stream.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		_, err = stream.CloseAndRecv()
		return outcomeOf(err, stream.Trailer())
	}
	look := func() ([]*streams.ReadResp, outcome) {
		stream := read(t, conn, request(ofStream("day-0", -1)))
		var got []*streams.ReadResp
		for {
			m, err := stream.Recv()
			if err != nil {
				if err.Error() == "EOF" {
					err = nil
				}
				return got, outcomeOf(err, stream.Trailer())
			}
			got = append(got, m)
		}
	}
	conflict := func(expected, actual string) outcome {
		return outcome{codes.FailedPrecondition, map[string]string{
			"exception": "wrong-expected-version", "stream-name": "day-0", "expected-version": expected, "actual-version": actual,
		}}
	}
	ok := outcome{codes.OK, map[string]string{}}
	deleted := outcome{codes.FailedPrecondition, map[string]string{"exception": "stream-deleted", "stream-name": "day-0"}}
	want := func(what string, at, wantAt uint64, got, want outcome) {
		t.Helper()
		if at != wantAt || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: position %d, %v, want %d, %v", what, at, got, wantAt, want)
		}
	}

	at, got := remove(func(o *streams.DeleteReq_Options) { o.ExpectedStreamRevision = nil })
	want("a delete that expects nothing", at, 0, got, outcome{codes.InvalidArgument, map[string]string{}})
	at, got = remove(func(o *streams.DeleteReq_Options) { o.StreamIdentifier = nil })
	want("a delete of nothing", at, 0, got, outcome{codes.InvalidArgument, map[string]string{}})
	at, got = remove(func(o *streams.DeleteReq_Options) {
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_Revision{Revision: 7}
	})
	want("a delete at another revision", at, 0, got, conflict("7", "1"))
	at, got = remove(func(o *streams.DeleteReq_Options) {
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_NoStream{NoStream: empty}
	})
	want("a delete of no stream", at, 0, got, conflict("-1", "1"))
	at, got = remove(func(o *streams.DeleteReq_Options) {
		o.ExpectedStreamRevision = &streams.DeleteReq_Options_Revision{Revision: 1}
	})
	want("a delete", at, 4, got, ok)
	if messages, got := look(); len(messages) != 1 || messages[0].GetStreamNotFound() == nil || !reflect.DeepEqual(got, ok) {
		t.Errorf("a deleted stream reads as %v, %v", messages, got)
	}
	if got := add(100); !reflect.DeepEqual(got, ok) {
		t.Errorf("an append after a delete: %v", got)
	}
	messages, _ := look()
	if len(messages) != 1 || messages[0].GetEvent().GetEvent().GetStreamRevision() != 2 {
		t.Errorf("a stream goes on after a delete with %v, want revision 2", messages)
	}

	at, got = end(func(o *streams.TombstoneReq_Options) { o.ExpectedStreamRevision = nil })
	want("a tombstone that expects nothing", at, 0, got, outcome{codes.InvalidArgument, map[string]string{}})
	at, got = end(func(o *streams.TombstoneReq_Options) {
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_Revision{Revision: 0}
	})
	want("a tombstone at another revision", at, 0, got, conflict("0", "2"))
	head, err := store.Head(within(t))
	if err != nil {
		t.Fatal(err)
	}
	at, got = end(func(o *streams.TombstoneReq_Options) {
		o.ExpectedStreamRevision = &streams.TombstoneReq_Options_StreamExists{StreamExists: empty}
	})
	want("a tombstone", at, uint64(head), got, ok)
	at, got = end(nil)
	want("a tombstone on a tombstone", at, 0, got, deleted)
	at, got = remove(nil)
	want("a delete under a tombstone", at, 0, got, deleted)
	if got := add(101); !reflect.DeepEqual(got, deleted) {
		t.Errorf("an append under a tombstone: %v, want %v", got, deleted)
	}
	if messages, got := look(); len(messages) != 0 || !reflect.DeepEqual(got, deleted) {
		t.Errorf("a stream under a tombstone reads as %v, %v", messages, got)
	}
}

// TestDeletionEndsSubscriptions to the stream, and no others.
func TestDeletionEndsSubscriptions(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	fill(t, store, 4)
	live := read(t, conn, subscription(ofStream("day-0", -1)))
	all := read(t, conn, subscription(fromPosition(3)))
	hear(t, live, 4)
	hear(t, all, 2)
	if _, err := store.Tombstone(within(t), "day-0", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	want := outcome{codes.FailedPrecondition, map[string]string{"exception": "stream-deleted", "stream-name": "day-0"}}
	_, err := live.Recv()
	if got := outcomeOf(err, live.Trailer()); !reflect.DeepEqual(got, want) {
		t.Errorf("a live subscription ends with %v, want %v", got, want)
	}
	late := read(t, conn, subscription(ofStream("day-0", -1)))
	atEnd := read(t, conn, subscription(ofStream("day-0", 1<<63-1)))
	for what, stream := range map[string]streams.Streams_ReadClient{"from the start": late, "from the end": atEnd} {
		hear(t, stream, 1)
		_, err := stream.Recv()
		if got := outcomeOf(err, stream.Trailer()); !reflect.DeepEqual(got, want) {
			t.Errorf("a subscription %s ends with %v, want %v", what, got, want)
		}
	}
	m, err := all.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if e := m.GetEvent().GetEvent(); e.GetMetadata()["type"] != "$streamDeleted" || e.GetStreamRevision() != 1<<63-1 {
		t.Errorf("all goes on with %v, want the tombstone", m)
	}
}

// TestNamesThatNoHeaderCarries still get their trailer.
func TestNamesThatNoHeaderCarries(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	if _, err := store.Tombstone(within(t), "Café\n", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	stream := read(t, conn, request(ofStream("Café\n", -1)))
	_, err := stream.Recv()
	got := outcomeOf(err, stream.Trailer())
	want := outcome{codes.FailedPrecondition, map[string]string{"exception": "stream-deleted", "stream-name": "Caf%C3%A9%0A"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestEmptyAppends append nothing and still say whether the expectation holds.
func TestEmptyAppends(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	fill(t, store, 4)
	if _, err := store.Tombstone(context.Background(), "ended", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	none := &streams.AppendResp_Success_NoPosition{NoPosition: empty}
	cases := []struct {
		name    string
		message *streams.AppendReq
		want    *streams.AppendResp_Success
		code    codes.Code
	}{
		{"a stream", options("day-0"), &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: 1}, PositionOption: none,
		}, codes.OK},
		{"a stream where expected", expecting("day-0", 1), &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: 1}, PositionOption: none,
		}, codes.OK},
		{"no stream", options("absent"), &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_NoStream{NoStream: empty}, PositionOption: none,
		}, codes.OK},
		{"a stream elsewhere", expecting("day-0", 7), nil, codes.OK},
		{"a stream that ended", options("ended"), nil, codes.FailedPrecondition},
	}
	for _, c := range cases {
		got, err := send(t, conn, c.message)
		wantCode(t, c.name, err, c.code)
		if c.want != nil && !proto.Equal(got.GetSuccess(), c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if c.want == nil && c.code == codes.OK && got.GetWrongExpectedVersion().GetCurrentRevision() != 1 {
			t.Errorf("%s: %v, want a conflict with revision 1", c.name, got)
		}
	}
}

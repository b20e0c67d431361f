package esdbserver_test

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

func name(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func options(stream string) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       name(stream),
		ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
	}}}
}

func expecting(stream string, revision uint64) *streams.AppendReq {
	o := options(stream)
	o.GetOptions().ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: revision}
	return o
}

func textUUID(id string) *shared.UUID { return &shared.UUID{Value: &shared.UUID_String_{String_: id}} }

func message(e eventstore.Event) *streams.AppendReq {
	return &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:             textUUID(e.ID.String()),
		Metadata:       map[string]string{"type": e.Type, "content-type": "application/json"},
		CustomMetadata: e.Metadata,
		Data:           e.Data,
	}}}
}

// changed is message(event(n)) with something wrong.
func changed(n int, change func(*streams.AppendReq_ProposedMessage)) *streams.AppendReq {
	m := message(event(n))
	change(m.GetProposedMessage())
	return m
}

// send makes one append of these messages. It stops at the first that cannot be sent,
// as clients do.
func send(t testing.TB, conn *grpc.ClientConn, messages ...*streams.AppendReq) (*streams.AppendResp, error) {
	t.Helper()
	stream, err := streams.NewStreamsClient(conn).Append(within(t))
	if err != nil {
		t.Fatalf("append: %v", err)
	}
	for _, m := range messages {
		if err := stream.Send(m); err != nil {
			if errors.Is(err, io.EOF) {
				err = stream.RecvMsg(&streams.AppendResp{})
			}
			return nil, err
		}
	}
	return stream.CloseAndRecv()
}

// TestMalformedAppends sends each fault followed by a good event: the server must
// take that as well before it refuses, and the ledger must stay empty.
func TestMalformedAppends(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	bad := func(change func(*streams.AppendReq_ProposedMessage)) []*streams.AppendReq {
		return []*streams.AppendReq{options("day-1"), changed(0, change)}
	}
	large := make([]*streams.AppendReq, 0, 8)
	large = append(large, options("day-1"))
	for n := range 6 {
		large = append(large, changed(n, func(m *streams.AppendReq_ProposedMessage) { m.Data = make([]byte, eventstore.MaxEventSize-100) }))
	}
	many := []*streams.AppendReq{options("day-1")}
	for n := range eventstore.MaxAppendEvents + 1 {
		many = append(many, message(event(n)))
	}
	noExpectation := options("day-1")
	noExpectation.GetOptions().ExpectedStreamRevision = nil

	cases := []struct {
		name     string
		messages []*streams.AppendReq
	}{
		{"no options", nil},
		{"an empty message", []*streams.AppendReq{{}}},
		{"empty options", []*streams.AppendReq{{Content: &streams.AppendReq_Options_{}}}},
		{"no expected revision", []*streams.AppendReq{noExpectation}},
		{"options twice", []*streams.AppendReq{options("day-1"), options("day-1")}},
		{"an event first", []*streams.AppendReq{message(event(0)), options("day-1")}},
		{"no stream name", []*streams.AppendReq{options("")}},
		{"an over-long stream name", []*streams.AppendReq{options(strings.Repeat("s", eventstore.MaxStreamName+1))}},
		{"a stream name that is not text", []*streams.AppendReq{options("day-\xff")}},
		{"metadata that are no JSON", []*streams.AppendReq{options("$$day-1"), changed(0, func(m *streams.AppendReq_ProposedMessage) {
			m.Metadata["type"], m.Data = "$metadata", []byte("{")
		})}},
		{"no event id", bad(func(m *streams.AppendReq_ProposedMessage) { m.Id = nil })},
		{"an empty event id", bad(func(m *streams.AppendReq_ProposedMessage) { m.Id = &shared.UUID{} })},
		{"an empty structured id", bad(func(m *streams.AppendReq_ProposedMessage) { m.Id = &shared.UUID{Value: &shared.UUID_Structured_{}} })},
		{"a bad uuid", bad(func(m *streams.AppendReq_ProposedMessage) { m.Id = textUUID("not-a-uuid") })},
		{"a zero uuid", bad(func(m *streams.AppendReq_ProposedMessage) { m.Id = textUUID(eventstore.EventID{}.String()) })},
		{"an id twice", []*streams.AppendReq{options("day-1"), message(event(7)), message(event(7))}},
		{"no type", bad(func(m *streams.AppendReq_ProposedMessage) { delete(m.Metadata, "type") })},
		{"an over-long type", bad(func(m *streams.AppendReq_ProposedMessage) {
			m.Metadata["type"] = strings.Repeat("t", eventstore.MaxEventType+1)
		})},
		{"the engine's type", bad(func(m *streams.AppendReq_ProposedMessage) { m.Metadata["type"] = "$streamDeleted" })},
		{"no content type", bad(func(m *streams.AppendReq_ProposedMessage) { delete(m.Metadata, "content-type") })},
		{"an unknown content type", bad(func(m *streams.AppendReq_ProposedMessage) { m.Metadata["content-type"] = "text/xml" })},
		{"a too large event", bad(func(m *streams.AppendReq_ProposedMessage) { m.Data = make([]byte, eventstore.MaxEventSize+1) })},
		{"a too large append", large},
		{"too many events", many},
	}
	for _, c := range cases {
		messages := c.messages
		if len(messages) > 0 {
			messages = append(messages[:len(messages):len(messages)], message(event(99)))
		}
		_, err := send(t, conn, messages...)
		wantCode(t, c.name, err, codes.InvalidArgument)
	}
	// Beyond what a message may have, and beyond what is drained, gRPC or the server
	// cuts the client off; it must still be told.
	_, err := send(t, conn, options("day-1"), changed(0, func(m *streams.AppendReq_ProposedMessage) { m.Data = make([]byte, 6<<20) }))
	wantCode(t, "a message beyond the limit", err, codes.ResourceExhausted)
	endless := []*streams.AppendReq{options("day-1")}
	for n := range 40 {
		endless = append(endless, changed(n, func(m *streams.AppendReq_ProposedMessage) { m.Data = make([]byte, eventstore.MaxEventSize-100) }))
	}
	_, err = send(t, conn, endless...)
	wantCode(t, "an append without end", err, codes.InvalidArgument)

	if head, err := store.Head(within(t)); err != nil || head != eventstore.Start {
		t.Fatalf("the ledger is at %d, %v: a refused append was kept", head, err)
	}
	if _, err := send(t, conn, options("day-1"), message(event(0))); err != nil {
		t.Fatalf("a good append after the bad ones: %v", err)
	}
}

// TestAppendAnswers compares whole answers, as clients of different ages read
// different fields of them.
func TestAppendAnswers(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	none := &shared.Empty{}
	expectation := func(set func(*streams.AppendReq_Options)) *streams.AppendReq {
		o := options("day-1")
		set(o.GetOptions())
		return o
	}
	noStream := expectation(func(o *streams.AppendReq_Options) {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: none}
	})
	exists := expectation(func(o *streams.AppendReq_Options) {
		o.ExpectedStreamRevision = &streams.AppendReq_Options_StreamExists{StreamExists: none}
	})
	wrong := func(w *streams.AppendResp_WrongExpectedVersion) *streams.AppendResp {
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}}
	}
	steps := []struct {
		name     string
		messages []*streams.AppendReq
		want     func(head uint64) *streams.AppendResp // head is the wire position of the last record
	}{
		{"exists, on no stream", []*streams.AppendReq{exists, message(event(0))}, func(uint64) *streams.AppendResp {
			return wrong(&streams.AppendResp_WrongExpectedVersion{
				CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none},
				CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: none},
				ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none},
				ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: none},
			})
		}},
		{"no stream", []*streams.AppendReq{noStream, message(event(0)), message(event(1))}, func(head uint64) *streams.AppendResp {
			return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
				CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: 1},
				PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: head, PreparePosition: head}},
			}}}
		}},
		{"no stream, on a stream", []*streams.AppendReq{noStream, message(event(2))}, func(uint64) *streams.AppendResp {
			return wrong(&streams.AppendResp_WrongExpectedVersion{
				CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 1},
				CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 1},
				ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none},
				ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64},
			})
		}},
		{"another revision", []*streams.AppendReq{expecting("day-1", 0), message(event(2))}, func(uint64) *streams.AppendResp {
			return wrong(&streams.AppendResp_WrongExpectedVersion{
				CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 1},
				CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 1},
				ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: 0},
				ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: 0},
			})
		}},
		{"any, partly known", []*streams.AppendReq{options("day-1"), message(event(1)), message(event(2))}, func(uint64) *streams.AppendResp {
			return wrong(&streams.AppendResp_WrongExpectedVersion{
				CurrentRevisionOption:         &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: 1},
				CurrentRevisionOption_20_6_0:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: 1},
				ExpectedRevisionOption:        &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: none},
				ExpectedRevisionOption_20_6_0: &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: none},
			})
		}},
	}
	for _, step := range steps {
		got, err := send(t, conn, step.messages...)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		head, err := store.Head(within(t))
		if err != nil {
			t.Fatalf("head: %v", err)
		}
		if want := step.want(uint64(head) - 1); !proto.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", step.name, got, want)
		}
	}
}

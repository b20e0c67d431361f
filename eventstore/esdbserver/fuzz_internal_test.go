package esdbserver

import (
	"context"
	"io"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"daybook/eventstore"
)

// encoded is a message as a seed.
func encoded(f *testing.F, m proto.Message) []byte {
	f.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// run joins messages, each behind its length, as one seed; cut takes them apart.
func run(f *testing.F, messages ...proto.Message) []byte {
	var out []byte
	for _, m := range messages {
		out = protowire.AppendBytes(out, encoded(f, m))
	}
	return out
}

func cut(data []byte) (messages [][]byte) {
	for len(data) > 0 {
		m, n := protowire.ConsumeBytes(data)
		if n < 0 {
			return messages
		}
		messages, data = append(messages, m), data[n:]
	}
	return messages
}

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	if err != nil && status.Code(err) != codes.InvalidArgument {
		t.Fatalf("refused with %v, want an invalid argument", err)
	}
}

// FuzzReadRequest reads requests, and asks the filter that comes of one about a record.
func FuzzReadRequest(f *testing.F) {
	stream := &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("day-1")},
		RevisionOption:   &streams.ReadReq_Options_StreamOptions_Revision{Revision: math.MaxUint64},
	}}
	position := &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
		Position: &streams.ReadReq_Options_Position{CommitPosition: 7, PreparePosition: 7},
	}}}
	for _, o := range []*streams.ReadReq_Options{
		nil,
		{},
		{StreamOption: stream, CountOption: &streams.ReadReq_Options_Count{Count: 3}, ReadDirection: streams.ReadReq_Options_Backwards},
		{StreamOption: position, CountOption: &streams.ReadReq_Options_Subscription{}, ResolveLinks: true},
		{StreamOption: position, CountOption: &streams.ReadReq_Options_Subscription{}, FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_EventType{EventType: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^[^$].*"}},
			Window: &streams.ReadReq_Options_FilterOptions_Max{Max: math.MaxUint32}, CheckpointIntervalMultiplier: math.MaxUint32,
		}}},
		{StreamOption: position, CountOption: &streams.ReadReq_Options_Count{Count: math.MaxUint64}, FilterOption: &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
			Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"", "day-"}}},
			Window: &streams.ReadReq_Options_FilterOptions_Count{Count: &shared.Empty{}},
		}}, UuidOption: &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}}},
	} {
		f.Add(encoded(f, &streams.ReadReq{Options: o}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		request := &streams.ReadReq{}
		if proto.Unmarshal(data, request) != nil {
			return
		}
		r, err := parseRead(request)
		wantRefusal(t, err)
		if err != nil {
			return
		}
		if r.filter != nil && r.filter.every == 0 {
			t.Fatal("a filter of no checkpoint ever divides by zero")
		}
		record := eventstore.Record{Stream: "day-1", Event: eventstore.Event{Type: "reservation.held"}, Position: 1}
		r.filter.pass(record)
		if _, err := proto.Marshal(r.record.event(&record, &record)); err != nil {
			t.Fatal(err)
		}
	})
}

// pretended is a client's side of an Append.
type pretended struct {
	streams.Streams_AppendServer
	messages [][]byte
}

func (p *pretended) Recv() (*streams.AppendReq, error) {
	if len(p.messages) == 0 {
		return nil, io.EOF
	}
	m := &streams.AppendReq{}
	err := proto.Unmarshal(p.messages[0], m)
	if p.messages = p.messages[1:]; err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return m, nil
}

// FuzzAppend takes in appends, message by message.
func FuzzAppend(f *testing.F) {
	id := &shared.UUID{Value: &shared.UUID_String_{String_: "4b5a4c1e-0d1f-4c57-9f0c-3e8b6f5b8b11"}}
	options := &streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("$$day-1")},
		ExpectedStreamRevision: &streams.AppendReq_Options_Revision{Revision: math.MaxUint64},
	}}}
	event := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id: id, Metadata: map[string]string{"type": "$metadata", "content-type": "application/json"}, Data: []byte("{}"), CustomMetadata: []byte("m"),
	}}}
	structured := &streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
		Id:       &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: -1, LeastSignificantBits: math.MinInt64}}},
		Metadata: map[string]string{"type": "t", "content-type": "application/octet-stream"},
	}}}
	f.Add(run(f))
	f.Add(run(f, options))
	f.Add(run(f, options, event, structured))
	f.Add(run(f, event, options))
	f.Add(run(f, options, &streams.AppendReq{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := receive(&pretended{messages: cut(data)})
		wantRefusal(t, in.err)
		size := 0
		for _, e := range in.events {
			if size += len(e.Data) + len(e.Metadata); !utf8.ValidString(e.Type) {
				t.Fatalf("type %q is no text", e.Type)
			}
		}
		switch {
		case in.err != nil && in.events != nil:
			t.Fatal("what is refused is kept")
		case size > eventstore.MaxAppendSize || len(in.events) > eventstore.MaxAppendEvents:
			t.Fatalf("%d events of %d bytes are kept", len(in.events), size)
		case in.err == nil && (!in.expected.Valid() || eventstore.CheckStream(in.stream) != nil):
			t.Fatalf("an append to %q expecting %s is taken", in.stream, in.expected)
		}
	})
}

// quietBatches is a client's side of a BatchAppend that keeps the answers.
type quietBatches struct {
	streams.Streams_BatchAppendServer
	answers []*streams.BatchAppendResp
}

func (q *quietBatches) Send(m *streams.BatchAppendResp) error {
	if _, err := proto.Marshal(m); err != nil {
		return err
	}
	q.answers = append(q.answers, m)
	return nil
}

// inert is an engine that appends nothing.
type inert struct{ eventstore.Engine }

func (inert) Write(context.Context, eventstore.StreamName, eventstore.Expected, ...eventstore.Event) (eventstore.Appended, error) {
	return eventstore.Appended{}, eventstore.ErrUnavailable
}

func (inert) Look(context.Context, eventstore.StreamName) (eventstore.StreamState, error) {
	return eventstore.StreamState{}, eventstore.ErrUnavailable
}

// FuzzBatch takes messages of a BatchAppend.
func FuzzBatch(f *testing.F) {
	id := &shared.UUID{Value: &shared.UUID_String_{String_: "4b5a4c1e-0d1f-4c57-9f0c-3e8b6f5b8b11"}}
	proposed := []*streams.BatchAppendReq_ProposedMessage{{
		Id: id, Metadata: map[string]string{"type": "t", "content-type": "application/json"}, Data: []byte("{}"),
	}}
	options := func(d func(*streams.BatchAppendReq_Options)) *streams.BatchAppendReq_Options {
		o := &streams.BatchAppendReq_Options{
			StreamIdentifier:       &shared.StreamIdentifier{StreamName: []byte("day-1")},
			ExpectedStreamPosition: &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}},
		}
		d(o)
		return o
	}
	for _, o := range []*streams.BatchAppendReq_Options{
		nil,
		options(func(*streams.BatchAppendReq_Options) {}),
		options(func(o *streams.BatchAppendReq_Options) {
			o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: &durationpb.Duration{Seconds: 315_576_000_000, Nanos: 999_999_999}}
		}),
		options(func(o *streams.BatchAppendReq_Options) {
			o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: &durationpb.Duration{Seconds: -315_576_000_000}}
		}),
		options(func(o *streams.BatchAppendReq_Options) {
			o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: &timestamppb.Timestamp{Seconds: 253_402_300_799}}
		}),
		options(func(o *streams.BatchAppendReq_Options) {
			o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: math.MaxUint64}
		}),
	} {
		f.Add(run(f, &streams.BatchAppendReq{CorrelationId: id, Options: o, ProposedMessages: proposed}, &streams.BatchAppendReq{CorrelationId: id, IsFinal: true}))
	}
	server := &Server{
		engine: inert{}, closing: context.Background(),
		options: Options{AppendTimeout: 15 * time.Second, Logger: slog.New(slog.DiscardHandler)},
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		client := &quietBatches{}
		b := newBatcher(server, client)
		defer b.expiry.Stop()
		messages, now := cut(data), time.Now()
		for _, raw := range messages {
			m := &streams.BatchAppendReq{}
			if proto.Unmarshal(raw, m) != nil {
				continue
			}
			if err := b.take(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if len(b.pending) > maxPending || b.held > maxPendingSize || b.held < 0 {
				t.Fatalf("%d batches of %d bytes are kept", len(b.pending), b.held)
			}
		}
		b.appends.Wait()
		for _, p := range b.pending {
			if limit := now.Add(time.Minute); p.deadline.After(limit) {
				t.Fatalf("a batch waits until %s", p.deadline)
			}
		}
		b.expire(time.Now().Add(time.Hour))
		if len(b.pending) != 0 || b.held != 0 {
			t.Fatalf("%d batches of %d bytes outlive their deadlines", len(b.pending), b.held)
		}
		if len(client.answers) > len(messages) {
			t.Fatalf("%d answers to %d messages", len(client.answers), len(messages))
		}
	})
}

// FuzzWords reads what else comes from clients as text: links, ids, credentials and names
// that go into trailers.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "0@day-1", "9223372036854775807@$$x", "-1@x", "@", "Basic YWRtaW46Y2hhbmdlaXQ=", "Basic", "basic =", "Café\r\n",
		"{4b5a4c1e-0d1f-4c57-9f0c-3e8b6f5b8b11}", "urn:uuid:4b5a4c1e-0d1f-4c57-9f0c-3e8b6f5b8b11"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if stream, revision, ok := linkTarget([]byte(s)); ok && (eventstore.CheckStream(stream) != nil || revision > math.MaxInt64) {
			t.Fatalf("%q links to %d@%q", s, revision, stream)
		}
		if user, _, ok := basicAuth(s); ok && strings.Contains(user, ":") {
			t.Fatalf("%q is of user %q", s, user)
		}
		for _, c := range []byte(printable(s)) {
			if c < ' ' || c > '~' {
				t.Fatalf("%q is printed as %q", s, printable(s))
			}
		}
		_, err := eventID(&shared.UUID{Value: &shared.UUID_String_{String_: s}})
		wantRefusal(t, err)
		_, err = streamName(&shared.StreamIdentifier{StreamName: []byte(s)})
		wantRefusal(t, err)
	})
}

package esdbserver_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver"
)

// correlation is the id of the n-th batch.
func correlation(n int) *shared.UUID {
	return textUUID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
}

type batchOption func(*streams.BatchAppendReq_Options)

func anything(o *streams.BatchAppendReq_Options) {
	o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_Any{Any: &emptypb.Empty{}}
}

func nothingYet(o *streams.BatchAppendReq_Options) {
	o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_NoStream{NoStream: &emptypb.Empty{}}
}

func something(o *streams.BatchAppendReq_Options) {
	o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamExists{StreamExists: &emptypb.Empty{}}
}

func at(revision uint64) batchOption {
	return func(o *streams.BatchAppendReq_Options) {
		o.ExpectedStreamPosition = &streams.BatchAppendReq_Options_StreamPosition{StreamPosition: revision}
	}
}

// more is a message of a batch that was begun before.
func more(n int, final bool, events ...eventstore.Event) *streams.BatchAppendReq {
	m := &streams.BatchAppendReq{CorrelationId: correlation(n), IsFinal: final}
	for _, e := range events {
		m.ProposedMessages = append(m.ProposedMessages, &streams.BatchAppendReq_ProposedMessage{
			Id:             textUUID(e.ID.String()),
			Metadata:       map[string]string{"type": e.Type, "content-type": "application/json"},
			CustomMetadata: e.Metadata,
			Data:           e.Data,
		})
	}
	return m
}

// batchOf is the first message of a batch.
func batchOf(n int, stream string, option batchOption, final bool, events ...eventstore.Event) *streams.BatchAppendReq {
	m := more(n, final, events...)
	m.Options = &streams.BatchAppendReq_Options{StreamIdentifier: name(stream)}
	option(m.Options)
	return m
}

func withDeadline(option batchOption, deadline time.Duration) batchOption {
	return func(o *streams.BatchAppendReq_Options) {
		option(o)
		o.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(deadline)}
	}
}

func openBatch(t testing.TB, conn *grpc.ClientConn) streams.Streams_BatchAppendClient {
	t.Helper()
	stream, err := streams.NewStreamsClient(conn).BatchAppend(within(t))
	if err != nil {
		t.Fatalf("batch append: %v", err)
	}
	return stream
}

// answers sends messages, ends, and returns what came back by the number of the batch.
func answers(t testing.TB, stream streams.Streams_BatchAppendClient, messages ...*streams.BatchAppendReq) map[string]*streams.BatchAppendResp {
	t.Helper()
	go func() {
		for _, m := range messages {
			if stream.Send(m) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	got := map[string]*streams.BatchAppendResp{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			t.Fatalf("after %d answers: %v", len(got), err)
		}
		id := m.GetCorrelationId().GetString_()
		if got[id] != nil {
			t.Fatalf("batch %s was answered twice", id)
		}
		got[id] = m
	}
}

// failure returns what a batch failed with: code, detail.
func failure(t testing.TB, m *streams.BatchAppendResp) (codes.Code, proto.Message) {
	t.Helper()
	if m.GetError() == nil || len(m.GetError().GetDetails()) != 1 {
		t.Fatalf("answered %v, want an error with one detail", m)
	}
	detail, err := m.GetError().GetDetails()[0].UnmarshalNew()
	if err != nil {
		t.Fatal(err)
	}
	return codes.Code(m.GetError().GetCode()), detail
}

// TestBatchAnswers compares whole answers.
func TestBatchAnswers(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	if _, err := store.Tombstone(within(t), "ended", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	none := &emptypb.Empty{}
	success := func(revision, position uint64) *streams.BatchAppendResp_Success {
		return &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: revision},
			PositionOption:        &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{CommitPosition: position, PreparePosition: position}},
		}
	}
	steps := []struct {
		name    string
		message *streams.BatchAppendReq
		success *streams.BatchAppendResp_Success
		code    codes.Code
		detail  proto.Message
	}{
		{"exists, on no stream", batchOf(0, "day-1", something, true, event(0)), nil, codes.AlreadyExists, &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption:  &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none},
			ExpectedStreamPositionOption: &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none},
		}},
		{"no stream", batchOf(1, "day-1", nothingYet, true, event(0), event(1)), success(1, 2), 0, nil},
		{"no stream, again", batchOf(2, "day-1", nothingYet, true, event(0), event(1)), success(1, 2), 0, nil},
		{"no stream, on a stream", batchOf(3, "day-1", nothingYet, true, event(2)), nil, codes.AlreadyExists, &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption:  &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 1},
			ExpectedStreamPositionOption: &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none},
		}},
		{"another revision", batchOf(4, "day-1", at(7), true, event(2)), nil, codes.AlreadyExists, &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption:  &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 1},
			ExpectedStreamPositionOption: &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: 7},
		}},
		{"any, partly known", batchOf(5, "day-1", anything, true, event(1), event(2)), nil, codes.AlreadyExists, &shared.WrongExpectedVersion{
			CurrentStreamRevisionOption:  &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: 1},
			ExpectedStreamPositionOption: &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: none},
		}},
		{"the revision", batchOf(6, "day-1", at(1), true, event(2)), success(2, 3), 0, nil},
		{"no events", batchOf(7, "day-1", at(2), true), &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: 2},
			PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: none},
		}, 0, nil},
		{"no events, on no stream", batchOf(8, "day-2", nothingYet, true), &streams.BatchAppendResp_Success{
			CurrentRevisionOption: &streams.BatchAppendResp_Success_NoStream{NoStream: none},
			PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: none},
		}, 0, nil},
		{"a stream that ended", batchOf(9, "ended", anything, true, event(3)), nil, codes.NotFound, &shared.StreamDeleted{StreamIdentifier: name("ended")}},
	}
	stream := openBatch(t, conn)
	for _, step := range steps {
		if err := stream.Send(step.message); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		want := &streams.BatchAppendResp{CorrelationId: step.message.CorrelationId, StreamIdentifier: step.message.GetOptions().GetStreamIdentifier()}
		switch e := step.message.GetOptions().GetExpectedStreamPosition().(type) {
		case *streams.BatchAppendReq_Options_Any:
			want.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: none}
		case *streams.BatchAppendReq_Options_NoStream:
			want.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: none}
		case *streams.BatchAppendReq_Options_StreamExists:
			want.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: none}
		case *streams.BatchAppendReq_Options_StreamPosition:
			want.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: e.StreamPosition}
		}
		if step.success == nil {
			code, detail := failure(t, got)
			if code != step.code || !proto.Equal(detail, step.detail) {
				t.Errorf("%s: %s, %v, want %s, %v", step.name, code, detail, step.code, step.detail)
			}
			want.Result = got.GetResult()
		} else {
			want.Result = &streams.BatchAppendResp_Success_{Success: step.success}
		}
		if !proto.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", step.name, got, want)
		}
	}
}

// TestBatchesOfOneStreamKeepTheirOrder though nobody waits for an answer: each expects
// what the one before leaves.
func TestBatchesOfOneStreamKeepTheirOrder(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	const batches, names = 200, 3
	var messages []*streams.BatchAppendReq
	for n := range batches {
		for s := range names {
			stream, expected := fmt.Sprintf("day-%d", s), at(uint64(n-1))
			if n == 0 {
				expected = nothingYet
			}
			messages = append(messages, batchOf(n*names+s, stream, expected, true, event(n*names+s)))
		}
	}
	got := answers(t, openBatch(t, conn), messages...)
	if len(got) != batches*names {
		t.Fatalf("%d answers, want %d", len(got), batches*names)
	}
	for id, m := range got {
		if m.GetSuccess() == nil {
			t.Fatalf("batch %s: %v", id, m.GetError())
		}
	}
	for s := range names {
		n := 0
		for r, err := range store.ReadStream(within(t), eventstore.StreamName(fmt.Sprintf("day-%d", s)), 0) {
			if err != nil || r.ID != event(n*names+s).ID {
				t.Fatalf("revision %d of day-%d is %s, %v", n, s, r.ID, err)
			}
			n++
		}
	}
}

// TestBatchesInPieces come in turn, each under its own id, and one is never finished.
func TestBatchesInPieces(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	got := answers(t, openBatch(t, conn),
		batchOf(1, "day-1", nothingYet, false, event(0)),
		batchOf(2, "day-2", nothingYet, false),
		more(1, false, event(1), event(2)),
		batchOf(3, "day-3", nothingYet, false, event(7)),
		more(2, false, event(3)),
		more(9, true, event(8)), // of no batch
		more(1, true),
		more(2, true, event(4)),
	)
	for n, want := range map[int]uint64{1: 2, 2: 1} {
		m := got[correlation(n).GetString_()]
		if m.GetSuccess() == nil || m.GetSuccess().GetCurrentRevision() != want {
			t.Errorf("batch %d: %v, want revision %d", n, m, want)
		}
	}
	if head, err := store.Head(within(t)); err != nil || len(got) != 2 || head != 5 {
		t.Errorf("%d answers and %d events, %v, want 2 and 5", len(got), head, err)
	}
}

// TestRefusedBatches ends each faulty batch alone, and answers it once.
func TestRefusedBatches(t *testing.T) {
	store := openLedger(t)
	_, conn := start(t, store, esdbserver.Options{})
	large := func(n, size int) eventstore.Event {
		e := event(n)
		e.Data, e.Metadata = make([]byte, size), nil
		return e
	}
	bad := func(n int, change func(*streams.BatchAppendReq)) []*streams.BatchAppendReq {
		m := batchOf(n, "day-1", anything, true, event(0))
		change(m)
		return []*streams.BatchAppendReq{m}
	}
	many := []*streams.BatchAppendReq{batchOf(9, "day-1", anything, false)}
	for n := 0; n <= eventstore.MaxAppendEvents; n += 512 {
		var events []eventstore.Event
		for i := range 512 {
			events = append(events, event(n+i))
		}
		many = append(many, more(9, false, events...))
	}
	badRequest := func(m proto.Message) bool { return m.(*shared.BadRequest).GetMessage() != "" }
	tooLarge := func(limit uint32) func(proto.Message) bool {
		return func(m proto.Message) bool { return m.(*shared.MaximumAppendSizeExceeded).GetMaxAppendSize() == limit }
	}
	timedOut := func(m proto.Message) bool { return proto.Equal(m, &shared.Timeout{}) }
	cases := []struct {
		name     string
		messages []*streams.BatchAppendReq
		code     codes.Code
		detail   func(proto.Message) bool
	}{
		{"no correlation id", bad(0, func(m *streams.BatchAppendReq) { m.CorrelationId = nil }), codes.InvalidArgument, badRequest},
		{"no stream", bad(1, func(m *streams.BatchAppendReq) { m.Options.StreamIdentifier = nil }), codes.InvalidArgument, badRequest},
		{"no expectation", bad(2, func(m *streams.BatchAppendReq) { m.Options.ExpectedStreamPosition = nil }), codes.InvalidArgument, badRequest},
		{"no event id", bad(3, func(m *streams.BatchAppendReq) { m.ProposedMessages[0].Id = nil }), codes.InvalidArgument, badRequest},
		{"no type", bad(4, func(m *streams.BatchAppendReq) { delete(m.ProposedMessages[0].Metadata, "type") }), codes.InvalidArgument, badRequest},
		{"the engine's type", bad(5, func(m *streams.BatchAppendReq) { m.ProposedMessages[0].Metadata["type"] = "$streamDeleted" }), codes.InvalidArgument, badRequest},
		{"a bad duration", bad(6, func(m *streams.BatchAppendReq) {
			m.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: &durationpb.Duration{Nanos: -1, Seconds: 1}}
		}), codes.InvalidArgument, badRequest},
		{"a bad time", bad(7, func(m *streams.BatchAppendReq) {
			m.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: &timestamppb.Timestamp{Nanos: -1}}
		}), codes.InvalidArgument, badRequest},
		{"too many events", append(many, more(9, true)), codes.InvalidArgument, badRequest},
		{"a large event", []*streams.BatchAppendReq{batchOf(10, "day-1", anything, true, large(0, eventstore.MaxEventSize+1))},
			codes.InvalidArgument, tooLarge(eventstore.MaxEventSize)},
		{"a large append", []*streams.BatchAppendReq{
			batchOf(11, "day-1", anything, false, large(0, 1<<20), large(1, 1<<20), large(2, 1<<20)),
			more(11, false, large(3, 1<<20), large(4, 1)), more(11, true, large(5, 1)),
		}, codes.InvalidArgument, tooLarge(eventstore.MaxAppendSize)},
		{"no time left", bad(12, func(m *streams.BatchAppendReq) {
			m.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline{Deadline: durationpb.New(-time.Second)}
		}), codes.DeadlineExceeded, timedOut},
		{"too late", bad(13, func(m *streams.BatchAppendReq) {
			m.Options.DeadlineOption = &streams.BatchAppendReq_Options_Deadline_21_10_0{Deadline_21_10_0: timestamppb.New(time.Now().Add(-time.Minute))}
		}), codes.DeadlineExceeded, timedOut},
	}
	var all []*streams.BatchAppendReq
	for _, c := range cases {
		all = append(all, c.messages...)
	}
	all = append(all, batchOf(99, "day-2", nothingYet, true, event(9000)))
	got := answers(t, openBatch(t, conn), all...)
	for _, c := range cases {
		m := got[c.messages[0].GetCorrelationId().GetString_()]
		if code, detail := failure(t, m); code != c.code || !c.detail(detail) {
			t.Errorf("%s: %s, %v, want %s", c.name, code, detail, c.code)
		}
	}
	if m := got[correlation(99).GetString_()]; m.GetSuccess() == nil {
		t.Errorf("a good batch after the bad ones: %v", m)
	}
	if head, err := store.Head(within(t)); err != nil || head != 1 {
		t.Errorf("the ledger is at %d, %v: a refused batch was kept", head, err)
	}
}

// TestUnfinishedBatchesExpire, each at its own deadline or the server's.
func TestUnfinishedBatchesExpire(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{AppendTimeout: 100 * time.Millisecond})
	stream := openBatch(t, conn)
	for n, deadline := range []time.Duration{20 * time.Millisecond, time.Hour, 200 * 365 * 24 * time.Hour} {
		if err := stream.Send(batchOf(n, "day-1", withDeadline(anything, deadline), false, event(n))); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]bool{}
	for range 3 {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if code, detail := failure(t, m); code != codes.DeadlineExceeded || !proto.Equal(detail, &shared.Timeout{}) {
			t.Errorf("answered %s, %v", code, detail)
		}
		got[m.GetCorrelationId().GetString_()] = true
	}
	if len(got) != 3 {
		t.Errorf("answers for %v, want three batches", got)
	}
	// The call goes on.
	if err := stream.Send(batchOf(7, "day-1", nothingYet, true, event(7))); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetSuccess() == nil {
		t.Errorf("a batch after the expired ones: %v, %v", m, err)
	}
}

// TestBegunBatchesAreBounded: by their number and by their size.
func TestBegunBatchesAreBounded(t *testing.T) {
	_, conn := start(t, openLedger(t), esdbserver.Options{})
	var messages []*streams.BatchAppendReq
	for n := range 300 {
		messages = append(messages, batchOf(n, "day-1", anything, false))
	}
	got := answers(t, openBatch(t, conn), messages...)
	if len(got) != 300-256 {
		t.Errorf("%d of 300 batches refused, want %d", len(got), 300-256)
	}
	messages = nil
	e := event(0)
	e.Data = []byte(strings.Repeat(" ", 1<<20-100))
	for n := range 20 {
		messages = append(messages, batchOf(n, "day-1", anything, false, e))
	}
	if got := answers(t, openBatch(t, conn), messages...); len(got) != 20-8 {
		t.Errorf("%d of 20 batches of 1 MiB refused, want %d", len(got), 20-8)
	}
}

// TestShutdownEndsBatches needs no client to leave first.
func TestShutdownEndsBatches(t *testing.T) {
	server, conn := start(t, openLedger(t), esdbserver.Options{})
	stream := openBatch(t, conn)
	if err := stream.Send(batchOf(1, "day-1", nothingYet, true, event(1))); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.GetSuccess() == nil {
		t.Fatalf("%v, %v", m, err)
	}
	if err := server.Shutdown(within(t)); err != nil {
		t.Fatalf("shutdown: %v", err)
	}
	_, err := stream.Recv()
	wantCode(t, "batch append after shutdown", err, codes.Unavailable)
}

package esdbserver

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

type streamsService struct {
	streams.UnimplementedStreamsServer
	server *Server
}

// maxDrained is how much of a refused append is still read, in bytes. A client that
// is refused while it sends sees the refusal only if its messages are taken; one that
// sends more than this is cut off.
const maxDrained = 4 * eventstore.MaxAppendSize

// Append takes the options and then one message an event, and appends all of them at
// the end of the client's messages or none.
func (s *streamsService) Append(stream streams.Streams_AppendServer) error {
	ctx, cancel := context.WithTimeout(stream.Context(), s.server.options.AppendTimeout)
	defer cancel()
	if err := s.server.intakes.Acquire(ctx, 1); err != nil {
		return status.Error(codes.ResourceExhausted, "too many appends at a time; nothing was appended")
	}
	defer s.server.intakes.Release(1)

	// Receiving cannot be given a deadline of its own. It ends when this call returns,
	// for that cancels the stream.
	received := make(chan intake, 1)
	go func() { received <- receive(stream) }()
	var in intake
	select {
	case in = <-received:
	case <-ctx.Done():
		return status.Error(codes.DeadlineExceeded, "the append was not sent in time; nothing was appended")
	}
	if in.err != nil {
		return in.err
	}

	at, err := s.server.write(ctx, in.stream, in.expected, in.events)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return stream.SendAndClose(wrongVersion(conflict))
	}
	if err != nil {
		return s.server.failure("Append", in.stream, err)
	}
	return stream.SendAndClose(appended(at))
}

// written says where a write ended. A write of nothing has no position, and no revision
// where there is no stream.
type written struct {
	stream, position bool
	at               eventstore.Appended
}

// write appends, also no events: that only asks whether an expectation holds.
func (s *Server) write(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event) (written, error) {
	if len(events) > 0 {
		at, err := s.engine.Write(ctx, stream, expected, events...)
		return written{stream: true, position: true, at: at}, err
	}
	state, err := s.engine.Look(ctx, stream)
	if err != nil {
		return written{}, err
	}
	if state.Deleted {
		return written{}, eventstore.ErrStreamDeleted
	}
	actual := eventstore.Actual{Exists: state.Shown}
	if state.Shown {
		actual.Revision = state.Last
	}
	if !expected.Permits(actual) {
		return written{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
	}
	return written{stream: state.Shown, at: eventstore.Appended{Revision: actual.Revision}}, nil
}

func appended(w written) *streams.AppendResp {
	success := &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(w.at.Revision)},
		PositionOption:        &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}},
	}
	if !w.stream {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	if w.position {
		position := toWire(w.at.Position)
		success.PositionOption = &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{
			CommitPosition: position, PreparePosition: position,
		}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}
}

// intake is one append as it was received, or why it is refused.
type intake struct {
	stream   eventstore.StreamName
	expected eventstore.Expected
	events   []eventstore.Event
	size     int
	err      error
}

// receive takes all messages of an append. A fault in one of them is kept until the
// client has sent the rest.
func receive(stream streams.Streams_AppendServer) intake {
	var in intake
	drained, begun := 0, false
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			if in.err == nil && !begun {
				in.err = invalid("an append without options")
			}
			return in
		}
		if err != nil {
			in.refuse(err) // the client broke off, or gRPC refused a message
			return in
		}
		switch content := m.GetContent().(type) {
		case *streams.AppendReq_Options_:
			if begun {
				in.refuse(invalid("an append has options twice"))
				continue
			}
			begun = true
			in.options(content.Options)
		case *streams.AppendReq_ProposedMessage_:
			drained += len(content.ProposedMessage.GetData()) + len(content.ProposedMessage.GetCustomMetadata())
			if drained > maxDrained {
				in.refuse(appendTooLarge(eventstore.MaxAppendSize))
				return in
			}
			if !begun {
				in.refuse(invalid("an append has an event before its options"))
				continue
			}
			in.event(content.ProposedMessage)
		default:
			in.refuse(invalid("an append has a message of no known kind"))
		}
	}
}

// refuse keeps the first fault: later ones may only follow from it. What was received
// is of no use any more.
func (in *intake) refuse(err error) {
	if in.err == nil {
		in.err, in.events = err, nil
	}
}

func (in *intake) options(o *streams.AppendReq_Options) {
	name, err := streamName(o.GetStreamIdentifier())
	if err != nil {
		in.refuse(err)
		return
	}
	in.stream = name
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		in.expected = eventstore.At(eventstore.Revision(e.Revision))
	case *streams.AppendReq_Options_NoStream:
		in.expected = eventstore.NoStream()
	case *streams.AppendReq_Options_StreamExists:
		in.expected = eventstore.Exists()
	case *streams.AppendReq_Options_Any:
		in.expected = eventstore.Any()
	default:
		in.refuse(invalid("an append without an expected revision"))
	}
}

// message is an event as Append and BatchAppend both send it.
type message interface {
	GetId() *shared.UUID
	GetMetadata() map[string]string
	GetCustomMetadata() []byte
	GetData() []byte
}

// event keeps one event. The limits are those of eventstore.CheckWrite, held here as
// well so that a client cannot make the server keep more.
func (in *intake) event(m message) {
	if in.err != nil {
		return
	}
	if len(in.events) == eventstore.MaxAppendEvents {
		in.refuse(invalid("an append of more than %d events", eventstore.MaxAppendEvents))
		return
	}
	event, err := proposed(m)
	if err != nil {
		in.refuse(err)
		return
	}
	size := len(event.Data) + len(event.Metadata)
	if in.size += size; size > eventstore.MaxEventSize {
		in.refuse(appendTooLarge(eventstore.MaxEventSize))
		return
	}
	if in.size > eventstore.MaxAppendSize {
		in.refuse(appendTooLarge(eventstore.MaxAppendSize))
		return
	}
	in.events = append(in.events, event)
}

// wrongVersion is the protocol's conflict: a response like any other. Clients since
// 20.6.1 read the later fields, older ones the ones named after 20.6.0.
func wrongVersion(c *eventstore.ConflictError) *streams.AppendResp {
	none := &shared.Empty{}
	w := &streams.AppendResp_WrongExpectedVersion{}
	if c.Actual.Exists {
		actual := uint64(c.Actual.Revision)
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: actual}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: actual}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: none}
	}
	switch revision, exact := c.Expected.Revision(); {
	case exact:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(revision)}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(revision)}
	case c.Expected.Is(eventstore.NoStream()):
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none}
		// Version 20.6.0 had no word for it and wrote the number before the first.
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: math.MaxUint64}
	case c.Expected.Is(eventstore.Exists()):
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: none}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: none}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}}
}

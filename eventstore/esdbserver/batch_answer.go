package esdbserver

import (
	"context"
	"errors"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"daybook/eventstore"
)

// begin reads the options of a batch. Clients since 21.10.1 say how long they wait, older
// ones until when; the server waits no longer than limit.
func (p *batch) begin(now time.Time, limit time.Duration) {
	p.deadline = now.Add(limit)
	name, err := streamName(p.options.GetStreamIdentifier())
	if err != nil {
		p.refuse(err)
		return
	}
	p.stream = name
	switch e := p.options.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		p.expected = eventstore.At(eventstore.Revision(e.StreamPosition))
	case *streams.BatchAppendReq_Options_NoStream:
		p.expected = eventstore.NoStream()
	case *streams.BatchAppendReq_Options_StreamExists:
		p.expected = eventstore.Exists()
	case *streams.BatchAppendReq_Options_Any:
		p.expected = eventstore.Any()
	default:
		p.refuse(invalid("a batch without an expected position"))
		return
	}
	asked := p.deadline
	switch d := p.options.GetDeadlineOption().(type) {
	case *streams.BatchAppendReq_Options_Deadline:
		if d.Deadline.CheckValid() != nil {
			p.refuse(invalid("a batch with a deadline that is no duration"))
			return
		}
		if wait := d.Deadline.AsDuration(); wait < limit { // adding an endless one would overflow
			asked = now.Add(wait)
		}
	case *streams.BatchAppendReq_Options_Deadline_21_10_0:
		if d.Deadline_21_10_0.CheckValid() != nil {
			p.refuse(invalid("a batch with a deadline that is no time"))
			return
		}
		asked = d.Deadline_21_10_0.AsTime()
	}
	if asked.Before(p.deadline) {
		p.deadline = asked
	}
}

// result is how a batch ended: success, or failure as a message of the protocol that
// clients know by its type.
type result struct {
	success *streams.BatchAppendResp_Success
	code    codes.Code
	message string
	detail  proto.Message
}

func (r result) response(p *batch) *streams.BatchAppendResp {
	out := &streams.BatchAppendResp{CorrelationId: p.correlation, StreamIdentifier: p.options.GetStreamIdentifier()}
	switch e := p.options.GetExpectedStreamPosition().(type) {
	case *streams.BatchAppendReq_Options_StreamPosition:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_StreamPosition{StreamPosition: e.StreamPosition}
	case *streams.BatchAppendReq_Options_NoStream:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_NoStream{NoStream: &emptypb.Empty{}}
	case *streams.BatchAppendReq_Options_StreamExists:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_StreamExists{StreamExists: &emptypb.Empty{}}
	case *streams.BatchAppendReq_Options_Any:
		out.ExpectedStreamPosition = &streams.BatchAppendResp_Any{Any: &emptypb.Empty{}}
	}
	if r.success != nil {
		out.Result = &streams.BatchAppendResp_Success_{Success: r.success}
		return out
	}
	failed := &rpc.Status{Code: int32(r.code), Message: r.message}
	if detail, err := anypb.New(r.detail); err == nil { // these messages always can
		failed.Details = append(failed.Details, detail)
	}
	out.Result = &streams.BatchAppendResp_Error{Error: failed}
	return out
}

func succeeded(w written) *streams.BatchAppendResp_Success {
	success := &streams.BatchAppendResp_Success{
		CurrentRevisionOption: &streams.BatchAppendResp_Success_CurrentRevision{CurrentRevision: uint64(w.at.Revision)},
		PositionOption:        &streams.BatchAppendResp_Success_NoPosition{NoPosition: &emptypb.Empty{}},
	}
	if !w.stream {
		success.CurrentRevisionOption = &streams.BatchAppendResp_Success_NoStream{NoStream: &emptypb.Empty{}}
	}
	if w.position {
		position := toWire(w.at.Position)
		success.PositionOption = &streams.BatchAppendResp_Success_Position{Position: &shared.AllStreamPosition{
			CommitPosition: position, PreparePosition: position,
		}}
	}
	return success
}

func badRequest(message string) result {
	return result{code: codes.InvalidArgument, message: message, detail: &shared.BadRequest{Message: message}}
}

func timedOut() result {
	return result{code: codes.DeadlineExceeded, message: "Timeout", detail: &shared.Timeout{}}
}

// refusal is the answer to a batch that was refused as it was received.
func refusal(err error) result {
	var f *fault
	if errors.As(err, &f) && f.limit > 0 {
		return result{code: codes.InvalidArgument, message: "MaximumAppendSizeExceeded", detail: &shared.MaximumAppendSizeExceeded{MaxAppendSize: uint32(f.limit)}}
	}
	return badRequest(status.Convert(err).Message())
}

// failedBatch is the answer to a batch that the store did not append, or not surely. ctx
// is that of the append.
func (s *Server) failedBatch(ctx context.Context, stream eventstore.StreamName, err error) result {
	var conflict *eventstore.ConflictError
	switch {
	case errors.As(err, &conflict):
		return result{code: codes.AlreadyExists, message: "WrongExpectedVersion", detail: wrongBatchVersion(conflict)}
	case errors.Is(err, eventstore.ErrStreamDeleted):
		return result{code: codes.NotFound, message: "StreamDeleted", detail: &shared.StreamDeleted{StreamIdentifier: streamIdentifier(stream)}}
	case errors.Is(err, eventstore.ErrInvalid):
		return badRequest(err.Error())
	case ctx.Err() != nil:
		// Clients take a timeout for what it is: the append may have happened.
		return timedOut()
	case errors.Is(err, eventstore.ErrUnknownOutcome):
		return result{code: codes.Unknown, message: "the append may or may not have happened", detail: &shared.Unknown{}}
	}
	told := status.Convert(s.failure("BatchAppend", stream, err))
	return result{code: told.Code(), message: told.Message(), detail: &emptypb.Empty{}}
}

func wrongBatchVersion(c *eventstore.ConflictError) *shared.WrongExpectedVersion {
	none := &emptypb.Empty{}
	w := &shared.WrongExpectedVersion{}
	if c.Actual.Exists {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentStreamRevision{CurrentStreamRevision: uint64(c.Actual.Revision)}
	} else {
		w.CurrentStreamRevisionOption = &shared.WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none}
	}
	switch revision, exact := c.Expected.Revision(); {
	case exact:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamPosition{ExpectedStreamPosition: uint64(revision)}
	case c.Expected.Is(eventstore.NoStream()):
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none}
	case c.Expected.Is(eventstore.Exists()):
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none}
	default:
		w.ExpectedStreamPositionOption = &shared.WrongExpectedVersion_ExpectedAny{ExpectedAny: none}
	}
	return w
}

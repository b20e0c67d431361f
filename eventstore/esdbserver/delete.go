package esdbserver

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

// Delete hides the events that a stream has; see eventstore.Engine.
func (s *streamsService) Delete(ctx context.Context, request *streams.DeleteReq) (*streams.DeleteResp, error) {
	options := request.GetOptions()
	var expected eventstore.Expected
	switch e := options.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		expected = eventstore.At(eventstore.Revision(e.Revision))
	case *streams.DeleteReq_Options_NoStream:
		expected = eventstore.NoStream()
	case *streams.DeleteReq_Options_StreamExists:
		expected = eventstore.Exists()
	case *streams.DeleteReq_Options_Any:
		expected = eventstore.Any()
	}
	position, err := s.remove(ctx, "Delete", options.GetStreamIdentifier(), expected, s.server.engine.Delete)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: position, PreparePosition: position,
	}}}, nil
}

// Tombstone ends a stream for ever; see eventstore.Engine.
func (s *streamsService) Tombstone(ctx context.Context, request *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	options := request.GetOptions()
	var expected eventstore.Expected
	switch e := options.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		expected = eventstore.At(eventstore.Revision(e.Revision))
	case *streams.TombstoneReq_Options_NoStream:
		expected = eventstore.NoStream()
	case *streams.TombstoneReq_Options_StreamExists:
		expected = eventstore.Exists()
	case *streams.TombstoneReq_Options_Any:
		expected = eventstore.Any()
	}
	position, err := s.remove(ctx, "Tombstone", options.GetStreamIdentifier(), expected, s.server.engine.Tombstone)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: position, PreparePosition: position,
	}}}, nil
}

// remove does what Delete and Tombstone share: their messages are other types with the same
// fields. An expected revision that a caller did not send is not valid.
func (s *streamsService) remove(
	ctx context.Context, call string, identifier *shared.StreamIdentifier, expected eventstore.Expected,
	do func(context.Context, eventstore.StreamName, eventstore.Expected) (eventstore.Position, error),
) (uint64, error) {
	stream, err := streamName(identifier)
	if err != nil {
		return 0, err
	}
	if !expected.Valid() {
		return 0, invalid("a %s without an expected revision", call)
	}
	ctx, cancel := context.WithTimeout(ctx, s.server.options.AppendTimeout)
	defer cancel()
	at, err := do(ctx, stream, expected)
	if err != nil {
		return 0, s.server.failure(call, stream, err)
	}
	return toWire(at), nil
}

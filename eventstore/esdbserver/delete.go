package esdbserver

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

// Delete hides the events that a stream has; see eventstore.Engine.
func (s *streamsService) Delete(ctx context.Context, request *streams.DeleteReq) (*streams.DeleteResp, error) {
	options := request.GetOptions()
	stream, err := streamName(options.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
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
	default:
		return nil, invalid("a delete without an expected revision")
	}
	ctx, cancel := context.WithTimeout(ctx, s.server.options.AppendTimeout)
	defer cancel()
	at, err := s.server.engine.Delete(ctx, stream, expected)
	if err != nil {
		return nil, s.server.failure("Delete", stream, err)
	}
	position := toWire(at)
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{
		CommitPosition: position, PreparePosition: position,
	}}}, nil
}

// Tombstone ends a stream for ever; see eventstore.Engine.
func (s *streamsService) Tombstone(ctx context.Context, request *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	options := request.GetOptions()
	stream, err := streamName(options.GetStreamIdentifier())
	if err != nil {
		return nil, err
	}
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
	default:
		return nil, invalid("a tombstone without an expected revision")
	}
	ctx, cancel := context.WithTimeout(ctx, s.server.options.AppendTimeout)
	defer cancel()
	at, err := s.server.engine.Tombstone(ctx, stream, expected)
	if err != nil {
		return nil, s.server.failure("Tombstone", stream, err)
	}
	position := toWire(at)
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{
		CommitPosition: position, PreparePosition: position,
	}}}, nil
}

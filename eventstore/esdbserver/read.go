package esdbserver

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

// Read answers reads and subscriptions, of one stream or of all.
func (s *streamsService) Read(request *streams.ReadReq, stream streams.Streams_ReadServer) error {
	r, err := parseRead(request)
	if err != nil {
		return err
	}
	if r.subscribe {
		return s.subscribe(r, stream)
	}
	if err := s.read(r, stream); err != nil {
		return s.server.failure("Read", r.stream, err)
	}
	return nil
}

func (s *streamsService) read(r readRequest, stream streams.Streams_ReadServer) error {
	ctx := stream.Context()
	sent := uint64(0)
	for record, err := range s.records(ctx, r) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return s.nothing(r, stream)
		}
		if err != nil {
			return err
		}
		if sent == r.count {
			break
		}
		if !r.filter.pass(record) {
			continue
		}
		if err := s.send(r, &record, stream); err != nil {
			return err
		}
		sent++
	}
	if r.stream == "" || !r.places {
		return nil
	}
	last, exists, err := s.last(ctx, r.stream)
	if err != nil || !exists {
		return err
	}
	return sendPlaces(r, sent, last, stream)
}

// send sends one record, or what it leads to.
func (s *streamsService) send(r readRequest, record *eventstore.Record, stream streams.Streams_ReadServer) error {
	if !r.links {
		return stream.Send(r.record.event(record, nil))
	}
	event, link, err := s.server.Resolve(stream.Context(), record)
	if err != nil {
		return err
	}
	return stream.Send(r.record.event(event, link))
}

// nothing answers a read of a stream that shows nothing. There is no such stream where
// there never was or where it was deleted; one whose events have all expired, or of
// which none is to be kept, is there and empty.
func (s *streamsService) nothing(r readRequest, stream streams.Streams_ReadServer) error {
	ctx := stream.Context()
	last, exists, err := s.last(ctx, r.stream)
	if err != nil {
		return err
	}
	if exists {
		if exists, err = s.keptEmpty(ctx, r.stream); err != nil {
			return err
		}
	}
	if !exists {
		return stream.Send(notFound(r.stream))
	}
	if !r.places {
		return nil
	}
	return sendPlaces(r, 0, last, stream)
}

// sendPlaces tells a client that asked for it where the stream goes on, which it needs to
// know of a read forwards that found nothing, and where it ends.
func sendPlaces(r readRequest, sent uint64, last eventstore.Revision, stream streams.Streams_ReadServer) error {
	if next := uint64(last) + 1; sent == 0 && r.count > 0 && !r.backwards && r.from.at != next {
		if err := stream.Send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: next}}); err != nil {
			return err
		}
	}
	return stream.Send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(last)}})
}

// last returns the revision of a stream's newest event, shown or not.
func (s *streamsService) last(ctx context.Context, stream eventstore.StreamName) (last eventstore.Revision, exists bool, err error) {
	state, err := s.server.engine.Look(ctx, stream)
	switch {
	case err != nil:
		return 0, false, err
	case state.Deleted:
		return 0, false, eventstore.ErrStreamDeleted
	case state.Shown:
		return state.Last, true, nil
	case state.Position == eventstore.Start:
		return 0, false, nil
	}
	for record, err := range s.server.engine.ReadAllBackwards(ctx, state.Position, eventstore.Everything()) {
		if err != nil {
			return 0, false, err
		}
		return record.Revision, true, nil
	}
	return 0, false, nil
}

func notFound(stream eventstore.StreamName) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: streamIdentifier(stream),
	}}}
}

// records is the sequence that r asks for, before filter and count.
func (s *streamsService) records(ctx context.Context, r readRequest) iter.Seq2[eventstore.Record, error] {
	engine := s.server.engine
	switch {
	case r.stream != "" && r.backwards:
		from := eventstore.Revision(r.from.at)
		if r.from.end {
			from = eventstore.Last
		}
		return engine.ReadStreamBackwards(ctx, r.stream, from)
	case r.stream != "":
		from := eventstore.Revision(r.from.at)
		if r.from.end {
			from = math.MaxUint64
		}
		return engine.ReadStream(ctx, r.stream, from)
	case r.backwards && r.from.end:
		return engine.ReadAllBackwards(ctx, eventstore.End, eventstore.Everything())
	case r.backwards:
		// Backwards the position on the wire is not part of the read, and the contract's from
		// is: the wire's smaller by one number is just the record before.
		return engine.ReadAllBackwards(ctx, eventstore.Position(r.from.at), eventstore.Everything())
	case r.from.end:
		return none
	default:
		// Forwards it is, and the contract's after is not: the same.
		return engine.ReadAll(ctx, eventstore.Position(r.from.at), eventstore.Everything())
	}
}

func none(func(eventstore.Record, error) bool) {}

// keptEmpty reports whether a stream that has had events, and shows none, is there all the
// same: not if the $tb of its metadata hides whatever comes, which is how a stream is
// deleted.
func (s *streamsService) keptEmpty(ctx context.Context, stream eventstore.StreamName) (bool, error) {
	for record, err := range s.server.engine.ReadStreamBackwards(ctx, eventstore.MetadataOf(stream), eventstore.Last) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return false, err
		}
		var metadata struct {
			Before uint64 `json:"$tb"`
		}
		// The engine refuses metadata that it cannot read; others hide nothing.
		if json.Unmarshal(record.Data, &metadata) == nil && metadata.Before == uint64(eventstore.DeletedRevision) {
			return false, nil
		}
		break
	}
	return true, nil
}

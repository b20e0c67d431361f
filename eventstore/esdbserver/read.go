package esdbserver

import (
	"context"
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
	records := s.records(stream.Context(), r)
	sent := uint64(0)
	for record, err := range records {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return stream.Send(notFound(r.stream))
		}
		if err != nil {
			return s.server.failure("Read", err)
		}
		if sent == r.count {
			break
		}
		if !r.filter.pass(record) {
			continue
		}
		if err := stream.Send(r.record.event(record)); err != nil {
			return err
		}
		sent++
	}
	return nil
}

func notFound(stream eventstore.StreamName) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: streamIdentifier(stream),
	}}}
}

// records is the sequence that r asks for, before filter and count.
func (s *streamsService) records(ctx context.Context, r readRequest) iter.Seq2[eventstore.Record, error] {
	store := s.server.store
	switch {
	case r.stream != "" && r.backwards:
		from := eventstore.Revision(r.from.at)
		if r.from.end {
			from = eventstore.Last
		}
		return store.ReadStreamBackwards(ctx, r.stream, from)
	case r.stream != "":
		from := eventstore.Revision(r.from.at)
		if r.from.end {
			from = math.MaxUint64
		}
		return store.ReadStream(ctx, r.stream, from)
	case r.backwards && r.from.end:
		return store.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{})
	case r.backwards:
		// Backwards the position on the wire is not part of the read. From the start, which
		// is 0 here, there is nothing.
		return store.ReadAllBackwards(ctx, fromWire(r.from.at), eventstore.Filter{})
	case r.from.end:
		return none
	default:
		// Forwards the position on the wire is part of the read, and the contract's after
		// is not: the wire's smaller by one number is just the record before.
		return store.ReadAll(ctx, eventstore.Position(r.from.at), eventstore.Filter{})
	}
}

func none(func(eventstore.Record, error) bool) {}

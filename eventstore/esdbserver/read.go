package esdbserver

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"daybook/eventstore"
)

// chunk is how many records of a stream are turned around at a time when it is read
// backwards from a revision in its middle.
const chunk = 256

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
		if r.from.end || r.from.at == math.MaxUint64 {
			return store.ReadStreamBackwards(ctx, r.stream)
		}
		return streamBackwards(ctx, store, r.stream, eventstore.Revision(r.from.at))
	case r.stream != "":
		from := eventstore.Revision(r.from.at)
		if r.from.end {
			from = math.MaxUint64
		}
		return store.ReadStream(ctx, r.stream, from)
	case r.backwards:
		return allBackwards(ctx, store, r.from)
	case r.from.end:
		return none
	default:
		// Forwards the position on the wire is part of the read, and the contract's after
		// is not: the wire's smaller by one number is just the record before.
		return store.ReadAll(ctx, eventstore.Position(r.from.at), eventstore.Filter{})
	}
}

func none(func(eventstore.Record, error) bool) {}

// allBackwards reads from just before a position. The contract reads backwards from
// the end only, so what lies behind the position is read and passed over.
func allBackwards(ctx context.Context, store eventstore.Reader, from origin) iter.Seq2[eventstore.Record, error] {
	if from.start {
		return none
	}
	all := store.ReadAllBackwards(ctx, eventstore.Filter{})
	if from.end {
		return all
	}
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range all {
			if err == nil && toWire(r.Position) >= from.at {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// streamBackwards reads a stream from revision from back to 0, from included. The
// contract reads backwards from the end only, so a read that begins well before it
// goes forwards in chunks and turns each around.
func streamBackwards(ctx context.Context, store eventstore.Reader, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		last, err := lastRevision(ctx, store, stream)
		if err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		for high := min(from, last); ; {
			low := eventstore.Revision(0)
			if high >= chunk {
				low = high - chunk + 1
			}
			records := make([]eventstore.Record, 0, high-low+1)
			for r, err := range store.ReadStream(ctx, stream, low) {
				if err != nil {
					yield(eventstore.Record{}, err)
					return
				}
				records = append(records, r)
				if r.Revision >= high {
					break
				}
			}
			for i := len(records) - 1; i >= 0; i-- {
				if !yield(records[i], nil) {
					return
				}
			}
			if low == 0 {
				return
			}
			high = low - 1
		}
	}
}

func lastRevision(ctx context.Context, store eventstore.Reader, stream eventstore.StreamName) (eventstore.Revision, error) {
	for r, err := range store.ReadStreamBackwards(ctx, stream) {
		return r.Revision, err
	}
	return 0, eventstore.ErrStreamNotFound
}

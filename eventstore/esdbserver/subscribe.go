package esdbserver

import (
	"context"
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"daybook/eventstore"
)

// subscribe follows one stream or all until the client leaves or the server shuts
// down: a confirmation, the records, and once that it caught up.
func (s *streamsService) subscribe(r readRequest, stream streams.Streams_ReadServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.server.closing, cancel)()

	if err := stream.Send(confirmation()); err != nil {
		return err
	}
	var err error
	if r.stream != "" {
		err = s.followStream(ctx, r, stream)
	} else {
		err = s.followAll(ctx, r, stream)
	}
	return s.server.failure("Subscribe", err)
}

func confirmation() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{
		SubscriptionId: uuid.NewString(),
	}}}
}

func caughtUp() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}
}

// follow hands every batch after a position to take, until either fails.
func (s *streamsService) follow(ctx context.Context, after eventstore.Position, f eventstore.Filter, take func(eventstore.Batch) error) error {
	sub, err := s.server.store.Subscribe(ctx, after, f)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }()
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := take(batch); err != nil {
			return err
		}
	}
}

// followAll filters here and not in the store, because checkpoints count the records
// that were looked at.
func (s *streamsService) followAll(ctx context.Context, r readRequest, stream streams.Streams_ReadServer) error {
	after := eventstore.Start
	switch {
	case r.from.end:
		head, err := s.server.store.Head(ctx)
		if err != nil {
			return err
		}
		after = head
	case !r.from.start:
		after = fromWire(r.from.at) // a subscription begins after its position
	}
	told := after // up to where the client knows that it has seen all
	looked := uint64(0)
	live := false
	return s.follow(ctx, after, eventstore.Filter{}, func(b eventstore.Batch) error {
		for _, record := range b.Records {
			looked++
			if r.filter.pass(record) {
				if err := stream.Send(r.record.event(record)); err != nil {
					return err
				}
				told = record.Position
			}
			if r.filter != nil && looked%r.filter.every == 0 {
				if err := stream.Send(checkpoint(record.Position)); err != nil {
					return err
				}
				told = record.Position
			}
		}
		if !b.Live {
			return nil
		}
		// Sooner than the interval asks for: whoever waits until this subscription has
		// seen a position must not wait for records that nobody appends.
		if r.filter != nil && b.Position > told {
			if err := stream.Send(checkpoint(b.Position)); err != nil {
				return err
			}
			told = b.Position
		}
		if live {
			return nil
		}
		live = true
		return stream.Send(caughtUp())
	})
}

// followStream reads the stream to its end and then follows the ledger from there on,
// so that an old stream costs its own length and not the ledger's.
func (s *streamsService) followStream(ctx context.Context, r readRequest, stream streams.Streams_ReadServer) error {
	store := s.server.store
	// Head comes first: what is appended to the stream after it is either read below,
	// which moves after, or followed.
	after, err := store.Head(ctx)
	if err != nil {
		return err
	}
	next, past := uint64(0), false
	switch {
	case r.from.end, r.from.at == math.MaxUint64:
		past = true // whatever comes after this moment, at any revision
	case !r.from.start:
		next = r.from.at + 1
	}
	if !past {
		for record, err := range s.records(ctx, readRequest{stream: r.stream, from: origin{at: next}}) {
			if errors.Is(err, eventstore.ErrStreamNotFound) {
				break
			}
			if err != nil {
				return err
			}
			if err := stream.Send(r.record.event(record)); err != nil {
				return err
			}
			after = max(after, record.Position)
		}
	}
	live := false
	return s.follow(ctx, after, eventstore.StreamPrefix(string(r.stream)), func(b eventstore.Batch) error {
		for _, record := range b.Records {
			if record.Stream != r.stream || uint64(record.Revision) < next {
				continue
			}
			if err := stream.Send(r.record.event(record)); err != nil {
				return err
			}
		}
		if !b.Live || live {
			return nil
		}
		live = true
		return stream.Send(caughtUp())
	})
}

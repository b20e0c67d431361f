package esdbserver

import (
	"context"
	"errors"
	"math"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"

	"daybook/eventstore"
)

// behindAfter is how many records a subscription that was live may have in front of it
// in a row, without once seeing the end, before it is told that it fell behind. Fewer
// come and go with every burst of writes.
const behindAfter = 2 * eventstore.MaxBatch

// subscribe follows one stream or all until the client leaves or the server shuts
// down: a confirmation, the records, and whenever it caught up or fell behind that it did.
func (s *streamsService) subscribe(r readRequest, stream streams.Streams_ReadServer) error {
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	defer context.AfterFunc(s.server.closing, cancel)()

	if err := stream.Send(confirmation()); err != nil {
		return err
	}
	f := &follower{service: s, request: r, stream: stream}
	var err error
	if r.stream != "" {
		err = f.followStream(ctx)
	} else {
		err = f.followAll(ctx)
	}
	return s.server.failure("Subscribe", r.stream, err)
}

func confirmation() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{
		SubscriptionId: uuid.NewString(),
	}}}
}

// follower is one subscription. It has one goroutine and keeps no records: a client that
// is slow is waited for, and what it has not seen is read when it goes on.
type follower struct {
	service *streamsService
	request readRequest
	stream  streams.Streams_ReadServer

	live   bool // the client was told that it caught up
	behind int  // records since the end was last seen
	at     place
}

// batches hands every batch after a position to take, until either fails, and tells the
// client when it caught up and when it fell behind. It takes every record: the engine's
// filters know neither links nor regular expressions, nor how many were looked at.
func (f *follower) batches(ctx context.Context, after eventstore.Position, take func(eventstore.Batch) error) error {
	sub, err := f.service.server.engine.Subscribe(ctx, after, eventstore.Everything())
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
		if err := f.standing(batch); err != nil {
			return err
		}
	}
}

// standing tells the client whether it is live, where that has changed.
func (f *follower) standing(b eventstore.Batch) error {
	if b.Live {
		f.behind = 0
		if f.live {
			return nil
		}
		f.live = true
		return f.stream.Send(caughtUp(f.at))
	}
	if f.behind += len(b.Records); !f.live || f.behind <= behindAfter {
		return nil
	}
	f.live = false
	return f.stream.Send(fellBehind(f.at))
}

func (f *follower) send(record *eventstore.Record) error {
	return f.service.send(f.request, record, f.stream)
}

func (f *follower) followAll(ctx context.Context) error {
	r := &f.request
	after := eventstore.Start
	switch {
	case r.from.end:
		head, err := f.service.server.engine.Head(ctx)
		if err != nil {
			return err
		}
		after = head
	case !r.from.start:
		after = fromWire(r.from.at) // a subscription begins after its position
	}
	told := after // up to where the client knows that it has seen all
	looked := uint64(0)
	return f.batches(ctx, after, func(b eventstore.Batch) error {
		for i := range b.Records {
			record := &b.Records[i]
			looked++
			if r.filter.pass(*record) {
				if err := f.send(record); err != nil {
					return err
				}
				told = record.Position
			}
			if r.filter != nil && looked%r.filter.every == 0 {
				if err := f.stream.Send(checkpoint(record.Position)); err != nil {
					return err
				}
				told = record.Position
			}
		}
		f.at.position = b.Position
		// Sooner than the interval asks for: whoever waits until this subscription has
		// seen a position must not wait for records that nobody appends.
		if b.Live && r.filter != nil && b.Position > told {
			if err := f.stream.Send(checkpoint(b.Position)); err != nil {
				return err
			}
			told = b.Position
		}
		return nil
	})
}

// followStream reads the stream to its end and then follows the ledger from there on,
// so that an old stream costs its own length and not the ledger's.
func (f *follower) followStream(ctx context.Context) error {
	r := &f.request
	engine := f.service.server.engine
	// Head comes first: what is appended to the stream after it is either read below,
	// which moves after, or followed.
	after, err := engine.Head(ctx)
	if err != nil {
		return err
	}
	next, past := uint64(0), false
	switch {
	case r.from.end, r.from.at == math.MaxUint64:
		past = true // whatever comes after this moment, at any revision
		state, err := engine.Look(ctx, r.stream)
		if err != nil {
			return err
		}
		if state.Deleted {
			return eventstore.ErrStreamDeleted
		}
		f.at.revision, f.at.read = state.Last, state.Shown
	case !r.from.start:
		next = r.from.at + 1
		f.at.revision, f.at.read = eventstore.Revision(r.from.at), true
	}
	if !past {
		for record, err := range engine.ReadStream(ctx, r.stream, eventstore.Revision(next)) {
			if errors.Is(err, eventstore.ErrStreamNotFound) {
				break
			}
			if err != nil {
				return err
			}
			if err := f.send(&record); err != nil {
				return err
			}
			f.at.revision, f.at.read = record.Revision, true
			after = max(after, record.Position)
		}
	}
	return f.batches(ctx, after, func(b eventstore.Batch) error {
		for i := range b.Records {
			record := &b.Records[i]
			if record.Stream != r.stream {
				continue
			}
			if record.Type == eventstore.StreamDeletedType {
				return eventstore.ErrStreamDeleted
			}
			if uint64(record.Revision) < next {
				continue
			}
			if err := f.send(record); err != nil {
				return err
			}
			f.at.revision, f.at.read = record.Revision, true
		}
		f.at.position = b.Position
		return nil
	})
}

package embedded

import (
	"context"
	"sync"

	"daybook/eventstore"
)

const (
	// batchBytes bounds the data and metadata of one batch; one record may go past it.
	batchBytes = 4 << 20
	// batchScan is how many records a subscription looks at before it tells how far it
	// came, passing or not.
	batchScan = 4096
)

// subscription is one reader's place. It has no goroutine: Next does the work, on
// records in memory while it keeps up and from the disk otherwise.
type subscription struct {
	s      *Store
	ctx    context.Context
	filter eventstore.Filter
	at     eventstore.Position // all up to it has been given
	live   bool                // the last batch said so
	names  interner

	wake    chan struct{} // has a message when there may be more
	closed  chan struct{}
	closing sync.Once
	stop    func() bool // lets go of ctx
}

// Subscribe implements eventstore.Subscriber. A subscription after a position that the
// ledger has not reached waits until it has.
func (s *Store) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	if err := s.mayRead(ctx); err != nil {
		return nil, err
	}
	sub := &subscription{
		s: s, ctx: ctx, filter: filter, at: after,
		wake:   make(chan struct{}, 1),
		closed: make(chan struct{}),
	}
	s.tail.join(sub)
	sub.stop = context.AfterFunc(ctx, func() { s.tail.leave(sub) })
	return sub, nil
}

func (sub *subscription) ring() {
	select {
	case sub.wake <- struct{}{}:
	default:
	}
}

// Next implements eventstore.Subscription.
func (sub *subscription) Next(ctx context.Context) (eventstore.Batch, error) {
	for {
		if err := sub.ended(ctx); err != nil {
			return eventstore.Batch{}, err
		}
		end := sub.s.end()
		if sub.at < end {
			b, err := sub.read(ctx, end)
			if err != nil {
				return eventstore.Batch{}, err
			}
			return b, nil
		}
		if !sub.live {
			sub.live = true
			return eventstore.Batch{Position: sub.at, Live: true}, nil
		}
		select {
		case <-sub.wake:
		case <-ctx.Done():
		case <-sub.ctx.Done():
		case <-sub.closed:
		case <-sub.s.closed:
		}
	}
}

func (sub *subscription) ended(ctx context.Context) error {
	select {
	case <-sub.closed:
		return eventstore.ErrClosed
	case <-sub.s.closed:
		return eventstore.ErrClosed
	default:
	}
	if err := sub.ctx.Err(); err != nil {
		return err
	}
	return ctx.Err()
}

// read takes the next stretch before or at end, which lies after sub.at.
func (sub *subscription) read(ctx context.Context, end eventstore.Position) (eventstore.Batch, error) {
	records, seen, ok := sub.s.tail.read(sub.at, sub.filter)
	if !ok || seen == sub.at {
		// Too far behind, or just before the tail learns of what is already durable.
		var err error
		limit := stretch{records: eventstore.MaxBatch, bytes: batchBytes, scan: batchScan}
		records, seen, err = sub.s.readForwards(ctx, sub.at, end, sub.filter, limit, &sub.names, nil)
		if err != nil {
			return eventstore.Batch{}, err
		}
	}
	sub.at = seen
	sub.live = seen >= sub.s.end()
	return eventstore.Batch{Records: records, Position: seen, Live: sub.live}, nil
}

// Close implements eventstore.Subscription.
func (sub *subscription) Close() error {
	sub.closing.Do(func() {
		close(sub.closed)
		sub.stop()
		sub.s.tail.leave(sub)
	})
	return nil
}

package storetest

import (
	"context"
	"fmt"
	"iter"

	"daybook/eventstore"
)

// apart is how far the positions of a sparse store are from each other, at least.
const apart = 1009

// Sparse is a store whose positions lie far apart, as the offsets into files of an
// EventStoreDB do, and which refuses every number between them as that one does. What
// computes a position fails on it, and on a store that counts its records it works.
func Sparse(dense eventstore.Store) eventstore.Store { return sparse{dense} }

type sparse struct{ eventstore.Store }

func spread(p eventstore.Position) eventstore.Position { return p * apart }

// dense is the store's own position for one that was asked for.
func dense(p eventstore.Position) (eventstore.Position, error) {
	switch {
	case p == eventstore.End:
		return p, nil
	case p%apart != 0:
		return 0, fmt.Errorf("%w: no record, batch or head of this store has position %d", eventstore.ErrInvalid, p)
	default:
		return p / apart, nil
	}
}

func (s sparse) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	at, err := s.Store.Append(ctx, stream, expected, events...)
	at.Position = spread(at.Position)
	return at, err
}

func (s sparse) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return spreadAll(s.Store.ReadStream(ctx, stream, from))
}

func (s sparse) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return spreadAll(s.Store.ReadStreamBackwards(ctx, stream, from))
}

func (s sparse) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	at, err := dense(after)
	if err != nil {
		return refusing(err)
	}
	return spreadAll(s.Store.ReadAll(ctx, at, filter))
}

func (s sparse) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	at, err := dense(from)
	if err != nil {
		return refusing(err)
	}
	return spreadAll(s.Store.ReadAllBackwards(ctx, at, filter))
}

func (s sparse) Head(ctx context.Context) (eventstore.Position, error) {
	at, err := s.Store.Head(ctx)
	return spread(at), err
}

func (s sparse) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	at, err := dense(after)
	if err != nil {
		return nil, err
	}
	sub, err := s.Store.Subscribe(ctx, at, filter)
	if err != nil {
		return nil, err
	}
	return sparseSubscription{sub}, nil
}

type sparseSubscription struct{ eventstore.Subscription }

func (s sparseSubscription) Next(ctx context.Context) (eventstore.Batch, error) {
	b, err := s.Subscription.Next(ctx)
	b.Position = spread(b.Position)
	for i := range b.Records {
		b.Records[i].Position = spread(b.Records[i].Position)
	}
	return b, err
}

func spreadAll(records iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range records {
			r.Position = spread(r.Position)
			if !yield(r, err) {
				return
			}
		}
	}
}

func refusing(err error) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) { yield(eventstore.Record{}, err) }
}

// Package book reads single restaurants and reservations off their own streams: the book
// itself, always current, with nothing stored but folded states in memory, and as it was at
// any moment before.
//
// What belongs here: reads of one aggregate, with what is personal decrypted for those who
// may see it. Lists, searches and availability are the other read models'; who may see
// what is judged by the caller.
package book

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections"
)

// ErrNotFound says that there is no such restaurant, day, reservation or entry of a waitlist.
var ErrNotFound = errors.New("book: not found")

// Ledger is what the book is read off.
type Ledger interface {
	eventstore.Reader
	Head(ctx context.Context) (eventstore.Position, error)
}

// Book reads aggregates. Safe for concurrent use.
type Book struct {
	store       Ledger
	codec       *codec.Codec
	folding     chan struct{} // has a place for each stream that is folded for the past
	restaurants *projections.Folds[restaurant.State]
	days        *projections.Folds[restaurantday.State]
	webhooks    *projections.Folds[webhook.State]
}

// New makes a Book over a store.
func New(store Ledger, c *codec.Codec) *Book {
	r, d, w := restaurant.Decider(), restaurantday.Decider(), webhook.Decider()
	return &Book{
		store: store, codec: c, folding: make(chan struct{}, foldsAtOnce),
		restaurants: projections.NewFolds(store, 4096, r.Initial, evolve(c, r.Evolve)),
		days:        projections.NewFolds(store, 1024, d.Initial, evolve(c, d.Evolve)),
		webhooks:    projections.NewFolds(store, webhooksKept, w.Initial, evolve(c, w.Evolve)),
	}
}

// evolve folds records; one that cannot be read makes the aggregate unreadable rather than
// shown without it.
func evolve[S, E any](c *codec.Codec, fold func(S, E) S) projections.Evolve[S] {
	return func(ctx context.Context, state S, r eventstore.Record) (next S, err error) {
		e, err := read[E](ctx, c, r)
		if err != nil {
			return state, err
		}
		next = state
		err = guarded(r, func() { next = fold(state, e) })
		return next, err
	}
}

// read decodes a record of the aggregate whose events are of type E.
func read[E any](ctx context.Context, c *codec.Codec, r eventstore.Record) (e E, err error) {
	var d codec.Decoded
	if panicked := guarded(r, func() { d, err = c.Decode(ctx, r) }); panicked != nil {
		return e, panicked
	}
	if err != nil {
		return e, err
	}
	e, ok := d.Event.(E)
	if !ok {
		return e, fmt.Errorf("book: %s in stream %s is no event of its aggregate", r.Type, r.Stream)
	}
	return e, nil
}

// guarded makes an error of a panic: left to Folds it would be taken for a record to leave
// out.
func guarded(r eventstore.Record, do func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("book: %s at revision %d of %s: panic: %v\n%s", r.Type, r.Revision, r.Stream, v, debug.Stack())
		}
	}()
	do()
	return nil
}

// Restaurant reads a restaurant and its revision.
func (b *Book) Restaurant(ctx context.Context, id domain.RestaurantID) (restaurant.State, uint64, error) {
	state, records, err := b.restaurants.Latest(ctx, codec.RestaurantStream(id))
	if err != nil {
		return state, 0, err
	}
	if !state.Registered() {
		return state, 0, fmt.Errorf("restaurant %s: %w", id, ErrNotFound)
	}
	return state, uint64(records) - 1, nil
}

package observe

import (
	"context"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"daybook/eventstore"
)

// Subscribe follows the ledger; see eventstore.Subscriber. Its span is of the opening: a
// subscription lasts as long as the process.
func (s *Store) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	_, span := s.tracer.Start(ctx, "eventstore subscribe", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		s.engine, attribute.Int64("daybook.after", int64(after)),
	))
	defer span.End()
	inner, err := s.within.Subscribe(ctx, after, filter)
	if err != nil {
		failed(span, err)
		return nil, err
	}
	sub := &subscription{within: inner, store: s}
	sub.at.Store(uint64(after))
	s.mu.Lock()
	s.subs[sub] = struct{}{}
	s.mu.Unlock()
	sub.unhook = context.AfterFunc(ctx, func() { sub.end("cancelled") })
	return sub, nil
}

// subscription is one that is watched.
type subscription struct {
	within eventstore.Subscription
	store  *Store
	at     atomic.Uint64
	over   sync.Once
	unhook func() bool // from the end of Subscribe's context
}

// Next waits for the next batch; see eventstore.Subscription.
func (s *subscription) Next(ctx context.Context) (eventstore.Batch, error) {
	batch, err := s.within.Next(ctx)
	if err != nil {
		if ctx.Err() == nil { // else it goes on with the next call
			s.end(outcome(err))
			s.unhook()
		}
		return batch, err
	}
	s.at.Store(uint64(batch.Position))
	s.store.reached(batch.Position)
	if n := len(batch.Records); n > 0 {
		s.store.records.WithLabelValues("subscription").Add(float64(n))
		if batch.Live {
			age := s.store.clock().Sub(batch.Records[n-1].Recorded)
			s.store.delivery.Observe(max(0, age.Seconds()))
		}
	}
	return batch, nil
}

// Close ends the subscription.
func (s *subscription) Close() error {
	s.end("closed")
	s.unhook()
	return s.within.Close()
}

func (s *subscription) end(why string) {
	s.over.Do(func() {
		s.store.mu.Lock()
		delete(s.store.subs, s)
		s.store.mu.Unlock()
		s.store.breaks.WithLabelValues(why).Inc()
	})
}

// slowest is the position of the subscription that is furthest behind.
func (s *Store) slowest() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.position()
	for sub := range s.subs {
		at = min(at, float64(sub.at.Load()))
	}
	return at
}

func (s *Store) open() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(len(s.subs))
}

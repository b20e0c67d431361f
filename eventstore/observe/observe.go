// Package observe watches any event store from outside: a decorator that counts and times
// what goes through the contract, for Prometheus, and makes a span of each append and
// read, for OpenTelemetry.
//
// What belongs here: what the contract lets one see, so that every store is measured with
// the same words. What does not: what only a store knows of itself, such as reconnects or
// syncs (each store's Stats), and where metrics and spans go (internal/telemetry and the
// wiring).
package observe

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"daybook/eventstore"
)

// Options of a Store. The zero value is fit for use.
type Options struct {
	// Engine names the store in spans, such as "embedded" or "esdb".
	Engine string
	// Tracers makes the tracer; the process's own provider if nil, which by default makes
	// spans that go nowhere at next to no cost.
	Tracers trace.TracerProvider
	// Clock is the time that records' ages are told by; time.Now if nil. Give the clock
	// of the store if it has one of its own.
	Clock func() time.Time
}

// Store is an eventstore.Store that is watched. Safe for concurrent use. It answers as
// the store within does, to the letter, and closes it when closed.
//
// It is a prometheus.Collector as well: register it once.
type Store struct {
	within eventstore.Store
	tracer trace.Tracer
	engine attribute.KeyValue
	clock  func() time.Time
	kinds  kinds
	metrics

	mu   sync.Mutex
	subs map[*subscription]struct{} // open
}

var _ eventstore.Store = (*Store)(nil)

// tracerName is the scope that spans are found under.
const tracerName = "daybook/eventstore"

// New watches within, which it owns from now on.
func New(within eventstore.Store, options Options) *Store {
	if options.Tracers == nil {
		options.Tracers = otel.GetTracerProvider()
	}
	if options.Clock == nil {
		options.Clock = time.Now
	}
	if options.Engine == "" {
		options.Engine = "unnamed"
	}
	s := &Store{
		within: within,
		tracer: options.Tracers.Tracer(tracerName),
		engine: attribute.String("daybook.store", options.Engine),
		clock:  options.Clock,
		subs:   map[*subscription]struct{}{},
	}
	s.metrics = newMetrics(s.position, s.slowest, s.open)
	return s
}

// Unwrap returns the store within, for what is beyond the contract.
func (s *Store) Unwrap() eventstore.Store { return s.within }

// Append appends; see eventstore.Appender. Its span has the stream's kind, and a conflict
// as an event: a conflict is the contract at work and no error.
func (s *Store) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	kind := s.kinds.of(stream)
	ctx, span := s.tracer.Start(ctx, "eventstore append", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
		s.engine, attribute.String("daybook.stream.kind", kind), attribute.Int("daybook.events", len(events)),
	))
	defer span.End()
	begun := time.Now()
	at, err := s.within.Append(ctx, stream, expected, events...)
	how := outcome(err)
	s.appends.WithLabelValues(kind, how).Observe(time.Since(begun).Seconds())
	if err == nil {
		s.appended.WithLabelValues(kind).Add(float64(len(events)))
		s.reached(at.Position)
	}
	if !span.IsRecording() {
		return at, err
	}
	span.SetAttributes(attribute.String("daybook.outcome", how))
	var conflict *eventstore.ConflictError
	switch {
	case err == nil:
		span.SetAttributes(position(at.Position))
	case errors.As(err, &conflict):
		span.AddEvent("conflict", trace.WithAttributes(
			attribute.String("daybook.expected", conflict.Expected.String()),
			attribute.String("daybook.actual", conflict.Actual.String()),
		))
	default:
		failed(span, err)
	}
	return at, err
}

// ReadStream reads a stream forwards; see eventstore.Reader.
func (s *Store) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return s.reading(ctx, "stream", s.kinds.of(stream), func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
		return s.within.ReadStream(ctx, stream, from)
	})
}

// ReadStreamBackwards reads a stream backwards; see eventstore.Reader.
func (s *Store) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return s.reading(ctx, "stream backwards", s.kinds.of(stream), func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
		return s.within.ReadStreamBackwards(ctx, stream, from)
	})
}

// ReadAll reads the ledger forwards; see eventstore.Reader.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return s.reading(ctx, "all", everyKind, func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
		return s.within.ReadAll(ctx, after, filter)
	})
}

// ReadAllBackwards reads the ledger backwards; see eventstore.Reader.
func (s *Store) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return s.reading(ctx, "all backwards", everyKind, func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
		return s.within.ReadAllBackwards(ctx, from, filter)
	})
}

// reading watches each use of a sequence.
func (s *Store) reading(ctx context.Context, of, kind string, start func(context.Context) iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		ctx, span := s.tracer.Start(ctx, "eventstore read "+of, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			s.engine, attribute.String("daybook.stream.kind", kind),
		))
		begun := time.Now()
		count := 0
		var end error
		defer func() {
			how := outcome(end)
			s.reads.WithLabelValues(of, how).Observe(time.Since(begun).Seconds())
			s.records.WithLabelValues(of).Add(float64(count))
			span.SetAttributes(attribute.Int("daybook.events", count), attribute.String("daybook.outcome", how))
			if end != nil && how != notFound {
				failed(span, end)
			}
			span.End()
		}()
		for r, err := range start(ctx) {
			if err != nil {
				end = err
			} else {
				count++
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// Head asks for the ledger's end; see eventstore.Store.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	head, err := s.within.Head(ctx)
	if err == nil {
		s.reached(head)
	}
	return head, err
}

// Close closes the store within.
func (s *Store) Close() error { return s.within.Close() }

// failed marks a span as one that went wrong.
func failed(span trace.Span, err error) {
	span.RecordError(err)
	span.SetStatus(codes.Error, outcome(err))
}

func position(p eventstore.Position) attribute.KeyValue {
	return attribute.Int64("daybook.position", int64(p))
}

// highest is a position that only grows.
type highest struct{ at atomic.Uint64 }

func (h *highest) reached(p eventstore.Position) {
	for {
		seen := h.at.Load()
		if uint64(p) <= seen || h.at.CompareAndSwap(seen, uint64(p)) {
			return
		}
	}
}

func (h *highest) position() float64 { return float64(h.at.Load()) }

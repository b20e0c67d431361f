package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"daybook/eventstore"
)

// ended returns contexts that are over, each in its way.
func ended() map[string]context.Context {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancelLate := context.WithDeadline(context.Background(), time.Unix(0, 0))
	cancelLate()
	return map[string]context.Context{"cancelled": cancelled, "past its deadline": late}
}

func checkAppendCancelled(e *env) {
	s := e.store()
	for name, ctx := range ended() {
		for _, expected := range []eventstore.Expected{eventstore.NoStream(), eventstore.Any()} {
			if _, err := s.Append(ctx, "day-1", expected, newEvent(held, 0)); !errors.Is(err, ctx.Err()) {
				e.Fatalf("append with a context %s: %v, want %v", name, err, ctx.Err())
			}
		}
	}
	if n := len(e.readAll(s)); n != 0 {
		e.Fatalf("%d events were appended", n)
	}
}

// checkAppendCancelledUnderWay cancels appends at many moments. Success means it is
// there, the context's error that it is not and never will be, ErrUnknownOutcome
// either; and an append with the same ids always finds out.
func checkAppendCancelledUnderWay(e *env) {
	s := e.store()
	background := e.context()
	for i := range soak(120) {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", i))
		events := newEvents(held, 2)
		ctx, cancel := context.WithTimeout(background, time.Duration(i%40)*10*time.Microsecond)
		at, err := s.Append(ctx, stream, eventstore.NoStream(), events...)
		cancel()
		switch {
		case err == nil:
			e.holds(s, stream, events...)
		case errors.Is(err, eventstore.ErrUnknownOutcome):
			if isContextError(err) {
				e.Fatalf("error %v says both that the outcome is unknown and that nothing was handed over", err)
			}
		case isContextError(err):
			e.holds(s, stream)
		default:
			e.Fatalf("append: %v", err)
		}
		again := e.mustAppend(s, stream, eventstore.NoStream(), events...)
		if err == nil && again != at {
			e.Fatalf("append at %+v, retried at %+v", at, again)
		}
		e.holds(s, stream, events...)
	}
}

func checkReadCancelled(e *env) {
	s := e.store()
	e.fill(s, 8)
	for name, ctx := range ended() {
		for what, seq := range map[string]iter.Seq2[eventstore.Record, error]{
			"stream":           s.ReadStream(ctx, "day-1", 0),
			"stream backwards": s.ReadStreamBackwards(ctx, "day-1", eventstore.Last),
			"all":              s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}),
			"all backwards":    s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}),
		} {
			if got, err := e.collect(seq); !errors.Is(err, ctx.Err()) || len(got) != 0 {
				e.Fatalf("read of %s with a context %s: %d records, %v, want %v", what, name, len(got), err, ctx.Err())
			}
		}
	}
}

func checkReadCancelledUnderWay(e *env) {
	s := e.store()
	end := e.mustAppend(s, "day-1", eventstore.NoStream(), newEvents(held, 100)...)
	for range 19 {
		end = e.mustAppend(s, "day-1", eventstore.At(end.Revision), newEvents(held, 100)...)
	}
	reads := map[string]func(context.Context) iter.Seq2[eventstore.Record, error]{
		"stream": func(ctx context.Context) iter.Seq2[eventstore.Record, error] { return s.ReadStream(ctx, "day-1", 0) },
		"stream backwards": func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
			return s.ReadStreamBackwards(ctx, "day-1", eventstore.Last)
		},
		"all": func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
			return s.ReadAll(ctx, eventstore.Start, eventstore.Filter{})
		},
		"all backwards": func(ctx context.Context) iter.Seq2[eventstore.Record, error] {
			return s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{})
		},
	}
	for what, read := range reads {
		ctx, cancel := context.WithCancel(e.context())
		count := 0
		var failed error
		for _, err := range read(ctx) {
			if err != nil {
				failed = err
				continue
			}
			if count++; count == 10 {
				cancel()
			}
		}
		cancel()
		if !errors.Is(failed, context.Canceled) {
			e.Fatalf("read of %s, cancelled after 10 records, ended after %d with %v", what, count, failed)
		}
	}
}

func checkHeadCancelled(e *env) {
	s := e.store()
	for name, ctx := range ended() {
		if _, err := s.Head(ctx); !errors.Is(err, ctx.Err()) {
			e.Fatalf("head with a context %s: %v, want %v", name, err, ctx.Err())
		}
	}
}

func checkSubscribeCancelled(e *env) {
	s := e.store()
	e.fill(s, 4)
	for name, ctx := range ended() {
		if _, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{}); !errors.Is(err, ctx.Err()) {
			e.Fatalf("subscribe with a context %s: %v, want %v", name, err, ctx.Err())
		}
	}
	// A context that ends later ends the subscription, waiting or not.
	ctx, cancel := context.WithCancel(e.context())
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	t := newTrack(eventstore.Start)
	if err := t.untilLive(e.context(), sub); err != nil {
		e.Fatalf("%v", err)
	}
	failed := make(chan error, 1)
	go func() {
		for {
			if err := t.next(e.context(), sub); err != nil {
				failed <- err
				return
			}
		}
	}()
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		e.Fatalf("next after the subscription's context ended: %v, want %v", err, context.Canceled)
	}
	if _, err := sub.Next(e.context()); !errors.Is(err, context.Canceled) {
		e.Fatalf("another next after the subscription's context ended: %v, want %v", err, context.Canceled)
	}
}

// checkNextCancelled gives up waiting many times: each Next fails with its own
// context's error, and the subscription goes on as if it had not been called.
func checkNextCancelled(e *env) {
	s := e.store()
	background := e.context()
	sub := e.subscribe(background, s, eventstore.Start, eventstore.Filter{})
	t := newTrack(eventstore.Start)
	for name, ctx := range ended() {
		if err := t.next(ctx, sub); !errors.Is(err, ctx.Err()) {
			e.Fatalf("next with a context %s: %v, want %v", name, err, ctx.Err())
		}
	}
	var end eventstore.Appended
	for i := range 60 {
		ctx, cancel := context.WithTimeout(background, time.Duration(i%20)*20*time.Microsecond)
		if err := t.next(ctx, sub); err != nil && !isContextError(err) {
			e.Fatalf("next: %v", err)
		}
		cancel()
		end = e.mustAppend(s, "day-1", eventstore.Any(), newEvent(held, i))
	}
	if err := t.until(background, sub, end.Position); err != nil {
		e.Fatalf("%v", err)
	}
	e.sameRecords("subscription", t.records, e.readAll(s))
}

func checkClosed(e *env) {
	s := e.store()
	e.fill(s, 4)
	ctx := e.context()
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	all := s.ReadAll(ctx, eventstore.Start, eventstore.Filter{})
	if err := s.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	results := map[string]error{}
	_, results["append"] = s.Append(ctx, "day-1", eventstore.Any(), newEvent(held, 0))
	_, results["read of a stream"] = e.collect(s.ReadStream(ctx, "day-1", 0))
	_, results["read of a stream backwards"] = e.collect(s.ReadStreamBackwards(ctx, "day-1", eventstore.Last))
	_, results["read of all"] = e.collect(s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}))
	_, results["read of all backwards"] = e.collect(s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}))
	_, results["a sequence made before"] = e.collect(all)
	_, results["subscribe"] = s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	_, results["head"] = s.Head(ctx)
	_, results["next"] = sub.Next(ctx)
	for what, err := range results {
		if !errors.Is(err, eventstore.ErrClosed) {
			e.Fatalf("%s on a closed store: %v, want ErrClosed", what, err)
		}
	}
	if err := s.Close(); err != nil && !isClosed(err) {
		e.Fatalf("second close: %v", err)
	}
	if err := sub.Close(); err != nil {
		e.Fatalf("close of a subscription after its store: %v", err)
	}
}

func checkCloseEndsSubscriptions(e *env) {
	s := e.store()
	e.fill(s, 8)
	ctx := e.context()
	const waiting = 8
	failed := make(chan error, waiting)
	var live sync.WaitGroup
	for i := range waiting {
		filter := eventstore.Filter{}
		if i%2 == 1 {
			filter = eventstore.StreamPrefix("absent-")
		}
		sub := e.subscribe(ctx, s, eventstore.Start, filter)
		live.Add(1)
		go func() {
			t := newTrack(eventstore.Start)
			err := t.untilLive(ctx, sub)
			live.Done()
			for err == nil {
				err = t.next(ctx, sub)
			}
			failed <- err
		}()
	}
	live.Wait()
	if err := s.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	for range waiting {
		if err := <-failed; !errors.Is(err, eventstore.ErrClosed) {
			e.Fatalf("next after the store closed: %v, want ErrClosed", err)
		}
	}
}

// checkCloseUnderAppends closes while writers append: what was acknowledged is there
// when the ledger is opened again, and what was refused is not.
func checkCloseUnderAppends(e *env) {
	s := e.store()
	ctx := e.context()
	const writers = 6
	type outcome struct {
		acked   []eventstore.Event
		refused []eventstore.Event
		err     error
	}
	outcomes := make([]outcome, writers)
	var started, done sync.WaitGroup
	for w := range writers {
		started.Add(1)
		done.Add(1)
		go func() {
			defer done.Done()
			o := &outcomes[w]
			stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
			for n := 0; ; n++ {
				ev := newEvent(held, n)
				_, err := s.Append(ctx, stream, eventstore.Any(), ev)
				if n == 0 {
					started.Done()
				}
				switch {
				case err == nil:
					o.acked = append(o.acked, ev)
					continue
				case errors.Is(err, eventstore.ErrClosed):
					o.refused = append(o.refused, ev)
				case !errors.Is(err, eventstore.ErrUnknownOutcome):
					o.err = err
				}
				return
			}
		}()
	}
	started.Wait()
	if err := s.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	done.Wait()
	s = e.store()
	for w, o := range outcomes {
		if o.err != nil {
			e.Fatalf("writer %d: %v", w, o.err)
		}
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
		records := e.readStream(s, stream)
		if len(records) > len(o.acked)+1-len(o.refused) || len(records) < len(o.acked) {
			e.Fatalf("writer %d: %d records for %d acknowledged and %d refused appends", w, len(records), len(o.acked), len(o.refused))
		}
		e.sameEvents(string(stream), records[:len(o.acked)], stream, 0, o.acked)
	}
}

func checkReopen(e *env) {
	s := e.store()
	e.fill(s, 30)
	for range 3 {
		before := e.readAll(s)
		head, err := s.Head(e.context())
		if err != nil {
			e.Fatalf("head: %v", err)
		}
		if err := s.Close(); err != nil {
			e.Fatalf("close: %v", err)
		}
		s = e.store()
		e.sameRecords("ledger after reopening", e.readAll(s), before)
		if again, err := s.Head(e.context()); err != nil || again != head {
			e.Fatalf("head after reopening is %d (%v), was %d", again, err, head)
		}
		for _, stream := range []eventstore.StreamName{"day-1", "day-2", "restaurant-1", "days"} {
			e.sameRecords("stream after reopening", e.readStream(s, stream), ofStream(before, stream))
		}
		// The next append goes on where the last left off.
		last := ofStream(before, "day-1")
		rev := last[len(last)-1].Revision
		at := e.mustAppend(s, "day-1", eventstore.At(rev), newEvent(held, 0))
		if at.Revision != rev+1 || at.Position <= head {
			e.Fatalf("append after reopening ended at %+v, head was %d at revision %d", at, head, rev)
		}
		sub := e.subscribe(e.context(), s, head, eventstore.Filter{})
		e.sameRecords("subscription after reopening", e.follow(sub, head, 1), after(e.readAll(s), head))
		if err := sub.Close(); err != nil {
			e.Fatalf("close of a subscription: %v", err)
		}
	}
}

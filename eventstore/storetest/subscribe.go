package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"daybook/eventstore"
)

func (e *env) subscribe(ctx context.Context, s eventstore.Store, after eventstore.Position, filter eventstore.Filter) eventstore.Subscription {
	e.Helper()
	sub, err := s.Subscribe(ctx, after, filter)
	if err != nil {
		e.Fatalf("subscribe after %d: %v", after, err)
	}
	e.Cleanup(func() { _ = sub.Close() })
	return sub
}

// track reads batches and keeps what every subscription promises about them.
type track struct {
	records []eventstore.Record
	seen    eventstore.Position // of the last batch
	live    bool                // of the last batch
}

func newTrack(after eventstore.Position) *track { return &track{seen: after} }

// next takes one batch and returns an error that says which promise it breaks.
func (t *track) next(ctx context.Context, sub eventstore.Subscription) error {
	b, err := sub.Next(ctx)
	if err != nil {
		return err
	}
	if len(b.Records) > eventstore.MaxBatch {
		return fmt.Errorf("a batch of %d records, at most %d", len(b.Records), eventstore.MaxBatch)
	}
	last := t.seen
	for _, r := range b.Records {
		if r.Position <= last {
			return fmt.Errorf("a record at position %d after %d: repeated or out of order", r.Position, last)
		}
		last = r.Position
	}
	if b.Position < last {
		return fmt.Errorf("a batch says it saw up to %d, though %d came before", b.Position, last)
	}
	t.records = append(t.records, b.Records...)
	t.seen, t.live = b.Position, b.Live
	return nil
}

// follow reads until count records came, and fails if more did.
func (e *env) follow(sub eventstore.Subscription, after eventstore.Position, count int) []eventstore.Record {
	e.Helper()
	t := newTrack(after)
	for len(t.records) < count {
		if err := t.next(e.context(), sub); err != nil {
			e.Fatalf("subscription after %d records of %d: %v", len(t.records), count, err)
		}
	}
	if len(t.records) > count {
		e.Fatalf("subscription gave %d records, want %d", len(t.records), count)
	}
	return t.records
}

// until reads until the subscription has seen position.
func (t *track) until(ctx context.Context, sub eventstore.Subscription, position eventstore.Position) error {
	for t.seen < position {
		if err := t.next(ctx, sub); err != nil {
			return fmt.Errorf("at position %d of %d, after %d records: %w", t.seen, position, len(t.records), err)
		}
	}
	return nil
}

// untilLive reads until a batch says that nothing more was there.
func (t *track) untilLive(ctx context.Context, sub eventstore.Subscription) error {
	for !t.live {
		if err := t.next(ctx, sub); err != nil {
			return fmt.Errorf("not live at position %d, after %d records: %w", t.seen, len(t.records), err)
		}
	}
	return nil
}

func checkSubscribeFromStart(e *env) {
	s := e.store()
	ctx := e.context()
	all := e.fill(s, 24)
	for _, from := range []int{0, 1, len(all) / 2, len(all) - 1, len(all)} {
		after := eventstore.Start
		if from > 0 {
			after = all[from-1].Position
		}
		t := newTrack(after)
		sub := e.subscribe(ctx, s, after, eventstore.Filter{})
		if err := t.untilLive(ctx, sub); err != nil {
			e.Fatalf("from record %d: %v", from, err)
		}
		e.sameRecords(fmt.Sprintf("subscription from record %d", from), t.records, all[from:])

		at := e.mustAppend(s, "day-1", eventstore.Any(), newEvent(held, from))
		if err := t.until(ctx, sub, at.Position); err != nil {
			e.Fatalf("live, from record %d: %v", from, err)
		}
		all = append(all, e.readAll(s)[len(all):]...)
		e.sameRecords(fmt.Sprintf("live subscription from record %d", from), t.records, all[from:])
	}
}

func checkSubscribeEmptyLedger(e *env) {
	s := e.store()
	ctx := e.context()
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	t := newTrack(eventstore.Start)
	if err := t.untilLive(ctx, sub); err != nil {
		e.Fatalf("empty ledger: %v", err)
	}
	if len(t.records) != 0 || t.seen != eventstore.Start {
		e.Fatalf("an empty ledger gave %d records, up to position %d", len(t.records), t.seen)
	}
	ev := newEvent(held, 1)
	e.mustAppend(s, "day-1", eventstore.NoStream(), ev)
	e.sameEvents("first record", e.follow(sub, eventstore.Start, 1), "day-1", 0, []eventstore.Event{ev})
}

// checkSubscribeUnderWriters opens subscriptions from the start, the middle and the
// head while writers append, so that catching up ends at many different moments. Each
// must have seen exactly what a read of the ledger gives.
func checkSubscribeUnderWriters(e *env) {
	s := e.store()
	ctx := e.context()
	for range 12 {
		e.mustAppend(s, "before", eventstore.Any(), newEvents(held, 100)...)
	}
	before := e.readAll(s)

	const writers = 4
	appends := soak(60)
	var wg sync.WaitGroup
	errs := make(chan error, writers+64)
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
			for n := range appends {
				if _, err := s.Append(ctx, stream, eventstore.Any(), newEvents(held, 1+n%4)...); err != nil {
					errs <- fmt.Errorf("append: %w", err)
					return
				}
			}
		}()
	}
	written := make(chan eventstore.Position)
	var readers sync.WaitGroup
	type outcome struct {
		after eventstore.Position
		track *track
	}
	var outcomes []outcome
	for i := range 12 {
		var after eventstore.Position
		switch i % 3 {
		case 1:
			after = before[len(before)/2+i].Position
		case 2:
			head, err := s.Head(ctx)
			if err != nil {
				e.Fatalf("head: %v", err)
			}
			after = head
		}
		sub := e.subscribe(ctx, s, after, eventstore.Filter{})
		t := newTrack(after)
		outcomes = append(outcomes, outcome{after, t})
		readers.Add(1)
		go func() {
			defer readers.Done()
			if err := t.untilLive(ctx, sub); err != nil {
				errs <- fmt.Errorf("subscription after %d: %w", after, err)
				return
			}
			if err := t.until(ctx, sub, <-written); err != nil {
				errs <- fmt.Errorf("subscription after %d: %w", after, err)
			}
		}()
	}
	wg.Wait()
	end := e.mustAppend(s, "after", eventstore.NoStream(), newEvent(held, 0))
	finished := make(chan struct{})
	go func() { readers.Wait(); close(finished) }()
	for waiting := true; waiting; {
		select {
		case written <- end.Position:
		case <-finished:
			waiting = false
		}
	}
	close(errs)
	for err := range errs {
		e.Fatalf("%v", err)
	}
	all := e.readAll(s)
	for _, o := range outcomes {
		e.sameRecords(fmt.Sprintf("subscription after %d", o.after), o.track.records, after(all, o.after))
	}
}

func after(records []eventstore.Record, position eventstore.Position) []eventstore.Record {
	for i, r := range records {
		if r.Position > position {
			return records[i:]
		}
	}
	return nil
}

// checkSlowSubscriber leaves a live subscription alone while far more is appended than
// one batch carries.
func checkSlowSubscriber(e *env) {
	s := e.store()
	ctx := e.context()
	e.mustAppend(s, "day-1", eventstore.NoStream(), newEvents(held, 3)...)
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	t := newTrack(eventstore.Start)
	if err := t.untilLive(ctx, sub); err != nil {
		e.Fatalf("%v", err)
	}
	last := eventstore.Revision(2)
	for range 3 {
		var end eventstore.Appended
		for range 8 {
			end = e.mustAppend(s, "day-1", eventstore.At(last), newEvents(held, 120)...)
			last = end.Revision
		}
		if err := t.until(ctx, sub, end.Position); err != nil {
			e.Fatalf("%v", err)
		}
	}
	e.sameRecords("slow subscription", t.records, e.readAll(s))
}

func checkSubscribeFiltered(e *env) {
	s := e.store()
	ctx := e.context()
	filters := []eventstore.Filter{
		eventstore.StreamPrefix("day-"),
		eventstore.StreamPrefix("restaurant-", "day-2"),
		eventstore.TypePrefix("reservation."),
		eventstore.TypePrefix("restaurant.", "reservation.confirmed"),
	}
	e.fill(s, 20)
	subs := make([]eventstore.Subscription, len(filters))
	for i, f := range filters {
		subs[i] = e.subscribe(ctx, s, eventstore.Start, f)
	}
	for i := range 20 { // live, some of it passing each filter
		stream := eventstore.StreamName([]string{"day-1", "restaurant-1"}[i%2])
		e.mustAppend(s, stream, eventstore.Any(), newEvent([]string{held, "restaurant.renamed", "reservation.confirmed"}[i%3], i))
	}
	// One record that passes every filter, so that each subscription has an end.
	e.mustAppend(s, "day-2", eventstore.Any(), newEvent("reservation.confirmed", 99))
	all := e.readAll(s)
	for i, f := range filters {
		want := passing(all, f)
		e.sameRecords(fmt.Sprintf("filter %d", i), e.follow(subs[i], eventstore.Start, len(want)), want)
	}
}

// checkFilteredPositionAdvances requires that a subscription none of whose records
// come still tells how far it has looked: caught up, and every so often when live.
func checkFilteredPositionAdvances(e *env) {
	s := e.store()
	ctx := e.context()
	e.mustAppend(s, "restaurant-1", eventstore.NoStream(), newEvent("restaurant.registered", 0))
	end := e.mustAppend(s, "day-1", eventstore.NoStream(), newEvents(held, 100)...)
	for range 14 {
		end = e.mustAppend(s, "day-1", eventstore.At(end.Revision), newEvents(held, 100)...)
	}
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.StreamPrefix("restaurant-"))
	t := newTrack(eventstore.Start)
	if err := t.until(ctx, sub, end.Position); err != nil {
		e.Fatalf("catching up: %v", err)
	}
	if err := t.untilLive(ctx, sub); err != nil {
		e.Fatalf("catching up: %v", err)
	}
	caughtUp := t.seen
	for range 15 {
		end = e.mustAppend(s, "day-1", eventstore.At(end.Revision), newEvents(held, 100)...)
	}
	if err := t.until(ctx, sub, caughtUp+1); err != nil {
		e.Fatalf("live: %v", err)
	}
	if len(t.records) != 1 {
		e.Fatalf("%d records passed, want 1", len(t.records))
	}
	last := e.mustAppend(s, "restaurant-2", eventstore.NoStream(), newEvent("restaurant.registered", 1))
	if err := t.until(ctx, sub, last.Position); err != nil {
		e.Fatalf("live: %v", err)
	}
	e.sameRecords("filtered", t.records, passing(e.readAll(s), eventstore.StreamPrefix("restaurant-")))
}

// checkResume takes one batch from each of a row of subscriptions, every one
// starting where the batch before it ended.
func checkResume(e *env) {
	s := e.store()
	ctx := e.context()
	for i := range 9 {
		e.mustAppend(s, eventstore.StreamName(fmt.Sprintf("day-%d", i%3)), eventstore.Any(), newEvents(held, 150)...)
	}
	all := e.readAll(s)
	for _, f := range []eventstore.Filter{{}, eventstore.StreamPrefix("day-1")} {
		t := newTrack(eventstore.Start)
		for t.seen < all[len(all)-1].Position {
			sub, err := s.Subscribe(ctx, t.seen, f)
			if err != nil {
				e.Fatalf("subscribe: %v", err)
			}
			before := t.seen
			for t.seen == before { // an empty batch may only say that it is live
				if err := t.next(ctx, sub); err != nil {
					e.Fatalf("next: %v", err)
				}
			}
			if err := sub.Close(); err != nil {
				e.Fatalf("close of a subscription: %v", err)
			}
		}
		e.sameRecords("resumed", t.records, passing(all, f))
	}
}

func checkSubscriptionClose(e *env) {
	s := e.store()
	ctx := e.context()
	sub := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	other := e.subscribe(ctx, s, eventstore.Start, eventstore.Filter{})
	failed := make(chan error, 1)
	go func() {
		for {
			if _, err := sub.Next(ctx); err != nil {
				failed <- err
				return
			}
		}
	}()
	if err := sub.Close(); err != nil {
		e.Fatalf("close: %v", err)
	}
	if err := <-failed; !errors.Is(err, eventstore.ErrClosed) {
		e.Fatalf("next of a closed subscription: %v, want ErrClosed", err)
	}
	if _, err := sub.Next(ctx); !errors.Is(err, eventstore.ErrClosed) {
		e.Fatalf("next of a closed subscription: %v, want ErrClosed", err)
	}
	if err := sub.Close(); err != nil {
		e.Fatalf("second close: %v", err)
	}
	ev := newEvent(held, 1)
	e.mustAppend(s, "day-1", eventstore.NoStream(), ev)
	e.sameEvents("the other subscription", e.follow(other, eventstore.Start, 1), "day-1", 0, []eventstore.Event{ev})
}

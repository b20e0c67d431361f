package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync/atomic"
	"time"

	official "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"daybook/eventstore"
)

// readCell is one way of reading.
type readCell struct {
	what   string
	direct []float64 // events a second, by round, in process
	client []float64 // and through the official client
}

// measureReads reads the ledger that was filled, in process and through the client.
func (b *storeBench) measureReads(ctx context.Context, progress io.Writer) ([]*readCell, error) {
	if err := b.reopen(ctx, b.ledgerFolder()); err != nil {
		return nil, err
	}
	fmt.Fprintln(progress, "reads ...")
	all, one := &readCell{what: "all"}, &readCell{what: fmt.Sprintf("streams of %d", streamLength)}
	for range b.settings.store.rounds {
		for _, m := range []struct {
			to   *[]float64
			read func(context.Context, int) (int, error)
		}{
			{&all.direct, b.readAll}, {&all.client, b.clientReadAll},
			{&one.direct, b.readStream}, {&one.client, b.clientReadStream},
		} {
			rate, err := b.readFor(ctx, m.read)
			if err != nil {
				return nil, err
			}
			*m.to = append(*m.to, rate)
		}
	}
	return []*readCell{all, one}, nil
}

// readFor reads again and again until the round is over, and returns events a second.
func (b *storeBench) readFor(ctx context.Context, read func(context.Context, int) (int, error)) (float64, error) {
	began, events := time.Now(), 0
	for n := 0; time.Since(began) < b.aRound(); n++ {
		got, err := read(ctx, n)
		if err != nil {
			return 0, err
		}
		events += got
	}
	return float64(events) / time.Since(began).Seconds(), nil
}

// stretch is how much of all is read at a time; each goes on where the last ended.
const stretch = 20_000

// after is where the n-th stretch begins.
func (b *storeBench) after(n int) uint64 {
	return uint64(n) * stretch % uint64(max(1, b.settings.store.events-stretch+1))
}

func (b *storeBench) readAll(ctx context.Context, n int) (events int, err error) {
	for _, err := range b.store.ReadAll(ctx, eventstore.Position(b.after(n)), eventstore.Everything()) {
		if err != nil {
			return events, err
		}
		if events++; events == stretch {
			break
		}
	}
	return events, nil
}

func (b *storeBench) readStream(ctx context.Context, n int) (events int, err error) {
	for _, err := range b.store.ReadStream(ctx, b.someStream(n), 0) {
		if err != nil {
			return events, err
		}
		events++
	}
	return events, nil
}

// someStream goes through the ledger's streams in no order.
func (b *storeBench) someStream(n int) eventstore.StreamName {
	return ledgerStream(uint64(n) * 7919 % uint64(max(1, b.settings.store.events/streamLength)))
}

func (b *storeBench) clientReadAll(ctx context.Context, n int) (int, error) {
	at := b.after(n)
	stream, err := b.client.ReadAll(ctx, official.ReadAllOptions{From: official.Position{Commit: at, Prepare: at}, Direction: official.Forwards}, stretch)
	if err != nil {
		return 0, err
	}
	return drain(stream)
}

func (b *storeBench) clientReadStream(ctx context.Context, n int) (int, error) {
	stream, err := b.client.ReadStream(ctx, string(b.someStream(n)), official.ReadStreamOptions{From: official.Start{}, Direction: official.Forwards}, math.MaxUint64)
	if err != nil {
		return 0, err
	}
	return drain(stream)
}

func drain(stream *official.ReadStream) (events int, err error) {
	defer stream.Close()
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events++
	}
}

// liveCell is how long it took from the call of an append until a live subscription had
// the event, the sync and the way back of nothing included.
type liveCell struct {
	what string
	took tally
}

// measureLive appends one event at a time, and waits for it at a subscription.
func (b *storeBench) measureLive(ctx context.Context, progress io.Writer) ([]*liveCell, error) {
	fmt.Fprintln(progress, "live delivery ...")
	direct, through := &liveCell{what: "in process"}, &liveCell{what: "through the client"}
	for range b.settings.store.rounds {
		for _, m := range []struct {
			to     *liveCell
			append func(context.Context, eventstore.EventID) error
			follow func(context.Context, chan<- struct{}, func(uint64)) error
		}{{direct, b.appendLive, b.follow}, {through, b.clientAppendLive, b.clientFollow}} {
			took, err := b.liveFor(ctx, m.append, m.follow)
			if err != nil {
				return nil, fmt.Errorf("live delivery, %s: %w", m.to.what, err)
			}
			m.to.took.took = append(m.to.took.took, took...)
		}
	}
	return []*liveCell{direct, through}, nil
}

// liveStream is where events for live delivery go.
const liveStream = "live"

// liveFor appends the next event when the last has been delivered.
func (b *storeBench) liveFor(
	ctx context.Context, appendOne func(context.Context, eventstore.EventID) error, follow func(context.Context, chan<- struct{}, func(uint64)) error,
) (took []time.Duration, err error) {
	ctx, cancel := context.WithCancel(ctx)
	ready, arrived, ended := make(chan struct{}), make(chan time.Time, 1), make(chan error, 1)
	var waiting atomic.Uint64
	go func() {
		ended <- follow(ctx, ready, func(number uint64) {
			if number == waiting.Load() {
				arrived <- time.Now()
			}
		})
	}()
	defer func() {
		cancel()
		if ended != nil {
			<-ended
		}
	}()
	select {
	case <-ready:
	case err := <-ended:
		ended = nil
		return nil, err
	}
	for began := time.Now(); time.Since(began) < b.aRound(); {
		number := b.ids.Add(1)
		waiting.Store(number)
		sent := time.Now()
		if err := appendOne(ctx, spread(number)); err != nil {
			return nil, err
		}
		select {
		case at := <-arrived:
			took = append(took, at.Sub(sent))
		case err := <-ended:
			ended = nil
			return nil, err
		}
	}
	return took, nil
}

func (b *storeBench) appendLive(ctx context.Context, id eventstore.EventID) error {
	_, err := b.store.Append(ctx, liveStream, eventstore.Any(), eventstore.Event{ID: id, Type: holdType, Data: holdData, Metadata: holdMetadata})
	return err
}

func (b *storeBench) clientAppendLive(ctx context.Context, id eventstore.EventID) error {
	e := b.eventData()
	e.EventID = uuid.UUID(id)
	_, err := b.client.AppendToStream(ctx, liveStream, official.AppendToStreamOptions{ExpectedRevision: official.Any{}}, e)
	return err
}

// follow tells the number of each event that is appended once it is live.
func (b *storeBench) follow(ctx context.Context, ready chan<- struct{}, tell func(uint64)) error {
	head, err := b.store.Head(ctx)
	if err != nil {
		return err
	}
	sub, err := b.store.Subscribe(ctx, head, eventstore.Filter{})
	if err != nil {
		return err
	}
	defer sub.Close()
	close(ready)
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		for _, r := range batch.Records {
			tell(numberOf(r.ID))
		}
	}
}

func (b *storeBench) clientFollow(ctx context.Context, ready chan<- struct{}, tell func(uint64)) error {
	sub, err := b.client.SubscribeToAll(ctx, official.SubscribeToAllOptions{From: official.End{}})
	if err != nil {
		return err
	}
	defer sub.Close()
	live := false
	for {
		switch e := sub.Recv(); {
		case e.SubscriptionDropped != nil:
			return e.SubscriptionDropped.Error
		case e.CaughtUp != nil && !live:
			live = true
			close(ready)
		case e.EventAppeared != nil:
			tell(numberOf(e.EventAppeared.OriginalEvent().EventID))
		}
	}
}

// reopen goes on with the store of another folder.
func (b *storeBench) reopen(ctx context.Context, dir string) error {
	if err := b.closeStore(); err != nil {
		return err
	}
	return b.openStore(ctx, dir)
}

// quantiles are the middle and the slow end of some latencies.
func quantiles(took []time.Duration) (p50, p99 time.Duration) {
	t := tally{took: slices.Clone(took)}
	return t.quantile(0.50), t.quantile(0.99)
}

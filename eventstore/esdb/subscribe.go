package esdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
)

// maxHeld bounds the data and metadata, in bytes, that a subscription holds for a reader
// who is busy elsewhere; one record may go past it. From there on the server is held up by
// the flow control of the connection, for this subscription alone.
const maxHeld = 8 << 20

// checkpointEvery is after how many records that do not pass a filter the server says
// how far it has come.
const checkpointEvery = 512

// Subscribe follows the ledger; see eventstore.Subscriber. The server filters.
func (s *Store) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	call, cancel := context.WithCancel(ctx)
	unhook := context.AfterFunc(s.open, cancel)
	give := func(err error) (eventstore.Subscription, error) {
		unhook()
		cancel()
		return nil, err
	}
	// The context of the call is that of the whole subscription, so opening it is timed
	// beside it.
	patience := time.AfterFunc(s.timeout, cancel)
	u, inner, err := s.follow(call, after, filter)
	for attempt := 0; u != nil && err != nil && s.moved(call, err, attempt); attempt++ {
		u.release()
		u, inner, err = s.follow(call, after, filter)
	}
	if u == nil {
		return give(s.notOpened(ctx, err))
	}
	if !patience.Stop() {
		s.links.fail(u.link) // see late
		if err == nil {
			_ = inner.Close()
			err = errSilent
		}
	}
	if err != nil {
		err = s.readFailure(ctx, u, err)
		u.release()
		return give(err)
	}
	sub := &subscription{
		store: s, ctx: ctx, call: call, use: u, inner: inner, filter: filter,
		end:      func() { unhook(); cancel() },
		position: after,
		filled:   make(chan struct{}, 1),
		emptied:  make(chan struct{}, 1),
		over:     make(chan struct{}),
	}
	go sub.collect()
	return sub, nil
}

// follow makes one call. Without a link to make it on there is no use either.
func (s *Store) follow(call context.Context, after eventstore.Position, filter eventstore.Filter) (*use, *client.Subscription, error) {
	u, err := s.links.acquire(call)
	if err != nil {
		return nil, nil, err
	}
	inner, err := guarded(func() (*client.Subscription, error) {
		return u.client.SubscribeToAll(u.context(call), client.SubscribeToAllOptions{
			From:               allPosition(after),
			Filter:             serverFilter(filter),
			MaxSearchWindow:    checkpointEvery,
			CheckpointInterval: 1,
		})
	})
	return u, inner, err
}

// notOpened is notConnected for a call whose context the timeout or Close may have
// ended.
func (s *Store) notOpened(ctx context.Context, err error) error {
	if ctx.Err() == nil && s.open.Err() != nil {
		return eventstore.ErrClosed
	}
	return s.notConnected(ctx, err)
}

// serverFilter never returns nil: without a filter the server would send the engine's
// own events, and no checkpoints.
func serverFilter(f eventstore.Filter) *client.SubscriptionFilter {
	switch {
	case f.PassesAll(): // no filter would do, but then nothing would tell how far it has come
		return &client.SubscriptionFilter{Type: client.EventFilterType, Regex: "."}
	// An empty prefix passes all there is, which servers refuse to be told.
	case len(f.StreamPrefixes()) > 0 && !slices.Contains(f.StreamPrefixes(), ""):
		return &client.SubscriptionFilter{Type: client.StreamFilterType, Prefixes: f.StreamPrefixes()}
	case len(f.StreamPrefixes()) == 0 && len(f.TypePrefixes()) > 0 && !slices.Contains(f.TypePrefixes(), ""):
		return &client.SubscriptionFilter{Type: client.EventFilterType, Prefixes: f.TypePrefixes()}
	default:
		return client.ExcludeSystemEventsFilter()
	}
}

// subscription collects what the server sends, in a goroutine of its own, into one
// batch that grows until Next takes it.
type subscription struct {
	store  *Store
	ctx    context.Context // of the caller of Subscribe
	call   context.Context // of the client's call: over with ctx, Close, or the store
	use    *use
	inner  *client.Subscription
	filter eventstore.Filter
	end    func() // ends the call

	mu       sync.Mutex
	records  []eventstore.Record
	held     int // bytes of data and metadata in records
	position eventstore.Position
	caughtUp bool  // by the server's word
	news     bool  // something to tell beside records
	err      error // why there will be no more
	closed   bool

	filled  chan struct{} // something for Next
	emptied chan struct{} // room for collect
	over    chan struct{} // closed when collect has ended
}

// Next waits for the next batch; see eventstore.Subscription.
func (s *subscription) Next(ctx context.Context) (eventstore.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return eventstore.Batch{}, err
		}
		batch, ok, err := s.take()
		if ok || err != nil {
			return batch, err
		}
		select {
		case <-s.filled:
		case <-s.ctx.Done():
			return eventstore.Batch{}, s.stopped()
		case <-s.store.open.Done():
			return eventstore.Batch{}, s.stopped()
		case <-ctx.Done():
		}
	}
}

// take returns what was collected; ok is false if that is nothing.
func (s *subscription) take() (batch eventstore.Batch, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stoppedLocked(); err != nil {
		return eventstore.Batch{}, false, err
	}
	if len(s.records) == 0 && !s.news {
		return eventstore.Batch{}, false, s.err
	}
	batch = eventstore.Batch{
		Records:  s.records,
		Position: s.position,
		// A full batch has held collect up, so there is likely more.
		Live: s.caughtUp && !s.full(),
	}
	s.records, s.held, s.news = nil, 0, false
	signal(s.emptied)
	return batch, true, nil
}

// stopped is why nothing more will come by the reader's own doing, nil if it has done
// nothing.
func (s *subscription) stopped() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stoppedLocked()
}

func (s *subscription) stoppedLocked() error {
	switch {
	case s.closed, s.store.open.Err() != nil:
		return eventstore.ErrClosed
	default:
		return s.ctx.Err()
	}
}

// Close ends the subscription.
func (s *subscription) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	signal(s.filled)
	s.end()
	<-s.over
	return nil
}

// collect receives until the subscription ends.
func (s *subscription) collect() {
	defer close(s.over)
	defer s.use.release()
	defer s.end()
	defer func() { _ = s.inner.Close() }()
	for {
		event, err := guarded(func() (*client.SubscriptionEvent, error) { return s.inner.Recv(), nil })
		if err == nil {
			err = s.accept(event)
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// accept adds one message to the batch, waiting for room if it is a record. Its error
// ends the subscription.
func (s *subscription) accept(event *client.SubscriptionEvent) error {
	switch {
	case event.SubscriptionDropped != nil:
		return event.SubscriptionDropped.Error
	case event.EventAppeared != nil:
		record, err := toRecord(event.EventAppeared)
		if err != nil {
			return err
		}
		return s.add(record)
	case event.CheckPointReached != nil:
		s.tell(func() { s.position = max(s.position, fromServer(event.CheckPointReached.Commit)) })
	case event.CaughtUp != nil:
		s.tell(func() { s.caughtUp = true })
	case event.FellBehind != nil:
		s.mu.Lock()
		s.caughtUp = false
		s.mu.Unlock()
	}
	return nil
}

func (s *subscription) full() bool { return len(s.records) == eventstore.MaxBatch || s.held >= maxHeld }

func (s *subscription) add(r eventstore.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.full() {
		s.mu.Unlock()
		select {
		case <-s.emptied:
		case <-s.call.Done():
		}
		s.mu.Lock()
		if err := s.call.Err(); err != nil {
			return err
		}
	}
	if r.Position <= s.position {
		return nil // sent again at the seam between catching up and live
	}
	s.position = r.Position
	if s.filter.Passes(r.Stream, r.Type) {
		s.records = append(s.records, r)
		s.held += len(r.Data) + len(r.Metadata)
		signal(s.filled)
	}
	return nil
}

func (s *subscription) tell(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.news = true
	signal(s.filled)
}

// fail keeps why the server's part of the subscription ended. What was collected
// before is still handed out.
func (s *subscription) fail(err error) {
	if broken(err) {
		s.store.links.fail(s.use.link)
	}
	s.store.counters.drops.Add(1)
	if !errors.Is(err, eventstore.ErrUnavailable) {
		err = fmt.Errorf("%w: subscription dropped: %v", eventstore.ErrUnavailable, err)
	}
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	signal(s.filled)
}

// signal wakes the one that waits on c, or the next one that will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

package esdbserver

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"daybook/eventstore"
)

const (
	// maxPending is how many batches of one call may be begun and not yet complete.
	maxPending = 256
	// maxPendingSize bounds the data and metadata of those, in bytes.
	maxPendingSize = 2 * eventstore.MaxAppendSize
	// maxUnderWay bounds the complete batches of one call that are being appended and
	// answered, in bytes; a batch weighs at least batchWeight. Beyond it the call takes
	// no further message until an answer was sent.
	maxUnderWay = 2 * eventstore.MaxAppendSize
	batchWeight = 64 << 10
)

// BatchAppend appends many batches over one call. A batch comes in one message or in
// several, under its correlation id, and each is answered by itself. Batches of one
// stream are appended in the order in which they were completed, those of different
// streams beside each other.
func (s *streamsService) BatchAppend(stream streams.Streams_BatchAppendServer) error {
	if !s.server.batchers.TryAcquire(1) {
		return status.Error(codes.ResourceExhausted, "too many batch appends at a time")
	}
	defer s.server.batchers.Release(1)

	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	b := newBatcher(s.server, stream)
	defer b.expiry.Stop()
	err := b.run(ctx)
	b.appends.Wait() // shutting down, too, answers what was complete
	return err
}

// batcher is one BatchAppend call.
type batcher struct {
	server *Server
	stream streams.Streams_BatchAppendServer

	// The goroutine of run alone uses these: the batches not yet complete, the size of
	// them all, and when the next one expires.
	pending map[eventstore.EventID]*batch
	held    int
	expiry  *time.Timer

	underWay *semaphore.Weighted
	appends  sync.WaitGroup

	mu   sync.Mutex
	last map[eventstore.StreamName]chan struct{} // closed when the stream's newest batch was appended

	sending sync.Mutex
	failed  sync.Once
	broken  chan struct{} // closed when an answer could not be sent
}

func newBatcher(server *Server, stream streams.Streams_BatchAppendServer) *batcher {
	return &batcher{
		server: server, stream: stream,
		pending:  make(map[eventstore.EventID]*batch),
		last:     make(map[eventstore.StreamName]chan struct{}),
		underWay: semaphore.NewWeighted(maxUnderWay),
		broken:   make(chan struct{}),
		expiry:   time.NewTimer(time.Hour),
	}
}

// batch is one append of the call.
type batch struct {
	intake
	correlation *shared.UUID
	options     *streams.BatchAppendReq_Options
	deadline    time.Time
}

func (b *batcher) run(ctx context.Context) error {
	received := make(chan *streams.BatchAppendReq)
	ended := make(chan error, 1)
	go func() {
		for {
			m, err := b.stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case received <- m:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case m := <-received:
			if err := b.take(ctx, m); err != nil {
				return err
			}
		case <-b.expiry.C:
			b.expire(time.Now())
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil // a batch that is not complete by now never will be
			}
			return err
		case <-b.broken:
			return status.Error(codes.Canceled, "the client takes no answers")
		case <-b.server.closing.Done():
			return errShuttingDown
		}
	}
}

// take handles one message. What is wrong with a batch is answered, and ends it; the call
// goes on.
func (b *batcher) take(ctx context.Context, m *streams.BatchAppendReq) error {
	id, err := eventID(m.GetCorrelationId())
	if err != nil {
		b.answer(&batch{correlation: m.GetCorrelationId(), options: m.GetOptions()}, badRequest("a batch without a correlation id"))
		return nil //nolint:nilerr // the batch is answered with what is wrong; the call goes on
	}
	p := b.pending[id]
	if p == nil {
		if m.GetOptions() == nil {
			return nil // the rest of a batch that was answered already
		}
		if p = b.begin(id, m); p == nil {
			return nil
		}
	}
	before := p.size
	for _, e := range m.GetProposedMessages() {
		p.event(e)
	}
	b.held += p.size - before
	switch {
	case p.err != nil:
		b.drop(id, p)
		b.answer(p, refusal(p.err))
		return nil //nolint:nilerr // as above
	case b.held > maxPendingSize && !m.GetIsFinal():
		b.drop(id, p)
		b.answer(p, badRequest("too many batches begun and not complete"))
		return nil
	case !m.GetIsFinal():
		return nil
	}
	b.drop(id, p)
	return b.append(ctx, p)
}

// begin keeps a new batch, or answers why not.
func (b *batcher) begin(id eventstore.EventID, m *streams.BatchAppendReq) *batch {
	p := &batch{correlation: m.GetCorrelationId(), options: m.GetOptions()}
	now := time.Now()
	p.begin(now, b.server.options.AppendTimeout)
	switch {
	case p.err != nil:
		b.answer(p, refusal(p.err))
		return nil
	case !p.deadline.After(now):
		b.answer(p, timedOut())
		return nil
	case len(b.pending) == maxPending:
		b.answer(p, badRequest("too many batches begun and not complete"))
		return nil
	}
	b.pending[id] = p
	b.wakeAt(now)
	return p
}

// drop forgets a batch that is complete or refused.
func (b *batcher) drop(id eventstore.EventID, p *batch) {
	delete(b.pending, id)
	b.held -= p.size
}

// expire answers the batches whose deadline has passed before they were complete.
func (b *batcher) expire(now time.Time) {
	for id, p := range b.pending {
		if !p.deadline.After(now) {
			b.drop(id, p)
			b.answer(p, timedOut())
		}
	}
	b.wakeAt(now)
}

// wakeAt sets the timer to the earliest deadline. Without batches it may ring in vain.
func (b *batcher) wakeAt(now time.Time) {
	next := time.Hour
	for _, p := range b.pending {
		next = min(next, p.deadline.Sub(now))
	}
	b.expiry.Reset(next)
}

// append appends a complete batch beside the others, after the one before it of the
// same stream.
func (b *batcher) append(ctx context.Context, p *batch) error {
	weight := int64(max(p.size, batchWeight))
	// A client that takes no answers holds the room; shutting down must not wait for it.
	waiting, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.server.closing, cancel)
	err := b.underWay.Acquire(waiting, weight)
	stop()
	cancel()
	if err != nil {
		if b.server.closing.Err() != nil {
			return errShuttingDown
		}
		return status.FromContextError(ctx.Err()).Err()
	}
	b.mu.Lock()
	before, done := b.last[p.stream], make(chan struct{})
	b.last[p.stream] = done
	b.mu.Unlock()
	b.appends.Go(func() {
		defer b.underWay.Release(weight)
		result := b.write(ctx, before, p)
		close(done)
		b.mu.Lock()
		if b.last[p.stream] == done {
			delete(b.last, p.stream)
		}
		b.mu.Unlock()
		b.answer(p, result)
	})
	return nil
}

func (b *batcher) write(ctx context.Context, before chan struct{}, p *batch) result {
	ctx, cancel := context.WithDeadline(ctx, p.deadline)
	defer cancel()
	if before != nil {
		select {
		case <-before:
		case <-ctx.Done():
			return timedOut()
		}
	}
	at, err := b.server.write(ctx, p.stream, p.expected, p.events)
	if err != nil {
		return b.server.failedBatch(ctx, p.stream, err)
	}
	return result{success: succeeded(at)}
}

// answer sends the answer to one batch.
func (b *batcher) answer(p *batch, r result) {
	b.sending.Lock()
	defer b.sending.Unlock()
	if err := b.stream.Send(r.response(p)); err != nil {
		b.failed.Do(func() { close(b.broken) })
	}
}

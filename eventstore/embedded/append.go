package embedded

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"daybook/eventstore"
)

// request is one append on its way to the writer and back. The caller owns it until
// it is queued and again once done has been received from.
type request struct {
	kind     kind
	stream   eventstore.StreamName
	expected eventstore.Expected
	// records and encoded hold the events in the store's own memory. They outlive the
	// request, in the tail that subscriptions read.
	records []eventstore.Record
	encoded []byte
	// limits are what the last event says, where stream holds metadata.
	limits limits

	state atomic.Uint32
	done  chan struct{} // one message, when at and err are set
	at    eventstore.Appended
	err   error
	wrote bool // records are part of the group's batch
}

// kind is what a request asks for.
type kind uint8

const (
	appending kind = iota
	deleting
	ending // for ever
)

// A request is taken by the writer or withdrawn by its caller, never both.
const (
	queued uint32 = iota
	taken
	withdrawn
)

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

func newRequest(stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event) *request {
	size := 0
	for i := range events {
		size += recordSize(stream, &events[i])
	}
	r := requests.Get().(*request)
	r.stream, r.expected = stream, expected
	r.records = make([]eventstore.Record, len(events))
	r.encoded = make([]byte, 0, size)
	for i := range events {
		rec := &r.records[i]
		rec.Stream = stream
		r.encoded, rec.Event = appendRecord(r.encoded, stream, &events[i])
	}
	return r
}

// release gives the request back; only its owner may.
func (r *request) release() {
	done := r.done
	*r = request{done: done}
	requests.Put(r)
}

func (r *request) finish() { r.done <- struct{}{} }

// Append implements eventstore.Appender. Its own additions to the contract: where a
// write or sync has failed, appends of the groups then under way answer
// ErrUnknownOutcome and all later ones ErrUnavailable, until the process starts again.
// The same holds for Write, Delete and Tombstone.
func (s *Store) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.CheckAppend(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, err
	}
	return s.send(ctx, newRequest(stream, expected, events))
}

// send hands a request to the writer and waits for the answer.
func (s *Store) send(ctx context.Context, r *request) (eventstore.Appended, error) {
	if !s.queue.put(r) {
		r.release()
		return eventstore.Appended{}, eventstore.ErrClosed
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(queued, withdrawn) {
			return eventstore.Appended{}, ctx.Err()
		}
		select {
		case <-r.done: // it was just answered
		default:
			// The cause is told in words only: an error that also is a context error would
			// be taken for one that says nothing was appended.
			return eventstore.Appended{}, fmt.Errorf("%w: %v while the append was being written", eventstore.ErrUnknownOutcome, ctx.Err())
		}
	}
	at, err := r.at, r.err
	r.release()
	return at, err
}

// queue is what waits for the writer. Callers block in Append until they are
// answered, so it holds at most one append for each.
type queue struct {
	mu     sync.Mutex
	filled chan struct{} // has a message when the writer should look
	list   []*request
	over   bool
}

func newQueue() *queue { return &queue{filled: make(chan struct{}, 1)} }

// put queues r; false if the queue is closed.
func (q *queue) put(r *request) bool {
	q.mu.Lock()
	if q.over {
		q.mu.Unlock()
		return false
	}
	q.list = append(q.list, r)
	first := len(q.list) == 1
	q.mu.Unlock()
	if first {
		q.ring()
	}
	return true
}

func (q *queue) ring() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}

// take waits until there is something and takes all of it, leaving empty in its
// place. more is false when nothing will ever come again.
func (q *queue) take(empty []*request) (all []*request, more bool) {
	for {
		q.mu.Lock()
		all, over := q.list, q.over
		if len(all) > 0 {
			q.list = empty
			q.mu.Unlock()
			return all, true
		}
		q.mu.Unlock()
		if over {
			return nil, false
		}
		<-q.filled
	}
}

func (q *queue) close() {
	q.mu.Lock()
	q.over = true
	q.mu.Unlock()
	q.ring()
}

package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// errRetired says that a lane was dropped from memory before the job reached it.
var errRetired = errors.New("commands: lane retired")

// lane is one stream's queue and its state in memory. At most one goroutine at a time
// works a lane off.
type lane[S, C any, E event] struct {
	ledger *ledger[S, C, E]
	stream eventstore.StreamName

	mu      sync.Mutex
	queue   []*job[S, C, E]
	waiting int // requests in the queue
	running bool
	retired bool
	// Written by the worker under mu, so that others may look; read by the worker without.
	loaded  bool
	folded  folded[S]
	checked time.Time // when folded was known to be the whole stream
}

// job is one caller's requests and, once done is closed, their results.
type job[S, C any, E event] struct {
	ctx      context.Context
	requests []Request[C]
	ids      [][16]byte // of the requests' arrivals; their events' ids come from them
	refused  func(context.Context, []result[S, E]) error
	done     chan struct{}
	results  []result[S, E]
	now      folded[S] // the stream when the job was done
	err      error
}

// newJob makes a job whose events get the same ids at each attempt to append them, and ids
// of their own each time a command arrives. Two arrivals under one key are decided by two
// clocks, perhaps in two processes and for two bodies: if their events had one id, the store
// would take the second for the first repeated, and what is kept here would not be what
// stands there. That they are one command is told by the command id in the metadata.
func newJob[S, C any, E event](
	ctx context.Context, requests []Request[C], refused func(context.Context, []result[S, E]) error,
) *job[S, C, E] {
	j := &job[S, C, E]{ctx: ctx, requests: requests, refused: refused, done: make(chan struct{})}
	j.ids = make([][16]byte, len(requests))
	for i := range j.ids {
		j.ids[i] = newID()
	}
	return j
}

func (l *lane[S, C, E]) enqueue(j *job[S, C, E]) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.retired {
		return errRetired
	}
	if l.waiting+len(j.requests) > maxWaiting {
		return ErrOverloaded
	}
	l.queue = append(l.queue, j)
	l.waiting += len(j.requests)
	if !l.running {
		l.running = true
		go l.work()
	}
	return nil
}

// retire takes an idle lane out of service.
func (l *lane[S, C, E]) retire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = !l.running
	return l.retired
}

// next takes the jobs of the next write, nil when there are none and the worker ends.
func (l *lane[S, C, E]) next() (jobs []*job[S, C, E]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i, j := range l.queue {
		if n += len(j.requests); i > 0 && n > maxPerWrite {
			n -= len(j.requests)
			break
		}
		jobs = append(jobs, j)
	}
	l.queue = l.queue[len(jobs):]
	l.waiting -= n
	if len(jobs) == 0 {
		l.running = false
		l.queue = nil
	}
	return jobs
}

// work decides what waits, one write at a time, until nothing does.
func (l *lane[S, C, E]) work() {
	for jobs := l.next(); len(jobs) > 0; {
		n := l.decideAndAppend(jobs)
		for _, j := range jobs[:n] {
			j.now = l.folded
			close(j.done)
		}
		if jobs = jobs[n:]; len(jobs) == 0 {
			jobs = l.next()
		}
	}
}

// decideAndAppend brings the first jobs to their end, as many as fit into one write, and
// returns how many those were.
func (l *lane[S, C, E]) decideAndAppend(jobs []*job[S, C, E]) (done int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(jobs[0].ctx), loadTimeout)
	defer cancel()
	fresh := false   // the state is known to be the whole stream
	unknown := false // an attempt may have been written, or may yet be
	for attempt := range maxAttempts {
		if attempt > 2 {
			pause(ctx, attempt)
		}
		if !l.loaded {
			if err := l.load(ctx); err != nil {
				return fail(jobs, err, unknown)
			}
			fresh = true
		}
		w := l.decide(ctx, jobs)
		if len(w.events) == 0 && !fresh {
			// These answers rest on the state alone, and another process may have changed it.
			l.doubt()
			continue
		}
		if err := w.tellRefused(ctx); err != nil {
			return fail(w.jobs, err, unknown)
		}
		if len(w.events) == 0 {
			return len(w.jobs)
		}
		began := l.ledger.clock()
		actx, cancel := context.WithTimeout(ctx, appendTimeout)
		at, err := l.ledger.store.Append(actx, l.stream, l.folded.expected(), w.events...)
		cancel()
		switch {
		case err == nil:
			l.advance(w, at, began)
			return len(w.jobs)
		case eventstore.IsConflict(err), errors.Is(err, eventstore.ErrUnknownOutcome):
			// Somebody was first, or nobody knows. Either way the stream itself tells: what
			// was appended after all is found there by its command id.
			l.doubt()
			fresh = false
			unknown = unknown || !eventstore.IsConflict(err)
		default:
			return fail(w.jobs, err, unknown)
		}
	}
	return fail(jobs, ErrContended, unknown)
}

// doubt has the stream read before the next decision.
func (l *lane[S, C, E]) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded = false
}

// load reads what the stream holds past what is in memory. What it learns of outcomes
// stays where it fails half-way: a mark is true of the stream however far that was folded.
func (l *lane[S, C, E]) load(ctx context.Context) error {
	began := l.ledger.clock()
	f := l.folded
	if err := l.ledger.read(ctx, l.stream, &f, nil); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.folded, l.loaded, l.checked = f, true, began
	return nil
}

// advance takes over what a write made of the stream.
func (l *lane[S, C, E]) advance(w *write[S, C, E], at eventstore.Appended, began time.Time) {
	for i, meta := range w.metas {
		l.folded.mark(meta, l.folded.entries+uint64(i))
	}
	for _, r := range w.rest {
		r.Position = at.Position
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.folded.State, l.folded.position, l.checked = w.state, at.Position, began
	l.folded.entries = uint64(at.Revision) + 1
}

// write is one append in the making.
type write[S, C any, E event] struct {
	jobs     []*job[S, C, E]
	state    S
	entries  uint64
	events   []eventstore.Event
	metas    []codec.Metadata // of events
	size     int
	rest     []*result[S, E] // those whose answer rests on events
	repeated map[[16]byte]*result[S, E]
}

// decide judges jobs in order, each on what the ones before made of the stream, until one
// write is full.
func (l *lane[S, C, E]) decide(ctx context.Context, jobs []*job[S, C, E]) *write[S, C, E] {
	w := &write[S, C, E]{state: l.folded.State, entries: l.folded.entries, repeated: map[[16]byte]*result[S, E]{}}
	for i, j := range jobs {
		// A job that may yet call the write off is decided alone.
		if i > 0 && (len(w.events) >= maxEvents || w.size >= maxSize || j.refused != nil || jobs[i-1].refused != nil) {
			break
		}
		w.jobs = append(w.jobs, j)
		j.err, j.results = nil, make([]result[S, E], len(j.requests))
		if err := j.ctx.Err(); err != nil {
			j.err = gaveUp(err) // an attempt before this one may have been written
			continue
		}
		for i := range j.requests {
			l.decideOne(ctx, w, j.ids[i], &j.requests[i], &j.results[i])
		}
	}
	return w
}

func (l *lane[S, C, E]) decideOne(
	ctx context.Context, w *write[S, C, E], arrival [16]byte, r *Request[C], out *result[S, E],
) {
	defer recovered(&out.err)
	out.State, out.Entries, out.Position = w.state, w.entries, l.folded.position
	if r.ID != ([16]byte{}) {
		if m, known := l.folded.outcomes[r.ID]; known {
			if m.hash != hashOf(r.Meta) {
				out.err = ErrKeyReused
			}
			out.replay = &m
			return
		}
		if first, known := w.repeated[r.ID]; known {
			if first.hash != hashOf(r.Meta) {
				out.err = ErrKeyReused
				return
			}
			*out = *first
			out.Replayed = true
			w.rest = append(w.rest, out)
			return
		}
	}
	if r.Only != nil && *r.Only != w.entries {
		out.err = errMovedOn
		return
	}
	events, err := l.ledger.decider.Decide(w.state, r.Command)
	if err != nil {
		out.err = err
		return
	}
	meta := r.Meta
	meta.CommandID = r.ID
	state := w.state
	encoded, ids := make([]eventstore.Event, len(events)), make([]eventstore.EventID, len(events))
	for i, e := range events {
		meta.DecidedAt = e.DecidedAt()
		ids[i] = codec.EventID(l.stream, arrival, i)
		encoded[i], err = l.ledger.codec.Encode(ctx, l.stream, ids[i], e, meta)
		if err != nil {
			out.err = err
			return
		}
		state = l.ledger.decider.Evolve(state, e)
	}
	size := 0
	for i := range encoded {
		size += len(encoded[i].Data) + len(encoded[i].Metadata)
	}
	if len(encoded) > maxEvents || size > maxSize {
		out.err = fmt.Errorf("%w: one command came to %d events of %d bytes", eventstore.ErrInvalid, len(encoded), size)
		return
	}
	w.size += size
	for range encoded {
		w.metas = append(w.metas, meta)
	}
	w.events = append(w.events, encoded...)
	w.state, w.entries = state, w.entries+uint64(len(events))
	out.State, out.Entries, out.Events, out.IDs, out.Meta, out.hash = state, w.entries, events, ids, meta, hashOf(r.Meta)
	if len(w.events) > 0 {
		w.rest = append(w.rest, out) // what appends nothing may be so by an event before it
	}
	if len(events) > 0 && r.ID != ([16]byte{}) {
		w.repeated[r.ID] = out
	}
}

// tellRefused lets a job that asked for it know what was refused, before anything else
// comes of it.
func (w *write[S, C, E]) tellRefused(ctx context.Context) error {
	for _, j := range w.jobs {
		if j.refused != nil && j.err == nil {
			if err := j.refused(ctx, j.results); err != nil {
				return err
			}
		}
	}
	return nil
}

// fail ends all jobs with err. Where an attempt's outcome is unknown, that is the answer:
// err may say that nothing was appended, which holds of the last attempt only.
func fail[S, C any, E event](jobs []*job[S, C, E], err error, unknown bool) int {
	if unknown && !errors.Is(err, eventstore.ErrUnknownOutcome) {
		err = fmt.Errorf("%w: %w", eventstore.ErrUnknownOutcome, err)
	}
	for _, j := range jobs {
		j.err = err
	}
	return len(jobs)
}

// recovered turns a panic under way into an error: what one command or one event runs
// into must not take the process along.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("commands: panic: %v\n%s", v, debug.Stack())
	}
}

// pause lets other writers through: longer with each attempt, and never in step with them.
func pause(ctx context.Context, attempt int) {
	t := time.NewTimer(rand.N(time.Duration(attempt) * time.Millisecond)) //nolint:gosec // it spreads attempts and keeps no secret
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

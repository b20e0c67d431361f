package commands

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// Errors of handling a command, beside the decider's rejections and the store's own.
var (
	// ErrContended says that others kept writing to the same stream. It is no answer to the
	// command: send it again with the same key.
	ErrContended = errors.New("commands: too many writers on one stream")
	// ErrKeyReused says that the idempotency key came with another body before.
	ErrKeyReused = errors.New("commands: idempotency key reused with another body")
	// ErrOverloaded says that too many commands wait for one stream already.
	ErrOverloaded = errors.New("commands: too many commands wait for one stream")
)

// Limits of a ledger.
const (
	maxAttempts   = 24                             // decisions on one batch before ErrContended
	maxPerWrite   = 256                            // commands decided together
	maxEvents     = eventstore.MaxAppendEvents / 2 // of one command; a write that has as many is full
	maxSize       = eventstore.MaxAppendSize / 2   // of one command's events in bytes; likewise
	maxWaiting    = 8192                           // commands that may wait for one stream
	appendTimeout = 5 * time.Second                // for one append, after which its outcome is unknown
	loadTimeout   = 30 * time.Second
)

// Request is a command with what identifies it.
type Request[C any] struct {
	Command C
	ID      [16]byte // the command's id; zero for one that is never repeated by key
	Meta    codec.Metadata
	Only    *uint64 // decides it on a stream of so many entries and no other; nil for any
}

// Outcome is what a command came to.
type Outcome[S, E any] struct {
	State    S                    // right after the command
	Events   []E                  // what it appended; none where it was so already
	IDs      []eventstore.EventID // of Events
	Meta     codec.Metadata       // of Events, each of which has its own DecidedAt
	Entries  uint64               // in the stream right after the command: its revision plus one
	Position eventstore.Position  // of the event that made it so, or of a later one
	Replayed bool                 // the command was accepted before, and this is its first answer
}

// event is what every aggregate's events have.
type event interface{ DecidedAt() domain.Instant }

// ledger handles all commands of one kind of aggregate: load, decide, append with the
// expected version, and decide again when somebody else was first. No business rule stands
// in it.
//
// Commands for one stream that arrive together are decided in order on one state and
// appended as one write, so a hot stream costs few syncs and no conflicts within a process.
// The expected version keeps it right between processes. Safe for concurrent use.
type ledger[S, C any, E event] struct {
	store   eventstore.Store
	codec   *codec.Codec
	decider domain.Decider[S, C, E]
	clock   func() time.Time
	most    int // streams kept in memory

	mu    sync.Mutex
	lanes map[eventstore.StreamName]*lane[S, C, E]
}

func newLedger[S, C any, E event](
	store eventstore.Store, c *codec.Codec, d domain.Decider[S, C, E], clock func() time.Time, most int,
) *ledger[S, C, E] {
	return &ledger[S, C, E]{
		store: store, codec: c, decider: d, clock: clock, most: most,
		lanes: map[eventstore.StreamName]*lane[S, C, E]{},
	}
}

// handle decides one command on stream. A rejection comes with an Outcome that says what it
// was decided on.
func (l *ledger[S, C, E]) handle(ctx context.Context, stream eventstore.StreamName, r Request[C]) (Outcome[S, E], error) {
	j := newJob[S, C, E](ctx, []Request[C]{r}, nil)
	if err := l.run(ctx, stream, j); err != nil {
		return Outcome[S, E]{}, err
	}
	if err := l.replay(ctx, stream, j.results); err != nil {
		return Outcome[S, E]{}, err
	}
	return j.results[0].Outcome, j.results[0].err
}

// result is one request's end.
type result[S, E any] struct {
	Outcome[S, E]
	err    error
	hash   [16]byte // of the body
	replay *mark    // where the command's first answer stands in the stream
}

// handleAll decides several commands in order and appends what they come to as one write.
// Before that write, and before any answer, refused is shown what is to become of them;
// where it fails, nothing is appended. After a conflict it is called again.
func (l *ledger[S, C, E]) handleAll(
	ctx context.Context, stream eventstore.StreamName, rs []Request[C], refused func(context.Context, []result[S, E]) error,
) ([]result[S, E], error) {
	j := newJob(ctx, rs, refused)
	if err := l.run(ctx, stream, j); err != nil {
		return nil, err
	}
	return j.results, l.replay(ctx, stream, j.results)
}

// state returns a stream's state as it was at most maxAge ago.
func (l *ledger[S, C, E]) state(ctx context.Context, stream eventstore.StreamName, maxAge time.Duration) (Outcome[S, E], error) {
	lane := l.lane(stream)
	lane.mu.Lock()
	if lane.loaded && lane.checked.After(l.clock().Add(-maxAge)) {
		f := lane.folded
		lane.mu.Unlock()
		return outcomeOf[S, E](f), nil
	}
	lane.mu.Unlock()
	j := newJob[S, C, E](ctx, nil, nil)
	if err := l.run(ctx, stream, j); err != nil {
		return Outcome[S, E]{}, err
	}
	return outcomeOf[S, E](j.now), nil
}

func (l *ledger[S, C, E]) run(ctx context.Context, stream eventstore.StreamName, j *job[S, C, E]) error {
	for {
		lane := l.lane(stream)
		switch err := lane.enqueue(j); {
		case errors.Is(err, errRetired):
			continue // it was dropped from memory in between: take the new one
		case err != nil:
			return err
		}
		break
	}
	select {
	case <-j.done:
		return j.err
	case <-ctx.Done():
		return gaveUp(ctx.Err())
	}
}

// gaveUp answers a caller who no longer waits: the command may still be decided, and he
// finds out by its key.
func gaveUp(cause error) error { return fmt.Errorf("%w: %w", eventstore.ErrUnknownOutcome, cause) }

func (l *ledger[S, C, E]) lane(stream eventstore.StreamName) *lane[S, C, E] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if found, ok := l.lanes[stream]; ok {
		return found
	}
	if len(l.lanes) >= l.most {
		l.dropIdle()
	}
	n := &lane[S, C, E]{ledger: l, stream: stream}
	n.folded.outcomes = map[[16]byte]mark{}
	n.folded.State = l.decider.Initial()
	l.lanes[stream] = n
	return n
}

// dropIdle forgets an eighth of the streams, whichever the map yields first.
func (l *ledger[S, C, E]) dropIdle() {
	drop := max(1, l.most/8)
	for name, lane := range l.lanes {
		if lane.retire() {
			delete(l.lanes, name)
			if drop--; drop == 0 {
				return
			}
		}
	}
}

// folded is a stream as far as it was read.
type folded[S any] struct {
	State    S
	entries  uint64
	position eventstore.Position
	outcomes map[[16]byte]mark // by command id: where its events end, and what it asked for
}

// mark is a command found in its stream.
type mark struct {
	first, last uint64   // revisions of its events
	hash        [16]byte // of the body
}

// hashOf is a body's hash as marks keep it: a day in memory has one for every command.
func hashOf(meta codec.Metadata) (hash [16]byte) {
	copy(hash[:], meta.BodyHash)
	return hash
}

func outcomeOf[S any, E event](f folded[S]) Outcome[S, E] {
	return Outcome[S, E]{State: f.State, Entries: f.entries, Position: f.position}
}

func (f folded[S]) expected() eventstore.Expected {
	if f.entries == 0 {
		return eventstore.NoStream()
	}
	return eventstore.At(eventstore.Revision(f.entries - 1))
}

// read folds what stands in the stream past f into it. Where see is not nil it is shown
// each event once that is folded, and ends the reading by returning false.
func (l *ledger[S, C, E]) read(
	ctx context.Context, stream eventstore.StreamName, f *folded[S], see func(read[E]) (more bool),
) (err error) {
	defer recovered(&err)
	for r, err := range l.store.ReadStream(ctx, stream, eventstore.Revision(f.entries)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		d, err := l.codec.Decode(ctx, r)
		if err != nil {
			return err
		}
		e, ok := d.Event.(E)
		if !ok {
			return fmt.Errorf("commands: %s in stream %s is no event of its aggregate", r.Type, stream)
		}
		f.State = l.decider.Evolve(f.State, e)
		f.mark(d.Meta, uint64(r.Revision))
		f.entries, f.position = uint64(r.Revision)+1, r.Position
		if see != nil && !see(read[E]{e, r.ID, d.Meta}) {
			return nil
		}
	}
	return nil
}

// read is an event as it was read from its stream.
type read[E event] struct {
	event E
	id    eventstore.EventID
	meta  codec.Metadata
}

func (f *folded[S]) mark(meta codec.Metadata, revision uint64) {
	if meta.CommandID == ([16]byte{}) {
		return
	}
	m, again := f.outcomes[meta.CommandID]
	if !again {
		m = mark{first: revision, hash: hashOf(meta)}
	}
	m.last = revision
	f.outcomes[meta.CommandID] = m
}

// replay gives those of rs that were accepted before their first answers again, from the
// stream and in one reading of it.
func (l *ledger[S, C, E]) replay(ctx context.Context, stream eventstore.StreamName, rs []result[S, E]) error {
	ends := map[uint64][]*result[S, E]{} // by the revision at which a command's events end
	for i := range rs {
		if r := &rs[i]; r.replay != nil && r.err == nil {
			ends[r.replay.last] = append(ends[r.replay.last], r)
		}
	}
	if len(ends) == 0 {
		return nil
	}
	f := folded[S]{State: l.decider.Initial(), outcomes: map[[16]byte]mark{}}
	var events []E
	var ids []eventstore.EventID
	err := l.read(ctx, stream, &f, func(e read[E]) bool {
		events, ids = append(events, e.event), append(ids, e.id)
		last := f.entries - 1
		for _, r := range ends[last] {
			r.Outcome = outcomeOf[S, E](f)
			r.Events, r.IDs = slices.Clone(events[r.replay.first:]), slices.Clone(ids[r.replay.first:])
			r.Meta, r.Replayed = e.meta, true
		}
		delete(ends, last)
		return len(ends) > 0
	})
	if err == nil && len(ends) > 0 {
		err = fmt.Errorf("commands: stream %s ends before what was read of it", stream)
	}
	return err
}

// newID is an id that no other is like.
func newID() (id [16]byte) {
	_, _ = rand.Read(id[:]) // never fails; see crypto/rand
	return id
}

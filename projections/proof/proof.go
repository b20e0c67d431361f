// Package proof keeps the Merkle log of the ledger: a leaf for each of its events, in
// their order, hashed as RFC 6962 says over the canonical form (eventstore/canon). It signs
// heads of that log, proves that an event is in one and that one goes on from another, and
// verifies a whole ledger against heads that were kept elsewhere.
//
// What belongs here: the log as a view on disk, heads and their signatures, proofs, and
// finding what was altered. What does not: the form that is hashed, which is canon's; the
// order of a waitlist, which is projections/fairness's; who may see which event, which is
// the API's.
//
// # The log
//
// The index of an event is its ordinal among the events of the ledger, from 0, the engine's
// own records left out. Neither that nor the form depends on a store, so a ledger that was
// copied into another has the same heads. The log is a view: it is thrown away and built
// again from the ledger at will. That is why it proves nothing by itself. What proves is a
// head that was signed, and that somebody kept where whoever alters the ledger cannot
// reach.
//
// # Heads
//
// A head is the size of the log and its root hash, signed: a checkpoint as C2SP describes it,
// a note signed with Ed25519. The newest that was signed, and some before it, stay in a file
// beside the log, which is no view. A log that does not contain the newest of them is not
// signed again: the ledger is not the one that was signed, and View.Fault says so.
package proof

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// Name is the view's.
const Name = "proof"

// Hash is a leaf hash, a node's, or a root.
type Hash = tlog.Hash

var (
	// ErrUnknown says that the log has no such event.
	ErrUnknown = errors.New("proof: no such event in the log")
	// ErrSize refuses a size or an index that the log has not reached, or a proof between
	// sizes that are not in order.
	ErrSize = errors.New("proof: no such size of the log")
	// ErrFormat says that the folder of a log was written by a version this one cannot read.
	ErrFormat = errors.New("proof: unknown format of the log's folder")
)

// Options say where a log lies and who signs for it.
type Options struct {
	// Dir is the folder of the log. It may be removed while no process has it.
	Dir string
	// Heads is the file that signed heads are kept in. It must not be lost: it is what a
	// log is held to that is built anew.
	Heads string
	// Key signs.
	Key *Key
	// Store is the ledger, which a log that is rebuilt follows; only needed for that.
	Store eventstore.Reader
	// FS is where the folder lies; nil for the system's. The heads always are the system's.
	FS vfs.FS
	// Logger is slog.Default where nil.
	Logger *slog.Logger
	// Spacing is the least time between two heads that are signed on demand; 1 s where zero.
	Spacing time.Duration
}

// View is the log, fed from the ledger. Its proofs and heads are for any goroutine.
type View struct {
	db    *pebble.DB
	log   *slog.Logger
	key   *Key
	space time.Duration
	store eventstore.Reader

	feeding sync.Mutex // taken while leaves are added, and while the log is replaced
	moved   bool       // a rebuilt log was put in place, which Apply has not told yet
	live    atomic.Pointer[builder]
	beside  *builder // the log that is built beside it

	signing chan struct{} // taken by whoever signs
	kept    *keptHeads
	signed  time.Time // when the newest head was, where that was here

	mu     sync.Mutex
	agreed bool  // the log contains the newest head kept
	fault  error // why nothing is signed
}

var (
	_ projections.View        = (*View)(nil)
	_ projections.Rebuildable = (*View)(nil)
)

// Open opens a log, or begins one. Errors: ErrFormat, ErrHeads, or the disk's.
func Open(o Options) (v *View, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Spacing <= 0 {
		o.Spacing = time.Second
	}
	v = &View{log: o.Logger.With("view", Name), key: o.Key, space: o.Spacing, store: o.Store, signing: make(chan struct{}, 1)}
	if v.kept, err = openHeads(o.Heads, o.Key.Verifier()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if v.db, err = openFolder(o.Dir, o.FS, o.Logger, false); err != nil {
		return v, err
	}
	at, err := readGenerations(v.db)
	if errors.Is(err, pebble.ErrNotFound) {
		at = generations{live: 1}
		err = at.write(v.db)
	}
	if err != nil {
		return v, err
	}
	b, err := openBuilder(v.db, at.live)
	if err != nil {
		return v, err
	}
	if err := v.estranged(b); err != nil {
		v.log.Warn("proof: the log is built again", "events", b.log.Size(), "position", uint64(b.position()), "cause", err)
		// The heads kept then tell whether the ledger still is what was signed.
		gone := at
		at = generations{live: max(at.live, at.kept, at.beside) + 1}
		if err := at.write(v.db, gone.live, gone.kept, gone.beside); err != nil {
			return v, err
		}
		if b, err = openBuilder(v.db, at.live); err != nil {
			return v, err
		}
	}
	v.live.Store(b)
	return v, v.judge(b, false)
}

// Close gives the folder back. Nothing is lost without it.
func (v *View) Close() (err error) {
	if v.db != nil {
		err = errors.Join(v.db.Flush(), v.db.Close())
	}
	return errors.Join(err, v.kept.close())
}

// Log is what the log holds now.
func (v *View) Log() *Log { return v.live.Load().log }

// Name implements projections.View.
func (v *View) Name() string { return Name }

// Checkpoint implements projections.View.
func (v *View) Checkpoint(context.Context) (feed.Place, error) { return v.live.Load().place() }

// Apply implements projections.View. Leaves, nodes and checkpoint are one write, so a
// process that is killed leaves a log of some prefix of the ledger.
func (v *View) Apply(_ context.Context, b eventstore.Batch) error {
	v.feeding.Lock()
	defer v.feeding.Unlock()
	if v.moved {
		v.moved = false
		return projections.ErrMoved
	}
	live := v.live.Load()
	if err := live.apply(b); err != nil {
		return err
	}
	return v.judge(live, b.Live)
}

// builder adds leaves to a log. One goroutine applies; the rest may be asked by any.
type builder struct {
	log  *Log
	edge edge
	at   atomic.Uint64
	gone atomic.Bool // another log took its place under construction
	form []byte      // reused
	row  []byte
}

// place is where the log stands: at its last leaf, or where it was begun.
func (b *builder) place() (feed.Place, error) {
	p := feed.Place{Position: b.position()}
	size := b.log.Size()
	if size == 0 {
		return p, nil
	}
	last, err := b.log.Entry(size - 1)
	p.Record = feed.Mark{Position: last.Position, Revision: last.Revision, ID: last.ID, Stream: last.Stream}
	return p, err
}

func (b *builder) position() eventstore.Position { return eventstore.Position(b.at.Load()) }

func (b *builder) apply(batch eventstore.Batch) error {
	if b.gone.Load() {
		return projections.ErrMoved
	}
	if batch.Position <= b.position() {
		return nil
	}
	w := b.log.db.NewBatch()
	defer w.Close() //nolint:errcheck // it was committed, or is not wanted
	size, next := b.log.Size(), b.edge
	for i := range batch.Records {
		r := &batch.Records[i]
		if r.Position <= b.position() {
			continue
		}
		form, err := canon.AppendForm(b.form[:0], *r)
		if err != nil {
			// Not ErrCorrupt: a log that leaves an event out is none. It stands still and says why.
			return fmt.Errorf("proof: event %s at revision %d of %q: %w", r.ID, r.Revision, r.Stream, err)
		}
		b.form = form
		e := Entry{
			Index: size, Leaf: Hash(canon.Leaf(form)), ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position,
		}
		b.row = e.appendRow(b.row[:0])
		if err := errors.Join(
			w.Set(b.log.key(kindLeaf, size), b.row, nil),
			w.Set(b.log.idKey(r.ID), indexValue(size), nil),
		); err != nil {
			return err
		}
		next.add(size, e.Leaf, func(level int, n uint64, h Hash) {
			err = errors.Join(err, w.Set(b.log.nodeKey(level, n), h[:], nil))
		})
		if err != nil {
			return err
		}
		size++
	}
	if err := w.Set(b.log.key(kindState, 0), stateValue(size, batch.Position), nil); err != nil {
		return err
	}
	// Without a sync: what a power failure takes is read off the ledger again.
	if err := w.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("proof: write the log: %w", err)
	}
	b.edge = next
	b.at.Store(uint64(batch.Position))
	b.log.size.Store(size)
	return nil
}

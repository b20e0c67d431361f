// Package projections runs the read models: it brings the ledger to each view, at the
// view's own pace, lets readers wait for a position, and rebuilds a view from nothing.
//
// What belongs here: the contract of a view, the runner, the folds that views keep of
// streams, rebuilding. A read model's layout, its projector and its queries stand together
// in a package of their own below this one: availability, reporting, discovery. How the
// ledger becomes Watermill messages is eventstore/feed's; what has effects in the world is
// processes'. Nothing here appends to the ledger.
package projections

import (
	"context"
	"errors"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// View is one read model, fed from the ledger. The runner calls Checkpoint and Apply from
// one goroutine at a time; a view's queries are called from many beside them.
type View interface {
	// Name names the view in logs, metrics and for Wait: "availability", "reporting".
	Name() string
	// Checkpoint returns where to go on: all up to this position is in the view. The record
	// that the place names is kept beside the position: the runner holds it against the ledger.
	// ErrOutdated where the view has to be built anew before it can go on.
	Checkpoint(ctx context.Context) (feed.Place, error)
	// Apply brings the view from where it stands to b.Position, the place that is After(b);
	// rows and checkpoint change together or not at all. The view remembers the place it stands
	// at, from Checkpoint and Apply, as batches follow each other without a gap. It passes over
	// records it does not know. The same batch may come again after an error. A batch without
	// records does not move it, and tells only whether it is live.
	//
	// An error that wraps ErrCorrupt, or a panic, says that one of the records cannot be
	// applied: the runner then brings them one by one and has the bad one parked. ErrMoved
	// says that the checkpoint is no longer where this view left it: the runner asks for
	// Checkpoint and goes on from there. Any other error is the engine's, and the batch is
	// tried again until it succeeds.
	Apply(ctx context.Context, b eventstore.Batch) error
}

// Parker is a View that keeps the records it could not apply.
type Parker interface {
	// Parked stores r and why it was left out, and moves the checkpoint past it, together.
	Parked(ctx context.Context, r eventstore.Record, cause error) error
}

// Rebuildable is a View that can be built anew beside the live one, and put back.
type Rebuildable interface {
	View
	// Version names the form of what the view keeps. Another program with the same version
	// can go on with it.
	Version() string
	// Rebuild returns a copy of the view that is being built beside the live one: the one that
	// an earlier Rebuild with the same build left unfinished, else an empty one. Any other copy
	// under construction is dropped, and whoever still feeds it is told so with ErrMoved. It
	// disturbs no reader of the live view before its swap.
	Rebuild(ctx context.Context, build string) (Rebuilding, error)
	// Kept returns what the last swap replaced, to be brought up to date and put back.
	// ErrNothingKept where there is none that this program can go on with.
	Kept(ctx context.Context) (Rebuilding, error)
}

// Rebuilding is a copy of a view.
type Rebuilding struct {
	View View // its Checkpoint is where it must be fed from
	// Batch is how many records it is best fed at once, eventstore.MaxBatch where zero.
	Batch int
	// Finish, where not nil, makes whole what was fed: a copy that nobody reads yet may be
	// built in another form than it is read in, and may still be at work on the last batches.
	// It comes before Compare and Swap, and may come again.
	Finish func(ctx context.Context) error
	// Compare holds what is in the copy against what is in the live view, both at one
	// position: it brings the copy to where the live view stands.
	Compare func(ctx context.Context) ([]Compared, error)
	// Swap puts the copy in the live view's place, in one step, and keeps what was live until
	// the next swap. It never takes a reader back: a copy that is behind follows first.
	Swap func(ctx context.Context) error
	// Abandon drops a copy that is not wanted.
	Abandon func(ctx context.Context) error
}

// Compared is what comparing a copy with the live view found in one part of them.
type Compared struct {
	What     string // a table, days, documents
	Entries  uint64 // in the copy
	OnlyLive uint64 // entries that the copy has not, or has otherwise
	OnlyCopy uint64 // entries that the live view has not, or has otherwise
}

// Equal reports whether no difference was found.
func (c Compared) Equal() bool { return c.OnlyLive == 0 && c.OnlyCopy == 0 }

var (
	// ErrCorrupt says that a record cannot be applied and never will be: wrap it.
	ErrCorrupt = errors.New("projections: record cannot be applied")
	// ErrOutdated says that what a view keeps is in the form of an earlier version, which can be
	// read as far as it goes, and not be written: it is to be rebuilt.
	ErrOutdated = errors.New("projections: the view is in the form of an earlier version")
	// ErrMoved says that a view's checkpoint was moved by somebody else.
	ErrMoved = errors.New("projections: checkpoint moved by somebody else")
	// ErrBehind says that a view had not reached a position in time.
	ErrBehind = errors.New("projections: view has not reached the position")
	// ErrNothingKept says that there is no earlier state of a view to put back.
	ErrNothingKept = errors.New("projections: nothing is kept to go back to")
	// ErrDiffers says that a copy is not what the live view is.
	ErrDiffers = errors.New("projections: the copy differs from the live view")
	// ErrUnknownView answers Wait for a view that the runner does not know.
	ErrUnknownView = errors.New("projections: no such view")
)

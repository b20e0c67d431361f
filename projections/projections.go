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
)

// View is one read model, fed from the ledger. The runner calls Checkpoint and Apply from
// one goroutine at a time; a view's queries are called from many beside them.
type View interface {
	// Name names the view in logs, metrics and for Wait: "availability", "reporting".
	Name() string
	// Checkpoint returns where to go on: all up to this position is in the view.
	Checkpoint(ctx context.Context) (eventstore.Position, error)
	// Apply brings the view from where it stands to b.Position; rows and checkpoint change
	// together or not at all. The view remembers the position it stands at, from Checkpoint
	// and Apply, as batches follow each other without a gap. It passes over records it does
	// not know. The same batch may come again after an error.
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

// Rebuildable is a View that can be built anew beside the live one.
type Rebuildable interface {
	View
	// Rebuild returns an empty copy of the view, whose Checkpoint is where it must be fed
	// from, and the swap that puts it in the live one's place once it has caught up. The copy
	// disturbs no reader of the live view before that. Abandon drops a copy that is not wanted.
	Rebuild(ctx context.Context) (Rebuilding, error)
}

// Rebuilding is a view's fresh copy.
type Rebuilding struct {
	View    View
	Swap    func(ctx context.Context) error
	Abandon func(ctx context.Context) error // may be nil
}

var (
	// ErrCorrupt says that a record cannot be applied and never will be: wrap it.
	ErrCorrupt = errors.New("projections: record cannot be applied")
	// ErrMoved says that a view's checkpoint was moved by somebody else.
	ErrMoved = errors.New("projections: checkpoint moved by somebody else")
	// ErrBehind says that a view had not reached a position in time.
	ErrBehind = errors.New("projections: view has not reached the position")
	// ErrUnknownView answers Wait for a view that the runner does not know.
	ErrUnknownView = errors.New("projections: no such view")
)

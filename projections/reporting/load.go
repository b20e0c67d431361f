package reporting

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// loadBatch is how many records a load is best fed at once: a row that several of them change
// is written once, and each costs some kilobytes until it is written.
const loadBatch = 4 * eventstore.MaxBatch

// load feeds tables that nobody reads yet, and that nobody else writes: a rebuild's copy.
// They have no index but their keys until finish makes them, what the ledger tells of for
// the first time is known not to be there, and a batch is folded while the one before it is
// written. Where it stops, what was written stands with its checkpoint, and another load
// goes on from there. Like a View it is for one goroutine at a time.
type load struct {
	view       *View
	indexes    []string // what makes them
	generation int      // which stands in their names

	loaded  bool       // at is known
	at      feed.Place // all up to here has been folded
	writing chan error // where something is being written: how that ended
	failed  error      // how a write ended, until Checkpoint tells where that leaves it
	whole   bool       // finish has done its work
}

var _ projections.Parker = (*load)(nil)

// Name is the view's.
func (l *load) Name() string { return l.view.Name() }

// Checkpoint reads where the tables stand, once nothing is being written.
func (l *load) Checkpoint(ctx context.Context) (at feed.Place, err error) {
	_ = l.settle() // whatever it was, the tables tell where that leaves them
	if at, err = l.view.Checkpoint(ctx); err == nil {
		l.at, l.loaded, l.failed = at, true, nil
	}
	return at, err
}

// Apply folds a batch and leaves it to be written. An error may be that of the batch before.
func (l *load) Apply(ctx context.Context, b eventstore.Batch) error {
	if !l.loaded {
		if _, err := l.Checkpoint(ctx); err != nil {
			return err
		}
	}
	if b.Position <= l.at.Position {
		return l.failed
	}
	changes, err := l.view.changes(ctx, b.Records, l.at.Position)
	if err != nil {
		return err
	}
	puts := changes.puts(true)
	if err := l.settle(); err != nil {
		return err
	}
	to, written := l.at.After(b), make(chan error, 1)
	l.at, l.writing = to, written
	go func() { written <- l.write(ctx, to, puts) }()
	return nil
}

// write is commit where nobody else is there to take a panic.
func (l *load) write(ctx context.Context, to feed.Place, puts []put) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("reporting: write up to position %d: panic: %v\n%s", to.Position, v, debug.Stack())
		}
	}()
	return l.view.commit(ctx, to, puts)
}

// settle waits until nothing is being written.
func (l *load) settle() error {
	if l.writing != nil {
		l.failed, l.writing = <-l.writing, nil
	}
	return l.failed
}

// Parked keeps a record that cannot be applied; see View.Parked.
func (l *load) Parked(ctx context.Context, r eventstore.Record, cause error) error {
	if err := l.settle(); err != nil {
		return err
	}
	if err := l.view.Parked(ctx, r, cause); err != nil {
		return err
	}
	l.at = l.view.at
	return nil
}

// finish makes the tables what they are when they are read: all that was fed is in them, and
// they have their indexes. Each index is made in a transaction of its own, so that whoever
// stops here finds those that were made.
func (l *load) finish(ctx context.Context) error {
	if err := l.settle(); err != nil || l.whole {
		return err
	}
	if !l.loaded {
		if _, err := l.Checkpoint(ctx); err != nil {
			return err
		}
	}
	for _, sql := range l.indexes {
		err := l.view.db.engine.exclusive(ctx, func(t tx) error {
			// Another rebuild may have dropped the tables and made others of these names.
			if err := l.view.advance(ctx, t, l.view.at); err != nil {
				return err
			}
			return runStatements(ctx, l.view.db.engine, t, []string{sql}, l.view.texts.prefix, l.generation)
		})
		if errors.Is(err, projections.ErrMoved) {
			return err
		}
		if err != nil {
			return fmt.Errorf("reporting: make the indexes of the copy: %w", err)
		}
	}
	l.whole = true
	return nil
}

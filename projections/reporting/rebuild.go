package reporting

import (
	"context"
	"errors"
	"fmt"

	"daybook/eventstore"
	"daybook/projections"
)

// A copy under construction has tables of its own beside the live ones, and a checkpoint.
const (
	copyPrefix     = "next_"
	copyCheckpoint = viewName + ".next"
)

// swapAttempts bounds how often Swap runs after a live view that moves on.
const swapAttempts = 20

// errLiveAhead says that the live view holds more than its copy.
var errLiveAhead = errors.New("reporting: the live view is ahead of its copy")

// Rebuild makes empty tables beside the live ones; see projections.Rebuildable. What an
// earlier rebuild left behind is dropped; one that still runs is thereby ended with
// projections.ErrMoved.
func (v *View) Rebuild(ctx context.Context) (projections.Rebuilding, error) {
	err := v.db.engine.exclusive(ctx, func(t tx) error {
		if err := dropCopy(ctx, t); err != nil {
			return err
		}
		texts, err := migrationTexts(partView)
		if err != nil {
			return err
		}
		at, err := readVersion(ctx, t, partView)
		if err != nil {
			return err
		}
		return runMigrations(ctx, v.db.engine, t, texts, copyPrefix, at.generation+1)
	})
	if err != nil {
		return projections.Rebuilding{}, fmt.Errorf("reporting: make the tables of the copy: %w", err)
	}
	fresh := v.db.view(v.store, v.codec, copyPrefix, copyCheckpoint)
	return projections.Rebuilding{
		View: fresh,
		Swap: func(ctx context.Context) error { return v.swap(ctx, fresh) },
		Abandon: func(ctx context.Context) error {
			return v.db.engine.exclusive(ctx, func(t tx) error { return dropCopy(ctx, t) })
		},
	}, nil
}

// swap puts the copy's tables in the place of the live ones. It never takes a reader back:
// where the live view went on meanwhile, the copy follows it first. Only a live view that
// is ahead of the ledger itself, because that was restored to an earlier state, is
// replaced as it is.
func (v *View) swap(ctx context.Context, fresh *View) error {
	estranged := false
	for range swapAttempts {
		err := v.db.engine.exclusive(ctx, func(t tx) error { return trySwap(ctx, t, fresh, estranged) })
		if !errors.Is(err, errLiveAhead) {
			return err
		}
		if err := fresh.follow(ctx); err != nil {
			return err
		}
		// In this order: the ledger may have grown since the checkpoint, never shrunk.
		live, err := v.Checkpoint(ctx)
		if err != nil {
			return err
		}
		head := eventstore.Start
		for r, err := range v.store.ReadAllBackwards(ctx, eventstore.End, eventstore.Everything()) {
			if err != nil {
				return err
			}
			head = r.Position
			break
		}
		estranged = live > head
	}
	return errLiveAhead
}

func trySwap(ctx context.Context, t tx, fresh *View, estranged bool) error {
	if err := fresh.advance(ctx, t, fresh.at); err != nil {
		return err // another rebuild took the copy's name
	}
	// The live checkpoint's line is what every writer of the live tables locks first: from
	// here on none is at work.
	taken, err := t.exec(ctx, `INSERT INTO checkpoints (name, position, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
		WHERE checkpoints.position <= excluded.position OR $4`, viewName, int64(fresh.at), now(), estranged)
	if err != nil {
		return err
	}
	if taken != 1 {
		return errLiveAhead
	}
	for _, name := range viewTables {
		for _, sql := range []string{
			"DROP TABLE " + name,
			"ALTER TABLE " + copyPrefix + name + " RENAME TO " + name,
		} {
			if _, err := t.exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	if _, err := t.exec(ctx, "DELETE FROM checkpoints WHERE name = $1", copyCheckpoint); err != nil {
		return err
	}
	at, err := readVersion(ctx, t, partView)
	if err != nil {
		return err
	}
	at.generation++
	return writeVersion(ctx, t, partView, at)
}

func dropCopy(ctx context.Context, t tx) error {
	for _, name := range viewTables {
		if _, err := t.exec(ctx, "DROP TABLE IF EXISTS "+copyPrefix+name); err != nil {
			return err
		}
	}
	_, err := t.exec(ctx, "DELETE FROM checkpoints WHERE name = $1", copyCheckpoint)
	return err
}

// follow applies what the ledger holds after the view's position.
func (v *View) follow(ctx context.Context) error {
	var b eventstore.Batch
	for r, err := range v.store.ReadAll(ctx, v.at, eventstore.Filter{}) {
		if err != nil {
			return err
		}
		b.Records, b.Position = append(b.Records, r), r.Position
		if len(b.Records) == eventstore.MaxBatch {
			if err := v.Apply(ctx, b); err != nil {
				return err
			}
			b.Records = nil
		}
	}
	return v.Apply(ctx, b)
}

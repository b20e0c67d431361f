package reporting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"daybook/eventstore/feed"
	"daybook/projections"
)

// Beside the live tables stand those that a rebuild fills and those that the last one
// replaced, each with a checkpoint of its own.
const (
	nextPrefix = "next_"
	prevPrefix = "prev_"
	swapPrefix = "swap_" // within a swap that puts back what is kept
)

func checkpointOf(prefix string) string {
	if prefix == "" {
		return viewName
	}
	return viewName + "." + prefix[:len(prefix)-1]
}

// attempts bounds how often a live view that moves on is run after.
const attempts = 50

// errLiveAhead says that the live view holds more than its copy.
var errLiveAhead = errors.New("reporting: the live view is ahead of its copy")

// Version is how many migrations made the tables.
func (v *View) Version() string {
	texts, err := migrationTexts(partView)
	if err != nil {
		panic(err) // they are part of the program, and a test reads them
	}
	return strconv.Itoa(len(texts))
}

// Rebuild makes empty tables beside the live ones, or goes on with those that a rebuild of
// this build left; see projections.Rebuildable. Of two that go on with the same, the first
// to write ends the other with projections.ErrMoved.
func (v *View) Rebuild(ctx context.Context, build string) (projections.Rebuilding, error) {
	texts, err := migrationTexts(partView)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	tables, indexes := apart(texts)
	var at version
	err = v.db.engine.exclusive(ctx, func(t tx) error {
		if at, err = readVersion(ctx, t.query, partView); err != nil {
			return err
		}
		c, err := readCopy(ctx, t, nextPrefix)
		if err != nil || c == (viewCopy{version: len(texts), build: build}) {
			return err
		}
		if err := dropCopy(ctx, t, nextPrefix); err != nil {
			return err
		}
		// Every copy ever made has a number of its own: its indexes go by it.
		at.generation++
		if err := writeVersion(ctx, t, partView, at); err != nil {
			return err
		}
		if err := runStatements(ctx, v.db.engine, t, tables, nextPrefix, at.generation); err != nil {
			return err
		}
		return writeCopy(ctx, t, nextPrefix, viewCopy{version: len(texts), build: build})
	})
	if err != nil {
		return projections.Rebuilding{}, fmt.Errorf("reporting: make the tables of the copy: %w", err)
	}
	r := v.rebuilding(nextPrefix)
	loading := &load{view: r.View.(*View), indexes: indexes, generation: at.generation}
	compare, swap := r.Compare, r.Swap
	r.View, r.Batch, r.Finish = loading, loadBatch, loading.finish
	r.Compare = func(ctx context.Context) ([]projections.Compared, error) {
		if err := loading.finish(ctx); err != nil {
			return nil, err
		}
		return compare(ctx)
	}
	r.Swap = func(ctx context.Context) error {
		if err := loading.finish(ctx); err != nil {
			return err
		}
		return swap(ctx)
	}
	return r, nil
}

// Kept returns the tables that the last swap replaced; see projections.Rebuildable.
func (v *View) Kept(ctx context.Context) (projections.Rebuilding, error) {
	texts, err := migrationTexts(partView)
	if err != nil {
		return projections.Rebuilding{}, err
	}
	err = v.db.engine.exclusive(ctx, func(t tx) error {
		c, err := readCopy(ctx, t, prevPrefix)
		switch {
		case err != nil:
			return err
		case c == viewCopy{}:
			return projections.ErrNothingKept
		case c.version != len(texts):
			return fmt.Errorf("%w: what is kept has version %d, and this program writes version %d", projections.ErrNothingKept, c.version, len(texts))
		}
		return nil
	})
	if err != nil {
		return projections.Rebuilding{}, fmt.Errorf("reporting: %w", err)
	}
	return v.rebuilding(prevPrefix), nil
}

func (v *View) rebuilding(prefix string) projections.Rebuilding {
	fresh := v.db.view(v.store, v.codec, prefix, checkpointOf(prefix))
	return projections.Rebuilding{
		View:    fresh,
		Compare: func(ctx context.Context) ([]projections.Compared, error) { return v.compare(ctx, fresh) },
		Swap:    func(ctx context.Context) error { return v.swap(ctx, fresh) },
		Abandon: func(ctx context.Context) error {
			return v.db.engine.exclusive(ctx, func(t tx) error { return dropCopy(ctx, t, prefix) })
		},
	}
}

// compare brings both to the head of the ledger, and counts the rows of each table that only
// one of them has. A live view that others feed moves on: then it begins again. It feeds the
// live view itself, so that the two meet at one position: whoever does so otherwise is held
// off for the moment it takes to begin reading, and finds its checkpoint moved.
func (v *View) compare(ctx context.Context, fresh *View) (found []projections.Compared, err error) {
	if v.db.outdated.Load() {
		return nil, nil // tables of two forms have nothing in common
	}
	live := v.db.View(v.store, v.codec)
	for range attempts {
		if _, err := live.Checkpoint(ctx); err != nil {
			return nil, err
		}
		estranged, err := live.estranged(ctx)
		if err != nil {
			return nil, err
		}
		// In this order: what the checkpoint says is in the ledger by now.
		newest, err := feed.Newest(ctx, v.store)
		if err != nil {
			return nil, err
		}
		for _, behind := range []*View{fresh, live} {
			if behind.at.Position >= newest.Position || behind == live && estranged {
				continue // what does not belong to the ledger is compared as it is
			}
			err := projections.Follow(ctx, v.store, behind, behind.at.Position, newest.Position)
			if err != nil && (behind == fresh || !errors.Is(err, projections.ErrMoved)) {
				return nil, err
			}
		}
		found = nil
		err = v.db.engine.snapshot(ctx, func(query querying) error {
			live, err := loadPlace(ctx, query, viewName)
			if err != nil {
				return err
			}
			copied, err := loadPlace(ctx, query, fresh.checkpoint)
			if err != nil {
				return err
			}
			if live.Position != copied.Position && !estranged {
				return errLiveAhead
			}
			for _, name := range viewTables {
				c, err := compareTable(ctx, query, name, fresh.texts.prefix+name)
				if err != nil {
					return err
				}
				found = append(found, c)
			}
			return nil
		})
		if !errors.Is(err, errLiveAhead) {
			return found, err
		}
	}
	return nil, errLiveAhead
}

// estranged reports whether the ledger does not hold what is in the tables.
func (v *View) estranged(ctx context.Context) (bool, error) {
	err := v.at.Check(ctx, v.store)
	if errors.Is(err, feed.ErrEstranged) {
		return true, nil
	}
	return false, err
}

func compareTable(ctx context.Context, query querying, live, copied string) (projections.Compared, error) {
	c := projections.Compared{What: live}
	for _, count := range []struct {
		sql string
		to  *uint64
	}{
		{"SELECT COUNT(*) FROM " + copied, &c.Entries},
		{"SELECT COUNT(*) FROM (SELECT * FROM " + live + " EXCEPT SELECT * FROM " + copied + ") AS a", &c.OnlyLive},
		{"SELECT COUNT(*) FROM (SELECT * FROM " + copied + " EXCEPT SELECT * FROM " + live + ") AS b", &c.OnlyCopy},
	} {
		var n int64
		if err := one(ctx, query, []any{&n}, count.sql); err != nil {
			return c, fmt.Errorf("reporting: compare %s: %w", live, err)
		}
		*count.to = uint64(n)
	}
	return c, nil
}

// swap puts the copy's tables in the place of the live ones, which are kept. It never takes
// a reader back: where the live view went on meanwhile, the copy follows it first. Only a
// live view that is estranged from the ledger is replaced as it is.
func (v *View) swap(ctx context.Context, fresh *View) error {
	estranged, ahead := false, 0
	patience := time.NewTimer(v.db.patience)
	defer patience.Stop()
	for pause := firstPause; ; {
		err := v.db.engine.exclusive(ctx, func(t tx) error { return trySwap(ctx, v.db.engine, t, fresh, estranged) })
		switch {
		case errors.Is(err, errTablesBusy):
			// Who asks meanwhile has waited as long as may be: between attempts all go on.
			select {
			case <-time.After(pause):
				pause = min(2*pause, lastPause)
			case <-patience.C:
				return fmt.Errorf("%w: end it and rebuild again, which goes on from here", err)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		case !errors.Is(err, errLiveAhead):
			return err
		case ahead == attempts:
			return err
		default:
			ahead++
		}
		// In this order: the ledger may have grown since the checkpoint, never shrunk.
		live := v.db.View(v.store, v.codec)
		if live.at, err = v.db.Checkpoints().Load(ctx, viewName); err != nil {
			return err
		}
		if estranged, err = live.estranged(ctx); err != nil {
			return err
		}
		newest, err := feed.Newest(ctx, v.store)
		if err != nil {
			return err
		}
		if fresh.at.Position < newest.Position {
			if err := projections.Follow(ctx, v.store, fresh, fresh.at.Position, newest.Position); err != nil {
				return err
			}
		}
	}
}

// swapPatience is how long a swap is tried again while queries of others hold the tables,
// with pauses that grow from firstPause to lastPause.
const (
	swapPatience = 10 * time.Minute
	firstPause   = 250 * time.Millisecond
	lastPause    = 5 * time.Second
)

func trySwap(ctx context.Context, e engine, t tx, fresh *View, estranged bool) error {
	if err := fresh.advance(ctx, t, fresh.at); err != nil {
		return err // another rebuild goes on with the copy, or dropped it
	}
	// The live checkpoint's line is what every writer of the live tables locks first: from
	// here on none is at work.
	if _, err := t.exec(ctx, "UPDATE checkpoints SET updated_at = $1 WHERE name = $2", now(), viewName); err != nil {
		return err
	}
	live, err := loadPlace(ctx, t.query, viewName)
	switch {
	case err != nil:
		return err
	case live.Position > fresh.at.Position && !estranged:
		return errLiveAhead
	}
	prefix := fresh.texts.prefix
	taken, err := readCopy(ctx, t, prefix)
	if err != nil {
		return err
	}
	replaced, err := readCopy(ctx, t, "")
	if err != nil {
		return err
	}
	is, err := readVersion(ctx, t.query, partView)
	if err != nil {
		return err
	}
	kept, err := readCopy(ctx, t, prevPrefix)
	if err != nil {
		return err
	}
	var claimed []string
	for of, version := range map[string]int{"": is.number, prefix: taken.version, prevPrefix: kept.version} {
		names, err := tablesOf(version)
		if err != nil {
			return err
		}
		for _, name := range names {
			claimed = append(claimed, of+name)
		}
	}
	slices.Sort(claimed)
	if err := e.claim(ctx, t, claimed); err != nil {
		return err
	}
	replaced.version = is.number // a migration may have changed them where they stand
	// What is kept makes room for what is replaced, unless it is what is put back.
	aside := prevPrefix
	if prefix == prevPrefix {
		aside = swapPrefix
	} else if err := dropCopy(ctx, t, prevPrefix); err != nil {
		return err
	}
	if err := renameCopy(ctx, t, replaced.version, "", aside); err != nil {
		return err
	}
	if err := renameCopy(ctx, t, taken.version, prefix, ""); err != nil {
		return err
	}
	if err := dropCopy(ctx, t, prefix); err != nil {
		return err
	}
	if aside != prevPrefix {
		if err := renameCopy(ctx, t, replaced.version, aside, prevPrefix); err != nil {
			return err
		}
	}
	if is.number = taken.version; is.number != replaced.version {
		if err := writeVersion(ctx, t, partView, is); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		prefix string
		is     viewCopy
		at     feed.Place
	}{{"", taken, fresh.at}, {prevPrefix, replaced, live}} {
		if err := writeCopy(ctx, t, c.prefix, c.is); err != nil {
			return err
		}
		if err := savePlace(ctx, t, checkpointOf(c.prefix), c.at, ""); err != nil {
			return err
		}
	}
	return lend(ctx, t)
}

// viewCopy is what is known of a set of tables. The zero value is none.
type viewCopy struct {
	version int
	build   string
}

func readCopy(ctx context.Context, t tx, prefix string) (c viewCopy, err error) {
	err = one(ctx, t.query, []any{&c.version, &c.build}, "SELECT version, build FROM view_copies WHERE prefix = $1", prefix)
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return c, err
}

func writeCopy(ctx context.Context, t tx, prefix string, c viewCopy) error {
	_, err := t.exec(ctx, `INSERT INTO view_copies (prefix, version, build, made_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (prefix) DO UPDATE SET version = excluded.version, build = excluded.build, made_at = excluded.made_at`,
		prefix, c.version, c.build, now())
	return err
}

// renameCopy renames the tables of a copy that has them as a version does.
func renameCopy(ctx context.Context, t tx, version int, from, to string) error {
	names, err := tablesOf(version)
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := t.exec(ctx, "ALTER TABLE "+from+name+" RENAME TO "+to+name); err != nil {
			return err
		}
	}
	return nil
}

// dropCopy drops what is left under a prefix: tables, checkpoint and what is known of them.
func dropCopy(ctx context.Context, t tx, prefix string) error {
	for _, name := range viewTables {
		if _, err := t.exec(ctx, "DROP TABLE IF EXISTS "+prefix+name); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, "DELETE FROM view_copies WHERE prefix = $1", prefix); err != nil {
		return err
	}
	_, err := t.exec(ctx, "DELETE FROM checkpoints WHERE name = $1", checkpointOf(prefix))
	return err
}

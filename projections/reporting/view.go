package reporting

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// viewName is the view's name, and that of its checkpoint.
const viewName = "reporting"

// How many folded streams the projector keeps. One that is not kept is read again, as far
// as the record at hand, when it changes; that costs time, never truth.
const (
	daysKept        = 4096
	restaurantsKept = 1024
	webhooksKept    = 256
)

// View brings the ledger to the tables. It is a projections.View, Parker and Rebuildable:
// Checkpoint, Apply and Parked are for one goroutine at a time. Several Views may feed one
// database, in one process or many: they fence each other off.
type View struct {
	db          *Database
	store       eventstore.Reader
	codec       *codec.Codec
	checkpoint  string // its name
	texts       *texts
	days        *projections.Folds[dayFold]
	restaurants *projections.Folds[restaurantFold]
	webhooks    *projections.Folds[webhookFold]

	loaded bool
	at     feed.Place // the view stands here, if loaded
}

var (
	_ projections.Rebuildable = (*View)(nil)
	_ projections.Parker      = (*View)(nil)
)

// View makes the projector. It reads from store what it needs to know of a stream's past,
// and decodes with c.
func (db *Database) View(store eventstore.Reader, c *codec.Codec) *View {
	return db.view(store, c, "", viewName)
}

// view makes a projector for the tables whose names begin with prefix.
func (db *Database) view(store eventstore.Reader, c *codec.Codec, prefix, checkpoint string) *View {
	return &View{
		db: db, store: store, codec: c, checkpoint: checkpoint,
		texts: newTexts(prefix),
		days: projections.NewFolds(store, daysKept, newDayFold,
			func(ctx context.Context, s dayFold, r eventstore.Record) (dayFold, error) {
				d, err := decode(ctx, c, r)
				return s.evolve(d), err
			}),
		restaurants: projections.NewFolds(store, restaurantsKept, newRestaurantFold,
			func(ctx context.Context, s restaurantFold, r eventstore.Record) (restaurantFold, error) {
				d, err := decode(ctx, c, r)
				return s.evolve(d), err
			}),
		webhooks: projections.NewFolds(store, webhooksKept, newWebhookFold,
			func(ctx context.Context, s webhookFold, r eventstore.Record) (webhookFold, error) {
				d, err := decode(ctx, c, r)
				return s.evolve(d), err
			}),
	}
}

// decode reads a record; one of a type this program does not know comes back with no event.
func decode(ctx context.Context, c *codec.Codec, r eventstore.Record) (codec.Decoded, error) {
	d, err := c.Decode(ctx, r)
	switch {
	case errors.Is(err, codec.ErrUnknownType):
		return codec.Decoded{}, nil
	case errors.Is(err, codec.ErrCorrupt):
		return codec.Decoded{}, fmt.Errorf("%w: %w", projections.ErrCorrupt, err)
	}
	return d, err
}

// Name is "reporting".
func (v *View) Name() string { return viewName }

// Checkpoint reads where the view stands; projections.ErrOutdated where its tables are those of
// an earlier version.
func (v *View) Checkpoint(ctx context.Context) (feed.Place, error) {
	if v.texts.prefix == "" && v.db.outdated.Load() {
		if is, err := v.db.look(ctx); err != nil {
			return feed.Place{}, err
		} else if is {
			return feed.Place{}, fmt.Errorf("reporting: %w", projections.ErrOutdated)
		}
	}
	at, err := v.db.Checkpoints().Load(ctx, v.checkpoint)
	if err != nil {
		return feed.Place{}, err
	}
	if at.Position == eventstore.Start {
		// The line must be there for advance to move it. Two may do so at once.
		err := v.db.engine.write(ctx, func(t tx) error {
			_, err := t.exec(ctx, "INSERT INTO checkpoints (name, position, updated_at) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING",
				v.checkpoint, now())
			return err
		})
		if err != nil {
			return feed.Place{}, fmt.Errorf("reporting: begin checkpoint: %w", err)
		}
	}
	v.at, v.loaded = at, true
	return at, nil
}

// Apply writes a batch: see projections.View. Records at or before the checkpoint are
// passed over.
func (v *View) Apply(ctx context.Context, b eventstore.Batch) error {
	if !v.loaded {
		if _, err := v.Checkpoint(ctx); err != nil {
			return err
		}
	}
	if b.Position <= v.at.Position {
		return nil
	}
	changes, err := v.changes(ctx, b.Records, v.at.Position)
	if err != nil {
		return err
	}
	return v.commit(ctx, v.at.After(b), changes.puts(false))
}

// changes folds the records after a position.
func (v *View) changes(ctx context.Context, records []eventstore.Record, after eventstore.Position) (*changes, error) {
	c := newChanges()
	for _, r := range records {
		if r.Position <= after {
			continue
		}
		if err := v.collect(ctx, c, r); err != nil {
			return nil, fmt.Errorf("reporting: %s at revision %d of %q: %w", r.Type, r.Revision, r.Stream, err)
		}
	}
	return c, nil
}

// commit writes rows and moves the checkpoint, in one transaction.
func (v *View) commit(ctx context.Context, to feed.Place, puts []put) error {
	err := v.db.engine.write(ctx, func(t tx) error {
		if err := v.advance(ctx, t, to); err != nil {
			return err
		}
		return t.put(ctx, v.texts, puts)
	})
	if errors.Is(err, projections.ErrMoved) {
		v.loaded = false
		return err
	}
	if err != nil {
		return fmt.Errorf("reporting: write up to position %d: %w", to.Position, err)
	}
	v.at = to
	return nil
}

// advance moves the checkpoint from where this view left it. It is the fence: a second
// runner waits here for the first one's transaction, and then finds the checkpoint moved.
func (v *View) advance(ctx context.Context, t tx, to feed.Place) error {
	moved, err := t.exec(ctx, "UPDATE checkpoints SET position = $1, record = $2, updated_at = $3 WHERE name = $4 AND position = $5",
		int64(to.Position), to.Record.String(), now(), v.checkpoint, int64(v.at.Position))
	if err != nil {
		return err
	}
	if moved != 1 {
		return fmt.Errorf("reporting: checkpoint %q is not at %d: %w", v.checkpoint, v.at.Position, projections.ErrMoved)
	}
	return nil
}

// causeLimit bounds the text of a parked record's cause, in bytes.
const causeLimit = 1000

// Parked keeps a record that cannot be applied in the table parked_records, and moves on.
func (v *View) Parked(ctx context.Context, r eventstore.Record, cause error) error {
	if !v.loaded {
		if _, err := v.Checkpoint(ctx); err != nil {
			return err
		}
	}
	if r.Position <= v.at.Position {
		return nil
	}
	text := cause.Error()
	text = strings.ToValidUTF8(text[:min(len(text), causeLimit)], "")
	parked := newRows[eventstore.Position](parkedRows)
	parked.put(r.Position, true, int64(r.Position), r.ID.String(), string(r.Stream), int64(r.Revision), r.Type, text)
	return v.commit(ctx, feed.PlaceOf(r), parked.puts(false, nil))
}

package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// RebuildOptions says how a view is rebuilt. The zero value builds it anew.
type RebuildOptions struct {
	Options
	// Build names what builds: this program, exactly. A copy that another build began is not
	// gone on with, as it may hold what that one got wrong.
	Build string
	// Restart drops a copy that was left unfinished instead of going on with it.
	Restart bool
	// Rollback puts back what the last swap replaced, instead of building.
	Rollback bool
	// IfEqual swaps only where the copy holds what the live view does.
	IfEqual bool
	// Batch is how many records are brought at once, what the view likes best where zero.
	Batch int
	// Progress, where not nil, is told now and then how far the work is.
	Progress func(Progress)
}

// Stage is a part of a rebuild.
type Stage string

// The stages, in their order.
const (
	StageBuild   Stage = "build"
	StageFinish  Stage = "finish"
	StageCompare Stage = "compare"
	StageSwap    Stage = "swap"
)

// Progress is how far a rebuild is.
type Progress struct {
	Stage    Stage
	From     eventstore.Position // where it began: later than the start where it goes on
	At, Head eventstore.Position // of the build: reached, and aimed for
	Records  uint64              // brought so far
	Took     time.Duration       // so far
}

// Percent is how much of the ledger was brought, from 0 to 100.
func (p Progress) Percent() int {
	if p.Stage != StageBuild {
		return map[Stage]int{StageFinish: 100, StageCompare: 100, StageSwap: 100}[p.Stage]
	}
	return int(min(100, 100*float64(p.At)/max(1, float64(p.Head))))
}

// Rebuilt is what a rebuild came to.
type Rebuilt struct {
	Progress
	Position eventstore.Position // where the view stands
	Parked   uint64              // records that could not be applied and are left out
	Compared []Compared
}

// Equal reports whether the copy held what the live view did.
func (r Rebuilt) Equal() bool {
	return !slices.ContainsFunc(r.Compared, func(c Compared) bool { return !c.Equal() })
}

// Rebuild builds view anew from the whole ledger, beside the live one, compares the two, and
// puts the new one in the other's place. The live view answers and is fed meanwhile. What the
// swap replaces is kept until the next one: a rollback puts it back the same way.
//
// A record that cannot be applied is parked as the runner does it. On an error, when ctx
// ends and when the process is killed, the live view is as it was, and what was built is
// left for the next Rebuild of the same build to go on with.
//
// Errors: feed.ErrEstranged with Rollback, where the ledger was put back since, ErrDiffers with IfEqual, ErrNothingKept with Rollback, ErrMoved when another rebuild
// of the view took over, else the engine's or the store's.
func Rebuild(ctx context.Context, store eventstore.Store, view Rebuildable, o RebuildOptions) (done Rebuilt, err error) {
	r, err := NewRunner(store, o.Options) // for its defaults alone
	if err != nil {
		return done, err
	}
	fail := func(what string, err error) (Rebuilt, error) {
		return done, fmt.Errorf("rebuild %s: %s: %w", view.Name(), what, err)
	}
	began := r.opts.Now()
	tell := func(stage Stage) {
		done.Stage, done.Took = stage, r.opts.Now().Sub(began)
		if o.Progress != nil {
			o.Progress(done.Progress)
		}
	}
	build, err := o.begin(ctx, view)
	if err != nil {
		return fail("begin", err)
	}
	d := newDriver(build.View, store, r.log, r.opts.Now)
	at, err := d.stands(ctx)
	if errors.Is(err, feed.ErrEstranged) && !o.Rollback {
		// It was begun before the ledger was put back.
		o.Restart = true
		if build, err = o.begin(ctx, view); err != nil {
			return fail("begin anew", err)
		}
		d = newDriver(build.View, store, r.log, r.opts.Now)
		at, err = d.stands(ctx)
	}
	if err != nil {
		return fail("checkpoint", err)
	}
	done.From, done.At = at.Position, at.Position
	tell(StageBuild)
	err = d.catchUp(ctx, store, at.Position, cmp.Or(o.Batch, build.Batch), func(at, head eventstore.Position, records int) {
		done.At, done.Head = at, head
		done.Records += uint64(records)
		tell(StageBuild)
	})
	done.Parked = d.status().Parked
	if err != nil {
		return fail("build", err)
	}
	if build.Finish != nil {
		tell(StageFinish)
		if err := build.Finish(ctx); err != nil {
			return fail("finish", err)
		}
	}
	tell(StageCompare)
	if done.Compared, err = build.Compare(ctx); err != nil {
		return fail("compare", err)
	}
	if o.IfEqual && !done.Equal() {
		if o.Rollback {
			return done, ErrDiffers // what is kept is kept
		}
		return done, errors.Join(ErrDiffers, build.Abandon(ctx))
	}
	tell(StageSwap)
	if err := build.Swap(ctx); err != nil {
		return fail("swap", err)
	}
	tell(StageSwap)
	now, err := view.Checkpoint(ctx)
	if err != nil {
		return fail("checkpoint", err)
	}
	done.Position = now.Position
	return done, nil
}

func (o RebuildOptions) begin(ctx context.Context, view Rebuildable) (Rebuilding, error) {
	if o.Rollback {
		return view.Kept(ctx)
	}
	build, err := view.Rebuild(ctx, o.Build)
	if err != nil || !o.Restart {
		return build, err
	}
	if err := build.Abandon(ctx); err != nil {
		return build, err
	}
	return view.Rebuild(ctx, o.Build)
}

// Follow feeds a view that stands at at up to the position to, and no further: for a view
// that is to be compared with another one.
func Follow(ctx context.Context, store eventstore.Reader, view View, at, to eventstore.Position) error {
	return bringUpTo(ctx, store, at, to, 0, func(b eventstore.Batch) error { return view.Apply(ctx, b) })
}

// catchUp feeds the view from at up to the head of the ledger as it stands when it gets there.
func (d *driver) catchUp(
	ctx context.Context, store eventstore.Store, at eventstore.Position, batch int, progress func(at, head eventstore.Position, records int),
) error {
	for {
		newest, err := feed.Newest(ctx, store)
		if err != nil {
			return err
		}
		head := newest.Position
		if at >= head {
			return nil
		}
		err = bringUpTo(ctx, store, at, head, batch, func(b eventstore.Batch) error {
			if err := d.bring(ctx, b); err != nil {
				return err
			}
			at = b.Position
			progress(at, head, len(b.Records))
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// readAhead is how many batches are read while one is applied, and batchBytes ends a batch of
// large records before it is full.
const (
	readAhead  = 2
	batchBytes = 16 << 20
)

// bringUpTo reads what stands after at up to to, and hands it on in batches: reading goes on
// beside.
func bringUpTo(
	ctx context.Context, store eventstore.Reader, at, to eventstore.Position, size int, bring func(eventstore.Batch) error,
) error {
	if size <= 0 {
		size = eventstore.MaxBatch
	}
	batches := make(chan eventstore.Batch, readAhead)
	g, reading := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		send := func(b eventstore.Batch) error {
			select {
			case batches <- b:
				return nil
			case <-reading.Done():
				return context.Cause(reading)
			}
		}
		b := eventstore.Batch{Position: at}
		held := 0
		for rec, err := range store.ReadAll(reading, at, eventstore.Filter{}) {
			if err != nil {
				return err
			}
			if rec.Position > to {
				break
			}
			b.Records, b.Position = append(b.Records, rec), rec.Position
			held += len(rec.Data) + len(rec.Metadata)
			if len(b.Records) == size || held >= batchBytes {
				if err := send(b); err != nil {
					return err
				}
				b.Records, held = make([]eventstore.Record, 0, len(b.Records)), 0
			}
		}
		b.Live = true
		return send(b)
	})
	g.Go(func() error {
		for b := range batches {
			if err := bring(b); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

func (d *driver) bring(ctx context.Context, b eventstore.Batch) error {
	err := d.apply(ctx, b)
	if errors.Is(err, ErrCorrupt) {
		err = d.isolate(ctx, b)
	}
	return err
}

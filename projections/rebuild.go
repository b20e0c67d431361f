package projections

import (
	"context"
	"errors"
	"fmt"

	"daybook/eventstore"
)

// Rebuild builds view anew from the whole ledger, beside the live one, and puts it in its
// place. The live view answers and is fed meanwhile; whatever the ledger gained between
// the end of the build and the swap reaches the new one through its own checkpoint.
//
// progress, where not nil, is called after each batch with the position reached and the
// head that was aimed for. A record that cannot be applied is parked as the runner does it.
// On an error, or when ctx ends, the copy is abandoned and the live view is as it was.
func Rebuild(ctx context.Context, store eventstore.Store, view Rebuildable, opts Options, progress func(at, head eventstore.Position)) (err error) {
	r, err := NewRunner(store, opts) // for its defaults alone
	if err != nil {
		return err
	}
	build, err := view.Rebuild(ctx)
	if err != nil {
		return fmt.Errorf("rebuild %s: begin: %w", view.Name(), err)
	}
	defer func() {
		if err == nil || build.Abandon == nil {
			return
		}
		// ctx may be what ended: leaving nothing behind must not depend on it.
		if left := build.Abandon(context.WithoutCancel(ctx)); left != nil {
			err = fmt.Errorf("%w (and the copy is left behind: %w)", err, left)
		}
	}()
	d := newDriver(build.View, r.log, r.opts.Now)
	if err := d.catchUp(ctx, store, progress); err != nil {
		return fmt.Errorf("rebuild %s: %w", view.Name(), err)
	}
	if err := build.Swap(ctx); err != nil {
		return fmt.Errorf("rebuild %s: swap: %w", view.Name(), err)
	}
	return nil
}

// catchUp feeds the view up to the head of the ledger as it stands when it gets there.
func (d *driver) catchUp(ctx context.Context, store eventstore.Store, progress func(at, head eventstore.Position)) error {
	at, err := d.view.Checkpoint(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for {
		head, err := store.Head(ctx)
		if err != nil {
			return err
		}
		if at >= head {
			return nil
		}
		b := eventstore.Batch{Records: make([]eventstore.Record, 0, eventstore.MaxBatch)}
		for rec, err := range store.ReadAll(ctx, at, eventstore.Filter{}) {
			if err != nil {
				return err
			}
			b.Records = append(b.Records, rec)
			if len(b.Records) < eventstore.MaxBatch {
				continue
			}
			b.Position = rec.Position
			if err := d.bring(ctx, b); err != nil {
				return err
			}
			at = b.Position
			if progress != nil {
				progress(at, head)
			}
			b.Records = make([]eventstore.Record, 0, eventstore.MaxBatch)
		}
		// What is left of a last batch ends at its last record, or at the head where the
		// engine's own records stand after it.
		b.Position = head
		if n := len(b.Records); n > 0 {
			b.Position = max(head, b.Records[n-1].Position)
		}
		b.Position = max(b.Position, at)
		b.Live = true
		if err := d.bring(ctx, b); err != nil {
			return err
		}
		at = b.Position
		if progress != nil {
			progress(at, max(head, at))
		}
	}
}

func (d *driver) bring(ctx context.Context, b eventstore.Batch) error {
	err := d.apply(ctx, b)
	if errors.Is(err, ErrCorrupt) {
		err = d.isolate(ctx, b)
	}
	return err
}

package availability

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections"
)

// Rebuild implements projections.Rebuildable. Nothing is built beside the live view, which
// needs no history: the copy only gathers which days have a book. The swap begins a new
// epoch, so that no value of before counts any more, and then reads every day that is not
// past off its stream; readers who come meanwhile do the same for the day they ask for.
func (v *View) Rebuild(context.Context) (projections.Rebuilding, error) {
	g := &gathering{view: v, days: make(map[DayKey]struct{})}
	return projections.Rebuilding{View: g, Swap: g.swap}, nil
}

// gathering is the view of which days there are.
type gathering struct {
	view *View
	days map[DayKey]struct{}
}

func (g *gathering) Name() string { return Name }

func (g *gathering) Checkpoint(context.Context) (eventstore.Position, error) {
	return eventstore.Start, nil
}

func (g *gathering) Apply(_ context.Context, b eventstore.Batch) error {
	for _, r := range b.Records {
		restaurant, date, ok := codec.ParseDayStream(r.Stream)
		if key := (DayKey{Restaurant: restaurant, Date: date}); ok && g.view.keepFor(key) > 0 {
			g.days[key] = struct{}{}
		}
	}
	return nil
}

func (g *gathering) swap(ctx context.Context) error {
	v := g.view
	if ok, err := v.prepare(ctx); !ok || err != nil {
		return err // an empty ledger has no days
	}
	v.renewal.Lock()
	m, err := v.begin(ctx, func(mark) bool { return false })
	v.renewal.Unlock()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(v.opts.StreamReads)
	for key := range g.days {
		group.Go(func() error { return v.refill(ctx, key, m) })
	}
	return group.Wait()
}

// refill reads one day into the epoch of m.
func (v *View) refill(ctx context.Context, key DayKey, m mark) error {
	f := v.heals.join(key, m, v.fly)
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	return errors.Join(f.err, f.unkept)
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// driver brings batches to one view.
type driver struct {
	view     View
	store    eventstore.Store
	rebuild  func(ctx context.Context, v Rebuildable, progress func(Progress)) error // nil where it is for others to do
	lost     func(error)                                                             // ends the runner
	log      *slog.Logger
	now      func() time.Time
	linger   time.Duration
	share    time.Duration // a rest is at most so many times what the batch took
	progress progress

	// place is where the view stands, and held says that this was held against the ledger. Both
	// belong to whoever drives: the feed before it delivers, then the handler.
	place feed.Place
	held  bool

	mu     sync.Mutex
	built  *Progress // of the rebuild under way
	live   bool
	lag    time.Duration
	err    error
	parked uint64
}

func newDriver(v View, store eventstore.Store, log *slog.Logger, now func() time.Time) *driver {
	return &driver{view: v, store: store, log: log.With("view", v.Name()), now: now, share: 8}
}

// start is the feed's Start.
func (d *driver) start(ctx context.Context, _ string) (eventstore.Position, error) {
	p, err := d.stands(ctx)
	if errors.Is(err, feed.ErrEstranged) && d.held {
		// More than this view rests on what was read before: folded streams, commands' as well.
		err = fmt.Errorf("view %s: %w, while this process ran: start it again", d.view.Name(), err)
		d.lost(err)
	} else if errors.Is(err, feed.ErrEstranged) || errors.Is(err, ErrOutdated) {
		p, err = d.renew(ctx, err)
	}
	if err != nil {
		d.failed(err, 1)
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	d.place, d.held = p, true
	d.progress.set(p.Position)
	return p.Position, nil
}

// stands reads where the view stands, and holds it against the ledger.
func (d *driver) stands(ctx context.Context) (feed.Place, error) {
	p, err := d.view.Checkpoint(ctx)
	if err == nil {
		err = p.Check(ctx, d.store)
	}
	return p, err
}

// renew has a view built anew that cannot go on. It is asked meanwhile, and answers as it did.
func (d *driver) renew(ctx context.Context, cause error) (feed.Place, error) {
	v, ok := d.view.(Rebuildable)
	if !ok || d.rebuild == nil {
		return feed.Place{}, fmt.Errorf("%w; run daybook rebuild %s", cause, d.view.Name())
	}
	d.log.Warn("projections: the view cannot go on and is built anew; until then it answers as it stands", "cause", cause)
	d.building(&Progress{})
	err := d.rebuild(ctx, v, func(p Progress) { d.building(&p) })
	d.building(nil)
	if err != nil {
		return feed.Place{}, fmt.Errorf("%w; %w", cause, err)
	}
	p, err := d.stands(ctx)
	if err == nil {
		d.log.Info("projections: the view was built anew", "position", uint64(p.Position))
	}
	return p, err
}

func (d *driver) building(p *Progress) {
	d.mu.Lock()
	d.built = p
	d.mu.Unlock()
}

// handle is the Watermill handler: one message, one batch.
func (d *driver) handle(msg *message.Message) error {
	b, ok := feed.BatchOf(msg)
	if !ok {
		return errors.New("projections: message without a batch")
	}
	ctx := msg.Context()
	began := d.now()
	// A view stands at a record: the engine's own that come after it leave no mark that could
	// be held against the ledger.
	seen := b.Position
	b.Position = d.place.Position
	if n := len(b.Records); n > 0 {
		b.Position = b.Records[n-1].Position
	}
	err := d.apply(ctx, b)
	if errors.Is(err, ErrCorrupt) {
		err = d.isolate(ctx, b)
	}
	if errors.Is(err, ErrMoved) {
		d.log.Warn("projections: the checkpoint was moved, going on from it", "position", uint64(b.Position))
		feed.Restart(msg)
		return nil
	}
	if err != nil {
		return err
	}
	d.place = d.place.After(b)
	d.applied(b, seen)
	if d.linger > 0 && b.Live && len(b.Records) > 0 {
		// The next batch is made when this one is acknowledged. A single change is soon
		// done and soon followed by the next; only under load do rests grow.
		d.progress.rest(ctx, min(d.linger, d.share*d.now().Sub(began)))
	}
	return nil
}

// apply calls the view. A panic in a projector comes back as ErrCorrupt: it is some
// record that it was not written for.
func (d *driver) apply(ctx context.Context, b eventstore.Batch) (err error) {
	defer recovered(&err)
	return d.view.Apply(ctx, b)
}

// recovered turns a panic under way into an error that wraps ErrCorrupt.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: panic: %v\n%s", ErrCorrupt, v, debug.Stack())
	}
}

// isolate brings the records of b one by one and parks those that cannot be applied. It
// may begin again after an engine's error: views take records that come again.
func (d *driver) isolate(ctx context.Context, b eventstore.Batch) error {
	for _, r := range b.Records {
		err := d.apply(ctx, eventstore.Batch{Records: []eventstore.Record{r}, Position: r.Position})
		if errors.Is(err, ErrCorrupt) {
			err = d.park(ctx, r, err)
		}
		if err != nil {
			return err
		}
	}
	return d.apply(ctx, eventstore.Batch{Position: b.Position, Live: b.Live})
}

// park leaves a record out, for all to see.
func (d *driver) park(ctx context.Context, r eventstore.Record, cause error) (err error) {
	d.log.Error("projections: a record cannot be applied and is left out of the view; rebuild the view once that is mended",
		"position", uint64(r.Position), "stream", string(r.Stream), "revision", uint64(r.Revision),
		"type", r.Type, "event", r.ID.String(), "error", cause)
	if p, ok := d.view.(Parker); ok {
		defer recovered(&err)
		err = p.Parked(ctx, r, cause)
	} else {
		err = d.apply(ctx, eventstore.Batch{Position: r.Position})
	}
	if err == nil {
		d.mu.Lock()
		d.parked++
		d.mu.Unlock()
	}
	return err
}

func (d *driver) applied(b eventstore.Batch, seen eventstore.Position) {
	d.mu.Lock()
	d.live, d.err, d.lag = b.Live, nil, 0
	if n := len(b.Records); n > 0 && !b.Live {
		d.lag = max(d.now().Sub(b.Records[n-1].Recorded), 0)
	}
	d.mu.Unlock()
	d.progress.set(seen)
}

// failed is told of every failed attempt.
func (d *driver) failed(err error, _ int) {
	d.mu.Lock()
	d.err = err
	d.live = false
	d.mu.Unlock()
}

func (d *driver) status() Status {
	s := Status{Name: d.view.Name(), Position: d.progress.position()}
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Live, s.LagHint, s.Parked = d.live, d.lag, d.parked
	if d.built != nil {
		s.Rebuilding, s.Percent = true, d.built.Percent()
	}
	if d.err != nil {
		s.LastError = d.err.Error()
	}
	return s
}

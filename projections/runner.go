package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// Options is a runner's configuration. The zero value is good.
type Options struct {
	// Logger is slog.Default where nil.
	Logger *slog.Logger
	// Elsewhere are views that another process feeds. They are not run; Wait reads their
	// checkpoint, at most every PollEvery.
	Elsewhere []View
	// PollEvery is 5 ms where zero.
	PollEvery time.Duration
	// MinBackoff and MaxBackoff bound the wait between attempts while an engine or the store
	// is away. Zero stands for 20 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// Build names this program, for Rebuild. Where it is set, a view that cannot go on is built
	// anew at the start: one that is estranged from the ledger, or outdated. Where not, it stands
	// still until somebody else has done so.
	Build func() (string, error)
	// Linger is how long at most each view, by name, rests when it has caught up before it takes
	// the next batch, in proportion to what the last one took, unless somebody waits for it: under load it then writes a few large batches
	// rather than many small ones, which cost more than their records.
	Linger map[string]time.Duration
	// StopWithin is how long Run waits at its end for the batches under way; 10 s where zero.
	StopWithin time.Duration
	// Now is the clock for Status; time.Now where nil.
	Now func() time.Time
}

// Runner feeds views from the ledger, each through a Watermill handler of its own and at
// its own pace: a view whose engine is away holds up no other. Safe for concurrent use.
type Runner struct {
	store  eventstore.Store
	opts   Options
	log    *slog.Logger
	driven []*driver
	all    map[string]*driver

	mu     sync.Mutex
	stop   context.CancelFunc // ends Run; nil before it
	done   chan struct{}      // closed when Run has returned
	closed bool
}

// NewRunner makes a runner of views. Two views of one name are an error.
func NewRunner(store eventstore.Store, opts Options, views ...View) (*Runner, error) {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	if opts.PollEvery <= 0 {
		opts.PollEvery = 5 * time.Millisecond
	}
	if opts.StopWithin <= 0 {
		opts.StopWithin = 10 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	r := &Runner{store: store, opts: opts, log: opts.Logger, all: make(map[string]*driver)}
	for _, v := range views {
		d := newDriver(v, store, r.log, opts.Now)
		d.linger = opts.Linger[v.Name()]
		if opts.Build != nil {
			d.rebuild = r.rebuild
		}
		r.driven = append(r.driven, d)
	}
	for _, d := range r.driven {
		if _, twice := r.all[d.view.Name()]; twice {
			return nil, fmt.Errorf("projections: two views are named %q", d.view.Name())
		}
		r.all[d.view.Name()] = d
	}
	for _, v := range opts.Elsewhere {
		if _, twice := r.all[v.Name()]; twice {
			return nil, fmt.Errorf("projections: two views are named %q", v.Name())
		}
		d := newDriver(v, store, r.log, opts.Now)
		d.progress.every = opts.PollEvery
		d.progress.poll = func(ctx context.Context) (eventstore.Position, error) {
			p, err := v.Checkpoint(ctx)
			return p.Position, err
		}
		r.all[v.Name()] = d
	}
	return r, nil
}

// Run feeds the views until ctx ends or Close is called, which are no errors. It ends with
// feed.ErrEstranged when the ledger is put back to an earlier state meanwhile: the process is
// to be started again, as what it has in memory rests on what was lost. Engines and store may be away, also at the start: each view goes on when its engine is back. A
// runner runs once.
func (r *Runner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.mu.Lock()
	if r.closed || r.done != nil {
		r.mu.Unlock()
		return errors.New("projections: a runner runs once")
	}
	r.stop, r.done = func() { cancel(nil) }, make(chan struct{})
	r.mu.Unlock()
	defer close(r.done)

	if len(r.driven) == 0 {
		<-ctx.Done()
		return nil
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: r.opts.StopWithin}, feed.Logger(r.log))
	if err != nil {
		return err
	}
	for _, d := range r.driven {
		d.lost = cancel
		sub, err := feed.New(feed.Config{
			Store: r.store, Start: d.start, Logger: r.log,
			MinBackoff: r.opts.MinBackoff, MaxBackoff: r.opts.MaxBackoff,
		})
		if err != nil {
			return err
		}
		defer sub.Close()
		retry := feed.Retry{Min: r.opts.MinBackoff, Max: r.opts.MaxBackoff, Logger: r.log.With("view", d.view.Name()), Failed: d.failed}
		router.AddConsumerHandler(d.view.Name(), d.view.Name(), sub, d.handle).AddMiddleware(retry.Middleware)
	}
	if err := router.Run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	if cause := context.Cause(ctx); errors.Is(cause, feed.ErrEstranged) {
		return cause
	}
	return nil
}

// rebuild builds a view of this runner's anew.
func (r *Runner) rebuild(ctx context.Context, v Rebuildable, progress func(Progress)) error {
	build, err := r.opts.Build()
	if err != nil {
		return err
	}
	done, err := Rebuild(ctx, r.store, v, RebuildOptions{Options: r.opts, Build: build, Progress: progress})
	if err == nil && done.Parked > 0 {
		r.log.Error("projections: records could not be applied and are left out of the view that was built anew", "view", v.Name(), "records", done.Parked)
	}
	return err
}

// Close ends Run and waits for it.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	stop, done := r.stop, r.done
	r.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	return nil
}

// Wait returns when view has applied all up to p, so that a client reads what it wrote.
// When ctx ends first the error wraps ErrBehind and the context's; ErrUnknownView for a
// name that no view has. Any number may wait at once.
func (r *Runner) Wait(ctx context.Context, view string, p eventstore.Position) error {
	d, ok := r.all[view]
	if !ok {
		return fmt.Errorf("%w: %q", ErrUnknownView, view)
	}
	return d.progress.wait(ctx, p)
}

// Status is how a view stands.
type Status struct {
	Name     string
	Position eventstore.Position // all up to here is in the view
	Live     bool                // nothing more was there when it last looked
	// LagHint is how old the last record applied was when it was applied; 0 while live. It
	// says how far behind a view is that catches up, not whether one stands still.
	LagHint   time.Duration
	LastError string // of the outage under way; empty when there is none
	// Rebuilding says that the view could not go on and is built anew beside what it answers
	// from, and Percent, from 0 to 100, how far that is.
	Rebuilding bool
	Percent    int
	Parked     uint64 // records left out since the start because they could not be applied
}

// Status lists the views this runner feeds, in the order they were given.
func (r *Runner) Status() []Status {
	all := make([]Status, len(r.driven))
	for i, d := range r.driven {
		all[i] = d.status()
	}
	return all
}

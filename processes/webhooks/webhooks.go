// Package webhooks tells receivers outside what happens at a restaurant: it drives each
// webhook along the ledger, at least once and in order, for as long as it takes.
//
// What belongs here: reading on for each webhook, the order in which messages go out, when one
// that failed goes out again, what a message says, and that one process does so at a time.
// The connection to a receiver is gateways/webhooks'; what is outstanding is kept by
// projections/deliveries; the schedule and the rules of a webhook are domain/webhook's.
//
// # Along the ledger
//
// A webhook has a place in the ledger. What stands after it is entered as deliveries, a
// bounded number ahead, in the transaction that moves the place; a delivery is done when its
// receiver's acknowledgement is on disk. So nothing is lost by stopping, whatever is stopped:
// the ledger is the queue. Nothing grows in memory with what waits.
//
// # In order
//
// The deliveries of one stream (a restaurant-day with its reservations and waitlist, the
// restaurant itself) form a lane. In a lane the next is sent when the one before it was
// acknowledged and that is on record; lanes do not wait for each other.
//
// # A ledger that was put back
//
// Where the ledger was restored to an earlier state, webhooks are taken back to the last record
// that it still holds, also where it has grown past their places since: what was written after
// it is sent, and nothing is sent twice. What receivers were told of events that are lost cannot
// be taken back.
//
// # One at a time
//
// Of several processes on one database one has the lead. Should two believe so for a moment,
// what the one that lost it has under way may arrive a second time; its records are refused,
// and as it sends nothing on an acknowledgement that is not on record, no message overtakes
// one that was never taken.
package webhooks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
	"daybook/gateways"
)

// Lead is the right to deliver, and the book of what is outstanding. Safe for concurrent use.
type Lead interface {
	// Place is the position up to which the events of webhooks were worked in.
	Place() uint64
	// Lost is closed when another process may deliver.
	Lost() <-chan struct{}
	Note(ctx context.Context, at uint64, notes []webhook.Note, now domain.Instant) error
	// Reached names the newest record that anything in the book rests on, and Reach moves that
	// on: before what rests on it is written.
	Reached() feed.Place
	Reach(to feed.Place)
	// Rewind takes back what is past a place, and Restate what events said of a webhook that are
	// lost: nil for one that is not in the ledger.
	Rewind(ctx context.Context, to feed.Place) (rewound bool, err error)
	Restate(ctx context.Context, id domain.WebhookID, is *webhook.Webhook) error
	Webhooks(context.Context) ([]webhook.Standing, error)
	Standing(context.Context, domain.WebhookID) (s webhook.Standing, ok bool, err error)
	Pending(context.Context, domain.WebhookID) ([]webhook.Delivery, error)
	Enter(ctx context.Context, id domain.WebhookID, round uint32, from, to uint64, list []webhook.Delivery) error
	Advance(context.Context, []webhook.Move) error
	Record(context.Context, []webhook.Delivery) error
	Hasten(ctx context.Context, id domain.WebhookID, at domain.Instant) error
	Close() error
}

// App is what the house itself does to a webhook.
type App interface {
	SuspendWebhook(context.Context, domain.RestaurantID, domain.WebhookID, domain.Instant, webhook.Because) error
	ForgetWebhook(context.Context, domain.WebhookID) error
}

// Config is what the process needs. What stands before Clock has no default.
type Config struct {
	Store  eventstore.Store
	Codec  *codec.Codec
	Lead   func(context.Context) (Lead, error) // waits for it
	Sender gateways.Webhooks
	App    App

	Clock    func() time.Time
	Log      *slog.Logger
	Schedule webhook.Schedule // webhook.DefaultSchedule by default
	Window   int              // deliveries of a webhook that are entered ahead, 256 by default
	Parallel int              // messages to one receiver at a time, 4 by default
	Together int              // messages to all receivers at a time, 512 by default

	laneOf func(webhook.Delivery) string // what is sent in order, for tests of what the order rests on
}

// How the process goes about it.
const (
	saveEvery  = 5 * time.Second
	troubled   = time.Second     // before what failed here, not at a receiver, is tried again
	parting    = 5 * time.Second // for what is under way when the process is told to end
	readsAtOne = 2               // webhooks that read the ledger from far behind at a time
	recordMost = 64              // outcomes written together

	suspendLimit = 20 * time.Second
	// A receiver that fails so often in a row, whatever it is sent, is left alone for a while;
	// then one message tries.
	tripAfter = 5
	leftAlone = 30 * time.Second // doubles with each try in vain,
	aloneMost = 10 * time.Minute // up to this
)

// Process delivers. One Run at a time.
type Process struct {
	cfg   Config
	stats stats
}

// stats is what has happened since the program began.
type stats struct {
	attempts, failures, delivered, suspended atomic.Int64
	pending, webhooks                        atomic.Int64
	leads                                    atomic.Bool
}

// Stats is what the process has done since the program began, and what waits now.
type Stats struct {
	Attempts, Failures, Delivered, Suspended int64
	Pending                                  int64 // entered, not acknowledged
	Webhooks                                 int64 // driven by this process
	Leads                                    bool
}

// New makes the process.
func New(cfg Config) (*Process, error) {
	if cfg.Store == nil || cfg.Codec == nil || cfg.Lead == nil || cfg.Sender == nil || cfg.App == nil {
		return nil, errors.New("webhooks: Store, Codec, Lead, Sender and App must be set")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Schedule == nil {
		cfg.Schedule = webhook.DefaultSchedule
	}
	for _, d := range []struct {
		value *int
		or    int
	}{{&cfg.Window, 256}, {&cfg.Parallel, 4}, {&cfg.Together, 512}} {
		if *d.value <= 0 {
			*d.value = d.or
		}
	}
	p := &Process{cfg: cfg}
	p.cfg.Log = cfg.Log.With("process", p.Name())
	return p, nil
}

// Name is "webhooks".
func (p *Process) Name() string { return "webhooks" }

// Stats tells what was done.
func (p *Process) Stats() Stats {
	s := &p.stats
	return Stats{
		Attempts: s.attempts.Load(), Failures: s.failures.Load(), Delivered: s.delivered.Load(), Suspended: s.suspended.Load(),
		Pending: s.pending.Load(), Webhooks: s.webhooks.Load(), Leads: s.leads.Load(),
	}
}

// Waiting is how many deliveries are entered and not acknowledged.
func (p *Process) Waiting() int { return int(p.stats.pending.Load()) }

// errLost says that the lead is gone.
var errLost = errors.New("webhooks: the lead was lost")

// Run takes the lead and delivers until ctx ends, or returns why it cannot go on. What is
// under way when ctx ends has a few seconds to end well.
func (p *Process) Run(ctx context.Context) error {
	lead, err := p.cfg.Lead(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := lead.Close(); err != nil {
			p.cfg.Log.Warn("the lead was not given back", "error", err)
		}
	}()
	p.stats.leads.Store(true)
	defer p.stats.leads.Store(false)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), errLost) {
			pause(hard, parting)
		}
		cut()
	})()
	watched := make(chan struct{})
	defer func() { end(nil); <-watched }()
	go func() {
		defer close(watched)
		select {
		case <-lead.Lost():
			end(errLost)
		case <-ctx.Done():
		}
	}()
	o := &office{Config: &p.cfg, lead: lead, stats: &p.stats, hard: hard, fail: end}
	err = o.run(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	return nil
}

func (c *Config) now() domain.Instant { return domain.InstantOf(c.Clock()) }

// pause waits, or returns false where ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package webhooks

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
)

// courier drives one webhook. Its state is its own goroutine's, but for what is said below.
type courier struct {
	office     *office
	id         domain.WebhookID
	restaurant domain.RestaurantID

	woken   chan struct{} // something of the restaurant's trade is in the ledger
	changed chan struct{} // something was asked of the webhook
	stopped chan struct{} // it was removed
	filled  chan filled
	done    chan sent
	passed  atomic.Pointer[webhook.Move] // how far it has come past what does not concern it; the office saves it

	loaded   bool
	webhook  webhook.Webhook
	standing webhook.Standing
	queue    queue
	filling  bool
	wantsBy  domain.Instant // what failed here is tried again then; 0 for nothing
	underWay int
	breaker  breaker
	ending   bool // the webhook is to be paused: nothing more is sent
	counted  int  // of the queue, in the office's statistics
}

func newCourier(o *office, id domain.WebhookID, r domain.RestaurantID) *courier {
	return &courier{
		queue: queue{laneOf: o.laneOf}, office: o, id: id, restaurant: r, woken: make(chan struct{}, 1), changed: make(chan struct{}, 1), stopped: make(chan struct{}),
		filled: make(chan filled, 1), done: make(chan sent, o.Parallel+1),
	}
}

// wake tells the courier without waiting; several calls are one.
func (c *courier) wake(how chan struct{}) {
	select {
	case how <- struct{}{}:
	default:
	}
}

// stop ends it for good. The office calls it once.
func (c *courier) stop() { close(c.stopped) }

// run drives the webhook until ctx ends or it is stopped, and then waits for what is under way.
func (c *courier) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		if !c.loaded {
			c.load(ctx)
		}
		c.fill(ctx)
		c.dispatch(ctx)
		c.count(c.queue.len())
		alarm.Reset(c.untilNext())
		select {
		case f := <-c.filled:
			c.enter(ctx, f)
		case s := <-c.done:
			c.settle(ctx, s)
		case <-c.woken:
		case <-c.changed:
			c.loaded = false
		case <-alarm.C:
		case <-c.stopped:
			cancel()
		case <-ctx.Done():
			if c.filling {
				<-c.filled
			}
			for ; c.underWay > 0; c.underWay-- {
				<-c.done
			}
			c.count(0)
			return
		}
	}
}

func (c *courier) count(n int) {
	c.office.stats.pending.Add(int64(n - c.counted))
	c.counted = n
}

// load reads what the webhook is, where it stands and what it has outstanding.
func (c *courier) load(ctx context.Context) {
	err := c.read(ctx)
	if err == nil {
		c.loaded, c.wantsBy, c.ending = true, 0, false
		return
	}
	c.trouble(ctx, "a webhook cannot be read", err)
}

// trouble has what failed here tried again a moment later.
func (c *courier) trouble(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	c.office.Log.Warn(what+"; trying again", "webhook", c.id, "error", err)
	c.wantsBy = c.office.now().Add(troubled)
}

var errUnknown = errors.New("it is not there yet")

func (c *courier) read(ctx context.Context) error {
	standing, found, err := c.office.lead.Standing(ctx, c.id)
	if err != nil {
		return err
	}
	if !found {
		return errUnknown
	}
	c.standing = standing
	pending, err := c.office.lead.Pending(ctx, c.id)
	if err != nil {
		return err
	}
	w, ok, err := c.office.webhook(ctx, c.restaurant, c.id)
	if err != nil {
		return err
	}
	if !ok {
		return errUnknown // it was removed, and the office is about to hear of it
	}
	c.webhook = w
	c.queue.replace(pending)
	return nil
}

// filled is what was read for a webhook: all that it wants after from and up to to.
type filled struct {
	round uint32
	from  eventstore.Position
	to    feed.Place
	list  []webhook.Delivery
	err   error
}

// fill reads on where there is room and something may be there.
func (c *courier) fill(ctx context.Context) {
	room := c.office.Window - c.queue.len()
	if !c.sending() || c.filling || c.wantsBy > c.office.now() || room < (c.office.Window+1)/2 {
		return
	}
	at := eventstore.Position(c.standing.Position)
	from, tail, latest := c.office.known(c.restaurant)
	if at >= from && at >= latest {
		if tail > at {
			c.standing.Position = uint64(tail)
			c.passed.Store(&webhook.Move{Webhook: c.id, Round: c.standing.Round, To: uint64(tail)})
		}
		return
	}
	c.filling = true
	w, round := c.webhook, c.standing.Round
	go func() { c.filled <- c.office.readOn(ctx, w, c.restaurant, round, at, room, at < from) }()
}

// readOn reads what a webhook wants after a position, at most so much. far says that much of
// the ledger may have to be read for it.
func (o *office) readOn(
	ctx context.Context, w webhook.Webhook, restaurant domain.RestaurantID, round uint32, at eventstore.Position, room int, far bool,
) filled {
	f := filled{round: round, from: at}
	if far {
		select {
		case o.reads <- struct{}{}:
			defer func() { <-o.reads }()
		case <-ctx.Done():
			f.err = ctx.Err()
			return f
		}
	}
	if f.to, f.err = feed.Newest(ctx, o.Store); f.err != nil {
		return f
	}
	f.to.Position = max(f.to.Position, at) // the engine's own records may have been counted
	now := o.now()
	for r, err := range o.Store.ReadAll(ctx, at, eventstore.StreamPrefix(codec.TradePrefixes(restaurant)...)) {
		if err != nil {
			f.err = err
			return f
		}
		if r.Position > f.to.Position {
			f.to = feed.PlaceOf(r)
		}
		if !w.Wants(r.Type) {
			continue
		}
		decided := domain.InstantOf(r.Recorded)
		if meta, err := codec.DecodeMetadata(r); err == nil {
			decided = meta.DecidedAt
		}
		f.list = append(f.list, webhook.Delivery{
			Webhook: w.ID, Round: round, Position: uint64(r.Position), Event: r.ID, Stream: string(r.Stream), Revision: uint64(r.Revision),
			Type: r.Type, DecidedAt: decided, NextAt: now,
		})
		if len(f.list) == room {
			f.to = feed.PlaceOf(r)
			break
		}
	}
	return f
}

// enter puts what was read on the way.
func (c *courier) enter(ctx context.Context, f filled) {
	c.filling = false
	if f.err != nil {
		c.trouble(ctx, "the ledger cannot be read for a webhook", f.err)
		return
	}
	if !c.loaded || f.round != c.standing.Round {
		return // it was given another place meanwhile
	}
	c.office.lead.Reach(f.to)
	err := c.office.led(c.office.lead.Enter(ctx, c.id, f.round, uint64(f.from), uint64(f.to.Position), f.list))
	if errors.Is(err, webhook.ErrMoved) {
		c.loaded = false
		return
	}
	if err != nil {
		c.trouble(ctx, "deliveries were not entered", err)
		c.loaded = false // they may have been
		return
	}
	c.standing.Position = uint64(f.to.Position)
	if len(f.list) == 0 {
		return
	}
	pending, err := c.office.lead.Pending(ctx, c.id)
	if err != nil {
		c.trouble(ctx, "deliveries cannot be read", err)
		c.loaded = false
		return
	}
	c.queue.replace(pending)
}

// sending reports whether the webhook is sent to.
func (c *courier) sending() bool { return c.loaded && c.standing.Active && !c.ending }

// dispatch sends what is due, as many lanes at a time as may be.
func (c *courier) dispatch(ctx context.Context) {
	if !c.loaded || ctx.Err() != nil {
		return
	}
	now := c.office.now()
	for _, lane := range c.queue.due(now) {
		d := lane.list[0]
		if d.Test() {
			c.send(lane, d)
			continue
		}
		if !c.sending() || c.wantsBy > now {
			continue
		}
		if because := c.hopeless(d, now); because != "" {
			c.suspend(ctx, because)
			continue
		}
		if c.underWay < c.office.Parallel && c.breaker.lets(now, c.underWay) {
			c.send(lane, d)
		}
	}
}

// hopeless says why no more is to be sent, as a delivery that is due shows.
func (c *courier) hopeless(d webhook.Delivery, now domain.Instant) webhook.Because {
	switch failing := c.standing.FailingSince; {
	case d.Attempts > 0 && d.Last.Failure == webhook.FailedGone:
		return webhook.BecauseGone
	case d.Attempts > len(c.office.Schedule):
		return webhook.BecauseFailing
	// While this house stood still, nobody failed: its receiver is tried once more first.
	case failing != 0 && c.breaker.failures > 0 && now > failing.Add(c.office.Schedule.Whole()+time.Hour):
		return webhook.BecauseFailing
	case len(c.webhook.Signing(now)) == 0:
		c.office.Log.Error("a webhook has no secret to sign with: the key it was encrypted with is gone", "webhook", c.id)
		return webhook.BecauseFailing
	}
	return ""
}

// suspend has the webhook paused, which comes back as a change of it.
func (c *courier) suspend(ctx context.Context, because webhook.Because) {
	ctx, cancel := context.WithTimeout(ctx, suspendLimit)
	defer cancel()
	if err := c.office.App.SuspendWebhook(ctx, c.restaurant, c.id, c.standing.ActiveSince, because); err != nil {
		c.trouble(ctx, "a webhook that fails cannot be paused", err)
		return
	}
	c.ending = true
	c.office.stats.suspended.Add(1)
	c.office.Log.Warn("a webhook is paused, as its receiver does not take what it is sent", "webhook", c.id, "host", c.webhook.Host, "because", because)
}

// settle takes notice of what became of a message.
func (c *courier) settle(ctx context.Context, s sent) {
	c.underWay--
	c.queue.free(s.delivery)
	if s.err != nil {
		if ctx.Err() == nil {
			c.trouble(ctx, "a message cannot be sent", s.err)
		}
		return
	}
	c.queue.put(s.delivery)
	if s.delivery.Test() || s.delivery.Status == webhook.Superseded {
		return
	}
	now := c.office.now()
	if !s.delivery.Last.Taken() {
		if c.standing.FailingSince == 0 {
			c.standing.FailingSince = now
		}
		c.breaker.failed(now, s.asked)
		return
	}
	c.standing.FailingSince = 0
	if c.breaker.succeeded() {
		// What waits for hours may as well be sent now.
		if err := c.office.led(c.office.lead.Hasten(ctx, c.id, now)); err != nil {
			c.trouble(ctx, "what waits cannot be hastened", err)
			return
		}
		c.queue.hasten(now)
	}
}

// untilNext is how long nothing is to be done unless something happens.
func (c *courier) untilNext() time.Duration {
	now := c.office.now()
	next := now.Add(time.Hour)
	if c.wantsBy > now {
		next = min(next, c.wantsBy)
	}
	if c.loaded && !c.ending {
		at, ok := c.queue.next()
		if ok && c.underWay < c.office.Parallel && !(c.breaker.tripped() && c.underWay > 0) {
			at = max(at, c.wantsBy)
			if c.standing.Active {
				at = max(at, c.breaker.until)
			}
			if c.standing.Active || c.queue.tests() {
				next = min(next, at)
			}
		}
	}
	return max(next.Time().Sub(now.Time()), time.Millisecond)
}

// breaker leaves a receiver alone that asks for it, or fails again and again, whatever it is
// sent.
type breaker struct {
	failures int // in a row
	until    domain.Instant
}

// lets reports whether a message may be sent. Where the receiver failed again and again, one
// at a time tries.
func (b *breaker) lets(now domain.Instant, underWay int) bool {
	return now >= b.until && (!b.tripped() || underWay == 0)
}

func (b *breaker) tripped() bool { return b.failures >= tripAfter }

// failed takes notice of a failure, and of how long the receiver asked to be left alone.
func (b *breaker) failed(now domain.Instant, asked time.Duration) {
	late := b.tripped() && now < b.until // it was under way when the receiver was given up
	b.until = max(b.until, now.Add(min(asked, webhook.MaxAsked)))
	if late {
		return
	}
	b.failures++
	if b.tripped() {
		alone := min(leftAlone<<min(b.failures-tripAfter, 10), aloneMost)
		b.until = max(b.until, now.Add(alone+time.Duration(float64(alone)*rand.Float64()/5))) //nolint:gosec // it spreads, and hides nothing
	}
}

// succeeded reports whether the receiver is back.
func (b *breaker) succeeded() (back bool) {
	back = b.tripped()
	*b = breaker{}
	return back
}

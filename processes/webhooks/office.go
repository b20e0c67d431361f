package webhooks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
)

// office reads the feed for all webhooks: it notes what becomes of them, and wakes the couriers
// of those whom something concerns.
type office struct {
	*Config
	lead  Lead
	stats *stats
	hard  context.Context // ends when nothing more may be sent; outlives the run's by a little
	fail  context.CancelCauseFunc

	sends   chan struct{} // has a place for each message under way
	reads   chan struct{} // likewise for each long read
	records chan record

	at       feed.Place // the feed was read up to here; its own
	couriers map[domain.WebhookID]*courier
	wg       sync.WaitGroup // of couriers

	mu     sync.Mutex
	from   eventstore.Position                         // the feed was read after this
	tail   eventstore.Position                         // up to this
	latest map[domain.RestaurantID]eventstore.Position // of its trade, in between
}

// run drives couriers until ctx ends.
func (o *office) run(ctx context.Context) error {
	o.sends, o.reads = make(chan struct{}, o.Together), make(chan struct{}, readsAtOne)
	o.records = make(chan record)
	o.couriers, o.latest = map[domain.WebhookID]*courier{}, map[domain.RestaurantID]eventstore.Position{}
	if err := o.takeBack(ctx); err != nil {
		return err
	}
	o.from = eventstore.Position(o.lead.Place())
	o.tail = o.from
	o.at = feed.Place{Position: o.from}
	recording, stop := context.WithCancel(o.hard)
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		o.record(recording)
	}()
	defer func() {
		o.wg.Wait()
		stop()
		<-recorded
		o.stats.webhooks.Store(0)
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := o.muster(ctx); err != nil {
		return err
	}
	subscriber, err := feed.New(feed.Config{Store: o.Store, Logger: o.Log, Start: o.start})
	if err != nil {
		return err
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(ctx, "webhooks")
	if err != nil {
		return err
	}
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	defer func() {
		last, cancel := context.WithTimeout(o.hard, saveEvery)
		defer cancel()
		o.save(last)
	}()
	for {
		select {
		case msg, open := <-messages:
			if !open {
				return ctx.Err()
			}
			if err := o.read(ctx, msg); err != nil {
				msg.Nack()
				if errors.Is(err, context.Canceled) {
					return err
				}
				o.Log.Warn("could not work in what happened to webhooks; trying again", "error", err)
				if !pause(ctx, troubled) {
					return ctx.Err()
				}
				continue
			}
			msg.Ack()
		case <-save.C:
			o.save(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeBack takes webhooks back to where the ledger still is what was read of it.
func (o *office) takeBack(ctx context.Context) error {
	to, reached := feed.Place{}, o.lead.Reached()
	err := reached.Check(ctx, o.Store)
	switch {
	case reached == feed.Place{}: // an earlier version did not put it down
		to.Position, err = o.Store.Head(ctx)
	case errors.Is(err, feed.ErrEstranged):
		to, err = reached.Fork(ctx, o.Store)
	case err == nil:
		return nil
	}
	if err != nil {
		return err
	}
	standings, err := o.lead.Webhooks(ctx)
	if err != nil {
		return err
	}
	// Of another ledger, which may be a copy of this one, nothing is known, positions included. So
	// webhooks begin again where they were created, as they do where these tables are lost: from
	// the ledger's start they would be sent what came before them.
	anew := to == feed.Place{}
	// Before places are taken back: until that is done, the next start finds that it is to be done.
	for _, s := range standings {
		w, there, err := o.webhook(ctx, s.Restaurant, s.Webhook)
		if errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrUnknownType) || errors.Is(err, codec.ErrNewerVersion) {
			o.Log.Error("an event of a webhook cannot be read; the webhook is left as it is", "webhook", s.Webhook, "error", err)
			continue // it holds up no other
		}
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) {
			return err
		}
		is := &w
		if !there || anew {
			is = nil
		}
		if err := o.lead.Restate(ctx, s.Webhook, is); err != nil {
			return err
		}
	}
	rewound, err := o.lead.Rewind(ctx, to)
	if err != nil || !rewound || len(standings) == 0 {
		return err
	}
	if anew {
		o.Log.Error("the ledger is another one, or a copy: webhooks begin again where they were created, and send again what receivers know by its id",
			"webhooks", len(standings))
		return nil
	}
	o.Log.Error("the ledger was restored to an earlier state: webhooks go on from the last event that it kept; tell receivers that what they were sent of later events is void",
		"position", uint64(to.Position), "webhooks", len(standings))
	return nil
}

// webhook folds a webhook as the ledger has it.
func (o *office) webhook(ctx context.Context, restaurant domain.RestaurantID, id domain.WebhookID) (w webhook.Webhook, there bool, err error) {
	decider := webhook.Decider()
	state := decider.Initial()
	for r, err := range o.Store.ReadStream(ctx, codec.WebhooksStream(restaurant), 0) {
		if err != nil {
			return w, false, err
		}
		d, err := o.Codec.Decode(ctx, r)
		if err != nil {
			return w, false, err
		}
		if e, ok := d.Event.(webhook.Event); ok {
			state = decider.Evolve(state, e)
		}
	}
	w, there = state.Webhook(id)
	return w, there, nil
}

// start is where the feed goes on. A ledger that was put back while it was read ends the run;
// the next one takes the webhooks back.
func (o *office) start(ctx context.Context, _ string) (eventstore.Position, error) {
	err := o.at.Check(ctx, o.Store)
	if errors.Is(err, feed.ErrEstranged) {
		o.fail(err)
	}
	return o.at.Position, err
}

// read works a batch of the feed in.
func (o *office) read(ctx context.Context, msg *message.Message) error {
	b, _ := feed.BatchOf(msg)
	at := o.at
	if n := len(b.Records); n > 0 {
		at = feed.PlaceOf(b.Records[n-1])
	}
	o.lead.Reach(at)
	var notes []webhook.Note
	touched := map[domain.RestaurantID]bool{}
	for _, r := range b.Records {
		if id, ok := codec.ParseWebhooksStream(r.Stream); ok {
			n, err := o.note(ctx, id, r)
			if err != nil {
				return err
			}
			if n.Event == nil {
				continue
			}
			// Before it is noted, or a crash in between would leave the secret where it is.
			if _, removed := n.Event.(webhook.Removed); removed {
				if err := o.App.ForgetWebhook(ctx, webhook.IDOf(n.Event)); err != nil {
					return fmt.Errorf("forget the secret of a webhook: %w", err)
				}
			}
			notes = append(notes, n)
		}
	}
	if len(notes) > 0 {
		if err := o.led(o.lead.Note(ctx, uint64(at.Position), notes, o.now())); err != nil {
			return err
		}
	}
	o.mu.Lock()
	for _, r := range b.Records {
		if id, ok := codec.TradeOf(r.Stream); ok {
			o.latest[id] = r.Position
			touched[id] = true
		}
	}
	o.tail = at.Position
	o.mu.Unlock()
	if len(notes) > 0 {
		if err := o.apply(ctx, notes); err != nil {
			return err
		}
	}
	for _, c := range o.couriers {
		if touched[c.restaurant] {
			c.wake(c.woken)
		}
	}
	o.at = at
	return nil
}

// note reads an event of webhooks; one that can never be read is passed over, with none.
func (o *office) note(ctx context.Context, id domain.RestaurantID, r eventstore.Record) (webhook.Note, error) {
	d, err := o.Codec.Decode(ctx, r)
	if errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrUnknownType) {
		o.Log.Error("an event of a webhook cannot be read; what it asks for is not done", "stream", r.Stream, "revision", r.Revision, "error", err)
		return webhook.Note{}, nil
	}
	if err != nil {
		return webhook.Note{}, err
	}
	e, ok := d.Event.(webhook.Event)
	if !ok {
		return webhook.Note{}, nil
	}
	return webhook.Note{
		Restaurant: id, Event: e, ID: r.ID, Position: uint64(r.Position), Stream: string(r.Stream), Revision: uint64(r.Revision), Type: r.Type,
	}, nil
}

// apply brings the couriers to what notes have changed. It may be done twice.
func (o *office) apply(ctx context.Context, notes []webhook.Note) error {
	begun := false
	for _, n := range notes {
		id := webhook.IDOf(n.Event)
		switch n.Event.(type) {
		case webhook.Created:
			begun = true
		case webhook.Removed:
			if c, ok := o.couriers[id]; ok {
				delete(o.couriers, id)
				c.stop()
			}
		default:
			if c, ok := o.couriers[id]; ok {
				c.wake(c.changed)
			}
		}
	}
	o.stats.webhooks.Store(int64(len(o.couriers)))
	if begun {
		return o.muster(ctx)
	}
	return nil
}

// muster sets couriers on the way for webhooks that have none.
func (o *office) muster(ctx context.Context) error {
	standings, err := o.lead.Webhooks(ctx)
	if err != nil {
		return err
	}
	for _, s := range standings {
		if _, ok := o.couriers[s.Webhook]; ok {
			continue
		}
		c := newCourier(o, s.Webhook, s.Restaurant)
		o.couriers[s.Webhook] = c
		o.wg.Go(func() { c.run(ctx) })
	}
	o.stats.webhooks.Store(int64(len(o.couriers)))
	return nil
}

// known tells a courier of what the feed has shown: the feed was read after from and up to
// tail, and the last of a restaurant's trade in between stands at latest.
func (o *office) known(id domain.RestaurantID) (from, tail, latest eventstore.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.from, o.tail, o.latest[id]
}

// save keeps the place of the office, and of couriers who passed what does not concern them:
// a restart then need not read it again.
func (o *office) save(ctx context.Context) {
	_, tail, _ := o.known("")
	var moves []webhook.Move
	for _, c := range o.couriers {
		if m := c.passed.Swap(nil); m != nil {
			moves = append(moves, *m)
		}
		c.wake(c.woken) // one whom nothing concerned for long tells its place for the next time
	}
	err := o.led(o.lead.Note(ctx, uint64(tail), nil, o.now()))
	if err == nil && len(moves) > 0 {
		err = o.led(o.lead.Advance(ctx, moves))
	}
	if err != nil && ctx.Err() == nil {
		o.Log.Warn("place not saved; a restart reads from the last one", "error", err)
	}
}

// led ends the run where a write was refused because another process has the lead.
func (o *office) led(err error) error {
	if errors.Is(err, webhook.ErrLeadLost) {
		o.fail(errLost)
	}
	return err
}

// record is a delivery whose outcome is to be written down.
type record struct {
	delivery webhook.Delivery
	done     chan<- error
}

// record writes outcomes down, those that come together in one write. It tries until it
// succeeds: an acknowledgement that is not on record holds its lane up.
func (o *office) record(ctx context.Context) {
	for {
		var list []record
		select {
		case r := <-o.records:
			list = append(list, r)
		case <-ctx.Done():
			return
		}
		for more := true; more && len(list) < recordMost; {
			select {
			case r := <-o.records:
				list = append(list, r)
			default:
				more = false
			}
		}
		deliveries := make([]webhook.Delivery, len(list))
		for i, r := range list {
			deliveries[i] = r.delivery
		}
		err := o.led(o.lead.Record(ctx, deliveries))
		for err != nil && ctx.Err() == nil {
			o.Log.Warn("outcomes of deliveries not written down; trying again", "deliveries", len(deliveries), "error", err)
			if !pause(ctx, troubled) {
				break
			}
			err = o.led(o.lead.Record(ctx, deliveries))
		}
		for _, r := range list {
			r.done <- err // has room
		}
	}
}

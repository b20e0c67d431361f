package processes

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
)

// HoldExpiry records the holds that lapse: whenever a hold's time is over and it was
// neither confirmed nor cancelled, then the day is told to record its lapses. The tables
// are free by the clock alone; this only tells the views.
//
// It keeps the pending holds in memory. Its checkpoint stands before the oldest of them, so
// after a restart it finds them all again.
type HoldExpiry struct {
	cfg     HoldExpiryConfig
	pending map[holdKey]*pendingHold
	due     dueHolds
	at      eventstore.Position // all up to here has been read
	saved   eventstore.Position
	live    atomic.Bool
	waiting atomic.Int64
}

// HoldExpiryConfig is what a HoldExpiry needs. All but Clock and Log must be set.
type HoldExpiryConfig struct {
	Store       eventstore.Subscriber
	Codec       *codec.Codec
	Checkpoints Checkpoints
	Record      func(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error)
	Clock       func() time.Time
	Log         *slog.Logger
}

const (
	holdExpiryName = "hold-expiry"
	saveEvery      = 5 * time.Second
	retryAfter     = time.Second // doubles with each attempt to record a lapse,
	retryDoublings = 6           // so often at most
	recordTimeout  = 20 * time.Second
)

type holdKey struct {
	stream eventstore.StreamName
	number uint32
}

type pendingHold struct {
	holdKey
	expires domain.Instant
	after   eventstore.Position // the record before the hold
	tries   int                 // to record its lapse
	index   int                 // in the heap
}

// NewHoldExpiry makes the process; Run starts it.
func NewHoldExpiry(cfg HoldExpiryConfig) (*HoldExpiry, error) {
	if cfg.Store == nil || cfg.Codec == nil || cfg.Checkpoints == nil || cfg.Record == nil {
		return nil, errors.New("processes: Store, Codec, Checkpoints and Record must be set")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &HoldExpiry{cfg: cfg}, nil
}

// Live reports whether all that was in the ledger has been read.
func (h *HoldExpiry) Live() bool { return h.live.Load() }

// Waiting is how many holds are pending.
func (h *HoldExpiry) Waiting() int { return int(h.waiting.Load()) }

// Run reads the feed and records lapses until ctx ends, or returns why it could not begin.
func (h *HoldExpiry) Run(ctx context.Context) error {
	h.live.Store(false)
	at, err := h.cfg.Checkpoints.Load(ctx, holdExpiryName)
	if err != nil {
		return err
	}
	h.at, h.saved = at, at
	h.pending, h.due = map[holdKey]*pendingHold{}, nil
	subscriber, err := feed.New(feed.Config{Store: h.cfg.Store, Logger: h.cfg.Log, Start: feed.From(at)})
	if err != nil {
		return err
	}
	defer subscriber.Close()
	messages, err := subscriber.Subscribe(ctx, holdExpiryName)
	if err != nil {
		return err
	}
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	defer h.save(context.WithoutCancel(ctx))
	for {
		alarm.Reset(h.untilNext())
		select {
		case msg, open := <-messages:
			if !open {
				return ctx.Err()
			}
			h.read(msg)
		case <-alarm.C:
			h.record(ctx)
		case <-save.C:
			h.save(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *HoldExpiry) read(msg *message.Message) {
	b, _ := feed.BatchOf(msg)
	before := h.at
	for _, r := range b.Records {
		if err := h.see(msg.Context(), r); err != nil && !h.passOver(msg.Context(), r, err) {
			h.at = before
			msg.Nack() // and the batch comes again
			return
		}
		h.at = r.Position
	}
	h.at = b.Position
	h.live.Store(b.Live)
	h.waiting.Store(int64(len(h.pending)))
	msg.Ack()
}

// passOver goes on without a record that can never be read. For one that cannot be read
// now, because the key store is away, it waits and returns false.
func (h *HoldExpiry) passOver(ctx context.Context, r eventstore.Record, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	at := []any{"stream", r.Stream, "revision", r.Revision, "error", err}
	if errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrUnknownType) || errors.Is(err, codec.ErrNewerVersion) {
		h.cfg.Log.Error("hold expiry: a record cannot be read; its hold is not recorded as lapsed by itself", at...)
		return true
	}
	h.cfg.Log.Warn("hold expiry: a record could not be read; trying again", at...)
	pause := time.NewTimer(retryAfter)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	return false
}

func (h *HoldExpiry) see(ctx context.Context, r eventstore.Record) error {
	switch r.Type {
	case codec.TypeReservationHeld, codec.TypeReservationConfirmed, codec.TypeReservationCancelled, codec.TypeReservationExpired,
		codec.TypeReservationHoldExtended, codec.TypeReservationReinstated:
	default:
		return nil
	}
	d, err := h.cfg.Codec.Decode(ctx, r)
	if err != nil {
		return err
	}
	switch e := d.Event.(type) {
	case restaurantday.Held:
		h.await(holdKey{r.Stream, e.Number}, e.ExpiresAt)
	case restaurantday.HoldExtended:
		h.await(holdKey{r.Stream, e.Number}, e.ExpiresAt)
	case restaurantday.Reinstated: // a confirmation that was undone is a hold again
		if e.To == restaurantday.StatusPending {
			h.await(holdKey{r.Stream, e.Number}, e.ExpiresAt)
		}
	case restaurantday.Confirmed:
		h.settle(holdKey{r.Stream, e.Number})
	case restaurantday.Cancelled:
		h.settle(holdKey{r.Stream, e.Number})
	case restaurantday.Expired:
		h.settle(holdKey{r.Stream, e.Number})
	}
	return nil
}

// await waits for a hold to lapse.
func (h *HoldExpiry) await(key holdKey, expires domain.Instant) {
	h.settle(key) // the same record may come twice
	p := &pendingHold{holdKey: key, expires: expires, after: h.at}
	h.pending[key] = p
	heap.Push(&h.due, p)
}

func (h *HoldExpiry) settle(key holdKey) {
	if p, ok := h.pending[key]; ok {
		heap.Remove(&h.due, p.index)
		delete(h.pending, key)
	}
}

// untilNext is how long nothing lapses. What was not read yet may settle a hold, so before
// the end of the ledger nothing does.
func (h *HoldExpiry) untilNext() time.Duration {
	if !h.live.Load() || len(h.due) == 0 {
		return time.Hour
	}
	return min(max(h.due[0].expires.Time().Sub(h.cfg.Clock()), 0)+time.Millisecond, time.Hour)
}

// record tells the days of lapsed holds. A hold is settled when its lapse comes back
// through the feed; until then it is asked for again.
func (h *HoldExpiry) record(ctx context.Context) {
	now := domain.InstantOf(h.cfg.Clock())
	told := map[eventstore.StreamName]bool{}
	for len(h.due) > 0 && h.due[0].expires <= now && ctx.Err() == nil {
		p := h.due[0]
		p.expires = now.Add(retryAfter << min(p.tries, retryDoublings))
		p.tries++
		heap.Fix(&h.due, 0)
		if told[p.stream] {
			continue
		}
		told[p.stream] = true
		restaurant, date, ok := codec.ParseDayStream(p.stream)
		if !ok {
			h.settle(p.holdKey)
			continue
		}
		rctx, cancel := context.WithTimeout(ctx, recordTimeout)
		_, err := h.cfg.Record(rctx, restaurant, date)
		cancel()
		if err != nil && ctx.Err() == nil {
			h.cfg.Log.Warn("hold expiry: not recorded yet", "stream", p.stream, "error", err)
		}
	}
}

// save keeps the place before the oldest pending hold.
func (h *HoldExpiry) save(ctx context.Context) {
	at := h.at
	for _, p := range h.pending {
		at = min(at, p.after)
	}
	if at == h.saved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, saveEvery)
	defer cancel()
	if err := h.cfg.Checkpoints.Save(ctx, holdExpiryName, at); err != nil {
		h.cfg.Log.Warn("hold expiry: checkpoint not saved; a restart reads from the last one", "error", err)
		return
	}
	h.saved = at
}

// dueHolds is a heap of pending holds, the first to lapse on top.
type dueHolds []*pendingHold

func (d dueHolds) Len() int           { return len(d) }
func (d dueHolds) Less(i, j int) bool { return d[i].expires < d[j].expires }
func (d dueHolds) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].index, d[j].index = i, j
}
func (d *dueHolds) Push(x any) {
	p := x.(*pendingHold)
	p.index = len(*d)
	*d = append(*d, p)
}
func (d *dueHolds) Pop() any {
	old := *d
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*d = old[:len(old)-1]
	return p
}

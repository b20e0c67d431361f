package commands

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// demandRecorder puts refused requests on record, many in one write and beside the answer:
// a refusal does not wait for it. What waits when the process is killed is lost; it decides
// nothing.
type demandRecorder struct {
	store eventstore.Store
	codec *codec.Codec
	log   *slog.Logger
	in    chan demanded
	done  chan struct{}

	mu     sync.RWMutex // held for writing to close in
	closed bool
}

type demanded struct {
	stream eventstore.StreamName
	refused
}

// refused is one request that was refused.
type refused struct {
	id    [16]byte // of the command: a request repeated under its key is one demand
	meta  codec.Metadata
	event restaurantday.Refused
}

const (
	demandWaiting = 4096
	demandEvery   = 100 * time.Millisecond
	demandTimeout = 10 * time.Second
)

func newDemandRecorder(store eventstore.Store, c *codec.Codec, log *slog.Logger) *demandRecorder {
	r := &demandRecorder{store: store, codec: c, log: log, in: make(chan demanded, demandWaiting), done: make(chan struct{})}
	go r.run()
	return r
}

// refusal is what goes on record of a request that was turned away: in which capacity it was
// made, as guests and staff are judged by different rules, but not by whom.
func refusal(id [16]byte, meta codec.Metadata, o dayOutcome, no *domain.Rejection, h restaurantday.Hold) refused {
	meta.CommandID, meta.BodyHash, meta.Actor.User = id, nil, ""
	return refused{id, meta, restaurantday.Refused{
		Stamp: domain.Stamp{At: max(h.Now, o.State.Clock())}, Code: no.Code, Party: h.Party,
		Time: h.Time, StartsAt: h.StartsAt, Seen: o.Entries, Wish: wishOnRecord(o.State.Plan, h), By: h.Actor.Kind, Skip: h.Override.Rule,
		Slot: slotAsked(o.State.Plan, h),
	}}
}

// noArea stands for an area that the floor did not have.
const noArea = "(elsewhere)"

// wishOnRecord is what a hold wished for. An area that the floor does not have is not written
// down: it may be any text, and the record of demand is for all to read.
func wishOnRecord(plan *restaurantday.Plan, h restaurantday.Hold) restaurantday.Wish {
	wish := h.Wish
	if plan = planOf(plan, h); wish.Area != "" && (plan == nil || !slices.ContainsFunc(plan.Tables, func(t restaurantday.Table) bool { return t.Area == wish.Area })) {
		wish.Area = noArea
	}
	return wish
}

// planOf is the plan by which a hold was decided: that of its day, or the one that it would
// have opened the day with.
func planOf(day *restaurantday.Plan, h restaurantday.Hold) *restaurantday.Plan {
	if day == nil && h.Opening != nil {
		return h.Opening.Plan
	}
	return day
}

// slotAsked is the slot that a hold named; zero where the plan that it was decided by has no
// such slot, or two of that time.
func slotAsked(plan *restaurantday.Plan, h restaurantday.Hold) (asked restaurantday.Slot) {
	if plan = planOf(plan, h); plan == nil {
		return asked
	}
	found := 0
	for _, s := range plan.Slots {
		if h.StartsAt == s.StartsAt || h.StartsAt == 0 && h.Time == s.Time {
			asked = s
			found++
		}
	}
	if found != 1 {
		return restaurantday.Slot{}
	}
	return asked
}

// record takes a refusal down; it waits only where thousands wait already.
func (r *demandRecorder) record(ctx context.Context, stream eventstore.StreamName, d refused) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return
	}
	select {
	case r.in <- demanded{stream, d}:
	case <-ctx.Done():
	}
}

func (r *demandRecorder) close(ctx context.Context) error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.in)
	}
	r.mu.Unlock()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *demandRecorder) run() {
	defer close(r.done)
	tick := time.NewTicker(demandEvery)
	defer tick.Stop()
	waiting, n := map[eventstore.StreamName][]refused{}, 0
	flush := func() {
		ctx, cancel := context.WithTimeout(context.Background(), demandTimeout)
		defer cancel()
		for stream, list := range waiting {
			if err := appendDemand(ctx, r.store, r.codec, stream, list); err != nil {
				r.log.Error("refused demand was not recorded", "stream", stream, "requests", len(list), "error", err)
			}
		}
		clear(waiting)
		n = 0
	}
	for {
		select {
		case d, open := <-r.in:
			if !open {
				flush()
				return
			}
			waiting[d.stream] = append(waiting[d.stream], d.refused)
			if n++; n >= demandWaiting/4 {
				flush()
			}
		case <-tick.C:
			if n > 0 {
				flush()
			}
		}
	}
}

// appendDemand writes refusals to a demand stream, each once however often it is told.
func appendDemand(ctx context.Context, store eventstore.Store, c *codec.Codec, stream eventstore.StreamName, list []refused) error {
	seen := make(map[[16]byte]bool, len(list))
	events := make([]eventstore.Event, 0, len(list))
	for _, d := range list {
		if seen[d.id] {
			continue
		}
		seen[d.id] = true
		e, err := c.Encode(ctx, stream, codec.EventID(stream, d.id, 0), d.event, d.meta)
		if err != nil {
			return err
		}
		events = append(events, e)
	}
	_, err := store.Append(ctx, stream, eventstore.Any(), events...)
	if !eventstore.IsConflict(err) {
		return err
	}
	// Some of them are on record already: then only one by one can the store tell which.
	for _, e := range events {
		if _, err := store.Append(ctx, stream, eventstore.Any(), e); err != nil {
			return err
		}
	}
	return nil
}

package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// noKeys keeps what is personal closed: events are read as if everybody had been erased.
type noKeys struct{}

func (noKeys) Ensure(context.Context, string) (codec.Key, error) {
	return codec.Key{}, codec.ErrErased
}
func (noKeys) Get(context.Context, string) (codec.Key, error) { return codec.Key{}, codec.ErrErased }
func (noKeys) Drop(context.Context, string) error             { return nil }

// entry is an event of a day as it stands in the ledger, without what is personal.
type entry struct {
	event    restaurantday.Event
	meta     codec.Metadata
	revision uint64
	position eventstore.Position
}

// refusal is a request that a day could not meet.
type refusal struct {
	restaurantday.Refused
	id       [16]byte // of its command
	position eventstore.Position
}

// pastDay is a day's book and its unmet demand.
type pastDay struct {
	date     domain.ServiceDate
	entries  []entry
	refusals []refusal
}

// version is a restaurant as one of its events left it.
type version struct {
	state    restaurant.State
	revision uint64
	at       domain.Instant
	position eventstore.Position
}

// history is what the ledger has of a restaurant and a range of dates.
type history struct {
	id       domain.RestaurantID
	versions []version
	days     []pastDay // by date, those of which there is anything
}

// zone finds a time zone by its IANA name.
func zone(name string) (*time.Location, error) {
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("whatif: %q is no time zone", name)
	}
	return time.LoadLocation(name)
}

func read(ctx context.Context, ledger eventstore.Reader, id domain.RestaurantID, from, to domain.ServiceDate) (*history, error) {
	c := codec.New(noKeys{})
	h := &history{id: id}
	var s restaurant.State
	decider := restaurant.Decider()
	err := each(ctx, ledger, c, codec.RestaurantStream(id), func(e restaurant.Event, r eventstore.Record, _ codec.Metadata) {
		s = decider.Evolve(s, e)
		h.versions = append(h.versions, version{s, uint64(r.Revision), e.DecidedAt(), r.Position})
	})
	if err != nil {
		return nil, err
	}
	if !s.Registered() {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	for date := from; date <= to; date++ {
		d := pastDay{date: date}
		// Demand first: then no refusal saw an entry that is not read.
		err := each(ctx, ledger, c, codec.DemandStream(id, date), func(e restaurantday.Refused, r eventstore.Record, m codec.Metadata) {
			d.refusals = append(d.refusals, refusal{e, m.CommandID, r.Position})
		})
		if err != nil {
			return nil, err
		}
		err = each(ctx, ledger, c, codec.DayStream(id, date), func(e restaurantday.Event, r eventstore.Record, m codec.Metadata) {
			d.entries = append(d.entries, entry{withoutPersons(e, uint64(r.Revision)), m, uint64(r.Revision), r.Position})
		})
		if err != nil {
			return nil, err
		}
		if len(d.entries)+len(d.refusals) > 0 {
			h.days = append(h.days, d)
		}
	}
	return h, nil
}

// each shows the events of a stream; none where there is no such stream.
func each[E any](
	ctx context.Context, ledger eventstore.Reader, c *codec.Codec, stream eventstore.StreamName, see func(E, eventstore.Record, codec.Metadata),
) error {
	for r, err := range ledger.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		d, err := c.Decode(ctx, r)
		if err != nil {
			return err
		}
		e, ok := d.Event.(E)
		if !ok {
			return fmt.Errorf("whatif: %s in stream %s is no event of its aggregate", r.Type, stream)
		}
		see(e, r, d.Meta)
	}
	return nil
}

// withoutPersons leaves out what parties told of themselves, the little of it that is not
// personal, too. It puts marks in its place where it counts that there was something:
// details that were told anew count for what can be undone, and a rule is only set aside
// for a reason.
func withoutPersons(e restaurantday.Event, revision uint64) restaurantday.Event {
	switch e := e.(type) {
	case restaurantday.Held:
		e.Details, e.Override = restaurantday.Details{}, override(e.Override)
		return e
	case restaurantday.Recorded:
		e.Details = restaurantday.Details{}
		return e
	case restaurantday.WaitlistJoined:
		e.Details = restaurantday.Details{}
		return e
	case restaurantday.Amended:
		e.Details, e.Override = restaurantday.Details{}, override(e.Override)
		if e.Told {
			e.Details.Notes = "as told at revision " + strconv.FormatUint(revision, 10)
		}
		return e
	}
	return e
}

// at is the restaurant after its event of this revision.
func (h *history) at(revision uint64) restaurant.State {
	i, found := slices.BinarySearchFunc(h.versions, revision, func(v version, r uint64) int { return cmp.Compare(v.revision, r) })
	if !found && i > 0 {
		i--
	}
	return h.versions[min(i, len(h.versions)-1)].state
}

// latest is the restaurant as it stands.
func (h *history) latest() restaurant.State { return h.versions[len(h.versions)-1].state }

// planOf is the plan that a date would have been opened with after the restaurant's event of
// this revision.
func (v version) planOf(date domain.ServiceDate) (*restaurantday.Plan, error) {
	loc, err := zone(v.state.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	return v.state.DayPlan(date, v.revision, loc)
}

// unopened is what a date without a book offers: by the plan that the restaurant had when
// the day was over, or has now, as the report of utilisation has it; nil where it took no
// bookings.
func (h *history) unopened(date domain.ServiceDate) (*restaurantday.Plan, error) {
	s := h.latest()
	loc, err := zone(s.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	over := date.AddDays(1).Clock(s.DayBoundary, loc)
	for _, v := range slices.Backward(h.versions) {
		if v.at >= over {
			continue
		}
		plan, err := v.planOf(date)
		if _, refused := domain.Rejected(err); refused {
			return nil, nil
		}
		return plan, err
	}
	return nil, nil
}

// openings are the restaurants that a refusal of a day without a book may have seen, the
// likelier first: as it was at that instant or, for what was brought in later, as it was
// when the refusal went on record.
func (h *history) openings(r refusal) (list []version) {
	last := func(sees func(version) bool) {
		for _, v := range slices.Backward(h.versions) {
			if sees(v) {
				if len(list) == 0 || list[0].revision != v.revision {
					list = append(list, v)
				}
				return
			}
		}
	}
	last(func(v version) bool { return v.at <= r.At })
	last(func(v version) bool { return v.position < r.position })
	return list
}

// step is entries that one request, or several at one instant, came to, or a request that
// was refused.
type step struct {
	date    domain.ServiceDate
	entries []entry
	refusal *refusal
	after   eventstore.Position // of the last entry that it saw
}

// steps are all that was asked, in the order of the ledger. A refusal stands where its day
// had as many entries as it saw; of several there, they stand by instant.
func (h *history) steps() (all []step) {
	for i := range h.days {
		d := &h.days[i]
		cut := map[uint64]bool{}
		for k := range d.refusals {
			r := &d.refusals[k]
			cut[r.Seen] = true
			s := step{date: d.date, refusal: r, after: r.position}
			switch seen := min(r.Seen, uint64(len(d.entries))); {
			case seen > 0:
				s.after = d.entries[seen-1].position
			case len(d.entries) > 0:
				s.after = d.entries[0].position - 1
			}
			all = append(all, s)
		}
		begin := 0
		for k := range d.entries {
			if k+1 == len(d.entries) || cut[uint64(k+1)] || !together(&d.entries[k], &d.entries[k+1]) {
				all = append(all, step{date: d.date, entries: d.entries[begin : k+1], after: d.entries[begin].position})
				begin = k + 1
			}
		}
	}
	slices.SortStableFunc(all, func(a, b step) int {
		if c := cmp.Compare(a.after, b.after); c != 0 {
			return c
		}
		switch {
		case a.refusal == nil && b.refusal == nil:
			return 0
		case a.refusal == nil:
			return -1
		case b.refusal == nil:
			return 1
		}
		return cmp.Compare(a.refusal.At, b.refusal.At)
	})
	return all
}

// together reports whether two entries came of one request, as far as the metadata tells.
func together(a, b *entry) bool {
	return a.meta.CommandID == b.meta.CommandID && a.event.DecidedAt() == b.event.DecidedAt() && a.meta.Actor == b.meta.Actor &&
		a.meta.RequestID == b.meta.RequestID && a.meta.Reason == b.meta.Reason
}

package whatif

import (
	"reflect"
	"slices"
	"strconv"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// The ledger keeps what commands came to, not the commands. What came to an entry is found
// by trying: the commands that may have are made from the entry, and the one is taken that,
// decided on the day as it was, comes to just those entries. So a command that was found is
// the one that was given, as far as the decider can tell.

// asWas is what a reason says that is not read: overrides need one.
const asWas = "as on record"

// found is a command of history.
type found struct {
	command restaurantday.Command // nil where none is known that writes such entries
	// exact says that it comes to the entries on record. Where it is false, history was
	// decided by other rules than this program has.
	exact bool
	n     int // how many entries it came to
}

// command finds the command that wrote the first of entries on a day as it was before.
func (d *day) command(before restaurantday.State, entries []entry) found {
	events := make([]restaurantday.Event, len(entries))
	for i := range entries {
		events[i] = entries[i].event
	}
	candidates := d.candidates(before, events, entries)
	for _, c := range candidates {
		decided, err := decider.Decide(before, c)
		if err != nil || len(decided) == 0 || len(decided) > len(events) {
			continue
		}
		if same(decided, events[:len(decided)]) {
			return found{c, true, len(decided)}
		}
	}
	f := found{n: len(entries)}
	if len(candidates) > 0 {
		f.command = candidates[0]
	}
	return f
}

// same reports whether two lists of events tell the same, but for what is personal.
func same(a, b []restaurantday.Event) bool {
	return slices.EqualFunc(a, b, func(a, b restaurantday.Event) bool { return reflect.DeepEqual(bare(a), bare(b)) })
}

// bare is an event without what it tells of persons, and without a plan's memory: a list
// that is empty is the same as none.
func bare(e restaurantday.Event) restaurantday.Event {
	switch e := e.(type) {
	case restaurantday.Held:
		e.Details, e.Code, e.Override.Reason = restaurantday.Details{}, "", ""
		return e
	case restaurantday.Amended:
		e.Details, e.Override.Reason = restaurantday.Details{}, ""
		return e
	case restaurantday.Cancelled:
		e.Reason = ""
		return e
	case restaurantday.WaitlistJoined:
		e.Details, e.Code = restaurantday.Details{}, ""
		return e
	}
	return e
}

// candidates are the commands that may have written the first of events, the likelier first.
func (d *day) candidates(before restaurantday.State, events []restaurantday.Event, entries []entry) []restaurantday.Command {
	who, now := entries[0].meta.Actor, events[0].DecidedAt()
	var opening *restaurantday.Open
	lapsed := false
	for i, e := range events {
		rest := events[i+1:]
		switch e := e.(type) {
		case restaurantday.Opened:
			opening = &restaurantday.Open{Now: e.At, Restaurant: e.Restaurant, Date: e.Date, Plan: &e.Plan}
		case restaurantday.Expired:
			lapsed = true
		case restaurantday.Reassigned, restaurantday.WaitlistPassedOver, restaurantday.WaitlistOffered:
			// They make way for what comes after them.
		case restaurantday.Held:
			if e.Source != restaurantday.SourceWaitlist {
				return held(e, rest, who, opening)
			}
		case restaurantday.WaitlistJoined:
			return []restaurantday.Command{restaurantday.JoinWaitlist{
				Now: now, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, From: e.From, To: e.To, Wish: e.Wish, WalkIn: e.WalkIn,
			}}
		case restaurantday.WaitlistLeft:
			switch e.Reason {
			case restaurantday.LeftLapsed: // goes with what expired
			case restaurantday.LeftPast:
				return []restaurantday.Command{restaurantday.Lapse{Now: now}}
			default:
				return []restaurantday.Command{restaurantday.LeaveWaitlist{Now: now, Actor: who, Entry: e.Entry}}
			}
		case restaurantday.PlanFenced:
			return d.fencing(e, who, now)
		case restaurantday.PlanChanged:
			return []restaurantday.Command{changing(e, who, now)}
		default:
			return ofEntry(before, e, rest, who, now)
		}
	}
	switch {
	case lapsed:
		return []restaurantday.Command{restaurantday.Lapse{Now: now}}
	case opening != nil:
		return []restaurantday.Command{*opening}
	}
	return nil
}

// held is what came to a new entry of the book that nobody was offered.
func held(e restaurantday.Held, rest []restaurantday.Event, who domain.Actor, opening *restaurantday.Open) []restaurantday.Command {
	if e.Source != restaurantday.SourceWalkIn {
		hold := restaurantday.Hold{
			Now: e.At, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, StartsAt: e.Slot.StartsAt, Wish: e.Wish,
			Override: override(e.Override), MovedFrom: e.MovedFrom,
		}
		if len(rest) > 0 {
			c, ok := rest[0].(restaurantday.Confirmed)
			hold.Confirm = ok && c.Number == e.Number
		}
		return []restaurantday.Command{hold}
	}
	walkIn := restaurantday.WalkIn{
		Now: e.At, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, Wish: e.Wish, Override: override(e.Override),
	}
	for _, e := range rest {
		switch e := e.(type) {
		case restaurantday.Seated:
			walkIn.Covers = e.Covers
		case restaurantday.WaitlistLeft:
			if e.Reason == restaurantday.LeftSeated {
				walkIn.Entry = e.Entry
			}
		}
	}
	chosen := walkIn
	chosen.Tables = e.Tables
	return []restaurantday.Command{walkIn, chosen}
}

func override(o restaurantday.Override) restaurantday.Override {
	if o.Rule != "" {
		o.Reason = asWas
	}
	return o
}

// ofEntry is what was done to an entry of the book.
func ofEntry(
	before restaurantday.State, e restaurantday.Event, rest []restaurantday.Event, who domain.Actor, now domain.Instant,
) []restaurantday.Command {
	one := func(c restaurantday.Command) []restaurantday.Command { return []restaurantday.Command{c} }
	switch e := e.(type) {
	case restaurantday.Confirmed:
		return one(restaurantday.Confirm{Now: now, Actor: who, Number: e.Number})
	case restaurantday.HoldExtended:
		return one(restaurantday.ExtendHold{Now: now, Actor: who, Number: e.Number, Until: e.ExpiresAt})
	case restaurantday.Cancelled:
		if e.Change != "" {
			for _, later := range rest {
				if changed, ok := later.(restaurantday.PlanChanged); ok {
					return one(changing(changed, who, now))
				}
			}
		}
		return one(restaurantday.Cancel{Now: now, Actor: who, Number: e.Number})
	case restaurantday.Amended:
		return amending(before, e, who, now)
	case restaurantday.TablesMoved:
		return one(restaurantday.MoveTable{Now: now, Actor: who, Number: e.Number, Tables: e.Tables})
	case restaurantday.Pinned:
		return one(restaurantday.Pin{Now: now, Actor: who, Number: e.Number})
	case restaurantday.Unpinned:
		return one(restaurantday.Pin{Now: now, Actor: who, Number: e.Number, Off: true})
	case restaurantday.Seated:
		seat := restaurantday.Seat{Now: now, Actor: who, Number: e.Number, Covers: e.Covers}
		chosen := seat
		chosen.Tables = e.Tables
		return []restaurantday.Command{seat, chosen}
	case restaurantday.Completed:
		return one(restaurantday.Complete{Now: now, Actor: who, Number: e.Number})
	case restaurantday.NoShow:
		return one(restaurantday.MarkNoShow{Now: now, Actor: who, Number: e.Number})
	case restaurantday.Reinstated:
		// Whether a rule was set aside for it is not on record.
		var list []restaurantday.Command
		for _, rule := range []domain.Code{"", domain.CodePacingFull, domain.CodeOutsideHours} {
			list = append(list, restaurantday.Reinstate{
				Now: now, Actor: who, Number: e.Number, Override: override(restaurantday.Override{Rule: rule}),
			})
		}
		return list
	case restaurantday.Undone:
		return one(restaurantday.Undo{Now: now, Actor: who, Action: e.Action})
	case restaurantday.MoveStarted:
		return one(restaurantday.StartMove{
			Now: now, Actor: who, Number: e.Number, To: e.To, Time: e.Time, StartsAt: e.StartsAt, Party: e.Party, Move: e.Move,
		})
	case restaurantday.Moved:
		if r, ok := before.Reservation(e.Number); ok {
			return one(restaurantday.FinishMove{Now: now, Actor: who, Number: e.Number, Move: r.Moving.Move, To: e.To})
		}
	case restaurantday.MoveAborted:
		return one(restaurantday.AbortMove{Now: now, Actor: who, Number: e.Number, Move: e.Move, Reason: e.Reason})
	}
	return nil
}

// amending is what came to an amended entry: what is another than before was named, and the
// rest as it is.
func amending(before restaurantday.State, e restaurantday.Amended, who domain.Actor, now domain.Instant) []restaurantday.Command {
	r, ok := before.Reservation(e.Number)
	if !ok {
		return nil
	}
	c := restaurantday.Amend{Now: now, Actor: who, Number: e.Number, Override: override(e.Override)}
	if e.Party != r.Party {
		c.Party = e.Party
	}
	if e.Slot != r.Slot {
		c.StartsAt = e.Slot.StartsAt
	}
	if e.Wish != r.Wish {
		c.Wish = restaurantday.WishChanges{Table: &e.Wish.Table, Area: &e.Wish.Area}
	}
	if e.Told {
		c.Details = restaurantday.DetailsChanges{Notes: &e.Details.Notes}
	}
	return []restaurantday.Command{c}
}

// changing is what came to another plan of the day. That it is binding makes no difference
// where all could be settled as it was asked.
func changing(e restaurantday.PlanChanged, who domain.Actor, now domain.Instant) restaurantday.ChangePlan {
	c := restaurantday.ChangePlan{Now: now, Actor: who, Change: e.Change, Plan: &e.Plan, Binding: true}
	for _, s := range e.Settled {
		if s.Asked != "" {
			c.Decisions = append(c.Decisions, restaurantday.Decision{Number: s.Number, Do: s.Asked})
		}
	}
	return c
}

// fencing is what came to a fence. It was set up against a plan that the day got later, or
// is yet to get.
func (d *day) fencing(e restaurantday.PlanFenced, who domain.Actor, now domain.Instant) (list []restaurantday.Command) {
	add := func(plan *restaurantday.Plan) {
		list = append(list, restaurantday.FencePlan{Now: now, Actor: who, Change: e.Change, Plan: plan})
	}
	for _, later := range d.past.entries {
		if changed, ok := later.event.(restaurantday.PlanChanged); ok && changed.Change == e.Change && changed.At >= e.At {
			plan := changed.Plan
			add(&plan)
		}
	}
	revision, err := strconv.ParseUint(e.Change, 10, 64)
	if err != nil || d.history.Plan == nil {
		return list
	}
	// Days stay in the zone they were opened in.
	v := version{state: d.r.at(revision), revision: revision}
	v.state.Profile.TimeZone = d.history.Agreed().Zone
	if plan, err := v.planOf(d.past.date); err == nil {
		add(plan)
	}
	return list
}

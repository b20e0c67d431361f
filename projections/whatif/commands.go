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

// same reports whether two lists of events tell the same. What is personal was not read; so
// whether an amendment that is taken back told details that were others cannot be known.
func same(a, b []restaurantday.Event) bool {
	return slices.EqualFunc(a, b, func(a, b restaurantday.Event) bool { return reflect.DeepEqual(untold(a), untold(b)) })
}

func untold(e restaurantday.Event) restaurantday.Event {
	if a, ok := e.(restaurantday.Amended); ok {
		a.Told, a.Details = false, restaurantday.Details{}
		return a
	}
	return e
}

// candidates are the commands that may have written the first of events, the likelier first.
func (d *day) candidates(before restaurantday.State, events []restaurantday.Event, entries []entry) []restaurantday.Command {
	now := events[0].DecidedAt()
	var opening *restaurantday.Open
	var list []restaurantday.Command
	lapsed := false
	for i, e := range events {
		switch e := e.(type) {
		case restaurantday.Opened:
			opening = &restaurantday.Open{Now: e.At, Restaurant: e.Restaurant, Date: e.Date, Plan: &e.Plan}
			continue
		case restaurantday.Expired:
			lapsed = true
			continue
		case restaurantday.Reassigned, restaurantday.WaitlistPassedOver, restaurantday.WaitlistOffered:
			continue // they make way for what comes after them
		case restaurantday.Held:
			if e.Source == restaurantday.SourceWaitlist {
				continue
			}
		case restaurantday.WaitlistLeft:
			if e.Reason == restaurantday.LeftLapsed {
				continue // it goes with what expired
			}
		}
		list = d.writing(before, e, events[i+1:], entries[0].meta.Actor, now, opening)
		break
	}
	// What the house does by itself at one instant cannot be told apart by its metadata.
	if opening != nil {
		list = append(list, *opening)
	}
	if lapsed {
		list = append(list, restaurantday.Lapse{Now: now})
	}
	return list
}

// writing are the commands that write e, before rest.
func (d *day) writing(
	before restaurantday.State, e restaurantday.Event, rest []restaurantday.Event, who domain.Actor, now domain.Instant, opening *restaurantday.Open,
) []restaurantday.Command {
	switch e := e.(type) {
	case restaurantday.Held:
		return held(e, rest, who, opening)
	case restaurantday.Recorded:
		return recorded(e, who, opening)
	case restaurantday.WaitlistJoined:
		return []restaurantday.Command{restaurantday.JoinWaitlist{
			Now: now, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, From: e.From, To: e.To, Wish: e.Wish, WalkIn: e.WalkIn,
			Code: e.Code,
		}}
	case restaurantday.WaitlistLeft:
		if e.Reason == restaurantday.LeftPast {
			return []restaurantday.Command{restaurantday.Lapse{Now: now}}
		}
		return []restaurantday.Command{restaurantday.LeaveWaitlist{Now: now, Actor: who, Entry: e.Entry}}
	case restaurantday.PlanFenced:
		return d.fencing(before, e, who, now)
	case restaurantday.PlanChanged:
		return []restaurantday.Command{changing(e, who, now)}
	}
	return ofEntry(before, e, rest, who, now)
}

// held is what came to a new entry of the book that nobody was offered.
func held(e restaurantday.Held, rest []restaurantday.Event, who domain.Actor, opening *restaurantday.Open) []restaurantday.Command {
	if e.Source != restaurantday.SourceWalkIn {
		hold := restaurantday.Hold{
			Now: e.At, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, StartsAt: e.Slot.StartsAt, Wish: e.Wish,
			Override: e.Override, MovedFrom: e.MovedFrom, Code: e.Code,
		}
		if len(rest) > 0 {
			c, ok := rest[0].(restaurantday.Confirmed)
			hold.Confirm = ok && c.Number == e.Number
		}
		return []restaurantday.Command{hold}
	}
	walkIn := restaurantday.WalkIn{
		Now: e.At, Opening: opening, Actor: who, Diner: e.Diner, Party: e.Party, Wish: e.Wish, Override: e.Override,
		Code: e.Code,
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

// recorded is what came to a booking of another system. For how long it has its tables there
// was told, or is the plan's turn.
func recorded(e restaurantday.Recorded, who domain.Actor, opening *restaurantday.Open) (list []restaurantday.Command) {
	minutes := func(i domain.Interval) int { return int(i.To-i.From) / 60_000 }
	for _, m := range []int{0, minutes(e.Turn), minutes(e.Occupied)} {
		list = append(list, restaurantday.Record{
			Now: e.At, Opening: opening, Actor: who, Fact: e.Fact, Status: e.Status, Party: e.Party, StartsAt: e.Slot.StartsAt, Time: e.Slot.Time,
			Minutes: m, Code: e.Code,
		})
	}
	return list
}

// override is one with a reason, which is personal and was not read: rules are set aside for
// a reason only.
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
		cancel := restaurantday.Cancel{Now: now, Actor: who, Number: e.Number}
		if len(rest) > 0 {
			if left, ok := rest[0].(restaurantday.WaitlistLeft); ok && left.Reason == restaurantday.LeftDeclined {
				return []restaurantday.Command{restaurantday.LeaveWaitlist{Now: now, Actor: who, Entry: left.Entry}, cancel}
			}
		}
		return one(cancel)
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
	case restaurantday.Withdrawn:
		withdraw := restaurantday.Withdraw{Now: now, Actor: who, Batch: e.Batch}
		forced, ofRun := withdraw, withdraw
		forced.Force = true
		for _, also := range append([]restaurantday.Event{e}, rest...) {
			if w, ok := also.(restaurantday.Withdrawn); ok && w.Batch == e.Batch {
				if r, ok := before.Reservation(w.Number); ok && r.Fact != nil {
					ofRun.Run = max(ofRun.Run, r.Fact.Run)
				}
			}
		}
		return []restaurantday.Command{withdraw, forced, ofRun}
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
	c := restaurantday.Amend{Now: now, Actor: who, Number: e.Number, Override: e.Override}
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
func (d *day) fencing(
	before restaurantday.State, e restaurantday.PlanFenced, who domain.Actor, now domain.Instant,
) (list []restaurantday.Command) {
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
	if err != nil || !before.Opened() {
		return list
	}
	// Days stay in the zone they were opened in.
	v := version{state: d.r.at(revision), revision: revision}
	v.state.Profile.TimeZone = before.Agreed().Zone
	if plan, err := v.planOf(d.past.date); err == nil {
		add(plan)
	}
	return list
}

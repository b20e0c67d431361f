package restaurantday

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// Resolution is what becomes of a reservation that a change of the plan touches.
type Resolution string

// The resolutions.
const (
	Keep      Resolution = "keep"   // as it is, as an exception
	Relocate  Resolution = "move"   // other tables of the new plan, at the same time
	CallOff   Resolution = "cancel" // by the restaurant
	undecided Resolution = ""
)

// Decision is what becomes of one reservation.
type Decision struct {
	Number uint32
	Do     Resolution
}

// Touch is a reservation that another plan would not have as it is.
type Touch struct {
	Number   uint32
	Misfits  []Misfit // what the plan and the reservation contradict each other in
	Keep     bool     // it can be kept as an exception: the plan has its tables
	Relocate bool     // the plan has other tables for it at the same time, as the day stands
}

// placeOf is what r takes of the day.
func placeOf(r *Reservation) Place {
	return Place{Party: r.Party, StartsAt: r.Slot.StartsAt, Occupied: r.Occupied, Tables: r.Tables, Online: r.Online}
}

// Preview lists what a change to plan touches, by number: reservations that are held or
// confirmed at t. Who sits, stays. It changes nothing.
func (s State) Preview(plan *Plan, t domain.Instant) (touched []Touch) {
	if !s.Opened() {
		return nil
	}
	t = s.at(t)
	next := s.Occupancy.replan(plan)
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.book.get(n)
		if status := r.statusAt(t); status != StatusPending && status != StatusConfirmed {
			continue
		}
		misfits := plan.Breaks(s.Plan, placeOf(r))
		if len(misfits) == 0 {
			continue
		}
		_, relocates := next.release(n).relocated(r, t)
		touched = append(touched, Touch{
			Number: n, Misfits: misfits, Keep: len(plan.tableIndexes(r.Tables)) == len(r.Tables), Relocate: relocates,
		})
	}
	return touched
}

// relocated finds tables of the plan for r at its own time.
func (o Occupancy) relocated(r *Reservation, t domain.Instant) (Seating, bool) {
	slot, ok := o.Plan.slotAt(r.Slot.StartsAt)
	if !ok {
		return Seating{}, false
	}
	return o.seat(Request{Slot: slot, Party: r.Party, Wish: Wish{Area: r.Wish.Area}, Staff: !r.Online, Now: t, Occupied: r.Occupied})
}

// fenced is the plan without what a fence keeps from being booked.
func (p *Plan) fenced(e PlanFenced) *Plan {
	if p == nil {
		return nil
	}
	next := *p
	next.Slots = slices.DeleteFunc(slices.Clone(p.Slots), func(s Slot) bool { return slices.Contains(e.Slots, s.StartsAt) })
	next.Blocks = slices.Concat(p.Blocks, e.Blocks)
	return &next
}

// without is what next takes away from p: starts, and stretches of tables. A table that
// takes other parties than before, or is no longer given online, is kept free altogether:
// it can be booked again when the plan is changed.
func (p *Plan) without(next *Plan) (slots []domain.Instant, blocks []Block) {
	whole := domain.Interval{}
	for _, s := range p.Slots {
		if whole.From == 0 || s.StartsAt < whole.From {
			whole.From = s.StartsAt
		}
		whole.To = max(whole.To, s.StartsAt.AddMinutes(2*longestTurn), s.Closes.AddMinutes(longestTurn))
		if _, ok := next.slotAt(s.StartsAt); !ok {
			slots = append(slots, s.StartsAt)
		}
	}
	whole.From = whole.From.AddMinutes(-2 * longestTurn)
	var gone []domain.TableID
	for _, t := range p.Tables {
		now, ok := next.table(t.ID)
		if !ok || now.Min > t.Min || now.Max < t.Max || (now.OfflineOnly && !t.OfflineOnly) {
			gone = append(gone, t.ID)
		}
	}
	if len(gone) > 0 {
		blocks = append(blocks, Block{Tables: gone, During: whole})
	}
	for _, b := range next.Blocks {
		if !slices.ContainsFunc(p.Blocks, func(old Block) bool {
			return old.ID == b.ID && old.During == b.During && slices.Equal(old.Tables, b.Tables)
		}) {
			blocks = append(blocks, b)
		}
	}
	return slots, blocks
}

func (s State) fencePlan(c FencePlan) ([]Event, error) {
	switch {
	case c.Actor.Kind == domain.ActorDiner:
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	case !s.Opened() || s.Plan.Revision >= c.Plan.Revision || s.fence == c.Change:
		return nil, nil
	case s.fence != "":
		return nil, domain.Reject(domain.CodePlanChanging, "another change of this day is under way", domain.Reason{Rule: s.fence})
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	slots, blocks := p.Plan.without(c.Plan)
	p.add(PlanFenced{Stamp: p.stamp(), Change: c.Change, Slots: slots, Blocks: blocks})
	return p.end(), nil
}

// Fence names the change that keeps a part of the day from being booked; empty for none.
func (s State) Fence() string { return s.fence }

func (s State) changePlan(c ChangePlan) ([]Event, error) {
	switch {
	case c.Actor.Kind == domain.ActorDiner:
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	case !s.Opened() || s.Plan.Revision >= c.Plan.Revision:
		return nil, nil
	case s.fence != "" && s.fence != c.Change:
		return nil, domain.Reject(domain.CodePlanChanging, "another change of this day is under way", domain.Reason{Rule: s.fence})
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	todo, err := p.resolve(c)
	if err != nil {
		return nil, err
	}
	changed := PlanChanged{Stamp: p.stamp(), Change: c.Change, Plan: *c.Plan}
	for _, d := range todo {
		r, _ := p.book.get(d.Number)
		switch d.Do {
		case CallOff:
			p.add(Cancelled{Stamp: p.stamp(), Number: d.Number, Diner: r.Diner, By: ByRestaurant, Change: c.Change})
			if r.Status == StatusPending && r.Entry != 0 {
				p.add(WaitlistLeft{Stamp: p.stamp(), Entry: r.Entry, By: ByRestaurant, Reason: LeftPlan})
			}
		case Keep:
			changed.Kept = append(changed.Kept, d.Number)
		case Relocate, undecided: // after the plan is changed
		}
	}
	p.add(changed)
	for _, d := range todo {
		if d.Do != Relocate {
			continue
		}
		if err := p.relocate(d.Number); err != nil {
			return nil, err
		}
	}
	for _, w := range p.waitlist {
		if w.Status == WaitlistWaiting && !w.WalkIn && !slices.ContainsFunc(p.Plan.Slots, func(s Slot) bool { return w.From <= s.StartsAt && s.StartsAt <= w.To }) {
			p.add(WaitlistLeft{Stamp: p.stamp(), Entry: w.Entry, By: ByRestaurant, Reason: LeftPlan})
		}
	}
	return p.end(), nil
}

// resolve says what becomes of each reservation that the change touches, or refuses where
// nobody said so, or what was said cannot be done.
func (p *page) resolve(c ChangePlan) (todo []Decision, err error) {
	no := domain.Reject(domain.CodeDecisionNeeded, "the change touches reservations for which it was not said what becomes of them")
	for _, touch := range p.Preview(c.Plan, p.t) {
		do := c.Default
		if i := slices.IndexFunc(c.Decisions, func(d Decision) bool { return d.Number == touch.Number }); i >= 0 {
			do = c.Decisions[i].Do
		}
		switch {
		case do == CallOff, do == Keep && touch.Keep, do == Relocate && touch.Relocate:
			todo = append(todo, Decision{touch.Number, do})
		case do == undecided, do == Keep, do == Relocate:
			r, _ := p.book.get(touch.Number)
			block := domain.Block{Number: touch.Number, Until: r.Occupied.To, Hold: r.Status == StatusPending}
			if len(r.Tables) > 0 {
				block.Table = r.Tables[0]
			}
			no.Reasons = append(no.Reasons, domain.Reason{Rule: string(touch.Misfits[0].Code), Blocked: []domain.Block{block}})
		default:
			return nil, domain.Invalid("decision", fmt.Sprintf("%.20q: want keep, move or cancel", do))
		}
	}
	if len(no.Reasons) > 0 {
		return nil, no
	}
	return todo, nil
}

// relocate gives a reservation tables of the changed plan.
func (p *page) relocate(number uint32) error {
	r, _ := p.book.get(number)
	seating, ok := p.release(number).relocated(r, p.t)
	if !ok {
		return domain.Reject(domain.CodeDecisionNeeded, "the new plan has no table left for a reservation that was to be moved",
			domain.Reason{Rule: "no_table", Blocked: []domain.Block{{Number: number, Until: r.Occupied.To, Hold: r.Status == StatusPending}}})
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, number) {
		p.add(e)
	}
	slot, _ := p.Plan.slotAt(r.Slot.StartsAt)
	p.add(Amended{
		Stamp: p.stamp(), Number: number, Diner: r.Diner, Party: r.Party, Slot: slot, Turn: r.Turn, Occupied: r.Occupied,
		Tables: p.Plan.tableIDs(seating.Tables), Wish: Wish{Area: r.Wish.Area},
	})
	return nil
}

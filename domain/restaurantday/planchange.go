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
	Number  uint32
	Do      Resolution
	Message string // to the guest, where it is called off; personal data: free text
}

// Settlement is what became of a reservation that a change of the plan touched.
type Settlement struct {
	Number  uint32
	Asked   Resolution  // what was decided for it, by name or by default; empty for nothing
	Done    Resolution  // what was done: not what was asked where that could no longer be
	Code    domain.Code // why the new plan would not have it
	NoTable bool        // it is kept, but its tables are gone: staff must give it one
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
// confirmed at t. Who sits, stays. What fences keep from being booked was promised before
// they stood, so they are not looked at. It changes nothing.
func (s State) Preview(plan *Plan, t domain.Instant) (touched []Touch) {
	if !s.Opened() {
		return nil
	}
	t = s.at(t)
	next := s.replanned(plan)
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.book.get(n)
		if status := r.statusAt(t); status != StatusPending && status != StatusConfirmed {
			continue
		}
		misfits := plan.Breaks(s.agreed(), placeOf(r))
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

func (s State) changePlan(c ChangePlan) ([]Event, error) {
	switch {
	case c.Actor.Kind == domain.ActorDiner:
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	case !s.Opened() || s.Plan.Revision >= c.Plan.Revision:
		return nil, nil
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
	if err := p.rehearse(changed, todo, c.Binding); err != nil {
		return nil, err
	}
	for i := range todo {
		if todo[i].Done == Keep {
			changed.Kept = append(changed.Kept, todo[i].Number)
		}
		changed.Settled = append(changed.Settled, todo[i].Settlement)
	}
	p.callOff(changed.Change, todo)
	p.add(changed)
	for i := range todo {
		if todo[i].Done == Relocate {
			if !p.relocate(todo[i].Number) {
				return nil, fmt.Errorf("restaurantday: entry %d has no table under plan %d, which it had when that was tried", todo[i].Number, c.Plan.Revision)
			}
		}
	}
	for _, w := range p.waitlist {
		if w.Status == WaitlistWaiting && !w.WalkIn && !slices.ContainsFunc(p.Plan.Slots, func(s Slot) bool { return w.From <= s.StartsAt && s.StartsAt <= w.To }) {
			p.add(WaitlistLeft{Stamp: p.stamp(), Entry: w.Entry, By: ByRestaurant, Reason: LeftPlan})
		}
	}
	return p.end(), nil
}

// settling is a touched reservation on its way to what becomes of it.
type settling struct {
	Settlement
	touch   Touch
	message string // to the guest, where it is called off
}

// can reports whether the touched reservation can be dealt with so, as far as it alone tells.
func (t Touch) can(do Resolution) bool {
	return do == CallOff || (do == Keep && t.Keep) || (do == Relocate && t.Relocate)
}

// Can lists what can become of a touched reservation.
func (t Touch) Can() (list []Resolution) {
	for _, do := range []Resolution{Keep, Relocate, CallOff} {
		if t.can(do) {
			list = append(list, do)
		}
	}
	return list
}

// resolve says what becomes of each reservation that the change touches. Where nobody said
// so, or what was said cannot be done, a change that is not binding is refused.
func (p *page) resolve(c ChangePlan) (todo []settling, err error) {
	no := domain.Reject(domain.CodeDecisionNeeded, "the change touches reservations for which it was not said what becomes of them")
	for _, touch := range p.Preview(c.Plan, p.t) {
		s := settling{touch: touch, Settlement: Settlement{Number: touch.Number, Asked: c.Default, Code: touch.Misfits[0].Code}}
		if i := slices.IndexFunc(c.Decisions, func(d Decision) bool { return d.Number == touch.Number }); i >= 0 {
			s.Asked, s.message = c.Decisions[i].Do, c.Decisions[i].Message
		}
		switch s.Asked {
		case Keep, Relocate, CallOff, undecided:
		default:
			return nil, domain.Invalid("decision", fmt.Sprintf("%.20q: want keep, move or cancel", s.Asked))
		}
		switch {
		case touch.can(s.Asked):
			s.Done = s.Asked
		case c.Binding:
			p.fallBack(&s, touch.Relocate)
		default:
			no.Reasons = append(no.Reasons, p.unsettled(touch))
		}
		todo = append(todo, s)
	}
	if len(no.Reasons) > 0 {
		return nil, no
	}
	return todo, nil
}

// unsettled names a reservation of which it is not said, or not possible, what was to
// become of it.
func (p *page) unsettled(touch Touch) domain.Reason {
	r, _ := p.book.get(touch.Number)
	block := domain.Block{Number: touch.Number, Until: r.Occupied.To, Hold: r.Status == StatusPending}
	if len(r.Tables) > 0 {
		block.Table = r.Tables[0]
	}
	return domain.Reason{Rule: string(touch.Misfits[0].Code), Blocked: []domain.Block{block}}
}

// fallBack finds what becomes of a reservation for which a binding change has no decision
// that can be carried out. Nobody is called off without being told to, but for a hold whose
// table is gone: its guest stands before the screen and sees it. Else it is kept, and moved
// where its tables are gone; where there are no others, it is kept without a table, for
// staff to find one.
func (p *page) fallBack(s *settling, relocates bool) {
	r, _ := p.book.get(s.Number)
	switch {
	case s.touch.Keep:
		s.Done = Keep
	case relocates:
		s.Done = Relocate
	case r.Status == StatusPending:
		s.Done = CallOff
	default:
		s.Done, s.NoTable = Keep, true
	}
}

// rehearse finds tables for those that are to be moved, one after the other, as each takes
// from what is left for the next. For who finds none it falls back, where the change is
// binding; else it is refused. After it returns nil, what is done in the same order finds
// the same tables.
func (p *page) rehearse(changed PlanChanged, todo []settling, binding bool) error {
	trial := &page{State: p.State, t: p.t}
	trial.callOff(changed.Change, todo)
	trial.add(changed)
	no := domain.Reject(domain.CodeDecisionNeeded, "the new plan has not enough tables left for all reservations that were to be moved")
	again := false
	for i := range todo {
		s := &todo[i]
		if s.Done != Relocate || trial.relocate(s.Number) {
			continue
		}
		if !binding {
			no.Reasons = append(no.Reasons, p.unsettled(s.touch))
			continue
		}
		p.fallBack(s, false)
		again = again || s.Done == CallOff // which leaves other tables to the rest
	}
	switch {
	case len(no.Reasons) > 0:
		return no
	case again:
		return p.rehearse(changed, todo, binding) // with at least one less to move
	}
	return nil
}

// callOff cancels those that are to be cancelled.
func (p *page) callOff(change string, todo []settling) {
	for i := range todo {
		if todo[i].Done != CallOff {
			continue
		}
		r, _ := p.book.get(todo[i].Number)
		p.add(Cancelled{Stamp: p.stamp(), Number: r.Number, Diner: r.Diner, By: ByRestaurant, Reason: todo[i].message, Change: change})
		if r.Status == StatusPending && r.Entry != 0 {
			p.add(WaitlistLeft{Stamp: p.stamp(), Entry: r.Entry, By: ByRestaurant, Reason: LeftPlan})
		}
	}
}

// relocate gives a reservation tables of the changed plan, and reports whether there are any.
func (p *page) relocate(number uint32) bool {
	r, _ := p.book.get(number)
	seating, ok := p.release(number).relocated(r, p.t)
	if !ok {
		return false
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, number) {
		p.add(e)
	}
	slot, _ := p.Plan.slotAt(r.Slot.StartsAt)
	p.add(Amended{
		Stamp: p.stamp(), Number: number, Diner: r.Diner, Party: r.Party, Slot: slot, Turn: r.Turn, Occupied: r.Occupied,
		Tables: p.Plan.tableIDs(seating.Tables), Wish: Wish{Area: r.Wish.Area},
	})
	return true
}

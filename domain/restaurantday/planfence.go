package restaurantday

import (
	"slices"

	"daybook/domain"
)

// fence is what one change keeps from being booked until the day has its plan. Several can
// stand at once: changes are decided faster than they are rolled out.
type fence struct {
	event PlanFenced
	next  fenceList
}

// fenceList is the day's fences, the newest first. It is shared and never written to.
type fenceList = *fence

// agreed is the plan that the day was opened with or changed to last, as it stands without
// fences: what its reservations were promised by.
func (s State) agreed() *Plan {
	if s.unfenced != nil {
		return s.unfenced
	}
	return s.Plan
}

// Agreed is the plan that the day's reservations were promised by: the day's, without what
// fences keep from being booked meanwhile. Nil before the day is open.
func (s State) Agreed() *Plan { return s.agreed() }

// Fence names the last change that keeps a part of the day from being booked; empty for none.
func (s State) Fence() string {
	if s.fences == nil {
		return ""
	}
	return s.fences.event.Change
}

// fencedBy reports whether a change keeps its part of the day from being booked.
func (s State) fencedBy(change string) bool {
	for f := s.fences; f != nil; f = f.next {
		if f.event.Change == change {
			return true
		}
	}
	return false
}

// withFence returns the day with a part that cannot be booked.
func (s State) withFence(e PlanFenced) State {
	s.unfenced = s.agreed()
	s.fences = &fence{e, s.fences}
	s.Occupancy = s.replanned(s.Plan.fenced(e))
	return s
}

// withPlan returns the day under another plan. Fences of later changes stay.
func (s State) withPlan(plan *Plan) State {
	var later []PlanFenced
	for f := s.fences; f != nil; f = f.next {
		if f.event.Revision > plan.Revision {
			later = append(later, f.event)
		}
	}
	s.fences, s.unfenced = nil, nil
	now := plan
	for _, e := range slices.Backward(later) {
		s.fences, s.unfenced = &fence{e, s.fences}, plan
		now = now.fenced(e)
	}
	s.Occupancy = s.replanned(now)
	return s
}

// replanned returns the floor under another plan. Who was kept when a plan took tables away
// has them again under one that brings them back, and nobody else gets them.
func (s State) replanned(plan *Plan) Occupancy {
	o := s.replan(plan)
	for _, b := range o.Bookings() {
		r, ok := s.book.get(b.Number)
		if !ok || len(b.Tables) == len(r.Tables) {
			continue
		}
		without := o.release(b.Number)
		tables := plan.tableIndexes(r.Tables)
		if len(tables) > len(b.Tables) && len(without.inTheWay(nil, tables, b.occupied())) == 0 {
			b.Tables = tables
			o = without.place(b)
		}
	}
	return o
}

// fenced is the plan without what a fence keeps from being booked.
func (p *Plan) fenced(e PlanFenced) *Plan {
	if p == nil {
		return nil
	}
	next := *p
	next.Slots = slices.DeleteFunc(slices.Clone(p.Slots), func(s Slot) bool { return slices.Contains(e.Slots, s.StartsAt) })
	next.Blocks = slices.Concat(p.Blocks, e.Blocks)
	next.Combinations = slices.DeleteFunc(slices.Clone(p.Combinations), func(c Combination) bool {
		return slices.Contains(e.Combinations, c.ID)
	})
	return &next
}

// without is what next takes away from p: starts, stretches of tables and combinations. A
// table that takes other parties than before, or is no longer given online, is kept free
// altogether: it can be booked again when the plan is changed.
func (p *Plan) without(next *Plan) (e PlanFenced) {
	whole := domain.Interval{}
	for _, s := range p.Slots {
		if whole.From == 0 || s.StartsAt < whole.From {
			whole.From = s.StartsAt
		}
		whole.To = max(whole.To, s.StartsAt.AddMinutes(2*longestTurn), s.Closes.AddMinutes(longestTurn))
		if _, ok := next.slotAt(s.StartsAt); !ok {
			e.Slots = append(e.Slots, s.StartsAt)
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
		e.Blocks = append(e.Blocks, Block{Tables: gone, During: whole})
	}
	for _, b := range next.Blocks {
		if !slices.ContainsFunc(p.Blocks, func(old Block) bool {
			return old.ID == b.ID && old.During == b.During && slices.Equal(old.Tables, b.Tables)
		}) {
			e.Blocks = append(e.Blocks, b)
		}
	}
	for _, c := range p.Combinations {
		if !slices.ContainsFunc(next.Combinations, func(n Combination) bool {
			return slices.Equal(n.Tables, c.Tables) && n.Min <= c.Min && n.Max >= c.Max
		}) {
			e.Combinations = append(e.Combinations, c.ID)
		}
	}
	return e
}

func (s State) fencePlan(c FencePlan) ([]Event, error) {
	switch {
	case c.Actor.Kind == domain.ActorDiner:
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	case !s.Opened() || s.Plan.Revision >= c.Plan.Revision || s.fencedBy(c.Change):
		return nil, nil
	}
	e := s.Plan.without(c.Plan)
	if len(e.Slots)+len(e.Blocks)+len(e.Combinations) == 0 {
		return nil, nil // nothing is taken away
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	e.Stamp, e.Change, e.Revision = p.stamp(), c.Change, c.Plan.Revision
	p.add(e)
	return p.end(), nil
}

// SameAs reports whether two plans differ in nothing but the revision they were made from.
func (p *Plan) SameAs(o *Plan) bool {
	equalShift := func(a, b ShiftPlan) bool {
		return a.Name == b.Name && a.PacingCovers == b.PacingCovers && slices.Equal(a.Turns, b.Turns)
	}
	equalCombination := func(a, b Combination) bool {
		return a.ID == b.ID && a.Min == b.Min && a.Max == b.Max && slices.Equal(a.Tables, b.Tables)
	}
	equalBlock := func(a, b Block) bool {
		return a.ID == b.ID && a.During == b.During && a.Reason == b.Reason && slices.Equal(a.Tables, b.Tables)
	}
	return p.Zone == o.Zone && p.Closure == o.Closure && p.BookableFrom == o.BookableFrom && p.Policy.SameAs(o.Policy) &&
		slices.Equal(p.Slots, o.Slots) && slices.EqualFunc(p.Shifts, o.Shifts, equalShift) && slices.Equal(p.Tables, o.Tables) &&
		slices.EqualFunc(p.Combinations, o.Combinations, equalCombination) && slices.EqualFunc(p.Blocks, o.Blocks, equalBlock)
}

// SameAs reports whether two policies differ in nothing.
func (p Policy) SameAs(o Policy) bool {
	return slices.Equal(p.Turns, o.Turns) && p.HoldMinutes == o.HoldMinutes && p.HorizonDays == o.HorizonDays && p.NoticeMinutes == o.NoticeMinutes &&
		p.BufferMinutes == o.BufferMinutes && p.PacingCovers == o.PacingCovers && p.CancelMinutes == o.CancelMinutes &&
		p.WaitlistOfferMinutes == o.WaitlistOfferMinutes && p.Assignment == o.Assignment
}

package restaurantday

import (
	"fmt"

	"daybook/domain"
)

// maxWaiting bounds how many wait on one day, so that finding offers stays cheap; and how
// many stand at its door, who are in a list of their own.
const maxWaiting = 100

// mayWait reports whether there is room for one more of those who wait for an offer.
func (o Occupancy) mayWait() bool { return len(o.waiting) < maxWaiting }

// offers gives what is free to those who wait, in their order: each takes the first slot
// that it would have. Whom it passes over, and why, goes on record.
func (p *page) offers() {
	p.freed = false
	if len(p.waiting) == 0 {
		return
	}
	until := p.t.AddMinutes(p.Plan.Policy.OfferMinutes())
	for _, o := range p.Occupancy.offers(p.t, p.next()) {
		w, ok := p.waitlist.get(o.Entry)
		if !ok {
			continue
		}
		for _, passed := range o.Passed {
			p.add(WaitlistPassedOver{Stamp: p.stamp(), Entry: passed.Entry, For: o.Entry, Code: passed.Code})
		}
		number := p.next()
		for _, e := range moved(p.Plan, o.Seating.Moves, p.t, number) {
			p.add(e)
		}
		p.add(Held{
			Stamp: p.stamp(), Number: number, Diner: w.Diner, Party: w.Party, Slot: o.Slot,
			Turn: o.Seating.Turn, Occupied: o.Seating.Occupied, Tables: p.Plan.tableIDs(o.Seating.Tables),
			ExpiresAt: until, Code: w.Code, Details: w.Details, Wish: w.Wish, Online: w.Online,
			Source: SourceWaitlist, Entry: w.Entry,
		})
		p.add(WaitlistOffered{Stamp: p.stamp(), Entry: w.Entry, Number: number, ExpiresAt: until})
	}
}

func (s State) join(c JoinWaitlist) ([]Event, error) {
	if c.WalkIn && c.Actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	}
	if _, err := domain.NewPartySize(int(c.Party)); err != nil {
		return nil, domain.Invalid("party", err.Error())
	}
	p, err := s.page(c.Now, c.Opening)
	if err != nil {
		return nil, err
	}
	joined := WaitlistJoined{
		Stamp: p.stamp(), Entry: uint32(len(p.waitlist) + 1), Diner: c.Diner, Party: c.Party, From: c.From, To: c.To, Wish: c.Wish,
		Online: c.Actor.Kind == domain.ActorDiner, WalkIn: c.WalkIn, Code: c.Code, Details: c.Details,
	}
	if len(p.Plan.Slots) == 0 {
		return nil, p.closed()
	}
	if joined.From == 0 && c.FromTime != "" {
		joined.From = p.Plan.instantNear(c.FromTime)
	}
	if joined.To == 0 && c.ToTime != "" {
		// Of two instants with one time, all that is before the second is meant, too.
		joined.To = p.Plan.instantNear(c.ToTime)
		if twice := p.Plan.slotsAt(c.ToTime); len(twice) > 1 {
			joined.To = twice[len(twice)-1].StartsAt
		}
	}
	if c.WalkIn {
		joined.From, joined.To = p.t, p.Plan.Slots[len(p.Plan.Slots)-1].Closes
	}
	if no := p.mayWait(c, joined); no != nil {
		return nil, no
	}
	if c.WalkIn {
		joined.Quoted = p.Quote(c.Party, c.Wish, p.t)
	}
	p.add(joined)
	return p.end(), nil
}

// mayWait judges whether there is anything for an entry to wait for.
func (p *page) mayWait(c JoinWaitlist, j WaitlistJoined) *domain.Rejection {
	r := Request{Party: j.Party, Wish: j.Wish, Staff: !j.Online, Now: p.t}
	if largest := p.largest(r); j.Party > largest {
		return p.explain(domain.CodePartyTooLarge, r)
	}
	if len(p.options(r)) == 0 {
		return p.noTable(r) // however many leave
	}
	if j.From == 0 || j.To < j.From {
		return domain.Invalid("to", "want the first and the last time that will do, in this order")
	}
	door := 0
	for _, w := range p.waitlist {
		if w.Status != WaitlistWaiting && w.Status != WaitlistOffering {
			continue
		}
		if w.WalkIn {
			door++
		}
		if c.Actor.Kind == domain.ActorDiner && w.Diner == c.Actor.User && w.From <= j.To && j.From <= w.To {
			return domain.Reject(domain.CodeAlreadyWaiting, "this diner is on the waitlist for that time",
				domain.Reason{Rule: "waitlist", Actual: int64(w.Entry)})
		}
	}
	full := func(waiting int, where string) *domain.Rejection {
		return domain.Reject(domain.CodeWaitlistFull, fmt.Sprintf("%d parties wait %s", waiting, where),
			domain.Reason{Rule: "waitlist", Limit: maxWaiting, Actual: int64(waiting)})
	}
	switch {
	case j.WalkIn && door >= maxWaiting:
		return full(door, "at the door")
	case j.WalkIn:
		return nil
	case !p.Occupancy.mayWait():
		return full(len(p.waiting), "for this day")
	}
	// A slot that can still be had, but for tables and pacing.
	no := domain.Reject(domain.CodeOutsideHours, "nobody is seated in the time asked for")
	for _, slot := range p.Plan.Slots {
		if slot.StartsAt < j.From || slot.StartsAt > j.To {
			continue
		}
		r.Slot = slot
		switch code := p.bars(r); code {
		case "", domain.CodePacingFull:
			return nil
		default:
			no = p.explain(code, r)
		}
	}
	return no
}

// waiter finds the entry that a command addresses. To those who may not know of it, it is
// not there.
func (s State) waiter(entry uint32, a domain.Actor) (*WaitlistEntry, error) {
	w, ok := s.waitlist.get(entry)
	if !ok || !a.Speaks(w.Diner) {
		return nil, domain.Reject(domain.CodeNotFound, "no such entry of the waitlist")
	}
	return w, nil
}

func (s State) leave(c LeaveWaitlist) ([]Event, error) {
	if _, err := s.waiter(c.Entry, c.Actor); err != nil {
		return nil, err
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	w, _ := p.waitlist.get(c.Entry)
	by := byOf(c.Actor)
	switch w.Status {
	case WaitlistGone:
		return nil, nil
	case WaitlistAccepted:
		return nil, domain.Reject(domain.CodeNotWaiting, "the offer was accepted; cancel the reservation",
			domain.Reason{Rule: "waitlist", Actual: int64(w.Number)})
	case WaitlistOffering:
		p.add(Cancelled{Stamp: p.stamp(), Number: w.Number, Diner: w.Diner, By: by})
		p.add(WaitlistLeft{Stamp: p.stamp(), Entry: w.Entry, By: by, Reason: LeftDeclined})
	case WaitlistWaiting:
		p.add(WaitlistLeft{Stamp: p.stamp(), Entry: w.Entry, By: by, Reason: LeftItself})
	}
	return p.end(), nil
}

func (s State) accept(c AcceptOffer) ([]Event, error) {
	w, err := s.waiter(c.Entry, c.Actor)
	if err != nil {
		return nil, err
	}
	if w.Number == 0 {
		return nil, domain.Reject(domain.CodeNotWaiting, "the entry was not offered a table yet",
			domain.Reason{Rule: "waitlist", Actual: int64(w.Entry)})
	}
	return s.confirm(Confirm{Now: c.Now, Actor: c.Actor, Number: w.Number})
}

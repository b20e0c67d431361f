package restaurantday

import (
	"slices"

	"daybook/domain"
)

// walkIn seats a party that stands at the door: it is held, confirmed and seated at once,
// whatever notice others must give.
func (s State) walkIn(c WalkIn) ([]Event, error) {
	if c.Actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	}
	if err := c.Override.allowed(c.Actor); err != nil {
		return nil, err
	}
	p, err := s.page(c.Now, c.Opening)
	if err != nil {
		return nil, err
	}
	if err := p.queued(&c); err != nil {
		return nil, err
	}
	if _, err := domain.NewPartySize(int(c.Party)); err != nil {
		return nil, domain.Invalid("party", err.Error())
	}
	if c.Covers == 0 {
		c.Covers = c.Party
	}
	if c.Covers < 0 || c.Covers > c.Party {
		return nil, domain.Invalid("covers", "want 1 up to the party")
	}
	if len(p.Plan.Slots) == 0 {
		return nil, p.closed()
	}
	// Who sets the hours aside still seats people now: on another date's book they have no table.
	if !p.Plan.within(p.t, longestDate) {
		return nil, domain.Reject(domain.CodeOutsideHours, "it is another service date than "+p.Date.String()+" now")
	}
	slot := p.Plan.slotMade(p.t)
	if !p.Plan.open(p.t) && c.Override.Rule != domain.CodeOutsideHours {
		return nil, domain.Reject(domain.CodeOutsideHours, "nobody is seated at this time of the day")
	}
	r := Request{Slot: slot, Party: c.Party, Wish: c.Wish, Staff: true, Now: p.t, Skip: c.Override.Rule}
	if len(c.Tables) > 0 {
		if r.Tables, err = p.Plan.indexes(c.Tables); err != nil {
			return nil, err
		}
	}
	seating, no := p.physical(p.t).judgeHere(r)
	if no != nil {
		return nil, no
	}
	number, tables := p.next(), p.Plan.tableIDs(seating.Tables)
	if c.Entry != 0 {
		p.passOver(c.Entry)
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, number) {
		p.add(e)
	}
	p.add(Held{
		Stamp: p.stamp(), Number: number, Diner: c.Diner, Party: c.Party, Slot: slot, Turn: seating.Turn, Occupied: seating.Occupied,
		Tables: tables, ExpiresAt: p.t.AddMinutes(p.Plan.Policy.HoldMinutes), Code: c.Code, Details: c.Details, Wish: c.Wish,
		Bound: true, Source: SourceWalkIn, Override: c.Override,
	})
	p.add(Confirmed{Stamp: p.stamp(), Number: number})
	p.add(Seated{Stamp: p.stamp(), Number: number, Covers: c.Covers, Tables: tables, Occupied: seating.Occupied})
	if c.Entry != 0 {
		p.add(WaitlistLeft{Stamp: p.stamp(), Entry: c.Entry, By: ByRestaurant, Reason: LeftSeated})
	}
	return p.end(), nil
}

// queued takes over what an entry of the waitlist told, where the party has one.
func (p *page) queued(c *WalkIn) error {
	if c.Entry == 0 {
		return nil
	}
	w, ok := p.waitlist.get(c.Entry)
	if !ok {
		return domain.Reject(domain.CodeNotFound, "no such entry of the waitlist")
	}
	if w.Status != WaitlistWaiting {
		return domain.Reject(domain.CodeNotWaiting, "the entry does not wait any more", domain.Reason{Rule: "waitlist", Actual: int64(w.Number)})
	}
	if c.Party == 0 {
		c.Party = w.Party
	}
	if c.Wish == (Wish{}) {
		c.Wish = w.Wish
	}
	if c.Details == (Details{}) {
		c.Details = w.Details
	}
	if c.Code == "" {
		c.Code = w.Code
	}
	c.Diner = w.Diner
	return nil
}

// passOver records who waits at the door and stood before an entry that is seated: that
// there was no table for it, or that staff chose.
func (p *page) passOver(entry uint32) {
	for _, w := range p.waitlist[:entry-1] {
		if w.Status != WaitlistWaiting || !w.WalkIn {
			continue
		}
		code := domain.CodeStaffChoice
		r := Request{Slot: p.Plan.slotMade(p.t), Party: w.Party, Wish: w.Wish, Staff: true, Now: p.t}
		if _, no := p.physical(p.t).judgeHere(r); no != nil {
			code = no.Code
		}
		p.add(WaitlistPassedOver{Stamp: p.stamp(), Entry: w.Entry, For: entry, Code: code})
	}
}

// open reports whether parties are seated at t: a shift has begun, or does within the time
// by which a party may be early, and does not close yet.
func (p *Plan) open(t domain.Instant) bool {
	return slices.ContainsFunc(p.Slots, func(s Slot) bool {
		return s.StartsAt.AddMinutes(-seatEarlyMinutes) <= t && t < s.Closes
	})
}

// How a quote reckons with how long the day's parties have stayed.
const (
	turnsCounted = 3   // parties that must have left before their turns count
	leastFactor  = 50  // percent of the planned turn
	mostFactor   = 150 // percent of the planned turn
)

// Quote is when a party at the door will have a table, by what is known at t; 0 for not
// before the house closes. A party that sits is taken to stay for its planned turn, times
// how long the parties that left have stayed against how long they were to, in percent from
// 50 to 150; the planned turn alone until three have left. Reservations keep the time they
// have. Those who wait at the door already are seated first, each as soon as it can be.
// Re-assignment is not tried, so the real wait may be shorter.
func (s State) Quote(party domain.PartySize, wish Wish, t domain.Instant) domain.Instant {
	if s.Plan == nil || len(s.Plan.Slots) == 0 {
		return 0
	}
	o := s.Occupancy
	for _, number := range s.seated {
		r, ok := s.book.get(number)
		if !ok {
			continue
		}
		stay := (r.Turn.To - r.Turn.From) * domain.Instant(s.turnPercent()) / 100
		leaves := max(t+1, (r.SeatedAt + stay).AddMinutes(s.Plan.Policy.BufferMinutes))
		o = o.retime(number, domain.Interval{From: r.Occupied.From, To: leaves})
	}
	next := s.next()
	for _, w := range s.waitlist {
		if w.Status != WaitlistWaiting || !w.WalkIn {
			continue
		}
		if at, seating, ok := o.firstFree(w.Party, w.Wish, t); ok {
			o = o.place(Booking{
				Number: next, Tables: seating.Tables, From: at, To: seating.Occupied.To, Slot: at, Party: w.Party, Bound: true,
			})
			next++
		}
	}
	at, _, _ := o.firstFree(party, wish, t)
	return at
}

// turnPercent is how long the day's parties stay against how long they were to.
func (s State) turnPercent() int {
	if s.turns.parties < turnsCounted || s.turns.planned <= 0 {
		return 100
	}
	return int(min(mostFactor, max(leastFactor, s.turns.actual*100/s.turns.planned)))
}

// firstFree is the first instant from t on at which a party can have a table as the day
// stands, within opening hours.
func (o Occupancy) firstFree(party domain.PartySize, wish Wish, t domain.Instant) (domain.Instant, Seating, bool) {
	times := []domain.Instant{t}
	for b := range o.all {
		if b.To > t {
			times = append(times, b.To)
		}
	}
	for _, slot := range o.Plan.Slots { // pacing counts by slot
		if slot.StartsAt > t {
			times = append(times, slot.StartsAt)
		}
	}
	slices.Sort(times)
	for _, at := range slices.Compact(times) {
		if !o.Plan.open(at) {
			continue
		}
		r := Request{Slot: o.Plan.slotMade(at), Party: party, Wish: wish, Staff: true, Now: at}
		if o.barsHere(r) != "" {
			continue
		}
		turn, want := o.stretch(r)
		for _, tables := range o.options(r) {
			if o.free(tables, want) {
				return at, Seating{Turn: turn, Occupied: want, Tables: tables}, true
			}
		}
	}
	return 0, Seating{}, false
}

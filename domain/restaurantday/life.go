package restaurantday

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// seatEarlyMinutes is how long before its time a party can be seated.
const seatEarlyMinutes = 60

func (s State) amend(c Amend) ([]Event, error) {
	if err := c.Override.allowed(c.Actor); err != nil {
		return nil, err
	}
	if c.Party < 0 || c.Party > domain.MaxPartySize {
		return nil, domain.Invalid("party", domain.ErrPartySize.Error())
	}
	p, r, err := s.open(VerbAmend, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	if c.Actor.Kind == domain.ActorDiner && r.Turn.From <= p.t {
		return nil, domain.Reject(domain.CodeStarted, "the seating has begun; only the restaurant can change it now",
			domain.Reason{Rule: "starts_at", LimitAt: r.Turn.From, ActualAt: p.t})
	}
	if c.On != 0 && c.On != s.Date {
		// It was moved here; who asks goes by where it was.
		return nil, domain.Invalid("date", "the reservation is on "+s.Date.String()+" now, under another id; move it by that one")
	}
	a := Amended{
		Stamp: p.stamp(), Number: r.Number, Diner: r.Diner, Party: r.Party, Slot: r.Slot, Turn: r.Turn, Occupied: r.Occupied,
		Tables: r.Tables, Wish: r.Wish, Bound: r.Bound, Staff: c.Actor.Kind == domain.ActorStaff, Override: c.Override,
		Conflicts: r.Conflicts,
	}
	if c.Details != (DetailsChanges{}) {
		a.Told, a.Details = true, c.Details.of(r.Details)
	}
	if c.Party != 0 {
		a.Party = c.Party
	}
	change(&a.Wish.Table, c.Wish.Table)
	change(&a.Wish.Area, c.Wish.Area)
	if c.Time != "" || c.StartsAt != 0 {
		slot, no := p.slotFor(c.Time, c.StartsAt, c.Override.Rule)
		if no != nil {
			return nil, p.without(r).withAlternatives(no, p.again(r, a, c), c.Time, c.StartsAt)
		}
		a.Slot = slot
	}
	if a.Party == r.Party && a.Slot.StartsAt == r.Slot.StartsAt && a.Wish == r.Wish {
		a.Slot = r.Slot // a plan of since may close it at another time
		if !a.Told || a.Details == r.Details {
			return nil, nil
		}
		p.add(a)
		return p.end(), nil
	}
	seating, no := p.replace(r, a, c)
	if no != nil {
		return nil, no
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, r.Number) {
		p.add(e)
	}
	a.Turn, a.Occupied, a.Tables = seating.Turn, seating.Occupied, p.Plan.tableIDs(seating.Tables)
	a.Bound, a.Conflicts = r.Bound && slices.Equal(a.Tables, r.Tables), nil
	p.add(a)
	return p.end(), nil
}

// of is d with the changes made.
func (c DetailsChanges) of(d Details) Details {
	change(&d.Guest.Name, c.GuestName)
	change(&d.Guest.Email, c.GuestEmail)
	change(&d.Guest.Phone, c.GuestPhone)
	change(&d.Notes, c.Notes)
	change(&d.SpecialRequests, c.SpecialRequests)
	change(&d.Occasion, c.Occasion)
	return d
}

// change puts a new value in place of an old one, if there is a new one.
func change[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}

// again is what the party of r asks for when it asks again.
func (p *page) again(r *Reservation, a Amended, c Amend) Request {
	again := Request{Party: a.Party, Wish: a.Wish, Staff: !r.Online || c.Actor.Kind == domain.ActorStaff, Now: p.t, Skip: c.Override.Rule}
	if a.Party == r.Party && a.Wish == r.Wish {
		again.Has = r.Slot.StartsAt
	}
	return again
}

// without is the day as it would be if r had no place.
func (p *page) without(r *Reservation) State {
	s := p.State
	s.Occupancy = p.release(r.Number)
	return s
}

// replace finds the amended place of r as if it had none: its own tables again where they
// will do.
func (p *page) replace(r *Reservation, a Amended, c Amend) (Seating, *domain.Rejection) {
	without := p.without(r)
	request := p.again(r, a, c)
	request.Slot = a.Slot
	bars := without.bars
	if a.Slot.StartsAt == r.Slot.StartsAt {
		bars = without.barsHere // it has that time
	}
	refuse := func(no *domain.Rejection) (Seating, *domain.Rejection) {
		return Seating{}, without.withAlternatives(no, request, "", a.Slot.StartsAt)
	}
	if code := bars(request); code != "" {
		return refuse(without.explain(code, request))
	}
	var had []int
	place := Place{Party: a.Party, StartsAt: a.Slot.StartsAt, Tables: r.Tables, Online: !request.Staff}
	turn, want := without.stretch(request)
	place.Occupied = want
	own := !slices.ContainsFunc(p.Plan.Misfits(place), func(m Misfit) bool { return m.Rule != "slot" })
	if own && (a.Wish == r.Wish || a.Wish == Wish{}) {
		had = p.Plan.tableIndexes(r.Tables)
	}
	if len(had) > 0 && without.free(had, want) {
		return Seating{Turn: turn, Occupied: want, Tables: had}, nil
	}
	seating, ok := without.seat(request)
	if !ok {
		return refuse(without.noTable(request))
	}
	return seating, nil
}

func (s State) moveTable(c MoveTable) ([]Event, error) {
	p, r, err := s.open(VerbMoveTable, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	if len(c.Tables) == 0 {
		return nil, domain.Invalid("tables", "name at least one table")
	}
	tables, err := p.Plan.indexes(c.Tables)
	if err != nil {
		return nil, err
	}
	if r.Bound && slices.Equal(p.Plan.tableIndexes(r.Tables), tables) && len(r.Conflicts) == 0 {
		return nil, nil
	}
	want := r.Occupied
	if r.Status == StatusSeated {
		want = domain.Interval{From: p.t, To: max(want.To, p.t+1)}
	}
	o := p.physical(p.t).release(r.Number)
	seating, no := o.placeFor(Request{Slot: r.Slot, Party: r.Party, Staff: true, Now: p.t, Occupied: want}, tables, true)
	if no != nil {
		return nil, no
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, r.Number) {
		p.add(e)
	}
	p.add(TablesMoved{Stamp: p.stamp(), Number: r.Number, Tables: p.Plan.tableIDs(tables)})
	return p.end(), nil
}

func (s State) pin(c Pin) ([]Event, error) {
	verb := VerbPin
	if c.Off {
		verb = VerbUnpin
	}
	p, r, err := s.open(verb, c.Number, c.Actor, c.Now)
	if p == nil || r.Bound == !c.Off {
		return nil, err
	}
	if c.Off {
		p.add(Unpinned{Stamp: p.stamp(), Number: r.Number})
	} else {
		p.add(Pinned{Stamp: p.stamp(), Number: r.Number})
	}
	return p.end(), nil
}

func (s State) seatParty(c Seat) ([]Event, error) {
	p, r, err := s.open(VerbSeat, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	covers := c.Covers
	if covers == 0 {
		covers = r.Party
	}
	switch {
	case covers < 0 || covers > r.Party || covers < r.Covers:
		return nil, domain.Invalid("covers", fmt.Sprintf("want %d to %d: all who sit by now", max(1, r.Covers), r.Party))
	case r.Status == StatusSeated && covers == r.Covers:
		return nil, nil
	case r.Status == StatusSeated:
		p.add(Seated{Stamp: p.stamp(), Number: r.Number, Covers: covers, Tables: r.Tables, Occupied: r.Occupied})
		return p.end(), nil
	case p.t < r.Turn.From.AddMinutes(-seatEarlyMinutes):
		return nil, domain.Reject(domain.CodeTooEarly, fmt.Sprintf("a party can be seated from %d minutes before its time", seatEarlyMinutes),
			domain.Reason{Rule: "starts_at", LimitAt: r.Turn.From, ActualAt: p.t})
	}
	had, must := p.Plan.whole(r.Tables), r.Bound
	if len(c.Tables) > 0 {
		if had, err = p.Plan.indexes(c.Tables); err != nil {
			return nil, err
		}
		must = true
	}
	// It sits from now on, if it is early; and not shorter than it was to, if its time is over.
	// Of a date that is past it is told only now: another date has the table by now.
	want := domain.Interval{From: min(p.t, r.Occupied.From), To: r.Occupied.To}
	if p.t >= want.To && p.t < r.Turn.From.AddMinutes(longestDate*60) {
		want = domain.Interval{From: p.t, To: p.t + r.Occupied.To - r.Occupied.From}
	}
	o := p.physical(p.t).release(r.Number)
	seating, no := o.placeFor(Request{Slot: r.Slot, Party: r.Party, Wish: r.Wish, Staff: true, Now: p.t, Occupied: want}, had, must)
	if no != nil {
		return nil, no
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, r.Number) {
		p.add(e)
	}
	p.add(Seated{Stamp: p.stamp(), Number: r.Number, Covers: covers, Tables: p.Plan.tableIDs(seating.Tables), Occupied: want})
	return p.end(), nil
}

func (s State) complete(c Complete) ([]Event, error) {
	p, r, err := s.open(VerbComplete, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	p.add(Completed{Stamp: p.stamp(), Number: r.Number, FreedAt: p.t})
	return p.end(), nil
}

func (s State) noShow(c MarkNoShow) ([]Event, error) {
	p, r, err := s.open(VerbNoShow, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	if p.t < r.Turn.From {
		return nil, domain.Reject(domain.CodeTooEarly, "a party is no no-show before its time",
			domain.Reason{Rule: "starts_at", LimitAt: r.Turn.From, ActualAt: p.t})
	}
	p.add(NoShow{Stamp: p.stamp(), Number: r.Number})
	return p.end(), nil
}

func (s State) reinstate(c Reinstate) ([]Event, error) {
	if err := c.Override.allowed(c.Actor); err != nil {
		return nil, err
	}
	p, r, err := s.open(VerbReinstate, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	back := *r
	back.Status, back.ExpiresAt, back.Bound, back.Conflicts = StatusConfirmed, 0, false, nil
	switch {
	case r.Status == StatusCompleted:
		back.Status, back.Bound, back.Occupied.To = StatusSeated, true, r.Turn.To.AddMinutes(p.Plan.Policy.BufferMinutes)
		if late := back.Occupied.From; late >= back.Occupied.To { // it sat down when its time was over: as long again
			back.Occupied.To = late + back.Occupied.To - r.Turn.From
		}
	case p.t >= r.Occupied.To:
		return nil, domain.Reject(domain.CodeInPast, "its time is over", domain.Reason{Rule: "starts_at", LimitAt: p.t, ActualAt: r.Turn.From})
	default:
		back.Occupied.From = max(back.Occupied.From, p.t) // others may have sat there until now
	}
	if no := p.hasTime(&back, c.Override.Rule); no != nil {
		return nil, no
	}
	if no := p.restore(r, &back, c.Override.Rule, back.Status == StatusSeated && len(back.Tables) > 0); no != nil {
		return nil, no
	}
	return p.end(), nil
}

// hasTime refuses a reservation for a time that a changed plan no longer has, unless staff
// say so now or said so then.
func (p *page) hasTime(back *Reservation, skip domain.Code) *domain.Rejection {
	if back.Status == StatusSeated || back.Source == SourceWalkIn || skip == domain.CodeOutsideHours || back.Override.Rule == domain.CodeOutsideHours {
		return nil
	}
	_, no := p.findSlot("", back.Slot.StartsAt)
	return no
}

// restore writes that r is again as back says, where there are tables for it: those of
// back, or others unless it must have those. Pacing counts for a party that was not counted.
func (p *page) restore(r, back *Reservation, skip domain.Code, must bool) *domain.Rejection {
	o := p.physical(p.t).release(r.Number)
	if r.Status == StatusSeated && back.Status == StatusSeated && !slices.Equal(r.Tables, back.Tables) {
		// It goes back to where it sat: meanwhile that table was others'.
		back.Occupied = domain.Interval{From: max(back.Occupied.From, p.t), To: max(back.Occupied.To, p.t+1)}
	}
	request := Request{
		Slot: back.Slot, Party: back.Party, Wish: back.Wish, Staff: !back.Online, Now: p.t, Skip: skip, Occupied: back.Occupied,
	}
	if !r.Status.Live() && r.Status != StatusCompleted && o.overPace(request) > 0 && skip != domain.CodePacingFull {
		return o.pacingFull(request)
	}
	// What is past needs no tables any more.
	if request.Occupied.From < p.t && back.Status == StatusSeated {
		from := p.t
		if r.Status == StatusCompleted { // it never left, so nobody can have come after it
			from = min(p.t, max(back.Occupied.From, r.FreedAt))
		}
		request.Occupied = domain.Interval{From: from, To: max(back.Occupied.To, p.t+1)}
	}
	seating, no := o.placeAgain(request, back, p.Plan.whole(back.Tables), must)
	if no != nil {
		return no
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, r.Number) {
		p.add(e)
	}
	tables := tablesOrNone(p.Plan, seating.Tables)
	p.add(Reinstated{
		Stamp: p.stamp(), Number: r.Number, From: r.Status, To: back.Status, Covers: back.Covers, Tables: tables,
		Bound: back.Bound && slices.Equal(tables, back.Tables), Turn: back.Turn, Occupied: back.Occupied, ExpiresAt: back.ExpiresAt,
		Conflicts: back.Conflicts,
	})
	return nil
}

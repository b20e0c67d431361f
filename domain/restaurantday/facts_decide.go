package restaurantday

import (
	"fmt"

	"daybook/domain"
)

// leastTurn is the shortest turn there is, in minutes.
const leastTurn = 5

func (s State) record(c Record) ([]Event, error) {
	if c.Actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if r, ok := s.FactOf(c.Fact.Source, c.Fact.External); ok {
		if r.Fact.Digest != c.Fact.Digest {
			return nil, domain.Reject(domain.CodeFactChanged, "it was recorded before, and says something else now",
				domain.Reason{Rule: "external", Blocked: []domain.Block{blockOf(r)}})
		}
		return nil, nil
	}
	p, err := s.page(c.Now, c.Opening)
	if err != nil {
		return nil, err
	}
	if err := c.inTime(p.t); err != nil {
		return nil, err
	}
	e := Recorded{
		Stamp: p.stamp(), Number: p.next(), Fact: c.Fact, Status: c.Status, Party: c.Party, Code: c.Code, Details: c.Details,
	}
	if len(p.Plan.Slots) > 0 && !p.Plan.within(c.StartsAt, longestDate) {
		return nil, domain.Invalid("starts_at", "that is on another service date than "+p.Date.String())
	}
	var out *domain.Rejection
	e.Slot, out = p.slotOfFact(c)
	request := Request{Slot: e.Slot, Party: c.Party, Staff: true, Now: p.t}
	if c.Minutes != 0 {
		request.Occupied = domain.Interval{From: c.StartsAt, To: c.StartsAt.AddMinutes(c.Minutes)}
	}
	e.Turn, e.Occupied = p.stretch(request)
	if c.Status == StatusCompleted {
		e.FreedAt = min(e.Turn.To, p.t)
		e.Occupied.To = e.FreedAt
	}
	named, known := p.Plan.numbered(c.Fact.Named)
	if c.Status == StatusCancelled || c.Status == StatusNoShow {
		e.Tables = tablesOrNone(p.Plan, named)
		p.add(e)
		return p.end(), nil
	}
	if out != nil && c.Status.Live() {
		e.Conflicts = append(e.Conflicts, Conflict{Code: out.Code})
	}
	if over := p.overPace(request); over > 0 && c.Status.Live() && len(p.Plan.Slots) > 0 {
		e.Conflicts = append(e.Conflicts, conflictOf(p.pacingFull(request)))
	}
	if !known {
		e.Conflicts = append(e.Conflicts, Conflict{Code: domain.CodeTableUnknown})
	}
	request.Occupied = e.Occupied
	if e.Occupied.From < e.Occupied.To {
		seating, bound, why := p.floorFor(c, request, named)
		e.Tables, e.Bound, e.Conflicts = tablesOrNone(p.Plan, seating.Tables), bound, append(e.Conflicts, why...)
		for _, m := range moved(p.Plan, seating.Moves, p.t, e.Number) {
			p.add(m)
		}
	}
	p.add(e)
	return p.end(), nil
}

// check refuses what no booking can be, whatever the day holds.
func (c Record) check() error {
	if _, err := domain.NewPartySize(int(c.Party)); err != nil {
		return domain.Invalid("party", err.Error())
	}
	switch {
	case c.Fact.Batch == "" || c.Fact.Source == "" || c.Fact.External == "":
		return domain.Invalid("external", "a fact has a batch, a source and an id there")
	case c.StartsAt == 0:
		return domain.Invalid("starts_at", "want the instant at which it begins")
	case c.Minutes != 0 && (c.Minutes < leastTurn || c.Minutes > longestTurn):
		return domain.Invalid("minutes", fmt.Sprintf("want %d to %d", leastTurn, longestTurn))
	}
	switch c.Status {
	case StatusConfirmed, StatusSeated, StatusCompleted, StatusCancelled, StatusNoShow:
		return nil
	default:
		return domain.Invalid("status", fmt.Sprintf("%.20q: want confirmed, seated, completed, cancelled or no_show", c.Status))
	}
}

// inTime refuses what cannot have happened yet.
func (c Record) inTime(t domain.Instant) error {
	early := domain.Instant(0)
	switch c.Status {
	case StatusSeated:
		early = c.StartsAt.AddMinutes(-seatEarlyMinutes)
	case StatusCompleted, StatusNoShow:
		early = c.StartsAt
	default: // can be so at any time
	}
	if t < early {
		return domain.Reject(domain.CodeTooEarly, fmt.Sprintf("it cannot be %s yet: it has not begun", c.Status),
			domain.Reason{Rule: "starts_at", LimitAt: c.StartsAt, ActualAt: t})
	}
	if c.Fact.MadeAt > t {
		return domain.Invalid("made_at", "it cannot have been made after now")
	}
	return nil
}

// slotOfFact is the plan's slot at the time of a fact or, where it has none, one made for
// it; and why the plan has none. A time between two slots is no matter: parties come when
// they come.
func (s State) slotOfFact(c Record) (Slot, *domain.Rejection) {
	slot, no := s.findSlot("", c.StartsAt)
	if no == nil {
		return slot, nil
	}
	slot = Slot{StartsAt: c.StartsAt, Closes: c.StartsAt.AddMinutes(longestTurn)}
	if len(s.Plan.Slots) > 0 {
		slot = s.Plan.slotMade(c.StartsAt)
	}
	slot.Time = c.Time
	if no.Code == domain.CodeOffSlot {
		no = nil
	}
	return slot, no
}

// tablesOrNone names tables; none are nil, as they are when they are read back.
func tablesOrNone(p *Plan, tables []int) []domain.TableID {
	if len(tables) == 0 {
		return nil
	}
	return p.tableIDs(tables)
}

// numbered finds tables by what the floor calls them. It is not known where one is missing.
func (p *Plan) numbered(numbers []string) (tables []int, known bool) {
	known = true
	seen := make(map[int]bool, len(numbers))
	for _, number := range numbers {
		found := false
		for i := range p.Tables {
			if p.Tables[i].Number == number {
				seen[i], found = true, true
			}
		}
		known = known && found
	}
	for i := range p.Tables {
		if seen[i] {
			tables = append(tables, i)
		}
	}
	return tables, known
}

// floorFor finds tables for a fact: those that it has in the other system where they are
// free, else any that are free; and tells what is wrong with them. Late binding lets others
// make way, as for any party, but not for one that has left.
func (p *page) floorFor(c Record, r Request, named []int) (s Seating, bound bool, why []Conflict) {
	o := p.Occupancy
	if c.Status == StatusSeated {
		o = p.physical(p.t)
	}
	seat := o.seat
	if c.Status == StatusCompleted {
		seat = o.seatAsIs
	}
	if len(named) > 0 {
		r.Tables = named
		if seating, ok := seat(r); ok {
			if most := o.Plan.seats(named); r.Party > most {
				why = append(why, Conflict{Code: domain.CodePartyTooLarge, Limit: int64(most), Actual: int64(r.Party)})
			}
			return seating, true, why
		}
		no := conflictOf(o.noTable(r))
		if no.Code == domain.CodeNoTable {
			no.Code = domain.CodeTableTaken
		}
		why = append(why, no)
		r.Tables = nil
	}
	if largest := o.Plan.LargestParty(); r.Party > largest {
		return Seating{}, false, append(why, Conflict{Code: domain.CodePartyTooLarge, Limit: int64(largest), Actual: int64(r.Party)})
	}
	if seating, ok := seat(r); ok {
		return seating, false, why
	}
	return Seating{}, false, append(why, conflictOf(o.noTable(r)))
}

// seatAsIs is seat without giving others other tables.
func (o Occupancy) seatAsIs(r Request) (s Seating, ok bool) {
	s.Turn, s.Occupied = o.stretch(r)
	if r.Tables != nil {
		s.Tables = r.Tables
		return s, o.free(r.Tables, s.Occupied)
	}
	for _, tables := range o.options(r) {
		if o.free(tables, s.Occupied) {
			s.Tables = tables
			return s, true
		}
	}
	return s, false
}

// seats is how many sit at tables, put together or not.
func (p *Plan) seats(tables []int) (n domain.PartySize) {
	for _, t := range tables {
		n += p.Tables[t].Max
	}
	for _, c := range p.Combinations {
		if len(c.Tables) == len(tables) && p.combines(p.tableIDs(tables), c.Max) {
			n = max(n, c.Max)
		}
	}
	return n
}

// conflictOf is what a refusal comes to for who stands all the same.
func conflictOf(no *domain.Rejection) Conflict {
	c := Conflict{Code: no.Code}
	for i, why := range no.Reasons {
		if i == 0 && no.Code == domain.CodePacingFull {
			c.Limit, c.Actual = why.Limit, why.Actual
		}
		for _, b := range why.Blocked {
			if len(c.Entries) < maxBlocks {
				c.Entries = append(c.Entries, b.Number)
			}
		}
	}
	return c
}

func (s State) withdraw(c Withdraw) ([]Event, error) {
	if c.Actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	}
	var numbers []uint32
	for _, number := range s.Facts() {
		r, ok := s.book.get(number)
		if ok && r.Fact.Batch == c.Batch && (c.Run == 0 || r.Fact.Run <= c.Run) && r.Withdrawable(c.Force) && len(numbers) < WithdrawnAtOnce {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 {
		return nil, nil
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	for _, number := range numbers {
		r, _ := p.book.get(number)
		p.add(Withdrawn{Stamp: p.stamp(), Number: number, Batch: c.Batch, Forced: r.Touched()})
	}
	return p.end(), nil
}

package restaurantday

import (
	"fmt"

	"daybook/domain"
)

// decideForStaff decides what diners do not ask for, but for a move of their own.
func (s State) decideForStaff(c Command) ([]Event, error) {
	switch c := c.(type) {
	case MoveTable:
		return s.moveTable(c)
	case Pin:
		return s.pin(c)
	case Seat:
		return s.seatParty(c)
	case Complete:
		return s.complete(c)
	case MarkNoShow:
		return s.noShow(c)
	case Reinstate:
		return s.reinstate(c)
	case StartMove:
		return s.startMove(c)
	case ExtendHold:
		return s.extendHold(c)
	case FinishMove:
		return s.finishMove(c)
	case AbortMove:
		return s.abortMove(c)
	case FencePlan:
		return s.fencePlan(c)
	case ChangePlan:
		return s.changePlan(c)
	case Undo:
		return s.undo(c)
	default:
		return nil, fmt.Errorf("restaurantday: unknown command %T", c)
	}
}

// open begins what a command writes that addresses an entry. Where there is nothing to
// write, or it is refused, the page is nil.
func (s State) open(v Verb, number uint32, a domain.Actor, now domain.Instant) (*page, *Reservation, error) {
	r, err := s.entry(number, a)
	if err != nil {
		return nil, nil, err
	}
	if already, err := s.may(v, r, a, s.at(now)); already || err != nil {
		return nil, nil, err
	}
	p, err := s.page(now, nil)
	if err != nil {
		return nil, nil, err
	}
	// Offers that lapses bring about may have given the entry other tables.
	r, _ = p.book.get(number)
	return p, r, nil
}

// allowed refuses an override by others than staff, of a rule that cannot be set aside, or
// without a reason.
func (o Override) allowed(a domain.Actor) error {
	if o == (Override{}) {
		return nil
	}
	if a.Kind != domain.ActorStaff {
		return domain.Reject(domain.CodeForbidden, "only the restaurant's own people can set a rule aside")
	}
	switch o.Rule {
	case domain.CodeInPast, domain.CodeTooSoon, domain.CodeTooFarAhead, domain.CodePacingFull, domain.CodePartyTooLarge, domain.CodeOutsideHours:
	default:
		return domain.Reject(domain.CodeNotOverridable, fmt.Sprintf("the rule %q cannot be set aside", o.Rule))
	}
	if o.Reason == "" {
		return domain.Invalid("override.reason", "say why the rule is set aside")
	}
	return nil
}

// slotFor finds the slot asked for, or makes one where staff set the hours aside.
func (s State) slotFor(hhmm string, at domain.Instant, skip domain.Code) (Slot, *domain.Rejection) {
	slot, no := s.findSlot(hhmm, at)
	if no == nil || skip != domain.CodeOutsideHours || (no.Code != domain.CodeOutsideHours && no.Code != domain.CodeOffSlot) {
		return slot, no
	}
	if at == 0 {
		at = s.Plan.instantNear(hhmm)
	}
	if !s.Plan.within(at, 24) {
		return slot, no
	}
	return s.Plan.slotMade(at), nil
}

// longestDate is how many hours a service date can have: where the clocks are put back.
const longestDate = 25

// within reports whether an instant is less than so many hours away from each slot: what is
// further off is of another service date, which has a book of its own.
func (p *Plan) within(at domain.Instant, hours int) bool {
	last, first := p.Slots[len(p.Slots)-1].StartsAt, p.Slots[0].StartsAt
	return last.AddMinutes(-hours*60) < at && at < first.AddMinutes(hours*60)
}

// longestTurn is how many minutes a turn can have.
const longestTurn = 720

// slotMade is a slot at an instant that need not be one of the plan's: of the shift that is
// open then, else one that closes late enough for any turn. The plan must have slots.
func (p *Plan) slotMade(at domain.Instant) Slot {
	if slot, ok := p.slotAt(at); ok {
		return slot
	}
	near := p.Slots[0]
	for _, slot := range p.Slots {
		if slot.StartsAt <= at {
			near = slot
		}
	}
	made := Slot{StartsAt: at, Closes: at.AddMinutes(longestTurn), Shift: near.Shift, Time: near.Time}
	if clock, err := domain.ParseClock(near.Time); err == nil {
		// Clocks are not changed while parties are seated, or the plan would have said so.
		minutes := int((at-near.StartsAt)/60_000) % 1440
		made.Time = domain.FormatClock(clock + minutes + 1440)
	}
	if near.StartsAt <= at && at < near.Closes {
		made.Closes = near.Closes
	}
	return made
}

// barsHere is the rule that keeps r out, were its time no matter: for parties that are
// there, or have a place then.
func (o Occupancy) barsHere(r Request) domain.Code {
	switch {
	case r.Skip != domain.CodePartyTooLarge && r.Tables == nil && r.Party > o.largest(r):
		return domain.CodePartyTooLarge
	case r.Skip != domain.CodePacingFull && o.overPace(r) > 0:
		return domain.CodePacingFull
	}
	return ""
}

// judgeHere finds tables for r, were its time no matter.
func (o Occupancy) judgeHere(r Request) (Seating, *domain.Rejection) {
	if code := o.barsHere(r); code != "" {
		return Seating{}, o.explain(code, r)
	}
	seating, ok := o.seat(r)
	if !ok {
		return Seating{}, o.noTable(r)
	}
	return seating, nil
}

// placeFor finds tables for a party that has had some: those, where they are free, else
// others, unless it must have those.
func (o Occupancy) placeFor(r Request, had []int, must bool) (Seating, *domain.Rejection) {
	turn, want := o.stretch(r)
	if len(had) > 0 && o.free(had, want) {
		return Seating{Turn: turn, Occupied: want, Tables: had}, nil
	}
	if must {
		if r.Tables = had; len(had) == 0 {
			return Seating{}, domain.Reject(domain.CodeNoTable, "its tables are no longer on the floor")
		}
	}
	seating, ok := o.seat(r)
	if !ok {
		return Seating{}, o.noTable(r)
	}
	return seating, nil
}

// physical returns the occupancy with parties that sit longer than they were to keeping
// their tables at t: nobody can be seated on top of them.
func (s State) physical(t domain.Instant) Occupancy {
	o := s.Occupancy
	for _, number := range s.seated {
		if r, ok := s.book.get(number); ok && r.Occupied.To <= t {
			o = o.retime(number, domain.Interval{From: r.Occupied.From, To: t + 1})
		}
	}
	return o
}

// indexes are the places of tables that staff named.
func (p *Plan) indexes(ids []domain.TableID) ([]int, error) {
	for i, id := range ids {
		if _, ok := p.table(id); !ok {
			return nil, domain.Invalid(fmt.Sprintf("tables[%d]", i), "the restaurant has no such table on that day")
		}
	}
	tables := p.tableIndexes(ids)
	if len(tables) != len(ids) {
		return nil, domain.Invalid("tables", "a table is named twice")
	}
	return tables, nil
}

package restaurantday

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// Decider returns the day's decider.
func Decider() domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide:  decide,
		Evolve:  evolve,
	}
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Open:
		if s.Opened() {
			return nil, nil
		}
		return []Event{c.event()}, nil
	case Hold:
		return s.hold(c)
	case Confirm:
		return s.confirm(c)
	case Cancel:
		return s.cancel(c)
	case Lapse:
		return s.lapse(c), nil
	case Amend:
		return s.amend(c)
	case WalkIn:
		return s.walkIn(c)
	case JoinWaitlist:
		return s.join(c)
	case LeaveWaitlist:
		return s.leave(c)
	case AcceptOffer:
		return s.accept(c)
	case Record:
		return s.record(c)
	case Withdraw:
		return s.withdraw(c)
	default:
		return s.decideForStaff(c)
	}
}

// at is the day's time for a command given at now: a day's clock never goes back, so that
// two processes whose clocks differ cannot both be right about a lapse.
func (s State) at(now domain.Instant) domain.Instant { return max(now, s.clock) }

func (c Open) event() Event {
	return Opened{Stamp: domain.Stamp{At: c.Now}, Restaurant: c.Restaurant, Date: c.Date, Plan: *c.Plan}
}

// page is what one command writes into the book: each entry judged on those before it.
type page struct {
	State
	t      domain.Instant
	events []Event
	freed  bool // something became free that those who wait may be offered
}

// page begins what a command given at now writes: with the plan where there is none yet,
// then with the holds that have lapsed and the offers they bring about. What is free after
// that may be free because a hold lapsed; as that goes on record in the same write, nobody
// with a slower clock confirms it afterwards.
func (s State) page(now domain.Instant, opening *Open) (*page, error) {
	p := &page{State: s, t: s.at(now)}
	if !s.Opened() {
		if opening == nil {
			return nil, domain.Reject(domain.CodeNotOpened, "the day has no plan yet")
		}
		p.add(opening.event())
		p.t = p.at(now)
	}
	p.lapses()
	return p, nil
}

func (p *page) stamp() domain.Stamp { return domain.Stamp{At: p.t} }

// add writes an entry.
func (p *page) add(e Event) {
	p.events = append(p.events, e)
	p.State = evolve(p.State, e)
	switch e.(type) {
	case Expired, Cancelled, Amended, TablesMoved, Unpinned, Seated, Completed, NoShow, Reinstated, Moved, WaitlistJoined, WaitlistLeft, PlanChanged, Withdrawn:
		p.freed = true
	default: // takes up room or leaves it as it is
	}
}

// lapses puts on record which holds have lapsed, and offers what that frees.
func (p *page) lapses() {
	lapsed := 0
	for _, h := range p.pending {
		if h.expires > p.t {
			break
		}
		lapsed++
	}
	if lapsed == 0 {
		return
	}
	for _, h := range slices.Clone(p.pending[:lapsed]) {
		p.add(Expired{Stamp: p.stamp(), Number: h.number, LapsedAt: h.expires})
		if r, ok := p.book.get(h.number); ok && r.Entry != 0 {
			p.add(WaitlistLeft{Stamp: p.stamp(), Entry: r.Entry, By: ByDiner, Reason: LeftLapsed})
		}
	}
	p.offers()
}

// end is what the command comes to: its entries, then the offers that they bring about.
func (p *page) end() []Event {
	if p.freed {
		p.offers()
	}
	return p.events
}

func (s State) lapse(c Lapse) []Event {
	if !s.Opened() {
		return nil
	}
	p := &page{State: s, t: s.at(c.Now)}
	p.lapses()
	for _, w := range p.waitlist {
		if w.Status == WaitlistWaiting && w.To < p.t {
			p.add(WaitlistLeft{Stamp: p.stamp(), Entry: w.Entry, By: ByRestaurant, Reason: LeftPast})
		}
	}
	return p.events
}

func (s State) hold(c Hold) ([]Event, error) {
	if c.InOrder && s.clock > c.Now {
		return nil, domain.Reject(domain.CodeLaterEntries, fmt.Sprintf(
			"the day's book goes on to %s, so an entry of %s no longer fits in", s.clock, c.Now))
	}
	if err := c.Override.allowed(c.Actor); err != nil {
		return nil, err
	}
	p, err := s.page(c.Now, c.Opening)
	if err != nil {
		return nil, err
	}
	request := Request{Party: c.Party, Wish: c.Wish, Staff: c.Actor.Kind != domain.ActorDiner, Now: p.t, Skip: c.Override.Rule}
	slot, no := p.slotFor(c.Time, c.StartsAt, c.Override.Rule)
	if no != nil {
		return nil, p.withAlternatives(no, request, c.Time, c.StartsAt)
	}
	request.Slot = slot
	k := &seeker{o: p.Occupancy}
	defer k.done()
	seating, no := k.judge(request)
	if no != nil {
		return nil, k.withAlternatives(no, request, c.Time, c.StartsAt)
	}
	held := Held{
		Stamp: p.stamp(), Number: p.next(), Diner: c.Diner, Party: c.Party,
		Slot: slot, Turn: seating.Turn, Occupied: seating.Occupied, Tables: p.Plan.tableIDs(seating.Tables),
		ExpiresAt: p.t.AddMinutes(p.Plan.Policy.HoldMinutes), Code: c.Code, Details: c.Details,
		Wish: c.Wish, Online: !request.Staff, MovedFrom: c.MovedFrom, Override: c.Override,
	}
	if c.MovedFrom != "" {
		held.Source = SourceMove
	}
	// Nothing below is judged on the state, so it need not be folded here.
	events := append(p.events, moved(p.Plan, seating.Moves, p.t, held.Number)...)
	if events = append(events, held); c.Confirm {
		events = append(events, Confirmed{Stamp: p.stamp(), Number: held.Number, Staff: c.Actor.Kind == domain.ActorStaff})
	}
	return events, nil
}

// next is the number that the next entry of the book has.
func (s State) next() uint32 { return uint32(s.book.len() + 1) }

// moved tells of the parties that make way for an entry.
func moved(plan *Plan, moves []Move, t domain.Instant, number uint32) (events []Event) {
	for _, m := range moves {
		events = append(events, Reassigned{Stamp: domain.Stamp{At: t}, Number: m.Number, Tables: plan.tableIDs(m.To), For: number})
	}
	return events
}

func (s State) confirm(c Confirm) ([]Event, error) {
	r, err := s.entry(c.Number, c.Actor)
	if err != nil {
		return nil, err
	}
	t := s.at(c.Now)
	if already, err := s.may(VerbConfirm, r, c.Actor, t); already || err != nil {
		return nil, err
	}
	return []Event{Confirmed{Stamp: domain.Stamp{At: t}, Number: r.Number, Staff: c.Actor.Kind == domain.ActorStaff}}, nil
}

func (s State) cancel(c Cancel) ([]Event, error) {
	r, err := s.entry(c.Number, c.Actor)
	if err != nil {
		return nil, err
	}
	t := s.at(c.Now)
	if already, err := s.may(VerbCancel, r, c.Actor, t); already || err != nil {
		return nil, err
	}
	if c.Actor.Kind == domain.ActorDiner && r.Turn.From <= t {
		return nil, domain.Reject(domain.CodeStarted, "the seating has begun; only the restaurant can end it now",
			domain.Reason{Rule: "starts_at", LimitAt: r.Turn.From, ActualAt: t})
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	by := byOf(c.Actor)
	p.add(Cancelled{
		Stamp: p.stamp(), Number: r.Number, Diner: r.Diner, By: by, Reason: c.Reason,
		Late: r.Status == StatusConfirmed && t > r.Turn.From.AddMinutes(-p.Plan.Policy.CancelMinutes),
	})
	if r.Status == StatusPending && r.Entry != 0 {
		p.add(WaitlistLeft{Stamp: p.stamp(), Entry: r.Entry, By: by, Reason: LeftDeclined})
	}
	return p.end(), nil
}

func byOf(a domain.Actor) CancelledBy {
	if a.Kind == domain.ActorDiner {
		return ByDiner
	}
	return ByRestaurant
}

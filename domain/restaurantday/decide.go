package restaurantday

import (
	"fmt"

	"daybook/domain"
)

// Command is something asked of a day. The commands of this package are all there are.
type Command interface{ dayCommand() }

// Open begins the day's book. It is already so where the day has a plan.
type Open struct {
	Now        domain.Instant
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Plan       *Plan
}

// Hold asks for a table. Time or StartsAt names the slot; StartsAt wins.
type Hold struct {
	Now      domain.Instant
	Opening  *Open // opens the day first where it has no plan yet
	Actor    domain.Actor
	Diner    domain.UserID // whom the table is for; empty for a guest without an account
	Party    domain.PartySize
	Time     string // local HH:MM
	StartsAt domain.Instant
	Wish     Wish
	Confirm  bool // confirm at once
	InOrder  bool // refuse where the book has later entries: for bringing in what is past
	Code     string
	Details  Details
}

// Confirm makes a hold firm. It is already so where it is confirmed.
type Confirm struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
}

// Cancel gives a table back. It is already so where it is cancelled.
type Cancel struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Reason string
}

// Lapse records the holds that have lapsed.
type Lapse struct {
	Now domain.Instant
}

func (Open) dayCommand()    {}
func (Hold) dayCommand()    {}
func (Confirm) dayCommand() {}
func (Cancel) dayCommand()  {}
func (Lapse) dayCommand()   {}

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
		return s.expire(s.at(c.Now)), nil
	default:
		return nil, fmt.Errorf("restaurantday: unknown command %T", c)
	}
}

// at is the day's time for a command given at now: a day's clock never goes back, so that
// two processes whose clocks differ cannot both be right about a lapse.
func (s State) at(now domain.Instant) domain.Instant { return max(now, s.clock) }

func (c Open) event() Event {
	return Opened{Stamp: domain.Stamp{At: c.Now}, Restaurant: c.Restaurant, Date: c.Date, Plan: *c.Plan}
}

// expire lists the holds that lapsed by t as events.
func (s State) expire(t domain.Instant) (events []Event) {
	for _, p := range s.pending {
		if p.expires > t {
			break
		}
		events = append(events, Expired{Stamp: domain.Stamp{At: t}, Number: p.number, LapsedAt: p.expires})
	}
	return events
}

func (s State) hold(c Hold) ([]Event, error) {
	if c.InOrder && s.clock > c.Now {
		return nil, domain.Reject(domain.CodeLaterEntries, fmt.Sprintf(
			"the day's book goes on to %s, so an entry of %s no longer fits in", s.clock, c.Now))
	}
	var events []Event
	if !s.Opened() {
		if c.Opening == nil {
			return nil, domain.Reject(domain.CodeNotOpened, "the day has no plan yet")
		}
		opened := c.Opening.event()
		events = append(events, opened)
		s = evolve(s, opened)
	}
	t := s.at(c.Now)
	// What is free below may be free because a hold lapsed. That it lapsed goes on record
	// first, in the same write, so nobody with a slower clock confirms it afterwards.
	for _, e := range s.expire(t) {
		events = append(events, e)
		s = evolve(s, e)
	}
	request := Request{Party: c.Party, Wish: c.Wish, Staff: c.Actor.Kind != domain.ActorDiner, Now: t}
	slot, no := s.findSlot(c.Time, c.StartsAt)
	if no != nil {
		return nil, s.withAlternatives(no, request, c.Time, c.StartsAt)
	}
	request.Slot = slot
	seating, no := s.judge(request)
	if no != nil {
		return nil, s.withAlternatives(no, request, c.Time, c.StartsAt)
	}
	number := uint32(s.book.len() + 1)
	for _, m := range seating.Moves {
		events = append(events, Reassigned{Stamp: domain.Stamp{At: t}, Number: m.Number, Tables: s.Plan.tableIDs(m.To), For: number})
	}
	events = append(events, Held{
		Stamp: domain.Stamp{At: t}, Number: number, Diner: c.Diner, Party: c.Party,
		Slot: slot, Turn: seating.Turn, Occupied: seating.Occupied, Tables: s.Plan.tableIDs(seating.Tables),
		ExpiresAt: t.AddMinutes(s.Plan.Policy.HoldMinutes), Code: c.Code, Details: c.Details,
	})
	if c.Confirm {
		events = append(events, Confirmed{Stamp: domain.Stamp{At: t}, Number: number})
	}
	return events, nil
}

// entry finds what a command addresses. To those who may not know of it, it is not there.
func (s State) entry(number uint32, actor domain.Actor) (*Reservation, error) {
	r, ok := s.book.get(number)
	if !ok || !actor.Speaks(r.Diner) {
		return nil, domain.Reject(domain.CodeNotFound, "no such reservation")
	}
	return r, nil
}

func (s State) confirm(c Confirm) ([]Event, error) {
	r, err := s.entry(c.Number, c.Actor)
	if err != nil {
		return nil, err
	}
	t := s.at(c.Now)
	switch {
	case r.Status == StatusConfirmed:
		return nil, nil
	case r.Status == StatusCancelled:
		return nil, cancelled(r)
	case r.Status == StatusExpired || r.ExpiresAt <= t:
		return nil, holdExpired(r, t)
	}
	return []Event{Confirmed{Stamp: domain.Stamp{At: t}, Number: r.Number}}, nil
}

func (s State) cancel(c Cancel) ([]Event, error) {
	r, err := s.entry(c.Number, c.Actor)
	if err != nil {
		return nil, err
	}
	t := s.at(c.Now)
	switch {
	case r.Status == StatusCancelled:
		return nil, nil
	case r.Status == StatusExpired || (r.Status == StatusPending && r.ExpiresAt <= t):
		return nil, holdExpired(r, t)
	case c.Actor.Kind == domain.ActorDiner && r.Turn.From <= t:
		return nil, domain.Reject(domain.CodeStarted, "the seating has begun; only the restaurant can end it now",
			domain.Reason{Rule: "starts_at", Limit: int64(r.Turn.From), Actual: int64(t)})
	}
	by := ByDiner
	if c.Actor.Kind != domain.ActorDiner {
		by = ByRestaurant
	}
	return []Event{Cancelled{Stamp: domain.Stamp{At: t}, Number: r.Number, Diner: r.Diner, By: by, Reason: c.Reason}}, nil
}

func holdExpired(r *Reservation, t domain.Instant) *domain.Rejection {
	return domain.Reject(domain.CodeHoldExpired, "the hold has lapsed and its table may be somebody else's; hold again",
		domain.Reason{Rule: "hold_minutes", Limit: int64(r.ExpiresAt), Actual: int64(t)})
}

func cancelled(r *Reservation) *domain.Rejection {
	return domain.Reject(domain.CodeCancelled, "the reservation was cancelled",
		domain.Reason{Rule: "status", Actual: int64(r.ChangedAt)})
}

package commands

import (
	"context"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// JoinWaitlist asks for a table on a date should one become free: From and To are the first
// and the last start that will do, as instants or as times. A walk-in waits from now on.
type JoinWaitlist struct {
	Restaurant       domain.RestaurantID
	Date             domain.ServiceDate // zero for a walk-in: today
	From, To         domain.Instant
	FromTime, ToTime string
	Party            domain.PartySize
	Wish             restaurantday.Wish
	WalkIn           bool
	Details          restaurantday.Details
}

// Waiting is an entry of a waitlist as a command left it.
type Waiting struct {
	ID         domain.WaitlistID
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Zone       string
	Entry      restaurantday.WaitlistEntry
	Place      int            // 1 for the first; 0 where it does not wait
	ExpiresAt  domain.Instant // of the offer; 0 where none is open
	Revision   uint64         // of the day
	Position   eventstore.Position
	Replayed   bool
	Staff      bool // the caller works at the restaurant
}

func waiting(o dayOutcome, entry uint32, who domain.Actor) (Waiting, error) {
	w, ok := o.State.WaitlistEntry(entry)
	if !ok {
		return Waiting{}, fmt.Errorf("commands: entry %d is not on the waitlist of %s %s", entry, o.State.Restaurant, o.State.Date)
	}
	answer := Waiting{
		ID: domain.NewWaitlistID(o.State.Restaurant, o.State.Date, entry), Restaurant: o.State.Restaurant, Date: o.State.Date,
		Zone: o.State.Plan.Zone, Entry: *w, Place: o.State.Place(entry),
		Revision: o.Entries - 1, Position: o.Position, Replayed: o.Replayed, Staff: who.Kind == domain.ActorStaff,
	}
	if r, ok := o.State.Reservation(w.Number); ok && w.Status == restaurantday.WaitlistOffering {
		answer.ExpiresAt = r.ExpiresAt
	}
	return answer, nil
}

// JoinWaitlist puts a party on a day's waitlist, behind all who are there. It is offered
// what is free for it at once. A rejection comes with a Waiting that says of which day.
func (a *App) JoinWaitlist(ctx context.Context, c Caller, j JoinWaitlist) (Waiting, error) {
	r, err := a.restaurantState(ctx, j.Restaurant)
	if err != nil {
		return Waiting{}, err
	}
	now := a.now()
	if j.WalkIn {
		if j.Date, err = a.today(r, now); err != nil {
			return Waiting{}, err
		}
	}
	who := c.actor(r.State)
	diner := c.User
	if who.Kind == domain.ActorStaff && (j.WalkIn || j.Details.Guest != (restaurantday.Guest{})) {
		diner = ""
	}
	id := a.commandID(c, fmt.Sprintf("%s %s", j.Restaurant, j.Date))
	o, err := a.onDay(ctx, c, r, j.Date, now, id, func(opening *restaurantday.Open) restaurantday.Command {
		return restaurantday.JoinWaitlist{
			Now: now, Opening: opening, Actor: who, Diner: diner, Party: j.Party, From: j.From, To: j.To,
			FromTime: j.FromTime, ToTime: j.ToTime, Wish: j.Wish, WalkIn: j.WalkIn, Code: confirmationCode(id), Details: j.Details,
		}
	})
	if err != nil {
		if !j.WalkIn {
			err = a.withNeighbours(ctx, err, r, j.Date, now, elsewhere{
				party: j.Party, wish: j.Wish, staff: who.Kind != domain.ActorDiner, clock: a.clockOf(r, j.FromTime, j.From),
			})
		}
		return Waiting{Restaurant: j.Restaurant, Date: j.Date, Zone: r.State.Profile.TimeZone, Staff: who.Kind == domain.ActorStaff}, err
	}
	return waiting(o, joinedEntry(o.Events), who)
}

func joinedEntry(events []restaurantday.Event) uint32 {
	for _, e := range events {
		if joined, ok := e.(restaurantday.WaitlistJoined); ok {
			return joined.Entry
		}
	}
	return 0
}

// LeaveWaitlist takes an entry off the waitlist, or turns down what it was offered.
func (a *App) LeaveWaitlist(ctx context.Context, c Caller, id domain.WaitlistID) (Waiting, error) {
	o, who, err := a.waiter(ctx, c, id, func(who domain.Actor, entry uint32) restaurantday.Command {
		return restaurantday.LeaveWaitlist{Now: a.now(), Actor: who, Entry: entry}
	})
	if err != nil {
		return Waiting{}, err
	}
	_, _, entry := id.Day()
	return waiting(o, entry, who)
}

// AcceptOffer makes what an entry was offered its reservation.
func (a *App) AcceptOffer(ctx context.Context, c Caller, id domain.WaitlistID) (Booked, error) {
	o, who, err := a.waiter(ctx, c, id, func(who domain.Actor, entry uint32) restaurantday.Command {
		return restaurantday.AcceptOffer{Now: a.now(), Actor: who, Entry: entry}
	})
	if err != nil {
		return Booked{}, err
	}
	_, _, entry := id.Day()
	w, _ := o.State.WaitlistEntry(entry)
	b, err := booked(o, w.Number)
	b.Staff = who.Kind == domain.ActorStaff
	return b, err
}

// waiter handles a command about an entry of a waitlist.
func (a *App) waiter(
	ctx context.Context, c Caller, id domain.WaitlistID, command func(domain.Actor, uint32) restaurantday.Command,
) (dayOutcome, domain.Actor, error) {
	rid, date, entry := id.Day()
	r, err := a.restaurantState(ctx, rid)
	if err != nil {
		if _, ok := domain.Rejected(err); ok {
			err = domain.Reject(domain.CodeNotFound, "no such entry of the waitlist")
		}
		return dayOutcome{}, domain.Actor{}, err
	}
	who := c.actor(r.State)
	o, err := a.days.handle(ctx, codec.DayStream(rid, date), Request[restaurantday.Command]{
		Command: command(who, entry), ID: a.commandID(c, string(id)), Meta: a.metadata(ctx, c, who, c.role(r.State)),
	})
	return o, who, err
}

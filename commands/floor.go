package commands

import (
	"context"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// AmendReservation changes a reservation within its day. What is zero or nil stays as it is.
type AmendReservation struct {
	Date     domain.ServiceDate // refused where it is on another by now
	Party    domain.PartySize
	Time     string
	StartsAt domain.Instant
	Wish     restaurantday.WishChanges
	Details  restaurantday.DetailsChanges
	Override restaurantday.Override // staff's only
}

// AmendReservation gives a reservation another party, time, wish or details. Where the new
// place is refused the old one stays, and the refusal names days that it could be moved to.
func (a *App) AmendReservation(ctx context.Context, c Caller, id domain.ReservationID, m AmendReservation) (Booked, error) {
	if m.Override.Rule == domain.CodeOutsideHours {
		if err := a.setAside(ctx, id, &m); err != nil {
			return Booked{}, err
		}
	}
	entry := uint32(0)
	b, err := a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		entry = number
		return restaurantday.Amend{
			Now: a.now(), Actor: who, Number: number, On: m.Date, Party: m.Party, Time: m.Time, StartsAt: m.StartsAt,
			Wish: m.Wish, Details: m.Details, Override: m.Override,
		}
	})
	if err != nil {
		err = a.amendElsewhere(ctx, err, b, entry, m)
	}
	return b, err
}

// setAside pins down the instant that staff ask for who set the hours aside. It must be of the
// date that the reservation is on: any other has a book of its own, which may have promised
// the same tables then.
func (a *App) setAside(ctx context.Context, id domain.ReservationID, m *AmendReservation) error {
	rid, _, _ := id.Day()
	r, err := a.restaurantState(ctx, rid)
	if _, ok := domain.Rejected(err); ok || m.Time == "" && m.StartsAt == 0 {
		return nil // no such reservation: said by who looks for it
	}
	if err != nil {
		return err
	}
	now, err := a.current(ctx, id)
	if err != nil {
		return err
	}
	_, date, _ := now.Day()
	if m.Time, m.StartsAt, err = a.instantAside(r, date, m.Time, m.StartsAt); err == nil && m.Date == 0 {
		m.Date = date // another, where it is moved meanwhile, is refused
	}
	return err
}

// instantAside is the instant that staff ask for on a service date who set its hours aside.
// A day's plan knows no boundaries: of a time that is none of its slots it would only guess on
// which side of them it is. A time that clocks show twice or not at all stays as it is.
func (a *App) instantAside(r restaurantOutcome, date domain.ServiceDate, hhmm string, at domain.Instant) (string, domain.Instant, error) {
	loc, err := a.zoneOf(r)
	if err != nil {
		return hhmm, at, err
	}
	if at == 0 {
		minutes, err := domain.ParseClock(hhmm)
		if err != nil {
			return hhmm, 0, nil //nolint:nilerr // refused by the day
		}
		on := date
		if minutes < r.State.DayBoundary {
			on = date.AddDays(1)
		}
		if found := on.Clocks(minutes, loc); len(found) == 1 {
			return "", found[0], nil
		}
		return hhmm, 0, nil
	}
	if on := domain.ServiceDateAt(at, loc, r.State.DayBoundary); on != date {
		return hhmm, at, domain.Reject(domain.CodeInvalid, fmt.Sprintf("startsAt belongs to the service date %s, not %s", on, date), domain.Reason{Rule: "date"})
	}
	return hhmm, at, nil
}

// MoveTable gives a party the tables that staff choose, and binds it to them.
func (a *App) MoveTable(ctx context.Context, c Caller, id domain.ReservationID, tables []domain.TableID) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.MoveTable{Now: a.now(), Actor: who, Number: number, Tables: tables}
	})
}

// PinTable binds a party to the tables it has or, with off, lets it be re-assigned again.
func (a *App) PinTable(ctx context.Context, c Caller, id domain.ReservationID, off bool) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Pin{Now: a.now(), Actor: who, Number: number, Off: off}
	})
}

// SeatParty puts a party at its tables, or at others: covers are all who sit by then, 0 for
// the whole party.
func (a *App) SeatParty(
	ctx context.Context, c Caller, id domain.ReservationID, covers domain.PartySize, tables []domain.TableID,
) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Seat{Now: a.now(), Actor: who, Number: number, Covers: covers, Tables: tables}
	})
}

// CompleteSeating ends a seating; its tables are free from then on.
func (a *App) CompleteSeating(ctx context.Context, c Caller, id domain.ReservationID) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Complete{Now: a.now(), Actor: who, Number: number}
	})
}

// MarkNoShow records that a party never came.
func (a *App) MarkNoShow(ctx context.Context, c Caller, id domain.ReservationID) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.MarkNoShow{Now: a.now(), Actor: who, Number: number}
	})
}

// Reinstate takes back that a reservation was cancelled, a no-show or completed, where
// there are tables for it.
func (a *App) Reinstate(ctx context.Context, c Caller, id domain.ReservationID, o restaurantday.Override) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Reinstate{Now: a.now(), Actor: who, Number: number, Override: o}
	})
}

// SeatWalkIn is a party at the door.
type SeatWalkIn struct {
	Restaurant domain.RestaurantID
	Party      domain.PartySize // 0 with Waitlist: its party
	Covers     domain.PartySize // who sit down now; 0 for the whole party
	Tables     []domain.TableID // those that staff choose; none for any
	Wish       restaurantday.Wish
	Waitlist   domain.WaitlistID // whose party it is; empty for none
	Details    restaurantday.Details
	Override   restaurantday.Override
}

// SeatWalkIn seats a party that stands at the door, now, on the service date that it is at
// the restaurant. A party that waited there is looked for on that date, too.
func (a *App) SeatWalkIn(ctx context.Context, c Caller, w SeatWalkIn) (Booked, error) {
	r, err := a.restaurantState(ctx, w.Restaurant)
	if err != nil {
		return Booked{}, err
	}
	now := a.now()
	date, err := a.today(r, now)
	if err != nil {
		return Booked{}, err
	}
	entry := uint32(0)
	if w.Waitlist != "" {
		rid, on, n := w.Waitlist.Day()
		if rid != w.Restaurant || on != date {
			return Booked{}, domain.Reject(domain.CodeNotFound, "no such entry of today's waitlist")
		}
		entry = n
	}
	who := c.actor(r.State)
	id := a.commandID(c, string(w.Restaurant)+" "+date.String())
	command := restaurantday.WalkIn{
		Now: now, Actor: who, Party: w.Party, Covers: w.Covers, Tables: w.Tables, Wish: w.Wish, Entry: entry,
		Code: confirmationCode(id), Details: w.Details, Override: w.Override,
	}
	o, err := a.onDay(ctx, c, r, date, now, id, func(opening *restaurantday.Open) restaurantday.Command {
		command.Opening = opening
		return command
	})
	if err != nil {
		return addressed(r, date, who), err
	}
	b, err := booked(o, heldNumber(o.Events))
	b.Staff = who.Kind == domain.ActorStaff
	return b, err
}

// Undone is what undoing came to: the reservation as it is then, and what was taken back.
type Undone struct {
	Booked
	Action uint32 // its number among the day's
	Kind   restaurantday.ActionKind
}

// UndoAction takes back what staff did on a day: the action of this number, or the last
// one where it is 0; of those on one entry where number is not 0. A rejection comes with
// the day that it is about.
func (a *App) UndoAction(
	ctx context.Context, c Caller, id domain.RestaurantID, date domain.ServiceDate, action, number uint32,
) (Undone, error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return Undone{}, err
	}
	who := c.actor(r.State)
	o, err := a.days.handle(ctx, codec.DayStream(id, date), Request[restaurantday.Command]{
		Command: restaurantday.Undo{Now: a.now(), Actor: who, Action: action, Number: number},
		ID:      a.commandID(c, string(id)+" "+date.String()), Meta: a.metadata(ctx, c, who, c.role(r.State)),
	})
	if err != nil {
		return Undone{Booked: addressed(r, date, who)}, err
	}
	for _, e := range o.Events {
		if undone, ok := e.(restaurantday.Undone); ok {
			b, err := booked(o, undone.Number)
			b.Staff = who.Kind == domain.ActorStaff
			return Undone{Booked: b, Action: undone.Action, Kind: undone.Kind}, err
		}
	}
	return Undone{}, fmt.Errorf("commands: nothing says what was undone on %s %s", id, date)
}

// today is the service date that it is at a restaurant.
func (a *App) today(r restaurantOutcome, now domain.Instant) (domain.ServiceDate, error) {
	loc, err := a.zoneOf(r)
	if err != nil {
		return 0, err
	}
	return domain.ServiceDateAt(now, loc, r.State.DayBoundary), nil
}

// onDay handles a command that may open its day. Where the day has no plan and cannot be
// given one, it is refused with why.
func (a *App) onDay(
	ctx context.Context, c Caller, r restaurantOutcome, date domain.ServiceDate, now domain.Instant, id [16]byte,
	command func(*restaurantday.Open) restaurantday.Command,
) (dayOutcome, error) {
	opening, planErr := a.opening(r, date, now)
	o, err := a.days.handle(ctx, codec.DayStream(r.State.ID, date), Request[restaurantday.Command]{
		Command: command(opening), ID: id, Meta: a.metadata(ctx, c, c.actor(r.State), c.role(r.State)),
	})
	if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeNotOpened && planErr != nil {
		return o, planErr
	}
	return o, err
}

package commands

import (
	"context"
	"encoding/hex"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// MoveReservation is another day for a reservation. Without Time and StartsAt it is to be at
// the time of day that it is now, without Party as large as it is.
type MoveReservation struct {
	Date     domain.ServiceDate
	Time     string
	StartsAt domain.Instant
	Party    domain.PartySize
}

// MoveReservation moves a confirmed reservation to another day. The old table is given up
// only when the new one is confirmed; where the other day refuses, the old one stays, and
// the refusal is that day's, with alternatives there, on the days around it and on the old
// day. The answer is the reservation on the other day.
//
// It goes in steps on two days, each of which can be done again: here the move is begun,
// there a table is held and confirmed, here the reservation is ended. Who dies between two
// of them leaves a move that processes goes on with.
func (a *App) MoveReservation(ctx context.Context, c Caller, id domain.ReservationID, m MoveReservation) (Booked, error) {
	key := c.Key
	for again := 1; ; again++ {
		command := a.commandID(c, string(id))
		begun, err := a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
			return restaurantday.StartMove{
				Now: a.now(), Actor: who, Number: number, To: m.Date, Time: m.Time, StartsAt: m.StartsAt, Party: m.Party,
				Move: hex.EncodeToString(command[:]),
			}
		})
		if err != nil {
			return begun, err
		}
		b, err := a.goOn(From(ctx, begun.origin), begun.ID, begun.Reservation.Moving)
		b.Staff, b.Replayed = begun.Staff, begun.Replayed
		// A move that came to nothing under this key before is decided anew, as any refusal is.
		if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeNotMoving && begun.Replayed && again < movesAKey {
			c.Key = fmt.Sprintf("%s again %d", key, again)
			continue
		}
		if err != nil {
			err = a.moveElsewhere(ctx, err, begun, begun.Reservation.Moving)
		}
		return b, err
	}
}

// movesAKey bounds how often one idempotency key begins a move anew.
const movesAKey = 16

// GoOnWithMove does what is left of a move that was begun, and answers whether it could come
// to be open again: false where nothing is left of it.
func (a *App) GoOnWithMove(ctx context.Context, id domain.ReservationID, m restaurantday.Moving) (open bool, err error) {
	_, err = a.goOn(ctx, id, m)
	if _, ok := domain.Rejected(err); ok {
		err = nil // the other day would not have it; that is on record
	}
	return err != nil, err
}

// moveAttempts bounds how often a hold that lapsed on the other day is taken again.
const moveAttempts = 3

// goOn takes a move from wherever it stands to its end.
func (a *App) goOn(ctx context.Context, id domain.ReservationID, m restaurantday.Moving) (Booked, error) {
	restaurant, date, number := id.Day()
	r, err := a.restaurantState(ctx, restaurant)
	if err != nil {
		return Booked{}, err
	}
	there := mover{a: a, id: id, move: m, day: r, stream: codec.DayStream(restaurant, m.To)}
	for range moveAttempts {
		here, err := a.days.state(ctx, codec.DayStream(restaurant, date), 0)
		if err != nil {
			return Booked{}, err
		}
		old, ok := here.State.Reservation(number)
		if !ok {
			return Booked{}, domain.Reject(domain.CodeNotFound, "no such reservation")
		}
		if old.Moving.Move != m.Move {
			return there.ended(ctx, old)
		}
		place, err := there.hold(ctx, old)
		if no, ok := domain.Rejected(err); ok {
			if _, err := a.ofMove(ctx, id, "abort", restaurantday.AbortMove{
				Now: a.now(), Actor: domain.System(), Number: number, Move: m.Move, Reason: no.Code,
			}); err != nil {
				return Booked{}, err
			}
			return Booked{Restaurant: restaurant, Date: m.To, Zone: r.State.Profile.TimeZone}, no
		}
		if err != nil {
			return Booked{}, err
		}
		confirmed, err := there.confirm(ctx, place)
		if no, ok := domain.Rejected(err); ok {
			if no.Code == domain.CodeHoldExpired || no.Code == domain.CodeCancelled {
				continue // somebody took long, or ended it there: hold again, or see that it is over here
			}
			return Booked{}, err
		}
		if err != nil {
			return Booked{}, err
		}
		_, err = a.ofMove(ctx, id, "finish", restaurantday.FinishMove{
			Now: a.now(), Actor: domain.System(), Number: number, Move: m.Move, To: confirmed.ID,
		})
		if _, ok := domain.Rejected(err); ok {
			continue // it was cancelled here meanwhile: then it ends there, too
		}
		return confirmed, err
	}
	return Booked{}, fmt.Errorf("%w: the move of %s to %s", ErrContended, id, m.To)
}

// ofMove handles a step of a move on the day that the reservation leaves.
func (a *App) ofMove(
	ctx context.Context, id domain.ReservationID, step string, command restaurantday.Command,
) (dayOutcome, error) {
	restaurant, date, _ := id.Day()
	return a.days.handle(ctx, codec.DayStream(restaurant, date), Request[restaurantday.Command]{
		Command: command, Meta: byItself(ctx, "move "+step),
	})
}

// mover is a move as the day sees it that a reservation goes to.
type mover struct {
	a      *App
	id     domain.ReservationID // that it moves
	move   restaurantday.Moving
	day    restaurantOutcome
	stream eventstore.StreamName
}

// place finds what was booked there for the move, the last first.
func (m mover) place(s restaurantday.State) (found *restaurantday.Reservation, times int) {
	for n := s.Reservations(); n >= 1; n-- {
		r, _ := s.Reservation(uint32(n))
		if r.MovedFrom != m.id {
			continue
		}
		times++
		if found == nil {
			found = r
		}
	}
	return found, times
}

// hold takes a table there, unless there is one already that still binds.
func (m mover) hold(ctx context.Context, old *restaurantday.Reservation) (Booked, error) {
	a := m.a
	now := a.now()
	there, err := a.days.state(ctx, m.stream, 0)
	if err != nil {
		return Booked{}, err
	}
	place, times := m.place(there.State)
	if place != nil && place.Status.Live() && (place.ExpiresAt == 0 || place.ExpiresAt > max(now, there.State.Clock())) {
		return booked(there, place.Number)
	}
	meta := byItself(ctx, "move")
	if old.Online {
		meta.Actor, meta.Role = domain.Diner(old.Diner), roleDiner // by the rules for guests
	}
	command := restaurantday.Hold{
		Now: now, Actor: meta.Actor, Diner: old.Diner, Party: m.move.Party, Time: m.move.Time, StartsAt: m.move.StartsAt,
		Wish: restaurantday.Wish{Area: old.Wish.Area}, Code: old.Code, Details: old.Details, MovedFrom: m.id,
	}
	if command.StartsAt != 0 {
		command.Time = ""
	}
	var planErr error
	command.Opening, planErr = a.opening(m.day, m.move.To, now)
	o, err := a.days.handle(ctx, m.stream, Request[restaurantday.Command]{
		Command: command, ID: codec.CommandID("", "move", string(m.id), fmt.Sprintf("%s %d", m.move.Move, times)),
		Meta: meta,
	})
	if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeNotOpened && planErr != nil {
		return Booked{}, planErr
	}
	if err != nil {
		return Booked{}, err
	}
	return booked(o, heldNumber(o.Events))
}

// confirm makes the table there firm.
func (m mover) confirm(ctx context.Context, place Booked) (Booked, error) {
	o, err := m.a.days.handle(ctx, m.stream, Request[restaurantday.Command]{
		Command: restaurantday.Confirm{Now: m.a.now(), Actor: domain.System(), Number: place.Reservation.Number},
		Meta:    byItself(ctx, "move"),
	})
	if err != nil {
		return Booked{}, err
	}
	return booked(o, place.Reservation.Number)
}

// ended answers for a move that is over on the day it leaves: with the reservation there if
// it went through, else after what may stand there was given back.
func (m mover) ended(ctx context.Context, old *restaurantday.Reservation) (Booked, error) {
	there, err := m.a.days.state(ctx, m.stream, 0)
	if err != nil {
		return Booked{}, err
	}
	place, _ := m.place(there.State)
	if old.Status == restaurantday.StatusMoved && place != nil {
		return booked(there, place.Number)
	}
	if place != nil && (place.Status == restaurantday.StatusPending || place.Status == restaurantday.StatusConfirmed) {
		_, err := m.a.days.handle(ctx, m.stream, Request[restaurantday.Command]{
			Command: restaurantday.Cancel{Now: m.a.now(), Actor: domain.System(), Number: place.Number},
			Meta:    byItself(ctx, "the move was ended"),
		})
		if _, ok := domain.Rejected(err); err != nil && !ok {
			return Booked{}, err
		}
	}
	return Booked{}, domain.Reject(domain.CodeNotMoving, "the move was ended before it came to a table; the reservation is "+string(old.Status),
		domain.Reason{Rule: "status", ActualAt: old.ChangedAt})
}

// maxMoves bounds how often one reservation is followed to another day.
const maxMoves = 64

// current follows a reservation that was moved to where it is now.
func (a *App) current(ctx context.Context, id domain.ReservationID) (domain.ReservationID, error) {
	for range maxMoves {
		restaurant, date, number := id.Day()
		o, err := a.days.state(ctx, codec.DayStream(restaurant, date), 0)
		if err != nil {
			return id, err
		}
		r, ok := o.State.Reservation(number)
		if !ok || r.Status != restaurantday.StatusMoved || r.MovedTo == "" {
			return id, nil
		}
		id = r.MovedTo
	}
	return id, fmt.Errorf("commands: reservation %s was moved more than %d times", id, maxMoves)
}

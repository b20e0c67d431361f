package commands

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// status is where an entry of the evening stands by the whole of its stream.
func (r *ring) status(date domain.ServiceDate, number uint32) (restaurantday.Status, error) {
	o, err := r.house.app().days.state(context.Background(), codec.DayStream(r.id, date), 0)
	if err != nil {
		return "", err
	}
	e, ok := o.State.Reservation(number)
	if !ok {
		return "", fmt.Errorf("there is no entry %d", number)
	}
	return e.Status, nil
}

// confirmLapseCancel has a hold be confirmed, given to another or recorded as lapsed, and
// cancelled, around the instant at which it lapses.
func confirmLapseCancel(r *ring) error {
	ctx := context.Background()
	r.next(30 * time.Minute)
	hold, err := r.held(ada, false)
	if err != nil {
		return err
	}
	around := []time.Duration{-20 * time.Second, -5 * time.Second, -5 * time.Second, -time.Millisecond, 0, time.Second}
	r.clock.set(hold.Reservation.ExpiresAt.Time().Add(around[r.rng.IntN(len(around))]))
	rival := r.rng.IntN(2) == 0
	answers := r.together(0,
		func(a *App) error {
			_, err := a.ConfirmReservation(ctx, caller(ada, ""), hold.ID)
			return err
		},
		func(a *App) error {
			if rival {
				_, err := a.HoldTable(ctx, caller(noor, ""), r.want(true))
				return said(err, domain.CodeNoTable)
			}
			_, err := a.RecordLapses(ctx, r.id, evening)
			return err
		},
		func(a *App) error {
			_, err := a.CancelReservation(ctx, caller(ada, ""), hold.ID, "")
			return said(err, domain.CodeHoldExpired)
		})
	status, err := r.status(evening, hold.Reservation.Number)
	if answers[0] == nil && status != restaurantday.StatusConfirmed && status != restaurantday.StatusCancelled {
		err = errors.Join(err, fmt.Errorf("it was confirmed and is %s", status))
	}
	return errors.Join(err, said(answers[0], domain.CodeHoldExpired, domain.CodeCancelled), answers[1], answers[2])
}

func (r *ring) join(a *App, who domain.UserID) (Waiting, error) {
	return a.JoinWaitlist(context.Background(), caller(who, ""), JoinWaitlist{
		Restaurant: r.id, Date: evening, FromTime: r.slot, ToTime: r.slot, Party: 2,
	})
}

func guest(n int) domain.UserID { return domain.NewUserID([16]byte{9, byte(n)}) }

// offersAndBookings has a table become free for which two wait and a third asks, while the
// first of the two leaves, another joins, or lapses are recorded.
func offersAndBookings(r *ring) error {
	ctx := context.Background()
	r.next(30 * time.Minute)
	table, err := r.held(ada, true)
	if err != nil {
		return err
	}
	first, err := r.join(r.apps[0], guest(1))
	if err != nil {
		return err
	}
	second, err := r.join(r.apps[0], guest(2))
	if err != nil {
		return err
	}
	third := r.rng.IntN(3)
	answers := r.together(0,
		func(a *App) error {
			_, err := a.CancelReservation(ctx, caller(ada, ""), table.ID, "")
			return err
		},
		func(a *App) error {
			_, err := a.HoldTable(ctx, caller(noor, ""), r.want(true))
			if code(err) != domain.CodeNoTable {
				return fmt.Errorf("somebody had the table before those who wait: %w", err)
			}
			return nil
		},
		func(a *App) error {
			switch third {
			case 0:
				_, err := r.join(a, guest(3))
				return err
			case 1:
				_, err := a.LeaveWaitlist(ctx, caller(guest(2), ""), second.ID)
				return err
			default:
				_, err := a.LeaveWaitlist(ctx, caller(guest(1), ""), first.ID)
				return err
			}
		})
	return errors.Join(answers...)
}

// offerAtItsEnd has an offer be accepted by a slow clock while by a quick one it lapses,
// and a third asks for its table.
func offerAtItsEnd(r *ring) error {
	ctx := context.Background()
	r.next(40 * time.Minute)
	table, err := r.held(ada, true)
	if err != nil {
		return err
	}
	waits, err := r.join(r.apps[0], guest(1))
	if err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 {
		if _, err := r.join(r.apps[0], guest(2)); err != nil {
			return err
		}
	}
	if _, err := r.apps[0].CancelReservation(ctx, caller(ada, ""), table.ID, ""); err != nil {
		return err
	}
	r.clock.set(r.clock.now().Add(10*time.Minute - 5*time.Second)) // see Policy.OfferMinutes
	answers := r.together(0,
		func(a *App) error {
			_, err := a.AcceptOffer(ctx, caller(guest(1), ""), waits.ID)
			return said(err, domain.CodeHoldExpired, domain.CodeNotWaiting)
		},
		func(a *App) error {
			_, err := a.RecordLapses(ctx, r.id, evening)
			return err
		},
		func(a *App) error {
			_, err := a.HoldTable(ctx, caller(noor, ""), r.want(true))
			return said(err, domain.CodeNoTable)
		})
	return errors.Join(answers...)
}

// twoHosts has two hosts want one table for two parties, and a third seat whoever comes.
func twoHosts(r *ring) error {
	ctx := context.Background()
	r.next(20 * time.Minute)
	one, err := r.held(ada, true)
	if err != nil {
		return err
	}
	two, err := r.held(noor, true)
	if err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 { // else both tables have a party, and who sits at the other's is refused
		if _, err := r.apps[0].CancelReservation(ctx, caller(noor, ""), two.ID, ""); err != nil {
			return err
		}
	}
	table := two.Reservation.Tables
	seat := r.rng.IntN(2) == 0
	host := caller(owner, "")
	answers := r.together(0,
		func(a *App) error {
			if seat {
				_, err := a.SeatParty(ctx, host, one.ID, 0, table)
				return said(err, domain.CodeNoTable)
			}
			_, err := a.MoveTable(ctx, host, one.ID, table)
			return said(err, domain.CodeNoTable)
		},
		func(a *App) error {
			_, err := a.SeatWalkIn(ctx, host, SeatWalkIn{Restaurant: r.id, Party: 2, Tables: table})
			return said(err, domain.CodeNoTable)
		},
		func(a *App) error {
			_, err := a.SeatWalkIn(ctx, host, SeatWalkIn{Restaurant: r.id, Party: 1})
			return said(err, domain.CodeNoTable)
		})
	return errors.Join(answers...)
}

// seatNoShowCancel has three hosts be of three minds about one party.
func seatNoShowCancel(r *ring) error {
	ctx := context.Background()
	r.next(time.Minute)
	b, err := r.held(ada, true)
	if err != nil {
		return err
	}
	r.clock.set(r.start)
	host := caller(owner, "")
	all := []domain.Code{domain.CodeStarted, domain.CodeCancelled, domain.CodeNoShow}
	answers := r.together(0,
		func(a *App) error { _, err := a.SeatParty(ctx, host, b.ID, 0, nil); return err },
		func(a *App) error { _, err := a.MarkNoShow(ctx, host, b.ID); return err },
		func(a *App) error { _, err := a.CancelReservation(ctx, host, b.ID, ""); return err })
	yes := 0
	for i, err := range answers {
		if answers[i] = said(err, all...); err == nil {
			yes++
		}
	}
	if yes != 1 {
		answers = append(answers, fmt.Errorf("%d of the three were told yes", yes))
	}
	return errors.Join(answers...)
}

// undoAndLater has a no-show be taken back while its table goes to others.
func undoAndLater(r *ring) error {
	ctx := context.Background()
	r.next(time.Minute)
	b, err := r.held(ada, true)
	if err != nil {
		return err
	}
	r.clock.set(r.start)
	host := caller(owner, "")
	if _, err := r.apps[0].MarkNoShow(ctx, host, b.ID); err != nil {
		return err
	}
	soon := r.want(true)
	soon.Time = r.start.Add(time.Hour + slotMinutes*time.Minute).Format("15:04")
	answers := r.together(0,
		func(a *App) error {
			_, err := a.UndoAction(ctx, host, r.id, evening, 0, b.Reservation.Number)
			return said(err, domain.CodeUndoBlocked)
		},
		func(a *App) error {
			_, err := a.SeatWalkIn(ctx, host, SeatWalkIn{Restaurant: r.id, Party: 2})
			return said(err, domain.CodeNoTable)
		},
		func(a *App) error {
			_, err := a.HoldTable(ctx, caller(noor, ""), soon)
			return said(err, domain.CodeNoTable)
		})
	return errors.Join(answers...)
}

// moveAndCancels has a reservation be moved to the next day while it is cancelled here, at
// any step of the move, and sometimes there.
func moveAndCancels(r *ring) error {
	ctx := context.Background()
	r.next(30 * time.Minute)
	b, err := r.held(ada, true)
	if err != nil {
		return err
	}
	there, err := r.house.app().days.state(ctx, codec.DayStream(r.id, evening+1), 0)
	if err != nil {
		return err
	}
	number := uint32(there.State.Reservations() + 1)
	var here, gone error
	var over atomic.Bool
	steps := r.rng.IntN(4)
	cancelThere := r.rng.IntN(2) == 0
	parts := []func(a *App) error{
		func(a *App) error {
			defer over.Store(true)
			_, err := a.MoveReservation(ctx, caller(ada, ""), b.ID, MoveReservation{Date: evening + 1})
			return said(err, domain.CodeNotMoving, domain.CodeCancelled)
		},
		func(a *App) error {
			_, here = a.CancelReservation(ctx, caller(ada, ""), b.ID, "")
			return said(here, domain.CodeMovedAway)
		},
	}
	done := make(chan struct{})
	gone = errors.New("not cancelled there")
	go func() {
		defer close(done)
		for cancelThere && !over.Load() {
			if _, gone = r.apps[2].CancelReservation(ctx, caller(owner, ""), domain.NewReservationID(r.id, evening+1, number), ""); code(gone) != domain.CodeNotFound {
				return
			}
			runtime.Gosched()
		}
	}()
	answers := r.together(steps, parts...)
	<-done
	live := 0
	for _, date := range []domain.ServiceDate{evening, evening + 1} {
		o, err := r.house.app().days.state(ctx, codec.DayStream(r.id, date), 0)
		if err != nil {
			return err
		}
		for n := 1; n <= o.State.Reservations(); n++ {
			if e, _ := o.State.Reservation(uint32(n)); e.Status.Live() {
				live++
			}
		}
	}
	switch {
	case here == nil && live != 0:
		err = fmt.Errorf("it was cancelled and has %d tables", live)
	case here != nil && gone != nil && live != 1, live > 1:
		err = fmt.Errorf("nobody cancelled it, and it has %d tables", live)
	}
	return errors.Join(append(answers, err)...)
}

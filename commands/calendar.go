package commands

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// SetSpecialDay gives a service date hours of its own.
func (a *App) SetSpecialDay(
	ctx context.Context, c Caller, id domain.RestaurantID, d restaurant.SpecialDay,
) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.SetSpecialDay{Now: a.now(), Actor: by, Day: d}
	})
}

// RemoveSpecialDay gives a service date the week's hours again.
func (a *App) RemoveSpecialDay(
	ctx context.Context, c Caller, id domain.RestaurantID, date domain.ServiceDate,
) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.RemoveSpecialDay{Now: a.now(), Actor: by, Date: date}
	})
}

// AddClosure closes a range of service dates; its id is made here.
func (a *App) AddClosure(
	ctx context.Context, c Caller, id domain.RestaurantID, k restaurant.Closure,
) (Receipt[restaurant.State], domain.ClosureID, error) {
	command := a.commandID(c, string(id))
	k.ID = domain.NewClosureID(command)
	r, err := a.manageAs(ctx, c, command, id, func(by domain.Actor) restaurant.Command {
		return restaurant.AddClosure{Now: a.now(), Actor: by, Closure: k}
	})
	return r, k.ID, err
}

// RemoveClosure ends a closure.
func (a *App) RemoveClosure(
	ctx context.Context, c Caller, id domain.RestaurantID, closure domain.ClosureID,
) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.RemoveClosure{Now: a.now(), Actor: by, ID: closure}
	})
}

// AddBlock keeps tables from being promised; its id is made here.
func (a *App) AddBlock(
	ctx context.Context, c Caller, id domain.RestaurantID, b restaurant.Block,
) (Receipt[restaurant.State], domain.BlockID, error) {
	command := a.commandID(c, string(id))
	b.ID = domain.NewBlockID(command)
	r, err := a.manageAs(ctx, c, command, id, func(by domain.Actor) restaurant.Command {
		return restaurant.AddBlock{Now: a.now(), Actor: by, Block: b}
	})
	return r, b.ID, err
}

// RemoveBlock ends a block.
func (a *App) RemoveBlock(
	ctx context.Context, c Caller, id domain.RestaurantID, block domain.BlockID,
) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.RemoveBlock{Now: a.now(), Actor: by, ID: block}
	})
}

// AddCombination lets tables be put together for one party; its id is made here.
func (a *App) AddCombination(
	ctx context.Context, c Caller, id domain.RestaurantID, k restaurantday.Combination,
) (Receipt[restaurant.State], domain.CombinationID, error) {
	command := a.commandID(c, string(id))
	k.ID = domain.NewCombinationID(command)
	r, err := a.manageAs(ctx, c, command, id, func(by domain.Actor) restaurant.Command {
		return restaurant.AddCombination{Now: a.now(), Actor: by, Combination: k}
	})
	return r, k.ID, err
}

// RemoveCombination ends a combination.
func (a *App) RemoveCombination(
	ctx context.Context, c Caller, id domain.RestaurantID, combination domain.CombinationID,
) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.RemoveCombination{Now: a.now(), Actor: by, ID: combination}
	})
}

const (
	// daysLookedAt is past the furthest horizon that a policy has, or has had.
	daysLookedAt = 731
	// readsAtOnce bounds how many streams are looked at together.
	readsAtOnce = 16
)

// openDays lists the days from yesterday on whose books are open, for somebody who wants
// the restaurant to be in another zone than it is. A day that is opened after this look is
// opened by one zone or the other, and its plan says by which.
func (a *App) openDays(ctx context.Context, c Caller, id domain.RestaurantID, zone string) ([]restaurant.OpenDay, error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State.Profile.TimeZone == zone || c.actor(r.State).Kind == domain.ActorDiner {
		return nil, nil // nothing changes, or he will be refused
	}
	now := a.now()
	first := domain.DateOf(now.Time()) - 1
	days := make([]restaurant.OpenDay, daysLookedAt+2)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i := range days {
		group.Go(func() (err error) {
			days[i], err = a.openDay(ctx, id, first.AddDays(i), now)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var open []restaurant.OpenDay
	for _, d := range days {
		if d.Date != 0 {
			open = append(open, d)
		}
	}
	return open, nil
}

// openDay is what a day's book holds; without a date where it is not open. A day that is
// not open is not kept in memory.
func (a *App) openDay(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate, now domain.Instant) (restaurant.OpenDay, error) {
	stream := codec.DayStream(id, date)
	for _, err := range a.cfg.Store.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return restaurant.OpenDay{}, nil
		}
		if err != nil {
			return restaurant.OpenDay{}, err
		}
		break
	}
	o, err := a.days.state(ctx, stream, permissionAge)
	if err != nil || !o.State.Opened() {
		return restaurant.OpenDay{}, err
	}
	day := restaurant.OpenDay{Date: date}
	for _, b := range o.State.Bookings() {
		if b.Expires == 0 || b.Expires > now {
			day.Reservations++
		}
	}
	return day, nil
}

package commands

import (
	"context"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore/codec"
)

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
	if ok, err := a.exists(ctx, stream); err != nil || !ok {
		return restaurant.OpenDay{}, err
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

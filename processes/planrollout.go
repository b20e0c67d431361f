package processes

import (
	"context"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// RollOuts is what carries changes of restaurants to days that are open. What it has done
// already it does not do again.
type RollOuts interface {
	RollOut(context.Context, domain.RestaurantID) error
	RollOutDay(context.Context, domain.RestaurantID, domain.ServiceDate) error
}

// NewPlanRollout makes the process that carries changes to open days: whenever a restaurant
// changes what its days are opened with, then all of its days that are open get it; and
// whenever a day is opened, then it gets what was changed since what it was opened with, as
// who opened it may have known the restaurant as it was a moment before.
func NewPlanRollout(cfg Config, app RollOuts) (*Deadlines, error) {
	r := rule{see: seeChanges, types: map[string]bool{codec.TypeDayOpened: true, codec.TypeRestaurantPlanDecided: true}}
	for _, name := range []string{
		codec.TypeRestaurantHoursSet, codec.TypeRestaurantPolicySet,
		codec.TypeRestaurantTableAdded, codec.TypeRestaurantTableChanged, codec.TypeRestaurantTableRemoved,
		codec.TypeRestaurantSpecialDaySet, codec.TypeRestaurantSpecialDayRemoved,
		codec.TypeRestaurantClosureAdded, codec.TypeRestaurantClosureRemoved,
		codec.TypeRestaurantBlockAdded, codec.TypeRestaurantBlockRemoved,
		codec.TypeRestaurantCombinationAdded, codec.TypeRestaurantCombinationRemoved,
	} {
		r.types[name] = true
	}
	if app != nil {
		r.act = func(ctx context.Context, k key) error {
			err := errSettled
			if id, ok := codec.ParseRestaurantStream(k.stream); ok {
				err = app.RollOut(ctx, id)
			} else if id, date, ok := codec.ParseDayStream(k.stream); ok {
				err = app.RollOutDay(ctx, id, date)
			}
			if err == nil {
				return errSettled // there is nobody to wait for: the days have it
			}
			return err
		}
	}
	return newDeadlines(commands.ProcessPlanRollout, cfg, r)
}

func seeChanges(d *Deadlines, stream eventstore.StreamName, event any) {
	k := key{stream: stream, kind: aRollout}
	switch e := event.(type) {
	case restaurantday.Opened:
		d.await(k, e.At)
	case restaurant.PlanDecided:
		d.await(k, e.At)
	case restaurant.Event:
		if restaurant.AffectsPlans(e) {
			d.await(k, e.DecidedAt())
		}
	}
}

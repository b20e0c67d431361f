package commands

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// RollOut carries what was changed about a restaurant to all of its days from today on that
// are open, one change after the other and each with what was decided for it. Days that have
// it already are left as they are, so it can be done again, by several at once, and from
// wherever it was left.
func (a *App) RollOut(ctx context.Context, id domain.RestaurantID) error {
	r, err := a.restaurants.state(ctx, codec.RestaurantStream(id), 0)
	if err != nil || !r.State.Registered() {
		return err
	}
	return a.eachOpenDay(ctx, r.State, a.now(), func(ctx context.Context, d dayOutcome) error { return a.rollOut(ctx, r, d) })
}

// RollOutDay is RollOut for one day, which may have been opened with what the restaurant was
// a moment ago.
func (a *App) RollOutDay(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate) error {
	r, err := a.restaurants.state(ctx, codec.RestaurantStream(id), 0)
	if err != nil || !r.State.Registered() {
		return err
	}
	if first, err := a.firstDay(r.State, a.now()); err != nil || date < first {
		return err
	}
	d, err := a.days.state(ctx, codec.DayStream(id, date), 0)
	if err != nil || !d.State.Opened() {
		return err
	}
	return a.rollOut(ctx, r, d)
}

// rollOut brings one day from the plan it has to the restaurant's.
func (a *App) rollOut(ctx context.Context, r restaurantOutcome, d dayOutcome) error {
	steps, err := a.stepsFor(ctx, d.State, r)
	if err != nil {
		return err
	}
	stream := codec.DayStream(d.State.Restaurant, d.State.Date)
	for _, step := range steps {
		ctx := From(ctx, step.origin)
		if err := a.fenceDay(ctx, d.State.Restaurant, d.State.Date, step.Plan); err != nil {
			return err
		}
		step.Now = a.now()
		if _, err = a.days.handle(ctx, stream, Request[restaurantday.Command]{
			Command: step.ChangePlan, Meta: byItself(ctx, "change "+step.Change),
		}); err != nil {
			return fmt.Errorf("change %s on %s: %w", step.Change, d.State.Date, err)
		}
	}
	return nil
}

// fenceDay keeps what a plan takes away from a day from being booked.
func (a *App) fenceDay(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate, plan *restaurantday.Plan) error {
	change := strconv.FormatUint(plan.Revision, 10)
	_, err := a.days.handle(ctx, codec.DayStream(id, date), Request[restaurantday.Command]{
		Command: restaurantday.FencePlan{Now: a.now(), Actor: domain.System(), Change: change, Plan: plan},
		Meta:    byItself(ctx, "change "+change),
	})
	return err
}

// dayStep is a change as one day is told of it.
type dayStep struct {
	restaurantday.ChangePlan
	origin Origin // the change
}

// planStep is a change of a restaurant with what was decided for open days.
type planStep struct {
	state     restaurant.State // after it
	revision  uint64           // of its last event
	standard  restaurantday.Resolution
	decisions []restaurant.BookingDecision
	origin    Origin // of what a day is told: its last event
}

// stepsFor are the changes that a day has not seen, in order, each as the day is to be told.
func (a *App) stepsFor(ctx context.Context, day restaurantday.State, r restaurantOutcome) ([]dayStep, error) {
	has := day.Agreed()
	if has.Revision >= r.Entries-1 {
		return nil, nil
	}
	if day.Fence() == "" {
		// Most of what is changed about a restaurant is nothing to most of its days.
		if plan, err := a.planFor(r.State, day, r.Entries-1); err != nil || plan.SameAs(has) {
			return nil, err
		}
	}
	steps, err := a.planSteps(ctx, day.Restaurant, has.Revision)
	if err != nil {
		return nil, err
	}
	var list []dayStep
	for _, s := range steps {
		plan, err := a.planFor(s.state, day, s.revision)
		if err != nil {
			return nil, err
		}
		c := restaurantday.ChangePlan{
			Now: a.now(), Actor: domain.System(), Change: strconv.FormatUint(s.revision, 10), Plan: plan, Default: s.standard, Binding: true,
		}
		for _, d := range s.decisions {
			if _, date, number := d.Reservation.Day(); date == day.Date {
				c.Decisions = append(c.Decisions, restaurantday.Decision{Number: number, Do: d.Do, Message: d.Message})
			}
		}
		list = append(list, dayStep{c, s.origin})
	}
	return list, nil
}

// planSteps reads a restaurant's changes after a revision that may make another plan of a
// day. What was changed without a decision goes with the change after it, or is the last.
func (a *App) planSteps(ctx context.Context, id domain.RestaurantID, after uint64) (steps []planStep, err error) {
	f := folded[restaurant.State]{State: restaurant.State{}, outcomes: map[[16]byte]mark{}}
	var open *planStep
	var decisions []restaurant.BookingDecision
	err = a.restaurants.read(ctx, codec.RestaurantStream(id), &f, func(r read[restaurant.Event]) bool {
		revision := f.entries - 1
		origin := following(ProcessPlanRollout, r.id, r.meta)
		switch e := r.event.(type) {
		case restaurant.BookingDecided:
			decisions = append(decisions, e.BookingDecision)
		case restaurant.PlanDecided:
			if revision > after {
				steps = append(steps, planStep{state: f.State, revision: revision, standard: e.Default, decisions: decisions, origin: origin})
			}
			decisions, open = nil, nil
		default:
			if restaurant.AffectsPlans(e) && revision > after {
				open = &planStep{state: f.State, revision: revision, origin: origin}
			}
		}
		return true
	})
	if open != nil {
		steps = append(steps, *open)
	}
	return steps, err
}

// carriedOut is an open day as it will be once it has the changes of before.
func (a *App) carriedOut(ctx context.Context, day restaurantday.State, r restaurantOutcome) (restaurantday.State, error) {
	steps, err := a.stepsFor(ctx, day, r)
	if err != nil {
		return day, err
	}
	for _, step := range steps {
		events, err := a.cfg.Day.Decide(day, step.ChangePlan)
		if err != nil {
			return day, err
		}
		day = a.cfg.Day.Fold(day, events...)
	}
	return day, nil
}

// firstDay is the service date that a restaurant has now.
func (a *App) firstDay(r restaurant.State, now domain.Instant) (domain.ServiceDate, error) {
	loc := a.zone(r.Profile.TimeZone)
	if loc == nil {
		return 0, fmt.Errorf("commands: restaurant %s has the unknown time zone %q", r.ID, r.Profile.TimeZone)
	}
	return domain.ServiceDateAt(now, loc, r.DayBoundary), nil
}

// eachOpenDay shows a restaurant's open days from today on, several at once.
func (a *App) eachOpenDay(ctx context.Context, r restaurant.State, now domain.Instant, see func(context.Context, dayOutcome) error) error {
	first, err := a.firstDay(r, now)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i := range daysLookedAt {
		group.Go(func() error {
			stream := codec.DayStream(r.ID, first.AddDays(i))
			if ok, err := a.exists(ctx, stream); err != nil || !ok {
				return err
			}
			d, err := a.days.state(ctx, stream, 0)
			if err != nil || !d.State.Opened() {
				return err
			}
			return see(ctx, d)
		})
	}
	return group.Wait()
}

// exists tells whether there is a stream, without keeping anything of it in memory.
func (a *App) exists(ctx context.Context, stream eventstore.StreamName) (bool, error) {
	for _, err := range a.cfg.Store.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	return false, nil
}

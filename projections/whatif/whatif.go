// Package whatif tells what a restaurant's days would have come to under another plan: the
// requests that it had, accepted and refused, are decided again, in their order and by the
// same decider, and what diners and staff did afterwards is done again at its instant.
//
// What belongs here: reading a restaurant's history off the ledger, finding the commands
// that made it, giving them to a second world, and setting both side by side. It only
// reads, keeps nothing, and needs no personal data: the codec it reads with has no keys.
// What another plan is, and whether there can be one, is domain/restaurant's; the rules are
// domain/restaurantday's; how the figures are shown is the edges'.
//
// # What is assumed
//
// A party that has a place in both worlds does in the other what it did in history, at the
// same instants. One that history refused and the other world accepts confirms at once,
// comes, and stays for its turn: nothing is known of it. One that history accepted and the
// other world refuses asks for nothing else, and what it did later is left out. See
// docs/what-if.md for all of it.
package whatif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// ErrNotFound says that there is no such restaurant.
var ErrNotFound = errors.New("whatif: no such restaurant")

// Question is what is asked of one restaurant.
type Question struct {
	Restaurant domain.RestaurantID
	From, To   domain.ServiceDate // both belong to it
	Plan       restaurant.OtherPlan
	Now        domain.Instant // what lapses by the clock is judged by it
}

// Answer is one restaurant's days side by side.
type Answer struct {
	Restaurant  domain.RestaurantID
	Name        string
	Zone        string
	Days        []Day // those with a book or a request, by date
	Decisions   int   // commands and refused requests that were decided again
	Differences []Difference
}

// Day is one day side by side.
type Day struct {
	Date            domain.ServiceDate
	History, WhatIf Figures
}

// Ask replays a restaurant's days under another plan. The answer depends on the ledger up to
// its end, on nothing else, and nothing is written.
//
// Errors: ErrNotFound; a rejection where the plan cannot be; the store's and the codec's.
func Ask(ctx context.Context, ledger eventstore.Reader, q Question) (Answer, error) {
	a, _, err := ask(ctx, ledger, q)
	return a, err
}

func ask(ctx context.Context, ledger eventstore.Reader, q Question) (a Answer, r *replay, err error) {
	h, err := read(ctx, ledger, q.Restaurant, q.From, q.To)
	if err != nil {
		return a, nil, err
	}
	r = &replay{history: h, plan: q.Plan, days: make(map[domain.ServiceDate]*day, len(h.days)), plans: map[planKey]*restaurantday.Plan{}}
	for _, d := range h.days {
		r.days[d.date] = newDay(r, d)
	}
	for i, s := range h.steps() {
		if i%256 == 0 && ctx.Err() != nil {
			return a, r, ctx.Err()
		}
		if err := r.days[s.date].step(s); err != nil {
			return a, r, fmt.Errorf("%s of %s: %w", s.date, q.Restaurant, err)
		}
	}
	profile := h.latest().Profile
	a = Answer{Restaurant: q.Restaurant, Name: profile.Name, Zone: profile.TimeZone}
	for _, past := range h.days {
		d := r.days[past.date]
		if err := d.lapseOwn(q.Now); err != nil {
			return a, r, err
		}
		both, err := d.sideBySide(q.Now)
		if err != nil {
			return a, r, err
		}
		a.Days = append(a.Days, both)
		a.Decisions += d.decisions
		a.Differences = append(a.Differences, d.differences(q.Now)...)
	}
	slices.SortStableFunc(a.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(x.Date, y.Date), cmp.Compare(x.At, y.At))
	})
	return a, r, nil
}

// replay is one restaurant's history and the other world beside it.
type replay struct {
	*history
	plan  restaurant.OtherPlan
	days  map[domain.ServiceDate]*day
	plans map[planKey]*restaurantday.Plan
}

// planKey names a plan of history. One revision of the restaurant gives a date one plan,
// but for the zone: a day stays in the zone it was opened in.
type planKey struct {
	date     domain.ServiceDate
	revision uint64
	zone     string
}

// other is a plan of history as the question has it.
func (r *replay) other(date domain.ServiceDate, plan *restaurantday.Plan) (*restaurantday.Plan, error) {
	key := planKey{date, plan.Revision, plan.Zone}
	if p, ok := r.plans[key]; ok {
		return p, nil
	}
	loc, err := zone(plan.Zone)
	if err != nil {
		return nil, err
	}
	p, err := r.plan.Over(plan, r.at(plan.Revision), date, loc)
	if err != nil {
		return nil, err
	}
	r.plans[key] = p
	return p, nil
}

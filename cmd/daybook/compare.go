package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/projections/whatif"
)

// compareCommand decides reservations that were made elsewhere under several ways to give
// tables, side by side. It opens no ledger and writes nothing.
type compareCommand struct {
	Restaurants  string `required:"" type:"existingfile" placeholder:"FILE" help:"CSV: ${restaurant_columns}."`
	Plan         string `required:"" type:"existingfile" placeholder:"FILE" help:"JSON: the hours, tables, combinations and policy each restaurant is given (docs/examples/tight.json)."`
	Reservations string `required:"" type:"existingfile" placeholder:"FILE" help:"CSV: ${reservation_columns}; times local to the restaurant."`
}

// way is one way to give tables.
type way struct {
	name         string
	assignment   restaurantday.Assignment
	combinations bool
}

// ways are what is compared; the first is what the others are measured by.
var ways = []way{
	{"first fit", restaurantday.FirstFit, false},
	{"+ late binding", restaurantday.LateBinding, false},
	{"+ combinations", restaurantday.FirstFit, true},
	{"+ both", restaurantday.LateBinding, true},
}

// tally is what one way comes to.
type tally struct {
	whatif.Tally
	byRestaurant map[string]int // accepted
}

func (c *compareCommand) Run(ctx context.Context, out io.Writer) error {
	plan, err := readPlan(c.Plan)
	if err != nil {
		return err
	}
	places, err := readCSV(c.Restaurants, restaurantColumns...)
	if err != nil {
		return err
	}
	zones := map[string]*time.Location{}
	for _, r := range places.restaurants() {
		zones[r.name] = r.zone
	}
	file, err := readCSV(c.Reservations, reservationColumns...)
	if err != nil {
		return err
	}
	rows := file.reservations(zones)
	printBad(out, c.Restaurants, places.bad)
	printBad(out, c.Reservations, file.bad)
	if len(rows) == 0 {
		return fmt.Errorf("%s: no row can be booked", c.Reservations)
	}
	days, order := daysOf(rows, plan.dayBoundary, zones)
	tallies := make([]tally, len(ways))
	for i, w := range ways {
		if w.combinations && len(plan.combinations) == 0 {
			continue
		}
		if tallies[i], err = w.decide(ctx, plan, zones, days, order); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return printComparison(out, tallies, len(rows))
}

// daysOf sorts reservations by restaurant-day, within one by when they were made; of those
// made at one instant, lines keep their order. Order is that of the first of each day.
func daysOf(rows []importedReservation, boundary int, zones map[string]*time.Location) (days map[importDay][]importedReservation, order []importDay) {
	slices.SortStableFunc(rows, func(a, b importedReservation) int { return int(a.at - b.at) })
	days = map[importDay][]importedReservation{}
	for _, r := range rows {
		d := importDay{r.restaurant, domain.ServiceDateAt(r.startsAt, zones[r.restaurant], boundary)}
		if _, known := days[d]; !known {
			order = append(order, d)
		}
		days[d] = append(days[d], r)
	}
	return days, order
}

// decide plays all days under one way.
func (w way) decide(
	ctx context.Context, plan importPlan, zones map[string]*time.Location, days map[importDay][]importedReservation, order []importDay,
) (tally, error) {
	restaurants := map[*time.Location]restaurant.State{}
	for _, d := range order {
		zone := zones[d.restaurant]
		if _, known := restaurants[zone]; known {
			continue
		}
		s, err := w.restaurant(plan, zone)
		if err != nil {
			return tally{}, err
		}
		restaurants[zone] = s
	}
	worlds := make([]whatif.World, len(order))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(importWorkers)
	for i, d := range order {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			zone := zones[d.restaurant]
			s := restaurants[zone]
			day, err := s.DayPlan(d.date, 1, zone)
			if err != nil {
				return err
			}
			for _, r := range days[d] {
				_, _, err := worlds[i].Do(restaurantday.Hold{
					Now: r.at, Opening: &restaurantday.Open{Now: r.at, Restaurant: s.ID, Date: d.date, Plan: day},
					Actor: domain.Importer(), Party: r.party, StartsAt: r.startsAt, Confirm: true, InOrder: true,
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return tally{}, err
	}
	t := tally{byRestaurant: map[string]int{}}
	for i, w := range worlds {
		t.Add(w.Tally)
		t.byRestaurant[order[i].restaurant] += w.Tally.Accepted
	}
	return t, nil
}

// restaurant is one with this plan and zone, made by the commands that make any other.
func (w way) restaurant(plan importPlan, zone *time.Location) (restaurant.State, error) {
	id := func(n int) (b [16]byte) {
		binary.BigEndian.PutUint64(b[8:], uint64(n))
		return b
	}
	by := domain.Importer()
	policy := plan.policy
	policy.Assignment = w.assignment
	commands := []restaurant.Command{
		restaurant.Register{Now: 1, Actor: by, ID: domain.NewRestaurantID(id(1)), Zone: zone, Profile: restaurant.Profile{
			Name: "compared", Cuisine: "any", Address: "none", City: "none", TimeZone: zone.String(), Location: &restaurant.Location{},
		}},
		restaurant.SetHours{Now: 1, Actor: by, Shifts: plan.shifts, DayBoundary: &plan.dayBoundary},
		restaurant.SetPolicy{Now: 1, Actor: by, Policy: policy},
	}
	tables := map[string]domain.TableID{}
	for i, t := range plan.tables {
		t.ID = domain.NewTableID(id(i))
		tables[t.Number] = t.ID
		commands = append(commands, restaurant.AddTable{Now: 1, Actor: by, Table: t})
	}
	for i, c := range plan.combinations {
		if !w.combinations {
			break
		}
		combination := restaurantday.Combination{ID: domain.NewCombinationID(id(i)), Min: c.Min, Max: c.Max}
		for _, number := range c.Tables {
			combination.Tables = append(combination.Tables, tables[number]) // one that is not there is refused
		}
		commands = append(commands, restaurant.AddCombination{Now: 1, Actor: by, Combination: combination})
	}
	commands = append(commands, restaurant.Publish{Now: 1, Actor: by})
	decider := restaurant.Decider()
	s := decider.Initial()
	for _, c := range commands {
		events, err := decider.Decide(s, c)
		if err != nil {
			return restaurant.State{}, fmt.Errorf("%T: %w", c, err)
		}
		s = decider.Fold(s, events...)
	}
	return s, nil
}

// printComparison shows what the ways come to, and at which restaurants one accepts fewer
// than the first.
func printComparison(out io.Writer, tallies []tally, rows int) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\taccepted\trefused\tcovers\tparties moved\tfor\tcombined\tgain at\tlose at\t")
	base := tallies[0]
	var losers []string
	for i, t := range tallies {
		if t.byRestaurant == nil {
			continue
		}
		gain := 0
		var lost []string
		for name, n := range t.byRestaurant {
			switch was := base.byRestaurant[name]; {
			case n > was:
				gain++
			case n < was:
				lost = append(lost, fmt.Sprintf("%s %d → %d", name, was, n))
			}
		}
		slices.Sort(lost)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", ways[i].name, t.Accepted, rows-t.Accepted, t.Covers,
			t.Moves, t.Reassigned, t.Combined, gain, len(lost))
		if len(lost) > 0 {
			losers = append(losers, fmt.Sprintf("%s, restaurants that lose: %s", strings.TrimPrefix(ways[i].name, "+ "), strings.Join(lost, ", ")))
		}
	}
	err := w.Flush()
	for _, l := range losers {
		_, failed := fmt.Fprintln(out, l)
		err = errors.Join(err, failed)
	}
	return err
}

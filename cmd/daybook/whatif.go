package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections/whatif"
	"daybook/readapi"
)

// whatIfCommand decides a restaurant's real requests again under another plan. It reads the
// ledger and writes nothing to it.
type whatIfCommand struct {
	Data          string   `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Folder of the embedded ledger, while no server has it."`
	EventstoreURL string   `name:"eventstore-url" env:"EVENTSTORE_URL" placeholder:"esdb://…" help:"EventStoreDB or KurrentDB instead of the embedded ledger."`
	Restaurants   []string `required:"" placeholder:"ID,…" help:"Restaurants, by id or name; all for every one."`
	From          string   `required:"" placeholder:"DATE" help:"First service date, YYYY-MM-DD."`
	To            string   `required:"" placeholder:"DATE" help:"Last service date."`
	Plan          string   `type:"existingfile" placeholder:"FILE" help:"JSON: what is another, in the form of docs/examples/plan.json; every part may be left out. Without a file nothing is."`
	SpendPerCover string   `placeholder:"AMOUNT" help:"What a cover spends, such as \"32.50 EUR\": adds revenue per available seat-hour."`
	Differences   bool     `help:"List each request that came to something else."`
	ByDay         bool     `help:"Show every day, too."`
	CSV           string   `placeholder:"FILE" help:"Write every restaurant and day as CSV."`
	JSON          string   `name:"json" placeholder:"FILE" help:"Write everything as JSON."`
	SVG           string   `name:"svg" placeholder:"FILE" help:"Draw it."`
}

func (c *whatIfCommand) Run(ctx context.Context, out io.Writer) (err error) {
	q, spend, err := c.question()
	if err != nil {
		return err
	}
	ledger, closer, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	ids, err := restaurantsOf(ctx, ledger, c.Restaurants)
	if err != nil {
		return err
	}
	began := time.Now()
	answers, err := askAll(ctx, out, ledger, q, ids)
	if err != nil {
		return err
	}
	r := whatIfReport{question: q, spend: spend, took: time.Since(began)}
	for _, a := range answers {
		if len(a.Days) > 0 {
			r.add(readapi.WhatIfOf(a, q, spend, len(a.Differences)))
		}
	}
	return c.tell(out, r)
}

// tell shows what came of it, and writes what is to be written.
func (c *whatIfCommand) tell(out io.Writer, r whatIfReport) error {
	if err := r.print(out, c.ByDay, c.Differences); err != nil {
		return err
	}
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{{c.CSV, r.csv}, {c.JSON, r.json}, {c.SVG, r.svg}} {
		if f.path == "" {
			continue
		}
		if err := writeWhole(f.path, f.write); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, "written:", f.path); err != nil {
			return err
		}
	}
	return nil
}

// question is what is asked of each restaurant.
func (c *whatIfCommand) question() (q whatif.Question, spend domain.Money, err error) {
	q.Now = domain.InstantOf(time.Now())
	if q.From, err = domain.ParseServiceDate(c.From); err != nil {
		return q, spend, fmt.Errorf("--from: %w", err)
	}
	if q.To, err = domain.ParseServiceDate(c.To); err != nil {
		return q, spend, fmt.Errorf("--to: %w", err)
	}
	if q.To < q.From {
		return q, spend, errors.New("--to: is before --from")
	}
	if c.Plan != "" {
		if q.Plan, spend, err = readOtherPlan(c.Plan); err != nil {
			return q, spend, err
		}
	}
	if c.SpendPerCover != "" {
		if spend, err = parseMoney(c.SpendPerCover); err != nil {
			return q, spend, fmt.Errorf("--spend-per-cover: %w", err)
		}
	}
	return q, spend, nil
}

// open opens the ledger for reading.
func (c *whatIfCommand) open(ctx context.Context) (eventstore.Reader, io.Closer, error) {
	place := storePlace{data: c.Data}
	if c.EventstoreURL != "" {
		place = storePlace{url: c.EventstoreURL}
	}
	store, err := place.open(ctx, true)
	if errors.Is(err, errDataInUse) {
		return nil, nil, fmt.Errorf("%w; or ask the server that has it: POST /api/v1/restaurants/{id}/what-if", err)
	}
	return store, store, err
}

// restaurantsOf finds restaurants by id or name; "all" are all there are.
func restaurantsOf(ctx context.Context, ledger eventstore.Reader, wanted []string) (ids []domain.RestaurantID, err error) {
	names := map[string][]domain.RestaurantID{}
	for r, err := range ledger.ReadAll(ctx, eventstore.Start, eventstore.TypePrefix(codec.TypeRestaurantRegistered)) {
		if err != nil {
			return nil, err
		}
		d, err := codec.New(nil).Decode(ctx, r)
		if err != nil {
			return nil, err
		}
		if e, ok := d.Event.(restaurant.Registered); ok {
			names[e.Profile.Name] = append(names[e.Profile.Name], e.ID)
			names[string(e.ID)] = append(names[string(e.ID)], e.ID)
			ids = append(ids, e.ID)
		}
	}
	if slices.Equal(wanted, []string{"all"}) {
		return ids, nil
	}
	ids = nil
	for _, w := range wanted {
		w = strings.TrimSpace(w)
		switch found := names[w]; len(found) {
		case 0:
			return nil, fmt.Errorf("--restaurants: there is no %q", w)
		case 1:
			ids = append(ids, found[0])
		default:
			return nil, fmt.Errorf("--restaurants: %d are called %q; name them by id", len(found), w)
		}
	}
	return ids, nil
}

// askAll asks the same of several restaurants at once, and answers in their order.
func askAll(ctx context.Context, out io.Writer, ledger eventstore.Reader, q whatif.Question, ids []domain.RestaurantID) ([]whatif.Answer, error) {
	bar := progress(out, len(ids), "restaurants")
	defer bar.Close()
	answers := make([]whatif.Answer, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(importWorkers)
	for i, id := range ids {
		g.Go(func() (err error) {
			q := q
			q.Restaurant = id
			if answers[i], err = whatif.Ask(ctx, ledger, q); err != nil {
				return err
			}
			return bar.Add(1)
		})
	}
	return answers, g.Wait()
}

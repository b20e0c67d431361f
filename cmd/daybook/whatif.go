package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections/whatif"
	"daybook/readapi"
)

// whatIfCommand decides restaurants' real requests again under another plan, in the process
// that has the data folder or, where none has it, here. It reads the ledger and writes
// nothing to it.
type whatIfCommand struct {
	Data          string   `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Folder of the embedded ledger; the server that has it is asked."`
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

// whatIfOrder asks what several restaurants' days would have come to. Its fields are the
// flags' texts, and the plan's file.
type whatIfOrder struct {
	Restaurants             []string
	From, To, SpendPerCover string
	Plan                    json.RawMessage `json:",omitempty"` // nil for an unchanged one
}

const whatIfPath = "/what-if"

func (o whatIfOrder) check() error {
	_, _, err := o.question()
	return err
}

func (whatIfOrder) work() string { return "a what-if" }

// LogValue leaves the plan out.
func (o whatIfOrder) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("restaurants", o.Restaurants), slog.String("from", o.From), slog.String("to", o.To))
}

// whatIfsDone is the answers, of restaurants that have any.
type whatIfsDone struct{ Restaurants []readapi.WhatIf }

// LogValue is how many they are.
func (d whatIfsDone) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("restaurants", len(d.Restaurants)))
}

func (c *whatIfCommand) Run(ctx context.Context, out io.Writer) error {
	o := whatIfOrder{Restaurants: c.Restaurants, From: c.From, To: c.To, SpendPerCover: c.SpendPerCover}
	var err error
	if c.Plan != "" {
		if o.Plan, err = readBounded(c.Plan); err != nil {
			return err
		}
	}
	q, spend, err := o.question()
	if err != nil {
		return err
	}
	began := time.Now()
	bar := newMeter(out)
	done, err := c.ask(ctx, o, bar.tell)
	bar.end()
	if err != nil {
		return err
	}
	r := whatIfReport{question: q, spend: spend, took: time.Since(began)}
	for _, w := range done.Restaurants {
		r.add(w)
	}
	return c.tell(out, r)
}

// ask has it answered: here, or by the process that has the data folder. Nothing but the
// ledger is opened.
func (c *whatIfCommand) ask(ctx context.Context, o whatIfOrder, progress tell) (done whatIfsDone, err error) {
	place := storePlace{data: c.Data}
	if c.EventstoreURL != "" {
		place = storePlace{url: c.EventstoreURL}
	}
	store, err := place.open(ctx, true)
	if errors.Is(err, errDataInUse) {
		return giveInstead[whatIfsDone](ctx, err, c.Data, whatIfPath, o, progress)
	}
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return whatIfs(ctx, store, time.Now, runtime.GOMAXPROCS(0), o, progress)
}

// takeWhatIfs answers what-ifs when they are ordered, on half of the cores.
func takeWhatIfs(a *admin, ledger eventstore.Reader, clock func() time.Time) {
	takeOrdersFor(a, whatIfPath, func(ctx context.Context, o whatIfOrder, progress tell) (whatIfsDone, error) {
		return whatIfs(ctx, ledger, clock, max(1, runtime.GOMAXPROCS(0)/2), o, progress)
	})
}

// whatIfs answers for several restaurants, so many at once, in their order.
func whatIfs(
	ctx context.Context, ledger eventstore.Reader, clock func() time.Time, atOnce int, o whatIfOrder, progress tell,
) (done whatIfsDone, err error) {
	q, spend, err := o.question()
	if err != nil {
		return done, err
	}
	q.Now = domain.InstantOf(clock())
	ids, err := restaurantsOf(ctx, ledger, o.Restaurants)
	if err != nil {
		return done, err
	}
	var mu sync.Mutex
	answered := uint64(0)
	answers := make([]whatif.Answer, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() (err error) {
			q := q
			q.Restaurant = id
			if answers[i], err = whatif.Ask(ctx, ledger, q); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			answered++
			progress("restaurants", answered, uint64(len(ids)))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return done, err
	}
	for _, a := range answers {
		if len(a.Days) > 0 {
			done.Restaurants = append(done.Restaurants, readapi.WhatIfOf(a, q, spend, len(a.Differences)))
		}
	}
	return done, nil
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

// mostWhatIfDays is the longest range, in days: each day of it is looked for.
const mostWhatIfDays = 3660

// question is what is asked of each restaurant, and what a cover spends. Errors name the
// flag.
func (o whatIfOrder) question() (q whatif.Question, spend domain.Money, err error) {
	if q.From, err = domain.ParseServiceDate(o.From); err != nil {
		return q, spend, fmt.Errorf("--from: %w", err)
	}
	if q.To, err = domain.ParseServiceDate(o.To); err != nil {
		return q, spend, fmt.Errorf("--to: %w", err)
	}
	switch days := int(q.To-q.From) + 1; {
	case days < 1:
		return q, spend, errors.New("--to: is before --from")
	case days > mostWhatIfDays:
		return q, spend, fmt.Errorf("--to: that are %d days; want %d at most", days, mostWhatIfDays)
	}
	if len(o.Restaurants) == 0 {
		return q, spend, errors.New("--restaurants: none is named")
	}
	if o.Plan != nil {
		if q.Plan, spend, err = parseOtherPlan(o.Plan); err != nil {
			return q, spend, fmt.Errorf("--plan: %w", err)
		}
	}
	if o.SpendPerCover != "" {
		if spend, err = parseMoney(o.SpendPerCover); err != nil {
			return q, spend, fmt.Errorf("--spend-per-cover: %w", err)
		}
	}
	return q, spend, nil
}

// restaurantsOf finds restaurants by id or by the name that they have now, each once; "all"
// are all there are.
func restaurantsOf(ctx context.Context, ledger eventstore.Reader, wanted []string) (ids []domain.RestaurantID, err error) {
	names := map[domain.RestaurantID]string{}
	c := codec.New(nil)
	for r, err := range ledger.ReadAll(ctx, eventstore.Start, eventstore.TypePrefix(codec.TypeRestaurantRegistered, codec.TypeRestaurantProfileChanged)) {
		if err != nil {
			return nil, err
		}
		id, ok := codec.ParseRestaurantStream(r.Stream)
		if !ok {
			continue
		}
		d, err := c.Decode(ctx, r)
		if err != nil {
			return nil, err
		}
		switch e := d.Event.(type) {
		case restaurant.Registered:
			ids = append(ids, id)
			names[id] = e.Profile.Name
		case restaurant.ProfileChanged:
			names[id] = e.Profile.Name
		}
	}
	if slices.Equal(wanted, []string{"all"}) {
		return ids, nil
	}
	var chosen []domain.RestaurantID
	for _, w := range wanted {
		w = strings.TrimSpace(w)
		found := slices.DeleteFunc(slices.Clone(ids), func(id domain.RestaurantID) bool { return string(id) != w && names[id] != w })
		switch {
		case len(found) == 0:
			return nil, fmt.Errorf("--restaurants: there is no %q", w)
		case len(found) > 1:
			return nil, fmt.Errorf("--restaurants: %d are called %q; name them by id", len(found), w)
		case !slices.Contains(chosen, found[0]):
			chosen = append(chosen, found[0])
		}
	}
	return chosen, nil
}

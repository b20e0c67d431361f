package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/internal/enginetest"
	"daybook/projections"
	"daybook/projections/availability"
	"daybook/projections/discovery"
	"daybook/projections/discovery/meilibleve"
	"daybook/projections/reporting"
)

// rebuildAim is the share of the raw read rate that a rebuild is to reach.
const rebuildAim = 0.5

// rebuildBench builds every view anew from ledgers that grow, beside reading them.
type rebuildBench struct {
	dir   string
	store *embedded.Store
	codec *codec.Codec
	pg    *enginetest.PostgresServer
	day   []restaurantday.Event // what happens on one day
	days  int                   // in the ledger
}

// rebuiltCell is what one size of the ledger gave.
type rebuiltCell struct {
	events int
	raw    float64            // events read a second
	rates  map[string]float64 // events a second, by view
	bare   map[string]float64 // rows a second that the view's engine takes of what the view writes
}

// rebuiltViews are the views and engines measured, in the order in which they are printed.
var rebuiltViews = []string{"availability", "discovery", "reporting, SQLite", "reporting, Postgres"}

// runRebuild measures the part and prints it.
func runRebuild(ctx context.Context, sizes []int, facts string, out, progress io.Writer) (err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as daybook sets it
	b := &rebuildBench{codec: codec.New(noKeys{})}
	if b.dir, err = os.MkdirTemp("", "daybook-bench-rebuild-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.store, err = embedded.Open(filepath.Join(b.dir, "events"), embedded.Options{Logger: quiet()}); err != nil {
		return err
	}
	if b.pg, err = enginetest.StartPostgres(ctx, enginetest.PostgresOptions{}); err != nil {
		return err
	}
	if b.day, err = aDay(); err != nil {
		return err
	}
	var cells []rebuiltCell
	for _, size := range sizes {
		fmt.Fprintf(progress, "rebuilding from %d events ...\n", size)
		c, err := b.measure(ctx, size, progress)
		if err != nil {
			return err
		}
		cells = append(cells, c)
	}
	return printRebuilds(out, facts, cells)
}

func (b *rebuildBench) close() (err error) {
	if b.store != nil {
		err = errors.Join(err, b.store.Close())
	}
	if b.pg != nil {
		err = errors.Join(err, b.pg.Close())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// noKeys: nobody on these days said who they are.
type noKeys struct{ codec.Keys }

// The days of the ledger: restaurants × dates, a tenth of them still to come, as in the
// ledger of a house that has been open for two years and books for ninety days.
const (
	benchRestaurants = 50
	datesToCome      = 80
	datesGone        = 720
)

// aDay is an evening of 60 tables and a hundred or so commands.
func aDay() ([]restaurantday.Event, error) {
	const minute = domain.Instant(60_000)
	decider := restaurantday.Decider()
	from := domain.Instant(1_800_000_000_000)
	plan := &restaurantday.Plan{
		Revision: 5, Zone: "UTC", BookableFrom: from - 30*1440*minute,
		Policy: restaurantday.Policy{HoldMinutes: 5, HorizonDays: 30, Turns: []restaurantday.TurnTime{{UpToParty: 6, Minutes: 90}}},
	}
	for n := range byte(60) {
		plan.Tables = append(plan.Tables, restaurantday.Table{
			ID: domain.NewTableID([16]byte{1, n}), Number: fmt.Sprint(n), Min: 1, Max: 2 + domain.PartySize(n/20)*2,
		})
	}
	for i := range domain.Instant(9) {
		plan.Slots = append(plan.Slots, restaurantday.Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: from + i*30*minute, Closes: from + 6*60*minute, Shift: "dinner",
		})
	}
	var all []restaurantday.Event
	s := decider.Initial()
	now := from - 1440*minute
	for n := range 140 {
		now += 1000
		diner := domain.NewUserID([16]byte{2, byte(n)})
		var c restaurantday.Command = restaurantday.Hold{
			Now: now, Opening: &restaurantday.Open{Now: now, Restaurant: domain.NewRestaurantID([16]byte{1}), Date: 20_000, Plan: plan},
			Actor: domain.Diner(diner), Diner: diner, Party: domain.PartySize(1 + n%6), Time: plan.Slots[n%9].Time, Code: "K7Q2", Confirm: n%2 == 0,
		}
		if n%5 == 4 {
			c = restaurantday.Cancel{Now: now, Actor: domain.System(), Number: uint32(1 + n/2)}
		}
		events, err := decider.Decide(s, c)
		if _, refused := domain.Rejected(err); refused {
			continue
		} else if err != nil {
			return nil, err
		}
		s = decider.Fold(s, events...)
		all = append(all, events...)
	}
	return all, nil
}

// fill brings the ledger to at least n events. Days are written side by side, as they are
// booked.
func (b *rebuildBench) fill(ctx context.Context, n int) error {
	today := domain.ServiceDateAt(domain.InstantOf(time.Now()), time.UTC, 0)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for ; b.days*len(b.day) < n; b.days++ {
		day := b.days
		g.Go(func() error {
			restaurant := domain.NewRestaurantID([16]byte{1, byte(day % benchRestaurants), byte(day / benchRestaurants / (datesToCome + datesGone))})
			date := today + domain.ServiceDate(day/benchRestaurants%(datesToCome+datesGone)) - datesGone
			return b.write(ctx, uint64(day), restaurant, date)
		})
	}
	return g.Wait()
}

// appended is how many events one append of a day takes.
const appended = 8

func (b *rebuildBench) write(ctx context.Context, day uint64, restaurant domain.RestaurantID, date domain.ServiceDate) error {
	stream := codec.DayStream(restaurant, date)
	expected := eventstore.NoStream()
	at := 0
	for part := range slices.Chunk(b.day, appended) {
		encoded := make([]eventstore.Event, len(part))
		for i, e := range part {
			if opened, ok := e.(restaurantday.Opened); ok {
				opened.Restaurant, opened.Date = restaurant, date
				e = opened
			}
			command := [16]byte(spread(day<<16 | uint64(at)))
			var err error
			encoded[i], err = b.codec.Encode(ctx, stream, codec.EventID(stream, command, i), e, codec.Metadata{CommandID: command, Actor: domain.System()})
			if err != nil {
				return err
			}
			at++
		}
		done, err := b.store.Append(ctx, stream, expected, encoded...)
		if err != nil {
			return err
		}
		expected = eventstore.At(done.Revision)
	}
	return nil
}

// measure fills the ledger up to a size, and measures; what it finds is told as it is found.
func (b *rebuildBench) measure(ctx context.Context, size int, progress io.Writer) (c rebuiltCell, err error) {
	if err := b.fill(ctx, size); err != nil {
		return c, fmt.Errorf("fill the ledger: %w", err)
	}
	c.rates, c.bare = make(map[string]float64), make(map[string]float64)
	began := time.Now()
	for _, err := range b.store.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			return c, err
		}
		c.events++
	}
	c.raw = float64(c.events) / time.Since(began).Seconds()
	fmt.Fprintf(progress, "  %d events: reading %.0f/s\n", c.events, c.raw)
	for _, name := range rebuiltViews {
		if err := b.rebuild(ctx, name, &c); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(progress, "  %s: %.0f/s", name, c.rates[name])
		if bare, ok := c.bare[name]; ok {
			fmt.Fprintf(progress, ", bare inserts %.0f/s", bare)
		}
		fmt.Fprintln(progress)
	}
	return c, nil
}

// rebuild builds a view beside an empty live one, and finds how many events a second that
// took until the copy was whole. The live one is not worth comparing with, so it ends there.
func (b *rebuildBench) rebuild(ctx context.Context, name string, c *rebuiltCell) (err error) {
	v, err := b.view(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close()) }()
	built, enough := context.WithCancel(ctx)
	defer enough()
	_, err = projections.Rebuild(built, b.store, v.view, projections.RebuildOptions{
		Options: projections.Options{Logger: quiet()}, Build: "bench",
		Progress: func(p projections.Progress) {
			if p.Stage == projections.StageCompare {
				c.rates[name] = float64(p.Records) / p.Took.Seconds()
				enough()
			}
		},
	})
	if c.rates[name] == 0 {
		return err
	}
	if v.bare == nil {
		return nil
	}
	c.bare[name], err = v.bare(ctx)
	return err
}

// viewOnBench is a view whose engine holds nothing else.
type viewOnBench struct {
	view  projections.Rebuildable
	close func() error
	// bare, where not nil, measures how many of the rows that the copy holds its engine takes a
	// second from somebody who does nothing but insert them.
	bare func(ctx context.Context) (float64, error)
}

func (b *rebuildBench) view(ctx context.Context, name string) (v viewOnBench, err error) {
	switch name {
	case "availability":
		client, server, err := availability.InProcess()
		if err != nil {
			return v, err
		}
		v.close = server.Close
		v.view, err = availability.New(availability.Options{
			Redis: client, Store: b.store, Logger: quiet(), Clock: func() domain.Instant { return domain.InstantOf(time.Now()) },
		})
		return v, err
	case "discovery":
		engine, err := meilibleve.Open("")
		if err != nil {
			return v, err
		}
		v.close = engine.Close
		index, err := discovery.Open(discovery.Options{URL: meilibleve.URL, Client: engine.Client(0)})
		if err != nil {
			return v, errors.Join(err, engine.Close())
		}
		v.view = index.View(b.store, b.codec)
		return v, nil
	case "reporting, SQLite":
		dir, err := os.MkdirTemp(b.dir, "sqlite-")
		if err != nil {
			return v, err
		}
		path := filepath.Join(dir, "reporting.db")
		v.bare = func(ctx context.Context) (float64, error) { return bareSQLite(ctx, path) }
		return b.reporting(ctx, v, path, func() error { return os.RemoveAll(dir) })
	default:
		database, err := b.pg.CreateDatabase(ctx)
		if err != nil {
			return v, err
		}
		v.bare = func(ctx context.Context) (float64, error) { return barePostgres(ctx, b.pg.URL(database)) }
		return b.reporting(ctx, v, b.pg.URL(database), func() error {
			return b.pg.DropDatabase(context.WithoutCancel(ctx), database)
		})
	}
}

// reporting opens the view at url, which is dropped when it is closed: a large ledger's rows
// take gigabytes.
func (b *rebuildBench) reporting(ctx context.Context, v viewOnBench, url string, drop func() error) (viewOnBench, error) {
	db, err := reporting.Open(ctx, url)
	if err != nil {
		return v, errors.Join(err, drop())
	}
	v.view = db.View(b.store, b.codec)
	v.close = func() error { return errors.Join(db.Close(), drop()) }
	return v, nil
}

func printRebuilds(out io.Writer, facts string, cells []rebuiltCell) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\nviews built anew beside an empty live one, from days of a hundred events; one in ten is still to come\n\n", facts)
	t := table(&text)
	fmt.Fprint(t, "events\tread/s\t")
	for _, name := range rebuiltViews {
		fmt.Fprintf(t, "%s/s\tof reading\t", name)
		if _, ok := cells[0].bare[name]; ok {
			fmt.Fprint(t, "bare inserts/s\tof these\t")
		}
	}
	fmt.Fprintln(t)
	missed := map[string]bool{}
	for _, c := range cells {
		fmt.Fprintf(t, "%d\t%.0f\t", c.events, c.raw)
		for _, name := range rebuiltViews {
			share := c.rates[name] / c.raw
			missed[name] = missed[name] || share < rebuildAim
			fmt.Fprintf(t, "%.0f\t%.0f %%\t", c.rates[name], 100*share)
			if bare, ok := c.bare[name]; ok {
				fmt.Fprintf(t, "%.0f\t%.0f %%\t", bare, 100*c.rates[name]/bare)
			}
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // into memory
	fmt.Fprintf(&text, "aim: %.0f %% of reading; ", 100*rebuildAim)
	var names []string
	for _, name := range rebuiltViews {
		if missed[name] {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		text.WriteString("met\n")
	} else {
		fmt.Fprintf(&text, "missed by %s\n", strings.Join(names, "; "))
	}
	if first, last := cells[0], cells[len(cells)-1]; len(cells) > 1 {
		fmt.Fprintf(&text, "rate at %d events over that at %d:", last.events, first.events)
		for _, name := range rebuiltViews {
			fmt.Fprintf(&text, " %s %.2f;", name, last.rates[name]/first.rates[name])
		}
		text.WriteString("\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

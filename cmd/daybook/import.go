package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/sync/errgroup"

	"daybook/commands"
	"daybook/domain"
)

// importCommand brings in reservations that were made elsewhere: it books them, or records
// them as they are there. See docs/import.md.
type importCommand struct {
	engineFlags
	Restaurants  string `type:"existingfile" placeholder:"FILE" help:"CSV: ${restaurant_columns}."`
	Plan         string `type:"existingfile" placeholder:"FILE" help:"JSON: the hours, tables and policy each restaurant is given (docs/examples/plan.json)."`
	Reservations string `type:"existingfile" placeholder:"FILE" help:"CSV: ${reservation_columns}; times local to the restaurant. With --as-facts any file that the mapping fits."`
	Report       string `placeholder:"FILE.csv" help:"Write what came of each row: line, outcome, reservation id, tables, start, end."`
	Owner        string `placeholder:"USER" help:"User id that becomes the owner of the restaurants."`

	AsFacts    bool   `help:"Record bookings of another system as they are there, conflicts flagged, instead of booking them anew."`
	Restaurant string `placeholder:"ID" help:"With --as-facts and --undo-batch: whose bookings they are."`
	Mapping    string `type:"existingfile" placeholder:"FILE" help:"With --as-facts: JSON that says which column means what (docs/import.md)."`
	Batch      string `placeholder:"NAME" help:"With --as-facts: what the batch is called, and undone with."`
	Preview    bool   `help:"With --as-facts: tell what would come of it, and record nothing."`
	UndoBatch  string `placeholder:"NAME" help:"Take back all of a batch that nobody has touched since."`
	Force      bool   `help:"With --undo-batch: take back what was changed and is still to come, too."`
}

// importWorkers is how many restaurant-days are brought in at once. Days share nothing, so
// their order among each other changes nothing; within a day the order of reserved_at holds.
const importWorkers = 16

// importOutcome is what came of one row.
type importOutcome struct {
	line    int
	outcome string // "accepted" or the refusal's code
	id      domain.ReservationID
	tables  []string
	from    domain.Instant
	to      domain.Instant
}

func (c *importCommand) Run(ctx context.Context, out io.Writer) (err error) {
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("interrupted: the same command goes on where this one stopped (%w)", err)
		}
	}()
	switch {
	case c.UndoBatch != "":
		return c.undoFacts(ctx, out)
	case c.AsFacts:
		return c.recordFacts(ctx, out)
	}
	owner := domain.UserID(c.Owner)
	if c.Owner != "" {
		if owner, err = domain.ParseUserID(c.Owner); err != nil {
			return fmt.Errorf("--owner: %w", err)
		}
	}
	plan, err := readPlan(c.Plan)
	if err != nil {
		return err
	}
	places, err := readCSV(c.Restaurants, restaurantColumns...)
	if err != nil {
		return err
	}
	restaurants := places.restaurants()
	zones := map[string]*time.Location{}
	for _, r := range restaurants {
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

	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	h.startViews()
	began := time.Now()
	ids, err := c.bringInRestaurants(ctx, h, out, owner, places.digest, plan, restaurants, earliest(rows))
	if err != nil {
		return err
	}
	booking := time.Now()
	outcomes, err := bringInDays(ctx, h, out, file.digest, plan, zones, ids, rows)
	if err != nil {
		return err
	}
	took := time.Since(booking)
	for _, b := range file.bad {
		outcomes = append(outcomes, importOutcome{line: b.line, outcome: "bad"})
	}
	sort.Slice(outcomes, func(i, j int) bool { return outcomes[i].line < outcomes[j].line })
	if c.Report != "" {
		if err := writeReport(c.Report, outcomes); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "waiting for the views to read it")
	if err := h.waitForViews(ctx); err != nil {
		return err
	}
	printSummary(out, outcomes, len(rows), took, time.Since(began))
	totals, err := h.engines.database.Totals(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the reporting tables hold %d restaurants, %d days, %d reservations and %d refusals\n",
		totals.Restaurants, totals.Days, totals.Reservations, totals.Refusals)
	return nil
}

func earliest(rows []importedReservation) domain.Instant {
	first := rows[0].at
	for _, r := range rows {
		first = min(first, r.at)
	}
	return first
}

func (c *importCommand) bringInRestaurants(
	ctx context.Context, h *house, out io.Writer, owner domain.UserID, digest string, plan importPlan,
	list []importedRestaurant, since domain.Instant,
) (map[string]domain.RestaurantID, error) {
	ctx = commands.From(ctx, commands.Origin{Cause: importBatch(digest)})
	bar := progress(out, len(list), "restaurants")
	defer bar.Close()
	var mu sync.Mutex
	ids := make(map[string]domain.RestaurantID, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(importWorkers)
	for _, r := range list {
		g.Go(func() error {
			id, err := h.app.BringInRestaurant(ctx, commands.BringInRestaurant{
				Key: digest + " " + r.name, At: since, Owner: owner, Profile: r.profile,
				Shifts: plan.shifts, DayBoundary: &plan.dayBoundary, Policy: plan.policy, Tables: plan.tables, Combinations: plan.combinations,
			})
			if errors.Is(err, commands.ErrKeyReused) {
				return fmt.Errorf("restaurant %s was brought in before, with another plan, owner or start: use those, or an empty ledger", r.name)
			}
			if err != nil {
				return fmt.Errorf("restaurant %s: %w", r.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[r.name] = id
			return bar.Add(1)
		})
	}
	return ids, g.Wait()
}

// importBatch names what came from one file, as the cause of all that it made: the same for
// each run of it.
func importBatch(digest string) string { return "imp_" + digest[:24] }

// importDay is one restaurant-day's rows.
type importDay struct {
	restaurant string
	date       domain.ServiceDate
}

func bringInDays(
	ctx context.Context, h *house, out io.Writer, digest string, plan importPlan, zones map[string]*time.Location,
	ids map[string]domain.RestaurantID, rows []importedReservation,
) ([]importOutcome, error) {
	days, order := daysOf(rows, plan.dayBoundary, zones)
	ctx = commands.From(ctx, commands.Origin{Cause: importBatch(digest)})
	bar := progress(out, len(rows), "reservations")
	defer bar.Close()
	var mu sync.Mutex
	outcomes := make([]importOutcome, 0, len(rows))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(importWorkers)
	for _, d := range order {
		g.Go(func() error {
			day := days[d]
			request := commands.BringIn{Restaurant: ids[d.restaurant], Date: d.date, Rows: make([]commands.BringInRow, len(day))}
			for i, r := range day {
				request.Rows[i] = commands.BringInRow{
					Key: digest + " " + strconv.Itoa(r.line), At: r.at, StartsAt: r.startsAt, Party: r.party,
				}
			}
			done, err := h.app.BringIn(ctx, request)
			if err != nil {
				return fmt.Errorf("restaurant %s on %s: %w", d.restaurant, d.date, err)
			}
			mu.Lock()
			defer mu.Unlock()
			for i, o := range done {
				outcomes = append(outcomes, outcomeOf(day[i].line, o))
			}
			return bar.Add(len(day))
		})
	}
	return outcomes, g.Wait()
}

func outcomeOf(line int, b commands.BroughtIn) importOutcome {
	if b.Refused != "" {
		return importOutcome{line: line, outcome: string(b.Refused)}
	}
	o := importOutcome{line: line, outcome: "accepted", id: b.ID, from: b.Reservation.Turn.From, to: b.Reservation.Turn.To}
	for _, t := range b.Reservation.Tables {
		o.tables = append(o.tables, string(t))
	}
	return o
}

// writeReport writes what came of each row.
func writeReport(path string, outcomes []importOutcome) error {
	return writeWhole(path, func(out io.Writer) error {
		w := csv.NewWriter(out)
		_ = w.Write([]string{"line", "outcome", "reservation", "tables", "start", "end"}) // Flush tells
		for _, o := range outcomes {
			row := []string{strconv.Itoa(o.line), o.outcome, string(o.id), strings.Join(o.tables, " "), "", ""}
			if o.id != "" {
				row[4], row[5] = o.from.String(), o.to.String()
			}
			_ = w.Write(row)
		}
		w.Flush()
		return w.Error()
	})
}

// writeWhole writes a file that is there whole or not at all.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func printBad(out io.Writer, path string, bad []badRow) {
	const most = 50
	for i, b := range bad {
		if i == most {
			fmt.Fprintf(out, "%s: %d more bad rows\n", path, len(bad)-most)
			return
		}
		fmt.Fprintf(out, "%s:%d: skipped: %s\n", path, b.line, legible(b.why))
	}
}

func printSummary(out io.Writer, outcomes []importOutcome, rows int, took, total time.Duration) {
	counts := map[string]int{}
	for _, o := range outcomes {
		counts[o.outcome]++
	}
	codes := make([]string, 0, len(counts))
	refused := 0
	for code, n := range counts {
		if code != "accepted" && code != "bad" {
			codes = append(codes, code)
			refused += n
		}
	}
	sort.Slice(codes, func(i, j int) bool {
		return counts[codes[i]] > counts[codes[j]] || counts[codes[i]] == counts[codes[j]] && codes[i] < codes[j]
	})
	fmt.Fprintf(out, "%7d rows\n%7d accepted\n%7d refused\n", len(outcomes), counts["accepted"], refused)
	for _, code := range codes {
		fmt.Fprintf(out, "%7d   %s\n", counts[code], code)
	}
	if counts["bad"] > 0 {
		fmt.Fprintf(out, "%7d bad, named above\n", counts["bad"])
	}
	fmt.Fprintf(out, "%7.0f rows a second (%s; %s with the restaurants and the views)\n",
		float64(rows)/took.Seconds(), took.Round(time.Millisecond), total.Round(time.Millisecond))
}

// bar shows how far something is; on what is no terminal it stays silent.
type bar struct {
	shown *progressbar.ProgressBar
}

func progress(out io.Writer, of int, what string) *bar {
	f, ok := out.(*os.File)
	if !ok || !isTerminal(f) {
		return &bar{}
	}
	return &bar{shown: progressbar.NewOptions(of, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionSetItsString("rows"), progressbar.OptionFullWidth(), progressbar.OptionOnCompletion(func() { fmt.Fprintln(f) }))}
}

func (b *bar) Add(n int) error {
	if b.shown == nil {
		return nil
	}
	return b.shown.Add(n)
}

func (b *bar) Close() {
	if b.shown != nil {
		_ = b.shown.Exit() // only the terminal could complain
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

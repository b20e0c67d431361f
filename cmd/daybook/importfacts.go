package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/factfile"
	"daybook/internal/sheet"
)

// maxFactRows is how many rows one file may have.
const maxFactRows = 1_000_000

// Validate says which flags are missing, as which are needed depends on what is brought in,
// and how.
func (c *importCommand) Validate() error {
	need := map[string]string{"--restaurants=FILE": c.Restaurants, "--plan=FILE": c.Plan, "--reservations=FILE": c.Reservations}
	var odd []string
	switch {
	case c.UndoBatch != "":
		need = map[string]string{"--restaurant=ID": c.Restaurant}
		odd = []string{c.Restaurants, c.Plan, c.Reservations, c.Mapping, c.Batch, c.Owner, c.Report}
		if c.AsFacts || c.Preview {
			odd = []string{"as-facts"}
		}
	case c.AsFacts:
		need = map[string]string{"--restaurant=ID": c.Restaurant, "--mapping=FILE": c.Mapping, "--batch=NAME": c.Batch, "--reservations=FILE": c.Reservations}
		odd = []string{c.Restaurants, c.Plan, c.Owner}
	default:
		odd = []string{c.Restaurant, c.Mapping, c.Batch}
		if c.Preview {
			odd = []string{"preview"}
		}
	}
	if c.Force && c.UndoBatch == "" {
		return errors.New("--force goes with --undo-batch")
	}
	var missing []string
	for flag, value := range need {
		if value == "" {
			missing = append(missing, flag)
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		return fmt.Errorf("missing flags: %s", strings.Join(missing, ", "))
	}
	if strings.Join(odd, "") != "" {
		return errors.New("these flags do not go together: book with --restaurants, --plan and --reservations; " +
			"record with --as-facts, --restaurant, --mapping, --batch and --reservations; take back with --undo-batch and --restaurant")
	}
	return nil
}

// recordFacts records a file of another system's bookings as they are there.
func (c *importCommand) recordFacts(ctx context.Context, out io.Writer) (err error) {
	id, err := domain.ParseRestaurantID(c.Restaurant)
	if err != nil {
		return fmt.Errorf("--restaurant: %w", err)
	}
	rawMapping, err := readBounded(c.Mapping)
	if err != nil {
		return err
	}
	mapping, err := factfile.ParseMapping(rawMapping)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Mapping, err)
	}
	raw, err := readBounded(c.Reservations)
	if err != nil {
		return err
	}
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	caller := commands.Caller{Import: true}
	zone, err := h.app.ZoneToManage(ctx, caller, id)
	if err != nil {
		return err
	}
	file, err := mapping.Read(raw, zone, maxFactRows)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Reservations, err)
	}
	printBad(out, c.Reservations, badRows(file.Bad))
	facts := commands.RecordFacts{
		Batch: c.Batch, Source: mapping.Source, Digest: mapping.Digest(raw), Bad: len(file.Bad), Skipped: file.Skipped,
		Rows: make([]commands.FactRow, len(file.Rows)),
	}
	for i, r := range file.Rows {
		facts.Rows[i] = commands.FactRow(r)
	}
	began := time.Now()
	var report commands.FactsReport
	if c.Preview {
		report, err = h.app.PreviewFacts(ctx, caller, id, facts)
	} else {
		report, err = h.app.RecordFacts(ctx, caller, id, facts)
	}
	if err != nil {
		return err
	}
	took := time.Since(began)
	if c.Report != "" {
		if err := writeWhole(c.Report, func(out io.Writer) error { return factRows(out, report.Results, file.Bad) }); err != nil {
			return err
		}
	}
	printFacts(out, c.Reservations, report)
	if c.Preview {
		fmt.Fprintln(out, "nothing was recorded: this was a preview")
		return nil
	}
	fmt.Fprintf(out, "%7.0f rows a second (%s)\nwaiting for the views to read it\n",
		float64(len(facts.Rows))/max(took, time.Millisecond).Seconds(), took.Round(time.Millisecond))
	h.startViews()
	return h.waitForViews(ctx)
}

func badRows(list []factfile.BadRow) []badRow {
	bad := make([]badRow, len(list))
	for i, b := range list {
		bad[i] = badRow{b.Line, b.Why}
	}
	return bad
}

// maxTold is how many rows of a kind are printed; the report has all.
const maxTold = 50

// printFacts tells what came of a batch, and which rows somebody has to look at.
func printFacts(out io.Writer, path string, report commands.FactsReport) {
	told := 0
	for _, r := range report.Results {
		if r.Outcome != commands.FactBad && r.Outcome != commands.FactChanged {
			continue
		}
		if told++; told <= maxTold {
			fmt.Fprintf(out, "%s:%d: %s: %s\n", path, r.Line, r.Outcome, legible(r.Why))
		}
	}
	if told > maxTold {
		fmt.Fprintf(out, "%s: %d more; --report FILE.csv has all\n", path, told-maxTold)
	}
	n := report.Counts
	fmt.Fprintf(out, "batch %s of source %s, run %d\n", report.Import.Batch, report.Import.Source, report.Import.Run)
	fmt.Fprintf(out, "%7d recorded\n", n.Recorded)
	for _, k := range n.Conflicts {
		fmt.Fprintf(out, "%7d   in conflict: %s\n", k.N, k.Code)
	}
	for _, line := range []struct {
		n    int
		what string
	}{
		{n.Known, "known from before"}, {n.Changed, "changed since they were recorded, and not applied"}, {n.Skipped, "left out by the mapping"}, {n.Bad, "bad, named above"},
	} {
		if line.n > 0 {
			fmt.Fprintf(out, "%7d %s\n", line.n, line.what)
		}
	}
}

// factRows writes what came of each row.
func factRows(out io.Writer, results []commands.FactResult, bad []factfile.BadRow) error {
	w := csv.NewWriter(out)
	_ = w.Write([]string{"line", "outcome", "reservation", "status", "tables", "start", "end", "conflicts", "in_the_way", "why"}) // Flush tells
	for _, b := range bad {
		_ = w.Write([]string{strconv.Itoa(b.Line), string(commands.FactBad), "", "", "", "", "", "", "", sheet.Cell(b.Why)})
	}
	for _, r := range results {
		row := []string{strconv.Itoa(r.Line), string(r.Outcome), string(r.ID), string(r.Status), "", r.StartsAt.String(), "", "", "", sheet.Cell(r.Why)}
		if r.EndsAt != 0 {
			row[6] = r.EndsAt.String()
		}
		var tables, rules, entries []string
		for _, t := range r.Tables {
			tables = append(tables, string(t))
		}
		for _, k := range r.Conflicts {
			rules = append(rules, string(k.Code))
			for _, n := range k.Entries {
				rid, date, _ := r.ID.Day()
				entries = append(entries, string(domain.NewReservationID(rid, date, n)))
			}
		}
		row[4], row[7], row[8] = strings.Join(tables, " "), strings.Join(rules, " "), strings.Join(entries, " ")
		_ = w.Write(row)
	}
	w.Flush()
	return w.Error()
}

// undoFacts takes a batch back.
func (c *importCommand) undoFacts(ctx context.Context, out io.Writer) (err error) {
	id, err := domain.ParseRestaurantID(c.Restaurant)
	if err != nil {
		return fmt.Errorf("--restaurant: %w", err)
	}
	if err := restaurant.CheckImportName("batch", c.UndoBatch); err != nil {
		return err
	}
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	done, err := h.app.UndoFacts(ctx, commands.Caller{Import: true}, id, c.UndoBatch, c.Force)
	if err != nil {
		return err
	}
	forced := 0
	for i, k := range done.Kept {
		if k.Forced {
			forced++
		}
		if i < maxTold {
			fmt.Fprintf(out, "%s (%s there): left, it is %s and was changed at %s\n", k.ID, legible(k.External), k.Status, k.ChangedAt)
		}
	}
	if len(done.Kept) > maxTold {
		fmt.Fprintf(out, "and %d more\n", len(done.Kept)-maxTold)
	}
	fmt.Fprintf(out, "%7d taken back\n%7d left, as somebody acted on them\n", done.Import.Withdrawn, len(done.Kept))
	if forced > 0 {
		fmt.Fprintf(out, "%7d of those --force would take back\n", forced)
	}
	fmt.Fprintln(out, "waiting for the views to read it")
	h.startViews()
	return h.waitForViews(ctx)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"daybook/projections"
	"daybook/projections/export"
)

// exportCommand writes events and reporting tables into files, in the process that has the
// data folder or, where none has it, here.
type exportCommand struct {
	engineFlags
	Format string   `default:"parquet" enum:"parquet,csv,ndjson" help:"parquet, csv or ndjson."`
	To     string   `required:"" type:"path" placeholder:"DIR" help:"A folder that is new, empty, or was filled by an earlier run: then what is new or changed is written."`
	What   []string `placeholder:"NAME,…" help:"What to write; all of it by default: ${export_names}."`
	Since  string   `placeholder:"YYYY-MM" help:"The first month."`
	Until  string   `placeholder:"YYYY-MM" help:"The last month."`
}

// exportOrder asks for an export.
type exportOrder struct {
	Format, To, Since, Until string
	What                     []string
}

const exportPath = "/export"

func (o exportOrder) check() error { return wholePath(o.To) }
func (exportOrder) work() string   { return "an export" }

func (c *exportCommand) Run(ctx context.Context, out io.Writer) error {
	o := exportOrder{Format: c.Format, To: c.To, Since: c.Since, Until: c.Until, What: c.What}
	bar := newMeter(out)
	r, err := carryOut(ctx, c.engineFlags, exportPath, o, bar.tell, func(ctx context.Context, h *house, o exportOrder, progress tell) (export.Report, error) {
		return h.export(ctx, o, h.readReporting, progress)
	})
	bar.end()
	if err != nil {
		return err
	}
	seconds := max(r.Took.Seconds(), 1e-9)
	fmt.Fprintf(out, "%d events and %d rows in %d files, %.1f MiB, in %s: %.0f a second; %d files were there already and hold what they should\n",
		r.Events, r.Rows, r.Files, float64(r.Bytes)/(1<<20), r.Took.Round(time.Millisecond), float64(r.Events+r.Rows)/seconds, r.Kept)
	fmt.Fprintf(out, "%s is as of position %d; the same command writes what is new or changed by then\n", c.To, r.Position)
	return nil
}

// takeExports writes files when they are ordered.
func (h *house) takeExports() {
	takeOrdersFor(h.engines.admin, exportPath, func(ctx context.Context, o exportOrder, progress tell) (export.Report, error) {
		return h.export(ctx, o, h.awaitReporting, progress)
	})
}

// export writes files, once the reporting view is brought up to date.
func (h *house) export(ctx context.Context, o exportOrder, current func(context.Context) error, progress tell) (export.Report, error) {
	if err := elsewhere(h.cfg.Data, o.To); err != nil {
		return export.Report{}, err
	}
	if err := current(ctx); err != nil {
		return export.Report{}, fmt.Errorf("the reporting tables cannot be brought up to date: %w", err)
	}
	return export.Run(ctx, h.engines.store, h.engines.database, export.Options{
		To: o.To, Format: o.Format, What: o.What, Since: o.Since, Until: o.Until, Now: h.cfg.clock, Progress: progress,
	})
}

// readReporting feeds the reporting view, in a process that feeds none, up to the end of
// the ledger.
func (h *house) readReporting(ctx context.Context) (err error) {
	head, err := h.engines.store.Head(ctx)
	if err != nil {
		return err
	}
	runner, err := projections.NewRunner(h.engines.store, projections.Options{}, h.views.reporting)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, runner.Close(), <-ended)
	}()
	return runner.Wait(ctx, h.views.reporting.Name(), head)
}

// awaitReporting waits, in a process that feeds the views, until they are where the ledger ends.
func (h *house) awaitReporting(ctx context.Context) error {
	head, err := h.engines.store.Head(ctx)
	if err != nil {
		return err
	}
	return h.runner.Wait(ctx, h.views.reporting.Name(), head)
}

// exportNames lists what can be exported, for people.
func exportNames() string { return strings.Join(export.Names(), ", ") }

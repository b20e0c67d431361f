package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
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

// exportAnswer tells how far it is; the last one tells the end.
type exportAnswer struct {
	Stage       string         `json:",omitempty"`
	Done, Total uint64         `json:",omitempty"`
	Report      *export.Report `json:",omitempty"`
	Error       string         `json:",omitempty"`
}

func (c *exportCommand) Run(ctx context.Context, out io.Writer) (err error) {
	o := exportOrder{Format: c.Format, To: c.To, Since: c.Since, Until: c.Until, What: c.What}
	bar := newMeter(out)
	defer bar.end()
	var end exportAnswer
	hear := func(a exportAnswer) {
		end = a
		if a.Stage != "" {
			bar.tell(a.Stage, a.Done, a.Total)
		}
	}
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags})
	switch {
	case errors.Is(err, errDataInUse):
		ordered := order(ctx, c.Data, "/export", o, hear)
		if errors.Is(ordered, errNobodyTakesOrders) {
			return fmt.Errorf("%w; it takes no orders for an export either (%w)", err, ordered)
		}
		if ordered != nil {
			return ordered
		}
	case err != nil:
		return err
	default:
		defer func() { err = errors.Join(err, h.close()) }()
		h.export(ctx, o, h.readReporting, hear)
	}
	bar.end()
	if end.Report == nil {
		return errors.New(end.Error)
	}
	r := end.Report
	seconds := max(r.Took.Seconds(), 1e-9)
	fmt.Fprintf(out, "%d events and %d rows in %d files, %.1f MiB, in %s: %.0f a second; %d files were there already and hold what they should\n",
		r.Events, r.Rows, r.Files, float64(r.Bytes)/(1<<20), r.Took.Round(time.Millisecond), float64(r.Events+r.Rows)/seconds, r.Kept)
	fmt.Fprintf(out, "%s is as of position %d; the same command writes what is new or changed by then\n", c.To, r.Position)
	return nil
}

// export writes files, and tells hear how far it is and, in the end, what it came to. It
// first has the reporting view brought up to date.
func (h *house) export(ctx context.Context, o exportOrder, current func(context.Context) error, hear func(exportAnswer)) {
	r, err := h.tryExport(ctx, o, current, hear)
	if err != nil {
		hear(exportAnswer{Error: err.Error()})
		return
	}
	hear(exportAnswer{Report: &r})
}

func (h *house) tryExport(ctx context.Context, o exportOrder, current func(context.Context) error, hear func(exportAnswer)) (export.Report, error) {
	if err := elsewhere(h.cfg.Data, o.To); err != nil {
		return export.Report{}, err
	}
	if err := current(ctx); err != nil {
		return export.Report{}, fmt.Errorf("the reporting tables cannot be brought up to date: %w", err)
	}
	var told time.Time
	return export.Run(ctx, h.engines.store, h.engines.database, export.Options{
		To: o.To, Format: o.Format, What: o.What, Since: o.Since, Until: o.Until, Now: h.cfg.clock,
		Progress: func(stage string, done, total uint64) {
			if now := time.Now(); now.Sub(told) >= tellEvery || done >= total {
				told = now
				hear(exportAnswer{Stage: stage, Done: done, Total: total})
			}
		},
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

// takeExports carries out orders for an export, one at a time.
func (h *house) takeExports() http.HandlerFunc {
	var one sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		answers := json.NewEncoder(w)
		answer := func(a exportAnswer) {
			_ = answers.Encode(a) // whoever asked may have gone: then its context ends
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		var o exportOrder
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o); err != nil || !filepath.IsAbs(o.To) {
			w.WriteHeader(http.StatusBadRequest)
			answer(exportAnswer{Error: "this is no order for an export"})
			return
		}
		if !one.TryLock() {
			w.WriteHeader(http.StatusConflict)
			answer(exportAnswer{Error: "another export is under way"})
			return
		}
		defer one.Unlock()
		slog.Info("an export begins", "to", o.To, "format", o.Format)
		h.export(r.Context(), o, h.awaitReporting, func(a exportAnswer) {
			if a.Error != "" {
				slog.Warn("an export failed", "to", o.To, "error", a.Error)
			} else if a.Report != nil {
				slog.Info("an export was written", "to", o.To, "position", a.Report.Position, "took", a.Report.Took)
			}
			answer(a)
		})
	}
}

// exportNames lists what can be exported, for people.
func exportNames() string { return strings.Join(export.Names(), ", ") }

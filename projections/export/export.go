// Package export writes the ledger's events and the reporting tables into files for
// analysts: Parquet, CSV or lines of JSON, divided by month, in folders that DuckDB and
// others read as one table each.
//
// What belongs here: the layout of the folder, its manifest, what a later run writes anew,
// and the typed columns. What stands in the tables is projections/reporting's, the form of
// an event's line eventstore/canon's; where the folder is, and who may have it written, is
// cmd/daybook's. Nothing personal is in what is written, because nothing of it is in what
// is read.
//
// # The folder
//
//	manifest.json
//	events/month=2026-11/part-00000000000000000001.parquet
//	reservations/month=2026-11/part.parquet
//	restaurants/part.parquet
//
// Events are only ever added, in parts that begin with the position they are named by; their
// month is that in which they were recorded, in UTC, and never goes back. A month of a table
// is one file, which is replaced when one of its rows has changed.
//
// # Killed at any instant
//
// A file is written beside its place under another name. When all that belong together are
// on disk, a list of what is to be done is, too; then they are renamed, and the manifest is
// the last. A run that finds such a list does it first. Events are committed part by part,
// so that a run that was killed is gone on with.
package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"daybook/eventstore"
	"daybook/projections/reporting"
)

// Formats are the forms that files can have.
var Formats = []string{"parquet", "csv", "ndjson"}

// Events names the ledger's events beside the tables.
const Events = "events"

// Names lists what can be exported.
func Names() []string {
	names := []string{Events}
	for _, t := range reporting.Tables() {
		names = append(names, t.Name)
	}
	return names
}

// Store is what events are read from.
type Store interface {
	eventstore.Reader
	Head(ctx context.Context) (eventstore.Position, error)
}

// Options say what is written where.
type Options struct {
	To     string   // the folder; made if there is none
	Format string   // one of Formats
	What   []string // of Names; empty for all
	// Since and Until are the first and the last month, YYYY-MM; empty for no limit. Tables
	// that have no month are written whole.
	Since, Until string
	Now          func() time.Time // nil for the system's clock
	// Progress is told how far a stage is; neither number says anything about its unit. May be nil.
	Progress func(stage string, done, total uint64)
}

// Report is what a run came to.
type Report struct {
	Position eventstore.Position // up to where in the ledger all is in the files
	Events   uint64              // written by this run
	Rows     uint64              // of tables, likewise
	Files    int
	Kept     int // files that were there, and hold what they should
	Bytes    int64
	Took     time.Duration
}

var (
	// ErrForeign refuses a folder that was filled from another ledger, or in another way.
	ErrForeign = errors.New("export: the folder holds another export")
	// ErrBusy says that another process writes into the folder.
	ErrBusy = errors.New("export: another process writes into the folder")
	// ErrInvalid refuses options.
	ErrInvalid = errors.New("export: invalid")
)

func (o *Options) check() error {
	if !slices.Contains(Formats, o.Format) {
		return fmt.Errorf("%w: format %q: there are %s", ErrInvalid, o.Format, strings.Join(Formats, ", "))
	}
	names := Names()
	if len(o.What) == 0 {
		o.What = names
	}
	for _, name := range o.What {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: there is no %q to export; there are %s", ErrInvalid, name, strings.Join(names, ", "))
		}
	}
	for _, month := range []string{o.Since, o.Until} {
		if _, err := time.Parse("2006-01", month); month != "" && err != nil {
			return fmt.Errorf("%w: %q is no month: want YYYY-MM", ErrInvalid, month)
		}
	}
	if o.Since != "" && o.Until != "" && o.Since > o.Until {
		return fmt.Errorf("%w: the first month %s comes after the last, %s", ErrInvalid, o.Since, o.Until)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Progress == nil {
		o.Progress = func(string, uint64, uint64) {}
	}
	return nil
}

// within reports whether a month is wanted; the months of tables that have none are.
func (o *Options) within(month string) bool {
	return month == "" || (o.Since == "" || month >= o.Since) && (o.Until == "" || month <= o.Until)
}

// Run writes what is new or changed since the last run into the same folder. Tables are as
// of one position, which is the report's and, for each of them, the manifest's. Errors:
// ErrInvalid, ErrForeign, ErrBusy, else those of the engines and of the disk.
func Run(ctx context.Context, store Store, tables *reporting.Database, o Options) (r Report, err error) {
	began := time.Now()
	if err := o.check(); err != nil {
		return r, err
	}
	f, err := openFolder(o)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	first, err := eventAt(ctx, store, eventstore.Start)
	if err != nil {
		return r, err
	}
	e := &exporter{Options: o, folder: f, report: &r, ready: map[string]*Dataset{}}
	err = tables.Snapshot(ctx, func(s *reporting.Snapshot) error {
		if err := f.belongs(ctx, store, first, s.Position); err != nil {
			return err
		}
		r.Position = s.Position
		return e.tables(ctx, s)
	})
	if err != nil {
		return r, err
	}
	if slices.Contains(o.What, Events) {
		if err := e.events(ctx, store, r.Position); err != nil {
			return r, err
		}
	}
	maps.Copy(f.manifest.Datasets, e.ready)
	f.manifest.ExportedAt = o.Now().UTC().Truncate(time.Second)
	if err := f.commit(e.staged, e.gone); err != nil {
		return r, err
	}
	r.Took = time.Since(began)
	return r, nil
}

// eventAt returns the id of the first event after a position, empty where there is none.
func eventAt(ctx context.Context, store Store, after eventstore.Position) (string, error) {
	for r, err := range store.ReadAll(ctx, after, eventstore.Filter{}) {
		if err != nil {
			return "", err
		}
		return r.ID.String(), nil
	}
	return "", nil
}

// exporter is one run.
type exporter struct {
	Options
	folder *folder
	report *Report
	staged []File   // tables' files that are written and not in place yet
	gone   []string // paths of files that no longer belong there
	ready  map[string]*Dataset
}

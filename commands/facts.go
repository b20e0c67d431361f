package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// RecordFacts records bookings of another system as they are there. Batch is what they are
// taken back with; the same External of the same Source is the same booking for ever.
type RecordFacts struct {
	Batch   string
	Source  string // the batch's name where it is empty
	Digest  string // of the file and of how it is read: another file has another
	Rows    []FactRow
	Bad     int // rows of the file that say nothing that could be recorded
	Skipped int // rows of the file that are left out
}

// FactRow is one booking of another system.
type FactRow struct {
	Line     int    // in the file; unique
	External string // its id there; where it is empty, a row is known by all that it says
	StartsAt domain.Instant
	Time     string // what clocks at the restaurant show then, HH:MM
	Minutes  int    // for which it has its tables there; 0 for the policy's turn
	Party    domain.PartySize
	Status   restaurantday.Status
	Tables   []string       // by number
	MadeAt   domain.Instant // when it was made there; 0 for not told
	Details  restaurantday.Details
}

// FactOutcome is what came of a row.
type FactOutcome string

// The outcomes.
const (
	FactRecorded FactOutcome = "recorded"
	FactKnown    FactOutcome = "known"   // an earlier run recorded it, and it says the same
	FactChanged  FactOutcome = "changed" // an earlier run recorded it, and it says something else now
	FactBad      FactOutcome = "bad"
)

// FactResult is one row with what came of it.
type FactResult struct {
	Line      int
	Outcome   FactOutcome
	Why       string               // of changed and bad
	ID        domain.ReservationID // empty where it is bad; of a preview, what it would be as the day stands
	Status    restaurantday.Status
	Party     domain.PartySize
	StartsAt  domain.Instant
	EndsAt    domain.Instant
	Tables    []domain.TableID // that it has; none where none was free
	Conflicts []restaurantday.Conflict
}

// FactsReport is what came of a batch.
type FactsReport struct {
	Import   restaurant.Import // as it stands; of a preview, as it would begin
	Counts   restaurant.ImportCounts
	Results  []FactResult        // by line
	Position eventstore.Position // wait for it to read what was recorded
	Replayed bool
	Zone     string
}

// factsAtOnce is how many facts make one write at most: with a note of the longest kind in
// each they fit into an append.
const factsAtOnce = 128

// errImportOver says that a batch was taken back, or is being, while a run of it was under way.
var errImportOver = errors.New("commands: the import was undone meanwhile")

// RecordFacts records a batch. What was broken off, by a crash at any point, goes on when
// the same batch is sent again: what is recorded already is found in its day's book.
//
// Refused with domain.CodeImportRunning while another run of the same source is not ended.
func (a *App) RecordFacts(ctx context.Context, c Caller, id domain.RestaurantID, f RecordFacts) (FactsReport, error) {
	run, err := a.factRun(ctx, c, id, f)
	if err != nil {
		return FactsReport{}, err
	}
	ctx = From(ctx, Origin{Cause: run.batch})
	begun, err := a.restaurants.handle(ctx, codec.RestaurantStream(id), Request[restaurant.Command]{
		Command: restaurant.BeginImport{
			Now: a.now(), Actor: run.actor, Batch: run.batch, Source: run.source, Digest: run.digest, Rows: len(f.Rows), Dates: run.dates,
		},
		ID: a.commandID(c, string(id)), Meta: run.meta,
	})
	if err != nil {
		return FactsReport{}, err
	}
	m, ok := begun.State.Import(run.batch)
	if !ok {
		return FactsReport{}, fmt.Errorf("commands: batch %s of %s was begun and is not there", run.batch, id)
	}
	run.n, run.look, run.imports = m.Run, false, begun.State.Imports
	run.report.Position, run.report.Replayed = begun.Position, begun.Replayed
	if err := run.known(ctx); err != nil {
		return FactsReport{}, err
	}
	if err := run.clear(ctx); err != nil {
		return FactsReport{}, err
	}
	if begun.Replayed {
		now, err := run.state(ctx)
		if err != nil {
			return FactsReport{}, err
		}
		run.look = now.Status != restaurant.ImportRunning || now.Run != run.n
	}
	// A day that finds the batch taken back cuts none off in the middle of a write, of which
	// nobody would take anything back: each looks for itself.
	var over atomic.Bool
	err = run.eachDay(ctx, func(ctx context.Context, date domain.ServiceDate, rows []int) error {
		err := run.record(ctx, date, rows)
		if errors.Is(err, errImportOver) {
			over.Store(true)
			return nil
		}
		return err
	})
	if err == nil && over.Load() {
		return FactsReport{}, domain.Reject(domain.CodeImportRunning, fmt.Sprintf(
			"batch %s was undone while it was being recorded", run.batch), domain.Reason{Rule: "import"})
	}
	if err != nil {
		return FactsReport{}, err
	}
	run.sum()
	if run.look {
		run.report.Import, err = run.state(ctx)
		return run.report, err
	}
	ended, err := a.restaurants.handle(ctx, codec.RestaurantStream(id), Request[restaurant.Command]{
		Command: restaurant.EndImport{Now: a.now(), Actor: run.actor, Batch: run.batch, Run: run.n, Counts: run.report.Counts}, Meta: run.meta,
	})
	if err != nil {
		return FactsReport{}, err
	}
	run.report.Import, _ = ended.State.Import(run.batch)
	run.report.Position = max(run.report.Position, ended.Position)
	return run.report, nil
}

// PreviewFacts tells what RecordFacts would come to as the days stand, and changes nothing.
func (a *App) PreviewFacts(ctx context.Context, c Caller, id domain.RestaurantID, f RecordFacts) (FactsReport, error) {
	run, err := a.factRun(ctx, c, id, f)
	if err != nil {
		return FactsReport{}, err
	}
	decider := restaurant.Decider()
	events, err := decider.Decide(run.r.State, restaurant.BeginImport{
		Now: a.now(), Actor: run.actor, Batch: run.batch, Source: run.source, Digest: run.digest, Rows: len(f.Rows), Dates: run.dates,
	})
	if err != nil {
		return FactsReport{}, err
	}
	begun := decider.Fold(run.r.State, events...)
	run.report.Import, _ = begun.Import(run.batch)
	run.imports = begun.Imports
	run.n = run.report.Import.Run
	if err := run.known(ctx); err != nil {
		return FactsReport{}, err
	}
	if err := run.eachDay(ctx, run.preview); err != nil {
		return FactsReport{}, err
	}
	run.sum()
	return run.report, nil
}

// factRun is one run of a batch on its way.
type factRun struct {
	a             *App
	r             restaurantOutcome
	actor         domain.Actor
	meta          codec.Metadata
	batch, source string
	digest        string
	n             uint32 // which run of the batch it is
	look          bool   // it was ended before: what came of it is only looked up
	rows          []FactRow
	keys          []factKey // of rows
	days          map[domain.ServiceDate][]int
	dates         []domain.ServiceDate
	imports       []restaurant.Import             // the restaurant's, as they were when the run began
	elsewhere     map[string]domain.ReservationID // bookings of the source that stand on a day, by their id there
	late          map[domain.ServiceDate]bool     // where something stands of what was taken back

	mu      sync.Mutex
	results []FactResult // of rows
	report  FactsReport
}

// factRun sorts a batch by day. The restaurant is read as it stands: who was shown its
// batches a moment ago must not begin one twice.
func (a *App) factRun(ctx context.Context, c Caller, id domain.RestaurantID, f RecordFacts) (*factRun, error) {
	r, err := a.restaurants.state(ctx, codec.RestaurantStream(id), 0)
	if err != nil {
		return nil, err
	}
	if !r.State.Registered() {
		return nil, domain.Reject(domain.CodeNotFound, fmt.Sprintf("no restaurant %s", id))
	}
	loc, err := a.zoneOf(r)
	if err != nil {
		return nil, err
	}
	run := &factRun{
		a: a, r: r, actor: c.actor(r.State), batch: f.Batch, source: cmp.Or(f.Source, f.Batch), rows: f.Rows,
		days: map[domain.ServiceDate][]int{}, results: make([]FactResult, len(f.Rows)),
	}
	if run.actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people may do that")
	}
	// Where the restaurant's days begin elsewhere, the same file has its rows on other days.
	run.digest = fmt.Sprintf("%s %s %d", f.Digest, r.State.Profile.TimeZone, r.State.DayBoundary)
	run.meta = a.metadata(From(ctx, Origin{Cause: f.Batch}), c, run.actor, c.role(r.State))
	run.report.Zone = r.State.Profile.TimeZone
	run.report.Counts.Bad, run.report.Counts.Skipped = f.Bad, f.Skipped
	run.keys = a.factKeys(f.Rows)
	first := map[string]int{}
	for i, row := range f.Rows {
		run.results[i] = FactResult{Line: row.Line, Status: row.Status, Party: row.Party, StartsAt: row.StartsAt}
		if k, twice := first[run.keys[i].external]; twice {
			run.results[i].Outcome, run.results[i].Why = FactKnown, fmt.Sprintf("line %d says the same", f.Rows[k].Line)
			if run.keys[k].digest != run.keys[i].digest {
				run.results[i].Outcome = FactBad
				run.results[i].Why = fmt.Sprintf("line %d says something else of the same booking, and was taken", f.Rows[k].Line)
			}
			continue
		}
		first[run.keys[i].external] = i
		date := domain.ServiceDateAt(row.StartsAt, loc, r.State.DayBoundary)
		run.days[date] = append(run.days[date], i)
	}
	for date, rows := range run.days {
		run.dates = append(run.dates, date)
		// Who has a table there gets it before others are given any.
		slices.SortFunc(rows, func(x, y int) int {
			p, q := f.Rows[x], f.Rows[y]
			return cmp.Or(cmp.Compare(min(1, len(q.Tables)), min(1, len(p.Tables))), cmp.Compare(p.MadeAt, q.MadeAt), cmp.Compare(p.Line, q.Line))
		})
	}
	slices.Sort(run.dates)
	return run, nil
}

// state is the batch as it stands now.
func (f *factRun) state(ctx context.Context) (restaurant.Import, error) {
	o, err := f.a.restaurants.state(ctx, codec.RestaurantStream(f.r.State.ID), 0)
	if err != nil {
		return restaurant.Import{}, err
	}
	m, _ := o.State.Import(f.batch)
	return m, nil
}

// known finds the bookings of the source that earlier runs recorded, whatever day they were
// on then.
func (f *factRun) known(ctx context.Context) error {
	f.elsewhere, f.late = map[string]domain.ReservationID{}, map[domain.ServiceDate]bool{}
	dates := map[domain.ServiceDate]bool{}
	for _, m := range f.imports {
		for _, date := range m.Reaches(f.source) {
			dates[date] = true
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for date := range dates {
		group.Go(func() error {
			d, err := f.a.days.state(ctx, codec.DayStream(f.r.State.ID, date), 0)
			if err != nil {
				return err
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, number := range d.State.Facts() {
				r, _ := d.State.Reservation(number)
				switch {
				case r.Fact.Source != f.source:
				case f.isLate(r):
					f.late[date] = true
				default:
					f.elsewhere[r.Fact.External] = d.State.ID(number)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// daysAtOnce is how many days of a batch are worked on together.
const daysAtOnce = 8

// eachDay hands on the rows of each day that are not on another day already.
func (f *factRun) eachDay(ctx context.Context, do func(context.Context, domain.ServiceDate, []int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(daysAtOnce)
	for _, date := range f.dates {
		var rows []int
		for _, i := range f.days[date] {
			if id, ok := f.elsewhere[f.keys[i].external]; ok {
				if _, on, _ := id.Day(); on != date {
					f.results[i].Outcome, f.results[i].ID = FactChanged, id
					f.results[i].Why = fmt.Sprintf("it was recorded on %s and is on %s now", on, date)
					continue
				}
			}
			rows = append(rows, i)
		}
		if len(rows) > 0 {
			group.Go(func() error { return do(ctx, date, rows) })
		}
	}
	return group.Wait()
}

// sum counts what came of the rows.
func (f *factRun) sum() {
	counts := &f.report.Counts
	conflicts := map[domain.Code]int{}
	for _, r := range f.results {
		switch r.Outcome {
		case FactRecorded:
			counts.Recorded++
			for _, c := range r.Conflicts {
				conflicts[c.Code]++
			}
		case FactKnown:
			counts.Known++
		case FactChanged:
			counts.Changed++
		case FactBad:
			counts.Bad++
		}
	}
	for code, n := range conflicts {
		counts.Conflicts = append(counts.Conflicts, restaurant.ConflictCount{Code: code, N: n})
	}
	slices.SortFunc(counts.Conflicts, func(a, b restaurant.ConflictCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Code, b.Code))
	})
	f.report.Results = f.results
	slices.SortStableFunc(f.report.Results, func(a, b FactResult) int { return cmp.Compare(a.Line, b.Line) })
}

// ZoneToManage is the zone whose clocks a restaurant shows, for one of its own people who
// is about to bring in times. Others are refused.
func (a *App) ZoneToManage(ctx context.Context, c Caller, id domain.RestaurantID) (*time.Location, error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return nil, err
	}
	if c.actor(r.State).Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people may do that")
	}
	return a.zoneOf(r)
}

package reporting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/internal/enginetest"
	"daybook/projections"
)

// bothEnds runs a test on SQLite and on PostgreSQL. fresh returns the URL of an empty
// database.
func bothEnds(t *testing.T, test func(t *testing.T, fresh func() string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func() string { return filepath.Join(t.TempDir(), "reporting.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func() string { return enginetest.Postgres(t) })
	})
}

func openDatabase(tb testing.TB, url string) *Database {
	tb.Helper()
	db, err := Open(context.Background(), url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// soak tells whether the large counts were asked for.
func soak() bool { return os.Getenv("DAYBOOK_SOAK") == "1" }

// allRows are the ways in which rows are written.
var allRows = []table{
	reservationRows, tableRows, dayRows, shiftRows, waitlistRows, demandRows, refusalRows, restaurantRows, auditRows, parkedRows,
}

// dump returns all rows of all tables as text, sorted.
func dump(tb testing.TB, db *Database) []string {
	tb.Helper()
	var all []string
	for _, t := range allRows {
		err := db.engine.query(context.Background(), func(row scanner) error {
			values := make([]any, len(t.columns))
			dest := make([]any, len(values))
			for i := range values {
				dest[i] = &values[i]
			}
			err := row.Scan(dest...)
			for i, v := range values {
				if b, ok := v.(bool); ok { // SQLite has none
					values[i] = map[bool]int{true: 1}[b]
				}
			}
			all = append(all, fmt.Sprint(t.name, " ", values))
			return err
		}, "SELECT "+strings.Join(t.columns, ", ")+" FROM "+t.name)
		if err != nil {
			tb.Fatal(err)
		}
	}
	sort.Strings(all)
	return all
}

func position(tb testing.TB, db *Database) eventstore.Position {
	tb.Helper()
	p, err := db.Position(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// sameRows compares dumps and shows the first lines that differ.
func sameRows(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: got %d rows, want %d", what, len(got), len(want))
	shown := 0
	for _, line := range got {
		if _, ok := slices.BinarySearch(want, line); !ok && shown < 5 {
			shown++
			t.Errorf("too much:  %s", line)
		}
	}
	for _, line := range want {
		if _, ok := slices.BinarySearch(got, line); !ok && shown < 10 {
			shown++
			t.Errorf("missing:   %s", line)
		}
	}
}

// applyAll feeds records in batches of size.
func applyAll(tb testing.TB, v projections.View, records []eventstore.Record, size int) {
	tb.Helper()
	for batch := range slices.Chunk(records, size) {
		if err := applyNow(v, batch); err != nil {
			tb.Fatal(err)
		}
	}
}

// applyNow feeds records, and returns when they are written.
func applyNow(v projections.View, records []eventstore.Record) error {
	err := v.Apply(context.Background(), batchOf(records))
	if l, ok := v.(*load); ok {
		err = errors.Join(err, l.settle())
	}
	return err
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got\n%+v\nwant\n%+v", what, got, want)
	}
}

// TestAnyBatchesAnyRedelivery feeds a random ledger in random batches, some of them again,
// some broken off, and compares with the same ledger in one go, on both ends.
func TestAnyBatchesAnyRedelivery(t *testing.T) {
	seeds := 3
	if soak() {
		seeds = 60
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			l := newLedger(t)
			l.random(rnd, 250)
			records := l.records()

			plain := openDatabase(t, filepath.Join(t.TempDir(), "plain.db"))
			applyAll(t, plain.View(l.store, l.codec), records, eventstore.MaxBatch)
			want := dump(t, plain)
			checkCounts(t, l, plain)
			for _, line := range want {
				if strings.Contains(line, secret) {
					t.Fatalf("personal data in clear: %s", line)
				}
			}
			for name, url := range map[string]string{
				"sqlite": filepath.Join(t.TempDir(), "batches.db"), "postgres": enginetest.Postgres(t),
			} {
				db := openDatabase(t, url)
				broken := &brokenEngine{engine: db.engine}
				db.engine = broken
				v := db.View(l.store, l.codec)
				for at := 0; at < len(records); {
					size := 1 + rnd.IntN(40)
					end := min(at+size, len(records))
					if rnd.IntN(4) == 0 {
						broken.breakAfter = 1 + rnd.IntN(6)
					}
					again := at - rnd.IntN(min(at+1, 20)) // what came before comes again
					err := v.Apply(context.Background(), batchOf(records[again:end]))
					broken.breakAfter = 0
					if errors.Is(err, errBroken) {
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					if rnd.IntN(5) == 0 {
						v = db.View(l.store, l.codec) // a new process, which knows nothing
					}
					at = end
				}
				sameRows(t, name, dump(t, db), want)
			}
		})
	}
}

// checkCounts compares the days' rows with the folded states, and the whole with what was
// asked for.
func checkCounts(t *testing.T, l *ledger, db *Database) {
	t.Helper()
	var entered, refused int
	for _, s := range l.days {
		if !s.Opened() {
			continue
		}
		got, err := db.DaySummary(context.Background(), s.Restaurant, s.Date)
		if err != nil {
			t.Fatal(err)
		}
		plan := s.Agreed()
		want := DaySummary{
			Restaurant: s.Restaurant, Date: s.Date, PlanRevision: plan.Revision, Tables: len(plan.Tables), Slots: len(plan.Slots),
			Reservations: s.Reservations(), OpenedAt: got.OpenedAt, Refused: got.Refused, Revision: l.revision[dayStream(s)] - 1, Position: got.Position,
		}
		for _, table := range plan.Tables {
			want.Seats += int(table.Max)
		}
		for n := 1; n <= s.Reservations(); n++ {
			r, _ := s.Reservation(uint32(n))
			if r.Source == restaurantday.SourceBooking { // the others were not asked for by a hold
				entered++
			}
			switch r.Status {
			case restaurantday.StatusPending:
				want.Pending++
				want.Covers += int(r.Party)
			case restaurantday.StatusConfirmed:
				want.Confirmed++
				want.Covers += int(r.Party)
			case restaurantday.StatusSeated, restaurantday.StatusCompleted:
				if r.Status == restaurantday.StatusSeated {
					want.Seated++
				} else {
					want.Completed++
				}
				if r.Source == restaurantday.SourceWalkIn {
					want.WalkIns++
				}
				want.Covers += int(r.Party)
				want.CoversSeated += int(r.Covers)
			case restaurantday.StatusCancelled:
				want.Cancelled++
			case restaurantday.StatusExpired:
				want.Expired++
			case restaurantday.StatusNoShow:
				want.NoShow++
				want.CoversNoShow += int(r.Party)
			case restaurantday.StatusMoved:
				want.Moved++
			case restaurantday.StatusWithdrawn:
				want.Withdrawn++
			}
		}
		for n := 1; n <= s.WaitlistEntries(); n++ {
			w, _ := s.WaitlistEntry(uint32(n))
			want.Waitlist++
			switch w.Status {
			case restaurantday.WaitlistWaiting:
				want.Waiting++
			case restaurantday.WaitlistOffering:
				want.Offered++
			case restaurantday.WaitlistAccepted:
				want.Accepted++
			case restaurantday.WaitlistGone:
				want.Left++
			}
		}
		equal(t, "day", got, want)
	}
	var rows int
	if err := one(context.Background(), db.engine.query, []any{&refused, &rows},
		"SELECT SUM(refused), (SELECT COUNT(*) FROM refusals) FROM days"); err != nil {
		t.Fatal(err)
	}
	if refused != rows || entered+refused != l.asked || refused == 0 {
		t.Errorf("%d reservations and %d refusals (%d rows), want %d together", entered, refused, rows, l.asked)
	}
	overlaps, err := db.Overlaps(context.Background(), 10)
	if err != nil || len(overlaps) > 0 {
		t.Errorf("overlaps: %+v, %v", overlaps, err)
	}
}

var errBroken = errors.New("broken by the test")

// brokenEngine breaks a write off after some calls, as a lost connection does: 1 before the
// checkpoint, 2 after it, 3 and more within the rows or at the commit.
type brokenEngine struct {
	engine
	breakAfter int // 0: never
}

func (b *brokenEngine) write(ctx context.Context, fn func(tx) error) error {
	if b.breakAfter == 0 {
		return b.engine.write(ctx, fn)
	}
	return b.engine.write(ctx, func(t tx) error {
		if err := fn(&brokenTx{t, b.breakAfter}); err != nil {
			return err
		}
		return errBroken
	})
}

type brokenTx struct {
	tx
	left int
}

func (b *brokenTx) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if b.left--; b.left == 0 {
		return 0, errBroken
	}
	return b.tx.exec(ctx, sql, args...)
}

func (b *brokenTx) put(ctx context.Context, texts *texts, puts []put) error {
	for _, p := range puts {
		for row := range slices.Chunk(p.rows, 1) {
			if b.left--; b.left == 0 {
				return errBroken
			}
			if err := b.tx.put(ctx, texts, []put{{p.table, row, p.fresh}}); err != nil {
				return err
			}
		}
	}
	return nil
}

package reporting

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/projections/reports"
)

// openingEngine has something done when the days with a book have been read.
type openingEngine struct {
	engine
	act func()
}

func (o *openingEngine) query(ctx context.Context, each func(scanner) error, sql string, args ...any) error {
	err := o.engine.query(ctx, each, sql, args...)
	if strings.Contains(sql, "FROM days") {
		o.act()
	}
	return err
}

// TestSeatTimeIsOfOneState: a day that is opened while a report is made is in all of it, or
// in nothing: else what it offers would count as a day without a book, and again.
func TestSeatTimeIsOfOneState(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(28, 28)), 30)
		db := openDatabase(t, fresh())
		view := db.View(l.store, l.codec)
		applyAll(t, view, l.records(), 512)
		const date = day1 + 9
		db.engine = &openingEngine{db.engine, func() {
			if !l.do(restaurantID(1), date, domain.System(), holdOf(1, date, opening, domain.System(), 2, "18:00")) {
				t.Error("refused")
			}
			applyAll(t, view, l.records(), 512)
		}}
		for range 2 { // the second time it has its book
			times, known, _, err := db.SeatTime(t.Context(), restaurantID(1), date, date, reports.ByDay)
			if err != nil {
				t.Fatal(err)
			}
			if counted := slices.ContainsFunc(times, func(s reports.SeatTime) bool { return s.Offered > 0 }); counted != known[date] {
				t.Errorf("the day is known: %v, and counted: %v", known[date], counted)
			}
		}
	})
}

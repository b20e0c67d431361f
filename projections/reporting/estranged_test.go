package reporting

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"daybook/projections"
)

// TestALedgerThatWasPutBack and has grown past what the tables hold: they are made anew, and
// tell nothing of what is lost. What they were is not put back.
func TestALedgerThatWasPutBack(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(61, 61)), 30)
		restored := l.restored()
		l.random(rand.New(rand.NewPCG(62, 62)), 10)
		db := openDatabase(t, fresh())
		run := func(l *ledger) {
			t.Helper()
			r, err := projections.NewRunner(l.store, projections.Options{
				Logger: slog.New(slog.DiscardHandler), Build: func() (string, error) { return "this", nil },
			}, db.View(l.store, l.codec))
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- r.Run(context.Background()) }()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			records := l.records()
			if err := errors.Join(r.Wait(ctx, viewName, records[len(records)-1].Position), r.Close(), <-ended); err != nil {
				t.Fatalf("%v; %+v", err, r.Status())
			}
		}
		run(l)
		restored.random(rand.New(rand.NewPCG(63, 63)), 30)
		if records := restored.records(); records[len(records)-1].Position <= position(t, db) {
			t.Fatalf("the ledger ends at %d and the tables at %d", records[len(records)-1].Position, position(t, db))
		}
		run(restored)
		plain := openDatabase(t, fresh())
		applyAll(t, plain.View(restored.store, restored.codec), restored.records(), 512)
		sameRows(t, "built anew", dump(t, db), dump(t, plain))
		_, err := projections.Rebuild(context.Background(), restored.store, db.View(restored.store, restored.codec), projections.RebuildOptions{Rollback: true})
		if err == nil {
			t.Error("what was lost is put back")
		}
	})
}

package reporting

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"daybook/internal/enginetest"
	"daybook/projections"
)

// TestSwapBesideALongQuery: a query of somebody else that reads the tables for long keeps
// them from being renamed. Readers who come meanwhile are answered, the swap is tried again
// and done when the query ends; when it does not end, the live view is as it was, and the
// rebuild can be gone on with.
func TestSwapBesideALongQuery(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	url := enginetest.Postgres(t)
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(6, 6)), 40)
	db := openDatabase(t, url)
	v := db.View(l.store, l.codec)
	applyAll(t, v, l.records(), 512)

	analyst, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = analyst.Close(ctx) }() // the test is over
	reading := func() pgx.Tx {
		t.Helper()
		q, err := analyst.Begin(ctx)
		if err == nil {
			// Of the last table, so that the others are taken before it is found to be read.
			_, err = q.Exec(ctx, "SELECT COUNT(*) FROM reporting.audit_entries")
		}
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	// rebuild runs one, and until it ends asks as readers do: the longest time one waited.
	rebuild := func(during func(asked int)) (done projections.Rebuilt, longest time.Duration, err error) {
		t.Helper()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			done, err = projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), projections.RebuildOptions{Build: "a"})
		}()
		for asked := 0; ; asked++ {
			select {
			case <-ended:
				return done, longest, err
			default:
			}
			began := time.Now()
			if _, err := db.DaySummary(ctx, restaurantID(1), day1); err != nil {
				t.Fatalf("a reader is told %v", err)
			}
			longest = max(longest, time.Since(began))
			during(asked)
		}
	}

	q := reading()
	db.patience = 1500 * time.Millisecond
	_, longest, err := rebuild(func(int) {})
	if !errors.Is(err, errTablesBusy) || !strings.Contains(err.Error(), "goes on from here") {
		t.Errorf("beside a query that does not end: %v", err)
	}
	if longest > readLimit/2 {
		t.Errorf("a reader waited %v", longest)
	}
	if err := q.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	db.patience = time.Minute
	q = reading()
	began, ended := time.Now(), false
	done, longest, err := rebuild(func(int) {
		if !ended && time.Since(began) > 2*time.Second {
			ended = true
			if err := q.Rollback(ctx); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || done.Records != 0 || !done.Equal() || longest > readLimit/2 {
		t.Errorf("beside a query that ends: %+v after a wait of %v, %v", done, longest, err)
	}
	noCopyLeft(t, db)
}

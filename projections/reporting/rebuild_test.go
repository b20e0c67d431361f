package reporting

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// TestRebuiltEqualsLive rebuilds twice, with rows made wrong by hand before.
func TestRebuiltEqualsLive(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(20, 20)), 150)
		records := l.records()
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, records, 33)
		want := dump(t, db)
		ctx := context.Background()
		if err := db.Checkpoints().Save(ctx, "holds", feed.Place{Position: 3}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := db.engine.write(ctx, func(t tx) error {
				_, err := t.exec(ctx, "DELETE FROM reservations WHERE number = 1")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			done, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "a"})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range done.Compared {
				missing := c.What == "reservations"
				if c.OnlyLive != 0 || (c.OnlyCopy != 0) != missing {
					t.Errorf("compared %+v", c)
				}
			}
			if done.Records != uint64(len(records)) || done.Position != records[len(records)-1].Position {
				t.Errorf("rebuilt %+v", done)
			}
			sameRows(t, "rebuilt", dump(t, db), want)
			if p := position(t, db); p != records[len(records)-1].Position {
				t.Errorf("checkpoint at %d", p)
			}
		}
		if p, err := db.Checkpoints().Load(ctx, "holds"); err != nil || p.Position != 3 {
			t.Errorf("another's checkpoint: %d, %v", p.Position, err)
		}
		noCopyLeft(t, db)

		// The live view goes on in the new tables.
		l.do(restaurantID(1), day1+9, domain.System(), holdOf(1, day1+9, opening, domain.System(), 2, "18:00"))
		applyAll(t, v, l.records(), 512)
		if got, err := db.DaySummary(ctx, restaurantID(1), day1+9); err != nil || got.Pending != 1 {
			t.Errorf("afterwards: %+v, %v", got, err)
		}
	})
}

func noCopyLeft(t *testing.T, db *Database) {
	t.Helper()
	for _, name := range viewTables {
		var n int
		if err := one(context.Background(), db.engine.query, []any{&n}, "SELECT COUNT(*) FROM "+nextPrefix+name); err == nil {
			t.Errorf("%s%s is left", nextPrefix, name)
		}
	}
	if p, err := db.Checkpoints().Load(context.Background(), checkpointOf(nextPrefix)); err != nil || p.Position != 0 {
		t.Errorf("the copy's checkpoint: %d, %v", p.Position, err)
	}
}

// TestRebuildUnderLoad rebuilds while the ledger grows, a runner feeds the live view and
// readers look: nobody ever sees fewer entries than before.
func TestRebuildUnderLoad(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(21, 21)), 100)
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		runner, err := projections.NewRunner(l.store, projections.Options{MaxBackoff: 50 * time.Millisecond}, v)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(context.Background(), 3*time.Minute)
		defer stop()
		running, end := context.WithCancel(ctx)
		var group sync.WaitGroup
		group.Go(func() {
			if err := runner.Run(running); err != nil {
				t.Error(err)
			}
		})
		reach := func() {
			head, err := l.store.Head(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := runner.Wait(ctx, viewName, head); err != nil {
				t.Fatal(err)
			}
		}
		reach()

		quit := make(chan struct{})
		group.Go(func() { // a reader
			last := 0
			for {
				select {
				case <-quit:
					return
				default:
				}
				var n int
				if err := one(ctx, db.engine.query, []any{&n}, "SELECT COUNT(*) FROM audit_entries"); err != nil {
					t.Error(err)
					return
				}
				if n < last {
					t.Errorf("%d entries after %d", n, last)
					return
				}
				last = n
			}
		})
		rebuilt := make(chan error, 1)
		go func() {
			var err error
			for range 2 {
				// A copy of its own, as the command line makes one.
				_, failed := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), projections.RebuildOptions{})
				err = errors.Join(err, failed)
			}
			rebuilt <- err
		}()
		now := opening + 24*hour
		writing := true
		for n := 0; n < 50 || (writing && n < 1500); n++ { // the writer, no faster than the view
			if n%20 == 0 {
				reach()
			}
			now += minute
			date := day1 + 10 + domain.ServiceDate(n%5)
			hold := holdOf(1, date, now, domain.Staff(userID(9)), 2, "20:00")
			hold.Opening.Plan.BookableFrom = 0
			if !l.do(restaurantID(1), date, hold.Actor, hold) {
				s := l.days[dayStreamOf(restaurantID(1), date)]
				for number := range s.Reservations() {
					l.do(restaurantID(1), date, hold.Actor, restaurantday.Cancel{Now: now, Actor: hold.Actor, Number: uint32(number + 1)})
				}
			}
			select {
			case err := <-rebuilt:
				if err != nil {
					t.Error(err)
				}
				writing = false
			default:
			}
		}
		if writing {
			if err := <-rebuilt; err != nil {
				t.Error(err)
			}
		}
		reach()
		close(quit)
		end()
		group.Wait()
		plain := openDatabase(t, fresh())
		applyAll(t, plain.View(l.store, l.codec), l.records(), 512)
		// The runner may be a moment behind its word where the swap moved it: feed the rest.
		head, err := l.store.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := projections.Follow(ctx, l.store, v, v.at.Position, head); err != nil && !errors.Is(err, projections.ErrMoved) {
			t.Fatal(err)
		}
		sameRows(t, "in the end", dump(t, db), dump(t, plain))
		noCopyLeft(t, db)
	})
}

// TestSwapNeverGoesBack: a copy that is behind the live view follows it before it takes its
// place.
func TestSwapNeverGoesBack(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(22, 22)), 60)
		records := l.records()
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, records, 40)
		want := dump(t, db)
		ctx := context.Background()
		build, err := v.Rebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, build.View, records[:len(records)/2], 40)
		sameRows(t, "while it is built", dump(t, db), want)
		if err := build.Swap(ctx); err != nil {
			t.Fatal(err)
		}
		sameRows(t, "swapped", dump(t, db), want)
		if p := position(t, db); p != records[len(records)-1].Position {
			t.Errorf("checkpoint at %d", p)
		}
	})
}

// TestRollback puts back what a rebuild replaced, and that again, each time with what came
// meanwhile.
func TestRollback(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(24, 24)), 80)
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, l.records(), 40)
		ctx := context.Background()
		rollback := projections.RebuildOptions{Rollback: true}
		if _, err := projections.Rebuild(ctx, l.store, v, rollback); !errors.Is(err, projections.ErrNothingKept) {
			t.Errorf("with nothing kept: %v", err)
		}
		remove := func() {
			err := db.engine.write(ctx, func(t tx) error {
				_, err := t.exec(ctx, "DELETE FROM audit_entries WHERE position = (SELECT MIN(position) FROM audit_entries)")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		remove()
		if _, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "a"}); err != nil {
			t.Fatal(err)
		}
		l.do(restaurantID(1), day1+9, domain.System(), holdOf(1, day1+9, opening, domain.System(), 2, "18:00"))
		plain := openDatabase(t, fresh())
		applyAll(t, plain.View(l.store, l.codec), l.records(), 512)
		want := dump(t, plain)
		for _, missing := range []uint64{1, 0, 1} {
			done, err := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), rollback)
			if err != nil {
				t.Fatal(err)
			}
			var n uint64
			for _, c := range done.Compared {
				n += c.OnlyLive
			}
			if n != missing {
				t.Errorf("%d rows are missing in what is put back, want %d", n, missing)
			}
			if missing == 0 {
				sameRows(t, "put back", dump(t, db), want)
			}
			if p := position(t, db); p != done.Position {
				t.Errorf("checkpoint at %d, want %d", p, done.Position)
			}
		}
		noCopyLeft(t, db)
	})
}

// TestResume goes on where a rebuild of the same build was cut off, and begins anew after
// one of another.
func TestResume(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(25, 25)), 60)
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 40)
		want := dump(t, db)
		ctx := context.Background()
		cutOff := func() {
			build, err := db.View(l.store, l.codec).Rebuild(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			applyAll(t, build.View, records[:len(records)/2], 7)
		}
		half := records[len(records)/2-1].Position
		for _, c := range []struct {
			o    projections.RebuildOptions
			from eventstore.Position
		}{
			{projections.RebuildOptions{Build: "a"}, half},
			{projections.RebuildOptions{Build: "b"}, 0},
			{projections.RebuildOptions{Build: "a", Restart: true}, 0},
			{projections.RebuildOptions{Build: "a", IfEqual: true}, half},
		} {
			cutOff()
			done, err := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), c.o)
			if err != nil || done.From != c.from || !done.Equal() {
				t.Errorf("%+v: %+v, %v", c.o, done, err)
			}
			sameRows(t, "rebuilt", dump(t, db), want)
			noCopyLeft(t, db)
		}
	})
}

// TestIfEqual leaves a live view that differs as it is.
func TestIfEqual(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(26, 26)), 30)
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, l.records(), 40)
		ctx := context.Background()
		err := db.engine.write(ctx, func(t tx) error {
			_, err := t.exec(ctx, "UPDATE days SET covers = covers + 1")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := dump(t, db)
		done, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "a", IfEqual: true})
		if !errors.Is(err, projections.ErrDiffers) || done.Equal() {
			t.Errorf("%+v, %v", done, err)
		}
		sameRows(t, "live", dump(t, db), want)
		noCopyLeft(t, db)
	})
}

// TestAbandon leaves nothing behind, and a second rebuild ends the first.
func TestAbandon(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(23, 23)), 30)
		records := l.records()
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		applyAll(t, v, records, 40)
		want := dump(t, db)
		ctx := context.Background()
		first, err := v.Rebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, first.View, records[:5], 5)
		second, err := v.Rebuild(ctx, "b")
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, second.View, records[:7], 7)
		if err := applyNow(first.View, records[5:9]); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the first goes on: %v", err)
		}
		if err := first.Swap(ctx); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the first swaps: %v", err)
		}
		if err := second.Abandon(ctx); err != nil {
			t.Fatal(err)
		}
		noCopyLeft(t, db)
		sameRows(t, "live", dump(t, db), want)
		if err := applyNow(first.View, slices.Clone(records)); err == nil {
			t.Error("a copy that was dropped can be written")
		}
	})
}

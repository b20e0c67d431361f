package reporting

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// TestRowsAndCheckpointTogether breaks each Apply off at every place in turn: nothing of it
// may be there, and the next attempt must do all of it.
func TestRowsAndCheckpointTogether(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(7, 7)), 40)
		records := l.records()
		db := openDatabase(t, fresh())
		broken := &brokenEngine{engine: db.engine}
		db.engine = broken
		v := db.View(l.store, l.codec)
		half := len(records) / 2
		applyAll(t, v, records[:half], half)
		before, at := dump(t, db), position(t, db)
		for broken.breakAfter = 1; broken.breakAfter <= 12; broken.breakAfter++ {
			if err := v.Apply(context.Background(), batchOf(records[half:])); !errors.Is(err, errBroken) {
				t.Fatalf("broken after %d: got %v", broken.breakAfter, err)
			}
			sameRows(t, "after a break", dump(t, db), before)
			if now := position(t, db); now != at {
				t.Fatalf("broken after %d: checkpoint at %d, want %d", broken.breakAfter, now, at)
			}
		}
		broken.breakAfter = 0
		applyAll(t, v, records[half:], len(records))
		if now := position(t, db); now != records[len(records)-1].Position {
			t.Errorf("checkpoint at %d", now)
		}
		plain := openDatabase(t, fresh())
		applyAll(t, plain.View(l.store, l.codec), records, len(records))
		sameRows(t, "in the end", dump(t, db), dump(t, plain))
	})
}

// TestTwoRunners lets two processes feed one database. Each stretch of the ledger must be
// applied by exactly one of them: with the fence out of advance, stretches overlap.
func TestTwoRunners(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(8, 8)), 250)
		records := l.records()
		url := fresh()
		type stretch struct{ from, to eventstore.Position }
		var mu sync.Mutex
		var applied []stretch
		moved := 0
		var runners sync.WaitGroup
		for range 2 {
			db := openDatabase(t, url)
			v := db.View(l.store, l.codec)
			runners.Go(func() {
				ctx := context.Background()
				for {
					place, err := v.Checkpoint(ctx)
					from := place.Position
					if err != nil {
						t.Error(err)
						return
					}
					rest := records[indexAfter(records, from):]
					if len(rest) == 0 {
						return
					}
					for len(rest) > 0 && err == nil {
						next := rest[:min(7, len(rest))]
						rest = rest[len(next):]
						if err = v.Apply(ctx, batchOf(next)); err == nil {
							mu.Lock()
							applied = append(applied, stretch{from, v.at.Position})
							mu.Unlock()
							from = v.at.Position
						}
					}
					if errors.Is(err, projections.ErrMoved) {
						mu.Lock()
						moved++
						mu.Unlock()
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		runners.Wait()
		at := make(map[eventstore.Position]stretch)
		for _, s := range applied {
			if other, twice := at[s.from]; twice {
				t.Fatalf("applied twice: %v and %v", s, other)
			}
			at[s.from] = s
		}
		end := eventstore.Start
		for range applied {
			end = at[end].to
		}
		if last := records[len(records)-1].Position; end != last {
			t.Errorf("the stretches lead to %d, want %d", end, last)
		}
		t.Logf("%d stretches, %d times moved", len(applied), moved)
		db, plain := openDatabase(t, url), openDatabase(t, fresh())
		applyAll(t, plain.View(l.store, l.codec), records, len(records))
		sameRows(t, "rows", dump(t, db), dump(t, plain))
	})
}

func indexAfter(records []eventstore.Record, p eventstore.Position) int {
	for i, r := range records {
		if r.Position > p {
			return i
		}
	}
	return len(records)
}

// TestMoved shows the fence alone: a view whose checkpoint somebody moved writes nothing.
func TestMoved(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(9, 9)), 30)
		records := l.records()
		db := openDatabase(t, fresh())
		slow, quick := db.View(l.store, l.codec), db.View(l.store, l.codec)
		applyAll(t, slow, records[:5], 5)
		applyAll(t, quick, records, 20)
		want := dump(t, db)
		if err := slow.Apply(context.Background(), batchOf(records[5:10])); !errors.Is(err, projections.ErrMoved) {
			t.Fatalf("got %v, want ErrMoved", err)
		}
		sameRows(t, "rows", dump(t, db), want)
		if at, err := slow.Checkpoint(context.Background()); err != nil || at != feed.PlaceOf(records[len(records)-1]) {
			t.Errorf("went on from %+v, %v", at, err)
		}
	})
}

// TestOldStateNeverReplacesNew puts the checkpoint back by hand, as somebody who restores
// one table alone: what is applied again must not undo what came after it. Without the
// condition on the revision, rows go back.
func TestOldStateNeverReplacesNew(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(10, 10)), 80)
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 50)
		want := dump(t, db)
		err := db.engine.write(context.Background(), func(t tx) error {
			_, err := t.exec(context.Background(), "UPDATE checkpoints SET position = 0 WHERE name = $1", viewName)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		again := db.View(l.store, l.codec)
		for n := 1; n <= 60; n++ {
			applyAll(t, again, records[:n], n)
			sameRows(t, "rows", dump(t, db), want)
			if t.Failed() {
				t.Fatalf("after record %d again", n)
			}
		}
	})
}

// TestParkedRecord: a record nobody can read is kept by itself, and what follows goes on.
func TestParkedRecord(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		r, diner := restaurantID(1), domain.Diner(userID(1))
		l.do(r, day1, diner, holdOf(1, day1, opening, diner, 2, "18:00"))
		l.unreadable(codec.DayStream(r, day1))
		l.do(r, day1, diner, holdOf(1, day1, opening, diner, 2, "18:00"))
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		if err := v.Apply(context.Background(), batchOf(l.records())); !errors.Is(err, projections.ErrCorrupt) {
			t.Fatalf("got %v, want ErrCorrupt", err)
		}
		ctx, stop := context.WithCancel(context.Background())
		runner, err := projections.NewRunner(l.store, projections.Options{}, v)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- runner.Run(ctx) }()
		wait, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		head, err := l.store.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := runner.Wait(wait, viewName, head); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var stream, kind, cause string
		var parked, reservations int
		if err := one(context.Background(), db.engine.query, []any{&stream, &kind, &cause, &parked, &reservations},
			"SELECT stream, type, cause, (SELECT COUNT(*) FROM parked_records), (SELECT COUNT(*) FROM reservations) FROM parked_records"); err != nil {
			t.Fatal(err)
		}
		if stream != string(codec.DayStream(r, day1)) || kind != codec.TypeReservationHeld || cause == "" || parked != 1 || reservations != 2 {
			t.Errorf("parked %q %q %q, %d in all, beside %d reservations", stream, kind, cause, parked, reservations)
		}
	})
}

// TestForeignRecords: a record of a type or a stream this view does not know moves the
// checkpoint and nothing else.
func TestForeignRecords(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		for i, stream := range []eventstore.StreamName{codec.DayStream(restaurantID(1), day1), "user-x", "day-nonsense", codec.DemandStream(restaurantID(1), day1)} {
			event := eventstore.Event{ID: eventstore.EventID{byte(i + 1)}, Type: "table.flipped", Data: []byte("{}"), Metadata: []byte(`{"v":1}`)}
			if _, err := l.store.Append(context.Background(), stream, eventstore.NoStream(), event); err != nil {
				t.Fatal(err)
			}
		}
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 3)
		if rows := dump(t, db); len(rows) > 0 || position(t, db) != records[3].Position {
			t.Errorf("got %v at %d", rows, position(t, db))
		}
	})
}

func TestCheckpoints(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		c := openDatabase(t, fresh()).Checkpoints()
		ctx := context.Background()
		var got []feed.Place
		load := func() {
			p, err := c.Load(ctx, "holds")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p)
		}
		load()
		at := func(p eventstore.Position) feed.Place {
			return feed.Place{Position: p, Record: feed.Mark{Position: p, Revision: 3, ID: eventstore.EventID{1, byte(p)}, Recorded: 1_790_000_000_123_456_700, Stream: "a stream"}}
		}
		for _, p := range []eventstore.Position{5, 9, 7} {
			if err := c.Save(ctx, "holds", at(p)); err != nil {
				t.Fatal(err)
			}
			load()
		}
		if err := c.Reset(ctx, "holds"); err != nil {
			t.Fatal(err)
		}
		load()
		equal(t, "places", got, []feed.Place{{}, at(5), at(9), at(9), {}})
	})
}

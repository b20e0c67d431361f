package reporting

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/projections"
)

// indexesOf are the definitions of a copy's indexes but its keys, without the number that
// stands in their names.
func indexesOf(tb testing.TB, db *Database, prefix string) (all []string) {
	tb.Helper()
	catalogue := "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
	if _, ok := db.engine.(*postgres); ok {
		catalogue = "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'reporting' AND indexname NOT LIKE '%pkey%'"
	}
	number := regexp.MustCompile(`_\d+ ON`)
	err := db.engine.query(context.Background(), func(row scanner) error {
		var table, text string
		err := row.Scan(&table, &text)
		if slices.Contains(viewTables, strings.TrimPrefix(table, prefix)) && strings.HasPrefix(table, prefix) {
			text = number.ReplaceAllString(strings.ReplaceAll(text, table, strings.TrimPrefix(table, prefix)), " ON")
			all = append(all, strings.NewReplacer(`"`, "", "IF NOT EXISTS ", "").Replace(text))
		}
		return err
	}, catalogue)
	if err != nil {
		tb.Fatal(err)
	}
	slices.Sort(all)
	return all
}

// TestRebuiltHasItsIndexes: a copy is filled without indexes, and has all of them, once each
// and as a migration makes them, when it takes the live tables' place.
func TestRebuiltHasItsIndexes(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(30, 30)), 20)
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 512)
		want := indexesOf(t, db, "")
		if len(want) < 5 {
			t.Fatalf("the live tables have %q", want)
		}
		ctx := context.Background()
		for _, finish := range []bool{true, false} { // the swap alone does what is left to be done
			build, err := db.View(l.store, l.codec).Rebuild(ctx, "a")
			if err != nil {
				t.Fatal(err)
			}
			applyAll(t, build.View, records, 100)
			if is := indexesOf(t, db, nextPrefix); len(is) > 0 {
				t.Errorf("while it is filled it has %q", is)
			}
			if finish {
				if err := build.Finish(ctx); err != nil {
					t.Fatal(err)
				}
				equal(t, "indexes of the copy", indexesOf(t, db, nextPrefix), want)
			}
			if err := build.Swap(ctx); err != nil {
				t.Fatal(err)
			}
			equal(t, "indexes", indexesOf(t, db, ""), want)
			equal(t, "indexes of what is kept", indexesOf(t, db, prevPrefix), want)
		}
	})
}

// TestIndexesApart: what a later migration drops is not made.
func TestIndexesApart(t *testing.T) {
	tables, indexes := apart([]string{
		"CREATE TABLE {p}a (x {text});\nCREATE INDEX a_by_x_{g} ON {p}a (x);\nCREATE TABLE {p}b (x {text});\n" +
			"CREATE INDEX b_by_x_{g} ON {p}b (x);\nCREATE INDEX b_by_y_{g} ON {p}b (y) WHERE y > 0;\n",
		"DROP TABLE {p}a;\nCREATE TABLE {p}a (y {text});\nDROP INDEX b_by_x_{g};\n",
		"CREATE INDEX a_by_y_{g} ON {p}a (y);\n",
	})
	equal(t, "tables", tables, []string{
		"CREATE TABLE {p}a (x {text})", "CREATE TABLE {p}b (x {text})", "DROP TABLE {p}a", "CREATE TABLE {p}a (y {text})",
	})
	equal(t, "indexes", indexes, []string{
		"CREATE INDEX IF NOT EXISTS b_by_y_{g} ON {p}b (y) WHERE y > 0", "CREATE INDEX IF NOT EXISTS a_by_y_{g} ON {p}a (y)",
	})
}

// TestIndexesOfAnother: who comes late to make indexes finds that the tables of these names
// are another's by now.
func TestIndexesOfAnother(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(31, 31)), 20)
		records := l.records()
		db := openDatabase(t, fresh())
		ctx := context.Background()
		first, err := db.View(l.store, l.codec).Rebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, first.View, records, 100)
		if _, err := db.View(l.store, l.codec).Rebuild(ctx, "b"); err != nil {
			t.Fatal(err)
		}
		if err := first.Finish(ctx); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the first finishes: %v", err)
		}
		if is := indexesOf(t, db, nextPrefix); len(is) > 0 {
			t.Errorf("the second's tables have %q", is)
		}
	})
}

// TestALoadLosesNoBatch: a batch that could not be written is not passed over because the
// next one is brought again, as it would be after any error.
func TestALoadLosesNoBatch(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(32, 32)), 60)
		records := l.records()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, 512)
		want := dump(t, db)
		broken := &brokenEngine{engine: db.engine}
		db.engine = broken
		ctx := context.Background()
		build, err := db.View(l.store, l.codec).Rebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		applyAll(t, build.View, records[:10], 10)
		broken.breakAfter = 5
		if err := build.View.Apply(ctx, batchOf(records[10:20])); err != nil {
			t.Fatalf("told of what is still being written: %v", err)
		}
		for range 3 {
			if err := build.View.Apply(ctx, batchOf(records[20:30])); !errors.Is(err, errBroken) {
				t.Fatalf("after a batch that was not written: %v", err)
			}
			broken.breakAfter = 0
		}
		if err := build.Finish(ctx); !errors.Is(err, errBroken) {
			t.Errorf("finished without it: %v", err)
		}
		at, err := build.View.Checkpoint(ctx)
		if err != nil || at.Position != records[9].Position {
			t.Fatalf("it stands at %d, %v", at.Position, err)
		}
		applyAll(t, build.View, records[10:], 10)
		db.engine = broken.engine
		if err := build.Swap(ctx); err != nil {
			t.Fatal(err)
		}
		sameRows(t, "rebuilt", dump(t, db), want)
	})
}

// TestLargeBatches writes more rows of a table at once than fit a statement, to a live view
// and to a copy. To a live view all of it comes again after its checkpoint was put back by
// hand: nothing older replaces what is newer.
func TestLargeBatches(t *testing.T) {
	l := newLedger(t)
	l.busy(6, 100)
	records := l.records()
	plain := openDatabase(t, filepath.Join(t.TempDir(), "plain.db"))
	applyAll(t, plain.View(l.store, l.codec), records, 100)
	want := dump(t, plain)
	bothEnds(t, func(t *testing.T, fresh func() string) {
		ctx := context.Background()
		db := openDatabase(t, fresh())
		applyAll(t, db.View(l.store, l.codec), records, len(records))
		sameRows(t, "in one batch", dump(t, db), want)
		for _, part := range [][]eventstore.Record{records[:len(records)/2], records} {
			err := db.engine.write(ctx, func(t tx) error {
				_, err := t.exec(ctx, "UPDATE checkpoints SET position = 0")
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			applyAll(t, db.View(l.store, l.codec), part, len(part))
			sameRows(t, "once more", dump(t, db), want)
		}
		done, err := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), projections.RebuildOptions{Batch: len(records) / 2})
		if err != nil || !done.Equal() {
			t.Errorf("rebuilt %+v, %v", done, err)
		}
		sameRows(t, "rebuilt", dump(t, db), want)
	})
}

// TestKeysComeFirst: rows are put in order by their first columns.
func TestKeysComeFirst(t *testing.T) {
	for _, r := range allRows {
		if r.newer != "" {
			equal(t, r.name, r.columns[:len(r.key)], r.key)
		}
	}
}

// TestWritersOfAFileStandInLine: SQLite alone would let one who writes all the time starve
// the others.
func TestWritersOfAFileStandInLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.db")
	lock := func(path string) any { return openDatabase(t, path).engine.(*sqlite).writing }
	if lock(path) != lock(path) || lock(path) == lock(path+"2") {
		t.Error("want one lock for each file")
	}
}

// panicking is an engine with a driver that fails so.
type panicking struct{ engine }

func (panicking) write(context.Context, func(tx) error) error { panic("the driver's own") }

// TestAPanicOfALoad is the end of the rebuild and not of the process.
func TestAPanicOfALoad(t *testing.T) {
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(33, 33)), 20)
	db := openDatabase(t, filepath.Join(t.TempDir(), "reporting.db"))
	v := db.View(l.store, l.codec)
	build, err := v.Rebuild(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := build.View.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	whole := db.engine
	db.engine = panicking{whole}
	if err := build.View.Apply(t.Context(), batchOf(l.records())); err != nil {
		t.Fatal(err)
	}
	err = build.Finish(t.Context())
	db.engine = whole
	if err == nil || !strings.Contains(err.Error(), "the driver's own") {
		t.Errorf("it finishes: %v", err)
	}
}

package reporting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"daybook/eventstore/feed"
	"daybook/internal/enginetest"
	"daybook/projections"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(enginetest.SupervisorFunc))
}

// TestOpenAtOnce: many processes start on one empty database.
func TestOpenAtOnce(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		url := fresh()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				db, err := Open(context.Background(), url)
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(db.Ping(context.Background()), db.Close()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		db := openDatabase(t, url)
		if rows := dump(t, db); len(rows) > 0 {
			t.Errorf("got %v", rows)
		}
	})
}

func TestNewerSchema(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		url := fresh()
		db := openDatabase(t, url)
		ctx := context.Background()
		err := db.engine.write(ctx, func(t tx) error { return writeVersion(ctx, t, partView, version{99, 1}) })
		if err != nil {
			t.Fatal(err)
		}
		if other, err := Open(ctx, url); !errors.Is(err, ErrNewerSchema) {
			t.Errorf("got %v, %v", other, err)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for name, url := range map[string]string{
		"nothing":          "",
		"another engine":   "mysql://localhost/x",
		"no such folder":   filepath.Join(t.TempDir(), "none", "reporting.db"),
		"nobody listening": "postgres://nobody@/none?host=" + t.TempDir(),
		"not a URL":        "postgres://%zz",
	} {
		if db, err := Open(ctx, url); err == nil {
			t.Errorf("%s: opened %v", name, db)
		}
	}
}

// TestFileIsClosedToOthers: the file and its side files are the owner's alone.
func TestFileIsClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(30, 30)), 20)
	db := openDatabase(t, filepath.Join(dir, "odd ?#%name.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 512)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

// TestConnectionsLost ends all sessions of the view while it is fed: it goes on by itself.
func TestConnectionsLost(t *testing.T) {
	url := enginetest.Postgres(t)
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(31, 31)), 150)
	records := l.records()
	db := openDatabase(t, url)
	v := db.View(l.store, l.codec)
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	failures := 0
	for at := 0; at < len(records); {
		end := min(at+10, len(records))
		if at%30 == 0 {
			if _, err := admin.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'daybook reporting'"); err != nil {
				t.Fatal(err)
			}
		}
		switch err := v.Apply(ctx, batchOf(records[at:end])); {
		case err == nil:
			at = end
		case errors.Is(err, projections.ErrMoved):
			p, err := v.Checkpoint(ctx)
			if err != nil {
				t.Fatal(err)
			}
			at = indexAfter(records, p.Position)
		default:
			if failures++; failures > 100 {
				t.Fatal(err)
			}
		}
	}
	if failures == 0 {
		t.Error("no connection was lost: the test shows nothing")
	}
	plain := openDatabase(t, filepath.Join(t.TempDir(), "plain.db"))
	applyAll(t, plain.View(l.store, l.codec), records, 512)
	sameRows(t, "rows", dump(t, db), dump(t, plain))
}

// TestSlowQueriesEnd: a read that hangs is given up, on the caller's word and on ours.
func TestSlowQueriesEnd(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		db := openDatabase(t, fresh())
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		var n int
		err := one(ctx, db.engine.query, []any{&n}, `WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever WHERE n < 2000000000)
			SELECT COUNT(*) FROM forever`)
		if err == nil || time.Since(began) > readLimit {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if err := db.Ping(context.Background()); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if _, ok := db.engine.(*postgres); !ok {
			return
		}
		for deadline := time.Now().Add(10 * time.Second); ; {
			running := 0
			if err := one(context.Background(), db.engine.query, []any{&running},
				"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'WITH RECURSIVE%'"); err != nil {
				t.Fatal(err)
			}
			if running == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("the server still runs the query that was given up")
			}
		}
	})
}

// TestMigrationTexts: each runs on a table of any name, and every statement is found.
func TestMigrationTexts(t *testing.T) {
	for p, want := range map[part]int{partBase: 4, partView: 50} {
		texts, err := migrationTexts(p)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, text := range texts {
			n += len(statementsOf(text))
		}
		if n != want {
			t.Errorf("%s: %d statements, want %d", p, n, want)
		}
	}
}

// TestTablesOfBefore: tables that an earlier version filled are read as they are until those of
// this one are filled beside them; how far other readers have come stays.
func TestTablesOfBefore(t *testing.T) {
	for _, version := range []int{1, 3} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) { testTablesOfBefore(t, version) })
	}
}

func testTablesOfBefore(t *testing.T, of int) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		ctx := context.Background()
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(3, 5)), 60)
		url := fresh()
		old, err := openEngine(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		err = old.exclusive(ctx, func(tr tx) error {
			if _, err := tr.exec(ctx, old.dialect().Replace("CREATE TABLE schema_versions (part {text} PRIMARY KEY, version INTEGER NOT NULL, generation INTEGER NOT NULL)")); err != nil {
				return err
			}
			for _, p := range []part{partBase, partView} {
				texts, err := migrationTexts(p)
				if err != nil {
					return err
				}
				// As of a rebuild: the indexes have names of their own.
				n := map[part]int{partBase: 1, partView: of}[p]
				if err := errors.Join(runMigrations(ctx, old, tr, texts[:n], "", 4), writeVersion(ctx, tr, p, version{n, 4})); err != nil {
					return err
				}
			}
			for _, sql := range []string{
				"INSERT INTO checkpoints (name, position, updated_at) VALUES ('reporting', 50, 1), ('moves', 40, 1)",
				"INSERT INTO days (restaurant_id, service_date) VALUES ('r', 'd')",
				"INSERT INTO parked_records (position, event_id, stream, revision, type, cause) VALUES (7, 'e', 's', 1, 't', 'c')",
			} {
				if _, err := tr.exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, old.close()); err != nil {
			t.Fatal(err)
		}
		db := openDatabase(t, url)
		// As far as they go they are read, and nothing is said to be empty that is not there yet.
		if at := position(t, db); at != 50 {
			t.Errorf("the view stands at %d", at)
		}
		days, err := list(ctx, db, func(row scanner) (day string, err error) { return day, row.Scan(&day) }, "SELECT service_date FROM days")
		if err != nil || !reflect.DeepEqual(days, []string{"d"}) {
			t.Errorf("the days are %q, %v", days, err)
		}
		if _, err := list(ctx, db, func(scanner) (int, error) { return 0, nil }, "SELECT bound FROM reservations"); errors.Is(err, ErrRebuilding) != (of < 3) {
			t.Errorf("a query that does not fit: %v", err)
		}
		v := db.View(l.store, l.codec)
		if err := v.Apply(ctx, batchOf(l.records())); !errors.Is(err, projections.ErrOutdated) {
			t.Errorf("tables of another form were written to: %v", err)
		}
		other := openDatabase(t, url) // of another process
		if at, err := db.Checkpoints().Load(ctx, "moves"); err != nil || at != (feed.Place{Position: 40}) {
			t.Errorf("another reader stands at %+v, %v", at, err)
		}
		plain := openDatabase(t, fresh())
		applyAll(t, plain.View(l.store, l.codec), l.records(), 512)
		// Once, and again, when what is kept is of another form.
		for round := range 2 {
			if _, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "this"}); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Kept(ctx); errors.Is(err, projections.ErrNothingKept) != (round == 0) {
				t.Errorf("in round %d what is kept: %v", round, err)
			}
			sameRows(t, "filled anew", dump(t, db), dump(t, plain))
		}
		if at, err := other.View(l.store, l.codec).Checkpoint(ctx); err != nil || at.Position != position(t, plain) || other.outdated.Load() {
			t.Errorf("another process goes on from %+v, %v", at, err)
		}
		if got, want := indexes(t, db), indexes(t, plain); len(got) != 2*len(want) { // and those of what is kept
			t.Errorf("indexes %v\nwant twice as many as %v", got, want)
		}
	})
}

// indexes lists the names of the view's own indexes.
func indexes(t *testing.T, db *Database) []string {
	t.Helper()
	text := "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE '%_by_%'"
	if _, ok := db.engine.(*postgres); ok {
		text = "SELECT indexname FROM pg_indexes WHERE schemaname = 'reporting' AND indexname LIKE '%_by_%'"
	}
	names, err := list(context.Background(), db, func(row scanner) (name string, err error) { return name, row.Scan(&name) }, text)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

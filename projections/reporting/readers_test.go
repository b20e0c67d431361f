package reporting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"daybook/domain"
	"daybook/internal/enginetest"
	"daybook/projections"
)

// TestReaders: a role reads the live tables before and after a rebuild and a rollback, sees
// none of those beside them, and writes nothing.
func TestReaders(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	at := enginetest.Postgres(t)
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(60, 60)), 60)
	db := openDatabase(t, at)
	v := db.View(l.store, l.codec)
	applyAll(t, v, l.records(), 512)

	owner, err := pgx.Connect(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(ctx)
	role := fmt.Sprintf(`Analyst "%x"`, rand.Uint64()) // to be quoted wherever it stands
	quoted := pgx.Identifier{role}.Sanitize()
	if _, err := owner.Exec(ctx, "CREATE ROLE "+quoted+" LOGIN PASSWORD 'secret'"); err != nil {
		t.Fatal(err)
	}
	defer func() { // a cluster's roles outlive its databases
		_, err := owner.Exec(ctx, "DROP OWNED BY "+quoted)
		if err == nil {
			_, err = owner.Exec(ctx, "DROP ROLE "+quoted)
		}
		if err != nil {
			t.Error(err)
		}
	}()
	where, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	where.User = url.UserPassword(role, "secret")
	analyst, err := pgx.Connect(ctx, where.String())
	if err != nil {
		t.Fatal(err)
	}
	defer analyst.Close(ctx)

	may := func(sql string) bool {
		_, err := analyst.Exec(ctx, sql)
		return err == nil
	}
	check := func(when string, reads bool) {
		t.Helper()
		for _, name := range lent() {
			if _, err := analyst.Exec(ctx, "SELECT * FROM reporting."+name); (err == nil) != reads {
				t.Errorf("%s: reads %s: %v, want %t", when, name, err, reads)
			}
			for _, sql := range []string{"DELETE FROM reporting." + name, "TRUNCATE reporting." + name, "DROP TABLE reporting." + name,
				"INSERT INTO reporting." + name + " DEFAULT VALUES", "SELECT * FROM reporting." + name + " FOR UPDATE"} {
				if may(sql) {
					t.Errorf("%s: may %s", when, sql)
				}
			}
		}
		for _, sql := range []string{
			"SELECT * FROM reporting.readers", "SELECT * FROM reporting.next_reservations", "SELECT * FROM reporting.prev_reservations",
			"CREATE TABLE reporting.mine (a int)",
		} {
			if may(sql) {
				t.Errorf("%s: may %s", when, sql)
			}
		}
	}
	check("before", false)
	if err := db.GrantReader(ctx, "nobody"); !errors.Is(err, ErrReader) {
		t.Errorf("a role that there is not: %v", err)
	}
	if err := db.GrantReader(ctx, strings.Repeat("long", 40)); !errors.Is(err, ErrReader) {
		t.Errorf("another such role: %v", err)
	}
	for range 2 {
		if err := db.GrantReader(ctx, role); err != nil {
			t.Fatal(err)
		}
	}
	check("granted", true)
	building, err := v.Rebuild(ctx, "half")
	if err != nil {
		t.Fatal(err)
	}
	check("while a rebuild is under way", true)
	if err := building.Abandon(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "a"}); err != nil {
		t.Fatal(err)
	}
	check("rebuilt", true)
	if _, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Rollback: true}); err != nil {
		t.Fatal(err)
	}
	check("rolled back", true)
	openDatabase(t, at)
	check("opened again", true)
	if err := db.RevokeReader(ctx, role); err != nil {
		t.Fatal(err)
	}
	check("revoked", false)

	var self string
	if err := owner.QueryRow(ctx, "SELECT current_user").Scan(&self); err != nil {
		t.Fatal(err)
	}
	if err := db.GrantReader(ctx, self); !errors.Is(err, ErrReader) {
		t.Errorf("the tables' owner: %v", err)
	}
	file := openDatabase(t, filepath.Join(t.TempDir(), "reporting.db"))
	if err := errors.Join(file.GrantReader(ctx, role), file.RevokeReader(ctx, role)); !errors.Is(err, ErrNoRoles) {
		t.Errorf("SQLite: %v", err)
	}
}

// TestARoleThatIsGone disturbs no rebuild.
func TestARoleThatIsGone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := newLedger(t)
	l.random(rand.New(rand.NewPCG(61, 61)), 20)
	db := openDatabase(t, enginetest.Postgres(t))
	v := db.View(l.store, l.codec)
	applyAll(t, v, l.records(), 512)
	err := db.engine.write(ctx, func(t tx) error {
		_, err := t.exec(ctx, "INSERT INTO readers (role, granted_at) VALUES ('long gone', 1)")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := projections.Rebuild(ctx, l.store, v, projections.RebuildOptions{Build: "a"}); err != nil {
		t.Error(err)
	}
}

// TestExtract reads every table of a snapshot by months, on both ends: each row once, values
// of the kind that the column says, and a mark that changes when a row does.
func TestExtract(t *testing.T) {
	names := map[string]bool{}
	for _, table := range Tables() {
		names[table.Name] = true
	}
	for _, name := range viewTables {
		if !names[name] {
			t.Errorf("%s is in no export", name)
		}
	}
	bothEnds(t, func(t *testing.T, fresh func() string) {
		ctx := context.Background()
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(62, 62)), 150)
		db := openDatabase(t, fresh())
		v := db.View(l.store, l.codec)
		records := l.records()
		applyAll(t, v, records[:len(records)-1], 512)
		marks := func() map[string]string {
			found := map[string]string{}
			err := db.Snapshot(ctx, func(s *Snapshot) error {
				for _, table := range Tables() {
					var all int64
					if err := one(ctx, s.query, []any{&all}, "SELECT COUNT(*) FROM "+table.Name); err != nil {
						return err
					}
					months, err := s.Months(ctx, table)
					if err != nil {
						return err
					}
					var rows int64
					for _, m := range months {
						found[table.Name] += m.Month + ":" + m.Mark + " "
						n := int64(0)
						if err := s.Rows(ctx, table, m.Month, func([]any) error { n++; return nil }); err != nil {
							return err
						}
						if rows += n; n != m.Rows {
							t.Errorf("%s %s: %d rows, counted %d", table.Name, m.Month, n, m.Rows)
						}
					}
					if rows != all {
						t.Errorf("%s: %d rows by months, %d in all", table.Name, rows, all)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		before := marks()
		l.do(restaurantID(1), day1+9, domain.System(), holdOf(1, day1+9, opening, domain.System(), 2, "18:00"))
		applyAll(t, v, l.records(), 512)
		after := marks()
		for _, name := range []string{"reservations", "days", "audit_entries"} {
			if before[name] == after[name] {
				t.Errorf("%s: the mark is as before: %s", name, after[name])
			}
		}
	})
}

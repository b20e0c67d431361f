package reporting

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The tables come in two parts. base is never rebuilt; view is what the ledger can give
// again, so a rebuild makes its tables anew from the same texts. A migration that was ever
// released is never edited: a change is a further file, and one whose columns must be filled
// from the past deletes the view's checkpoint. That one is not run on tables that are filled:
// they stay as they are, to be read, until a rebuild has filled others beside them.
//
//go:embed migrations/base/*.sql migrations/view/*.sql
var migrations embed.FS

type part string

const (
	partBase part = "base"
	partView part = "view"
)

// ErrNewerSchema says that a later version of this program has changed the tables. There
// is no way back: run that version, or let this one begin in another database.
var ErrNewerSchema = errors.New("reporting: the tables were made by a later version")

// version is how far a part is migrated. Generation counts the times the view was swapped
// in; it stands in the names of indexes, which no table shares with another.
type version struct{ number, generation int }

// migrate brings the tables to what this program knows. Any number of processes may do so
// at once: one does the work, the others find it done.
func migrate(ctx context.Context, e engine) error {
	return e.exclusive(ctx, func(t tx) error {
		if _, err := t.exec(ctx, e.dialect().Replace(`CREATE TABLE IF NOT EXISTS schema_versions (
			part {text} PRIMARY KEY, version INTEGER NOT NULL, generation INTEGER NOT NULL)`)); err != nil {
			return fmt.Errorf("reporting: migrate: %w", err)
		}
		before, err := readVersion(ctx, t.query, partView)
		if err != nil {
			return err
		}
		for _, p := range []part{partBase, partView} {
			if err := migratePart(ctx, e, t, p); err != nil {
				return fmt.Errorf("reporting: migrate %s: %w", p, err)
			}
		}
		if as, err := readVersion(ctx, t.query, partView); err != nil || as == before {
			return err
		}
		return lend(ctx, t)
	})
}

func migratePart(ctx context.Context, e engine, t tx, p part) error {
	at, err := readVersion(ctx, t.query, p)
	if err != nil {
		return err
	}
	texts, err := migrationTexts(p)
	if err != nil {
		return err
	}
	if at.number > len(texts) {
		return fmt.Errorf("%w: version %d, and this one knows %d", ErrNewerSchema, at.number, len(texts))
	}
	if at.number == len(texts) || at.number > 0 && slices.ContainsFunc(texts[at.number:], needsPast) {
		return nil
	}
	if at.number > 0 {
		at.generation++ // tables that are made anew have indexes of other names than a copy's beside them
	}
	if err := runMigrations(ctx, e, t, texts[at.number:], "", at.generation); err != nil {
		return err
	}
	return writeVersion(ctx, t, p, version{len(texts), at.generation})
}

// needsPast reports whether a migration makes tables that must be filled from the past.
func needsPast(text string) bool { return strings.Contains(text, "'{checkpoint}'") }

// outdated reports whether the view's tables are those of an earlier version.
func outdated(ctx context.Context, query querying) (bool, error) {
	v, err := readVersion(ctx, query, partView)
	if err != nil {
		return false, err
	}
	texts, err := migrationTexts(partView)
	return v.number < len(texts), err
}

var created = regexp.MustCompile(`CREATE TABLE \{p\}(\w+)`)

// tablesOf lists the tables that the view had at a version.
func tablesOf(version int) (names []string, err error) {
	texts, err := migrationTexts(partView)
	if err != nil {
		return nil, err
	}
	for _, text := range texts[:min(version, len(texts))] {
		for _, found := range created.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(names, found[1]) {
				names = append(names, found[1])
			}
		}
	}
	return names, nil
}

func readVersion(ctx context.Context, query querying, p part) (version, error) {
	v := version{generation: 1}
	err := one(ctx, query, []any{&v.number, &v.generation},
		"SELECT version, generation FROM schema_versions WHERE part = $1", string(p))
	if errors.Is(err, errNoRow) {
		err = nil
	}
	return v, err
}

func writeVersion(ctx context.Context, t tx, p part, v version) error {
	_, err := t.exec(ctx, `INSERT INTO schema_versions (part, version, generation) VALUES ($1, $2, $3)
		ON CONFLICT (part) DO UPDATE SET version = excluded.version, generation = excluded.generation`,
		string(p), v.number, v.generation)
	return err
}

// migrationTexts returns a part's migrations; the first is version 1. Their files are named
// by version, so the order of names is the order of versions.
func migrationTexts(p part) ([]string, error) {
	names, err := fs.Glob(migrations, "migrations/"+string(p)+"/*.sql")
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(names))
	for i, name := range names {
		if want := fmt.Sprintf("migrations/%s/%04d_", p, i+1); !strings.HasPrefix(name, want) {
			return nil, fmt.Errorf("%s: want %s…: versions leave no gap", name, want)
		}
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	return texts, nil
}

// runMigrations runs texts on the tables whose names begin with prefix.
func runMigrations(ctx context.Context, e engine, t tx, texts []string, prefix string, generation int) error {
	for _, text := range texts {
		if err := runStatements(ctx, e, t, statementsOf(text), prefix, generation); err != nil {
			return err
		}
	}
	return nil
}

func runStatements(ctx context.Context, e engine, t tx, statements []string, prefix string, generation int) error {
	fill := strings.NewReplacer("{p}", prefix, "{g}", strconv.Itoa(generation), "{checkpoint}", checkpointOf(prefix))
	for _, sql := range statements {
		if _, err := t.exec(ctx, e.dialect().Replace(fill.Replace(sql))); err != nil {
			return fmt.Errorf("%w\n%s", err, sql)
		}
	}
	return nil
}

var (
	createIndex = regexp.MustCompile(`^CREATE INDEX (\S+) ON (\S+)`)
	dropOf      = regexp.MustCompile(`^DROP (INDEX|TABLE) (?:IF EXISTS )?(\S+)`)
)

// apart takes the indexes out of migrations: what makes the tables without them, and what
// makes those that are left in the end, once the tables are full. An index that is there
// already is left alone.
func apart(texts []string) (tables, indexes []string) {
	type index struct{ name, table, sql string }
	var left []index
	for _, text := range texts {
		for _, sql := range statementsOf(text) {
			if found := createIndex.FindStringSubmatch(sql); found != nil {
				left = append(left, index{found[1], found[2], strings.Replace(sql, "INDEX ", "INDEX IF NOT EXISTS ", 1)})
				continue
			}
			if gone := dropOf.FindStringSubmatch(sql); gone != nil {
				left = slices.DeleteFunc(left, func(i index) bool { return gone[2] == i.name || gone[2] == i.table })
				if gone[1] == "INDEX" {
					continue
				}
			}
			tables = append(tables, sql)
		}
	}
	for _, i := range left {
		indexes = append(indexes, i.sql)
	}
	return tables, indexes
}

// statementsOf splits a migration at the semicolons that end its lines, comments left out.
func statementsOf(text string) (statements []string) {
	var plain strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "--")
		plain.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	for sql := range strings.SplitSeq(plain.String(), ";\n") {
		if sql = strings.TrimSpace(sql); sql != "" {
			statements = append(statements, sql)
		}
	}
	return statements
}

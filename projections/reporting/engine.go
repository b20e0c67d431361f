package reporting

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// engine is a database: all in which Postgres and SQLite differ. Every statement runs on
// both, with $1 for its first argument, so an engine never sees a text of its own.
type engine interface {
	// write runs fn in one write transaction, all of it or nothing. fn may be run once only.
	write(ctx context.Context, fn func(tx) error) error
	// exclusive is write for a change of the tables themselves: no other exclusive of any
	// process runs meanwhile, and no time limit but the context's applies.
	exclusive(ctx context.Context, fn func(tx) error) error
	// claim takes tables for the transaction alone, where the engine lets readers and those who
	// rename tables get in each other's way. It gives up with errTablesBusy after a moment,
	// since whoever comes after it waits behind it.
	claim(ctx context.Context, t tx, tables []string) error
	// snapshot lets fn read as often as it likes of one state of the database, for as long as
	// the context lets it.
	snapshot(ctx context.Context, fn func(querying) error) error
	// query reads; rows are fed to each, which scans the current one.
	query(ctx context.Context, each func(scanner) error, sql string, args ...any) error
	// month is how the month of an instant is written, YYYY-MM in UTC.
	month(column string) string
	// dialect fills the few words of a table definition that differ.
	dialect() *strings.Replacer
	close() error
}

// tx is a write transaction.
type tx interface {
	// exec runs one statement and tells how many rows it touched.
	exec(ctx context.Context, sql string, args ...any) (int64, error)
	// put writes rows, in as few round trips as the engine allows.
	put(ctx context.Context, texts *texts, puts []put) error
	query(ctx context.Context, each func(scanner) error, sql string, args ...any) error
}

// querying is how rows are read: within a transaction, or each for itself.
type querying func(ctx context.Context, each func(scanner) error, sql string, args ...any) error

type scanner interface{ Scan(dest ...any) error }

// How long the database may take, so that one that hangs holds nobody up for ever.
const (
	readLimit    = 5 * time.Second
	writeLimit   = 30 * time.Second
	connectLimit = 5 * time.Second
)

// errTablesBusy says that somebody reads tables that are to be renamed.
var errTablesBusy = errors.New("reporting: a query is reading the tables")

// errNoRow answers a query for one row that found none.
var errNoRow = errors.New("reporting: no row")

// one reads the single row of a query.
func one(ctx context.Context, query querying, dest []any, sql string, args ...any) error {
	found := false
	err := query(ctx, func(row scanner) error {
		found = true
		return row.Scan(dest...)
	}, sql, args...)
	if err == nil && !found {
		return errNoRow
	}
	return err
}

// openEngine chooses the end by the form of url.
func openEngine(ctx context.Context, url string) (engine, error) {
	switch scheme, _, found := strings.Cut(url, "://"); {
	case scheme == "postgres" || scheme == "postgresql":
		return openPostgres(ctx, url)
	case found:
		return nil, fmt.Errorf("reporting: %q is no database this package knows: want postgres:// or the path of a file", scheme)
	case url == "":
		return nil, errors.New("reporting: no database named: want postgres://… or the path of a file")
	default:
		return openSQLite(ctx, url)
	}
}

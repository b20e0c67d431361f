// Package reporting is the view for people who count: every reservation, table, day,
// refusal and change as rows of SQL tables, in Postgres or in a SQLite file. Analysts query
// the tables as they are; docs/reporting.md describes them.
//
// What belongs here: the tables, the projector that fills them from the ledger, the queries
// the API asks of them, and their rebuilding. What is free tonight is availability's, what
// a search finds is discovery's; who may see an answer is readapi's. Nothing here decides:
// no write is ever judged by these rows.
//
// # Two ends, one text
//
// Every statement runs on Postgres and on SQLite. What differs (connections, transactions,
// pipelining, three words of the table definitions) stands in postgres.go and sqlite.go
// behind the engine interface.
//
// # Exactly once
//
// Rows and checkpoint change in one transaction, which begins by moving the checkpoint from
// where this process last saw it; if it is no longer there, nothing is written and Apply
// says projections.ErrMoved. Rows are the state after an event, and an older state never
// replaces a newer one, so that even a checkpoint put back by hand does no harm.
//
// # Personal data
//
// No name, address, note or free text is copied here: they stand in the events, encrypted,
// and are read from there (an audit entry tells its stream and revision). What is here of a
// person is the opaque user id, which says nothing once the user's key is dropped.
package reporting

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// Database is the open tables. Safe for concurrent use.
type Database struct {
	engine   engine
	patience time.Duration // of a swap with queries that hold the tables
	outdated atomic.Bool   // the tables were those of an earlier version when they were last looked at
}

// ErrRebuilding says that a query does not fit the tables of an earlier version, which are read
// until those of this one are filled.
var ErrRebuilding = errors.New("reporting: the tables are being made anew for this version")

// Open opens the database at url: postgres://… (tables go to the schema "reporting"), or the
// path of a SQLite file, which is made if absent and closed to other users. It makes or
// migrates the tables; several processes may do so at once. Tables of an earlier version that
// must be filled anew are read as they are, until a View's rebuild has put others in their
// place; a query that does not fit them is answered with ErrRebuilding. ErrNewerSchema if a
// later version of this program has been at work.
func Open(ctx context.Context, url string) (*Database, error) {
	e, err := openEngine(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, e); err != nil {
		return nil, errors.Join(err, e.close())
	}
	db := &Database{engine: e, patience: swapPatience}
	if _, err := db.look(ctx); err != nil {
		return nil, errors.Join(err, e.close())
	}
	return db, nil
}

// look reports whether the tables are those of an earlier version.
func (db *Database) look(ctx context.Context) (bool, error) {
	is, err := outdated(ctx, db.engine.query)
	if err != nil {
		return false, fmt.Errorf("reporting: read the version of the tables: %w", err)
	}
	db.outdated.Store(is)
	return is, nil
}

// query reads the view's tables.
func (db *Database) query(ctx context.Context, each func(scanner) error, sql string, args ...any) error {
	return db.answered(ctx, db.engine.query(ctx, each, sql, args...))
}

// answered says of a query that failed whether the tables' version may be why.
func (db *Database) answered(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && db.outdated.Load() {
		return fmt.Errorf("%w: %w", ErrRebuilding, err)
	}
	return err
}

// Close ends the connections. No method may be called afterwards.
func (db *Database) Close() error { return db.engine.close() }

// Ping asks the database for an answer, for readiness.
func (db *Database) Ping(ctx context.Context) error {
	var number int
	return one(ctx, db.engine.query, []any{&number}, "SELECT COUNT(*) FROM schema_versions")
}

// Position is how far the tables are.
func (db *Database) Position(ctx context.Context) (eventstore.Position, error) {
	at, err := db.Checkpoints().Load(ctx, viewName)
	return at.Position, err
}

// Checkpoints keeps how far other readers of the ledger have come, such as process
// managers, in the database of the view. Safe for concurrent use.
type Checkpoints struct{ engine engine }

// Checkpoints gives access to the checkpoints.
func (db *Database) Checkpoints() Checkpoints { return Checkpoints{db.engine} }

// Load returns the place saved under name, the start if there is none.
func (c Checkpoints) Load(ctx context.Context, name string) (feed.Place, error) {
	p, err := loadPlace(ctx, c.engine.query, name)
	if err != nil {
		return feed.Place{}, fmt.Errorf("reporting: load checkpoint %q: %w", name, err)
	}
	return p, nil
}

func loadPlace(ctx context.Context, query querying, name string) (feed.Place, error) {
	var position int64
	var record string
	err := one(ctx, query, []any{&position, &record}, "SELECT position, record FROM checkpoints WHERE name = $1", name)
	if err != nil && !errors.Is(err, errNoRow) {
		return feed.Place{}, err
	}
	mark, err := feed.ParseMark(record)
	return feed.Place{Position: eventstore.Position(position), Record: mark}, err
}

// Save keeps a place under name. A checkpoint never goes back: saving an earlier one than is
// there changes nothing.
func (c Checkpoints) Save(ctx context.Context, name string, at feed.Place) error {
	return c.save(ctx, name, at, " WHERE checkpoints.position < excluded.position")
}

// Reset takes a checkpoint back to the start of the ledger.
func (c Checkpoints) Reset(ctx context.Context, name string) error {
	return c.save(ctx, name, feed.Place{}, "")
}

func (c Checkpoints) save(ctx context.Context, name string, at feed.Place, condition string) error {
	err := c.engine.write(ctx, func(t tx) error { return savePlace(ctx, t, name, at, condition) })
	if err != nil {
		return fmt.Errorf("reporting: save checkpoint %q: %w", name, err)
	}
	return nil
}

func savePlace(ctx context.Context, t tx, name string, at feed.Place, condition string) error {
	_, err := t.exec(ctx, `INSERT INTO checkpoints (name, position, record, updated_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET position = excluded.position, record = excluded.record, updated_at = excluded.updated_at`+condition,
		name, int64(at.Position), at.Record.String(), now())
	return err
}

// now stamps checkpoints, which tell operators when the view last moved; nothing is decided
// by it.
func now() int64 { return time.Now().UnixMilli() }

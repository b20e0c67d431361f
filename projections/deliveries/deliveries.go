// Package deliveries keeps how far each webhook has come along the ledger, what is on its way
// to its receiver, and what became of what was sent last: in Postgres or in a SQLite file.
//
// What belongs here: the tables, their one writer at a time, and the queries the API asks of
// them. What is sent when is processes/webhooks'; the rules between attempts are
// domain/webhook's; the webhooks themselves, with their secrets, stand in the ledger.
//
// Unlike a view, these tables cannot be read off the ledger again: nobody but the receiver and
// they know what it acknowledged. Where they are lost, each webhook begins again from where it
// was created, and its receiver knows what it had by the messages' ids.
//
// # One writer
//
// Whoever delivers takes the lead first. On Postgres that is a lock that ends with the
// connection that took it; every write, besides, names the lead's number, and is refused once
// another has taken it. A SQLite file belongs to the one process that has its data folder.
package deliveries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Kept is how many deliveries of a webhook that are no longer pending are kept, the newest.
const Kept = 1000

// How long the database may take, so that one that hangs holds nobody up for ever.
const (
	readLimit  = 5 * time.Second
	writeLimit = 15 * time.Second
)

// Store is the open tables. Safe for concurrent use.
type Store struct {
	db       *sql.DB
	postgres bool
	writing  sync.Mutex // of the SQLite file: it has one writer, and waits badly
}

// Open opens the tables at url: postgres://… (in the schema "deliveries"), or the path of a
// SQLite file. It makes what is absent; several processes may do so at once.
func Open(ctx context.Context, url string) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	var s *Store
	var err error
	switch scheme, _, found := strings.Cut(url, "://"); {
	case scheme == "postgres" || scheme == "postgresql":
		s, err = openPostgres(url)
	case found:
		return nil, fmt.Errorf("deliveries: %q is no database this package knows: want postgres:// or the path of a file", scheme)
	case url == "":
		return nil, errors.New("deliveries: no database named: want postgres://… or the path of a file")
	default:
		s, err = openSQLite(url)
	}
	if err != nil {
		return nil, err
	}
	if err := s.makeTables(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("deliveries: make the tables: %w", err), s.db.Close())
	}
	return s, nil
}

// Close ends the connections. No method may be called afterwards.
func (s *Store) Close() error { return s.db.Close() }

// tables are what both ends hold; text stands for what is compared by bytes.
func tables(text string) []string {
	r := strings.NewReplacer("{text}", text)
	list := []string{
		`CREATE TABLE IF NOT EXISTS lead (
			name     {text} PRIMARY KEY,
			epoch    BIGINT NOT NULL, -- counts who took the lead
			writes   BIGINT NOT NULL, -- by which each write takes this row for itself
			position BIGINT NOT NULL, -- all events of webhooks up to here are worked in
			record   {text} NOT NULL DEFAULT '' -- the newest record that anything here rests on
		)`,
		`CREATE TABLE IF NOT EXISTS webhooks (
			webhook_id    {text} PRIMARY KEY,
			restaurant_id {text} NOT NULL,
			active        BOOLEAN NOT NULL,
			active_since  BIGINT NOT NULL,
			round         BIGINT NOT NULL,
			position      BIGINT NOT NULL, -- deliveries are entered up to here
			entries       BIGINT NOT NULL, -- deliveries ever entered
			failing_since BIGINT NOT NULL, -- 0 for not
			delivered_at  BIGINT NOT NULL  -- 0 for never
		)`,
		`CREATE INDEX IF NOT EXISTS webhooks_by_restaurant ON webhooks (restaurant_id)`,
		`CREATE TABLE IF NOT EXISTS deliveries (
			webhook_id {text} NOT NULL,
			entry      BIGINT NOT NULL, -- in the webhook's own order, from 1
			round      BIGINT NOT NULL, -- of the webhook; 0 for a test
			position   BIGINT NOT NULL,
			event_id   {text} NOT NULL,
			stream     {text} NOT NULL,
			revision   BIGINT NOT NULL,
			type       {text} NOT NULL,
			decided_at BIGINT NOT NULL,
			status     {text} NOT NULL, -- pending, delivered, superseded, gave_up
			attempts   BIGINT NOT NULL,
			next_at    BIGINT NOT NULL, -- 0 where it is not pending
			last_at    BIGINT NOT NULL, -- of the last attempt, as all below; 0 for none
			took       BIGINT NOT NULL, -- milliseconds
			code       BIGINT NOT NULL, -- the HTTP status; 0 for no answer
			failure    {text} NOT NULL,
			answer     {text} NOT NULL, -- its first bytes
			PRIMARY KEY (webhook_id, entry)
		)`,
		`CREATE INDEX IF NOT EXISTS deliveries_pending ON deliveries (webhook_id, entry) WHERE status = 'pending'`,
		`INSERT INTO lead (name, epoch, writes, position) VALUES ('webhooks', 0, 0, 0) ON CONFLICT (name) DO NOTHING`,
	}
	for i := range list {
		list[i] = r.Replace(list[i])
	}
	return list
}

// write runs fn in one transaction, all of it or nothing.
func (s *Store) write(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	if !s.postgres {
		s.writing.Lock()
		defer s.writing.Unlock()
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // of what was not committed
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// placeholders writes ($1, $2), ($3, $4) … for so many rows of so many columns.
func placeholders(rows, columns int) string {
	var b strings.Builder
	for n := range rows * columns {
		switch {
		case n == 0:
			b.WriteByte('(')
		case n%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", n+1)
	}
	b.WriteByte(')')
	return b.String()
}

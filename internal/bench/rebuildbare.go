package main

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// What a bare insert is: the first rows of the largest table that the reporting view has
// built, one for each event, written to a table of the same columns with its key and no other
// index, in the quickest way that the engine offers. That is a ceiling for the view, which
// decodes and folds the events besides, writes other tables and makes indexes.
const (
	bareRows  = 100_000
	bareBatch = 8192 // rows in a transaction
	bareTable = "next_audit_entries"
)

// bareSQLite inserts with a prepared statement, row by row, into a file of its own.
func bareSQLite(ctx context.Context, path string) (rate float64, err error) {
	from, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	var definition string
	if err := from.QueryRowContext(ctx, "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", bareTable).Scan(&definition); err != nil {
		return 0, err
	}
	rows, err := sqliteRows(ctx, from)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	to, err := sql.Open("sqlite", "file:"+filepath.Join(filepath.Dir(path), "bare.db")+"?"+url.Values{"_pragma": {
		"journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-65536)", "wal_autocheckpoint(16000)", // as the view's
	}}.Encode())
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if _, err := to.ExecContext(ctx, definition); err != nil {
		return 0, err
	}
	// Without an end of its own the context costs nothing per statement.
	ctx = context.WithoutCancel(ctx)
	began := time.Now()
	for part := range slices.Chunk(rows, bareBatch) {
		if err := insertSQLite(ctx, to, part); err != nil {
			return 0, err
		}
	}
	return float64(len(rows)) / time.Since(began).Seconds(), nil
}

func sqliteRows(ctx context.Context, from *sql.DB) (all [][]any, err error) {
	rows, err := from.QueryContext(ctx, "SELECT * FROM "+bareTable+" ORDER BY position LIMIT ?", bareRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

func insertSQLite(ctx context.Context, to *sql.DB, rows [][]any) error {
	t, err := to.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }() // to no effect once it is committed
	insert, err := t.PrepareContext(ctx, "INSERT INTO "+bareTable+" VALUES (?"+strings.Repeat(", ?", len(rows[0])-1)+")")
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }() // the transaction is over by then
	for _, row := range rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return t.Commit()
}

// barePostgres inserts by COPY.
func barePostgres(ctx context.Context, url string) (rate float64, err error) {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close(context.WithoutCancel(ctx))) }()
	found, err := c.Query(ctx, "SELECT * FROM reporting."+bareTable+" ORDER BY position LIMIT $1", bareRows)
	if err != nil {
		return 0, err
	}
	var columns []string
	for _, f := range found.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	rows, err := pgx.CollectRows(found, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	for _, text := range []string{
		"CREATE TABLE bare (LIKE reporting." + bareTable + ")", "ALTER TABLE bare ADD PRIMARY KEY (position)",
	} {
		if _, err := c.Exec(ctx, text); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	for part := range slices.Chunk(rows, bareBatch) {
		if _, err := c.CopyFrom(ctx, pgx.Identifier{"bare"}, columns, pgx.CopyFromRows(part)); err != nil {
			return 0, err
		}
	}
	return float64(len(rows)) / time.Since(began).Seconds(), nil
}

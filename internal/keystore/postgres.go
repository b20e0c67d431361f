package keystore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// schemaLock is the advisory lock under which processes that start together make the
// tables one after the other.
const schemaLock = 0x64617962_6b657973

// OpenPostgres opens the key store in a Postgres, in the tables keystore_subjects and
// keystore_secrets, and makes them if there are none. ErrMasterKey if master is not the
// store's.
func OpenPostgres(ctx context.Context, url string, master MasterKey) (*Store, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("keystore: %w", err)
	}
	// A key that is lost takes with it what it protected: never answer before it is durable,
	// whatever the server's default.
	config.RuntimeParams["synchronous_commit"] = "on"
	config.RuntimeParams["application_name"] = "daybook keystore"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = limit
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(4)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := makeTables(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("keystore: make the tables: %w", err), db.Close())
	}
	return begin(ctx, db, master, nil)
}

func makeTables(ctx context.Context, db *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(schemaLock)); err != nil {
		return err
	}
	for _, statement := range schema("BYTEA") {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return tx.Commit()
}

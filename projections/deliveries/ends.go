package deliveries

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema is the Postgres schema of the tables.
const schema = "deliveries"

// The advisory locks: the lead's, and that of making the tables.
const (
	leadLock   = 0x64617962_686f6f6b
	tablesLock = 0x64617962_64656c76
)

// openSQLite opens a file. A commit is not synced by itself: where the machine stops, the last
// acknowledgements may be forgotten, and what they told of is sent again.
func openSQLite(path string) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	// Made here, since SQLite would make it readable for all; its side files take its mode.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	source := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)"}, "_txlock": {"immediate"},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return &Store{db: db}, nil
}

func openPostgres(address string) (*Store, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("deliveries: read the database URL: %w", err) // pgx blanks the password out
	}
	for name, value := range map[string]string{
		"application_name":                    "daybook deliveries",
		"statement_timeout":                   strconv.FormatInt(writeLimit.Milliseconds(), 10),
		"lock_timeout":                        strconv.FormatInt(readLimit.Milliseconds(), 10),
		"idle_in_transaction_session_timeout": strconv.FormatInt((2 * writeLimit).Milliseconds(), 10),
	} {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.RuntimeParams["search_path"] = schema
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = readLimit
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(6)
	db.SetMaxIdleConns(3)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &Store{db: db, postgres: true}, nil
}

func (s *Store) makeTables(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		statements := tables("TEXT")
		if s.postgres {
			// Compared by bytes, as SQLite does.
			statements = append([]string{
				"SELECT pg_advisory_xact_lock(" + strconv.Itoa(tablesLock) + ")", "CREATE SCHEMA IF NOT EXISTS " + schema,
			}, tables(`TEXT COLLATE "C"`)...)
		}
		for _, statement := range statements {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("%w\n%s", err, strings.TrimSpace(statement))
			}
		}
		return s.addRecord(ctx, tx)
	})
}

// addRecord adds to tables of an earlier version the column that they lack.
func (s *Store) addRecord(ctx context.Context, tx *sql.Tx) error {
	const add = "ALTER TABLE lead ADD COLUMN "
	if s.postgres {
		_, err := tx.ExecContext(ctx, add+`IF NOT EXISTS record TEXT COLLATE "C" NOT NULL DEFAULT ''`)
		return err
	}
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) > 0 FROM pragma_table_info('lead') WHERE name = 'record'").Scan(&there); err != nil || there {
		return err
	}
	_, err := tx.ExecContext(ctx, add+"record TEXT NOT NULL DEFAULT ''")
	return err
}

// How the lead is waited for and watched.
const (
	askAgain  = time.Second
	watchPace = 2 * time.Second
)

// lock waits for the lead's lock. release gives it back; lost closes when it is gone by
// itself, with the connection that it belongs to.
func (s *Store) lock(ctx context.Context) (release func(), lost <-chan struct{}, err error) {
	gone := make(chan struct{})
	if !s.postgres {
		return func() {}, gone, nil // the data folder is locked
	}
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	for {
		var mine bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(leadLock)).Scan(&mine); err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
		if mine {
			break
		}
		again := time.NewTimer(askAgain)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, nil, errors.Join(ctx.Err(), conn.Close())
		}
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(watchPace)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-watch.Done():
				return
			}
			ping, cancel := context.WithTimeout(watch, readLimit)
			err := conn.PingContext(ping)
			cancel()
			if err != nil && watch.Err() == nil {
				close(gone)
				return
			}
		}
	}()
	return func() {
		stop()
		<-ended
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), readLimit)
		defer cancel()
		// Where this fails the connection is broken, and the lock is gone with it.
		_, _ = conn.ExecContext(unlock, "SELECT pg_advisory_unlock($1)", int64(leadLock))
		_ = conn.Close()
	}, gone, nil
}

package reporting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// schema is the Postgres schema of all tables, so that they stand apart from whatever else
// the database holds.
const schema = "reporting"

// migrationLock is the advisory lock of exclusive, the same in every process.
const migrationLock = 0x6461_7962_6f6f_6b01

type postgres struct{ pool *pgxpool.Pool }

// openPostgres connects. What the URL says of the pool's size or of time limits holds
// against the defaults set here.
func openPostgres(ctx context.Context, url string) (*postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx's own text has the password blanked out.
		return nil, fmt.Errorf("reporting: read the database URL: %w", err)
	}
	if !strings.Contains(url, "pool_max_conns=") {
		config.MaxConns = 8
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectLimit
	}
	for name, value := range map[string]string{
		"application_name":                    "daybook reporting",
		"search_path":                         schema,
		"statement_timeout":                   milliseconds(writeLimit),
		"lock_timeout":                        milliseconds(readLimit),
		"idle_in_transaction_session_timeout": milliseconds(2 * writeLimit),
	} {
		if _, set := config.ConnConfig.RuntimeParams[name]; !set {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	// The tables' names are looked up in our schema whatever the URL says.
	config.ConnConfig.RuntimeParams["search_path"] = schema
	// A query whose context ends is cancelled on the server too, and its connection lives on.
	config.ConnConfig.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: time.Second}
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reporting: connect to Postgres: %w", err)
	}
	return &postgres{pool: pool}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (p *postgres) write(ctx context.Context, fn func(tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return p.transact(ctx, fn)
}

func (p *postgres) transact(ctx context.Context, fn func(tx) error) error {
	return pgx.BeginFunc(ctx, p.pool, func(t pgx.Tx) error { return fn(postgresTx{t}) })
}

func (p *postgres) exclusive(ctx context.Context, fn func(tx) error) error {
	return p.transact(ctx, func(t tx) error {
		// Two that wait for this lock must not give up on the one at work, which may take long.
		for _, sql := range []string{
			"SET LOCAL statement_timeout = 0",
			"SET LOCAL lock_timeout = 0",
			"SELECT pg_advisory_xact_lock(" + strconv.Itoa(migrationLock) + ")",
			"CREATE SCHEMA IF NOT EXISTS " + schema,
			"SET LOCAL lock_timeout = " + milliseconds(readLimit),
		} {
			if _, err := t.exec(ctx, sql); err != nil {
				return err
			}
		}
		return fn(t)
	})
}

// claimLimit is how long claim may wait: less than a reader has patience for, and less than
// after which Postgres looks for deadlocks, which it may end by refusing the reader.
const claimLimit = 500 * time.Millisecond

func (p *postgres) claim(ctx context.Context, t tx, tables []string) error {
	for _, sql := range []string{
		"SET LOCAL statement_timeout = " + milliseconds(claimLimit),
		"LOCK TABLE " + strings.Join(tables, ", ") + " IN ACCESS EXCLUSIVE MODE",
		"SET LOCAL statement_timeout = 0",
	} {
		_, err := t.exec(ctx, sql)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && ctx.Err() == nil && slices.Contains(waitedInVain, refused.Code) {
			return errTablesBusy
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// waitedInVain are Postgres's codes for a wait that was given up: lock_not_available,
// query_canceled, deadlock_detected.
var waitedInVain = []string{"55P03", "57014", "40P01"}

func (p *postgres) snapshot(ctx context.Context, fn func(querying) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, p.pool, options, func(t pgx.Tx) error {
		if _, err := t.Exec(ctx, "SET LOCAL statement_timeout = 0"); err != nil {
			return err
		}
		return fn(postgresTx{t}.query)
	})
}

func (p *postgres) query(ctx context.Context, each func(scanner) error, sql string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	rows, err := p.pool.Query(ctx, sql, args...)
	return eachRow(rows, err, each)
}

func eachRow(rows pgx.Rows, err error, each func(scanner) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *postgres) dialect() *strings.Replacer {
	// Compared by bytes, as SQLite does: a cursor then means the same on both, whatever
	// language the database sorts in.
	return strings.NewReplacer("{text}", `TEXT COLLATE "C"`, "{sequence}", "BIGINT", "{clustered}", "")
}

func (p *postgres) month(column string) string {
	return "to_char(to_timestamp(" + column + " / 1000) AT TIME ZONE 'UTC', 'YYYY-MM')"
}

func (p *postgres) close() error {
	p.pool.Close()
	return nil
}

type postgresTx struct{ pgx.Tx }

func (t postgresTx) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := t.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// The rows of one table that are worth a COPY, which is a round trip or three; fewer go in
// statements of so many rows, all sent at once: few sizes, so that each is prepared once.
const copied = 256

var chunks = []int{64, 8, 1}

func (t postgresTx) put(ctx context.Context, texts *texts, puts []put) error {
	var batch pgx.Batch
	for i, p := range puts {
		if len(p.rows) >= copied {
			if err := t.copy(ctx, texts, i, p); err != nil {
				return err
			}
			continue
		}
		rest := p.rows
		for _, n := range chunks {
			for ; len(rest) >= n; rest = rest[n:] {
				batch.Queue(texts.upsert(p.table, n), slices.Concat(rest[:n]...)...)
			}
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	results := t.SendBatch(ctx, &batch)
	var failed error
	for range batch.Len() {
		if _, failed = results.Exec(); failed != nil {
			break
		}
	}
	return errors.Join(failed, results.Close())
}

// copy writes rows by COPY: straight to their table where they are fresh, else to a table of
// the transaction's own, out of which they are put in the place of older ones.
func (t postgresTx) copy(ctx context.Context, texts *texts, number int, p put) error {
	to, columns := texts.prefix+p.name, strings.Join(p.columns, ", ")
	if !p.fresh {
		to = "staged_" + strconv.Itoa(number)
		_, err := t.Exec(ctx, "CREATE TEMPORARY TABLE "+to+" ON COMMIT DROP AS SELECT "+columns+" FROM "+texts.prefix+p.name+" WITH NO DATA")
		if err != nil {
			return err
		}
	}
	if _, err := t.CopyFrom(ctx, pgx.Identifier{to}, p.columns, pgx.CopyFromRows(p.rows)); err != nil || p.fresh {
		return err
	}
	_, err := t.Exec(ctx, p.upsertOf(texts.prefix, "SELECT "+columns+" FROM "+to))
	return err
}

func (t postgresTx) query(ctx context.Context, each func(scanner) error, sql string, args ...any) error {
	rows, err := t.Query(ctx, sql, args...)
	return eachRow(rows, err, each)
}

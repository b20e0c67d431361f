package reporting

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	driver "modernc.org/sqlite" // it registers itself
	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteReaders is how many reads run at once. They do not wait for the writer: the file
// is in WAL mode.
const sqliteReaders = 4

// sqlite is a file with one connection that writes and a few that read. Those that write wait
// for each other in line within this process, and up to the busy timeout for other processes.
//
// Commits are not synced one by one (synchronous=NORMAL): when the machine stops, the last
// ones may be lost, but always whole transactions from the end. Rows and checkpoint are in
// one transaction, so they are lost together, and the ledger gives them again.
type sqlite struct {
	readers *sql.DB
	db      *sql.DB // holds the writing connection alone

	writing  *sync.Mutex // of this process's writers of the file
	writer   *sql.Conn
	prepared map[string]*sql.Stmt // on writer, by text: the texts come from a fixed set
}

// writers has by path a lock for each file that was opened. SQLite lets those who want to write
// look again now and then, so that one who always writes, such as a rebuild, would leave the
// live view nothing: in the line for a lock everybody's turn comes.
var writers sync.Map

func openSQLite(ctx context.Context, path string) (*sqlite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	// Made here, since SQLite would make it readable for all; its side files take its mode.
	// #nosec G703 -- the path is the operator's
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	source := func(pragmas ...string) string {
		u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
		return u.String()
	}
	busy := fmt.Sprintf("busy_timeout(%d)", readLimit.Milliseconds())
	line, _ := writers.LoadOrStore(path, new(sync.Mutex))
	s := &sqlite{writing: line.(*sync.Mutex), prepared: make(map[string]*sql.Stmt)}
	if s.db, err = sql.Open("sqlite", source(busy, "journal_mode(WAL)", "synchronous(NORMAL)", "cache_size(-65536)", "wal_autocheckpoint(16000)", "journal_size_limit(67108864)")); err != nil {
		return nil, fmt.Errorf("reporting: %w", err)
	}
	if s.writer, err = connectSQLite(ctx, s.db); err != nil {
		return nil, errors.Join(fmt.Errorf("reporting: open %s: %w", path, err), s.db.Close())
	}
	if s.readers, err = sql.Open("sqlite", source(busy, "query_only(1)", "cache_size(-16384)")); err != nil {
		return nil, errors.Join(fmt.Errorf("reporting: %w", err), s.writer.Close(), s.db.Close())
	}
	s.readers.SetMaxOpenConns(sqliteReaders)
	s.readers.SetMaxIdleConns(sqliteReaders)
	return s, nil
}

// connectSQLite makes a connection. Who turns a new file to WAL mode has it to itself, and
// whoever else opens it just then is refused at once, whatever its busy timeout: it is a
// matter of milliseconds, so it is tried again.
func connectSQLite(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	for {
		conn, err := db.Conn(ctx)
		var failed *driver.Error
		if err == nil || !errors.As(err, &failed) || failed.Code()&0xff != sqlite3.SQLITE_BUSY {
			return conn, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (s *sqlite) write(ctx context.Context, fn func(tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeLimit)
	defer cancel()
	return s.exclusive(ctx, fn)
}

// exclusive is every write: a transaction that begins as a writer has the file to itself.
func (s *sqlite) exclusive(ctx context.Context, fn func(tx) error) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.writer.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			// Also where fn panicked or ctx ended. SQLite may have rolled back by itself.
			if _, undo := s.writer.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); undo != nil && !strings.Contains(undo.Error(), "no transaction") {
				err = errors.Join(err, undo)
			}
		}
	}()
	if err := fn(sqliteTx{s}); err != nil {
		return err
	}
	if _, err := s.writer.ExecContext(ctx, "COMMIT"); err != nil {
		return err
	}
	done = true
	return nil
}

// claim has nothing to do: readers go on in the file as it was when they began.
func (s *sqlite) claim(context.Context, tx, []string) error { return nil }

func (s *sqlite) snapshot(ctx context.Context, fn func(querying) error) error {
	t, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	err = fn(func(ctx context.Context, each func(scanner) error, text string, args ...any) error {
		rows, err := t.QueryContext(ctx, text, args...)
		return eachSQLRow(rows, err, each)
	})
	return errors.Join(err, t.Rollback())
}

func (s *sqlite) query(ctx context.Context, each func(scanner) error, text string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	rows, err := s.readers.QueryContext(ctx, text, args...)
	return eachSQLRow(rows, err, each)
}

func eachSQLRow(rows *sql.Rows, err error, each func(scanner) error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := each(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (s *sqlite) dialect() *strings.Replacer {
	return strings.NewReplacer("{text}", "TEXT", "{sequence}", "INTEGER", "{clustered}", "WITHOUT ROWID")
}

func (s *sqlite) month(column string) string {
	return "strftime('%Y-%m', " + column + " / 1000, 'unixepoch')"
}

func (s *sqlite) close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	var errs []error
	for _, statement := range s.prepared {
		errs = append(errs, statement.Close())
	}
	clear(s.prepared)
	return errors.Join(append(errs, s.readers.Close(), s.writer.Close(), s.db.Close())...)
}

// sqliteTx is the writing connection between BEGIN and COMMIT.
type sqliteTx struct{ *sqlite }

func (t sqliteTx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := t.writer.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// put writes row by row: a call costs little in process, and SQLite keeps a journal for each
// statement that writes more.
func (t sqliteTx) put(ctx context.Context, texts *texts, puts []put) error {
	// A context that can end has the driver start a goroutine for each statement, which here
	// takes no longer than that: so it is asked now and then instead.
	steady := context.WithoutCancel(ctx)
	for _, p := range puts {
		p.inOrder()
		text := texts.upsert(p.table, 1)
		prepared, ok := t.prepared[text]
		if !ok {
			var err error
			if prepared, err = t.writer.PrepareContext(ctx, unnamed(text)); err != nil {
				return err
			}
			t.prepared[text] = prepared
		}
		for i, row := range p.rows {
			if i%256 == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if _, err := prepared.ExecContext(steady, row...); err != nil {
				return err
			}
		}
	}
	return nil
}

// unnamed writes the arguments of a statement that takes them in order, $1, $2, …, as plain
// question marks. To SQLite $1 is a name, and the driver looks every name up among all
// others, which for a thousand arguments costs more than the statement.
func unnamed(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	inside := false
	for _, c := range []byte(text) {
		switch {
		case c == '$':
			inside = true
			b.WriteByte('?')
		case inside && c >= '0' && c <= '9':
		default:
			inside = false
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (t sqliteTx) query(ctx context.Context, each func(scanner) error, text string, args ...any) error {
	rows, err := t.writer.QueryContext(ctx, text, args...)
	return eachSQLRow(rows, err, each)
}

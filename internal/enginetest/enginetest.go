// Package enginetest starts a real PostgreSQL and a real Redis for a test or a
// benchmark: installed binaries, data in a temporary folder, reached over a Unix
// socket, so that no port is taken and nobody else gets in. They end with the process
// that started them, however it ends, and their folder goes with them.
//
// What belongs here: finding, starting, stopping and putting back engines. What does
// not: anything that knows Daybook's data (look in the room under test), and anything
// that ships: only tests and internal/bench import this package.
//
// A test says Postgres(t), Redis(t) or NewRedis(t). A program that is not a test says
// StartPostgres or StartRedis, which return errors. The package needs a Unix.
package enginetest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
)

// SkipEnv names the environment variable that, set to 1, turns a test whose engine is
// not installed from a failure into a skip.
const SkipEnv = "SKIP_ENGINE_TESTS"

// SupervisorFunc is the function in which one goroutine per running server waits for
// its end. The server behind Postgres lives as long as the test binary, so a leak check
// needs goleak.IgnoreAnyFunction(enginetest.SupervisorFunc).
const SupervisorFunc = "daybook/internal/enginetest.(*process).supervise"

// startLimit bounds how long an engine may take until it answers.
const startLimit = time.Minute

var shared struct {
	sync.Mutex
	postgres *PostgresServer
	err      error
}

// Postgres returns the URL of a database of its own, empty, which is dropped when the
// test ends. All tests of a binary share one server. The server does not sync its writes
// to disk: a test may kill Daybook, but not the machine. An engine that is not installed
// fails the test, or skips it if SkipEnv is set. Safe for parallel tests.
func Postgres(tb testing.TB) string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	server, err := sharedPostgres(ctx)
	failOrSkip(tb, err)
	name, err := server.CreateDatabase(ctx)
	failOrSkip(tb, err)
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		if err := server.DropDatabase(ctx, name); err != nil {
			tb.Errorf("enginetest: %v", err)
		}
	})
	return server.URL(name)
}

// sharedPostgres starts the binary's server once; a failure is kept, since a second try
// would only take the same time again for every test.
func sharedPostgres(ctx context.Context) (*PostgresServer, error) {
	shared.Lock()
	defer shared.Unlock()
	if shared.postgres == nil && shared.err == nil {
		shared.postgres, shared.err = StartPostgres(ctx, PostgresOptions{NoSync: true})
	}
	return shared.postgres, shared.err
}

// Redis returns the URL of an empty Redis of the test's own, stopped when it ends. Use
// NewRedis where the test flushes it, stops it or puts it back.
func Redis(tb testing.TB) string {
	tb.Helper()
	return NewRedis(tb).URL()
}

// NewRedis starts an empty Redis of the test's own, stopped when it ends. An engine that
// is not installed fails the test, or skips it if SkipEnv is set.
func NewRedis(tb testing.TB) *RedisServer {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	server, err := StartRedis(ctx)
	failOrSkip(tb, err)
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Errorf("enginetest: %v", err)
		}
	})
	return server
}

// Flush empties the Redis, as FLUSHALL does.
func (s *RedisServer) Flush(tb testing.TB) {
	tb.Helper()
	must(tb, func(ctx context.Context) error { return s.do(ctx, "FLUSHALL", "SYNC") })
}

// Snapshot returns what the Redis holds now.
func (s *RedisServer) Snapshot(tb testing.TB) Snapshot {
	tb.Helper()
	var snapshot Snapshot
	must(tb, func(ctx context.Context) (err error) {
		snapshot, err = s.snapshot(ctx)
		return err
	})
	return snapshot
}

// Restore restarts the Redis, at the same URL, with what it held when snapshot was taken:
// what an operator does who brings back yesterday's dump. Clients lose their connections.
func (s *RedisServer) Restore(tb testing.TB, snapshot Snapshot) {
	tb.Helper()
	must(tb, func(ctx context.Context) error { return s.restore(ctx, snapshot) })
}

// Stop ends the Redis abruptly. What it held is lost unless a Snapshot was taken. A Redis
// that is stopped already stays so.
func (s *RedisServer) Stop(tb testing.TB) {
	tb.Helper()
	must(tb, func(context.Context) error { return s.stop() })
}

// Start brings a stopped Redis back, empty, at the same URL.
func (s *RedisServer) Start(tb testing.TB) {
	tb.Helper()
	must(tb, func(ctx context.Context) error { return s.start(ctx, nil) })
}

func must(tb testing.TB, f func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if err := f(ctx); err != nil {
		tb.Fatalf("enginetest: %v", err)
	}
}

// failOrSkip ends the test if err is not nil. A missing engine fails it, since a suite
// that skips in silence proves nothing.
func failOrSkip(tb testing.TB, err error) {
	tb.Helper()
	if err == nil {
		return
	}
	var missing *MissingError
	if errors.As(err, &missing) && os.Getenv(SkipEnv) == "1" {
		tb.Skipf("enginetest: %v", err)
	}
	tb.Fatalf("enginetest: %v", err)
}

//go:build unix

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/redis/go-redis/v9"
)

const redisDump = "dump.rdb"

// Snapshot is what a Redis held at one moment.
type Snapshot struct {
	rdb []byte
}

// RedisServer is a Redis of this process's own. It keeps everything in memory and writes
// to disk only for a Snapshot. One goroutine at a time may call its methods; clients may
// use its URL meanwhile.
type RedisServer struct {
	process *process // nil while stopped
	path    string
	dir     string
}

// StartRedis starts an empty server; it listens on a Unix socket alone. ctx bounds the
// start, not the server's life. The error is a *MissingError if Redis is not installed.
func StartRedis(ctx context.Context) (*RedisServer, error) {
	path, ok := find("redis-server")
	if !ok {
		return nil, &MissingError{Engine: "Redis", Package: "redis-server"}
	}
	dir, err := newDir("redis")
	if err != nil {
		return nil, err
	}
	s := &RedisServer{path: path, dir: dir}
	if err := s.start(ctx, nil); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// URL returns the server's URL, for go-redis. It stays the same over stops and starts.
func (s *RedisServer) URL() string { return "unix://" + s.socket() }

func (s *RedisServer) socket() string { return filepath.Join(s.dir, "sock") }

// start brings the server up with what rdb holds, empty if it is nil.
func (s *RedisServer) start(ctx context.Context, rdb []byte) error {
	if s.process != nil {
		return errors.New("this Redis runs already")
	}
	dump := filepath.Join(s.dir, redisDump)
	var err error
	if rdb == nil {
		if err = os.Remove(dump); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	} else {
		err = os.WriteFile(dump, rdb, 0o600)
	}
	if err != nil {
		return fmt.Errorf("lay the dump of Redis: %w", err)
	}
	s.process, err = startProcess(s.dir, nil, s.path,
		"--port", "0", "--unixsocket", s.socket(), "--unixsocketperm", "700",
		"--dir", s.dir, "--dbfilename", redisDump,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	if err != nil {
		return err
	}
	return s.process.ready(ctx, func(ctx context.Context) error { return s.do(ctx, "PING") })
}

// stop kills the server: nothing it would still want to write is wanted.
func (s *RedisServer) stop() error {
	if s.process == nil {
		return nil
	}
	err := s.process.stop(syscall.SIGKILL)
	s.process = nil
	return err
}

func (s *RedisServer) snapshot(ctx context.Context) (Snapshot, error) {
	if err := s.do(ctx, "SAVE"); err != nil {
		return Snapshot{}, err
	}
	rdb, err := os.ReadFile(filepath.Join(s.dir, redisDump))
	if err != nil {
		return Snapshot{}, fmt.Errorf("read the dump of Redis: %w", err)
	}
	return Snapshot{rdb: rdb}, nil
}

func (s *RedisServer) restore(ctx context.Context, snapshot Snapshot) error {
	if snapshot.rdb == nil {
		return errors.New("an empty Snapshot: take one with RedisServer.Snapshot")
	}
	if err := s.stop(); err != nil {
		return err
	}
	return s.start(ctx, slices.Clone(snapshot.rdb))
}

// do runs one command over a connection of its own.
func (s *RedisServer) do(ctx context.Context, args ...any) error {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket(), PoolSize: 1, MaxRetries: -1})
	err := client.Do(ctx, args...).Err()
	if err = errors.Join(err, client.Close()); err != nil {
		return fmt.Errorf("redis %v: %w", args[0], err)
	}
	return nil
}

// Close stops the server and removes its data.
func (s *RedisServer) Close() error {
	return errors.Join(s.stop(), os.RemoveAll(s.dir))
}

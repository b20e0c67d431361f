//go:build unix

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
)

const (
	postgresUser = "daybook"
	// postgresBins is where Debian keeps what it does not put in PATH.
	postgresBins = "/usr/lib/postgresql/*/bin/"
)

// PostgresOptions say how a server runs. The zero value keeps PostgreSQL's promises: a
// commit has reached the disk when it returns.
type PostgresOptions struct {
	// NoSync lets commits return before they reach the disk (fsync, synchronous_commit
	// and full_page_writes off): for tests, never for a measurement.
	NoSync bool
	// Settings are further server settings, such as "shared_buffers": "256MB".
	Settings map[string]string
}

// PostgresServer is a PostgreSQL of this process's own. Its methods may be called from
// several goroutines, but none during or after Close.
type PostgresServer struct {
	process   *process
	dir       string
	databases atomic.Int64
}

// StartPostgres initialises and starts a server, which takes about a second; it listens
// on a Unix socket alone. ctx bounds the start, not the server's life. The error is a
// *MissingError if PostgreSQL is not installed.
func StartPostgres(ctx context.Context, o PostgresOptions) (*PostgresServer, error) {
	initdb, ok1 := find("initdb", postgresBins+"initdb")
	postgres, ok2 := find("postgres", postgresBins+"postgres")
	if !ok1 || !ok2 {
		return nil, &MissingError{Engine: "PostgreSQL", Package: "postgresql"}
	}
	credential, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := newDir("pg")
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{dir: dir}
	if err := s.start(ctx, o, initdb, postgres, credential); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *PostgresServer) start(ctx context.Context, o PostgresOptions, initdb, postgres string, as *syscall.Credential) error {
	if as != nil {
		if err := os.Chown(s.dir, int(as.Uid), int(as.Gid)); err != nil {
			return fmt.Errorf("hand the data folder to PostgreSQL: %w", err)
		}
	}
	data := filepath.Join(s.dir, "data")
	// Nobody else reaches the socket, whose folder is closed to other users; so there is
	// no password. Syncing an empty cluster protects nothing.
	cmd := exec.CommandContext(ctx, initdb, "-D", data, "-U", postgresUser, "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out[max(0, len(out)-logTail):])
	}

	settings := map[string]string{
		"listen_addresses":        "",
		"unix_socket_directories": s.dir,
		"timezone":                "UTC",
		"max_connections":         "200",
	}
	if o.NoSync {
		settings["fsync"] = "off"
		settings["synchronous_commit"] = "off"
		settings["full_page_writes"] = "off"
	}
	maps.Copy(settings, o.Settings)
	args := []string{"-D", data}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	p, err := startProcess(s.dir, as, postgres, args...)
	if err != nil {
		return err
	}
	s.process = p
	return p.ready(ctx, func(ctx context.Context) error { return s.exec(ctx, "SELECT 1") })
}

// unprivileged returns the user to run PostgreSQL as, which refuses root; nil to run it
// as ourselves.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user for PostgreSQL, which refuses root: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// URL returns the URL of the named database, for pgx.
func (s *PostgresServer) URL(database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&sslmode=disable",
		postgresUser, url.PathEscape(database), url.QueryEscape(s.dir))
}

// CreateDatabase makes an empty database with a name of its own, and returns the name.
func (s *PostgresServer) CreateDatabase(ctx context.Context) (string, error) {
	name := fmt.Sprintf("daybook_%d", s.databases.Add(1))
	if err := s.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return name, nil
}

// DropDatabase removes a database, ending the sessions that still use it.
func (s *PostgresServer) DropDatabase(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// exec runs one statement over a connection of its own.
func (s *PostgresServer) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	_, err = conn.Exec(ctx, sql)
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}

// Close stops the server and removes its data.
func (s *PostgresServer) Close() error {
	var err error
	if s.process != nil {
		err = s.process.stop(syscall.SIGINT) // a fast shutdown: sessions are ended
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

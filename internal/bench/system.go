package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/bench/baseline"
	"daybook/internal/enginetest"
	"daybook/internal/tokens"
)

// system is one of the two that are measured.
type system struct {
	name        string
	addr        string
	diners      []*diner
	restaurants []string // houses of them
	// settle waits until the system has nothing left to do of what it was given, up to
	// position, so that it does not disturb what is measured next.
	settle func(ctx context.Context, position uint64) error
	server *process
	close  func() error

	hot  []*place
	many []*place
}

func (s *system) lay() {
	first := firstDate(time.Now())
	s.hot, s.many = []*place{hotPlace(s.restaurants, first)}, manyPlaces(s.restaurants, first)
}

// What the baseline's own process is told.
const (
	baselineArg = "baseline"
	databaseEnv = "DAYBOOK_BENCH_DATABASE"
	keyEnv      = "DAYBOOK_BENCH_KEY"
)

// startBaseline starts a PostgreSQL, fills it, and runs this program again as its server.
func startBaseline(ctx context.Context) (s *system, version string, err error) {
	s = &system{name: "baseline"}
	var closers []func() error
	s.close = func() (err error) {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	server, err := enginetest.StartPostgres(ctx, enginetest.PostgresOptions{Settings: map[string]string{
		"shared_buffers": "256MB", "max_wal_size": "4GB", "jit": "off",
	}})
	if err != nil {
		return s, "", err
	}
	closers = append(closers, server.Close)
	name, err := server.CreateDatabase(ctx)
	if err != nil {
		return s, "", err
	}
	url := server.URL(name)
	all := make([]restaurant.State, houses)
	for i := range all {
		if all[i], err = floor(i + 1); err != nil {
			return s, "", err
		}
		s.restaurants = append(s.restaurants, string(all[i].ID))
	}
	if err := baseline.Seed(ctx, url, all); err != nil {
		return s, "", err
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return s, "", err
	}
	closers = append(closers, func() error { return conn.Close(context.WithoutCancel(ctx)) })
	if err := conn.QueryRow(ctx, "SHOW server_version").Scan(&version); err != nil {
		return s, "", err
	}
	s.settle = func(ctx context.Context, _ uint64) error {
		// What autovacuum and the checkpointer would do a little later.
		_, err := conn.Exec(ctx, "VACUUM (ANALYZE)")
		if err == nil {
			_, err = conn.Exec(ctx, "CHECKPOINT")
		}
		return err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails; see crypto/rand
	if s.diners, err = dinersWith(key); err != nil {
		return s, "", err
	}
	self, err := os.Executable()
	if err != nil {
		return s, "", err
	}
	p, err := start(ctx, []string{databaseEnv + "=" + url, keyEnv + "=" + base64.StdEncoding.EncodeToString(key)}, self, baselineArg)
	if err != nil {
		return s, "", err
	}
	closers = append(closers, p.stop)
	s.addr, s.server = p.addr, p
	s.lay()
	return s, version, nil
}

// dinersWith makes tokens, as a login would.
func dinersWith(key []byte) ([]*diner, error) {
	signer, err := tokens.NewSigner(key, time.Now)
	if err != nil {
		return nil, err
	}
	all := make([]*diner, dinersAtWrite)
	for i := range all {
		token, _, err := signer.Access(string(domain.NewUserID([16]byte{byte(i + 1)})))
		if err != nil {
			return nil, err
		}
		all[i] = &diner{"Bearer " + token}
	}
	return all, nil
}

// serveBaseline is the baseline's process. Its server has the limits of Daybook's.
func serveBaseline() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	key, err := base64.StdEncoding.DecodeString(os.Getenv(keyEnv))
	if err != nil {
		return err
	}
	signer, err := tokens.NewSigner(key, time.Now)
	if err != nil {
		return err
	}
	service, err := baseline.Open(ctx, os.Getenv(databaseEnv))
	if err != nil {
		return err
	}
	defer service.Close()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: service.Handler(signer), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	slog.Info("listening", "addr", listener.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(end)
}

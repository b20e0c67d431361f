package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
)

type serveCommand struct {
	engineFlags
	Listen       string `default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN" placeholder:"HOST:PORT" help:"Where to listen."`
	LedgerListen string `env:"DAYBOOK_LEDGER_LISTEN" placeholder:"127.0.0.1:2113" help:"Also serve the embedded ledger to EventStoreDB clients on this machine (loopback only: whoever connects can read and append)."`
	Demo         bool   `env:"DAYBOOK_DEMO" help:"Fill an empty ledger with a few restaurants and their reservations."`
}

func (c *serveCommand) Run(ctx context.Context, out io.Writer) (err error) {
	// The house lives on small short-lived values: collecting them at four times the live
	// heap rather than twice trades memory for time.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	logEngines(c.engineFlags)
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags, Listen: c.Listen, LedgerListen: c.LedgerListen})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	if c.Demo {
		if err := h.seedDemo(ctx, out); err != nil {
			return err
		}
	}
	if err := h.start(ctx); err != nil {
		return err
	}
	slog.Info("listening", "addr", h.addr.String(), "version", version)
	failed := make(chan error, 1)
	go func() { failed <- h.running.Wait() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		slog.Info("stopping: requests under way end first")
		return nil
	}
}

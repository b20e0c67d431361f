// Command daybook is the whole house in one binary: it serves the APIs, brings existing
// bookings in, and rebuilds views.
//
// What belongs here: configuration, and wiring the rooms together. Anything that decides
// or shows something has a room of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // restaurants' zones, whatever the machine has

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9"
)

// version is set when a release is built.
var version = "dev"

type cli struct {
	LogLevel  slog.Level `default:"info" env:"DAYBOOK_LOG_LEVEL" help:"debug, info, warn or error."`
	LogFormat string     `default:"text" enum:"text,json" env:"DAYBOOK_LOG_FORMAT" help:"text or json."`

	Serve     serveCommand      `cmd:"" help:"Serve the APIs and run the views and processes."`
	Import    importCommand     `cmd:"" help:"Bring in reservations that were made elsewhere."`
	Compare   compareCommand    `cmd:"" help:"Decide reservations under several ways to give tables, and compare."`
	Export    exportCommand     `cmd:"" help:"Write events and reporting tables into files for analysts: Parquet, CSV or NDJSON."`
	Rebuild   rebuildCommand    `cmd:"" help:"Build a view anew from the ledger."`
	Reporting reportingCommands `cmd:"" help:"Who reads the reporting tables."`
	Store     storeCommands     `cmd:"" help:"The embedded event store alone."`
	Health    healthCommand     `cmd:"" help:"Ask a serving daybook whether it is ready."`
	Verify    verifyCommands    `cmd:"" help:"Find what was altered, dropped, inserted or put in another order."`
	Version   versionCommand    `cmd:"" help:"Print the version."`
	WhatIf    whatIfCommand     `cmd:"" name:"whatif" help:"Decide the real requests of a range of days again under another plan, and compare."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if exit, said := err.(errExit); said { //nolint:errorlint // run unwrapped it
		os.Exit(int(exit))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "daybook:", legibleLines(err.Error()))
		os.Exit(1)
	}
}

// errExit ends a run that has said all it had to say.
type errExit int

func (e errExit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func run(ctx context.Context, args []string, out, errs io.Writer) (err error) {
	var c cli
	defer func() {
		// kong ends the process for --help; here it only ends the parsing.
		if p := recover(); p != nil {
			exit, ok := p.(errExit)
			if !ok {
				panic(p)
			}
			if exit != 0 {
				err = exit
			}
		}
	}()
	parser, err := kong.New(&c, kong.Name("daybook"), kong.Description("A reservation ledger: every table promised once, every change on record."),
		kong.UsageOnError(), kong.Writers(out, errs), kong.Exit(func(code int) { panic(errExit(code)) }),
		kong.Vars{
			"export_names":        exportNames(),
			"restaurant_columns":  strings.Join(restaurantColumns, ","),
			"reservation_columns": strings.Join(reservationColumns, ","),
		})
	if err != nil {
		return err
	}
	k, err := parser.Parse(args)
	if err != nil {
		return err
	}
	opts := &slog.HandlerOptions{Level: c.LogLevel}
	var handler slog.Handler = slog.NewTextHandler(errs, opts)
	if c.LogFormat == "json" {
		handler = slog.NewJSONHandler(errs, opts)
	}
	slog.SetDefault(slog.New(handler))
	redis.SetLogger(redisLog{})
	k.BindTo(ctx, (*context.Context)(nil))
	k.BindTo(out, (*io.Writer)(nil))
	err = k.Run()
	// kong wraps what a command returns. An exit code that says all there is to say is told
	// apart from one that came together with another error.
	var exit errExit
	if errors.As(err, &exit) && err.Error() == exit.Error() {
		return exit
	}
	return err
}

type versionCommand struct{}

func (versionCommand) Run(out io.Writer) error {
	_, err := fmt.Fprintln(out, "daybook", version)
	return err
}

type healthCommand struct {
	Listen string `default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN" help:"Where it listens."`
}

func (c healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	host := c.Listen
	if strings.HasPrefix(host, ":") {
		host = "127.0.0.1" + host
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+strings.Replace(host, "0.0.0.0:", "127.0.0.1:", 1)+"/readyz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New("not ready: " + answer.Status)
	}
	return nil
}

package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
)

type serveCommand struct {
	engineFlags
	Listen   string      `default:"127.0.0.1:8080" env:"DAYBOOK_LISTEN" placeholder:"HOST:PORT" help:"Where to listen."`
	Ledger   ledgerFlags `embed:""`
	Operator string      `name:"operator-token" env:"DAYBOOK_OPERATOR_TOKEN" placeholder:"SECRET" help:"At least 32 characters. Whoever sends it as bearer token reads the whole ledger at /api/v1/ledger/events; without it, nobody does over HTTP."`
	Demo     bool        `env:"DAYBOOK_DEMO" help:"Fill an empty ledger with a few restaurants and their reservations."`

	WebhooksAllowPrivate bool `env:"DAYBOOK_WEBHOOKS_ALLOW_PRIVATE" help:"Let owners have webhooks sent to private and loopback addresses, and without TLS. On with --demo."`
}

// ledgerFlags say where else the embedded ledger is served.
type ledgerFlags struct {
	Listen   string `name:"eventstore-listen" env:"DAYBOOK_EVENTSTORE_LISTEN" placeholder:"127.0.0.1:2113" help:"Also serve the embedded ledger to EventStoreDB and KurrentDB clients. Without TLS a loopback address only: nobody is asked for a password."`
	TLSCert  string `name:"eventstore-tls-cert" env:"DAYBOOK_EVENTSTORE_TLS_CERT" type:"existingfile" placeholder:"FILE" help:"Serve it with TLS: a certificate in PEM. The user is admin, the password in $$DAYBOOK_STORE_ADMIN_PASSWORD."`
	TLSKey   string `name:"eventstore-tls-key" env:"DAYBOOK_EVENTSTORE_TLS_KEY" type:"existingfile" placeholder:"FILE" help:"The certificate's key in PEM."`
	Writable bool   `name:"eventstore-writable" env:"DAYBOOK_EVENTSTORE_WRITABLE" help:"Let those clients append and delete, past all rules of the reservations. Without it they only read."`
}

// access is what the flags ask for, nil for nothing.
func (f ledgerFlags) access(password string) (*storeAccess, error) {
	if f.Listen == "" {
		if f.TLSCert != "" || f.TLSKey != "" || f.Writable {
			return nil, errors.New("--eventstore-tls-cert, --eventstore-tls-key and --eventstore-writable go with --eventstore-listen")
		}
		return nil, nil
	}
	return &storeAccess{
		flag: "--eventstore-listen", addr: f.Listen, cert: f.TLSCert, key: f.TLSKey, password: password, writable: f.Writable,
	}, nil
}

func (c *serveCommand) Run(ctx context.Context, out io.Writer) (err error) {
	// The house lives on small short-lived values: collecting them at four times the live
	// heap rather than twice trades memory for time.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	ledger, err := c.Ledger.access(os.Getenv(storePasswordEnv))
	if err != nil {
		return err
	}
	if n := len(c.Operator); n > 0 && n < minOperatorToken {
		return fmt.Errorf("the operator's token has %d characters, and a secret that may be guessed at over the network needs %d: openssl rand -hex 32", n, minOperatorToken)
	}
	logEngines(c.engineFlags)
	h, err := openHouse(ctx, houseConfig{engineFlags: c.engineFlags, Listen: c.Listen, Ledger: ledger, OperatorToken: c.Operator, PrivateWebhooks: c.WebhooksAllowPrivate || c.Demo})
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
	select {
	case <-h.failed.Done(): // close tells what it was
		slog.Error("stopping: what has to run has failed")
	case <-ctx.Done():
		slog.Info("stopping: requests under way end first")
	}
	return nil
}

// minOperatorToken is how long the operator's token is at least, in bytes.
const minOperatorToken = 32

// operatorBy recognises the operator's token; nil where there is none.
func operatorBy(token string) func(string) bool {
	if token == "" {
		return nil
	}
	want := sha256.Sum256([]byte(token)) // of one length, so that comparing tells nothing of it
	return func(shown string) bool {
		got := sha256.Sum256([]byte(shown))
		return subtle.ConstantTimeCompare(want[:], got[:]) == 1
	}
}

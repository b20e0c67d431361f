package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver/groups"
)

// storeServeCommand serves an event store without the house around it.
type storeServeCommand struct {
	Data           string `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Data folder; the store is in its events/."`
	Listen         string `default:"127.0.0.1:2113" placeholder:"HOST:PORT" help:"Where to listen (127.0.0.1:2113): in clear with --insecure, else with TLS."`
	Insecure       bool   `help:"Serve --listen in clear and ask nobody for a password. A loopback address only."`
	InsecureRemote bool   `help:"Let --insecure be an address that other machines reach: all of them may read, and with --writable write."`
	TLSCert        string `name:"tls-cert" type:"existingfile" placeholder:"FILE" help:"Certificate in PEM, with its chain. The user is admin, the password in $$DAYBOOK_STORE_ADMIN_PASSWORD."`
	TLSKey         string `name:"tls-key" type:"existingfile" placeholder:"FILE" help:"Its key in PEM."`
	TLSListen      string `name:"tls-listen" placeholder:"HOST:PORT" help:"Beside --insecure: a second address, with TLS."`
	Writable       bool   `help:"Let clients append and delete, past all rules of the reservations. Without it they only read."`
}

// accesses is what the flags ask for.
func (c *storeServeCommand) accesses(password string) ([]storeAccess, error) {
	clear := storeAccess{flag: "--listen", addr: c.Listen, writable: c.Writable, remote: c.InsecureRemote, remoteFlag: "--insecure-remote"}
	secure := storeAccess{flag: "--listen", addr: c.Listen, cert: c.TLSCert, key: c.TLSKey, password: password, writable: c.Writable}
	certified := c.TLSCert != "" || c.TLSKey != ""
	switch {
	case c.InsecureRemote && !c.Insecure:
		return nil, errors.New("--insecure-remote goes with --insecure")
	case !c.Insecure && !certified:
		return nil, errors.New("say how to serve: with --tls-cert FILE --tls-key FILE, or with --insecure, in clear and without a password")
	case !c.Insecure && c.TLSListen != "":
		return nil, errors.New("--tls-listen is a second address beside --insecure; with TLS alone, --listen is the address")
	case !c.Insecure:
		return []storeAccess{secure}, nil
	case certified != (c.TLSListen != ""):
		return nil, errors.New("--insecure serves --listen in clear; for TLS beside it give --tls-listen, --tls-cert and --tls-key together")
	case certified:
		secure.flag, secure.addr = "--tls-listen", c.TLSListen
		return []storeAccess{clear, secure}, nil
	default:
		return []storeAccess{clear}, nil
	}
}

func (c *storeServeCommand) Run(ctx context.Context, out io.Writer) (err error) {
	accesses, err := c.accesses(os.Getenv(storePasswordEnv))
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300) // as serve does, and for the same reason
	}
	store, err := openStoreFolder(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	orders := takeOrders(c.Data)
	takeBackups(orders, store.Store, c.Data)
	takeWhatIfs(orders, store.Store, time.Now)
	defer func() { err = errors.Join(err, orders.Close()) }()
	return serveStoreAt(ctx, out, store.Store, accesses)
}

// serveStoreAt serves a store at all addresses until ctx ends, or something that has to run
// fails.
func serveStoreAt(ctx context.Context, out io.Writer, store *embedded.Store, accesses []storeAccess) (err error) {
	shared := groups.New(store, groups.Options{})
	var servers []*storeServer
	watching, stop := context.WithCancel(ctx)
	running, ended := errgroup.WithContext(ctx)
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		for _, s := range servers {
			if cut := s.shutdown(end); cut != nil {
				slog.Warn("calls under way were cut off", "error", cut)
			}
		}
		if unwritten := shared.Close(end); unwritten != nil && store.Failure() == nil {
			err = errors.Join(err, fmt.Errorf("last checkpoints of persistent subscriptions: %w", unwritten))
		}
		stop()
		err = errors.Join(err, running.Wait())
	}()
	for _, a := range accesses {
		s, err := listenStore(ctx, store, a, shared)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	running.Go(func() error { return watchStore(watching, store) })
	for i, s := range servers {
		running.Go(s.serve)
		fmt.Fprintf(out, "%s, %s\n", s.url, accesses[i].mode())
		slog.Info("listening", "addr", s.listener.Addr().String(), "mode", accesses[i].mode(), "version", version)
	}
	<-ended.Done()
	if ctx.Err() != nil {
		slog.Info("stopping: calls under way end first")
	}
	return nil // what failed is told when everything has ended
}

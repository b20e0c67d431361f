package esdb_test

import (
	"context"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
	"daybook/eventstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than anything here takes that works.
const patience = 2 * time.Minute

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openLedger opens a ledger in memory that lives as long as the test.
func openLedger(t testing.TB) eventstore.Engine {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatalf("open a ledger: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the ledger: %v", err)
		}
	})
	return s
}

// serve runs a server of store on address, "127.0.0.1:0" for any port, until the test
// ends or stop is called.
func serve(t testing.TB, store eventstore.Engine, address string, options esdbserver.Options) (url string, stop func()) {
	t.Helper()
	lis, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	options.Logger = quiet()
	server := esdbserver.New(store, options)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return "esdb://" + lis.Addr().String() + "?tls=false", stop
}

// hostOf is the host and port of a url that serve returned.
func hostOf(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "esdb://"), "?tls=false")
}

func connect(t testing.TB, url string, options esdb.Options) *esdb.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	options.Logger = quiet()
	s, err := esdb.Open(ctx, url, options)
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestConformance is the contract over the wire: the adapter, the official client, the
// server and the store behind it.
func TestConformance(t *testing.T) {
	t.Parallel() // beside a subscription that waits to be lost
	storetest.Run(t, storetest.Features{Shared: true}, func(t testing.TB) storetest.Opener {
		url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{})
		return opener(url)
	})
}

// TestConformanceOverTLS has a user and a password as well.
func TestConformanceOverTLS(t *testing.T) {
	t.Parallel()
	config, ca := certificate(t)
	storetest.Run(t, storetest.Features{Shared: true, Brief: true}, func(t testing.TB) storetest.Opener {
		url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{
			TLS:          config,
			Authenticate: func(user, password string) bool { return user == "admin" && password == "ch@nge it" },
		})
		return opener("kurrentdb://admin:ch%40nge%20it@" + hostOf(url) + "?tlsCaFile=" + ca)
	})
}

// TestConformanceOfASection runs the suite as it runs on a cluster, all checks on one
// ledger. It takes long, for each reads past what the others wrote.
func TestConformanceOfASection(t *testing.T) {
	if os.Getenv("DAYBOOK_SOAK") != "1" {
		t.Skip("long: set DAYBOOK_SOAK=1")
	}
	url, _ := serve(t, openLedger(t), "127.0.0.1:0", esdbserver.Options{})
	runOnSections(t, url)
}

// TestConformanceOfACluster runs the suite on the EventStoreDB or KurrentDB that
// DAYBOOK_TEST_EVENTSTORE_URL names. It leaves its streams there, under names that begin
// with "daybooktest". KurrentDB takes the largest appends only if it was started with
// --max-append-size=4194304.
func TestConformanceOfACluster(t *testing.T) {
	url := os.Getenv("DAYBOOK_TEST_EVENTSTORE_URL")
	if url == "" {
		t.Skip("DAYBOOK_TEST_EVENTSTORE_URL names no cluster")
	}
	runOnSections(t, url)
}

func opener(url string) storetest.Opener {
	return func() (eventstore.Store, error) {
		return esdb.Open(context.Background(), url, esdb.Options{Logger: quiet()})
	}
}

func runOnSections(t *testing.T, url string) {
	open := opener(url)
	storetest.Run(t, storetest.Features{Shared: true}, func(t testing.TB) storetest.Opener {
		s, err := open()
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		of, err := newSection(context.Background(), s)
		if err != nil {
			t.Fatalf("head: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		return func() (eventstore.Store, error) {
			s, err := open()
			if err != nil {
				return nil, err
			}
			return sectioned{s, of}, nil
		}
	})
}

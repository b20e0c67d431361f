package transfer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
	"daybook/eventstore/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than anything here takes that works.
const patience = time.Minute

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, fs vfs.FS) *embedded.Store {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{FS: fs, Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatalf("open a ledger: %v", err)
	}
	return s
}

// ledger opens an empty ledger in memory that lives as long as the test.
func ledger(t testing.TB) *embedded.Store {
	t.Helper()
	s := open(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the ledger: %v", err)
		}
	})
	return s
}

func memory() vfs.FS { return vfs.NewMem() }

// onDisk opens an empty ledger that syncs to a disk.
func onDisk(t testing.TB) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(t.TempDir(), embedded.Options{Logger: quiet()})
	if err != nil {
		t.Fatalf("open a ledger: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// remote is an empty ledger behind the protocol, and the client of it.
func remote(t testing.TB) *esdb.Store {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	server := esdbserver.New(ledger(t), esdbserver.Options{Logger: quiet()})
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	s, err := esdb.Open(t.Context(), "esdb://"+lis.Addr().String()+"?tls=false", esdb.Options{Logger: quiet()})
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// eventID is the same for the same number.
func eventID(n uint64) (id eventstore.EventID) {
	id[0] = 0x5a
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

// book fills a store with n events in appends of one to five, on streams that take turns
// as a busy evening's do.
func book(t testing.TB, s eventstore.Store, n int, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	next := map[eventstore.StreamName]eventstore.Revision{}
	for written := 0; written < n; {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", rng.IntN(n/20+3)))
		events := make([]eventstore.Event, min(1+rng.IntN(5), n-written))
		for i := range events {
			number := uint64(written + i)
			events[i] = eventstore.Event{
				ID: eventID(seed<<32 | number), Type: "reservation.held",
				Data:     fmt.Appendf(nil, `{"n":%d,"note":"%0*d"}`, number, rng.IntN(40), 0),
				Metadata: fmt.Appendf(nil, `{"v":1,"decidedAt":"2026-11-21T19:00:%02dZ"}`, number%60),
			}
		}
		expected := eventstore.NoStream()
		if r, begun := next[stream]; begun {
			expected = eventstore.At(r - 1)
		}
		at, err := s.Append(t.Context(), stream, expected, events...)
		if err != nil {
			t.Fatalf("append: %v", err)
		}
		next[stream] = at.Revision + 1
		written += len(events)
	}
}

// records reads what the default filter passes.
func records(t testing.TB, s eventstore.Store) []eventstore.Record {
	t.Helper()
	var all []eventstore.Record
	for r, err := range s.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatalf("read all: %v", err)
		}
		all = append(all, r)
	}
	return all
}

// kept is a record without what is each store's own.
func kept(r eventstore.Record) string {
	return fmt.Sprintf("%s@%d %s %s %q %q %t", r.Stream, r.Revision, r.ID, r.Type, r.Data, r.Metadata, r.Binary)
}

// sameLedgers compares two stores without the package under test.
func sameLedgers(t testing.TB, a, b eventstore.Store) {
	t.Helper()
	want, got := records(t, a), records(t, b)
	for i := range min(len(want), len(got)) {
		if kept(want[i]) != kept(got[i]) {
			t.Fatalf("record %d:\n got %s\nwant %s", i, kept(got[i]), kept(want[i]))
		}
	}
	if len(want) != len(got) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
}

func mustCopy(t testing.TB, from, to eventstore.Store, options transfer.Options) transfer.Report {
	t.Helper()
	report, err := transfer.Copy(t.Context(), from, to, options)
	if err != nil {
		t.Fatalf("copy: %v (%+v)", err, report)
	}
	return report
}

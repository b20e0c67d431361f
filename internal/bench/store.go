package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	official "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver"
)

// storeSettings is what the flags say of the store's part.
type storeSettings struct {
	dir     string // on the disk that is measured
	writers []int
	rounds  int
	events  int // of the ledger whose opening and memory are measured
}

// storeBench is what the store's part measures, side by side on one disk: the disk itself,
// Pebble alone with the store's options, the store, and the official client before it.
type storeBench struct {
	settings
	dir    string
	disk   *os.File
	pebble *pebble.DB
	store  *embedded.Store
	server *esdbserver.Server
	client *official.Client
	served chan error

	ids atomic.Uint64
	// next is the revision that each own stream of a contestant expects, by writer.
	next map[string][]uint64
}

// The size of a hold in the book.
var (
	holdData     = fmt.Appendf(nil, `{"reservationId":"%032d","partySize":4,"from":"2026-11-21T19:00:00Z","until":"2026-11-21T20:45:00Z","tables":["t12"],"expiresAt":"2026-11-21T18:10:00Z","guest":"%0120d"}`, 7, 9)
	holdMetadata = fmt.Appendf(nil, `{"commandId":"%036d","decidedAt":"2026-11-21T18:00:00Z","actor":"%036d"}`, 1, 2)
)

const holdType = "reservation.held"

// preallocated is how much of its file the disk is measured on: what is overwritten needs
// no change of the file's length with each sync.
const preallocated = 64 << 20

// quiet is for what is measured: a log would be part of the measurement.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// openStoreBench opens all contestants in folders of one temporary folder.
func openStoreBench(ctx context.Context, c settings) (b *storeBench, err error) {
	b = &storeBench{settings: c, next: map[string][]uint64{}}
	if b.dir, err = os.MkdirTemp(c.store.dir, "daybook-bench-store-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.disk, err = os.Create(filepath.Join(b.dir, "raw")); err != nil {
		return b, err
	}
	zeros := make([]byte, 1<<20)
	for range preallocated / len(zeros) {
		if _, err := b.disk.Write(zeros); err != nil {
			return b, err
		}
	}
	if err := b.disk.Sync(); err != nil {
		return b, err
	}
	if b.pebble, err = pebble.Open(filepath.Join(b.dir, "pebble"), pebbleOptions()); err != nil {
		return b, err
	}
	return b, b.openStore(ctx, filepath.Join(b.dir, "store"))
}

// openStore opens a store and serves it to the official client.
func (b *storeBench) openStore(ctx context.Context, dir string) (err error) {
	if b.store, err = embedded.Open(dir, embedded.Options{Logger: quiet()}); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.server, b.served = esdbserver.New(b.store, esdbserver.Options{Logger: quiet()}), make(chan error, 1)
	go func() { b.served <- b.server.Serve(listener) }()
	b.client, err = connect(ctx, listener.Addr().String())
	return err
}

func (b *storeBench) closeStore() (err error) {
	if b.client != nil {
		err = errors.Join(err, b.client.Close())
	}
	if b.server != nil {
		end, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		err = errors.Join(err, b.server.Shutdown(end), <-b.served)
	}
	if b.store != nil {
		err = errors.Join(err, b.store.Close())
	}
	b.client, b.server, b.store = nil, nil, nil
	return err
}

// connect makes the official client and its first call.
func connect(ctx context.Context, addr string) (*official.Client, error) {
	config, err := official.ParseConnectionString("esdb://" + addr + "?tls=false")
	if err != nil {
		return nil, err
	}
	config.Logger = official.NoopLogging()
	made, err := official.NewClient(config)
	if err != nil {
		return nil, err
	}
	_, err = made.AppendToStream(ctx, hotStream, official.AppendToStreamOptions{ExpectedRevision: official.Any{}},
		official.EventData{EventID: uuid.New(), EventType: holdType, ContentType: official.ContentTypeJson, Data: holdData, Metadata: holdMetadata})
	return made, err
}

func (b *storeBench) close() error {
	err := b.closeStore()
	if b.pebble != nil {
		err = errors.Join(err, b.pebble.Close())
	}
	if b.disk != nil {
		err = errors.Join(err, b.disk.Close())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// pebbleOptions are those of the embedded store, so that the two differ in what they do
// with Pebble and not in how it is set up.
func pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FormatMajorVersion: pebble.FormatTableFormatV6, CacheSize: 64 << 20, MemTableSize: 32 << 20,
		MemTableStopWritesThreshold: 4, L0CompactionThreshold: 4, L0StopWritesThreshold: 1000, LBaseMaxBytes: 64 << 20,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 }, BytesPerSync: 512 << 10, Logger: silent{},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	o.EnsureDefaults()
	return o
}

// silent keeps Pebble's log out.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

// event is one of the size of a hold, with an id that was never used before.
func (b *storeBench) event() eventstore.Event {
	return eventstore.Event{ID: spread(b.ids.Add(1)), Type: holdType, Data: holdData, Metadata: holdMetadata}
}

// spread makes an id of a number: as scattered as real ones, and the number can be read
// back off its end.
func spread(n uint64) (id eventstore.EventID) {
	binary.BigEndian.PutUint64(id[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func numberOf(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[8:]) }

// runStore measures the store's part and prints it.
func runStore(ctx context.Context, c settings, facts string, out, progress io.Writer) (err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(300)) // as daybook sets it
	b, err := openStoreBench(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r := &storeReport{facts: facts, settings: c}
	fmt.Fprintf(progress, "filling a ledger of %d events ...\n", c.store.events)
	if r.ledger, err = b.measureLedger(ctx); err != nil {
		return fmt.Errorf("a ledger of %d events: %w", c.store.events, err)
	}
	if r.writes, err = b.measureWrites(ctx, progress); err != nil {
		return err
	}
	if r.reads, err = b.measureReads(ctx, progress); err != nil {
		return err
	}
	if r.live, err = b.measureLive(ctx, progress); err != nil {
		return err
	}
	return r.print(out)
}

// median of figures, 0 of none.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	figures = slices.Sorted(slices.Values(figures))
	if n := len(figures); n%2 == 0 {
		return (figures[n/2-1] + figures[n/2]) / 2
	}
	return figures[len(figures)/2]
}

// aRound is how long one contestant runs in one round.
func (c settings) aRound() time.Duration { return c.duration / time.Duration(c.store.rounds) }

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdb"
	"daybook/eventstore/observe"
	"daybook/internal/keystore"
	"daybook/projections/availability"
	"daybook/projections/deliveries"
	"daybook/projections/discovery"
	"daybook/projections/discovery/meilibleve"
	"daybook/projections/reporting"
)

// engineFlags says where each engine is. One that is not named is embedded.
type engineFlags struct {
	Data           string `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Folder of the embedded engines."`
	EventstoreURL  string `name:"eventstore-url" env:"EVENTSTORE_URL" placeholder:"esdb://…" help:"EventStoreDB or KurrentDB instead of the embedded ledger."`
	RedisURL       string `name:"redis-url" env:"REDIS_URL" placeholder:"redis://…" help:"Redis for availability."`
	PostgresURL    string `name:"postgres-url" env:"POSTGRES_URL" placeholder:"postgres://…" help:"Postgres for reporting and, beside an external ledger, for the keys of personal data."`
	MeilisearchURL string `name:"meilisearch-url" env:"MEILISEARCH_URL" placeholder:"http://…" help:"Meilisearch for search."`
	MeilisearchKey string `name:"meilisearch-key" env:"MEILISEARCH_KEY" help:"Its API key."`
	MasterKey      string `name:"master-key" env:"DAYBOOK_MASTER_KEY" help:"32 bytes in base64 that wrap the keys of personal data; by default made in the data folder."`
}

// engines is what everything stands on.
type engines struct {
	store    eventstore.Store
	watched  *observe.Store  // the ledger, counted and timed
	embedded *embedded.Store // nil where the ledger is elsewhere
	remote   *esdb.Store     // nil where it is here
	keys     *keystore.Store
	redis    redis.UniversalClient
	database *reporting.Database
	outbox   *deliveries.Store
	search   *discovery.Index
	admin    *admin      // nil where no orders can be taken
	closers  []io.Closer // the last opened closes first
}

const (
	openTimeout   = 30 * time.Second
	searchTimeout = 30 * time.Second
)

// openEngines opens all of them, or says which could not be opened.
func openEngines(ctx context.Context, f engineFlags, clock func() time.Time) (e *engines, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	e = &engines{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	lock, err := lockData(f.Data)
	if err != nil {
		return e, err
	}
	e.closers = append(e.closers, lock)
	if err := e.openLedger(ctx, f, clock); err != nil {
		return e, fmt.Errorf("ledger: %w", err)
	}
	if err := e.openKeys(ctx, f); err != nil {
		return e, fmt.Errorf("keys of personal data: %w", err)
	}
	if err := e.openRedis(f); err != nil {
		return e, fmt.Errorf("redis: %w", err)
	}
	where := f.PostgresURL
	if where == "" {
		where = filepath.Join(f.Data, "reporting.db")
	}
	if e.database, err = reporting.Open(ctx, where); err != nil {
		return e, fmt.Errorf("reporting: %w", err)
	}
	e.closers = append(e.closers, e.database)
	if f.PostgresURL == "" {
		where = filepath.Join(f.Data, "webhooks.db")
	}
	if e.outbox, err = deliveries.Open(ctx, where); err != nil {
		return e, fmt.Errorf("deliveries of webhooks: %w", err)
	}
	e.closers = append(e.closers, e.outbox)
	if err := e.openSearch(f); err != nil {
		return e, fmt.Errorf("search: %w", err)
	}
	// Orders need the engines, so they end first.
	e.admin = takeOrders(f.Data)
	e.closers = append(e.closers, e.admin)
	if e.embedded != nil {
		takeBackups(e.admin, e.embedded, f.Data)
	}
	return e, nil
}

func (e *engines) openLedger(ctx context.Context, f engineFlags, clock func() time.Time) error {
	if f.EventstoreURL != "" {
		store, err := esdb.Open(ctx, f.EventstoreURL, esdb.Options{})
		if err != nil {
			return err
		}
		e.remote = store
		e.watched = observe.New(store, observe.Options{Engine: "esdb", Clock: clock})
	} else {
		store, err := embedded.Open(eventsFolder(f.Data), embedded.Options{Clock: clock, FS: ledgerFiles})
		if err != nil {
			return err
		}
		e.embedded = store
		e.watched = observe.New(store, observe.Options{Engine: "embedded", Clock: clock})
	}
	e.store = e.watched
	e.closers = append(e.closers, e.store)
	return nil
}

// openKeys opens the key store. Keys belong to a ledger: they lie beside the embedded one,
// and in Postgres beside one that is elsewhere, where other processes need them too.
func (e *engines) openKeys(ctx context.Context, f engineFlags) error {
	var master *keystore.MasterKey
	if f.MasterKey != "" {
		key, err := keystore.ParseMasterKey(f.MasterKey)
		if err != nil {
			return fmt.Errorf("DAYBOOK_MASTER_KEY: %w", err)
		}
		master = &key
	}
	var err error
	if f.EventstoreURL != "" && f.PostgresURL != "" {
		if master == nil {
			return errors.New("keys in Postgres need DAYBOOK_MASTER_KEY: openssl rand -base64 32")
		}
		e.keys, err = keystore.OpenPostgres(ctx, f.PostgresURL, *master)
	} else {
		e.keys, err = keystore.OpenFile(ctx, filepath.Join(f.Data, "keys"), master)
	}
	if err != nil {
		return err
	}
	e.closers = append(e.closers, e.keys)
	return nil
}

func (e *engines) openRedis(f engineFlags) error {
	if f.RedisURL != "" {
		client, err := availability.Connect(f.RedisURL)
		if err != nil {
			return err
		}
		e.redis = client
		e.closers = append(e.closers, client)
		return nil
	}
	client, server, err := availability.InProcess()
	if err != nil {
		return err
	}
	e.redis = client
	e.closers = append(e.closers, server)
	return nil
}

func (e *engines) openSearch(f engineFlags) (err error) {
	o := discovery.Options{URL: f.MeilisearchURL, Key: f.MeilisearchKey}
	if f.MeilisearchURL == "" {
		engine, err := meilibleve.Open(filepath.Join(f.Data, "search"))
		if err != nil {
			return err
		}
		e.closers = append(e.closers, engine)
		o = discovery.Options{URL: meilibleve.URL, Client: engine.Client(searchTimeout)}
	}
	e.search, err = discovery.Open(o)
	return err
}

func (e *engines) close() (err error) {
	for i := len(e.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, e.closers[i].Close())
	}
	e.closers = nil
	return err
}

// dataLock keeps a data folder to one process.
type dataLock struct{ f *os.File }

// errDataInUse says that another process has a data folder.
var errDataInUse = errors.New("is in use")

// lockData takes the folder, and makes it if there is none.
func lockData(dir string) (*dataLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		holder := make([]byte, 20)
		n, _ := f.ReadAt(holder, 0)
		return nil, fmt.Errorf("the data folder %s %w by process %s: stop it, or give --data another folder",
			dir, errDataInUse, strings.TrimSpace(string(holder[:n])))
	}
	_ = f.Truncate(0) // who holds it is only told, never relied on
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return &dataLock{f}, nil
}

// Close gives the folder back.
func (l *dataLock) Close() error { return l.f.Close() }

// secrets are what the processes on one ledger share.
func (e *engines) secret(ctx context.Context, name string) ([]byte, error) {
	s, err := e.keys.Secret(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return s, nil
}

// redisLog takes what the Redis client has to say of its connections, which the view that
// uses them tells better.
type redisLog struct{}

// Printf implements the client's logger.
func (redisLog) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis client", "says", fmt.Sprintf(format, v...))
}

// logEngines says what the house stands on, without a password.
func logEngines(f engineFlags) {
	or := func(url, embedded string) string {
		if url == "" {
			return embedded
		}
		return "external"
	}
	slog.Info("engines", "ledger", or(f.EventstoreURL, "embedded"), "redis", or(f.RedisURL, "embedded"),
		"reporting", or(f.PostgresURL, "embedded"), "search", or(f.MeilisearchURL, "embedded"), "data", f.Data)
}

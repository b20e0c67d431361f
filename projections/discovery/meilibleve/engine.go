package meilibleve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Engine holds the indexes of one folder and answers for them; it is an http.Handler. Safe
// for concurrent use: reads run beside each other and beside writes, writes one by one in
// the order they came.
type Engine struct {
	dir     string
	catalog *bbolt.DB // nil in memory
	mux     *http.ServeMux
	now     func() time.Time

	writing chan struct{} // holds the one permit to write
	tasks   taskLog

	mu     sync.RWMutex
	tables map[string]*table
	closed bool
}

const catalogFile = "catalog.bolt"

var (
	entriesBucket = []byte("indexes") // uid → entry
	metaBucket    = []byte("meta")    // numbers the folders
)

// Open opens the indexes kept in dir, which is made if absent and closed to other users.
// With "" they are kept in memory and end with the Engine. ErrInUse if another process has
// dir open: that is said at once, nothing waits for it.
func Open(dir string) (*Engine, error) {
	e := &Engine{dir: dir, now: func() time.Time { return time.Now().UTC() }, writing: make(chan struct{}, 1), tables: make(map[string]*table)}
	e.mux = e.routes()
	if dir == "" {
		return e, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the folder is the operator's to name
		return nil, fmt.Errorf("meilibleve: %w", err)
	}
	var err error
	e.catalog, err = bbolt.Open(filepath.Join(dir, catalogFile), 0o600, &bbolt.Options{Timeout: 200 * time.Millisecond})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("meilibleve: open catalogue: %w", err)
	}
	if err := e.load(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// load opens what the catalogue names, and removes folders that it does not: they are of
// work that was cut short.
func (e *Engine) load() error {
	entries := make(map[string]entry)
	err := e.catalog.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(metaBucket); err != nil {
			return err
		}
		b, err := tx.CreateBucketIfNotExists(entriesBucket)
		if err != nil {
			return err
		}
		return b.ForEach(func(uid, raw []byte) error {
			var en entry
			if err := json.Unmarshal(raw, &en); err != nil {
				return fmt.Errorf("index %q: %w", uid, err)
			}
			entries[string(uid)] = en
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("meilibleve: read catalogue: %w", err)
	}
	kept := make(map[string]bool)
	for uid, en := range entries {
		t, err := openTable(filepath.Join(e.dir, en.Folder), en)
		if err != nil {
			return fmt.Errorf("index %q: %w", uid, err)
		}
		e.tables[uid] = t
		kept[en.Folder] = true
	}
	folders, err := os.ReadDir(e.dir)
	if err != nil {
		return fmt.Errorf("meilibleve: %w", err)
	}
	for _, f := range folders {
		if f.IsDir() && strings.HasPrefix(f.Name(), folderPrefix) && !kept[f.Name()] {
			if err := os.RemoveAll(filepath.Join(e.dir, f.Name())); err != nil {
				return fmt.Errorf("meilibleve: %w", err)
			}
		}
	}
	return nil
}

// Close ends the indexes after the requests under way. Requests that come later are
// answered with 503.
func (e *Engine) Close() error {
	e.writing <- struct{}{}
	defer func() { <-e.writing }()
	e.mu.Lock()
	tables := e.tables
	e.tables, e.closed = make(map[string]*table), true
	e.mu.Unlock()
	var err error
	for _, t := range tables {
		err = errors.Join(err, t.close())
	}
	if e.catalog != nil {
		err = errors.Join(err, e.catalog.Close())
	}
	return err
}

// begin takes the permit to write, or gives up when ctx ends. done gives it back.
func (e *Engine) begin(ctx context.Context) (done func(), err error) {
	select {
	case e.writing <- struct{}{}:
	case <-ctx.Done():
		return nil, newError(http.StatusServiceUnavailable, "too_many_requests", "Other writes are under way: %s.", ctx.Err())
	}
	e.mu.RLock()
	closed := e.closed
	e.mu.RUnlock()
	if closed {
		<-e.writing
		return nil, newError(http.StatusServiceUnavailable, "internal", "%s", ErrClosed)
	}
	return func() { <-e.writing }, nil
}

// reading is an index held open for reading, and what the catalogue said of it then.
type reading struct {
	*table
	entry entry
	done  func()
}

// read returns an index for reading; done must be called after.
func (e *Engine) read(uid string) (reading, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return reading{}, newError(http.StatusServiceUnavailable, "internal", "%s", ErrClosed)
	}
	t, ok := e.tables[uid]
	if !ok {
		return reading{}, indexNotFound(uid)
	}
	t.use.RLock()
	return reading{t, t.entry, t.use.RUnlock}, nil
}

// table returns an index for the writer, who alone changes which there are.
func (e *Engine) table(uid string) *table {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.tables[uid]
}

func (e *Engine) uids() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.tables))
}

const folderPrefix = "index-"

// make creates an empty index that nobody sees yet.
func (e *Engine) make(en entry) (*table, error) {
	if e.catalog == nil {
		return createTable("", en, en.CreatedAt)
	}
	err := e.catalog.Update(func(tx *bbolt.Tx) error {
		n, err := tx.Bucket(metaBucket).NextSequence()
		en.Folder = folderPrefix + strconv.FormatUint(n, 10)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("meilibleve: write catalogue: %w", err)
	}
	return createTable(filepath.Join(e.dir, en.Folder), en, en.CreatedAt)
}

// publish makes tables the ones of their uids, nil for none, all in one step that lasts.
func (e *Engine) publish(tables map[string]*table) error {
	if e.catalog != nil {
		err := e.catalog.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(entriesBucket)
			for uid, t := range tables {
				if t == nil {
					if err := b.Delete([]byte(uid)); err != nil {
						return err
					}
					continue
				}
				raw, err := json.Marshal(t.entry)
				if err != nil {
					return err
				}
				if err := b.Put([]byte(uid), raw); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("meilibleve: write catalogue: %w", err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for uid, t := range tables {
		if t == nil {
			delete(e.tables, uid)
		} else {
			e.tables[uid] = t
		}
	}
	return nil
}

// create makes an index for all to see.
func (e *Engine) create(uid, primaryKey string) (*table, error) {
	t, err := e.make(entry{PrimaryKey: primaryKey, CreatedAt: e.now(), Settings: defaultSettings()})
	if err != nil {
		return nil, err
	}
	if err := e.publish(map[string]*table{uid: t}); err != nil {
		return nil, errors.Join(err, t.drop())
	}
	return t, nil
}

// replace puts a copy of an index, laid out anew under en, in its place.
func (e *Engine) replace(ctx context.Context, uid string, old *table, en entry) error {
	next, err := e.make(en)
	if err != nil {
		return err
	}
	if err := old.copyTo(ctx, next); err != nil {
		return errors.Join(err, next.drop())
	}
	if err := e.publish(map[string]*table{uid: next}); err != nil {
		return errors.Join(err, next.drop())
	}
	return old.drop()
}

// amend changes what the catalogue keeps of an index whose documents stay as they are.
func (e *Engine) amend(uid string, t *table, change func(*entry)) error {
	before := t.entry
	e.mu.Lock()
	change(&t.entry)
	e.mu.Unlock()
	err := e.publish(map[string]*table{uid: t})
	if err != nil {
		e.mu.Lock()
		t.entry = before
		e.mu.Unlock()
	}
	return err
}

// Package embedded is the event store in process: the ledger in a folder, on Pebble.
// An append is acknowledged when it is durable, and many appends share one sync.
//
// What belongs here: how records lie on disk, the one writer that decides what is
// appended, and reading and following the ledger. What an event's bytes mean belongs
// in codec, the network protocol over this store in esdbserver, and what every store
// must do in storetest.
//
// # How an append goes
//
// Append encodes its events on the caller's goroutine and queues them. One writer
// takes all that is queued as a group, judges each append in turn against the streams
// as the ones before it leave them, and hands the group to Pebble as one batch. While
// that batch is being synced the writer already judges the next group. The publisher
// waits for the sync, then makes the records visible, wakes subscriptions and answers
// the callers. Nothing is shown to anyone before it is durable, so no one ever acts
// on a record that a power failure takes back; even a conflict is told only after the
// records it rests on are safe.
//
// # What a stream shows
//
// A stream's name leads to its number, and where there is more to say to what its newest
// metadata hide and whether it has ended. The writer keeps that up to date in the batch
// that changes it. What is hidden is always a stream's beginning, so a read starts behind
// it. Records are never removed: positions and what a retry finds stay as they are.
//
// # When the disk fails
//
// A failed write or sync of the log closes Failed, and nothing is appended any more. A
// disk that is all but full costs appends only. Where Pebble cannot go on at all the
// reason is logged and the process ends. In each case what was acknowledged is there when
// the folder is opened again, and Check can tell.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

var (
	// ErrInUse says that another store, of this process or another, has the folder open.
	ErrInUse = errors.New("embedded: the data folder is in use")
	// ErrFormat says that the folder was written by a version this one cannot read.
	ErrFormat = errors.New("embedded: unknown format of the data folder")
	// ErrCorrupt says that what was read is not what was written.
	ErrCorrupt = errors.New("embedded: corrupt")
)

// Options tune a store. The zero value is good for production.
type Options struct {
	// Clock gives Record.Recorded, to the microsecond, and tells what $maxAge hides. A clock
	// that goes back is held at the ledger's last time. It is asked by several goroutines.
	// Default time.Now.
	Clock func() time.Time
	// FS is where the folder lies. Default the operating system's file system.
	FS vfs.FS
	// Logger gets what the storage library has to say: errors at Error, the rest at Debug.
	// Default slog.Default().
	Logger *slog.Logger
	// CacheBytes is the size of the block cache. Default 64 MiB.
	CacheBytes int64
	// MemTableBytes is how much is gathered in memory before a table file is written; up
	// to four times of it can be in use. Default 32 MiB.
	MemTableBytes uint64
	// MarkEvery is how often it is noted how far the ledger reaches. What was appended since
	// the last time, and is lost with the file that held it, looks like the torn end that a
	// crash leaves; what was there before is missed when the folder is opened. Default 5 s.
	MarkEvery time.Duration
	// ReserveBytes is how much of the disk is kept free: with less, appends are refused with
	// ErrUnavailable until there is more. Default four times MemTableBytes, which is what may
	// have to be written at any moment. Negative for none.
	ReserveBytes int64
	// CachedStreams is how many streams' ends the writer remembers, at least; it holds at
	// most twice as many. Default 64 Ki.
	CachedStreams int
	// TailRecords is how many of the newest records stay in memory for subscriptions.
	// Default 8192, rounded up to a power of two.
	TailRecords int
	// TailBytes bounds their data and metadata. Default 32 MiB.
	TailBytes int
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MarkEvery <= 0 {
		o.MarkEvery = 5 * time.Second
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 32 << 20
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 4 * int64(o.MemTableBytes)
	}
	if o.CachedStreams <= 0 {
		o.CachedStreams = 64 << 10
	}
	if o.TailRecords <= 0 {
		o.TailRecords = 8192
	}
	if o.TailBytes <= 0 {
		o.TailBytes = 32 << 20
	}
	return o
}

// Store is a ledger in a folder. Safe for concurrent use.
type Store struct {
	opts  Options // as given, with defaults
	clock func() time.Time
	dir   string
	files vfs.FS
	db    *pebble.DB
	lock  *pebble.Lock

	queue  *queue
	writer *writer
	tail   *tail

	// durable is the position of the last record that is synced: the end of the ledger
	// for everyone but the writer.
	durable atomic.Uint64
	// failure is set once, when a write or sync failed; nothing is appended after it.
	failure atomic.Pointer[error]
	failed  chan struct{} // closed when failure is set

	snapshots atomic.Uint64  // taken for backups
	backups   sync.WaitGroup // that copy one

	counters counters

	// life is held shared for each stretch that touches db, and alone to close it.
	life     sync.RWMutex
	closed   chan struct{} // closed when reads and subscriptions end
	closing  sync.Once
	closeErr error
	done     sync.WaitGroup // writer and publisher
	endMarks func()         // ends marking
	marking  sync.WaitGroup
}

var _ eventstore.Engine = (*Store)(nil)

// Open opens the ledger in folder dir and makes it if there is none. Errors: ErrInUse,
// ErrFormat, ErrCorrupt, ErrUnfinished, or why the folder could not be read or written.
func Open(dir string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	dir, fs, err := prepareFolder(dir, opts.FS)
	if err != nil {
		return nil, err
	}
	lock, err := lockFolder(dir, fs)
	if err != nil {
		return nil, err
	}
	var s *Store
	if err = checkFinished(dir, fs); err == nil {
		err = checkMarker(dir, fs)
	}
	if err == nil {
		err = removeSnapshots(dir, fs)
	}
	if err == nil {
		s, err = open(dir, fs, lock, opts)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func open(dir string, fs vfs.FS, lock *pebble.Lock, opts Options) (*Store, error) {
	log := &watched{FS: fs, dir: dir}
	db, err := pebble.Open(dir, pebbleOptions(log, lock, opts))
	if err != nil {
		return nil, corruption(fmt.Errorf("embedded: open %s: %w", dir, err))
	}
	last, err := recoverEnd(db)
	if err == nil {
		err = checkMark(fs, dir, last.Position)
	}
	if err == nil {
		err = writeMark(fs, dir, last.Position)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{
		opts:   opts,
		clock:  opts.Clock,
		dir:    dir,
		files:  fs,
		db:     db,
		lock:   lock,
		queue:  newQueue(),
		tail:   newTail(opts.TailRecords, opts.TailBytes, last.Position),
		failed: make(chan struct{}),
		closed: make(chan struct{}),
	}
	failed := s.fail
	log.failed.Store(&failed)
	s.durable.Store(uint64(last.Position))
	s.writer = newWriter(s, last)
	s.done.Add(2)
	marks := make(chan struct{})
	s.endMarks = sync.OnceFunc(func() { close(marks) })
	s.marking.Go(func() { s.keepMark(marks) })
	go func() { defer s.done.Done(); s.writer.run() }()
	go func() { defer s.done.Done(); s.publish(s.writer.groups) }()
	return s, nil
}

// recoverEnd checks the format, writing it to a new folder, and returns the ledger's
// last record, the zero one if it is empty.
func recoverEnd(db *pebble.DB) (eventstore.Record, error) {
	if err := checkFormat(db); err != nil {
		return eventstore.Record{}, err
	}
	return lastRecord(db)
}

// lastRecord returns the record with the highest position, the zero one if there is none.
func lastRecord(db *pebble.DB) (eventstore.Record, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: recordKey(0), UpperBound: recordsEnd()})
	if err != nil {
		return eventstore.Record{}, corruption(err)
	}
	defer func() { _ = it.Close() }()
	if !it.Last() {
		return eventstore.Record{}, corruption(it.Error())
	}
	var names interner
	var mem arena
	return decodeEntry(it, &names, &mem)
}

// checkFormat refuses a folder of another format.
func checkFormat(db *pebble.DB) error {
	value, closer, err := db.Get(formatKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		if err := checkEmpty(db); err != nil {
			return err
		}
		// The flush ends Pebble's first log, which is of an older form: it cannot tell damage
		// in its middle from its end.
		if err := errors.Join(db.Set(formatKey, []byte(formatVersion), pebble.Sync), db.Flush()); err != nil {
			return fmt.Errorf("embedded: write format: %w", err)
		}
		return nil
	case err != nil:
		return corruption(fmt.Errorf("embedded: read format: %w", err))
	}
	defer func() { _ = closer.Close() }()
	switch string(value) {
	case formatVersion:
		return nil
	case formatBefore:
		if err := db.Set(formatKey, []byte(formatVersion), pebble.Sync); err != nil {
			return fmt.Errorf("embedded: write format: %w", err)
		}
		return nil
	default:
		return fmt.Errorf("%w: it says %q, this version reads %q and %q", ErrFormat, value, formatBefore, formatVersion)
	}
}

// checkEmpty refuses to make a ledger among what something else has written.
func checkEmpty(db *pebble.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return corruption(err)
	}
	defer func() { _ = it.Close() }()
	if it.First() {
		return fmt.Errorf("%w: it holds something that is no ledger", ErrFormat)
	}
	return corruption(it.Error())
}

// Head returns the position of the last durable record.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	if err := s.mayRead(ctx); err != nil {
		return eventstore.Start, err
	}
	return s.end(), nil
}

func (s *Store) end() eventstore.Position { return eventstore.Position(s.durable.Load()) }

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *Store) mayRead(ctx context.Context) error {
	if s.isClosed() {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

// Failure returns why the store takes no more appends, nil while it does. Reads go on
// over what is durable. It never recovers: the process has to start again. Where the
// disk fails at a worse moment, as a new log or table is made, Pebble cannot go on at
// all: the reason is logged and the process ends with ExitCode, with nothing acknowledged
// that is not durable.
func (s *Store) Failure() error {
	if p := s.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Failed is closed as soon as Failure has something to say, so that the process can end
// at once instead of refusing appends until someone looks.
func (s *Store) Failed() <-chan struct{} { return s.failed }

func (s *Store) fail(err error) {
	if s.failure.CompareAndSwap(nil, &err) {
		s.opts.Logger.Error("a write failed: nothing is appended any more", "folder", s.dir, "error", err)
		close(s.failed)
	}
}

// Close takes no more appends, waits for those under way, ends reads and
// subscriptions, and releases the folder. Calling it again returns the same.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Store) close() error {
	s.queue.close()
	s.done.Wait()
	s.endMarks()
	s.marking.Wait()
	close(s.closed)
	s.life.Lock() // stretches under way finish; the next see closed
	defer s.life.Unlock()
	s.backups.Wait() // they are told, and touch only their own files
	var err error
	if s.Failure() == nil {
		// What lies in tables is checked block by block when read; the end of a log is not.
		err = errors.Join(s.db.Flush(), writeMark(s.files, s.dir, s.end()))
	}
	return errors.Join(err, s.db.Close(), s.lock.Close())
}

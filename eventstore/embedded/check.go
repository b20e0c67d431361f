package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// MaxFaults is the most faults a Report lists; of the others it has the number.
const MaxFaults = 100

// Report is what Check found.
type Report struct {
	Records    uint64              // events, metadata and tombstones
	Streams    uint64              // that have a record
	Limited    uint64              // of them, those with metadata
	Tombstones uint64              // streams that ended for ever
	Tables     uint64              // files whose every block was verified
	TableBytes uint64              // their size
	End        eventstore.Position // of the last record

	Faults  []string // each a line that says what is wrong and where, in the order found
	Further uint64   // faults beyond MaxFaults
}

// Sound reports whether nothing is wrong.
func (r *Report) Sound() bool { return len(r.Faults) == 0 }

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < MaxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	} else {
		r.Further++
	}
}

// Check reads all that lies in the data folder dir and verifies it: the checksum of every
// block of Pebble's tables and of every record; that positions and the revisions of each
// stream have no gap; that records, streams, event ids and names lead to each other, both
// ways; what is said of metadata; and that the ledger reaches as far as it did when it was
// last opened or closed. It changes nothing and needs the folder for itself. Its memory
// does not grow with the ledger.
//
// progress, unless nil, is called now and then with how many entries have been read of how
// many there are, which is a multiple of the records.
//
// Damage is no error: it is in the Report. Errors: ErrInUse, ErrFormat, ErrUnfinished, an
// fs.ErrNotExist where there is no ledger, the context's, or why the folder could not be
// read; the Report then says what was found until then.
func Check(ctx context.Context, dir string, opts Options, progress func(done, total uint64)) (Report, error) {
	opts = opts.withDefaults()
	c := checker{ctx: ctx, dir: dir, files: opts.FS, tell: progress}
	if c.files == nil {
		c.files = vfs.Default
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return c.report, fmt.Errorf("embedded: check: %w", err)
		}
		if c.dir, err = filepath.Abs(real); err != nil {
			return c.report, fmt.Errorf("embedded: check: %w", err)
		}
	}
	if _, err := c.files.Stat(c.dir); err != nil {
		return c.report, fmt.Errorf("embedded: check: %w", err)
	}
	lock, err := lockFolder(c.dir, c.files)
	if err != nil {
		return c.report, err
	}
	if err := checkFinished(c.dir, c.files); err != nil {
		return c.report, errors.Join(err, lock.Close())
	}
	err = c.open(readOnly(c.files, lock, opts))
	if errors.Is(err, ErrCorrupt) {
		c.report.fault("%v", err)
		err = nil
	}
	return c.report, errors.Join(err, lock.Close())
}

// checker is one check under way. Its methods return an error where the check cannot go
// on, and note a fault where it can.
type checker struct {
	ctx    context.Context
	dir    string
	files  vfs.FS
	db     *pebble.DB
	report Report

	tell        func(done, total uint64)
	done, total uint64
}

// tick counts one entry, and looks up from the work now and then.
func (c *checker) tick() error {
	c.done++
	if c.done%4096 != 0 {
		return nil
	}
	if c.tell != nil {
		c.tell(c.done, max(c.total, c.done))
	}
	return c.ctx.Err()
}

func (c *checker) open(o *pebble.Options) error {
	if err := checkMarker(c.dir, c.files); err != nil {
		return err
	}
	var db *pebble.DB
	err := surviving(func() (err error) {
		db, err = pebble.Open(c.dir, o)
		return err
	})
	if err != nil {
		if errors.Is(err, pebble.ErrDBDoesNotExist) {
			return fmt.Errorf("embedded: check %s: no ledger: %w", c.dir, fs.ErrNotExist)
		}
		return fmt.Errorf("embedded: check %s: %w", c.dir, unreadable(err))
	}
	c.db = db
	err = surviving(func() error { return c.all(o) })
	closing := surviving(db.Close)
	if err != nil || !c.report.Sound() {
		return err // of a damaged folder, closing says nothing that matters
	}
	return closing
}

var errTripped = fmt.Errorf("%w: pebble cannot make sense of it", ErrCorrupt)

// surviving makes an error of a panic. In folders of the first format the end of a table,
// where it says how it is to be read, has no checksum: damage there can make Pebble trip.
func surviving(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errTripped, p)
		}
	}()
	return f()
}

// unreadable takes any failure of Pebble to make sense of a folder for damage, unless the
// operating system refused something.
func unreadable(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

func (c *checker) all(o *pebble.Options) error {
	// First, because it goes past Pebble's own reading, which must not come upon a table
	// that it trips over.
	if trips, err := c.tables(o); err != nil {
		return err
	} else if trips {
		c.report.fault("the entries were not read, because of that table")
		return nil
	}
	if err := c.format(); err != nil {
		return err
	}
	last, err := lastPosition(c.db)
	if err != nil {
		return unreadable(err)
	}
	c.report.End = last
	c.total = 4 * uint64(last)
	if err := checkMark(c.files, c.dir, last); errors.Is(err, ErrCorrupt) {
		c.report.fault("%v", err)
	} else if err != nil {
		return err
	}
	for _, pass := range []func() error{c.keys, c.records, c.streams, c.names} {
		if err := surviving(pass); errors.Is(err, ErrCorrupt) {
			c.report.fault("%v", err)
		} else if err != nil {
			return err
		}
	}
	if c.tell != nil {
		c.tell(c.total, c.total)
	}
	return nil
}

// format reads the folder's format, and does not write it as opening does.
func (c *checker) format() error {
	found, err := value(c.db, formatKey, func(b []byte) error {
		if f := string(b); f != formatVersion && f != formatBefore {
			return fmt.Errorf("%w: it says %q, this version reads %q and %q", ErrFormat, f, formatBefore, formatVersion)
		}
		return nil
	})
	if err == nil && !found {
		return checkEmpty(c.db) // a process that died as it made the folder leaves it so
	}
	return err
}

// tables verifies the tables block by block. trips says that one of them makes no sense
// at all.
func (c *checker) tables(o *pebble.Options) (trips bool, err error) {
	levels, err := c.db.SSTables()
	if err != nil {
		return false, unreadable(err)
	}
	for _, level := range levels {
		for _, t := range level {
			if err := c.ctx.Err(); err != nil {
				return trips, err
			}
			name := fmt.Sprintf("%s.sst", t.BackingSSTNum)
			if err := surviving(func() error { return c.table(name, o) }); err != nil {
				c.report.fault("table %s: %v", name, err)
				trips = trips || errors.Is(err, errTripped)
			}
			c.report.Tables++
			c.report.TableBytes += t.Size
		}
	}
	return trips, nil
}

func (c *checker) table(name string, o *pebble.Options) (err error) {
	f, err := c.files.Open(c.files.PathJoin(c.dir, name))
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(c.ctx, readable, o.MakeReaderOptions()) // closes it when it fails
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return r.ValidateBlockChecksums()
}

// lastPosition returns the highest position that has an entry, whatever the entry says.
func lastPosition(db *pebble.DB) (eventstore.Position, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: recordKey(0), UpperBound: recordsEnd()})
	if err != nil {
		return 0, err
	}
	defer func() { _ = it.Close() }()
	if !it.Last() {
		return eventstore.Start, it.Error()
	}
	p, _, err := entry(it)
	return p, err
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// ErrUnfinished says that a folder is a backup that was broken off before it was whole.
var ErrUnfinished = errors.New("embedded: an unfinished backup")

const (
	// unfinishedName is the file that stands in a backup until it is whole.
	unfinishedName = "BACKUP-UNFINISHED"
	// snapshotPrefix begins the names of folders in the data folder that hold the files of a
	// moment while a backup copies them. Those of a process that died go at the next opening.
	snapshotPrefix = "backup-under-way-"
	// copyPiece is how much is copied between two looks at the context.
	copyPiece = 1 << 20
)

// Backup copies the ledger into folder dir, which must be empty or not exist, while
// appends go on. The copy holds every append that was acknowledged before the call, and
// possibly some of those after it, each whole and in order. It shares no file with the
// original. When Backup returns nil the copy is durable, and a folder like any other:
// Open opens it, Check checks it, and a restore is to copy it back. When Backup returns
// an error nothing is left of it; of a process that died meanwhile a folder is left that
// Open refuses with ErrUnfinished. Errors: the context's, ErrClosed, an fs.ErrExist where
// dir holds something, or why the copy could not be made.
func (s *Store) Backup(ctx context.Context, dir string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	taken, err := s.snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.backups.Done()
	defer func() { err = errors.Join(err, s.files.RemoveAll(taken.dir)) }()
	go func() { // Close does not wait for a copy to be made
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	target, err := s.target(dir)
	if err != nil {
		return err
	}
	if err := target.fill(ctx, taken, s.opts); err != nil {
		if s.isClosed() {
			err = eventstore.ErrClosed
		}
		return errors.Join(err, target.remove())
	}
	return nil
}

// snapshot is the files of the ledger at a moment, as links to them.
type snapshot struct {
	dir string
	end eventstore.Position // what is durable is at least this far in it
}

// snapshot takes one, which is a matter of moments. s.backups has one more on success.
func (s *Store) snapshot(ctx context.Context) (snapshot, error) {
	if err := s.hold(ctx); err != nil {
		return snapshot{}, err
	}
	defer s.letGo()
	if err := s.Failure(); err != nil {
		return snapshot{}, fmt.Errorf("%w: an earlier write failed: %v", eventstore.ErrUnavailable, err)
	}
	taken := snapshot{
		dir: s.files.PathJoin(s.dir, fmt.Sprintf("%s%d", snapshotPrefix, s.snapshots.Add(1))),
		end: s.end(),
	}
	if err := checkpoint(s.db, taken.dir); err != nil {
		return snapshot{}, errors.Join(fmt.Errorf("embedded: backup: %w", err), s.files.RemoveAll(taken.dir))
	}
	s.backups.Add(1)
	return taken, nil
}

// checkpoint makes an error of the panic by which Pebble answers a folder that cannot be
// synced: it concerns the snapshot's folder, and none of Pebble's locks is held then.
func checkpoint(db *pebble.DB, dir string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("pebble: %v", p)
		}
	}()
	return db.Checkpoint(dir, pebble.WithFlushedWAL())
}

// removeSnapshots clears what a process left behind that died during a backup.
func removeSnapshots(dir string, files vfs.FS) error {
	names, err := files.List(dir)
	if err != nil {
		return fmt.Errorf("embedded: list %s: %w", dir, err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, snapshotPrefix) {
			if err := files.RemoveAll(files.PathJoin(dir, name)); err != nil {
				return fmt.Errorf("embedded: remove %s: %w", name, err)
			}
		}
	}
	return nil
}

// target is the folder that a backup is made in.
type target struct {
	dir   string
	files vfs.FS
	made  bool     // the folder was not there before
	above []string // folders that have gained an entry
}

func (s *Store) target(dir string) (*target, error) {
	var above []string
	for path := dir; ; {
		_, err := s.files.Stat(path)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("embedded: backup to %s: %w", dir, err)
		}
		parent := s.files.PathDir(path)
		if parent == path {
			break
		}
		above = append(above, parent)
		path = parent
	}
	dir, files, err := prepareFolder(dir, s.opts.FS)
	if err != nil {
		return nil, err
	}
	names, err := files.List(dir)
	if err != nil {
		return nil, fmt.Errorf("embedded: backup to %s: %w", dir, err)
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("embedded: backup to %s: %w: the folder must be empty, it holds %s", dir, fs.ErrExist, names[0])
	}
	return &target{dir: dir, files: files, made: len(above) > 0, above: above}, nil
}

// fill makes the copy. Its last step is that the folder loses the mark of an unfinished one.
func (t *target) fill(ctx context.Context, from snapshot, opts Options) error {
	unfinished := t.files.PathJoin(t.dir, unfinishedName)
	if err := t.write(unfinished, strings.NewReader("This copy of a ledger is not whole. Remove the folder.\n")); err != nil {
		return fmt.Errorf("embedded: backup: %w", err)
	}
	for _, dir := range append([]string{t.dir}, t.above...) {
		if err := syncFolder(t.files, dir); err != nil {
			return err
		}
	}
	names, err := t.files.List(from.dir)
	if err != nil {
		return fmt.Errorf("embedded: backup: %w", err)
	}
	for _, name := range names {
		if err := t.copy(ctx, t.files.PathJoin(from.dir, name), t.files.PathJoin(t.dir, name)); err != nil {
			return fmt.Errorf("embedded: backup: copy %s: %w", name, err)
		}
	}
	if err := syncFolder(t.files, t.dir); err != nil {
		return err
	}
	if err := t.settle(from.end, opts); err != nil {
		return fmt.Errorf("embedded: backup: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.files.Remove(unfinished); err != nil {
		return fmt.Errorf("embedded: backup: %w", err)
	}
	return syncFolder(t.files, t.dir)
}

// settle opens the copy, which proves that it opens, and marks how far it reaches. It
// opens it for reading only: where Pebble cannot write it ends the process, and a full
// disk under a backup must not end the ledger.
func (t *target) settle(end eventstore.Position, opts Options) error {
	lock, err := lockFolder(t.dir, t.files)
	if err != nil {
		return err
	}
	var last eventstore.Record
	err = surviving(func() error {
		db, err := pebble.Open(t.dir, readOnly(t.files, lock, opts))
		if err != nil {
			return corruption(err)
		}
		last, err = lastRecord(db)
		return errors.Join(err, db.Close())
	})
	if err = errors.Join(err, lock.Close()); err != nil {
		return err
	}
	if last.Position < end {
		return fmt.Errorf("%w: the copy ends at position %d, the ledger had reached %d", ErrCorrupt, last.Position, end)
	}
	return writeMark(t.files, t.dir, last.Position)
}

func (t *target) copy(ctx context.Context, from, to string) (err error) {
	in, err := t.files.Open(from, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	return t.write(to, &interruptible{ctx: ctx, r: in})
}

// write makes a file and syncs it.
func (t *target) write(name string, from io.Reader) error {
	f, err := t.files.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, from, make([]byte, copyPiece))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// remove takes back what fill has made.
func (t *target) remove() error {
	if t.made {
		return t.files.RemoveAll(t.dir)
	}
	names, err := t.files.List(t.dir)
	for _, name := range names {
		err = errors.Join(err, t.files.RemoveAll(t.files.PathJoin(t.dir, name)))
	}
	return err
}

// interruptible ends with its context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (i *interruptible) Read(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.r.Read(b)
}

func syncFolder(files vfs.FS, dir string) error {
	f, err := files.OpenDir(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("embedded: sync folder %s: %w", dir, err)
	}
	return nil
}

// checkFinished refuses a folder that a backup never finished.
func checkFinished(dir string, files vfs.FS) error {
	_, err := files.Stat(files.PathJoin(dir, unfinishedName))
	if err == nil {
		return fmt.Errorf("%w: %s", ErrUnfinished, dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("embedded: read %s: %w", dir, err)
}

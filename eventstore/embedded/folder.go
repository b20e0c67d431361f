package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// prepareFolder makes dir and names it in the one way by which two stores of this
// process know that they mean the same folder.
func prepareFolder(dir string, files vfs.FS) (string, vfs.FS, error) {
	if files != nil {
		if err := files.MkdirAll(dir, 0o700); err != nil {
			return "", nil, fmt.Errorf("embedded: make %s: %w", dir, err)
		}
		return dir, files, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", nil, fmt.Errorf("embedded: %w", err)
	}
	if err := vfs.Default.MkdirAll(abs, 0o700); err != nil {
		return "", nil, fmt.Errorf("embedded: make %s: %w", abs, err)
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return "", nil, fmt.Errorf("embedded: %w", err)
	}
	return real, vfs.Default, nil
}

// lockFolder tells a folder that is in use from one that cannot be locked at all.
func lockFolder(dir string, files vfs.FS) (*pebble.Lock, error) {
	lock, err := pebble.LockDirectory(dir, files)
	if err == nil {
		return lock, nil
	}
	var path *fs.PathError // the lock file could not even be made
	var errno syscall.Errno
	switch {
	case errors.As(err, &path):
	case !errors.As(err, &errno): // this process has it; the library's own error
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	case errno == syscall.EAGAIN || errno == syscall.EACCES:
		return nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	return nil, fmt.Errorf("embedded: lock %s: %w", dir, err)
}

func pebbleOptions(files vfs.FS, lock *pebble.Lock, opts Options) *pebble.Options {
	o := &pebble.Options{
		FS:   files,
		Lock: lock,
		// Fixed, so that a newer library never makes a folder that this version cannot
		// open. With it the log tells a torn end from damage in its middle, and the end of a
		// table has a checksum as its blocks do.
		FormatMajorVersion: pebble.FormatTableFormatV6,
		CacheSize:          opts.CacheBytes,
		MemTableSize:       opts.MemTableBytes,
		// A burst may run four tables ahead of the disk before appends have to wait.
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		// Both keep a large flush from holding up the log's syncs behind it.
		BytesPerSync:    512 << 10,
		WALBytesPerSync: 0,
		Logger:          libraryLog{log: opts.Logger, fatal: exit},
		// Unless told otherwise Pebble ends the process over a damaged block. Here the read
		// that came upon it fails, with ErrCorrupt.
		EventListener: &pebble.EventListener{
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				opts.Logger.Error("damage in the data folder", "file", info.Path, "error", info.Details)
			},
			// Without a new log Pebble panics with its locks held, and that hides the reason.
			WALCreated: func(info pebble.WALCreateInfo) {
				if info.Err != nil {
					opts.Logger.Error("the log cannot go on, and the process ends", "file", info.Path, "error", info.Err)
					exit(info.Err)
				}
			},
		},
	}
	for i := range o.Levels {
		// Looking for an event id or a stream that is not there is the usual case.
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
	o.EnsureDefaults()
	return o
}

// readOnly are the options for looking at a folder without changing it. Where Pebble
// gives up, it panics, on the caller's goroutine: the process need not end for it.
func readOnly(files vfs.FS, lock *pebble.Lock, opts Options) *pebble.Options {
	o := pebbleOptions(files, lock, opts)
	o.ReadOnly = true
	o.Logger = libraryLog{log: opts.Logger, fatal: func(err error) { panic(err) }}
	return o
}

// ExitCode is that of a process whose store can neither go on nor refuse.
const ExitCode = 2

// exit ends the process. A panic would say more of where, but the goroutines of a full
// disk die together, and two that panic with locks held can stop each other from dying.
func exit(error) { os.Exit(ExitCode) }

// libraryLog hands Pebble's log to slog.
type libraryLog struct {
	log   *slog.Logger
	fatal func(error)
}

func (l libraryLog) Infof(format string, args ...any) {
	l.log.Debug("pebble", "message", lazy{format, args})
}

func (l libraryLog) Errorf(format string, args ...any) {
	l.log.Error("pebble", "message", lazy{format, args})
}

// Fatalf does not return: Pebble calls it where going on would damage the ledger, with
// its locks held.
func (l libraryLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("pebble: "+format, args...)
	l.log.Error("the store cannot go on, and the process ends", "error", err)
	l.fatal(err)
}

// lazy formats only what is really logged.
type lazy struct {
	format string
	args   []any
}

func (l lazy) LogValue() slog.Value { return slog.StringValue(fmt.Sprintf(l.format, l.args...)) }

// corruption marks what Pebble found damaged as ErrCorrupt.
func corruption(err error) error {
	if err != nil && pebble.IsCorruptionError(err) && !errors.Is(err, ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

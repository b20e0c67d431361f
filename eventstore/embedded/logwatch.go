package embedded

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// watched is a file system that tells at once when the log cannot be written. Pebble
// itself tells when the sync is waited for, and if it comes upon the failure elsewhere
// first, as when it begins a new log, it panics without naming it.
type watched struct {
	vfs.FS
	dir    string // only its own logs, none of a backup's
	failed atomic.Pointer[func(error)]
}

func (w *watched) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, category)
	return w.watch(name, f, err)
}

func (w *watched) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.ReuseForWrite(old, name, category)
	return w.watch(name, f, err)
}

func (w *watched) watch(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") || w.PathDir(name) != w.dir {
		return f, err
	}
	return &watchedLog{File: f, fs: w, name: w.PathBase(name)}, nil
}

// Unwrap is part of vfs.FS.
func (w *watched) Unwrap() vfs.FS { return w.FS }

func (w *watched) note(name string, err error) error {
	if err != nil {
		if failed := w.failed.Load(); failed != nil {
			(*failed)(fmt.Errorf("embedded: log %s: %w", name, err))
		}
	}
	return err
}

type watchedLog struct {
	vfs.File
	fs   *watched
	name string
}

func (f *watchedLog) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.fs.note(f.name, err)
}

func (f *watchedLog) Sync() error     { return f.fs.note(f.name, f.File.Sync()) }
func (f *watchedLog) SyncData() error { return f.fs.note(f.name, f.File.SyncData()) }

func (f *watchedLog) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.fs.note(f.name, err)
}

package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"daybook/eventstore"
)

// Manifest says what is in the folder.
type Manifest struct {
	Version    int       `json:"version"` // of this form
	Format     string    `json:"format"`
	Since      string    `json:"since,omitempty"`
	Until      string    `json:"until,omitempty"`
	Ledger     string    `json:"ledger"` // id of its first event: positions are those of this ledger
	ExportedAt time.Time `json:"exportedAt"`

	Datasets map[string]*Dataset `json:"datasets"`
}

// Dataset is the events, or a table.
type Dataset struct {
	// Position is up to where in the ledger all is in it; of the same run, the same for all.
	Position eventstore.Position `json:"position"`
	// Last is the id of the last event, of events.
	Last    string   `json:"last,omitempty"`
	Made    string   `json:"made,omitempty"` // tells tables from others that were made anew in their place
	Columns []Column `json:"columns"`
	Files   []File   `json:"files"`
}

// File is one of a dataset.
type File struct {
	Path   string `json:"path"` // below the folder, with /
	Month  string `json:"month,omitempty"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Mark   string `json:"mark,omitempty"` // changes whenever a row of it does
}

const (
	manifestVersion = 1
	manifestName    = "manifest.json"
	journalName     = "manifest.next.json"
	lockName        = ".lock"
	partial         = ".partial"
)

// journal is a commit that was begun.
type journal struct {
	Manifest Manifest `json:"manifest"`
	Place    []string `json:"place"` // paths whose file is still partial
	Remove   []string `json:"remove"`
}

// folder is where an export is written; this process alone does.
type folder struct {
	path     string
	root     *os.Root // no path of a manifest leads out of it
	lock     *os.File
	manifest Manifest
}

func openFolder(o Options) (f *folder, err error) {
	if err := os.MkdirAll(o.To, 0o750); err != nil {
		return nil, err
	}
	f = &folder{path: o.To}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.root, err = os.OpenRoot(o.To); err != nil {
		return f, err
	}
	if f.lock, err = f.root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o640); err != nil {
		return f, err
	}
	if err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return f, fmt.Errorf("%w: %s", ErrBusy, o.To)
	}
	if err := f.finish(); err != nil {
		return f, err
	}
	m, found, err := f.read(manifestName)
	switch {
	case err != nil:
		return f, err
	case !found:
		if err := f.empty(); err != nil {
			return f, err
		}
		m.Manifest = Manifest{Version: manifestVersion, Format: o.Format, Since: o.Since, Until: o.Until, Datasets: map[string]*Dataset{}}
	case m.Manifest.Version != manifestVersion:
		return f, fmt.Errorf("%w: its manifest has version %d, and this program writes %d", ErrForeign, m.Manifest.Version, manifestVersion)
	case m.Manifest.Format != o.Format || m.Manifest.Since != o.Since || m.Manifest.Until != o.Until:
		return f, fmt.Errorf("%w: format %s, months %q to %q: ask for the same, or name another folder", ErrForeign, m.Manifest.Format, m.Manifest.Since, m.Manifest.Until)
	}
	f.manifest = m.Manifest
	if f.manifest.Datasets == nil {
		f.manifest.Datasets = map[string]*Dataset{}
	}
	for name, d := range f.manifest.Datasets {
		if d == nil {
			return f, fmt.Errorf("%w: its manifest says nothing of %s", ErrForeign, name)
		}
	}
	return f, f.sweep()
}

func (f *folder) close() (err error) {
	if f.lock != nil {
		err = errors.Join(err, f.lock.Close())
	}
	if f.root != nil {
		err = errors.Join(err, f.root.Close())
	}
	return err
}

// read reads a manifest, or the journal of a commit.
func (f *folder) read(name string) (j journal, found bool, err error) {
	text, err := f.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err != nil {
		return j, false, err
	}
	var into any = &j
	if name == manifestName {
		into = &j.Manifest
	}
	if err := json.Unmarshal(text, into); err != nil {
		return j, false, fmt.Errorf("%s: %w", filepath.Join(f.path, name), err)
	}
	return j, true, nil
}

// empty refuses a folder that holds something and no manifest, other than what a first run
// that was killed left.
func (f *folder) empty() error {
	return fs.WalkDir(f.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == lockName || strings.HasSuffix(path, partial) {
			return err
		}
		return fmt.Errorf("%w: it has %s and no manifest: name a folder that is new or empty", ErrForeign, path)
	})
}

// sweep removes what a run that was killed had not finished.
func (f *folder) sweep() error {
	return fs.WalkDir(f.root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, partial) {
			err = f.root.Remove(path)
		}
		return err
	})
}

// belongs refuses a folder of another ledger, or of one that was put back to before.
func (f *folder) belongs(ctx context.Context, store Store, first string, head eventstore.Position) error {
	m := &f.manifest
	if m.Ledger == "" {
		m.Ledger = first
	}
	if m.Ledger != first {
		return fmt.Errorf("%w: it is of the ledger whose first event is %s, and this one begins with %q", ErrForeign, m.Ledger, first)
	}
	for name, d := range m.Datasets {
		if d.Position > head {
			return fmt.Errorf("%w: %s are exported up to position %d, and the ledger's tables end at %d: it was restored to an earlier state; name another folder",
				ErrForeign, name, d.Position, head)
		}
	}
	d := m.Datasets[Events]
	if d == nil || d.Last == "" {
		return nil
	}
	for r, err := range store.ReadAllBackwards(ctx, d.Position, eventstore.Filter{}) {
		if errors.Is(err, eventstore.ErrInvalid) {
			break // another ledger's
		}
		if err != nil {
			return err
		}
		if got := r.ID.String(); got != d.Last {
			return fmt.Errorf("%w: its last event is %s, and at that place this ledger has %s", ErrForeign, d.Last, got)
		}
		return nil
	}
	return fmt.Errorf("%w: its last event %s is not in this ledger", ErrForeign, d.Last)
}

// commit puts files in their places and writes the manifest, all or, after a kill, all in
// the next run.
func (f *folder) commit(staged []File, remove []string) error {
	j := journal{Manifest: f.manifest, Remove: remove}
	for _, one := range staged {
		j.Place = append(j.Place, one.Path)
		// What the journal names must be found after a power failure: the names on the way to
		// it have to be on disk before the journal is.
		for dir := filepath.Dir(one.Path); dir != "."; dir = filepath.Dir(dir) {
			if err := f.sync(dir); err != nil {
				return err
			}
		}
	}
	if err := f.write(journalName, j); err != nil {
		return err
	}
	return f.finish()
}

// finish does what the journal says, if there is one.
func (f *folder) finish() error {
	j, found, err := f.read(journalName)
	if err != nil || !found {
		return err
	}
	folders := map[string]bool{}
	for _, path := range j.Place {
		folders[filepath.Dir(path)] = true
		if err := f.root.Rename(path+partial, path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := f.root.Stat(path); err != nil {
			return fmt.Errorf("a commit that was begun cannot be finished: %w", err)
		}
	}
	for _, path := range j.Remove {
		folders[filepath.Dir(path)] = true
		if err := f.root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for dir := range folders {
		if err := f.sync(dir); err != nil {
			return err
		}
	}
	if err := f.write(manifestName, j.Manifest); err != nil {
		return err
	}
	if err := f.root.Remove(journalName); err != nil {
		return err
	}
	return f.sync(".")
}

// write replaces a file of JSON, whole and durably.
func (f *folder) write(name string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return err
	}
	file, err := f.root.OpenFile(name+partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := f.root.Rename(name+partial, name); err != nil {
		return err
	}
	return f.sync(".")
}

// sync makes a folder's names durable.
func (f *folder) sync(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// has reports whether a file is there as it was written, as far as its size tells.
func (f *folder) has(one File) bool {
	info, err := f.root.Stat(one.Path)
	return err == nil && info.Size() == one.Bytes
}

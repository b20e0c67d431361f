package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// storeBackupCommand copies the events of a data folder, whether a process has it or not.
type storeBackupCommand struct {
	To   string `arg:"" name:"dir" type:"path" help:"Where to: a folder that is new or empty. It becomes a data folder with the events alone."`
	Data string `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Data folder whose events are copied."`
}

// backupDone is what a backup holds.
type backupDone struct {
	Position eventstore.Position // all up to here is in it, and maybe more
	Bytes    uint64
}

// backupOrder asks for a backup.
type backupOrder struct {
	To string // absolute, as the process that has the data folder sees it
}

const backupPath = "/backup"

func (o backupOrder) check() error { return wholePath(o.To) }
func (backupOrder) work() string   { return "a backup" }

func (c *storeBackupCommand) Run(ctx context.Context, out io.Writer) (err error) {
	done, err := c.backup(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "every event up to position %d is in %s, %.1f MiB\n", done.Position, eventsFolder(c.To), mib(done.Bytes))
	fmt.Fprintf(out, "check it with: daybook store check --data %s\n", c.To)
	fmt.Fprintln(out, "The keys of personal data are not in it: back them up apart from the events.")
	return nil
}

// backup makes the backup here, where no process has the folder, or has the process that
// does make it.
func (c *storeBackupCommand) backup(ctx context.Context) (done backupDone, err error) {
	store, err := openExistingStore(c.Data)
	if errors.Is(err, errDataInUse) {
		return giveInstead[backupDone](ctx, err, c.Data, backupPath, backupOrder{To: c.To}, nil)
	}
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return backupInto(ctx, store.Store, c.Data, c.To)
}

// takeBackups makes backups of a store when they are ordered.
func takeBackups(a *admin, store *embedded.Store, data string) {
	takeOrdersFor(a, backupPath, func(ctx context.Context, o backupOrder, _ tell) (backupDone, error) {
		return backupInto(ctx, store, data, o.To)
	})
}

// wholePath refuses a path that another process would read in another way.
func wholePath(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("the folder %q is not named by a whole path", path)
	}
	return nil
}

// elsewhere refuses a folder inside the data folder: what goes with the data is no backup
// of it.
func elsewhere(data, to string) error {
	data, err := realPath(data)
	if err != nil {
		return err
	}
	real, err := realPath(to)
	if err != nil {
		return err
	}
	if inside, err := filepath.Rel(data, real); err == nil && filepath.IsLocal(inside) {
		return fmt.Errorf("%s is in the data folder %s: name a folder elsewhere", to, data)
	}
	return nil
}

// realPath follows the links in as much of a path as there is.
func realPath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(path)
	if parent := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) && parent != path {
		if real, err = realPath(parent); err == nil {
			real = filepath.Join(real, filepath.Base(path))
		}
	}
	return real, err
}

// backupInto copies the events of a data folder into a folder that is new or empty.
func backupInto(ctx context.Context, store *embedded.Store, data, to string) (done backupDone, err error) {
	if err := elsewhere(data, to); err != nil {
		return done, err
	}
	there, err := os.ReadDir(to)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return done, err
	}
	if len(there) > 0 {
		return done, fmt.Errorf("the folder %s is not empty: give a backup a folder of its own", to)
	}
	if done.Position, err = store.Head(ctx); err != nil {
		return done, err
	}
	events := eventsFolder(to)
	if err := store.Backup(ctx, events); err != nil {
		if absent {
			_ = os.Remove(to) // unless somebody has put something there meanwhile
		}
		return done, err
	}
	err = filepath.WalkDir(events, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			done.Bytes += uint64(info.Size())
		}
		return err
	})
	return done, err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore/embedded"
)

// storeCommands is what can be done with the embedded event store alone, without the
// reservations that Daybook keeps in it.
type storeCommands struct {
	Serve  storeServeCommand  `cmd:"" help:"Serve the event store of a data folder to EventStoreDB and KurrentDB clients."`
	Check  storeCheckCommand  `cmd:"" help:"Read everything in the store, and verify checksums and indexes."`
	Backup storeBackupCommand `cmd:"" help:"Copy the events to another folder, also while a process has them."`
	Copy   storeCopyCommand   `cmd:"" help:"Copy a whole ledger between data folders and KurrentDB, and compare both."`
}

// eventsFolder is where in a data folder the ledger lies.
func eventsFolder(data string) string { return filepath.Join(data, "events") }

// storeFolder is the event store of a data folder, opened alone.
type storeFolder struct {
	*embedded.Store
	lock *dataLock
}

// ledgerFiles is the file system of the embedded store, nil for that of the system. Tests
// put one here whose disk fails.
var ledgerFiles vfs.FS

// openStoreFolder takes a data folder for this process and opens its event store.
func openStoreFolder(data string) (*storeFolder, error) {
	lock, err := lockData(data)
	if err != nil {
		return nil, err
	}
	store, err := embedded.Open(eventsFolder(data), embedded.Options{FS: ledgerFiles})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &storeFolder{store, lock}, nil
}

// Close gives the folder back.
func (f *storeFolder) Close() error { return errors.Join(f.Store.Close(), f.lock.Close()) }

// watchStore waits until the store takes no more appends, which is an error, or ctx ends.
func watchStore(ctx context.Context, s *embedded.Store) error {
	select {
	case <-s.Failed():
		return fmt.Errorf("the event store takes no more appends, so the process ends: %w; what was acknowledged is on disk, "+
			"what was under way may or may not be: mend the disk, then start again", s.Failure())
	case <-ctx.Done():
		return nil
	}
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

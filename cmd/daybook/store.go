package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"daybook/eventstore/embedded"
)

// storeCommands is what can be done with the embedded event store alone, without the
// reservations that Daybook keeps in it.
type storeCommands struct {
	Serve storeServeCommand `cmd:"" help:"Serve the event store of a data folder to EventStoreDB and KurrentDB clients."`
	Copy  storeCopyCommand  `cmd:"" help:"Copy a whole ledger between data folders and KurrentDB, and compare both."`
}

// eventsFolder is where in a data folder the ledger lies.
func eventsFolder(data string) string { return filepath.Join(data, "events") }

// storeFolder is the event store of a data folder, opened alone.
type storeFolder struct {
	*embedded.Store
	lock *dataLock
}

// openStoreFolder takes a data folder for this process and opens its event store.
func openStoreFolder(data string) (*storeFolder, error) {
	lock, err := lockData(data)
	if err != nil {
		return nil, err
	}
	store, err := embedded.Open(eventsFolder(data), embedded.Options{})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &storeFolder{store, lock}, nil
}

// Close gives the folder back.
func (f *storeFolder) Close() error { return errors.Join(f.Store.Close(), f.lock.Close()) }

// poisoned says what it means that a store takes no more appends.
func poisoned(cause error) error {
	return fmt.Errorf("the event store takes no more appends and the process ends: %w; what was acknowledged is on disk, "+
		"what was not may or may not be; mend the disk, then start again", cause)
}

// untilDone waits for the first of several things that run to fail, or for ctx to end,
// which is no failure.
func untilDone(ctx context.Context, failed <-chan error) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

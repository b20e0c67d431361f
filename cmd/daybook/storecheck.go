package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"daybook/eventstore/embedded"
)

// storeCheckCommand reads all of a store and says what is wrong with it.
type storeCheckCommand struct {
	Data string `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Data folder whose events are checked; no process may have it."`
}

func (c *storeCheckCommand) Run(ctx context.Context, out io.Writer) (err error) {
	if err := isDataFolder(c.Data); err != nil {
		return err
	}
	lock, err := lockData(c.Data)
	if errors.Is(err, errDataInUse) {
		return fmt.Errorf("%w; a backup of it can be checked while it runs: daybook store backup DIR --data %s, then daybook store check --data DIR", err, c.Data)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()

	m := newMeter(out)
	defer m.end()
	// What the storage library has to say of damage is in the report.
	quiet := slog.New(slog.DiscardHandler)
	report, err := embedded.Check(ctx, eventsFolder(c.Data), embedded.Options{FS: ledgerFiles, Logger: quiet}, func(done, total uint64) {
		m.tell("checking", done, total)
	})
	m.end()
	if err != nil {
		return err
	}
	return sayChecked(out, report)
}

// sayChecked tells what was found; faults are an error.
func sayChecked(out io.Writer, r embedded.Report) error {
	fmt.Fprintf(out, "%d records in %d streams, up to position %d; %d streams have metadata, %d were ended for ever\n",
		r.Records, r.Streams, r.End, r.Limited, r.Tombstones)
	fmt.Fprintf(out, "%d table files with %.1f MiB were verified block by block\n", r.Tables, mib(r.TableBytes))
	if r.Sound() {
		fmt.Fprintln(out, "the store is sound")
		return nil
	}
	for _, fault := range r.Faults {
		fmt.Fprintln(out, "fault:", legible(fault))
	}
	if r.Further > 0 {
		fmt.Fprintf(out, "and %d more\n", r.Further)
	}
	return fmt.Errorf("the store is damaged: %d faults; nothing was changed, restore a backup", uint64(len(r.Faults))+r.Further)
}

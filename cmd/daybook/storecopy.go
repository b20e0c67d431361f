package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/eventstore/transfer"
)

// storeCopyCommand moves a whole book from one store into another.
type storeCopyCommand struct {
	From string `required:"" env:"DAYBOOK_COPY_FROM" placeholder:"STORE" help:"Where the events are: esdb://…, kurrentdb://…, or a data folder, as DIR or embedded:DIR."`
	To   string `required:"" env:"DAYBOOK_COPY_TO" placeholder:"STORE" help:"Where they go: the same forms. It has to be empty, or what an earlier run left."`
}

func (c *storeCopyCommand) Run(ctx context.Context, out io.Writer) (err error) {
	source, err := parseStore(c.From)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	target, err := parseStore(c.To)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if source == target {
		return errors.New("--from and --to are the same store")
	}
	from, err := source.open(ctx, true)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := target.open(ctx, false)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()

	m := newMeter(out)
	defer m.end()
	report, err := transfer.Copy(ctx, from, to, transfer.Options{Progress: func(p transfer.Progress) {
		m.tell(p.Phase.String(), uint64(p.At), uint64(p.End))
	}})
	m.end()
	return sayCopied(out, report, err)
}

// sayCopied tells how a copy ended; it is an error unless the target holds all of the source.
func sayCopied(out io.Writer, r transfer.Report, err error) error {
	fmt.Fprintf(out, "%d events copied in %d appends, %d were there already\n", r.Copied, r.Appends, r.Found)
	if err != nil {
		var foreign *transfer.ForeignError
		var gap *transfer.GapError
		var differ *transfer.DifferenceError
		if errors.As(err, &foreign) || errors.As(err, &gap) || errors.As(err, &differ) || errors.Is(err, eventstore.ErrDenied) {
			return err // again would end the same
		}
		return fmt.Errorf("%w; the same command goes on where this one ended", err)
	}
	fmt.Fprintf(out, "verified: %d events are the same in both, in the same order; SHA-256 %x\n", r.Verified.Records, r.Verified.Hash)
	if r.Omitted > 0 {
		fmt.Fprintf(out, "left out: %d records of the engine's own, such as metadata of streams\n", r.Omitted)
	}
	fmt.Fprintln(out, transfer.Notice)
	fmt.Fprintln(out, "The keys of personal data are no part of the ledger: copy them by themselves.")
	if r.Left > 0 {
		return fmt.Errorf("%d events came to the source meanwhile and are not in the target: stop who writes there, then run the same command again", r.Left)
	}
	return nil
}

// storePlace is a store that somebody named: a server by its url or a data folder.
type storePlace struct {
	url  string
	data string // absolute
}

// parseStore reads the name of a store. The url is checked when it is opened.
func parseStore(text string) (storePlace, error) {
	if scheme, rest, found := strings.Cut(text, ":"); found && strings.EqualFold(scheme, "embedded") {
		text = rest
	} else if strings.Contains(text, "://") {
		if _, err := esdb.ParseURL(text); err != nil {
			return storePlace{}, err
		}
		return storePlace{url: text}, nil
	}
	if text == "" {
		return storePlace{}, errors.New("no data folder is named")
	}
	data, err := filepath.Abs(text)
	if err != nil {
		return storePlace{}, err
	}
	return storePlace{data: data}, nil
}

// open opens the store. One that is read has to be there; one that is written is made.
func (p storePlace) open(ctx context.Context, read bool) (eventstore.Store, error) {
	if p.url != "" {
		ctx, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		return esdb.Open(ctx, p.url, esdb.Options{})
	}
	if read {
		return openExistingStore(p.data)
	}
	return openStoreFolder(p.data)
}

// openExistingStore is openStoreFolder for whoever only reads: it makes nothing.
func openExistingStore(data string) (*storeFolder, error) {
	if err := isDataFolder(data); err != nil {
		return nil, err
	}
	return openStoreFolder(data)
}

// isDataFolder refuses a folder without events, so that a mistyped one is not made.
func isDataFolder(data string) error {
	if info, err := os.Stat(eventsFolder(data)); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no data folder: it has no folder events", data)
	}
	return nil
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdb"
	"daybook/projections/proof"
)

// verifyCommands find out, without a running daybook, whether a ledger is what it was.
type verifyCommands struct {
	Ledger   verifyLedgerCommand   `cmd:"" default:"withargs" help:"Read the whole ledger and hold it to signed heads."`
	Receipt  verifyReceiptCommand  `cmd:"" help:"Check receipts of single events."`
	Waitlist verifyWaitlistCommand `cmd:"" help:"Recompute who was offered a table, in which order."`
	Key      verifyKeyCommand      `cmd:"" help:"Print the key that a data folder's signed heads are checked with."`
}

// exitAltered is the exit code where something is not what was signed. Whatever could not
// be found out is 1.
const exitAltered = errExit(3)

// verifiedFlags say which ledger is meant: one that lies in a data folder, one that is served,
// or an export.
type verifiedFlags struct {
	Data          string   `env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Data folder; no process may have it. \"data\" unless the ledger is elsewhere."`
	EventstoreURL string   `name:"eventstore-url" env:"EVENTSTORE_URL" placeholder:"esdb://…" help:"EventStoreDB or KurrentDB that holds the ledger."`
	Export        []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"Verify the events in these files instead, NDJSON as exported, in this order."`
	PostgresURL   string   `name:"postgres-url" env:"POSTGRES_URL" placeholder:"postgres://…" help:"Where the keys are, for a ledger that is elsewhere."`
	MasterKey     string   `name:"master-key" env:"DAYBOOK_MASTER_KEY" help:"What the keys are wrapped with, where that is not in the data folder."`
}

// examined is an opened ledger, with what lies beside it.
type examined struct {
	source  proof.Source
	reader  eventstore.Reader // nil for an export
	lines   func() (io.ReadCloser, error)
	data    string // "" where no data folder belongs to it
	closers []io.Closer
}

func (b *examined) close() (err error) {
	for i := len(b.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, b.closers[i].Close())
	}
	return err
}

// open takes the data folder, if one is meant, and opens the ledger.
func (f verifiedFlags) open(ctx context.Context) (b *examined, err error) {
	b = &examined{data: f.Data}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	here := len(f.Export) == 0 && f.EventstoreURL == ""
	if here && b.data == "" {
		b.data = "data"
	}
	if b.data != "" && !here {
		lock, err := lockData(b.data)
		if err != nil {
			return b, err
		}
		b.closers = append(b.closers, lock)
	}
	switch {
	case len(f.Export) > 0:
		b.lines = func() (io.ReadCloser, error) { return openFiles(f.Export) }
		b.source = proof.FromLines(b.lines)
		return b, nil
	case f.EventstoreURL != "":
		dial, cancel := context.WithTimeout(ctx, openTimeout)
		defer cancel()
		store, err := esdb.Open(dial, f.EventstoreURL, esdb.Options{})
		if err != nil {
			return b, err
		}
		b.reader, b.closers = store, append(b.closers, store)
	default:
		store, err := openExistingStore(b.data)
		if errors.Is(err, errDataInUse) {
			return b, fmt.Errorf("%w; a backup of it can be verified while it runs: daybook store backup DIR --data %s, then daybook verify --data DIR --key … --checkpoint …", err, b.data)
		}
		if err != nil {
			return b, err
		}
		b.reader, b.closers = store, append(b.closers, store)
	}
	b.source = proof.FromStore(ctx, b.reader)
	return b, nil
}

// alsoClose closes something at the end of a call that has an error of its own, which stays
// what it is while closing succeeds.
func alsoClose(err *error, closer func() error) {
	if failed := closer(); failed != nil {
		*err = errors.Join(*err, failed)
	}
}

// openFiles reads files one behind the other.
func openFiles(names []string) (io.ReadCloser, error) {
	all := &fileChain{}
	var readers []io.Reader
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		all.files = append(all.files, f)
		readers = append(readers, f, bytes.NewReader([]byte("\n"))) // one may lack its last line feed
	}
	all.Reader = io.MultiReader(readers...)
	return all, nil
}

type fileChain struct {
	io.Reader
	files []*os.File
}

func (c *fileChain) Close() (err error) {
	for _, f := range c.files {
		err = errors.Join(err, f.Close())
	}
	return err
}

// verifier is the key to check heads with: the one given, else the one that the keys beside
// the ledger hold; nil where there is none.
func (f verifiedFlags) verifier(ctx context.Context, given, data string) (v *proof.Verifier, own bool, err error) {
	if given != "" {
		v, err := proof.ParseVerifier(given)
		return v, false, err
	}
	if data == "" {
		return nil, false, nil
	}
	if _, err := os.Stat(filepath.Join(data, "keys")); f.PostgresURL == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	e := &engines{}
	err = e.openKeys(ctx, engineFlags{Data: data, EventstoreURL: f.EventstoreURL, PostgresURL: f.PostgresURL, MasterKey: f.MasterKey})
	if err != nil {
		return nil, false, fmt.Errorf("keys: %w", err)
	}
	secret, err := e.secret(ctx, headsSecret)
	if err = errors.Join(err, e.close()); err != nil {
		return nil, false, err
	}
	key, err := proof.NewKey(secret)
	if err != nil {
		return nil, false, err
	}
	return key.Verifier(), true, nil
}

type verifyLedgerCommand struct {
	verifiedFlags
	Checkpoint []string `type:"existingfile" sep:"none" placeholder:"FILE" help:"Signed heads that were kept elsewhere, one or several to a file."`
	Key        string   `placeholder:"KEY" help:"Verifier key of the heads, as GET /ledger/key or daybook verify key gave it. Without it the data folder's own."`
	JSON       bool     `name:"json" help:"Print the result as JSON."`
}

// verifiedLedger is what the command prints as JSON.
type verifiedLedger struct {
	Sound      bool            `json:"sound"`
	Events     uint64          `json:"events"`
	Root       string          `json:"root"`
	Seconds    float64         `json:"seconds"`
	Heads      int             `json:"heads"`            // held to
	Held       int             `json:"held"`             // of them in the ledger
	Outside    int             `json:"outside"`          // of them given with --checkpoint
	Foreign    int             `json:"foreign,omitzero"` // heads in the data folder that the key given did not sign
	Covered    uint64          `json:"covered"`          // events up to the largest that is in the ledger
	LogEvents  uint64          `json:"logEvents"`        // of the Merkle log in the data folder
	LogAltered bool            `json:"logAltered"`       // it is not the one that was signed, though the ledger is
	Findings   []proof.Finding `json:"findings"`         // what is wrong
	Messages   []string        `json:"messages"`         // the same in words
	Further    int             `json:"further,omitzero"` // findings that are left out
}

func (c *verifyLedgerCommand) Run(ctx context.Context, out io.Writer) (err error) {
	b, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer alsoClose(&err, b.close)
	heads, err := c.heads(ctx, b.data)
	if err != nil {
		return err
	}
	against := proof.Against{Heads: heads.all}
	if b.data != "" {
		log, unreadable := proof.OpenLog(proofFolder(b.data))
		switch {
		case unreadable == nil:
			defer alsoClose(&err, log.Close)
			against.Log = log
		case !errors.Is(unreadable, fs.ErrNotExist) && !c.JSON:
			fmt.Fprintf(out, "the Merkle log in the data folder cannot be read and is left out: %s\n", legible(unreadable.Error()))
		}
	}
	m := newMeter(out)
	if c.JSON {
		m = newMeter(nil)
	}
	defer m.end()
	expected := uint64(0)
	if against.Log != nil {
		expected = against.Log.Size()
	}
	for _, h := range heads.all {
		expected = max(expected, h.Size)
	}
	against.Progress = func(events uint64) { m.tell("verifying", events, expected) }
	began := time.Now()
	v, err := proof.Verify(b.source, against)
	m.end()
	if err != nil {
		return err
	}
	result := verifiedLedger{
		Sound: v.Sound(), Events: v.Size, Root: v.Root.String(), Seconds: time.Since(began).Seconds(), Heads: len(heads.all), Held: v.Held,
		Outside: heads.outside, Foreign: heads.foreign, Covered: v.Covered, LogEvents: v.LogSize, LogAltered: v.LogAltered, Findings: v.Findings, Messages: []string{}, Further: v.Further,
	}
	for _, f := range v.Findings {
		result.Messages = append(result.Messages, f.String())
	}
	if c.JSON {
		err = json.NewEncoder(out).Encode(result)
	} else {
		result.say(out, heads.ownKey)
	}
	if err == nil && !v.Sound() {
		err = exitAltered
	}
	return err
}

// heldTo are the signed heads that a ledger is held to.
type heldTo struct {
	all     []proof.Head
	outside int  // of them given with --checkpoint
	foreign int  // in the data folder, and not signed with the key given
	ownKey  bool // the key is the data folder's own
}

// heads reads the signed heads to hold the ledger to: those given, and those that the data
// folder keeps.
func (c *verifyLedgerCommand) heads(ctx context.Context, data string) (h heldTo, err error) {
	verifier, ownKey, err := c.verifier(ctx, c.Key, data)
	if err != nil {
		return h, err
	}
	h.ownKey = ownKey
	if len(c.Checkpoint) > 0 && verifier == nil {
		return h, errors.New("--checkpoint needs --key: without it nothing tells who signed")
	}
	for _, name := range c.Checkpoint {
		text, err := os.ReadFile(name)
		if err != nil {
			return h, err
		}
		notes, err := proof.SplitHeads(bytes.NewReader(text))
		if err == nil && len(notes) == 0 {
			err = proof.ErrNote
		}
		if err != nil {
			return h, fmt.Errorf("%s: %w", name, err)
		}
		for _, n := range notes {
			head, err := verifier.Open(n)
			if err != nil {
				return h, fmt.Errorf("%s: %w", name, err)
			}
			h.all = append(h.all, head)
		}
	}
	h.outside = len(h.all)
	if data == "" || verifier == nil {
		return h, nil
	}
	kept, foreign, err := proof.KeptHeads(headsFile(data), verifier)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h, nil
	case err != nil:
		return h, err
	case foreign > 0 && (ownKey || h.outside+len(kept) == 0):
		return h, fmt.Errorf("%w: %d of the heads in %s were not signed with the key of %s", proof.ErrHeads, foreign, headsFile(data), verifier.Name())
	}
	h.all, h.foreign = append(h.all, kept...), foreign
	return h, nil
}

func (r verifiedLedger) say(out io.Writer, ownKey bool) {
	fmt.Fprintf(out, "%d events, root %s, read in %.1f s (%.0f events/s)\n", r.Events, r.Root, r.Seconds, float64(r.Events)/max(r.Seconds, 1e-9))
	fmt.Fprintf(out, "%d of %d signed heads are in it, up to event %d; %d of the heads were kept outside\n", r.Held, r.Heads, r.Covered, r.Outside)
	if r.Foreign > 0 {
		fmt.Fprintf(out, "%d heads in the data folder are not signed with this key and are left out\n", r.Foreign)
	}
	switch {
	case r.Heads == 0:
		fmt.Fprintln(out, "it was held to no signed head: only its streams and, where there is one, its own Merkle log were looked at")
	case r.Outside == 0:
		fmt.Fprintln(out, "no head from outside was given: whoever can write the data folder could have signed these anew (--checkpoint)")
	case ownKey:
		fmt.Fprintln(out, "the key is the data folder's own: give the one that you keep (--key)")
	}
	if r.LogAltered {
		fmt.Fprintln(out, "the Merkle log in the data folder is not that of this ledger: run daybook rebuild proof")
	}
	for _, m := range r.Messages {
		fmt.Fprintln(out, "found:", legible(m))
	}
	if r.Further > 0 {
		fmt.Fprintf(out, "and %d more\n", r.Further)
	}
	if r.Sound {
		fmt.Fprintln(out, "the ledger is sound")
	} else {
		fmt.Fprintln(out, "the ledger is not sound; nothing was changed")
	}
}

type verifyKeyCommand struct {
	Data string `default:"data" env:"DAYBOOK_DATA" type:"path" placeholder:"DIR" help:"Data folder; no process may have it (a running one answers GET /ledger/key)."`
	keyFlags
}

// keyFlags say where the keys are that do not lie in the data folder.
type keyFlags struct {
	EventstoreURL string `name:"eventstore-url" env:"EVENTSTORE_URL" placeholder:"esdb://…" help:"EventStoreDB or KurrentDB that holds the ledger."`
	PostgresURL   string `name:"postgres-url" env:"POSTGRES_URL" placeholder:"postgres://…" help:"Where the keys are, for such a ledger."`
	MasterKey     string `name:"master-key" env:"DAYBOOK_MASTER_KEY" help:"What the keys are wrapped with, where that is not in the data folder."`
}

func (c *verifyKeyCommand) Run(ctx context.Context, out io.Writer) (err error) {
	if _, err := os.Stat(c.Data); err != nil {
		return err
	}
	lock, err := lockData(c.Data)
	if err != nil {
		return err
	}
	defer alsoClose(&err, lock.Close)
	f := verifiedFlags{EventstoreURL: c.EventstoreURL, PostgresURL: c.PostgresURL, MasterKey: c.MasterKey}
	v, _, err := f.verifier(ctx, "", c.Data)
	if err == nil && v == nil {
		err = fmt.Errorf("%s holds no keys", c.Data)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, v)
	return err
}

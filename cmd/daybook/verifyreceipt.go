package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"daybook/projections/proof"
)

type verifyReceiptCommand struct {
	File []string `arg:"" type:"existingfile" help:"Receipts as the API gave them."`
	Key  string   `required:"" placeholder:"KEY" help:"Verifier key, as GET /ledger/key or daybook verify key gave it."`
}

func (c *verifyReceiptCommand) Run(out io.Writer) error {
	verifier, err := proof.ParseVerifier(c.Key)
	if err != nil {
		return err
	}
	failed := false
	for _, name := range c.File {
		r, err := readReceipt(name)
		if err != nil {
			return err
		}
		event, head, err := r.Check(verifier)
		if err != nil {
			failed = true
			fmt.Fprintf(out, "%s: does not hold: %s\n", name, legible(err.Error()))
			continue
		}
		fmt.Fprintf(out, "%s: holds: event %d of %d is %s, revision %d of %q, %q\n", name, r.Index, head.Size, event.ID, event.Revision, event.Stream, event.Type)
	}
	if failed {
		return exitAltered
	}
	return nil
}

// maxReceipt bounds a receipt: an event, and some hashes.
const maxReceipt = 4 << 20

func readReceipt(name string) (r proof.Receipt, err error) {
	f, err := os.Open(name)
	if err != nil {
		return r, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, maxReceipt)).Decode(&r); err != nil {
		return r, fmt.Errorf("%s: no receipt: %w", name, err)
	}
	return r, nil
}

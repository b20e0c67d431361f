package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/embedded"
	"daybook/projections/proof"
)

// forged is a ledger of one event in a data folder, signed by whoever made it.
type forged struct {
	t    *testing.T
	data string
	key  *proof.Key
	head proof.Head
	form []byte
}

func forge(t *testing.T, stream eventstore.StreamName, secret byte) forged {
	t.Helper()
	f := forged{t: t, data: t.TempDir()}
	var err error
	if f.key, err = proof.NewKey(bytes.Repeat([]byte{secret}, 32)); err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(eventsFolder(f.data), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	event := eventstore.Event{ID: eventstore.EventID{1}, Type: "noted\x1b[2J", Data: []byte(`{}`), Metadata: []byte(`{}`)}
	if _, err := store.Append(t.Context(), stream, eventstore.NoStream(), event); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if f.form, err = canon.Form(eventstore.Record{Event: event, Stream: stream, Position: 1, Recorded: time.Unix(0, 0)}); err != nil {
		t.Fatal(err)
	}
	if f.head, err = f.key.Sign(1, proof.Hash(canon.Leaf(f.form))); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f forged) file(name string, content []byte) string {
	f.t.Helper()
	path := filepath.Join(f.data, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f forged) receipt(event string) string {
	f.t.Helper()
	leaf := proof.Hash(canon.Leaf(f.form))
	text, err := json.Marshal(proof.Receipt{Event: event, Leaf: leaf.String(), Checkpoint: string(f.head.Note)})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.file("receipt.json", text)
}

// verify runs the command, and requires that it prints nothing that a terminal obeys.
func (f forged) verify(args ...string) (string, error) {
	f.t.Helper()
	var out bytes.Buffer
	err := run(f.t.Context(), append([]string{"verify"}, args...), &out, &out)
	said := out.String()
	if err != nil {
		said += legibleLines(err.Error())
	}
	if strings.ContainsAny(said, "\x1b\a\u009b") {
		f.t.Errorf("%q prints %q", args, said)
	}
	return said, err
}

// TestReceiptsFromAnybody checks receipts whose text is meant for the terminal, and receipts
// of events that are of no day.
func TestReceiptsFromAnybody(t *testing.T) {
	f := forge(t, "restaurant-\x1b]0;sound\a", 7)
	key := f.key.Verifier().String()
	if out, err := f.verify("receipt", f.receipt(string(f.form)), "--key", key); err != nil || !strings.Contains(out, `revision 0 of "restaurant-\x1b]0;sound\a", "noted\x1b[2J"`) {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := f.verify("receipt", f.receipt("\x1b[2J"), "--key", key); !errors.Is(err, exitAltered) || !strings.Contains(out, "does not hold") {
		t.Errorf("%v: %s", err, out)
	}
	if out, err := f.verify("waitlist", "--data", f.data, "--receipt", f.receipt(string(f.form)), "--key", key); err != nil {
		t.Errorf("the event is in the ledger: %v: %s", err, out)
	}
	elsewhere := forge(t, "restaurant-2", 7)
	out, err := f.verify("waitlist", "--json", "--data", f.data, "--receipt", elsewhere.receipt(string(elsewhere.form)), "--key", key)
	if !errors.Is(err, exitAltered) || !strings.Contains(out, `"missingReceipts":[`) {
		t.Errorf("the event is not in the ledger: %v: %s", err, out)
	}
	other := f.file("altered.ndjson", append(bytes.Replace(f.form, []byte(`"data":{}`), []byte(`"data":[]`), 1), '\n'))
	if out, err := f.verify("--export", other, "--checkpoint", f.file("heads.txt", f.head.Note), "--key", key); !errors.Is(err, exitAltered) {
		t.Errorf("the altered export: %v: %s", err, out)
	}
}

// TestHeadsOfAnotherKey verifies a folder whose heads were signed with another key than the
// one that its reader has: they are left out, and said to be, where the reader has heads.
func TestHeadsOfAnotherKey(t *testing.T) {
	f, foreign := forge(t, "day-1", 7), forge(t, "day-1", 8)
	if err := os.WriteFile(headsFile(f.data), foreign.head.Note, 0o600); err != nil {
		t.Fatal(err)
	}
	key, kept := f.key.Verifier().String(), f.file("heads.txt", f.head.Note)
	out, err := f.verify("--data", f.data, "--key", key, "--checkpoint", kept)
	if err != nil || !strings.Contains(out, "1 heads in the data folder are not signed with this key") || !strings.Contains(out, "1 of 1 signed heads") {
		t.Errorf("with heads of this key: %v: %s", err, out)
	}
	if out, err := f.verify("--data", f.data, "--key", key); !errors.Is(err, proof.ErrHeads) {
		t.Errorf("without any: %v: %s", err, out)
	}
	if out, err := f.verify("--data", f.data, "--key", foreign.key.Verifier().String()); err != nil || !strings.Contains(out, "1 of 1 signed heads") {
		t.Errorf("with the key of the folder's heads: %v: %s", err, out)
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/embedded"
)

// TestVerify follows a ledger as an auditor does: a head and a receipt are kept, the ledger is
// exported with one event altered, which the head tells, and copied as it is, which has the
// same head.
func TestVerify(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := newService(t, floor{tables: map[int]int{2: 1}})
	var records []eventstore.Record
	head := s.public.send(http.MethodGet, "/ledger/checkpoint", "").want(t, 200, "").body
	key := strings.TrimSpace(string(s.public.send(http.MethodGet, "/ledger/key", "").want(t, 200, "").body))
	for r, err := range s.h.engines.store.ReadAll(t.Context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	file := func(name string, content []byte) string {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	heads := file("heads.txt", head)
	var export []byte
	for _, r := range records {
		export, _ = canon.AppendLine(export, r)
		export = append(export, '\n')
	}
	altered := bytes.Replace(export, []byte(`"capacity":2`), []byte(`"capacity":3`), 1)
	if bytes.Equal(altered, export) {
		altered = bytes.Replace(export, []byte(`"decidedAt":"2`), []byte(`"decidedAt":"3`), 1)
	}
	verify := func(args ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"verify"}, args...), &out, &out)
		return out.String(), err
	}
	if out, err := verify("--export", file("all.ndjson", export), "--checkpoint", heads, "--key", key); err != nil || !strings.Contains(out, "the ledger is sound") {
		t.Errorf("the export: %v\n%s", err, out)
	}
	out, err := verify("--export", file("altered.ndjson", altered), "--checkpoint", heads, "--key", key, "--json")
	var result verifiedLedger
	if json.Unmarshal([]byte(out), &result) != nil || !errors.Is(err, exitAltered) || result.Sound || len(result.Findings) != 1 || result.Held != 0 {
		t.Errorf("the altered export: %v\n%s", err, out)
	}
	if out, err := verify("--export", file("all.ndjson", export), "--checkpoint", heads); err == nil || errors.Is(err, exitAltered) {
		t.Errorf("without a key: %v\n%s", err, out)
	}
	if out, err := verify("waitlist", "--export", file("all.ndjson", export)); err != nil {
		t.Errorf("the waitlist: %v\n%s", err, out)
	}
	// A folder of its own with the same events has no head, and no fault.
	store, err := embedded.Open(eventsFolder(filepath.Join(data, "copy")), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		expected := eventstore.NoStream()
		if r.Revision > 0 {
			expected = eventstore.At(r.Revision - 1)
		}
		if _, err := store.Append(t.Context(), r.Stream, expected, r.Event); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := verify("--data", filepath.Join(data, "copy"), "--checkpoint", heads, "--key", key); err != nil || !strings.Contains(out, "1 of 1 signed heads") {
		t.Errorf("the copy: %v\n%s", err, out)
	}
}

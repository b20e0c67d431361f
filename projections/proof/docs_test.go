package proof

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"daybook/eventstore/canon"
)

// TestTheExampleOfTheDocs runs the program of docs/proof.md, which knows of Daybook only what
// is written there, over an export, a kept head and a proof, and over altered ones.
func TestTheExampleOfTheDocs(t *testing.T) {
	for _, tool := range []string{"python3", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here", tool)
		}
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const size = 21 // of the head; the export goes on
	records := book(30, 9)
	v := open(t, options(t))
	defer closed(t, v)
	fill(t, v, records[:size], 10)
	head := sign(t, v)
	fill(t, v, records[size:], 10)
	lines := make([]string, len(records))
	for i, r := range records {
		line, err := canon.AppendLine(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		lines[i] = string(line) + "\n"
	}
	proofOf := func(index, size uint64) string {
		hashes, err := v.Log().Inclusion(index, size)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(map[string]any{"index": index, "size": size, "hashes": Texts(hashes)})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	export := strings.Join(lines, "")
	key, heads := v.Verifier().String(), file("head.txt", string(head.Note))
	other, err := NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	for n, c := range []struct {
		what string
		args []string
		good bool
	}{
		{"an export in two files", []string{"export", heads, key, file("1.ndjson", strings.Join(lines[:8], "")), file("2.ndjson", strings.Join(lines[8:], ""))}, true},
		{"an altered export", []string{"export", heads, key, file("3.ndjson", strings.Replace(export, `"party":`, `"party":1`, 1))}, false},
		{"a short export", []string{"export", heads, key, file("4.ndjson", strings.Join(lines[:20], ""))}, false},
		{"an event", []string{"event", heads, key, file("5.ndjson", lines[13]), file("5.json", proofOf(13, size))}, true},
		{"the last event", []string{"event", heads, key, file("6.ndjson", lines[20]), file("6.json", proofOf(20, size))}, true},
		{"another event", []string{"event", heads, key, file("7.ndjson", lines[12]), file("7.json", proofOf(13, size))}, false},
		{"a proof for another size", []string{"event", heads, key, file("8.ndjson", lines[13]), file("8.json", proofOf(13, 30))}, false},
		{"another key", []string{"event", heads, other.Verifier().String(), file("9.ndjson", lines[13]), file("9.json", proofOf(13, size))}, false},
		{"an altered head", []string{"export", file("altered.txt", strings.Replace(string(head.Note), "\n21\n", "\n20\n", 1)), key, file("10.ndjson", export)}, false},
	} {
		out, err := exec.Command("python3", append([]string{"../../docs/examples/verify.py"}, c.args...)...).CombinedOutput()
		if (err == nil) != c.good || strings.Contains(string(out), "Traceback") {
			t.Errorf("%d, %s: %v: %s", n, c.what, err, out)
		}
	}
	// The same by a shell, as far as the leaf.
	out, err := exec.Command("sh", "-c", fmt.Sprintf(
		`{ printf '\000'; sed 's/^{"position":[0-9]*,"recordedAt":"[^"]*","event":\(.*\)}$/\1/' %s | tr -d '\n'; } | openssl dgst -sha256 -binary | base64`,
		filepath.Join(dir, "5.ndjson"))).Output()
	if want := leaves(t, records)[13].String(); err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("by a shell: %q, %v, want %s", out, err, want)
	}
}

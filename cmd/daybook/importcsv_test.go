package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// endless is a line that does not end for a long time; it counts what was taken of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 16*maxImportLine {
		return 0, io.EOF
	}
	e.read += len(p)
	return copy(p, strings.Repeat("x", len(p))), nil
}

// TestEndlessLine: of a line that does not end no more is read than a line may have, and the
// error names it.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	for before, want := range map[string]string{
		"":                  fmt.Sprintf("line 1 is longer than %d bytes", maxImportLine),
		"a\nb\n":            fmt.Sprintf("line 3 is longer than %d bytes", maxImportLine),
		"a\n" + longLine(0): fmt.Sprintf("line 3 is longer than %d bytes", maxImportLine),
	} {
		line := &endless{}
		raw, err := io.ReadAll(&lineBounded{from: io.MultiReader(strings.NewReader(before), line)})
		if err == nil || err.Error() != want || line.read > 4*maxImportLine {
			t.Errorf("after %.10q: %d bytes taken of it, %d returned, %v; want %s", before, line.read, len(raw), err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "rows.csv")
	for _, c := range []struct{ text, want string }{{longLine(0) + longLine(0), ""}, {"a\n" + longLine(1), path + ": line 2 is longer than 1048576 bytes"}} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		raw, err := readBounded(path)
		if said := fmt.Sprint(err); c.want == "" && (err != nil || string(raw) != c.text) || c.want != "" && said != c.want {
			t.Errorf("%d bytes read of %d, %v; want %q", len(raw), len(c.text), err, c.want)
		}
	}
}

// longLine is as long as a line may be, and so much longer.
func longLine(more int) string { return strings.Repeat("y", maxImportLine+more) + "\n" }

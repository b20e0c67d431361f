package embedded

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"daybook/eventstore"
)

// TestALostMarkerLosesNoMore takes the empty file away that names the manifest: the folder
// is refused, every time, and all that is left stays, until the file is back.
func TestALostMarkerLosesNoMore(t *testing.T) {
	for _, withMark := range []bool{true, false} {
		dir := t.TempDir()
		s, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), "a", eventstore.NoStream(), eventstore.Event{ID: eventstore.EventID{1}, Type: "t"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if !withMark {
			if err := os.Remove(filepath.Join(dir, markName)); err != nil {
				t.Fatal(err)
			}
		}
		markers, err := filepath.Glob(filepath.Join(dir, markerPrefix+"*"))
		if err != nil || len(markers) != 1 {
			t.Fatalf("markers %v, %v", markers, err)
		}
		if err := os.Remove(markers[0]); err != nil {
			t.Fatal(err)
		}
		before := namesIn(t, dir)
		for range 2 {
			if s, err := Open(dir, Options{}); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("with a mark %t: Open returned %v, %v, want ErrCorrupt", withMark, s, err)
			}
		}
		if report, err := Check(t.Context(), dir, Options{}, nil); err != nil || report.Sound() {
			t.Errorf("with a mark %t: checked, the folder is %+v, %v", withMark, report, err)
		}
		if after := namesIn(t, dir); !slices.Equal(after, before) {
			t.Errorf("with a mark %t: files %v became %v", withMark, before, after)
		}
		if err := os.WriteFile(markers[0], nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err = Open(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if head, err := s.Head(t.Context()); head != 1 || err != nil {
			t.Errorf("with the file back the ledger ends at %d, %v, want 1", head, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func namesIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

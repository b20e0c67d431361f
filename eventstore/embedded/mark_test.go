package embedded

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"daybook/eventstore"
)

// TestALostLogIsMissed takes a copy of a running ledger's folder and leaves its log out, as
// if the file were lost in a crash. Without the mark the copy would open as an empty ledger.
func TestALostLogIsMissed(t *testing.T) {
	for _, c := range []struct {
		every  time.Duration
		missed bool
	}{{time.Millisecond, true}, {time.Hour, false}} {
		dir := t.TempDir()
		s, err := Open(dir, Options{Logger: slog.New(slog.DiscardHandler), MarkEvery: c.every})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Append(t.Context(), "a", eventstore.NoStream(), eventstore.Event{ID: eventstore.EventID{1}, Type: "t"}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); c.missed && checkMark(s.files, dir, 0) == nil; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("how far the ledger reaches was not noted")
			}
		}
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		logs, err := filepath.Glob(filepath.Join(copied, "*.log"))
		if err != nil || len(logs) == 0 {
			t.Fatalf("logs %v, %v", logs, err)
		}
		for _, log := range logs {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		}
		lost, err := Open(copied, Options{Logger: slog.New(slog.DiscardHandler)})
		if got := errors.Is(err, ErrCorrupt) && strings.Contains(err.Error(), "it has reached 1 before"); got != c.missed {
			t.Errorf("noted every %s: Open returned %v", c.every, err)
		}
		if lost != nil {
			if err := lost.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// filledStore makes a data folder with n events in streams of ten.
func filledStore(t *testing.T, n int) (data string) {
	t.Helper()
	data = t.TempDir()
	s, err := embedded.Open(eventsFolder(data), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n / 10 {
		events := make([]eventstore.Event, 10)
		for k := range events {
			events[k] = eventstore.Event{ID: eventstore.EventID(uuid.New()), Type: "written", Data: []byte(`{}`)}
		}
		if _, err := s.Append(t.Context(), eventstore.StreamName(fmt.Sprintf("stream-%d", i)), eventstore.NoStream(), events...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestStoreCopyInterrupted kills a copy to a served store, runs it again to its end, and
// copies back from there.
func TestStoreCopyInterrupted(t *testing.T) {
	t.Parallel()
	from, to, back := filledStore(t, 4_000), t.TempDir(), t.TempDir()
	s := serveStore(t, to, 1, "--listen", "127.0.0.1:0", "--insecure", "--writable")
	cut := daybook(t.Context(), "store", "copy", "--from", from, "--to", s.urls[0])
	pipe, err := cut.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cut.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(pipe); lines.Scan() && !strings.HasPrefix(lines.Text(), "copying: "); {
		continue
	}
	_ = cut.Process.Kill()
	if err := cut.Wait(); err == nil {
		t.Fatal("the copy ended before it was cut off: give it more events")
	}
	out, err := daybook(t.Context(), "store", "copy", "--from", from, "--to", s.urls[0]).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "verified: 4000 events are the same in both") || strings.Contains(string(out), " 0 were there already") {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = daybook(t.Context(), "store", "copy", "--from", s.urls[0], "--to", "embedded:"+back).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "4000 events copied") {
		t.Errorf("back: %v:\n%s", err, out)
	}
	// One who may not write is told at once.
	reading := serveStore(t, t.TempDir(), 1, "--listen", "127.0.0.1:0", "--insecure")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err = daybook(ctx, "store", "copy", "--from", from, "--to", reading.urls[0]).CombinedOutput()
	if err == nil || ctx.Err() != nil || !strings.Contains(string(out), "read-only") {
		t.Errorf("to a store that is read-only: %v:\n%s", err, out)
	}
	// A target that holds anything else is refused and left as it is.
	other := filledStore(t, 10)
	out, err = daybook(t.Context(), "store", "copy", "--from", from, "--to", other).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "neither empty nor a copy") || strings.Contains(string(out), "same command goes on") {
		t.Errorf("another book: %v:\n%s", err, out)
	}
}

package embedded_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// TestManyEvents fills a ledger and requires that opening it does not grow with its
// history, and that neither writing, reading, checking nor copying takes memory for it.
func TestManyEvents(t *testing.T) {
	if os.Getenv("DAYBOOK_SOAK") != "1" {
		t.Skip("takes minutes and gigabytes; DAYBOOK_SOAK=1 runs it")
	}
	const (
		steps, perStep = 5, 1_000_000
		batch, streams = 250, 4000
	)
	dir := t.TempDir()
	ctx := context.Background()
	reopened := func() *embedded.Store { // not by open, whose clean-up would keep each in memory
		s, err := embedded.Open(dir, embedded.Options{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := reopened()
	defer func() { _ = s.Close() }()
	next := map[eventstore.StreamName]eventstore.Expected{}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc >> 20
	}
	var early uint64
	for step := range steps {
		began := time.Now()
		for i := range perStep / batch {
			events := make([]eventstore.Event, batch)
			for j := range events {
				events[j] = benchEvent()
			}
			stream := eventstore.StreamName(fmt.Sprintf("day-%d", i%streams))
			expected, ok := next[stream]
			if !ok {
				expected = eventstore.NoStream()
			}
			at, err := s.Append(ctx, stream, expected, events...)
			if err != nil {
				t.Fatal(err)
			}
			next[stream] = eventstore.At(at.Revision)
		}
		appended := time.Since(began)
		began = time.Now()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		closed := time.Since(began)
		began = time.Now()
		s = reopened()
		opened := time.Since(began)
		began = time.Now()
		count := 0
		for _, err := range s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			count++
		}
		read := time.Since(began)
		now := heap()
		t.Logf("%d M events: appended at %.0f/s, closed in %v, opened in %v, read at %.0f/s, heap %d MiB",
			step+1, perStep/appended.Seconds(), closed.Round(time.Millisecond), opened.Round(time.Millisecond), float64(count)/read.Seconds(), now)
		if count != (step+1)*perStep {
			t.Fatalf("%d events, want %d", count, (step+1)*perStep)
		}
		if opened > 2*time.Second {
			t.Errorf("opening took %v", opened)
		}
		if step == 0 {
			early = now
		} else if now > early+96 {
			t.Errorf("the heap grew from %d to %d MiB", early, now)
		}
	}
	began := time.Now()
	target := t.TempDir() + "/copy"
	if err := s.Backup(ctx, target); err != nil {
		t.Fatal(err)
	}
	t.Logf("backup in %v, heap %d MiB", time.Since(began).Round(time.Millisecond), heap())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	var most uint64
	r, err := embedded.Check(ctx, target, embedded.Options{Logger: quiet}, func(done, total uint64) {
		if done%(1<<20) == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc>>20)
		}
	})
	if err != nil || !r.Sound() || r.Records != steps*perStep {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("check in %v, heap at most %d MiB: %+v", time.Since(began).Round(time.Millisecond), most, r)
	if most > early+192 {
		t.Errorf("the check took %d MiB", most)
	}
}

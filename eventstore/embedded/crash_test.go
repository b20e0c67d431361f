package embedded_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// batchOf is the data of a crash test's event, so that a torn batch shows.
type batchOf struct {
	Batch string `json:"batch"`
	Index int    `json:"index"`
	Size  int    `json:"size"`
}

// acked is an append that was acknowledged.
type acked struct {
	Stream eventstore.StreamName
	At     eventstore.Appended
	IDs    []string
}

// appendBatches appends batches of one to four events to a stream of its own until an
// append fails or ctx ends, and reports each acknowledged one.
func appendBatches(ctx context.Context, s eventstore.Store, stream eventstore.StreamName, report func(acked)) error {
	expected := eventstore.Any()
	for n := 0; ; n++ {
		size := 1 + n%4
		events := make([]eventstore.Event, size)
		ack := acked{Stream: stream}
		for i := range events {
			events[i] = benchEvent()
			for j := range 8 { // unlike any other process's
				events[i].ID[j] ^= byte(rand.Uint32())
			}
			ack.IDs = append(ack.IDs, hex.EncodeToString(events[i].ID[:]))
		}
		for i := range events {
			events[i].Data, _ = json.Marshal(batchOf{Batch: ack.IDs[0], Index: i, Size: size})
		}
		at, err := s.Append(ctx, stream, expected, events...)
		if err != nil {
			return err
		}
		ack.At = at
		report(ack)
		expected = eventstore.At(at.Revision)
	}
}

// verify requires that the ledger holds what was acknowledged, only whole batches, and
// that streams and ledger agree.
func verify(t *testing.T, s *embedded.Store, all []acked) []eventstore.Record {
	t.Helper()
	ctx := context.Background()
	var ledger []eventstore.Record
	streams := map[eventstore.StreamName][]eventstore.Record{}
	for r, err := range s.ReadAll(ctx, eventstore.Start, eventstore.Everything()) {
		if err != nil {
			t.Fatal(err)
		}
		ledger = append(ledger, r)
		if r.Position != eventstore.Position(len(ledger)) {
			t.Fatalf("position %d after %d records", r.Position, len(ledger)-1)
		}
		if !strings.HasPrefix(string(r.Stream), "day-") {
			continue // of changeStreams
		}
		if want := eventstore.Revision(len(streams[r.Stream])); r.Revision != want {
			t.Fatalf("stream %s: revision %d, want %d", r.Stream, r.Revision, want)
		}
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	for stream, want := range streams {
		i := 0
		var b batchOf
		for r, err := range s.ReadStream(ctx, stream, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || r.ID != want[i].ID || r.Position != want[i].Position {
				t.Fatalf("stream %s and the ledger differ at revision %d", stream, i)
			}
			var next batchOf
			if err := json.Unmarshal(r.Data, &next); err != nil {
				t.Fatal(err)
			}
			if first := b.Index+1 == b.Size || i == 0; first && next.Index != 0 || !first && (next.Batch != b.Batch || next.Index != b.Index+1) {
				t.Fatalf("stream %s, revision %d: %+v after %+v: a torn batch", stream, i, next, b)
			}
			b = next
			i++
		}
		if i != len(want) || b.Index+1 != b.Size {
			t.Fatalf("stream %s: %d records of %d, ends with %+v", stream, i, len(want), b)
		}
	}
	for _, a := range all {
		first := int(a.At.Position) - len(a.IDs)
		if int(a.At.Position) > len(ledger) {
			t.Fatalf("an acknowledged append is lost: %+v, the ledger ends at %d", a, len(ledger))
		}
		if r := ledger[a.At.Position-1]; r.Stream != a.Stream {
			t.Fatalf("acknowledged %+v, the ledger has %s@%d", a, r.Stream, r.Revision)
		}
		for i, r := range ledger[first:a.At.Position] {
			if hex.EncodeToString(r.ID[:]) != a.IDs[i] || r.Stream != a.Stream || r.Revision != a.At.Revision+1-eventstore.Revision(len(a.IDs)-i) {
				t.Fatalf("acknowledged %+v, the ledger has %s@%d %s", a, r.Stream, r.Revision, r.ID)
			}
		}
	}
	return ledger
}

// TestPowerFailure cuts the power while writers append and a reader and a subscription
// look on: whatever was acknowledged or shown to anyone is there afterwards, however
// much of what was not synced the disk kept.
func TestPowerFailure(t *testing.T) {
	disk := vfs.NewCrashableMem()
	opts := small(disk)
	opts.MemTableBytes = 64 << 10
	ctx := context.Background()
	var all []acked // of every life of the disk
	cuts := 12
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		cuts = 200
	}
	rng := rand.New(rand.NewPCG(11, 21))
	for cut := range cuts {
		opts.FS = disk
		s, err := embedded.Open("ledger", opts)
		if err != nil {
			t.Fatalf("cut %d: open: %v", cut, err)
		}
		verify(t, s, all)
		start, err := s.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}

		var mu sync.Mutex
		shown := start // the furthest record anyone has seen
		var ids = map[eventstore.Position]eventstore.EventID{}
		see := func(r eventstore.Record) {
			mu.Lock()
			defer mu.Unlock()
			shown = max(shown, r.Position)
			ids[r.Position] = r.ID
		}
		running, stop := context.WithCancel(ctx)
		var done sync.WaitGroup
		for w := range 6 {
			done.Add(1)
			go func() {
				defer done.Done()
				_ = appendBatches(running, s, eventstore.StreamName(fmt.Sprintf("day-%d", w)), func(a acked) {
					mu.Lock()
					defer mu.Unlock()
					all = append(all, a)
				})
			}()
		}
		done.Add(2)
		go func() {
			defer done.Done()
			for running.Err() == nil {
				for r, err := range s.ReadAllBackwards(running, eventstore.End, eventstore.Filter{}) {
					if err == nil {
						see(r)
					}
					break
				}
			}
		}()
		go func() {
			defer done.Done()
			sub, err := s.Subscribe(running, start, eventstore.Filter{})
			for err == nil {
				var b eventstore.Batch
				b, err = sub.Next(running)
				for _, r := range b.Records {
					see(r)
				}
			}
		}()

		enough := 40 + rng.IntN(200)
		deadline := time.Now().Add(30 * time.Second)
		for {
			mu.Lock()
			grown := int(shown - start)
			mu.Unlock()
			if grown >= enough {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("cut %d: only %d records after 30 s", cut, grown)
			}
			time.Sleep(100 * time.Microsecond)
		}
		mu.Lock()
		kept, seen, known := len(all), shown, make(map[eventstore.Position]eventstore.EventID, len(ids))
		for p, id := range ids {
			known[p] = id
		}
		mu.Unlock()
		after := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: (cut % 3) * 50, RNG: rng})
		stop()
		done.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		disk, all = after, all[:kept]
		opts.FS = disk
		s, err = embedded.Open("ledger", opts)
		if err != nil {
			t.Fatalf("cut %d: open after the power was cut: %v", cut, err)
		}
		ledger := verify(t, s, all)
		if len(ledger) < int(seen) {
			t.Fatalf("cut %d: a record at position %d had been shown, the ledger ends at %d", cut, seen, len(ledger))
		}
		for p, id := range known {
			if ledger[p-1].ID != id {
				t.Fatalf("cut %d: %s had been shown at position %d, now it is %s", cut, id, p, ledger[p-1].ID)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// childFolder, when set, makes the test binary append to the ledger in that folder
// until it is killed.
const childFolder = "DAYBOOK_EMBEDDED_CHILD"

// childFull, when set, lets the child's disk take no new file after a while.
const childFull = "DAYBOOK_EMBEDDED_CHILD_FULL"

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

// child is the process that gets killed. It acknowledges appends on its output.
func child(dir string) int {
	opts := small(nil)
	opts.MemTableBytes = 64 << 10 // kills fall into flushes and merges as well
	var full atomic.Bool
	if os.Getenv(childFull) != "" {
		opts.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if full.Load() && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpReuseForWrite) {
				return syscall.ENOSPC
			}
			return nil
		}))
	}
	s, err := embedded.Open(dir, opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, embedded.ErrInUse) {
			return 3
		}
		return 1
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	var done sync.WaitGroup
	for w := range 8 {
		done.Add(1)
		go func() {
			defer done.Done()
			err := appendBatches(context.Background(), s, eventstore.StreamName(fmt.Sprintf("day-%d", w)), func(a acked) {
				mu.Lock()
				defer mu.Unlock()
				_ = out.Encode(a)
				full.Store(a.At.Revision > 50)
			})
			fmt.Fprintln(os.Stderr, err)
		}()
	}
	done.Wait()
	return 2
}

// TestKilled kills a process again and again while it appends, and requires after each
// time that every append it acknowledged is there, whole, with nothing torn around it.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	var all []acked
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(out)
		before := len(all)
		for {
			line, err := lines.ReadString('\n')
			if err != nil { // of a killed process: the last line may be cut off
				break
			}
			var a acked
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			all = append(all, a)
			if len(all) == before+1 {
				if _, err := embedded.Open(dir, small(nil)); !errors.Is(err, embedded.ErrInUse) {
					t.Fatalf("open while another process has it: %v, want ErrInUse", err)
				}
			}
			if len(all) == before+100*(round+1) {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if len(all) < before+100*(round+1) {
			t.Fatalf("the process ended by itself after %d appends: %s", len(all)-before, &stderr)
		}
		s, err := embedded.Open(dir, small(nil))
		if err != nil {
			t.Fatalf("open after a kill: %v", err)
		}
		verify(t, s, all)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull requires of a process whose disk takes no new file that it comes to an
// end by itself, and that what it acknowledged is there.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childFull+"=1")
	out, err := cmd.Output()
	var ended *exec.ExitError
	if !errors.As(err, &ended) {
		t.Fatalf("the process ended with %v", err)
	}
	var all []acked
	lines := json.NewDecoder(bytes.NewReader(out))
	for {
		var a acked
		if err := lines.Decode(&a); err != nil {
			break // the end, or a line cut off by it
		}
		all = append(all, a)
	}
	if len(all) < 50 {
		t.Fatalf("%d appends before the disk was full: %s", len(all), ended.Stderr)
	}
	s := open(t, dir, small(nil))
	verify(t, s, all)
	if _, err := s.Append(context.Background(), "day-0", eventstore.Exists(), benchEvent()); err != nil {
		t.Fatalf("append once there is room again: %v", err)
	}
}

// verify requires that the ledger holds what was acknowledged, only whole batches, and
// that streams and ledger agree.
func verify(t *testing.T, s *embedded.Store, all []acked) []eventstore.Record {
	t.Helper()
	ctx := context.Background()
	var ledger []eventstore.Record
	streams := map[eventstore.StreamName][]eventstore.Record{}
	for r, err := range s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		ledger = append(ledger, r)
		if r.Position != eventstore.Position(len(ledger)) {
			t.Fatalf("position %d after %d records", r.Position, len(ledger)-1)
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

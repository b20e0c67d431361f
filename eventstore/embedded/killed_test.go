package embedded_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
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

const (
	// childFolder, when set, makes the test binary write to the ledger in that folder until
	// it is killed.
	childFolder = "DAYBOOK_EMBEDDED_CHILD"
	// childDisk, when set, says how the child's disk goes wrong: a kind and a seed.
	childDisk = "DAYBOOK_EMBEDDED_CHILD_DISK"
)

// The ways in which a child's disk goes wrong.
const (
	diskFull     = "full"      // from some operation on, nothing takes room
	diskNoFile   = "no file"   // from some operation on, no file can be made
	diskFailSync = "fail sync" // one sync of the log fails, and those after it do not
)

// badDisk goes wrong at an operation that its seed chooses.
type badDisk struct {
	kind  string
	after int64 // operations of its kind that go well
	seen  atomic.Int64
}

func newBadDisk(spec string) (*badDisk, error) {
	kind, seed, _ := strings.Cut(spec, ":")
	n, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return nil, err
	}
	most := map[string]int{diskFull: 900, diskNoFile: 12, diskFailSync: 100}[kind]
	// Past opening, whose operations are few, so that there is something to lose.
	return &badDisk{kind: kind, after: 20 + int64(rand.New(rand.NewPCG(n, 0)).IntN(most))}, nil
}

func (d *badDisk) String() string { return d.kind }

func (d *badDisk) MaybeError(op errorfs.Op) error {
	hit := false
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite:
		hit = d.kind == diskFull || d.kind == diskNoFile
	case errorfs.OpFileWrite, errorfs.OpFilePreallocate, errorfs.OpLink, errorfs.OpRename, errorfs.OpMkdirAll:
		hit = d.kind == diskFull
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		// Of a table, Pebble writes another one.
		hit = d.kind == diskFull || d.kind == diskFailSync && strings.HasSuffix(op.Path, ".log")
	default:
	}
	if !hit {
		return nil
	}
	switch n := d.seen.Add(1); {
	case n <= d.after:
		return nil
	case d.kind != diskFailSync:
		return syscall.ENOSPC
	case n == d.after+1:
		return syscall.EIO
	}
	return nil
}

// afresh makes each log a new file: errorfs lets one that is used again go unwatched.
type afresh struct{ vfs.FS }

func (a afresh) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := a.Remove(old); err != nil {
		return nil, err
	}
	return a.Create(name, category)
}

func (a afresh) Unwrap() vfs.FS { return a.FS }

// child is the process that gets killed. It acknowledges what it wrote on its output.
func child(dir string) int {
	opts := small(nil)
	opts.MemTableBytes = 64 << 10 // kills fall into flushes and merges as well
	opts.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if spec := os.Getenv(childDisk); spec != "" {
		disk, err := newBadDisk(spec)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		opts.FS = afresh{errorfs.Wrap(vfs.Default, disk)}
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
	report := func(a acked) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(a)
	}
	var done sync.WaitGroup
	for w := range 8 {
		done.Add(1)
		go func() {
			defer done.Done()
			err := appendBatches(context.Background(), s, eventstore.StreamName(fmt.Sprintf("day-%d", w)), report)
			fmt.Fprintln(os.Stderr, err)
		}()
	}
	done.Add(1)
	go func() {
		defer done.Done()
		fmt.Fprintln(os.Stderr, changeStreams(context.Background(), s, report))
	}()
	done.Wait()
	select {
	case <-s.Failed():
		fmt.Fprintln(os.Stderr, s.Failure())
		return embedded.ExitCode
	default:
		return 1
	}
}

// changeStreams limits, deletes, recreates and ends streams of its own until a call fails.
func changeStreams(ctx context.Context, s eventstore.Engine, report func(acked)) error {
	for n := 0; ; n++ {
		stream := eventstore.StreamName(fmt.Sprintf("passing-%d-%d", os.Getpid(), n/10))
		_, err := s.Write(ctx, stream, eventstore.Any(), benchEvent(), benchEvent())
		if err != nil {
			return err
		}
		a := acked{Stream: eventstore.MetadataOf(stream)}
		switch n % 10 {
		case 3, 7:
			a.At.Position, err = s.Delete(ctx, stream, eventstore.Exists())
		case 9:
			a.Stream = stream
			a.At.Position, err = s.Tombstone(ctx, stream, eventstore.Exists())
		default:
			ev := benchEvent()
			ev.Data = fmt.Appendf(nil, `{"$maxCount":%d}`, n+1)
			a.At, err = s.Write(ctx, a.Stream, eventstore.Any(), ev)
		}
		if err != nil {
			return err
		}
		report(a)
	}
}

// sound requires that a check of the folder finds nothing.
func sound(t *testing.T, dir string) {
	t.Helper()
	r, err := embedded.Check(context.Background(), dir, small(nil), nil)
	if err != nil || !r.Sound() {
		t.Fatalf("check: %v, %q", err, r.Faults)
	}
}

// TestKilled kills a process again and again while it writes, and requires after each
// time that everything it acknowledged is there, whole, with nothing torn around it.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	kills := 4
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		kills = 50
	}
	seed := uint64(9)
	rng := rand.New(rand.NewPCG(seed, 0))
	var all []acked
	for round := range kills {
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
		before, enough := len(all), 50+rng.IntN(400)
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
			if len(all) == before+enough {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := io.Copy(io.Discard, lines); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if len(all) < before+enough {
			t.Fatalf("kill %d: the process ended by itself after %d calls: %s", round, len(all)-before, &stderr)
		}
		sound(t, dir)
		s, err := embedded.Open(dir, small(nil))
		if err != nil {
			t.Fatalf("kill %d: open: %v", round, err)
		}
		verify(t, s, all)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d: killed %d times, %d acknowledged calls are there", seed, kills, len(all))
}

// TestBadDisk gives a process a disk that is full or fails at some operation. It must
// come to an end by itself that tells why, and what it acknowledged must be there, whole,
// once the disk is right again.
func TestBadDisk(t *testing.T) {
	each := 2
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		each = 100
	}
	first := 7
	for _, kind := range []string{diskFull, diskNoFile, diskFailSync} {
		acknowledged := 0
		for seed := first; seed < first+each; seed++ {
			dir := t.TempDir()
			all, code, said := onBadDisk(t, dir, fmt.Sprintf("%s:%d", kind, seed))
			why := map[string]string{diskFull: "no space left", diskNoFile: "no space left", diskFailSync: "input/output error"}[kind]
			if code != embedded.ExitCode || !strings.Contains(said, why) {
				t.Fatalf("%s, seed %d: the process ended with %d and does not say %q: %s", kind, seed, code, why, said)
			}
			acknowledged += len(all)
			sound(t, dir)
			s := open(t, dir, small(nil))
			verify(t, s, all)
			if _, err := s.Append(context.Background(), "day-0", eventstore.Any(), benchEvent()); err != nil {
				t.Fatalf("%s, seed %d: append once the disk is right again: %v", kind, seed, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s, seeds %d to %d: %d acknowledged calls are there", kind, first, first+each-1, acknowledged)
		if acknowledged == 0 {
			t.Errorf("%s: nothing was acknowledged before the disk went wrong", kind)
		}
	}
}

// onBadDisk runs a process until it ends. One that acknowledges this much does not mind
// its disk, and is killed.
func onBadDisk(t *testing.T, dir, disk string) (all []acked, code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // it says where it hangs
	cmd.Env = append(os.Environ(), childFolder+"="+dir, childDisk+"="+disk)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(out)
	const tooMuch = 10_000
	for len(all) < tooMuch {
		var a acked
		if err := lines.Decode(&a); err != nil {
			break // the end, or a line cut off by it
		}
		all = append(all, a)
	}
	if len(all) == tooMuch {
		_ = cmd.Process.Kill()
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("disk %s: the process hangs: %s", disk, &stderr)
	}
	return all, cmd.ProcessState.ExitCode(), stderr.String()
}

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"daybook/eventstore"
)

// everything reads the whole ledger.
func everything(t testing.TB, s *Store) []eventstore.Record {
	t.Helper()
	var all []eventstore.Record
	for r, err := range s.ReadAll(context.Background(), eventstore.Start, eventstore.Everything()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// TestBackupUnderLoad copies while writers write, flush and merge. Each copy is sound, is
// the beginning of the original, and reaches at least as far as what had been
// acknowledged; and it goes on by itself.
func TestBackupUnderLoad(t *testing.T) {
	dir := t.TempDir()
	opts := quietOptions(nil)
	opts.MemTableBytes = 64 << 10
	s, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ctx := context.Background()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var acknowledged atomic.Uint64 // the furthest position
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Add(1)
		events := numbered(30_000)
		go func() {
			defer writers.Done()
			stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
			for i := 0; running.Err() == nil && i+3 <= len(events); i += 3 {
				at, err := s.Write(ctx, stream, eventstore.Any(), events[i:i+3]...)
				if err == nil && i%10 == 0 {
					_, err = s.Delete(ctx, stream, eventstore.At(at.Revision))
				}
				if err != nil {
					t.Error(err)
					return
				}
				for old := acknowledged.Load(); old < uint64(at.Position) && !acknowledged.CompareAndSwap(old, uint64(at.Position)); old = acknowledged.Load() {
				}
			}
		}()
	}
	type copied struct {
		dir   string
		least eventstore.Position
	}
	var copies []copied
	for i := range 3 {
		c := copied{dir: filepath.Join(t.TempDir(), "a", "copy"), least: eventstore.Position(acknowledged.Load())}
		if i == 1 { // an empty folder does as well
			c.dir = t.TempDir()
		}
		if err := s.Backup(ctx, c.dir); err != nil {
			t.Fatal(err)
		}
		copies = append(copies, c)
		for reached := acknowledged.Load(); acknowledged.Load() < reached+20; {
		}
	}
	stop()
	writers.Wait()
	original := everything(t, s)
	for i, c := range copies {
		r := mustCheck(t, c.dir, nil)
		if !r.Sound() || r.End < c.least || r.End == 0 {
			t.Fatalf("copy %d: %+v, at least %d had been acknowledged", i, r, c.least)
		}
		again, err := Open(c.dir, opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := everything(t, again); !reflect.DeepEqual(got, original[:r.End]) {
			t.Fatalf("copy %d is not the beginning of the original", i)
		}
		if _, err := again.Append(ctx, "day-0", eventstore.Any(), numbered(1)...); err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if left := leftOvers(t, vfs.Default, dir); len(left) > 0 {
		t.Fatalf("the data folder still holds %v", left)
	}
	if again := everything(t, s); !reflect.DeepEqual(again, original) {
		t.Fatal("writing to a copy changed the original")
	}
}

func leftOvers(t testing.TB, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, name := range names {
		if strings.HasPrefix(name, snapshotPrefix) || name == unfinishedName {
			left = append(left, name)
		}
	}
	return left
}

func TestBackupIsRefused(t *testing.T) {
	dir := t.TempDir()
	ledgerOf(t, dir, nil)
	s, err := Open(dir, quietOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "own"), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{full, dir} {
		if err := s.Backup(ctx, target); !errors.Is(err, fs.ErrExist) {
			t.Errorf("backup to %s: %v, want fs.ErrExist", target, err)
		}
	}
	if err := s.Backup(ctx, filepath.Join(full, "own")); err == nil {
		t.Error("backup to a file")
	}
	if b, err := os.ReadFile(filepath.Join(full, "own")); err != nil || string(b) != "precious" {
		t.Errorf("the file that was there: %q, %v", b, err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	target := filepath.Join(t.TempDir(), "copy")
	if err := s.Backup(ended, target); !errors.Is(err, context.Canceled) {
		t.Errorf("backup with a context that ended: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Backup(ctx, target); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("backup of a closed ledger: %v", err)
	}
	if _, err := os.Stat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused backup left %s: %v", target, err)
	}
	if left := leftOvers(t, vfs.Default, dir); len(left) > 0 {
		t.Errorf("the data folder holds %v", left)
	}
}

// TestBackupThatFails lets each step on the way fail once. Nothing is left of the copy
// and the original goes on.
func TestBackupThatFails(t *testing.T) {
	broken := errors.New("the other disk is gone")
	for failAt := 0; ; failAt++ {
		mem := vfs.NewMem()
		if err := mem.MkdirAll("copies", 0o700); err != nil {
			t.Fatal(err)
		}
		var step atomic.Int64
		var armed, struck atomic.Bool
		files := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !armed.Load() || !strings.HasPrefix(op.Path, "copies/") && !strings.Contains(op.Path, snapshotPrefix) {
				return nil
			}
			switch op.Kind {
			case errorfs.OpCreate, errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpOpen, errorfs.OpOpenDir, errorfs.OpRename, errorfs.OpMkdirAll, errorfs.OpLink, errorfs.OpRemove:
			default:
				return nil
			}
			if step.Add(1) == int64(failAt)+1 {
				struck.Store(true)
				return broken
			}
			return nil
		}))
		s := variedLedger(t, "ledger", files)
		want := everything(t, s)
		armed.Store(true)
		err := s.Backup(context.Background(), "copies/copy")
		armed.Store(false)
		if !struck.Load() {
			if err != nil {
				t.Fatal(err)
			}
			if failAt < 20 {
				t.Fatalf("only %d steps failed", failAt)
			}
			return
		}
		if err == nil {
			// A failure that does not matter, such as one of clearing away.
			if r := mustCheck(t, "copies/copy", mem); !r.Sound() || r.End != s.end() {
				t.Errorf("step %d: the copy is %+v", failAt, r)
			}
		} else if _, err := mem.Stat("copies/copy"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("step %d: a failed backup left its folder", failAt)
		}
		if got := everything(t, s); !reflect.DeepEqual(got, want) {
			t.Errorf("step %d: the original is another", failAt)
		}
		if _, err := s.Append(context.Background(), "day-0", eventstore.Any(), numbered(1)...); err != nil {
			t.Errorf("step %d: append: %v", failAt, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("step %d: close: %v", failAt, err)
		}
		again, err := Open("ledger", quietOptions(mem))
		if err != nil {
			t.Fatal(err)
		}
		if left := leftOvers(t, mem, "ledger"); len(left) > 0 {
			t.Errorf("step %d: the data folder holds %v", failAt, left)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBackupThatDies leaves a copy as a process leaves it that dies meanwhile.
func TestBackupThatDies(t *testing.T) {
	disk := vfs.NewCrashableMem()
	var clone *vfs.MemFS
	files := errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if clone == nil && op.Kind == errorfs.OpCreate && strings.HasPrefix(op.Path, "copy/MANIFEST") {
			clone = disk.CrashClone(vfs.CrashCloneCfg{})
		}
		return nil
	}))
	s := variedLedger(t, "ledger", files)
	end := s.end()
	if err := s.Backup(context.Background(), "copy"); err != nil {
		t.Fatal(err)
	}
	if clone == nil {
		t.Fatal("no manifest was copied")
	}
	if _, err := Open("copy", quietOptions(clone)); !errors.Is(err, ErrUnfinished) {
		t.Errorf("open of the copy: %v, want ErrUnfinished", err)
	}
	if len(leftOvers(t, clone, "ledger")) == 0 {
		t.Error("there is nothing to clear away")
	}
	again, err := Open("ledger", quietOptions(clone))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if again.end() != end {
		t.Errorf("the ledger ends at %d, want %d", again.end(), end)
	}
	if left := leftOvers(t, clone, "ledger"); len(left) > 0 {
		t.Errorf("the data folder holds %v", left)
	}
}

// TestCloseEndsABackup closes while files are copied.
func TestCloseEndsABackup(t *testing.T) {
	mem := vfs.NewMem()
	reached, closed := make(chan struct{}), make(chan struct{})
	var s *Store
	var once sync.Once
	files := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasPrefix(op.Path, "copy/MANIFEST") {
			once.Do(func() {
				close(reached)
				<-s.closed
			})
		}
		return nil
	}))
	s = variedLedger(t, "ledger", files)
	go func() {
		defer close(closed)
		<-reached
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Backup(context.Background(), "copy"); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("backup: %v, want ErrClosed", err)
	}
	<-closed
	if _, err := mem.Stat("copy"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is left: %v", err)
	}
	if left := leftOvers(t, mem, "ledger"); len(left) > 0 {
		t.Errorf("the data folder holds %v", left)
	}
}

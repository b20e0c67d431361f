package embedded_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		os.Exit(child(dir))
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// small is for tests: many stores are open at once.
func small(fs vfs.FS) embedded.Options {
	return embedded.Options{FS: fs, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Logger: quiet}
}

func TestStoreInMemory(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(t testing.TB) storetest.Opener {
		fs := vfs.NewMem()
		return func() (eventstore.Store, error) { return embedded.Open("ledger", small(fs)) }
	})
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(t testing.TB) storetest.Opener {
		dir := t.TempDir()
		return func() (eventstore.Store, error) { return embedded.Open(dir, small(nil)) }
	})
}

// TestStoreThatForgets runs the suite with caches so small that streams' ends and
// subscriptions are read from the disk again and again.
func TestStoreThatForgets(t *testing.T) {
	storetest.Run(t, storetest.Features{}, func(t testing.TB) storetest.Opener {
		opts := small(vfs.NewMem())
		opts.CachedStreams, opts.TailRecords, opts.TailBytes = 1, 4, 200
		return func() (eventstore.Store, error) { return embedded.Open("ledger", opts) }
	})
}

func TestEngine(t *testing.T) {
	storetest.RunEngine(t, storetest.Features{}, func(t testing.TB) storetest.EngineOpener {
		opts := small(vfs.NewMem())
		return func(clock func() time.Time) (eventstore.Engine, error) {
			opts.Clock = clock
			return embedded.Open("ledger", opts)
		}
	})
}

// TestEngineThatForgets is TestEngine with caches that hold next to nothing.
func TestEngineThatForgets(t *testing.T) {
	storetest.RunEngine(t, storetest.Features{}, func(t testing.TB) storetest.EngineOpener {
		opts := small(vfs.NewMem())
		opts.CachedStreams, opts.TailRecords, opts.TailBytes = 1, 4, 200
		return func(clock func() time.Time) (eventstore.Engine, error) {
			opts.Clock = clock
			return embedded.Open("ledger", opts)
		}
	})
}

func open(t testing.TB, dir string, opts embedded.Options) *embedded.Store {
	t.Helper()
	s, err := embedded.Open(dir, opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestFolderInUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "ledger")
	s := open(t, dir, small(nil))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{dir, dir + "/../ledger", link} {
		if _, err := embedded.Open(same, small(nil)); !errors.Is(err, embedded.ErrInUse) {
			t.Fatalf("second open as %s: %v, want ErrInUse", same, err)
		}
	}
	// The refused opens have not taken the first one's lock away.
	if _, err := embedded.Open(dir, small(nil)); !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("open again: %v, want ErrInUse", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, link, small(nil))

	fs := vfs.NewMem()
	open(t, "ledger", small(fs))
	if _, err := embedded.Open("ledger", small(fs)); !errors.Is(err, embedded.ErrInUse) {
		t.Fatalf("second open in memory: %v, want ErrInUse", err)
	}
}

func TestFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := embedded.Open(dir, small(nil)); err == nil || errors.Is(err, embedded.ErrInUse) {
			t.Fatalf("open of %s: %v, want an error other than ErrInUse", dir, err)
		}
	}
}

// TestClockThatGoesBack requires that recorded times never do, also over a reopening.
func TestClockThatGoesBack(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 123_456_789, time.FixedZone("CET", 3600))
	now := noon
	opts := small(vfs.NewMem())
	opts.Clock = func() time.Time { return now }
	s := open(t, "ledger", opts)
	ctx := context.Background()
	var want []time.Time
	atNoon := noon.UTC().Truncate(time.Microsecond)
	for i, step := range []struct {
		clock  time.Time
		stored time.Time
	}{
		{noon, atNoon},
		{noon.Add(-time.Hour), atNoon},
		{noon.Add(time.Second), atNoon.Add(time.Second)},
		{noon, atNoon.Add(time.Second)},
	} {
		if i == 3 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, "ledger", opts)
		}
		now = step.clock
		if _, err := s.Append(ctx, "day", eventstore.Any(), benchEvent()); err != nil {
			t.Fatal(err)
		}
		want = append(want, step.stored)
	}
	i := 0
	for r, err := range s.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Recorded != want[i] {
			t.Fatalf("record %d: recorded %v, want %v", i, r.Recorded, want[i])
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("%d records, want %d", i, len(want))
	}
}

func TestStats(t *testing.T) {
	s := open(t, t.TempDir(), small(nil))
	ctx := context.Background()
	sub, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	first := []eventstore.Event{benchEvent(), benchEvent()}
	for range 2 {
		if _, err := s.Append(ctx, "day", eventstore.NoStream(), first...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Append(ctx, "day", eventstore.NoStream(), benchEvent()); !eventstore.IsConflict(err) {
		t.Fatalf("append: %v, want a conflict", err)
	}
	got := s.Stats()
	if got.Bytes < 2*uint64(len(benchData)) || got.Syncs == 0 || got.DiskBytes == 0 || got.MemoryBytes == 0 {
		t.Fatalf("stats %+v", got)
	}
	got.Bytes, got.Syncs, got.DiskBytes, got.MemoryBytes, got.Compacting = 0, 0, 0, 0, false
	want := embedded.Stats{Appends: 1, Events: 2, Groups: 1, Conflicts: 1, Retries: 1, Head: 2, Subscriptions: 1}
	if got != want {
		t.Fatalf("stats\n got %+v\nwant %+v", got, want)
	}
	_ = sub.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want.Subscriptions = 0
	got = s.Stats()
	got.Bytes = 0
	if got != want {
		t.Fatalf("stats of a closed store\n got %+v\nwant %+v", got, want)
	}
}

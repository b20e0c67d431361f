package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

func quietOptions(fs vfs.FS) Options {
	return Options{FS: fs, MemTableBytes: 1 << 20, CacheBytes: 1 << 20, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// ledgerOf makes a ledger of 3 events in "day" and 3 in "other", in turn.
func ledgerOf(t *testing.T, dir string, fs vfs.FS) {
	t.Helper()
	s, err := Open(dir, quietOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, stream := range []eventstore.StreamName{"day", "other"} {
			if _, err := s.Append(context.Background(), stream, eventstore.Any(), numbered(1)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedEntries changes what lies in the folder behind the store's back. Every
// read that touches it must fail with ErrCorrupt; none may panic or pass it over.
func TestDamagedEntries(t *testing.T) {
	change := func(key []byte, edit func([]byte) []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error {
			value, closer, err := db.Get(key)
			if err != nil {
				return err
			}
			value = edit(bytes.Clone(value))
			if err := closer.Close(); err != nil {
				return err
			}
			if value == nil {
				return db.Delete(key, pebble.Sync)
			}
			return db.Set(key, value, pebble.Sync)
		}
	}
	flip := func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
	cut := func(b []byte) []byte { return b[:len(b)/2] }
	remove := func([]byte) []byte { return nil }

	const all, stream, end, writer = "all", "stream", "open", "append"
	cases := []struct {
		name   string
		damage func(*pebble.DB) error
		caught []string
	}{
		{"record flipped", change(recordKey(3), flip), []string{all, stream}},
		{"record cut", change(recordKey(3), cut), []string{all, stream}},
		{"record missing", change(recordKey(3), remove), []string{all, stream}},
		{"first record missing", change(recordKey(1), remove), []string{all, stream}},
		{"last record flipped", change(recordKey(6), flip), []string{end}},
		{"stream entry cut", change(streamKey(1, 1), cut), []string{stream}},
		{"stream entry missing", change(streamKey(1, 1), remove), []string{stream}},
		{"stream entry of another id", change(streamKey(1, 1), flip), []string{stream}},
		{"stream entry of another place", change(streamKey(1, 1), func(b []byte) []byte { b[7] = 2; return b }), []string{stream}},
		{"stream number cut", change(appendNameKey(nil, "day"), cut), []string{stream, writer}},
		{"stream number of nothing", change(appendNameKey(nil, "day"), func(b []byte) []byte { b[7] = 5; return b }), []string{writer}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fs := vfs.NewMem()
			ledgerOf(t, "ledger", fs)
			db, err := pebble.Open("ledger", pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(c.damage(db), db.Close()); err != nil {
				t.Fatal(err)
			}
			found := map[string]error{}
			s, err := Open("ledger", quietOptions(fs))
			if found[end] = err; err == nil {
				defer func() { _ = s.Close() }()
				found[all] = errors.Join(failure(func(y func(eventstore.Record, error) bool) {
					s.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{})(y)
				}))
				if back := failure(func(y func(eventstore.Record, error) bool) {
					s.ReadAllBackwards(context.Background(), eventstore.End, eventstore.Filter{})(y)
				}); errors.Is(back, ErrCorrupt) != errors.Is(found[all], ErrCorrupt) {
					t.Errorf("read of all: %v, backwards %v", found[all], back)
				}
				if sub := subscriptionFailure(t, s); errors.Is(sub, ErrCorrupt) != errors.Is(found[all], ErrCorrupt) {
					t.Errorf("read of all: %v, subscription %v", found[all], sub)
				}
				found[stream] = failure(func(y func(eventstore.Record, error) bool) {
					s.ReadStream(context.Background(), "day", 0)(y)
				})
				_, found[writer] = s.Append(context.Background(), "day", eventstore.At(2), numbered(1)...)
			}
			for _, where := range c.caught {
				if !errors.Is(found[where], ErrCorrupt) {
					t.Errorf("%s: %v, want ErrCorrupt", where, found[where])
				}
			}
		})
	}
}

func failure(seq func(func(eventstore.Record, error) bool)) error {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

func subscriptionFailure(t *testing.T, s *Store) error {
	t.Helper()
	sub, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	for {
		b, err := sub.Next(context.Background())
		if err != nil || b.Live {
			return err
		}
	}
}

// TestDamagedFiles flips bytes all over the files of a closed ledger: it may be whole
// nevertheless, or opening or reading must say that it is damaged. It may never be
// shorter without a word.
func TestDamagedFiles(t *testing.T) {
	ledger := vfs.NewMem()
	ledgerOf(t, "ledger", ledger)
	files, err := ledger.List("ledger")
	if err != nil {
		t.Fatal(err)
	}
	refused, whole := 0, 0
	for _, file := range files {
		name := ledger.PathJoin("ledger", file)
		original := contents(t, ledger, name)
		step := max(1, len(original)/12)
		for at := 0; at < len(original); at += step {
			fs := vfs.NewMem()
			if ok, err := vfs.Clone(ledger, fs, "ledger", "ledger"); err != nil || !ok {
				t.Fatalf("clone: %v, %v", ok, err)
			}
			damaged := bytes.Clone(original)
			damaged[at] ^= 0xff
			overwrite(t, fs, name, damaged)
			count, err := examine(fs)
			if err != nil {
				refused++
				continue
			}
			whole++
			if want := map[eventstore.StreamName]int{"day": 3, "other": 3}; !maps.Equal(count, want) {
				t.Errorf("%s damaged at %d of %d: the ledger holds %v and nobody said so", file, at, len(original), count)
			}
		}
	}
	if refused == 0 || whole == 0 {
		t.Fatalf("%d refused, %d whole: the test damages nothing, or everything", refused, whole)
	}
}

// examine reads a whole ledger and appends to it.
func examine(fs vfs.FS) (map[eventstore.StreamName]int, error) {
	s, err := Open("ledger", quietOptions(fs))
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	count := map[eventstore.StreamName]int{}
	for r, err := range s.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			return nil, err
		}
		count[r.Stream]++
	}
	_, err = s.Append(context.Background(), "day", eventstore.At(2), numbered(1)...)
	return count, err
}

func contents(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return b
}

func overwrite(t testing.TB, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedLog damages the log of a ledger that was not closed, in its middle: opening
// must not take what follows for the torn end of a crash.
func TestDamagedLog(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s, err := Open(dir, quietOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	for range 40 { // several of the log's blocks of 32 KiB
		events := numbered(1)
		events[0].Data = bytes.Repeat([]byte("d"), 4<<10)
		if _, err := s.Append(context.Background(), "day", eventstore.Any(), events...); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(copied, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := 0
	for _, name := range logs {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(b, []byte("dddd")); i >= 0 {
			b[i] ^= 0xff
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			damaged++
		}
	}
	if damaged == 0 {
		t.Fatal("no log holds the ledger")
	}
	again, err := Open(copied, quietOptions(nil))
	if err == nil {
		_ = again.Close()
	}
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("open: %v, want ErrCorrupt", err)
	}
}

// TestLostEnd takes the last record away: the mark knows that it was there.
func TestLostEnd(t *testing.T) {
	fs := vfs.NewMem()
	ledgerOf(t, "ledger", fs)
	db, err := pebble.Open("ledger", pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Delete(recordKey(6), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("ledger", quietOptions(fs)); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("open: %v, want ErrCorrupt", err)
	}
	if err := fs.Remove("ledger/" + markName); err != nil {
		t.Fatal(err)
	}
	s, err := Open("ledger", quietOptions(fs))
	if err != nil {
		t.Fatalf("open without the mark: %v", err)
	}
	_ = s.Close()
}

func TestUnknownFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	ledgerOf(t, "ledger", fs)
	db, err := pebble.Open("ledger", pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set(formatKey, []byte("daybook ledger 3"), pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	// What is not a ledger at all is not made one.
	db, err = pebble.Open("foreign", pebbleOptions(fs, nil, quietOptions(fs).withDefaults()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Set([]byte("key"), nil, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"ledger", "ledger", "foreign"} { // twice: the lock is let go
		if _, err := Open(dir, quietOptions(fs)); !errors.Is(err, ErrFormat) {
			t.Fatalf("open of %s: %v, want ErrFormat", dir, err)
		}
	}
}

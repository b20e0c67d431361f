package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// variedLedger makes a ledger with all there is: streams long and short, metadata of
// every kind, deleted, recreated and ended streams, binary data, an id that stands twice.
// Some of it lies in tables and some, unless closed, in the log.
func variedLedger(t *testing.T, dir string, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(dir, quietOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	for i := range 40 {
		must(s.Append(ctx, eventstore.StreamName(fmt.Sprintf("day-%d", i%7)), eventstore.Any(), numbered(1+i%3)...))
	}
	twice := numbered(1)
	must(s.Append(ctx, "twice", eventstore.NoStream(), twice...))
	must(s.Append(ctx, "twice", eventstore.At(0), twice...))
	binary := numbered(2)
	binary[0].Binary, binary[0].Data = true, bytes.Repeat([]byte{0xff}, 40_000)
	must(s.Write(ctx, "$photos", eventstore.NoStream(), binary...))
	must(0, s.db.Flush())
	set := func(stream eventstore.StreamName, data string) {
		t.Helper()
		ev := numbered(1)
		ev[0].Data = []byte(data)
		must(s.Write(ctx, eventstore.MetadataOf(stream), eventstore.Any(), ev...))
	}
	set("day-1", `{"$maxCount":2}`)
	set("day-1", `{"$maxCount":3,"$maxAge":1000}`)
	set("day-2", `{"$tb":4}`)
	set("$$day-2", `{"$maxCount":4}`)
	set("never", `{"$maxCount":4}`)
	must(s.Delete(ctx, "day-3", eventstore.Any()))
	must(s.Delete(ctx, "day-4", eventstore.Any()))
	must(s.Append(ctx, "day-4", eventstore.NoStream(), numbered(2)...))
	must(s.Tombstone(ctx, "day-5", eventstore.Any()))
	must(s.Tombstone(ctx, "unborn", eventstore.NoStream()))
	return s
}

// whole reads everything there is, in every way, into one value.
func whole(t testing.TB, s *Store) (map[string][]eventstore.Record, error) {
	t.Helper()
	all := map[string][]eventstore.Record{}
	var failed error
	take := func(what string, seq func(func(eventstore.Record, error) bool)) {
		for r, err := range seq {
			if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
				all[what+" "+err.Error()] = nil
			} else if err != nil {
				failed = err
				return
			}
			all[what] = append(all[what], r)
		}
	}
	ctx := context.Background()
	take("all", s.ReadAll(ctx, eventstore.Start, eventstore.Everything()))
	var streams []eventstore.StreamName
	for _, r := range all["all"] {
		if !slices.Contains(streams, r.Stream) {
			streams = append(streams, r.Stream)
		}
	}
	for _, name := range streams {
		take(string(name), s.ReadStream(ctx, name, 0))
		take(string(name)+" backwards", s.ReadStreamBackwards(ctx, name, eventstore.Last))
		// The writer sees the same.
		_, err := s.Append(ctx, name, eventstore.At(1<<40), numbered(1)...)
		all[fmt.Sprintf("%s: %v", name, err)] = nil
		if errors.Is(err, ErrCorrupt) {
			failed = err
		}
	}
	return all, failed
}

func mustCheck(t testing.TB, dir string, fs vfs.FS) Report {
	t.Helper()
	r, err := Check(context.Background(), dir, quietOptions(fs), nil)
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	return r
}

func TestCheckOfASoundLedger(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := variedLedger(t, "ledger", fs)
	if _, err := Check(context.Background(), "ledger", quietOptions(fs), nil); !errors.Is(err, ErrInUse) {
		t.Fatalf("check of an open ledger: %v, want ErrInUse", err)
	}
	head := s.end()
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want := Report{
		Records: uint64(head), End: head, Tombstones: 2,
		Streams: 7 + 1 + 1 + 6 + 1, // days, twice, photos, streams of metadata, unborn
		Limited: 5,                 // and never, which has no event and so no name
	}
	for name, fs := range map[string]vfs.FS{"closed": fs, "crashed": crashed} {
		before := filesOf(t, fs, "ledger")
		var told [][2]uint64
		got, err := Check(context.Background(), "ledger", quietOptions(fs), func(done, total uint64) {
			told = append(told, [2]uint64{done, total})
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.Tables == 0 || got.TableBytes == 0 {
			t.Errorf("%s: %d tables of %d bytes were verified", name, got.Tables, got.TableBytes)
		}
		got.Tables, got.TableBytes = 0, 0
		if !reflect.DeepEqual(got, want) || !got.Sound() {
			t.Errorf("%s: %+v\nwant %+v", name, got, want)
		}
		if len(told) == 0 || told[len(told)-1] != [2]uint64{4 * uint64(head), 4 * uint64(head)} {
			t.Errorf("%s: progress %v", name, told)
		}
		if after := filesOf(t, fs, "ledger"); !reflect.DeepEqual(after, before) {
			t.Errorf("%s: the check changed the folder", name)
		}
	}
}

func filesOf(t testing.TB, fs vfs.FS, dir string) map[string]string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range names {
		files[name] = string(contents(t, fs, fs.PathJoin(dir, name)))
	}
	return files
}

func TestCheckOfNoLedger(t *testing.T) {
	ctx := context.Background()
	if _, err := Check(ctx, t.TempDir()+"/nowhere", quietOptions(nil), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no folder: %v", err)
	}
	if _, err := Check(ctx, t.TempDir(), quietOptions(nil), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty folder: %v", err)
	}
	dir := t.TempDir()
	ledgerOf(t, dir, nil)
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Check(done, dir, quietOptions(nil), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
	if r := mustCheck(t, dir, nil); !r.Sound() || r.Records != 6 || r.Streams != 2 {
		t.Errorf("on a disk: %+v", r)
	}
	if err := os.WriteFile(dir+"/"+unfinishedName, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Check(ctx, dir, quietOptions(nil), nil); !errors.Is(err, ErrUnfinished) {
		t.Errorf("of an unfinished backup: %v", err)
	}
	if _, err := Open(dir, quietOptions(nil)); !errors.Is(err, ErrUnfinished) {
		t.Errorf("open of an unfinished backup: %v", err)
	}
	mem := vfs.NewMem()
	ledgerOf(t, "ledger", mem)
	edit(t, mem, func(db *pebble.DB) error { return db.Set(formatKey, []byte("daybook ledger 3"), pebble.Sync) })
	if _, err := Check(ctx, "ledger", quietOptions(mem), nil); !errors.Is(err, ErrFormat) {
		t.Errorf("of another format: %v", err)
	}
}

// entriesOf returns every entry of the folder "ledger".
func entriesOf(t *testing.T, fs vfs.FS) (keys, values [][]byte) {
	t.Helper()
	edit(t, fs, func(db *pebble.DB) error {
		it, err := db.NewIter(nil)
		if err != nil {
			return err
		}
		for ok := it.First(); ok; ok = it.Next() {
			keys, values = append(keys, bytes.Clone(it.Key())), append(values, bytes.Clone(it.Value()))
		}
		return it.Close()
	})
	return keys, values
}

// TestCheckFindsEveryDamagedEntry removes, flips, cuts and moves each entry in turn. The
// blocks' checksums are right then: only what the entries say of each other tells.
func TestCheckFindsEveryDamagedEntry(t *testing.T) {
	ledger := vfs.NewMem()
	if err := variedLedger(t, "ledger", ledger).Close(); err != nil {
		t.Fatal(err)
	}
	keys, values := entriesOf(t, ledger)
	rng := rand.New(rand.NewPCG(3, 2026))
	damages := map[string]func(db *pebble.DB, key, value []byte) error{
		"removed": func(db *pebble.DB, key, _ []byte) error { return db.Delete(key, pebble.Sync) },
		"flipped": func(db *pebble.DB, key, value []byte) error {
			value = bytes.Clone(value)
			value[rng.IntN(len(value))] ^= 1 << rng.IntN(8)
			return db.Set(key, value, pebble.Sync)
		},
		"cut": func(db *pebble.DB, key, value []byte) error { return db.Set(key, value[:len(value)-1], pebble.Sync) },
		"moved": func(db *pebble.DB, key, value []byte) error {
			to := bytes.Clone(key)
			to[rng.IntN(len(to))] ^= 1 << rng.IntN(8)
			return errors.Join(db.Delete(key, pebble.Sync), db.Set(to, value, pebble.Sync))
		},
		"doubled": func(db *pebble.DB, key, value []byte) error {
			to := bytes.Clone(key)
			to[len(to)-1-rng.IntN(min(8, len(to)))] ^= 1 << rng.IntN(8)
			return db.Set(to, value, pebble.Sync)
		},
	}
	for name, damage := range damages {
		step := 40
		if os.Getenv("DAYBOOK_SOAK") == "1" {
			step = 1
		}
		for i := rng.IntN(step); i < len(keys); i += step {
			fs := cloned(t, ledger)
			edit(t, fs, func(db *pebble.DB) error { return damage(db, keys[i], values[i]) })
			after, changed := entriesOf(t, fs)
			if reflect.DeepEqual(after, keys) && reflect.DeepEqual(changed, values) {
				continue // it hit an entry that said so already
			}
			r, err := Check(context.Background(), "ledger", quietOptions(fs), nil)
			if err == nil && r.Sound() {
				t.Errorf("entry %q %s: the check found nothing", keys[i], name)
			}
			if err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("entry %q %s: %v", keys[i], name, err)
			}
		}
	}
}

func cloned(t testing.TB, from vfs.FS) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if ok, err := vfs.Clone(from, fs, "ledger", "ledger"); err != nil || !ok {
		t.Fatalf("clone: %v, %v", ok, err)
	}
	return fs
}

// TestCheckFindsEveryDamagedByte flips bytes all over the files: the check finds it, or
// all that can be read is as it was.
func TestCheckFindsEveryDamagedByte(t *testing.T) {
	ledger := vfs.NewMem()
	if err := variedLedger(t, "ledger", ledger).Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open("ledger", quietOptions(cloned(t, ledger)))
	if err != nil {
		t.Fatal(err)
	}
	want, err := whole(t, s)
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	flips := 8
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		flips = 2000
	}
	rng := rand.New(rand.NewPCG(21, 2026))
	found, harmless := 0, 0
	for name, original := range filesOf(t, ledger, "ledger") {
		for range min(flips, len(original)) {
			fs := cloned(t, ledger)
			damaged := []byte(original)
			at, bit := rng.IntN(len(damaged)), rng.IntN(8)
			damaged[at] ^= 1 << bit
			overwrite(t, fs, fs.PathJoin("ledger", name), damaged)
			r, err := Check(context.Background(), "ledger", quietOptions(fs), nil)
			if err != nil || !r.Sound() {
				found++
				continue
			}
			harmless++
			s, err := Open("ledger", quietOptions(fs))
			if err != nil {
				t.Errorf("%s, bit %d of byte %d of %d: the check found nothing, open: %v", name, bit, at, len(original), err)
				continue
			}
			got, err := whole(t, s)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, bit %d of byte %d of %d: the check found nothing, and the ledger is another (%v)", name, bit, at, len(original), err)
			}
			_ = s.Close()
		}
	}
	t.Logf("%d flips found, %d harmless", found, harmless)
	if found == 0 {
		t.Fatal("nothing was found")
	}
}

// TestCheckListsABoundedNumber damages more than a report holds.
func TestCheckListsABoundedNumber(t *testing.T) {
	fs := vfs.NewMem()
	s, err := Open("ledger", quietOptions(fs))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(context.Background(), "day", eventstore.NoStream(), numbered(500)...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, fs, func(db *pebble.DB) error {
		return db.DeleteRange([]byte{idPrefix}, []byte{idPrefix + 1}, pebble.Sync)
	})
	r := mustCheck(t, "ledger", fs)
	if len(r.Faults) != MaxFaults || r.Further != 500-MaxFaults || r.Records != 500 {
		t.Fatalf("%d faults, %d more, %d records", len(r.Faults), r.Further, r.Records)
	}
	if want := "is not found by its id"; !strings.Contains(r.Faults[0], want) {
		t.Fatalf("%q does not say %q", r.Faults[0], want)
	}
}

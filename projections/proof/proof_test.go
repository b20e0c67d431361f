package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/projections"
)

// treeHash is RFC 6962's definition, word for word.
func treeHash(leaves []Hash) Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return leaves[0]
	default:
		k := 1
		for k*2 < n {
			k *= 2
		}
		left, right := treeHash(leaves[:k]), treeHash(leaves[k:])
		return sha256.Sum256(append(append([]byte{1}, left[:]...), right[:]...))
	}
}

func TestTheLogIsRFC6962s(t *testing.T) {
	records := book(70, 1)
	all := leaves(t, records)
	v := open(t, options(t))
	defer closed(t, v)
	var e edge
	for i := range all {
		if got, want := e.root(uint64(i)), treeHash(all[:i]); got != want {
			t.Fatalf("edge of %d: %s, want %s", i, got, want)
		}
		e.add(uint64(i), all[i], nil)
	}
	fill(t, v, records, 9)
	log := v.Log()
	heads := make([]Head, len(all)+1)
	for n := range heads {
		root, err := log.Root(uint64(n))
		if want := treeHash(all[:n]); err != nil || root != want {
			t.Fatalf("root of %d: %s (%v), want %s", n, root, err, want)
		}
		heads[n] = Head{Size: uint64(n), Root: root}
	}
	for n := range heads {
		for i := range n {
			p, err := log.Inclusion(uint64(i), uint64(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckInclusion(heads[n], uint64(i), all[i], p); err != nil {
				t.Fatalf("leaf %d in %d: %v", i, n, err)
			}
			if err := CheckInclusion(heads[n], uint64(i), all[(i+1)%70], p); err == nil {
				t.Fatalf("another leaf at %d in %d holds", i, n)
			}
			c, err := log.Consistency(uint64(i), uint64(n))
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckConsistency(heads[i], heads[n], c); err != nil {
				t.Fatalf("%d in %d: %v", i, n, err)
			}
			if i > 0 {
				other := heads[i]
				other.Root[3]++
				if err := CheckConsistency(other, heads[n], c); err == nil {
					t.Fatalf("another head of %d in %d holds", i, n)
				}
			}
		}
	}
	for i, r := range records {
		if index, err := log.IndexOf(r.ID); err != nil || index != uint64(i) {
			t.Errorf("index of %d: %d, %v", i, index, err)
		}
		want := Entry{Index: uint64(i), Leaf: all[i], ID: r.ID, Stream: r.Stream, Revision: r.Revision, Position: r.Position}
		if e, err := log.Entry(uint64(i)); err != nil || e != want {
			t.Errorf("entry %d: %+v, %v", i, e, err)
		}
	}
	for what, err := range map[string]error{
		"index":       second(log.Entry(70)),
		"root":        second(log.Root(71)),
		"inclusion":   second(log.Inclusion(10, 10)),
		"too large":   second(log.Inclusion(10, 71)),
		"backwards":   second(log.Consistency(10, 9)),
		"consistency": second(log.Consistency(10, 71)),
	} {
		if !errors.Is(err, ErrSize) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := log.IndexOf(eventstore.EventID{1}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown event: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// A process that is killed at any moment leaves a log of some prefix, with its checkpoint,
// and it ends up as if nothing had been.
func TestALogThatIsKilled(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 3))
		records := book(300, seed)
		all := leaves(t, records)
		o := options(t)
		files := vfs.NewCrashableMem()
		o.FS = files
		v := open(t, o)
		fill(t, v, records[:100+rng.IntN(200)], 1+rng.IntN(40))
		after := files.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		closed(t, v)

		o.FS = after
		again := open(t, o)
		size := again.Log().Size()
		if root, err := again.Log().Root(size); err != nil || root != treeHash(all[:size]) {
			t.Fatalf("seed %d: after the kill the root of %d is %s, %v", seed, size, root, err)
		}
		place, _ := again.Checkpoint(t.Context())
		at := place.Position
		if want := positionOf(records, size); at != want {
			t.Fatalf("seed %d: %d leaves up to %d, want up to %d", seed, size, at, want)
		}
		fill(t, again, records[size:], 64)
		if root, err := again.Log().Root(300); err != nil || root != treeHash(all) {
			t.Errorf("seed %d: in the end the root is %s, %v", seed, root, err)
		}
		closed(t, again)
	}
}

func positionOf(records []eventstore.Record, size uint64) eventstore.Position {
	if size == 0 {
		return eventstore.Start
	}
	return records[size-1].Position
}

// What comes again adds nothing, and the engine's own leaves no leaf but a checkpoint.
func TestWhatComesAgain(t *testing.T) {
	records := book(40, 2)
	v := open(t, options(t))
	defer closed(t, v)
	fill(t, v, records[:30], 30)
	fill(t, v, records[:30], 30)
	if err := v.Apply(t.Context(), eventstore.Batch{Records: records[20:], Position: records[39].Position}); err != nil {
		t.Fatal(err)
	}
	if err := v.Apply(t.Context(), eventstore.Batch{Position: 5000, Live: true}); err != nil {
		t.Fatal(err)
	}
	place, _ := v.Checkpoint(t.Context())
	at := place.Position
	if root, err := v.Log().Root(40); err != nil || root != treeHash(leaves(t, records)) || v.Log().Size() != 40 || at != 5000 {
		t.Errorf("%d leaves up to %d, root %s, %v", v.Log().Size(), at, root, err)
	}
	bad := records[0]
	bad.Stream, bad.Position = "$settings", 5001
	if err := v.Apply(t.Context(), eventstore.Batch{Records: []eventstore.Record{bad}, Position: 5001}); err == nil || errors.Is(err, projections.ErrCorrupt) {
		t.Errorf("a record that has no leaf: %v; it must not be left out", err)
	}
}

func TestRebuild(t *testing.T) {
	records := book(200, 4)
	o := options(t)
	o.Store = ledger{records: records}
	v := open(t, o)
	fill(t, v, records[:150], 50)
	head := sign(t, v)
	old := v.Log()
	first, err := v.Rebuild(t.Context(), "build 1")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, first.View, records[:60], 7)
	// The same build goes on, another begins anew, and whoever fed the one before is told.
	again, err := v.Rebuild(t.Context(), "build 1")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := again.View.Checkpoint(t.Context()); at.Position != records[59].Position {
		t.Errorf("goes on from %d", at.Position)
	}
	b := eventstore.Batch{Records: records[60:70], Position: records[69].Position}
	if err := first.View.Apply(t.Context(), b); !errors.Is(err, projections.ErrMoved) {
		t.Errorf("the first: %v", err)
	}
	build, err := v.Rebuild(t.Context(), "build 2")
	if err != nil {
		t.Fatal(err)
	}
	if at, _ := build.View.Checkpoint(t.Context()); at.Position != 0 {
		t.Errorf("another build goes on from %d", at.Position)
	}
	fill(t, build.View, records[:120], 7)
	compared, err := build.Compare(t.Context())
	if want := []projections.Compared{{What: "leaves", Entries: 150}}; err != nil || !reflect.DeepEqual(compared, want) {
		t.Errorf("compared: %+v, %v", compared, err)
	}
	if err := build.Swap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v.Log().Size() != 150 || v.Log() == old {
		t.Errorf("the new log has %d", v.Log().Size())
	}
	// Whoever reads the old one can end.
	if root, err := old.Root(150); err != nil || root != head.Root {
		t.Errorf("the old log: %s, %v", root, err)
	}
	rest := eventstore.Batch{Records: records[150:], Position: records[199].Position, Live: true}
	if err := v.Apply(t.Context(), rest); !errors.Is(err, projections.ErrMoved) {
		t.Errorf("who feeds it is not told: %v", err)
	}
	fill(t, v, records[150:], 80)
	if root, err := v.Log().Root(200); err != nil || root != treeHash(leaves(t, records)) || v.Fault() != nil {
		t.Errorf("in the end: %s, %v, %v", root, err, v.Fault())
	}
	kept, err := v.Kept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := kept.Swap(t.Context()); err != nil {
		t.Fatal(err)
	}
	abandoned, err := v.Rebuild(t.Context(), "build 3")
	if err != nil {
		t.Fatal(err)
	}
	fill(t, abandoned.View, records[:10], 10)
	if err := abandoned.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	reopened := open(t, o)
	defer closed(t, reopened)
	if root, err := reopened.Log().Root(200); err != nil || root != treeHash(leaves(t, records)) {
		t.Errorf("opened again: %s, %v", root, err)
	}
	count := 0
	for _, err := range reopened.Log().Entries() {
		if err != nil {
			t.Fatal(err)
		}
		count++
	}
	if count != 200 {
		t.Errorf("%d entries", count)
	}
}

func TestOpenLog(t *testing.T) {
	o := options(t)
	o.FS, o.Dir = nil, filepath.Join(t.TempDir(), "proof")
	if _, err := OpenLog(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no log: %v", err)
	}
	records := book(30, 7)
	v := open(t, o)
	fill(t, v, records, 30)
	closed(t, v)
	log, err := OpenLog(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if root, err := log.Root(30); err != nil || root != treeHash(leaves(t, records)) {
		t.Errorf("%s, %v", root, err)
	}
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	v = open(t, o)
	if err := v.db.Set(generationsKey, bytes.Repeat([]byte{99}, 16), nil); err != nil {
		t.Fatal(err)
	}
	closed(t, v)
	if _, err := Open(o); !errors.Is(err, ErrFormat) {
		t.Errorf("a newer format: %v", err)
	}
}

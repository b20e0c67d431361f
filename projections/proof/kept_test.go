package proof

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestKeptHeadsAreThinnedOut signs far more heads than are kept. The newest is always there,
// the others are of what was signed, in their order, and the file does not grow with them.
func TestKeptHeadsAreThinnedOut(t *testing.T) {
	const most, signed = 16, 1000
	path := filepath.Join(t.TempDir(), "checkpoints.txt")
	if err := os.WriteFile(path+".thinned", []byte("of a process that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	reopen := func() *keptHeads {
		k, err := openHeads(path, testKey(t).Verifier())
		if err != nil {
			t.Fatal(err)
		}
		k.most = most
		return k
	}
	k := reopen()
	for size := uint64(1); size <= signed; size++ {
		h, err := testKey(t).Sign(size, Hash{byte(size), byte(size >> 8)})
		if err != nil {
			t.Fatal(err)
		}
		if err := k.keep(h); err != nil {
			t.Fatal(err)
		}
		if size%97 == 0 {
			if err := k.close(); err != nil {
				t.Fatal(err)
			}
			k = reopen()
		}
		if !reflect.DeepEqual(k.newest, h) {
			t.Fatalf("after %d the newest is %d", size, k.newest.Size)
		}
		kept, err := k.heads()
		if err != nil || len(kept) != k.count || len(kept) > most || !reflect.DeepEqual(kept[len(kept)-1], h) {
			t.Fatalf("after %d: %d heads are kept of %d counted, %v", size, len(kept), k.count, err)
		}
	}
	if err := k.close(); err != nil {
		t.Fatal(err)
	}
	heads, others, err := KeptHeads(path, testKey(t).Verifier())
	if err != nil || others != 0 || len(heads) < most/2 {
		t.Fatalf("%d heads and %d others, %v", len(heads), others, err)
	}
	last := uint64(0)
	for _, h := range heads {
		if h.Size <= last || h.Root != (Hash{byte(h.Size), byte(h.Size >> 8)}) {
			t.Errorf("a head of %d with root %v stands after one of %d", h.Size, h.Root, last)
		}
		last = h.Size
	}
	other, err := NewKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if mine, others, err := KeptHeads(path, other.Verifier()); err != nil || len(mine) != 0 || others != len(heads) {
		t.Errorf("with another key: %d heads and %d others, %v", len(mine), others, err)
	}
}

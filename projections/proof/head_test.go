package proof

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

func TestHeads(t *testing.T) {
	records := book(90, 3)
	all := leaves(t, records)
	o := options(t)
	v := open(t, o)
	if _, some := v.Newest(); some {
		t.Error("a new log has a head")
	}
	var want []Head
	for _, size := range []int{0, 30, 31, 90} {
		if n := int(v.Log().Size()); size > n {
			fill(t, v, records[n:size], 10)
		}
		h := sign(t, v)
		if h.Size != uint64(size) || h.Root != treeHash(all[:size]) || h.Origin != testKey(t).Verifier().Name() {
			t.Fatalf("signed %+v of %d", h, size)
		}
		opened, err := v.Verifier().Open(h.Note)
		if err != nil || !reflect.DeepEqual(opened, h) {
			t.Fatalf("opened %+v, %v", opened, err)
		}
		want = append(want, h)
	}
	// What is covered already is not signed again.
	if again, err := v.Sign(t.Context(), 12); err != nil || !reflect.DeepEqual(again, want[3]) {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := v.Sign(t.Context(), 91); !errors.Is(err, ErrSize) {
		t.Errorf("more than there is: %v", err)
	}
	closed(t, v)

	text, err := os.ReadFile(o.Heads)
	if err != nil {
		t.Fatal(err)
	}
	notes, err := SplitHeads(bytes.NewReader(bytes.TrimSpace(text)))
	var got []Head
	for _, n := range notes {
		h, err := testKey(t).Verifier().Open(n)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("kept %+v, %v", got, err)
	}

	// Half a head at the end was shown to nobody, whatever its other half came to.
	for cut := range 100 {
		torn := append(bytes.Clone(text), want[3].Note[:cut]...)
		if cut%2 == 1 {
			torn = append(torn, make([]byte, len(want[3].Note)-cut)...)
		}
		if err := os.WriteFile(o.Heads, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := openHeads(o.Heads, testKey(t).Verifier())
		if err != nil || !reflect.DeepEqual(k.newest, want[3]) {
			t.Fatalf("with %d bytes more: %v", cut, err)
		}
		if err := k.close(); err != nil {
			t.Error(err)
		}
		if now, _ := os.ReadFile(o.Heads); !bytes.Equal(now, text) {
			t.Fatalf("with %d bytes more: %d are left of %d", cut, len(now), len(text))
		}
	}
	for what, content := range map[string]string{
		"another's":        "Greetings\n\n",
		"without the size": strings.Replace(string(text), "\n90\n", "\n", 1),
		"altered":          strings.Replace(string(text), "\n90\n", "\n91\n", 1),
	} {
		if err := os.WriteFile(o.Heads, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(o); err == nil {
			t.Errorf("%s: the heads were taken", what)
		}
		if now, _ := os.ReadFile(o.Heads); string(now) != content {
			t.Errorf("%s: the file was changed", what)
		}
	}
}

func TestCheckpointsThatDoNotHold(t *testing.T) {
	h, err := testKey(t).Sign(7, Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	note := string(h.Note)
	for what, c := range map[string]struct {
		note string
		want error
	}{
		"nothing":            {"", ErrNote},
		"no signature":       {strings.SplitAfter(note, "\n\n")[0], ErrSignature},
		"another size":       {strings.Replace(note, "\n7\n", "\n8\n", 1), ErrSignature},
		"a size with a nil":  {strings.Replace(note, "\n7\n", "\n07\n", 1), ErrNote},
		"a negative size":    {strings.Replace(note, "\n7\n", "\n-7\n", 1), ErrNote},
		"too large a size":   {strings.Replace(note, "\n7\n", "\n9223372036854775808\n", 1), ErrNote},
		"a size without end": {strings.Replace(note, "\n7\n", "\n4611686018427387905\n", 1), ErrNote},
		"another root":       {strings.Replace(note, h.Root.String(), Hash{2}.String(), 1), ErrSignature},
		"half a root":        {strings.Replace(note, h.Root.String(), "AAAA", 1), ErrNote},
		"another origin":     {strings.Replace(note, h.Origin+"\n", "example.com/log\n", 1), ErrSignature},
	} {
		if _, err := testKey(t).Verifier().Open([]byte(c.note)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if _, err := other.Verifier().Open(h.Note); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, err := NewKey(make([]byte, 31)); err == nil {
		t.Error("a short secret is a key")
	}
	if _, err := ParseVerifier(other.Verifier().String() + "x"); err == nil {
		t.Error("an altered verifier key is one")
	}
	if again, err := ParseVerifier(other.Verifier().String()); err != nil || again.Name() != other.Verifier().Name() {
		t.Errorf("%v, %v", again, err)
	}
}

// A log that is ahead of a ledger which was restored to an earlier state is built again: what
// was lost is not signed, and heads of it are missed.
func TestLogOfARestoredLedger(t *testing.T) {
	records := book(60, 8)
	o := options(t)
	o.Store = ledger{records: records}
	v := open(t, o)
	fill(t, v, records[:40], 50)
	sign(t, v)
	fill(t, v, records[40:], 50)
	closed(t, v)

	v = open(t, o)
	if n := v.Log().Size(); n != 60 || v.Fault() != nil {
		t.Errorf("the ledger's own log was dropped: %d events, %v", n, v.Fault())
	}
	closed(t, v)

	shifted := slices.Clone(records)
	for i := range shifted {
		shifted[i].Position++
	}
	o.Store = ledger{records: shifted}
	v = open(t, o)
	if n := v.Log().Size(); n != 0 {
		t.Errorf("of a ledger with other positions: the log goes on with %d events", n)
	}
	fill(t, v, records, 50)
	closed(t, v)

	for size, fault := range map[int]bool{50: false, 30: true} {
		o.Store = ledger{records: records[:size]}
		v = open(t, o)
		if at, _ := v.Checkpoint(t.Context()); at.Position != 0 || v.Log().Size() != 0 {
			t.Errorf("of %d: the log goes on from %d with %d events", size, at.Position, v.Log().Size())
		}
		fill(t, v, records[:size], 50)
		if got := v.Fault() != nil; got != fault {
			t.Errorf("of %d: %v", size, v.Fault())
		}
		fill(t, v, records[size:], 50)
		closed(t, v)
	}
}

// A receipt by whoever has the key may name any size: it is judged at once.
func TestLargestHead(t *testing.T) {
	h, err := testKey(t).Sign(maxSize, Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := testKey(t).Verifier().Open(h.Note); err != nil || opened.Size != maxSize {
		t.Fatalf("%+v, %v", opened, err)
	}
	if err := CheckInclusion(h, maxSize-1, Hash{2}, make([]Hash, 62)); err == nil {
		t.Error("a proof of nothing holds")
	}
	if err := CheckConsistency(Head{Size: 5}, h, make([]Hash, 62)); err == nil {
		t.Error("a proof of nothing holds")
	}
}

// A ledger that is not the one that was signed is not signed any more, and says so.
func TestNothingIsSignedOverAFork(t *testing.T) {
	original := book(100, 5)
	o := options(t)
	v := open(t, o)
	for _, size := range []int{20, 60, 100} {
		fill(t, v, original[v.Log().Size():size], 50)
		sign(t, v)
	}
	closed(t, v)
	kept, _ := os.ReadFile(o.Heads)

	altered := slices.Clone(original)
	altered[33].Data = []byte(`{}`)
	for what, c := range map[string]struct {
		ledger []eventstore.Record
		want   ForkError
	}{
		"altered": {altered, ForkError{Size: 100, From: 20, To: 60}},
		"shorter": {original[:80], ForkError{Size: 80, From: 60, To: 100}},
		"empty":   {nil, ForkError{From: 0, To: 20}},
		"dropped, and longer again": {
			append(slices.Clone(original[:99]), book(130, 6)[99:]...), ForkError{Size: 130, From: 60, To: 100},
		},
	} {
		o.FS = vfs.NewMem()
		v := open(t, o)
		if _, err := v.Sign(t.Context(), 0); !errors.Is(err, nil) {
			t.Errorf("%s: what was signed is not shown before anything is known: %v", what, err)
		}
		if _, err := v.sign(0); !errors.Is(err, ErrBuilding) {
			t.Errorf("%s: signed while the log is built: %v", what, err)
		}
		fill(t, v, c.ledger, 200)
		if len(c.ledger) == 0 {
			if err := v.Apply(t.Context(), eventstore.Batch{Position: 1, Live: true}); err != nil {
				t.Fatal(err)
			}
		}
		var fork *ForkError
		if !errors.As(v.Fault(), &fork) {
			t.Errorf("%s: %v", what, v.Fault())
			continue
		}
		c.want.Signed, _ = v.Newest()
		if !reflect.DeepEqual(*fork, c.want) {
			t.Errorf("%s: %+v, want %+v", what, *fork, c.want)
		}
		for _, covering := range []uint64{0, v.Log().Size()} {
			if _, err := v.Sign(t.Context(), covering); !errors.As(err, &fork) {
				t.Errorf("%s: signed: %v", what, err)
			}
		}
		if _, err := v.SignedWithin(t.Context(), time.Hour); !errors.As(err, &fork) {
			t.Errorf("%s: signed: %v", what, err)
		}
		ctx, end := context.WithCancel(t.Context())
		end()
		v.KeepSigning(ctx, time.Hour)
		closed(t, v)
		if now, _ := os.ReadFile(o.Heads); !bytes.Equal(now, kept) {
			t.Errorf("%s: something was signed", what)
		}
		// It is still so for the next process.
		again := open(t, o)
		if err := again.Apply(t.Context(), eventstore.Batch{Position: 9000, Live: true}); err != nil {
			t.Fatal(err)
		}
		if !errors.As(again.Fault(), &fork) {
			t.Errorf("%s: the next process: %v", what, again.Fault())
		}
		closed(t, again)
	}
	// The one that was signed can go on, also where it comes to its size by and by.
	o.FS = vfs.NewMem()
	v = open(t, o)
	defer closed(t, v)
	fill(t, v, original[:80], 40)
	if v.Fault() == nil {
		t.Error("a ledger shorter than what was signed passes")
	}
	fill(t, v, append(slices.Clone(original), book(120, 5)[100:]...)[80:], 40)
	if h := sign(t, v); h.Size != 120 || v.Fault() != nil {
		t.Errorf("signed %d, %v", h.Size, v.Fault())
	}
}

// A last head is signed at the end, and ones in between.
func TestKeepSigning(t *testing.T) {
	records := book(10, 8)
	o := options(t)
	v := open(t, o)
	defer closed(t, v)
	fill(t, v, records[:4], 4)
	ctx, end := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { v.KeepSigning(ctx, time.Millisecond); close(done) }()
	for deadline := time.Now().Add(10 * time.Second); ; {
		if h, some := v.Newest(); some && h.Size == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no head was signed")
		}
		time.Sleep(time.Millisecond)
	}
	fill(t, v, records[4:], 6)
	end()
	<-done
	if h, _ := v.Newest(); h.Size != 10 {
		t.Errorf("the last head is of %d", h.Size)
	}
	text, _ := os.ReadFile(o.Heads)
	if n := strings.Count(string(text), "\n\n"); n < 2 || n > 3 {
		t.Errorf("%d heads were signed of a log that grew once", n)
	}
}

// FuzzSplitHeads holds that whatever is split is whole, and that nothing panics.
func FuzzSplitHeads(f *testing.F) {
	k, err := NewKey(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	h, _ := k.Sign(3, Hash{})
	f.Add(append(bytes.Clone(h.Note), h.Note...))
	f.Add([]byte("a\n1\n\n— x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		notes, _ := SplitHeads(io.NopCloser(bytes.NewReader(text)))
		for _, n := range notes {
			if _, err := ParseHead(n); err != nil {
				t.Fatalf("%q: %v", n, err)
			}
		}
	})
}

package proof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/canon"
)

// alteration is what somebody did to a copy of a book.
type alteration struct {
	what    string
	altered []eventstore.Record
	kind    Kind
}

// alter draws one.
func alter(rng *rand.Rand, book []eventstore.Record) alteration {
	all := slices.Clone(book)
	i := rng.IntN(len(all))
	flip := func(b []byte) []byte {
		b = bytes.Clone(b)
		b[rng.IntN(len(b))] ^= 1 << rng.UintN(8)
		return b
	}
	r := &all[i]
	switch which := rng.IntN(12); which {
	case 0:
		r.Data = flip(r.Data)
		return alteration{"a bit of data", all, Altered}
	case 1:
		r.Metadata = flip(r.Metadata)
		return alteration{"a bit of metadata", all, Altered}
	case 2:
		r.Type = string(flip([]byte(r.Type)))
		if r.Type[0] == '$' {
			return alteration{"a type that became the engine's", all, Dropped}
		}
		return alteration{"a bit of the type", all, Altered}
	case 3:
		copy(r.ID[:], flip(r.ID[:]))
		return alteration{"a bit of the id", all, Altered}
	case 4:
		r.Stream = eventstore.StreamName(flip([]byte(r.Stream)))
		if r.Stream[0] == '$' {
			return alteration{"a stream that became the engine's", all, Dropped}
		}
		return alteration{"a bit of the stream's name", all, Altered}
	case 5:
		r.Revision ^= 1 << rng.UintN(16)
		return alteration{"the revision", all, Altered}
	case 6:
		r.Binary = true
		return alteration{"the binary flag", all, Altered}
	case 7:
		return alteration{"dropped", slices.Delete(all, i, i+1), Dropped}
	case 8:
		fresh := *r
		fresh.ID[0] ^= 0xff
		fresh.Data = []byte(`{"number":1}`)
		return alteration{"a new one", slices.Insert(all, i, fresh), Inserted}
	case 9:
		return alteration{"a copy", slices.Insert(all, rng.IntN(len(all)+1), *r), Inserted}
	case 10:
		j := rng.IntN(len(all))
		if i == j {
			j = (i + 1) % len(all)
		}
		all[i], all[j] = all[j], all[i]
		return alteration{"two swapped", all, Moved}
	default:
		return alteration{"the end dropped", all[:i], Dropped}
	}
}

// firstDifference is where two books part, found without the package's help.
func firstDifference(t *testing.T, a, b []eventstore.Record) int {
	t.Helper()
	x, y := leaves(t, a), leaves(t, b)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return i
		}
	}
	return min(len(x), len(y))
}

func passing(records []eventstore.Record) (all []eventstore.Record) {
	for _, r := range records {
		if (eventstore.Filter{}).Passes(r.Stream, r.Type) {
			all = append(all, r)
		}
	}
	return all
}

func TestEveryAlterationIsFoundAndNamed(t *testing.T) {
	const size = 120
	alterations := 600
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		alterations = 100_000
	}
	original := book(size, 1)
	v := open(t, options(t))
	defer closed(t, v)
	var heads []Head
	for at := 0; at < size; at += 40 {
		fill(t, v, original[at:at+40], 17)
		heads = append(heads, sign(t, v))
	}
	if v, err := Verify(source(original), Against{Heads: heads, Log: v.Log()}); err != nil || !reflect.DeepEqual(v, Verified{
		Size: size, Root: heads[2].Root, Held: 3, Covered: size, LogSize: size,
	}) {
		t.Fatalf("the book as it was: %+v, %v", v, err)
	}
	kinds := map[string]int{}
	for seed := range uint64(alterations) {
		a := alter(rand.New(rand.NewPCG(seed, 11)), original)
		kinds[a.what]++
		altered := passing(a.altered)
		at := firstDifference(t, original, altered)

		got, err := Verify(source(a.altered), Against{Heads: heads, Log: v.Log()})
		if err != nil || got.Sound() {
			t.Fatalf("seed %d, %s: not found (%v)", seed, a.what, err)
		}
		want := Finding{Kind: a.kind, Index: uint64(at), OtherIndex: uint64(at), Size: uint64(len(altered)), Signed: true}
		if at < len(altered) {
			want.Event = eventOf(itemFor(t, altered[at]))
		}
		if at < size {
			want.Other = named(original[at])
		}
		if a.kind == Moved {
			want.OtherIndex = indexOf(original, altered[at].ID)
			want.Elsewhere = want.OtherIndex
		}
		if at == size { // behind the newest head, and behind the log
			if a.kind != Inserted || got.Findings[0].Kind != RevisionTwice && got.Findings[0].Kind != Repeated {
				t.Fatalf("seed %d, %s at the end: %v", seed, a.what, got.Findings)
			}
			continue
		}
		if !reflect.DeepEqual(got.Findings[0], want) {
			t.Fatalf("seed %d, %s:\n%+v %s %s\nwant\n%+v %s %s", seed, a.what, got.Findings[0], got.Findings[0].Event, got.Findings[0].Other, want, want.Event, want.Other)
		}

		// With nothing but the heads it is found as well, and told between which two it is.
		bare, err := Verify(source(a.altered), Against{Heads: heads})
		if err != nil || bare.Sound() {
			t.Fatalf("seed %d, %s, by heads alone: not found (%v)", seed, a.what, err)
		}
		from := uint64(at / 40 * 40)
		if want := (Finding{Kind: Differs, From: from, To: from + 40, Size: uint64(len(altered)), Signed: true}); bare.Findings[0] != want {
			t.Fatalf("seed %d, %s, by heads alone: %+v, want %+v", seed, a.what, bare.Findings[0], want)
		}
	}
	if len(kinds) < 12 {
		t.Errorf("only these were drawn: %v", kinds)
	}
	t.Logf("found: %v", kinds)
}

func itemFor(t *testing.T, r eventstore.Record) *Item {
	t.Helper()
	i, err := itemOf(r)
	if err != nil {
		t.Fatal(err)
	}
	return &i
}

func named(r eventstore.Record) *Event {
	return &Event{ID: r.ID.String(), Stream: string(r.Stream), Revision: r.Revision, Position: r.Position}
}

func indexOf(records []eventstore.Record, id eventstore.EventID) uint64 {
	return uint64(slices.IndexFunc(records, func(r eventstore.Record) bool { return r.ID == id }))
}

// An export holds what a store holds, and what is done to it is found as well.
func TestAnExportIsVerified(t *testing.T) {
	original := book(50, 2)
	v := open(t, options(t))
	defer closed(t, v)
	fill(t, v, original, 50)
	head := sign(t, v)
	var lines, forms []byte
	for _, r := range original {
		lines, _ = canon.AppendLine(lines, r)
		lines = append(lines, '\n')
		forms, _ = canon.AppendForm(forms, r)
		forms = append(forms, '\n')
	}
	if bytes.Contains(lines, []byte(`"personal":"`)) {
		t.Error("the export has a ciphertext")
	}
	of := func(text []byte) Source {
		return FromLines(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil })
	}
	for what, text := range map[string][]byte{"lines": lines, "forms": forms, "without the last line feed": forms[:len(forms)-1]} {
		if got, err := Verify(of(text), Against{Heads: []Head{head}}); err != nil || !got.Sound() || got.Root != head.Root || got.Held != 1 {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	altered := bytes.Replace(forms, []byte(`"party":`), []byte(`"party":1`), 1)
	if got, err := Verify(of(altered), Against{Heads: []Head{head}}); err != nil || got.Sound() {
		t.Errorf("altered: %+v, %v", got, err)
	}
	for what, text := range map[string]string{
		"a line that is none": string(forms) + "{}\n",
		"half a line":         string(forms[:len(forms)-30]),
		"a line too long":     string(forms) + strings.Repeat("x", maxLine+1),
	} {
		var line *LineError
		if _, err := Verify(of([]byte(text)), Against{}); !errors.As(err, &line) || line.Line < 50 {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What no ledger has is found without any head or log.
func TestStructure(t *testing.T) {
	original := book(60, 3)
	stream := original[0].Stream
	var own []int
	for i, r := range original {
		if r.Stream == stream {
			own = append(own, i)
		}
	}
	if len(own) < 5 {
		t.Fatal("the first stream is too short for this test")
	}
	at := func(records []eventstore.Record, i int) *Event { return eventOf(itemFor(t, records[i])) }
	for what, c := range map[string]struct {
		alter func([]eventstore.Record) []eventstore.Record
		want  func([]eventstore.Record) []Finding
	}{
		"as it was": {func(r []eventstore.Record) []eventstore.Record { return r }, func([]eventstore.Record) []Finding { return nil }},
		"two missing": {
			func(r []eventstore.Record) []eventstore.Record {
				return slices.Delete(slices.Delete(r, own[2], own[2]+1), own[1], own[1]+1)
			},
			func(r []eventstore.Record) []Finding {
				return []Finding{{Kind: Gap, Index: uint64(own[3] - 2), Event: at(r, own[3]-2), Want: 1, UpTo: 2, Size: 58}}
			},
		},
		"repeated": {
			func(r []eventstore.Record) []eventstore.Record { return append(r, r[own[4]]) },
			func(r []eventstore.Record) []Finding {
				twice := Finding{Index: 60, Event: at(r, 60), OtherIndex: uint64(own[4]), Other: at(r, own[4]), Size: 61}
				id, revision := twice, twice
				id.Kind, revision.Kind = Repeated, RevisionTwice
				return []Finding{id, revision}
			},
		},
		"out of order": {
			func(r []eventstore.Record) []eventstore.Record {
				r[own[1]], r[own[2]] = r[own[2]], r[own[1]]
				return r
			},
			func(r []eventstore.Record) []Finding {
				return []Finding{{
					Kind: Disorder, Index: uint64(own[1]), Event: at(r, own[1]), OtherIndex: uint64(own[2]), Other: at(r, own[2]), Size: 60,
				}}
			},
		},
	} {
		altered := c.alter(slices.Clone(original))
		got, err := Verify(source(altered), Against{})
		if want := c.want(altered); err != nil || !reflect.DeepEqual(got.Findings, want) {
			t.Errorf("%s: %v (%v), want %v", what, got.Findings, err, want)
		}
		for _, f := range got.Findings {
			if f.String() == "" || strings.Contains(f.String(), "%!") {
				t.Errorf("%s: said as %q", what, f)
			}
		}
	}
}

// Sorting on disk gives what sorting in memory gives, and leaves nothing behind.
func TestSortingOnDisk(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 5))
	s := newSorter(dir)
	s.limit = 100
	var want []sortedRow
	for range 1234 {
		var r sortedRow
		r[0], r[31] = byte(rng.UintN(256)), byte(rng.UintN(256))
		want = append(want, r)
		if err := s.add(r); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortFunc(want, compareRows)
	var got []sortedRow
	if err := s.each(func(r sortedRow) { got = append(got, r) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the rows are not in order")
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A log that somebody altered together with the ledger names nothing, and is told from one
// that is only wrong by itself.
func TestTheLogItselfIsHeldToTheHeads(t *testing.T) {
	original := book(100, 4)
	v := open(t, options(t))
	defer closed(t, v)
	fill(t, v, original, 50)
	first := Head{Size: 50}
	first.Root, _ = v.Log().Root(50)
	head := sign(t, v)
	altered := slices.Clone(original)
	altered[70].Data = []byte(`{"number":70}`)
	both := open(t, options(t))
	defer closed(t, both)
	fill(t, both, altered, 50)
	heads := []Head{head, first}

	got, err := Verify(source(altered), Against{Heads: heads, Log: both.Log()})
	want := []Finding{{Kind: Differs, From: 50, To: 100, Size: 100, Signed: true}}
	if err != nil || !reflect.DeepEqual(got.Findings, want) || got.LogAltered {
		t.Errorf("both altered: %v, %v", got, err)
	}
	got, err = Verify(source(original), Against{Heads: heads, Log: both.Log()})
	if err != nil || !got.Sound() || !got.LogAltered {
		t.Errorf("the log alone altered: %v, %v", got, err)
	}
	// Behind the newest head there is the log's word alone.
	got, err = Verify(source(altered), Against{Heads: []Head{first}, Log: v.Log()})
	want = []Finding{{Kind: Altered, Index: 70, Event: eventOf(itemFor(t, altered[70])), Other: named(original[70]), OtherIndex: 70, Size: 100}}
	if err != nil || !reflect.DeepEqual(got.Findings, want) {
		t.Errorf("behind the newest head: %v, %v", got, err)
	}
	// A log that does not reach the head it is held to.
	short := open(t, options(t))
	defer closed(t, short)
	fill(t, short, original[:80], 80)
	got, err = Verify(source(altered), Against{Heads: heads, Log: short.Log()})
	want = append([]Finding{{Kind: Differs, From: 50, To: 100, Size: 100, Signed: true}}, want...)
	if err != nil || !reflect.DeepEqual(got.Findings, want) {
		t.Errorf("a short log: %v, %v", got, err)
	}
}

func ExampleFinding_String() {
	f := Finding{Kind: Dropped, Index: 7, Event: &Event{}, Other: &Event{ID: "1", Stream: "day-1", Revision: 3}, Signed: true}
	fmt.Println(f)
	// Output: an event was dropped at 7: 1, revision 3 of "day-1"
}

package proof

import (
	"errors"
	"iter"
	"strings"
	"testing"

	"daybook/eventstore/canon"
)

// TestWorkAheadIsBounded has events as large as they may be: they are not gathered by their
// number alone.
func TestWorkAheadIsBounded(t *testing.T) {
	const size, all = chunkBytes, 600
	drawn := 0
	var seq iter.Seq2[int, error] = func(yield func(int, error) bool) {
		for drawn < all && yield(drawn, nil) {
			drawn++
		}
	}
	next := 0
	for n, err := range side(seq, func(int) int { return size }, func(n int) (int, error) { return n, nil }) {
		if err != nil || n != next {
			t.Fatalf("%d, %v, want %d", n, err, next)
		}
		if next++; next == 3 {
			break // seq has ended when the loop has
		}
	}
	if most := next + chunksAhead + 2; drawn > most {
		t.Errorf("%d events of a MiB were read for %d, want %d at most", drawn, next, most)
	}
}

// TestReceiptThatIsNoForm says what is wrong with a receipt, whoever signed the head.
func TestReceiptThatIsNoForm(t *testing.T) {
	form, err := canon.Form(book(1, 1)[0])
	if err != nil {
		t.Fatal(err)
	}
	leaf := Hash(canon.Leaf(form))
	head, err := testKey(t).Sign(1, leaf)
	if err != nil {
		t.Fatal(err)
	}
	r := Receipt{Event: string(form), Leaf: leaf.String(), Checkpoint: string(head.Note)}
	if l, h, err := r.Check(testKey(t).Verifier()); err != nil || string(l.Form) != r.Event || h.Size != 1 {
		t.Fatalf("%+v, %+v, %v", l, h, err)
	}
	for _, event := range []string{r.Event + "\n", "", "{}", `{"position":1,"recordedAt":"2026-11-21T19:00:00Z","event":` + r.Event + "}"} {
		r.Event = event
		_, _, err := r.Check(testKey(t).Verifier())
		if !errors.Is(err, ErrReceipt) || !errors.Is(err, canon.ErrForm) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%q: %v", event, err)
		}
	}
}

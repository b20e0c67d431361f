package transfer_test

import (
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/transfer"
)

func TestCopyIntoAnEmptyStore(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 3000, 1)
	var phases []transfer.Phase
	var last transfer.Progress
	report := mustCopy(t, from, to, transfer.Options{Progress: func(p transfer.Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
		last = p
	}})
	sameLedgers(t, from, to)
	sourceEnd, _ := from.Head(t.Context())
	targetEnd, _ := to.Head(t.Context())
	compared, err := transfer.Verify(t.Context(), to, from, transfer.Options{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	want := transfer.Report{Copied: 3000, Appends: report.Appends, SourceEnd: sourceEnd, TargetEnd: targetEnd, Verified: compared}
	if report != want || compared.Records != 3000 {
		t.Errorf("report %+v, want %+v", report, want)
	}
	if report.Appends > 1100 { // 3000 events came in appends of three on average
		t.Errorf("%d appends for 3000 events: neighbours do not share one", report.Appends)
	}
	if got := phases; len(got) != 3 || got[0] != transfer.Comparing || got[1] != transfer.Copying || got[2] != transfer.Verifying {
		t.Errorf("phases %v", got)
	}
	if want := (transfer.Progress{Phase: transfer.Verifying, Records: 3000, At: sourceEnd, End: sourceEnd}); last != want {
		t.Errorf("the last progress is %+v, want %+v", last, want)
	}

	// The same copy again finds all there.
	again := mustCopy(t, from, to, transfer.Options{})
	want = transfer.Report{Found: 3000, SourceEnd: sourceEnd, TargetEnd: targetEnd, Verified: compared}
	if again != want {
		t.Errorf("second report %+v, want %+v", again, want)
	}
}

func TestCopyOverTheWireAndBack(t *testing.T) {
	from, middle, back := ledger(t), remote(t), ledger(t)
	book(t, from, 800, 2)
	if _, err := from.Append(t.Context(), "pictures", eventstore.NoStream(),
		eventstore.Event{ID: eventID(1), Type: "picture", Data: []byte(`{"p":"…"}`), Metadata: []byte(`{"v":1}`)},
		eventstore.Event{ID: eventID(2), Type: "empty", Data: []byte(`{}`)},
	); err != nil {
		t.Fatalf("append: %v", err)
	}
	there := mustCopy(t, from, middle, transfer.Options{})
	home := mustCopy(t, middle, back, transfer.Options{})
	sameLedgers(t, from, back)
	if there.Verified.Hash != home.Verified.Hash || there.Verified.Records != 802 {
		t.Errorf("hashes %x and %x of %d records", there.Verified.Hash, home.Verified.Hash, there.Verified.Records)
	}
}

func TestCopyOfAnEmptyStore(t *testing.T) {
	report := mustCopy(t, ledger(t), ledger(t), transfer.Options{})
	verified, err := transfer.Verify(t.Context(), ledger(t), ledger(t), transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (transfer.Report{Verified: verified}); report != want {
		t.Errorf("report %+v, want %+v", report, want)
	}
}

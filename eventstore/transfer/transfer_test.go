package transfer_test

import (
	"context"
	"iter"
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
		eventstore.Event{ID: eventID(1), Type: "picture", Data: []byte{0xff, 0, 0x7f}, Metadata: []byte(`{"v":1}`), Binary: true},
		eventstore.Event{ID: eventID(2), Type: "empty"},
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

// TestDeletedStreams has streams that their store shows in part or no longer. All that
// the ledger has is copied, and shown by the target.
func TestDeletedStreams(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 60, 12)
	ctx := t.Context()
	if _, err := from.Delete(ctx, "day-0", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Append(ctx, "day-0", eventstore.NoStream(), numbered(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Tombstone(ctx, "day-1", eventstore.Any()); err != nil {
		t.Fatal(err)
	}
	report := mustCopy(t, from, to, transfer.Options{})
	sameLedgers(t, from, to)
	omitted := uint64(0)
	for _, err := range from.ReadAll(ctx, eventstore.Start, eventstore.Everything()) {
		if err != nil {
			t.Fatal(err)
		}
		omitted++
	}
	omitted -= 61
	if report.Copied != 61 || report.Omitted != omitted || omitted < 2 || report.Left != 0 {
		t.Errorf("%+v, want 61 copied and %d omitted", report, omitted)
	}
	shown := 0
	for _, err := range to.ReadStream(ctx, "day-1", 0) {
		if err != nil {
			t.Fatalf("a stream that the source had ended: %v", err)
		}
		shown++
	}
	if shown == 0 {
		t.Error("the target shows nothing of a stream that the source had ended")
	}
}

// engineRecords adds what an engine keeps of streams to a ledger's records.
type engineRecords struct{ eventstore.Store }

func (e engineRecords) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range e.Store.ReadAll(ctx, after, filter) {
			if !yield(r, err) {
				return
			}
		}
		if after != eventstore.Start {
			return
		}
		for _, r := range []eventstore.Record{
			{Stream: "$$day-1", Event: eventstore.Event{Type: "$metadata"}},                              // counted
			{Stream: "day-1", Event: eventstore.Event{Type: "$streamDeleted"}},                           // counted
			{Stream: "$$$settings", Event: eventstore.Event{Type: "$metadata"}},                          // the engine's
			{Stream: "$stats-127.0.0.1:2113", Event: eventstore.Event{Type: "$statsCollected"}},          // the engine's
			{Stream: "$$$projections-$all", Event: eventstore.Event{Type: "$metadata", Binary: true}},    // the engine's
			{Stream: "$ce-day", Event: eventstore.Event{Type: eventstore.LinkType, Data: []byte("0@d")}}, // the engine's
		} {
			r.Position = 1 << 40
			if filter.Passes(r.Stream, r.Type) && !yield(r, nil) {
				return
			}
		}
	}
}

func TestEngineRecordsAreLeftOut(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 30, 5)
	report := mustCopy(t, engineRecords{from}, to, transfer.Options{})
	if report.Omitted != 2 || report.Copied != 30 || report.Left != 0 {
		t.Errorf("%+v, want 30 copied and 2 omitted", report)
	}
	sameLedgers(t, from, to)
}

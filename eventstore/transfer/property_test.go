package transfer_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/eventstore"
	"daybook/eventstore/transfer"
)

// TestAnyBookIsCopied draws books, what the target holds of them already, and limits.
func TestAnyBookIsCopied(t *testing.T) {
	streams := []eventstore.StreamName{"a", "b", "day-é", "user-1"}
	var number uint64
	rapid.Check(t, func(rt *rapid.T) {
		from, to := open(t, memory()), open(t, memory())
		defer func() { _, _ = from.Close(), to.Close() }()
		ctx := context.Background()
		next := map[eventstore.StreamName]eventstore.Revision{}
		total := 0
		for range rapid.IntRange(0, 25).Draw(rt, "appends") {
			stream := rapid.SampledFrom(streams).Draw(rt, "stream")
			events := make([]eventstore.Event, rapid.IntRange(1, 6).Draw(rt, "events"))
			for i := range events {
				number++
				var id eventstore.EventID
				binary.BigEndian.PutUint64(id[:], number)
				events[i] = eventstore.Event{
					ID: id, Type: rapid.SampledFrom([]string{"x", "reservation.held"}).Draw(rt, "type"),
					Data:     fmt.Appendf(nil, `{"n":%d}`, rapid.Uint64().Draw(rt, "data")),
					Metadata: rapid.SliceOfN(rapid.Byte(), 0, 12).Draw(rt, "metadata"),
				}
			}
			if total > 0 && rapid.IntRange(0, 9).Draw(rt, "repeat") == 0 {
				events[0].ID = eventID(uint64(total)) // ids may come again in other streams
			}
			expected := eventstore.NoStream()
			if r, begun := next[stream]; begun {
				expected = eventstore.At(r - 1)
			}
			at, err := from.Append(ctx, stream, expected, events...)
			if err != nil {
				rt.Fatalf("append: %v", err)
			}
			next[stream] = at.Revision + 1
			total += len(events)
		}
		found := rapid.IntRange(0, total).Draw(rt, "found")
		for i, r := range records(t, from) {
			if i == found {
				break
			}
			if _, err := to.Append(ctx, r.Stream, eventstore.Any(), r.Event); err != nil {
				rt.Fatalf("append: %v", err)
			}
		}
		report, err := transfer.Copy(ctx, from, to, transfer.Options{
			BatchEvents: rapid.IntRange(1, 10).Draw(rt, "batch events"),
			BatchBytes:  rapid.IntRange(1, 200).Draw(rt, "batch bytes"),
		})
		if err != nil {
			rt.Fatalf("copy: %v", err)
		}
		if report.Copied != uint64(total-found) || report.Found != uint64(found) || report.Verified.Records != uint64(total) {
			rt.Fatalf("%d events, %d there: %+v", total, found, report)
		}
		sameLedgers(t, from, to)
	})
}

// TestRate tells how fast a large book goes: DAYBOOK_SOAK=1 for 100,000 events on a disk.
func TestRate(t *testing.T) {
	if os.Getenv("DAYBOOK_SOAK") != "1" {
		t.Skip("a measurement: set DAYBOOK_SOAK=1")
	}
	const events = 100_000
	from := ledger(t)
	book(t, from, events, 1)
	for name, to := range map[string]eventstore.Store{"memory": ledger(t), "disk": onDisk(t), "wire": remote(t)} {
		begun := time.Now()
		report := mustCopy(t, from, to, transfer.Options{})
		took := time.Since(begun)
		begun = time.Now()
		if _, err := transfer.Verify(t.Context(), from, to, transfer.Options{}); err != nil {
			t.Fatal(err)
		}
		verified := time.Since(begun)
		t.Logf("%s: %d events in %d appends, copied and verified in %s, %.0f events/s; verified again at %.0f events/s",
			name, events, report.Appends, took, events/took.Seconds(), events/verified.Seconds())
	}
}

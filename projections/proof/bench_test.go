package proof

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"daybook/eventstore"
)

// endless reads like a store of n events, which are made while they are read.
type endless struct {
	eventstore.Reader
	n int
}

func (l endless) ReadAll(context.Context, eventstore.Position, eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		const streams = 1000
		metadata := []byte(`{"v":1,"decidedAt":"2026-11-21T19:00:00.000Z","commandId":"03040500-0000-0000-0000-000000000000","actor":{"kind":"diner","user":"usr_08000000000000000000000000"}}`)
		for i := range l.n {
			if !yield(eventstore.Record{
				Event: eventstore.Event{
					ID: idOf(0, i), Type: "reservation.held", Metadata: metadata,
					Data: fmt.Appendf(nil, `{"number":%d,"party":4,"slot":{"time":"19:00","startsAt":"2026-11-21T19:00:00.000Z"},"tables":["tbl_01"],"subject":"usr_08000000000000000000000000","personal":"AWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6"}`, i),
				},
				Stream: eventstore.StreamName(fmt.Sprintf("day-%d", i%streams)), Revision: eventstore.Revision(i / streams), Position: eventstore.Position(i + 1),
			}, nil) {
				return
			}
		}
	}
}

// BenchmarkLog builds a log on disk, verifies its ledger against it, and proves events of
// it: a proof grows with the logarithm of the log. With DAYBOOK_SOAK=1 up to a million.
func BenchmarkLog(b *testing.B) {
	sizes := []int{1_000, 10_000, 100_000}
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		sizes = append(sizes, 1_000_000)
	}
	for _, size := range sizes {
		o := options(b)
		o.FS, o.Dir = nil, filepath.Join(b.TempDir(), "proof")
		v := open(b, o)
		store := endless{n: size}
		began := time.Now()
		var batch eventstore.Batch
		for r, err := range store.ReadAll(b.Context(), 0, eventstore.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			if batch.Records = append(batch.Records, r); len(batch.Records) == eventstore.MaxBatch || int(r.Position) == size {
				batch.Position = r.Position
				if err := v.Apply(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				batch.Records = nil
			}
		}
		built := time.Since(began)
		head := sign(b, v)
		b.Run(fmt.Sprintf("verify/%d", size), func(b *testing.B) {
			for range b.N {
				got, err := Verify(FromStore(b.Context(), store), Against{Log: v.Log(), Heads: []Head{head}})
				if err != nil || !got.Sound() || got.Held != 1 {
					b.Fatal(got, err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(size)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(size)/built.Seconds(), "built/s")
		})
		b.Run(fmt.Sprintf("inclusion/%d", size), func(b *testing.B) {
			hashes := 0
			for i := range b.N {
				p, err := v.Log().Inclusion(uint64(i*7919)%uint64(size), uint64(size))
				if err != nil {
					b.Fatal(err)
				}
				hashes += len(p)
			}
			b.ReportMetric(float64(hashes)/float64(b.N), "hashes")
		})
		closed(b, v)
	}
}

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
)

// BenchmarkBesidePebble appends through the store and commits as many bytes to Pebble
// alone, in turn, on one disk, each writer one event at a time. The ratio is what counts:
// absolute figures are the machine's.
func BenchmarkBesidePebble(b *testing.B) {
	opts := Options{Logger: slog.New(slog.DiscardHandler)}
	for _, writers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(b.TempDir(), opts)
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			db, err := pebble.Open(b.TempDir(), pebbleOptions(vfs.Default, nil, opts.withDefaults()))
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			data := make([]byte, 420)
			for i := range data {
				data[i] = byte(i)
			}
			next := make([]uint64, writers)
			alone := func(w int) error {
				next[w]++
				batch := db.NewBatch()
				key := streamKey(uint64(w), eventstore.Revision(next[w]))
				if err := batch.Set(key, data, nil); err != nil {
					return err
				}
				if err := batch.Commit(pebble.Sync); err != nil {
					return err
				}
				return batch.Close()
			}
			expected := make([]eventstore.Expected, writers)
			for w := range expected {
				expected[w] = eventstore.NoStream()
			}
			through := func(w int) error {
				next[w]++
				e := eventstore.Event{Type: "reservation.held", Data: data}
				putRecordKey(e.ID[:], eventstore.Position(next[w]*0x9e3779b97f4a7c15))
				e.ID[10] = byte(w)
				at, err := s.Append(context.Background(), eventstore.StreamName(fmt.Sprintf("day-%d", w)), expected[w], e)
				expected[w] = eventstore.At(at.Revision)
				return err
			}
			var counts [2]int
			var took [2]time.Duration
			for range b.N {
				for range 6 {
					for i, f := range []func(int) error{alone, through} {
						n, d := forAWhile(b, writers, 300*time.Millisecond, f)
						counts[i] += n
						took[i] += d
					}
				}
			}
			rates := [2]float64{float64(counts[0]) / took[0].Seconds(), float64(counts[1]) / took[1].Seconds()}
			b.ReportMetric(rates[0], "pebble/s")
			b.ReportMetric(rates[1], "store/s")
			b.ReportMetric(100*rates[1]/rates[0], "%ofpebble")
			st := s.Stats()
			b.ReportMetric(float64(st.Appends)/float64(max(1, st.Groups)), "appends/group")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// forAWhile calls f from so many writers and returns how often it was called.
func forAWhile(b *testing.B, writers int, while time.Duration, f func(writer int) error) (calls int, took time.Duration) {
	var mu sync.Mutex
	var done sync.WaitGroup
	began := time.Now()
	for w := range writers {
		done.Add(1)
		go func() {
			defer done.Done()
			n := 0
			for ; time.Since(began) < while; n++ {
				if err := f(w); err != nil {
					b.Error(err)
					return
				}
			}
			mu.Lock()
			defer mu.Unlock()
			calls += n
		}()
	}
	done.Wait()
	return calls, time.Since(began)
}

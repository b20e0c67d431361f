package embedded_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

var ids atomic.Uint64

func benchEvent() eventstore.Event {
	e := eventstore.Event{
		Type:     "reservation.held",
		Data:     benchData,
		Metadata: benchMetadata,
	}
	binary.BigEndian.PutUint64(e.ID[:], ids.Add(1)*0x9e3779b97f4a7c15) // spread like real ids
	binary.BigEndian.PutUint64(e.ID[8:], ids.Load())
	return e
}

// The size of a hold in the book.
var (
	benchData     = fmt.Appendf(nil, `{"reservationId":"%032d","partySize":4,"from":"2026-11-21T19:00:00Z","until":"2026-11-21T20:45:00Z","tables":["t12"],"expiresAt":"2026-11-21T18:10:00Z","guest":"%0120d"}`, 7, 9)
	benchMetadata = fmt.Appendf(nil, `{"commandId":"%036d","decidedAt":"2026-11-21T18:00:00Z","actor":"%036d"}`, 1, 2)
)

func benchStore(b *testing.B) *embedded.Store {
	b.Helper()
	s, err := embedded.Open(b.TempDir(), embedded.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkAppend appends one event at a time, durably, on a real disk. On one stream
// every writer expects the stream merely to exist, so that none has to try again.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		for _, streams := range []string{"one", "many"} {
			b.Run(fmt.Sprintf("writers=%d/streams=%s", writers, streams), func(b *testing.B) {
				s := benchStore(b)
				ctx := context.Background()
				if _, err := s.Append(ctx, "day", eventstore.NoStream(), benchEvent()); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				b.ResetTimer()
				var left atomic.Int64
				left.Store(int64(b.N))
				var wg sync.WaitGroup
				for w := range writers {
					wg.Add(1)
					go func() {
						defer wg.Done()
						stream, expected := eventstore.StreamName("day"), eventstore.Exists()
						if streams == "many" {
							stream, expected = eventstore.StreamName(fmt.Sprintf("day-%d-2026-11-21", w)), eventstore.NoStream()
						}
						for left.Add(-1) >= 0 {
							at, err := s.Append(ctx, stream, expected, benchEvent())
							if err != nil {
								b.Error(err)
								return
							}
							if streams == "many" {
								expected = eventstore.At(at.Revision)
							}
						}
					}()
				}
				wg.Wait()
				b.StopTimer()
				st := s.Stats()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
				b.ReportMetric(float64(st.Appends)/float64(max(1, st.Groups)), "appends/group")
				b.ReportMetric(float64(st.Appends)/float64(max(1, st.Syncs)), "appends/sync")
			})
		}
	}
}

func filled(b *testing.B, events int) *embedded.Store {
	b.Helper()
	s := benchStore(b)
	const batch = 500
	for i := range events / batch {
		batchOf := make([]eventstore.Event, batch)
		for j := range batchOf {
			batchOf[j] = benchEvent()
		}
		if _, err := s.Append(context.Background(), eventstore.StreamName(fmt.Sprintf("day-%d", i%50)), eventstore.Any(), batchOf...); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

const benchLedger = 100_000

func BenchmarkReadAll(b *testing.B) {
	s := filled(b, benchLedger)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range s.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != benchLedger {
			b.Fatalf("%d records", n)
		}
	}
	b.ReportMetric(float64(b.N)*benchLedger/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkReadStream reads a stream of 200 events among many, as a command does that
// has nothing folded in memory.
func BenchmarkReadStream(b *testing.B) {
	s := benchStore(b)
	for range 200 {
		for d := range 50 {
			if _, err := s.Append(context.Background(), eventstore.StreamName(fmt.Sprintf("day-%d", d)), eventstore.Any(), benchEvent()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		for _, err := range s.ReadStream(context.Background(), eventstore.StreamName(fmt.Sprintf("day-%d", i%50)), 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*200/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkSubscribe follows the ledger: from its start, off the disk; and live, while
// 64 writers append.
func BenchmarkSubscribe(b *testing.B) {
	follow := func(b *testing.B, s *embedded.Store, sub eventstore.Subscription, until eventstore.Position) {
		for at := eventstore.Start; at < until; {
			batch, err := sub.Next(context.Background())
			if err != nil {
				b.Error(err)
				return
			}
			at = batch.Position
		}
	}
	b.Run("catch-up", func(b *testing.B) {
		s := filled(b, benchLedger)
		b.ReportAllocs()
		for b.Loop() {
			sub, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
			if err != nil {
				b.Fatal(err)
			}
			follow(b, s, sub, benchLedger)
			_ = sub.Close()
		}
		b.ReportMetric(float64(b.N)*benchLedger/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("live", func(b *testing.B) {
		s := benchStore(b)
		sub, err := s.Subscribe(context.Background(), eventstore.Start, eventstore.Filter{})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = sub.Close() }()
		b.ReportAllocs()
		b.ResetTimer()
		var left atomic.Int64
		left.Store(int64(b.N))
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				stream := eventstore.StreamName(fmt.Sprintf("day-%d", w))
				for left.Add(-1) >= 0 {
					if _, err := s.Append(context.Background(), stream, eventstore.Any(), benchEvent()); err != nil {
						b.Error(err)
						return
					}
				}
			}()
		}
		follow(b, s, sub, eventstore.Position(b.N))
		wg.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// BenchmarkDelivery measures how long after the call of Append a subscription that keeps
// up has the event, and how long after the answer; delivery is often first.
func BenchmarkDelivery(b *testing.B) {
	s := benchStore(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	sub, err := s.Subscribe(ctx, eventstore.Start, eventstore.Filter{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	arrived := make(chan time.Time, 1)
	go func() {
		for {
			batch, err := sub.Next(ctx)
			if err != nil {
				return
			}
			if len(batch.Records) > 0 {
				arrived <- time.Now()
			}
		}
	}()
	var afterCall, afterAnswer []time.Duration
	for b.Loop() {
		called := time.Now()
		if _, err := s.Append(ctx, "day", eventstore.Any(), benchEvent()); err != nil {
			b.Fatal(err)
		}
		answered := time.Now()
		at := <-arrived
		afterCall = append(afterCall, at.Sub(called))
		afterAnswer = append(afterAnswer, max(0, at.Sub(answered)))
	}
	for name, times := range map[string][]time.Duration{"call": afterCall, "answer": afterAnswer} {
		slices.Sort(times)
		b.ReportMetric(float64(times[len(times)/2].Microseconds()), "µs-after-"+name+"-p50")
		b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "µs-after-"+name+"-p99")
	}
}

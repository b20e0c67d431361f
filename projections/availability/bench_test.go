package availability

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/internal/enginetest"
)

// sixty is a floor of 60 tables, which a value of ordinary size comes from.
func sixty() *restaurantday.Plan {
	p := plan()
	p.Tables = nil
	for i := range 60 {
		p.Tables = append(p.Tables, restaurantday.Table{
			ID: domain.NewTableID([16]byte{byte(i), 1, 2, 3}), Number: fmt.Sprint(i + 1), Min: 1, Max: domain.PartySize(2 + i/10), Area: "main",
		})
	}
	return p
}

func streamOf(key DayKey) eventstore.StreamName { return codec.DayStream(key.Restaurant, key.Date) }

func (h *house) fill(key DayKey, holds int) {
	for i := range holds {
		c := h.hold(key, 2, domain.FormatClock(18*60+30*(i%9)))
		c.Opening.Plan = sixty()
		h.do(key, c)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"in process", "redis"} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			h := newHouse(b)
			var e end = newInProcessEnd(b)
			if name == "redis" {
				e = &realEnd{t: b, server: enginetest.NewRedis(b)}
			}
			v := h.view(e.client())
			h.fill(today, 150)
			if _, err := v.Day(context.Background(), restaurant, date, 2); err != nil {
				b.Fatal(err)
			}
			b.Logf("a value of %d bytes", len(e.client().Get(context.Background(), today.redisKey(halfA)).Val()))
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := v.Day(context.Background(), restaurant, date, 2); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, many := range []int{1, 100} {
		for _, name := range []string{"in process", "redis"} {
			b.Run(fmt.Sprintf("%d-days/%s", many, strings.ReplaceAll(name, " ", "-")), func(b *testing.B) {
				h := newHouse(b)
				var e end = newInProcessEnd(b)
				if name == "redis" {
					e = &realEnd{t: b, server: enginetest.NewRedis(b)}
				}
				v := h.view(e.client())
				other := DayKey{restaurant, date + 300}
				p := h.do(other, h.hold(other, 2, "18:00")).Position
				h.checkpoint(v)
				const batch = 256
				var batches []eventstore.Batch
				load := func() {
					for i := range 20 * batch / 3 { // hold, confirm, cancel: the day stays half empty
						key := DayKey{restaurant, date + domain.ServiceDate(i%many)}
						c := h.hold(key, 2, domain.FormatClock(18*60+30*(i/many%9)))
						c.Opening.Plan = sixty()
						h.do(key, c)
						if s, _, _ := h.folds.Latest(context.Background(), streamOf(key)); s.Reservations() > 120 {
							h.do(key, restaurantday.Cancel{Now: morning, Actor: domain.System(), Number: uint32(s.Reservations() - 120)})
						}
					}
					all := h.batch(p, ^eventstore.Position(0)).Records
					for ; len(all) >= batch; all = all[batch:] {
						p = all[batch-1].Position
						batches = append(batches, eventstore.Batch{Records: all[:batch], Position: p})
					}
				}
				b.ResetTimer()
				events := 0
				for range b.N {
					if len(batches) == 0 {
						b.StopTimer()
						load()
						b.StartTimer()
					}
					if err := v.Apply(context.Background(), batches[0]); err != nil {
						b.Fatal(err)
					}
					batches = batches[1:]
					events += batch
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(events), "µs/event")
			})
		}
	}
}

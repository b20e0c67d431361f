package reporting

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/internal/enginetest"
	"daybook/projections"
)

// BenchmarkApply measures how many events a second the view takes, all told: decoding,
// folding, writing, on a server or a file that keeps the promise of a commit as in
// production.
func BenchmarkApply(b *testing.B) {
	l := newLedger(b)
	l.busy(100, 200)
	records := l.records()
	for _, size := range []int{256, 512} {
		b.Run(fmt.Sprint("sqlite/", size), func(b *testing.B) {
			benchmarkApply(b, l, records, size, func() string { return filepath.Join(b.TempDir(), "bench.db") })
		})
		b.Run(fmt.Sprint("postgres/", size), func(b *testing.B) {
			ctx := context.Background()
			server, err := enginetest.StartPostgres(ctx, enginetest.PostgresOptions{})
			if err != nil {
				b.Fatal(err)
			}
			defer func() {
				if err := server.Close(); err != nil {
					b.Error(err)
				}
			}()
			benchmarkApply(b, l, records, size, func() string {
				name, err := server.CreateDatabase(ctx)
				if err != nil {
					b.Fatal(err)
				}
				return server.URL(name)
			})
		})
	}
}

func benchmarkApply(b *testing.B, l *ledger, records []eventstore.Record, size int, fresh func() string) {
	b.ReportAllocs()
	var spent, cpu time.Duration
	for range b.N {
		b.StopTimer()
		db, err := Open(context.Background(), fresh())
		if err != nil {
			b.Fatal(err)
		}
		v := db.View(l.store, l.codec)
		if _, err := v.Checkpoint(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began, used := time.Now(), cpuTime()
		applyAll(b, v, records, size)
		spent += time.Since(began)
		cpu += cpuTime() - used
		b.StopTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N*len(records))/spent.Seconds(), "events/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*len(records)), "cpu-µs/event")
}

// BenchmarkRebuild measures how many events a second a copy takes until it is whole: each
// record is read, decoded, folded and written, and the indexes are made.
func BenchmarkRebuild(b *testing.B) {
	l := newLedger(b)
	l.busy(100, 200)
	records := len(l.records())
	ctx := context.Background()
	for name, fresh := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "bench.db") },
		"postgres": func() string { return enginetest.Postgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var spent, cpu time.Duration
			for range b.N {
				db := openDatabase(b, fresh())
				began, used := time.Now(), cpuTime()
				_, err := projections.Rebuild(ctx, l.store, db.View(l.store, l.codec), projections.RebuildOptions{
					Progress: func(p projections.Progress) {
						if p.Stage == projections.StageCompare {
							spent += time.Since(began)
							cpu += cpuTime() - used
						}
					},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*records)/spent.Seconds(), "events/s")
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*records), "cpu-µs/event")
		})
	}
}

// cpuTime is what this process, not the server, has used of the processors: unlike the
// events a second it does not depend on who else is at work.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// busy fills days with holds and cancels, as a load test does; each append brings some
// events of one day, so the days are mixed.
func (l *ledger) busy(days, commands int) {
	l.tb.Helper()
	decider := restaurantday.Decider()
	type line struct {
		stream eventstore.StreamName
		events []any
	}
	lines := make([]line, days)
	for i := range lines {
		restaurant, date := byte(1+i%20), day1.AddDays(i/20)
		s := decider.Initial()
		now := opening
		lines[i].stream = codec.DayStream(restaurantID(restaurant), date)
		plan := planOf(restaurant, date)
		plan.Tables = nil
		for n := range byte(60) {
			plan.Tables = append(plan.Tables, restaurantday.Table{ID: tableID(restaurant, n), Number: fmt.Sprint(n), Min: 1, Max: 2 + domain.PartySize(n/20)*2})
		}
		for n := range commands {
			now += 1000
			var c restaurantday.Command
			hold := holdOf(restaurant, date, now, domain.Diner(userID(byte(n))), domain.PartySize(1+n%6), plan.Slots[n%9].Time)
			hold.Opening.Plan = plan
			hold.Confirm = n%2 == 0
			c = hold
			if n%5 == 4 {
				c = restaurantday.Cancel{Now: now, Actor: domain.System(), Number: uint32(1 + n/2)}
			}
			events, err := decider.Decide(s, c)
			if _, refused := domain.Rejected(err); refused {
				continue
			} else if err != nil {
				l.tb.Fatal(err)
			}
			s = decider.Fold(s, events...)
			for _, e := range events {
				lines[i].events = append(lines[i].events, e)
			}
		}
	}
	for left := true; left; {
		left = false
		for i := range lines {
			n := min(8, len(lines[i].events))
			if n == 0 {
				continue
			}
			left = true
			l.append(lines[i].stream, domain.Diner(userID(1)), lines[i].events[:n]...)
			lines[i].events = slices.Delete(lines[i].events, 0, n)
		}
	}
}

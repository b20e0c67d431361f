package restaurantday

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"daybook/domain"
)

// evenTables are n tables for 2, 4 and 6 in equal parts.
func evenTables(n int) (tables []Table) {
	for i := range n {
		tables = append(tables, Table{
			ID: domain.NewTableID([16]byte{byte(i >> 8), byte(i)}), Number: fmt.Sprint(i + 1), Min: 1, Max: domain.PartySize(2 + 2*(i*3/n)),
		})
	}
	return tables
}

// eveningOf is a plan of slots each quarter of an hour over hours.
func eveningOf(hours domain.Instant, tables []Table, a Assignment) *Plan {
	p := &Plan{
		Tables: tables, BookableFrom: evening - 90*24*hour,
		Policy: Policy{HoldMinutes: 5, HorizonDays: 90, Assignment: a, Turns: []TurnTime{
			{UpToParty: 2, Minutes: 90}, {UpToParty: 4, Minutes: 105}, {UpToParty: 6, Minutes: 120}, {UpToParty: 500, Minutes: 150},
		}},
	}
	for i := range hours * 4 {
		p.Slots = append(p.Slots, Slot{Time: domain.FormatClock(int(10*60+i*15) % 1440), StartsAt: evening + i*15*minute, Closes: evening + (hours+2)*hour, Shift: "dinner"})
	}
	return p
}

// booked is a day of plan with n confirmed reservations of parties of 1 to 6, or as many as
// it takes before 2,000 in a row are refused.
func booked(tb testing.TB, plan *Plan, n int) State {
	tb.Helper()
	random := rand.New(rand.NewPCG(3, 4))
	d, s := Decider(), State{}
	refused := 0
	for taken := 0; taken < n && refused < 2000; {
		h := anyHold(random, plan)
		h.Opening = &Open{Now: now, Restaurant: domain.NewRestaurantID([16]byte{1}), Date: 20000, Plan: plan}
		h.Confirm = true
		events, err := d.Decide(s, h)
		if err != nil {
			refused++
			continue
		}
		refused, taken = 0, taken+1
		s = d.Fold(s, events...)
	}
	return s
}

func anyHold(random *rand.Rand, plan *Plan) Hold {
	return Hold{
		Now: now, Actor: domain.Diner(diner), Diner: diner, Party: domain.PartySize(1 + random.IntN(6)),
		StartsAt: plan.Slots[random.IntN(len(plan.Slots))].StartsAt, Code: "CODE",
	}
}

// decidedIn times deciding random holds on s, each once, and reports how it is spread. What
// else the machine does meanwhile is in it, the collection of garbage, too.
func decidedIn(b *testing.B, s State) {
	b.Helper()
	d := Decider()
	random := rand.New(rand.NewPCG(5, 6))
	took := make([]time.Duration, 0, b.N)
	accepted := 0
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		h := anyHold(random, s.Plan)
		began := time.Now()
		_, err := d.Decide(s, h)
		took = append(took, time.Since(began))
		if err == nil {
			accepted++
		}
	}
	b.StopTimer()
	slices.Sort(took)
	at := func(p int) float64 { return float64(took[min(len(took)-1, len(took)*p/100)].Nanoseconds()) / 1000 }
	b.ReportMetric(at(50), "p50-µs")
	b.ReportMetric(at(99), "p99-µs")
	b.ReportMetric(at(100), "max-µs")
	b.ReportMetric(100*float64(accepted)/float64(b.N), "%accepted")
}

// A hold on a day of 60 tables and 300 reservations.
func BenchmarkHoldOnAFullDay(b *testing.B) {
	for _, c := range []struct {
		name  string
		a     Assignment
		hours domain.Instant
	}{
		// Over 13 hours 300 reservations leave room; over 9 every hour is full.
		{"first fit", FirstFit, 13}, {"late binding", LateBinding, 13},
		{"first fit, no room", FirstFit, 9}, {"late binding, no room", LateBinding, 9},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := booked(b, eveningOf(c.hours, evenTables(60), c.a), 300)
			if n := len(s.Bookings()); n != 300 {
				b.Logf("%d reservations", n)
			}
			decidedIn(b, s)
		})
	}
}

// The same 60 tables with more and more reservations.
func BenchmarkHoldOnAGrowingDay(b *testing.B) {
	for _, a := range []Assignment{FirstFit, LateBinding} {
		for _, n := range []int{10, 30, 100, 300, 1000} {
			b.Run(fmt.Sprintf("%s/%d", map[Assignment]string{FirstFit: "first fit", LateBinding: "late binding"}[a], n), func(b *testing.B) {
				// Tables and reservations grow together, so that the days are as full.
				s := booked(b, eveningOf(13, evenTables(max(3, n/5)), a), n)
				decidedIn(b, s)
			})
		}
	}
}

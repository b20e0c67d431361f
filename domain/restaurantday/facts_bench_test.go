package restaurantday

import (
	"fmt"
	"testing"

	"daybook/domain"
)

// factsOn is a day with n facts of one source; the guests of most have left.
func factsOn(tb testing.TB, n int) State {
	tb.Helper()
	d, s := Decider(), busyDay(tb)
	for i := range n {
		s = d.Fold(s, accepted(tb, s, factNumber(s, i))...)
	}
	return s
}

func factNumber(s State, i int) Record {
	c := Record{
		Now: s.Clock(), Actor: host, Fact: Fact{Batch: "one", Run: 1, Source: "theirs", External: fmt.Sprint("R-", i), Digest: "d"},
		Status: StatusCancelled, Party: 2, StartsAt: s.Plan.Slots[i%25].StartsAt, Time: "18:00", Minutes: 90,
	}
	if i%50 == 0 {
		c.Status = StatusConfirmed
	}
	return c
}

// scanned is FactOf without an index, over the facts that stand.
func scanned(s State, numbers []uint32, source, external string) (*Reservation, bool) {
	for _, number := range numbers {
		if r, ok := s.Reservation(number); ok && r.Fact.External == external && r.Fact.Source == source {
			return r, true
		}
	}
	return nil, false
}

// BenchmarkFactOf finds one of 10,000 facts, and one that is not there.
func BenchmarkFactOf(b *testing.B) {
	s := factsOn(b, 10_000)
	numbers := s.Facts()
	for name, find := range map[string]func(source, external string) (*Reservation, bool){
		"indexed": s.FactOf,
		"scanned": func(source, external string) (*Reservation, bool) { return scanned(s, numbers, source, external) },
	} {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				if _, ok := find("theirs", fmt.Sprint("R-", i%20_000)); ok != (i%20_000 < 10_000) {
					b.Fatal(i, ok)
				}
			}
		})
	}
}

// BenchmarkRecord records one more fact on days that have more and more of them.
func BenchmarkRecord(b *testing.B) {
	d := Decider()
	for _, n := range []int{100, 1_000, 10_000} {
		s := factsOn(b, n)
		b.Run(fmt.Sprint("with ", n), func(b *testing.B) {
			for i := range b.N {
				_ = d.Fold(s, accepted(b, s, factNumber(s, n+i))...)
			}
		})
	}
}

// TestFactOf: the index finds what a scan finds, in every state that there was.
func TestFactOf(t *testing.T) {
	d, s := Decider(), busyDay(t)
	var states []State
	for i := range 1_500 {
		c := Command(factNumber(s, i%700))
		switch i % 311 {
		case 310:
			c = Withdraw{Now: s.Clock(), Actor: host, Batch: "one"}
		case 155:
			c = Cancel{Now: s.Clock(), Actor: host, Number: uint32(2501 + i/2)}
		}
		events, err := d.Decide(s, c)
		if _, ok := domain.Rejected(err); err != nil && !ok {
			t.Fatal(err)
		}
		if s = d.Fold(s, events...); i%100 == 99 {
			states = append(states, s)
		}
	}
	found := 0
	for _, s := range states {
		numbers := s.Facts()
		for i := range 701 {
			external := fmt.Sprint("R-", i)
			is, ok := s.FactOf("theirs", external)
			if want, there := scanned(s, numbers, "theirs", external); is != want || ok != there {
				t.Fatalf("%s: found %+v, want %+v", external, is, want)
			}
			if ok {
				found++
			}
			if _, ok := s.FactOf("others", external); ok {
				t.Fatalf("%s is found of another source", external)
			}
		}
		if len(numbers) != s.facts.n {
			t.Fatalf("%d facts are counted, %d stand", s.facts.n, len(numbers))
		}
	}
	if found == 0 {
		t.Error("nothing was found at all")
	}
}

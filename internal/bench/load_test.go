package main

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func TestPlace(t *testing.T) {
	days := []string{"2026-01-01", "2026-01-02"}
	p := &place{kept: 2, perDay: 3, next: func() (string, string, bool) {
		if len(days) == 0 {
			return "", "", false
		}
		date := days[0]
		days = days[1:]
		return "r", date, true
	}}
	r, who := rand.New(rand.NewPCG(1, 1)), &diner{"x"}
	choose := func() deed {
		t.Helper()
		d, err := p.choose(r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	hold := deed{restaurant: "r", date: "2026-01-01", day: 1}
	first, second := choose(), choose()
	p.done(first, true, "a", who)
	p.done(second, false, "", who) // refused: its share is free again
	third := choose()
	cancel := choose() // full with the third, which is still under way
	p.done(third, true, "b", who)
	p.done(cancel, true, "", who)
	fresh := choose()                    // three were accepted
	p.done(third, true, "too late", who) // of the day before
	got := []deed{first, second, third, cancel, fresh}
	want := []deed{hold, hold, hold, {restaurant: "r", date: "2026-01-01", day: 1, cancel: promise{"a", who}}, {restaurant: "r", date: "2026-01-02", day: 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if want := (page{restaurant: "r", date: "2026-01-02", standing: []promise{}, promised: 1}); !reflect.DeepEqual(p.day, want) {
		t.Errorf("got %+v, want %+v", p.day, want)
	}
	p.day.accepted = 3
	if _, err := p.choose(r); err == nil {
		t.Error("a day was made up")
	}
}

func TestTally(t *testing.T) {
	var all tally
	all.add(tally{took: []time.Duration{3, 1}, refused: map[string]int{"a": 1}, position: 9})
	all.add(tally{took: []time.Duration{2, 4}, refused: map[string]int{"a": 1, "b": 2}, position: 5})
	got := []any{all.quantile(0), all.quantile(0.5), all.quantile(0.99), all.refusals(), all.position, new(tally).quantile(0.5)}
	want := []any{time.Duration(1), time.Duration(3), time.Duration(4), 4, uint64(9), time.Duration(0)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

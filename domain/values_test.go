package domain

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestInstantText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Instant(rapid.Int64Range(0, 4e12).Draw(t, "instant"))
		text, _ := want.MarshalText()
		var got Instant
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Fatalf("%s came back as %s, %v", want, got, err)
		}
	})
	var i Instant
	if err := i.UnmarshalText([]byte("2026-03-29T02:30:00.5+02:00")); err != nil || i.String() != "2026-03-29T00:30:00.500Z" {
		t.Errorf("got %s, %v", i, err)
	}
	for _, s := range []string{"", "2026-03-29", "2026-03-29T02:30:00", "12"} {
		if err := i.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("%q was taken as %s", s, i)
		}
	}
}

func TestServiceDateText(t *testing.T) {
	for d := minServiceDate; d <= maxServiceDate; d++ {
		if got, err := ParseServiceDate(d.String()); err != nil || got != d {
			t.Fatalf("%s came back as %s, %v", d, got, err)
		}
	}
	if minServiceDate.String() != "2000-01-01" || maxServiceDate.String() != "2170-01-01" {
		t.Errorf("the range is %s to %s", minServiceDate, maxServiceDate)
	}
	for _, s := range []string{"", "1999-12-31", "2170-01-02", "2026-2-3", "2026-02-30", "2026-02-03T00:00:00Z", "20260203", "-026-02-03"} {
		if d, err := ParseServiceDate(s); !errors.Is(err, ErrServiceDate) {
			t.Errorf("%q: got %s, %v", s, d, err)
		}
	}
}

func TestWeekday(t *testing.T) {
	d, _ := ParseServiceDate("2026-11-21")
	if d.Weekday() != time.Saturday || d.AddDays(1).Weekday() != time.Sunday {
		t.Errorf("%s is a %s", d, d.Weekday())
	}
}

func TestIntervalsOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) Interval {
			from := rapid.Int64Range(0, 20).Draw(t, name+" from")
			return Interval{Instant(from), Instant(from + rapid.Int64Range(1, 8).Draw(t, name+" length"))}
		}
		a, b := draw("a"), draw("b")
		shared := false
		for i := a.From; i < a.To; i++ {
			shared = shared || (b.From <= i && i < b.To)
		}
		if a.Overlaps(b) != shared || b.Overlaps(a) != shared {
			t.Fatalf("%v and %v: got %v, want %v", a, b, a.Overlaps(b), shared)
		}
	})
}

func TestPartySize(t *testing.T) {
	for n, ok := range map[int]bool{-1: false, 0: false, 1: true, 500: true, 501: false} {
		if _, err := NewPartySize(n); (err == nil) != ok {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func TestParseClock(t *testing.T) {
	for m := range 1440 {
		if got, err := ParseClock(FormatClock(m)); err != nil || got != m {
			t.Fatalf("%s: got %d, %v", FormatClock(m), got, err)
		}
	}
	if got := FormatClock(1440 + 90); got != "01:30" {
		t.Errorf("got %s", got)
	}
	for _, s := range []string{"", "1:30", "24:00", "12:60", "-1:30", "12.30", "12:3 ", "12:3０", "12:30:00"} {
		if got, err := ParseClock(s); err == nil {
			t.Errorf("%q was taken as %d", s, got)
		}
	}
}

func TestSpeaks(t *testing.T) {
	const u = UserID("usr_1")
	for _, c := range []struct {
		actor Actor
		diner UserID
		want  bool
	}{
		{Diner(u), u, true}, {Diner("usr_2"), u, false}, {Diner(""), "", false}, {Diner(u), "", false},
		{Staff("usr_2"), u, true}, {System(), u, true}, {Importer(), "", true},
	} {
		if got := c.actor.Speaks(c.diner); got != c.want {
			t.Errorf("%v for %q: got %v", c.actor, c.diner, got)
		}
	}
}

func TestRejected(t *testing.T) {
	no := Reject(CodeNoTable, "full", Reason{Rule: "turn_time"})
	if got, ok := Rejected(fmt.Errorf("deciding: %w", no)); !ok || !reflect.DeepEqual(got, no) {
		t.Errorf("got %v, %v", got, ok)
	}
	if got, ok := Rejected(errors.New("disk full")); ok {
		t.Errorf("got %v", got)
	}
	if no.Error() != "no_table: full" {
		t.Errorf("got %s", no.Error())
	}
}

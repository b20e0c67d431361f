package domain

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func date(t testing.TB, s string) ServiceDate {
	t.Helper()
	d, err := ParseServiceDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestClocks(t *testing.T) {
	for name, c := range map[string]struct {
		zone, date string
		minutes    int
		want       []string // all instants that show it
		clock      string   // the one instant for it
	}{
		"summer":               {"Europe/Berlin", "2026-07-01", 18 * 60, []string{"2026-07-01T16:00:00.000Z"}, "2026-07-01T16:00:00.000Z"},
		"past midnight":        {"Europe/Berlin", "2026-07-01", 25 * 60, []string{"2026-07-01T23:00:00.000Z"}, "2026-07-01T23:00:00.000Z"},
		"skipped":              {"Europe/Berlin", "2026-03-28", 26*60 + 30, nil, "2026-03-29T01:00:00.000Z"},
		"first skipped":        {"Europe/Berlin", "2026-03-29", 2 * 60, nil, "2026-03-29T01:00:00.000Z"},
		"first after the skip": {"Europe/Berlin", "2026-03-29", 3 * 60, []string{"2026-03-29T01:00:00.000Z"}, "2026-03-29T01:00:00.000Z"},
		"repeated": {"Europe/Berlin", "2026-10-24", 26*60 + 30,
			[]string{"2026-10-25T00:30:00.000Z", "2026-10-25T01:30:00.000Z"}, "2026-10-25T00:30:00.000Z"},
		"after the repeat": {"Europe/Berlin", "2026-10-25", 3 * 60, []string{"2026-10-25T02:00:00.000Z"}, "2026-10-25T02:00:00.000Z"},
		"New York":         {"America/New_York", "2026-11-01", 90, []string{"2026-11-01T05:30:00.000Z", "2026-11-01T06:30:00.000Z"}, "2026-11-01T05:30:00.000Z"},
		"no summer time":   {"Asia/Tokyo", "2026-03-29", 150, []string{"2026-03-28T17:30:00.000Z"}, "2026-03-28T17:30:00.000Z"},
		"half an hour repeated": {"Australia/Lord_Howe", "2026-04-05", 105,
			[]string{"2026-04-04T14:45:00.000Z", "2026-04-04T15:15:00.000Z"}, "2026-04-04T14:45:00.000Z"},
		"half an hour skipped": {"Australia/Lord_Howe", "2026-10-04", 135, nil, "2026-10-03T15:30:00.000Z"},
		"midnight skipped":     {"America/Santiago", "2026-09-06", 0, nil, "2026-09-06T04:00:00.000Z"},
		"repeat over midnight": {"America/St_Johns", "2010-11-06", 23*60 + 30,
			[]string{"2010-11-07T02:00:00.000Z", "2010-11-07T03:00:00.000Z"}, "2010-11-07T02:00:00.000Z"},
		"a whole day skipped": {"Pacific/Apia", "2011-12-30", 12 * 60, nil, "2011-12-30T10:00:00.000Z"},
		"UTC":                 {"UTC", "2026-03-29", 150, []string{"2026-03-29T02:30:00.000Z"}, "2026-03-29T02:30:00.000Z"},
	} {
		t.Run(name, func(t *testing.T) {
			d, loc := date(t, c.date), zone(t, c.zone)
			var got []string
			for _, i := range d.Clocks(c.minutes, loc) {
				got = append(got, i.String())
			}
			if len(got) != len(c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
			if got := d.Clock(c.minutes, loc).String(); got != c.clock {
				t.Errorf("Clock: got %s, want %s", got, c.clock)
			}
		})
	}
}

// zones have changes of an hour, half an hour, over midnight, none, and past ±12 hours.
var zones = []string{
	"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns",
	"America/Santiago", "Africa/Cairo", "Pacific/Apia", "Pacific/Kiritimati", "Asia/Kathmandu", "UTC",
}

// Whatever an instant's clocks show leads back to the instant, and nothing else does.
func TestClocksInvertLocalTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		at := Instant(rapid.Int64Range(946_684_800/60, 2_000_000_000/60).Draw(t, "minute") * 60_000)
		local := at.Time().In(loc)
		minutes := local.Hour()*60 + local.Minute()
		found := false
		for _, i := range DateOf(local).Clocks(minutes, loc) {
			found = found || i == at
			if shown := i.Time().In(loc); DateOf(shown) != DateOf(local) || shown.Hour()*60+shown.Minute() != minutes {
				t.Fatalf("at %s clocks show %s, not %s", i, shown, local)
			}
		}
		if !found {
			t.Fatalf("%s is not among the instants that show %s", at, local)
		}
	})
}

// Service dates partition time: each instant has one, they follow each other without a
// gap, and none begins before the one before it has ended.
func TestServiceDatesPartitionTime(t *testing.T) {
	for _, name := range zones {
		loc := zone(t, name)
		change := time.Date(2009, 12, 1, 0, 0, 0, 0, time.UTC).In(loc)
		for change.Year() < 2013 {
			for _, boundary := range []int{0, 60, 150, 300, 720} {
				partitionedAround(t, InstantOf(change), loc, boundary)
			}
			if _, change = change.ZoneBounds(); change.IsZero() {
				break
			}
		}
	}
}

func partitionedAround(t *testing.T, middle Instant, loc *time.Location, boundary int) {
	t.Helper()
	const day = 24 * 60
	at := middle.AddMinutes(-2 * day)
	before := ServiceDateAt(at, loc, boundary)
	for at < middle.AddMinutes(2*day) {
		at = at.AddMinutes(10)
		d := ServiceDateAt(at, loc, boundary)
		begin, end := d.Clock(boundary, loc), d.AddDays(1).Clock(boundary, loc)
		if d < before || at < begin || at >= end {
			t.Fatalf("%s, boundary %d: %s is in %s, which lasts from %s to %s, and comes after %s", loc, boundary, at, d, begin, end, before)
		}
		before = d
	}
}

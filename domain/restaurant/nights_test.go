package restaurant

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// At the clock change a block covers what clocks show, twice where they show it twice.
func TestBlocksWhenClocksChange(t *testing.T) {
	for name, c := range map[string]struct {
		zone, date string
		from, to   int
		want       string
	}{
		"Berlin, no change":                   {"Europe/Berlin", "2026-03-27", 60, 180, "01:00+01-03:00+01"},
		"Berlin, spring: an hour is short":    {"Europe/Berlin", "2026-03-28", 60, 210, "01:00+01-03:30+02"},
		"Berlin, spring: ends in the gap":     {"Europe/Berlin", "2026-03-28", 60, 150, "01:00+01-03:00+02"},
		"Berlin, spring: begins in the gap":   {"Europe/Berlin", "2026-03-28", 150, 240, "03:00+02-04:00+02"},
		"Berlin, spring: all in the gap":      {"Europe/Berlin", "2026-03-28", 135, 165, ""},
		"Berlin, autumn: over the change":     {"Europe/Berlin", "2026-10-24", 60, 180, "01:00+02-03:00+01"},
		"Berlin, autumn: within it":           {"Europe/Berlin", "2026-10-24", 135, 165, "02:15+02-02:45+02 02:15+01-02:45+01"},
		"Berlin, autumn: up to it":            {"Europe/Berlin", "2026-10-24", 60, 120, "01:00+02-02:00+02"},
		"Berlin, autumn: into it":             {"Europe/Berlin", "2026-10-24", 60, 150, "01:00+02-02:30+02 02:00+01-02:30+01"},
		"Berlin, autumn: out of it":           {"Europe/Berlin", "2026-10-24", 150, 240, "02:30+02-02:00+01 02:30+01-04:00+01"},
		"New York, autumn: within it":         {"America/New_York", "2026-10-31", 75, 105, "01:15-04-01:45-04 01:15-05-01:45-05"},
		"New York, spring: all in the gap":    {"America/New_York", "2026-03-07", 120, 180, ""},
		"Tokyo has none":                      {"Asia/Tokyo", "2026-10-24", 135, 165, "02:15+09-02:45+09"},
		"Lord Howe, autumn: half an hour":     {"Australia/Lord_Howe", "2026-04-04", 90, 120, "01:30+11-02:00+1030"},
		"Lord Howe, autumn: a quarter":        {"Australia/Lord_Howe", "2026-04-04", 95, 105, "01:35+11-01:45+11 01:35+1030-01:45+1030"},
		"Lord Howe, spring: half an hour":     {"Australia/Lord_Howe", "2026-10-03", 120, 150, ""},
		"past midnight, up to the boundary":   {"Europe/Berlin", "2026-10-24", 23 * 60, 300, "23:00+02-05:00+01"},
		"the whole day, the night over":       {"Europe/Berlin", "2026-03-28", 300, 300, "05:00+01-05:00+02"},
		"the day after the change, by dinner": {"Europe/Berlin", "2026-03-29", 18 * 60, 19 * 60, "18:00+02-19:00+02"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.zone, 300, weekendUntilMidnight())
			date, err := domain.ParseServiceDate(c.date)
			if err != nil {
				t.Fatal(err)
			}
			s.Blocks = []Block{{ID: "blk_1", Date: date, From: c.from, To: c.to}, {ID: "blk_2", Date: date + 9, From: c.from, To: c.to}}
			loc := zone(t, c.zone)
			clock := func(at domain.Instant) string {
				return at.Time().In(loc).Format("15:04Z07") + offsetMinutes(at, loc)
			}
			var got []string
			for _, b := range planOf(t, s, c.date).Blocks {
				got = append(got, clock(b.During.From)+"-"+clock(b.During.To))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, " "), c.want)
			}
		})
	}
}

// Turns last real minutes whatever the clocks do meanwhile, and slots of one clock time are
// told apart by their instants.
func TestTurnsWhenClocksChange(t *testing.T) {
	for name, c := range map[string]struct {
		zone, date string
		slot       string // the instant at which it starts
		wantEnd    string // of a turn of 90 minutes
	}{
		"Berlin, spring: 01:30 ends at 04:00":         {"Europe/Berlin", "2026-03-28", "2026-03-29T01:30:00+01:00", "2026-03-29T04:00:00+02:00"},
		"Berlin, autumn: the first 02:30":             {"Europe/Berlin", "2026-10-24", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"},
		"Berlin, autumn: the second 02:30":            {"Europe/Berlin", "2026-10-24", "2026-10-25T02:30:00+01:00", "2026-10-25T04:00:00+01:00"},
		"New York, spring: 01:30 ends at 04:00":       {"America/New_York", "2026-03-07", "2026-03-08T01:30:00-05:00", "2026-03-08T04:00:00-04:00"},
		"New York, autumn: the first 01:30":           {"America/New_York", "2026-10-31", "2026-11-01T01:30:00-04:00", "2026-11-01T02:00:00-05:00"},
		"New York, autumn: the second 01:30":          {"America/New_York", "2026-10-31", "2026-11-01T01:30:00-05:00", "2026-11-01T03:00:00-05:00"},
		"Tokyo: nothing happens":                      {"Asia/Tokyo", "2026-10-24", "2026-10-25T02:30:00+09:00", "2026-10-25T04:00:00+09:00"},
		"Lord Howe, spring: 01:30 ends at 03:30":      {"Australia/Lord_Howe", "2026-10-03", "2026-10-04T01:30:00+10:30", "2026-10-04T03:30:00+11:00"},
		"Lord Howe, autumn: the first 01:30 in 02:30": {"Australia/Lord_Howe", "2026-04-04", "2026-04-05T01:30:00+11:00", "2026-04-05T02:30:00+10:30"},
		"Lord Howe, autumn: the second 01:30":         {"Australia/Lord_Howe", "2026-04-04", "2026-04-05T01:30:00+10:30", "2026-04-05T03:00:00+10:30"},
		"past midnight, the night before":             {"Europe/Berlin", "2026-03-27", "2026-03-28T01:30:00+01:00", "2026-03-28T03:00:00+01:00"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, c.zone, 300, Shift{Days: EveryDay, Name: "late", Opens: 23 * 60, LastSeating: 210, Closes: 300, SlotMinutes: 30})
			plan := planOf(t, s, c.date)
			var found []restaurantday.Slot
			for _, slot := range plan.Slots {
				if slot.StartsAt == instant(t, c.slot) {
					found = append(found, slot)
				}
			}
			if len(found) != 1 {
				t.Fatalf("%d slots start at %s", len(found), c.slot)
			}
			if got, want := found[0].StartsAt.AddMinutes(plan.Turn(found[0], 2)), instant(t, c.wantEnd); got != want {
				t.Errorf("ends at %s, want %s", got, want)
			}
		})
	}
}

// night draws a zone, a service date about a change of its clocks, and a day boundary.
func night(t *rapid.T, zones map[string]*time.Location) (*time.Location, domain.ServiceDate, int) {
	loc := zones[rapid.SampledFrom(nightZones).Draw(t, "zone")]
	at := time.Date(rapid.IntRange(2005, 2035).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), 10, 0, 0, 0, 0, loc)
	if _, change := at.ZoneBounds(); !change.IsZero() {
		at = change.AddDate(0, 0, -1)
	}
	return loc, domain.DateOf(at).AddDays(rapid.IntRange(0, 1).Draw(t, "days on")), rapid.IntRange(0, 720).Draw(t, "boundary")
}

var nightZones = []string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"}

func nightLocations(t testing.TB) map[string]*time.Location {
	zones := map[string]*time.Location{}
	for _, name := range nightZones {
		zones[name] = zone(t, name)
	}
	return zones
}

// clockAt is what clocks show at an instant, in minutes after the midnight of date.
func clockAt(at domain.Instant, date domain.ServiceDate, loc *time.Location) int {
	local := at.Time().In(loc)
	return int(domain.DateOf(local)-date)*1440 + local.Hour()*60 + local.Minute()
}

// A slot stands at each minute of the service date, and at no other, at which clocks show
// a time of the shift, whatever the zone does that night.
func TestSlotsAreWhatClocksShow(t *testing.T) {
	zones := nightLocations(t)
	rapid.Check(t, func(t *rapid.T) {
		loc, date, boundary := night(t, zones)
		opens := boundary + rapid.IntRange(0, 1438).Draw(t, "opens")
		opens = min(opens, 1439)
		last := rapid.IntRange(opens, boundary+1439).Draw(t, "last seating")
		if last-opens > 1439 {
			last = opens + 1439
		}
		shift := Shift{Name: "s", Opens: opens, LastSeating: last % 1440, Closes: boundary, SlotMinutes: rapid.SampledFrom([]int{5, 15, 30, 60}).Draw(t, "slots")}
		if _, gotLast, _ := shift.span(); gotLast != last {
			t.Skip("a last seating a day after it opens cannot be written")
		}
		var want, got []domain.Instant
		for i, end := date.Clock(boundary, loc), date.AddDays(1).Clock(boundary, loc); i < end; i = i.AddMinutes(1) {
			if shows := clockAt(i, date, loc); shows >= opens && shows <= last && (shows-opens)%shift.SlotMinutes == 0 {
				want = append(want, i)
			}
		}
		for _, slot := range shift.slots(date, boundary, loc) {
			got = append(got, slot.StartsAt)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%s in %s, day from %d, %+v: got\n%v\nwant\n%v", date, loc, boundary, shift, got, want)
		}
	})
}

// A block covers a minute just when clocks show a time of the block in it.
func TestBlocksCoverWhatClocksShow(t *testing.T) {
	zones := nightLocations(t)
	rapid.Check(t, func(t *rapid.T) {
		loc, date, boundary := night(t, zones)
		from := boundary + rapid.IntRange(0, 1439).Draw(t, "from")
		to := rapid.IntRange(from+1, boundary+1440).Draw(t, "to")
		b := Block{From: from % 1440, To: to % 1440}
		if gotFrom, gotTo := b.span(boundary); gotFrom != from || gotTo != to {
			t.Fatalf("the span of %+v is %d to %d, want %d to %d", b, gotFrom, gotTo, from, to)
		}
		stretches := shown(date, boundary, from, to, loc)
		for i, end := date.Clock(boundary, loc), date.AddDays(1).Clock(boundary, loc); i < end; i = i.AddMinutes(1) {
			covered, want := 0, 0
			for _, s := range stretches {
				if s.From <= i && i < s.To {
					covered++
				}
			}
			shows := clockAt(i, date, loc)
			if from <= shows && shows < to {
				want = 1
			}
			if covered != want {
				t.Fatalf("%s in %s, %d to %d: at %s clocks show %d, covered by %d of %v", date, loc, from, to, i, shows, covered, stretches)
			}
		}
	})
}

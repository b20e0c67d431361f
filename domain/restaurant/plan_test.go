package restaurant

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// open is a published restaurant in a zone, with these shifts.
func open(t testing.TB, zoneName string, boundary int, shifts ...Shift) State {
	t.Helper()
	return given(t,
		ChangeProfile{Actor: actor, Changes: ProfileChanges{TimeZone: &zoneName}, Zone: zone(t, zoneName)},
		AddTable{Actor: actor, Table: tableA}, SetHours{Actor: actor, Shifts: shifts, DayBoundary: &boundary}, Publish{Actor: actor})
}

func planOf(t testing.TB, s State, date string) *restaurantday.Plan {
	t.Helper()
	d, err := domain.ParseServiceDate(date)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.DayPlan(d, 7, zone(t, s.Profile.TimeZone))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func instant(t testing.TB, s string) (i domain.Instant) {
	t.Helper()
	if err := i.UnmarshalText([]byte(s)); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestDayPlan(t *testing.T) {
	s := open(t, "Europe/Berlin", 300,
		Shift{Days: On(time.Friday), Name: "dinner", Opens: 18 * 60, LastSeating: 19 * 60, Closes: 60, SlotMinutes: 60},
		Shift{Days: EveryDay, Name: "lunch", Opens: 12 * 60, LastSeating: 12 * 60, Closes: 14 * 60, SlotMinutes: 30})
	want := &restaurantday.Plan{
		Revision: 7, Zone: "Europe/Berlin", Tables: []restaurantday.Table{tableA}, Policy: DefaultPolicy(),
		BookableFrom: instant(t, "2026-04-12T00:00:00+02:00"), // 90 days before
		Slots: []restaurantday.Slot{
			{Time: "12:00", StartsAt: instant(t, "2026-07-11T12:00:00+02:00"), Closes: instant(t, "2026-07-11T14:00:00+02:00"), Shift: "lunch"},
		},
	}
	if got := planOf(t, s, "2026-07-11"); !reflect.DeepEqual(got, want) {
		t.Errorf("Saturday: got\n%+v\nwant\n%+v", got, want)
	}
	want.BookableFrom -= 86_400_000
	closes := instant(t, "2026-07-11T01:00:00+02:00")
	want.Slots = []restaurantday.Slot{
		{Time: "12:00", StartsAt: instant(t, "2026-07-10T12:00:00+02:00"), Closes: instant(t, "2026-07-10T14:00:00+02:00"), Shift: "lunch"},
		{Time: "18:00", StartsAt: instant(t, "2026-07-10T18:00:00+02:00"), Closes: closes, Shift: "dinner"},
		{Time: "19:00", StartsAt: instant(t, "2026-07-10T19:00:00+02:00"), Closes: closes, Shift: "dinner"},
	}
	if got := planOf(t, s, "2026-07-10"); !reflect.DeepEqual(got, want) {
		t.Errorf("Friday: got\n%+v\nwant\n%+v", got, want)
	}
}

// At the clock change: what clocks show, as instants.
func TestSlotsWhenClocksChange(t *testing.T) {
	late := func(last, closes int) Shift {
		return Shift{Days: EveryDay, Name: "late", Opens: 23 * 60, LastSeating: last, Closes: closes, SlotMinutes: 30}
	}
	for name, c := range map[string]struct {
		zone, date string
		shift      Shift
		want       string // each slot as its clock time, its offset from UTC; then the closing
	}{
		"Berlin, no change": {"Europe/Berlin", "2026-03-27", late(180, 240),
			"23:00+01 23:30+01 00:00+01 00:30+01 01:00+01 01:30+01 02:00+01 02:30+01 03:00+01 | 04:00+01"},
		"Berlin, spring: an hour is skipped past midnight": {"Europe/Berlin", "2026-03-28", late(180, 240),
			"23:00+01 23:30+01 00:00+01 00:30+01 01:00+01 01:30+01 03:00+02 | 04:00+02"},
		"Berlin, spring: the date after is whole": {"Europe/Berlin", "2026-03-29", late(30, 60),
			"23:00+02 23:30+02 00:00+02 00:30+02 | 01:00+02"},
		"Berlin, spring: closes in the skipped hour": {"Europe/Berlin", "2026-03-28", late(90, 150),
			"23:00+01 23:30+01 00:00+01 00:30+01 01:00+01 01:30+01 | 03:00+02"},
		"Berlin, autumn: an hour comes twice": {"Europe/Berlin", "2026-10-24", late(180, 240),
			"23:00+02 23:30+02 00:00+02 00:30+02 01:00+02 01:30+02 02:00+02 02:30+02 02:00+01 02:30+01 03:00+01 | 04:00+01"},
		"Berlin, autumn: closes when the time comes first, if all are seated": {"Europe/Berlin", "2026-10-24", late(60, 120),
			"23:00+02 23:30+02 00:00+02 00:30+02 01:00+02 | 02:00+02"},
		"Berlin, autumn: closes after those seated twice": {"Europe/Berlin", "2026-10-24", late(120, 150),
			"23:00+02 23:30+02 00:00+02 00:30+02 01:00+02 01:30+02 02:00+02 02:00+01 | 02:30+01"},
		"New York, spring": {"America/New_York", "2026-03-07", late(210, 240),
			"23:00-05 23:30-05 00:00-05 00:30-05 01:00-05 01:30-05 03:00-04 03:30-04 | 04:00-04"},
		"New York, autumn": {"America/New_York", "2026-10-31", late(120, 180),
			"23:00-04 23:30-04 00:00-04 00:30-04 01:00-04 01:30-04 01:00-05 01:30-05 02:00-05 | 03:00-05"},
		"Tokyo has none": {"Asia/Tokyo", "2026-03-28", late(150, 180),
			"23:00+09 23:30+09 00:00+09 00:30+09 01:00+09 01:30+09 02:00+09 02:30+09 | 03:00+09"},
		"Lord Howe, spring: half an hour is skipped": {"Australia/Lord_Howe", "2026-10-03", late(180, 240),
			"23:00+1030 23:30+1030 00:00+1030 00:30+1030 01:00+1030 01:30+1030 02:30+11 03:00+11 | 04:00+11"},
		"Lord Howe, autumn: half an hour comes twice": {"Australia/Lord_Howe", "2026-04-04", late(150, 180),
			"23:00+11 23:30+11 00:00+11 00:30+11 01:00+11 01:30+11 01:30+1030 02:00+1030 02:30+1030 | 03:00+1030"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := planOf(t, open(t, c.zone, 300, c.shift), c.date)
			loc := zone(t, c.zone)
			var shown []string
			for _, slot := range plan.Slots {
				shown = append(shown, slot.StartsAt.Time().In(loc).Format("15:04Z07")+offsetMinutes(slot.StartsAt, loc))
				if got := slot.StartsAt.Time().In(loc).Format("15:04"); got != slot.Time {
					t.Errorf("%s is called %s", got, slot.Time)
				}
				if slot.Closes != plan.Slots[0].Closes {
					t.Errorf("%s closes at %s, others at %s", slot.Time, slot.Closes, plan.Slots[0].Closes)
				}
			}
			closes := plan.Slots[0].Closes
			got := strings.Join(shown, " ") + " | " + closes.Time().In(loc).Format("15:04Z07") + offsetMinutes(closes, loc)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// offsetMinutes is the part of an hour that "Z07" leaves out.
func offsetMinutes(at domain.Instant, loc *time.Location) string {
	return strings.TrimSuffix(at.Time().In(loc).Format("-0700")[3:], "00")
}

// A day that turns within the hour that comes twice turns once, when that time comes
// first: what the evening would have had after that is the next date's.
func TestTheDayTurnsInTheRepeatedHour(t *testing.T) {
	s := open(t, "Europe/Berlin", 150,
		Shift{Days: EveryDay, Name: "late", Opens: 23*60 + 30, LastSeating: 120, Closes: 150, SlotMinutes: 30},
		Shift{Days: EveryDay, Name: "early", Opens: 150, LastSeating: 180, Closes: 240, SlotMinutes: 30})
	turn := instant(t, "2026-10-25T02:30:00+02:00")
	var late, early []restaurantday.Slot
	for _, slot := range planOf(t, s, "2026-10-24").Slots {
		if slot.Shift == "late" {
			late = append(late, slot)
		}
	}
	for _, slot := range planOf(t, s, "2026-10-25").Slots {
		if slot.Shift == "early" {
			early = append(early, slot)
		}
	}
	closes := instant(t, "2026-10-25T04:00:00+01:00")
	want := []restaurantday.Slot{
		{Time: "23:30", StartsAt: turn - 3*3_600_000, Closes: turn, Shift: "late"},
		{Time: "00:00", StartsAt: turn - 150*60_000, Closes: turn, Shift: "late"},
		{Time: "00:30", StartsAt: turn - 2*3_600_000, Closes: turn, Shift: "late"},
		{Time: "01:00", StartsAt: turn - 90*60_000, Closes: turn, Shift: "late"},
		{Time: "01:30", StartsAt: turn - 3_600_000, Closes: turn, Shift: "late"},
		{Time: "02:00", StartsAt: turn - 30*60_000, Closes: turn, Shift: "late"},
		{Time: "02:30", StartsAt: turn, Closes: closes, Shift: "early"},
		{Time: "02:30", StartsAt: turn + 3_600_000, Closes: closes, Shift: "early"},
		{Time: "03:00", StartsAt: turn + 90*60_000, Closes: closes, Shift: "early"},
	}
	if got := append(late, early...); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// Whatever the zone, the date and the hours: slots rise, none twice, each within its
// service date and before its closing, which is within it too.
func TestSlotsStayInTheirServiceDate(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "America/Santiago", "America/St_Johns", "Africa/Cairo", "Pacific/Apia"}
	locs := map[string]*time.Location{}
	for _, name := range zones {
		locs[name] = zone(t, name)
	}
	base := open(t, "UTC", 0, weekendUntilMidnight())
	rapid.Check(t, func(t *rapid.T) {
		loc := locs[rapid.SampledFrom(zones).Draw(t, "zone")]
		from := time.Date(rapid.IntRange(2005, 2035).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), 0, 0, 0, 0, loc)
		if _, change := from.ZoneBounds(); !change.IsZero() {
			from = change.AddDate(0, 0, -1)
		}
		date := domain.DateOf(from).AddDays(rapid.IntRange(0, 2).Draw(t, "days on"))
		boundary := rapid.IntRange(0, 720).Draw(t, "boundary")
		// One or two shifts, cut out of the day at rising minutes.
		length := rapid.IntRange(4, 1440).Draw(t, "length")
		var shifts []Shift
		for i := range 2 {
			opens := boundary + i*length/2
			last := opens + rapid.IntRange(0, length/2-1).Draw(t, "last seating")
			shifts = append(shifts, Shift{
				Days: EveryDay, Name: []string{"one", "two"}[i], Opens: opens % 1440, LastSeating: last % 1440, Closes: (opens + length/2) % 1440,
				SlotMinutes: rapid.SampledFrom([]int{5, 15, 30, 45, 60}).Draw(t, "slots"),
			})
			if opens >= 1440 {
				shifts = shifts[:i] // such a shift would open before the boundary
			}
		}
		s := base
		kept, err := checkedHours(shifts, boundary)
		if err != nil {
			t.Fatalf("%+v: %v", shifts, err)
		}
		s.Shifts, s.DayBoundary, s.Profile.TimeZone = kept, boundary, loc.String()
		plan, err := s.DayPlan(date, 1, loc)
		if err != nil {
			t.Fatal(err)
		}
		end := date.AddDays(1).Clock(boundary, loc)
		for i, slot := range plan.Slots {
			switch {
			case i > 0 && slot.StartsAt <= plan.Slots[i-1].StartsAt:
				t.Fatalf("slot %+v follows %+v", slot, plan.Slots[i-1])
			case domain.ServiceDateAt(slot.StartsAt, loc, boundary) != date:
				t.Fatalf("slot %+v belongs to %s, not %s", slot, domain.ServiceDateAt(slot.StartsAt, loc, boundary), date)
			case slot.Closes <= slot.StartsAt || slot.Closes > end:
				t.Fatalf("slot %+v closes out of order, or past %s", slot, end)
			case slot.StartsAt.Time().In(loc).Format("15:04") != slot.Time:
				t.Fatalf("slot %+v is called wrongly", slot)
			}
		}
	})
}

func weekendUntilMidnight() Shift {
	return Shift{Days: EveryDay, Name: "dinner", Opens: 17 * 60, LastSeating: 23 * 60, Closes: 0}
}

func TestDayPlanOrdersTheFloor(t *testing.T) {
	var commands []Command
	for i, number := range []string{"10", "9", "B2", "A10", "A2", "02", "1"} {
		commands = append(commands, AddTable{Actor: actor, Table: restaurantday.Table{
			ID: domain.NewTableID([16]byte{byte(i)}), Number: number, Min: 1, Max: 4}})
	}
	commands = append(commands, AddTable{Actor: actor, Table: restaurantday.Table{ID: domain.NewTableID([16]byte{99}), Number: "Z", Min: 1, Max: 2}},
		SetHours{Actor: actor, Shifts: []Shift{weekend}}, Publish{Actor: actor})
	var got []string
	for _, table := range planOf(t, given(t, commands...), "2026-07-10").Tables {
		got = append(got, table.Number)
	}
	if want := []string{"Z", "1", "02", "9", "10", "A2", "A10", "B2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNaturalOrderIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.StringMatching(`[01aB-]{0,5}`)
		a, b, c := number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c")
		if compareNatural(a, b) != -compareNatural(b, a) || (compareNatural(a, b) == 0) != (a == b) {
			t.Fatalf("%q and %q: %d and %d", a, b, compareNatural(a, b), compareNatural(b, a))
		}
		if compareNatural(a, b) < 0 && compareNatural(b, c) < 0 && compareNatural(a, c) >= 0 {
			t.Fatalf("%q < %q < %q, but not the first and the last", a, b, c)
		}
	})
}

func TestDayPlansThatCannotBe(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	draft := given(t)
	want := domain.Reject(domain.CodeClosed, "the restaurant does not take bookings yet", domain.Reason{Rule: "status"})
	if _, err := draft.DayPlan(20000, 1, berlin); !reflect.DeepEqual(err, error(want)) {
		t.Errorf("draft: got %v", err)
	}
	if no, _ := domain.Rejected(second(State{}.DayPlan(20000, 1, berlin))); no == nil || no.Code != domain.CodeNotFound {
		t.Errorf("none: got %v", no)
	}
	s := open(t, "Europe/Berlin", 300, weekend)
	for _, loc := range []*time.Location{nil, time.UTC} {
		_, err := s.DayPlan(20000, 1, loc)
		if _, ok := domain.Rejected(err); err == nil || ok {
			t.Errorf("zone %v: got %v", loc, err)
		}
	}
}

func second(_ *restaurantday.Plan, err error) error { return err }

func TestHorizonCountsLocalDays(t *testing.T) {
	s := open(t, "Europe/Berlin", 300, weekend)
	// Over the change of March the horizon is an hour short of 90 times 24.
	if got, want := planOf(t, s, "2026-06-19").BookableFrom, instant(t, "2026-03-21T00:00:00+01:00"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

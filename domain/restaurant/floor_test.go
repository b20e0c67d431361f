package restaurant

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

var tableC = restaurantday.Table{ID: domain.NewTableID([16]byte{3}), Number: "3", Min: 1, Max: 4}

// furnished has tables A, B and C.
func furnished(t testing.TB, commands ...Command) State {
	t.Helper()
	return given(t, append([]Command{
		AddTable{Now: now, Actor: actor, Table: tableA}, AddTable{Now: now, Actor: actor, Table: tableB}, AddTable{Now: now, Actor: actor, Table: tableC},
	}, commands...)...)
}

func combine(n byte, least, most domain.PartySize, tables ...domain.TableID) AddCombination {
	return AddCombination{Now: now, Actor: actor, Combination: restaurantday.Combination{
		ID: domain.NewCombinationID([16]byte{n}), Tables: tables, Min: least, Max: most}}
}

func block(n byte, date domain.ServiceDate, from, to int, tables ...domain.TableID) AddBlock {
	return AddBlock{Now: now, Actor: actor, Block: Block{ID: domain.NewBlockID([16]byte{n}), Tables: tables, Date: date, From: from, To: to}}
}

func TestOfflineOnlyTables(t *testing.T) {
	bar := tableC
	bar.OfflineOnly = true
	same(t, decided(t, given(t), AddTable{Now: now, Actor: actor, Table: bar}), TableAdded{stamp(now), bar})
	change := ChangeTable{Now: now, Actor: actor, ID: tableC.ID, OfflineOnly: ptr(true)}
	same(t, decided(t, furnished(t), change), TableChanged{stamp(now), bar})
	same(t, decided(t, furnished(t, change), change))
	change.OfflineOnly = ptr(false)
	same(t, decided(t, given(t, AddTable{Now: now, Actor: actor, Table: bar}), change), TableChanged{stamp(now), tableC})
}

func TestCombinations(t *testing.T) {
	c := combine(1, 5, 6, tableA.ID, tableB.ID)
	s := furnished(t, c)
	same(t, decided(t, furnished(t), c), CombinationAdded{stamp(now), c.Combination})
	same(t, decided(t, s, c))
	one := combine(2, 0, 8, tableB.ID, tableC.ID)
	want := one.Combination
	want.Min = 1
	same(t, decided(t, s, one), CombinationAdded{stamp(now), want})
	remove := RemoveCombination{Now: now, Actor: actor, ID: c.Combination.ID}
	same(t, decided(t, s, remove), CombinationRemoved{stamp(now), c.Combination.ID})
	same(t, decided(t, furnished(t, c, remove), remove))

	for name, k := range map[string]struct {
		c             AddCombination
		field, detail string
	}{
		"id of another":     {combine(1, 5, 7, tableA.ID, tableB.ID), "combination_id", "there is another combination with this id"},
		"the same tables":   {combine(2, 1, 7, tableB.ID, tableA.ID), "table_ids", "these tables are combined already, for parties of 5 to 6"},
		"one table":         {combine(2, 1, 7, tableA.ID), "table_ids", "table_ids is 1; it can be 2 to 8"},
		"nine":              {combine(2, 1, 7, make([]domain.TableID, 9)...), "table_ids", "table_ids is 9; it can be 2 to 8"},
		"no such table":     {combine(2, 1, 7, tableA.ID, "tbl_x"), "table_ids", `there is no table "tbl_x"`},
		"a table twice":     {combine(2, 1, 7, tableA.ID, tableA.ID), "table_ids", fmt.Sprintf("the table %s is named twice", tableA.ID)},
		"seats nobody":      {combine(2, 0, 0, tableA.ID, tableC.ID), "capacity", "capacity is 0; it can be 1 to 500"},
		"seats a city":      {combine(2, 1, 501, tableA.ID, tableC.ID), "capacity", "capacity is 501; it can be 1 to 500"},
		"at least too many": {combine(2, 8, 7, tableA.ID, tableC.ID), "min_capacity", "min_capacity is 8; it can be 1 to 7"},
	} {
		t.Run(name, func(t *testing.T) { wrong(t, s, k.c, k.field, k.detail) })
	}
	bad := combine(2, 1, 7, tableA.ID, tableC.ID)
	bad.Combination.ID = "cmb_1"
	if no := refused(t, s, bad); no.Reasons[0].Rule != "combination_id" {
		t.Errorf("got %+v", no)
	}
	t.Run("at most 200", func(t *testing.T) {
		full := s
		for i := len(s.Combinations); i < maxCombinations; i++ {
			full = evolve(full, CombinationAdded{stamp(now), restaurantday.Combination{ID: domain.NewCombinationID([16]byte{9, byte(i)})}})
		}
		wrong(t, full, combine(2, 1, 7, tableA.ID, tableC.ID), "combinations", "a restaurant has at most 200 combinations")
	})
}

func TestBlocks(t *testing.T) {
	c := block(1, today+1, 18*60, 30, tableA.ID, tableC.ID)
	c.Block.Reason = "a private party"
	s := furnished(t, c)
	spaced := c
	spaced.Block.Reason = " a private party\t"
	same(t, decided(t, furnished(t), spaced), BlockAdded{stamp(now), c.Block})
	same(t, decided(t, s, c))
	remove := RemoveBlock{Now: now, Actor: actor, ID: c.Block.ID}
	same(t, decided(t, s, remove), BlockRemoved{stamp(now), c.Block.ID})
	same(t, decided(t, furnished(t, c, remove), remove))
	whole := block(2, today, 300, 300) // from the turn of the day to the next
	same(t, decided(t, s, whole), BlockAdded{stamp(now), whole.Block})
	if got, want := furnished(t, c, whole).Blocks, []Block{whole.Block, c.Block}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
	late := block(3, today+60, 600, 660)
	late.Now = now.AddMinutes(32 * 24 * 60)
	if got, want := furnished(t, c, whole, late).Blocks, []Block{c.Block, late.Block}; !reflect.DeepEqual(got, want) {
		t.Errorf("a month later: got %+v", got)
	}

	long := block(2, today, 600, 660)
	long.Block.Reason = strings.Repeat("r", 201)
	for name, k := range map[string]struct {
		c             AddBlock
		field, detail string
	}{
		"id of another": {block(1, today+1, 600, 660), "block_id", "there is another block with this id"},
		"past":          {block(2, today-2, 600, 660), "date", (today - 2).String() + " is past"},
		"far ahead":     {block(2, today+1831, 600, 660), "date", (today + 1831).String() + " is more than 1830 days ahead"},
		"a 24th hour":   {block(2, today, 600, 1440), "to", "the block has a time that no clock shows; want 00:00 to 23:59"},
		"no time":       {block(2, today, -1, 600), "from", "the block has a time that no clock shows; want 00:00 to 23:59"},
		"past the day":  {block(2, today, 240, 301), "to", "the block from 04:00 to 05:01 goes on after the next day began at 05:00"},
		"a day at noon": {block(2, today, 720, 720), "to", "the block from 12:00 to 12:00 goes on after the next day began at 05:00"},
		"no such table": {block(2, today, 600, 660, "tbl_x"), "table_ids", `there is no table "tbl_x"`},
		"a table twice": {block(2, today, 600, 660, tableA.ID, tableA.ID), "table_ids", fmt.Sprintf("the table %s is named twice", tableA.ID)},
		"long reason":   {long, "reason", "the reason is longer than 200 characters"},
	} {
		t.Run(name, func(t *testing.T) { wrong(t, s, k.c, k.field, k.detail) })
	}
	bad := block(2, today, 600, 660)
	bad.Block.ID = "blk_1"
	if no := refused(t, s, bad); no.Reasons[0].Rule != "block_id" {
		t.Errorf("got %+v", no)
	}
	t.Run("at most 1000", func(t *testing.T) {
		full := furnished(t)
		for i := range maxBlocks {
			full.Blocks = append(full.Blocks, Block{ID: domain.NewBlockID([16]byte{9, byte(i >> 8), byte(i)}), Date: today})
		}
		wrong(t, full, c, "blocks", "a restaurant has at most 1000 blocks")
	})
	t.Run("a day boundary that gives them other hours", func(t *testing.T) {
		// With the day turning at 00:30 the block ends in time; with midnight it would not.
		set := func(boundary int) SetHours { return SetHours{Now: now, Actor: actor, DayBoundary: &boundary} }
		same(t, decided(t, s, set(30)), HoursSet{stamp(now), nil, 30})
		wrong(t, s, set(0), "day_boundary", fmt.Sprintf("the block on %s from 18:00 to 00:30 does not fit a day that turns at 00:00", today+1))
		night := furnished(t, block(2, today, 4*60, 5*60))
		wrong(t, night, set(3*60), "day_boundary", fmt.Sprintf("the block on %s from 04:00 to 05:00 does not fit a day that turns at 03:00", today))
		past := set(3 * 60)
		past.Now = now.AddMinutes(3 * 24 * 60)
		decided(t, night, past)
	})
}

// A table takes with it what cannot be without it.
func TestRemovingATableInUse(t *testing.T) {
	both, alone, floor := block(1, today, 600, 660, tableA.ID, tableB.ID), block(2, today, 600, 660, tableA.ID), block(3, today, 600, 660)
	pair, others := combine(1, 3, 6, tableA.ID, tableB.ID), combine(2, 3, 8, tableB.ID, tableC.ID)
	remove := RemoveTable{Now: now, Actor: actor, ID: tableA.ID}
	s := furnished(t, both, alone, floor, pair, others)
	same(t, decided(t, s, remove), CombinationRemoved{stamp(now), pair.Combination.ID}, BlockRemoved{stamp(now), alone.Block.ID}, TableRemoved{stamp(now), tableA.ID})
	after := furnished(t, both, alone, floor, pair, others, remove)
	left := both.Block
	left.Tables = []domain.TableID{tableB.ID}
	want := s
	want.Tables, want.Blocks, want.Combinations = []restaurantday.Table{tableB, tableC}, []Block{left, floor.Block}, []restaurantday.Combination{others.Combination}
	if !reflect.DeepEqual(after, want) {
		t.Errorf("got\n%+v\nwant\n%+v", after, want)
	}
}

// What a plan holds of it all, and what comes before what.
func TestDayPlanFoldsAllIn(t *testing.T) {
	date := today + 10
	dinner := Shift{Days: EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 19 * 60, Closes: 23 * 60, SlotMinutes: 60}
	quick := Shift{Days: EveryDay, Name: "quick", Opens: 12 * 60, LastSeating: 12 * 60, Closes: 14 * 60, SlotMinutes: 30, PacingCovers: 9,
		Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 45}}}
	commands := []Command{
		SetHours{Now: now, Actor: actor, Shifts: []Shift{dinner, quick}},
		combine(1, 5, 8, tableB.ID, tableC.ID), combine(2, 1, 6, tableC.ID, tableA.ID, tableB.ID), combine(3, 3, 6, tableA.ID, tableB.ID),
		block(1, date, 19*60, 0, tableA.ID), block(2, date, 18*60, 18*60+30), block(3, date+1, 18*60, 19*60),
		Publish{Now: now, Actor: actor},
	}
	at := func(minutes int) domain.Instant { return date.Clock(minutes, zone(t, "Europe/Berlin")) }
	slot := func(clock string, minutes, closes int, shift string) restaurantday.Slot {
		return restaurantday.Slot{Time: clock, StartsAt: at(minutes), Closes: at(closes), Shift: shift}
	}
	week := &restaurantday.Plan{
		Revision: 7, Zone: "Europe/Berlin", Tables: []restaurantday.Table{tableA, tableB, tableC}, Policy: DefaultPolicy(),
		BookableFrom: date.AddDays(-90).Clock(0, zone(t, "Europe/Berlin")),
		Slots:        []restaurantday.Slot{slot("12:00", 720, 840, "quick"), slot("18:00", 1080, 1380, "dinner"), slot("19:00", 1140, 1380, "dinner")},
		Shifts:       []restaurantday.ShiftPlan{{Name: "quick", Turns: quick.Turns, PacingCovers: 9}},
		Combinations: []restaurantday.Combination{
			combine(3, 3, 6, tableA.ID, tableB.ID).Combination, combine(2, 1, 6, tableC.ID, tableA.ID, tableB.ID).Combination,
			combine(1, 5, 8, tableB.ID, tableC.ID).Combination,
		},
		Blocks: []restaurantday.Block{
			{ID: domain.NewBlockID([16]byte{2}), During: domain.Interval{From: at(1080), To: at(1110)}},
			{ID: domain.NewBlockID([16]byte{1}), Tables: []domain.TableID{tableA.ID}, During: domain.Interval{From: at(1140), To: at(1440)}},
		},
	}
	feast, shut := special(date, brunch()), special(date)
	closed := AddClosure{Now: now, Actor: actor, Closure: Closure{ID: domain.NewClosureID([16]byte{1}), From: date - 1, To: date + 1, Reason: "works"}}
	ofFeast, ofShut, ofClosure := *week, *week, *week
	ofFeast.Slots, ofFeast.Shifts = nil, []restaurantday.ShiftPlan{{Name: "brunch", Turns: brunch().Turns, PacingCovers: 12}}
	for m := 600; m <= 780; m += 30 {
		ofFeast.Slots = append(ofFeast.Slots, slot(domain.FormatClock(m), m, 900, "brunch"))
	}
	ofShut.Slots, ofShut.Shifts, ofShut.Closure = nil, nil, "a feast"
	ofClosure.Slots, ofClosure.Shifts, ofClosure.Closure = nil, nil, "works"
	for name, k := range map[string]struct {
		more []Command
		want *restaurantday.Plan
	}{
		"the week":                   {nil, week},
		"a special day":              {[]Command{feast}, &ofFeast},
		"a special day that is shut": {[]Command{shut}, &ofShut},
		"a closure":                  {[]Command{feast, closed}, &ofClosure},
		"a closure that ended":       {[]Command{closed, RemoveClosure{Now: now, Actor: actor, ID: closed.Closure.ID}}, week},
		"a special day that is none": {[]Command{feast, RemoveSpecialDay{Now: now, Actor: actor, Date: date}}, week},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := furnished(t, append(append([]Command(nil), commands...), k.more...)...).DayPlan(date, 7, zone(t, "Europe/Berlin"))
			if err != nil || !reflect.DeepEqual(got, k.want) {
				t.Errorf("got\n%+v, %v\nwant\n%+v", got, err, k.want)
			}
		})
	}
}

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

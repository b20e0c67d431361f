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

package restaurantday

import (
	"reflect"
	"testing"

	"daybook/domain"
)

// wholePlan has two shifts, three tables, a combination and a block, in hours from 0.
func wholePlan() *Plan {
	hour := func(n int) domain.Instant { return domain.Instant(n * 3_600_000) }
	slot := func(n, closes int, clock, shift string) Slot {
		return Slot{Time: clock, StartsAt: hour(n), Closes: hour(closes), Shift: shift}
	}
	return &Plan{
		Slots: []Slot{
			slot(12, 15, "12:00", "lunch"), slot(13, 15, "13:00", "lunch"), slot(18, 23, "18:00", "dinner"), slot(20, 23, "20:00", "dinner"),
		},
		Shifts: []ShiftPlan{{Name: "lunch", Turns: []TurnTime{{UpToParty: 2, Minutes: 45}, {UpToParty: 4, Minutes: 60}}, PacingCovers: 10}},
		Tables: []Table{
			{ID: "tbl_a", Min: 1, Max: 2}, {ID: "tbl_b", Min: 2, Max: 4}, {ID: "tbl_bar", Min: 1, Max: 6, OfflineOnly: true},
		},
		Combinations: []Combination{{ID: "cmb_1", Tables: []domain.TableID{"tbl_a", "tbl_b"}, Min: 5, Max: 7},
			{ID: "cmb_2", Tables: []domain.TableID{"tbl_a", "tbl_bar"}, Min: 5, Max: 9}},
		Blocks: []Block{{ID: "blk_1", Tables: []domain.TableID{"tbl_a"}, During: domain.Interval{From: hour(19), To: hour(20)}},
			{ID: "blk_2", During: domain.Interval{From: hour(22), To: hour(24)}}},
		Policy: Policy{BufferMinutes: 10, PacingCovers: 30, Turns: []TurnTime{{UpToParty: 2, Minutes: 90}, {UpToParty: 500, Minutes: 120}}},
	}
}

func TestTurnsAndPacingOfAShift(t *testing.T) {
	p := wholePlan()
	type answer struct{ turn, pacing int }
	for _, c := range []struct {
		slot  int
		party domain.PartySize
		want  answer
	}{
		{0, 2, answer{45, 10}}, {0, 3, answer{60, 10}}, {0, 9, answer{60, 10}}, {2, 2, answer{90, 30}}, {2, 3, answer{120, 30}},
	} {
		s := p.Slots[c.slot]
		if got := (answer{p.Turn(s, c.party), p.Pacing(s)}); got != c.want {
			t.Errorf("%s, party of %d: got %+v, want %+v", s.Time, c.party, got, c.want)
		}
	}
	// A shift that has one of the two leaves the other to the policy.
	p.Shifts = []ShiftPlan{{Name: "lunch", PacingCovers: 10}, {Name: "dinner", Turns: []TurnTime{{UpToParty: 2, Minutes: 30}}}}
	if got, want := (answer{p.Turn(p.Slots[0], 2), p.Pacing(p.Slots[0])}), (answer{90, 10}); got != want {
		t.Errorf("lunch: got %+v", got)
	}
	if got, want := (answer{p.Turn(p.Slots[2], 2), p.Pacing(p.Slots[2])}), (answer{30, 30}); got != want {
		t.Errorf("dinner: got %+v", got)
	}
	turn, occupied := wholePlan().turn(wholePlan().Slots[1], 2)
	from := wholePlan().Slots[1].StartsAt
	if turn != (domain.Interval{From: from, To: from.AddMinutes(45)}) || occupied != (domain.Interval{From: from, To: from.AddMinutes(55)}) {
		t.Errorf("got %v and %v", turn, occupied)
	}
}

func TestLargestParty(t *testing.T) {
	p := wholePlan()
	if got, online := p.LargestParty(), p.LargestOnlineParty(); got != 9 || online != 7 {
		t.Errorf("got %d, online %d", got, online)
	}
	p.Combinations = []Combination{{Tables: []domain.TableID{"tbl_a", "tbl_gone"}, Max: 12}}
	if got, online := p.LargestParty(), p.LargestOnlineParty(); got != 6 || online != 4 {
		t.Errorf("without combinations: got %d, online %d", got, online)
	}
	if got := (Policy{}).OfferMinutes(); got != 10 {
		t.Errorf("an old policy offers for %d minutes", got)
	}
	if got := (Policy{WaitlistOfferMinutes: 3}).OfferMinutes(); got != 3 {
		t.Errorf("got %d", got)
	}
}

func TestMisfits(t *testing.T) {
	hour := func(n int) domain.Instant { return domain.Instant(n * 3_600_000) }
	at := func(from, to int, party domain.PartySize, tables ...domain.TableID) Place {
		return Place{Party: party, StartsAt: hour(from), Occupied: domain.Interval{From: hour(from), To: hour(to)}, Tables: tables, Online: true}
	}
	staff := at(18, 19, 2, "tbl_bar")
	staff.Online = false
	taken := func(code domain.Code, rule string, table domain.TableID) Misfit {
		return Misfit{Code: code, Rule: rule, Table: table}
	}
	closed, none := wholePlan(), wholePlan()
	closed.Slots, closed.Closure, none.Slots = nil, "holidays", nil
	for name, c := range map[string]struct {
		plan *Plan
		at   Place
		want []Misfit
	}{
		"fits":                 {wholePlan(), at(18, 19, 2, "tbl_a"), nil},
		"fits a combination":   {wholePlan(), at(12, 13, 6, "tbl_b", "tbl_a"), nil},
		"staff at the bar":     {wholePlan(), staff, nil},
		"up to a block":        {wholePlan(), at(20, 22, 2, "tbl_a"), nil},
		"another table's":      {wholePlan(), at(18, 20, 2, "tbl_b"), nil},
		"closed":               {closed, at(18, 19, 2, "tbl_a"), []Misfit{taken(domain.CodeClosed, "closure", "")}},
		"no shift":             {none, at(18, 19, 2, "tbl_a"), []Misfit{taken(domain.CodeClosed, "slot", "")}},
		"between slots":        {wholePlan(), at(19, 20, 2, "tbl_b"), []Misfit{taken(domain.CodeOffSlot, "slot", "")}},
		"between shifts":       {wholePlan(), at(16, 17, 2, "tbl_b"), []Misfit{taken(domain.CodeOutsideHours, "slot", "")}},
		"a table gone":         {wholePlan(), at(18, 19, 2, "tbl_x"), []Misfit{taken(domain.CodeNoTable, "table", "tbl_x")}},
		"too many for a table": {wholePlan(), at(18, 19, 3, "tbl_a"), []Misfit{taken(domain.CodeNoTable, "table_capacity", "tbl_a")}},
		"too few for a table":  {wholePlan(), at(18, 19, 1, "tbl_b"), []Misfit{taken(domain.CodeNoTable, "table_capacity", "tbl_b")}},
		"online at the bar":    {wholePlan(), at(18, 19, 2, "tbl_bar"), []Misfit{taken(domain.CodeNoTable, "offline_only", "tbl_bar")}},
		"too many combined":    {wholePlan(), at(18, 19, 8, "tbl_a", "tbl_b"), []Misfit{taken(domain.CodeNoTable, "combination", "")}},
		"not combined, gone": {wholePlan(), at(18, 19, 6, "tbl_b", "tbl_x"), []Misfit{
			taken(domain.CodeNoTable, "table", "tbl_x"), taken(domain.CodeNoTable, "combination", "")}},
		"blocked": {wholePlan(), at(18, 20, 2, "tbl_a"), []Misfit{{Code: domain.CodeBlocked, Rule: "block", Table: "tbl_a", Block: "blk_1"}}},
		"the floor blocked": {wholePlan(), at(20, 23, 6, "tbl_a", "tbl_b"), []Misfit{
			{Code: domain.CodeBlocked, Rule: "block", Table: "tbl_a", Block: "blk_2"}, {Code: domain.CodeBlocked, Rule: "block", Table: "tbl_b", Block: "blk_2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.plan.Misfits(c.at); !reflect.DeepEqual(got, c.want) || c.plan.Keeps(c.at) != (c.want == nil) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
	t.Run("a change breaks what it makes a misfit", func(t *testing.T) {
		next := wholePlan()
		next.Tables = next.Tables[1:]
		walkIn := at(19, 20, 2, "tbl_a") // between slots, and in a block
		if got, want := next.Breaks(wholePlan(), walkIn), []Misfit{taken(domain.CodeNoTable, "table", "tbl_a")}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
		if got := next.Breaks(wholePlan(), at(18, 19, 2, "tbl_b")); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
	})
}

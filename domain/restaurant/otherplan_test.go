package restaurant

import (
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// The plan of a day that questions are asked about.
func plannedDay(t *testing.T) (State, *restaurantday.Plan, domain.ServiceDate, *time.Location) {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	table := func(n byte, number string, most domain.PartySize) restaurantday.Table {
		return restaurantday.Table{ID: domain.NewTableID([16]byte{n}), Number: number, Min: 1, Max: most}
	}
	const date domain.ServiceDate = 20413
	s := State{
		ID: domain.NewRestaurantID([16]byte{1}), Status: StatusOpen, DayBoundary: DefaultDayBoundary, Policy: DefaultPolicy(),
		Profile: Profile{TimeZone: "Europe/Berlin"},
		Shifts: []Shift{{
			Days: EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 21 * 60, Closes: 23 * 60, SlotMinutes: 60,
			Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 100}},
		}},
		Tables: []restaurantday.Table{table(1, "1", 2), table(2, "2", 4), table(3, "3", 4)},
		Combinations: []restaurantday.Combination{{
			ID: domain.NewCombinationID([16]byte{1}), Tables: []domain.TableID{domain.NewTableID([16]byte{2}), domain.NewTableID([16]byte{3})}, Min: 5, Max: 8,
		}},
		Blocks: []Block{
			{ID: domain.NewBlockID([16]byte{1}), Tables: []domain.TableID{domain.NewTableID([16]byte{3})}, Date: date, From: 18 * 60, To: 19 * 60},
			{ID: domain.NewBlockID([16]byte{2}), Date: date, From: 22 * 60, To: 23 * 60},
		},
	}
	plan, err := s.DayPlan(date, 9, loc)
	if err != nil {
		t.Fatal(err)
	}
	return s, plan, date, loc
}

func TestOtherPlanNamesOnlyWhatItNames(t *testing.T) {
	s, plan, date, loc := plannedDay(t)
	n := func(i int) *int { return &i }
	late := restaurantday.FirstFit
	ids := func(bytes ...byte) (list []domain.TableID) {
		for _, b := range bytes {
			list = append(list, domain.NewTableID([16]byte{b}))
		}
		return list
	}
	for name, c := range map[string]struct {
		other OtherPlan
		want  func(*restaurantday.Plan)
	}{
		"nothing":           {OtherPlan{}, func(*restaurantday.Plan) {}},
		"the same boundary": {OtherPlan{DayBoundary: n(DefaultDayBoundary)}, func(*restaurantday.Plan) {}},
		"a policy": {OtherPlan{Policy: OtherPolicy{HoldMinutes: n(20), BufferMinutes: n(15), PacingCovers: n(9), Assignment: &late}}, func(p *restaurantday.Plan) {
			p.Policy.HoldMinutes, p.Policy.BufferMinutes, p.Policy.PacingCovers, p.Policy.Assignment = 20, 15, 9, restaurantday.FirstFit
		}},
		"a horizon": {OtherPlan{Policy: OtherPolicy{HorizonDays: n(7)}}, func(p *restaurantday.Plan) {
			p.Policy.HorizonDays, p.BookableFrom = 7, date.AddDays(-7).Clock(0, loc)
		}},
		"turn times, those of shifts too": {OtherPlan{TurnMinutesBy: -30}, func(p *restaurantday.Plan) {
			for i := range p.Policy.Turns {
				p.Policy.Turns[i].Minutes -= 30
			}
			p.Shifts[0].Turns = []restaurantday.TurnTime{{UpToParty: 500, Minutes: 70}}
		}},
		"absolute turn times leave those of shifts": {OtherPlan{Policy: OtherPolicy{Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 60}}}}, func(p *restaurantday.Plan) {
			p.Policy.Turns = []restaurantday.TurnTime{{UpToParty: 500, Minutes: 60}}
		}},
		"no combinations": {OtherPlan{Combinations: []NumberedCombination{}}, func(p *restaurantday.Plan) { p.Combinations = nil }},
		"other combinations": {OtherPlan{Combinations: []NumberedCombination{{Tables: []string{"3", "2"}, Max: 10}, {Tables: []string{"1", "2"}, Min: 4, Max: 6}}}, func(p *restaurantday.Plan) {
			p.Combinations = []restaurantday.Combination{
				{ID: domain.NewCombinationID(named("combination", "1", "2")), Tables: ids(1, 2), Min: 4, Max: 6},
				{ID: domain.NewCombinationID([16]byte{1}), Tables: ids(3, 2), Min: 1, Max: 10},
			}
		}},
		"without a table": {OtherPlan{Tables: []restaurantday.Table{{Number: "2", Min: 1, Max: 4}, {Number: "9", Min: 2, Max: 2}}}, func(p *restaurantday.Plan) {
			p.Tables = []restaurantday.Table{
				{ID: domain.NewTableID(named("table", "9")), Number: "9", Min: 2, Max: 2}, {ID: ids(2)[0], Number: "2", Min: 1, Max: 4},
			}
			p.Combinations, p.Blocks = nil, p.Blocks[1:]
		}},
		"other hours": {OtherPlan{Shifts: []Shift{{Days: On(time.Friday), Name: "late", Opens: 20 * 60, LastSeating: 21 * 60, Closes: 60, SlotMinutes: 60}}}, func(p *restaurantday.Plan) {
			closes := date.AddDays(1).Clock(60, loc)
			p.Shifts = nil
			p.Slots = []restaurantday.Slot{
				{Time: "20:00", StartsAt: date.Clock(20*60, loc), Closes: closes, Shift: "late"},
				{Time: "21:00", StartsAt: date.Clock(21*60, loc), Closes: closes, Shift: "late"},
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, want, _, _ := plannedDay(t)
			want.Policy.Turns = append([]restaurantday.TurnTime{}, want.Policy.Turns...)
			c.want(want)
			got, err := c.other.Over(plan, s, date, loc)
			if err != nil || !got.SameAs(want) {
				t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
			}
			if _, before, _, _ := plannedDay(t); !reflect.DeepEqual(plan, before) {
				t.Error("the plan that was asked about became another")
			}
			if got == plan != plan.SameAs(want) {
				t.Error("a plan that is no other is the plan itself")
			}
		})
	}
}

func TestOtherPlanIsJudgedLikeAnyPlan(t *testing.T) {
	s, plan, date, loc := plannedDay(t)
	n := func(i int) *int { return &i }
	for rule, o := range map[string]OtherPlan{
		"day_boundary":    {DayBoundary: n(360)},
		"turn_minutes_by": {TurnMinutesBy: -90},
		"turn_minutes":    {Policy: OtherPolicy{Turns: []restaurantday.TurnTime{}}},
		"hold_minutes":    {Policy: OtherPolicy{HoldMinutes: n(0)}},
		"capacity":        {Tables: []restaurantday.Table{{Number: "1", Min: 1}}},
		"table_number":    {Tables: []restaurantday.Table{{Number: "1", Min: 1, Max: 2}, {Number: "1", Min: 1, Max: 4}}},
		"tables":          {Tables: []restaurantday.Table{}},
		"combinations":    {Combinations: []NumberedCombination{{Tables: []string{"1", "7"}, Max: 4}}},
		"table_ids":       {Combinations: []NumberedCombination{{Tables: []string{"1", "1"}, Max: 4}}},
		"shift_name":      {Shifts: []Shift{{Days: EveryDay, Opens: 600, LastSeating: 660, Closes: 720}}},
		"shift_turn_minutes": {Shifts: []Shift{{
			Days: EveryDay, Name: "lunch", Opens: 600, LastSeating: 660, Closes: 720, Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 1}},
		}}},
	} {
		_, err := o.Over(plan, s, date, loc)
		no, ok := domain.Rejected(err)
		if !ok || no.Code != domain.CodeInvalid || len(no.Reasons) != 1 || no.Reasons[0].Rule != rule {
			t.Errorf("%s: %v, %+v", rule, err, no)
		}
	}
}

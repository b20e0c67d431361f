package restaurant

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// today is the date of now in UTC.
var today = domain.DateOf(now.Time())

func brunch() Shift {
	return Shift{Name: "brunch", Opens: 10 * 60, LastSeating: 13 * 60, Closes: 15 * 60, SlotMinutes: 30,
		Turns: []restaurantday.TurnTime{{UpToParty: 500, Minutes: 75}}, PacingCovers: 12}
}

func special(date domain.ServiceDate, shifts ...Shift) SetSpecialDay {
	return SetSpecialDay{Now: now, Actor: actor, Day: SpecialDay{Date: date, Name: "a feast", Shifts: shifts}}
}

// wrong is what no command may leave behind.
func wrong(t *testing.T, s State, c Command, field, detail string) {
	t.Helper()
	no := refused(t, s, c)
	if no.Code != domain.CodeInvalid || no.Reasons[0].Rule != field || no.Detail != detail {
		t.Errorf("got %+v, want %s: %s", no, field, detail)
	}
}

func TestSpecialDays(t *testing.T) {
	c := special(today+3, brunch())
	t.Run("set, tidied", func(t *testing.T) {
		given3 := c
		given3.Day.Name, given3.Day.Shifts = " a feast ", []Shift{brunch()}
		given3.Day.Shifts[0].SlotMinutes = 0
		want := c.Day
		want.Shifts = []Shift{brunch()}
		same(t, decided(t, given(t), given3), SpecialDaySet{stamp(now), want})
	})
	t.Run("set again is already so", func(t *testing.T) { same(t, decided(t, given(t, c), c)) })
	t.Run("set anew replaces, and stands by date", func(t *testing.T) {
		closed := special(today + 3)
		s := given(t, special(today+5), c, special(today+1), closed)
		want := []SpecialDay{{Date: today + 1, Name: "a feast"}, {Date: today + 3, Name: "a feast"}, {Date: today + 5, Name: "a feast"}}
		if !reflect.DeepEqual(s.SpecialDays, want) {
			t.Errorf("got %+v", s.SpecialDays)
		}
	})
	t.Run("removed", func(t *testing.T) {
		remove := RemoveSpecialDay{Now: now, Actor: actor, Date: today + 3}
		same(t, decided(t, given(t, c), remove), SpecialDayRemoved{stamp(now), today + 3})
		s := given(t, c, remove)
		same(t, decided(t, s, remove))
		if len(s.SpecialDays) != 0 {
			t.Errorf("got %+v", s.SpecialDays)
		}
	})
	t.Run("today somewhere is not past", func(t *testing.T) { decided(t, given(t), special(today-1)) })
	t.Run("months later the past is left out", func(t *testing.T) {
		late := special(today + 100)
		late.Now = now.AddMinutes(40 * 24 * 60)
		if got, want := given(t, c, special(today+9), late).SpecialDays, []SpecialDay{{Date: today + 9, Name: "a feast"}, late.Day}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v", got)
		}
	})
	long := special(today + 1)
	long.Day.Name = strings.Repeat("n", 61)
	onFriday := brunch()
	onFriday.Days = EveryDay
	early, other := brunch(), brunch()
	early.Opens, early.LastSeating, early.Closes = 299, 300, 400
	other.Name = "lunch"
	slow := brunch()
	slow.Turns = []restaurantday.TurnTime{{UpToParty: 2, Minutes: 721}}
	for name, k := range map[string]struct {
		c             SetSpecialDay
		field, detail string
	}{
		"past":           {special(today - 2), "date", (today - 2).String() + " is past"},
		"far ahead":      {special(today + 1831), "date", (today + 1831).String() + " is more than 1830 days ahead"},
		"long name":      {long, "special_day_name", "the special day name is longer than 60 characters"},
		"seven shifts":   {special(today, make([]Shift, 7)...), "shifts", "a day has at most 6 shifts"},
		"days of a week": {special(today, onFriday), "days", "the shifts of a special day are on its date, on no day of the week"},
		"opens early":    {special(today, early), "opens", `the shift "brunch" opens before the day turns at 05:00`},
		"overlap":        {special(today, brunch(), other), "shifts", fmt.Sprintf(`the shifts "brunch" and "lunch" overlap on %s`, On(today.Weekday()).Names()[0])},
		"slow":           {special(today, slow), "shift_turn_minutes", "shift_turn_minutes is 721; it can be 5 to 720"},
	} {
		t.Run(name, func(t *testing.T) { wrong(t, given(t), k.c, k.field, k.detail) })
	}
	t.Run("at most 366", func(t *testing.T) {
		s := given(t)
		for i := range maxSpecialDays {
			s = evolve(s, SpecialDaySet{stamp(now), SpecialDay{Date: today.AddDays(i + 1)}})
		}
		wrong(t, s, special(today), "special_days", "a restaurant has at most 366 special days")
		decided(t, s, special(today+1)) // one of them, changed
	})
}

func TestHoursWithSpecialDays(t *testing.T) {
	set := func(days ...SpecialDay) SetHours {
		return SetHours{Now: now, Actor: actor, Shifts: []Shift{weekend}, SpecialDays: &days}
	}
	a, b := SpecialDay{Date: today + 1, Name: "a"}, SpecialDay{Date: today + 2, Shifts: []Shift{brunch()}}
	s := given(t, set(a, b))
	if want := []SpecialDay{a, b}; !reflect.DeepEqual(s.SpecialDays, want) {
		t.Errorf("got %+v", s.SpecialDays)
	}
	same(t, decided(t, s, set(b, a)))
	same(t, decided(t, s, SetHours{Now: now, Actor: actor, Shifts: []Shift{weekend}}))
	c := SpecialDay{Date: today + 2}
	same(t, decided(t, s, set(c)), SpecialDaySet{stamp(now), c}, SpecialDayRemoved{stamp(now), today + 1})
	// What is past by then stays, asked for or not.
	later := set(a)
	later.Now = now.AddMinutes(7 * 24 * 60)
	same(t, decided(t, s, later))
	changed := a
	changed.Name = "changed"
	later = set(changed)
	later.Now = now.AddMinutes(7 * 24 * 60)
	wrong(t, s, later, "special_days", (today+1).String()+" is past")
	early := brunch()
	early.Opens, early.LastSeating = 4*60, 5*60
	wrong(t, s, set(SpecialDay{Date: today + 7, Shifts: []Shift{early}}), "special_days",
		(today+7).String()+`: the shift "brunch" opens before the day turns at 05:00`)
	wrong(t, s, set(a, a), "special_days", (today+1).String()+" is given twice")
	wrong(t, s, set(make([]SpecialDay, 367)...), "special_days", "a restaurant has at most 366 special days")
	t.Run("a day boundary that special days do not fit", func(t *testing.T) {
		c := SetHours{Now: now, Actor: actor, Shifts: []Shift{weekend}, DayBoundary: ptr(11 * 60)}
		wrong(t, s, c, "day_boundary", fmt.Sprintf(
			`the special day %s does not fit a day that turns at 11:00: the shift "brunch" opens before the day turns at 11:00`, today+2))
		c.SpecialDays = &[]SpecialDay{}
		same(t, decided(t, s, c), HoursSet{stamp(now), []Shift{weekend}, 11 * 60},
			SpecialDayRemoved{stamp(now), today + 1}, SpecialDayRemoved{stamp(now), today + 2})
	})
}

func TestShiftsOfTheirOwnPace(t *testing.T) {
	own := brunch()
	own.Days = EveryDay
	set := func(spoil func(*Shift)) SetHours {
		s := own
		spoil(&s)
		return SetHours{Now: now, Actor: actor, Shifts: []Shift{s}}
	}
	c := set(func(*Shift) {})
	same(t, decided(t, given(t), c), HoursSet{stamp(now), []Shift{own}, 300})
	same(t, decided(t, given(t, c), c))
	more := own
	more.PacingCovers = 13
	same(t, decided(t, given(t, c), set(func(s *Shift) { s.PacingCovers = 13 })), HoursSet{stamp(now), []Shift{more}, 300})
	wrong(t, given(t), set(func(s *Shift) { s.PacingCovers = -1 }), "shift_pacing_covers", "shift_pacing_covers is -1; it can be 0 to 100000")
	wrong(t, given(t), set(func(s *Shift) { s.Turns = make([]restaurantday.TurnTime, 21) }), "shift_turn_minutes", "there are 21 turn times; want 0 to 20")
}

func TestClosures(t *testing.T) {
	holidays := Closure{ID: domain.NewClosureID([16]byte{1}), From: today + 10, To: today + 23, Reason: "summer holidays"}
	add := func(spoil func(*Closure)) AddClosure {
		k := holidays
		spoil(&k)
		return AddClosure{Now: now, Actor: actor, Closure: k}
	}
	c := add(func(*Closure) {})
	same(t, decided(t, given(t), add(func(k *Closure) { k.Reason = " summer holidays " })), ClosureAdded{stamp(now), holidays})
	s := given(t, c)
	same(t, decided(t, s, c))
	remove := RemoveClosure{Now: now, Actor: actor, ID: holidays.ID}
	same(t, decided(t, s, remove), ClosureRemoved{stamp(now), holidays.ID})
	same(t, decided(t, given(t, c, remove), remove))

	works := Closure{ID: domain.NewClosureID([16]byte{2}), From: today - 3, To: today - 1, Reason: "works"} // over in most zones, and begun before
	two := given(t, c, AddClosure{Now: now, Actor: actor, Closure: works})
	if want := []Closure{works, holidays}; !reflect.DeepEqual(two.Closures, want) {
		t.Errorf("got %+v", two.Closures)
	}
	for date, want := range map[domain.ServiceDate]Closure{today - 4: {}, today - 3: works, today - 1: works, today: {}, today + 9: {}, today + 10: holidays, today + 23: holidays, today + 24: {}} {
		if got, ok := two.Closure(date); got != want || ok != (want != Closure{}) {
			t.Errorf("%s: got %+v, %t", date, got, ok)
		}
	}
	later := Closure{ID: domain.NewClosureID([16]byte{3}), From: today + 50, To: today + 50, Reason: "wedding"}
	if got, want := given(t, c, AddClosure{Now: now, Actor: actor, Closure: works},
		AddClosure{Now: now.AddMinutes(31 * 24 * 60), Actor: actor, Closure: later}).Closures, []Closure{holidays, later}; !reflect.DeepEqual(got, want) {
		t.Errorf("a month later: got %+v", got)
	}

	for name, k := range map[string]struct {
		spoil         func(*Closure)
		field, detail string
	}{
		"id of another": {func(k *Closure) { k.Reason = "else" }, "closure_id", "there is another closure with this id"},
		"no reason":     {func(k *Closure) { k.ID, k.Reason = later.ID, " " }, "reason", "the reason is missing"},
		"long reason":   {func(k *Closure) { k.ID, k.Reason = later.ID, strings.Repeat("r", 201) }, "reason", "the reason is longer than 200 characters"},
		"past":          {func(k *Closure) { k.ID, k.From, k.To = later.ID, today-9, today-2 }, "to", (today - 2).String() + " is past"},
		"ends before": {func(k *Closure) { k.ID, k.From = later.ID, k.To+1 }, "to",
			fmt.Sprintf("a closure is of 1 to 731 days; %s to %s are 0", holidays.To+1, holidays.To)},
		"two years and more": {func(k *Closure) { k.ID, k.To = later.ID, k.From+731 }, "to",
			fmt.Sprintf("a closure is of 1 to 731 days; %s to %s are 732", holidays.From, holidays.From+731)},
		"far ahead": {func(k *Closure) { k.ID, k.From, k.To = later.ID, today+1831, today+1831 }, "to", (today + 1831).String() + " is more than 1830 days ahead"},
	} {
		t.Run(name, func(t *testing.T) { wrong(t, s, add(k.spoil), k.field, k.detail) })
	}
	if no := refused(t, s, add(func(k *Closure) { k.ID = "cls_1" })); no.Reasons[0].Rule != "closure_id" {
		t.Errorf("got %+v", no)
	}
	t.Run("at most 100", func(t *testing.T) {
		s := given(t)
		for i := range maxClosures {
			s = evolve(s, ClosureAdded{stamp(now), Closure{ID: domain.NewClosureID([16]byte{9, byte(i)}), From: today, To: today, Reason: "r"}})
		}
		wrong(t, s, c, "closures", "a restaurant has at most 100 closures")
	})
}

func TestZoneChange(t *testing.T) {
	c := func(open []OpenDay, accept ...domain.ServiceDate) ChangeProfile {
		return ChangeProfile{Now: now, Actor: actor, Zone: zone(t, "Asia/Tokyo"), Changes: ProfileChanges{TimeZone: ptr("Asia/Tokyo")},
			OpenDays: open, AcceptZoneChange: accept}
	}
	moved := profile()
	moved.TimeZone = "Asia/Tokyo"
	s := given(t)
	days := []OpenDay{{Date: today, Reservations: 3}, {Date: today + 4}}
	same(t, decided(t, s, c(nil)), ProfileChanged{stamp(now), moved})
	same(t, decided(t, s, c(days, today+4, today)), ProfileChanged{stamp(now), moved})
	for _, k := range []struct {
		accept []domain.ServiceDate
		want   *domain.Rejection
	}{
		{nil, domain.Reject(domain.CodeZoneInUse, "2 days are open by the clocks of Europe/Berlin, with 3 reservations, and would keep those times",
			domain.Reason{Rule: "open_day", Date: today, Actual: 3}, domain.Reason{Rule: "open_day", Date: today + 4})},
		{[]domain.ServiceDate{today + 4, today + 9}, domain.Reject(domain.CodeZoneInUse, "1 days are open by the clocks of Europe/Berlin, with 3 reservations, and would keep those times",
			domain.Reason{Rule: "open_day", Date: today, Actual: 3})},
	} {
		if got := refused(t, s, c(days, k.accept...)); !reflect.DeepEqual(got, k.want) {
			t.Errorf("%v: got %+v", k.accept, got)
		}
	}
	// Open days are no reason to refuse what leaves the zone as it is.
	same2 := c(days)
	same2.Zone, same2.Changes = zone(t, "Europe/Berlin"), ProfileChanges{TimeZone: ptr("Europe/Berlin"), Name: ptr("Anker")}
	named := profile()
	named.Name = "Anker"
	same(t, decided(t, s, same2), ProfileChanged{stamp(now), named})
}

package restaurant

import (
	"reflect"
	"testing"
	"time"

	"daybook/domain"
)

func TestWeekdays(t *testing.T) {
	got, err := ParseWeekdays([]string{"sun", "fri", "fri"})
	if err != nil || got != On(time.Sunday, time.Friday) {
		t.Errorf("got %v, %v", got, err)
	}
	if want := []string{"fri", "sun"}; !reflect.DeepEqual(got.Names(), want) {
		t.Errorf("got %v, want %v", got.Names(), want)
	}
	for w := Weekdays(0); w <= EveryDay; w++ {
		if again, err := ParseWeekdays(w.Names()); err != nil || again != w {
			t.Errorf("%v came back as %v, %v", w.Names(), again, err)
		}
	}
	for _, name := range []string{"", "Fri", "friday", "8"} {
		if _, err := ParseWeekdays([]string{name}); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestSetHours(t *testing.T) {
	boundary := 0
	lunch := Shift{Days: EveryDay, Name: "lunch", Opens: 12 * 60, LastSeating: 14 * 60, Closes: 17 * 60, SlotMinutes: 15}
	late := Shift{Days: EveryDay, Name: "late", Opens: 17 * 60, LastSeating: 3 * 60, Closes: 5 * 60}
	set := func(shifts ...Shift) SetHours { return SetHours{Now: now + 1, Actor: actor, Shifts: shifts} }
	with := func(s Shift, spoil func(*Shift)) Shift { spoil(&s); return s }

	t.Run("touching shifts, and up to the boundary", func(t *testing.T) {
		want := late
		want.SlotMinutes = 30
		same(t, decided(t, given(t), set(lunch, late)), HoursSet{stamp(now + 1), []Shift{lunch, want}, 300})
	})
	t.Run("around the clock", func(t *testing.T) {
		decided(t, given(t), set(Shift{Days: EveryDay, Name: "diner", Opens: 300, LastSeating: 285, Closes: 300}))
	})
	t.Run("until midnight when the day turns then", func(t *testing.T) {
		c := set(Shift{Days: EveryDay, Name: "day", Opens: 0, LastSeating: 23 * 60, Closes: 0, SlotMinutes: 60})
		c.DayBoundary = &boundary
		same(t, decided(t, given(t), c), HoursSet{stamp(now + 1), c.Shifts, 0})
	})
	t.Run("no shifts", func(t *testing.T) {
		same(t, decided(t, given(t, set(lunch)), set()), HoursSet{stamp(now + 1), nil, 300})
	})
	t.Run("the same again is already so", func(t *testing.T) { same(t, decided(t, given(t, set(lunch, late)), set(lunch, late))) })
	t.Run("one name on two days", func(t *testing.T) {
		decided(t, given(t), set(with(lunch, func(s *Shift) { s.Days = On(time.Friday) }), with(lunch, func(s *Shift) { s.Days = On(time.Sunday) })))
	})

	tooMany := make([]Shift, 29)
	for name, c := range map[string]struct {
		command SetHours
		field   string
		detail  string
	}{
		"overlap": {set(lunch, with(late, func(s *Shift) { s.Opens = 16*60 + 59 })), "shifts", `the shifts "lunch" and "late" overlap on mon`},
		"overlap past midnight": {set(
			with(late, func(s *Shift) { s.Days = On(time.Sunday) }),
			Shift{Days: On(time.Sunday), Name: "bar", Opens: 23 * 60, LastSeating: 60, Closes: 120},
		), "shifts", `the shifts "late" and "bar" overlap on sun`},
		"called the same":  {set(lunch, with(late, func(s *Shift) { s.Name = "lunch" })), "shift_name", `two shifts on mon are called "lunch"`},
		"opens too early":  {set(with(lunch, func(s *Shift) { s.Opens = 299 })), "opens", `the shift "lunch" opens before the day turns at 05:00`},
		"closes too late":  {set(with(late, func(s *Shift) { s.Closes = 301 })), "closes", `the shift "late" closes at 05:01, after the next day began at 05:00`},
		"closed by then":   {set(with(lunch, func(s *Shift) { s.LastSeating = s.Closes })), "last_seating", `the shift "lunch" seats the last party when it has closed: 17:00 is not between 12:00 and 17:00`},
		"seats before":     {set(with(lunch, func(s *Shift) { s.LastSeating = 11 * 60 })), "last_seating", `the shift "lunch" seats the last party when it has closed: 11:00 is not between 12:00 and 17:00`},
		"no days":          {set(with(lunch, func(s *Shift) { s.Days = 0 })), "days", `the shift "lunch" is on no day of the week`},
		"an eighth day":    {set(with(lunch, func(s *Shift) { s.Days = 1 << 7 })), "days", `the shift "lunch" is on no day of the week`},
		"no name":          {set(with(lunch, func(s *Shift) { s.Name = "" })), "shift_name", "the shift name is missing"},
		"a 24th hour":      {set(with(lunch, func(s *Shift) { s.Closes = 1440 })), "closes", `the shift "lunch" has a time that no clock shows; want 00:00 to 23:59`},
		"a negative time":  {set(with(lunch, func(s *Shift) { s.LastSeating = -1 })), "last_seating", `the shift "lunch" has a time that no clock shows; want 00:00 to 23:59`},
		"slots too near":   {set(with(lunch, func(s *Shift) { s.SlotMinutes = 4 })), "slot_minutes", "slot_minutes is 4; it can be 5 to 240"},
		"slots too far":    {set(with(lunch, func(s *Shift) { s.SlotMinutes = 241 })), "slot_minutes", "slot_minutes is 241; it can be 5 to 240"},
		"too many":         {set(tooMany...), "shifts", "a week has at most 28 shifts"},
		"turns at evening": {SetHours{Actor: actor, DayBoundary: ptr(721)}, "day_boundary", "day_boundary is 721; it can be 0 to 720"},
	} {
		t.Run(name, func(t *testing.T) {
			no := refused(t, given(t), c.command)
			if no.Code != domain.CodeInvalid || no.Reasons[0].Rule != c.field || no.Detail != c.detail {
				t.Errorf("got %+v", no)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

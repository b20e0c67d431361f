package restaurant

import (
	"fmt"

	"daybook/domain"
)

// What a restaurant starts with, and what is left out.
const (
	DefaultDayBoundary = 5 * 60
	DefaultSlotMinutes = 30
)

// The limits of a week.
const (
	maxShifts      = 28
	maxShiftName   = 60
	maxDayBoundary = 12 * 60
	minSlotMinutes = 5
	maxSlotMinutes = 240
	day            = 24 * 60
)

// span is the shift in minutes after the service date's midnight, which may pass a day.
func (s Shift) span() (opens, lastSeating, closes int) {
	opens, lastSeating, closes = s.Opens, s.LastSeating, s.Closes
	if lastSeating < opens {
		lastSeating += day
	}
	if closes <= opens {
		closes += day
	}
	return opens, lastSeating, closes
}

// checkedHours returns the week as it is kept, or why it cannot be.
func checkedHours(given []Shift, boundary int) ([]Shift, error) {
	if boundary < 0 || boundary > maxDayBoundary {
		return nil, outOfRange("day_boundary", boundary, 0, maxDayBoundary)
	}
	if len(given) > maxShifts {
		return nil, tooMany("shifts", "a week has at most %d shifts", maxShifts, len(given))
	}
	return checkedShifts(given, boundary)
}

// checkedShifts returns the shifts as they are kept, or why one cannot be, or not beside
// another.
func checkedShifts(given []Shift, boundary int) ([]Shift, error) {
	var shifts []Shift
	for _, s := range given {
		s, err := s.checked(boundary)
		if err != nil {
			return nil, err
		}
		for _, other := range shifts {
			if err := apart(s, other); err != nil {
				return nil, err
			}
		}
		shifts = append(shifts, s)
	}
	return shifts, nil
}

func (s Shift) checked(boundary int) (Shift, error) {
	name, err := domain.RequiredLine("shift_name", s.Name, maxShiftName)
	if err != nil {
		return Shift{}, err
	}
	s.Name = name
	refuse := func(field, format string, args ...any) (Shift, error) {
		return Shift{}, domain.Invalid(field, fmt.Sprintf("the shift %q ", s.Name)+fmt.Sprintf(format, args...))
	}
	if s.Days == 0 || s.Days&^EveryDay != 0 {
		return refuse("days", "is on no day of the week")
	}
	for _, t := range []struct {
		field   string
		minutes int
	}{{"opens", s.Opens}, {"last_seating", s.LastSeating}, {"closes", s.Closes}} {
		if t.minutes < 0 || t.minutes >= day {
			return refuse(t.field, "has a time that no clock shows; want 00:00 to 23:59")
		}
	}
	if s.SlotMinutes == 0 {
		s.SlotMinutes = DefaultSlotMinutes
	}
	if s.SlotMinutes < minSlotMinutes || s.SlotMinutes > maxSlotMinutes {
		return Shift{}, outOfRange("slot_minutes", s.SlotMinutes, minSlotMinutes, maxSlotMinutes)
	}
	if s.PacingCovers < 0 || s.PacingCovers > maxPacingCovers {
		return Shift{}, outOfRange("shift_pacing_covers", s.PacingCovers, 0, maxPacingCovers)
	}
	if s.Turns, err = checkedTurns("shift_turn_minutes", s.Turns, 0); err != nil {
		return Shift{}, err
	}
	turns := domain.FormatClock(boundary)
	opens, last, closes := s.span()
	switch {
	case opens < boundary:
		return refuse("opens", "opens before the day turns at %s", turns)
	case last >= closes:
		return refuse("last_seating", "seats the last party when it has closed: %s is not between %s and %s",
			domain.FormatClock(last), domain.FormatClock(opens), domain.FormatClock(closes))
	case closes > boundary+day:
		return refuse("closes", "closes at %s, after the next day began at %s", domain.FormatClock(closes), turns)
	}
	return s, nil
}

// apart refuses two shifts that one day could not tell apart. As each keeps to its own
// day, between one day boundary and the next, only shifts of one day can collide.
func apart(a, b Shift) error {
	shared := a.Days & b.Days
	if shared == 0 {
		return nil
	}
	on := shared.Names()[0]
	if a.Name == b.Name {
		return domain.Invalid("shift_name", fmt.Sprintf("two shifts on %s are called %q", on, a.Name))
	}
	aOpens, _, aCloses := a.span()
	bOpens, _, bCloses := b.span()
	if aOpens < bCloses && bOpens < aCloses {
		return domain.Invalid("shifts", fmt.Sprintf("the shifts %q and %q overlap on %s", b.Name, a.Name, on))
	}
	return nil
}

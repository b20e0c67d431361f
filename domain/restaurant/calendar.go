package restaurant

import (
	"cmp"
	"fmt"
	"slices"

	"daybook/domain"
)

// The limits of a calendar, each of what is not over for more than a month.
const (
	maxSpecialDays    = 366
	maxShiftsOfDay    = 6
	maxSpecialDayName = 60
	maxClosures       = 100
	maxClosureDays    = 731
	maxReason         = 200
	maxDaysAhead      = 5 * 366
	keptDays          = 31
)

// SetSpecialDay gives a service date hours of its own, in place of those it may have had.
// It is already so where they are the very same. A slot time of 0 becomes
// DefaultSlotMinutes.
type SetSpecialDay struct {
	Now   domain.Instant
	Actor domain.Actor
	Day   SpecialDay
}

// RemoveSpecialDay gives a service date the week's hours again. It is already so where it
// has none of its own.
type RemoveSpecialDay struct {
	Now   domain.Instant
	Actor domain.Actor
	Date  domain.ServiceDate
}

// AddClosure closes a range of service dates. It is already so where the very same closure
// is there.
type AddClosure struct {
	Now     domain.Instant
	Actor   domain.Actor
	Closure Closure
}

// RemoveClosure ends a closure. It is already so where there is no such closure.
type RemoveClosure struct {
	Now   domain.Instant
	Actor domain.Actor
	ID    domain.ClosureID
}

func (SetSpecialDay) restaurantCommand()    {}
func (RemoveSpecialDay) restaurantCommand() {}
func (AddClosure) restaurantCommand()       {}
func (RemoveClosure) restaurantCommand()    {}

// over reports whether a service date is over in every time zone.
func over(date domain.ServiceDate, now domain.Instant) bool {
	return date < domain.DateOf(now.Time())-1
}

// upcoming refuses a service date that is over, or too far ahead.
func upcoming(field string, date domain.ServiceDate, now domain.Instant) error {
	today := domain.DateOf(now.Time())
	switch {
	case over(date, now):
		return domain.Invalid(field, fmt.Sprintf("%s is past", date))
	case date > today.AddDays(maxDaysAhead):
		return domain.Reject(domain.CodeInvalid, fmt.Sprintf("%s is more than %d days ahead", date, maxDaysAhead),
			domain.Reason{Rule: field, Limit: maxDaysAhead, Actual: int64(date - today)})
	}
	return nil
}

// bygone reports whether what ended with a service date is of no use at an instant.
func bygone(last domain.ServiceDate, at domain.Instant) bool {
	return last < domain.DateOf(at.Time()).AddDays(-keptDays)
}

// checkedSpecialDay returns the day as it is kept, or why it cannot be.
func checkedSpecialDay(d SpecialDay, boundary int) (SpecialDay, error) {
	name, err := domain.Line("special_day_name", d.Name, maxSpecialDayName)
	if err != nil {
		return SpecialDay{}, err
	}
	if len(d.Shifts) > maxShiftsOfDay {
		return SpecialDay{}, tooMany("shifts", "a day has at most %d shifts", maxShiftsOfDay, len(d.Shifts))
	}
	given := slices.Clone(d.Shifts)
	for i := range given {
		if given[i].Days != 0 {
			return SpecialDay{}, domain.Invalid("days", "the shifts of a special day are on its date, on no day of the week")
		}
		given[i].Days = On(d.Date.Weekday())
	}
	shifts, err := checkedShifts(given, boundary)
	if err != nil {
		return SpecialDay{}, err
	}
	for i := range shifts {
		shifts[i].Days = 0
	}
	return SpecialDay{Date: d.Date, Name: name, Shifts: shifts}, nil
}

func (s State) setSpecialDay(c SetSpecialDay) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if err := upcoming("date", c.Day.Date, c.Now); err != nil {
		return nil, err
	}
	d, err := checkedSpecialDay(c.Day, s.DayBoundary)
	if err != nil {
		return nil, err
	}
	old, ok := s.SpecialDay(d.Date)
	if ok && old.equal(d) {
		return nil, nil
	}
	days := withSpecialDay(s.SpecialDays, d, c.Now)
	if len(days) > maxSpecialDays {
		return nil, tooMany("special_days", "a restaurant has at most %d special days", maxSpecialDays, len(days))
	}
	return []Event{SpecialDaySet{Stamp: s.stamp(c.Now), Day: d}}, nil
}

func (s State) removeSpecialDay(c RemoveSpecialDay) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if _, ok := s.SpecialDay(c.Date); !ok {
		return nil, nil
	}
	return []Event{SpecialDayRemoved{Stamp: s.stamp(c.Now), Date: c.Date}}, nil
}

// setSpecialDays is what makes wanted all the special days there are from now on. Days that
// are past stay as they were: asking for them as they were is allowed, changing them is not.
func (s State) setSpecialDays(wanted []SpecialDay, boundary int, now domain.Instant) ([]Event, error) {
	if len(wanted) > maxSpecialDays {
		return nil, tooMany("special_days", "a restaurant has at most %d special days", maxSpecialDays, len(wanted))
	}
	var events []Event
	asked := map[domain.ServiceDate]bool{}
	for _, d := range wanted {
		if asked[d.Date] {
			return nil, domain.Invalid("special_days", fmt.Sprintf("%s is given twice", d.Date))
		}
		asked[d.Date] = true
		old, known := s.SpecialDay(d.Date)
		if known && old.equal(d) && over(d.Date, now) {
			continue
		}
		day, err := checkedSpecialDay(d, boundary)
		if err != nil {
			return nil, domain.Invalid("special_days", fmt.Sprintf("%s: %s", d.Date, reasonOf(err)))
		}
		if known && old.equal(day) {
			continue
		}
		if err := upcoming("special_days", day.Date, now); err != nil {
			return nil, err
		}
		events = append(events, SpecialDaySet{Stamp: s.stamp(now), Day: day})
	}
	for _, d := range s.SpecialDays {
		if !asked[d.Date] && !over(d.Date, now) {
			events = append(events, SpecialDayRemoved{Stamp: s.stamp(now), Date: d.Date})
		}
	}
	return events, nil
}

// specialDaysFit refuses another day boundary that a special day to come does not fit.
func (s State) specialDaysFit(boundary int, now domain.Instant) error {
	for _, d := range s.SpecialDays {
		if over(d.Date, now) {
			continue
		}
		if _, err := checkedSpecialDay(d, boundary); err != nil {
			return domain.Invalid("day_boundary", fmt.Sprintf("the special day %s does not fit a day that turns at %s: %s",
				d.Date, domain.FormatClock(boundary), reasonOf(err)))
		}
	}
	return nil
}

// reasonOf is a refusal's sentence without its code.
func reasonOf(err error) string {
	if no, ok := domain.Rejected(err); ok {
		return no.Detail
	}
	return err.Error()
}

func (s State) addClosure(c AddClosure) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if _, err := domain.ParseClosureID(string(c.Closure.ID)); err != nil {
		return nil, domain.Invalid("closure_id", err.Error())
	}
	reason, err := domain.RequiredLine("reason", c.Closure.Reason, maxReason)
	if err != nil {
		return nil, err
	}
	c.Closure.Reason = reason
	for _, old := range s.Closures {
		if old == c.Closure {
			return nil, nil
		}
		if old.ID == c.Closure.ID {
			return nil, domain.Invalid("closure_id", "there is another closure with this id")
		}
	}
	if err := upcoming("to", c.Closure.To, c.Now); err != nil {
		return nil, err
	}
	if days := int(c.Closure.To-c.Closure.From) + 1; days < 1 || days > maxClosureDays {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("a closure is of 1 to %d days; %s to %s are %d",
			maxClosureDays, c.Closure.From, c.Closure.To, days), domain.Reason{Rule: "to", Limit: maxClosureDays, Actual: int64(days)})
	}
	closures := withClosure(s.Closures, c.Closure, c.Now)
	if len(closures) > maxClosures {
		return nil, tooMany("closures", "a restaurant has at most %d closures", maxClosures, len(closures))
	}
	return []Event{ClosureAdded{Stamp: s.stamp(c.Now), Closure: c.Closure}}, nil
}

func (s State) removeClosure(c RemoveClosure) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Closures, func(old Closure) bool { return old.ID == c.ID }) {
		return nil, nil
	}
	return []Event{ClosureRemoved{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
}

// SpecialDay finds what a service date has of its own.
func (s State) SpecialDay(date domain.ServiceDate) (SpecialDay, bool) {
	for _, d := range s.SpecialDays {
		if d.Date == date {
			return d, true
		}
	}
	return SpecialDay{}, false
}

// Closure finds what closes a service date: of several, that which begins first.
func (s State) Closure(date domain.ServiceDate) (Closure, bool) {
	for _, c := range s.Closures {
		if c.From <= date && date <= c.To {
			return c, true
		}
	}
	return Closure{}, false
}

func withSpecialDay(list []SpecialDay, d SpecialDay, at domain.Instant) []SpecialDay {
	days := append(without(list, func(o SpecialDay) bool { return o.Date == d.Date || bygone(o.Date, at) }), d)
	slices.SortFunc(days, func(a, b SpecialDay) int { return cmp.Compare(a.Date, b.Date) })
	return days
}

func withClosure(list []Closure, c Closure, at domain.Instant) []Closure {
	closures := append(without(list, func(o Closure) bool { return o.ID == c.ID || bygone(o.To, at) }), c)
	slices.SortStableFunc(closures, func(a, b Closure) int { return cmp.Compare(a.From, b.From) })
	return closures
}

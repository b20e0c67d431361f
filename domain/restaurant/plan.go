package restaurant

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// DayPlan is what the book of one service date is opened with. Revision is that of the
// restaurant's stream, which s was folded from; loc is the zone that the profile names. A
// date on which no shift opens gives a plan without slots. A closure comes before a special
// day, and that before the week.
//
// It is refused with domain.CodeNotFound for a restaurant that there is not, and with
// domain.CodeClosed for one that is not published. Another zone is an error of the caller.
//
// Slots stand at what clocks show: one that the zone skips on that date is left out, one
// that it repeats stands twice, under the same Time. Slots and closings stay within the
// service date as domain.ServiceDateAt has it, so two dates never share an instant.
func (s State) DayPlan(date domain.ServiceDate, revision uint64, loc *time.Location) (*restaurantday.Plan, error) {
	switch {
	case !s.Registered():
		return nil, domain.Reject(domain.CodeNotFound, "no such restaurant")
	case s.Status != StatusOpen:
		return nil, domain.Reject(domain.CodeClosed, "the restaurant does not take bookings yet",
			domain.Reason{Rule: "status"})
	case loc == nil || loc.String() != s.Profile.TimeZone:
		return nil, fmt.Errorf("restaurant: a plan for zone %q was asked in zone %s", s.Profile.TimeZone, loc)
	}
	plan := &restaurantday.Plan{
		Revision:     revision,
		Zone:         s.Profile.TimeZone,
		Tables:       s.floor(),
		Combinations: s.combined(),
		Blocks:       s.blocksOn(date, loc),
		Policy:       s.Policy,
		BookableFrom: date.AddDays(-s.Policy.HorizonDays).Clock(0, loc),
	}
	shifts, closure := s.shiftsOn(date)
	plan.Closure = closure
	for _, shift := range shifts {
		slots := shift.slots(date, s.DayBoundary, loc)
		plan.Slots = append(plan.Slots, slots...)
		if len(slots) > 0 && (len(shift.Turns) > 0 || shift.PacingCovers > 0) {
			plan.Shifts = append(plan.Shifts, restaurantday.ShiftPlan{Name: shift.Name, Turns: shift.Turns, PacingCovers: shift.PacingCovers})
		}
	}
	slices.SortFunc(plan.Slots, func(a, b restaurantday.Slot) int { return cmp.Compare(a.StartsAt, b.StartsAt) })
	return plan, nil
}

// shiftsOn lists the shifts of a service date or says, as far as it was told, why it is closed.
func (s State) shiftsOn(date domain.ServiceDate) (shifts []Shift, closure string) {
	if c, ok := s.Closure(date); ok {
		return nil, c.Reason
	}
	if d, ok := s.SpecialDay(date); ok {
		if len(d.Shifts) == 0 {
			return nil, d.Name
		}
		return d.Shifts, ""
	}
	for _, shift := range s.Shifts {
		if shift.Days.Has(date.Weekday()) {
			shifts = append(shifts, shift)
		}
	}
	return shifts, ""
}

// slots lists the slots of the shift that opens on date.
func (s Shift) slots(date domain.ServiceDate, boundary int, loc *time.Location) (slots []restaurantday.Slot) {
	service := domain.Interval{From: date.Clock(boundary, loc), To: date.AddDays(1).Clock(boundary, loc)}
	opens, last, closes := s.span()
	for at := opens; at <= last; at += s.SlotMinutes {
		for _, instant := range date.Clocks(at, loc) {
			if instant >= service.From && instant < service.To {
				slots = append(slots, restaurantday.Slot{Time: domain.FormatClock(at), StartsAt: instant, Shift: s.Name})
			}
		}
	}
	if len(slots) == 0 {
		return nil
	}
	// Where 01:00 and 01:30 come twice, so do their parties: the shift closes when clocks
	// show its closing time after the last of them. That is the last one here, though those
	// before it may not stand in order.
	end := closing(date, closes, slots[len(slots)-1].StartsAt, loc)
	for i := range slots {
		slots[i].Closes = end
	}
	return slots
}

// closing is the first instant after the last seating at which clocks show closes or,
// where they skip it, have gone past it.
func closing(date domain.ServiceDate, closes int, after domain.Instant, loc *time.Location) domain.Instant {
	for _, instant := range date.Clocks(closes, loc) {
		if instant > after {
			return instant
		}
	}
	return max(date.Clock(closes, loc), after)
}

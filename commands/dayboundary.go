package commands

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
)

// datesKept refuses another day boundary where that gives an instant at which a reservation of
// an open day has its table to another service date: that date's book knows nothing of the
// reservation, and would promise the table again.
func (a *App) datesKept(was restaurant.State, w weighed) error {
	if was.DayBoundary == w.next.DayBoundary {
		return nil
	}
	for _, d := range w.open {
		day, loc := d.state, a.zone(d.state.Agreed().Zone)
		if loc == nil {
			return fmt.Errorf("commands: %s of %s has the unknown time zone %q", day.Date, day.Restaurant, day.Agreed().Zone)
		}
		on := func(boundary int, during domain.Interval) bool {
			return day.Date.Clock(boundary, loc) <= during.From && during.To <= day.Date.AddDays(1).Clock(boundary, loc)
		}
		for n := uint32(1); int(n) <= day.Reservations(); n++ {
			r, ok := day.Reservation(n)
			if !ok || !r.Status.Live() || !on(was.DayBoundary, r.Turn) || on(w.next.DayBoundary, r.Turn) {
				continue
			}
			return domain.Reject(domain.CodeInvalid, fmt.Sprintf(
				"a reservation on %s at %s has its table past the time at which the date would turn, %s: the next date's book would promise it again",
				day.Date, r.Slot.Time, domain.FormatClock(w.next.DayBoundary)), domain.Reason{Rule: "day_boundary", Date: day.Date})
		}
	}
	return nil
}

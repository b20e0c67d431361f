package restaurant

import (
	"fmt"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// MayOpen judges whether the book of a date can be opened at an instant with the plan that
// DayPlan made of it. It is refused with domain.CodeInPast for a date that is over, and with
// domain.CodeTooFarAhead for one that booking has not opened for yet. loc is the zone that
// the profile names.
func (s State) MayOpen(date domain.ServiceDate, plan *restaurantday.Plan, loc *time.Location, now domain.Instant) error {
	switch {
	case date < domain.ServiceDateAt(now, loc, s.DayBoundary):
		return domain.Reject(domain.CodeInPast, fmt.Sprintf("%s is past", date))
	case now < plan.BookableFrom:
		return domain.Reject(domain.CodeTooFarAhead, fmt.Sprintf(
			"the restaurant takes bookings %d days ahead", s.Policy.HorizonDays))
	}
	return nil
}

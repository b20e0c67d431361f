package restaurant

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// OpenDay is a service date, today's or one to come, whose book is open.
type OpenDay struct {
	Date         domain.ServiceDate
	Reservations int // that stand: held or confirmed
}

// zoneFree refuses another zone while days are open that the caller has not accepted. A
// day's book has its slots as instants and keeps them, so its guests come at what the old
// zone's clocks showed them.
func (s State) zoneFree(c ChangeProfile) error {
	var reasons []domain.Reason
	reservations := 0
	for _, d := range c.OpenDays {
		if !slices.Contains(c.AcceptZoneChange, d.Date) {
			reasons = append(reasons, domain.Reason{Rule: "open_day", Date: d.Date, Actual: int64(d.Reservations)})
			reservations += d.Reservations
		}
	}
	if reasons == nil {
		return nil
	}
	return domain.Reject(domain.CodeZoneInUse, fmt.Sprintf(
		"%d days are open by the clocks of %s, with %d reservations, and would keep those times", len(reasons), s.Profile.TimeZone, reservations),
		reasons...)
}

package restaurant

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// MaxDecided bounds how many reservations one change may decide on by name.
const MaxDecided = 1000

// maxMessage is the longest message to a guest, in characters.
const maxMessage = 500

// DecidePlan is a change of what days are opened with, together with what becomes of the
// reservations on days that are open already. Both go on record in one append: whoever
// carries the change to those days finds them together.
type DecidePlan struct {
	Change    Command   // what is changed; where it changes nothing, nothing goes on record
	Days      []DaySeen // the open days whose plan it makes another, as they were looked at
	Default   restaurantday.Resolution
	Decisions []BookingDecision // at most MaxDecided, no reservation twice
	Now       domain.Instant
}

// DaySeen is an open day as it was looked at.
type DaySeen struct {
	Date     domain.ServiceDate
	Revision uint64 // of the day's stream
}

// BookingDecision is what becomes of one reservation that the change touches.
type BookingDecision struct {
	Reservation domain.ReservationID
	Diner       domain.UserID // whose it is; empty for a guest without an account
	Do          restaurantday.Resolution
	Message     string // to the guest, where it is cancelled; personal data: free text
}

// BookingDecided says what becomes of one reservation of an open day under the change that
// stands before it in the same append.
type BookingDecided struct {
	domain.Stamp
	BookingDecision
}

// PlanDecided ends a change of what days are opened with: the days that were open then get
// their plan from the restaurant as it is here. What is not named becomes of by the default.
type PlanDecided struct {
	domain.Stamp
	Days    []DaySeen
	Default restaurantday.Resolution // for reservations without a decision; empty for none
}

func (DecidePlan) restaurantCommand()   {}
func (BookingDecided) restaurantEvent() {}
func (PlanDecided) restaurantEvent()    {}

func (s State) decidePlan(c DecidePlan) ([]Event, error) {
	if c.Change == nil {
		return nil, fmt.Errorf("restaurant: a plan was decided without a change")
	}
	events, err := decide(s, c.Change)
	if err != nil || len(events) == 0 {
		return events, err
	}
	if len(c.Decisions) > MaxDecided {
		return nil, tooMany("decisions", "one change decides on at most %d reservations by name", MaxDecided, len(c.Decisions))
	}
	if err := checkedResolution("default", c.Default); c.Default != "" && err != nil {
		return nil, err
	}
	known := map[domain.ReservationID]bool{}
	for _, d := range c.Decisions {
		if known[d.Reservation] {
			return nil, domain.Invalid("decisions", fmt.Sprintf("%s is decided on twice", d.Reservation))
		}
		known[d.Reservation] = true
		if err := checkedResolution("decisions", d.Do); err != nil {
			return nil, err
		}
		if d.Message, err = domain.Prose("message", d.Message, maxMessage); err != nil {
			return nil, err
		}
		if d.Message != "" && d.Do != restaurantday.CallOff {
			return nil, domain.Invalid("message", "a message goes with what is cancelled")
		}
		events = append(events, BookingDecided{Stamp: s.stamp(c.Now), BookingDecision: d})
	}
	return append(events, PlanDecided{Stamp: s.stamp(c.Now), Days: c.Days, Default: c.Default}), nil
}

func checkedResolution(field string, do restaurantday.Resolution) error {
	switch do {
	case restaurantday.Keep, restaurantday.Relocate, restaurantday.CallOff:
		return nil
	default:
		return domain.Invalid(field, fmt.Sprintf("%.20q: want keep, move or cancel", do))
	}
}

// AffectsPlans reports whether an event may change what days are opened with.
func AffectsPlans(e Event) bool {
	switch e.(type) {
	case HoursSet, TableAdded, TableChanged, TableRemoved, PolicySet, SpecialDaySet, SpecialDayRemoved,
		ClosureAdded, ClosureRemoved, BlockAdded, BlockRemoved, CombinationAdded, CombinationRemoved:
		return true
	default:
		return false // what it shows of itself; another zone is for days to come alone
	}
}

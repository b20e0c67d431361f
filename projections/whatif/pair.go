package whatif

import (
	"slices"

	"daybook/domain/restaurantday"
)

// pair finds out which entries of the two worlds are the same party's, after both have taken
// a step. Before and seen are what they were.
func (d *day) pair(before, seen restaurantday.State, events, came []restaurantday.Event) {
	if here, there := ownNumber(events), ownNumber(came); here != 0 && there != 0 {
		d.numbers[here] = there
	}
	if here, there := joined(events), joined(came); here != 0 && there != 0 {
		d.entries[here] = there
	}
	if waits(events) || waits(came) {
		for here, there := range d.entries {
			h, ok := d.history.WaitlistEntry(here)
			o, also := d.other.State.WaitlistEntry(there)
			if ok && also && h.Number != 0 && o.Number != 0 {
				d.numbers[h.Number] = o.Number
			}
		}
	}
	// A step has at most one action of staff, but for what undoing and moving bring with them.
	if here, there := newActions(before, d.history), newActions(seen, d.other.State); len(here) == len(there) {
		for i := range here {
			d.actions[here[i]] = there[i]
		}
	}
	d.watchHolds(events, came)
}

// watchHolds notes which holds of the other world lapse by its own clock alone.
func (d *day) watchHolds(events, came []restaurantday.Event) {
	for _, e := range came {
		switch e := e.(type) {
		case restaurantday.Held:
			if e.Source == restaurantday.SourceWaitlist {
				continue // see offered
			}
			if here := ownNumber(events); here != 0 {
				if r, ok := d.history.Reservation(here); ok && r.ExpiresAt == e.ExpiresAt {
					continue
				}
			}
			d.own[e.Number] = e.ExpiresAt
		case restaurantday.HoldExtended:
			if _, ours := d.own[e.Number]; ours {
				d.own[e.Number] = e.ExpiresAt
			}
		case restaurantday.Confirmed:
			delete(d.own, e.Number)
		case restaurantday.Cancelled:
			delete(d.own, e.Number)
		case restaurantday.Expired:
			delete(d.own, e.Number)
		}
	}
}

func joined(events []restaurantday.Event) uint32 {
	for _, e := range events {
		if j, ok := e.(restaurantday.WaitlistJoined); ok {
			return j.Entry
		}
	}
	return 0
}

// waits reports whether events tell of an offer.
func waits(events []restaurantday.Event) bool {
	return slices.ContainsFunc(events, func(e restaurantday.Event) bool {
		_, offer := e.(restaurantday.WaitlistOffered)
		_, joins := e.(restaurantday.WaitlistJoined)
		return offer || joins
	})
}

// newActions are the actions of staff that were added, oldest first.
func newActions(before, after restaurantday.State) (list []uint32) {
	last := uint32(0)
	if n := len(before.Actions()); n > 0 {
		last = before.Actions()[n-1].Sequence
	}
	for _, a := range after.Actions() {
		if a.Sequence > last {
			list = append(list, a.Sequence)
		}
	}
	return list
}

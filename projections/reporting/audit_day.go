package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// day tells why a day's event happened and, where it is about no reservation, what it
// changed. It returns the entry of the book that it is about; 0 for none.
func (a *entry) day(e restaurantday.Event, before, after dayFold) (number uint32) {
	switch e := e.(type) {
	case restaurantday.Opened:
		a.after = planSnapshotOf(after.Plan)
	case restaurantday.PlanFenced:
		a.reason, a.before, a.after = "change_begins", planSnapshotOf(before.Plan), planSnapshotOf(after.Plan)
	case restaurantday.PlanChanged:
		a.before, a.after = planSnapshotOf(before.Plan), planSnapshotOf(after.Plan)
	case restaurantday.WaitlistJoined:
		return a.waitlist(e.Entry, before, after)
	case restaurantday.WaitlistOffered:
		return a.waitlist(e.Entry, before, after)
	case restaurantday.WaitlistPassedOver:
		a.reason = string(e.Code)
		return a.waitlist(e.Entry, before, after)
	case restaurantday.WaitlistLeft:
		a.reason = string(e.Reason)
		return a.waitlist(e.Entry, before, after)
	default:
		return a.reservationOf(e)
	}
	return 0
}

// reservationOf is the number of the reservation that an event is about, and the reason
// that the event names.
func (a *entry) reservationOf(e restaurantday.Event) uint32 {
	switch e := e.(type) {
	case restaurantday.Held:
		a.reason, a.reasonGiven = string(e.Source), e.Override.Reason != ""
		return e.Number
	case restaurantday.Reassigned:
		a.reason = "room_for_another"
		return e.Number
	case restaurantday.Confirmed:
		return e.Number
	case restaurantday.HoldExtended:
		a.reason = "move"
		return e.Number
	case restaurantday.Cancelled:
		a.reason, a.reasonGiven = "cancelled_by_"+string(e.By), e.Reason != ""
		return e.Number
	case restaurantday.Expired:
		a.reason = "hold_lapsed"
		return e.Number
	case restaurantday.Amended:
		a.reasonGiven = e.Override.Reason != ""
		return e.Number
	case restaurantday.TablesMoved:
		return e.Number
	case restaurantday.Pinned:
		return e.Number
	case restaurantday.Unpinned:
		return e.Number
	case restaurantday.Seated:
		return e.Number
	case restaurantday.Completed:
		return e.Number
	case restaurantday.NoShow:
		return e.Number
	case restaurantday.Reinstated:
		return e.Number
	case restaurantday.Undone:
		a.reason = "undo_" + string(e.Kind)
		return e.Number
	case restaurantday.MoveStarted:
		return e.Number
	case restaurantday.Moved:
		return e.Number
	case restaurantday.MoveAborted:
		a.reason = string(e.Reason)
		return e.Number
	}
	return 0
}

// waitlistSnapshot is an entry of the waitlist, without what the party told of itself.
type waitlistSnapshot struct {
	Entry  uint32           `json:"entry"`
	Status string           `json:"status"`
	Diner  domain.UserID    `json:"dinerId,omitempty"`
	Party  domain.PartySize `json:"party"`
	From   domain.Instant   `json:"from"`
	To     domain.Instant   `json:"to"`
	WalkIn bool             `json:"walkIn,omitempty"`
	Number uint32           `json:"offered,omitempty"`
}

func (a *entry) waitlist(entry uint32, before, after dayFold) uint32 {
	a.before, a.after = waitlistSnapshotOf(before, entry), waitlistSnapshotOf(after, entry)
	return 0
}

// waitlistSnapshotOf is nil where there is no such entry.
func waitlistSnapshotOf(d dayFold, entry uint32) any {
	w, ok := d.WaitlistEntry(entry)
	if !ok {
		return nil
	}
	return waitlistSnapshot{
		Entry: w.Entry, Status: string(w.Status), Diner: w.Diner, Party: w.Party, From: w.From, To: w.To,
		WalkIn: w.WalkIn, Number: w.Number,
	}
}

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
		a.reason, a.before, a.after = "change_begins", planSnapshotOf(before.Plan), changed(after.Plan, e.Change, nil)
	case restaurantday.PlanChanged:
		now := changed(after.Agreed(), e.Change, e.Kept)
		now.Settled = settledSnapshotsOf(after.State, e.Settled)
		a.reason, a.before, a.after = "plan_changed", planSnapshotOf(before.Agreed()), now
	case restaurantday.WaitlistJoined:
		return a.waitlist(e.Entry, 0, before, after)
	case restaurantday.WaitlistOffered:
		return a.waitlist(e.Entry, 0, before, after)
	case restaurantday.WaitlistPassedOver:
		a.reason = string(e.Code)
		return a.waitlist(e.Entry, e.For, before, after)
	case restaurantday.WaitlistLeft:
		a.reason = string(e.Reason)
		return a.waitlist(e.Entry, 0, before, after)
	default:
		a.named(e)
		return restaurantday.ReservationOf(e)
	}
	return 0
}

// named is the reason that an event of a reservation names, where it names one.
func (a *entry) named(e restaurantday.Event) {
	switch e := e.(type) {
	case restaurantday.Held:
		a.reason = string(e.Source)
		a.override(e.Override)
	case restaurantday.Reassigned:
		a.reason = "room_for_another"
	case restaurantday.HoldExtended:
		a.reason = "move"
	case restaurantday.Cancelled:
		a.reason, a.reasonGiven = "cancelled_by_"+string(e.By), e.Reason != ""
		if e.Change != "" {
			a.reason = "plan_changed"
		}
	case restaurantday.Expired:
		a.reason = "hold_lapsed"
	case restaurantday.Amended:
		a.override(e.Override)
	case restaurantday.Undone:
		a.reason = "undo_" + string(e.Kind)
	case restaurantday.MoveAborted:
		a.reason = string(e.Reason)
	case restaurantday.Recorded:
		a.reason = string(restaurantday.SourceImport)
	case restaurantday.Withdrawn:
		a.reason = "import_undone"
	}
}

// override tells which rule staff set aside; why stands in the event.
func (a *entry) override(o restaurantday.Override) {
	if o.Rule != "" {
		a.reason, a.reasonGiven = "override_"+string(o.Rule), o.Reason != ""
	}
}

// gainsBy is the entry that an event made room for.
func gainsBy(e restaurantday.Event) uint32 {
	if moved, ok := e.(restaurantday.Reassigned); ok {
		return moved.For
	}
	return 0
}

// tells reports whether an event changed what the party told of itself.
func tells(e restaurantday.Event) bool {
	amended, ok := e.(restaurantday.Amended)
	return ok && amended.Told
}

func changed(p *restaurantday.Plan, change string, kept []uint32) planSnapshot {
	s := planSnapshotOf(p)
	s.Change, s.Kept = change, kept
	return s
}

// waitlistSnapshot is an entry of the waitlist, without what the party told of itself.
type waitlistSnapshot struct {
	ID          domain.WaitlistID    `json:"waitlistId"`
	Status      string               `json:"status"`
	Diner       domain.UserID        `json:"dinerId,omitempty"`
	Party       domain.PartySize     `json:"party"`
	From        domain.Instant       `json:"earliest"`
	To          domain.Instant       `json:"latest"`
	WishedTable domain.TableID       `json:"wishedTableId,omitempty"`
	WishedArea  string               `json:"wishedArea,omitempty"`
	WalkIn      bool                 `json:"walkIn,omitempty"`
	Quoted      domain.Instant       `json:"quotedFor,omitempty"`
	Place       int                  `json:"place,omitempty"`
	Reservation domain.ReservationID `json:"reservationId,omitempty"` // what it was offered last
	LeftBecause string               `json:"leftBecause,omitempty"`
	PassedFor   domain.WaitlistID    `json:"passedOverFor,omitempty"` // who was offered a table in its place
}

// waitlist tells of an entry of the waitlist. passedFor is the entry that was offered a table
// in its place; 0 for none.
func (a *entry) waitlist(entry, passedFor uint32, before, after dayFold) uint32 {
	a.waits = domain.NewWaitlistID(a.restaurant, a.date, entry)
	if was, ok := waitlistSnapshotOf(before, entry); ok {
		a.before = was
	}
	if is, ok := waitlistSnapshotOf(after, entry); ok {
		if passedFor != 0 {
			is.PassedFor = domain.NewWaitlistID(after.Restaurant, after.Date, passedFor)
		}
		a.after = is
	}
	return 0
}

// waitlistSnapshotOf is false where there is no such entry.
func waitlistSnapshotOf(d dayFold, entry uint32) (waitlistSnapshot, bool) {
	w, ok := d.WaitlistEntry(entry)
	if !ok {
		return waitlistSnapshot{}, false
	}
	s := waitlistSnapshot{
		ID: domain.NewWaitlistID(d.Restaurant, d.Date, entry), Status: string(w.Status), Diner: w.Diner, Party: w.Party,
		From: w.From, To: w.To, WishedTable: w.Wish.Table, WishedArea: w.Wish.Area, WalkIn: w.WalkIn, Quoted: w.Quoted,
		Place: d.Place(entry), LeftBecause: string(w.Reason),
	}
	if w.Number != 0 {
		s.Reservation = d.ID(w.Number)
	}
	return s, true
}

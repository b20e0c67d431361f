package commands

import (
	"errors"
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// auditor reads a day's log and knows nothing else of the day. It is written apart from the
// aggregate: by the table of transitions, and by who has which table when.
type auditor struct {
	clock   domain.Instant
	entries []*audited
	waits   map[uint32]string // entries of the waitlist: "waiting", "offered", "left" or "done"
	undone  uint32            // the entry whose action the next event takes back
	errs    []error
}

type audited struct {
	number   uint32
	status   restaurantday.Status
	tables   []domain.TableID
	occupied domain.Interval
	expires  domain.Instant
	entry    uint32 // of the waitlist
}

// audit tells what is wrong with a day whose guests all want the same: any of the tables,
// all alike, at the same time. So whoever waits comes before whoever asks. With times, an
// entry decided before the one that it follows is wrong, too.
func audit(log []codec.Decoded, times bool) error {
	a := &auditor{waits: map[uint32]string{}}
	for i, d := range log {
		e := d.Event.(restaurantday.Event)
		if at := e.DecidedAt(); at < a.clock && times {
			a.wrong(i, e, "its time is before that of an entry before it")
		} else {
			a.clock = max(a.clock, at)
		}
		a.see(i, e)
		// Who makes way for another is told before the other is.
		if _, way := e.(restaurantday.Reassigned); !way {
			a.overlaps(i, e)
		}
	}
	return errors.Join(a.errs...)
}

func (a *auditor) wrong(i int, e restaurantday.Event, why string, args ...any) {
	a.errs = append(a.errs, fmt.Errorf("log %d, %T: %s", i, e, fmt.Sprintf(why, args...)))
}

// verbOf is what an event does to which entry.
func verbOf(e restaurantday.Event) (v restaurantday.Verb, number uint32, known bool) {
	switch e := e.(type) {
	case restaurantday.Confirmed:
		return restaurantday.VerbConfirm, e.Number, true
	case restaurantday.Cancelled:
		return restaurantday.VerbCancel, e.Number, true
	case restaurantday.Expired:
		return restaurantday.VerbLapse, e.Number, true
	case restaurantday.Amended:
		return restaurantday.VerbAmend, e.Number, true
	case restaurantday.TablesMoved:
		return restaurantday.VerbMoveTable, e.Number, true
	case restaurantday.Seated:
		return restaurantday.VerbSeat, e.Number, true
	case restaurantday.Completed:
		return restaurantday.VerbComplete, e.Number, true
	case restaurantday.NoShow:
		return restaurantday.VerbNoShow, e.Number, true
	case restaurantday.Reinstated:
		return restaurantday.VerbReinstate, e.Number, true
	case restaurantday.MoveStarted:
		return restaurantday.VerbStartMove, e.Number, true
	case restaurantday.Moved:
		return restaurantday.VerbFinishMove, e.Number, true
	case restaurantday.MoveAborted:
		return restaurantday.VerbAbortMove, e.Number, true
	}
	return "", 0, false
}

func (a *auditor) see(i int, e restaurantday.Event) {
	switch e := e.(type) {
	case restaurantday.Held:
		a.held(i, e)
		return
	case restaurantday.Reassigned:
		a.entries[e.Number-1].tables = e.Tables
		return
	case restaurantday.Undone:
		a.undone = e.Number
		return
	case restaurantday.WaitlistJoined:
		a.waits[e.Entry] = "waiting"
		return
	case restaurantday.WaitlistLeft:
		if was := a.waits[e.Entry]; was != "waiting" && was != "offered" {
			a.wrong(i, e, "entry %d of the waitlist is %s", e.Entry, was)
		}
		a.waits[e.Entry] = "left"
		return
	}
	verb, number, known := verbOf(e)
	if !known {
		return
	}
	if int(number) > len(a.entries) {
		a.wrong(i, e, "there is no entry %d", number)
		return
	}
	r := a.entries[number-1]
	to, legal := r.after(verb)
	switch undone := a.undone == number; {
	case undone:
		a.undone = 0
	case !legal:
		a.wrong(i, e, "entry %d is %s", number, r.status)
	case verb == restaurantday.VerbConfirm && r.expires <= a.clock:
		a.wrong(i, e, "the hold %d lapsed at %s, and it is %s", number, r.expires, a.clock)
	}
	r.status = to
	a.take(r, e)
}

// after is the status that a verb leads to, by the table.
func (r *audited) after(verb restaurantday.Verb) (to restaurantday.Status, legal bool) {
	for _, t := range restaurantday.Transitions() {
		if t.Verb != verb || t.Already {
			continue
		}
		if to = t.To; t.From == r.status {
			return to, true
		}
	}
	return to, false
}

// take notes the tables and the stretch that an entry has after e.
func (a *auditor) take(r *audited, e restaurantday.Event) {
	switch e := e.(type) {
	case restaurantday.Confirmed:
		if r.entry != 0 {
			a.waits[r.entry] = "done"
		}
	case restaurantday.Amended:
		r.tables, r.occupied = e.Tables, e.Occupied
	case restaurantday.TablesMoved:
		r.tables = e.Tables
	case restaurantday.Seated:
		r.tables, r.occupied = e.Tables, e.Occupied
	case restaurantday.Completed:
		r.occupied.To = e.FreedAt
	case restaurantday.Reinstated:
		r.status, r.tables, r.occupied, r.expires = e.To, e.Tables, e.Occupied, e.ExpiresAt
	}
}

func (a *auditor) held(i int, e restaurantday.Held) {
	if int(e.Number) != len(a.entries)+1 {
		a.wrong(i, e, "entry %d follows entry %d", e.Number, len(a.entries))
	}
	a.entries = append(a.entries, &audited{
		number: uint32(len(a.entries) + 1), status: restaurantday.StatusPending,
		tables: e.Tables, occupied: e.Occupied, expires: e.ExpiresAt, entry: e.Entry,
	})
	if e.Source == restaurantday.SourceWaitlist {
		if was := a.waits[e.Entry]; was != "waiting" {
			a.wrong(i, e, "it is offered to entry %d of the waitlist, which is %s", e.Entry, was)
		}
		a.waits[e.Entry] = "offered"
		return
	}
	for entry, is := range a.waits {
		if is == "waiting" && e.Source != restaurantday.SourceWalkIn {
			a.wrong(i, e, "entry %d of the waitlist stood before it", entry)
		}
	}
}

// overlaps tells who sits at a table that another has.
func (a *auditor) overlaps(i int, e restaurantday.Event) {
	var live []*audited
	for _, r := range a.entries {
		if r.status == restaurantday.StatusCompleted || r.status.Live() && (r.status != restaurantday.StatusPending || r.expires > a.clock) {
			live = append(live, r)
		}
	}
	for n, r := range live {
		for _, other := range live[:n] {
			shared := slices.ContainsFunc(r.tables, func(t domain.TableID) bool { return slices.Contains(other.tables, t) })
			if shared && r.occupied.Overlaps(other.occupied) {
				a.wrong(i, e, "entries %d and %d have one table", other.number, r.number)
			}
		}
	}
}

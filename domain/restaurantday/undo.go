package restaurantday

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// undo takes back what staff did to an entry, by entries that make it as it was. It is
// refused where something was done to that entry since, or where its tables were given
// away and there are none in their place.
func (s State) undo(c Undo) ([]Event, error) {
	if c.Actor.Kind == domain.ActorDiner {
		return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
	}
	p, err := s.page(c.Now, nil)
	if err != nil {
		return nil, err
	}
	a, err := p.actionToUndo(c)
	if err != nil {
		return nil, err
	}
	r, _ := p.book.get(a.Number)
	p.add(Undone{Stamp: p.stamp(), Number: a.Number, Action: a.Sequence, Kind: a.Kind})
	if no := p.takeBack(a, r, a.before); no != nil {
		return nil, domain.Reject(domain.CodeUndoBlocked, "what was there before cannot be had again: "+no.Detail, no.Reasons...)
	}
	return p.end(), nil
}

// actionToUndo finds what is to be undone, and refuses where something came after it.
func (s State) actionToUndo(c Undo) (Action, error) {
	for i, a := range slices.Backward(s.actions) {
		if (c.Action != 0 && a.Sequence != c.Action) || (c.Number != 0 && a.Number != c.Number) {
			continue
		}
		r, _ := s.book.get(a.Number)
		if later := slices.IndexFunc(s.actions[i+1:], func(o Action) bool { return o.Number == a.Number }); later >= 0 {
			o := s.actions[i+1+later]
			return Action{}, domain.Reject(domain.CodeUndoBlocked, fmt.Sprintf("staff did something to this entry since: %s; undo that first", o.Kind),
				domain.Reason{Rule: "action", Actual: int64(o.Sequence), Blocked: []domain.Block{blockOf(r)}})
		}
		if s.Plan.Revision != a.plan {
			return Action{}, domain.Reject(domain.CodeUndoBlocked, "the day's plan has changed since",
				domain.Reason{Rule: "plan_changed", Limit: int64(a.plan), Actual: int64(s.Plan.Revision)})
		}
		if r.Changes != a.before.Changes+1 {
			return Action{}, domain.Reject(domain.CodeUndoBlocked, "the reservation has changed since",
				domain.Reason{Rule: "changed_at", ActualAt: r.ChangedAt, Blocked: []domain.Block{blockOf(r)}})
		}
		return a, nil
	}
	return Action{}, domain.Reject(domain.CodeNothingToUndo, fmt.Sprintf("there is no such action among the last %d", actionsKept))
}

func blockOf(r *Reservation) domain.Block {
	b := domain.Block{Number: r.Number, Until: r.Occupied.To, Hold: r.Status == StatusPending}
	if len(r.Tables) > 0 {
		b.Table = r.Tables[0]
	}
	return b
}

// takeBack writes that r is as it was.
func (p *page) takeBack(a Action, r, was *Reservation) *domain.Rejection {
	back := *was
	if back.Status == StatusPending {
		if back.Entry != 0 && a.Kind == ActionCancel {
			return domain.Reject(domain.CodeNotWaiting, "the offer has gone back to the waitlist", domain.Reason{Rule: "waitlist", Actual: int64(back.Entry)})
		}
		// What is left of the hold would mostly be over: it begins again.
		back.ExpiresAt = p.t.AddMinutes(p.Plan.Policy.HoldMinutes)
	}
	switch a.Kind {
	case ActionPin:
		p.add(Unpinned{Stamp: p.stamp(), Number: r.Number})
	case ActionUnpin:
		if !slices.Equal(r.Tables, was.Tables) { // it has made way since
			return p.restore(r, &back, domain.CodePacingFull, true)
		}
		p.add(Pinned{Stamp: p.stamp(), Number: r.Number})
	case ActionAmend:
		return p.amendBack(r, &back)
	case ActionReinstate:
		p.endAgain(r, was)
	case ActionConfirm, ActionCancel, ActionMoveTable, ActionSeat, ActionComplete, ActionNoShow:
		return p.restore(r, &back, domain.CodePacingFull, back.Bound || back.Status == StatusSeated)
	}
	return nil
}

// amendBack gives r the party, the time, the tables and the details it had.
func (p *page) amendBack(r, back *Reservation) *domain.Rejection {
	o := p.release(r.Number)
	seating, no := o.placeAgain(Request{
		Slot: back.Slot, Party: back.Party, Wish: back.Wish, Staff: !back.Online, Now: p.t, Occupied: back.Occupied,
	}, back, p.Plan.whole(back.Tables), back.Bound)
	if no != nil {
		return no
	}
	for _, e := range moved(p.Plan, seating.Moves, p.t, r.Number) {
		p.add(e)
	}
	p.add(Amended{
		Stamp: p.stamp(), Number: r.Number, Diner: r.Diner, Party: back.Party, Slot: back.Slot, Turn: back.Turn, Occupied: back.Occupied,
		Tables: tablesOrNone(p.Plan, seating.Tables), Wish: back.Wish, Bound: back.Bound, Told: back.Details != r.Details,
		Details: toldOf(back, r), Staff: true, Conflicts: back.Conflicts,
	})
	return nil
}

// toldOf is the details of back where those of r are others.
func toldOf(back, r *Reservation) Details {
	if back.Details == r.Details {
		return Details{}
	}
	return back.Details
}

// endAgain ends r as it had ended.
func (p *page) endAgain(r, was *Reservation) {
	switch was.Status {
	case StatusCompleted:
		p.add(Completed{Stamp: p.stamp(), Number: r.Number, FreedAt: was.FreedAt})
	case StatusNoShow:
		p.add(NoShow{Stamp: p.stamp(), Number: r.Number})
	default: // what can be reinstated was cancelled otherwise
		p.add(Cancelled{Stamp: p.stamp(), Number: r.Number, Diner: r.Diner, By: was.By, Late: was.Late, Reason: was.Reason})
	}
}

// placeAgain is placeFor for a party that is to be as it was: one that stood in conflict and
// had no table has none again.
func (o Occupancy) placeAgain(r Request, back *Reservation, had []int, must bool) (Seating, *domain.Rejection) {
	if len(back.Tables) == 0 && len(back.Conflicts) > 0 {
		return Seating{}, nil
	}
	return o.placeFor(r, had, must)
}

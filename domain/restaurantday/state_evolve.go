package restaurantday

import (
	"slices"

	"daybook/domain"
)

func evolve(s State, e Event) State {
	s.clock = max(s.clock, e.DecidedAt())
	switch e := e.(type) {
	case Opened:
		plan := e.Plan
		s.Restaurant, s.Date = e.Restaurant, e.Date
		s.Occupancy = NewOccupancy(&plan, nil).WithWaiting(s.waiting)
	case Held:
		s = s.held(e)
	case Reassigned:
		s = s.edited(e.Number, e.At, func(r *Reservation) { r.Tables, r.Changes = e.Tables, r.Changes-1 }) // nobody asked for it
		s.Occupancy = s.rebind(e.Number, s.Plan.tableIndexes(e.Tables))
	case Confirmed:
		s = s.confirmed(e)
	case HoldExtended:
		s = s.edited(e.Number, e.At, func(r *Reservation) { r.ExpiresAt = e.ExpiresAt })
		s.pending = withPending(withoutPending(s.pending, e.Number), pending{e.Number, e.ExpiresAt})
		s.Occupancy = s.edit(e.Number, func(b *Booking) { b.Expires = e.ExpiresAt })
	case Cancelled:
		if e.By == ByRestaurant || s.undoing == e.Number {
			s = s.acts(ActionCancel, e.Number, e.At)
		}
		s = s.ended(e.Number, e.At, StatusCancelled, func(r *Reservation) {
			r.By, r.Late, r.Reason, r.Told = e.By, e.Late, e.Reason, e.Reason != "" && (e.By == ByDiner || e.Change != "")
		})
	case Expired:
		s = s.ended(e.Number, e.At, StatusExpired, nil)
	case Amended:
		s = s.amended(e)
	case TablesMoved:
		s = s.acts(ActionMoveTable, e.Number, e.At)
		s = s.edited(e.Number, e.At, func(r *Reservation) {
			r.Tables, r.Bound, r.Conflicts = e.Tables, true, nil
			if r.Status == StatusSeated { // it sits there from now on only
				r.Occupied = domain.Interval{From: max(r.Occupied.From, e.At), To: max(r.Occupied.To, e.At+1)}
			}
		})
		if r, ok := s.book.get(e.Number); ok {
			s.Occupancy = s.release(e.Number).place(s.bookingOf(r))
		}
	case Pinned:
		s = s.bound(ActionPin, e.Number, e.At, true)
	case Unpinned:
		s = s.bound(ActionUnpin, e.Number, e.At, false)
	default:
		return evolveLife(s, e)
	}
	return s
}

// evolveLife folds what happens after a table was promised.
func evolveLife(s State, e Event) State {
	switch e := e.(type) {
	case Seated:
		s = s.seatedBy(e)
	case Completed:
		s = s.completed(e)
	case NoShow:
		s = s.acts(ActionNoShow, e.Number, e.At)
		s = s.ended(e.Number, e.At, StatusNoShow, nil)
	case Reinstated:
		s = s.reinstated(e)
	case Undone:
		s.undoing = e.Number
		// As if neither the action had been nor what takes it back, which follows: what staff did
		// before it can be undone next.
		s = s.edited(e.Number, e.At, func(r *Reservation) { r.Changes -= 3 })
		s.actions = slices.DeleteFunc(slices.Clone(s.actions), func(a Action) bool { return a.Sequence == e.Action })
	case MoveStarted:
		s = s.edited(e.Number, e.At, func(r *Reservation) {
			r.Moving = Moving{To: e.To, Time: e.Time, StartsAt: e.StartsAt, Party: e.Party, Move: e.Move}
		})
	case Moved:
		s = s.ended(e.Number, e.At, StatusMoved, func(r *Reservation) { r.MovedTo, r.Moving = e.To, Moving{} })
	case MoveAborted:
		s = s.edited(e.Number, e.At, func(r *Reservation) { r.Moving = Moving{} })
	case WaitlistJoined, WaitlistOffered, WaitlistPassedOver, WaitlistLeft:
		s = evolveWaitlist(s, e)
	case PlanFenced:
		s = s.withFence(e)
	case PlanChanged:
		plan := e.Plan
		s = s.withPlan(&plan)
		for _, number := range e.Kept {
			s = s.edited(number, e.At, func(r *Reservation) { r.Exception = true })
		}
	case Recorded, Withdrawn:
		s = evolveFacts(s, e)
	}
	return s
}

func (s State) held(e Held) State {
	r := &Reservation{
		Number: e.Number, Diner: e.Diner, Party: e.Party, Slot: e.Slot, Turn: e.Turn, Occupied: e.Occupied,
		Tables: e.Tables, Status: StatusPending, ExpiresAt: e.ExpiresAt, Code: e.Code, Details: e.Details,
		HeldAt: e.At, ChangedAt: e.At, Wish: e.Wish, Bound: e.Bound, Online: e.Online, Source: e.Source,
		Entry: e.Entry, MovedFrom: e.MovedFrom, Override: e.Override,
	}
	s.book = s.book.put(r)
	s.pending = withPending(s.pending, pending{e.Number, e.ExpiresAt})
	s.Occupancy = s.place(s.bookingOf(r))
	return s
}

// bookingOf is what r takes up on the floor.
func (s State) bookingOf(r *Reservation) Booking {
	return Booking{
		Number: r.Number, Tables: s.Plan.tableIndexes(r.Tables), From: r.Occupied.From, To: r.Occupied.To,
		Expires: r.ExpiresAt, Slot: r.Slot.StartsAt, Party: r.Party, Wish: r.Wish, Bound: r.Bound, Online: r.Online,
	}
}

func (s State) confirmed(e Confirmed) State {
	old, ok := s.book.get(e.Number)
	if !ok {
		return s
	}
	if e.Staff {
		s = s.acts(ActionConfirm, e.Number, e.At)
	}
	s = s.edited(e.Number, e.At, func(r *Reservation) { r.Status, r.ExpiresAt = StatusConfirmed, 0 })
	s.pending = withoutPending(s.pending, e.Number)
	s.Occupancy = s.firm(e.Number)
	if old.Entry != 0 {
		s.waitlist = s.waitlist.edit(old.Entry, func(w *WaitlistEntry) { w.Status = WaitlistAccepted })
	}
	return s
}

func (s State) amended(e Amended) State {
	if e.Staff {
		s = s.acts(ActionAmend, e.Number, e.At)
	}
	s = s.edited(e.Number, e.At, func(r *Reservation) {
		r.Party, r.Slot, r.Turn, r.Occupied = e.Party, e.Slot, e.Turn, e.Occupied
		r.Tables, r.Wish, r.Bound, r.Exception, r.Conflicts = e.Tables, e.Wish, e.Bound, false, e.Conflicts
		if e.Override != (Override{}) {
			r.Override = e.Override
		}
		if e.Told {
			r.Details = e.Details
		}
	})
	if r, ok := s.book.get(e.Number); ok {
		s.Occupancy = s.release(e.Number).place(s.bookingOf(r))
	}
	return s
}

func (s State) bound(kind ActionKind, number uint32, at domain.Instant, bound bool) State {
	s = s.acts(kind, number, at)
	s = s.edited(number, at, func(r *Reservation) { r.Bound = bound })
	s.Occupancy = s.bind(number, bound)
	return s
}

func (s State) seatedBy(e Seated) State {
	s = s.acts(ActionSeat, e.Number, e.At)
	s = s.edited(e.Number, e.At, func(r *Reservation) {
		r.Status, r.Covers, r.Tables, r.Occupied, r.Bound = StatusSeated, e.Covers, e.Tables, e.Occupied, true
		if len(e.Tables) > 0 {
			r.Conflicts = nil // it sits
		}
		if r.SeatedAt == 0 {
			r.SeatedAt = e.At
		}
	})
	if !slices.Contains(s.seated, e.Number) {
		s.seated = append(slices.Clip(s.seated), e.Number)
	}
	s.Occupancy = s.edit(e.Number, func(b *Booking) {
		b.Tables, b.From, b.To, b.Bound = s.Plan.tableIndexes(e.Tables), e.Occupied.From, e.Occupied.To, true
	})
	return s
}

func (s State) completed(e Completed) State {
	old, ok := s.book.get(e.Number)
	if !ok {
		return s
	}
	s = s.acts(ActionComplete, e.Number, e.At)
	occupied := domain.Interval{From: old.Occupied.From, To: max(old.Occupied.From, min(old.Occupied.To, e.FreedAt))}
	s = s.edited(e.Number, e.At, func(r *Reservation) {
		r.Status, r.FreedAt, r.Occupied = StatusCompleted, e.FreedAt, occupied
	})
	s.seated = withoutNumber(s.seated, e.Number)
	s.turns = s.turns.add(old, e.FreedAt, 1)
	// A party that is gone takes up nothing; what it has had stays, for pacing.
	if occupied.From < occupied.To {
		s.Occupancy = s.retime(e.Number, occupied)
	} else {
		s.Occupancy = s.release(e.Number)
	}
	return s
}

func (s State) reinstated(e Reinstated) State {
	old, ok := s.book.get(e.Number)
	if !ok {
		return s
	}
	s = s.acts(ActionReinstate, e.Number, e.At)
	if old.Status == StatusCompleted {
		s.turns = s.turns.add(old, old.FreedAt, -1)
	}
	s = s.edited(e.Number, e.At, func(r *Reservation) {
		r.Status, r.Tables, r.Bound, r.Turn, r.Occupied = e.To, e.Tables, e.Bound, e.Turn, e.Occupied
		r.ExpiresAt, r.Covers, r.FreedAt, r.By, r.Late, r.Conflicts = e.ExpiresAt, e.Covers, 0, "", false, e.Conflicts
		r.Reason, r.Told = "", false
		if e.To != StatusSeated {
			r.SeatedAt = 0
		}
	})
	s.pending, s.seated = withoutPending(s.pending, e.Number), withoutNumber(s.seated, e.Number)
	switch e.To {
	case StatusPending:
		s.pending = withPending(s.pending, pending{e.Number, e.ExpiresAt})
		if old.Entry != 0 { // it was accepted, and is an offer again
			s.waitlist = s.waitlist.edit(old.Entry, func(w *WaitlistEntry) { w.Status = WaitlistOffering })
		}
	case StatusSeated:
		s.seated = append(slices.Clip(s.seated), e.Number)
	default: // of the others there are no lists
	}
	if r, ok := s.book.get(e.Number); ok {
		s.Occupancy = s.release(e.Number).place(s.bookingOf(r))
	}
	return s
}

// edited returns the day with an entry as change leaves a copy of it.
func (s State) edited(number uint32, at domain.Instant, change func(*Reservation)) State {
	old, ok := s.book.get(number)
	if !ok {
		return s
	}
	r := *old
	r.ChangedAt = at
	r.Changes++
	change(&r)
	s.book = s.book.put(&r)
	return s
}

// ended returns the day with an entry ended and its tables given back.
func (s State) ended(number uint32, at domain.Instant, status Status, change func(*Reservation)) State {
	s = s.edited(number, at, func(r *Reservation) {
		r.Status, r.Moving = status, Moving{}
		if change != nil {
			change(r)
		}
	})
	s.pending, s.seated = withoutPending(s.pending, number), withoutNumber(s.seated, number)
	s.Occupancy = s.release(number)
	return s
}

func withPending(list []pending, p pending) []pending {
	i := len(list)
	for i > 0 && list[i-1].expires > p.expires {
		i--
	}
	next := make([]pending, 0, len(list)+1)
	return append(append(append(next, list[:i]...), p), list[i:]...)
}

func withoutPending(list []pending, number uint32) []pending {
	next := make([]pending, 0, len(list))
	for _, p := range list {
		if p.number != number {
			next = append(next, p)
		}
	}
	return next
}

func withoutNumber(list []uint32, number uint32) []uint32 {
	if !slices.Contains(list, number) {
		return list
	}
	next := make([]uint32, 0, len(list))
	for _, n := range list {
		if n != number {
			next = append(next, n)
		}
	}
	return next
}

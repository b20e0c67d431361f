package restaurantday

import "daybook/domain"

// SlotState is what one slot offers a party.
type SlotState struct {
	Slot
	EndsAt domain.Instant // of the turn, buffer not counted
	// TablesLeft is how many free tables seat the party. It is 1 where none does, but a
	// combination or a re-assignment makes room.
	TablesLeft int
	Refusal    domain.Code // why it cannot be booked; empty when it can
	// Waitable says that it may be waited for: others have it, or a block, and there is room
	// on the waitlist.
	Waitable bool
}

// Slots tells for each slot what a hold that a diner asks for at instant now would meet:
// lapses, the offers they bring about and re-assignments included. A day decides by its own
// clock: where State.Clock, kept beside the occupancy, is later than the reader's time, that
// is the instant to ask for.
func (o Occupancy) Slots(party domain.PartySize, now domain.Instant) []SlotState {
	if o.Plan == nil {
		return nil
	}
	o = o.settled(now)
	room := o.mayWait()
	seeker := &seeker{o: o}
	defer seeker.done()
	states := make([]SlotState, len(o.Plan.Slots))
	for i, slot := range o.Plan.Slots {
		r := Request{Slot: slot, Party: party, Now: now}
		turn, want := o.stretch(r)
		states[i] = SlotState{Slot: slot, EndsAt: turn.To}
		if states[i].Refusal = o.bars(r); states[i].Refusal != "" {
			states[i].Waitable = room && states[i].Refusal == domain.CodePacingFull
			continue
		}
		states[i].TablesLeft = o.count(r, want)
		if states[i].TablesLeft > 0 {
			continue
		}
		steps := searchSteps
		if _, ok := seeker.seat(r, &steps); ok {
			states[i].TablesLeft = 1
		} else {
			states[i].Refusal, states[i].Waitable = o.fullCode(r), room
		}
	}
	return states
}

// count is how many tables that would do for r are free.
func (o Occupancy) count(r Request, want domain.Interval) (n int) {
	for i := range o.Plan.Tables {
		if !r.takes(&o.Plan.Tables[i]) {
			continue
		}
		if _, free := o.gap(i, want); free {
			n++
		}
	}
	return n
}

// HoldsUntil is the first instant after now at which Slots may answer differently though
// nothing was appended: a hold lapses, a slot's notice begins, booking opens, a party that
// could be re-assigned is due. Zero means never.
func (o Occupancy) HoldsUntil(now domain.Instant) domain.Instant {
	if o.Plan == nil {
		return 0
	}
	var first domain.Instant
	consider := func(at domain.Instant) {
		if at > now && (first == 0 || at < first) {
			first = at
		}
	}
	consider(o.Plan.BookableFrom)
	late := o.Plan.Policy.Assignment == LateBinding
	for _, s := range o.Plan.Slots {
		// One past the last instant at which the slot can still be had.
		consider(s.StartsAt.AddMinutes(-o.Plan.Policy.NoticeMinutes) + 1)
		consider(s.StartsAt + 1)
		if late && len(o.waiting) > 0 {
			consider(s.StartsAt) // then who is offered it is due
		}
	}
	for b := range o.all {
		consider(b.Expires)
		if late {
			consider(b.From)
		}
	}
	return first
}

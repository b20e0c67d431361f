package restaurantday

import (
	"slices"

	"daybook/domain"
)

// Waiting is an entry of the day's waitlist that has no offer yet.
type Waiting struct {
	Entry  uint32
	Party  domain.PartySize
	From   domain.Instant // the first and
	To     domain.Instant // the last start that the party would take
	Wish   Wish
	Online bool // it cannot have a table that is offline only
}

// wants reports whether a slot is one that w would take.
func (w Waiting) wants(s Slot) bool { return w.From <= s.StartsAt && s.StartsAt <= w.To }

// request is what w asks for at t in a slot.
func (w Waiting) request(s Slot, t domain.Instant) Request {
	return Request{Slot: s, Party: w.Party, Wish: w.Wish, Staff: !w.Online, Now: t}
}

// Offer is a table found for a waiting entry.
type Offer struct {
	Waiting
	Slot    Slot
	Seating Seating
	Passed  []PassedOver // by place in the list
}

// PassedOver is an entry that stood before the one that was offered a table, would have
// taken its slot too, and could not have it.
type PassedOver struct {
	Entry uint32
	Code  domain.Code // why
}

// Waiting lists who waits without an offer, in order.
func (o Occupancy) Waiting() []Waiting { return o.waiting }

// WithWaiting returns the occupancy with these waiting, in this order.
func (o Occupancy) WithWaiting(list []Waiting) Occupancy {
	o.waiting = slices.Clip(list)
	return o
}

// wait returns the occupancy with w last in the waitlist.
func (o Occupancy) wait(w Waiting) Occupancy {
	return o.WithWaiting(append(slices.Clip(o.waiting), w))
}

// unwait returns the occupancy with an entry no longer waiting.
func (o Occupancy) unwait(entry uint32) Occupancy {
	return o.WithWaiting(slices.DeleteFunc(slices.Clone(o.waiting), func(w Waiting) bool { return w.Entry == entry }))
}

// offerSteps bounds how far re-assignment is searched for the whole waitlist at once, in
// the unit of searchSteps. Who comes after it is used up is offered what is free as it is.
const offerSteps = 4 * searchSteps

// offers finds tables for those who wait, in their order, at t. Each offer reckons with the
// ones before it; their holds get the numbers from next on, which the moves of later ones may
// name. Holds count until they are taken out: see settled.
func (o Occupancy) offers(t domain.Instant, next uint32) (list []Offer) {
	steps := offerSteps
	for i, w := range o.waiting {
		slot, seating, ok := o.firstFitting(w, t, &steps)
		if !ok {
			continue
		}
		offer := Offer{Waiting: w, Slot: slot, Seating: seating}
		for _, before := range o.waiting[:i] {
			taken := slices.ContainsFunc(list, func(o Offer) bool { return o.Entry == before.Entry })
			if !taken && before.wants(slot) {
				offer.Passed = append(offer.Passed, PassedOver{before.Entry, o.whyNot(before.request(slot, t))})
			}
		}
		list = append(list, offer)
		if i == len(o.waiting)-1 {
			break // nobody reckons with this one
		}
		o = o.take(offer, next, t.AddMinutes(o.Plan.Policy.OfferMinutes()))
		next++
	}
	return list
}

// firstFitting finds the first slot that w would take and can have.
func (o Occupancy) firstFitting(w Waiting, t domain.Instant, steps *int) (Slot, Seating, bool) {
	seeker := &seeker{o: o}
	defer seeker.done()
	for _, slot := range o.Plan.Slots {
		if !w.wants(slot) {
			continue
		}
		r := w.request(slot, t)
		if o.bars(r) != "" {
			continue
		}
		if seating, ok := seeker.seat(r, steps); ok {
			return slot, seating, true
		}
	}
	return Slot{}, Seating{}, false
}

// whyNot is the rule by which r, which could not be seated, is refused.
func (o Occupancy) whyNot(r Request) domain.Code {
	if code := o.bars(r); code != "" {
		return code
	}
	return domain.CodeNoTable
}

// take returns the occupancy with an offer's party holding its tables until expires. The
// list of those who wait is left as it is.
func (o Occupancy) take(offer Offer, number uint32, expires domain.Instant) Occupancy {
	s := offer.Seating
	for _, m := range s.Moves {
		o = o.rebind(m.Number, m.To)
	}
	return o.place(Booking{
		Number: number, Tables: s.Tables, From: s.Occupied.From, To: s.Occupied.To, Expires: expires,
		Slot: offer.Slot.StartsAt, Party: offer.Party, Wish: offer.Wish, Online: offer.Online,
	})
}

// settled returns the occupancy as a decision at t finds it: without the holds that have
// lapsed, and with what they freed offered to those who wait.
func (o Occupancy) settled(t domain.Instant) Occupancy {
	var kept []Booking
	lapsed := false
	for b := range o.all {
		lapsed = lapsed || b.lapsed(t)
	}
	if !lapsed {
		return o
	}
	next := uint32(1)
	for b := range o.all {
		if next = max(next, b.Number+1); !b.lapsed(t) {
			kept = append(kept, *b)
		}
	}
	waiting := o.waiting
	o = NewOccupancy(o.Plan, kept).WithWaiting(waiting)
	for i, offer := range o.offers(t, next) {
		o = o.take(offer, next+uint32(i), t.AddMinutes(o.Plan.Policy.OfferMinutes())).unwait(offer.Entry)
	}
	return o
}

package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// dayFold is a day as the domain folds it, with what a report tells and a decision never
// asks for, so that every row follows from its stream alone. Like the domain's states it is
// a value: evolve leaves the one it was called on as it was.
type dayFold struct {
	restaurantday.State
	openedAt domain.Instant
	facts    pages[fact]
	waits    pages[wait]
	last     codec.Decoded // the event that made it so; no event where its type is not known here
}

// fact is what is told of one entry of the book besides its state.
type fact struct {
	source      domain.ActorKind
	confirmedAt domain.Instant
}

// wait is likewise of an entry of the waitlist.
type wait struct {
	offeredAt, endedAt domain.Instant
	passed             int // how often it was passed over; the state keeps the last times alone
}

var dayDecider = restaurantday.Decider()

func newDayFold() dayFold { return dayFold{State: dayDecider.Initial()} }

func (s dayFold) evolve(d codec.Decoded) dayFold {
	s.last = d
	e, ok := d.Event.(restaurantday.Event)
	if !ok {
		return s
	}
	s.State = dayDecider.Evolve(s.State, e)
	switch e := e.(type) {
	case restaurantday.Opened:
		s.openedAt = e.At
	case restaurantday.Held:
		s.facts = s.facts.with(e.Number, func(f *fact) { *f = fact{source: d.Meta.Actor.Kind} })
	case restaurantday.Recorded:
		// It is an import's, whoever sent the file. Who confirmed it did so elsewhere.
		s.facts = s.facts.with(e.Number, func(f *fact) { *f = fact{source: domain.ActorImport} })
	case restaurantday.Confirmed:
		s.facts = s.facts.with(e.Number, func(f *fact) { f.confirmedAt = e.At })
		if r, ok := s.Reservation(e.Number); ok && r.Entry != 0 {
			s.waits = s.waits.with(r.Entry, func(w *wait) { w.endedAt = e.At })
		}
	case restaurantday.Reinstated:
		if e.To == restaurantday.StatusPending {
			s.facts = s.facts.with(e.Number, func(f *fact) { f.confirmedAt = 0 })
			if r, ok := s.Reservation(e.Number); ok && r.Entry != 0 { // it is an offer again
				s.waits = s.waits.with(r.Entry, func(w *wait) { w.endedAt = 0 })
			}
		}
	case restaurantday.WaitlistOffered:
		s.waits = s.waits.with(e.Entry, func(w *wait) { w.offeredAt = e.At })
	case restaurantday.WaitlistPassedOver:
		s.waits = s.waits.with(e.Entry, func(w *wait) { w.passed++ })
	case restaurantday.WaitlistLeft:
		s.waits = s.waits.with(e.Entry, func(w *wait) { w.endedAt = e.At })
	default: // the state has all there is to it
	}
	return s
}

// pages is values by number from 1, in pages, so that changing one copies little.
type pages[T any] [][]T

const perPage = 16

func (p pages[T]) of(number uint32) (value T) {
	i := int(number) - 1
	if i < 0 || i/perPage >= len(p) {
		return value
	}
	return p[i/perPage][i%perPage]
}

// with changes one value in a copy.
func (p pages[T]) with(number uint32, change func(*T)) pages[T] {
	i := int(number) - 1
	if i < 0 {
		return p
	}
	next := make(pages[T], max(len(p), i/perPage+1))
	copy(next, p)
	for j := len(p); j < len(next); j++ {
		next[j] = make([]T, perPage)
	}
	page := make([]T, perPage)
	copy(page, next[i/perPage])
	change(&page[i%perPage])
	next[i/perPage] = page
	return next
}

// restaurantFold is a restaurant and the last event that made it so.
type restaurantFold struct {
	restaurant.State
	last codec.Decoded
}

var restaurantDecider = restaurant.Decider()

func newRestaurantFold() restaurantFold { return restaurantFold{State: restaurantDecider.Initial()} }

func (s restaurantFold) evolve(d codec.Decoded) restaurantFold {
	s.last = d
	if e, ok := d.Event.(restaurant.Event); ok {
		s.State = restaurantDecider.Evolve(s.State, e)
	}
	return s
}

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
	facts    factPages
	last     codec.Decoded // the event that made it so; no event where its type is not known here
}

// fact is what is told of one entry of the book besides its state.
type fact struct {
	source      domain.ActorKind
	confirmedAt domain.Instant
	cancelledBy restaurantday.CancelledBy
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
		s.facts = s.facts.with(e.Number, fact{source: d.Meta.Actor.Kind})
	case restaurantday.Recorded:
		// It is an import's, whoever sent the file. Who confirmed it did so elsewhere.
		s.facts = s.facts.with(e.Number, fact{source: domain.ActorImport})
	case restaurantday.Confirmed:
		f := s.facts.of(e.Number)
		f.confirmedAt = e.At
		s.facts = s.facts.with(e.Number, f)
	case restaurantday.Reinstated:
		f := s.facts.of(e.Number)
		f.cancelledBy = ""
		if e.To == restaurantday.StatusPending {
			f.confirmedAt = 0
		}
		s.facts = s.facts.with(e.Number, f)
	case restaurantday.Cancelled:
		f := s.facts.of(e.Number)
		f.cancelledBy = e.By
		s.facts = s.facts.with(e.Number, f)
	default: // the state has all there is to it
	}
	return s
}

// factPages is the facts by number, in pages, so that changing one copies little.
type factPages [][]fact

const factsPerPage = 16

func (p factPages) of(number uint32) fact {
	i := int(number) - 1
	if i < 0 || i/factsPerPage >= len(p) {
		return fact{}
	}
	return p[i/factsPerPage][i%factsPerPage]
}

func (p factPages) with(number uint32, f fact) factPages {
	i := int(number) - 1
	if i < 0 {
		return p
	}
	pages := make(factPages, max(len(p), i/factsPerPage+1))
	copy(pages, p)
	for j := len(p); j < len(pages); j++ {
		pages[j] = make([]fact, factsPerPage)
	}
	page := make([]fact, factsPerPage)
	copy(page, pages[i/factsPerPage])
	page[i%factsPerPage] = f
	pages[i/factsPerPage] = page
	return pages
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

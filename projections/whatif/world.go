package whatif

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// decider is the one by which history was decided, too.
var decider = restaurantday.Decider()

// World is a day's book that exists in memory alone, and what came of what was asked of it.
type World struct {
	State restaurantday.State
	Tally Tally
}

// Tally counts what a world did to have parties seated.
type Tally struct {
	Accepted   int // bookings and walk-ins
	Covers     int // of those
	Moves      int // how often a party was given other tables, so that another could be seated
	Reassigned int // parties accepted for whom others were moved
	Combined   int // parties accepted that took a combination
}

// Do decides a command. A rejection changes nothing.
func (w *World) Do(c restaurantday.Command) ([]restaurantday.Event, *domain.Rejection, error) {
	events, err := decider.Decide(w.State, c)
	if no, ok := domain.Rejected(err); ok {
		return nil, no, nil
	}
	if err != nil {
		return nil, nil, err
	}
	w.Tally.count(events)
	w.State = decider.Fold(w.State, events...)
	return events, nil, nil
}

// count counts what one command came to.
func (t *Tally) count(events []restaurantday.Event) {
	moved := map[uint32]bool{}
	for _, e := range events {
		switch e := e.(type) {
		case restaurantday.Reassigned:
			t.Moves++
			moved[e.For] = true
		case restaurantday.Held:
			t.Accepted++
			t.Covers += int(e.Party)
			if len(e.Tables) > 1 {
				t.Combined++
			}
			if moved[e.Number] {
				t.Reassigned++
			}
		default: // says nothing of how a party got its table
		}
	}
}

// Add adds what another world did.
func (t *Tally) Add(o Tally) {
	t.Accepted += o.Accepted
	t.Covers += o.Covers
	t.Moves += o.Moves
	t.Reassigned += o.Reassigned
	t.Combined += o.Combined
}

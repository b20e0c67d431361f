package restaurantday

import "daybook/domain"

// Replayed is what came of bookings on a day of their own.
type Replayed struct {
	// Refused tells for each booking why it was refused; empty where it was accepted.
	Refused    []domain.Code
	Covers     int // of the parties accepted
	Moves      int // how often a party was given other tables, so that another could be seated
	Combined   int // parties accepted that took a combination
	Reassigned int // parties accepted for whom others were moved
}

// Accepted is how many were accepted.
func (r Replayed) Accepted() (n int) {
	for _, code := range r.Refused {
		if code == "" {
			n++
		}
	}
	return n
}

// Replay decides holds, which stand in the order of Now and open the day themselves, as the
// book of a day under this plan would have. It answers what another plan would have come to.
func Replay(plan *Plan, restaurant domain.RestaurantID, date domain.ServiceDate, holds []Hold) (Replayed, error) {
	decider := Decider()
	s := decider.Initial()
	r := Replayed{Refused: make([]domain.Code, len(holds))}
	for i, h := range holds {
		h.Opening = &Open{Now: h.Now, Restaurant: restaurant, Date: date, Plan: plan}
		events, err := decider.Decide(s, h)
		if no, ok := domain.Rejected(err); ok {
			r.Refused[i] = no.Code
			continue
		}
		if err != nil {
			return Replayed{}, err
		}
		moved := false
		for _, e := range events {
			switch e := e.(type) {
			case Reassigned:
				r.Moves++
				moved = true
			case Held:
				r.Covers += int(e.Party)
				if len(e.Tables) > 1 {
					r.Combined++
				}
			default: // says nothing of this booking
			}
		}
		if moved {
			r.Reassigned++
		}
		s = decider.Fold(s, events...)
	}
	return r, nil
}

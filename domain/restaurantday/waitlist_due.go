package restaurantday

import "daybook/domain"

// Due is what those who wait would be offered at t in this state, in their order: what a
// decision that frees something there has to offer. It is for those who check afterwards
// that nobody was left out.
func (s State) Due(t domain.Instant) []Offer { return s.offers(t, s.next()) }

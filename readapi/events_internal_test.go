package readapi

import (
	"testing"

	"daybook/domain"
	"daybook/projections/ledger"
)

// Whoever runs the service follows restaurants that it does not own for as long as it likes.
func TestOperatorFollowsRestaurants(t *testing.T) {
	s := &lines{choice: ledger.Choice{Restaurants: []domain.RestaurantID{"rst_1"}}, caller: "operator"}
	if err := s.allowed(t.Context()); err != nil {
		t.Error(err)
	}
}

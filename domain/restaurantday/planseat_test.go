package restaurantday

import (
	"testing"

	"daybook/domain"
)

// A party that was kept without a table is seated at one that staff choose, and not at none.
func TestSeatingWhoWasKeptWithoutATable(t *testing.T) {
	small := plan()
	small.Revision, small.Tables = 1, small.Tables[1:2]
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"))
	s = Decider().Fold(s, decided(t, s, ChangePlan{Now: now, Actor: domain.System(), Change: "1", Plan: small, Binding: true, Default: Keep})...)
	var without uint32
	for n := uint32(1); n <= 2; n++ {
		if r, _ := s.Reservation(n); len(s.Plan.tableIndexes(r.Tables)) == 0 {
			without = n
		}
	}
	if without == 0 {
		t.Fatal("both have tables")
	}
	at := evening
	if events, err := decide(s, Seat{Now: at, Actor: host, Number: without}); err == nil {
		after := Decider().Fold(s, events...)
		r, _ := after.Reservation(without)
		if len(after.Plan.tableIndexes(r.Tables)) == 0 {
			t.Errorf("seated at no table: %+v", events)
		}
	} else if _, ok := domain.Rejected(err); !ok {
		t.Error(err)
	}
}

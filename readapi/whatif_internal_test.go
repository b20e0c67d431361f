package readapi

import (
	"errors"
	"testing"

	"daybook/domain"
	"daybook/internal/problem"
)

// One what-if of a restaurant at a time, and few of all.
func TestWhatIfsLeaveRoom(t *testing.T) {
	var w whatIfs
	refused := func(id domain.RestaurantID) bool {
		_, err := w.begin(id)
		var p *problem.Problem
		return errors.As(err, &p) && p.Code == problem.Overloaded && p.RetryAfter() > 0
	}
	end, err := w.begin("rst_1")
	if err != nil {
		t.Fatal(err)
	}
	if !refused("rst_1") {
		t.Error("a second one of the same restaurant")
	}
	if _, err := w.begin("rst_2"); err != nil {
		t.Error(err)
	}
	if !refused("rst_3") {
		t.Errorf("more than %d", maxWhatIfs)
	}
	end()
	if _, err := w.begin("rst_1"); err != nil {
		t.Error(err)
	}
}

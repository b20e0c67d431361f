package readapi_test

import (
	"slices"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/readapi"
)

// TestWhoWaitsForAMove holds the description to the transitions: an operation is described as
// refused with moving if a reservation that is being moved would refuse it so.
func TestWhoWaitsForAMove(t *testing.T) {
	verbs := map[string][]restaurantday.Verb{
		"confirm-reservation": {restaurantday.VerbConfirm}, "cancel-reservation": {restaurantday.VerbCancel},
		"amend-reservation": {restaurantday.VerbAmend, restaurantday.VerbStartMove}, "move-table": {restaurantday.VerbMoveTable},
		"pin-table": {restaurantday.VerbPin}, "unpin-table": {restaurantday.VerbUnpin}, "seat-party": {restaurantday.VerbSeat},
		"complete-seating": {restaurantday.VerbComplete}, "mark-no-show": {restaurantday.VerbNoShow},
		"reinstate-reservation": {restaurantday.VerbReinstate}, "accept-offer": {restaurantday.VerbConfirm},
	}
	for operation, of := range verbs {
		waits := slices.ContainsFunc(restaurantday.Transitions(), func(tr restaurantday.Transition) bool {
			return slices.Contains(of, tr.Verb) && tr.From == restaurantday.StatusConfirmed && !tr.Moving
		})
		if says := slices.Contains(readapi.Refusals[operation], domain.CodeMoving); says != waits {
			t.Errorf("%s is described as refused with moving: %t, and would be: %t", operation, says, waits)
		}
	}
	for operation, codes := range readapi.Refusals {
		if verbs[operation] == nil && slices.Contains(codes, domain.CodeMoving) {
			t.Errorf("%s is described as refused with moving, and this test does not know why", operation)
		}
	}
}

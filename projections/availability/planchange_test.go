package availability

import (
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// TestChangedPlans: while a change is fenced off, and once it took effect, a day shows what
// would be decided, from Redis as from the stream.
func TestChangedPlans(t *testing.T) {
	onBothEnds(t, func(t *testing.T, e end) {
		h := newHouse(t)
		v := h.view(e.client())
		runner := h.run(v)
		h.wait(runner, h.do(today, h.hold(today, 2, "18:30"), h.hold(today, 4, "20:00")).Position)
		h.check(v, today, 4, 2)
		fewer := plan()
		fewer.Revision = 8
		fewer.Tables, fewer.Slots = fewer.Tables[1:], fewer.Slots[:6]
		for _, c := range []restaurantday.Command{
			restaurantday.FencePlan{Now: morning, Actor: domain.System(), Change: "8", Plan: fewer},
			restaurantday.ChangePlan{Now: morning, Actor: domain.System(), Change: "8", Plan: fewer, Default: restaurantday.Keep, Binding: true},
		} {
			at := h.do(today, c)
			h.wait(runner, at.Position)
			for party := domain.PartySize(1); party <= 4; party++ {
				h.check(v, today, uint64(at.Revision), party)
				h.check(h.view(e.client()), today, uint64(at.Revision), party)
			}
		}
	})
}

package restaurantday

import (
	"slices"

	"daybook/domain"
)

// fenced is the plan without what a fence keeps from being booked.
func (p *Plan) fenced(e PlanFenced) *Plan {
	next := *p
	next.Slots = slices.DeleteFunc(slices.Clone(p.Slots), func(s Slot) bool { return slices.Contains(e.Slots, s.StartsAt) })
	next.Blocks = slices.Concat(p.Blocks, e.Blocks)
	return &next
}

// Touch is a reservation that another plan would not have as it is.
type Touch struct {
	Number uint32
	Code   domain.Code // why: closed, outside_hours, no_table, blocked, party_too_large
	Tables []domain.TableID
}

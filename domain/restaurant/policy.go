package restaurant

import (
	"fmt"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// The limits of tables and of a booking policy.
const (
	maxTables        = 500
	maxTableNumber   = 20
	maxArea          = 60
	maxHoldMinutes   = 60
	maxHorizonDays   = 730
	maxNoticeMinutes = 7 * day
	maxBufferMinutes = 240
	maxPacingCovers  = 100_000
	maxCancelMinutes = 30 * day
	maxOfferMinutes  = 120
	maxTurns         = 20
	minTurnMinutes   = 5
	maxTurnMinutes   = 720
)

// DefaultPolicy is what a restaurant starts with: holds of five minutes, 90 days ahead, no
// notice, no pacing, free cancellation up to the seating, late binding. No buffer either:
// the turn times include clearing the table, and with slots each half hour ten minutes
// between two turns would cost a whole slot.
func DefaultPolicy() restaurantday.Policy {
	return restaurantday.Policy{
		HoldMinutes: 5,
		HorizonDays: 90,
		Turns: []restaurantday.TurnTime{
			{UpToParty: 2, Minutes: 90}, {UpToParty: 4, Minutes: 105}, {UpToParty: 6, Minutes: 120},
			{UpToParty: domain.MaxPartySize, Minutes: 150},
		},
		WaitlistOfferMinutes: restaurantday.DefaultOfferMinutes,
		Assignment:           restaurantday.LateBinding,
	}
}

// checkedPolicy returns the policy as it is kept, or why it cannot be.
func checkedPolicy(p restaurantday.Policy) (restaurantday.Policy, error) {
	if p.WaitlistOfferMinutes == 0 {
		p.WaitlistOfferMinutes = restaurantday.DefaultOfferMinutes
	}
	for _, n := range []struct {
		field            string
		got, least, most int
	}{
		{"hold_minutes", p.HoldMinutes, 1, maxHoldMinutes},
		{"horizon_days", p.HorizonDays, 0, maxHorizonDays},
		{"notice_minutes", p.NoticeMinutes, 0, maxNoticeMinutes},
		{"buffer_minutes", p.BufferMinutes, 0, maxBufferMinutes},
		{"pacing_covers", p.PacingCovers, 0, maxPacingCovers},
		{"cancel_minutes", p.CancelMinutes, 0, maxCancelMinutes},
		{"waitlist_offer_minutes", p.WaitlistOfferMinutes, 1, maxOfferMinutes},
	} {
		if n.got < n.least || n.got > n.most {
			return restaurantday.Policy{}, outOfRange(n.field, n.got, n.least, n.most)
		}
	}
	if p.Assignment != restaurantday.FirstFit && p.Assignment != restaurantday.LateBinding {
		return restaurantday.Policy{}, domain.Invalid("assignment", "the tables are given first fit or bound late")
	}
	turns, err := checkedTurns("turn_minutes", p.Turns, 1)
	if err != nil {
		return restaurantday.Policy{}, err
	}
	p.Turns = turns
	return p, nil
}

// checkedTurns returns the turn times as they are kept, at least so many of them, or why
// they cannot be.
func checkedTurns(field string, given []restaurantday.TurnTime, least int) ([]restaurantday.TurnTime, error) {
	if len(given) < least || len(given) > maxTurns {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("there are %d turn times; want %d to %d", len(given), least, maxTurns),
			domain.Reason{Rule: field, Limit: maxTurns, Actual: int64(len(given))})
	}
	var before domain.PartySize
	for _, t := range given {
		if t.UpToParty <= before || t.UpToParty > domain.MaxPartySize {
			return nil, domain.Invalid(field,
				fmt.Sprintf("the turn times are for parties up to 1 to %d, rising; %d comes after %d", domain.MaxPartySize, t.UpToParty, before))
		}
		if t.Minutes < minTurnMinutes || t.Minutes > maxTurnMinutes {
			return nil, outOfRange(field, t.Minutes, minTurnMinutes, maxTurnMinutes)
		}
		before = t.UpToParty
	}
	if len(given) == 0 {
		return nil, nil
	}
	return slices.Clone(given), nil
}

// checkedTable returns the table as it is kept, or why it cannot be.
func checkedTable(t restaurantday.Table) (restaurantday.Table, error) {
	number, err := domain.RequiredLine("table_number", t.Number, maxTableNumber)
	if err != nil {
		return restaurantday.Table{}, err
	}
	area, err := domain.Line("area", t.Area, maxArea)
	if err != nil {
		return restaurantday.Table{}, err
	}
	t.Number, t.Area = number, area
	if t.Max < 1 || t.Max > domain.MaxPartySize {
		return restaurantday.Table{}, outOfRange("capacity", int(t.Max), 1, int(domain.MaxPartySize))
	}
	if t.Min < 1 || t.Min > t.Max {
		return restaurantday.Table{}, outOfRange("min_capacity", int(t.Min), 1, int(t.Max))
	}
	return t, nil
}

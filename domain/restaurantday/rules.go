package restaurantday

import (
	"fmt"
	"slices"

	"daybook/domain"
)

// slot finds the slot a hold names.
func (s State) slot(c Hold) (Slot, *domain.Rejection) {
	if len(s.Plan.Slots) == 0 {
		return Slot{}, domain.Reject(domain.CodeClosed, "the restaurant is closed on "+s.Date.String())
	}
	near := c.StartsAt
	if near != 0 {
		if slot, ok := s.Plan.slotAt(near); ok {
			return slot, nil
		}
	} else {
		switch found := s.Plan.slotsAt(c.Time); len(found) {
		case 1:
			return found[0], nil
		case 2:
			return Slot{}, domain.Reject(domain.CodeAmbiguousTime, fmt.Sprintf(
				"clocks show %s twice on %s: send startsAt, %s or %s", c.Time, s.Date, found[0].StartsAt, found[1].StartsAt))
		}
		near = s.Plan.instantNear(c.Time)
	}
	if s.Plan.betweenSlots(near) {
		return Slot{}, domain.Reject(domain.CodeOffSlot, "parties are seated at set times; the near ones are the alternatives")
	}
	return Slot{}, domain.Reject(domain.CodeOutsideHours, fmt.Sprintf(
		"parties are seated from %s to %s", s.Plan.Slots[0].Time, s.Plan.Slots[len(s.Plan.Slots)-1].Time))
}

// judge applies every rule to a slot and finds the table.
func (o Occupancy) judge(slot Slot, party domain.PartySize, wish Wish, t domain.Instant) (table int, no *domain.Rejection) {
	if no = o.refuseTime(slot, t); no != nil {
		return 0, no
	}
	if no = o.refuseParty(slot, party, t); no != nil {
		return 0, no
	}
	_, occupied := o.Plan.turn(slot, party)
	table, ok := o.bestFit(party, wish, occupied, t)
	if !ok {
		return 0, o.noTable(party, wish, occupied, t)
	}
	return table, nil
}

func (o Occupancy) refuseTime(slot Slot, t domain.Instant) *domain.Rejection {
	notice := o.Plan.Policy.NoticeMinutes
	switch {
	case slot.StartsAt < t:
		return domain.Reject(domain.CodeInPast, "the time asked for is past",
			domain.Reason{Rule: "starts_at", Limit: int64(t), Actual: int64(slot.StartsAt)})
	case slot.StartsAt < t.AddMinutes(notice):
		return domain.Reject(domain.CodeTooSoon, fmt.Sprintf("the restaurant wants %d minutes' notice", notice),
			domain.Reason{Rule: "notice_minutes", Limit: int64(notice), Actual: int64(slot.StartsAt-t) / 60_000})
	case t < o.Plan.BookableFrom:
		return domain.Reject(domain.CodeTooFarAhead, fmt.Sprintf(
			"the restaurant takes bookings %d days ahead; this day opens for booking at %s", o.Plan.Policy.HorizonDays, o.Plan.BookableFrom),
			domain.Reason{Rule: "horizon_days", Limit: int64(o.Plan.Policy.HorizonDays), Actual: int64(slot.StartsAt-t) / 86_400_000})
	}
	return nil
}

func (o Occupancy) refuseParty(slot Slot, party domain.PartySize, t domain.Instant) *domain.Rejection {
	if largest := o.Plan.LargestParty(); party > largest {
		return domain.Reject(domain.CodePartyTooLarge, fmt.Sprintf("the largest table seats %d", largest),
			domain.Reason{Rule: "largest_table", Limit: int64(largest), Actual: int64(party)})
	}
	if limit := o.Plan.Policy.PacingCovers; limit > 0 {
		if taken := o.covers(slot, t); taken+int(party) > limit {
			return domain.Reject(domain.CodePacingFull, fmt.Sprintf(
				"the kitchen takes %d covers at %s and has %d", limit, slot.Time, taken),
				domain.Reason{Rule: "pacing_covers", Limit: int64(limit), Actual: int64(taken)})
		}
	}
	return nil
}

// maxBlocks bounds how many blocking entries one refusal names.
const maxBlocks = 20

func (o Occupancy) noTable(party domain.PartySize, wish Wish, want domain.Interval, t domain.Instant) *domain.Rejection {
	fitting := 0
	var blocked []domain.Block
	for i, table := range o.Plan.Tables {
		if party < table.Min || party > table.Max || !wish.admits(table) {
			continue
		}
		fitting++
		for _, u := range o.tables[i] {
			if len(blocked) < maxBlocks && !lapsed(u, t) && want.Overlaps(domain.Interval{From: u.From, To: u.To}) {
				blocked = append(blocked, domain.Block{Number: u.Number, Table: table.ID, Until: u.To, Hold: u.Expires != 0})
			}
		}
	}
	if fitting == 0 {
		return domain.Reject(domain.CodeNoTable, fmt.Sprintf("no table of those wished for seats a party of %d", party),
			domain.Reason{Rule: "table_capacity", Actual: int64(party)})
	}
	return domain.Reject(domain.CodeNoTable, fmt.Sprintf("all %d tables that seat a party of %d are taken then", fitting, party),
		domain.Reason{Rule: "turn_time", Limit: int64(want.To-want.From) / 60_000, Actual: int64(fitting), Blocked: blocked})
}

// How far and how many alternatives are looked for.
const (
	maxAlternatives = 4
	slotsLookedAt   = 16
)

// withAlternatives adds the slots nearest to the one asked for that would be accepted.
func (s State) withAlternatives(no *domain.Rejection, c Hold, t domain.Instant) *domain.Rejection {
	if len(s.Plan.Slots) == 0 || c.Party > s.Plan.LargestParty() || t < s.Plan.BookableFrom {
		return no
	}
	near := c.StartsAt
	if near == 0 {
		near = s.Plan.instantNear(c.Time)
	}
	slots := slices.Clone(s.Plan.Slots)
	slices.SortStableFunc(slots, func(a, b Slot) int {
		return int(abs(a.StartsAt-near) - abs(b.StartsAt-near))
	})
	for _, slot := range slots[:min(len(slots), slotsLookedAt)] {
		if _, refused := s.judge(slot, c.Party, c.Wish, t); refused == nil {
			no.Alternatives = append(no.Alternatives, domain.Alternative{Time: slot.Time, StartsAt: slot.StartsAt})
			if len(no.Alternatives) == maxAlternatives {
				break
			}
		}
	}
	return no
}

func abs(i domain.Instant) domain.Instant { return max(i, -i) }

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
	if code := o.bars(slot, party, t); code != "" {
		return 0, o.explain(code, slot, party, t)
	}
	table, ok := o.seat(slot, party, wish, t)
	if !ok {
		_, occupied := o.Plan.turn(slot, party)
		return 0, o.noTable(party, wish, occupied, t)
	}
	return table, nil
}

// seat finds the table for party in slot, if there is one.
func (o Occupancy) seat(slot Slot, party domain.PartySize, wish Wish, t domain.Instant) (table int, ok bool) {
	_, occupied := o.Plan.turn(slot, party)
	return o.bestFit(party, wish, occupied, t)
}

// bars is the rule that keeps party from slot at t whatever tables are free; empty for none.
func (o Occupancy) bars(slot Slot, party domain.PartySize, t domain.Instant) domain.Code {
	policy := &o.Plan.Policy
	switch {
	case slot.StartsAt < t:
		return domain.CodeInPast
	case slot.StartsAt < t.AddMinutes(policy.NoticeMinutes):
		return domain.CodeTooSoon
	case t < o.Plan.BookableFrom:
		return domain.CodeTooFarAhead
	case party > o.Plan.LargestParty():
		return domain.CodePartyTooLarge
	case policy.PacingCovers > 0 && o.covers(slot, t)+int(party) > policy.PacingCovers:
		return domain.CodePacingFull
	}
	return ""
}

// explain says what bars party from slot, with the numbers that decided it.
func (o Occupancy) explain(code domain.Code, slot Slot, party domain.PartySize, t domain.Instant) *domain.Rejection {
	policy := &o.Plan.Policy
	var detail string
	var reason domain.Reason
	switch code {
	case domain.CodeInPast:
		detail = "the time asked for is past"
		reason = domain.Reason{Rule: "starts_at", Limit: int64(t), Actual: int64(slot.StartsAt)}
	case domain.CodeTooSoon:
		detail = fmt.Sprintf("the restaurant wants %d minutes' notice", policy.NoticeMinutes)
		reason = domain.Reason{Rule: "notice_minutes", Limit: int64(policy.NoticeMinutes), Actual: int64(slot.StartsAt-t) / 60_000}
	case domain.CodeTooFarAhead:
		detail = fmt.Sprintf("the restaurant takes bookings %d days ahead; this day opens for booking at %s", policy.HorizonDays, o.Plan.BookableFrom)
		reason = domain.Reason{Rule: "horizon_days", Limit: int64(policy.HorizonDays), Actual: int64(slot.StartsAt-t) / 86_400_000}
	case domain.CodePartyTooLarge:
		largest := o.Plan.LargestParty()
		detail = fmt.Sprintf("the largest table seats %d", largest)
		reason = domain.Reason{Rule: "largest_table", Limit: int64(largest), Actual: int64(party)}
	case domain.CodePacingFull:
		taken := o.covers(slot, t)
		detail = fmt.Sprintf("the kitchen takes %d covers at %s and has %d", policy.PacingCovers, slot.Time, taken)
		reason = domain.Reason{Rule: "pacing_covers", Limit: int64(policy.PacingCovers), Actual: int64(taken)}
	default: // bars names no other, and a code without numbers is still an answer
	}
	return domain.Reject(code, detail, reason)
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
	return domain.Reject(domain.CodeNoTable, fmt.Sprintf("every table that seats a party of %d is taken then", party),
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
		if s.bars(slot, c.Party, t) != "" {
			continue
		}
		if _, ok := s.seat(slot, c.Party, c.Wish, t); ok {
			no.Alternatives = append(no.Alternatives, domain.Alternative{Time: slot.Time, StartsAt: slot.StartsAt})
			if len(no.Alternatives) == maxAlternatives {
				break
			}
		}
	}
	return no
}

func abs(i domain.Instant) domain.Instant { return max(i, -i) }

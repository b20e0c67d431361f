package restaurantday

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"daybook/domain"
)

// explain says what bars r, with the numbers that decided it and, where entries of the
// book are in the way, enough of them that without those it would be accepted.
func (o Occupancy) explain(code domain.Code, r Request) *domain.Rejection {
	policy := &o.Plan.Policy
	starts := r.Slot.StartsAt
	var detail string
	var reason domain.Reason
	switch code {
	case domain.CodeInPast:
		detail = "the time asked for is past"
		reason = domain.Reason{Rule: "starts_at", LimitAt: r.Now, ActualAt: starts}
	case domain.CodeTooSoon:
		detail = fmt.Sprintf("the restaurant wants %d minutes' notice", policy.NoticeMinutes)
		reason = domain.Reason{Rule: "notice_minutes", Limit: int64(policy.NoticeMinutes), Actual: int64(starts-r.Now) / 60_000}
	case domain.CodeTooFarAhead:
		detail = fmt.Sprintf("the restaurant takes bookings %d days ahead, and this day is not open for booking yet", policy.HorizonDays)
		reason = domain.Reason{
			Rule: "horizon_days", Limit: int64(policy.HorizonDays), Actual: int64(starts-r.Now) / 86_400_000, LimitAt: o.Plan.BookableFrom,
		}
	case domain.CodePartyTooLarge:
		largest := o.largest(r)
		detail = fmt.Sprintf("the largest table seats %d", largest)
		reason = domain.Reason{Rule: "largest_table", Limit: int64(largest), Actual: int64(r.Party)}
	case domain.CodePacingFull:
		return o.pacingFull(r)
	default: // bars names no other, and a code without numbers is still an answer
	}
	return domain.Reject(code, detail, reason)
}

// pacingFull names the fewest entries of the slot that would have to go, and then what
// stands in the way without them.
func (o Occupancy) pacingFull(r Request) *domain.Rejection {
	limit, taken := o.Plan.Pacing(r.Slot), o.covers(r.Slot.StartsAt)
	reason := domain.Reason{Rule: "pacing_covers", Limit: int64(limit), Actual: int64(taken)}
	no := domain.Reject(domain.CodePacingFull, fmt.Sprintf("the kitchen takes %d covers at %s and has %d", limit, r.Slot.Time, taken), reason)
	if int(r.Party) > limit {
		return no // whoever goes, that is too many
	}
	var in []*Booking
	during := o.pace(r.Slot.StartsAt)
	for b := range o.all {
		if during.From <= b.Slot && b.Slot < during.To {
			in = append(in, b)
		}
	}
	slices.SortStableFunc(in, func(a, b *Booking) int { return cmp.Compare(b.Party, a.Party) })
	var blocked []domain.Block
	for over := o.overPace(r); over > 0; in = in[1:] {
		b := in[0]
		over -= int(b.Party)
		block := domain.Block{Number: b.Number, Until: b.To, Hold: b.Expires != 0}
		if len(b.Tables) > 0 {
			block.Table = o.Plan.Tables[b.Tables[0]].ID
		}
		blocked = append(blocked, block)
		o = o.release(b.Number)
	}
	if _, ok := o.seat(r); !ok {
		then := o.noTable(r).Reasons[0]
		no.Reasons = append(no.Reasons, then)
		if then.Blocked == nil {
			return no // no table would do, whoever goes
		}
	}
	no.Reasons[0].Blocked = blocked
	return no
}

// maxBlocks bounds how many blocking entries one refusal names, save that all are named
// that stand in the way at one of the tables at least.
const maxBlocks = 20

// noTable names the entries that have the tables that would do for r. Those named at any
// one table, gone, would let it in.
func (o Occupancy) noTable(r Request) *domain.Rejection {
	_, want := o.stretch(r)
	fitting, open := 0, 0
	var blocked []domain.Block
	for _, tables := range o.options(r) {
		fitting++
		if slices.ContainsFunc(tables, func(t int) bool { return o.isBlocked(t, want) }) {
			continue
		}
		open++
		if in := o.inTheWay(blocked, tables, want); len(blocked) == 0 || len(in) <= maxBlocks {
			blocked = in
		}
	}
	switch {
	case fitting == 0:
		return domain.Reject(domain.CodeNoTable, fmt.Sprintf("no table of those wished for seats a party of %d", r.Party),
			domain.Reason{Rule: "table_capacity", Actual: int64(r.Party)})
	case open == 0:
		return domain.Reject(domain.CodeBlocked, "the restaurant keeps its tables for something else then",
			domain.Reason{Rule: "block", Actual: int64(fitting)})
	}
	detail := fmt.Sprintf("every table that seats a party of %d is taken then", r.Party)
	if r.Tables != nil {
		detail = o.takenBy(blocked)
	}
	return domain.Reject(domain.CodeNoTable, detail,
		domain.Reason{Rule: "turn_time", Limit: int64(want.To-want.From) / 60_000, Actual: int64(fitting), Blocked: blocked})
}

// takenBy names the tables that entries have, and the parties, to staff who asked for these
// tables: "table 4 is taken then, by a party of 2".
func (o Occupancy) takenBy(blocked []domain.Block) string {
	var told []string
	for _, b := range blocked {
		table, _ := o.Plan.table(b.Table)
		party, _ := o.booking(b.Number)
		told = append(told, fmt.Sprintf("table %s is taken then, by a party of %d", table.Number, party.Party))
	}
	return strings.Join(told, "; ")
}

// fullCode is the code of noTable.
func (o Occupancy) fullCode(r Request) domain.Code {
	if len(o.Plan.Blocks) == 0 {
		return domain.CodeNoTable
	}
	return o.noTable(r).Code
}

// inTheWay adds to list, where they are not in it, the entries that have one of tables
// during want.
func (o Occupancy) inTheWay(list []domain.Block, tables []int, want domain.Interval) []domain.Block {
	for _, t := range tables {
		for _, b := range o.tables[t] {
			if b.From >= want.To {
				break
			}
			if want.From < b.To && !slices.ContainsFunc(list, func(k domain.Block) bool { return k.Number == b.Number }) {
				list = append(list, domain.Block{Number: b.Number, Table: o.Plan.Tables[t].ID, Until: b.To, Hold: b.Expires != 0})
			}
		}
	}
	return list
}

// isBlocked reports whether a block of the plan keeps table from being promised during want.
func (o Occupancy) isBlocked(table int, want domain.Interval) bool {
	return slices.ContainsFunc(o.floor.blocked[table], want.Overlaps)
}

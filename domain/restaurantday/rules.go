package restaurantday

import (
	"fmt"
	"sort"

	"daybook/domain"
)

// findSlot finds the slot that starts at an instant or, where that is zero, whose clock
// time is hhmm.
func (s State) findSlot(hhmm string, at domain.Instant) (Slot, *domain.Rejection) {
	if len(s.Plan.Slots) == 0 {
		return Slot{}, s.closed()
	}
	near := at
	if near != 0 {
		if slot, ok := s.Plan.slotAt(near); ok {
			return slot, nil
		}
	} else {
		switch found := s.Plan.slotsAt(hhmm); len(found) {
		case 1:
			return found[0], nil
		case 2:
			return Slot{}, domain.Reject(domain.CodeAmbiguousTime, fmt.Sprintf(
				"clocks show %s twice on %s: send startsAt", hhmm, s.Date),
				domain.Reason{Rule: "starts_at", ActualAt: found[0].StartsAt}, domain.Reason{Rule: "starts_at", ActualAt: found[1].StartsAt})
		}
		near = s.Plan.instantNear(hhmm)
	}
	if s.Plan.betweenSlots(near) {
		return Slot{}, domain.Reject(domain.CodeOffSlot, "parties are seated at set times; the near ones are the alternatives")
	}
	return Slot{}, domain.Reject(domain.CodeOutsideHours, fmt.Sprintf(
		"parties are seated from %s to %s", s.Plan.Slots[0].Time, s.Plan.Slots[len(s.Plan.Slots)-1].Time))
}

func (s State) closed() *domain.Rejection {
	detail := "the restaurant is closed on " + s.Date.String()
	if s.Plan.Closure != "" {
		detail += ": " + s.Plan.Closure
	}
	return domain.Reject(domain.CodeClosed, detail)
}

// judge applies every rule to a request and finds its tables. Holds count until they are
// taken out: see settled.
func (o Occupancy) judge(r Request) (Seating, *domain.Rejection) {
	k := &seeker{o: o}
	defer k.done()
	return k.judge(r)
}

// judge is Occupancy.judge with what was found out for requests before.
func (k *seeker) judge(r Request) (Seating, *domain.Rejection) {
	if code := k.o.bars(r); code != "" {
		return Seating{}, k.o.explain(code, r)
	}
	steps := searchSteps
	seating, ok := k.seat(r, &steps)
	if !ok {
		return Seating{}, k.o.noTable(r)
	}
	return seating, nil
}

// bars is the rule that keeps r out whatever tables are free; empty for none.
func (o Occupancy) bars(r Request) domain.Code {
	starts, notice := r.Slot.StartsAt, r.Now.AddMinutes(o.Plan.Policy.NoticeMinutes)
	bars := func(code domain.Code, is bool) bool { return is && r.Skip != code }
	switch {
	case bars(domain.CodeInPast, starts < r.Now):
		return domain.CodeInPast
	case bars(domain.CodeTooSoon, r.Now <= starts && starts < notice):
		return domain.CodeTooSoon
	case bars(domain.CodeTooFarAhead, r.Now < o.Plan.BookableFrom):
		return domain.CodeTooFarAhead
	case bars(domain.CodePartyTooLarge, r.Tables == nil && r.Party > o.largest(r)):
		return domain.CodePartyTooLarge
	case bars(domain.CodePacingFull, o.overPace(r) > 0):
		return domain.CodePacingFull
	}
	return ""
}

// largest is the largest party that any tables would do for, for whoever asks.
func (o Occupancy) largest(r Request) domain.PartySize {
	if r.Staff {
		return o.floor.largest
	}
	return o.floor.online
}

// overPace is how many covers too many would start in the slot with r; none where it is 0
// or less.
func (o Occupancy) overPace(r Request) int {
	limit := o.Plan.Pacing(r.Slot)
	if limit <= 0 {
		return 0
	}
	return o.covers(r.Slot.StartsAt) + int(r.Party) - limit
}

// How far and how many alternatives are looked for.
const (
	maxAlternatives = 4
	slotsLookedAt   = 16
)

// Alternatives are up to n slots in which r would be accepted, the nearest to near first
// and of two as near the earlier. Of r, all but Slot counts. The search for all of them
// together goes as far as it may for one request.
func (s State) Alternatives(r Request, near domain.Instant, n int) []domain.Alternative {
	k := &seeker{o: s.Occupancy}
	defer k.done()
	return k.alternatives(r, near, n)
}

func (k *seeker) alternatives(r Request, near domain.Instant, n int) (list []domain.Alternative) {
	slots := k.o.Plan.Slots
	after := sort.Search(len(slots), func(i int) bool { return slots[i].StartsAt > near })
	before := after - 1 // both go on from near, one way each
	steps := searchSteps
	for looked := 0; looked < slotsLookedAt && len(list) < n; looked++ {
		switch {
		case before < 0 && after == len(slots):
			return list
		case after == len(slots) || (before >= 0 && near-slots[before].StartsAt <= slots[after].StartsAt-near):
			r.Slot = slots[before]
			before--
		default:
			r.Slot = slots[after]
			after++
		}
		if r.Slot.StartsAt == r.Has || k.o.bars(r) != "" {
			continue
		}
		if _, ok := k.seat(r, &steps); ok {
			list = append(list, domain.Alternative{Time: r.Slot.Time, StartsAt: r.Slot.StartsAt})
		}
	}
	return list
}

// withAlternatives adds to a refusal the slots nearest to the one asked for that would be
// accepted. hhmm counts where at is zero.
func (s State) withAlternatives(no *domain.Rejection, r Request, hhmm string, at domain.Instant) *domain.Rejection {
	k := &seeker{o: s.Occupancy}
	defer k.done()
	return k.withAlternatives(no, r, hhmm, at)
}

func (k *seeker) withAlternatives(no *domain.Rejection, r Request, hhmm string, at domain.Instant) *domain.Rejection {
	plan := k.o.Plan
	if len(plan.Slots) == 0 || r.Party > k.o.floor.largest || r.Now < plan.BookableFrom {
		return no
	}
	if at == 0 {
		at = plan.instantNear(hhmm)
	}
	no.Alternatives = k.alternatives(r, at, maxAlternatives)
	return no
}

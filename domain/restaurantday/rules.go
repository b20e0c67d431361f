package restaurantday

import (
	"fmt"
	"slices"

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
				"clocks show %s twice on %s: send startsAt, %s or %s", hhmm, s.Date, found[0].StartsAt, found[1].StartsAt))
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
	if code := o.bars(r); code != "" {
		return Seating{}, o.explain(code, r)
	}
	seating, ok := o.seat(r)
	if !ok {
		return Seating{}, o.noTable(r)
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
		return o.Plan.LargestParty()
	}
	return o.Plan.LargestOnlineParty()
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
func (s State) Alternatives(r Request, near domain.Instant, n int) (list []domain.Alternative) {
	slots := slices.Clone(s.Plan.Slots)
	slices.SortStableFunc(slots, func(a, b Slot) int {
		return int(abs(a.StartsAt-near) - abs(b.StartsAt-near))
	})
	steps := searchSteps
	seeker := &seeker{o: s.Occupancy}
	for _, slot := range slots[:min(len(slots), slotsLookedAt)] {
		if len(list) == n {
			break
		}
		r.Slot = slot
		if s.bars(r) != "" {
			continue
		}
		if _, ok := seeker.seat(r, &steps); ok {
			list = append(list, domain.Alternative{Time: slot.Time, StartsAt: slot.StartsAt})
		}
	}
	return list
}

// withAlternatives adds to a refusal the slots nearest to the one asked for that would be
// accepted. hhmm counts where at is zero.
func (s State) withAlternatives(no *domain.Rejection, r Request, hhmm string, at domain.Instant) *domain.Rejection {
	if len(s.Plan.Slots) == 0 || r.Party > s.Plan.LargestParty() || r.Now < s.Plan.BookableFrom {
		return no
	}
	if at == 0 {
		at = s.Plan.instantNear(hhmm)
	}
	no.Alternatives = s.Alternatives(r, at, maxAlternatives)
	return no
}

func abs(i domain.Instant) domain.Instant { return max(i, -i) }

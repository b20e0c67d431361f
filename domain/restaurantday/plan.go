package restaurantday

import (
	"sort"

	"daybook/domain"
)

// Plan is what a restaurant-day was opened with: everything a decision needs, so that it
// needs no other stream and no time zone table. A Plan is never changed after it was made.
type Plan struct {
	Revision     uint64  // of the restaurant's stream, which the plan was made from
	Zone         string  // IANA name, for display
	Slots        []Slot  // by StartsAt; none on a day that is closed
	Tables       []Table // by capacity, then number
	Policy       Policy
	BookableFrom domain.Instant // when booking opens: the horizon before the date's midnight
}

// Slot is a time at which a party may be seated.
type Slot struct {
	Time     string // what clocks at the restaurant show, HH:MM
	StartsAt domain.Instant
	Closes   domain.Instant // the end of its shift, which cuts the turn short
	Shift    string         // the shift's name
}

// Table is one table on the floor.
type Table struct {
	ID       domain.TableID
	Number   string           // what the floor calls it
	Min, Max domain.PartySize // the parties it seats
	Area     string
}

// Policy is how a restaurant lets itself be booked.
type Policy struct {
	HoldMinutes   int        // how long a hold waits for its confirmation, 1 to 60
	HorizonDays   int        // how far ahead one can book, 0 to 730
	NoticeMinutes int        // how long before the seating one must have booked, 0 to 10080
	BufferMinutes int        // between two turns on one table, 0 to 240
	PacingCovers  int        // covers that may start in one slot; 0 for no limit
	Turns         []TurnTime // by UpToParty, rising
}

// TurnTime is how long parties up to a size keep their table.
type TurnTime struct {
	UpToParty domain.PartySize
	Minutes   int // 5 to 720
}

// Turn returns the turn time of party in minutes: the first rule that is large enough,
// else the last.
func (p Policy) Turn(party domain.PartySize) int {
	for _, t := range p.Turns {
		if party <= t.UpToParty {
			return t.Minutes
		}
	}
	if len(p.Turns) == 0 {
		return 0
	}
	return p.Turns[len(p.Turns)-1].Minutes
}

// LargestParty is the most any one table seats.
func (p *Plan) LargestParty() domain.PartySize {
	var most domain.PartySize
	for _, t := range p.Tables {
		most = max(most, t.Max)
	}
	return most
}

// turn is the stretch for which party keeps a table when seated in slot, and the longer
// one for which the table cannot be promised to others.
func (p *Plan) turn(s Slot, party domain.PartySize) (turn, occupied domain.Interval) {
	end := s.StartsAt.AddMinutes(p.Policy.Turn(party))
	if s.Closes > s.StartsAt && end > s.Closes {
		end = s.Closes
	}
	turn = domain.Interval{From: s.StartsAt, To: end}
	occupied = domain.Interval{From: s.StartsAt, To: end.AddMinutes(p.Policy.BufferMinutes)}
	return turn, occupied
}

// slotAt finds the slot that starts at an instant.
func (p *Plan) slotAt(at domain.Instant) (Slot, bool) {
	i := sort.Search(len(p.Slots), func(i int) bool { return p.Slots[i].StartsAt >= at })
	if i == len(p.Slots) || p.Slots[i].StartsAt != at {
		return Slot{}, false
	}
	return p.Slots[i], true
}

// slotsAt finds the slots whose clock time is hhmm: two where the zone repeats it.
func (p *Plan) slotsAt(hhmm string) (found []Slot) {
	for _, s := range p.Slots {
		if s.Time == hhmm {
			found = append(found, s)
		}
	}
	return found
}

// betweenSlots reports whether at falls between two slots of one shift.
func (p *Plan) betweenSlots(at domain.Instant) bool {
	i := sort.Search(len(p.Slots), func(i int) bool { return p.Slots[i].StartsAt > at })
	return i > 0 && i < len(p.Slots) && p.Slots[i-1].Shift == p.Slots[i].Shift
}

// instantNear is the instant of a clock time, of the first of two, or where the time is no
// slot a guess at it, for naming the slots near it.
func (p *Plan) instantNear(hhmm string) domain.Instant {
	if found := p.slotsAt(hhmm); len(found) > 0 {
		return found[0].StartsAt
	}
	first, last := p.Slots[0], p.Slots[len(p.Slots)-1]
	want, err := domain.ParseClock(hhmm)
	base, err2 := domain.ParseClock(first.Time)
	if err != nil || err2 != nil {
		return first.StartsAt
	}
	// The small hours are before the first slot or after the last one, whichever is nearer.
	before := first.StartsAt.AddMinutes(want - base)
	after := before.AddMinutes(1440)
	if before < first.StartsAt && after-last.StartsAt < first.StartsAt-before {
		return after
	}
	return before
}

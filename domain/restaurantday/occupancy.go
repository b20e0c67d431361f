package restaurantday

import (
	"cmp"
	"slices"
	"sort"

	"daybook/domain"
)

// Occupancy is which tables are promised when: the part of a day that decides what is
// free. It is a value; placing and releasing return a new one and leave the old as it was.
// The availability view keeps it and asks the same functions that decide a hold.
type Occupancy struct {
	Plan   *Plan
	tables [][]use // by index in Plan.Tables, each by From, none overlapping
}

// Booking is one promise of a table, as the availability view keeps it.
type Booking struct {
	Number  uint32 // in the day's book
	Table   int    // index in Plan.Tables
	From    domain.Instant
	To      domain.Instant // buffer included
	Expires domain.Instant // 0 when the promise is firm
	Party   domain.PartySize
	Extra   bool // a further table of the same party: its covers count elsewhere
}

type use = Booking

// NewOccupancy rebuilds what Bookings told. Bookings of unknown tables are left out.
func NewOccupancy(plan *Plan, bookings []Booking) Occupancy {
	o := Occupancy{Plan: plan, tables: make([][]use, len(plan.Tables))}
	known := func(b Booking) bool { return b.Table >= 0 && b.Table < len(o.tables) }
	counts := make([]int, len(o.tables))
	for _, b := range bookings {
		if known(b) {
			counts[b.Table]++
		}
	}
	// All tables' uses lie in one piece of memory, each within its own part.
	room := make([]use, 0, len(bookings))
	for i, n := range counts {
		o.tables[i] = room[len(room) : len(room) : len(room)+n]
		room = room[:len(room)+n]
	}
	for _, b := range bookings {
		if known(b) {
			o.tables[b.Table] = append(o.tables[b.Table], b)
		}
	}
	for _, uses := range o.tables {
		slices.SortFunc(uses, func(a, b use) int { return cmp.Compare(a.From, b.From) })
	}
	return o
}

// Bookings lists all promises, by table and time.
func (o Occupancy) Bookings() []Booking {
	n := 0
	for _, uses := range o.tables {
		n += len(uses)
	}
	all := make([]Booking, 0, n)
	for _, uses := range o.tables {
		all = append(all, uses...)
	}
	return all
}

// SlotState is what one slot offers a party.
type SlotState struct {
	Slot
	EndsAt     domain.Instant // of the turn, buffer not counted
	TablesLeft int            // free tables that seat the party
	Refusal    domain.Code    // why it cannot be booked; empty when it can
}

// Slots tells for each slot what a hold for party at instant now would meet. A day decides
// by its own clock: where State.Clock, kept beside the occupancy, is later than the
// reader's time, that is the instant to ask for.
func (o Occupancy) Slots(party domain.PartySize, now domain.Instant) []SlotState {
	if o.Plan == nil {
		return nil
	}
	states := make([]SlotState, len(o.Plan.Slots))
	for i, slot := range o.Plan.Slots {
		turn, occupied := o.Plan.turn(slot, party)
		states[i] = SlotState{Slot: slot, EndsAt: turn.To}
		if states[i].Refusal = o.bars(slot, party, now); states[i].Refusal != "" {
			continue
		}
		states[i].TablesLeft = o.count(party, occupied, now)
		if states[i].TablesLeft == 0 {
			states[i].Refusal = domain.CodeNoTable
		}
	}
	return states
}

// HoldsUntil is the first instant after now at which Slots may answer differently though
// nothing was appended: a hold lapses, a slot's notice begins, booking opens. Zero means never.
func (o Occupancy) HoldsUntil(now domain.Instant) domain.Instant {
	if o.Plan == nil {
		return 0
	}
	var first domain.Instant
	consider := func(at domain.Instant) {
		if at > now && (first == 0 || at < first) {
			first = at
		}
	}
	consider(o.Plan.BookableFrom)
	for _, s := range o.Plan.Slots {
		// One past the last instant at which the slot can still be had.
		consider(s.StartsAt.AddMinutes(-o.Plan.Policy.NoticeMinutes) + 1)
		consider(s.StartsAt + 1)
	}
	consider(o.NextExpiry(now))
	return first
}

// NextExpiry is the first instant after now at which a hold lapses; zero means none.
func (o Occupancy) NextExpiry(now domain.Instant) domain.Instant {
	var first domain.Instant
	for _, uses := range o.tables {
		for _, u := range uses {
			if u.Expires > now && (first == 0 || u.Expires < first) {
				first = u.Expires
			}
		}
	}
	return first
}

// HoldLapsedBetween reports whether a hold lapses in (after, until].
func (o Occupancy) HoldLapsedBetween(after, until domain.Instant) bool {
	next := o.NextExpiry(after)
	return next != 0 && next <= until
}

// lapsed reports whether a promise no longer binds at t.
func lapsed(u use, t domain.Instant) bool { return u.Expires != 0 && u.Expires <= t }

// gap returns whether table is free for want at t, and how many milliseconds would stay
// idle around it: the tighter the fit, the more room is left for the next party.
func (o Occupancy) gap(table int, want domain.Interval, t domain.Instant) (idle domain.Instant, free bool) {
	uses := o.tables[table]
	i := sort.Search(len(uses), func(i int) bool { return uses[i].To > want.From })
	before, after := want.From, want.From // nothing near: no idle time counted on that side
	if i > 0 {
		before = uses[i-1].To
	}
	for ; i < len(uses) && uses[i].From < want.To; i++ {
		if !lapsed(uses[i], t) {
			return 0, false
		}
	}
	if i < len(uses) {
		after = want.From + (uses[i].From - want.To)
	}
	return (want.From - before) + (after - want.From), true
}

// Wish narrows the tables a party wants.
type Wish struct {
	Table domain.TableID
	Area  string
}

func (w Wish) admits(t Table) bool {
	return (w.Table == "" || w.Table == t.ID) && (w.Area == "" || w.Area == t.Area)
}

// bestFit picks the free table that wastes least: the smallest that seats the party, then
// the one with the least idle time around the turn, then the first on the floor.
func (o Occupancy) bestFit(party domain.PartySize, wish Wish, want domain.Interval, t domain.Instant) (table int, ok bool) {
	best := -1
	var bestIdle domain.Instant
	for i := range o.Plan.Tables {
		tab := &o.Plan.Tables[i]
		if best >= 0 && tab.Max > o.Plan.Tables[best].Max {
			break // tables stand by capacity: nothing smaller follows
		}
		if party < tab.Min || party > tab.Max || !wish.admits(*tab) {
			continue
		}
		if idle, free := o.gap(i, want, t); free && (best < 0 || idle < bestIdle) {
			best, bestIdle = i, idle
		}
	}
	return best, best >= 0
}

func (o Occupancy) count(party domain.PartySize, want domain.Interval, t domain.Instant) (n int) {
	for i, tab := range o.Plan.Tables {
		if party < tab.Min || party > tab.Max {
			continue
		}
		if _, free := o.gap(i, want, t); free {
			n++
		}
	}
	return n
}

// covers is how many covers start in slot at t.
func (o Occupancy) covers(slot Slot, t domain.Instant) (n int) {
	for _, uses := range o.tables {
		i := sort.Search(len(uses), func(i int) bool { return uses[i].From >= slot.StartsAt })
		if i < len(uses) && uses[i].From == slot.StartsAt && !uses[i].Extra && !lapsed(uses[i], t) {
			n += int(uses[i].Party)
		}
	}
	return n
}

// place returns the occupancy with b added.
func (o Occupancy) place(b Booking) Occupancy {
	uses := o.tables[b.Table]
	i := sort.Search(len(uses), func(i int) bool { return uses[i].From >= b.From })
	next := make([]use, 0, len(uses)+1)
	next = append(append(append(next, uses[:i]...), b), uses[i:]...)
	return o.with(b.Table, next)
}

// release returns the occupancy without entry number on table.
func (o Occupancy) release(table int, number uint32) Occupancy {
	return o.change(table, number, func(next []use, _ use) []use { return next })
}

// firm returns the occupancy with entry number on table no longer able to lapse.
func (o Occupancy) firm(table int, number uint32) Occupancy {
	return o.change(table, number, func(next []use, u use) []use {
		u.Expires = 0
		return append(next, u)
	})
}

func (o Occupancy) change(table int, number uint32, apply func([]use, use) []use) Occupancy {
	uses := o.tables[table]
	next := make([]use, 0, len(uses))
	for _, u := range uses {
		if u.Number == number {
			next = apply(next, u)
		} else {
			next = append(next, u)
		}
	}
	return o.with(table, next)
}

func (o Occupancy) with(table int, uses []use) Occupancy {
	tables := make([][]use, len(o.tables))
	copy(tables, o.tables)
	tables[table] = uses
	return Occupancy{Plan: o.Plan, tables: tables}
}

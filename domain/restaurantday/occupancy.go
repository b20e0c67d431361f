package restaurantday

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"daybook/domain"
)

// Occupancy is which tables are promised when, and who waits for one: the part of a day
// that decides what is free. It is a value; whatever changes it returns a new one and
// leaves the old as it was. The availability view keeps it and asks the same functions that
// decide a hold.
type Occupancy struct {
	Plan    *Plan
	floor   *floor       // what the plan makes of its tables; shared, never written to
	tables  [][]*Booking // by index in Plan.Tables, each by From, none overlapping
	loose   []*Booking   // those without a table of this plan, by Number
	waiting []Waiting    // in their order
}

// Booking is one promise of one or more tables to a party. One that can be reached from an
// Occupancy is never written to.
type Booking struct {
	Number  uint32         // in the day's book
	Tables  []int          // indexes in Plan.Tables, rising; none where a new plan has taken them away
	From    domain.Instant // of the stretch in which no other party can have the tables
	To      domain.Instant // buffer included
	Expires domain.Instant // 0 when the promise is firm
	Slot    domain.Instant // the start it is counted under for pacing
	Party   domain.PartySize
	Wish    Wish // what a re-assignment must keep to
	Bound   bool // seated or pinned: never re-assigned
	Online  bool // never re-assigned to a table that is offline only
}

// occupied is the stretch for which b has its tables.
func (b *Booking) occupied() domain.Interval { return domain.Interval{From: b.From, To: b.To} }

// lapsed reports whether the promise no longer binds at t.
func (b *Booking) lapsed(t domain.Instant) bool { return b.Expires != 0 && b.Expires <= t }

// NewOccupancy rebuilds what Bookings told. Tables that the plan does not have are left out.
func NewOccupancy(plan *Plan, bookings []Booking) Occupancy {
	o := Occupancy{Plan: plan, floor: floorOf(plan), tables: make([][]*Booking, len(plan.Tables))}
	// The lists of all tables lie in one piece of memory, each within its own part.
	counts := make([]int, len(o.tables))
	total := 0
	all := make([]Booking, len(bookings))
	for i, b := range bookings {
		all[i] = b
		all[i].Tables = o.known(b.Tables)
		for _, table := range all[i].Tables {
			counts[table]++
			total++
		}
	}
	room := make([]*Booking, 0, total)
	for i, n := range counts {
		o.tables[i] = room[len(room) : len(room) : len(room)+n]
		room = room[:len(room)+n]
	}
	for i := range all {
		b := &all[i]
		for _, table := range b.Tables {
			o.tables[table] = append(o.tables[table], b)
		}
		if len(b.Tables) == 0 {
			o.loose = append(o.loose, b)
		}
	}
	for _, uses := range o.tables {
		slices.SortFunc(uses, byFrom)
	}
	slices.SortFunc(o.loose, byNumber)
	return o
}

func byFrom(a, b *Booking) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Number, b.Number))
}

func byNumber(a, b *Booking) int { return cmp.Compare(a.Number, b.Number) }

// known returns tables as a Booking has them: rising, no two alike, all of the plan. What
// is so already is returned as it is.
func (o Occupancy) known(tables []int) []int {
	for i, t := range tables {
		if t < 0 || t >= len(o.tables) || (i > 0 && t <= tables[i-1]) {
			sorted := slices.DeleteFunc(slices.Clone(tables), func(t int) bool { return t < 0 || t >= len(o.tables) })
			slices.Sort(sorted)
			return slices.Compact(sorted)
		}
	}
	return tables
}

// Bookings lists all promises, by first table and time; those without a table come last.
func (o Occupancy) Bookings() []Booking {
	n := len(o.loose)
	for _, uses := range o.tables {
		n += len(uses)
	}
	list := make([]Booking, 0, n)
	for b := range o.all {
		list = append(list, *b)
	}
	return list
}

// all goes through the bookings, each once, in the order of Bookings.
func (o Occupancy) all(yield func(*Booking) bool) {
	for i, uses := range o.tables {
		for _, b := range uses {
			if b.Tables[0] == i && !yield(b) {
				return
			}
		}
	}
	for _, b := range o.loose {
		if !yield(b) {
			return
		}
	}
}

// booking finds the promise to entry number.
func (o Occupancy) booking(number uint32) (*Booking, bool) {
	for b := range o.all {
		if b.Number == number {
			return b, true
		}
	}
	return nil, false
}

// place returns the occupancy with b added.
func (o Occupancy) place(b Booking) Occupancy {
	b.Tables = o.known(b.Tables)
	o = o.fresh()
	o.insert(&b)
	return o
}

// release returns the occupancy without entry number.
func (o Occupancy) release(number uint32) Occupancy {
	b, ok := o.booking(number)
	if !ok {
		return o
	}
	o = o.fresh()
	o.remove(b)
	return o
}

// edit returns the occupancy with entry number as change leaves a copy of it.
func (o Occupancy) edit(number uint32, change func(*Booking)) Occupancy {
	b, ok := o.booking(number)
	if !ok {
		return o
	}
	next := *b
	change(&next)
	next.Tables = o.known(next.Tables)
	o = o.fresh()
	o.remove(b)
	o.insert(&next)
	return o
}

// firm returns the occupancy with entry number no longer able to lapse.
func (o Occupancy) firm(number uint32) Occupancy {
	return o.edit(number, func(b *Booking) { b.Expires = 0 })
}

// bind returns the occupancy with entry number's tables its own, or no longer.
func (o Occupancy) bind(number uint32, bound bool) Occupancy {
	return o.edit(number, func(b *Booking) { b.Bound = bound })
}

// rebind returns the occupancy with entry number on tables.
func (o Occupancy) rebind(number uint32, tables []int) Occupancy {
	return o.edit(number, func(b *Booking) { b.Tables = tables })
}

// retime returns the occupancy with entry number keeping its tables for another stretch.
func (o Occupancy) retime(number uint32, occupied domain.Interval) Occupancy {
	return o.edit(number, func(b *Booking) { b.From, b.To = occupied.From, occupied.To })
}

// replan returns the occupancy under another plan. Who had a table that the new plan lacks
// keeps its others.
func (o Occupancy) replan(plan *Plan) Occupancy {
	bookings := o.Bookings()
	for i := range bookings {
		bookings[i].Tables = plan.tableIndexes(o.Plan.tableIDs(bookings[i].Tables))
	}
	return NewOccupancy(plan, bookings).WithWaiting(o.waiting)
}

// tableIndexes are the places of tables in the plan, rising; those it lacks are left out.
func (p *Plan) tableIndexes(ids []domain.TableID) (tables []int) {
	if p == nil {
		return nil
	}
	for i := range p.Tables {
		if slices.Contains(ids, p.Tables[i].ID) {
			tables = append(tables, i)
		}
	}
	return tables
}

// whole are the places of all of a party's tables; none where the plan lacks one of them, as
// what is left of a combination does not seat it.
func (p *Plan) whole(ids []domain.TableID) []int {
	if tables := p.tableIndexes(ids); len(tables) == len(ids) {
		return tables
	}
	return nil
}

// tableIDs names the tables at these places.
func (p *Plan) tableIDs(tables []int) []domain.TableID {
	ids := make([]domain.TableID, len(tables))
	for i, t := range tables {
		ids[i] = p.Tables[t].ID
	}
	return ids
}

// fresh returns the occupancy with an outer list of its own, for insert and remove.
func (o Occupancy) fresh() Occupancy {
	o.tables = slices.Clone(o.tables)
	return o
}

// insert adds b to lists of its own; o must be fresh.
func (o *Occupancy) insert(b *Booking) {
	if len(b.Tables) == 0 {
		o.loose = inserted(o.loose, b, byNumber)
	}
	for _, t := range b.Tables {
		o.tables[t] = inserted(o.tables[t], b, byFrom)
	}
}

// remove takes b from lists of its own; o must be fresh.
func (o *Occupancy) remove(b *Booking) {
	if len(b.Tables) == 0 {
		o.loose = removed(o.loose, b)
	}
	for _, t := range b.Tables {
		o.tables[t] = removed(o.tables[t], b)
	}
}

func inserted(list []*Booking, b *Booking, order func(a, b *Booking) int) []*Booking {
	i, _ := slices.BinarySearchFunc(list, b, order)
	next := make([]*Booking, 0, len(list)+1)
	return append(append(append(next, list[:i]...), b), list[i:]...)
}

func removed(list []*Booking, b *Booking) []*Booking {
	next := make([]*Booking, 0, len(list))
	for _, other := range list {
		if other != b {
			next = append(next, other)
		}
	}
	return next
}

// gap returns whether table is free for want, and how many milliseconds would stay idle
// around it: the tighter the fit, the more room is left for the next party. Holds count
// until they are taken out: see settled.
func (o Occupancy) gap(table int, want domain.Interval) (idle domain.Instant, free bool) {
	if o.isBlocked(table, want) {
		return 0, false
	}
	before, after := want.From, want.To // nothing near: no idle time counted on that side
	// All that begin before want ends are looked at, not the last alone: who sits longer than
	// it was to, sits on when the next would have left already.
	for _, b := range o.tables[table] {
		if b.From >= want.To {
			after = b.From
			break
		}
		if before = b.To; before > want.From {
			return 0, false
		}
	}
	return (want.From - before) + (after - want.To), true
}

// free reports whether all of tables are free for want.
func (o Occupancy) free(tables []int, want domain.Interval) bool {
	for _, t := range tables {
		if _, free := o.gap(t, want); !free {
			return false
		}
	}
	return true
}

// covers is how many covers start in the slot that at falls into.
func (o Occupancy) covers(at domain.Instant) (n int) {
	during := o.pace(at)
	for b := range o.all {
		if during.From <= b.Slot && b.Slot < during.To {
			n += int(b.Party)
		}
	}
	return n
}

// pace is the stretch whose starts count together with one at an instant: from the slot it
// falls into to the next. A party that walks in between two slots counts under the first.
func (o Occupancy) pace(at domain.Instant) domain.Interval {
	slots := o.Plan.Slots
	i := sort.Search(len(slots), func(i int) bool { return slots[i].StartsAt > at })
	during := domain.Interval{To: math.MaxInt64}
	if i > 0 {
		during.From = slots[i-1].StartsAt
	}
	if i < len(slots) {
		during.To = slots[i].StartsAt
	}
	return during
}

// NextExpiry is the first instant after now at which a hold lapses; zero means none.
func (o Occupancy) NextExpiry(now domain.Instant) domain.Instant {
	var first domain.Instant
	for b := range o.all {
		if b.Expires > now && (first == 0 || b.Expires < first) {
			first = b.Expires
		}
	}
	return first
}

// HoldLapsedBetween reports whether a hold lapses in (after, until].
func (o Occupancy) HoldLapsedBetween(after, until domain.Instant) bool {
	next := o.NextExpiry(after)
	return next != 0 && next <= until
}

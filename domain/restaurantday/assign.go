package restaurantday

import (
	"cmp"
	"slices"

	"daybook/domain"
)

// floor is what a plan makes of its tables, told in indexes. The sets are what a party can
// have: the tables alone, in the plan's order, then the combinations, in the order in which
// they are tried.
type floor struct {
	sets    [][]int             // each rising
	seats   []seats             // of the combinations
	blocked [][]domain.Interval // by table
	largest domain.PartySize    // that any of them seats
	online  domain.PartySize    // that any seats which who books online can have
}

// seats are the parties that a combination seats.
type seats struct{ min, max domain.PartySize }

// floorOf reads a plan. A combination with a table that the plan lacks is left out.
func floorOf(p *Plan) *floor {
	f := &floor{
		sets: make([][]int, len(p.Tables)), blocked: make([][]domain.Interval, len(p.Tables)),
		largest: p.LargestParty(), online: p.LargestOnlineParty(),
	}
	single := make([]int, len(p.Tables)) // of all tables, in one piece of memory
	for i, t := range p.Tables {
		single[i] = i
		f.sets[i] = single[i : i+1 : i+1]
		for _, b := range p.Blocks {
			if b.Covers(t.ID) {
				f.blocked[i] = append(f.blocked[i], b.During)
			}
		}
	}
	combinations := slices.Clone(p.Combinations)
	slices.SortStableFunc(combinations, func(a, b Combination) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), cmp.Compare(len(a.Tables), len(b.Tables)))
	})
	for _, c := range combinations {
		if tables := p.tableIndexes(c.Tables); len(tables) == len(c.Tables) && len(tables) > 0 {
			f.sets, f.seats = append(f.sets, tables), append(f.seats, seats{c.Min, c.Max})
		}
	}
	return f
}

// Wish narrows the tables a party wants.
type Wish struct {
	Table domain.TableID
	Area  string
}

// admits reports whether a table is one of those wished for.
func (w Wish) admits(t *Table) bool {
	return (w.Table == "" || w.Table == t.ID) && (w.Area == "" || w.Area == t.Area)
}

// Request is what is asked of a day's tables.
type Request struct {
	Slot  Slot // where it is none of the plan's, one made for this party
	Party domain.PartySize
	Wish  Wish
	Staff bool           // the restaurant's own people ask: offline-only tables will do, too
	Now   domain.Instant // the day's time
	// Skip is the one rule that staff override; empty for none. That a table has one party
	// at a time is no rule that can be skipped.
	Skip domain.Code
	// Tables are exactly the tables wanted, by index, rising, whatever they seat; none for
	// any that will do.
	Tables []int
	// Has is where the party has a slot already, which is no alternative; zero for none.
	Has domain.Instant
	// Occupied is the stretch wanted; the zero value is the plan's for this slot and party.
	Occupied domain.Interval
}

// Seating is how a request can be met.
type Seating struct {
	Turn     domain.Interval // for which the party has its tables
	Occupied domain.Interval // and the buffer after it
	Tables   []int           // indexes in Plan.Tables, rising
	// Moves are the parties that must change tables first, in an order in which each goes
	// to tables that are free by then, save where two swap.
	Moves []Move
	Steps int // how far the search went; see searchSteps
}

// Move gives an entry other tables.
type Move struct {
	Number   uint32
	From, To []int // indexes in Plan.Tables, rising
}

// stretch is the turn that r asks for, and the stretch for which it needs its tables.
func (o Occupancy) stretch(r Request) (turn, occupied domain.Interval) {
	turn, occupied = o.Plan.turn(r.Slot, r.Party)
	if r.Occupied != (domain.Interval{}) {
		turn, occupied = r.Occupied, r.Occupied
	}
	return turn, occupied
}

// searchSteps is how far one request's search for a re-assignment goes: how many times it
// looks whether a party could go to a table.
const searchSteps = 4000

// seat finds tables for r, whatever the rules on time and pacing say: the single table that
// wastes least; where the plan binds late, one that others can make way from; then a
// combination of tables, by the same two ways.
func (o Occupancy) seat(r Request) (Seating, bool) {
	steps := searchSteps
	k := &seeker{o: o}
	defer k.done()
	return k.seat(r, &steps)
}

// seat is Occupancy.seat with a search of so many steps, from which it takes what it needs.
func (k *seeker) seat(r Request, steps *int) (s Seating, ok bool) {
	s.Turn, s.Occupied = k.o.stretch(r)
	before := *steps
	s.Tables, s.Moves, ok = k.assign(r, s.Occupied, steps)
	s.Steps = before - *steps
	return s, ok
}

func (k *seeker) assign(r Request, want domain.Interval, steps *int) (tables []int, moves []Move, ok bool) {
	o, sets := k.o, k.o.floor.sets
	late := o.Plan.Policy.Assignment == LateBinding
	if r.Tables != nil {
		if o.free(r.Tables, want) {
			return r.Tables, nil, true
		}
		if !late {
			return nil, nil, false
		}
		return k.findAt(r, want, steps)
	}
	if best := o.bestFit(r, want); best >= 0 {
		return sets[best], nil, true
	}
	if late {
		if tables, moves, ok = k.find(r, want, false, steps); ok {
			return tables, moves, true
		}
	}
	for _, set := range o.combinations(nil, r) {
		if o.free(sets[set], want) {
			return sets[set], nil, true
		}
	}
	// With combinations for others there may be a way where there was none without.
	if late && len(o.floor.seats) > 0 {
		if tables, moves, ok = k.find(r, want, true, steps); ok {
			return tables, moves, true
		}
	}
	for _, set := range o.overfull(nil, r) {
		if o.free(sets[set], want) {
			return sets[set], nil, true
		}
	}
	return nil, nil, false
}

// singles adds to sets the tables that would do for r alone, as sets of the floor.
func (o Occupancy) singles(sets []int32, r Request) []int32 {
	for i := range o.Plan.Tables {
		if r.takes(&o.Plan.Tables[i]) {
			sets = append(sets, int32(i))
		}
	}
	return sets
}

// combinations adds to sets those that would do for r, as sets of the floor. A wish for a
// table is met where it is among them, one for an area where they all lie there.
func (o Occupancy) combinations(sets []int32, r Request) []int32 {
	for i, seats := range o.floor.seats {
		if r.Party < seats.min || r.Party > seats.max {
			continue
		}
		set := len(o.Plan.Tables) + i
		wished, fits := r.Wish.Table == "", true
		for _, table := range o.floor.sets[set] {
			t := &o.Plan.Tables[table]
			wished = wished || t.ID == r.Wish.Table
			fits = fits && (r.Staff || !t.OfflineOnly) && (r.Wish.Area == "" || r.Wish.Area == t.Area)
		}
		if wished && fits {
			sets = append(sets, int32(set))
		}
	}
	return sets
}

// overfull adds to sets the tables, the largest first, that are too small for r but will do
// because staff say so.
func (o Occupancy) overfull(sets []int32, r Request) []int32 {
	if r.Skip != domain.CodePartyTooLarge {
		return sets
	}
	for i := len(o.Plan.Tables) - 1; i >= 0; i-- {
		if t := &o.Plan.Tables[i]; r.Party > t.Max && (r.Staff || !t.OfflineOnly) && r.Wish.admits(t) {
			sets = append(sets, int32(i))
		}
	}
	return sets
}

// options are the sets of tables that would do for r if they were free.
func (o Occupancy) options(r Request) (list [][]int) {
	if r.Tables != nil {
		return [][]int{r.Tables}
	}
	sets := o.overfull(o.combinations(o.singles(make([]int32, 0, len(o.floor.sets)), r), r), r)
	list = make([][]int, len(sets))
	for i, set := range sets {
		list[i] = o.floor.sets[set]
	}
	return list
}

// bestFit picks the free table that wastes least: the smallest that seats the party, then
// the one with the least idle time around the turn, then the first on the floor; -1 for none.
func (o Occupancy) bestFit(r Request, want domain.Interval) int {
	best := -1
	var bestIdle domain.Instant
	for i := range o.Plan.Tables {
		t := &o.Plan.Tables[i]
		if best >= 0 && t.Max > o.Plan.Tables[best].Max {
			break // tables stand by capacity: nothing smaller follows
		}
		if !r.takes(t) {
			continue
		}
		if idle, free := o.gap(i, want); free && (best < 0 || idle < bestIdle) {
			best, bestIdle = i, idle
		}
	}
	return best
}

// takes reports whether a table alone would do for r.
func (r *Request) takes(t *Table) bool {
	return r.Party <= t.Max && r.Party >= t.Min && (r.Staff || !t.OfflineOnly) && r.Wish.admits(t)
}

package restaurantday

import (
	"cmp"
	"slices"

	"daybook/domain"
)

// floor is what a plan makes of its tables, told in indexes.
type floor struct {
	combinations []combination       // in the order in which they are tried
	blocked      [][]domain.Interval // by table
}

// combination is a plan's combination by the indexes of its tables, rising.
type combination struct {
	tables   []int
	min, max domain.PartySize
}

// floorOf reads a plan. A combination with a table that the plan lacks is left out.
func floorOf(p *Plan) *floor {
	f := &floor{blocked: make([][]domain.Interval, len(p.Tables))}
	for _, c := range p.Combinations {
		tables := p.tableIndexes(c.Tables)
		if len(tables) == len(c.Tables) {
			f.combinations = append(f.combinations, combination{tables, c.Min, c.Max})
		}
	}
	slices.SortStableFunc(f.combinations, func(a, b combination) int {
		return cmp.Or(cmp.Compare(a.max, b.max), cmp.Compare(len(a.tables), len(b.tables)))
	})
	for i, t := range p.Tables {
		for _, b := range p.Blocks {
			if b.Covers(t.ID) {
				f.blocked[i] = append(f.blocked[i], b.During)
			}
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

// seat finds tables for r, whatever the rules on time and pacing say: the single table that
// wastes least; where the plan binds late, one that others can make way from; then a
// combination of tables, by the same two ways.
func (o Occupancy) seat(r Request) (Seating, bool) {
	steps := searchSteps
	return o.seatWithin(r, &steps)
}

// searchSteps is how far one request's search for a re-assignment goes: how many times it
// looks whether a party could go to a table.
const searchSteps = 4000

// seatWithin is seat with a search of so many steps, from which it takes what it needs.
func (o Occupancy) seatWithin(r Request, steps *int) (Seating, bool) {
	turn, want := o.stretch(r)
	s := Seating{Turn: turn, Occupied: want}
	if s.Tables = o.bestFree(r, want); s.Tables != nil {
		return s, true
	}
	return s, false
}

// bestFree is the first choice of what is free for r without anybody moving, combinations
// left out; nil for nothing.
func (o Occupancy) bestFree(r Request, want domain.Interval) []int {
	if r.Tables != nil {
		if o.free(r.Tables, want) {
			return r.Tables
		}
		return nil
	}
	if best := o.bestFit(r, want); best >= 0 {
		return []int{best}
	}
	return nil
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
	return r.Party >= t.Min && r.Party <= t.Max && (r.Staff || !t.OfflineOnly) && r.Wish.admits(t)
}

// options are the sets of tables that would do for r if they were free: single tables in
// the floor's order, then combinations.
func (o Occupancy) options(r Request) (list [][]int) {
	if r.Tables != nil {
		return [][]int{r.Tables}
	}
	for i := range o.Plan.Tables {
		if r.takes(&o.Plan.Tables[i]) {
			list = append(list, []int{i})
		}
	}
	return list
}

package restaurantday

import (
	"slices"

	"daybook/domain"
)

// A search looks for tables for a party by letting others make way: whoever stands where
// it could go is put up somewhere else, who stands there in turn, and so on, until nobody
// is left without tables. Parties that are bound or due stay where they are. It goes
// through all the ways there are, those with the fewest moves first, in an order that
// depends on nothing but the occupancy and the request, and ends when it has found one, has
// seen that there is none, or has used up its steps.
//
// It works on a copy of its own and never writes to the occupancy.
type search struct {
	o     Occupancy
	sets  [][]int // what can be taken: tables alone, then combinations
	nodes []node
	lanes [][]int32 // by table: the parties there, by when they begin
	put   [][]int32 // by table: the parties that the search has put there
	taken []placed  // those, in the order in which they were put
	ways  []way     // of all levels of solve
	leave []int32   // of all ways
	steps *int      // left
	limit int       // how many may be moved
	moved int
	cut   bool // something was left out because of the limit
}

// node is a party that the search knows of. The one that asks comes first.
type node struct {
	during  domain.Interval
	booking *Booking // none for the one that asks
	movable bool
	out     bool // it has left the tables where it was
	ready   bool
	options []int32 // indexes in sets, in the order of preference, once ready
}

// placed is a party put somewhere.
type placed struct {
	node, set int32
}

// searchFor makes way for r on one of options, which are indexes in the floor's sets, or on
// the tables that it names. With combine, others may be put up on combinations; else only
// those that have one already.
func (o Occupancy) searchFor(r Request, want domain.Interval, options []int32, combine bool, steps *int) (tables []int, moves []Move, ok bool) {
	if *steps <= 0 {
		return nil, nil, false
	}
	s := o.newSearch(r.Now, steps)
	if r.Tables != nil {
		options = []int32{int32(len(s.sets))}
		s.sets = append(slices.Clip(s.sets), r.Tables)
	}
	asks := &s.nodes[0]
	asks.during = want
	asks.options, asks.ready = s.open(options, want), true
	if !s.possible(combine) {
		return nil, nil, false
	}
	for limit := 1; ; limit += 1 + limit/3 {
		s.limit, s.cut = limit, false
		if s.solve([]int32{0}, combine) {
			break
		}
		if !s.cut || *s.steps <= 0 {
			return nil, nil, false
		}
	}
	for _, p := range s.taken {
		if b := s.nodes[p.node].booking; b == nil {
			tables = s.sets[p.set]
		} else {
			moves = append(moves, Move{Number: b.Number, From: b.Tables, To: s.sets[p.set]})
		}
	}
	return tables, s.inOrder(moves), true
}

func (o Occupancy) newSearch(now domain.Instant, steps *int) *search {
	n := 1
	for _, uses := range o.tables {
		n += len(uses)
	}
	s := &search{o: o, sets: o.floor.sets, steps: steps, nodes: make([]node, 1, n), lanes: make([][]int32, len(o.tables)), put: make([][]int32, len(o.tables))}
	room := make([]int32, 0, n)
	for i, uses := range o.tables {
		from := len(room)
		for _, b := range uses {
			id := int32(len(s.nodes))
			if b.Tables[0] == i {
				s.nodes = append(s.nodes, node{during: b.occupied(), booking: b, movable: !b.Bound && b.From > now})
			} else {
				id = s.nodeOf(b)
			}
			room = append(room, id)
		}
		s.lanes[i] = room[from:len(room):len(room)]
	}
	return s
}

// nodeOf finds a party by a table that was gone through already.
func (s *search) nodeOf(b *Booking) int32 {
	for _, id := range s.lanes[b.Tables[0]] {
		if s.nodes[id].booking == b {
			return id
		}
	}
	return 0 // a booking is on its first table, so this is never reached
}

// open are those of options that a party could have during want if all who can be moved
// were gone.
func (s *search) open(options []int32, want domain.Interval) []int32 {
	list := make([]int32, 0, len(options))
	for _, set := range options {
		if !slices.ContainsFunc(s.sets[set], func(t int) bool { return s.shut(t, want) }) {
			list = append(list, set)
		}
	}
	return list
}

// shut reports whether a block, or a party that stays, keeps table from being taken.
func (s *search) shut(table int, want domain.Interval) bool {
	if s.o.isBlocked(table, want) {
		return true
	}
	for _, id := range s.lanes[table] {
		n := &s.nodes[id]
		if n.during.From >= want.To {
			break
		}
		if !n.movable && n.during.Overlaps(want) {
			return true
		}
	}
	return false
}

// optionsOf are where a party could be put up.
func (s *search) optionsOf(id int32, combine bool) []int32 {
	n := &s.nodes[id]
	if !n.ready {
		b := n.booking
		r := Request{Party: b.Party, Wish: b.Wish, Staff: !b.Online}
		all := s.o.singles(r)
		if combine || len(b.Tables) > 1 {
			all = append(all, s.o.combinations(r)...)
		}
		n.options, n.ready = s.open(all, n.during), true
	}
	return n.options
}

// possible reports whether all could have a table at each instant of the stretch asked for,
// were nobody to keep it from one instant to the next. Where they could not, there is
// nothing to search for; that is seen at once, by a chain of changes from the party that
// asks to a table that is free at the instant.
func (s *search) possible(combine bool) bool {
	want := s.nodes[0].during
	at := make([]int32, len(s.lanes)) // who is at each table at the instant; 0 for nobody
	reached := make([]bool, len(s.lanes))
	var queue []int32
	for _, t := range s.instants(want) {
		for table, lane := range s.lanes {
			at[table], reached[table] = 0, false
			for _, id := range lane {
				n := &s.nodes[id]
				if n.during.From > t {
					break
				}
				// Of a combination the first table stands for all; the others count as free.
				if n.movable && t < n.during.To && n.booking.Tables[0] == table {
					at[table] = id
				}
			}
		}
		queue = append(queue[:0], 0)
		found := false
		for i := 0; i < len(queue) && !found; i++ {
			for _, set := range s.optionsOf(queue[i], combine) {
				for _, table := range s.sets[set] {
					if reached[table] {
						continue
					}
					reached[table] = true
					*s.steps--
					if at[table] == 0 {
						found = true
					} else {
						queue = append(queue, at[table])
					}
				}
			}
		}
		if !found {
			return false
		}
	}
	return true
}

// instants are when most may be there: at the beginning of want, and whenever somebody
// begins during it.
func (s *search) instants(want domain.Interval) []domain.Instant {
	list := []domain.Instant{want.From}
	for i := range s.nodes[1:] {
		if n := &s.nodes[1+i]; n.movable && n.during.From > want.From && n.during.From < want.To {
			list = append(list, n.during.From)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// way is a set of tables for a party, and who must leave it: a part of search.leave.
type way struct {
	set      int32
	from, to int32
}

// solve finds tables for those in waiting. Where it fails it leaves all as it was.
func (s *search) solve(waiting []int32, combine bool) bool {
	if len(waiting) == 0 {
		return true
	}
	// Who has the least choice goes first.
	pick := 0
	for i := range waiting {
		if len(s.optionsOf(waiting[i], combine)) < len(s.optionsOf(waiting[pick], combine)) {
			pick = i
		}
	}
	id := waiting[pick]
	rest := slices.Concat(waiting[:pick], waiting[pick+1:])
	first, left := len(s.ways), len(s.leave)
	defer func() { s.ways, s.leave = s.ways[:first], s.leave[:left] }()
	for _, set := range s.optionsOf(id, combine) {
		if *s.steps--; *s.steps <= 0 {
			return false
		}
		w, free := s.look(set, s.nodes[id].during)
		switch n := int(w.to - w.from); {
		case !free:
		case n == 0 && len(rest) == 0:
			s.enter(id, w)
			return true
		case s.moved+n > s.limit:
			s.cut = true
			s.leave = s.leave[:w.from]
		default:
			s.ways = append(s.ways, w)
		}
	}
	last := len(s.ways)
	slices.SortStableFunc(s.ways[first:last], func(a, b way) int { return int(a.to - a.from - (b.to - b.from)) })
	for i := first; i < last; i++ {
		w := s.ways[i]
		s.enter(id, w)
		if s.solve(slices.Concat(rest, s.leave[w.from:w.to]), combine) {
			return true
		}
		s.undo(w)
	}
	return false
}

// look tells who would have to leave set for a party to have it during want. It is not
// free where somebody is whom the search has put there. It adds to leave where it is.
func (s *search) look(set int32, want domain.Interval) (w way, free bool) {
	w = way{set: set, from: int32(len(s.leave))}
	for _, table := range s.sets[set] {
		for _, id := range s.put[table] {
			if s.nodes[id].during.Overlaps(want) {
				s.leave = s.leave[:w.from]
				return w, false
			}
		}
		for _, id := range s.lanes[table] {
			n := &s.nodes[id]
			if n.during.From >= want.To {
				break
			}
			if !n.out && want.From < n.during.To && !slices.Contains(s.leave[w.from:], id) {
				s.leave = append(s.leave, id)
			}
		}
	}
	w.to = int32(len(s.leave))
	return w, true
}

// enter puts a party where w leads, and out those who must leave.
func (s *search) enter(id int32, w way) {
	for _, table := range s.sets[w.set] {
		s.put[table] = append(s.put[table], id)
	}
	s.taken = append(s.taken, placed{id, w.set})
	for _, other := range s.leave[w.from:w.to] {
		s.nodes[other].out = true
	}
	s.moved += int(w.to - w.from)
}

// undo takes the last enter back.
func (s *search) undo(w way) {
	for _, table := range s.sets[w.set] {
		s.put[table] = s.put[table][:len(s.put[table])-1]
	}
	s.taken = s.taken[:len(s.taken)-1]
	for _, other := range s.leave[w.from:w.to] {
		s.nodes[other].out = false
	}
	s.moved -= int(w.to - w.from)
}

// inOrder puts moves into an order in which each goes to tables that those before it have
// left or that were free, as far as there is one.
func (s *search) inOrder(moves []Move) []Move {
	during := make(map[uint32]domain.Interval, len(moves))
	for _, p := range s.taken {
		if b := s.nodes[p.node].booking; b != nil {
			during[b.Number] = b.occupied()
		}
	}
	// blocked reports whether one of others still has what m goes to.
	blocked := func(m Move, others []Move) bool {
		return slices.ContainsFunc(others, func(o Move) bool {
			return o.Number != m.Number && during[o.Number].Overlaps(during[m.Number]) &&
				slices.ContainsFunc(o.From, func(t int) bool { return slices.Contains(m.To, t) })
		})
	}
	ordered := make([]Move, 0, len(moves))
	for len(moves) > 0 {
		i := max(0, slices.IndexFunc(moves, func(m Move) bool { return !blocked(m, moves) }))
		ordered = append(ordered, moves[i])
		moves = slices.Delete(moves, i, i+1)
	}
	return ordered
}

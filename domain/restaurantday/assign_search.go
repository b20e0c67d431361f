package restaurantday

import (
	"slices"
	"sync"

	"daybook/domain"
)

// A search looks for tables for a party by letting others make way: whoever stands where
// it could go is put up somewhere else, who stands there in turn, and so on, until nobody
// is left without tables. Parties that are bound or due stay where they are. It goes
// through all the ways there are, those with the fewest moves first, in an order that
// depends on nothing but the occupancy and the request, and ends when it has found one, has
// seen that there is none, or has used up its steps.
//
// It works on a copy of its own and never writes to the occupancy. What it has found out of
// the parties there serves the next request on the same occupancy at the same instant. Its
// memory is used again by later searches: none of it is in what find returns.
type search struct {
	o     Occupancy
	sets  [][]int  // what can be taken: tables alone, then combinations
	nodes []node   // the parties; the one that asks is the first
	lanes [][]stay // by table: the parties there, by when they begin
	room  []stay   // of all lanes
	stays bool     // somebody cannot be moved, or a table is blocked
	kinds []kind
	lists []int32 // of all options
	ways  []way   // of all parties looked at
	order []int32 // of the same: indexes in a party's ways
	leave []int32 // of all ways

	// One request's.
	number  int32
	combine bool      // others may be put up on combinations, too
	steps   *int      // left
	limit   int       // how many may be moved
	cut     bool      // something was left out because of the limit
	put     [][]int32 // by table: the parties that were put there
	taken   []placed  // those, in the order in which they were put
	waiting []int32   // the parties without tables
	left    []int32   // the parties that were moved
	tries   []try     // of all levels of solve
	starts  []domain.Instant
	there   []int32 // by table: who is there at an instant; 0 for nobody
	reached []bool  // by table
	queue   []int32
}

// stay is a party at a table.
type stay struct {
	during  domain.Interval
	id      int32 // of the party
	movable bool
}

// node is a party that the search knows of.
type node struct {
	during  domain.Interval
	booking *Booking // none for the one that asks
	movable bool
	out     bool    // it has left the tables where it was
	options []int32 // rising indexes in sets; nil until they are asked for
	alone   int     // how many of them are tables alone
	ways    []way   // the same with who is there; nil until they are asked for
	order   []int32 // of ways: those with fewest there first
	paid    int32   // the request that it was last looked up for
}

// kind is what parties have in common that could go to the same tables.
type kind struct {
	party   domain.PartySize
	wish    Wish
	online  bool
	options []int32 // rising indexes in sets
	alone   int     // how many of them are tables alone
}

// way is a set of tables for a party, and who must leave it: leave[from:to] of the search.
type way struct{ set, from, to int32 }

// many is how many must leave, had nobody left yet.
func (w way) many() int { return int(w.to - w.from) }

// try is a way with how many are still there.
type try struct{ way, leave int32 }

// placed is a party put somewhere.
type placed struct{ node, set int32 }

// searches keeps the memory of searches that are over: one takes some hundred kilobytes on a
// full day, and is over in a fraction of a millisecond.
var searches = sync.Pool{New: func() any { return new(search) }}

func newSearch(o Occupancy, now domain.Instant) *search {
	s := searches.Get().(*search)
	n := 0
	for _, uses := range o.tables {
		n += len(uses)
	}
	s.o, s.sets, s.stays, s.number = o, o.floor.sets, len(o.Plan.Blocks) > 0, 0
	s.nodes = append(slices.Grow(s.nodes[:0], n+1), node{})
	s.lanes, s.room = slices.Grow(s.lanes[:0], len(o.tables)), slices.Grow(s.room[:0], n)
	s.there, s.reached = slices.Grow(s.there[:0], len(o.tables))[:len(o.tables)], slices.Grow(s.reached[:0], len(o.tables))[:len(o.tables)]
	s.put = slices.Grow(s.put[:0], len(o.tables))[:len(o.tables)] // each is empty, and keeps its memory
	for i, uses := range o.tables {
		from := len(s.room)
		for _, b := range uses {
			id := int32(len(s.nodes))
			if b.Tables[0] == i {
				s.nodes = append(s.nodes, node{during: b.occupied(), booking: b, movable: !b.Bound && b.From > now})
				s.stays = s.stays || !s.nodes[id].movable
			} else {
				id = s.nodeOf(b)
			}
			s.room = append(s.room, stay{b.occupied(), id, s.nodes[id].movable})
		}
		s.lanes = append(s.lanes, s.room[from:len(s.room):len(s.room)])
	}
	return s
}

// release gives the memory of a search to those to come. It keeps no day from being
// forgotten.
func (s *search) release() {
	clear(s.nodes)
	clear(s.kinds)
	s.o, s.sets, s.kinds = Occupancy{}, nil, s.kinds[:0]
	s.lists, s.ways, s.order, s.leave = s.lists[:0], s.ways[:0], s.order[:0], s.leave[:0]
	for i := range s.put {
		s.put[i] = s.put[i][:0]
	}
	s.taken, s.left, s.tries = s.taken[:0], s.left[:0], s.tries[:0]
	searches.Put(s)
}

// nodeOf finds a party by the first of its tables, which was gone through already.
func (s *search) nodeOf(b *Booking) int32 {
	lane := s.lanes[b.Tables[0]]
	return lane[slices.IndexFunc(lane, func(at stay) bool { return s.nodes[at.id].booking == b })].id
}

// find makes way for a party during want on one of options, rising indexes in the floor's
// sets. With combine, others may be put up on combinations; else only those that have one
// already.
func (s *search) find(want domain.Interval, options []int32, combine bool, steps *int) (tables []int, moves []Move, ok bool) {
	s.number, s.combine, s.steps = s.number+1, combine, steps
	asks := node{during: want, options: s.open(options, want)}
	asks.alone, _ = slices.BinarySearch(asks.options, int32(len(s.lanes)))
	s.nodes[0] = asks
	if !s.possible() {
		return nil, nil, false
	}
	for s.limit = 1; ; s.limit += 1 + s.limit/3 {
		s.cut = false
		s.waiting = append(s.waiting[:0], 0)
		if s.solve() {
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
	moves = s.inOrder(moves)
	s.clear()
	return tables, moves, true
}

// clear forgets what the last request has moved.
func (s *search) clear() {
	for _, p := range s.taken {
		for _, table := range s.sets[p.set] {
			s.put[table] = s.put[table][:0]
		}
	}
	for _, id := range s.left {
		s.nodes[id].out = false
	}
	s.taken, s.left, s.tries = s.taken[:0], s.left[:0], s.tries[:0]
}

// open are those of options that a party could have during want if all who can be moved
// were gone.
func (s *search) open(options []int32, want domain.Interval) []int32 {
	if !s.stays {
		return options
	}
	from := len(s.lists)
	for _, set := range options {
		if !slices.ContainsFunc(s.sets[set], func(t int) bool { return s.shut(t, want) }) {
			s.lists = append(s.lists, set)
		}
	}
	return s.lists[from:len(s.lists):len(s.lists)]
}

// shut reports whether a block, or a party that stays, keeps table from being taken.
func (s *search) shut(table int, want domain.Interval) bool {
	if s.o.isBlocked(table, want) {
		return true
	}
	for i := range s.lanes[table] {
		at := &s.lanes[table][i]
		if at.during.From >= want.To {
			break
		}
		if !at.movable && at.during.Overlaps(want) {
			return true
		}
	}
	return false
}

// optionsOf are the sets of tables on which a party could be put up.
func (s *search) optionsOf(id int32) []int32 {
	n := &s.nodes[id]
	if b := n.booking; n.options == nil && b != nil {
		n.options = s.open(s.kindOf(b.Party, b.Wish, b.Online).options, n.during)
		n.alone, _ = slices.BinarySearch(n.options, int32(len(s.lanes)))
	}
	return n.options[:s.shown(n)]
}

// shown is how many of a party's options count: without combine only those that have a
// combination already may go to one.
func (s *search) shown(n *node) int {
	if s.combine || n.booking == nil || len(n.booking.Tables) > 1 {
		return len(n.options)
	}
	return n.alone
}

// wayTo finds a party's way to a single table.
func (n *node) wayTo(table int) (i int, ok bool) {
	// Mostly its options lie side by side on the floor.
	if n.alone == 0 {
		return 0, false
	}
	if i = table - int(n.options[0]); i >= 0 && i < n.alone && int(n.options[i]) == table {
		return i, true
	}
	return slices.BinarySearch(n.options[:n.alone], int32(table))
}

// kindOf tells where parties like these could go. It holds until it is asked again.
func (s *search) kindOf(party domain.PartySize, wish Wish, online bool) *kind {
	for i := range s.kinds {
		if k := &s.kinds[i]; k.party == party && k.wish == wish && k.online == online {
			return k
		}
	}
	r := Request{Party: party, Wish: wish, Staff: !online}
	from := len(s.lists)
	s.lists = s.o.singles(s.lists, r)
	alone := len(s.lists) - from
	s.lists = s.o.combinations(s.lists, r)
	s.kinds = append(s.kinds, kind{party, wish, online, s.lists[from:len(s.lists):len(s.lists)], alone})
	return &s.kinds[len(s.kinds)-1]
}

// lookAround finds out who is where a party could go. Each request pays for it, so that what
// was asked before does not change how far its steps go.
func (s *search) lookAround(n *node) {
	if n.paid != s.number {
		n.paid = s.number
		*s.steps -= len(n.options)
	}
	if n.order != nil {
		return
	}
	first, start := len(s.ways), len(s.order)
	for i, set := range n.options {
		from := len(s.leave)
		for _, table := range s.sets[set] {
			lane := s.lanes[table]
			for j := range lane {
				other := &lane[j]
				if other.during.From >= n.during.To {
					break
				}
				// Who has several of the tables leaves them once.
				if n.during.From < other.during.To && (i < n.alone || !slices.Contains(s.leave[from:], other.id)) {
					s.leave = append(s.leave, other.id)
				}
			}
		}
		s.ways = append(s.ways, way{set, int32(from), int32(len(s.leave))})
	}
	n.ways = s.ways[first:len(s.ways):len(s.ways)]
	for many := 0; len(s.order) < start+len(n.ways); many++ {
		for i := range n.ways {
			if n.ways[i].many() == many {
				s.order = append(s.order, int32(i))
			}
		}
	}
	n.order = s.order[start:len(s.order):len(s.order)]
}

// possible reports whether all could have a table at each instant of the stretch asked for,
// were nobody to keep it from one instant to the next. Where they could not, there is
// nothing to search for; that is seen at once, by a chain of changes from the party that
// asks to a table that is free at the instant.
func (s *search) possible() bool {
	want := s.nodes[0].during
	at, reached := s.there, s.reached
	for _, t := range s.instants(want) {
		for table, lane := range s.lanes {
			at[table], reached[table] = 0, false
			for i := range lane {
				stays := &lane[i]
				if stays.during.From > t {
					break
				}
				// Of a combination the first table stands for all; the others count as free.
				if stays.movable && t < stays.during.To && s.nodes[stays.id].booking.Tables[0] == table {
					at[table] = stays.id
				}
			}
		}
		queue := append(s.queue[:0], 0)
		found := false
		for i := 0; i < len(queue) && !found; i++ {
			for _, set := range s.optionsOf(queue[i]) {
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
		s.queue = queue
		if !found {
			return false
		}
	}
	return true
}

// instants are when most may be there: at the beginning of want, and whenever somebody
// begins during it.
func (s *search) instants(want domain.Interval) []domain.Instant {
	list := append(s.starts[:0], want.From)
	for i := range s.nodes[1:] {
		if n := &s.nodes[1+i]; n.movable && n.during.From > want.From && n.during.From < want.To && !slices.Contains(list, n.during.From) {
			list = append(list, n.during.From)
		}
	}
	s.starts = list
	return list
}

// seeker answers requests on one occupancy that are made at one instant. What a search has
// found out serves the next. Who made it calls done.
type seeker struct {
	o      Occupancy
	search *search // none until it is needed
}

// done gives back the memory of the search.
func (k *seeker) done() {
	if k.search != nil {
		k.search.release()
		k.search = nil
	}
}

// find makes way for r at a table alone, or, with combine, at one or a combination.
func (k *seeker) find(r Request, want domain.Interval, combine bool, steps *int) (tables []int, moves []Move, ok bool) {
	if *steps <= 0 {
		return nil, nil, false
	}
	if k.search == nil {
		k.search = newSearch(k.o, r.Now)
	}
	kind := k.search.kindOf(r.Party, r.Wish, !r.Staff)
	options := kind.options
	if !combine {
		options = options[:kind.alone]
	}
	if len(options) == 0 {
		return nil, nil, false
	}
	return k.search.find(want, options, combine, steps)
}

// findAt makes way for r at the very tables it names.
func (k *seeker) findAt(r Request, want domain.Interval, steps *int) (tables []int, moves []Move, ok bool) {
	s := newSearch(k.o, r.Now)
	defer s.release()
	s.sets = append(slices.Clip(s.sets), r.Tables)
	return s.find(want, []int32{int32(len(s.sets) - 1)}, true, steps)
}

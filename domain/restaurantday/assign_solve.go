package restaurantday

import (
	"cmp"
	"slices"

	"daybook/domain"
)

// solve finds tables for those who wait for them. Where it fails it leaves all as it was.
func (s *search) solve() bool {
	if len(s.waiting) == 0 {
		return true
	}
	// Who has the least choice goes first.
	pick, last := 0, len(s.waiting)-1
	for i, id := range s.waiting {
		if len(s.optionsOf(id)) < len(s.optionsOf(s.waiting[pick])) {
			pick = i
		}
	}
	id := s.waiting[pick]
	s.waiting[pick] = s.waiting[last]
	s.waiting = s.waiting[:last]
	first := len(s.tries)
	s.consider(id)
	ways := s.nodes[id].ways
	end := len(s.tries)
	for i := first; i < end && *s.steps > 0; i++ {
		w := ways[s.tries[i].way]
		moved := len(s.left)
		s.enter(id, w)
		if s.solve() {
			return true
		}
		s.undo(w, moved)
		s.waiting = s.waiting[:last]
	}
	s.tries = s.tries[:first]
	s.waiting = append(s.waiting, id)
	s.waiting[pick], s.waiting[last] = id, s.waiting[pick]
	return false
}

// consider adds to tries the ways open to a party, those first that make fewest leave.
func (s *search) consider(id int32) {
	n, first, most := &s.nodes[id], len(s.tries), s.limit-len(s.left)
	shown := len(s.optionsOf(id))
	s.lookAround(n)
	for _, i := range n.order {
		if int(i) >= shown {
			continue
		}
		if n.ways[i].many() > most {
			s.cut = true
			break
		}
		s.weigh(n, i, most)
	}
	// Ways that would make too many leave, had not some left already.
	for _, gone := range s.left {
		for _, table := range s.nodes[gone].booking.Tables {
			if i, ok := n.wayTo(table); ok && n.ways[i].many() > most {
				s.weigh(n, int32(i), most)
			}
		}
	}
	for i := n.alone; i < shown && len(s.left) > 0; i++ {
		if n.ways[i].many() > most {
			s.weigh(n, int32(i), most)
		}
	}
	if found := s.tries[first:]; len(found) > 1 {
		slices.SortFunc(found, func(a, b try) int { return cmp.Or(int(a.leave-b.leave), int(a.way-b.way)) })
		s.tries = s.tries[:first+len(slices.Compact(found))]
	}
}

// weigh adds a way to tries if it is free of those put there and makes no more leave than
// most.
func (s *search) weigh(n *node, i int32, most int) {
	*s.steps--
	w := n.ways[i]
	for _, table := range s.sets[w.set] {
		for _, id := range s.put[table] {
			if s.nodes[id].during.Overlaps(n.during) {
				return
			}
		}
	}
	leave := 0
	for _, id := range s.leave[w.from:w.to] {
		if !s.nodes[id].out {
			leave++
		}
	}
	if leave <= most {
		s.tries = append(s.tries, try{i, int32(leave)})
	}
}

// enter puts a party where w leads, and out those who are still there.
func (s *search) enter(id int32, w way) {
	for _, table := range s.sets[w.set] {
		s.put[table] = append(s.put[table], id)
	}
	s.taken = append(s.taken, placed{id, w.set})
	for _, other := range s.leave[w.from:w.to] {
		if n := &s.nodes[other]; !n.out {
			n.out = true
			s.left = append(s.left, other)
			s.waiting = append(s.waiting, other)
		}
	}
}

// undo takes the last enter back, before which so many were moved.
func (s *search) undo(w way, moved int) {
	for _, table := range s.sets[w.set] {
		s.put[table] = s.put[table][:len(s.put[table])-1]
	}
	s.taken = s.taken[:len(s.taken)-1]
	for _, other := range s.left[moved:] {
		s.nodes[other].out = false
	}
	s.left = s.left[:moved]
}

// inOrder puts moves into an order in which each goes to tables that those before it have
// left or that were free, as far as there is one.
func (s *search) inOrder(moves []Move) []Move {
	during := make(map[uint32]domain.Interval, len(moves))
	for _, id := range s.left {
		during[s.nodes[id].booking.Number] = s.nodes[id].during
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

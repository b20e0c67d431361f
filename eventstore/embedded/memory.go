package embedded

// interner shares the strings of one read: a stretch of the ledger has few types and,
// mostly, streams that come again soon.
type interner struct{ stream, kind intern }

// intern remembers a bounded number of strings, the last one first.
type intern struct {
	last  string
	known map[string]string
}

const internLimit = 256

func (n *intern) of(b []byte) string {
	if string(b) == n.last { // compares without making a string
		return n.last
	}
	s, ok := n.known[string(b)]
	if !ok {
		if n.known == nil || len(n.known) >= internLimit {
			n.known = make(map[string]string)
		}
		s = string(b)
		n.known[s] = s
	}
	n.last = s
	return s
}

// arena keeps many small byte slices in few allocations. A slice that is kept alive
// keeps at most arenaBlock bytes of others with it. The nil arena allocates each by itself.
type arena struct{ free []byte }

const arenaBlock = 8 << 10

func (a *arena) keep(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if a == nil || len(b) > arenaBlock/4 {
		return append([]byte(nil), b...)
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, arenaBlock)
	}
	out := a.free[:len(b):len(b)]
	a.free = a.free[len(b):]
	copy(out, b)
	return out
}

package proof

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// edge is the right edge of a log: of each level the last node that waits for its right
// neighbour. It is all that is needed to go on, and to tell the root.
type edge [64]Hash

// add adds leaf number size, and tells of each node that it completes, the leaf's own not
// among them: the n'th of its level, from 0.
func (e *edge) add(size uint64, leaf Hash, node func(level int, n uint64, h Hash)) {
	h := leaf
	level := 0
	for n := size; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(e[level], h)
		level++
		if node != nil {
			node(level, n>>1, h)
		}
	}
	e[level] = h
}

// root is that of a log of size leaves.
func (e *edge) root(size uint64) Hash {
	if size == 0 {
		root, _ := tlog.TreeHash(0, nil) // of nothing: it reads nothing and cannot fail
		return root
	}
	level := bits.TrailingZeros64(size)
	root := e[level]
	for level++; size>>level > 0; level++ {
		if size>>level&1 == 1 {
			root = tlog.NodeHash(e[level], root)
		}
	}
	return root
}

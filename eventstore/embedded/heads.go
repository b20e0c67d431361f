package embedded

import (
	"strings"

	"daybook/eventstore"
)

// head is the end of one stream as the writer sees it: with all that is in Pebble,
// durable or not, and all that the group being put together adds.
type head struct {
	standing
	next  eventstore.Revision // its next event's revision; its count of events
	group uint64              // the last group that added to it
	// adds are the events which that group added, the stream's last ones. They count only
	// while the group is being put together: until then Pebble does not have them.
	// Then they go: a head is remembered for long, and most streams are done after a few events.
	adds []place
}

// ended says that a tombstone stands behind the events.
func (h *head) ended() bool { return h.tombstone != eventstore.Start }

func (h *head) actual() eventstore.Actual {
	if h.next == 0 {
		return eventstore.Actual{}
	}
	return eventstore.Actual{Exists: true, Revision: h.next - 1}
}

// pending returns the stream's events that only group holds.
func (h *head) pending(group uint64) []place {
	if h.group != group {
		return nil
	}
	return h.adds
}

// heads remembers the streams that were appended to last, in two generations: when
// the young one is full it becomes the old one, and what was not asked for since is
// forgotten. That is nearly a least-recently-used order without its bookkeeping.
type heads struct {
	limit      int
	young, old map[eventstore.StreamName]*head
	touched    []*head   // by the group being put together
	spare      [][]place // room for adds
}

func newHeads(limit int) heads {
	return heads{limit: limit, young: make(map[eventstore.StreamName]*head)}
}

func (c *heads) get(name eventstore.StreamName) *head {
	if h, ok := c.young[name]; ok {
		return h
	}
	h, ok := c.old[name]
	if ok {
		c.young[name] = h
	}
	return h
}

// put copies the name, which may be part of something large.
func (c *heads) put(name eventstore.StreamName, h *head) {
	c.young[eventstore.StreamName(strings.Clone(string(name)))] = h
}

// age forgets. Only between groups: a head that the group under way has added to is
// nowhere else.
func (c *heads) age() {
	if len(c.young) >= c.limit {
		c.old, c.young = c.young, make(map[eventstore.StreamName]*head, c.limit)
	}
}

// The room for adds that is kept to be used again.
const (
	keptAdds  = 32  // in one piece
	keptRooms = 512 // pieces
)

// add adds an event to h in group.
func (c *heads) add(h *head, group uint64, p place) {
	if h.group != group {
		h.group = group
		c.touched = append(c.touched, h)
		if n := len(c.spare); n > 0 {
			h.adds, c.spare = c.spare[n-1], c.spare[:n-1]
		}
	}
	h.adds = append(h.adds, p)
	h.next++
}

// applied lets go of what Pebble has by now.
func (c *heads) applied() {
	for i, h := range c.touched {
		if cap(h.adds) <= keptAdds && len(c.spare) < keptRooms {
			c.spare = append(c.spare, h.adds[:0])
		}
		h.adds, c.touched[i] = nil, nil
	}
	c.touched = c.touched[:0]
}

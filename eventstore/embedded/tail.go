package embedded

import (
	"sync"

	"daybook/eventstore"
)

// tail holds the newest durable records in memory, so that subscriptions that keep up
// never read the disk, and wakes those that wait. Positions of this store are dense,
// so a record's slot follows from its position.
type tail struct {
	mu       sync.RWMutex
	ring     []eventstore.Record
	low      eventstore.Position // the first record held
	high     eventstore.Position // the last one; low-1 if none is held
	bytes    int
	maxBytes int

	subs map[*subscription]struct{}
}

func newTail(records, maxBytes int, end eventstore.Position) *tail {
	size := 1
	for size < records {
		size *= 2
	}
	return &tail{
		ring: make([]eventstore.Record, size), maxBytes: maxBytes,
		low: end + 1, high: end,
		subs: make(map[*subscription]struct{}),
	}
}

func (t *tail) slot(p eventstore.Position) *eventstore.Record {
	return &t.ring[uint64(p)&uint64(len(t.ring)-1)]
}

func weight(r *eventstore.Record) int { return len(r.Data) + len(r.Metadata) }

// publish adds the group's records and wakes every subscription.
func (t *tail) publish(g *group) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, req := range g.requests {
		if !req.wrote {
			continue
		}
		for i := range req.records {
			t.push(&req.records[i])
		}
	}
	for sub := range t.subs {
		sub.ring()
	}
}

func (t *tail) push(r *eventstore.Record) {
	full := eventstore.Position(len(t.ring))
	for t.high >= t.low && (t.high-t.low+1 >= full || t.bytes+weight(r) > t.maxBytes) {
		old := t.slot(t.low)
		t.bytes -= weight(old)
		*old = eventstore.Record{} // lets its memory go
		t.low++
	}
	t.high = r.Position
	*t.slot(r.Position) = *r
	t.bytes += weight(r)
}

// tailScan is how many records one read looks at: publishing waits for reads.
const tailScan = 2 * eventstore.MaxBatch

// read returns the next records after position that pass filter, and the position it
// looked up to. ok is false if the tail no longer reaches back that far.
func (t *tail) read(after eventstore.Position, filter eventstore.Filter) (records []eventstore.Record, seen eventstore.Position, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if after+1 < t.low {
		return nil, after, false
	}
	seen = after
	size := 0
	for p := after + 1; p <= min(t.high, after+tailScan); p++ {
		r := t.slot(p)
		if filter.Passes(r.Stream, r.Type) {
			if records == nil {
				records = make([]eventstore.Record, 0, min(uint64(t.high-p)+1, eventstore.MaxBatch))
			}
			records = append(records, *r)
			size += weight(r)
		}
		seen = p
		if len(records) == eventstore.MaxBatch || size >= batchBytes {
			break
		}
	}
	return records, seen, true
}

func (t *tail) join(sub *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.subs[sub] = struct{}{}
}

func (t *tail) leave(sub *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, sub)
}

package embedded

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"daybook/eventstore"
)

const (
	// groupEvents and groupBytes bound one group, so that a burst does not make its first
	// caller wait for all of it. One append may go past them, never two.
	groupEvents = 4096
	groupBytes  = 4 << 20
)

// group is a row of appends that become durable together.
type group struct {
	batch    *pebble.Batch
	requests []*request
	records  int
	bytes    int
	end      eventstore.Position // of the ledger after it
	err      error               // the batch could not be applied
}

// writer decides what is appended. All its fields belong to its goroutine.
type writer struct {
	s     *Store
	heads heads
	room  room
	// groups goes to the publisher, in order. It has no room: with one group being synced
	// and the next one applied, waiting here only lets more appends gather for the group
	// after them, which is worth more than a third under way.
	groups chan *group
	spare  chan *group // back from the publisher, to be used again

	number   uint64 // of the group being put together
	current  *group
	entries  []streamPlace       // of its records
	last     eventstore.Position // of the last record given a place
	applied  eventstore.Position // of the last record that Pebble has
	recorded int64               // time of the last record, microseconds
	key      []byte
}

func newWriter(s *Store, last eventstore.Record) *writer {
	w := &writer{
		s:     s,
		heads: newHeads(s.opts.CachedStreams),
		room: room{
			files: s.files, dir: s.dir, log: s.opts.Logger,
			reserve: uint64(max(0, s.opts.ReserveBytes)), since: roomEvery,
		},
		groups: make(chan *group),
		spare:  make(chan *group, 3),
		last:   last.Position, applied: last.Position,
	}
	if last.Position != eventstore.Start {
		w.recorded = last.Recorded.UnixMicro()
	}
	return w
}

// run ends when the queue is closed and empty.
func (w *writer) run() {
	defer close(w.groups)
	var list []*request
	for {
		var more bool
		if list, more = w.s.queue.take(list[:0]); !more {
			return
		}
		for i, r := range list {
			list[i] = nil
			if r.state.CompareAndSwap(queued, taken) {
				w.take(r)
			}
		}
		w.commit()
	}
}

// take judges one append and adds it to the group.
func (w *writer) take(r *request) {
	if err := w.s.Failure(); err != nil {
		r.err = fmt.Errorf("%w: an earlier write failed: %v", eventstore.ErrUnavailable, err)
	} else if r.err = w.room.left(); r.err == nil {
		w.open()
		r.err = w.judge(r)
	}
	g := w.open()
	g.requests = append(g.requests, r)
	if g.records >= groupEvents || g.bytes >= groupBytes {
		w.commit()
	}
}

// open returns the group being put together, a new one if there is none.
func (w *writer) open() *group {
	if w.current == nil {
		w.number++
		w.heads.age()
		select {
		case w.current = <-w.spare:
		default:
			w.current = &group{}
		}
		w.current.batch = w.s.db.NewBatch()
		w.recorded = max(w.recorded, w.s.clock().UnixMicro())
	}
	return w.current
}

// commit applies the group and passes it on. Its records are then in Pebble for the
// writer to see, on their way to the disk, and not yet shown to anyone else.
func (w *writer) commit() {
	g := w.current
	if g == nil {
		return
	}
	w.current = nil
	g.end, w.applied = w.last, w.last
	w.room.since += g.bytes
	if g.records > 0 && w.s.Failure() == nil {
		w.index(g.batch)
		if g.err = w.s.db.ApplyNoSyncWait(g.batch, pebble.Sync); g.err != nil {
			w.s.fail(g.err) // at once: the next group must not build on this one
		}
	}
	w.entries = w.entries[:0]
	w.heads.applied()
	w.groups <- g
}

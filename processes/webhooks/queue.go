package webhooks

import (
	"cmp"
	"slices"

	"daybook/domain"
	"daybook/domain/webhook"
)

// queue is what a webhook has outstanding, in lanes: one per stream, each in the order of its
// entries.
type queue struct {
	laneOf func(webhook.Delivery) string // nil for the stream
	lanes  map[string]*lane
	busy   map[string]bool // a message of the lane is under way; it outlives a replacement of the lanes
	n      int
}

// lane is the deliveries of one stream.
type lane struct {
	name string
	list []webhook.Delivery
	day  day // what the stream was folded to; only for who sends the lane's message
}

func (q *queue) len() int { return q.n }

// lane names the lane that a delivery is sent in.
func (q *queue) lane(d webhook.Delivery) string {
	if q.laneOf != nil {
		return q.laneOf(d)
	}
	return d.Stream
}

// replace puts other deliveries, by entry, in place of all.
func (q *queue) replace(pending []webhook.Delivery) {
	before := q.lanes
	q.lanes, q.n = make(map[string]*lane), len(pending)
	if q.busy == nil {
		q.busy = make(map[string]bool)
	}
	for _, d := range pending {
		name := q.lane(d)
		l, ok := q.lanes[name]
		if !ok {
			l = &lane{name: name}
			// Who sends has a lane for itself: what it folds is not read here meanwhile.
			if old, ok := before[name]; ok && !q.busy[name] {
				l.day = old.day
			}
			q.lanes[name] = l
		}
		l.list = append(l.list, d)
	}
}

// due lists the lanes whose first delivery can be sent, those that wait longest first.
func (q *queue) due(now domain.Instant) []*lane {
	var list []*lane
	for name, l := range q.lanes {
		if !q.busy[name] && l.list[0].NextAt <= now {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b *lane) int {
		return cmp.Or(cmp.Compare(a.list[0].NextAt, b.list[0].NextAt), cmp.Compare(a.list[0].Entry, b.list[0].Entry))
	})
	return list
}

// next is when the first delivery of a lane that is not busy is due.
func (q *queue) next() (at domain.Instant, ok bool) {
	for name, l := range q.lanes {
		if first := l.list[0].NextAt; !q.busy[name] && (!ok || first < at) {
			at, ok = first, true
		}
	}
	return at, ok
}

// tests reports whether a test waits that is not under way.
func (q *queue) tests() bool {
	for name, l := range q.lanes {
		if !q.busy[name] && l.list[0].Test() {
			return true
		}
	}
	return false
}

func (q *queue) take(l *lane) { q.busy[l.name] = true }

func (q *queue) free(d webhook.Delivery) { delete(q.busy, q.lane(d)) }

// put takes in what became of a delivery. One that is not there any more, as another place in
// the ledger was asked for, is passed over.
func (q *queue) put(d webhook.Delivery) {
	name := q.lane(d)
	l, ok := q.lanes[name]
	if !ok || l.list[0].Entry != d.Entry {
		return
	}
	if d.Status == webhook.Pending {
		l.list[0] = d
		return
	}
	l.list = l.list[1:]
	q.n--
	if len(l.list) == 0 {
		delete(q.lanes, name)
	}
}

// hasten makes all due at an instant at the latest.
func (q *queue) hasten(at domain.Instant) {
	for _, l := range q.lanes {
		for i := range l.list {
			l.list[i].NextAt = min(l.list[i].NextAt, at)
		}
	}
}

package groups

import (
	"cmp"
	"container/list"
	"slices"
	"strings"
	"time"

	"daybook/eventstore"
)

// cursor is a place between two messages of a source: all before it has been seen. It is
// the next revision in a stream, and in the whole ledger the position of the record before.
type cursor uint64

// state is where a message is on its way.
type state uint8

const (
	waiting state = iota // for a consumer
	sent                 // to a consumer that has not answered
	parking              // until the parked stream holds it
	finished
)

// message is one message from when it is read until it is finished.
type message struct {
	record eventstore.Record  // as the source has it; its id is what consumers answer with
	target *eventstore.Record // what record, a link, stands for; nil for any other
	// before and after are its place in its source: the group's, or the parked stream's for a
	// replay.
	before, after cursor
	replay        bool
	retries       int
	size          int

	state    state
	holder   *holder   // while sent
	taken    bool      // the holder's consumer has it, while sent
	since    time.Time // when it was sent, or taken
	bucket   uint64    // what pins it
	reason   string    // why it is parked
	order    *list.Element
	deadline *list.Element // in untaken or due, while sent
}

// overhead is about what a message costs beside its bytes.
const overhead = 512

func (m *message) weigh() {
	m.size = overhead + len(m.record.Data) + len(m.record.Metadata)
	if m.target != nil {
		m.size += len(m.target.Data) + len(m.target.Metadata)
	}
}

// machine decides who is given which message, and how far a group is done. It reads and
// writes nothing, takes the time as an argument, and is for one goroutine at a time.
//
// What it promises: a message that was offered is unfinished until a consumer acknowledged
// or skipped it, or it was parked; done never goes past an unfinished message; no holder has
// more messages than its buffer; a message is with one holder at a time.
type machine struct {
	settings Settings

	seen  cursor     // all before was offered or passed over
	order *list.List // unfinished messages of the source, in its order
	// replays are the unfinished messages of the parked stream, in its order; all before
	// replaySeen was offered, and all before replayUntil is asked for.
	replays                 *list.List
	replaySeen, replayUntil cursor

	again   []*message // waiting, not for the first time, in order; served first
	fresh   []*message // waiting for the first time, in order
	parkers []*message // to be parked, in order
	// untaken and due are the sent messages that can time out, the first to do so in front:
	// those that their consumer has not taken, and those that it has.
	untaken, due *list.List

	holders []*holder // in the order they came
	turn    int       // of holders, for RoundRobin
	free    int       // messages that holders still take
	pins    map[uint64]*pin

	heldBytes int

	written   cursor // the last checkpoint
	writtenAt time.Time
	since     int    // messages finished and records passed over since then
	trimmed   cursor // the parked stream is hidden before it
	trimmedAt time.Time
	total     int64 // messages handed out
}

// newMachine returns a machine whose source is done up to done, and whose parked stream
// begins at parked.
func newMachine(settings Settings, done, parked cursor, now time.Time) *machine {
	return &machine{
		settings: settings,
		seen:     done, written: done, writtenAt: now,
		replaySeen: parked, replayUntil: parked, trimmed: parked, trimmedAt: now,
		order: list.New(), replays: list.New(), untaken: list.New(), due: list.New(),
		pins: map[uint64]*pin{},
	}
}

// offer takes the next message of the source, or of the parked stream.
func (m *machine) offer(msg *message) {
	msg.state = waiting
	msg.weigh()
	m.heldBytes += msg.size
	if msg.replay {
		msg.order = m.replays.PushBack(msg)
		m.replaySeen = max(m.replaySeen, msg.after)
		m.enqueue(msg)
		return
	}
	msg.order = m.order.PushBack(msg)
	m.seen = max(m.seen, msg.after)
	m.fresh = append(m.fresh, msg)
}

// pass says that there is nothing to offer before to. count is how many records asked for a
// checkpoint in that: the groups' own do not, else each checkpoint would ask for the next.
func (m *machine) pass(to cursor, count int) {
	m.seen = max(m.seen, to)
	m.since += count
}

// passReplay says that there is nothing to offer before to in the parked stream.
func (m *machine) passReplay(to cursor) { m.replaySeen = max(m.replaySeen, to) }

// room reports whether more should be read.
func (m *machine) room() bool {
	if len(m.holders) == 0 {
		return false
	}
	return m.heldBytes == 0 ||
		len(m.again)+len(m.fresh) < m.settings.readAhead() && m.heldBytes < maxHeldBytes
}

// enqueue puts a message back among those that wait, at its place.
func (m *machine) enqueue(msg *message) {
	msg.state = waiting
	at, _ := slices.BinarySearchFunc(m.again, msg, inOrder)
	m.again = slices.Insert(m.again, at, msg)
}

// inOrder puts the source's messages before replays, each in the order of their source.
func inOrder(a, b *message) int {
	if a.replay != b.replay {
		if a.replay {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.before, b.before)
}

// join adds a holder.
func (m *machine) join(h *holder) {
	h.held = map[eventstore.EventID][]*message{}
	m.holders = append(m.holders, h)
	m.free += h.buffer
}

// leave removes a holder and puts what it holds back. What its consumer had counts as a try.
func (m *machine) leave(h *holder) {
	at := slices.Index(m.holders, h)
	if at < 0 {
		return
	}
	var left []*message
	for _, same := range h.held {
		left = append(left, same...)
	}
	slices.SortFunc(left, inOrder)
	for _, msg := range left {
		taken := msg.taken
		m.release(msg)
		if taken && !m.mayRetry(msg) {
			m.park(msg, "its consumers went away")
			continue
		}
		msg.state = waiting
		m.again = append(m.again, msg)
	}
	// At once: one by one each would move all that come after it.
	slices.SortFunc(m.again, inOrder)
	m.free -= h.buffer
	m.holders = slices.Delete(m.holders, at, at+1)
	if m.turn > at {
		m.turn--
	}
}

// ack finishes a message that h holds, and reports whether it does.
func (m *machine) ack(h *holder, id eventstore.EventID, now time.Time) bool {
	msg, ok := m.answered(h, id, now)
	if ok {
		m.finish(msg)
	}
	return ok
}

// nack does with a message that h holds what action says, and reports whether it holds it.
func (m *machine) nack(h *holder, id eventstore.EventID, action Action, reason string, now time.Time) bool {
	msg, ok := m.answered(h, id, now)
	if !ok {
		return false
	}
	switch action {
	case Park:
		m.park(msg, "a consumer asked for it: "+reason)
	case Skip:
		m.finish(msg)
	case Retry, Unknown, Stop:
		m.retry(msg, "it was given again too often; the last reason: "+reason)
	default:
		m.retry(msg, reason)
	}
	return true
}

// answered takes the message with an id off its holder. Where several have it, as events of
// different streams may, it is the one sent first.
func (m *machine) answered(h *holder, id eventstore.EventID, now time.Time) (*message, bool) {
	same := h.held[id]
	if len(same) == 0 {
		return nil, false
	}
	msg := same[0]
	h.measure(now.Sub(msg.since))
	m.release(msg)
	return msg, true
}

// release takes a sent message off its holder.
func (m *machine) release(msg *message) {
	h := msg.holder
	same := h.held[msg.record.ID]
	same = slices.Delete(same, slices.Index(same, msg), slices.Index(same, msg)+1)
	if len(same) == 0 {
		delete(h.held, msg.record.ID)
	} else {
		h.held[msg.record.ID] = same
	}
	if !msg.taken {
		at := slices.Index(h.unsent, msg)
		h.unsent = slices.Delete(h.unsent, at, at+1)
	}
	h.count--
	m.free++
	m.forgetDeadline(msg)
	m.unpin(msg)
	msg.holder, msg.taken = nil, false
}

// retry gives a message again, or parks it after the last try.
func (m *machine) retry(msg *message, reason string) {
	if !m.mayRetry(msg) {
		m.park(msg, reason)
		return
	}
	m.enqueue(msg)
}

// mayRetry counts one more try and reports whether there is one left.
func (m *machine) mayRetry(msg *message) bool {
	if msg.retries >= m.settings.MaxRetryCount {
		return false
	}
	msg.retries++
	return true
}

// maxReason bounds the reason that is kept with a parked message, in bytes.
const maxReason = 1 << 10

func (m *machine) park(msg *message, reason string) {
	msg.state = parking
	msg.reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	m.parkers = append(m.parkers, msg)
}

// toPark returns up to n messages that wait to be parked. They wait until parked is told.
func (m *machine) toPark(n int) []*message {
	return slices.Clone(m.parkers[:min(n, len(m.parkers))])
}

// parked finishes the first n messages that waited to be parked.
func (m *machine) parked(n int) {
	for _, msg := range m.parkers[:n] {
		m.finish(msg)
	}
	m.parkers = slices.Delete(m.parkers, 0, n)
}

func (m *machine) finish(msg *message) {
	msg.state = finished
	m.heldBytes -= msg.size
	if msg.replay {
		m.replays.Remove(msg.order)
		return
	}
	m.order.Remove(msg.order)
	m.since++
}

// take returns the next message for a holder's consumer, whose time begins then.
func (m *machine) take(h *holder, now time.Time) (*message, bool) {
	if len(h.unsent) == 0 {
		return nil, false
	}
	msg := h.unsent[0]
	h.unsent[0] = nil
	h.unsent = h.unsent[1:]
	m.forgetDeadline(msg)
	msg.taken, msg.since = true, now
	if m.settings.MessageTimeout > 0 {
		msg.deadline = m.due.PushBack(msg)
	}
	return msg, true
}

// forgetDeadline keeps msg from timing out. It comes before any change of taken.
func (m *machine) forgetDeadline(msg *message) {
	switch {
	case msg.deadline == nil:
	case msg.taken:
		m.due.Remove(msg.deadline)
	default:
		m.untaken.Remove(msg.deadline)
	}
	msg.deadline = nil
}

// shortestUntaken is how long a message waits at least for its consumer to take it. With a
// shorter time, messages would go round and round between consumers that take none.
const shortestUntaken = time.Second

func (m *machine) expiry(e *list.Element) time.Time {
	msg := e.Value.(*message)
	if msg.taken {
		return msg.since.Add(m.settings.MessageTimeout)
	}
	return msg.since.Add(max(m.settings.MessageTimeout, shortestUntaken))
}

// expire takes back what has not been answered, or not even taken, in time.
func (m *machine) expire(now time.Time) {
	for e := m.due.Front(); e != nil && !m.expiry(e).After(now); e = m.due.Front() {
		msg := e.Value.(*message)
		m.release(msg)
		m.retry(msg, "no consumer answered in time")
	}
	for e := m.untaken.Front(); e != nil && !m.expiry(e).After(now); e = m.untaken.Front() {
		msg := e.Value.(*message)
		m.release(msg)
		m.enqueue(msg) // it never reached its consumer, so this was no try
	}
}

package groups

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"daybook/eventstore"
)

// holder is a consumer as the machine sees it: a number of places for messages.
type holder struct {
	buffer int
	serial uint64 // tells holders apart where one is chosen for a stream
	// ring is told that a message was handed out.
	ring func()

	held   map[eventstore.EventID][]*message // sent, in the order they were
	count  int                               // of held
	unsent []*message                        // of held, those that the consumer has not taken

	total     int64 // messages handed out
	latencies *latencies
}

func (h *holder) measure(d time.Duration) {
	if h.latencies != nil {
		h.latencies.add(d)
	}
}

// dispatch hands out as much as holders take.
func (m *machine) dispatch(now time.Time) {
	m.again = m.send(m.again, now)
	m.fresh = m.send(m.fresh, now)
}

// send hands out the messages of a queue and returns those that stay.
func (m *machine) send(queue []*message, now time.Time) []*message {
	kept := queue[:0]
	for i, msg := range queue {
		if m.free == 0 {
			if len(kept) == 0 {
				return queue[i:]
			}
			rest := append(kept, queue[i:]...)
			clear(queue[len(rest):])
			return rest
		}
		queue[i] = nil
		h := m.choose(msg)
		if h == nil {
			kept = append(kept, msg)
			continue
		}
		m.hand(h, msg, now)
	}
	return kept
}

func (m *machine) hand(h *holder, msg *message, now time.Time) {
	msg.state, msg.holder, msg.taken, msg.since = sent, h, false, now
	h.held[msg.record.ID] = append(h.held[msg.record.ID], msg)
	h.unsent = append(h.unsent, msg)
	h.count++
	h.total++
	m.total++
	m.free--
	if m.settings.MessageTimeout > 0 {
		msg.deadline = m.untaken.PushBack(msg)
	}
	if p := m.pins[msg.bucket]; p != nil && m.pinned() {
		p.sent++
	}
	if h.ring != nil {
		h.ring()
	}
}

// choose returns who is given msg, nil if it has to wait though somebody is free.
func (m *machine) choose(msg *message) *holder {
	switch m.settings.Strategy {
	case Pinned, PinnedByCorrelation:
		return m.choosePinned(msg)
	case DispatchToSingle:
		for _, h := range m.holders {
			if h.count < h.buffer {
				return h
			}
		}
	case RoundRobin:
		for i := range m.holders {
			h := m.holders[(m.turn+i)%len(m.holders)]
			if h.count < h.buffer {
				m.turn = (m.turn + i + 1) % len(m.holders)
				return h
			}
		}
	}
	return nil
}

// pin keeps a bucket with its holder while the holder has messages of it: a second holder
// would overtake.
type pin struct {
	holder *holder
	sent   int
}

func (m *machine) pinned() bool {
	return m.settings.Strategy == Pinned || m.settings.Strategy == PinnedByCorrelation
}

var seed = maphash.MakeSeed()

// choosePinned chooses by rendezvous hashing, so that a holder that comes or goes moves no
// bucket but its own.
func (m *machine) choosePinned(msg *message) *holder {
	if msg.bucket == 0 {
		msg.bucket = maphash.String(seed, pinOf(msg, m.settings.Strategy)) | 1
	}
	p := m.pins[msg.bucket]
	if p == nil {
		var best *holder
		var most uint64
		for _, h := range m.holders {
			if weight := maphash.Comparable(seed, [2]uint64{msg.bucket, h.serial}); best == nil || weight > most {
				best, most = h, weight
			}
		}
		if best == nil || best.count >= best.buffer {
			return nil
		}
		p = &pin{holder: best}
		m.pins[msg.bucket] = p
	}
	if p.holder.count >= p.holder.buffer {
		return nil
	}
	return p.holder
}

func (m *machine) unpin(msg *message) {
	p := m.pins[msg.bucket]
	if p == nil || !m.pinned() {
		return
	}
	if p.sent--; p.sent == 0 {
		delete(m.pins, msg.bucket)
	}
}

// pinOf is what messages have in common that belong to one consumer.
func pinOf(msg *message, strategy Strategy) string {
	r := msg.record
	if msg.target != nil {
		r = *msg.target
	}
	if strategy == PinnedByCorrelation {
		var metadata struct {
			Correlation string `json:"$correlationId"`
		}
		if json.Unmarshal(r.Metadata, &metadata) == nil && metadata.Correlation != "" {
			return metadata.Correlation
		}
	}
	if r.Type == eventstore.LinkType {
		if _, stream, ok := strings.Cut(string(r.Data), "@"); ok {
			return stream
		}
	}
	return string(r.Stream)
}

// latencies keeps the last times that a consumer took.
type latencies struct {
	last []time.Duration
	at   int
}

const keptLatencies = 1000

func (l *latencies) add(d time.Duration) {
	if len(l.last) < keptLatencies {
		l.last = append(l.last, d)
		return
	}
	l.last[l.at] = d
	l.at = (l.at + 1) % keptLatencies
}

// measurements are the statistics that EventStoreDB shows, in milliseconds.
func (l *latencies) measurements() []Measurement {
	if l == nil || len(l.last) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(l.last))
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	out := []Measurement{{"Mean", (sum / time.Duration(len(sorted))).Milliseconds()}}
	for _, share := range []struct {
		name     string
		perMille int
	}{
		{"Median", 500}, {"Fastest", 0},
		{"Quintile 1", 200}, {"Quintile 2", 400}, {"Quintile 3", 600}, {"Quintile 4", 800}, {"Quintile 5", 1000},
		{"90%", 900}, {"95%", 950}, {"99%", 990}, {"99.5%", 995}, {"99.9%", 999}, {"Highest", 1000},
	} {
		at := min(len(sorted)-1, share.perMille*len(sorted)/1000)
		out = append(out, Measurement{share.name, sorted[at].Milliseconds()})
	}
	return out
}

// Measurement is one statistic of a consumer.
type Measurement struct {
	Name  string
	Value int64 // milliseconds
}

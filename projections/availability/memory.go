package availability

import (
	"container/list"
	"sync"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// memory keeps the days last asked for as they were decoded, and the answers computed
// from them: an answer holds until something was appended or the clock reaches what
// Occupancy.HoldsUntil says.
type memory struct {
	limit int
	mu    sync.Mutex
	order *list.List // of *remembered, the last used first
	byKey map[DayKey]*list.Element
}

// content is what a value holds.
type content struct {
	occupancy restaurantday.Occupancy
	rawPlan   string // the plan's bytes, by which the next value's plan is recognised
}

// remembered is one day at one revision. All but answers is never changed.
type remembered struct {
	content
	key      DayKey
	epoch    epoch
	revision uint64
	answers  map[domain.PartySize]computed
}

// computed is the answer to a party, from at on and before until; 0 for ever.
type computed struct {
	at, until domain.Instant
	slots     []restaurantday.SlotState
}

// maxAnswers bounds the party sizes remembered for a day.
const maxAnswers = 64

func newMemory(limit int) memory {
	return memory{limit: limit, order: list.New(), byKey: make(map[DayKey]*list.Element)}
}

// answer answers for party at now from the day at h, loading it where it is not kept. load
// gets what is kept of the same day at another revision, if anything. ok is false where
// load's is.
func (m *memory) answer(key DayKey, h header, party domain.PartySize, now domain.Instant, load func(old *remembered) (content, bool)) (a Answer, ok bool) {
	old, found, hit := m.find(key, h, party, now)
	if hit {
		return Answer{Opened: true, Revision: h.revision, Plan: old.occupancy.Plan, Slots: found.slots}, true
	}
	var c content
	if old != nil && old.epoch == h.epoch && old.revision == h.revision {
		c = old.content
	} else if c, ok = load(old); !ok {
		return Answer{}, false
	}
	found = computed{at: now, until: c.occupancy.HoldsUntil(now), slots: c.occupancy.Slots(party, now)}
	m.keep(key, h, c, party, found)
	return Answer{Opened: true, Revision: h.revision, Plan: c.occupancy.Plan, Slots: found.slots}, true
}

func (m *memory) find(key DayKey, h header, party domain.PartySize, now domain.Instant) (d *remembered, found computed, hit bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.byKey[key]
	if !ok {
		return nil, computed{}, false
	}
	m.order.MoveToFront(el)
	d = el.Value.(*remembered)
	if d.epoch != h.epoch || d.revision != h.revision {
		return d, computed{}, false
	}
	found, hit = d.answers[party]
	hit = hit && found.at <= now && (found.until == 0 || now < found.until)
	return d, found, hit
}

func (m *memory) keep(key DayKey, h header, c content, party domain.PartySize, found computed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	el, ok := m.byKey[key]
	if ok {
		d := el.Value.(*remembered)
		if d.epoch == h.epoch && d.revision > h.revision {
			return // a slower reader must not push out what is newer
		}
		if d.epoch == h.epoch && d.revision == h.revision {
			if len(d.answers) >= maxAnswers {
				clear(d.answers)
			}
			d.answers[party] = found
			return
		}
	}
	d := &remembered{content: c, key: key, epoch: h.epoch, revision: h.revision,
		answers: map[domain.PartySize]computed{party: found}}
	if ok {
		el.Value = d
		return
	}
	m.byKey[key] = m.order.PushFront(d)
	for m.order.Len() > m.limit {
		last := m.order.Back()
		m.order.Remove(last)
		delete(m.byKey, last.Value.(*remembered).key)
	}
}

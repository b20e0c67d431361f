package groups

import (
	"container/list"
	"time"
)

// done is how far the source is finished.
func (m *machine) done() cursor {
	if e := m.order.Front(); e != nil {
		return e.Value.(*message).before
	}
	return m.seen
}

// checkpoint returns what to write, and whether to. final asks for it whatever the settings
// say about its time.
func (m *machine) checkpoint(now time.Time, final bool) (cursor, bool) {
	done := m.done()
	if done <= m.written || m.since == 0 {
		return 0, false
	}
	timely := m.since >= max(1, m.settings.MinCheckpointCount) && !now.Before(m.writtenAt.Add(m.settings.CheckpointAfter))
	return done, final || timely || m.since >= max(1, m.settings.MaxCheckpointCount)
}

// checkpointed says that a checkpoint was written. covered is how many messages had been
// finished when it was decided on.
func (m *machine) checkpointed(at cursor, covered int, now time.Time) {
	m.written, m.writtenAt = at, now
	m.since -= covered
}

// trim returns before which revision the parked stream can be hidden, and whether to.
func (m *machine) trim(now time.Time, final bool) (cursor, bool) {
	to := m.replaySeen
	if e := m.replays.Front(); e != nil {
		to = e.Value.(*message).before
	}
	if to <= m.trimmed {
		return 0, false
	}
	over := m.replays.Len() == 0 && m.replaySeen >= m.replayUntil
	return to, final || over || !now.Before(m.trimmedAt.Add(m.settings.CheckpointAfter))
}

func (m *machine) trimmedTo(to cursor, now time.Time) { m.trimmed, m.trimmedAt = to, now }

// next is when time alone brings something to do; ok is false if nothing does.
func (m *machine) next() (at time.Time, ok bool) {
	earliest := func(t time.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	for _, l := range []*list.List{m.due, m.untaken} {
		if e := l.Front(); e != nil {
			earliest(m.expiry(e))
		}
	}
	if m.since >= max(1, m.settings.MinCheckpointCount) && m.done() > m.written {
		earliest(m.writtenAt.Add(m.settings.CheckpointAfter))
	}
	if _, due := m.trim(m.trimmedAt, true); due {
		earliest(m.trimmedAt.Add(m.settings.CheckpointAfter))
	}
	return at, ok
}

package embedded

import (
	"sync/atomic"

	dto "github.com/prometheus/client_model/go"

	"daybook/eventstore"
)

type counters struct {
	appends, events, bytes, groups, conflicts, retries atomic.Uint64
}

// Stats are counts since the store was opened, and sizes now.
type Stats struct {
	Appends   uint64 // appends that added events
	Events    uint64 // events added
	Bytes     uint64 // of their records as encoded
	Groups    uint64 // groups of appends that became durable together
	Syncs     uint64 // syncs of the log; one can serve several groups
	Conflicts uint64 // appends refused with a ConflictError
	Retries   uint64 // appends found to stand in the ledger already

	Head          eventstore.Position // of the last durable record
	Subscriptions int                 // open now
	DiskBytes     uint64              // of the whole folder
	MemoryBytes   uint64              // of tables in memory and the block cache
	Compacting    bool                // tables are being merged
}

// Stats is cheap enough to be asked for every second. A closed store gives its counts
// and no sizes.
func (s *Store) Stats() Stats {
	st := Stats{
		Appends:   s.counters.appends.Load(),
		Events:    s.counters.events.Load(),
		Bytes:     s.counters.bytes.Load(),
		Groups:    s.counters.groups.Load(),
		Conflicts: s.counters.conflicts.Load(),
		Retries:   s.counters.retries.Load(),
		Head:      s.end(),
	}
	st.Subscriptions = s.tail.subscriptions()
	s.life.RLock()
	defer s.life.RUnlock()
	if s.isClosed() {
		return st
	}
	m := s.db.Metrics()
	st.DiskBytes = m.DiskSpaceUsage()
	st.MemoryBytes = m.MemTable.Size + uint64(max(0, m.BlockCache.Size))
	st.Compacting = m.Compact.NumInProgress > 0
	var sync dto.Metric
	if h := m.LogWriter.FsyncLatency; h != nil && h.Write(&sync) == nil {
		st.Syncs = sync.GetHistogram().GetSampleCount()
	}
	return st
}

func (t *tail) subscriptions() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.subs)
}

package groups

import (
	"context"
	"time"

	"daybook/eventstore"
)

// Info is a group as it stands. Places are written as EventStoreDB writes them: a revision,
// or "C:1/P:1" counted from 0; empty where there is none.
type Info struct {
	Config       Config
	StartFrom    string
	Status       string
	Connections  []Connection
	Total        int64 // messages handed out since the group started
	SinceLast    int64 // of these, since the last Info
	PerSecond    int64 // the same, a second
	Checkpointed string
	LastKnown    string
	// Buffered, Retrying and InFlight are how many messages wait for the first time, wait
	// again, and are with consumers; Outstanding are those in flight and those that are just
	// being parked.
	Buffered, Retrying, InFlight, Outstanding int
	Parked                                    int64 // and not being replayed
}

// Connection is one consumer of a group.
type Connection struct {
	Peer
	Total, SinceLast, PerSecond int64
	InFlight, Free              int
	Measurements                []Measurement // with extra statistics
}

// Info describes one group. Errors: ErrNotFound, and those of the engine.
func (gs *Groups) Info(ctx context.Context, key Key) (Info, error) {
	g, err := gs.find(ctx, key)
	if err != nil {
		return Info{}, err
	}
	return g.info(ctx)
}

// List describes the groups of a stream, All for those of the whole ledger, or with an empty
// name all groups. Errors: ErrNotFound if a stream was named that has none, and those of the
// engine.
func (gs *Groups) List(ctx context.Context, stream eventstore.StreamName) ([]Info, error) {
	groups, err := gs.all(ctx)
	if err != nil {
		return nil, err
	}
	var out []Info
	for _, g := range sorted(groups) {
		if stream != "" && g.config.Stream != stream {
			continue
		}
		info, err := g.info(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	if stream != "" && len(out) == 0 {
		return nil, ErrNotFound
	}
	return out, nil
}

func (g *group) info(ctx context.Context) (Info, error) {
	known, err := g.lastKnown(ctx)
	if err != nil {
		return Info{}, err
	}
	parked, err := g.owner.engine.Look(ctx, g.config.parked())
	if err != nil {
		return Info{}, err
	}
	g.mu.Lock()
	started := g.m != nil
	g.mu.Unlock()
	checkpoint := cursor(0)
	if !started {
		// A checkpoint that cannot be read is for Connect to refuse.
		if checkpoint, _, err = g.readCheckpoint(ctx); err != nil {
			checkpoint = 0
		}
	}
	now := g.owner.now()
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.config.Stream == All
	out := Info{
		Config: g.config, StartFrom: startText(g.config.From, all),
		Status: "Live", LastKnown: placeText(known, all),
	}
	first := cursor(parked.First)
	seen := max(checkpoint, g.begin)
	if g.m == nil {
		out.Checkpointed = placeText(checkpoint, all)
	} else {
		g.measure(&out, now)
		seen, first = g.m.seen, max(first, g.m.replaySeen)
		out.Checkpointed = placeText(g.checkpointed, all)
	}
	if seen < known {
		out.Status = "Behind"
	}
	if parked.Shown {
		out.Parked = max(0, int64(parked.Last)+1-int64(first))
	}
	return out, nil
}

// lastKnown is the cursor after the newest record of the group's source.
func (g *group) lastKnown(ctx context.Context) (cursor, error) {
	if g.config.Stream == All {
		head, err := g.owner.engine.Head(ctx)
		return cursor(head), err
	}
	at, err := g.owner.engine.Look(ctx, g.config.Stream)
	if err != nil || !at.Shown {
		return 0, err
	}
	return cursor(at.Last) + 1, nil
}

// measure counts what was done since the last time. The caller holds mu.
func (g *group) measure(out *Info, now time.Time) {
	elapsed := max(now.Sub(g.measured), time.Millisecond)
	perSecond := func(n int64) int64 { return int64(float64(n) / elapsed.Seconds()) }
	g.measured = now
	out.Total = g.m.total
	out.SinceLast = g.m.total - g.measuredTotal
	out.PerSecond = perSecond(out.SinceLast)
	g.measuredTotal = g.m.total
	out.Buffered, out.Retrying = len(g.m.fresh), len(g.m.again)
	out.Outstanding = g.m.order.Len() + g.m.replays.Len() - out.Buffered - out.Retrying
	consumers := make(map[*holder]*Consumer, len(g.consumers))
	for c := range g.consumers {
		consumers[c.holder] = c
	}
	for _, h := range g.m.holders {
		c := consumers[h]
		if c == nil {
			continue // the group has stopped and let go of it
		}
		since := h.total - c.seenBy
		c.seenBy = h.total
		out.InFlight += h.count
		out.Connections = append(out.Connections, Connection{
			Peer: c.peer, Total: h.total, SinceLast: since, PerSecond: perSecond(since),
			InFlight: h.count, Free: h.buffer - h.count, Measurements: h.latencies.measurements(),
		})
	}
}

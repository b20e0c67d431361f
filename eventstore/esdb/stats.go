package esdb

import (
	"errors"
	"sync/atomic"

	"daybook/eventstore"
)

type counters struct {
	appends, events, conflicts, retries, unknown atomic.Uint64
	connections, failures, leaders, drops        atomic.Uint64
}

// count notes how an append that was answered has ended.
func (c *counters) count(err error, events int) {
	switch {
	case err == nil:
		c.events.Add(uint64(events))
	case eventstore.IsConflict(err):
		c.conflicts.Add(1)
	case errors.Is(err, eventstore.ErrUnknownOutcome):
		c.unknown.Add(1)
	}
}

// Stats are counts since the store was opened.
type Stats struct {
	Appends   uint64 // appends sent
	Events    uint64 // events of those that succeeded, retries included
	Conflicts uint64 // appends refused with a ConflictError
	Retries   uint64 // appends found to stand in the ledger though the server saw a conflict
	Unknown   uint64 // appends whose outcome could not be told

	Connections uint64 // connections made; all but the first are reconnects
	Failures    uint64 // attempts to connect that found no server
	LeaderMoves uint64 // calls made again because another server leads
	Drops       uint64 // subscriptions that the server or the connection broke off
}

// Stats is cheap enough to be asked for every second.
func (s *Store) Stats() Stats {
	c := &s.counters
	return Stats{
		Appends: c.appends.Load(), Events: c.events.Load(), Conflicts: c.conflicts.Load(),
		Retries: c.retries.Load(), Unknown: c.unknown.Load(),
		Connections: c.connections.Load(), Failures: c.failures.Load(),
		LeaderMoves: c.leaders.Load(), Drops: c.drops.Load(),
	}
}

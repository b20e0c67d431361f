package embedded

import (
	"fmt"

	"daybook/eventstore"
)

// publish makes groups durable, in order, and answers their callers. It ends when
// groups is closed.
func (s *Store) publish(groups <-chan *group) {
	for g := range groups {
		err := s.sync(g)
		if err != nil {
			s.fail(err)
		}
		// A group after a failed one may rest on records that are lost, and so may all it
		// found out.
		if failure := s.Failure(); failure != nil {
			s.refuse(g, failure)
		} else {
			s.show(g)
		}
		for i, r := range g.requests {
			g.requests[i] = nil
			r.finish()
		}
		s.reuse(g)
	}
}

// sync waits until the group's batch is durable.
func (s *Store) sync(g *group) error {
	if g.err != nil {
		return g.err
	}
	if g.records == 0 {
		return nil
	}
	if err := g.batch.SyncWait(); err != nil {
		return fmt.Errorf("embedded: sync: %w", err)
	}
	return nil
}

// show makes the group's records visible: to reads first, then to subscriptions.
func (s *Store) show(g *group) {
	c := &s.counters
	for _, r := range g.requests {
		switch {
		case r.wrote:
			c.appends.Add(1)
		case eventstore.IsConflict(r.err):
			c.conflicts.Add(1)
		}
	}
	if g.records == 0 {
		return
	}
	c.groups.Add(1)
	c.events.Add(uint64(g.records))
	c.bytes.Add(uint64(g.bytes))
	s.durable.Store(uint64(g.end))
	s.tail.publish(g)
}

// refuse answers a group whose outcome, or whose ground, is not known to be durable.
func (s *Store) refuse(g *group, failure error) {
	for _, r := range g.requests {
		if r.err == nil {
			r.err = fmt.Errorf("%w: the write failed: %v", eventstore.ErrUnknownOutcome, failure)
		} else {
			r.err = fmt.Errorf("%w: a write failed: %v", eventstore.ErrUnavailable, failure)
		}
	}
}

// reuse gives the group back to the writer. A batch that Pebble may still hold after a
// failure is left to the garbage collector.
func (s *Store) reuse(g *group) {
	if s.Failure() == nil {
		_ = g.batch.Close() // an applied or empty batch: returns it to Pebble's pool
	}
	*g = group{requests: g.requests[:0]}
	select {
	case s.writer.spare <- g:
	default:
	}
}

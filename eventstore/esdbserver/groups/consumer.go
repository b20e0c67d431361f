package groups

import (
	"context"
	"time"

	"daybook/eventstore"
)

// Action is what a consumer wants done with a message that it could not process.
type Action uint8

// The actions.
const (
	Unknown Action = iota // the group decides: as Retry
	Park                  // put it aside, in the group's parked stream
	Retry                 // give it again, to whoever is next
	Skip                  // drop it
	Stop                  // as Retry, and end the consumer
)

// Delivery is a message as a consumer is given it.
type Delivery struct {
	// Record is what the group's source holds. A consumer answers with its id.
	Record eventstore.Record
	// Resolved is what Record, a link, stands for; nil if Record is no link, the group does not
	// resolve links, or what it stood for is gone.
	Resolved *eventstore.Record
	// Link says that Record is a link that the group resolves.
	Link bool
	// Retries is how often the message was given before.
	Retries int
}

// Peer tells in statistics who a consumer is.
type Peer struct{ From, User, Connection string }

// Consumer is one of those that share a group's messages. Next is for one goroutine; the
// rest is safe for concurrent use.
type Consumer struct {
	group  *group
	peer   Peer
	holder *holder
	ready  chan struct{}
	ended  chan struct{} // closed together with setting err, under group.mu
	err    error
	seenBy int64 // holder.total at the last statistics
}

// Next waits for the next message. Errors: the context's, and why the group let go of the
// consumer: ErrDropped, ErrNotFound after the group was deleted, ErrClosed, or what kept the
// group from reading.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	for {
		if d, ok, err := c.take(); ok || err != nil {
			return d, err
		}
		select {
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		case <-c.ended:
		case <-c.ready:
		}
	}
}

func (c *Consumer) take() (Delivery, bool, error) {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.err != nil {
		return Delivery{}, false, c.err
	}
	now := g.owner.now()
	msg, ok := g.m.take(c.holder, now)
	if !ok {
		return Delivery{}, false, nil
	}
	g.wake(now)
	return Delivery{
		Record:   msg.record,
		Resolved: msg.target,
		Link:     g.config.ResolveLinks && msg.record.Type == eventstore.LinkType,
		Retries:  msg.retries,
	}, true, nil
}

// Ack says that messages were processed, by the ids of their records. Ids of messages that
// the consumer does not hold, for example because its time ran out, change nothing.
func (c *Consumer) Ack(ids ...eventstore.EventID) error {
	return c.answer(ids, func(id eventstore.EventID, now time.Time) {
		c.group.m.ack(c.holder, id, now)
	})
}

// Nack says what to do with messages that were not processed. The reason is kept with those
// that are parked.
func (c *Consumer) Nack(action Action, reason string, ids ...eventstore.EventID) error {
	err := c.answer(ids, func(id eventstore.EventID, now time.Time) {
		c.group.m.nack(c.holder, id, action, reason, now)
	})
	if err == nil && action == Stop {
		c.group.leave(c, ErrDropped)
	}
	return err
}

func (c *Consumer) answer(ids []eventstore.EventID, one func(eventstore.EventID, time.Time)) error {
	g := c.group
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	now := g.owner.now()
	for _, id := range ids {
		one(id, now)
	}
	g.settle(now)
	return nil
}

// Close ends the consumer. What it holds is given to others.
func (c *Consumer) Close() { c.group.leave(c, ErrClosed) }

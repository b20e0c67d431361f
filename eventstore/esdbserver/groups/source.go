package groups

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// read fills the machine from the source, and from the parked stream while a replay is
// under way, whenever there is room.
func (g *group) read() {
	defer g.running.Done()
	wait := backoff{}
	for {
		err := g.fill(g.ctx)
		switch {
		case g.ctx.Err() != nil:
			return
		case errors.Is(err, eventstore.ErrClosed):
			g.fail(err)
			return
		case err != nil:
			g.owner.log.Warn("persistent subscriptions: a group cannot read", "stream", string(g.config.Stream), "group", g.config.Group, "error", err)
			wait.pause(g.ctx)
			continue
		}
		wait = backoff{}
		select {
		case <-g.ctx.Done():
			return
		case <-g.readable:
		}
	}
}

// fill reads until there is no room or nothing more.
func (g *group) fill(ctx context.Context) error {
	for {
		g.mu.Lock()
		room, seen := g.room(), g.m.seen
		replay, until := g.m.replaySeen, g.m.replayUntil
		g.mu.Unlock()
		switch {
		case !room:
			return nil
		case replay < until:
			if err := g.readParked(ctx, replay, until); err != nil {
				return err
			}
		case g.behind.Swap(false):
			b := &batch{group: g, limit: g.config.batch(), seen: seen, upTo: seen}
			var end bool
			var err error
			if g.config.Stream == All {
				end, err = g.readAll(ctx, b)
			} else {
				end, err = g.readStream(ctx, b)
			}
			if !end || err != nil {
				g.behind.Store(true)
			}
			if err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// batch gathers what is read, so that the machine is given many messages at a time.
type batch struct {
	group    *group
	limit    int
	messages []*message
	bytes    int
	seen     cursor // all before it has been given to the machine
	upTo     cursor // all before it is in this batch too
	counted  int    // records passed over that ask for a checkpoint
	passed   int    // all records passed over
}

const (
	batchBytes  = 1 << 20 // of one batch; one message may go past it
	batchPassed = 1024    // records passed over in one batch
)

func (b *batch) add(msg *message) {
	msg.before = b.upTo
	b.upTo = msg.after
	msg.weigh()
	b.bytes += msg.size
	b.messages = append(b.messages, msg)
}

func (b *batch) pass(to cursor, count bool) {
	b.upTo = to
	b.passed++
	if count {
		b.counted++
	}
}

func (b *batch) full() bool {
	return len(b.messages) >= b.limit || b.bytes >= batchBytes || b.passed >= batchPassed
}

// flush gives the batch to the machine and reports whether there is room for another.
func (b *batch) flush() bool {
	g := b.group
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, msg := range b.messages {
		g.m.offer(msg)
	}
	g.m.pass(b.upTo, b.counted)
	*b = batch{group: g, limit: b.limit, seen: b.upTo, upTo: b.upTo}
	g.settle(g.owner.now())
	return g.room()
}

// readStream reads on in a stream, and reports whether it came to the end. A stream that is
// not there has come to its end, as has one that was ended for ever.
func (g *group) readStream(ctx context.Context, b *batch) (end bool, err error) {
	for r, err := range g.owner.engine.ReadStream(ctx, g.config.Stream, eventstore.Revision(b.seen)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		if err != nil {
			return false, err
		}
		msg, err := g.message(ctx, r)
		if err != nil {
			return false, err
		}
		msg.after = cursor(r.Revision) + 1
		b.add(msg)
		if b.full() && !b.flush() {
			return false, nil
		}
	}
	b.flush()
	return true, nil
}

// readAll reads on in the whole ledger, and reports whether it came to the end.
func (g *group) readAll(ctx context.Context, b *batch) (end bool, err error) {
	for r, err := range g.owner.engine.ReadAll(ctx, eventstore.Position(b.seen), eventstore.Everything()) {
		if err != nil {
			return false, err
		}
		if ours := own(r.Stream); ours || !g.passes(r) {
			b.pass(cursor(r.Position), !ours)
		} else {
			msg, err := g.message(ctx, r)
			if err != nil {
				return false, err
			}
			msg.after = cursor(r.Position)
			b.add(msg)
		}
		if b.full() && !b.flush() {
			return false, nil
		}
	}
	b.flush()
	return true, nil
}

// readParked reads one batch of the parked stream. What a parked message stood for may be
// gone; then nobody can process it, and it is passed over.
func (g *group) readParked(ctx context.Context, from, until cursor) error {
	upTo := from
	var messages []*message
	bytes := 0
	for link, err := range g.owner.engine.ReadStream(ctx, g.config.parked(), eventstore.Revision(from)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			upTo = until
			break
		}
		if err != nil {
			return err
		}
		if cursor(link.Revision) >= until || len(messages) >= g.config.batch() || bytes >= batchBytes {
			break
		}
		upTo = cursor(link.Revision) + 1
		original, err := g.resolve(ctx, link)
		if err != nil {
			return err
		}
		if original == nil {
			continue
		}
		msg, err := g.message(ctx, *original)
		if err != nil {
			return err
		}
		msg.replay, msg.before, msg.after = true, cursor(link.Revision), upTo
		msg.weigh()
		bytes += msg.size
		messages = append(messages, msg)
	}
	if upTo == from {
		upTo = until // hidden meanwhile
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, msg := range messages {
		g.m.offer(msg)
	}
	g.m.passReplay(upTo)
	g.settle(g.owner.now())
	return nil
}

// message is a record as a message, without its place.
func (g *group) message(ctx context.Context, r eventstore.Record) (*message, error) {
	msg := &message{record: r}
	if !g.config.ResolveLinks || r.Type != eventstore.LinkType {
		return msg, nil
	}
	var err error
	msg.target, err = g.resolve(ctx, r)
	return msg, err
}

// resolve returns what a link stands for, nil if that is gone or was never there.
func (g *group) resolve(ctx context.Context, link eventstore.Record) (*eventstore.Record, error) {
	revision, stream, ok := strings.Cut(string(link.Data), "@")
	if !ok {
		return nil, nil
	}
	at, err := strconv.ParseUint(revision, 10, 63)
	if err != nil || eventstore.CheckStream(eventstore.StreamName(stream)) != nil {
		return nil, nil // a link that says nothing is a link to nothing
	}
	for r, err := range g.owner.engine.ReadStream(ctx, eventstore.StreamName(stream), eventstore.Revision(at)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
			break
		}
		if err != nil {
			return nil, err
		}
		if uint64(r.Revision) == at {
			return &r, nil
		}
		break
	}
	return nil, nil
}

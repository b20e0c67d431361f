package groups

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"daybook/eventstore"
)

// group is one group while the server runs. It is only a configuration until its first
// consumer comes: then it loads its checkpoint, and has two goroutines, one that reads the
// source and one that writes what is to be written and minds the clock.
type group struct {
	owner  *Groups
	config Config
	begin  cursor // where it begins without a checkpoint
	passes func(eventstore.Record) bool

	// starting is held while the group starts, stops, or asks the ledger something about
	// itself.
	starting sync.Mutex
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	// behind says that the source may hold more.
	behind atomic.Bool
	// readable and workable ring when there may be something for the two goroutines.
	readable, workable chan struct{}

	mu        sync.Mutex
	m         *machine // nil until the group started
	consumers map[*Consumer]struct{}
	serial    uint64
	stopped   error     // why nobody may join any more
	armed     time.Time // when the writing goroutine wakes up by itself
	held      int       // what of the machine's bytes is counted in owner.held
	// checkpointed is the last checkpoint that is written; 0 if there is none.
	checkpointed cursor

	// parking is the write of parked messages that is under way, and short says that the
	// checkpoints' stream is kept short. Both are the writing goroutine's, and after it stop's.
	parking []eventstore.Event
	short   bool

	measured      time.Time // the last statistics
	measuredTotal int64
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// connect adds a consumer that can hold buffer messages.
func (g *group) connect(ctx context.Context, buffer int, peer Peer) (*Consumer, error) {
	g.starting.Lock()
	defer g.starting.Unlock()
	if err := g.start(ctx); err != nil {
		return nil, err
	}
	c := &Consumer{group: g, peer: peer, ready: make(chan struct{}, 1), ended: make(chan struct{})}
	c.holder = &holder{buffer: buffer, ring: func() { ring(c.ready) }}
	if g.config.ExtraStatistics {
		c.holder.latencies = &latencies{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped != nil {
		return nil, g.stopped
	}
	if len(g.consumers) >= g.config.maxConsumers() {
		return nil, ErrTooManyConsumers
	}
	g.serial++
	c.holder.serial = g.serial
	g.consumers[c] = struct{}{}
	g.m.join(c.holder)
	g.settle(g.owner.now())
	return c, nil
}

// start begins to read. The caller holds starting.
func (g *group) start(ctx context.Context) error {
	if g.m != nil {
		return nil
	}
	at, err := g.loadCheckpoint(ctx)
	if err != nil {
		return err
	}
	parked, err := g.owner.engine.Look(ctx, g.config.parked())
	if err != nil {
		return err
	}
	first := cursor(0)
	if parked.Shown {
		first = cursor(parked.First)
	}
	if err := g.owner.hub.watch(ctx, g); err != nil {
		return err
	}
	now := g.owner.now()
	g.mu.Lock()
	if g.stopped != nil {
		g.mu.Unlock()
		g.owner.hub.unwatch(g)
		return g.stopped
	}
	g.m = newMachine(g.config.Settings, at, first, now)
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.behind.Store(true)
	g.measured = now
	g.mu.Unlock()
	g.running.Add(2)
	go g.read()
	go g.work()
	return nil
}

// leave removes a consumer, which then is told err.
func (g *group) leave(c *Consumer, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.err != nil {
		return
	}
	g.release(c, err)
	g.m.leave(c.holder)
	g.settle(g.owner.now())
}

func (g *group) release(c *Consumer, err error) {
	c.err = err
	close(c.ended)
	delete(g.consumers, c)
}

// fail ends the group's consumers and keeps others away: err is for good.
func (g *group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped == nil {
		g.stopped = err
	}
	for c := range g.consumers {
		g.release(c, err)
	}
	if g.cancel != nil {
		g.cancel()
	}
}

// stop is fail, and waits until nothing of the group runs. keep writes a last checkpoint;
// ctx bounds that write.
func (g *group) stop(ctx context.Context, reason error, keep bool) error {
	g.fail(reason)
	g.starting.Lock()
	defer g.starting.Unlock()
	if g.cancel == nil {
		return nil // it never started
	}
	g.running.Wait()
	g.owner.hub.unwatch(g)
	var err error
	if keep {
		err = g.writeProgress(ctx, true)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owner.held.Add(int64(-g.held))
	g.held = 0
	return err
}

// settle hands out what can be handed out and wakes whoever has something to do. It ends
// every change to the machine. The caller holds mu.
func (g *group) settle(now time.Time) {
	g.m.dispatch(now)
	g.owner.held.Add(int64(g.m.heldBytes - g.held))
	g.held = g.m.heldBytes
	if (g.behind.Load() || g.m.replaySeen < g.m.replayUntil) && g.room() {
		ring(g.readable)
	}
	g.wake(now)
}

// wake rings for the writing goroutine if there is something for it, now or sooner than it
// expects. The caller holds mu.
func (g *group) wake(now time.Time) {
	next, timed := g.m.next()
	_, checkpoint := g.m.checkpoint(now, false)
	if len(g.m.parkers) > 0 || checkpoint || timed && (g.armed.IsZero() || next.Before(g.armed)) {
		ring(g.workable)
	}
}

// room reports whether to read on. Each group may hold one message, so that a group that
// waits for room waits for its own consumers alone.
func (g *group) room() bool {
	return g.m.room() && (g.m.heldBytes == 0 || g.owner.held.Load() < maxAllHeldBytes)
}

// more says that the source may hold more.
func (g *group) more() {
	g.behind.Store(true)
	ring(g.readable)
}

// work writes parked messages, checkpoints and what of the parked stream is done, and takes
// back what was not answered in time.
func (g *group) work() {
	defer g.running.Done()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	wait := backoff{}
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-g.workable:
		case <-timer.C:
		}
		now := g.owner.now()
		g.mu.Lock()
		g.m.expire(now)
		g.settle(now)
		g.mu.Unlock()
		err := g.park(g.ctx)
		if err == nil {
			err = g.writeProgress(g.ctx, false)
		}
		switch {
		case g.ctx.Err() != nil:
			return
		case errors.Is(err, eventstore.ErrClosed):
			g.fail(err)
			return
		case err != nil:
			g.owner.log.Warn("persistent subscriptions: a group cannot write", "stream", string(g.config.Stream), "group", g.config.Group, "error", err)
			wait.pause(g.ctx)
			ring(g.workable) // what failed is still to be done
			continue
		}
		wait = backoff{}
		g.mu.Lock()
		next, ok := g.m.next()
		g.armed = next
		if !ok {
			g.armed = time.Time{}
		}
		g.mu.Unlock()
		if ok {
			timer.Reset(max(0, next.Sub(g.owner.now())))
		} else {
			timer.Stop()
		}
	}
}

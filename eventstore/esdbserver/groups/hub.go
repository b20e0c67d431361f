package groups

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"daybook/eventstore"
)

// hub follows the ledger once for all groups and tells each that there may be more for it.
// It hands over no record: a group reads for itself, when it has room, so nothing piles up
// and nothing can be missed in between.
type hub struct {
	engine eventstore.Engine
	log    *slog.Logger

	mu       sync.Mutex
	watchers map[eventstore.StreamName]map[*group]struct{} // All for the whole ledger
	running  bool
	stop     context.CancelFunc
	done     chan struct{}
}

// watch tells g of what is written from now on. What was written before, g has to read.
func (h *hub) watch(ctx context.Context, g *group) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.running {
		// Before the head is asked for g cannot read anyway; after it the subscription tells.
		head, err := h.engine.Head(ctx)
		if err != nil {
			return err
		}
		run, stop := context.WithCancel(context.Background())
		h.running, h.stop, h.done = true, stop, make(chan struct{})
		go h.run(run, head, h.done)
	}
	stream := g.config.Stream
	if h.watchers[stream] == nil {
		h.watchers[stream] = map[*group]struct{}{}
	}
	h.watchers[stream][g] = struct{}{}
	return nil
}

// unwatch forgets g, and stops following once nobody watches.
func (h *hub) unwatch(g *group) {
	h.mu.Lock()
	stream := g.config.Stream
	delete(h.watchers[stream], g)
	if len(h.watchers[stream]) == 0 {
		delete(h.watchers, stream)
	}
	var done chan struct{}
	if len(h.watchers) == 0 && h.running {
		h.running = false
		h.stop()
		done = h.done
	}
	h.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (h *hub) run(ctx context.Context, after eventstore.Position, done chan struct{}) {
	defer close(done)
	wait := backoff{}
	for ctx.Err() == nil {
		err := h.follow(ctx, &after, &wait)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, eventstore.ErrClosed):
			h.fail(err)
			return
		}
		h.log.Warn("persistent subscriptions: the ledger cannot be followed", "error", err)
		wait.pause(ctx)
	}
}

func (h *hub) follow(ctx context.Context, after *eventstore.Position, wait *backoff) error {
	sub, err := h.engine.Subscribe(ctx, *after, eventstore.Everything())
	if err != nil {
		return err
	}
	defer func() { _ = sub.Close() }()
	for {
		batch, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		*wait = backoff{}
		h.tell(batch.Records)
		*after = max(*after, batch.Position)
	}
}

func (h *hub) tell(records []eventstore.Record) {
	if len(records) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	foreign := false
	for _, r := range records {
		foreign = foreign || !own(r.Stream)
		for g := range h.watchers[r.Stream] {
			g.more()
		}
	}
	if foreign {
		for g := range h.watchers[All] {
			g.more()
		}
	}
}

// fail ends all groups: the ledger is closed for good.
func (h *hub) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, groups := range h.watchers {
		for g := range groups {
			g.fail(err)
		}
	}
}

// backoff is the time between two tries of what failed.
type backoff struct{ last time.Duration }

const (
	firstPause = 50 * time.Millisecond
	longPause  = 5 * time.Second
)

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, firstPause), longPause)
	return b.last
}

func (b *backoff) pause(ctx context.Context) {
	t := time.NewTimer(b.next())
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

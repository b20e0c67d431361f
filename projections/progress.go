package projections

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"

	"daybook/eventstore"
)

// progress is how far a view has come, and who waits for it to come further. Waiters
// stand in a heap by position, so an advance touches only those it releases.
type progress struct {
	mu      sync.Mutex
	at      eventstore.Position
	waiting waiters

	// poll, where set, reads the position of a view that another process feeds; it runs
	// while somebody waits.
	poll    func(ctx context.Context) (eventstore.Position, error)
	every   time.Duration
	polling bool

	wanted chan struct{} // closed when somebody begins to wait; nil while nobody rests
}

type waiter struct {
	until eventstore.Position
	done  chan struct{}
	index int // in the heap; -1 once released
}

// set moves the position: on, or back where a view's engine was put back.
func (p *progress) set(at eventstore.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = at
	for len(p.waiting) > 0 && p.waiting[0].until <= at {
		close(heap.Pop(&p.waiting).(*waiter).done)
	}
}

func (p *progress) position() eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// wait returns when the position has reached until, or with ErrBehind when ctx ends.
func (p *progress) wait(ctx context.Context, until eventstore.Position) error {
	p.mu.Lock()
	if p.at >= until {
		p.mu.Unlock()
		return nil
	}
	w := &waiter{until: until, done: make(chan struct{})}
	heap.Push(&p.waiting, w)
	if p.wanted != nil {
		close(p.wanted)
		p.wanted = nil
	}
	if p.poll != nil && !p.polling {
		p.polling = true
		go p.watch() //nolint:gosec // it polls for all who wait, so it has no one caller's context
	}
	p.mu.Unlock()

	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.index < 0 {
		return nil
	}
	heap.Remove(&p.waiting, w.index)
	return fmt.Errorf("%w %d: it is at %d: %w", ErrBehind, until, p.at, context.Cause(ctx))
}

// rest lets time pass in which more can come together, at most d, and none as soon as
// somebody waits.
func (p *progress) rest(ctx context.Context, d time.Duration) {
	p.mu.Lock()
	if len(p.waiting) > 0 {
		p.mu.Unlock()
		return
	}
	wanted := make(chan struct{})
	p.wanted = wanted
	p.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wanted:
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.wanted = nil
	p.mu.Unlock()
}

// watch polls as long as somebody waits: one poll for all of them.
func (p *progress) watch() {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		// An engine that hangs must not keep the goroutine when all have given up.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		at, err := p.poll(ctx)
		cancel()
		if err == nil {
			p.set(at)
		}
		p.mu.Lock()
		if len(p.waiting) == 0 {
			p.polling = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		<-tick.C
	}
}

// waiters is a heap, the lowest position first.
type waiters []*waiter

func (h waiters) Len() int           { return len(h) }
func (h waiters) Less(i, j int) bool { return h[i].until < h[j].until }
func (h waiters) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *waiters) Push(x any) {
	w := x.(*waiter)
	w.index = len(*h)
	*h = append(*h, w)
}

func (h *waiters) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	w.index = -1
	return w
}

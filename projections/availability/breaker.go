package availability

import (
	"sync"
	"time"
)

// breaker keeps readers away from a Redis that does not answer, so that each is not slowed
// by its timeout: while it is away one reader in a while tries it for all.
type breaker struct {
	mu    sync.Mutex
	pause time.Duration // 0 while Redis answers
	retry time.Time     // when the next reader may try
}

const (
	shortestPause = 50 * time.Millisecond
	longestPause  = time.Second
)

// allow reports whether the caller should ask Redis.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return true
	}
	now := time.Now()
	if now.Before(b.retry) {
		return false
	}
	b.retry = now.Add(b.pause) // the caller tries; the others wait for what he finds
	return true
}

func (b *breaker) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause = 0
}

// failed reports whether this is the outage's first failure.
func (b *breaker) failed() (first bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = b.pause == 0
	b.pause = min(max(2*b.pause, shortestPause), longestPause)
	b.retry = time.Now().Add(b.pause)
	return first
}

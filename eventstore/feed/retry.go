package feed

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Retry is a Watermill middleware that calls a handler again until it succeeds or the
// message's context ends: a reader of the ledger never gives a batch up, since all that
// comes after rests on it. An outage is logged when it begins and when it ends, not at
// each attempt.
type Retry struct {
	// Min and Max bound the wait between attempts, which doubles from one to the other.
	// Zero stands for 20 ms and 5 s.
	Min, Max time.Duration
	// Logger is slog.Default where nil.
	Logger *slog.Logger
	// Failed, where set, hears of every failed attempt, counted from 1.
	Failed func(err error, attempt int)
}

// Middleware wraps h.
func (c Retry) Middleware(h message.HandlerFunc) message.HandlerFunc {
	log := c.Logger
	if log == nil {
		log = slog.Default()
	}
	low, high := bounds(c.Min, c.Max)
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx := msg.Context()
		var wait backoff
		for attempt := 1; ; attempt++ {
			out, err := h(msg)
			if err == nil {
				if attempt > 1 {
					log.Info("feed: handled at last", "message", msg.UUID, "attempts", attempt)
				}
				return out, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if attempt == 1 {
				log.Error("feed: not handled, trying until it is", "message", msg.UUID, "error", err)
			}
			if c.Failed != nil {
				c.Failed(err, attempt)
			}
			wait.pause(ctx, low, high)
		}
	}
}

// bounds fills in what was left out of a backoff's limits.
func bounds(low, high time.Duration) (time.Duration, time.Duration) {
	if low <= 0 {
		low = 20 * time.Millisecond
	}
	if high <= 0 {
		high = 5 * time.Second
	}
	return low, max(low, high)
}

// backoff is the wait before the next attempt. The zero value has not waited yet.
type backoff struct{ last time.Duration }

// pause waits for the next interval, spread by a quarter either way so that readers that
// broke off together do not all come back together, or until ctx ends.
func (b *backoff) pause(ctx context.Context, low, high time.Duration) {
	b.last = min(max(2*b.last, low), high)
	spread := time.Duration(rand.Int64N(int64(b.last)/2+1)) - b.last/4 //nolint:gosec // it spreads attempts and keeps no secret
	t := time.NewTimer(b.last + spread)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Package feed brings the ledger to Watermill: a message.Subscriber over a store's
// catch-up subscription, and the retrying that every reader of it needs.
//
// What belongs here: how a stretch of the ledger becomes a message, where a reader goes on
// after it was broken off, and how often it tries again. What is done with the records is
// projections' and processes'; what their bytes mean is codec's; keeping a checkpoint is
// the reader's own, in the same transaction as what it writes.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"daybook/eventstore"
)

// Start tells where a topic's reader goes on: its own checkpoint. It is asked whenever a
// subscription is opened: at the beginning, after each break and after Restart. So it is also
// where a reader finds out that the ledger is not the one that it knew, with Place.Check.
type Start func(ctx context.Context, topic string) (eventstore.Position, error)

// Config is a subscriber's configuration. Only Store and Start are needed.
type Config struct {
	Store eventstore.Subscriber
	Start Start
	// Logger hears when a subscription breaks off and is taken up again; nil for slog.Default.
	Logger *slog.Logger
	// MinBackoff and MaxBackoff bound the wait before a broken subscription is taken up
	// again; it doubles from one to the other. Zero stands for 20 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// Acked, where set, hears of every batch that was acknowledged: the reader's place and
	// whether it had caught up. It is called from the topic's goroutine and must not block.
	Acked func(topic string, at eventstore.Position, live bool)
}

// Subscriber hands the ledger out in batches, one message each. A topic is a reader's
// name; each subscription reads at its own pace, and gets the next batch when the one
// before it was acknowledged. A refused (Nack) message comes again at once with the same
// batch: pacing the attempts is Retry's. Safe for concurrent use.
//
// A batch travels in the message's context, not in its payload: reader and store share a
// process, so nothing is serialised and nothing copied.
type Subscriber struct {
	cfg Config
	ctx context.Context
	end context.CancelFunc
	wg  sync.WaitGroup

	mu     sync.Mutex
	closed bool
}

var _ message.Subscriber = (*Subscriber)(nil)

// New makes a subscriber. Close ends its subscriptions.
func New(cfg Config) (*Subscriber, error) {
	if cfg.Store == nil || cfg.Start == nil {
		return nil, errors.New("feed: a subscriber needs a store and a start")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.MinBackoff, cfg.MaxBackoff = bounds(cfg.MinBackoff, cfg.MaxBackoff)
	ctx, end := context.WithCancel(context.Background())
	return &Subscriber{cfg: cfg, ctx: ctx, end: end}, nil
}

// Subscribe begins to read for topic. The channel closes when ctx ends or the subscriber
// is closed; the store being away does not close it.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, eventstore.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(s.ctx, cancel)
	r := &reader{cfg: &s.cfg, topic: topic, out: make(chan *message.Message)}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		defer close(r.out)
		defer cancel()
		defer unlink()
		r.run(ctx)
	}()
	return r.out, nil
}

// Close ends all subscriptions and waits for them. Messages not yet acknowledged have
// their context ended and come again to the next subscription.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.wg.Wait()
	return nil
}

type batchKey struct{}

type carried struct {
	batch   eventstore.Batch
	restart *atomic.Bool
}

// BatchOf returns the stretch of the ledger that msg carries; ok is false for a message
// that is not this package's.
func BatchOf(msg *message.Message) (b eventstore.Batch, ok bool) {
	c, ok := msg.Context().Value(batchKey{}).(*carried)
	if !ok {
		return eventstore.Batch{}, false
	}
	return c.batch, true
}

// Restart asks that the reader of msg, once it has acknowledged or refused it, be asked
// for its Start again and go on from there: for a reader whose checkpoint was moved by
// somebody else. Call it before the message is acknowledged.
func Restart(msg *message.Message) {
	if c, ok := msg.Context().Value(batchKey{}).(*carried); ok {
		c.restart.Store(true)
	}
}

// reader is one subscription.
type reader struct {
	cfg   *Config
	topic string
	out   chan *message.Message
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	var wait backoff
	at, down := eventstore.Start, false
	for ctx.Err() == nil {
		err := r.read(ctx, &at, func() {
			if down {
				r.cfg.Logger.Info("feed: taken up again", "topic", r.topic, "position", uint64(at))
			}
			down = false
			wait = backoff{}
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // a restart was asked for
		}
		if !down {
			down = true
			r.cfg.Logger.Warn("feed: broken off, trying again until it goes on", "topic", r.topic, "position", uint64(at), "error", err)
		}
		wait.pause(ctx, r.cfg.MinBackoff, r.cfg.MaxBackoff)
	}
}

// read opens a subscription and hands out batches until something breaks. It tells in *at
// how far it is, and calls going after the first batch.
func (r *reader) read(ctx context.Context, at *eventstore.Position, going func()) (err error) {
	if *at, err = r.cfg.Start(ctx, r.topic); err != nil {
		return err
	}
	sub, err := r.cfg.Store.Subscribe(ctx, *at, eventstore.Filter{})
	if err != nil {
		return err
	}
	defer sub.Close()
	for {
		b, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		going()
		restart, acked := r.deliver(ctx, b)
		if restart {
			return nil
		}
		if !acked {
			return ctx.Err()
		}
		*at = b.Position
		if r.cfg.Acked != nil {
			r.cfg.Acked(r.topic, b.Position, b.Live)
		}
	}
}

// deliver sends b until it is acknowledged, a restart is asked for, or ctx ends.
func (r *reader) deliver(ctx context.Context, b eventstore.Batch) (restart, acked bool) {
	var again atomic.Bool
	for {
		msgCtx, cancel := context.WithCancel(ctx)
		msg := message.NewMessageWithContext(
			context.WithValue(msgCtx, batchKey{}, &carried{batch: b, restart: &again}),
			r.topic+"@"+strconv.FormatUint(uint64(b.Position), 10), nil)
		acked = r.send(ctx, msg)
		cancel()
		if restart = again.Load(); acked || restart || ctx.Err() != nil {
			return restart, acked
		}
	}
}

func (r *reader) send(ctx context.Context, msg *message.Message) (acked bool) {
	select {
	case r.out <- msg:
	case <-ctx.Done():
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	case <-ctx.Done():
		return false
	}
}

// Logger lets Watermill log through l. What Watermill tells of its own workings at Info
// is worth Debug here.
func Logger(l *slog.Logger) watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(l, map[slog.Level]slog.Level{
		slog.LevelInfo:  slog.LevelDebug,
		slog.LevelDebug: watermill.LevelTrace,
	})
}

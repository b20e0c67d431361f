package availability

import (
	"context"
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"daybook/internal/enginetest"
)

// end is a Redis that a test can do things to.
type end interface {
	client() *redis.Client // another one each time
	flush()
	snapshot() (restore func())
}

// onBothEnds runs f on the Redis in process and on a real one.
func onBothEnds(t *testing.T, f func(t *testing.T, e end)) {
	t.Run("in process", func(t *testing.T) { f(t, newInProcessEnd(t)) })
	t.Run("redis", func(t *testing.T) { f(t, &realEnd{t: t, server: enginetest.NewRedis(t)}) })
}

type inProcessEnd struct {
	t   testing.TB
	one *redis.Client
}

func newInProcessEnd(t testing.TB) *inProcessEnd {
	t.Helper()
	client, closer, err := InProcess()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closer.Close(); err != nil {
			t.Error(err)
		}
	})
	return &inProcessEnd{t: t, one: client}
}

func (e *inProcessEnd) client() *redis.Client { return e.one }

func (e *inProcessEnd) flush() {
	if err := e.one.FlushAll(context.Background()).Err(); err != nil {
		e.t.Error(err)
	}
}

func (e *inProcessEnd) snapshot() func() {
	ctx := context.Background()
	held := dump(e.t, e.one)
	return func() {
		_, err := e.one.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.FlushAll(ctx)
			for k, v := range held {
				p.Set(ctx, k, v, 0)
			}
			return nil
		})
		if err != nil {
			e.t.Error(err)
		}
	}
}

type realEnd struct {
	t      testing.TB
	server *enginetest.RedisServer
}

func (e *realEnd) client() *redis.Client {
	c, err := Connect(e.server.URL())
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { c.Close() })
	return c
}

func (e *realEnd) flush() { e.server.Flush(e.t) }

func (e *realEnd) snapshot() func() {
	s := e.server.Snapshot(e.t)
	return func() { e.server.Restore(e.t, s) }
}

// dump reads all that stands in Redis, at one moment.
func dump(t testing.TB, c *redis.Client) map[string]string {
	t.Helper()
	ctx := context.Background()
	for {
		held := make(map[string]string)
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			keys, err := tx.Keys(ctx, "*").Result()
			if err != nil || len(keys) == 0 {
				return err
			}
			values, err := tx.MGet(ctx, keys...).Result()
			if err != nil {
				return err
			}
			for i, k := range keys {
				held[k], _ = values[i].(string)
			}
			// Nobody moved the position meanwhile: then no value was written by a runner either.
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Ping(ctx).Err() })
			return err
		}, positionKey, epochKey)
		if err == nil {
			return held
		}
		if !errors.Is(err, redis.TxFailedErr) {
			t.Fatal(err)
		}
	}
}

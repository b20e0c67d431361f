package groups_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

// tally is what consumers did with the revisions of one stream, over crashes and restarts.
type tally struct {
	mu    sync.Mutex
	acked map[eventstore.Revision]int
}

func (y *tally) ack(r eventstore.Revision) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.acked[r]++
}

func (y *tally) snapshot() map[eventstore.Revision]bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	out := make(map[eventstore.Revision]bool, len(y.acked))
	for r := range y.acked {
		out[r] = true
	}
	return out
}

// consume is one consumer after the other, each for a while, until ctx ends. given is told
// of every message.
func consume(ctx context.Context, gs *groups.Groups, g groups.Config, seed uint64, y *tally, given func(groups.Delivery)) error {
	rng := rand.New(rand.NewPCG(seed, 1))
	for ctx.Err() == nil {
		buffer := 1 + rng.IntN(8)
		c, err := gs.Connect(ctx, g.Key, buffer, groups.Peer{})
		if err != nil {
			return err
		}
		held := map[eventstore.EventID]groups.Delivery{} // no two events here have one id
		for n := rng.IntN(60); n >= 0; n-- {
			// Who holds a full buffer is given nothing until it answers.
			soon, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			d, err := c.Next(soon)
			cancel()
			switch {
			case err == nil:
				given(d)
				held[d.Record.ID] = d
			case ctx.Err() != nil:
				c.Close()
				return ctx.Err()
			case !errors.Is(err, context.DeadlineExceeded):
				c.Close()
				return err
			}
			if g.MessageTimeout == 0 && len(held) > buffer {
				c.Close()
				return fmt.Errorf("%d messages in a buffer of %d", len(held), buffer)
			}
			for id, d := range held {
				var err error
				switch rng.IntN(12) {
				case 0:
					continue // later, or never
				case 1:
					err = c.Nack(groups.Retry, "again", id)
				case 2:
					err = c.Nack(groups.Park, "aside", id)
				default:
					// Before the group knows: what it then writes was acknowledged.
					y.ack(d.Record.Revision)
					err = c.Ack(id)
				}
				if err != nil {
					c.Close()
					return err
				}
				delete(held, id)
			}
		}
		c.Close()
	}
	return ctx.Err()
}

func soak(short, long int) int {
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		return long
	}
	return short
}

// TestNothingIsLost lets consumers come and go, keep, refuse and park messages, while the
// stream grows and the power fails. What was not acknowledged when it failed has to come
// again, and in the end all has been acknowledged.
func TestNothingIsLost(t *testing.T) {
	for round := range soak(12, 1000) {
		seed := rand.Uint64()
		if t.Failed() {
			return
		}
		t.Run(fmt.Sprintf("%d", round), func(t *testing.T) {
			t.Logf("seed %d", seed)
			nothingIsLost(t, seed)
		})
	}
}

func nothingIsLost(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	mem := vfs.NewCrashableMem()
	f := &fixture{t: t, fs: mem}
	f.start()
	defer func() { f.stop() }()
	g := group(day, "g")
	if rng.IntN(2) == 0 {
		g = group(groups.All, "g")
		g.Filter = &groups.Filter{Prefixes: []string{string(day)}}
	}
	g.Strategy = []groups.Strategy{groups.RoundRobin, groups.DispatchToSingle, groups.Pinned}[rng.IntN(3)]
	g.MaxRetryCount = rng.IntN(4)
	g.CheckpointAfter = time.Duration(rng.IntN(5)) * time.Millisecond
	g.MessageTimeout = time.Duration(rng.IntN(2)*50) * time.Millisecond
	f.create(g)
	y := &tally{acked: map[eventstore.Revision]int{}}
	written := 0
	for range 4 {
		f.write(day, written, written+99)
		written += 100
		var count atomic.Int64
		ctx, cancel := context.WithCancel(within(t))
		failed := make(chan error, 4)
		for range cap(failed) {
			seed := rng.Uint64()
			go func() {
				failed <- consume(ctx, f.groups, g, seed, y, func(groups.Delivery) {
					count.Add(1)
				})
			}()
		}
		f.write(day, written, written+19)
		written += 20
		enough := int64(rng.IntN(120))
		eventually(t, "some messages are given", func() bool { return count.Load() >= enough || len(y.snapshot()) == written })
		// The power fails here. What was acknowledged up to now may have been written.
		clone := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
		done := y.snapshot()
		cancel()
		for range cap(failed) {
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Fatalf("a consumer: %v", err)
			}
		}
		f.stop()
		// Of what came after, nothing is in the ledger.
		y.mu.Lock()
		for r := range y.acked {
			if !done[r] {
				delete(y.acked, r)
			}
		}
		y.mu.Unlock()
		mem = clone
		f.fs = mem
		f.start()
	}
	// The rest, and what is parked, until there is nothing more.
	c := f.connect(g.Key, 10)
	defer c.Close()
	if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
		t.Fatalf("replay: %v", err)
	}
	deadline := time.Now().Add(patience)
	for len(y.snapshot()) < written {
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		d, err := c.Next(ctx)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && time.Now().Before(deadline) {
			// Something may have been parked since the replay was asked for.
			if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
				t.Fatalf("replay: %v", err)
			}
			continue
		}
		if err != nil {
			done := y.snapshot()
			for r := range eventstore.Revision(written) {
				if !done[r] {
					t.Errorf("revision %d is lost", r)
				}
			}
			t.Fatalf("next: %v; %+v", err, f.info(g.Key))
		}
		y.ack(d.Record.Revision)
		ack(t, c, d)
	}
}

package availability

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// flights reads streams for those whose value does not count, once for all who ask at the
// same time. Who asks while a read is under way is not answered by that one, which may
// have passed the end of the stream before something was appended that the asker already
// knows of: he waits for the next, together with all others who came meanwhile.
type flights struct {
	slots   chan struct{} // bounds the reads under way
	mu      sync.Mutex
	running map[DayKey]*pair
}

// pair is the read of a day that is under way and the one after it, if anybody waits for it.
type pair struct{ now, next *flight }

// flight is one read of a day's stream, for whoever asked before it started. Its results
// may be read once done is closed.
type flight struct {
	started bool // guarded by flights.mu
	mark    mark // known to somebody who asked, before the start; guarded until then
	done    chan struct{}

	day      day
	revision uint64
	asOf     domain.Instant
	position eventstore.Position
	err      error
	unkept   error // why it was not written back, where Redis could not be written
}

// join returns a read of key that has not started yet. m is where Redis stood when it was
// asked.
func (s *flights) join(key DayKey, m mark, fly func(DayKey, *flight)) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.running[key]
	if !ok {
		p = &pair{now: &flight{mark: m, done: make(chan struct{})}}
		s.running[key] = p
		go s.run(key, p, fly)
		return p.now
	}
	f := p.now
	if f.started {
		if p.next == nil {
			p.next = &flight{done: make(chan struct{})}
		}
		f = p.next
	}
	if m.known {
		f.mark = m
	}
	return f
}

// run makes the reads of one day, one after the other, as long as somebody waits.
func (s *flights) run(key DayKey, p *pair, fly func(DayKey, *flight)) {
	for {
		s.slots <- struct{}{}
		s.mu.Lock()
		f := p.now
		f.started = true
		s.mu.Unlock()
		fly(key, f)
		<-s.slots
		s.mu.Lock()
		close(f.done)
		if p.now, p.next = p.next, nil; p.now == nil {
			delete(s.running, key)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
	}
}

// streamTimeout bounds one read of a stream, which does not end with those who wait for it.
const streamTimeout = 10 * time.Second

// fly reads the day off its stream and writes it back.
func (v *View) fly(key DayKey, f *flight) {
	ctx, cancel := context.WithTimeout(context.Background(), streamTimeout)
	defer cancel()
	// All that Redis was ever seen to have is in the ledger by now.
	f.position = eventstore.Position(v.seen.Load())
	f.asOf = v.clock()
	d, records, err := v.tails.Latest(ctx, codec.DayStream(key.Restaurant, key.Date))
	if err != nil {
		f.err = err
		return
	}
	if records == 0 || !d.state.Opened() {
		return
	}
	f.day, f.revision = d, uint64(records-1)
	f.asOf = max(f.asOf, d.state.Clock())
	if f.mark.known {
		f.unkept = v.writeBack(ctx, key, f)
	}
}

// header of what the flight brought.
func (f *flight) header() header {
	return header{
		epoch: f.mark.epoch, revision: f.revision, asOf: f.asOf,
		clock: f.day.state.Clock(), lapses: f.day.state.NextExpiry(f.asOf),
	}
}

// writeBack stores what was read, if Redis is still at the epoch that was read before the
// stream was, and has nothing newer. It is for the next reader; this one has his answer,
// so its failing does not concern him.
func (v *View) writeBack(ctx context.Context, key DayKey, f *flight) error {
	keep := v.keepFor(key)
	if keep <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, v.opts.RedisTimeout)
	defer cancel()
	value := string(encodeValue(f.header(), f.day))
	at := key.redisKey(f.mark.in)
	write := func(tx *redis.Tx) error {
		var now, old *redis.StringCmd
		if _, err := tx.Pipelined(ctx, func(p redis.Pipeliner) error {
			now, old = p.Get(ctx, epochKey), p.GetRange(ctx, at, 0, ageSize-1)
			return nil
		}); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if now.Val() != f.mark.text() || !newer(value, old.Val()) {
			return nil
		}
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, at, value, keep)
			return nil
		})
		return err
	}
	err := v.redis.Watch(ctx, write, epochKey, at)
	if errors.Is(err, redis.TxFailedErr) {
		return nil // somebody wrote the day at the same moment; if that was older, the next reader heals it
	}
	if err != nil && v.guard.failed() {
		v.log.Warn("availability: Redis cannot be written, answering off the streams", "error", err)
	}
	return err
}

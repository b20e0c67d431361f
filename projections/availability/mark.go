package availability

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// layout is the version of a day's value, and part of it: a value of another layout is as
// good as none, and gives way to the next.
const layout = 4

// keyPrefix has a number of its own, that of what is said beside the values.
//
// The braces let a Redis cluster keep all keys of the view together, which transactions
// over several of them need.
const (
	keyPrefix   = "daybook:{availability:3}:"
	epochKey    = keyPrefix + "epoch"    // the mark but its position: what counts now, and where it lies
	positionKey = keyPrefix + "position" // the mark's position
	recordKey   = keyPrefix + "record"   // the record that it stands at, for who starts on what it finds
	besideKey   = keyPrefix + "beside"   // what lies in the other half
	dayPrefix   = keyPrefix + "day:"
)

// half is one of the two places for the days' values: one is live, and in the other lies
// what a rebuild fills, or what the last one replaced.
type half byte

const (
	halfA half = 'a'
	halfB half = 'b'
)

func (h half) other() half {
	if h == halfA {
		return halfB
	}
	return halfA
}

func (h half) prefix() string { return dayPrefix + string(rune(h)) + ":" }

func (k DayKey) redisKey(in half) string {
	b := make([]byte, 0, len(dayPrefix)+48)
	b = append(b, dayPrefix...)
	b = append(b, byte(in), ':')
	b = append(b, k.Restaurant...)
	b = append(b, ':')
	b = strconv.AppendInt(b, int64(k.Date), 10)
	return string(b)
}

// epoch is the ledger's identity and eight random bytes.
type epoch [16]byte

// newEpoch makes an epoch of this ledger.
func (v *View) newEpoch() (e epoch, err error) {
	copy(e[:8], v.ledger.id[:])
	_, err = rand.Read(e[8:])
	return e, err
}

// mark is where Redis stands. The zero mark is not known.
type mark struct {
	known    bool
	epoch    epoch
	in       half    // where the epoch's values lie
	turn     [8]byte // another whenever an epoch comes to count, also one that did before
	position eventstore.Position
}

// text is the mark but its position.
func (m mark) text() string {
	b := make([]byte, 0, len(m.epoch)+1+len(m.turn))
	b = append(b, m.epoch[:]...)
	b = append(b, byte(m.in))
	return string(append(b, m.turn[:]...))
}

// parseMark reads the two keys; what is missing or cannot be read is not known.
func parseMark(rawEpoch, rawPosition any) (m mark) {
	e, ok := rawEpoch.(string)
	p, ok2 := rawPosition.(string)
	if !ok || !ok2 || len(e) != len(m.epoch)+1+len(m.turn) {
		return mark{}
	}
	n, err := strconv.ParseUint(p, 10, 64)
	copy(m.epoch[:], e)
	m.in = half(e[len(m.epoch)])
	copy(m.turn[:], e[len(m.epoch)+1:])
	if err != nil || m.in != halfA && m.in != halfB {
		return mark{}
	}
	m.known, m.position = true, eventstore.Position(n)
	return m
}

func formatPosition(p eventstore.Position) string { return strconv.FormatUint(uint64(p), 10) }

// identity is which ledger this is: the start of its first event's id.
type identity struct {
	ready atomic.Bool // id is set, and Redis was compared with the ledger once
	id    [8]byte
}

// valid reports whether values of the mark's epoch count for a process that had seen
// floor before it read the mark.
func (v *View) valid(m mark, floor uint64) bool {
	return m.known && [8]byte(m.epoch[:8]) == v.ledger.id && uint64(m.position) >= floor
}

// saw remembers a position that Redis has had.
func (v *View) saw(p eventstore.Position) {
	for {
		old := v.seen.Load()
		if old >= uint64(p) || v.seen.CompareAndSwap(old, uint64(p)) {
			return
		}
	}
}

// prepare compares Redis with the ledger before this process trusts either: Redis may
// have served another ledger, or one that was put back to the past since. While the
// ledger is empty there is nothing to compare, and ok is false.
func (v *View) prepare(ctx context.Context) (ok bool, err error) {
	if v.ledger.ready.Load() {
		return true, nil
	}
	v.renewal.Lock()
	defer v.renewal.Unlock()
	if v.ledger.ready.Load() {
		return true, nil
	}
	found := false
	for r, err := range v.store.ReadAll(ctx, eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			return false, err
		}
		copy(v.ledger.id[:], r.ID[:])
		found = true
		break
	}
	if !found {
		return false, nil
	}
	m, at, err := v.stands(ctx)
	if err != nil {
		return false, err
	}
	holds := v.valid(m, 0)
	if holds {
		// Of a ledger that was put back since, all values may tell of what was lost.
		if err = at.Check(ctx, v.store); err != nil && !errors.Is(err, feed.ErrEstranged) {
			return false, err
		}
		holds = err == nil
	}
	if holds {
		v.saw(m.position)
	} else if _, err := v.begin(ctx, func(now mark) bool { return v.valid(now, 0) && now.text() != m.text() }); err != nil {
		return false, err
	}
	v.ledger.ready.Store(true)
	return true, nil
}

// mark reads where Redis stands.
func (v *View) mark(ctx context.Context) (mark, error) {
	got, err := v.redis.MGet(ctx, epochKey, positionKey).Result()
	if err != nil {
		return mark{}, err
	}
	return parseMark(got[0], got[1]), nil
}

// stands reads where Redis stands, with the record that it stands at.
func (v *View) stands(ctx context.Context) (mark, feed.Place, error) {
	got, err := v.redis.MGet(ctx, epochKey, positionKey, recordKey).Result()
	if err != nil {
		return mark{}, feed.Place{}, err
	}
	m := parseMark(got[0], got[1])
	text, _ := got[2].(string)
	record, err := feed.ParseMark(text)
	if err != nil {
		record = feed.Mark{} // as good as none
	}
	return m, feed.Place{Position: m.position, Record: record}, nil
}

// put down where Redis stands, in the transaction that makes it so.
func setPlace(ctx context.Context, p redis.Pipeliner, at feed.Place) {
	p.Set(ctx, positionKey, formatPosition(at.Position), 0)
	p.Set(ctx, recordKey, at.Record.String(), 0)
}

// renew returns a mark that counts: the one in Redis, if somebody else has seen to it
// meanwhile, else that of a new epoch.
func (v *View) renew(ctx context.Context) (mark, error) {
	v.renewal.Lock()
	defer v.renewal.Unlock()
	floor := v.seen.Load()
	return v.begin(ctx, func(m mark) bool { return v.valid(m, floor) })
}

var errContended = errors.New("availability: Redis changed at every attempt")

// casAttempts bounds how often a transaction is tried that others disturb.
const casAttempts = 16

// begin starts a new epoch unless what stands in Redis is good. The caller holds renewal.
//
// The new epoch begins at the head of the ledger: it has no values yet, and each that it
// gets is read off its stream later than this. No process can have seen more, so none
// takes the new epoch for an old one.
func (v *View) begin(ctx context.Context, good func(mark) bool) (m mark, err error) {
	for range casAttempts {
		err = v.redis.Watch(ctx, func(tx *redis.Tx) error {
			got, err := tx.MGet(ctx, epochKey, positionKey).Result()
			if err != nil {
				return err
			}
			if m = parseMark(got[0], got[1]); good(m) {
				return nil
			}
			old := m
			at, err := feed.Newest(ctx, v.store)
			if err != nil {
				return err
			}
			at.Position = max(at.Position, eventstore.Position(v.seen.Load()))
			m = mark{known: true, in: halfA, position: at.Position}
			if old.known {
				m.in = old.in // the other half is not its to write to
			}
			if m.epoch, err = v.newEpoch(); err != nil {
				return err
			}
			if _, err := rand.Read(m.turn[:]); err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, epochKey, m.text(), 0)
				setPlace(ctx, p, at)
				return nil
			})
			if err == nil {
				v.log.Info("availability: a new epoch begins, days are read off their streams again",
					"had", old.known, "position", uint64(old.position), "seen", v.seen.Load(), "from", uint64(m.position))
			}
			return err
		}, epochKey, positionKey)
		switch {
		case err == nil:
			v.saw(m.position)
			return m, nil
		case !errors.Is(err, redis.TxFailedErr):
			return mark{}, err
		}
	}
	return mark{}, errContended
}

// look reads the mark and the values of days in one round trip. A mark that is not known
// means that Redis cannot be used now; a value that is not there is empty.
func (v *View) look(ctx context.Context, days []DayKey) (mark, []string) {
	none := make([]string, len(days))
	if !v.guard.allow() {
		return mark{}, none
	}
	limited, cancel := context.WithTimeout(ctx, v.opts.RedisTimeout)
	defer cancel()
	m, values, err := v.lookNow(limited, days)
	switch {
	case err == nil:
		v.guard.succeeded()
	case ctx.Err() == nil:
		if v.guard.failed() {
			v.log.Warn("availability: Redis cannot be read, answering off the streams", "error", err)
		}
	}
	if values == nil {
		values = none
	}
	return m, values
}

func (v *View) lookNow(ctx context.Context, days []DayKey) (mark, []string, error) {
	if ok, err := v.prepare(ctx); !ok || err != nil {
		return mark{}, nil, err
	}
	// Where the values lie is told by the mark. It is guessed, so that one round trip brings
	// both, and read again where the guess was wrong: that is once after a rebuild.
	in := v.half()
	for {
		keys := make([]string, 2, 2+len(days))
		keys[0], keys[1] = epochKey, positionKey
		for _, d := range days {
			keys = append(keys, d.redisKey(in))
		}
		floor := v.seen.Load()
		got, err := v.redis.MGet(ctx, keys...).Result()
		if err != nil {
			return mark{}, nil, err
		}
		if len(got) != len(keys) {
			return mark{}, nil, fmt.Errorf("availability: %d values for %d keys", len(got), len(keys))
		}
		m := parseMark(got[0], got[1])
		if !v.valid(m, floor) {
			m, err := v.renew(ctx)
			return m, nil, err
		}
		v.saw(m.position)
		if m.in != in {
			v.liesIn.Store(uint32(m.in))
			in = m.in
			continue
		}
		values := make([]string, len(days))
		for i := range days {
			values[i], _ = got[2+i].(string)
		}
		return m, values, nil
	}
}

// half is where the values were when this process last looked.
func (v *View) half() half {
	if in := half(v.liesIn.Load()); in != 0 {
		return in
	}
	return halfA
}

// keepAfter is how long after its date's midnight, in UTC, a day's value is kept: no
// day of any zone can be booked any more by then.
const keepAfter = 3 * 24 * time.Hour

// keepFor returns how long the value of a day is to be kept from now on; 0 or less for
// one that is past, which is answered off its stream.
func (v *View) keepFor(key DayKey) time.Duration {
	end := time.Unix(int64(key.Date)*86_400, 0).Add(keepAfter)
	return end.Sub(v.clock().Time())
}

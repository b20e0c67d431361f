package availability

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections"
)

// copied is the view in the half that is not live. What says where it stands names its
// epoch and position, and changes with every write: of two that feed one copy, the first to
// write ends the other.
type copied struct {
	view  *View
	folds *projections.Folds[day]
	epoch epoch
	in    half
	build string
	kept  bool
	at    feed.Place
	empty bool // the ledger was empty
}

func (c *copied) rebuilding() projections.Rebuilding {
	return projections.Rebuilding{View: c, Compare: c.compare, Swap: c.swap, Abandon: c.abandon}
}

func (c *copied) text(at feed.Place) string {
	return beside{
		Epoch: c.epoch[:], In: string(rune(c.in)), Position: at.Position, Record: at.Record.String(), Build: c.build, Kept: c.kept,
	}.text()
}

// Name implements projections.View.
func (c *copied) Name() string { return Name }

// Checkpoint implements projections.View.
func (c *copied) Checkpoint(ctx context.Context) (feed.Place, error) {
	if c.empty {
		return feed.Place{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, runnerTimeout)
	defer cancel()
	b, there, err := c.view.readBeside(ctx, c.view.redis)
	if err != nil {
		return feed.Place{}, err
	}
	if !there || epoch(b.Epoch) != c.epoch {
		return feed.Place{}, c.taken()
	}
	record, err := feed.ParseMark(b.Record)
	if err != nil {
		return feed.Place{}, err
	}
	c.at = feed.Place{Position: b.Position, Record: record}
	return c.at, nil
}

// taken says that another rebuild has the half.
func (c *copied) taken() error {
	return fmt.Errorf("availability: the copy is not where it was left: %w", projections.ErrMoved)
}

// Apply implements projections.View.
func (c *copied) Apply(ctx context.Context, b eventstore.Batch) error {
	if b.Position <= c.at.Position || c.empty {
		return nil
	}
	to := c.at.After(b)
	v := c.view
	changes, err := v.fold(ctx, c.folds, b.Records)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, runnerTimeout)
	defer cancel()
	keys := make([]string, len(changes))
	for i, changed := range changes {
		keys[i] = changed.key.redisKey(c.in)
	}
	for range casAttempts {
		err := v.redis.Watch(ctx, func(tx *redis.Tx) error {
			is, old, err := withAges(ctx, tx, keys, besideKey)
			if err != nil {
				return err
			}
			if is[0] != c.text(c.at) {
				return c.taken()
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				for i, changed := range changes {
					v.put(ctx, p, keys[i], changed, c.epoch, old[i])
				}
				p.Set(ctx, besideKey, c.text(to), 0)
				return nil
			})
			return err
		}, append(keys, besideKey)...)
		if err == nil {
			c.at = to
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
	return errContended
}

// follow brings the copy to the head of the ledger.
func (c *copied) follow(ctx context.Context) error {
	newest, err := feed.Newest(ctx, c.view.store)
	if err != nil || newest.Position <= c.at.Position {
		return err
	}
	return projections.Follow(ctx, c.view.store, c, c.at.Position, newest.Position)
}

// meetings bounds how often a live view that moves on is compared again, or run after.
const meetings = 20

// compare holds the copy's days against the live ones. The live view need not have a value
// for every day, and one of another revision is no worse: both are left out. So it looks
// again while days move on.
func (c *copied) compare(ctx context.Context) ([]projections.Compared, error) {
	if c.empty {
		return nil, nil
	}
	found := projections.Compared{What: "days"}
	for range meetings {
		if err := c.follow(ctx); err != nil {
			return nil, err
		}
		found = projections.Compared{What: "days"}
		moved := false
		err := c.view.eachDay(ctx, c.in, func(keys []string) error {
			beside := keys
			live := make([]string, len(keys))
			for i, key := range keys {
				live[i] = c.in.other().prefix() + key[len(c.in.prefix()):]
			}
			is, err := c.view.values(ctx, beside)
			if err != nil {
				return err
			}
			was, err := c.view.values(ctx, live)
			if err != nil {
				return err
			}
			for i := range keys {
				h, ok := parseHeader(is[i])
				if !ok || h.epoch != c.epoch {
					continue
				}
				found.Entries++
				before, ok := parseHeader(was[i])
				if !ok {
					continue
				}
				if before.revision != h.revision {
					moved = true
				} else if was[i][headerSize:] != is[i][headerSize:] {
					found.OnlyLive++
					found.OnlyCopy++
				}
			}
			return nil
		})
		if err != nil || !moved {
			return []projections.Compared{found}, err
		}
	}
	return []projections.Compared{found}, nil
}

var errBehind = errors.New("availability: the live view is ahead of its copy")

// swap implements Rebuilding.Swap: epoch and position change in one step, and what was live
// is what lies beside from then on.
func (c *copied) swap(ctx context.Context) error {
	if c.empty {
		return nil
	}
	v := c.view
	err := errBehind
	for n := 0; n < meetings && errors.Is(err, errBehind); n++ {
		if err = c.follow(ctx); err != nil {
			return err
		}
		err = c.trySwap(ctx)
	}
	if err == nil {
		v.log.Info("availability: another copy of the view counts", "position", uint64(c.at.Position))
	}
	return err
}

func (c *copied) trySwap(ctx context.Context) error {
	v := c.view
	ctx, cancel := context.WithTimeout(ctx, runnerTimeout)
	defer cancel()
	v.renewal.Lock()
	defer v.renewal.Unlock()
	for range casAttempts {
		floor := v.seen.Load()
		err := v.redis.Watch(ctx, func(tx *redis.Tx) error {
			is, err := tx.MGet(ctx, epochKey, positionKey, besideKey, recordKey).Result()
			if err != nil {
				return err
			}
			live := parseMark(is[0], is[1])
			switch {
			case is[2] != c.text(c.at):
				return c.taken()
			case live.known && live.in == c.in:
				return c.taken()
			case v.valid(live, 0) && live.position > c.at.Position || uint64(c.at.Position) < floor:
				return errBehind
			}
			next := mark{known: true, epoch: c.epoch, in: c.in, position: c.at.Position}
			if _, err := rand.Read(next.turn[:]); err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, epochKey, next.text(), 0)
				setPlace(ctx, p, c.at)
				if !v.valid(live, floor) {
					p.Del(ctx, besideKey) // what was lost, or is another ledger's, is not kept
					return nil
				}
				was := beside{Epoch: live.epoch[:], In: string(rune(live.in)), Position: live.position, Kept: true}
				was.Record, _ = is[3].(string)
				p.Set(ctx, besideKey, was.text(), 0)
				return nil
			})
			return err
		}, epochKey, positionKey, besideKey)
		if err == nil {
			v.saw(c.at.Position)
			v.liesIn.Store(uint32(c.in))
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
	return errContended
}

// abandon drops the copy.
func (c *copied) abandon(ctx context.Context) error {
	if c.empty {
		return nil
	}
	v := c.view
	gone := false
	err := v.redis.Watch(ctx, func(tx *redis.Tx) error {
		b, there, err := v.readBeside(ctx, tx)
		if err != nil || !there || epoch(b.Epoch) != c.epoch {
			return err // somebody else has the half
		}
		gone = true
		_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, besideKey)
			return nil
		})
		return err
	}, besideKey)
	if err != nil || !gone {
		return err
	}
	return v.clear(ctx, c.in)
}

// scanned is how many keys are looked at in one step.
const scanned = 512

// eachDay hands the keys of a half's days to f, in portions. A key that comes or goes
// meanwhile may be missed, and one may come twice.
func (v *View) eachDay(ctx context.Context, in half, f func(keys []string) error) error {
	var cursor uint64
	for {
		keys, next, err := v.redis.Scan(ctx, cursor, in.prefix()+"*", scanned).Result()
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			if err := f(keys); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// clear empties a half.
func (v *View) clear(ctx context.Context, in half) error {
	return v.eachDay(ctx, in, func(keys []string) error { return v.redis.Unlink(ctx, keys...).Err() })
}

// values reads days; one that is not there is empty.
func (v *View) values(ctx context.Context, keys []string) ([]string, error) {
	got, err := v.redis.MGet(ctx, keys...).Result()
	if err != nil {
		return nil, err
	}
	all := make([]string, len(got))
	for i := range got {
		all[i], _ = got[i].(string)
	}
	return all, nil
}

package availability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"daybook/eventstore"
	"daybook/projections"
)

// Version is that of the values in Redis.
func (v *View) Version() string { return strconv.Itoa(layout) }

// beside says what lies in the half that is not live.
type beside struct {
	Epoch    []byte              `json:"epoch"`
	In       string              `json:"in"`
	Position eventstore.Position `json:"position,string"`
	Record   string              `json:"record,omitempty"` // a feed.Mark
	Build    string              `json:"build"`            // the program that fills it
	Kept     bool                `json:"kept"`             // it was live
}

func (v *View) readBeside(ctx context.Context, from redis.Cmdable) (b beside, there bool, err error) {
	raw, err := from.Get(ctx, besideKey).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return b, false, nil
	case err != nil:
		return b, false, err
	}
	// What cannot be read, or is another ledger's, is as good as nothing.
	//nolint:nilerr // so that it cannot be read is no error
	if json.Unmarshal(raw, &b) != nil || len(b.Epoch) != len(epoch{}) || [8]byte(b.Epoch[:8]) != v.ledger.id {
		return beside{}, false, nil
	}
	return b, true, nil
}

func (b beside) text() string {
	text, err := json.Marshal(b)
	if err != nil {
		panic(fmt.Sprintf("availability: %v", err)) // plain values only
	}
	return string(text)
}

// Rebuild implements projections.Rebuildable: the other half of Redis is filled. Days that
// are past have no value.
func (v *View) Rebuild(ctx context.Context, build string) (projections.Rebuilding, error) {
	return v.beginCopy(ctx, func(b beside, there bool, live mark) (beside, error) {
		if there && !b.Kept && b.Build == build && b.In == string(rune(live.in.other())) {
			return b, nil
		}
		if err := v.clear(ctx, live.in.other()); err != nil {
			return b, err
		}
		e, err := v.newEpoch()
		return beside{Epoch: e[:], In: string(rune(live.in.other())), Build: build}, err
	})
}

// Kept implements projections.Rebuildable.
func (v *View) Kept(ctx context.Context) (projections.Rebuilding, error) {
	return v.beginCopy(ctx, func(b beside, there bool, live mark) (beside, error) {
		if !there || !b.Kept || b.In != string(rune(live.in.other())) {
			return b, projections.ErrNothingKept
		}
		return b, nil
	})
}

// beginCopy takes the other half in hand as choose says, in one step with looking at it.
func (v *View) beginCopy(ctx context.Context, choose func(beside, bool, mark) (beside, error)) (projections.Rebuilding, error) {
	ctx, cancel := context.WithTimeout(ctx, runnerTimeout)
	defer cancel()
	c := &copied{view: v, folds: v.newFolds()}
	ok, err := v.prepare(ctx)
	if err != nil {
		return projections.Rebuilding{}, fmt.Errorf("availability: %w", err)
	}
	if !ok { // an empty ledger has no days
		c.empty = true
		return c.rebuilding(), nil
	}
	for range casAttempts {
		err = v.redis.Watch(ctx, func(tx *redis.Tx) error {
			marks, err := tx.MGet(ctx, epochKey, positionKey).Result()
			if err != nil {
				return err
			}
			live := parseMark(marks[0], marks[1])
			if !v.valid(live, 0) {
				return errStale
			}
			b, there, err := v.readBeside(ctx, tx)
			if err != nil {
				return err
			}
			if b, err = choose(b, there, live); err != nil {
				return err
			}
			copy(c.epoch[:], b.Epoch)
			c.in, c.build, c.kept = half(b.In[0]), b.Build, b.Kept
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, besideKey, b.text(), 0)
				return nil
			})
			return err
		}, epochKey, besideKey)
		switch {
		case err == nil:
			return c.rebuilding(), nil
		case errors.Is(err, errStale):
			if _, err := v.renew(ctx); err != nil {
				return projections.Rebuilding{}, err
			}
		case !errors.Is(err, redis.TxFailedErr):
			return projections.Rebuilding{}, fmt.Errorf("availability: begin a copy: %w", err)
		}
	}
	return projections.Rebuilding{}, errContended
}

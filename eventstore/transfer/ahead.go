package transfer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"daybook/eventstore"
)

// What a reader hands over at once, and how much of that it has ready at most.
const (
	aheadRecords = 256
	aheadBytes   = 1 << 20
	aheadBatches = 4
)

// reader reads a ledger ahead of its user, so that reading, comparing and appending go on
// at the same time. Where the store is unavailable it goes on from where it was.
type reader struct {
	cancel  context.CancelFunc
	batches chan []eventstore.Record
	over    chan struct{} // closed when the reading has ended

	batch []eventstore.Record
	used  int

	// Set before batches is closed.
	err     error
	omitted uint64              // stream metadata and deletions
	seen    eventstore.Position // of the last record read, passed on or not
}

// readAhead begins to read the records of store after a position, to its end as of now.
// name is for errors.
func readAhead(ctx context.Context, store eventstore.Store, name string, after eventstore.Position, limit time.Duration) *reader {
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{cancel: cancel, batches: make(chan []eventstore.Record, aheadBatches), over: make(chan struct{}), seen: after}
	go func() {
		defer close(r.over)
		defer close(r.batches)
		if err := r.read(ctx, store, limit); err != nil {
			r.err = fmt.Errorf("transfer: %s: %w", name, err)
		}
	}()
	return r
}

// next returns the next record; more is false at the end and beside an error.
func (r *reader) next() (record eventstore.Record, more bool, err error) {
	if r.used == len(r.batch) {
		r.batch, more = <-r.batches
		if !more {
			r.batch, r.used = nil, 0
			return eventstore.Record{}, false, r.err
		}
		r.used = 0
	}
	r.used++
	return r.batch[r.used-1], true, nil
}

// stop ends the reading and waits until it has.
func (r *reader) stop() {
	r.cancel()
	<-r.over
}

func (r *reader) read(ctx context.Context, store eventstore.Store, limit time.Duration) error {
	wait := patience{limit: limit}
	for {
		before := r.seen
		err := r.pass(ctx, store)
		if err == nil || !passing(err) {
			return err
		}
		if r.seen != before {
			wait = patience{limit: limit}
		}
		if !wait.again(ctx) {
			return err
		}
	}
}

// pass reads from where the reader is to the end.
func (r *reader) pass(ctx context.Context, store eventstore.Store) error {
	var batch []eventstore.Record
	bytes := 0
	hand := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case r.batches <- batch:
			batch, bytes = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// With the engine's own, to see what is left out.
	for record, err := range store.ReadAll(ctx, r.seen, eventstore.Everything()) {
		if err != nil {
			if handErr := hand(); handErr != nil {
				return handErr
			}
			return err
		}
		r.seen = record.Position
		if !(eventstore.Filter{}).Passes(record.Stream, record.Type) {
			if tellsOfStream(&record) {
				r.omitted++
			}
			continue
		}
		batch = append(batch, record)
		bytes += len(record.Data) + len(record.Metadata)
		if len(batch) == aheadRecords || bytes >= aheadBytes {
			if err := hand(); err != nil {
				return err
			}
		}
	}
	return hand()
}

// tellsOfStream reports whether an engine's record says something of a stream that is not
// the engine's: its metadata, or that it was deleted.
func tellsOfStream(r *eventstore.Record) bool {
	if r.Type == eventstore.StreamDeletedType {
		return !strings.HasPrefix(string(r.Stream), "$")
	}
	of, isMetadata := strings.CutPrefix(string(r.Stream), string(eventstore.MetadataOf("")))
	return isMetadata && !strings.HasPrefix(of, "$")
}

// passing reports whether err may be gone by itself soon.
func passing(err error) bool {
	return errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, eventstore.ErrDenied)
}

// patience is for how long, and how often, a store that is unavailable is tried again.
type patience struct {
	limit time.Duration
	since time.Time
	last  time.Duration
}

// The waits between attempts double from one to the other.
const (
	firstWait = 20 * time.Millisecond
	longWait  = 2 * time.Second
)

// again waits before the next attempt; false if there should be none.
func (p *patience) again(ctx context.Context) bool {
	now := time.Now()
	if p.since.IsZero() {
		p.since = now
	}
	left := p.limit - now.Sub(p.since)
	if left <= 0 {
		return false
	}
	p.last = min(max(2*p.last, firstWait), longWait, left)
	timer := time.NewTimer(p.last)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

package transfer

import (
	"context"
	"errors"
	"fmt"

	"daybook/eventstore"
)

// run is a row of neighbours in the ledger that one append can take: of one stream, with
// revisions that follow on each other.
type run struct {
	stream eventstore.StreamName
	first  eventstore.Revision
	events []eventstore.Event
	places []eventstore.Position // of the events, in the source
	ids    map[eventstore.EventID]struct{}
	bytes  int // of data and metadata
}

// takes reports whether r can be added.
func (n *run) takes(r *eventstore.Record, limits Options) bool {
	if len(n.events) == 0 {
		return true
	}
	_, twice := n.ids[r.ID] // other clients may have made such streams; an append cannot
	return !twice && r.Stream == n.stream &&
		r.Revision == n.first+eventstore.Revision(len(n.events)) &&
		len(n.events) < limits.BatchEvents &&
		n.bytes+len(r.Data)+len(r.Metadata) <= limits.BatchBytes
}

func (n *run) add(r eventstore.Record) {
	if len(n.events) == 0 {
		n.stream, n.first = r.Stream, r.Revision
		if n.ids == nil {
			n.ids = map[eventstore.EventID]struct{}{}
		}
	}
	n.events = append(n.events, r.Event)
	n.ids[r.ID] = struct{}{}
	n.bytes += len(r.Data) + len(r.Metadata)
	n.places = append(n.places, r.Position)
}

func (n *run) clear() {
	clear(n.events)
	clear(n.ids)
	*n = run{events: n.events[:0], places: n.places[:0], ids: n.ids}
}

// expected is what the target's stream must be at, which is never open to doubt: an
// append that is made again finds itself.
func (n *run) expected() eventstore.Expected {
	if n.first == 0 {
		return eventstore.NoStream()
	}
	return eventstore.At(n.first - 1)
}

func (n *run) last() eventstore.Revision {
	return n.first + eventstore.Revision(len(n.events)) - 1
}

// one is the run's i-th event alone.
func (n *run) one(i int) *run {
	return &run{stream: n.stream, first: n.first + eventstore.Revision(i), events: n.events[i : i+1], places: n.places[i : i+1]}
}

// flush appends the run that was gathered and empties it.
func (c *copying) flush(ctx context.Context) error {
	n := &c.gathered
	if len(n.events) == 0 {
		return nil
	}
	before := (c.report.Found + c.report.Copied) / progressEvery
	err := c.append(ctx, n)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) && len(n.events) > 1 {
		// Part of the run may stand there: another copy, or an append of an earlier one that
		// was thought lost, got it there with other limits. One by one they find themselves.
		for i := range n.events {
			if err = c.append(ctx, n.one(i)); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	n.clear()
	if (c.report.Found+c.report.Copied)/progressEvery != before {
		c.tell(Copying)
	}
	return nil
}

// append appends n. Only one append is under way at a time: of two, the later one might
// come first, and then the order of the ledger would be another, and the target after a
// crash no beginning of the source.
func (c *copying) append(ctx context.Context, n *run) error {
	wait := patience{limit: c.options.Patience}
	for {
		at, err := c.to.Append(ctx, n.stream, n.expected(), n.events...)
		var conflict *eventstore.ConflictError
		switch {
		case err == nil && at.Revision != n.last():
			return fmt.Errorf("transfer: the target put revision %d of stream %q at revision %d", n.last(), n.stream, at.Revision)
		case err == nil:
			c.report.Appends++
			c.report.Copied += uint64(len(n.events))
			c.report.SourceEnd, c.report.TargetEnd = n.places[len(n.places)-1], at.Position
			return nil
		case errors.As(err, &conflict):
			return c.refused(ctx, n, conflict)
		case passing(err), errors.Is(err, eventstore.ErrUnknownOutcome):
			if wait.again(ctx) {
				continue
			}
		}
		return fmt.Errorf("transfer: target: append of revision %d of stream %q: %w", n.first, n.stream, err)
	}
}

// refused says what a conflict means. The target held the source's records up to here, so
// it can be behind only where the source lacks some, and ahead only by another's hand.
func (c *copying) refused(ctx context.Context, n *run, conflict *eventstore.ConflictError) error {
	next := eventstore.Revision(0)
	if conflict.Actual.Exists {
		next = conflict.Actual.Revision + 1
	}
	if next < n.first {
		return &GapError{Stream: n.stream, Want: next, Got: n.first}
	}
	want := eventstore.Record{Event: n.events[0], Stream: n.stream, Revision: n.first}
	for there, err := range c.to.ReadStream(ctx, n.stream, n.first) {
		if err != nil || same(&want, &there) {
			break // then the conflict says more
		}
		return &ForeignError{Number: c.report.Found + c.report.Copied, Source: &want, Target: there}
	}
	return fmt.Errorf("transfer: somebody else writes to the target: %w", conflict)
}

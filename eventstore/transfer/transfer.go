// Package transfer moves a whole book from one event store into another: from the
// embedded one into a KurrentDB cluster, back, or into a fresh copy of either.
//
// What belongs here: copying a ledger over the contract alone, and comparing two. What
// does not: a consistent copy of the embedded store's files (its own backup, which is
// faster and keeps positions), and the command line (cmd/daybook).
//
// # What is kept and what is not
//
// Each record that the default filter passes keeps its event's id, type, data, metadata
// and Binary, its stream and its revision there, and its place among all records of the
// ledger. The domain's times, decidedAt and recordedAt, stand in the metadata and so are
// kept.
//
// Position and Record.Recorded are the target's own. So every cursor starts over: the
// views' checkpoints, position tokens that clients hold, and the places of subscriptions
// (see Notice). The engine's own records, stream metadata and deletions among them, are
// left out and counted: what a stream hides in the source is shown in the target.
//
// # Interrupted copies
//
// A copy keeps nothing beside the two stores. The target always holds the first records
// of the source, in order, because each append is made only after the one before it is
// durable. A copy that was broken off, at whatever moment, is begun again with the same
// call: it compares what the target holds with the source and goes on behind it. Appends
// carry the source's event ids and exact expected revisions, so one whose outcome never
// became known is made again without doubling anything. A target that holds anything but
// the first records of the source is refused with a ForeignError, before anything is
// written.
//
// Two copies into one target at the same time do no harm to each other. A writer of other
// events does: the copy stops at the first conflict, or fails its verification.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"daybook/eventstore"
)

// Notice is what whoever copies has to know of positions, in one line for people.
const Notice = "Positions and recording times are the target's own: every checkpoint, cursor and position token of the source starts over."

// Phase is what a copy is at.
type Phase int

// The phases of a copy, in their order.
const (
	// Comparing what the target holds already with the source.
	Comparing Phase = iota
	// Copying what it lacks.
	Copying
	// Verifying reads both from the start.
	Verifying
)

func (p Phase) String() string {
	switch p {
	case Comparing:
		return "comparing"
	case Copying:
		return "copying"
	case Verifying:
		return "verifying"
	default:
		return fmt.Sprintf("phase %d", int(p))
	}
}

// Progress is how far a copy or a verification has come.
type Progress struct {
	Phase Phase
	// Records of the source that this phase has dealt with, those of an earlier phase
	// included where the phase goes on from there.
	Records uint64
	// At and End are positions of the source: of the last record dealt with, and of its
	// head when the phase began. They tell how much is left where no count can.
	At, End eventstore.Position
}

// Options of Copy and Verify. The zero value is fit for use.
type Options struct {
	// BatchEvents is the most events in one append, 512 if 0 and never more than
	// eventstore.MaxAppendEvents. Only neighbours of one stream share an append, or the
	// order of the ledger would change.
	BatchEvents int
	// BatchBytes is the most data and metadata in one append of several events, 512 KiB
	// if 0, which is below KurrentDB's own default limit, and never more than
	// eventstore.MaxAppendSize.
	BatchBytes int
	// Patience is for how long a store that is unavailable is tried again without any
	// success, 1 min if 0.
	Patience time.Duration
	// Progress, where set, is called from time to time, at least once per 1024 records, from
	// the goroutine that called Copy or Verify. It holds up the copy while it runs.
	Progress func(Progress)
}

func (o Options) filled() Options {
	if o.BatchEvents <= 0 {
		o.BatchEvents = 512
	}
	o.BatchEvents = min(o.BatchEvents, eventstore.MaxAppendEvents)
	if o.BatchBytes <= 0 {
		o.BatchBytes = 512 << 10
	}
	o.BatchBytes = min(o.BatchBytes, eventstore.MaxAppendSize)
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	return o
}

// Report is what a copy did.
type Report struct {
	Found   uint64 // records that the target held already
	Copied  uint64 // records appended by this call
	Appends uint64 // that it took
	// Omitted counts the stream metadata and deletions of the source that were left out;
	// engine records of other kinds are not counted.
	Omitted uint64
	// Left counts the records of the source that came while the copy was being verified.
	// Call Copy again for them, best with the source's writers stopped.
	Left uint64
	// SourceEnd is the source's position of the last record that the target holds, and
	// TargetEnd the target's position of the same record. Start if there is none.
	SourceEnd, TargetEnd eventstore.Position
	// Verified is the comparison of both, up to SourceEnd. Zero if the copy did not get
	// that far.
	Verified Comparison
}

// maxRounds bounds how often a copy returns to a source that keeps growing. Each round
// has what came during the one before, so they get short fast if they get short at all.
const maxRounds = 32

// Copy makes to hold all of from's records, in from's order, then compares both record by
// record. See the package comment for what is kept. Records that come to from meanwhile
// are copied too, up to its head as of the end of the copying.
//
// It is safe to end ctx at any moment, or the process: the next Copy goes on. The report
// is right also beside an error. Errors: *ForeignError if to holds or gets other events
// than from's, *GapError if from no longer holds all revisions of a stream,
// *DifferenceError if the verification fails, the stores' own errors (ErrUnavailable
// after Options.Patience), or ctx's error.
func Copy(ctx context.Context, from, to eventstore.Store, options Options) (Report, error) {
	c := &copying{from: from, to: to, options: options.filled()}
	err := c.run(ctx)
	if err != nil {
		// Whoever stopped the copy finds that in the error, whatever the stores made of it.
		if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		return c.report, err
	}
	return c.report, nil
}

// copying is one call of Copy.
type copying struct {
	from, to eventstore.Store
	options  Options
	report   Report
	head     eventstore.Position // of the source, for progress
	gathered run                 // read, and not yet appended
}

func (c *copying) run(ctx context.Context) error {
	var err error
	if c.head, err = headOf(ctx, c.from, "source", c.options.Patience); err != nil {
		return err
	}
	source := readAhead(ctx, c.from, "source", eventstore.Start, c.options.Patience)
	defer func() { source.stop() }()
	if err := c.resume(ctx, source); err != nil {
		return err
	}
	for round := 1; ; round++ {
		copied, err := c.round(ctx, source)
		source.stop()
		c.report.Omitted += source.omitted
		if err != nil {
			return err
		}
		if !copied || round == maxRounds {
			break
		}
		source = readAhead(ctx, c.from, "source", source.seen, c.options.Patience)
	}
	c.tell(Copying)
	if c.report.Verified, err = verify(ctx, c.from, c.to, c.report.SourceEnd, c.options); err != nil {
		return err
	}
	source = readAhead(ctx, c.from, "source", c.report.SourceEnd, c.options.Patience)
	for {
		_, more, err := source.next()
		if err != nil || !more {
			return err
		}
		c.report.Left++
	}
}

// resume compares what the target holds with the records that source begins with.
func (c *copying) resume(ctx context.Context, source *reader) error {
	target := readAhead(ctx, c.to, "target", eventstore.Start, c.options.Patience)
	defer target.stop()
	for {
		there, more, err := target.next()
		if err != nil {
			return err
		}
		if !more {
			c.tell(Comparing)
			return nil
		}
		want, more, err := source.next()
		if err != nil {
			return err
		}
		if !more {
			return &ForeignError{Number: c.report.Found, Target: there}
		}
		if !same(&want, &there) {
			return &ForeignError{Number: c.report.Found, Source: &want, Target: there}
		}
		c.report.Found++
		c.report.SourceEnd, c.report.TargetEnd = want.Position, there.Position
		if c.report.Found%progressEvery == 0 {
			c.tell(Comparing)
		}
	}
}

// round appends what source still gives.
func (c *copying) round(ctx context.Context, source *reader) (copied bool, err error) {
	for {
		record, more, err := source.next()
		if err != nil {
			return copied, err
		}
		if !more {
			break
		}
		if !c.gathered.takes(&record, c.options) {
			if err := c.flush(ctx); err != nil {
				return copied, err
			}
		}
		c.gathered.add(record)
		copied = true
	}
	return copied, c.flush(ctx)
}

// progressEvery is after how many records progress is told.
const progressEvery = 1024

func (c *copying) tell(phase Phase) {
	at := c.report.SourceEnd
	c.options.Progress(Progress{Phase: phase, Records: c.report.Found + c.report.Copied, At: at, End: max(at, c.head)})
}

package feed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"daybook/eventstore"
)

// Place is where a reader stands in the ledger, and by what it would know the ledger again.
// A position alone says nothing once the ledger was restored to an earlier state and has
// grown past it: what stood there is gone, and something else stands there. So a reader
// keeps both, and has them checked before it goes on.
type Place struct {
	Position eventstore.Position // all up to here has been read
	Record   Mark                // of the newest record read; zero where it was not written down
}

// Mark names a record so that no other is taken for it, be it appended again with the same
// id: the store's clock is part of it. The zero value names none.
type Mark struct {
	Position eventstore.Position
	Revision eventstore.Revision
	ID       eventstore.EventID
	Recorded int64 // nanoseconds since 1970 by the store's clock; 0 where that is not known
	Stream   eventstore.StreamName
}

// ErrEstranged says that the ledger does not hold what a reader has read: it was restored to
// an earlier state since, or is another one.
var ErrEstranged = errors.New("the ledger does not hold what was read from it: it was restored to an earlier state, or is another one")

// PlaceOf is where a reader stands that has read all up to r.
func PlaceOf(r eventstore.Record) Place {
	return Place{Position: r.Position, Record: Mark{
		Position: r.Position, Revision: r.Revision, ID: r.ID, Recorded: r.Recorded.UnixNano(), Stream: r.Stream,
	}}
}

// After is where a reader stands that stood at p and has read b.
func (p Place) After(b eventstore.Batch) Place {
	if n := len(b.Records); n > 0 && b.Records[n-1].Position > p.Record.Position {
		p.Record = PlaceOf(b.Records[n-1]).Record
	}
	p.Position = max(p.Position, b.Position)
	return p
}

// Check reports whether the ledger still holds what was read: nil, an error that wraps
// ErrEstranged, or the store's. A place whose record was not written down is taken as it is,
// unless the ledger does not reach that far. It costs one read of one record, but where the
// record's stream was deleted or cut short: then all that came since is read.
func (p Place) Check(ctx context.Context, store eventstore.Reader) error {
	if p.Record != (Mark{}) {
		if err := p.Record.check(ctx, store); err != nil {
			return err
		}
		if p.Position <= p.Record.Position {
			return nil
		}
	}
	if p.Position == eventstore.Start {
		return nil
	}
	// The engine's own records may stand at the end.
	for r, err := range store.ReadAllBackwards(ctx, eventstore.End, eventstore.Everything()) {
		if err != nil {
			return err
		}
		if r.Position >= p.Position {
			return nil
		}
		break
	}
	return fmt.Errorf("position %d is past the end of the ledger: %w", p.Position, ErrEstranged)
}

// check looks the record up in its stream, which every engine finds without a search. Another
// client's stream may be deleted, or show its newest events alone: that hides the record there
// and not from reads of all.
func (m Mark) check(ctx context.Context, store eventstore.Reader) error {
	hidden := false
	for r, err := range store.ReadStream(ctx, m.Stream, m.Revision) {
		switch {
		case errors.Is(err, eventstore.ErrStreamNotFound), errors.Is(err, eventstore.ErrStreamDeleted):
			hidden = true
		case err != nil:
			return err
		case m.names(r):
			return nil
		default:
			hidden = r.Revision > m.Revision
		}
		break
	}
	if hidden {
		// From the end: whether a store can read from the mark's position is what is in doubt.
		for r, err := range store.ReadAllBackwards(ctx, eventstore.End, eventstore.Everything()) {
			if err != nil {
				return err
			}
			if m.names(r) {
				return nil
			}
			if r.Position <= m.Position {
				break
			}
		}
	}
	return fmt.Errorf("event %s at position %d is not there: %w", m.ID, m.Position, ErrEstranged)
}

// names reports whether r is the record.
func (m Mark) names(r eventstore.Record) bool {
	is := PlaceOf(r).Record
	if m.Recorded == 0 {
		is.Recorded = 0
	}
	return is == m
}

// Newest is where a reader stands that has read the whole ledger.
func Newest(ctx context.Context, store eventstore.Reader) (Place, error) {
	for r, err := range store.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
		if err != nil {
			return Place{}, err
		}
		return PlaceOf(r), nil
	}
	return Place{}, nil
}

// Fork is how far an estranged place and the ledger agree: the newest record that was there
// when p's was recorded. It rests on the clocks of the machines that the ledger was on: what
// came after the restoring was recorded later than what was lost. Where p does not say when,
// it is the end of the ledger.
func (p Place) Fork(ctx context.Context, store eventstore.Reader) (Place, error) {
	for r, err := range store.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
		if err != nil {
			return Place{}, err
		}
		if at := PlaceOf(r); at.Position <= p.Position && (p.Record.Recorded == 0 || at.Record.Recorded <= p.Record.Recorded) {
			return at, nil
		}
	}
	return Place{}, nil
}

// String is the mark as ParseMark reads it: empty for the zero value, text in one line
// otherwise. Another client's stream may have any bytes for a name, which no database takes.
func (m Mark) String() string {
	if m == (Mark{}) {
		return ""
	}
	stream := string(m.Stream)
	if quoted := strconv.QuoteToASCII(stream); strings.HasPrefix(stream, `"`) || quoted != `"`+stream+`"` {
		stream = quoted
	}
	return fmt.Sprintf("%d %d %s %d %s", m.Position, m.Revision, m.ID, m.Recorded, stream)
}

// ParseMark reads what String wrote.
func ParseMark(text string) (m Mark, err error) {
	if text == "" {
		return Mark{}, nil
	}
	parts := strings.SplitN(text, " ", 5)
	if len(parts) == 5 {
		position, bad1 := strconv.ParseUint(parts[0], 10, 64)
		revision, bad2 := strconv.ParseUint(parts[1], 10, 64)
		id, ok := eventstore.ParseEventID(parts[2])
		recorded, bad3 := strconv.ParseInt(parts[3], 10, 64)
		if bad1 == nil && bad2 == nil && bad3 == nil && ok {
			stream := parts[4]
			if plain, err := strconv.Unquote(stream); err == nil && strings.HasPrefix(stream, `"`) {
				stream = plain
			}
			return Mark{eventstore.Position(position), eventstore.Revision(revision), id, recorded, eventstore.StreamName(stream)}, nil
		}
	}
	return Mark{}, fmt.Errorf("feed: %.80q names no record", text)
}

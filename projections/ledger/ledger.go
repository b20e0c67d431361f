// Package ledger hands the ledger itself out: its events as lines of JSON, in their order,
// from any position on, all of them or a choice, as they are there or as they come.
//
// What belongs here: which events a reader has chosen, and reading them in pieces of
// bounded size. The form of a line, in which nothing personal is left, is
// eventstore/canon's; who may read what, and how lines travel, is readapi's; files for
// analysts are projections/export's.
//
// Nothing of the ledger is held while somebody takes what was read: a tail, and so a page,
// is as far ahead as one batch. A choice may pass few events of many, and each that does not
// is looked at: so a page is given up after some time, with the position where the next one
// goes on, and few readers look at what was recorded before they came at the same time.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
)

// pieceEvents and pieceBytes bound what is read before it is handed on. One event may be
// larger than the latter.
const (
	pieceEvents = 1000
	pieceBytes  = 256 << 10
)

// PageWithin bounds how long a page is read, without the time in which its pieces are taken.
const PageWithin = 10 * time.Second

// readersAtOnce bounds who looks at what was recorded before he came at the same time. Who
// waits for what is to come is not counted.
const readersAtOnce = 4

// ErrUnknownType refuses a choice of a type that no event has.
var ErrUnknownType = errors.New("ledger: no event has this type")

// Store is what is read.
type Store interface {
	eventstore.Reader
	eventstore.Subscriber
	Head(ctx context.Context) (eventstore.Position, error)
}

// Ledger reads. Safe for concurrent use.
type Ledger struct {
	store   Store
	within  time.Duration // PageWithin
	reading chan struct{} // has a place for each of readersAtOnce
}

// New makes a Ledger over a store.
func New(store Store) *Ledger {
	return &Ledger{store: store, within: PageWithin, reading: make(chan struct{}, readersAtOnce)}
}

// Choice is which events are wanted. The zero value wants all.
type Choice struct {
	// Restaurants are those whose events are let through; none for those of all streams.
	Restaurants []domain.RestaurantID
	// Stream is the name of one stream or, where it ends in "-", how names begin.
	Stream string
	// Types are event types or, where one ends in ".", how types begin.
	Types []string
}

// Check refuses with ErrUnknownType a type, or a beginning, that no event has.
func (c Choice) Check() error {
	known := codec.Types()
	for _, t := range c.Types {
		if !slices.ContainsFunc(known, func(k string) bool { return isOrBegins(k, t, ".") }) {
			return fmt.Errorf("%w: %q", ErrUnknownType, t)
		}
	}
	return nil
}

// isOrBegins reports whether name is what was asked for, or begins so where that ends in mark.
func isOrBegins(name, asked, mark string) bool {
	if strings.HasSuffix(asked, mark) {
		return strings.HasPrefix(name, asked)
	}
	return name == asked
}

// streamsOf are how the names of a restaurant's streams begin.
func streamsOf(r domain.RestaurantID) []string {
	return append(codec.TradePrefixes(r), string(codec.WebhooksStream(r)))
}

// Owner returns whose stream s is, where it is a restaurant's.
func Owner(s string) (domain.RestaurantID, bool) {
	name := eventstore.StreamName(s)
	if r, ok := codec.TradeOf(name); ok {
		return r, true
	}
	return codec.ParseWebhooksStream(name)
}

// filter is as much of the choice as a store can judge.
func (c Choice) filter() eventstore.Filter {
	switch {
	case c.Stream != "":
		return eventstore.StreamPrefix(c.Stream)
	case len(c.Restaurants) > 0:
		var begin []string
		for _, r := range c.Restaurants {
			begin = append(begin, streamsOf(r)...)
		}
		return eventstore.StreamPrefix(begin...)
	case len(c.Types) > 0:
		return eventstore.TypePrefix(c.Types...)
	}
	return eventstore.Filter{}
}

// passes judges a record by the whole choice.
func (c Choice) passes(r eventstore.Record) bool {
	stream := string(r.Stream)
	if strings.HasPrefix(stream, "$") || strings.HasPrefix(r.Type, "$") {
		return false // the engine's own
	}
	if c.Stream != "" && !isOrBegins(stream, c.Stream, "-") {
		return false
	}
	if len(c.Types) > 0 && !slices.ContainsFunc(c.Types, func(t string) bool { return isOrBegins(r.Type, t, ".") }) {
		return false
	}
	return len(c.Restaurants) == 0 || slices.ContainsFunc(c.Restaurants, func(id domain.RestaurantID) bool {
		return slices.ContainsFunc(streamsOf(id), func(begin string) bool { return strings.HasPrefix(stream, begin) })
	})
}

// Piece is the next stretch of what was chosen.
type Piece struct {
	Lines  []byte // whole lines, each with its line feed; good until the next piece is asked for
	Events int
	// Position is up to where nothing that was chosen is left out: there the next read goes on.
	Position eventstore.Position
}

// Page hands at most limit events after a position to each, in pieces, up to the end of the
// ledger as it stood at some moment after the call. Where that is not reached within
// PageWithin, the last piece has no events. An error of each ends it.
func (l *Ledger) Page(ctx context.Context, after eventstore.Position, c Choice, limit int, each func(Piece) error) error {
	if c.Stream != "" && !strings.HasSuffix(c.Stream, "-") {
		return l.pageOfStream(ctx, after, c, limit, each)
	}
	t, err := l.Tail(ctx, after, c)
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }() // it only reads
	for took := time.Duration(0); limit > 0; {
		began := time.Now()
		p, err := t.Next(ctx, limit)
		if err != nil {
			return err
		}
		took += time.Since(began)
		limit -= p.Events
		over := took >= l.within
		if p.Events > 0 {
			if err := each(p); err != nil {
				return err
			}
		}
		switch {
		case t.live && len(t.rest) == 0, limit <= 0:
			return nil
		case over:
			return each(Piece{Position: p.Position})
		}
	}
	return nil
}

// pageOfStream reads one stream by itself, however large the ledger is.
func (l *Ledger) pageOfStream(ctx context.Context, after eventstore.Position, c Choice, limit int, each func(Piece) error) error {
	for limit > 0 {
		p, whole := Piece{Position: after}, true
		for r, err := range l.stream(ctx, after, c) {
			if err != nil {
				return err
			}
			if p.Lines, err = appendLine(p.Lines, r); err != nil {
				return err
			}
			p.Events++
			p.Position = r.Position
			if p.Events == min(limit, pieceEvents) || len(p.Lines) >= pieceBytes {
				whole = false
				break
			}
		}
		if p.Events > 0 {
			if err := each(p); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
		after, limit = p.Position, limit-p.Events
	}
	return nil
}

// stream yields what passes of one stream, after a position.
func (l *Ledger) stream(ctx context.Context, after eventstore.Position, c Choice) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range l.store.ReadStream(ctx, eventstore.StreamName(c.Stream), 0) {
			if errors.Is(err, eventstore.ErrStreamNotFound) || errors.Is(err, eventstore.ErrStreamDeleted) {
				return
			}
			if (err != nil || r.Position > after && c.passes(r)) && !yield(r, err) {
				return
			}
		}
	}
}

func appendLine(b []byte, r eventstore.Record) ([]byte, error) {
	b, err := canon.AppendLine(b, r)
	if err != nil {
		return b, fmt.Errorf("ledger: event at position %d: %w", r.Position, err)
	}
	return append(b, '\n'), nil
}

// Head is the end of the ledger.
func (l *Ledger) Head(ctx context.Context) (eventstore.Position, error) { return l.store.Head(ctx) }

// Check refuses a position that the ledger cannot be read from with eventstore.ErrInvalid.
func (l *Ledger) Check(ctx context.Context, p eventstore.Position) error {
	return eventstore.CheckPosition(ctx, l.store, p)
}

// Tail follows the ledger from a position on. It ends with ctx, or when it is closed.
func (l *Ledger) Tail(ctx context.Context, after eventstore.Position, c Choice) (*Tail, error) {
	s, err := l.store.Subscribe(ctx, after, c.filter())
	if err != nil {
		return nil, err
	}
	return &Tail{reading: l.reading, from: s, choice: c, at: after}, nil
}

// Tail is one reader's place. Next is for one goroutine.
type Tail struct {
	reading chan struct{} // the ledger's
	from    eventstore.Subscription
	choice  Choice
	at      eventstore.Position
	rest    []eventstore.Record // of the batch under way
	end     eventstore.Position // of that batch
	live    bool                // nothing more was there when it was made
}

// Next waits for the next piece, of at most limit events; 0 for as many as come. A piece
// without events tells only how far the ledger was read. Errors are those of a subscription.
func (t *Tail) Next(ctx context.Context, limit int) (Piece, error) {
	if len(t.rest) == 0 {
		if err := t.batch(ctx); err != nil {
			return Piece{}, err
		}
	}
	if limit <= 0 || limit > pieceEvents {
		limit = pieceEvents
	}
	var p Piece
	for len(t.rest) > 0 && p.Events < limit && len(p.Lines) < pieceBytes {
		r := t.rest[0]
		t.rest = t.rest[1:]
		t.at = max(t.at, r.Position)
		if !t.choice.passes(r) {
			continue
		}
		var err error
		if p.Lines, err = appendLine(p.Lines, r); err != nil {
			return Piece{}, err
		}
		p.Events++
	}
	if len(t.rest) == 0 {
		t.at = max(t.at, t.end)
	}
	p.Position = t.at
	return p, nil
}

// batch takes the next batch. Where the one before was not the last that is work, and no
// waiting.
func (t *Tail) batch(ctx context.Context) error {
	if !t.live {
		select {
		case t.reading <- struct{}{}:
			defer func() { <-t.reading }()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b, err := t.from.Next(ctx)
	if err != nil {
		return err
	}
	t.rest, t.end, t.live = b.Records, b.Position, b.Live
	return nil
}

// Close ends the tail.
func (t *Tail) Close() error { return t.from.Close() }

package book

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// Errors of a moment that cannot be looked back to.
var (
	// ErrFuture says that an instant has not come yet.
	ErrFuture = errors.New("book: the instant is in the future")
	// ErrPastHead says that the ledger does not reach that far.
	ErrPastHead = errors.New("book: the ledger ends before that position")
	// ErrBeforeFirst says that nothing stands in the ledger up to a position.
	ErrBeforeFirst = errors.New("book: the ledger begins after that position")
	// ErrNoPosition says that the ledger's store knows no such position.
	ErrNoPosition = errors.New("book: no event has that position")
)

// Moment is what one looks back to: an instant, or a position of the ledger. Make one with
// AtInstant or AtPosition.
type Moment struct {
	instant  domain.Instant
	position eventstore.Position
	exact    bool // a position
}

// AtInstant is what had been decided by an instant.
func AtInstant(t domain.Instant) Moment { return Moment{instant: t} }

// AtPosition is what stood in the ledger up to a position, that one included.
func AtPosition(p eventstore.Position) Moment { return Moment{position: p, exact: true} }

// Past is the book as of a moment: each stream as far as it went by then, judged by the
// clock of then. It is for one answer: it folds what it is asked for anew, and keeps nothing
// of it. What was erased since is erased in it, too. Safe for concurrent use.
type Past struct {
	book *Book
	// A record is in it where it was decided by until and stands at upTo or before.
	until domain.Instant
	upTo  eventstore.Position
	at    domain.Instant // by which lapses are judged
	exact bool           // it is as of a position

	mu   sync.Mutex
	seen eventstore.Position // the newest that an answer rests on,
	when domain.Instant      // and the latest instant at which something of it was decided
}

// AsOf looks back to a moment. For a position the instant is when the newest event up to it
// was decided. Errors: ErrFuture, measured by now; ErrPastHead; ErrBeforeFirst;
// ErrNoPosition from stores that can tell; the store's.
func (b *Book) AsOf(ctx context.Context, m Moment, now domain.Instant) (*Past, error) {
	if !m.exact {
		if m.instant > now {
			return nil, ErrFuture
		}
		return &Past{book: b, until: m.instant, upTo: eventstore.End, at: m.instant}, nil
	}
	head, err := b.store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if m.position > head {
		return nil, fmt.Errorf("%w: it is at %d", ErrPastHead, head)
	}
	for r, err := range b.store.ReadAllBackwards(ctx, m.position, eventstore.Filter{}) {
		if errors.Is(err, eventstore.ErrInvalid) {
			return nil, ErrNoPosition
		}
		if err != nil {
			return nil, err
		}
		meta, err := codec.DecodeMetadata(r)
		if err != nil {
			continue // no event of this program: a store may be shared
		}
		return &Past{book: b, until: math.MaxInt64, upTo: m.position, at: meta.DecidedAt, exact: true}, nil
	}
	return nil, ErrBeforeFirst
}

// Present is the book with all that is in it, judged by now, for answers that are made the
// same way for now and for then.
func (b *Book) Present(now domain.Instant) *Past {
	return &Past{book: b, until: math.MaxInt64, upTo: eventstore.End, at: now}
}

// At is the instant that answers are judged by. As of a position that is when some event was
// decided, whose ever: who asks is told Named, and not this.
func (p *Past) At() domain.Instant { return p.at }

// Named is the instant that answers name: the one that was asked for or, as of a position,
// the latest at which anything was decided that any answer so far rests on; 0 where there was
// nothing.
func (p *Past) Named() domain.Instant {
	if !p.exact {
		return p.at
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.when
}

// Position is that of the newest event that any answer so far rests on; Start where there
// was none.
func (p *Past) Position() eventstore.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func (p *Past) saw(at eventstore.Position, decided domain.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen, p.when = max(p.seen, at), max(p.when, decided)
}

// foldsAtOnce bounds the streams that are folded at the same time for all who look back, so
// that those who look at now are not kept waiting by them.
const foldsAtOnce = 4

// slot waits for a place among the folds under way.
func (b *Book) slot(ctx context.Context) (release func(), err error) {
	select {
	case b.folding <- struct{}{}:
		return func() { <-b.folding }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// event is what every aggregate's events have.
type event interface{ DecidedAt() domain.Instant }

// each yields the events of a stream that are in the past of p, until one is not: a stream's
// clock never goes back, so that is a prefix. It returns how many they are.
func each[E event](ctx context.Context, p *Past, stream eventstore.StreamName, yield func(E)) (records uint64, err error) {
	release, err := p.book.slot(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	newest, when := eventstore.Start, domain.Instant(0)
	for r, err := range p.book.store.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return 0, err
		}
		if r.Position > p.upTo {
			break
		}
		e, err := read[E](ctx, p.book.codec, r)
		if err != nil {
			return 0, err
		}
		if e.DecidedAt() > p.until {
			break
		}
		if err := guarded(r, func() { yield(e) }); err != nil {
			return 0, err
		}
		records, newest, when = uint64(r.Revision)+1, r.Position, e.DecidedAt()
	}
	p.saw(newest, when)
	return records, nil
}

// Restaurant reads a restaurant as it was, and its revision then. ErrNotFound where it was
// not registered yet.
func (p *Past) Restaurant(ctx context.Context, id domain.RestaurantID) (restaurant.State, uint64, error) {
	decider := restaurant.Decider()
	state := decider.Initial()
	records, err := each(ctx, p, codec.RestaurantStream(id), func(e restaurant.Event) { state = decider.Evolve(state, e) })
	if err != nil {
		return state, 0, err
	}
	if !state.Registered() {
		return state, 0, fmt.Errorf("restaurant %s: %w", id, ErrNotFound)
	}
	return state, records - 1, nil
}

// Day reads a day as it was. ErrNotFound where it had no book yet.
func (p *Past) Day(ctx context.Context, restaurant domain.RestaurantID, date domain.ServiceDate) (Day, error) {
	decider := restaurantday.Decider()
	state := decider.Initial()
	records, err := each(ctx, p, codec.DayStream(restaurant, date), func(e restaurantday.Event) { state = decider.Evolve(state, e) })
	if err != nil {
		return Day{}, err
	}
	if !state.Opened() {
		return Day{}, fmt.Errorf("day %s of %s: %w", date, restaurant, ErrNotFound)
	}
	return dayAt(state, p.at, records-1), nil
}

// Planned is the day that a restaurant, as s was folded to at a revision, would open a book
// with at an instant; whether it may be opened is not judged here. It is refused where
// State.DayPlan is.
func Planned(s restaurant.State, revision uint64, date domain.ServiceDate, zone *time.Location, at domain.Instant) (Day, error) {
	plan, err := s.DayPlan(date, revision, zone)
	if err != nil {
		return Day{}, err
	}
	decider := restaurantday.Decider()
	opened := restaurantday.Opened{Stamp: domain.Stamp{At: at}, Restaurant: s.ID, Date: date, Plan: *plan}
	return dayAt(decider.Fold(decider.Initial(), opened), at, 0), nil
}

// Reservation reads one reservation as it was. ErrNotFound where it was not made yet.
func (p *Past) Reservation(ctx context.Context, id domain.ReservationID) (Entry, error) {
	return entry(ctx, p.Day, id)
}

// Chain reads a reservation with all that it had been moved from and to by then: see
// Book.Chain. An id that was given only later, by a move, answers with the reservation that
// was moved.
func (p *Past) Chain(ctx context.Context, id domain.ReservationID, now domain.Instant) ([]Entry, error) {
	found, err := chain(ctx, p.Reservation, id)
	if !errors.Is(err, ErrNotFound) {
		return found, err
	}
	today, err := p.book.Chain(ctx, id, now)
	if err != nil {
		return nil, err
	}
	earlier := len(today) - 1
	for earlier >= 0 && today[earlier].ID != id {
		earlier--
	}
	for earlier--; earlier >= 0; earlier-- {
		if found, err = chain(ctx, p.Reservation, today[earlier].ID); !errors.Is(err, ErrNotFound) {
			return found, err
		}
	}
	return nil, fmt.Errorf("reservation %s: %w", id, ErrNotFound)
}

// Demand lists the requests for a day that had been turned away, in the order in which they
// were put on record. That happens beside the answers and decides nothing, so one that was
// decided later may stand before one that was decided earlier: it is no prefix.
func (p *Past) Demand(ctx context.Context, restaurant domain.RestaurantID, date domain.ServiceDate) ([]restaurantday.Refused, error) {
	release, err := p.book.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var list []restaurantday.Refused
	newest, when := eventstore.Start, domain.Instant(0)
	for r, err := range p.book.store.ReadStream(ctx, codec.DemandStream(restaurant, date), 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		if r.Position > p.upTo {
			break
		}
		e, err := read[restaurantday.Refused](ctx, p.book.codec, r)
		if err != nil {
			return nil, err
		}
		if e.At <= p.until {
			list, newest, when = append(list, e), r.Position, max(when, e.At)
		}
	}
	p.saw(newest, when)
	return list, nil
}

// Version is a restaurant as it was at some time.
type Version struct {
	State    restaurant.State // not registered where it was not yet
	Revision uint64
}

// Versions reads a restaurant as it was at each of some instants, which do not fall, and not
// beyond the moment that p is of.
func (p *Past) Versions(ctx context.Context, id domain.RestaurantID, at []domain.Instant) ([]Version, error) {
	decider := restaurant.Decider()
	now, entries := Version{State: decider.Initial()}, uint64(0)
	all := make([]Version, 0, len(at))
	_, err := each(ctx, p, codec.RestaurantStream(id), func(e restaurant.Event) {
		for len(all) < len(at) && at[len(all)] < e.DecidedAt() {
			all = append(all, now)
		}
		now = Version{decider.Evolve(now.State, e), entries}
		entries++
	})
	for len(all) < len(at) {
		all = append(all, now)
	}
	return all, err
}

// OfDays makes something of each of a run of days as they were, in the order of the dates.
// of is told whether the day had a book, may be called for several days at once, and keeps
// nothing of the day.
func OfDays[T any](
	ctx context.Context, p *Past, id domain.RestaurantID, dates []domain.ServiceDate, of func(i int, d Day, opened bool) ([]T, error),
) ([]T, error) {
	made := make([][]T, len(dates))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(foldsAtOnce)
	for i, date := range dates {
		group.Go(func() error {
			d, err := p.Day(ctx, id, date)
			opened := !errors.Is(err, ErrNotFound)
			if err != nil && opened {
				return err
			}
			made[i], err = of(i, d, opened)
			return err
		})
	}
	err := group.Wait()
	return slices.Concat(made...), err
}

package book

import (
	"context"
	"errors"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Entry is a reservation as it stands.
type Entry struct {
	ID          domain.ReservationID
	Reservation *restaurantday.Reservation
	Zone        string
	Revision    uint64 // of the day
}

// Reservation reads one reservation as of now: a hold that has lapsed by then reads as
// expired, whether or not that was recorded yet.
func (b *Book) Reservation(ctx context.Context, id domain.ReservationID, now domain.Instant) (Entry, error) {
	return entry(ctx, b.asOf(now), id)
}

// asOf reads days as of now.
func (b *Book) asOf(now domain.Instant) readDay {
	return func(ctx context.Context, restaurant domain.RestaurantID, date domain.ServiceDate) (Day, error) {
		return b.Day(ctx, restaurant, date, now)
	}
}

// readDay reads a day as of some moment.
type readDay func(context.Context, domain.RestaurantID, domain.ServiceDate) (Day, error)

func entry(ctx context.Context, read readDay, id domain.ReservationID) (Entry, error) {
	restaurant, date, number := id.Day()
	d, err := read(ctx, restaurant, date)
	if err != nil {
		return Entry{}, err
	}
	found, ok := d.Reservation(number)
	if !ok {
		return Entry{}, fmt.Errorf("reservation %s: %w", id, ErrNotFound)
	}
	return Entry{ID: id, Reservation: found, Zone: d.State.Plan.Zone, Revision: d.Revision}, nil
}

// maxMoves bounds how often one reservation is followed to another day, either way.
const maxMoves = 64

// Chain reads a reservation with all that it was moved from and to, the oldest first. The
// last one is where it is now. It ends at what cannot be found, and at 64 moves either way.
func (b *Book) Chain(ctx context.Context, id domain.ReservationID, now domain.Instant) ([]Entry, error) {
	return chain(ctx, func(ctx context.Context, id domain.ReservationID) (Entry, error) {
		return b.Reservation(ctx, id, now)
	}, id)
}

func chain(
	ctx context.Context, read func(context.Context, domain.ReservationID) (Entry, error), id domain.ReservationID,
) ([]Entry, error) {
	e, err := read(ctx, id)
	if err != nil {
		return nil, err
	}
	var before []Entry
	for from := e.Reservation.MovedFrom; from != "" && len(before) < maxMoves; {
		was, err := read(ctx, from)
		// One that never came to be moved here is another's past.
		if errors.Is(err, ErrNotFound) || err == nil && was.Reservation.MovedTo != first(before, e).ID {
			break
		}
		if err != nil {
			return nil, err
		}
		before = append(before, was)
		from = was.Reservation.MovedFrom
	}
	chain := make([]Entry, 0, len(before)+1)
	for i := len(before) - 1; i >= 0; i-- {
		chain = append(chain, before[i])
	}
	chain = append(chain, e)
	for range maxMoves {
		last := chain[len(chain)-1].Reservation
		if last.Status != restaurantday.StatusMoved || last.MovedTo == "" {
			break
		}
		next, err := read(ctx, last.MovedTo)
		if errors.Is(err, ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		chain = append(chain, next)
	}
	return chain, nil
}

// first is the oldest found so far of those before e.
func first(before []Entry, e Entry) Entry {
	if len(before) == 0 {
		return e
	}
	return before[len(before)-1]
}

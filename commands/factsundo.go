package commands

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// FactsUndone is what taking a batch back came to.
type FactsUndone struct {
	Import   restaurant.Import
	Kept     []KeptFact // by id
	Position eventstore.Position
	Replayed bool
	Zone     string
}

// KeptFact is an entry that a batch's undoing leaves, as somebody acted on it since.
type KeptFact struct {
	ID        domain.ReservationID
	External  string
	Status    restaurantday.Status
	StartsAt  domain.Instant
	ChangedAt domain.Instant
	Forced    bool // force would take it back, too
}

// UndoFacts takes back all of a batch that nobody has touched since, and names what it
// leaves. With force it also takes back what was changed and is still to come; what
// happened in the house (a party that sat down, was a no-show or cancelled here, or was moved
// to another day) is never taken back. What was broken off goes on when it is asked again.
func (a *App) UndoFacts(ctx context.Context, c Caller, id domain.RestaurantID, batch string, force bool) (FactsUndone, error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return FactsUndone{}, err
	}
	who := c.actor(r.State)
	left := false
	if who.Kind != domain.ActorDiner {
		if left, err = a.leftOf(ctx, r.State, batch); err != nil {
			return FactsUndone{}, err
		}
	}
	ctx = From(ctx, Origin{Cause: batch})
	meta := a.metadata(ctx, c, who, c.role(r.State))
	stream := codec.RestaurantStream(id)
	begun, err := a.restaurants.handle(ctx, stream, Request[restaurant.Command]{
		Command: restaurant.BeginUndoImport{Now: a.now(), Actor: who, Batch: batch, Force: force, Left: left},
		ID:      a.commandID(c, string(id)), Meta: meta,
	})
	if err != nil {
		return FactsUndone{}, err
	}
	done := FactsUndone{Position: begun.Position, Replayed: begun.Replayed, Zone: r.State.Profile.TimeZone}
	now, err := a.restaurants.state(ctx, stream, 0)
	if err != nil {
		return FactsUndone{}, err
	}
	m, _ := now.State.Import(batch)
	withdrawn := 0
	var mu sync.Mutex
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(daysAtOnce)
	for _, date := range m.Dates {
		group.Go(func() error {
			d, err := a.days.state(gctx, codec.DayStream(id, date), 0)
			if err == nil && m.Status == restaurant.ImportUndoing && len(d.State.Facts()) > 0 {
				d, err = a.withdrawDay(gctx, id, date, restaurantday.Withdraw{Actor: who, Batch: batch, Run: m.Over, Force: m.Forced}, meta)
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			n, kept := ofBatch(d.State, batch)
			withdrawn += n
			done.Kept = append(done.Kept, kept...)
			done.Position = max(done.Position, d.Position)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return FactsUndone{}, err
	}
	slices.SortFunc(done.Kept, func(a, b KeptFact) int {
		return cmp.Or(cmp.Compare(a.StartsAt, b.StartsAt), cmp.Compare(a.ID, b.ID))
	})
	ended, err := a.restaurants.handle(ctx, stream, Request[restaurant.Command]{
		Command: restaurant.EndUndoImport{Now: a.now(), Actor: who, Batch: batch, Run: m.Over, Withdrawn: withdrawn, Kept: len(done.Kept)}, Meta: meta,
	})
	if err != nil {
		return FactsUndone{}, err
	}
	done.Import, _ = ended.State.Import(batch)
	done.Position = max(done.Position, ended.Position)
	return done, nil
}

// leftOf reports whether anything stands in a book of a batch that was taken back whole. A
// run looks after each write whether it was undone meanwhile, and takes that write back
// itself; where it is killed in between, nobody does.
func (a *App) leftOf(ctx context.Context, r restaurant.State, batch string) (bool, error) {
	m, ok := r.Import(batch)
	if !ok || m.Status != restaurant.ImportTaken || m.Kept != 0 {
		return false, nil
	}
	for _, date := range m.Dates {
		d, err := a.days.state(ctx, codec.DayStream(r.ID, date), 0)
		if err != nil {
			return false, err
		}
		if _, kept := ofBatch(d.State, batch); len(kept) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// withdrawDay takes back what it may of a batch on one day.
func (a *App) withdrawDay(
	ctx context.Context, id domain.RestaurantID, date domain.ServiceDate, c restaurantday.Withdraw, meta codec.Metadata,
) (dayOutcome, error) {
	for {
		c.Now = a.now()
		o, err := a.days.handle(ctx, codec.DayStream(id, date), Request[restaurantday.Command]{Command: c, Meta: meta})
		if err != nil {
			return o, fmt.Errorf("take batch %s back on %s: %w", c.Batch, date, err)
		}
		if len(o.Events) == 0 {
			return o, nil
		}
	}
}

// ofBatch counts what was taken back of a batch on a day, and lists what was not.
func ofBatch(s restaurantday.State, batch string) (withdrawn int, kept []KeptFact) {
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		switch {
		case r.Fact == nil || r.Fact.Batch != batch:
		case r.Status == restaurantday.StatusWithdrawn:
			withdrawn++
		default:
			kept = append(kept, KeptFact{
				ID: s.ID(n), External: r.Fact.External, Status: r.Status, StartsAt: r.Turn.From, ChangedAt: r.ChangedAt, Forced: r.Withdrawable(true),
			})
		}
	}
	return withdrawn, kept
}

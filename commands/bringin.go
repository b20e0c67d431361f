package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// BringInRestaurant registers, furnishes and publishes a restaurant that existed before.
type BringInRestaurant struct {
	Key         string         // names it for ever: the same key is the same restaurant
	At          domain.Instant // since when it has been in the book
	Owner       domain.UserID  // may be empty
	Profile     restaurant.Profile
	Shifts      []restaurant.Shift
	DayBoundary *int
	Policy      restaurantday.Policy
	Tables      []restaurantday.Table // their ids are made here
}

// BringInRestaurant does all of it in one write. A repeat under the same key changes
// nothing, and is refused with ErrKeyReused where it asks for something else.
func (a *App) BringInRestaurant(ctx context.Context, b BringInRestaurant) (domain.RestaurantID, error) {
	by := domain.Importer()
	id := domain.NewRestaurantID(codec.CommandID("import", "restaurant", b.Key))
	var requests []Request[restaurant.Command]
	add := func(what string, c restaurant.Command) {
		requests = append(requests, Request[restaurant.Command]{
			Command: c, ID: codec.CommandID("import", string(id), what), Meta: a.metadata(Caller{Body: canonical(c)}, by),
		})
	}
	add("register", restaurant.Register{
		Now: b.At, Actor: by, ID: id, Owner: b.Owner, Profile: b.Profile, Zone: a.zone(b.Profile.TimeZone),
	})
	add("hours", restaurant.SetHours{Now: b.At, Actor: by, Shifts: b.Shifts, DayBoundary: b.DayBoundary})
	add("policy", restaurant.SetPolicy{Now: b.At, Actor: by, Policy: b.Policy})
	for _, t := range b.Tables {
		t.ID = domain.NewTableID(codec.CommandID("import", string(id), "table id", t.Number))
		add("table "+t.Number, restaurant.AddTable{Now: b.At, Actor: by, Table: t})
	}
	add("publish", restaurant.Publish{Now: b.At, Actor: by})
	results, err := a.restaurants.handleAll(ctx, codec.RestaurantStream(id), requests, firstRefusal)
	if err != nil {
		return "", err
	}
	return id, firstRefusal(ctx, results)
}

// canonical is what a repeat must equal.
func canonical(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("commands: %T has no JSON form: %v", v, err)) // plain values only
	}
	return b
}

// firstRefusal keeps a restaurant from being brought in by halves.
func firstRefusal(_ context.Context, rs []result[restaurant.State, restaurant.Event]) error {
	for _, r := range rs {
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// BringIn books reservations that were made elsewhere, each decided as of the instant at
// which it was made. Rows belong to one restaurant-day and stand in the order of At.
type BringIn struct {
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Rows       []BringInRow
}

// BringInRow is one reservation. Time or StartsAt names the slot.
type BringInRow struct {
	Key      string         // names the row for ever: the same key is the same reservation
	At       domain.Instant // when it was made
	Time     string
	StartsAt domain.Instant
	Party    domain.PartySize
}

// BroughtIn is what came of a row: a reservation or the code that refuses it.
type BroughtIn struct {
	Refused     domain.Code // empty where it was accepted
	Detail      string      // of the refusal, where it was decided now
	ID          domain.ReservationID
	Reservation restaurantday.Reservation
	Replayed    bool // it was decided before
}

// BringIn decides all rows in order and appends them as one write. What is refused goes on
// record as demand before that write, so a repeat after a crash at any point answers as
// the first run would have: accepted rows are found in the day's stream, refused ones in
// its demand stream.
func (a *App) BringIn(ctx context.Context, b BringIn) ([]BroughtIn, error) {
	r, err := a.restaurantState(ctx, b.Restaurant)
	if err != nil {
		return nil, err
	}
	demand := codec.DemandStream(b.Restaurant, b.Date)
	known, err := a.knownDemand(ctx, demand)
	if err != nil {
		return nil, err
	}
	results := make([]BroughtIn, len(b.Rows))
	var rows []int // those still to decide
	var requests []Request[restaurantday.Command]
	actor := domain.Importer()
	for i, row := range b.Rows {
		id := codec.CommandID("import", string(b.Restaurant), b.Date.String(), row.Key)
		if code, ok := known[id]; ok {
			results[i] = BroughtIn{Refused: code, Replayed: true}
			continue
		}
		open, err := a.opening(r, b.Date, row.At)
		if err != nil {
			return nil, err
		}
		rows = append(rows, i)
		requests = append(requests, Request[restaurantday.Command]{
			ID:   id,
			Meta: a.metadata(Caller{Body: canonical(row)}, actor),
			Command: restaurantday.Hold{
				Now: row.At, Opening: open, Actor: actor, Party: row.Party, Time: row.Time, StartsAt: row.StartsAt,
				Confirm: true, InOrder: true, Code: confirmationCode(id),
			},
		})
	}
	if len(requests) == 0 {
		return results, nil
	}
	decided, err := a.days.handleAll(ctx, codec.DayStream(b.Restaurant, b.Date), requests,
		func(ctx context.Context, rs []result[restaurantday.State, restaurantday.Event]) error {
			return a.recordRefused(ctx, demand, requests, rs)
		})
	if err != nil {
		return nil, err
	}
	for k := range decided {
		results[rows[k]], err = a.broughtIn(ctx, b, &decided[k])
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

func (a *App) broughtIn(
	ctx context.Context, b BringIn, r *result[restaurantday.State, restaurantday.Event],
) (BroughtIn, error) {
	o, err := a.days.answer(ctx, codec.DayStream(b.Restaurant, b.Date), r)
	if no, ok := domain.Rejected(err); ok {
		return BroughtIn{Refused: no.Code, Detail: no.Detail}, nil
	}
	if err != nil {
		return BroughtIn{}, err
	}
	done, err := booked(o, heldNumber(o.Events))
	return BroughtIn{ID: done.ID, Reservation: done.Reservation, Replayed: done.Replayed}, err
}

func (a *App) recordRefused(
	ctx context.Context, stream eventstore.StreamName,
	requests []Request[restaurantday.Command], rs []result[restaurantday.State, restaurantday.Event],
) error {
	var list []refused
	for i, r := range rs {
		// A row that came too late for its day is no demand: nobody was turned away.
		if no, ok := domain.Rejected(r.err); ok && no.Code != domain.CodeLaterEntries {
			hold, _ := requests[i].Command.(restaurantday.Hold)
			list = append(list, refusal(requests[i].ID, r.Outcome, no, hold))
		}
	}
	if len(list) == 0 {
		return nil
	}
	return appendDemand(ctx, a.cfg.Store, a.cfg.Codec, stream, list)
}

// knownDemand is which commands a demand stream names, and why they were refused.
func (a *App) knownDemand(ctx context.Context, stream eventstore.StreamName) (map[[16]byte]domain.Code, error) {
	known := map[[16]byte]domain.Code{}
	for r, err := range a.cfg.Store.ReadStream(ctx, stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return known, nil
		}
		if err != nil {
			return nil, err
		}
		d, err := a.cfg.Codec.Decode(ctx, r)
		if err != nil {
			return nil, err
		}
		if e, ok := d.Event.(restaurantday.Refused); ok {
			known[d.Meta.CommandID] = e.Code
		}
	}
	return known, nil
}

package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	// Combinations are tables that are put together. A repeat from before there were any
	// has none, and is the same.
	Combinations []BringInCombination `json:",omitempty"`
}

// BringInCombination is tables, named by their numbers, that are put together for parties.
type BringInCombination struct {
	Tables   []string
	Min, Max domain.PartySize
}

// BringInRestaurant does all of it in one write. A repeat under the same key changes
// nothing, and is refused with ErrKeyReused where it asks for something else.
func (a *App) BringInRestaurant(ctx context.Context, b BringInRestaurant) (domain.RestaurantID, error) {
	by := domain.Importer()
	id := domain.NewRestaurantID(codec.CommandID("import", "restaurant", b.Key))
	// Each part stands for the whole: a part that was so already left no trace of its own.
	meta := a.metadata(ctx, Caller{Body: canonical(b.form())}, by, "")
	var requests []Request[restaurant.Command]
	add := func(what string, c restaurant.Command) {
		requests = append(requests, Request[restaurant.Command]{
			Command: c, ID: codec.CommandID("import", string(id), what), Meta: meta,
		})
	}
	add("register", restaurant.Register{
		Now: b.At, Actor: by, ID: id, Owner: b.Owner, Profile: b.Profile, Zone: a.zone(b.Profile.TimeZone),
	})
	add("hours", restaurant.SetHours{Now: b.At, Actor: by, Shifts: b.Shifts, DayBoundary: b.DayBoundary})
	add("policy", restaurant.SetPolicy{Now: b.At, Actor: by, Policy: b.Policy})
	tableID := func(number string) domain.TableID {
		return domain.NewTableID(codec.CommandID("import", string(id), "table id", number))
	}
	for _, t := range b.Tables {
		t.ID = tableID(t.Number)
		add("table "+t.Number, restaurant.AddTable{Now: b.At, Actor: by, Table: t})
	}
	for _, c := range b.Combinations {
		name := strings.Join(c.Tables, " ")
		combination := restaurantday.Combination{
			ID: domain.NewCombinationID(codec.CommandID("import", string(id), "combination id", name)), Min: c.Min, Max: c.Max,
		}
		for _, number := range c.Tables {
			combination.Tables = append(combination.Tables, tableID(number))
		}
		add("combination "+name, restaurant.AddCombination{Now: b.At, Actor: by, Combination: combination})
	}
	add("publish", restaurant.Publish{Now: b.At, Actor: by})
	_, err := a.restaurants.handleAll(ctx, codec.RestaurantStream(id), requests, wholeOrNothing)
	if err != nil && !errors.Is(err, errBroughtIn) {
		return "", err
	}
	return id, nil
}

// canonical is what a repeat must equal.
func canonical(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("commands: %T has no JSON form: %v", v, err)) // plain values only
	}
	return b
}

// errBroughtIn says that a restaurant was brought in before.
var errBroughtIn = errors.New("commands: brought in before")

// wholeOrNothing keeps a restaurant from being brought in by halves, and what its owner
// changed since then from being set back by a repeat.
func wholeOrNothing(_ context.Context, rs []result[restaurant.State, restaurant.Event]) error {
	for _, r := range rs {
		if r.err != nil {
			return r.err
		}
	}
	if rs[0].replay != nil {
		return errBroughtIn
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

// maxBringIn is how many rows make one write at most. Each comes to two events, so they
// fit; see eventstore.MaxAppendEvents.
const maxBringIn = 512

// BringIn decides the rows in order and appends what they come to, hundreds of them as one
// write. What is refused goes on record as demand before that write, so a repeat after a
// crash at any point answers as the first run would have: accepted rows are found in the
// day's stream, refused ones in its demand stream.
func (a *App) BringIn(ctx context.Context, b BringIn) ([]BroughtIn, error) {
	r, err := a.restaurantState(ctx, b.Restaurant)
	if err != nil {
		return nil, err
	}
	known, err := a.knownDemand(ctx, codec.DemandStream(b.Restaurant, b.Date))
	if err != nil {
		return nil, err
	}
	results := make([]BroughtIn, 0, len(b.Rows))
	for rows := range slices.Chunk(b.Rows, maxBringIn) {
		some, err := a.bringIn(ctx, r, b.Date, rows, known)
		if err != nil {
			return nil, err
		}
		results = append(results, some...)
	}
	return results, nil
}

func (a *App) bringIn(
	ctx context.Context, r restaurantOutcome, date domain.ServiceDate, rows []BringInRow, known map[[16]byte]domain.Code,
) ([]BroughtIn, error) {
	results := make([]BroughtIn, len(rows))
	var left []int // those still to decide
	var requests []Request[restaurantday.Command]
	actor := domain.Importer()
	for i, row := range rows {
		id := codec.CommandID("import", string(r.State.ID), date.String(), row.Key)
		if code, ok := known[id]; ok {
			results[i] = BroughtIn{Refused: code, Replayed: true}
			continue
		}
		open, err := a.opening(r, date, row.At)
		if err != nil {
			return nil, err
		}
		left = append(left, i)
		requests = append(requests, Request[restaurantday.Command]{
			ID:   id,
			Meta: a.metadata(ctx, Caller{Body: canonical(row)}, actor, ""),
			Command: restaurantday.Hold{
				Now: row.At, Opening: open, Actor: actor, Party: row.Party, Time: row.Time, StartsAt: row.StartsAt,
				Confirm: true, InOrder: true, Code: confirmationCode(id),
			},
		})
	}
	if len(requests) == 0 {
		return results, nil
	}
	demand := codec.DemandStream(r.State.ID, date)
	decided, err := a.days.handleAll(ctx, codec.DayStream(r.State.ID, date), requests,
		func(ctx context.Context, rs []result[restaurantday.State, restaurantday.Event]) error {
			return a.recordRefused(ctx, demand, requests, rs)
		})
	if err != nil {
		return nil, err
	}
	for k, d := range decided {
		if no, ok := domain.Rejected(d.err); ok {
			results[left[k]] = BroughtIn{Refused: no.Code, Detail: no.Detail}
			continue
		}
		if d.err != nil {
			return nil, d.err
		}
		done, err := booked(d.Outcome, heldNumber(d.Events))
		if err != nil {
			return nil, err
		}
		results[left[k]] = BroughtIn{ID: done.ID, Reservation: done.Reservation, Replayed: done.Replayed}
	}
	return results, a.firstRefusals(ctx, demand, results, left, requests)
}

// firstRefusals corrects rows that came too late because they were decided already: by
// another import of the same rows at this moment, or in this one before a conflict.
func (a *App) firstRefusals(
	ctx context.Context, demand eventstore.StreamName,
	results []BroughtIn, left []int, requests []Request[restaurantday.Command],
) error {
	late := func(i int) bool { return results[i].Refused == domain.CodeLaterEntries }
	if !slices.ContainsFunc(left, late) {
		return nil
	}
	known, err := a.knownDemand(ctx, demand)
	if err != nil {
		return err
	}
	for k, i := range left {
		if code, ok := known[requests[k].ID]; ok && late(i) {
			results[i] = BroughtIn{Refused: code, Replayed: true}
		}
	}
	return nil
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
			list = append(list, refusal(requests[i].ID, requests[i].Meta, r.Outcome, no, hold))
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

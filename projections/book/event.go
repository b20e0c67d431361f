package book

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// Event reads one event as it stands in its stream. ErrNotFound where there is none.
func (b *Book) Event(ctx context.Context, stream eventstore.StreamName, revision eventstore.Revision) (eventstore.Record, error) {
	for r, err := range b.store.ReadStream(ctx, stream, revision) {
		if err != nil && !errors.Is(err, eventstore.ErrStreamNotFound) || err == nil && r.Revision == revision {
			return r, err
		}
		break
	}
	return eventstore.Record{}, fmt.Errorf("revision %d of %s: %w", revision, stream, ErrNotFound)
}

// Joined reads the event by which an entry joined its waitlist.
func (b *Book) Joined(ctx context.Context, id domain.WaitlistID) (eventstore.Record, error) {
	restaurant, date, entry := id.Day()
	for r, err := range b.store.ReadStream(ctx, codec.DayStream(restaurant, date), 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			return eventstore.Record{}, err
		}
		if r.Type == codec.TypeWaitlistJoined && aboutOf(r).Entry == entry {
			return r, nil
		}
	}
	return eventstore.Record{}, fmt.Errorf("entry %s of a waitlist: %w", id, ErrNotFound)
}

// Concerned is whom an event is about. Each may be empty.
type Concerned struct {
	Restaurant domain.RestaurantID // whose own people it concerns
	User       domain.UserID       // the diner, or the user of the account
}

// Concerns tells whom an event is about: of a day the restaurant and, where it is about one
// reservation or one entry of the waitlist, its diner; of an account its user. An e-mail
// address, which is kept as a hash, concerns nobody that can be told.
func (b *Book) Concerns(ctx context.Context, r eventstore.Record, now domain.Instant) (c Concerned, err error) {
	if user, ok := codec.ParseUserStream(r.Stream); ok {
		return Concerned{User: user}, nil
	}
	if restaurant, ok := codec.ParseRestaurantStream(r.Stream); ok {
		return Concerned{Restaurant: restaurant}, nil
	}
	if restaurant, _, ok := codec.ParseDemandStream(r.Stream); ok {
		return Concerned{Restaurant: restaurant}, nil
	}
	if restaurant, ok := codec.ParseWebhooksStream(r.Stream); ok {
		return Concerned{Restaurant: restaurant}, nil
	}
	restaurant, date, ok := codec.ParseDayStream(r.Stream)
	if !ok {
		return Concerned{}, nil
	}
	c.Restaurant = restaurant
	about := aboutOf(r)
	if about.Diner != "" || about == (aboutWhom{}) {
		c.User = about.Diner
		return c, nil
	}
	day, err := b.Day(ctx, restaurant, date, now)
	if err != nil {
		return c, err
	}
	if e, ok := day.Reservation(about.Number); ok {
		c.User = e.Diner
	} else if w, ok := day.Waiting(about.Entry); ok && about.Number == 0 {
		c.User = w.Entry.Diner
	}
	return c, nil
}

// aboutWhom is what the form of a day's event tells in clear of whom it is about.
type aboutWhom struct {
	Number uint32        `json:"number"` // of a reservation
	Entry  uint32        `json:"entry"`  // of the waitlist
	Diner  domain.UserID `json:"diner"`
}

// aboutOf reads it. An event that has none of it, or something else under these names, is
// about nobody.
func aboutOf(r eventstore.Record) (a aboutWhom) {
	if json.Unmarshal(r.Data, &a) != nil {
		return aboutWhom{}
	}
	return a
}

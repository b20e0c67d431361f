package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// letterVersion is that of the form below. docs/webhooks.md is the contract: fields are added
// without a new version, and none is ever given another meaning.
const letterVersion = 1

// testType is what a message that tells of nothing has for a type.
const testType = "webhook.test"

// letter is what a message says.
type letter struct {
	Type       string              `json:"type"`
	Timestamp  domain.Instant      `json:"timestamp"` // when it was decided
	Version    int                 `json:"version"`
	ID         string              `json:"id"`       // of the event
	Position   uint64              `json:"position"` // in the ledger
	RecordedAt domain.Instant      `json:"recordedAt"`
	Restaurant domain.RestaurantID `json:"restaurantId"`
	Data       letterData          `json:"data"`
}

type letterData struct {
	Date        *domain.ServiceDate `json:"date,omitempty"`
	Revision    uint64              `json:"revision"` // of the event in its stream
	Actor       *letterActor        `json:"actor,omitempty"`
	Reservation *letterReservation  `json:"reservation,omitempty"`
	Waitlist    *letterWaiting      `json:"waitlistEntry,omitempty"`
	Refusal     *letterRefusal      `json:"refusal,omitempty"`
	// Unreadable says that what the event holds cannot be told: ask the API.
	Unreadable bool `json:"unreadable,omitempty"`
}

type letterActor struct {
	Kind string        `json:"kind"`
	User domain.UserID `json:"userId,omitempty"` // of the restaurant's own people only
}

// letterReservation is a reservation right after the event.
type letterReservation struct {
	ID          domain.ReservationID `json:"reservationId"`
	Status      string               `json:"status"`
	Before      string               `json:"previousStatus,omitempty"` // missing for a new one
	Party       domain.PartySize     `json:"party"`
	Time        string               `json:"time"`
	TimeZone    string               `json:"timeZone"`
	StartsAt    domain.Instant       `json:"startsAt"`
	EndsAt      domain.Instant       `json:"endsAt"`
	Tables      []domain.TableID     `json:"tableIds"`
	ExpiresAt   *domain.Instant      `json:"expiresAt,omitempty"`
	Source      string               `json:"source,omitempty"`
	Covers      domain.PartySize     `json:"covers,omitempty"`
	SeatedAt    *domain.Instant      `json:"seatedAt,omitempty"`
	CompletedAt *domain.Instant      `json:"completedAt,omitempty"`
	CancelledBy string               `json:"cancelledBy,omitempty"`
	Late        bool                 `json:"late,omitempty"`
	MovedTo     domain.ReservationID `json:"movedTo,omitempty"`
	MovedFrom   domain.ReservationID `json:"movedFrom,omitempty"`
	Personal    *letterPersonal      `json:"personal,omitempty"`
}

// letterWaiting is an entry of the waitlist right after the event.
type letterWaiting struct {
	ID          domain.WaitlistID    `json:"waitlistId"`
	Status      string               `json:"status"`
	Party       domain.PartySize     `json:"party"`
	Earliest    domain.Instant       `json:"earliest"`
	Latest      domain.Instant       `json:"latest"`
	WalkIn      bool                 `json:"walkIn,omitempty"`
	Reservation domain.ReservationID `json:"reservationId,omitempty"`
	LeftBecause string               `json:"leftBecause,omitempty"`
	Personal    *letterPersonal      `json:"personal,omitempty"`
}

// letterPersonal is what is sent only to webhooks that ask for it. What was erased is not there.
type letterPersonal struct {
	Diner            domain.UserID `json:"dinerId,omitempty"`
	Name             string        `json:"name,omitempty"`
	Email            string        `json:"email,omitempty"`
	Phone            string        `json:"phone,omitempty"`
	Notes            string        `json:"notes,omitempty"`
	SpecialRequests  string        `json:"specialRequests,omitempty"`
	Occasion         string        `json:"occasion,omitempty"`
	ConfirmationCode string        `json:"confirmationCode,omitempty"`
}

// letterRefusal is a request that could not be met.
type letterRefusal struct {
	Code     domain.Code      `json:"code"`
	Party    domain.PartySize `json:"party"`
	Time     string           `json:"time,omitempty"`
	StartsAt *domain.Instant  `json:"startsAt,omitempty"`
}

// day is a restaurant-day as far as it was folded, so that the next message of a lane need not
// fold it again.
type day struct {
	next  eventstore.Revision // to be folded
	state restaurantday.State
}

// errNoRecord says that an event is not where it was.
var errNoRecord = errors.New("webhooks: the event is not in the ledger any more")

// letter writes what a message says. It fails where an engine is away, or the event is.
func (o *office) letter(ctx context.Context, w webhook.Webhook, restaurant domain.RestaurantID, at *day, d webhook.Delivery) ([]byte, error) {
	l := letter{
		Type: d.Type, Timestamp: d.DecidedAt, Version: letterVersion, ID: eventstore.EventID(d.Event).String(), Position: d.Position,
		RecordedAt: d.DecidedAt, Restaurant: restaurant, Data: letterData{Revision: d.Revision},
	}
	if d.Test() {
		l.Type = testType
		return json.Marshal(l)
	}
	stream := eventstore.StreamName(d.Stream)
	var err error
	if _, date, ok := codec.ParseDayStream(stream); ok {
		l.Data.Date = &date
		err = o.ofDay(ctx, w, &l, at, d)
	} else {
		err = o.ofOther(ctx, &l, d)
	}
	if err != nil {
		return nil, fmt.Errorf("message of %s at revision %d of %s: %w", d.Type, d.Revision, d.Stream, err)
	}
	return json.Marshal(l)
}

// unreadable reports whether an error says that a record can never be read by this program.
func unreadable(err error) bool {
	return errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrUnknownType) || errors.Is(err, codec.ErrNewerVersion)
}

// stamp fills in what every event has.
func (l *letter) stamp(r eventstore.Record) {
	l.RecordedAt = domain.InstantOf(r.Recorded)
	meta, err := codec.DecodeMetadata(r)
	if err != nil {
		l.Data.Unreadable = true
		return
	}
	l.Data.Actor = &letterActor{Kind: string(meta.Actor.Kind)}
	if meta.Actor.Kind == domain.ActorStaff {
		l.Data.Actor.User = meta.Actor.User
	}
}

// ofOther tells of demand that was refused, and of the restaurant itself.
func (o *office) ofOther(ctx context.Context, l *letter, d webhook.Delivery) error {
	if _, date, ok := codec.ParseDemandStream(eventstore.StreamName(d.Stream)); ok {
		l.Data.Date = &date
	}
	for r, err := range o.Store.ReadStream(ctx, eventstore.StreamName(d.Stream), eventstore.Revision(d.Revision)) {
		if err != nil {
			return err
		}
		if r.ID != d.Event {
			break
		}
		l.stamp(r)
		decoded, err := o.Codec.Decode(ctx, r)
		if unreadable(err) {
			l.Data.Unreadable = true
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := decoded.Event.(restaurantday.Refused); ok {
			l.Data.Refusal = &letterRefusal{Code: e.Code, Party: e.Party, Time: e.Time, StartsAt: instant(e.StartsAt)}
		}
		return nil
	}
	return errNoRecord
}

// ofDay tells of a day's event, and of what it is about as it was right after it.
func (o *office) ofDay(ctx context.Context, w webhook.Webhook, l *letter, at *day, d webhook.Delivery) error {
	decider := restaurantday.Decider()
	// What is personal is read anew each time: who was erased meanwhile is told of no more.
	if at.next > eventstore.Revision(d.Revision) || at.next == 0 || w.Personal {
		*at = day{state: decider.Initial()}
	}
	for r, err := range o.Store.ReadStream(ctx, eventstore.StreamName(d.Stream), at.next) {
		if err != nil {
			return err
		}
		last := uint64(r.Revision) == d.Revision
		if last {
			if r.ID != d.Event {
				break
			}
			l.stamp(r)
		}
		decoded, err := o.Codec.Decode(ctx, r)
		if err != nil && !unreadable(err) {
			return err
		}
		before := at.state
		if e, ok := decoded.Event.(restaurantday.Event); ok && err == nil {
			at.state = decider.Evolve(at.state, e)
		} else {
			l.Data.Unreadable = true // and so is what follows from it
		}
		at.next = r.Revision + 1
		if !last {
			continue
		}
		if e, ok := decoded.Event.(restaurantday.Event); ok && err == nil {
			l.about(e, before, at.state, w.Personal)
		}
		if l.Data.Unreadable {
			*at = day{} // the next message says so, too
		}
		return nil
	}
	return errNoRecord
}

func instant(i domain.Instant) *domain.Instant {
	if i == 0 {
		return nil
	}
	return &i
}

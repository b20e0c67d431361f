package whatif

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"
	"time"
	_ "time/tzdata"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

const berlin = "Europe/Berlin"

var (
	inn   = domain.NewRestaurantID([16]byte{7})
	owner = domain.NewUserID([16]byte{1})
	diner = [...]domain.UserID{domain.NewUserID([16]byte{2}), domain.NewUserID([16]byte{3})}
)

const friday domain.ServiceDate = 20413 // 2025-11-21

// town is a ledger in memory with one restaurant in it, written to by the deciders and read
// like any other.
type town struct {
	eventstore.Reader // nothing but streams forwards is read; all else panics
	codec             *codec.Codec
	streams           map[eventstore.StreamName][]eventstore.Record
	position          eventstore.Position
	days              map[domain.ServiceDate]restaurantday.State
	zone              *time.Location
	commands          uint64
	inn               restaurant.State
	refusals          int
}

// keys makes a key for everybody.
type keys struct{}

func (keys) Ensure(_ context.Context, subject string) (codec.Key, error) {
	return sha256.Sum256([]byte(subject)), nil
}
func (k keys) Get(ctx context.Context, subject string) (codec.Key, error) {
	return k.Ensure(ctx, subject)
}
func (keys) Drop(context.Context, string) error { return nil }

func newTown() *town {
	zone, err := time.LoadLocation(berlin)
	if err != nil {
		panic(err)
	}
	return &town{
		codec: codec.New(keys{}), streams: map[eventstore.StreamName][]eventstore.Record{}, days: map[domain.ServiceDate]restaurantday.State{}, zone: zone,
	}
}

// ReadStream is all that a what-if may ask for.
func (w *town) ReadStream(_ context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if len(w.streams[s]) == 0 {
			yield(eventstore.Record{}, eventstore.ErrStreamNotFound)
			return
		}
		for _, r := range w.streams[s][from:] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (w *town) append(s eventstore.StreamName, id [16]byte, who domain.Actor, events ...any) {
	for _, e := range events {
		w.position += 3
		eid := codec.EventID(s, id, int(w.position))
		event, err := w.codec.Encode(context.Background(), s, eid, e, codec.Metadata{CommandID: id, Actor: who})
		if err != nil {
			panic(err)
		}
		w.streams[s] = append(w.streams[s], eventstore.Record{
			Event: event, Stream: s, Revision: eventstore.Revision(len(w.streams[s])), Position: w.position,
		})
	}
}

// id is a new command's.
func (w *town) id() (id [16]byte) {
	w.commands++
	binary.BigEndian.PutUint64(id[8:], w.commands)
	id[0] = 1
	return id
}

// run decides commands about the restaurant.
func (w *town) run(commands ...restaurant.Command) error {
	d := restaurant.Decider()
	for _, c := range commands {
		events, err := d.Decide(w.inn, c)
		if err != nil {
			return fmt.Errorf("%T: %w", c, err)
		}
		w.inn = d.Fold(w.inn, events...)
		for _, e := range events {
			w.append(codec.RestaurantStream(inn), w.id(), domain.Staff(owner), e)
		}
	}
	return nil
}

// plan is what a date would be opened with now.
func (w *town) plan(date domain.ServiceDate) *restaurantday.Plan {
	p, err := w.inn.DayPlan(date, uint64(len(w.streams[codec.RestaurantStream(inn)])-1), w.zone)
	if err != nil {
		panic(err)
	}
	return p
}

// do decides a command of a day. Holds that are refused go on record as demand.
func (w *town) do(date domain.ServiceDate, id [16]byte, who domain.Actor, c restaurantday.Command) ([]restaurantday.Event, error) {
	s := w.days[date]
	events, err := decider.Decide(s, c)
	if no, ok := domain.Rejected(err); ok {
		if h, asked := c.(restaurantday.Hold); asked && h.MovedFrom == "" {
			w.refusals++
			w.append(codec.DemandStream(inn, date), id, domain.Actor{Kind: who.Kind}, restaurantday.Refused{
				Stamp: domain.Stamp{At: max(h.Now, s.Clock())}, Code: no.Code, Party: h.Party, Time: h.Time, StartsAt: h.StartsAt,
				Seen: uint64(len(w.streams[codec.DayStream(inn, date)])), Wish: h.Wish, By: who.Kind, Skip: h.Override.Rule,
			})
		}
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	all := make([]any, len(events))
	for i, e := range events {
		all[i] = e
	}
	w.append(codec.DayStream(inn, date), id, who, all...)
	w.days[date] = decider.Fold(s, events...)
	return events, nil
}

// must is for what cannot be refused.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// policy is one with little to it.
func policy() restaurantday.Policy {
	p := restaurant.DefaultPolicy()
	p.Turns = []restaurantday.TurnTime{{UpToParty: 2, Minutes: 90}, {UpToParty: 500, Minutes: 120}}
	return p
}

// opened is a town whose restaurant has four tables, a combination, and dinner every day.
func opened(t testing.TB, p restaurantday.Policy) *town {
	t.Helper()
	w := newTown()
	by := domain.Staff(owner)
	table := func(n byte, number string, least, most domain.PartySize, area string, offline bool) restaurant.Command {
		return restaurant.AddTable{Now: 1, Actor: by, Table: restaurantday.Table{
			ID: domain.NewTableID([16]byte{n}), Number: number, Min: least, Max: most, Area: area, OfflineOnly: offline,
		}}
	}
	must(t, w.run(
		restaurant.Register{Now: 1, Actor: by, ID: inn, Owner: owner, Zone: w.zone, Profile: restaurant.Profile{
			Name: "Inn", Cuisine: "any", Address: "1 Street", City: "Berlin", TimeZone: berlin,
		}},
		restaurant.SetHours{Now: 1, Actor: by, Shifts: []restaurant.Shift{
			{Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 21 * 60, Closes: 23 * 60, SlotMinutes: 30},
		}},
		restaurant.SetPolicy{Now: 1, Actor: by, Policy: p},
		table(1, "1", 1, 2, "", false), table(2, "2", 1, 4, "terrace", false), table(3, "3", 1, 4, "", false), table(4, "4", 2, 6, "", true),
		restaurant.AddCombination{Now: 1, Actor: by, Combination: restaurantday.Combination{
			ID: domain.NewCombinationID([16]byte{1}), Tables: []domain.TableID{domain.NewTableID([16]byte{2}), domain.NewTableID([16]byte{3})}, Min: 5, Max: 8,
		}},
		restaurant.Publish{Now: 1, Actor: by},
	))
	return w
}

// at is when clocks at the restaurant show a time of the date.
func (w *town) at(date domain.ServiceDate, hour, minute int) domain.Instant {
	return date.Clock(hour*60+minute, w.zone)
}

// opening is how a date is opened now.
func (w *town) opening(date domain.ServiceDate, now domain.Instant) *restaurantday.Open {
	return &restaurantday.Open{Now: now, Restaurant: inn, Date: date, Plan: w.plan(date)}
}

// asked is a question about some dates from friday on.
func asked(days int, plan restaurant.OtherPlan) Question {
	return Question{Restaurant: inn, From: friday, To: friday.AddDays(days - 1), Plan: plan, Now: domain.Instant(friday.AddDays(days+1)) * 86_400_000}
}

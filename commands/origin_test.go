package commands

import (
	"reflect"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// told is what stands on record of who made an event, and because of what.
type told struct {
	Type                      string
	Actor                     domain.ActorKind
	Role, APIKey, Process     string
	Cause                     string // the type of that event, or the cause as it is
	Request, Correlation, All string // All is what it shares with all that followed
}

// told reads streams after their first events, so many of each.
func (h *house) told(skip map[eventstore.StreamName]int, streams ...eventstore.StreamName) (list []told) {
	h.t.Helper()
	types := map[string]string{}
	for r, err := range h.store.ReadAll(h.t.Context(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		types[r.ID.String()] = r.Type
	}
	for _, s := range streams {
		for _, r := range h.records(s)[skip[s]:] {
			m, err := codec.DecodeMetadata(r)
			if err != nil {
				h.t.Fatal(err)
			}
			cause, known := types[m.Cause]
			if !known {
				cause = m.Cause
			}
			list = append(list, told{
				r.Type, m.Actor.Kind, m.Role, m.APIKey, m.Process, cause, m.RequestID, m.Correlation, m.CorrelationID(),
			})
		}
	}
	return list
}

// A move to another day is one request of a diner and several steps of the house: all share
// the request, and each step names the process and the event it goes on from. The same when
// it is repeated, and when a process goes on with it.
func TestStepsOfAMoveSayWhatTheyFollow(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	old, err := a.HoldTable(t.Context(), caller(ada, "1"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	c := caller(ada, "m")
	c.RequestID, c.APIKey = "first", "key_1"
	dying := h.app(on(dyingLedger(h, 2, false))) // after it began
	move := MoveReservation{Date: evening + 7}
	if _, err := dying.MoveReservation(t.Context(), c, old.ID, move); err == nil {
		t.Fatal("it did not die")
	}
	c.RequestID = "second"
	if _, err := a.MoveReservation(t.Context(), c, old.ID, move); err != nil {
		t.Fatal(err)
	}
	here, there := codec.DayStream(id, evening), codec.DayStream(id, evening+7)
	step := func(name string, actor domain.ActorKind, role string) told {
		return told{name, actor, role, "", ProcessMoves, codec.TypeReservationMoveStarted, "", "first", "first"}
	}
	want := []told{
		{codec.TypeReservationMoveStarted, domain.ActorDiner, "diner", "key_1", "", "", "first", "", "first"},
		step(codec.TypeReservationMoved, domain.ActorSystem, ""),
		step(codec.TypeDayOpened, domain.ActorDiner, "diner"),
		step(codec.TypeReservationHeld, domain.ActorDiner, "diner"),
		step(codec.TypeReservationConfirmed, domain.ActorSystem, ""),
	}
	if got := h.told(map[eventstore.StreamName]int{here: 3}, here, there); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// A change of an owner reaches open days by fences, within the request, and by a roll-out
// after it; both name the owner's decision.
func TestChangesOfDaysSayWhatTheyFollow(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	h.booked(a, id, evening, "19:00")
	c := caller(owner, "shut")
	c.RequestID = "" // then the command's id is what all share
	if _, _, err := a.ChangePlan(t.Context(), c, id, shut(evening, evening), OnOpenDays{Default: restaurantday.Keep}); err != nil {
		t.Fatal(err)
	}
	if err := h.app().RollOut(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	all := eventstore.EventID(a.commandID(c, string(id))).String()
	house, day := codec.RestaurantStream(id), codec.DayStream(id, evening)
	step := func(name string) told {
		return told{name, domain.ActorSystem, "", "", ProcessPlanRollout, codec.TypeRestaurantPlanDecided, "", all, all}
	}
	want := []told{
		{codec.TypeRestaurantClosureAdded, domain.ActorStaff, "owner", "", "", "", "", "", all},
		{codec.TypeRestaurantPlanDecided, domain.ActorStaff, "owner", "", "", "", "", "", all},
		step(codec.TypeDayPlanFenced), step(codec.TypeDayPlanChanged),
	}
	brought := len(h.records(house)) - 2
	if got := h.told(map[eventstore.StreamName]int{house: brought, day: 3}, house, day); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// Whoever gives commands for another reason than a request says so by their context.
func TestOriginOfWhatNobodyAskedFor(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	ctx := From(t.Context(), Origin{Process: "p", Cause: "an event", Correlation: "req-0"})
	if _, err := h.app().OpenDay(ctx, id, evening); err != nil {
		t.Fatal(err)
	}
	other := place("Otto", 1)
	brought, err := h.app().BringInRestaurant(From(t.Context(), Origin{Cause: "imp_1"}), other)
	if err != nil {
		t.Fatal(err)
	}
	day, house := codec.DayStream(id, evening), codec.RestaurantStream(brought)
	want := []told{{codec.TypeDayOpened, domain.ActorSystem, "", "", "p", "an event", "", "req-0", "req-0"}}
	if got := h.told(nil, day); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	for _, got := range h.told(nil, house) {
		if got.Actor != domain.ActorImport || got.Cause != "imp_1" || got.Role != "" {
			t.Errorf("got %+v", got)
		}
	}
}

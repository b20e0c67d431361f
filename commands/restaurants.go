package commands

import (
	"context"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

type restaurantOutcome = Outcome[restaurant.State, restaurant.Event]

// RegisterRestaurant begins a restaurant, whose owner the caller becomes.
type RegisterRestaurant struct {
	Profile restaurant.Profile
}

// ChangeProfile changes what is not nil. AcceptZoneChange names the open days that may keep
// the times of the old zone, where that changes.
type ChangeProfile struct {
	Changes          restaurant.ProfileChanges
	AcceptZoneChange []domain.ServiceDate
}

// SetHours sets the whole week.
type SetHours struct {
	Shifts      []restaurant.Shift
	DayBoundary *int                     // minutes after midnight; nil leaves it
	SpecialDays *[]restaurant.SpecialDay // all there are to be from now on; nil leaves them
}

// SetPolicy sets the whole booking policy.
type SetPolicy struct {
	Policy         restaurantday.Policy
	KeepAssignment bool // whatever Policy says of it
}

// TableChanges are new values for parts of a table; nil leaves a part.
type TableChanges struct {
	Number      *string
	Min, Max    *domain.PartySize
	Area        *string
	OfflineOnly *bool
}

// RegisterRestaurant registers a restaurant as a draft.
func (a *App) RegisterRestaurant(ctx context.Context, c Caller, r RegisterRestaurant) (Receipt[restaurant.State], error) {
	// A repeat under the same key must find its first answer, so the key makes the id too.
	command := a.commandID(c, "restaurants")
	id := domain.NewRestaurantID(command)
	house := restaurant.State{ID: id, Owner: c.User}
	by := c.actor(house)
	return a.restaurantCommand(ctx, c, command, house, restaurant.Register{
		Now: a.now(), Actor: by, ID: id, Owner: c.User, Profile: r.Profile, Zone: a.zone(r.Profile.TimeZone),
	})
}

// ChangeProfile changes what is not nil. Another time zone is refused while days are open
// that the caller does not accept: the refusal says which, and what is booked on them.
func (a *App) ChangeProfile(
	ctx context.Context, c Caller, id domain.RestaurantID, p ChangeProfile,
) (Receipt[restaurant.State], error) {
	var zone *time.Location
	var open []restaurant.OpenDay
	if p.Changes.TimeZone != nil {
		zone = a.zone(*p.Changes.TimeZone)
		var err error
		if open, err = a.openDays(ctx, c, id, *p.Changes.TimeZone); err != nil {
			return Receipt[restaurant.State]{}, err
		}
	}
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.ChangeProfile{
			Now: a.now(), Actor: by, Changes: p.Changes, Zone: zone, OpenDays: open, AcceptZoneChange: p.AcceptZoneChange,
		}
	})
}

// Publish opens a restaurant for booking.
func (a *App) Publish(ctx context.Context, c Caller, id domain.RestaurantID) (Receipt[restaurant.State], error) {
	return a.manage(ctx, c, id, func(by domain.Actor) restaurant.Command {
		return restaurant.Publish{Now: a.now(), Actor: by}
	})
}

func (a *App) manage(
	ctx context.Context, c Caller, id domain.RestaurantID, command func(domain.Actor) restaurant.Command,
) (Receipt[restaurant.State], error) {
	return a.manageAs(ctx, c, a.commandID(c, string(id)), id, command)
}

func (a *App) manageAs(
	ctx context.Context, c Caller, commandID [16]byte, id domain.RestaurantID, command func(domain.Actor) restaurant.Command,
) (Receipt[restaurant.State], error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return Receipt[restaurant.State]{}, err
	}
	return a.restaurantCommand(ctx, c, commandID, r.State, command(c.actor(r.State)))
}

func (a *App) restaurantCommand(
	ctx context.Context, c Caller, commandID [16]byte, house restaurant.State, command restaurant.Command,
) (Receipt[restaurant.State], error) {
	o, err := a.restaurants.handle(ctx, codec.RestaurantStream(house.ID), Request[restaurant.Command]{
		Command: command, ID: commandID, Meta: a.metadata(ctx, c, c.actor(house), c.role(house)),
	})
	if err != nil {
		return Receipt[restaurant.State]{}, err
	}
	return receipt(o), nil
}

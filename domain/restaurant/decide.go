package restaurant

import (
	"fmt"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Command is something asked of a restaurant. The commands of this package are all there
// are. A user who may not manage the restaurant is refused with domain.CodeForbidden; the
// house and the import may do everything.
type Command interface{ restaurantCommand() }

// Register begins a restaurant. It is already so where one with this id and owner exists.
type Register struct {
	Now     domain.Instant
	Actor   domain.Actor
	ID      domain.RestaurantID
	Owner   domain.UserID // a user can only name himself; the import may leave it empty
	Profile Profile
	Zone    *time.Location // what Profile.TimeZone names, nil where there is no such zone
}

// ChangeProfile changes what is not nil.
type ChangeProfile struct {
	Now     domain.Instant
	Actor   domain.Actor
	Changes ProfileChanges
	Zone    *time.Location // what Changes.TimeZone names, nil where there is no such zone
}

// ProfileChanges are new values for parts of a profile; nil leaves a part as it is. What a
// pointer leads to must not be written to afterwards.
type ProfileChanges struct {
	Name, Cuisine, Address, City, State, Zip *string
	Location                                 *Location
	TimeZone                                 *string
	PriceLevel                               *int
	Features                                 *[]string
	Description, ContactEmail, ContactPhone  *string
}

// SetHours sets the whole week. No shifts mean closed on every day.
type SetHours struct {
	Now         domain.Instant
	Actor       domain.Actor
	Shifts      []Shift // a SlotMinutes of 0 becomes DefaultSlotMinutes
	DayBoundary *int    // minutes after midnight, 0 to 720; nil leaves it as it is
}

// AddTable puts a table on the floor. It is already so where the very same is there.
type AddTable struct {
	Now   domain.Instant
	Actor domain.Actor
	Table restaurantday.Table
}

// ChangeTable changes what is not nil.
type ChangeTable struct {
	Now      domain.Instant
	Actor    domain.Actor
	ID       domain.TableID
	Number   *string
	Min, Max *domain.PartySize
	Area     *string
}

// RemoveTable takes a table off the floor. It is already so where there is no such table.
type RemoveTable struct {
	Now   domain.Instant
	Actor domain.Actor
	ID    domain.TableID
}

// SetPolicy sets the whole booking policy.
type SetPolicy struct {
	Now    domain.Instant
	Actor  domain.Actor
	Policy restaurantday.Policy
}

// Publish opens the restaurant for booking. It is already so where it is open.
type Publish struct {
	Now   domain.Instant
	Actor domain.Actor
}

func (Register) restaurantCommand()      {}
func (ChangeProfile) restaurantCommand() {}
func (SetHours) restaurantCommand()      {}
func (AddTable) restaurantCommand()      {}
func (ChangeTable) restaurantCommand()   {}
func (RemoveTable) restaurantCommand()   {}
func (SetPolicy) restaurantCommand()     {}
func (Publish) restaurantCommand()       {}

// Decider returns the restaurant's decider.
func Decider() domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide:  decide,
		Evolve:  evolve,
	}
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	default:
		return nil, fmt.Errorf("restaurant: unknown command %T", c)
	}
}

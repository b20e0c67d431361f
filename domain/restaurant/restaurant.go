// Package restaurant is one restaurant as its owner describes it: profile, weekly hours and
// the days that differ from them, closures, tables with their combinations and blocks, and
// the policy by which it lets itself be booked.
//
// What belongs here: the commands and events of a restaurant, the rules between them, and
// how a restaurant becomes the plan of one service date. What is promised on that date is
// restaurantday's; loading time zones, making ids and retrying are commands'; how an event
// becomes JSON is eventstore/codec's.
package restaurant

import (
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Status is how far a restaurant is on its way to guests.
type Status string

// The statuses.
const (
	StatusDraft Status = "draft" // takes no bookings
	StatusOpen  Status = "open"
)

// Role is what somebody is at a restaurant.
type Role string

// The roles. None is the zero value.
const (
	RoleNone  Role = ""
	RoleOwner Role = "owner"
)

// Profile is how a restaurant presents itself. All of it is shown to everybody, so none of
// it is kept as personal data.
type Profile struct {
	Name         string
	Cuisine      string
	Address      string // street and number
	City         string
	State        string
	Zip          string
	Location     *Location // nil where it is not known; never written to
	TimeZone     string    // IANA name
	PriceLevel   int       // 1 to 4; 0 where it is not told
	Features     []string  // such as "terrace"; no two alike
	Description  string
	ContactEmail string
	ContactPhone string // E.164
}

// Location is a position on the globe in degrees.
type Location struct {
	Lat float64 // −90 to 90
	Lng float64 // −180 to 180
}

// Shift is a stretch of service on some days of the week. Its times are what clocks at the
// restaurant show, in minutes after midnight, 0 to 1439. A last seating earlier than Opens
// is past midnight; so is a closing at Opens or earlier.
type Shift struct {
	Days        Weekdays
	Name        string
	Opens       int // and the first slot
	LastSeating int
	Closes      int
	SlotMinutes int // from one slot to the next, 5 to 240
	// Turns and PacingCovers are the shift's own; none and 0 leave it to the policy.
	Turns        []restaurantday.TurnTime
	PacingCovers int
}

func (s Shift) equal(o Shift) bool {
	return s.Days == o.Days && s.Name == o.Name && s.Opens == o.Opens && s.LastSeating == o.LastSeating && s.Closes == o.Closes &&
		s.SlotMinutes == o.SlotMinutes && s.PacingCovers == o.PacingCovers && slices.Equal(s.Turns, o.Turns)
}

// SpecialDay is a service date with hours of its own in place of the week's.
type SpecialDay struct {
	Date   domain.ServiceDate
	Name   string  // what day it is, such as "New Year's Eve"; shown to guests; may be empty
	Shifts []Shift // their Days are empty, as the date is their day; no shifts mean closed
}

func (d SpecialDay) equal(o SpecialDay) bool {
	return d.Date == o.Date && d.Name == o.Name && slices.EqualFunc(d.Shifts, o.Shifts, Shift.equal)
}

// Closure is a range of service dates on which the restaurant is closed, whatever the week
// and special days say.
type Closure struct {
	ID       domain.ClosureID
	From, To domain.ServiceDate // both belong to it
	Reason   string             // shown to guests
}

// Block is a stretch of one service date for which tables cannot be promised.
type Block struct {
	ID     domain.BlockID
	Tables []domain.TableID // none for the whole floor
	Date   domain.ServiceDate
	// From and To are what clocks at the restaurant show, in minutes after midnight, 0 to
	// 1439. A From before the day turns is past midnight; so is a To at From or earlier.
	From, To int
	Reason   string // for the restaurant's own people, kept for ever: no place for guests' names
}

func (b Block) equal(o Block) bool {
	return b.ID == o.ID && b.Date == o.Date && b.From == o.From && b.To == o.To && b.Reason == o.Reason && slices.Equal(b.Tables, o.Tables)
}

// State is a restaurant, folded. It is a value: Evolve returns a new one and shares what
// did not change, so nothing reachable from it is ever written to.
type State struct {
	ID           domain.RestaurantID // empty before it is registered
	Owner        domain.UserID       // empty for one that was brought in and has no account yet
	Profile      Profile
	Shifts       []Shift
	DayBoundary  int                         // minutes after midnight at which the service date turns
	Tables       []restaurantday.Table       // in the order they were added
	Combinations []restaurantday.Combination // likewise
	// SpecialDays, Closures and Blocks stand by when they begin. Those over for more than a
	// month are no longer here: nothing is decided by them.
	SpecialDays  []SpecialDay
	Closures     []Closure
	Blocks       []Block
	Policy       restaurantday.Policy
	Imports      []Import // batches of bookings of other systems, in the order in which they were first begun
	Status       Status
	RegisteredAt domain.Instant
	ChangedAt    domain.Instant // of the last event; no later decision has an earlier one
}

// Registered reports whether there is such a restaurant.
func (s State) Registered() bool { return s.ID != "" }

// Role tells what user is here.
func (s State) Role(user domain.UserID) Role {
	if user != "" && user == s.Owner {
		return RoleOwner
	}
	return RoleNone
}

// MayManage reports whether user may change the restaurant and see its book.
func (s State) MayManage(user domain.UserID) bool { return s.Role(user) == RoleOwner }

// Table finds the table with this id.
func (s State) Table(id domain.TableID) (restaurantday.Table, bool) {
	for _, t := range s.Tables {
		if t.ID == id {
			return t, true
		}
	}
	return restaurantday.Table{}, false
}

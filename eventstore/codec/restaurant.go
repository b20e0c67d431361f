package codec

import (
	"encoding/json"
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// clock is a local time in minutes after midnight, 0 to 1439, written as HH:MM.
type clock int

func (c clock) MarshalText() ([]byte, error) {
	if c < 0 || c >= 1440 {
		return nil, fmt.Errorf("%d is no time of day in minutes", int(c))
	}
	return []byte(domain.FormatClock(int(c))), nil
}

func (c *clock) UnmarshalText(b []byte) error {
	minutes, err := domain.ParseClock(string(b))
	*c = clock(minutes)
	return err
}

// weekdays is written as a list of names, from "mon" to "sun".
type weekdays restaurant.Weekdays

func (w weekdays) MarshalJSON() ([]byte, error) {
	if w&^weekdays(restaurant.EveryDay) != 0 {
		return nil, fmt.Errorf("%#x is no set of weekdays", uint8(w))
	}
	return json.Marshal(restaurant.Weekdays(w).Names())
}

func (w *weekdays) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return err
	}
	days, err := restaurant.ParseWeekdays(names)
	*w = weekdays(days)
	return err
}

type profileV1 struct {
	Name         string      `json:"name"`
	Cuisine      string      `json:"cuisine,omitempty"`
	Address      string      `json:"address,omitempty"`
	City         string      `json:"city,omitempty"`
	State        string      `json:"state,omitempty"`
	Zip          string      `json:"zip,omitempty"`
	Location     *locationV1 `json:"location,omitempty"`
	TimeZone     string      `json:"timeZone"`
	PriceLevel   int         `json:"priceLevel,omitempty"`
	Features     []string    `json:"features,omitempty"`
	Description  string      `json:"description,omitempty"`
	ContactEmail string      `json:"contactEmail,omitempty"`
	ContactPhone string      `json:"contactPhone,omitempty"`
}

type locationV1 struct {
	Lat float64 `json:"lat"`
	Lng float64 `json:"lng"`
}

func profileToV1(p restaurant.Profile) profileV1 {
	return profileV1{
		Name: p.Name, Cuisine: p.Cuisine, Address: p.Address, City: p.City, State: p.State, Zip: p.Zip,
		Location: (*locationV1)(p.Location), TimeZone: p.TimeZone, PriceLevel: p.PriceLevel, Features: p.Features,
		Description: p.Description, ContactEmail: p.ContactEmail, ContactPhone: p.ContactPhone,
	}
}

func profileFromV1(p profileV1) restaurant.Profile {
	return restaurant.Profile{
		Name: p.Name, Cuisine: p.Cuisine, Address: p.Address, City: p.City, State: p.State, Zip: p.Zip,
		Location: (*restaurant.Location)(p.Location), TimeZone: p.TimeZone, PriceLevel: p.PriceLevel, Features: p.Features,
		Description: p.Description, ContactEmail: p.ContactEmail, ContactPhone: p.ContactPhone,
	}
}

type restaurantRegisteredV1 struct {
	ID          domain.RestaurantID `json:"id"`
	Owner       domain.UserID       `json:"owner,omitempty"`
	Profile     profileV1           `json:"profile"`
	DayBoundary clock               `json:"dayBoundary"`
	Policy      policyV1            `json:"policy"`
}

var restaurantRegistered = open(TypeRestaurantRegistered,
	func(e restaurant.Registered) restaurantRegisteredV1 {
		return restaurantRegisteredV1{
			ID: e.ID, Owner: e.Owner, Profile: profileToV1(e.Profile),
			DayBoundary: clock(e.DayBoundary), Policy: policyToV1(e.Policy),
		}
	},
	func(f restaurantRegisteredV1, s domain.Stamp) restaurant.Registered {
		return restaurant.Registered{
			Stamp: s, ID: f.ID, Owner: f.Owner, Profile: profileFromV1(f.Profile),
			DayBoundary: int(f.DayBoundary), Policy: policyFromV1(f.Policy),
		}
	})

type profileChangedV1 struct {
	Profile profileV1 `json:"profile"`
}

var restaurantProfileChanged = open(TypeRestaurantProfileChanged,
	func(e restaurant.ProfileChanged) profileChangedV1 {
		return profileChangedV1{Profile: profileToV1(e.Profile)}
	},
	func(f profileChangedV1, s domain.Stamp) restaurant.ProfileChanged {
		return restaurant.ProfileChanged{Stamp: s, Profile: profileFromV1(f.Profile)}
	})

type hoursSetV1 struct {
	Shifts      []shiftV1 `json:"shifts,omitempty"`
	DayBoundary clock     `json:"dayBoundary"`
}

type shiftV1 struct {
	Days         weekdays     `json:"days"`
	Name         string       `json:"name,omitempty"`
	Opens        clock        `json:"opens"`
	LastSeating  clock        `json:"lastSeating"`
	Closes       clock        `json:"closes"`
	SlotMinutes  int          `json:"slotMinutes"`
	Turns        []turnTimeV1 `json:"turns,omitempty"`
	PacingCovers int          `json:"pacingCovers,omitempty"`
}

func shiftToV1(s restaurant.Shift) shiftV1 {
	return shiftV1{
		Days: weekdays(s.Days), Name: s.Name, Opens: clock(s.Opens), LastSeating: clock(s.LastSeating),
		Closes: clock(s.Closes), SlotMinutes: s.SlotMinutes, Turns: turnsToV1(s.Turns), PacingCovers: s.PacingCovers,
	}
}

func shiftFromV1(s shiftV1) restaurant.Shift {
	return restaurant.Shift{
		Days: restaurant.Weekdays(s.Days), Name: s.Name, Opens: int(s.Opens), LastSeating: int(s.LastSeating),
		Closes: int(s.Closes), SlotMinutes: s.SlotMinutes, Turns: turnsFromV1(s.Turns), PacingCovers: s.PacingCovers,
	}
}

var restaurantHoursSet = open(TypeRestaurantHoursSet,
	func(e restaurant.HoursSet) hoursSetV1 {
		return hoursSetV1{DayBoundary: clock(e.DayBoundary), Shifts: each(e.Shifts, shiftToV1)}
	},
	func(f hoursSetV1, s domain.Stamp) restaurant.HoursSet {
		return restaurant.HoursSet{Stamp: s, DayBoundary: int(f.DayBoundary), Shifts: each(f.Shifts, shiftFromV1)}
	})

type tableV1 struct {
	Table planTableV1 `json:"table"`
}

var restaurantTableAdded = open(TypeRestaurantTableAdded,
	func(e restaurant.TableAdded) tableV1 { return tableV1{Table: planTableV1(e.Table)} },
	func(f tableV1, s domain.Stamp) restaurant.TableAdded {
		return restaurant.TableAdded{Stamp: s, Table: restaurantday.Table(f.Table)}
	})

var restaurantTableChanged = open(TypeRestaurantTableChanged,
	func(e restaurant.TableChanged) tableV1 { return tableV1{Table: planTableV1(e.Table)} },
	func(f tableV1, s domain.Stamp) restaurant.TableChanged {
		return restaurant.TableChanged{Stamp: s, Table: restaurantday.Table(f.Table)}
	})

type tableRemovedV1 struct {
	ID domain.TableID `json:"id"`
}

var restaurantTableRemoved = open(TypeRestaurantTableRemoved,
	func(e restaurant.TableRemoved) tableRemovedV1 { return tableRemovedV1{ID: e.ID} },
	func(f tableRemovedV1, s domain.Stamp) restaurant.TableRemoved {
		return restaurant.TableRemoved{Stamp: s, ID: f.ID}
	})

type policySetV1 struct {
	Policy policyV1 `json:"policy"`
}

var restaurantPolicySet = open(TypeRestaurantPolicySet,
	func(e restaurant.PolicySet) policySetV1 { return policySetV1{Policy: policyToV1(e.Policy)} },
	func(f policySetV1, s domain.Stamp) restaurant.PolicySet {
		return restaurant.PolicySet{Stamp: s, Policy: policyFromV1(f.Policy)}
	})

// emptyV1 is the form of an event that says all by its name.
type emptyV1 struct{}

var restaurantPublished = open(TypeRestaurantPublished,
	func(restaurant.Published) emptyV1 { return emptyV1{} },
	func(_ emptyV1, s domain.Stamp) restaurant.Published { return restaurant.Published{Stamp: s} })

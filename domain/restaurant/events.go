package restaurant

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Event is something that happened to a restaurant. The events of this package are all
// there are.
type Event interface {
	DecidedAt() domain.Instant
	restaurantEvent()
}

// Registered begins a restaurant, as a draft. It carries the policy and day boundary that
// were the defaults on that day, so that other defaults later change nothing in the past.
type Registered struct {
	domain.Stamp
	ID          domain.RestaurantID
	Owner       domain.UserID // empty for one that was brought in
	Profile     Profile
	DayBoundary int
	Policy      restaurantday.Policy
}

// ProfileChanged holds the whole profile as it is now.
type ProfileChanged struct {
	domain.Stamp
	Profile Profile
}

// HoursSet holds the whole week as it is now.
type HoursSet struct {
	domain.Stamp
	Shifts      []Shift
	DayBoundary int
}

// TableAdded puts a table on the floor.
type TableAdded struct {
	domain.Stamp
	Table restaurantday.Table
}

// TableChanged holds the whole table as it is now.
type TableChanged struct {
	domain.Stamp
	Table restaurantday.Table
}

// TableRemoved takes a table off the floor.
type TableRemoved struct {
	domain.Stamp
	ID domain.TableID
}

// PolicySet holds the whole booking policy as it is now.
type PolicySet struct {
	domain.Stamp
	Policy restaurantday.Policy
}

// Published opens the restaurant for booking.
type Published struct {
	domain.Stamp
}

func (Registered) restaurantEvent()     {}
func (ProfileChanged) restaurantEvent() {}
func (HoursSet) restaurantEvent()       {}
func (TableAdded) restaurantEvent()     {}
func (TableChanged) restaurantEvent()   {}
func (TableRemoved) restaurantEvent()   {}
func (PolicySet) restaurantEvent()      {}
func (Published) restaurantEvent()      {}

func evolve(s State, e Event) State {
	s.ChangedAt = max(s.ChangedAt, e.DecidedAt())
	switch e := e.(type) {
	case Registered:
		s.ID, s.Owner, s.Profile = e.ID, e.Owner, e.Profile
		s.DayBoundary, s.Policy = e.DayBoundary, e.Policy
		s.Status, s.RegisteredAt = StatusDraft, e.At
	case ProfileChanged:
		s.Profile = e.Profile
	case HoursSet:
		s.Shifts, s.DayBoundary = e.Shifts, e.DayBoundary
	case TableAdded:
		s.Tables = append(s.without(e.Table.ID), e.Table)
	case TableChanged:
		tables := make([]restaurantday.Table, len(s.Tables))
		for i, t := range s.Tables {
			if t.ID == e.Table.ID {
				t = e.Table
			}
			tables[i] = t
		}
		s.Tables = tables
	case TableRemoved:
		s.Tables = s.without(e.ID)
	case PolicySet:
		s.Policy = e.Policy
	case Published:
		s.Status = StatusOpen
	}
	return s
}

// without copies the tables but the one with this id, with room for one more.
func (s State) without(id domain.TableID) []restaurantday.Table {
	tables := make([]restaurantday.Table, 0, len(s.Tables)+1)
	for _, t := range s.Tables {
		if t.ID != id {
			tables = append(tables, t)
		}
	}
	return tables
}

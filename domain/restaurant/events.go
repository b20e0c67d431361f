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

// SpecialDaySet holds a special day whole, as it is now.
type SpecialDaySet struct {
	domain.Stamp
	Day SpecialDay
}

// SpecialDayRemoved gives a date the week's hours again.
type SpecialDayRemoved struct {
	domain.Stamp
	Date domain.ServiceDate
}

// ClosureAdded closes a range of dates.
type ClosureAdded struct {
	domain.Stamp
	Closure Closure
}

// ClosureRemoved ends a closure.
type ClosureRemoved struct {
	domain.Stamp
	ID domain.ClosureID
}

// BlockAdded keeps tables from being promised.
type BlockAdded struct {
	domain.Stamp
	Block Block
}

// BlockRemoved ends a block.
type BlockRemoved struct {
	domain.Stamp
	ID domain.BlockID
}

// CombinationAdded lets tables be put together.
type CombinationAdded struct {
	domain.Stamp
	Combination restaurantday.Combination
}

// CombinationRemoved ends a combination.
type CombinationRemoved struct {
	domain.Stamp
	ID domain.CombinationID
}

func (SpecialDaySet) restaurantEvent()      {}
func (SpecialDayRemoved) restaurantEvent()  {}
func (ClosureAdded) restaurantEvent()       {}
func (ClosureRemoved) restaurantEvent()     {}
func (BlockAdded) restaurantEvent()         {}
func (BlockRemoved) restaurantEvent()       {}
func (CombinationAdded) restaurantEvent()   {}
func (CombinationRemoved) restaurantEvent() {}

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
		s.Tables = append(without(s.Tables, sameTable(e.Table.ID)), e.Table)
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
		s.Tables = without(s.Tables, sameTable(e.ID))
		s.Blocks = blocksWithout(s.Blocks, e.ID)
	case PolicySet:
		s.Policy = e.Policy
	case Published:
		s.Status = StatusOpen
	case SpecialDaySet:
		s.SpecialDays = withSpecialDay(s.SpecialDays, e.Day, e.At)
	case SpecialDayRemoved:
		s.SpecialDays = without(s.SpecialDays, func(d SpecialDay) bool { return d.Date == e.Date })
	case ClosureAdded:
		s.Closures = withClosure(s.Closures, e.Closure, e.At)
	case ClosureRemoved:
		s.Closures = without(s.Closures, func(c Closure) bool { return c.ID == e.ID })
	case BlockAdded:
		s.Blocks = withBlock(s.Blocks, e.Block, e.At)
	case BlockRemoved:
		s.Blocks = without(s.Blocks, func(b Block) bool { return b.ID == e.ID })
	case CombinationAdded:
		s.Combinations = append(without(s.Combinations, func(c restaurantday.Combination) bool { return c.ID == e.Combination.ID }), e.Combination)
	case CombinationRemoved:
		s.Combinations = without(s.Combinations, func(c restaurantday.Combination) bool { return c.ID == e.ID })
	case ImportBegun, ImportEnded, ImportUndoBegun, ImportUndone:
		s = evolveImports(s, e)
	}
	return s
}

// without copies a list but for what is unwanted, with room for one more.
func without[T any](list []T, unwanted func(T) bool) []T {
	kept := make([]T, 0, len(list)+1)
	for _, v := range list {
		if !unwanted(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func sameTable(id domain.TableID) func(restaurantday.Table) bool {
	return func(t restaurantday.Table) bool { return t.ID == id }
}

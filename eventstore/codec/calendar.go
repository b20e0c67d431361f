package codec

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The forms of what a restaurant's days and floor have beside the week and the tables.

type specialDaySetV1 struct {
	Date   domain.ServiceDate `json:"date,omitzero"`
	Name   string             `json:"name,omitempty"`
	Shifts []dayShiftV1       `json:"shifts,omitempty"`
}

// dayShiftV1 is a shift of one date, without days of the week.
type dayShiftV1 struct {
	Days         weekdays     `json:"days,omitempty"` // none, as the date is its day
	Name         string       `json:"name,omitempty"`
	Opens        clock        `json:"opens"`
	LastSeating  clock        `json:"lastSeating"`
	Closes       clock        `json:"closes"`
	SlotMinutes  int          `json:"slotMinutes"`
	Turns        []turnTimeV1 `json:"turns,omitempty"`
	PacingCovers int          `json:"pacingCovers,omitempty"`
}

var restaurantSpecialDaySet = open(TypeRestaurantSpecialDaySet,
	func(e restaurant.SpecialDaySet) specialDaySetV1 {
		return specialDaySetV1{Date: e.Day.Date, Name: e.Day.Name, Shifts: each(e.Day.Shifts, func(s restaurant.Shift) dayShiftV1 {
			return dayShiftV1(shiftToV1(s))
		})}
	},
	func(f specialDaySetV1, s domain.Stamp) restaurant.SpecialDaySet {
		return restaurant.SpecialDaySet{Stamp: s, Day: restaurant.SpecialDay{
			Date: f.Date, Name: f.Name, Shifts: each(f.Shifts, func(s dayShiftV1) restaurant.Shift { return shiftFromV1(shiftV1(s)) }),
		}}
	})

type specialDayRemovedV1 struct {
	Date domain.ServiceDate `json:"date,omitzero"`
}

var restaurantSpecialDayRemoved = open(TypeRestaurantSpecialDayRemoved,
	func(e restaurant.SpecialDayRemoved) specialDayRemovedV1 { return specialDayRemovedV1{Date: e.Date} },
	func(f specialDayRemovedV1, s domain.Stamp) restaurant.SpecialDayRemoved {
		return restaurant.SpecialDayRemoved{Stamp: s, Date: f.Date}
	})

type closureAddedV1 struct {
	ID     domain.ClosureID   `json:"id"`
	From   domain.ServiceDate `json:"from,omitzero"`
	To     domain.ServiceDate `json:"to,omitzero"`
	Reason string             `json:"reason,omitempty"`
}

var restaurantClosureAdded = open(TypeRestaurantClosureAdded,
	func(e restaurant.ClosureAdded) closureAddedV1 { return closureAddedV1(e.Closure) },
	func(f closureAddedV1, s domain.Stamp) restaurant.ClosureAdded {
		return restaurant.ClosureAdded{Stamp: s, Closure: restaurant.Closure(f)}
	})

type closureRemovedV1 struct {
	ID domain.ClosureID `json:"id"`
}

var restaurantClosureRemoved = open(TypeRestaurantClosureRemoved,
	func(e restaurant.ClosureRemoved) closureRemovedV1 { return closureRemovedV1{ID: e.ID} },
	func(f closureRemovedV1, s domain.Stamp) restaurant.ClosureRemoved {
		return restaurant.ClosureRemoved{Stamp: s, ID: f.ID}
	})

type blockAddedV2 struct {
	ID     domain.BlockID     `json:"id"`
	Tables []domain.TableID   `json:"tables,omitempty"`
	Date   domain.ServiceDate `json:"date,omitzero"`
	From   clock              `json:"from"`
	To     clock              `json:"to"`
	sealed
}

type blockAddedPersonal struct {
	Reason string `json:"reason,omitempty"`
}

var restaurantBlockAdded = &kind[restaurant.BlockAdded, blockAddedV2, blockAddedPersonal]{
	name: TypeRestaurantBlockAdded, upcasts: []upcaster{nowPersonal("reason")},
	to: func(e restaurant.BlockAdded) (blockAddedV2, blockAddedPersonal) {
		b := e.Block
		return blockAddedV2{ID: b.ID, Tables: b.Tables, Date: b.Date, From: clock(b.From), To: clock(b.To)}, blockAddedPersonal{Reason: b.Reason}
	},
	from: func(f blockAddedV2, p blockAddedPersonal, s domain.Stamp) restaurant.BlockAdded {
		return restaurant.BlockAdded{Stamp: s, Block: restaurant.Block{
			ID: f.ID, Tables: f.Tables, Date: f.Date, From: int(f.From), To: int(f.To), Reason: p.Reason,
		}}
	},
	subject: func(s eventstore.StreamName, _ restaurant.BlockAdded) (string, error) { return restaurantSubject(s) },
	box:     func(f *blockAddedV2) *sealed { return &f.sealed },
}

type blockRemovedV1 struct {
	ID domain.BlockID `json:"id"`
}

var restaurantBlockRemoved = open(TypeRestaurantBlockRemoved,
	func(e restaurant.BlockRemoved) blockRemovedV1 { return blockRemovedV1{ID: e.ID} },
	func(f blockRemovedV1, s domain.Stamp) restaurant.BlockRemoved {
		return restaurant.BlockRemoved{Stamp: s, ID: f.ID}
	})

var restaurantCombinationAdded = open(TypeRestaurantCombinationAdded,
	func(e restaurant.CombinationAdded) combinationV1 { return combinationV1(e.Combination) },
	func(f combinationV1, s domain.Stamp) restaurant.CombinationAdded {
		return restaurant.CombinationAdded{Stamp: s, Combination: restaurantday.Combination(f)}
	})

type combinationRemovedV1 struct {
	ID domain.CombinationID `json:"id"`
}

var restaurantCombinationRemoved = open(TypeRestaurantCombinationRemoved,
	func(e restaurant.CombinationRemoved) combinationRemovedV1 { return combinationRemovedV1{ID: e.ID} },
	func(f combinationRemovedV1, s domain.Stamp) restaurant.CombinationRemoved {
		return restaurant.CombinationRemoved{Stamp: s, ID: f.ID}
	})

package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// What follows are the parts of a restaurant beside its week and its tables, as the audit
// trail shows them; each is nil where there is none.

type specialDaySnapshot struct {
	Date   domain.ServiceDate `json:"date"`
	Name   string             `json:"name,omitempty"`
	Shifts []shiftSnapshot    `json:"shifts"`
}

func specialDaySnapshotOf(s restaurant.State, date domain.ServiceDate) any {
	d, ok := s.SpecialDay(date)
	if !ok {
		return nil
	}
	shot := specialDaySnapshot{Date: d.Date, Name: d.Name, Shifts: make([]shiftSnapshot, len(d.Shifts))}
	for i, shift := range d.Shifts {
		shot.Shifts[i] = shiftSnapshotOf(shift)
	}
	return shot
}

type closureSnapshot struct {
	ID     domain.ClosureID   `json:"closureId"`
	From   domain.ServiceDate `json:"from"`
	To     domain.ServiceDate `json:"to"`
	Reason string             `json:"reason"`
}

func closureSnapshotOf(s restaurant.State, id domain.ClosureID) any {
	for _, c := range s.Closures {
		if c.ID == id {
			return closureSnapshot(c)
		}
	}
	return nil
}

type blockSnapshot struct {
	ID     domain.BlockID     `json:"blockId"`
	Tables []domain.TableID   `json:"tableIds,omitempty"`
	Names  []string           `json:"tables,omitempty"`
	Date   domain.ServiceDate `json:"date"`
	From   string             `json:"from"`
	To     string             `json:"to"`
}

// blockSnapshotOf leaves out why: that stands in the event.
func blockSnapshotOf(s restaurant.State, id domain.BlockID) any {
	for _, b := range s.Blocks {
		if b.ID == id {
			return blockSnapshot{
				ID: b.ID, Tables: b.Tables, Names: floorNames(s, b.Tables), Date: b.Date, From: domain.FormatClock(b.From), To: domain.FormatClock(b.To),
			}
		}
	}
	return nil
}

// floorNames is what the floor calls tables; the id of one that it has no longer.
func floorNames(s restaurant.State, tables []domain.TableID) []string {
	return tableNames(&restaurantday.Plan{Tables: s.Tables}, tables)
}

type combinationSnapshot struct {
	ID     domain.CombinationID `json:"combinationId"`
	Tables []domain.TableID     `json:"tableIds"`
	Names  []string             `json:"tables"`
	Min    domain.PartySize     `json:"minCapacity"`
	Max    domain.PartySize     `json:"capacity"`
}

func combinationSnapshotOf(s restaurant.State, id domain.CombinationID) any {
	for _, c := range s.Combinations {
		if c.ID == id {
			return combinationSnapshot{ID: c.ID, Tables: c.Tables, Names: floorNames(s, c.Tables), Min: c.Min, Max: c.Max}
		}
	}
	return nil
}

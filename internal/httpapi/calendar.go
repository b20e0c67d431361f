package httpapi

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
)

// Calendar is what a restaurant has beside its week and its tables.
type Calendar struct {
	SpecialDays  []SpecialDay  `json:"specialDays" doc:"dates with hours of their own, by date"`
	Closures     []Closure     `json:"closures" doc:"ranges of dates on which it is closed, by their first"`
	Blocks       []Block       `json:"blocks" doc:"stretches for which tables cannot be booked, by date"`
	Combinations []Combination `json:"combinations" doc:"tables that are put together for one party"`
}

// SpecialDay is a service date with hours of its own in place of the week's.
type SpecialDay struct {
	Date string `json:"date" maxLength:"10" doc:"service date, YYYY-MM-DD"`
	DayHours
}

// DayHours are the hours of one service date.
type DayHours struct {
	Name   string     `json:"name,omitempty" maxLength:"60" doc:"what day it is; shown to guests"`
	Shifts []DayShift `json:"shifts" maxItems:"6" doc:"none for closed"`
}

// DayShift is a shift of one date. Last seating and closing may be past midnight.
type DayShift struct {
	Name        string `json:"name" minLength:"1" maxLength:"60"`
	Opens       string `json:"opens" maxLength:"5" doc:"HH:MM"`
	LastSeating string `json:"lastSeating" maxLength:"5" doc:"HH:MM"`
	Closes      string `json:"closes" maxLength:"5" doc:"HH:MM"`
	SlotMinutes int    `json:"slotMinutes,omitempty" minimum:"5" maximum:"240" doc:"30 by default"`
	OwnPace
}

// Closure is a range of service dates on which a restaurant is closed.
type Closure struct {
	ClosureID string `json:"closureId"`
	From      string `json:"from" doc:"the first service date"`
	To        string `json:"to" doc:"the last service date"`
	Reason    string `json:"reason" doc:"shown to guests"`
}

// Block is a stretch of a service date for which tables cannot be booked.
type Block struct {
	BlockID  string   `json:"blockId"`
	Date     string   `json:"date" doc:"service date"`
	From     string   `json:"from" doc:"local time HH:MM; one before the day turns is past midnight"`
	To       string   `json:"to" doc:"local time HH:MM; one at from or earlier is past midnight"`
	TableIDs []string `json:"tableIds,omitempty" doc:"missing for the whole floor"`
	Reason   string   `json:"reason,omitempty" doc:"only for the restaurant's staff"`
}

// Combination is tables that are put together for one party.
type Combination struct {
	CombinationID string   `json:"combinationId"`
	TableIDs      []string `json:"tableIds"`
	MinCapacity   int      `json:"minCapacity"`
	Capacity      int      `json:"capacity"`
}

func calendarOf(r restaurant.State, staff bool) Calendar {
	c := Calendar{
		SpecialDays: make([]SpecialDay, len(r.SpecialDays)), Closures: make([]Closure, len(r.Closures)),
		Blocks: make([]Block, len(r.Blocks)), Combinations: make([]Combination, len(r.Combinations)),
	}
	for i, d := range r.SpecialDays {
		c.SpecialDays[i] = SpecialDay{d.Date.String(), DayHours{Name: d.Name, Shifts: make([]DayShift, len(d.Shifts))}}
		for k, s := range d.Shifts {
			c.SpecialDays[i].Shifts[k] = DayShift{
				Name: s.Name, Opens: domain.FormatClock(s.Opens), LastSeating: domain.FormatClock(s.LastSeating),
				Closes: domain.FormatClock(s.Closes), SlotMinutes: s.SlotMinutes, OwnPace: paceOf(s),
			}
		}
	}
	for i, k := range r.Closures {
		c.Closures[i] = Closure{ClosureID: string(k.ID), From: k.From.String(), To: k.To.String(), Reason: k.Reason}
	}
	for i, b := range r.Blocks {
		c.Blocks[i] = Block{
			BlockID: string(b.ID), Date: b.Date.String(), From: domain.FormatClock(b.From), To: domain.FormatClock(b.To),
			TableIDs: idsOf(b.Tables),
		}
		if staff {
			c.Blocks[i].Reason = b.Reason
		}
	}
	for i, k := range r.Combinations {
		c.Combinations[i] = Combination{
			CombinationID: string(k.ID), TableIDs: idsOf(k.Tables), MinCapacity: int(k.Min), Capacity: int(k.Max),
		}
	}
	return c
}

func idsOf(tables []domain.TableID) []string {
	ids := make([]string, len(tables))
	for i, t := range tables {
		ids[i] = string(t)
	}
	return ids
}

// Domain is the hours a form asks for on a date. Its error names the shift at fault.
func (f DayHours) Domain(date domain.ServiceDate) (d restaurant.SpecialDay, err error) {
	d = restaurant.SpecialDay{Date: date, Name: f.Name, Shifts: make([]restaurant.Shift, len(f.Shifts))}
	for i, s := range f.Shifts {
		if d.Shifts[i], err = s.Domain(); err != nil {
			return d, &AtError{fmt.Sprintf("shifts[%d]", i), err}
		}
	}
	return d, nil
}

// AtError is an error of one part of a form.
type AtError struct {
	Place string // below the form, such as "shifts[1]"
	Err   error
}

func (e *AtError) Error() string { return e.Err.Error() }

func (e *AtError) Unwrap() error { return e.Err }

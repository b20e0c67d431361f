package httpapi

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// OtherPlan is a plan that a restaurant never had; what is missing stays as it was.
type OtherPlan struct {
	DayBoundary   string                `json:"dayBoundary,omitempty" maxLength:"5" doc:"has to be the restaurant's own"`
	Shifts        []Shift               `json:"shifts,omitempty" maxItems:"28" doc:"in place of the week's; none: closed but for special days"`
	Policy        OtherPolicy           `json:"policy,omitzero" required:"false"`
	Tables        []NumberedTable       `json:"tables,omitempty" maxItems:"500" doc:"in place of all; one whose number the restaurant knows is that table"`
	Combinations  []NumberedCombination `json:"combinations,omitempty" maxItems:"200" doc:"in place of all; missing: those whose tables are all there"`
	TurnMinutesBy int                   `json:"turnMinutesBy,omitempty" minimum:"-715" maximum:"715" doc:"every turn time so many minutes longer, or shorter"`
}

// OtherPolicy is a part of a policy.
type OtherPolicy struct {
	HoldMinutes          *int       `json:"holdMinutes,omitempty" minimum:"1" maximum:"60"`
	HorizonDays          *int       `json:"horizonDays,omitempty" minimum:"0" maximum:"730"`
	NoticeMinutes        *int       `json:"noticeMinutes,omitempty" minimum:"0" maximum:"10080"`
	TurnMinutes          []TurnTime `json:"turnMinutes,omitempty" minItems:"1" maxItems:"20" doc:"for shifts that have none of their own"`
	BufferMinutes        *int       `json:"bufferMinutes,omitempty" minimum:"0" maximum:"240"`
	PacingCovers         *int       `json:"pacingCovers,omitempty" minimum:"0" maximum:"100000" doc:"for shifts that have none of their own; 0 for no limit"`
	CancelMinutes        *int       `json:"cancelMinutes,omitempty" minimum:"0" maximum:"43200"`
	WaitlistOfferMinutes *int       `json:"waitlistOfferMinutes,omitempty" minimum:"1" maximum:"120"`
	TableBinding         string     `json:"tableBinding,omitempty" enum:"late,first_fit"`
}

// NumberedTable is a table that is known by its number.
type NumberedTable struct {
	Number      string `json:"number" minLength:"1" maxLength:"20"`
	MinCapacity int    `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int    `json:"capacity" minimum:"1" maximum:"500"`
	Area        string `json:"area,omitempty" maxLength:"60"`
	OfflineOnly bool   `json:"offlineOnly,omitempty"`
}

// NumberedCombination is tables, by their numbers, that are put together.
type NumberedCombination struct {
	Tables      []string `json:"tables" minItems:"2" maxItems:"8" doc:"their numbers"`
	MinCapacity int      `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int      `json:"capacity" minimum:"1" maximum:"500"`
}

// maxAmount times the covers of any answer is still a number that can be written.
const maxAmount = 1_000_000_000_000

// Money is an amount of one currency.
type Money struct {
	Amount   int64  `json:"amount" minimum:"0" maximum:"1000000000000" doc:"in minor units"`
	Currency string `json:"currency" minLength:"3" maxLength:"3" doc:"ISO 4217"`
}

// Domain is the amount; none for nil. The error names the field.
func (f *Money) Domain() (domain.Money, error) {
	if f == nil {
		return domain.Money{}, nil
	}
	if f.Amount < 0 || f.Amount > maxAmount {
		return domain.Money{}, fmt.Errorf("amount: %d: want 0 to %d", f.Amount, int64(maxAmount))
	}
	m, err := domain.NewMoney(f.Amount, f.Currency)
	if err != nil {
		err = fmt.Errorf("currency: %w", err)
	}
	return m, err
}

// Domain is the table a form asks for.
func (f NumberedTable) Domain() restaurantday.Table {
	return restaurantday.Table{
		Number: f.Number, Min: domain.PartySize(max(f.MinCapacity, 1)), Max: domain.PartySize(f.Capacity), Area: f.Area, OfflineOnly: f.OfflineOnly,
	}
}

// Domain is the plan a form asks for; the restaurant's own rules judge it. The error names
// the field.
func (f OtherPlan) Domain() (o restaurant.OtherPlan, err error) {
	o.TurnMinutesBy = f.TurnMinutesBy
	if f.DayBoundary != "" {
		at, err := domain.ParseClock(f.DayBoundary)
		if err != nil {
			return o, fmt.Errorf("dayBoundary: %w", err)
		}
		o.DayBoundary = &at
	}
	if f.Shifts != nil {
		o.Shifts = []restaurant.Shift{}
	}
	for i, s := range f.Shifts {
		shift, err := s.Domain()
		if err != nil {
			return o, fmt.Errorf("shifts[%d]: %w", i, err)
		}
		o.Shifts = append(o.Shifts, shift)
	}
	if f.Tables != nil {
		o.Tables = []restaurantday.Table{}
	}
	for _, t := range f.Tables {
		o.Tables = append(o.Tables, t.Domain())
	}
	if f.Combinations != nil {
		o.Combinations = []restaurant.NumberedCombination{}
	}
	for _, c := range f.Combinations {
		o.Combinations = append(o.Combinations, restaurant.NumberedCombination{
			Tables: c.Tables, Min: domain.PartySize(c.MinCapacity), Max: domain.PartySize(c.Capacity),
		})
	}
	p := f.Policy
	o.Policy = restaurant.OtherPolicy{
		HoldMinutes: p.HoldMinutes, HorizonDays: p.HorizonDays, NoticeMinutes: p.NoticeMinutes, BufferMinutes: p.BufferMinutes,
		PacingCovers: p.PacingCovers, CancelMinutes: p.CancelMinutes, WaitlistOfferMinutes: p.WaitlistOfferMinutes, Turns: turns(p.TurnMinutes),
	}
	if p.TurnMinutes != nil && o.Policy.Turns == nil {
		o.Policy.Turns = []restaurantday.TurnTime{} // named, though there is none: the restaurant's rules refuse that
	}
	if o.Policy.Assignment, err = bindingOf(p.TableBinding); err != nil {
		return o, fmt.Errorf("policy.tableBinding: %w", err)
	}
	return o, nil
}

// bindingOf is the assignment of that name; nil for none.
func bindingOf(name string) (*restaurantday.Assignment, error) {
	late, first := restaurantday.LateBinding, restaurantday.FirstFit
	switch name {
	case "":
		return nil, nil
	case bindingLate:
		return &late, nil
	case bindingFirstFit:
		return &first, nil
	}
	return nil, fmt.Errorf("%.20q: want %s or %s", name, bindingLate, bindingFirstFit)
}

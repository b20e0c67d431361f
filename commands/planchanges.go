package commands

import (
	"daybook/domain"
	"daybook/domain/restaurant"
)

func (h SetHours) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.SetHours{Now: now, Actor: by, Shifts: h.Shifts, DayBoundary: h.DayBoundary, SpecialDays: h.SpecialDays}, ""
}

func (p SetPolicy) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.SetPolicy{Now: now, Actor: by, Policy: p.Policy, KeepAssignment: p.KeepAssignment}, ""
}

func (t AddTable) change(now domain.Instant, by domain.Actor, command [16]byte) (restaurant.Command, string) {
	t.Table.ID = domain.NewTableID(command)
	return restaurant.AddTable{Now: now, Actor: by, Table: t.Table}, string(t.Table.ID)
}

func (t ChangeTable) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	c := t.Changes
	return restaurant.ChangeTable{
		Now: now, Actor: by, ID: t.ID, Number: c.Number, Min: c.Min, Max: c.Max, Area: c.Area, OfflineOnly: c.OfflineOnly,
	}, ""
}

func (t RemoveTable) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.RemoveTable{Now: now, Actor: by, ID: t.ID}, ""
}

func (d SetSpecialDay) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.SetSpecialDay{Now: now, Actor: by, Day: d.Day}, ""
}

func (d RemoveSpecialDay) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.RemoveSpecialDay{Now: now, Actor: by, Date: d.Date}, ""
}

func (k AddClosure) change(now domain.Instant, by domain.Actor, command [16]byte) (restaurant.Command, string) {
	k.Closure.ID = domain.NewClosureID(command)
	return restaurant.AddClosure{Now: now, Actor: by, Closure: k.Closure}, string(k.Closure.ID)
}

func (k RemoveClosure) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.RemoveClosure{Now: now, Actor: by, ID: k.ID}, ""
}

func (b AddBlock) change(now domain.Instant, by domain.Actor, command [16]byte) (restaurant.Command, string) {
	b.Block.ID = domain.NewBlockID(command)
	return restaurant.AddBlock{Now: now, Actor: by, Block: b.Block}, string(b.Block.ID)
}

func (b RemoveBlock) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.RemoveBlock{Now: now, Actor: by, ID: b.ID}, ""
}

func (k AddCombination) change(now domain.Instant, by domain.Actor, command [16]byte) (restaurant.Command, string) {
	k.Combination.ID = domain.NewCombinationID(command)
	return restaurant.AddCombination{Now: now, Actor: by, Combination: k.Combination}, string(k.Combination.ID)
}

func (k RemoveCombination) change(now domain.Instant, by domain.Actor, _ [16]byte) (restaurant.Command, string) {
	return restaurant.RemoveCombination{Now: now, Actor: by, ID: k.ID}, ""
}

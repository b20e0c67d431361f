package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// What the audit shows of a change of the plan of days that are open: what was decided for
// bookings that it touches, by name and by default, and what became of each.

// decisionSnapshot is what was decided for one booking, without the message to the guest.
type decisionSnapshot struct {
	Reservation domain.ReservationID `json:"reservationId"`
	Do          string               `json:"do"`
	Told        bool                 `json:"told,omitempty"` // with a message
}

// planDecisionSnapshot is what was decided for all others, and on which sight of the days.
type planDecisionSnapshot struct {
	Default string        `json:"default,omitempty"`
	Days    []daySnapshot `json:"days"`
}

type daySnapshot struct {
	Date     domain.ServiceDate `json:"date"`
	Revision uint64             `json:"revision"`
}

func decisionSnapshotOf(e restaurant.BookingDecided) decisionSnapshot {
	return decisionSnapshot{Reservation: e.Reservation, Do: string(e.Do), Told: e.Message != ""}
}

func planDecisionSnapshotOf(e restaurant.PlanDecided) planDecisionSnapshot {
	s := planDecisionSnapshot{Default: string(e.Default), Days: make([]daySnapshot, len(e.Days))}
	for i, d := range e.Days {
		s.Days[i] = daySnapshot{Date: d.Date, Revision: d.Revision}
	}
	return s
}

// settledSnapshot is what became of one booking under the plan that took effect.
type settledSnapshot struct {
	ID      domain.ReservationID `json:"reservationId"`
	Number  uint32               `json:"number"` // in the day's book
	Asked   string               `json:"asked,omitempty"`
	Done    string               `json:"done"`
	Code    string               `json:"code"`
	NoTable bool                 `json:"noTable,omitempty"`
}

func settledSnapshotsOf(day restaurantday.State, list []restaurantday.Settlement) []settledSnapshot {
	var settled []settledSnapshot
	for _, s := range list {
		settled = append(settled, settledSnapshot{
			ID: day.ID(s.Number), Number: s.Number, Asked: string(s.Asked), Done: string(s.Done), Code: string(s.Code), NoTable: s.NoTable,
		})
	}
	return settled
}

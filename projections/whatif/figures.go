package whatif

import (
	"maps"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/projections/reports"
)

// Figures is what a day, or several, came to in one world.
type Figures struct {
	Requests     int                 // bookings and walk-ins asked for, accepted or not: see isDemand
	Accepted     int                 // of those
	Refused      map[domain.Code]int // of those, by the rule
	Reservations int                 // that came, or are to come: confirmed, seated or completed
	Covers       int                 // of those
	NoShows      int
	Cancelled    int
	Assumed      int // reservations that are taken to come, though nothing is known of that
	// Seats times minutes, as the report of utilisation has them: see reports.SeatTimeOf.
	SeatMinutesSold, SeatMinutesOffered int64
}

// Utilisation is the part of the seat-hours offered that was sold, from 0 to about 1.
func (f Figures) Utilisation() float64 {
	if f.SeatMinutesOffered == 0 {
		return 0
	}
	return float64(f.SeatMinutesSold) / float64(f.SeatMinutesOffered)
}

// Revenue is what the covers bring at so much a cover, in minor units.
func (f Figures) Revenue(perCover domain.Money) int64 { return int64(f.Covers) * perCover.Amount }

// RevenuePerSeatHour is revenue by available seat-hour, in minor units.
func (f Figures) RevenuePerSeatHour(perCover domain.Money) float64 {
	if f.SeatMinutesOffered == 0 {
		return 0
	}
	return float64(f.Revenue(perCover)) * 60 / float64(f.SeatMinutesOffered)
}

// RefusedInAll is how many requests were refused.
func (f Figures) RefusedInAll() (n int) {
	for _, times := range f.Refused {
		n += times
	}
	return n
}

// Plus is the figures of both.
func (f Figures) Plus(o Figures) Figures {
	refused := maps.Clone(f.Refused)
	if refused == nil {
		refused = map[domain.Code]int{}
	}
	for code, times := range o.Refused {
		refused[code] += times
	}
	f.Refused = refused
	f.Requests += o.Requests
	f.Accepted += o.Accepted
	f.Reservations += o.Reservations
	f.Covers += o.Covers
	f.NoShows += o.NoShows
	f.Cancelled += o.Cancelled
	f.Assumed += o.Assumed
	f.SeatMinutesSold += o.SeatMinutesSold
	f.SeatMinutesOffered += o.SeatMinutesOffered
	return f
}

// isDemand reports whether an entry of the book is a request that was met. An offer to the
// waitlist is none; a party that moved here asked on the day it moved from; and a fact that
// was withdrawn is as if nobody had asked.
func isDemand(r *restaurantday.Reservation) bool {
	return r.Source != restaurantday.SourceWaitlist && r.Source != restaurantday.SourceMove && r.Status != restaurantday.StatusWithdrawn
}

// sideBySide is the figures of both worlds.
func (d *day) sideBySide(now domain.Instant) (a Day, err error) {
	here := d.history.Agreed()
	if here == nil {
		if here, err = d.r.unopened(d.past.date); err != nil {
			return a, err
		}
	}
	there := here
	if here != nil && !d.other.State.Opened() {
		if there, err = d.r.other(d.past.date, here); err != nil {
			return a, err
		}
	}
	a = Day{
		Date:    d.past.date,
		History: figures(d.history, here, d.refused, now),
		WhatIf:  figures(d.other.State, there, d.unmet, now),
	}
	a.WhatIf.Assumed = d.assumed
	return a, nil
}

// figures is what a day came to. Plan is what it offers where it has no book; nil for
// nothing.
func figures(s restaurantday.State, plan *restaurantday.Plan, refused map[domain.Code]int, now domain.Instant) Figures {
	f := Figures{Refused: refused}
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		if isDemand(r) {
			f.Accepted++
		}
		switch statusAt(r, now) {
		case restaurantday.StatusConfirmed, restaurantday.StatusSeated, restaurantday.StatusCompleted:
			covers := int(r.Party)
			if r.Covers > 0 {
				covers = int(r.Covers)
			}
			f.Reservations++
			f.Covers += covers
		case restaurantday.StatusNoShow:
			f.NoShows++
		case restaurantday.StatusCancelled:
			f.Cancelled++
		default: // a hold, one that lapsed, or one that went to another day
		}
	}
	f.Requests = f.Accepted + f.RefusedInAll()
	if !s.Opened() && plan != nil {
		s = decider.Fold(s, restaurantday.Opened{Plan: *plan}) // nobody had a table, but the seats were there
	}
	if s.Opened() {
		for _, shift := range reports.SeatTimeOf(s) {
			f.SeatMinutesOffered += shift.Offered
			f.SeatMinutesSold += shift.Sold
		}
	}
	return f
}

package whatif

import (
	"maps"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/projections/reports"
)

// Figures is what a day, or several, came to in one world.
type Figures struct {
	Requests     int                 // bookings and walk-ins asked for, accepted or not
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

// sideBySide is the figures of both worlds.
func (d *day) sideBySide(now domain.Instant) (a Day, err error) {
	if plan := d.history.Agreed(); plan != nil && !d.other.State.Opened() {
		if d.metThere, err = d.r.other(d.past.date, plan); err != nil {
			return a, err
		}
	}
	a = Day{
		Date:    d.past.date,
		History: figures(d.history, d.met, d.refused, now),
		WhatIf:  figures(d.other.State, d.metThere, d.unmet, now),
	}
	a.WhatIf.Assumed = d.assumed
	return a, nil
}

// figures is what a day came to. Met is the plan that its requests met where it has no book.
func figures(s restaurantday.State, met *restaurantday.Plan, refused map[domain.Code]int, now domain.Instant) Figures {
	f := Figures{Refused: refused}
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		f.Accepted++
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
	if !s.Opened() && met != nil {
		s = decider.Fold(s, restaurantday.Opened{Plan: *met}) // nobody had a table, but the seats were there
	}
	if s.Opened() {
		for _, shift := range reports.SeatTimeOf(s) {
			f.SeatMinutesOffered += shift.Offered
			f.SeatMinutesSold += shift.Sold
		}
	}
	return f
}

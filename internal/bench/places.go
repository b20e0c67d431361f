package main

import (
	"errors"
	"math/rand/v2"
	"sync"

	"daybook/domain"
)

// diner is one who books.
type diner struct{ bearer string }

// promise is a reservation that stands.
type promise struct {
	id    string
	diner *diner
}

// place is where a client books: one restaurant-day after the other, each kept at about
// four fifths of its table-slots.
type place struct {
	kept   int                                       // promises at which a day is kept
	perDay int                                       // accepted writes, after which a fresh day is taken
	next   func() (restaurant, date string, ok bool) // the day after this one

	mu      sync.Mutex
	day     page
	changed int // days taken
}

// page is one day as the load generator knows it.
type page struct {
	restaurant, date string
	standing         []promise
	promised         int // those standing and those asked for
	accepted         int // writes
}

// deed is what a client is to do next at a place.
type deed struct {
	restaurant, date string
	day              int     // which of the place's days
	cancel           promise // empty for a hold
}

var errNoMoreDays = errors.New("every day within the horizon is used up: run a shorter -duration")

// choose says what to do: to hold while there is room, else to cancel. A day that has had
// its writes is left for a fresh one.
func (p *place) choose(r *rand.Rand) (deed, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.day.date == "" || p.day.accepted >= p.perDay {
		var ok bool
		p.day = page{standing: make([]promise, 0, p.kept)}
		if p.day.restaurant, p.day.date, ok = p.next(); !ok {
			return deed{}, errNoMoreDays
		}
		p.changed++
	}
	d := deed{restaurant: p.day.restaurant, date: p.day.date, day: p.changed}
	if n := len(p.day.standing); p.day.promised >= p.kept && n > 0 {
		i := r.IntN(n)
		d.cancel = p.day.standing[i]
		p.day.standing[i] = p.day.standing[n-1]
		p.day.standing = p.day.standing[:n-1]
	} else {
		p.day.promised++
	}
	return d, nil
}

// done takes down how a deed ended; id is that of a reservation that was made.
func (p *place) done(d deed, accepted bool, id string, by *diner) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.day != p.changed {
		return // its day is over
	}
	if accepted {
		p.day.accepted++
	}
	if accepted && id != "" {
		p.day.standing = append(p.day.standing, promise{id, by})
	} else {
		p.day.promised--
	}
}

// today is the day that the place is at; empty before its first.
func (p *place) today() (restaurant, date string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.day.restaurant, p.day.date
}

// short reports whether the place is still to be filled.
func (p *place) short() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.day.promised < p.kept
}

// How the days of the houses are shared out, so that no two places ever book the same: the
// hot day goes through one house's days after the other's; each of the other houses has ten
// places, with as many days each as the horizon allows.
const (
	hotHouses     = 10
	otherHouses   = 10
	placesAHouse  = 10
	daysAHouse    = horizonDays - 10
	daysAPlace    = daysAHouse / placesAHouse
	houses        = hotHouses + otherHouses
	placesOfMany  = otherHouses * placesAHouse
	fillTries     = 10 * kept
	dinersAtWrite = 16
)

// hotPlace books one day at a time.
func hotPlace(restaurants []string, first domain.ServiceDate) *place {
	n := 0
	return &place{kept: kept, perDay: perDay, next: func() (string, string, bool) {
		if n == hotHouses*daysAHouse {
			return "", "", false
		}
		r, date := restaurants[n/daysAHouse], first.AddDays(n%daysAHouse)
		n++
		return r, date.String(), true
	}}
}

// manyPlaces books a hundred days at a time.
func manyPlaces(restaurants []string, first domain.ServiceDate) []*place {
	all := make([]*place, placesOfMany)
	for i := range all {
		restaurant, from := restaurants[hotHouses+i/placesAHouse], first.AddDays(i%placesAHouse*daysAPlace)
		n := 0
		all[i] = &place{kept: kept, perDay: perDay, next: func() (string, string, bool) {
			if n == daysAPlace {
				return "", "", false
			}
			n++
			return restaurant, from.AddDays(n - 1).String(), true
		}}
	}
	return all
}

package readapi

import (
	"context"
	"sync"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/projections/availability"
)

// planned keeps what days without a book would offer, by the plan they would be opened with,
// so that a month that many look at is reckoned once. It is bounded: when it is full it
// begins anew. Safe for concurrent use.
type planned struct {
	mu   sync.Mutex
	days map[plannedKey]*plannedDay
}

// plannedKey names a plan: a later revision of the restaurant makes another.
type plannedKey struct {
	restaurant domain.RestaurantID
	date       domain.ServiceDate
	revision   uint64
}

// plannedDay is a plan, and what it offers to parties.
type plannedDay struct {
	plan    *restaurantday.Plan
	mu      sync.Mutex
	offered map[domain.PartySize]offered
}

// offered holds from at on and before until; 0 for ever.
type offered struct {
	at, until domain.Instant
	slots     []restaurantday.SlotState
}

// How much is kept: days, and party sizes of each.
const (
	maxPlanned = 8192
	maxOffered = 32
)

// unopened is what a day without a book offers. It is refused where the restaurant takes no
// bookings.
func (r *reads) unopened(state restaurant.State, revision uint64, date domain.ServiceDate, party domain.PartySize) (availability.Answer, error) {
	day, err := r.planned.get(plannedKey{state.ID, date, revision}, func() (*restaurantday.Plan, error) {
		zone, err := httpapi.Zone(state.Profile.TimeZone)
		if err != nil {
			return nil, err
		}
		return state.DayPlan(date, revision, zone)
	})
	if err != nil {
		return availability.Answer{}, err
	}
	return availability.Answer{Plan: day.plan, Slots: day.slots(party, r.now())}, nil
}

// unopenedOf is unopened for a restaurant that was not read yet; nothing where it takes no
// bookings.
func (r *reads) unopenedOf(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate, party domain.PartySize) (availability.Answer, error) {
	state, revision, err := r.Book.Restaurant(ctx, id)
	if err != nil {
		return availability.Answer{}, err
	}
	answer, err := r.unopened(state, revision, date, party)
	if _, refused := domain.Rejected(err); refused {
		return availability.Answer{}, nil
	}
	return answer, err
}

func (p *planned) get(key plannedKey, build func() (*restaurantday.Plan, error)) (*plannedDay, error) {
	p.mu.Lock()
	day, ok := p.days[key]
	p.mu.Unlock()
	if ok {
		return day, nil
	}
	plan, err := build() // two may do so at once, and get the same
	if err != nil {
		return nil, err
	}
	day = &plannedDay{plan: plan, offered: make(map[domain.PartySize]offered)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.days == nil || len(p.days) >= maxPlanned {
		p.days = make(map[plannedKey]*plannedDay)
	}
	p.days[key] = day
	return day, nil
}

func (d *plannedDay) slots(party domain.PartySize, now domain.Instant) []restaurantday.SlotState {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o, ok := d.offered[party]; ok && o.at <= now && (o.until == 0 || now < o.until) {
		return o.slots
	}
	if len(d.offered) >= maxOffered {
		clear(d.offered)
	}
	empty := restaurantday.NewOccupancy(d.plan, nil)
	o := offered{at: now, until: empty.HoldsUntil(now), slots: empty.Slots(party, now)}
	d.offered[party] = o
	return o.slots
}

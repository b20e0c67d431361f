package commands

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// How far and for how long a refusal looks around.
const (
	// daysAround is how many days before and after the one asked for are looked at.
	daysAround = 3
	// neighbourAlternatives is how many slots of other days a refusal names at most, and
	// with how many of its own day it names none.
	neighbourAlternatives = 4
	// neighbourAge is how old a neighbour's state may be: what it offers is a hint, and is
	// decided anew by whoever takes it.
	neighbourAge = 3 * time.Second
	// neighboursWithin bounds the look by default; what was found until then is told.
	neighboursWithin = 50 * time.Millisecond
	// maxOffered bounds the memory for what neighbours offered.
	maxOffered = 4096
)

// elsewhere is what a refused party would take on another day.
type elsewhere struct {
	party domain.PartySize
	wish  restaurantday.Wish
	staff bool   // it may have what only staff book
	clock string // the local time asked for, HH:MM
	// home is the day that a party which was to be moved is booked on, and has its slot there,
	// which is no alternative; zero for none.
	home domain.ServiceDate
	has  domain.Instant
}

// clockOf is the local time that was asked for, by name or as an instant.
func (a *App) clockOf(r restaurantOutcome, hhmm string, at domain.Instant) string {
	loc := a.zone(r.State.Profile.TimeZone)
	if at == 0 || loc == nil {
		return hhmm
	}
	return at.Time().In(loc).Format("15:04")
}

// withNeighbours adds slots of the days around date to a refusal that another day could
// answer: the nearest day first, of a day the nearest time. A party that was to be moved is
// told of its own day too, however far that is. What goes wrong on the way leaves the
// refusal as it is.
func (a *App) withNeighbours(
	ctx context.Context, err error, r restaurantOutcome, date domain.ServiceDate, now domain.Instant, want elsewhere,
) error {
	no, ok := domain.Rejected(err)
	if !ok || !otherDayHelps(no.Code) || want.home == 0 && len(no.Alternatives) >= neighbourAlternatives {
		return err
	}
	minutes, badTime := domain.ParseClock(want.clock)
	loc := a.zone(r.State.Profile.TimeZone)
	if badTime != nil || loc == nil {
		return err
	}
	if minutes < r.State.DayBoundary {
		minutes += 24 * 60 // the small hours belong to the evening before
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.NeighboursWithin)
	defer cancel()
	today := domain.ServiceDateAt(now, loc, r.State.DayBoundary)
	var found []domain.Alternative
	for away := 1; away <= daysAround && len(found) < neighbourAlternatives && ctx.Err() == nil; away++ {
		var near []nearby
		for _, day := range []domain.ServiceDate{date.AddDays(-away), date.AddDays(away)} {
			if day >= today {
				near = append(near, a.offeredOn(ctx, r, day, now, day.Clock(minutes, loc), want)...)
			}
		}
		slices.SortStableFunc(near, func(a, b nearby) int { return cmp.Compare(a.off, b.off) })
		for _, n := range near {
			found = append(found, n.Alternative)
		}
	}
	found = found[:min(len(found), neighbourAlternatives)]
	if want.home >= today && !slices.ContainsFunc(found, func(o domain.Alternative) bool { return o.Date == want.home }) {
		if near := a.offeredOn(ctx, r, want.home, now, want.home.Clock(minutes, loc), want); len(near) > 0 {
			found = append(found[:min(len(found), neighbourAlternatives-1)], near[0].Alternative)
		}
	}
	if len(found) == 0 {
		return err
	}
	told := *no
	told.Alternatives = append(slices.Clone(no.Alternatives), found...)
	return &told
}

// otherDayHelps reports whether a refusal is about the day that was asked for, rather than
// about the party, the caller or the form of the request.
func otherDayHelps(c domain.Code) bool {
	switch c {
	case domain.CodeNoTable, domain.CodePacingFull, domain.CodeBlocked, domain.CodeClosed, domain.CodeTooSoon, domain.CodeInPast,
		domain.CodeOutsideHours, domain.CodeOffSlot, domain.CodeWaitlistFull:
		return true
	default:
		return false
	}
}

// nearby is a slot of a neighbour and how far its time of day is from the one asked for.
type nearby struct {
	domain.Alternative
	off domain.Instant
}

// offeredOn is what a day would accept near an instant, the nearest first; nothing where
// that cannot be told in time.
func (a *App) offeredOn(
	ctx context.Context, r restaurantOutcome, day domain.ServiceDate, now, near domain.Instant, want elsewhere,
) (list []nearby) {
	found, err := a.lookAt(ctx, r, day, now, near, want)
	if err != nil {
		if _, no := domain.Rejected(err); !no && ctx.Err() == nil {
			a.cfg.Log.WarnContext(ctx, "a refusal names nothing of a neighbour day", "date", day.String(), "error", err)
		}
		return nil
	}
	for _, alternative := range found {
		if day == want.home && alternative.StartsAt == want.has {
			continue
		}
		alternative.Date = day
		off := alternative.StartsAt - near
		list = append(list, nearby{Alternative: alternative, off: max(off, -off)})
	}
	return list
}

// lookAt judges a request on a day as a hold would be judged there: after the lapses, and
// where the day is not open yet on the plan that it would be opened with. It opens nothing.
func (a *App) lookAt(
	ctx context.Context, r restaurantOutcome, day domain.ServiceDate, now, near domain.Instant, want elsewhere,
) (list []domain.Alternative, err error) {
	defer recovered(&err)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o, err := a.days.state(ctx, codec.DayStream(r.State.ID, day), neighbourAge)
	if err != nil {
		return nil, err
	}
	key := offeredKey{
		restaurant: r.State.ID, day: day, entries: o.Entries, near: near, party: want.party, wish: want.wish, staff: want.staff,
		second: now / 1000,
	}
	s := o.State
	if !s.Opened() {
		key.plan = r.Entries
	}
	return a.offered.get(key, func() ([]domain.Alternative, error) {
		if !s.Opened() {
			open, err := a.opening(r, day, now)
			if err != nil {
				return nil, err
			}
			s.Restaurant, s.Date, s.Occupancy = r.State.ID, day, restaurantday.NewOccupancy(open.Plan, nil)
		}
		t := max(now, s.Clock())
		lapses, err := a.cfg.Day.Decide(s, restaurantday.Lapse{Now: t})
		if err != nil {
			return nil, err
		}
		for _, e := range lapses {
			s = a.cfg.Day.Evolve(s, e)
		}
		return s.Alternatives(restaurantday.Request{Party: want.party, Wish: want.wish, Staff: want.staff, Now: t}, near, neighbourAlternatives), nil
	})
}

// offeredMemo keeps what days offered, so that a crowd at one slot has it worked out once.
type offeredMemo struct {
	mu   sync.Mutex
	kept map[offeredKey][]domain.Alternative
}

// offeredKey is all that an offer rests on. What time alone changes is a second old at most.
type offeredKey struct {
	restaurant domain.RestaurantID
	day        domain.ServiceDate
	entries    uint64 // in the day's stream
	plan       uint64 // entries in the restaurant's stream, where the day has no plan of its own
	near       domain.Instant
	party      domain.PartySize
	wish       restaurantday.Wish
	staff      bool
	second     domain.Instant
}

func (m *offeredMemo) get(k offeredKey, work func() ([]domain.Alternative, error)) ([]domain.Alternative, error) {
	m.mu.Lock()
	list, ok := m.kept[k]
	m.mu.Unlock()
	if ok {
		return list, nil
	}
	list, err := work()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil || len(m.kept) >= maxOffered {
		m.kept = map[offeredKey][]domain.Alternative{}
	}
	m.kept[k] = list
	return list, nil
}

// moveElsewhere adds to the refusal of a move which other days, and which other times of its
// own day, the party could have.
func (a *App) moveElsewhere(ctx context.Context, err error, from Booked, m restaurantday.Moving) error {
	no, ok := domain.Rejected(err)
	if !ok || !otherDayHelps(no.Code) {
		return err
	}
	r, failed := a.restaurantState(ctx, from.Restaurant)
	if failed != nil {
		return err
	}
	old := &from.Reservation
	want := elsewhere{
		party: m.Party, wish: restaurantday.Wish{Area: old.Wish.Area}, staff: !old.Online, clock: a.clockOf(r, m.Time, m.StartsAt), home: from.Date,
	}
	if m.Party == old.Party {
		want.has = old.Slot.StartsAt
	}
	return a.withNeighbours(ctx, err, r, m.To, a.now(), want)
}

// amendElsewhere adds to the refusal of an amendment where the party could be moved to.
func (a *App) amendElsewhere(ctx context.Context, err error, at Booked, number uint32, m AmendReservation) error {
	no, ok := domain.Rejected(err)
	if !ok || !otherDayHelps(no.Code) {
		return err
	}
	r, failed := a.restaurantState(ctx, at.Restaurant)
	if failed != nil {
		return err
	}
	o, failed := a.days.state(ctx, codec.DayStream(at.Restaurant, at.Date), neighbourAge)
	if failed != nil {
		return err
	}
	old, ok := o.State.Reservation(number)
	if !ok {
		return err
	}
	// On another day it may sit at any table: see mover.hold.
	want := elsewhere{party: cmp.Or(m.Party, old.Party), wish: restaurantday.Wish{Area: old.Wish.Area}, staff: !old.Online, clock: old.Slot.Time}
	if m.Wish.Area != nil {
		want.wish.Area = *m.Wish.Area
	}
	if m.Time != "" || m.StartsAt != 0 {
		want.clock = a.clockOf(r, m.Time, m.StartsAt)
	}
	return a.withNeighbours(ctx, err, r, at.Date, a.now(), want)
}

// Package daytest draws what restaurants, their guests and their processes could command of a
// day, for the tests of whatever reads a day's events: a view that is fed by it has met every
// event there is.
//
// What belongs here: commands of one day, drawn by its state. What does not: how they are
// decided and kept, and what must be true of the result, which each reader's own tests know.
package daytest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// Draw is what commands are drawn from.
type Draw struct {
	*rand.Rand
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Plan       *restaurantday.Plan // that the day is opened with, and others are made from; never written to
	Staff      domain.UserID
	Diners     []domain.UserID
	Personal   string // stands in everything personal
}

const minute = domain.Instant(60_000)

// one is any of a list.
func one[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// Command draws a command of the day as it stands, and who gives it. Most fit something that
// is there; some are refused all the same.
func (d Draw) Command(s restaurantday.State, now domain.Instant) (restaurantday.Command, domain.Actor) {
	staff := domain.Staff(d.Staff)
	if r, ok := s.Reservation(uint32(s.Reservations())); ok && r.MovedFrom != "" && r.Status == restaurantday.StatusPending && d.IntN(2) == 0 {
		return d.move(s, now) // its hold lapses soon
	}
	switch n := d.IntN(22); {
	case n < 6:
		return d.hold(now)
	case n < 10:
		return d.service(s, now), staff
	case n < 12:
		return d.change(s, now), staff
	case n < 15:
		return d.waitlist(s, now)
	case n < 17:
		return d.move(s, now)
	case n < 18:
		return d.plan(s, now), staff
	case n < 19:
		return d.fact(now), staff
	}
	switch d.IntN(8) {
	case 0:
		return restaurantday.Withdraw{Now: now, Actor: staff, Batch: one(d.Rand, "one", "two"), Run: uint32(d.IntN(3)), Force: d.IntN(2) == 0}, staff
	case 1, 2:
		return restaurantday.Lapse{Now: now}, domain.System()
	default:
		return restaurantday.Undo{Now: now, Actor: staff}, staff
	}
}

func (d Draw) opening(now domain.Instant) *restaurantday.Open {
	return &restaurantday.Open{Now: now, Restaurant: d.Restaurant, Date: d.Date, Plan: d.Plan}
}

func (d Draw) details() restaurantday.Details {
	return restaurantday.Details{
		Guest: restaurantday.Guest{Name: d.Personal, Email: d.Personal + "@example.com", Phone: "+49" + d.Personal},
		Notes: d.Personal, SpecialRequests: d.Personal,
	}
}

func (d Draw) override(codes ...domain.Code) restaurantday.Override {
	if d.IntN(3) > 0 {
		return restaurantday.Override{}
	}
	return restaurantday.Override{Rule: one(d.Rand, codes...), Reason: d.Personal}
}

func (d Draw) party() domain.PartySize { return domain.PartySize(1 + d.IntN(5)) }

func (d Draw) slot() restaurantday.Slot { return one(d.Rand, d.Plan.Slots...) }

func (d Draw) tables() []domain.TableID { return []domain.TableID{one(d.Rand, d.Plan.Tables...).ID} }

func (d Draw) wish() restaurantday.Wish {
	return one(d.Rand, restaurantday.Wish{}, restaurantday.Wish{}, restaurantday.Wish{Table: d.tables()[0]}, restaurantday.Wish{Area: "window"})
}

// entry is any entry of the book that is as asked or, where none is, any number.
func (d Draw) entry(s restaurantday.State, as func(*restaurantday.Reservation) bool) uint32 {
	var fit []uint32
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		if r, _ := s.Reservation(n); as(r) {
			fit = append(fit, n)
		}
	}
	if len(fit) == 0 {
		return uint32(1 + d.IntN(s.Reservations()+1))
	}
	return one(d.Rand, fit...)
}

func being(status ...restaurantday.Status) func(*restaurantday.Reservation) bool {
	return func(r *restaurantday.Reservation) bool { return slices.Contains(status, r.Status) }
}

// today reports whether the day is about now: who stands at the door is for that day's book.
func (d Draw) today(now domain.Instant) bool {
	const half = 12 * 60
	return d.Plan.Slots[0].StartsAt.AddMinutes(-half) < now && now < d.Plan.Slots[0].StartsAt.AddMinutes(half)
}

func (d Draw) hold(now domain.Instant) (restaurantday.Command, domain.Actor) {
	diner := domain.Diner(one(d.Rand, d.Diners...))
	who := one(d.Rand, diner, domain.Staff(d.Staff), domain.Importer())
	c := restaurantday.Hold{
		Now: now, Opening: d.opening(now), Actor: who, Diner: who.User, Party: d.party(), Time: d.slot().Time, Wish: d.wish(),
		Confirm: d.IntN(2) == 0, Code: "K7Q2", Details: d.details(),
	}
	if who.Kind == domain.ActorStaff {
		c.Override = d.override(domain.CodeTooSoon, domain.CodePacingFull, domain.CodePartyTooLarge)
	}
	return c, who
}

// service is what happens to a party from its confirmation on.
func (d Draw) service(s restaurantday.State, now domain.Instant) restaurantday.Command {
	staff := domain.Staff(d.Staff)
	booked := being(restaurantday.StatusConfirmed)
	switch d.IntN(12) {
	case 0, 1:
		return restaurantday.Confirm{Now: now, Actor: staff, Number: d.entry(s, being(restaurantday.StatusPending))}
	case 2:
		return restaurantday.Cancel{Now: now, Actor: staff, Number: d.entry(s, being(restaurantday.StatusPending, restaurantday.StatusConfirmed)), Reason: d.Personal}
	case 3, 4:
		return restaurantday.Seat{Now: now, Actor: staff, Number: d.entry(s, booked), Covers: domain.PartySize(d.IntN(2))}
	case 5, 6:
		return restaurantday.Complete{Now: now, Actor: staff, Number: d.entry(s, being(restaurantday.StatusSeated))}
	case 7, 8:
		return restaurantday.MarkNoShow{Now: now, Actor: staff, Number: d.entry(s, func(r *restaurantday.Reservation) bool {
			return booked(r) && r.Turn.From <= now
		})}
	case 9:
		return restaurantday.Reinstate{
			Now: now, Actor: staff, Override: d.override(domain.CodePacingFull, domain.CodeOutsideHours),
			Number: d.entry(s, being(restaurantday.StatusCancelled, restaurantday.StatusNoShow, restaurantday.StatusCompleted)),
		}
	}
	if !d.today(now) {
		return restaurantday.Lapse{Now: now}
	}
	c := restaurantday.WalkIn{
		Now: now, Opening: d.opening(now), Actor: staff, Party: d.party(), Wish: d.wish(), Code: "W", Details: d.details(),
		Override: d.override(domain.CodeOutsideHours, domain.CodePacingFull),
	}
	for n := uint32(1); int(n) <= s.WaitlistEntries(); n++ {
		if w, _ := s.WaitlistEntry(n); w.WalkIn && w.Status == restaurantday.WaitlistWaiting {
			c.Entry, c.Party = n, 0
		}
	}
	return c
}

// change is what staff change of what is booked.
func (d Draw) change(s restaurantday.State, now domain.Instant) restaurantday.Command {
	staff := domain.Staff(d.Staff)
	live := d.entry(s, func(r *restaurantday.Reservation) bool { return r.Status.Live() })
	switch d.IntN(5) {
	case 0, 1:
		c := restaurantday.Amend{
			Now: now, Actor: staff, Number: live, Party: d.party(), Override: d.override(domain.CodeTooSoon, domain.CodePacingFull),
		}
		if d.IntN(2) == 0 {
			c.Time, c.Details.Notes = d.slot().Time, &d.Personal
		}
		return c
	case 2:
		return restaurantday.MoveTable{Now: now, Actor: staff, Number: live, Tables: d.tables()}
	case 3:
		return restaurantday.Pin{Now: now, Actor: staff, Number: d.entry(s, func(r *restaurantday.Reservation) bool { return r.Status.Live() && !r.Bound })}
	default:
		return restaurantday.Pin{Now: now, Actor: staff, Off: true, Number: d.entry(s, func(r *restaurantday.Reservation) bool {
			return r.Bound && r.Status == restaurantday.StatusConfirmed
		})}
	}
}

func (d Draw) waitlist(s restaurantday.State, now domain.Instant) (restaurantday.Command, domain.Actor) {
	staff, diner := domain.Staff(d.Staff), domain.Diner(one(d.Rand, d.Diners...))
	first := d.slot()
	join := restaurantday.JoinWaitlist{Now: now, Opening: d.opening(now), Party: d.party(), Code: "J", Details: d.details(), Wish: d.wish()}
	entry := uint32(1 + d.IntN(s.WaitlistEntries()+1))
	for n := uint32(1); int(n) <= s.WaitlistEntries(); n++ {
		if w, _ := s.WaitlistEntry(n); w.Status == restaurantday.WaitlistOffering && d.IntN(2) == 0 {
			entry = n
		}
	}
	switch d.IntN(6) {
	case 0, 1:
		join.Actor, join.Diner, join.From, join.To = diner, diner.User, first.StartsAt, first.StartsAt+90*minute
		return join, diner
	case 2, 3:
		if !d.today(now) {
			return restaurantday.Lapse{Now: now}, domain.System()
		}
		join.Actor, join.WalkIn = staff, true
		return join, staff
	case 4:
		return restaurantday.AcceptOffer{Now: now, Actor: staff, Entry: entry}, staff
	default:
		return restaurantday.LeaveWaitlist{Now: now, Actor: staff, Entry: entry}, staff
	}
}

// move is a step of a move to the next day, or from the day before.
func (d Draw) move(s restaurantday.State, now domain.Instant) (restaurantday.Command, domain.Actor) {
	staff, system := domain.Staff(d.Staff), domain.System()
	moving := func(r *restaurantday.Reservation) bool { return r.Moving.Move != "" }
	coming := func(r *restaurantday.Reservation) bool {
		return r.MovedFrom != "" && r.Status == restaurantday.StatusPending
	}
	n := d.entry(s, coming)
	if r, ok := s.Reservation(n); ok && coming(r) && now < r.ExpiresAt {
		return restaurantday.ExtendHold{Now: now, Actor: system, Number: n, Until: now + 30*minute}, system
	}
	switch d.IntN(6) {
	case 0, 1:
		n := d.entry(s, being(restaurantday.StatusConfirmed))
		return restaurantday.StartMove{Now: now, Actor: staff, Number: n, To: d.Date.AddDays(1), Move: fmt.Sprint("move ", n)}, staff
	case 2:
		n := d.entry(s, moving)
		return restaurantday.FinishMove{
			Now: now, Actor: system, Number: n, Move: fmt.Sprint("move ", n), To: domain.NewReservationID(d.Restaurant, d.Date.AddDays(1), n),
		}, system
	case 3:
		n := d.entry(s, moving)
		return restaurantday.AbortMove{Now: now, Actor: system, Number: n, Move: fmt.Sprint("move ", n), Reason: domain.CodeNoTable}, system
	default:
		return restaurantday.Hold{
			Now: now, Opening: d.opening(now), Actor: system, Diner: one(d.Rand, d.Diners...), Party: d.party(), Time: d.slot().Time, Code: "M",
			Details: d.details(), MovedFrom: domain.NewReservationID(d.Restaurant, d.Date.AddDays(-1), uint32(1+d.IntN(9))),
		}, system
	}
}

// plan puts another plan in place of the day's, or fences off what that takes away.
func (d Draw) plan(s restaurantday.State, now domain.Instant) restaurantday.Command {
	next := *d.Plan
	next.Revision++
	if s.Opened() {
		next.Revision = s.Agreed().Revision + uint64(1+d.IntN(2))
	}
	table, slot := d.IntN(len(next.Tables)), d.IntN(len(next.Slots))
	switch d.IntN(6) {
	case 0:
		next.Tables = slices.Delete(slices.Clone(next.Tables), table, table+1)
	case 1:
		next.Slots = slices.Delete(slices.Clone(next.Slots), slot, slot+1)
	case 2:
		from := next.Slots[slot].StartsAt
		next.Blocks = []restaurantday.Block{{
			ID: domain.NewBlockID([16]byte{1}), Tables: []domain.TableID{next.Tables[table].ID}, During: domain.Interval{From: from, To: from + 90*minute}, Reason: d.Personal,
		}}
	case 3:
		next.Tables = slices.Clone(next.Tables)
		next.Tables[table].Max++
	case 4:
		next.Policy.PacingCovers, next.Policy.Assignment = 6, restaurantday.LateBinding
	default: // as it was at first
	}
	staff, change := domain.Staff(d.Staff), fmt.Sprint(next.Revision)
	if d.IntN(3) == 0 {
		return restaurantday.FencePlan{Now: now, Actor: staff, Change: change, Plan: &next}
	}
	return restaurantday.ChangePlan{
		Now: now, Actor: staff, Change: change, Plan: &next, Binding: d.IntN(4) > 0,
		Default: one(d.Rand, restaurantday.Keep, restaurantday.Keep, restaurantday.Relocate, restaurantday.CallOff),
	}
}

// fact is a booking of another system.
func (d Draw) fact(now domain.Instant) restaurantday.Command {
	return restaurantday.Record{
		Now: now, Opening: d.opening(now), Actor: domain.Staff(d.Staff), Party: d.party(), StartsAt: d.slot().StartsAt + one(d.Rand, 0, 0, 10*minute),
		Time: "19:07", Minutes: one(d.Rand, 0, 0, 45), Code: "F", Details: d.details(),
		Status: one(d.Rand, restaurantday.StatusConfirmed, restaurantday.StatusConfirmed, restaurantday.StatusSeated,
			restaurantday.StatusCompleted, restaurantday.StatusCancelled, restaurantday.StatusNoShow),
		Fact: restaurantday.Fact{
			Batch: one(d.Rand, "one", "two"), Run: uint32(1 + d.IntN(2)), Source: "theirs", External: fmt.Sprint(d.IntN(60)),
			Digest: one(d.Rand, "a", "a", "b"), MadeAt: now - 60*minute, Named: one(d.Rand, nil, []string{"1"}, []string{"99"}),
		},
	}
}

package commands

import (
	"context"
	"fmt"
	"sync"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// HoldTable asks for a table. Time or StartsAt names the slot; StartsAt wins, and Date may
// then be zero.
type HoldTable struct {
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Time       string
	StartsAt   domain.Instant
	Party      domain.PartySize
	Wish       restaurantday.Wish
	Confirm    bool
	Details    restaurantday.Details
	Override   restaurantday.Override // one rule that staff set aside
}

// Booked is a reservation as a command left it.
type Booked struct {
	ID          domain.ReservationID
	Restaurant  domain.RestaurantID
	Date        domain.ServiceDate
	Zone        string // of the restaurant, IANA
	Reservation restaurantday.Reservation
	Revision    uint64 // of the day
	Position    eventstore.Position
	Replayed    bool
	Staff       bool // the caller works at the restaurant

	origin Origin // of what the house goes on with by itself: a move to another day that this began
}

type dayOutcome = Outcome[restaurantday.State, restaurantday.Event]

func booked(o dayOutcome, number uint32) (Booked, error) {
	r, ok := o.State.Reservation(number)
	if !ok {
		return Booked{}, fmt.Errorf("commands: entry %d is not in the book of %s %s", number, o.State.Restaurant, o.State.Date)
	}
	return Booked{
		ID: o.State.ID(number), Restaurant: o.State.Restaurant, Date: o.State.Date, Zone: o.State.Plan.Zone,
		Reservation: *r, Revision: o.Entries - 1, Position: o.Position, Replayed: o.Replayed,
	}, nil
}

// HoldTable promises a table for as long as the restaurant's holds last, or for good with
// Confirm. Staff who name a guest book for him; everybody else books for himself. A
// rejection comes with a Booked that says of which day, in which zone, and whom it tells.
func (a *App) HoldTable(ctx context.Context, c Caller, h HoldTable) (Booked, error) {
	r, err := a.restaurantState(ctx, h.Restaurant)
	if err != nil {
		return Booked{}, err
	}
	loc, err := a.zoneOf(r)
	if err != nil {
		return Booked{}, err
	}
	if h.StartsAt != 0 {
		date := domain.ServiceDateAt(h.StartsAt, loc, r.State.DayBoundary)
		if h.Date != 0 && h.Date != date {
			return Booked{}, domain.Reject(domain.CodeInvalid, fmt.Sprintf(
				"startsAt belongs to the service date %s, not %s", date, h.Date), domain.Reason{Rule: "date"})
		}
		h.Date = date
	} else if h.Override.Rule == domain.CodeOutsideHours {
		if h.Time, h.StartsAt, err = a.instantAside(r, h.Date, h.Time, 0); err != nil {
			return Booked{}, err
		}
	}
	who := c.actor(r.State)
	diner := c.User
	if who.Kind == domain.ActorStaff && h.Details.Guest != (restaurantday.Guest{}) {
		diner = ""
	}
	id := a.commandID(c, fmt.Sprintf("%s %s", h.Restaurant, h.Date))
	now := a.now()
	command := restaurantday.Hold{
		Now: now, Actor: who, Diner: diner, Party: h.Party, Time: h.Time, StartsAt: h.StartsAt,
		Wish: h.Wish, Confirm: h.Confirm, Code: confirmationCode(id), Details: h.Details, Override: h.Override,
	}
	var planErr error
	command.Opening, planErr = a.opening(r, h.Date, now)
	meta := a.metadata(ctx, c, who, c.role(r.State))
	o, err := a.days.handle(ctx, codec.DayStream(h.Restaurant, h.Date), Request[restaurantday.Command]{
		Command: command, ID: id, Meta: meta,
	})
	if no, ok := domain.Rejected(err); ok {
		if no.Code == domain.CodeNotOpened && planErr != nil {
			no, err = rejectionOr(planErr)
		}
		// Who has to say which of two instants he means has asked for neither yet.
		if no != nil && no.Code != domain.CodeAmbiguousTime {
			a.demand.record(ctx, codec.DemandStream(h.Restaurant, h.Date), refusal(id, meta, o, no, command))
		}
	}
	if err != nil {
		return addressed(r, h.Date, who), a.withNeighbours(ctx, err, r, h.Date, now, elsewhere{
			party: h.Party, wish: h.Wish, staff: who.Kind != domain.ActorDiner, clock: a.clockOf(r, h.Time, h.StartsAt),
		})
	}
	b, err := booked(o, heldNumber(o.Events))
	b.Staff = who.Kind == domain.ActorStaff
	return b, err
}

// opening is how a day would be opened that has no plan yet.
func (a *App) opening(r restaurantOutcome, date domain.ServiceDate, now domain.Instant) (*restaurantday.Open, error) {
	plan, err := a.plans.get(planKey{r.State.ID, date, r.Entries}, func() (*restaurantday.Plan, error) {
		return r.State.DayPlan(date, r.Entries-1, a.zone(r.State.Profile.TimeZone))
	})
	if err != nil {
		return nil, err
	}
	return &restaurantday.Open{Now: now, Restaurant: r.State.ID, Date: date, Plan: plan}, nil
}

func rejectionOr(err error) (*domain.Rejection, error) {
	no, _ := domain.Rejected(err)
	return no, err
}

// heldNumber is the entry that a command made. What it brought about for those who wait
// stands in the same append.
func heldNumber(events []restaurantday.Event) uint32 {
	for _, e := range events {
		if held, ok := e.(restaurantday.Held); ok && held.Source != restaurantday.SourceWaitlist {
			return held.Number
		}
	}
	return 0
}

// ConfirmReservation makes a hold firm.
func (a *App) ConfirmReservation(ctx context.Context, c Caller, id domain.ReservationID) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Confirm{Now: a.now(), Actor: who, Number: number}
	})
}

// CancelReservation gives the table back. The reason is kept as personal data.
func (a *App) CancelReservation(ctx context.Context, c Caller, id domain.ReservationID, reason string) (Booked, error) {
	return a.change(ctx, c, id, func(who domain.Actor, number uint32) restaurantday.Command {
		return restaurantday.Cancel{Now: a.now(), Actor: who, Number: number, Reason: reason}
	})
}

// addressed is what a rejection comes with: of which day, in which zone, and whom it tells.
func addressed(r restaurantOutcome, date domain.ServiceDate, who domain.Actor) Booked {
	return Booked{Restaurant: r.State.ID, Date: date, Zone: r.State.Profile.TimeZone, Staff: who.Kind == domain.ActorStaff}
}

// change handles a command about an entry of the book, wherever that was moved to.
func (a *App) change(
	ctx context.Context, c Caller, id domain.ReservationID, command func(domain.Actor, uint32) restaurantday.Command,
) (Booked, error) {
	rid, date, number := id.Day()
	r, err := a.restaurantState(ctx, rid)
	if err != nil {
		if _, ok := domain.Rejected(err); ok {
			err = domain.Reject(domain.CodeNotFound, "no such reservation")
		}
		return Booked{}, err
	}
	who := c.actor(r.State)
	commandID := a.commandID(c, string(id)) // of the id that was asked with, wherever it leads
	for {
		o, err := a.days.handle(ctx, codec.DayStream(rid, date), Request[restaurantday.Command]{
			Command: command(who, number), ID: commandID, Meta: a.metadata(ctx, c, who, c.role(r.State)),
		})
		if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeMovedAway {
			next, ferr := a.current(ctx, id)
			if ferr != nil {
				return Booked{}, ferr
			}
			if next != id {
				id = next
				_, date, number = id.Day()
				continue
			}
		}
		if err != nil {
			return addressed(r, date, who), err
		}
		b, err := booked(o, number)
		b.Staff = who.Kind == domain.ActorStaff
		for i, e := range o.Events {
			if _, ok := e.(restaurantday.MoveStarted); ok {
				b.origin = following(ProcessMoves, o.IDs[i], o.Meta)
			}
		}
		return b, err
	}
}

// OpenDay opens a day inside the restaurant's horizon, so that it can be shown. A day
// outside of it, or of a restaurant that takes no bookings, is refused.
func (a *App) OpenDay(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate) (eventstore.Position, error) {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return 0, err
	}
	now := a.now()
	open, err := a.opening(r, date, now)
	if err != nil {
		return 0, err
	}
	if err := r.State.MayOpen(date, open.Plan, a.zone(r.State.Profile.TimeZone), now); err != nil {
		return 0, err
	}
	o, err := a.days.handle(ctx, codec.DayStream(id, date), Request[restaurantday.Command]{
		Command: *open, Meta: byItself(ctx, ""),
	})
	return o.Position, err
}

// RecordLapses puts on record which of a day's holds have lapsed.
func (a *App) RecordLapses(ctx context.Context, id domain.RestaurantID, date domain.ServiceDate) (eventstore.Position, error) {
	o, err := a.days.handle(ctx, codec.DayStream(id, date), Request[restaurantday.Command]{
		Command: restaurantday.Lapse{Now: a.now()}, Meta: byItself(ctx, ""),
	})
	return o.Position, err
}

// codeAlphabet leaves out what is misheard or misread at the door.
const codeAlphabet = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

// confirmationCode is eight characters drawn from a command's id, the same for a repeat.
func confirmationCode(id [16]byte) string {
	var code [8]byte
	for i := range code {
		code[i] = codeAlphabet[(int(id[i])<<8|int(id[i+8]))%len(codeAlphabet)]
	}
	return string(code[:])
}

// planMemo keeps plans that were made, so that a hot day's is made once.
type planMemo struct {
	mu    sync.Mutex
	plans map[planKey]*restaurantday.Plan
}

type planKey struct {
	restaurant domain.RestaurantID
	date       domain.ServiceDate
	entries    uint64 // in the restaurant's stream
}

const maxPlans = 4096

func (m *planMemo) get(k planKey, build func() (*restaurantday.Plan, error)) (*restaurantday.Plan, error) {
	m.mu.Lock()
	p, ok := m.plans[k]
	m.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := build()
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.plans == nil || len(m.plans) >= maxPlans {
		m.plans = map[planKey]*restaurantday.Plan{}
	}
	m.plans[k] = p
	return p, nil
}

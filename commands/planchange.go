package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// PlanChange is a change of what days are opened with: SetHours, SetPolicy, AddTable,
// ChangeTable, RemoveTable, SetSpecialDay, RemoveSpecialDay, AddClosure, RemoveClosure,
// AddBlock, RemoveBlock, AddCombination or RemoveCombination.
type PlanChange interface {
	// change makes the command; made is the id of what it adds, for those that add something.
	change(now domain.Instant, by domain.Actor, command [16]byte) (c restaurant.Command, made string)
}

// The changes that are told by little more than what they are about.
type (
	// AddTable puts a table on the floor.
	AddTable struct{ Table restaurantday.Table }
	// ChangeTable changes what is not nil.
	ChangeTable struct {
		ID      domain.TableID
		Changes TableChanges
	}
	// RemoveTable takes a table off the floor.
	RemoveTable struct{ ID domain.TableID }
	// SetSpecialDay gives a service date hours of its own.
	SetSpecialDay struct{ Day restaurant.SpecialDay }
	// RemoveSpecialDay gives a service date the week's hours again.
	RemoveSpecialDay struct{ Date domain.ServiceDate }
	// AddClosure closes a range of service dates.
	AddClosure struct{ Closure restaurant.Closure }
	// RemoveClosure ends a closure.
	RemoveClosure struct{ ID domain.ClosureID }
	// AddBlock keeps tables from being promised.
	AddBlock struct{ Block restaurant.Block }
	// RemoveBlock ends a block.
	RemoveBlock struct{ ID domain.BlockID }
	// AddCombination lets tables be put together for one party.
	AddCombination struct{ Combination restaurantday.Combination }
	// RemoveCombination ends a combination.
	RemoveCombination struct{ ID domain.CombinationID }
)

// OnOpenDays is what becomes of reservations of days that are open already which a change
// touches. The zero value decides nothing.
type OnOpenDays struct {
	Seen      []restaurant.DaySeen // the days as they were previewed; those with decisions must be among them
	Decisions []BookingDecision
	// Default is for touched reservations without a decision, and for those that were made or
	// became others since their day was seen; empty for none.
	Default restaurantday.Resolution
}

// BookingDecision is what becomes of one reservation.
type BookingDecision struct {
	Reservation domain.ReservationID
	Do          restaurantday.Resolution
	Message     string // to the guest, where it is cancelled; at most 500 characters
}

// PlanPreview is what a change would do to the days that are open.
type PlanPreview struct {
	Days []PreviewedDay // every open day from today on, by date
}

// PreviewedDay is an open day as it was looked at.
type PreviewedDay struct {
	Date     domain.ServiceDate
	Revision uint64
	Touched  []TouchedBooking // by number
}

// TouchedBooking is a reservation that a change would not have as it is.
type TouchedBooking struct {
	ID      domain.ReservationID
	Time    string // of its slot, HH:MM
	Party   domain.PartySize
	Name    string // of the guest, where it was told
	Misfits []restaurantday.Misfit
	Can     []restaurantday.Resolution // what can become of it
}

// MaxTouched is how many reservations a preview lists.
const MaxTouched = restaurant.MaxDecided

// planAttempts bounds how often a change is weighed anew because the restaurant became
// another meanwhile.
const planAttempts = 8

// errMovedOn says that a stream is not as it was when what to ask of it was found out.
var errMovedOn = errors.New("commands: the stream has moved on")

// ChangePlan changes what days are opened with. What becomes of reservations of open days
// goes on record with it. Where it touches one for which neither a decision nor a default
// can be carried out it is refused with domain.CodeDecisionNeeded, and changes nothing; the
// receipt then has the restaurant as it is. It answers the id of what it adds, if it does.
//
// When it returns, days that were open are fenced: what the change takes away from them is
// no longer booked. RollOut does the rest.
func (a *App) ChangePlan(
	ctx context.Context, c Caller, id domain.RestaurantID, change PlanChange, on OnOpenDays,
) (Receipt[restaurant.State], string, error) {
	command := a.commandID(c, string(id))
	for range planAttempts {
		o, replayed, err := a.weighable(ctx, c, command, id)
		if err != nil {
			return Receipt[restaurant.State]{}, "", err
		}
		by := c.actor(o.State)
		asked, made := change.change(a.now(), by, command)
		if replayed {
			return receipt(o), made, nil
		}
		w, err := a.weigh(ctx, o, asked, len(on.Decisions))
		if err != nil {
			return Receipt[restaurant.State]{}, "", err
		}
		if len(w.days) > 0 {
			if asked, err = w.decided(ctx, a, on); err != nil {
				return receipt(o), "", err
			}
		}
		r, err := a.restaurants.handle(ctx, codec.RestaurantStream(id), Request[restaurant.Command]{
			Command: asked, ID: command, Meta: a.metadata(ctx, c, by, c.role(o.State)), Only: &o.Entries,
		})
		if errors.Is(err, errMovedOn) {
			continue
		}
		if err != nil {
			return Receipt[restaurant.State]{}, "", err
		}
		if n := len(r.IDs); n > 0 && len(w.days) > 0 && !r.Replayed {
			a.fence(From(ctx, following(ProcessPlanRollout, r.IDs[n-1], r.Meta)), w, r.Entries-1)
		}
		return receipt(r), made, nil
	}
	return Receipt[restaurant.State]{}, "", ErrContended
}

// PreviewPlan tells what a change would do to the days that are open, and changes nothing.
// It is refused as the change would be. A change that touches more than MaxTouched
// reservations is refused with domain.CodeInvalid.
func (a *App) PreviewPlan(ctx context.Context, c Caller, id domain.RestaurantID, change PlanChange) (PlanPreview, error) {
	o, err := a.restaurants.state(ctx, codec.RestaurantStream(id), 0)
	if err != nil {
		return PlanPreview{}, err
	}
	if !o.State.Registered() {
		return PlanPreview{}, domain.Reject(domain.CodeNotFound, fmt.Sprintf("no restaurant %s", id))
	}
	asked, made := change.change(a.now(), c.actor(o.State), a.commandID(c, string(id)))
	w, err := a.weigh(ctx, o, asked, 0)
	if err != nil {
		return PlanPreview{}, err
	}
	p := PlanPreview{Days: make([]PreviewedDay, 0, len(w.open))}
	touched := 0
	for _, d := range w.open {
		day := PreviewedDay{Date: d.state.Date, Revision: d.revision, Touched: make([]TouchedBooking, 0, len(d.touched))}
		touched += len(d.touched)
		for _, t := range d.touched {
			for i := range t.Misfits {
				if string(t.Misfits[i].Block) == made { // a block that is not made has no id
					t.Misfits[i].Block = ""
				}
			}
			r, _ := d.state.Reservation(t.Number)
			day.Touched = append(day.Touched, TouchedBooking{
				ID: d.state.ID(t.Number), Time: r.Slot.Time, Party: r.Party, Name: r.Details.Guest.Name, Misfits: t.Misfits, Can: t.Can(),
			})
		}
		p.Days = append(p.Days, day)
	}
	if touched > MaxTouched {
		return PlanPreview{}, domain.Reject(domain.CodeInvalid, fmt.Sprintf(
			"the change touches %d reservations, more than the %d that are listed: make it in parts, or send a default for all", touched, MaxTouched),
			domain.Reason{Rule: "preview", Limit: MaxTouched, Actual: int64(touched)})
	}
	return p, nil
}

// weighable is the restaurant as it stands now, or the first answer to the same command.
func (a *App) weighable(ctx context.Context, c Caller, command [16]byte, id domain.RestaurantID) (o restaurantOutcome, replayed bool, err error) {
	never := ^uint64(0) // no stream has so many: the command is looked for and not decided
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return o, false, err
	}
	o, err = a.restaurants.handle(ctx, codec.RestaurantStream(id), Request[restaurant.Command]{
		Command: restaurant.Publish{}, ID: command, Meta: a.metadata(ctx, c, c.actor(r.State), c.role(r.State)), Only: &never,
	})
	if errors.Is(err, errMovedOn) {
		return o, false, nil
	}
	return o, err == nil, err
}

// weighed is a change and what it does to the days that are open.
type weighed struct {
	restaurant domain.RestaurantID
	command    restaurant.Command
	now        domain.Instant
	next       restaurant.State
	open       []weighedDay // every open day from today on
	days       []weighedDay // those whose plan it makes another
}

type weighedDay struct {
	state    restaurantday.State // as changes of before leave it, carried out already or not
	revision uint64              // of the stream
	plan     *restaurantday.Plan
	touched  []restaurantday.Touch
}

// weigh finds out what a command would do to the open days of a restaurant. Besides its own
// events it appends one for each of so many decisions, and one for them all.
func (a *App) weigh(ctx context.Context, o restaurantOutcome, command restaurant.Command, decisions int) (w weighed, err error) {
	w = weighed{restaurant: o.State.ID, command: command, now: a.now()}
	decider := restaurant.Decider()
	events, err := decider.Decide(o.State, command)
	if err != nil {
		return w, err
	}
	w.next = decider.Fold(o.State, events...)
	if o.State.Status != restaurant.StatusOpen {
		return w, nil // no day was ever opened
	}
	revision := o.Entries + uint64(len(events)+decisions)
	var mu sync.Mutex
	err = a.eachOpenDay(ctx, o.State, w.now, func(ctx context.Context, d dayOutcome) error {
		state, err := a.carriedOut(ctx, d.State, o)
		if err != nil {
			return err
		}
		plan, err := a.planFor(w.next, state, revision)
		if err != nil {
			return err
		}
		day := weighedDay{state: state, revision: d.Entries - 1, plan: plan, touched: state.Preview(plan, w.now)}
		mu.Lock()
		defer mu.Unlock()
		w.open = append(w.open, day)
		return nil
	})
	if err != nil {
		return w, err
	}
	slices.SortFunc(w.open, func(a, b weighedDay) int { return int(a.state.Date - b.state.Date) })
	if err := a.datesKept(o.State, w); err != nil {
		return w, err
	}
	if slices.ContainsFunc(events, restaurant.AffectsPlans) {
		for _, d := range w.open {
			if !d.plan.SameAs(d.state.Agreed()) {
				w.days = append(w.days, d)
			}
		}
	}
	return w, nil
}

// planFor is the plan of an open day as a restaurant would have it now. The day stays in the
// zone that it was opened in, as who changes a restaurant's zone has accepted.
func (a *App) planFor(r restaurant.State, day restaurantday.State, revision uint64) (*restaurantday.Plan, error) {
	r.Profile.TimeZone = day.Agreed().Zone
	return r.DayPlan(day.Date, revision, a.zone(r.Profile.TimeZone))
}

// decided is the change with what becomes of the reservations that it touches, or a refusal
// that names those of which that is not said, or cannot be done.
func (w weighed) decided(ctx context.Context, a *App, on OnOpenDays) (restaurant.Command, error) {
	byDay, err := w.decisions(ctx, a, on)
	if err != nil {
		return nil, err
	}
	command := restaurant.DecidePlan{Change: w.command, Now: w.now, Default: on.Default}
	var missing []domain.Reason
	bookings := 0
	for _, d := range w.days {
		command.Days = append(command.Days, restaurant.DaySeen{Date: d.state.Date, Revision: d.revision})
		change := restaurantday.ChangePlan{
			Now: w.now, Actor: domain.System(), Change: strconv.FormatUint(d.plan.Revision, 10), Plan: d.plan, Default: on.Default,
		}
		for _, given := range byDay[d.state.Date] {
			_, _, number := given.Reservation.Day()
			change.Decisions = append(change.Decisions, restaurantday.Decision{Number: number, Do: given.Do})
			r, _ := d.state.Reservation(number)
			command.Decisions = append(command.Decisions, restaurant.BookingDecision{
				Reservation: given.Reservation, Diner: r.Diner, Do: given.Do, Message: given.Message,
			})
		}
		_, err := restaurantday.Decider().Decide(d.state, change)
		no, ok := domain.Rejected(err)
		switch {
		case ok && no.Code == domain.CodeDecisionNeeded:
			for _, why := range no.Reasons {
				why.Date = d.state.Date
				bookings += len(why.Blocked)
				missing = append(missing, why)
			}
		case err != nil:
			return nil, err
		}
	}
	if bookings > 0 {
		return nil, domain.Reject(domain.CodeDecisionNeeded, fmt.Sprintf(
			"it is not said, or cannot be done, what becomes of %d reservations that the change touches; send it with ?preview=true, then again with onOpenDays", bookings),
			missing[:min(len(missing), maxNamed)]...)
	}
	return command, nil
}

// maxNamed bounds how many reservations a refusal names.
const maxNamed = 100

// decisions sorts what was decided by day, and leaves out what is no longer about the same
// thing: for a reservation that became another since its day was seen the default is asked.
func (w weighed) decisions(ctx context.Context, a *App, on OnOpenDays) (map[domain.ServiceDate][]BookingDecision, error) {
	if len(on.Decisions) > MaxTouched {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("one change decides on at most %d reservations by name", MaxTouched),
			domain.Reason{Rule: "on_open_days", Limit: MaxTouched, Actual: int64(len(on.Decisions))})
	}
	seen := map[domain.ServiceDate]uint64{}
	for _, s := range on.Seen {
		if _, twice := seen[s.Date]; twice {
			return nil, domain.Invalid("on_open_days", fmt.Sprintf("%s is seen twice", s.Date))
		}
		seen[s.Date] = s.Revision
	}
	byDay := map[domain.ServiceDate][]BookingDecision{}
	given := map[domain.ReservationID]bool{}
	for _, d := range on.Decisions {
		id, date, _ := d.Reservation.Day()
		revision, ok := seen[date]
		switch {
		case given[d.Reservation]:
			return nil, domain.Invalid("on_open_days", fmt.Sprintf("%s is decided on twice", d.Reservation))
		case id != w.restaurant:
			return nil, domain.Invalid("on_open_days", fmt.Sprintf("%s is no reservation of this restaurant", d.Reservation))
		case !ok:
			return nil, domain.Invalid("on_open_days", fmt.Sprintf("%s is decided on, and its day %s is not among those seen", d.Reservation, date))
		}
		given[d.Reservation] = true
		i := slices.IndexFunc(w.days, func(day weighedDay) bool { return day.state.Date == date })
		if i < 0 {
			continue // the change does not touch that day
		}
		if revision > w.days[i].revision {
			return nil, domain.Invalid("on_open_days", fmt.Sprintf("%s was seen at revision %d, and stands at %d", date, revision, w.days[i].revision))
		}
		same, err := a.sameSince(ctx, w.days[i], revision, d.Reservation)
		if err != nil {
			return nil, err
		}
		if same {
			byDay[date] = append(byDay[date], d)
		}
	}
	return byDay, nil
}

// sameSince reports whether a touched reservation is what it was at a revision of its day: as
// large a party at the same time.
func (a *App) sameSince(ctx context.Context, d weighedDay, revision uint64, id domain.ReservationID) (bool, error) {
	_, _, number := id.Day()
	now, ok := d.state.Reservation(number)
	if !ok {
		return false, domain.Invalid("on_open_days", fmt.Sprintf("there is no reservation %s", id))
	}
	if !slices.ContainsFunc(d.touched, func(t restaurantday.Touch) bool { return t.Number == number }) {
		return false, nil
	}
	if revision == d.revision {
		return true, nil
	}
	f := folded[restaurantday.State]{State: a.cfg.Day.Initial(), outcomes: map[[16]byte]mark{}}
	err := a.days.read(ctx, codec.DayStream(d.state.Restaurant, d.state.Date), &f, func(read[restaurantday.Event]) bool { return f.entries <= revision })
	if err != nil {
		return false, err
	}
	then, ok := f.State.Reservation(number)
	return ok && then.Party == now.Party && then.Slot.StartsAt == now.Slot.StartsAt, nil
}

// fence keeps what the change takes away from being booked on days that are open. What
// fails here is done by the process that rolls the change out: the change is on record.
func (a *App) fence(ctx context.Context, w weighed, revision uint64) {
	group, ctx := errgroup.WithContext(context.WithoutCancel(ctx))
	group.SetLimit(readsAtOnce)
	for _, d := range w.days {
		group.Go(func() error {
			plan, err := a.planFor(w.next, d.state, revision)
			if err == nil {
				err = a.fenceDay(ctx, d.state.Restaurant, d.state.Date, plan)
			}
			if err != nil {
				a.cfg.Log.Warn("a day is not fenced yet", "restaurant", d.state.Restaurant, "date", d.state.Date.String(), "error", err)
			}
			return nil
		})
	}
	_ = group.Wait() // each says for itself what went wrong
}

package whatif

import (
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// factual is what is taken over from history as it is, because the command that made it
// cannot be given again. It is a command to nobody but this package.
type factual struct {
	restaurantday.Command
	event restaurantday.Event
}

// translate is a command of history as it is given in the other world; nil where it is
// about a party that has no place there.
func (d *day) translate(before restaurantday.State, f found, events []restaurantday.Event) (c restaurantday.Command, err error) {
	here := d.other.State
	switch c := f.command.(type) {
	case nil:
		return nil, nil
	case restaurantday.Open:
		open, err := d.opening(before, &c, c.Now)
		if open == nil || err != nil {
			return nil, err
		}
		return *open, nil
	case restaurantday.Hold:
		return d.holding(before, c)
	case restaurantday.WalkIn:
		return d.walkingIn(before, c, events)
	case restaurantday.JoinWaitlist:
		c.Wish = d.wish(c.Wish)
		c.Opening, err = d.opening(before, c.Opening, c.Now)
		return c, err
	case restaurantday.Record:
		c.Opening, err = d.opening(before, c.Opening, c.Now)
		return c, err
	case restaurantday.LeaveWaitlist:
		w, ok := here.WaitlistEntry(d.entries[c.Entry])
		if !ok || w.Status == restaurantday.WaitlistAccepted {
			return nil, nil // it does not wait there, or got a table and waits no more
		}
		c.Entry = w.Entry
		return c, nil
	case restaurantday.Undo:
		if c.Action = d.actions[c.Action]; c.Action == 0 {
			return nil, nil
		}
		return c, nil
	case restaurantday.ChangePlan:
		c.Plan, err = d.r.other(d.past.date, c.Plan)
		c.Decisions = d.decided(c.Decisions)
		return c, err
	case restaurantday.FencePlan:
		switch {
		case !here.Opened():
			return nil, nil
		case !f.exact:
			return factual{event: events[len(events)-1]}, nil
		}
		c.Plan, err = d.r.other(d.past.date, c.Plan)
		return c, err
	case restaurantday.Lapse, restaurantday.Withdraw:
		if !here.Opened() {
			return nil, nil
		}
		return c, nil
	}
	return d.onEntry(f.command), nil
}

// opening is how the other world opens the day where it has not yet: as history does now, or
// by the plan that it has there.
func (d *day) opening(before restaurantday.State, given *restaurantday.Open, now domain.Instant) (*restaurantday.Open, error) {
	plan := before.Agreed()
	if given != nil {
		plan = given.Plan
	}
	if d.other.State.Opened() || plan == nil {
		return nil, nil
	}
	plan, err := d.r.other(d.past.date, plan)
	if err != nil {
		return nil, err
	}
	return d.open(plan, now), nil
}

func (d *day) holding(before restaurantday.State, c restaurantday.Hold) (_ restaurantday.Command, err error) {
	c.Wish = d.wish(c.Wish)
	if c.MovedFrom != "" {
		if _, date, number := c.MovedFrom.Day(); d.r.days[date] != nil {
			there := d.r.days[date].numbers[number]
			if there == 0 {
				return nil, nil // it has no place there that it could leave
			}
			c.MovedFrom = domain.NewReservationID(d.r.id, date, there)
		}
	}
	c.Opening, err = d.opening(before, c.Opening, c.Now)
	return c, err
}

func (d *day) walkingIn(before restaurantday.State, c restaurantday.WalkIn, events []restaurantday.Event) (_ restaurantday.Command, err error) {
	c.Wish = d.wish(c.Wish)
	if !d.has(c.Tables) {
		c.Tables = nil
	}
	if c.Entry != 0 {
		w, ok := d.other.State.WaitlistEntry(d.entries[c.Entry])
		switch {
		case ok && w.Status == restaurantday.WaitlistAccepted:
			// It was offered a table there, and sits down at that.
			return restaurantday.Seat{Now: c.Now, Actor: c.Actor, Number: w.Number, Covers: c.Covers}, nil
		case ok && w.Status == restaurantday.WaitlistWaiting:
			c.Entry = w.Entry
		default:
			c.Entry = 0
		}
	}
	c.Opening, err = d.opening(before, c.Opening, c.Now)
	return c, err
}

// wish is what a party wishes for, without a table that the other plan took away: it could
// not have asked for that.
func (d *day) wish(w restaurantday.Wish) restaurantday.Wish {
	if w.Table != "" && !d.has([]domain.TableID{w.Table}) {
		w.Table = ""
	}
	return w
}

// has reports whether the other plan left these tables where they were.
func (d *day) has(tables []domain.TableID) bool {
	here, there := d.history.Plan, d.other.State.Plan
	return here == nil || there == nil || !slices.ContainsFunc(tables, func(id domain.TableID) bool {
		is := func(t restaurantday.Table) bool { return t.ID == id }
		return slices.ContainsFunc(here.Tables, is) && !slices.ContainsFunc(there.Tables, is)
	})
}

// decided is what was decided for reservations that have a place in the other world, too.
func (d *day) decided(list []restaurantday.Decision) (there []restaurantday.Decision) {
	for _, given := range list {
		if given.Number = d.numbers[given.Number]; given.Number != 0 {
			there = append(there, given)
		}
	}
	return there
}

// onEntry is what is done to an entry of the book, done to the same party's in the other
// world.
func (d *day) onEntry(c restaurantday.Command) restaurantday.Command {
	number := func(n *uint32) bool { *n = d.numbers[*n]; return *n != 0 }
	switch c := c.(type) {
	case restaurantday.Confirm:
		if number(&c.Number) {
			return c
		}
	case restaurantday.Cancel:
		if number(&c.Number) {
			return c
		}
	case restaurantday.Amend:
		if c.Wish.Table != nil {
			w := d.wish(restaurantday.Wish{Table: *c.Wish.Table})
			c.Wish.Table = &w.Table
		}
		if number(&c.Number) {
			return c
		}
	case restaurantday.MoveTable:
		if number(&c.Number) && d.has(c.Tables) {
			return c
		}
	case restaurantday.Pin:
		if number(&c.Number) {
			return c
		}
	case restaurantday.Seat:
		if !d.has(c.Tables) {
			c.Tables = nil
		}
		if number(&c.Number) {
			return c
		}
	case restaurantday.Complete:
		if number(&c.Number) {
			return c
		}
	case restaurantday.MarkNoShow:
		if number(&c.Number) {
			return c
		}
	case restaurantday.Reinstate:
		if number(&c.Number) {
			return c
		}
	case restaurantday.StartMove:
		if number(&c.Number) {
			return c
		}
	case restaurantday.ExtendHold:
		if number(&c.Number) {
			return c
		}
	case restaurantday.AbortMove:
		if number(&c.Number) {
			return c
		}
	case restaurantday.FinishMove:
		if number(&c.Number) {
			return d.finishing(c)
		}
	}
	return nil
}

// finishing ends a move in the other world: as in history where the party has its place on
// the other day, else it stays where it is.
func (d *day) finishing(c restaurantday.FinishMove) restaurantday.Command {
	_, date, number := c.To.Day()
	there := d.r.days[date]
	if there == nil {
		return c // outside of what is asked: as it was
	}
	if n := there.numbers[number]; n != 0 {
		if r, ok := there.other.State.Reservation(n); ok && r.Status != restaurantday.StatusPending && r.Status.Live() {
			c.To = domain.NewReservationID(d.r.id, date, n)
			return c
		}
	}
	why := domain.CodeNoTable
	if i, ok := there.held[number]; ok && there.requests[i].unmet != "" {
		why = there.requests[i].unmet
	}
	return restaurantday.AbortMove{Now: c.Now, Actor: c.Actor, Number: c.Number, Move: c.Move, Reason: why}
}

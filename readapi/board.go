package readapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/projections/book"
)

// board is a day as its staff see it.
type board struct {
	RestaurantID string                `json:"restaurantId"`
	Date         string                `json:"date"`
	TimeZone     string                `json:"timeZone"`
	AsOf         string                `json:"asOf" format:"date-time" doc:"the instant it tells of"`
	Planned      bool                  `json:"planned,omitempty" doc:"where asOf was sent: nobody had asked for the day by then, and this is how it would have been opened"`
	Revision     uint64                `json:"revision" doc:"of the restaurant-day"`
	Position     uint64                `json:"position" doc:"up to where in the ledger, at least, all is in it"`
	PlanRevision uint64                `json:"planRevision" doc:"of the restaurant, which the plan was made from"`
	Closure      string                `json:"closure,omitempty" doc:"why the day is closed"`
	Shifts       []boardShift          `json:"shifts"`
	Slots        []boardSlot           `json:"slots"`
	Tables       []boardTable          `json:"tables"`
	Combinations []httpapi.Combination `json:"combinations"`
	Blocks       []boardBlock          `json:"blocks"`
	Reservations []boardEntry          `json:"reservations" doc:"by time; all that have a table or had one, and of those that came to nothing the last 500"`
	LeftOut      int                   `json:"reservationsLeftOut,omitempty" doc:"those that came to nothing before the last 500"`
	Holds        []boardHold           `json:"holds" doc:"by when they lapse"`
	Waitlist     []waitingParty        `json:"waitlist" doc:"who wait for a time, in their order, then the last 100 that no longer wait"`
	Queue        []waitingParty        `json:"queue" doc:"who wait at the door, likewise"`
	Actions      []boardAction         `json:"actions" doc:"the last of staff that can be undone, the last first"`
}

type boardShift struct {
	Name         string             `json:"name"`
	Opens        string             `json:"opens" format:"date-time" doc:"the first seating"`
	LastSeating  string             `json:"lastSeating" format:"date-time"`
	Closes       string             `json:"closes" format:"date-time"`
	TurnMinutes  []httpapi.TurnTime `json:"turnMinutes"`
	PacingCovers int                `json:"pacingCovers,omitempty" doc:"covers that may start in one slot; missing for no limit"`
}

// boardSlot is who comes and who is there, of those who begin in one slot or before the next.
type boardSlot struct {
	Time         string `json:"time" doc:"local, HH:MM"`
	StartsAt     string `json:"startsAt" format:"date-time"`
	Shift        string `json:"shift"`
	Held         int    `json:"heldCovers" doc:"of holds that wait for their confirmation"`
	Expected     int    `json:"expectedCovers" doc:"confirmed, and not there yet"`
	Seated       int    `json:"seatedCovers"`
	Left         int    `json:"leftCovers" doc:"who were here"`
	Paced        int    `json:"pacedCovers" doc:"that count against pacingCovers"`
	PacingCovers int    `json:"pacingCovers,omitempty"`
}

type boardTable struct {
	httpapi.Table
	Reservations []string `json:"reservationIds" doc:"pending, confirmed and seated, by time"`
}

type boardBlock struct {
	BlockID  string   `json:"blockId"`
	TableIDs []string `json:"tableIds" doc:"none for the whole floor"`
	From     string   `json:"from" format:"date-time"`
	To       string   `json:"to" format:"date-time"`
	Reason   string   `json:"reason,omitempty"`
}

type boardHold struct {
	ReservationID string `json:"reservationId"`
	WaitlistID    string `json:"waitlistId,omitempty" doc:"whom it is offered to"`
	ExpiresAt     string `json:"expiresAt" format:"date-time"`
}

type boardAction struct {
	Sequence      uint32 `json:"sequence" doc:"among the day's; send it to undo this one"`
	Kind          string `json:"kind"`
	ReservationID string `json:"reservationId"`
	At            string `json:"at" format:"date-time"`
}

func (r *reads) board(api *httpapi.API) {
	op := get("read-day", "/restaurants/{id}/days/{date}", "The day's board, for staff", "Floor")
	op.Description = "Always current: it is read off the day's own stream. A day that nobody has asked for yet is opened by this. " +
		"With asOf it opens nothing, and tells of the day as it was then."
	op.Security, op.Errors = httpapi.LoggedIn, append(op.Errors, http.StatusNotFound, http.StatusForbidden, http.StatusConflict)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		AsOf
		ID   string `path:"id" doc:"the restaurant's id, rst_…"`
		Date string `path:"date" doc:"service date, YYYY-MM-DD"`
	}) (*body[board], error) {
		state, _, err := r.restaurant(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		if !state.MayManage(httpapi.User(ctx)) {
			return nil, domain.Reject(domain.CodeForbidden, "only those who work at the restaurant see its board")
		}
		date, err := domain.ParseServiceDate(in.Date)
		if err != nil {
			return nil, notFound("service date")
		}
		past, err := r.past(ctx, in.AsOf)
		if err != nil {
			return nil, err
		}
		if past != nil {
			return boardThen(ctx, past, state.ID, date)
		}
		position, err := r.Head(ctx)
		if err != nil {
			return nil, err
		}
		day, err := r.Book.Day(ctx, state.ID, date, r.now())
		if errors.Is(err, book.ErrNotFound) {
			if position, err = r.OpenDay(ctx, state.ID, date); err != nil {
				return nil, err
			}
			day, err = r.Book.Day(ctx, state.ID, date, r.now())
		}
		if err != nil {
			return nil, err
		}
		return &body[board]{boardOf(day, position)}, nil
	})
}

// boardThen is the board of a day as it was.
func boardThen(ctx context.Context, p *book.Past, id domain.RestaurantID, date domain.ServiceDate) (*body[board], error) {
	ctx, cancel := context.WithTimeout(ctx, lookBack)
	defer cancel()
	day, planned, err := dayThen(ctx, p, id, date)
	if err != nil {
		return nil, err
	}
	b := boardOf(day, p.Position())
	b.AsOf, b.Planned = exactly(p.Named(), day.State.Plan.Zone), planned
	return &body[board]{b}, nil
}

func boardOf(d book.Day, position eventstore.Position) board {
	plan, at := d.State.Plan, httpapi.InZone(d.State.Plan.Zone)
	b := board{
		RestaurantID: string(d.State.Restaurant), Date: d.State.Date.String(), TimeZone: plan.Zone, AsOf: at(d.At),
		Revision: d.Revision, Position: uint64(position), PlanRevision: plan.Revision, Closure: plan.Closure,
		Shifts: shiftsOf(plan), Tables: make([]boardTable, len(plan.Tables)),
		Combinations: make([]httpapi.Combination, len(plan.Combinations)), Blocks: make([]boardBlock, len(plan.Blocks)),
		Slots: make([]boardSlot, len(plan.Slots)), Holds: []boardHold{}, Waitlist: []waitingParty{}, Queue: []waitingParty{}, Actions: []boardAction{},
	}
	for i, c := range d.Covers() {
		b.Slots[i] = boardSlot{
			Time: c.Slot.Time, StartsAt: at(c.Slot.StartsAt), Shift: c.Slot.Shift, Held: c.Held, Expected: c.Expected,
			Seated: c.Seated, Left: c.Left, Paced: c.Paced, PacingCovers: plan.Pacing(c.Slot),
		}
	}
	for i, k := range plan.Combinations {
		b.Combinations[i] = httpapi.Combination{CombinationID: string(k.ID), TableIDs: idsOf(k.Tables), MinCapacity: int(k.Min), Capacity: int(k.Max)}
	}
	for i, k := range plan.Blocks {
		b.Blocks[i] = boardBlock{string(k.ID), idsOf(k.Tables), at(k.During.From), at(k.During.To), k.Reason}
	}
	b.reservations(d)
	for _, w := range d.Waitlist() {
		list := &b.Waitlist
		if w.Entry.WalkIn {
			list = &b.Queue
		}
		*list = append(*list, waitingOf(w, true))
	}
	b.Waitlist, b.Queue = lastWaiting(b.Waitlist), lastWaiting(b.Queue)
	for _, a := range slices.Backward(d.State.Actions()) {
		b.Actions = append(b.Actions, boardAction{a.Sequence, string(a.Kind), string(d.State.ID(a.Number)), at(a.At)})
	}
	return b
}

// keptEnded is how many reservations that came to nothing a board shows.
const keptEnded = 500

// reservations fills in who has a table, and who had.
func (b *board) reservations(d book.Day) {
	plan, at := d.State.Plan, httpapi.InZone(d.State.Plan.Zone)
	all := d.Reservations()
	ended := func(r *restaurantday.Reservation) bool {
		return !r.Status.Live() && r.Status != restaurantday.StatusCompleted
	}
	var out []*restaurantday.Reservation
	for _, r := range all {
		if ended(r) {
			out = append(out, r)
		}
	}
	if b.LeftOut = max(0, len(out)-keptEnded); b.LeftOut > 0 {
		slices.SortFunc(out, func(x, y *restaurantday.Reservation) int { return cmp.Compare(x.ChangedAt, y.ChangedAt) })
		drop := map[uint32]bool{}
		for _, r := range out[:b.LeftOut] {
			drop[r.Number] = true
		}
		all = slices.DeleteFunc(all, func(r *restaurantday.Reservation) bool { return drop[r.Number] })
	}
	slices.SortStableFunc(all, func(x, y *restaurantday.Reservation) int { return cmp.Compare(x.Occupied.From, y.Occupied.From) })
	b.Reservations = make([]boardEntry, len(all))
	had := map[domain.TableID][]string{}
	var holds []*restaurantday.Reservation
	for i, r := range all {
		id := d.State.ID(r.Number)
		b.Reservations[i] = boardEntryOf(d, r)
		if r.Status.Live() {
			for _, t := range r.Tables {
				had[t] = append(had[t], string(id))
			}
		}
		if r.Status == restaurantday.StatusPending {
			holds = append(holds, r)
		}
	}
	slices.SortStableFunc(holds, func(x, y *restaurantday.Reservation) int { return cmp.Compare(x.ExpiresAt, y.ExpiresAt) })
	for _, r := range holds {
		h := boardHold{ReservationID: string(d.State.ID(r.Number)), ExpiresAt: at(r.ExpiresAt)}
		if r.Entry != 0 {
			h.WaitlistID = string(domain.NewWaitlistID(d.State.Restaurant, d.State.Date, r.Entry))
		}
		b.Holds = append(b.Holds, h)
	}
	for i, t := range plan.Tables {
		b.Tables[i] = boardTable{httpapi.Table{
			TableID: string(t.ID), Number: t.Number, MinCapacity: int(t.Min), Capacity: int(t.Max), Area: t.Area, OfflineOnly: t.OfflineOnly,
		}, append([]string{}, had[t.ID]...)}
	}
}

// shiftsOf is the shifts that the plan's slots belong to, in their order.
func shiftsOf(plan *restaurantday.Plan) []boardShift {
	at := httpapi.InZone(plan.Zone)
	shifts := []boardShift{}
	for i, s := range plan.Slots {
		if i == 0 || plan.Slots[i-1].Shift != s.Shift {
			turns := plan.Policy.Turns
			if own := slices.IndexFunc(plan.Shifts, func(k restaurantday.ShiftPlan) bool { return k.Name == s.Shift }); own >= 0 && len(plan.Shifts[own].Turns) > 0 {
				turns = plan.Shifts[own].Turns
			}
			shift := boardShift{Name: s.Shift, Opens: at(s.StartsAt), TurnMinutes: make([]httpapi.TurnTime, len(turns)), PacingCovers: plan.Pacing(s)}
			for k, t := range turns {
				shift.TurnMinutes[k] = httpapi.TurnTime{UpToParty: int(t.UpToParty), Minutes: t.Minutes}
			}
			shifts = append(shifts, shift)
		}
		last := &shifts[len(shifts)-1]
		last.LastSeating, last.Closes = at(s.StartsAt), at(s.Closes)
	}
	return shifts
}

func idsOf[T ~string](all []T) []string {
	ids := make([]string, len(all))
	for i, id := range all {
		ids[i] = string(id)
	}
	return ids
}

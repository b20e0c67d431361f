package reporting

import (
	"context"
	"slices"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// changes is what a batch does to the tables.
type changes struct {
	reservations *rows[domain.ReservationID]
	tables       *rows[tableOf]
	days         *rows[day]
	dayShifts    *rows[shiftOf]
	waiting      *rows[domain.WaitlistID]
	demand       *rows[day]
	refusals     *rows[eventstore.Position]
	restaurants  *rows[domain.RestaurantID]
	audit        *rows[eventstore.Position]
	last         map[day]lastOf // days touched: each one's row is written from its last state
}

type day struct {
	restaurant domain.RestaurantID
	date       domain.ServiceDate
}

type shiftOf struct {
	day
	name string
}

type tableOf struct {
	reservation domain.ReservationID
	table       domain.TableID
}

// lastOf is the state of a day after its last record of the batch.
type lastOf struct {
	state  dayFold
	record eventstore.Record
}

func newChanges() *changes {
	return &changes{
		reservations: newRows[domain.ReservationID](reservationRows),
		tables:       newRows[tableOf](tableRows),
		days:         newRows[day](dayRows),
		dayShifts:    newRows[shiftOf](shiftRows),
		waiting:      newRows[domain.WaitlistID](waitlistRows),
		demand:       newRows[day](demandRows),
		refusals:     newRows[eventstore.Position](refusalRows),
		restaurants:  newRows[domain.RestaurantID](restaurantRows),
		audit:        newRows[eventstore.Position](auditRows),
		last:         make(map[day]lastOf),
	}
}

// collect adds what one record changes. Records of other streams change nothing here.
func (v *View) collect(ctx context.Context, c *changes, r eventstore.Record) error {
	if id, date, ok := codec.ParseDayStream(r.Stream); ok {
		before, after, err := v.days.Apply(ctx, r)
		if err != nil {
			return err
		}
		if e, known := after.last.Event.(restaurantday.Event); known {
			c.dayChanged(day{id, date}, r, e, before, after)
		}
		return nil
	}
	if id, date, ok := codec.ParseDemandStream(r.Stream); ok {
		d, err := decode(ctx, v.codec, r)
		if err != nil {
			return err
		}
		if e, known := d.Event.(restaurantday.Refused); known {
			c.refused(day{id, date}, r, e)
		}
		return nil
	}
	if id, ok := codec.ParseRestaurantStream(r.Stream); ok {
		before, after, err := v.restaurants.Apply(ctx, r)
		if err != nil {
			return err
		}
		if e, known := after.last.Event.(restaurant.Event); known {
			c.restaurantChanged(id, r, after.last.Meta, e, before.State, after.State)
		}
		return nil
	}
	if id, ok := codec.ParseWebhooksStream(r.Stream); ok {
		before, after, err := v.webhooks.Apply(ctx, r)
		if err != nil {
			return err
		}
		if e, known := after.last.Event.(webhook.Event); known {
			c.webhookChanged(id, r, after.last.Meta, e, before.State, after.State)
		}
		return nil
	}
	return v.account(ctx, c, r)
}

func (c *changes) dayChanged(d day, r eventstore.Record, e restaurantday.Event, before, after dayFold) {
	c.last[d] = lastOf{after, r}
	entry := entry{record: r, meta: after.last.Meta, restaurant: d.restaurant, date: d.date}
	number := entry.day(e, before, after)
	if number != 0 {
		entry.reservation = domain.NewReservationID(d.restaurant, d.date, number)
		was, ok := before.Reservation(number)
		if ok {
			entry.before = reservationSnapshot{Reservation: was, plan: before.Agreed()}
		}
		if is, ok := after.Reservation(number); ok {
			entry.after = reservationSnapshot{is, after.Agreed(), gainsBy(e), tells(e)}
			c.reservation(entry.reservation, d, r, was, is, after)
		}
	}
	c.entry(entry)
	switch e := e.(type) {
	case restaurantday.Opened:
		c.shifts(d, r, nil, after.Agreed())
	case restaurantday.PlanChanged:
		c.shifts(d, r, before.Agreed(), after.Agreed())
		for _, number := range e.Kept { // it is an exception from now on
			was, _ := before.Reservation(number)
			if is, ok := after.Reservation(number); ok {
				c.reservation(domain.NewReservationID(d.restaurant, d.date, number), d, r, was, is, after)
			}
		}
	case restaurantday.WaitlistJoined:
		c.waits(d, r, e.Entry, after)
	case restaurantday.WaitlistOffered:
		c.waits(d, r, e.Entry, after)
	case restaurantday.WaitlistPassedOver:
		c.waits(d, r, e.Entry, after)
	case restaurantday.WaitlistLeft:
		c.waits(d, r, e.Entry, after)
	case restaurantday.Confirmed, restaurantday.Reinstated: // an offer is accepted, or is one again
		if is, ok := after.Reservation(number); ok {
			c.waits(d, r, is.Entry, after)
		}
	}
}

// waits writes an entry of the waitlist, if there is one.
func (c *changes) waits(d day, r eventstore.Record, entry uint32, after dayFold) {
	w, ok := after.WaitlistEntry(entry)
	if !ok {
		return
	}
	id, f := domain.NewWaitlistID(d.restaurant, d.date, entry), after.waits.of(entry)
	var offered any
	if w.Number != 0 {
		offered = string(domain.NewReservationID(d.restaurant, d.date, w.Number))
	}
	c.waiting.put(id, false,
		string(id), string(d.restaurant), d.date.String(), int64(entry), orNull(w.Diner), int64(w.Party), string(w.Status), w.WalkIn,
		int64(w.From), int64(w.To), instantOrNull(w.Quoted), int64(w.JoinedAt), instantOrNull(f.offeredAt), instantOrNull(f.endedAt),
		orNull(w.Reason), int64(f.passed), offered, int64(r.Revision), int64(r.Position))
}

func (c *changes) reservation(id domain.ReservationID, d day, r eventstore.Record, was, is *restaurantday.Reservation, after dayFold) {
	f := after.facts.of(is.Number)
	var endedAt domain.Instant
	switch is.Status {
	case restaurantday.StatusPending, restaurantday.StatusConfirmed, restaurantday.StatusSeated: // it has not ended
	case restaurantday.StatusCancelled, restaurantday.StatusNoShow, restaurantday.StatusMoved, restaurantday.StatusWithdrawn:
		endedAt = is.ChangedAt
	case restaurantday.StatusCompleted:
		endedAt = is.FreedAt
	case restaurantday.StatusExpired:
		endedAt = is.ExpiresAt // it lapsed then, whenever that went on record
	}
	date := d.date.String()
	c.reservations.put(id, was == nil,
		string(id), string(d.restaurant), date, int64(is.Number), orNull(is.Diner), int64(is.Party), string(is.Status),
		is.Slot.Time, is.Slot.Shift, int64(is.Turn.From), int64(is.Turn.To), int64(is.Occupied.To), instantOrNull(is.ExpiresAt),
		is.Code, string(f.source), originOf(is), int64(is.HeldAt), instantOrNull(f.confirmedAt), instantOrNull(is.SeatedAt),
		instantOrNull(endedAt), orNull(is.By), is.Late, int64(is.Covers), is.Exception, int64(len(is.Open())), batchOfFact(is), waitlistOf(d, is), orNull(is.MovedFrom),
		orNull(is.MovedTo), is.Bound, int64(r.Revision), int64(r.Position))
	// A table row tells that the table was had: so it does of a party that left.
	has := is.Status.Live() || is.Status == restaurantday.StatusCompleted
	if was != nil {
		for _, table := range was.Tables {
			if !slices.Contains(is.Tables, table) {
				c.tables.put(tableOf{id, table}, false, string(id), string(table), string(d.restaurant), date,
					int64(was.Occupied.From), int64(was.Occupied.To), seatsAt(after, table), false, true, int64(r.Revision))
			}
		}
	}
	for _, table := range is.Tables {
		c.tables.put(tableOf{id, table}, was == nil,
			string(id), string(table), string(d.restaurant), date, int64(is.Occupied.From), int64(is.Occupied.To),
			seatsAt(after, table), has, false, int64(r.Revision))
	}
}

// originBooking is how the column origin names restaurantday.SourceBooking.
const originBooking = "booking"

// originOf is how a reservation came to be.
func originOf(r *restaurantday.Reservation) string {
	if r.Source == restaurantday.SourceBooking {
		return originBooking
	}
	return string(r.Source)
}

func batchOfFact(r *restaurantday.Reservation) any {
	if r.Fact == nil {
		return nil
	}
	return r.Fact.Batch
}

func waitlistOf(d day, r *restaurantday.Reservation) any {
	if r.Entry == 0 {
		return nil
	}
	return string(domain.NewWaitlistID(d.restaurant, d.date, r.Entry))
}

// seatsAt is how many a table seats in the day's plan; 0 where that has it no longer.
func seatsAt(d dayFold, table domain.TableID) int64 {
	for _, t := range d.Plan.Tables {
		if t.ID == table {
			return int64(t.Max)
		}
	}
	return 0
}

// refused adds a refusal. How many there are is the revision of the demand stream, which
// holds nothing else, so the count needs no fold.
func (c *changes) refused(d day, r eventstore.Record, e restaurantday.Refused) {
	var seen any
	if e.Seen > 0 {
		seen = int64(e.Seen) - 1
	}
	// What was asked for is told as it was asked; the slot that it came to has both.
	if e.Slot != (restaurantday.Slot{}) {
		e.Time, e.StartsAt = e.Slot.Time, e.Slot.StartsAt
	}
	var shift any
	if e.Slot != (restaurantday.Slot{}) {
		shift = e.Slot.Shift
	}
	c.refusals.put(r.Position, true,
		int64(r.Position), r.ID.String(), string(d.restaurant), d.date.String(), string(e.Code), int64(e.Party), orNull(e.Time), instantOrNull(e.StartsAt),
		shift, orNull(e.By), orNull(e.Wish.Table), orNull(e.Wish.Area), orNull(e.Skip), int64(e.At), seen)
	c.demand.put(d, false, string(d.restaurant), d.date.String(), int64(r.Revision)+1)
}

func (c *changes) restaurantChanged(id domain.RestaurantID, r eventstore.Record, meta codec.Metadata, e restaurant.Event, before, after restaurant.State) {
	entry := entry{record: r, meta: meta, restaurant: id}
	entry.before, entry.after = restaurantSnapshots(e, before, after)
	entry.reasonGiven = wordsOf(e) != ""
	if decided, ok := e.(restaurant.BookingDecided); ok { // it belongs to that booking's history, too
		entry.reservation = decided.Reservation
		_, entry.date, _ = decided.Reservation.Day()
	}
	c.entry(entry)
	p := after.Profile
	var price any
	if p.PriceLevel != 0 {
		price = int64(p.PriceLevel)
	}
	c.restaurants.put(id, false,
		string(id), p.Name, p.Cuisine, p.City, p.State, p.TimeZone, price, string(after.Status), int64(len(after.Tables)), int64(seatsOf(after.Tables)),
		int64(after.RegisteredAt), int64(after.ChangedAt), int64(r.Revision), int64(r.Position))
}

// puts returns all changes, the days once each; see rows.puts.
func (c *changes) puts(alone bool) []put {
	for d, last := range c.last {
		c.day(d, last)
	}
	var all []put
	all = c.days.puts(alone, all)
	all = c.dayShifts.puts(alone, all)
	all = c.waiting.puts(alone, all)
	all = c.demand.puts(alone, all)
	all = c.restaurants.puts(alone, all)
	all = c.reservations.puts(alone, all)
	all = c.tables.puts(alone, all)
	all = c.refusals.puts(alone, all)
	return c.audit.puts(alone, all)
}

func (c *changes) day(d day, last lastOf) {
	var tables, seats, slots int
	var planRevision any
	if plan := last.state.Agreed(); plan != nil {
		tables, slots, planRevision = len(plan.Tables), len(plan.Slots), int64(plan.Revision)
		seats = seatsOf(plan.Tables)
	}
	status := map[restaurantday.Status]int64{}
	var walkIns, covers, seated, noShow int64
	for n := 1; n <= last.state.Reservations(); n++ {
		r, _ := last.state.Reservation(uint32(n))
		status[r.Status]++
		if r.Status.Live() || r.Status == restaurantday.StatusCompleted {
			covers += int64(r.Party)
		}
		switch r.Status {
		case restaurantday.StatusSeated, restaurantday.StatusCompleted:
			seated += int64(r.Covers)
			if r.Source == restaurantday.SourceWalkIn {
				walkIns++
			}
		case restaurantday.StatusNoShow:
			noShow += int64(r.Party)
		default: // counted by status alone
		}
	}
	waits := map[restaurantday.WaitlistStatus]int64{}
	for n := 1; n <= last.state.WaitlistEntries(); n++ {
		w, _ := last.state.WaitlistEntry(uint32(n))
		waits[w.Status]++
	}
	c.days.put(d, false,
		string(d.restaurant), d.date.String(), instantOrNull(last.state.openedAt), planRevision, int64(tables), int64(seats), int64(slots),
		int64(last.state.Reservations()), status[restaurantday.StatusPending], status[restaurantday.StatusConfirmed],
		status[restaurantday.StatusSeated], status[restaurantday.StatusCompleted], status[restaurantday.StatusCancelled],
		status[restaurantday.StatusExpired], status[restaurantday.StatusNoShow], status[restaurantday.StatusMoved],
		status[restaurantday.StatusWithdrawn],
		walkIns, covers, seated, noShow, int64(last.state.WaitlistEntries()), waits[restaurantday.WaitlistWaiting],
		waits[restaurantday.WaitlistOffering], waits[restaurantday.WaitlistAccepted], waits[restaurantday.WaitlistGone],
		int64(last.record.Revision), int64(last.record.Position))
}

// orNull writes an empty text as NULL.
func orNull[T ~string](s T) any {
	if s == "" {
		return nil
	}
	return string(s)
}

// instantOrNull writes no instant as NULL.
func instantOrNull(i domain.Instant) any {
	if i == 0 {
		return nil
	}
	return int64(i)
}

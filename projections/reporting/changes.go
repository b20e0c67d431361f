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
	}
	return nil
}

func (c *changes) dayChanged(d day, r eventstore.Record, e restaurantday.Event, before, after dayFold) {
	c.last[d] = lastOf{after, r}
	entry := entry{record: r, meta: after.last.Meta, restaurant: d.restaurant, date: d.date}
	number := entry.day(e, before, after)
	if number != 0 {
		entry.reservation = domain.NewReservationID(d.restaurant, d.date, number)
		was, ok := before.Reservation(number)
		if ok {
			entry.before = reservationSnapshot{Reservation: was}
		}
		if is, ok := after.Reservation(number); ok {
			entry.after = reservationSnapshot{is, gainsBy(e)}
			c.reservation(entry.reservation, d, r, was, is, after.facts.of(number))
		}
	}
	c.entry(entry)
}

func (c *changes) reservation(id domain.ReservationID, d day, r eventstore.Record, was, is *restaurantday.Reservation, f fact) {
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
	c.reservations.put(id,
		string(id), string(d.restaurant), date, int64(is.Number), orNull(is.Diner), int64(is.Party), string(is.Status),
		is.Slot.Time, is.Slot.Shift, int64(is.Turn.From), int64(is.Turn.To), int64(is.Occupied.To), instantOrNull(is.ExpiresAt),
		is.Code, string(f.source), int64(is.HeldAt), instantOrNull(f.confirmedAt), instantOrNull(endedAt), orNull(f.cancelledBy),
		int64(r.Revision), int64(r.Position))
	// A table row tells that the table was had: so it does of a party that left.
	has := is.Status.Live() || is.Status == restaurantday.StatusCompleted
	if was != nil {
		for _, table := range was.Tables {
			if !slices.Contains(is.Tables, table) {
				c.tables.put(tableOf{id, table}, string(id), string(table), string(d.restaurant), date,
					int64(was.Occupied.From), int64(was.Occupied.To), false, int64(r.Revision))
			}
		}
	}
	for _, table := range is.Tables {
		c.tables.put(tableOf{id, table},
			string(id), string(table), string(d.restaurant), date, int64(is.Occupied.From), int64(is.Occupied.To), has, int64(r.Revision))
	}
}

// refused adds a refusal. How many there are is the revision of the demand stream, which
// holds nothing else, so the count needs no fold.
func (c *changes) refused(d day, r eventstore.Record, e restaurantday.Refused) {
	var seen any
	if e.Seen > 0 {
		seen = int64(e.Seen) - 1
	}
	c.refusals.put(r.Position,
		int64(r.Position), r.ID.String(), string(d.restaurant), d.date.String(), string(e.Code), int64(e.Party), orNull(e.Time), instantOrNull(e.StartsAt),
		int64(e.At), seen)
	c.demand.put(d, string(d.restaurant), d.date.String(), int64(r.Revision)+1)
}

func (c *changes) restaurantChanged(id domain.RestaurantID, r eventstore.Record, meta codec.Metadata, e restaurant.Event, before, after restaurant.State) {
	entry := entry{record: r, meta: meta, restaurant: id}
	entry.before, entry.after = restaurantSnapshots(e, before, after)
	c.entry(entry)
	p := after.Profile
	var price any
	if p.PriceLevel != 0 {
		price = int64(p.PriceLevel)
	}
	c.restaurants.put(id,
		string(id), p.Name, p.Cuisine, p.City, p.State, p.TimeZone, price, string(after.Status), int64(len(after.Tables)), int64(seatsOf(after.Tables)),
		int64(after.RegisteredAt), int64(after.ChangedAt), int64(r.Revision), int64(r.Position))
}

// statements writes all changes; the days once each.
func (c *changes) statements(texts *texts) []statement {
	for d, last := range c.last {
		c.day(d, last)
	}
	var all []statement
	all = c.days.statements(texts, all)
	all = c.demand.statements(texts, all)
	all = c.restaurants.statements(texts, all)
	all = c.reservations.statements(texts, all)
	all = c.tables.statements(texts, all)
	all = c.refusals.statements(texts, all)
	return c.audit.statements(texts, all)
}

func (c *changes) day(d day, last lastOf) {
	var tables, seats, slots int
	var planRevision any
	if plan := last.state.Plan; plan != nil {
		tables, slots, planRevision = len(plan.Tables), len(plan.Slots), int64(plan.Revision)
		seats = seatsOf(plan.Tables)
	}
	var pending, confirmed, cancelled, expired, covers int
	for n := 1; n <= last.state.Reservations(); n++ {
		switch r, _ := last.state.Reservation(uint32(n)); r.Status {
		case restaurantday.StatusPending:
			pending++
			covers += int(r.Party)
		case restaurantday.StatusConfirmed, restaurantday.StatusSeated, restaurantday.StatusCompleted:
			confirmed++
			covers += int(r.Party)
		case restaurantday.StatusCancelled:
			cancelled++
		case restaurantday.StatusExpired:
			expired++
		case restaurantday.StatusNoShow, restaurantday.StatusMoved, restaurantday.StatusWithdrawn: // counted among all reservations
		}
	}
	c.days.put(d,
		string(d.restaurant), d.date.String(), instantOrNull(last.state.openedAt), planRevision, int64(tables), int64(seats), int64(slots),
		int64(last.state.Reservations()), int64(pending), int64(confirmed), int64(cancelled), int64(expired), int64(covers),
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

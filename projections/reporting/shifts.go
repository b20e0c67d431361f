package reporting

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// shift is what one shift of a day could seat: what utilisation is measured against.
type shift struct {
	name                 string
	starts, last, closes domain.Instant
	slots                int
	tableTime, seatTime  domain.Instant // milliseconds for which tables, and seats, could be taken
}

// shiftsOf sums up a plan's shifts, in the order of their first slots. Stretches for which a
// table is blocked do not count; a shift that closes and opens again counts while it is open.
func shiftsOf(p *restaurantday.Plan) []shift {
	var all []shift
	at := map[string]int{}
	for _, slot := range p.Slots {
		i, known := at[slot.Shift]
		if !known {
			i = len(all)
			at[slot.Shift] = i
			all = append(all, shift{name: slot.Shift, starts: slot.StartsAt})
		}
		s := &all[i]
		s.last, s.closes = slot.StartsAt, max(s.closes, slot.Closes)
		s.slots++
	}
	for _, hours := range p.Hours() {
		s := &all[at[hours.Shift]]
		for _, t := range p.Tables {
			free := p.FreeTime(t.ID, hours.During)
			s.tableTime += free
			s.seatTime += free * domain.Instant(t.Max)
		}
	}
	return all
}

// shifts writes the shifts of the plan that a day has since an event. One that the plan
// before it had, and this one has not, stays with no slots.
func (c *changes) shifts(d day, r eventstore.Record, before, after *restaurantday.Plan) {
	date := d.date.String()
	put := func(s shift, tables, seats int) {
		c.dayShifts.put(shiftOf{d, s.name}, false,
			string(d.restaurant), date, s.name, int64(s.starts), int64(s.last), int64(s.closes), int64(s.slots), int64(tables), int64(seats),
			int64(s.tableTime)/60_000, int64(s.seatTime)/60_000, int64(r.Revision))
	}
	if before != nil {
		for _, s := range shiftsOf(before) {
			put(shift{name: s.name, starts: s.starts, last: s.last, closes: s.closes}, 0, 0)
		}
	}
	for _, s := range shiftsOf(after) {
		put(s, len(after.Tables), seatsOf(after.Tables))
	}
}

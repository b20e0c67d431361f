package reporting

import (
	"strconv"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// reservationSnapshot is an entry of the book, without what the party told of itself. Its
// JSON is written by hand: most events carry two of them.
type reservationSnapshot struct {
	*restaurantday.Reservation
	plan  *restaurantday.Plan // which tells what the floor calls its tables; nil for no names
	gains uint32              // the entry that a re-assignment made room for; 0 for none
	told  bool                // what the party told of itself is another since
}

// MarshalJSON writes {"number":…,"status":…,"dinerId":…,"party":…,"time":…,"startsAt":…,
// "endsAt":…,"occupiedUntil":…,"tableIds":[…],"expiresAt":…} and what appendRest adds; dinerId
// and expiresAt only where there is one.
func (s reservationSnapshot) MarshalJSON() ([]byte, error) {
	r := s.Reservation
	b := make([]byte, 0, 400)
	b = strconv.AppendUint(append(b, `{"number":`...), uint64(r.Number), 10)
	b = appendText(append(b, `,"status":`...), string(r.Status))
	if r.Diner != "" {
		b = appendText(append(b, `,"dinerId":`...), string(r.Diner))
	}
	b = strconv.AppendInt(append(b, `,"party":`...), int64(r.Party), 10)
	b = appendText(append(b, `,"time":`...), r.Slot.Time)
	b = appendInstant(append(b, `,"startsAt":`...), r.Turn.From)
	b = appendInstant(append(b, `,"endsAt":`...), r.Turn.To)
	b = appendInstant(append(b, `,"occupiedUntil":`...), r.Occupied.To)
	b = append(b, `,"tableIds":[`...)
	for i, id := range r.Tables {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, string(id))
	}
	b = append(b, ']')
	b = appendTables(b, s.plan, r.Tables)
	if r.ExpiresAt != 0 {
		b = appendInstant(append(b, `,"expiresAt":`...), r.ExpiresAt)
	}
	return append(s.appendRest(b), '}'), nil
}

// appendTables writes ,"tables":["12",…]: what the floor calls them.
func appendTables(b []byte, p *restaurantday.Plan, tables []domain.TableID) []byte {
	names := tableNames(p, tables)
	for i, name := range names {
		if i == 0 {
			b = append(b, `,"tables":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendText(b, name)
	}
	if len(names) > 0 {
		b = append(b, ']')
	}
	return b
}

// tableNames is what the floor calls tables by a plan; the id of one that it has no longer.
func tableNames(p *restaurantday.Plan, tables []domain.TableID) []string {
	if p == nil {
		return nil
	}
	names := make([]string, len(tables))
	for i, id := range tables {
		names[i] = string(id)
		for _, t := range p.Tables {
			if t.ID == id {
				names[i] = t.Number
			}
		}
	}
	return names
}

// appendRest writes what few reservations have, each only where there is something to tell.
func (s reservationSnapshot) appendRest(b []byte) []byte {
	r := s.Reservation
	text := func(name, value string) {
		if value != "" {
			b = appendText(append(b, `,"`+name+`":`...), value)
		}
	}
	number := func(name string, value int64) {
		if value != 0 {
			b = strconv.AppendInt(append(b, `,"`+name+`":`...), value, 10)
		}
	}
	instant := func(name string, at domain.Instant) {
		if at != 0 {
			b = appendInstant(append(b, `,"`+name+`":`...), at)
		}
	}
	is := func(name string, value bool) {
		if value {
			b = append(b, `,"`+name+`":true`...)
		}
	}
	is("bound", r.Bound)
	text("source", string(r.Source))
	text("wishedTableId", string(r.Wish.Table))
	text("wishedArea", r.Wish.Area)
	number("covers", int64(r.Covers))
	instant("seatedAt", r.SeatedAt)
	instant("completedAt", r.FreedAt)
	is("late", r.Late)
	text("override", string(r.Override.Rule))
	is("exception", r.Exception)
	if r.Moving.To != 0 {
		text("movingTo", r.Moving.To.String())
	}
	text("movedTo", string(r.MovedTo))
	text("movedFrom", string(r.MovedFrom))
	number("madeRoomFor", int64(s.gains))
	is("detailsChanged", s.told)
	if r.Fact != nil {
		text("batch", r.Fact.Batch)
		text("importSource", r.Fact.Source)
		text("externalId", r.Fact.External)
	}
	return appendConflicts(b, r.Conflicts)
}

// appendConflicts writes {"conflicts":[{"code":…,"entries":[…]},…]} of what stands in conflict.
func appendConflicts(b []byte, conflicts []restaurantday.Conflict) []byte {
	for i, c := range conflicts {
		if i == 0 {
			b = append(b, `,"conflicts":[`...)
		} else {
			b = append(b, ',')
		}
		b = append(appendText(append(b, `{"code":`...), string(c.Code)), `,"entries":[`...)
		for j, n := range c.Entries {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendUint(b, uint64(n), 10)
		}
		b = append(b, `]}`...)
	}
	if len(conflicts) > 0 {
		b = append(b, ']')
	}
	return b
}

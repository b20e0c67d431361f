package reporting

import (
	"fmt"
	"slices"
	"strings"
)

// table is one table as it is written: rows of state after an event, in place of what stood
// there. Values of a row stand in the order of columns, a nil for NULL.
type table struct {
	name    string
	key     []string
	columns []string
	// fixed are columns that have had their value since the row was first written. They are
	// left alone afterwards, which spares their indexes.
	fixed []string
	// newer is the column by which a row is newer than the one it would replace; empty where
	// a row is written once and for all.
	newer string
}

// The tables of the view; migrations/view has their definitions.
var (
	reservationRows = table{
		name: "reservations", key: []string{"reservation_id"}, newer: "revision",
		columns: []string{
			"reservation_id", "restaurant_id", "service_date", "number", "diner_id", "party", "status", "slot_time", "shift",
			"starts_at", "ends_at", "occupied_until", "expires_at", "confirmation_code", "source", "origin", "held_at", "confirmed_at",
			"seated_at", "ended_at", "cancelled_by", "late", "covers", "exception", "conflicts", "import_batch", "waitlist_id", "moved_from", "moved_to",
			"bound", "revision", "position",
		},
		fixed: []string{"restaurant_id", "service_date", "number", "diner_id", "held_at", "origin", "import_batch", "waitlist_id", "moved_from"},
	}
	tableRows = table{
		name: "reservation_tables", key: []string{"reservation_id", "table_id"}, newer: "revision",
		columns: []string{
			"reservation_id", "table_id", "restaurant_id", "service_date", "starts_at", "occupied_until", "seats", "live", "given_up", "revision",
		},
		fixed: []string{"restaurant_id", "service_date"},
	}
	dayRows = table{
		name: "days", key: []string{"restaurant_id", "service_date"}, newer: "revision",
		columns: []string{
			"restaurant_id", "service_date", "opened_at", "plan_revision", "tables", "seats", "slots", "reservations", "pending",
			"confirmed", "seated", "completed", "cancelled", "expired", "no_show", "moved", "withdrawn", "walk_ins", "covers", "covers_seated",
			"covers_no_show", "waitlist", "waitlist_waiting", "waitlist_offered", "waitlist_accepted", "waitlist_left",
			"revision", "position",
		},
	}
	shiftRows = table{
		name: "day_shifts", key: []string{"restaurant_id", "service_date", "shift"}, newer: "revision",
		columns: []string{
			"restaurant_id", "service_date", "shift", "starts_at", "last_slot_at", "closes_at", "slots", "tables", "seats",
			"table_minutes", "seat_minutes", "revision",
		},
	}
	waitlistRows = table{
		name: "waitlist_entries", key: []string{"waitlist_id"}, newer: "revision",
		columns: []string{
			"waitlist_id", "restaurant_id", "service_date", "entry", "diner_id", "party", "status", "walk_in", "earliest", "latest",
			"quoted_for", "joined_at", "offered_at", "ended_at", "left_because", "passed_over", "reservation_id", "revision", "position",
		},
		fixed: []string{"restaurant_id", "service_date", "entry", "diner_id", "walk_in", "joined_at"},
	}
	// demandRows are the same days, seen from the stream of refused demand.
	demandRows = table{
		name: "days", key: []string{"restaurant_id", "service_date"}, newer: "refused",
		columns: []string{"restaurant_id", "service_date", "refused"},
	}
	refusalRows = table{
		name: "refusals", key: []string{"position"},
		columns: []string{
			"position", "event_id", "restaurant_id", "service_date", "code", "party", "slot_time", "starts_at", "shift",
			"asked_by", "wished_table_id", "wished_area", "override", "decided_at", "day_revision",
		},
	}
	restaurantRows = table{
		name: "restaurants", key: []string{"restaurant_id"}, newer: "revision",
		columns: []string{
			"restaurant_id", "name", "cuisine", "city", "state", "time_zone", "price_level", "status", "tables", "seats",
			"registered_at", "changed_at", "revision", "position",
		},
	}
	auditRows = table{
		name: "audit_entries", key: []string{"position"},
		columns: []string{
			"position", "event_id", "stream", "revision", "restaurant_id", "account_id", "service_date", "reservation_id",
			"waitlist_id", "type", "actor_kind", "actor_id", "role", "api_key", "process", "decided_at", "recorded_at", "command_id",
			"request_id", "cause", "correlation", "reason", "reason_given", "before", "after",
		},
	}
	parkedRows = table{
		name: "parked_records", key: []string{"position"},
		columns: []string{"position", "event_id", "stream", "revision", "type", "cause"},
	}
)

// viewTables are the tables a rebuild makes anew.
var viewTables = []string{
	"reservations", "reservation_tables", "days", "day_shifts", "waitlist_entries", "refusals", "restaurants", "audit_entries",
	"parked_records",
}

// upsert writes n rows, each in place of an older one with its key.
func (t table) upsert(prefix string, n int) string {
	var b strings.Builder
	b.WriteString("VALUES ")
	arg := 0
	for row := range n {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for i := range t.columns {
			if i > 0 {
				b.WriteString(", ")
			}
			arg++
			fmt.Fprintf(&b, "$%d", arg)
		}
		b.WriteByte(')')
	}
	return t.upsertOf(prefix, b.String())
}

// upsertOf writes the rows that a query gives, each in place of an older one with its key.
func (t table) upsertOf(prefix, query string) string {
	var b strings.Builder
	name := prefix + t.name
	fmt.Fprintf(&b, "INSERT INTO %s (%s) %s ON CONFLICT (%s) DO ", name, strings.Join(t.columns, ", "), query, strings.Join(t.key, ", "))
	if t.newer == "" {
		b.WriteString("NOTHING")
		return b.String()
	}
	b.WriteString("UPDATE SET ")
	first := true
	for _, c := range t.columns {
		if slices.Contains(t.key, c) || slices.Contains(t.fixed, c) {
			continue
		}
		if !first {
			b.WriteString(", ")
		}
		first = false
		fmt.Fprintf(&b, "%s = excluded.%s", c, c)
	}
	fmt.Fprintf(&b, " WHERE %s.%s IS NULL OR %s.%s < excluded.%s", name, t.newer, name, t.newer, t.newer)
	return b.String()
}

// put is rows for one table, each key once.
type put struct {
	table
	rows [][]any
	// fresh says that none of these keys is in the table. Where it is not set, a row replaces
	// an older one, and gives way to one that is as new.
	fresh bool
}

// rows collects what a batch writes to one table, each row once: the last state wins.
type rows[K comparable] struct {
	table
	index map[K]int
	list  [][]any
	first []bool // the ledger had not told of this key before
}

func newRows[K comparable](t table) *rows[K] { return &rows[K]{table: t, index: make(map[K]int)} }

// put adds a row, in place of an earlier one of the batch with the same key.
func (r *rows[K]) put(key K, first bool, row ...any) {
	if i, again := r.index[key]; again {
		r.list[i] = row
		return
	}
	r.index[key] = len(r.list)
	r.list = append(r.list, row)
	r.first = append(r.first, first)
}

// puts returns the rows to be written. Where the tables hold exactly what came before the
// batch, alone tells so: then what the ledger had not told of before cannot be there yet.
func (r *rows[K]) puts(alone bool, to []put) []put {
	if !alone {
		return appendPut(to, put{r.table, r.list, false})
	}
	var again [][]any
	fresh := make([][]any, 0, len(r.list))
	for i, row := range r.list {
		if r.first[i] {
			fresh = append(fresh, row)
		} else {
			again = append(again, row)
		}
	}
	return appendPut(appendPut(to, put{r.table, fresh, true}), put{r.table, again, false})
}

// inOrder puts rows in the order of their keys, so that those that lie together in the table
// are written together.
func (p put) inOrder() {
	if p.newer == "" {
		return // positions, in which order they come
	}
	slices.SortFunc(p.rows, func(a, b []any) int {
		for i := range p.key { // which are the first columns, and texts
			if c := strings.Compare(a[i].(string), b[i].(string)); c != 0 {
				return c
			}
		}
		return 0
	})
}

func appendPut(to []put, p put) []put {
	if len(p.rows) == 0 {
		return to
	}
	return append(to, p)
}

// texts keeps the statements of one prefix, which are long to write.
type texts struct {
	prefix string
	known  map[textOf]string
}

type textOf struct {
	table, newer string
	rows         int
}

func newTexts(prefix string) *texts { return &texts{prefix: prefix, known: make(map[textOf]string)} }

// upsert is the statement that writes n rows.
func (t *texts) upsert(to table, n int) string {
	key := textOf{to.name, to.newer, n}
	text, ok := t.known[key]
	if !ok {
		text = to.upsert(t.prefix, n)
		t.known[key] = text
	}
	return text
}

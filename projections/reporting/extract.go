package reporting

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"daybook/eventstore"
)

// Kind is what the values of a column are.
type Kind string

// The kinds of columns, and what Snapshot.Rows hands out of each; nil for none.
const (
	KindText    Kind = "text"      // string
	KindNumber  Kind = "number"    // int64
	KindFlag    Kind = "flag"      // bool
	KindInstant Kind = "timestamp" // int64, milliseconds since 1970-01-01T00:00:00Z
	KindDate    Kind = "date"      // string, YYYY-MM-DD
)

// Column is one of a table.
type Column struct {
	Name     string
	Kind     Kind
	Nullable bool
}

// Table is one of those that analysts read.
type Table struct {
	Name    string
	Columns []Column
	// Month is the column by whose month the table is divided: a date, or an instant of which
	// the month in UTC counts. Empty for a table that is small and stays whole.
	Month string
	key   []string
}

// kinds are those of the columns that are no text.
var kinds = map[Kind][]string{
	KindDate: {"service_date"},
	KindInstant: {
		"starts_at", "ends_at", "occupied_until", "expires_at", "held_at", "confirmed_at", "seated_at", "ended_at", "opened_at",
		"last_slot_at", "closes_at", "earliest", "latest", "quoted_for", "joined_at", "offered_at", "decided_at", "recorded_at",
		"registered_at", "changed_at",
	},
	KindFlag: {"late", "exception", "live", "walk_in", "reason_given", "bound", "given_up"},
	KindNumber: {
		"number", "party", "covers", "conflicts", "revision", "position", "seats", "plan_revision", "tables", "slots", "reservations",
		"pending", "confirmed", "seated", "completed", "cancelled", "expired", "no_show", "moved", "withdrawn", "walk_ins",
		"covers_seated", "covers_no_show", "waitlist", "waitlist_waiting", "waitlist_offered", "waitlist_accepted", "waitlist_left",
		"refused", "table_minutes", "seat_minutes", "entry", "passed_over", "day_revision", "price_level",
	},
}

func kindOf(column string) Kind {
	for kind, names := range kinds {
		if slices.Contains(names, column) {
			return kind
		}
	}
	return KindText
}

// Tables lists what analysts read, as docs/reporting.md describes it.
func Tables() []Table {
	days := dayRows
	days.columns = append(slices.Clone(days.columns), "refused")
	var all []Table
	for _, t := range []struct {
		table
		month string
	}{
		{reservationRows, "service_date"}, {tableRows, "service_date"}, {days, "service_date"}, {shiftRows, "service_date"},
		{waitlistRows, "service_date"}, {refusalRows, "service_date"}, {restaurantRows, ""}, {auditRows, "recorded_at"}, {parkedRows, ""},
	} {
		one := Table{Name: t.name, Month: t.month, key: t.key}
		for _, c := range t.columns {
			one.Columns = append(one.Columns, Column{Name: c, Kind: kindOf(c), Nullable: !slices.Contains(t.key, c)})
		}
		all = append(all, one)
	}
	return all
}

func (t Table) has(column string) bool {
	return slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == column })
}

// Snapshot is one state of the tables. It is good within the call that it was made for.
type Snapshot struct {
	engine engine
	query  querying
	// Position is up to where in the ledger all is in the tables.
	Position eventstore.Position
	// Made tells tables from others that were made anew in their place.
	Made string
}

// Snapshot lets fn read of one state of the tables for as long as the context lets it,
// while others go on writing.
func (db *Database) Snapshot(ctx context.Context, fn func(*Snapshot) error) error {
	return db.answered(ctx, db.engine.snapshot(ctx, func(query querying) error {
		s := &Snapshot{engine: db.engine, query: query}
		var position int64
		err := one(ctx, query, []any{&position}, "SELECT position FROM checkpoints WHERE name = $1", viewName)
		if err != nil && !errors.Is(err, errNoRow) {
			return fmt.Errorf("reporting: snapshot: %w", err)
		}
		var number, generation int
		var made sql.NullInt64
		err = one(ctx, query, []any{&number, &generation, &made}, `SELECT version, generation,
			(SELECT made_at FROM view_copies WHERE prefix = '') FROM schema_versions WHERE part = $1`, string(partView))
		if err != nil {
			return fmt.Errorf("reporting: snapshot: %w", err)
		}
		s.Position, s.Made = eventstore.Position(position), fmt.Sprintf("%d.%d.%d", number, generation, made.Int64)
		return fn(s)
	}))
}

// Month is a part of a table.
type Month struct {
	Month string // YYYY-MM; empty for all of a table that stays whole
	Rows  int64
	// Mark changes whenever a row of it does.
	Mark string
}

func (s *Snapshot) month(t Table) string {
	if t.Month == "" {
		return "''"
	}
	if kindOf(t.Month) == KindDate {
		return "substr(" + t.Month + ", 1, 7)"
	}
	return s.engine.month(t.Month)
}

// Months lists the parts of a table, by month.
func (s *Snapshot) Months(ctx context.Context, t Table) (all []Month, err error) {
	sum := func(column string) string {
		if !t.has(column) {
			return "0"
		}
		return "CAST(COALESCE(SUM(" + column + "), 0) AS BIGINT)"
	}
	last := "0"
	if t.has("position") {
		last = "CAST(COALESCE(MAX(position), 0) AS BIGINT)"
	}
	// A row that changes has a higher revision, or counts more refusals; none is ever deleted.
	text := fmt.Sprintf("SELECT %s AS month, COUNT(*), %s, %s, %s FROM %s GROUP BY 1 ORDER BY 1", s.month(t), sum("revision"), sum("refused"), last, t.Name)
	err = s.query(ctx, func(row scanner) error {
		var m Month
		var revisions, refused, position int64
		if err := row.Scan(&m.Month, &m.Rows, &revisions, &refused, &position); err != nil {
			return err
		}
		m.Mark = fmt.Sprintf("%d.%d.%d.%d", m.Rows, revisions, refused, position)
		all = append(all, m)
		return nil
	}, text)
	if err != nil {
		return nil, fmt.Errorf("reporting: months of %s: %w", t.Name, err)
	}
	return all, nil
}

// Rows hands the rows of a part to each, in the order of the table's key; the values, in
// the order of its columns, are good until each returns.
func (s *Snapshot) Rows(ctx context.Context, t Table, month string, each func(values []any) error) error {
	names := make([]string, len(t.Columns))
	into := make([]any, len(t.Columns))
	values := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
		switch c.Kind {
		case KindFlag:
			into[i] = new(sql.NullBool)
		case KindNumber, KindInstant:
			into[i] = new(sql.NullInt64)
		default:
			into[i] = new(sql.NullString)
		}
	}
	text := fmt.Sprintf("SELECT %s FROM %s WHERE %s = $1 ORDER BY %s", strings.Join(names, ", "), t.Name, s.month(t), strings.Join(t.key, ", "))
	err := s.query(ctx, func(row scanner) error {
		if err := row.Scan(into...); err != nil {
			return err
		}
		for i := range into {
			values[i] = nil
			switch v := into[i].(type) {
			case *sql.NullBool:
				if v.Valid {
					values[i] = v.Bool
				}
			case *sql.NullInt64:
				if v.Valid {
					values[i] = v.Int64
				}
			case *sql.NullString:
				if v.Valid {
					values[i] = v.String
				}
			}
		}
		return each(values)
	}, text, month)
	if err != nil {
		return fmt.Errorf("reporting: rows of %s %s: %w", t.Name, month, err)
	}
	return nil
}

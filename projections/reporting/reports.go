package reporting

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/projections/reports"
)

// The reports that the API asks for. What they count, and how, package reports says; here
// rows that are alike in it are counted together, so that a year comes back as some hundred
// rows and not as every reservation of it.

// Refusals counts the requests for the dates from through to that were turned away, as far
// as by needs them told apart. zone is the restaurant's, for requests that named an instant.
// The position says up to where in the ledger, at least, all is counted.
func (db *Database) Refusals(
	ctx context.Context, restaurant domain.RestaurantID, from, to domain.ServiceDate, by reports.GroupBy, zone *time.Location,
) ([]reports.Refusals, eventstore.Position, error) {
	position, err := db.Position(ctx)
	if err != nil {
		return nil, 0, err
	}
	// Each column is there, or the same for all rows.
	date, slot, startsAt, party := "''", "''", "0", "0"
	switch {
	case by.Dated():
		date = "service_date"
	case by == reports.BySlot:
		slot, startsAt = "slot_time", "starts_at"
	case by == reports.ByParty:
		party = "party"
	}
	counted, err := list(ctx, db, func(row scanner) (r reports.Refusals, err error) {
		var day string
		var local sql.NullString
		var instant sql.NullInt64
		if err := row.Scan(&r.Code, &day, &local, &instant, &r.Party, &r.Requests, &r.Covers); err != nil {
			return r, err
		}
		r.Slot = reports.SlotOf(local.String, domain.Instant(instant.Int64), zone)
		if day != "" {
			r.Date, err = domain.ParseServiceDate(day)
		}
		return r, err
	}, "SELECT code, "+date+", "+slot+", "+startsAt+", "+party+`, COUNT(*), SUM(party) FROM refusals
		WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3 GROUP BY 1, 2, 3, 4, 5`,
		string(restaurant), from.String(), to.String())
	if err != nil {
		return nil, 0, fmt.Errorf("reporting: refusals: %w", err)
	}
	return counted, position, nil
}

// Entries counts the entries of the books of the dates from through to, as far as by, and
// with leads their lead times, need them told apart. The position is as for Refusals.
func (db *Database) Entries(
	ctx context.Context, restaurant domain.RestaurantID, from, to domain.ServiceDate, by reports.GroupBy, leads bool,
) ([]reports.Entries, eventstore.Position, error) {
	position, err := db.Position(ctx)
	if err != nil {
		return nil, 0, err
	}
	// Each column is there, or the same for all rows.
	date, shift, slot, party, lead := "''", "''", "''", "0", "0"
	switch {
	case by.Dated():
		date = "service_date"
	case by == reports.ByShift:
		shift = "shift"
	case by == reports.BySlot:
		slot = "slot_time"
	case by == reports.ByParty:
		party = "party"
	}
	if leads {
		lead = "CASE WHEN starts_at > held_at THEN (starts_at - held_at) / 60000 ELSE 0 END"
	}
	counted, err := list(ctx, db, func(row scanner) (e reports.Entries, err error) {
		var day string
		if err := row.Scan(&day, &e.Shift, &e.Slot, &e.Party, &e.Status, &e.WalkIn, &e.Late, &e.Lead, &e.Parties, &e.Covers, &e.Seated); err != nil {
			return e, err
		}
		if day != "" {
			e.Date, err = domain.ParseServiceDate(day)
		}
		return e, err
	}, "SELECT "+date+", "+shift+", "+slot+", "+party+", status, origin = 'walk_in', late, "+lead+`, COUNT(*), SUM(party), SUM(covers)
		FROM reservations WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8`,
		string(restaurant), from.String(), to.String())
	if err != nil {
		return nil, 0, fmt.Errorf("reporting: entries of the book: %w", err)
	}
	return counted, position, nil
}

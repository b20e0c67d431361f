package reporting

import (
	"context"
	"fmt"
)

// Totals counts what the tables hold: an import's rows are its reservations and refusals.
type Totals struct {
	Restaurants, Days, Reservations, Refusals int
}

// Totals counts the rows of each table.
func (db *Database) Totals(ctx context.Context) (t Totals, err error) {
	err = one(ctx, db.query, []any{&t.Restaurants, &t.Days, &t.Reservations, &t.Refusals},
		`SELECT (SELECT COUNT(*) FROM restaurants), (SELECT COUNT(*) FROM days WHERE opened_at IS NOT NULL),
		(SELECT COUNT(*) FROM reservations), (SELECT COUNT(*) FROM refusals)`)
	if err != nil {
		return t, fmt.Errorf("reporting: totals: %w", err)
	}
	return t, nil
}

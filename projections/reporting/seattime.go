package reporting

import (
	"context"
	"fmt"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/projections/reports"
)

// SeatTime counts what the shifts of the days from through to offered and sold, as far as by
// needs them told apart, and lists the days that it knows: those with a book. What any other
// day would offer no table says. The position is as for Refusals.
func (db *Database) SeatTime(
	ctx context.Context, restaurant domain.RestaurantID, from, to domain.ServiceDate, by reports.GroupBy,
) (times []reports.SeatTime, known map[domain.ServiceDate]bool, position eventstore.Position, err error) {
	if position, err = db.Position(ctx); err != nil {
		return nil, nil, 0, err
	}
	date, shift := "service_date", "''"
	if by == reports.ByShift {
		date, shift = "''", "shift"
	}
	// One statement, so that no day is opened between what is known and what is summed up.
	const of = " WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3 AND "
	known = map[domain.ServiceDate]bool{}
	_, err = list(ctx, db, func(row scanner) (none struct{}, err error) {
		var opened int
		var day string
		var t reports.SeatTime
		if err := row.Scan(&opened, &day, &t.Shift, &t.Offered, &t.Sold); err != nil {
			return none, err
		}
		if day != "" {
			if t.Date, err = domain.ParseServiceDate(day); err != nil {
				return none, err
			}
		}
		if opened == 1 {
			known[t.Date] = true
		} else {
			times = append(times, t)
		}
		return none, nil
	}, "SELECT 1, service_date, '', 0, 0 FROM days"+of+"opened_at IS NOT NULL"+
		" UNION ALL SELECT 0, "+date+", "+shift+", SUM(seat_minutes), 0 FROM day_shifts"+of+"slots > 0 GROUP BY 2, 3"+
		" UNION ALL SELECT 0, "+date+", "+shift+", 0, SUM(CASE WHEN status = 'completed' THEN covers ELSE party END * ((ends_at - starts_at) / 60000))"+
		" FROM reservations"+of+"status IN ('confirmed', 'seated', 'completed') GROUP BY 2, 3",
		string(restaurant), from.String(), to.String())
	if err != nil {
		return nil, nil, 0, fmt.Errorf("reporting: seat time: %w", err)
	}
	return times, known, position, nil
}

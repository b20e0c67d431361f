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
	dates, err := list(ctx, db, func(row scanner) (date domain.ServiceDate, err error) {
		var day string
		if err := row.Scan(&day); err != nil {
			return 0, err
		}
		return domain.ParseServiceDate(day)
	}, "SELECT service_date FROM days WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3 AND opened_at IS NOT NULL",
		string(restaurant), from.String(), to.String())
	if err != nil {
		return nil, nil, 0, fmt.Errorf("reporting: days with a book: %w", err)
	}
	known = make(map[domain.ServiceDate]bool, len(dates))
	for _, date := range dates {
		known[date] = true
	}
	date, shift := "service_date", "''"
	if by == reports.ByShift {
		date, shift = "''", "shift"
	}
	for _, part := range []struct{ sums, where string }{
		{"SUM(seat_minutes), 0 FROM day_shifts", "slots > 0"},
		{`0, SUM(CASE WHEN status = 'completed' THEN covers ELSE party END * ((ends_at - starts_at) / 60000)) FROM reservations`,
			"status IN ('confirmed', 'seated', 'completed')"},
	} {
		some, err := list(ctx, db, func(row scanner) (t reports.SeatTime, err error) {
			var day string
			if err := row.Scan(&day, &t.Shift, &t.Offered, &t.Sold); err != nil {
				return t, err
			}
			if day != "" {
				t.Date, err = domain.ParseServiceDate(day)
			}
			return t, err
		}, "SELECT "+date+", "+shift+", "+part.sums+" WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3 AND "+part.where+" GROUP BY 1, 2",
			string(restaurant), from.String(), to.String())
		if err != nil {
			return nil, nil, 0, fmt.Errorf("reporting: seat time: %w", err)
		}
		times = append(times, some...)
	}
	return times, known, position, nil
}

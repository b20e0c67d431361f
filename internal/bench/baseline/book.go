package baseline

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
)

// bestFit is Daybook's rule: of the tables that seat the party and are free, the smallest;
// of those, the one that stays idle the least around the turn; of those, the first on the
// floor. An overlap can only begin within the longest turn before.
const bestFit = `
WITH free AS MATERIALIZED (
    SELECT t.id, t.max_party, t.floor_order FROM dining_tables t
    WHERE t.restaurant = $1 AND t.min_party <= $3 AND t.max_party >= $3 AND NOT EXISTS (
        SELECT FROM reservations r
        WHERE r.restaurant = $1 AND r.service_date = $2 AND r.dining_table = t.id AND r.status IN ('pending', 'confirmed')
          AND r.starts_at < $5::bigint AND r.starts_at > $4::bigint - $7::bigint AND r.occupied_until > $4::bigint
          AND (r.expires_at IS NULL OR r.expires_at > $6::bigint)))
SELECT t.id FROM free t
WHERE t.max_party = (SELECT min(max_party) FROM free)
ORDER BY
    $4::bigint - coalesce((SELECT max(r.occupied_until) FROM reservations r
        WHERE r.restaurant = $1 AND r.service_date = $2 AND r.dining_table = t.id AND r.status IN ('pending', 'confirmed')
          AND r.starts_at < $4::bigint), $4::bigint)
    + coalesce((SELECT min(r.starts_at) FROM reservations r
        WHERE r.restaurant = $1 AND r.service_date = $2 AND r.dining_table = t.id AND r.status IN ('pending', 'confirmed')
          AND r.starts_at >= $5::bigint), $5::bigint) - $5::bigint,
    t.floor_order
LIMIT 1`

const coversAt = `
SELECT coalesce(sum(party), 0) FROM reservations
WHERE restaurant = $1 AND service_date = $2 AND starts_at = $3 AND status IN ('pending', 'confirmed')
  AND (expires_at IS NULL OR expires_at > $4)`

// hold promises a table.
func (s *Service) hold(ctx context.Context, in reserveBody, key string) (w written, err error) {
	id, err := domain.ParseRestaurantID(in.RestaurantID)
	if err != nil {
		return w, domain.Reject(domain.CodeInvalid, err.Error())
	}
	date, err := domain.ParseServiceDate(in.Date)
	if err != nil {
		return w, domain.Reject(domain.CodeInvalid, err.Error())
	}
	party, err := domain.NewPartySize(in.Party)
	if err != nil {
		return w, domain.Reject(domain.CodeInvalid, err.Error())
	}
	r, err := newRequest(ctx, "POST /reservations", in.RestaurantID+" "+in.Date, key, in)
	if err != nil {
		return w, err
	}
	h, err := s.known.get(ctx, id)
	if err != nil {
		return w, err
	}
	plan, err := h.plan(date)
	if err != nil {
		return w, err
	}
	at, err := slot(plan, in.Time)
	if err != nil {
		return w, err
	}
	now := s.now()
	seated, occupied := turn(plan, at, party)
	var covers int
	var table int64
	read := func(b *pgx.Batch) {
		if plan.Policy.PacingCovers > 0 {
			b.Queue(coversAt, h.id, date, at.StartsAt, now).QueryRow(func(row pgx.Row) error { return row.Scan(&covers) })
		}
		b.Queue(bestFit, h.id, date, party, occupied.From, occupied.To, now, h.longest).QueryRow(func(row pgx.Row) error {
			err := row.Scan(&table)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	}
	return s.transact(ctx, dayKey{h.id, date}, r, read, func(d day, b *pgx.Batch) (httpapi.Reservation, change, error) {
		if code := refuse(plan, at, party, covers, now); code != "" {
			return httpapi.Reservation{}, change{}, domain.Reject(code, "the slot cannot be had")
		}
		if table == 0 {
			return httpapi.Reservation{}, change{}, domain.Reject(domain.CodeNoTable, "all tables that seat the party are taken then")
		}
		held := restaurantday.Reservation{
			Number: uint32(d.entries + 1), Diner: r.user, Party: party, Slot: at, Turn: seated, Occupied: occupied,
			Tables: []domain.TableID{h.byRow[table].ID}, Status: restaurantday.StatusPending,
			ExpiresAt: now.AddMinutes(plan.Policy.HoldMinutes), Code: rand.Text()[:8],
		}
		b.Queue(`INSERT INTO reservations (restaurant, service_date, number, dining_table, party, slot, starts_at, ends_at,
			occupied_until, expires_at, status, diner, code, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			h.id, date, held.Number, table, party, at.Time, seated.From, seated.To,
			occupied.To, held.ExpiresAt, held.Status, held.Diner, held.Code, now)
		answer := httpapi.ReservationOf(domain.NewReservationID(id, date, held.Number), &held, plan.Zone, d.revision+1)
		return answer, change{number: int(held.Number), kind: "reservation.held", after: string(held.Status), entries: 1}, nil
	})
}

const oneReservation = `
SELECT dining_table, party, slot, starts_at, ends_at, coalesce(expires_at, 0), status, diner, code FROM reservations
WHERE restaurant = $1 AND service_date = $2 AND number = $3`

// cancel gives a table back.
func (s *Service) cancel(ctx context.Context, in string, body any, key string) (w written, err error) {
	id, err := domain.ParseReservationID(in)
	if err != nil {
		return w, domain.Reject(domain.CodeNotFound, "no such reservation")
	}
	r, err := newRequest(ctx, "PATCH /reservations/{id}/cancel", in, key, body)
	if err != nil {
		return w, err
	}
	rid, date, number := id.Day()
	h, err := s.known.get(ctx, rid)
	if err != nil {
		return w, err
	}
	now := s.now()
	var held restaurantday.Reservation
	read := func(b *pgx.Batch) {
		b.Queue(oneReservation, h.id, date, number).QueryRow(func(row pgx.Row) error {
			var table int64
			err := row.Scan(&table, &held.Party, &held.Slot.Time, &held.Turn.From, &held.Turn.To, &held.ExpiresAt,
				&held.Status, &held.Diner, &held.Code)
			held.Tables = []domain.TableID{h.byRow[table].ID}
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	}
	return s.transact(ctx, dayKey{h.id, date}, r, read, func(d day, b *pgx.Batch) (httpapi.Reservation, change, error) {
		before := held.Status
		switch {
		case before == "" || held.Diner != r.user:
			err = domain.Reject(domain.CodeNotFound, "no such reservation")
		case before == restaurantday.StatusCancelled:
			return httpapi.ReservationOf(id, &held, h.state.Profile.TimeZone, d.revision), change{}, nil
		case before == restaurantday.StatusExpired || before == restaurantday.StatusPending && held.ExpiresAt <= now:
			err = domain.Reject(domain.CodeHoldExpired, "the hold has lapsed")
		case held.Turn.From <= now:
			err = domain.Reject(domain.CodeStarted, "the seating has begun")
		}
		if err != nil {
			return httpapi.Reservation{}, change{}, err
		}
		held.Status = restaurantday.StatusCancelled
		b.Queue("UPDATE reservations SET status = $4 WHERE restaurant = $1 AND service_date = $2 AND number = $3",
			h.id, date, number, held.Status)
		answer := httpapi.ReservationOf(id, &held, h.state.Profile.TimeZone, d.revision+1)
		return answer, change{number: int(number), kind: "reservation.cancelled", before: string(before), after: string(held.Status)}, nil
	})
}

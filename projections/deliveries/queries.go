package deliveries

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"daybook/domain"
	"daybook/domain/webhook"
)

// Of lists where the webhooks of a restaurant stand. One that was created a moment ago may be
// missing.
func (s *Store) Of(ctx context.Context, restaurant domain.RestaurantID) ([]webhook.Standing, error) {
	return s.standings(ctx, " WHERE w.restaurant_id = $1", string(restaurant))
}

// Totals sums all webhooks up, for those who watch the house.
func (s *Store) Totals(ctx context.Context) (pending, failing int, err error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	err = s.db.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM deliveries WHERE status = 'pending'),
		(SELECT COUNT(*) FROM webhooks WHERE failing_since > 0)`).Scan(&pending, &failing)
	return pending, failing, err
}

func (s *Store) standings(ctx context.Context, where string, args ...any) ([]webhook.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	// #nosec G202 -- where is one of this file's own, with its values as arguments
	rows, err := s.db.QueryContext(ctx, `SELECT w.webhook_id, w.restaurant_id, w.active, w.active_since, w.round, w.position, w.failing_since, w.delivered_at,
		COUNT(d.entry), COALESCE(MIN(d.decided_at), 0), COALESCE((SELECT MIN(f.next_at) FROM deliveries f WHERE f.webhook_id = w.webhook_id AND f.entry IN (
			SELECT MIN(o.entry) FROM deliveries o WHERE o.webhook_id = w.webhook_id AND o.status = 'pending' GROUP BY o.stream)), 0)
		FROM webhooks w LEFT JOIN deliveries d ON d.webhook_id = w.webhook_id AND d.status = 'pending'`+where+`
		GROUP BY w.webhook_id, w.restaurant_id, w.active, w.active_since, w.round, w.position, w.failing_since, w.delivered_at
		ORDER BY w.webhook_id`, args...)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	defer func() { _ = rows.Close() }() // its errors are rows.Err's
	var list []webhook.Standing
	for rows.Next() {
		var w webhook.Standing
		var round, position int64
		if err := rows.Scan(&w.Webhook, &w.Restaurant, &w.Active, &w.ActiveSince, &round, &position, &w.FailingSince, &w.DeliveredAt,
			&w.Pending, &w.Oldest, &w.NextAt); err != nil {
			return nil, fmt.Errorf("deliveries: %w", err)
		}
		w.Round, w.Position = uint32(round), uint64(position)
		list = append(list, w)
	}
	return list, rows.Err()
}

// Query asks for a page of a webhook's deliveries, the newest first.
type Query struct {
	Webhook domain.WebhookID
	Status  webhook.DeliveryStatus // empty for all
	Before  uint64                 // entries before this one; 0 for all
	Limit   int                    // 1 to 200
}

// List answers a query. There are more where it answers with as many as the limit.
func (s *Store) List(ctx context.Context, q Query) ([]webhook.Delivery, error) {
	where, args := "WHERE webhook_id = $1", []any{string(q.Webhook)}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where += " AND " + condition + " $" + strconv.Itoa(len(args))
	}
	if q.Status != "" {
		and("status =", string(q.Status))
	}
	if q.Before != 0 {
		and("entry <", int64(min(q.Before, 1<<62)))
	}
	return s.list(ctx, where+" ORDER BY entry DESC LIMIT "+strconv.Itoa(min(max(q.Limit, 1), 200)), args...)
}

func (s *Store) list(ctx context.Context, where string, args ...any) ([]webhook.Delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	// #nosec G202 -- where is one of this file's own, with its values as arguments
	rows, err := s.db.QueryContext(ctx, "SELECT "+deliveryColumns+" FROM deliveries "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("deliveries: %w", err)
	}
	defer func() { _ = rows.Close() }() // its errors are rows.Err's
	var list []webhook.Delivery
	for rows.Next() {
		d, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("deliveries: %w", err)
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

func scan(rows *sql.Rows) (d webhook.Delivery, err error) {
	var entry, round, position, revision int64
	var event string
	err = rows.Scan(&d.Webhook, &entry, &round, &position, &event, &d.Stream, &revision, &d.Type, &d.DecidedAt, &d.Status, &d.Attempts, &d.NextAt,
		&d.Last.At, &d.Last.Took, &d.Last.Code, &d.Last.Failure, &d.Last.Answer)
	if err != nil {
		return d, err
	}
	d.Entry, d.Round, d.Position, d.Revision = uint64(entry), uint32(round), uint64(position), uint64(revision)
	id, err := hex.DecodeString(strings.ReplaceAll(event, "-", ""))
	if err != nil || len(id) != len(d.Event) {
		return d, fmt.Errorf("%q is no event id", event)
	}
	d.Event = [16]byte(id)
	return d, nil
}

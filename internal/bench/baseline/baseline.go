// Package baseline is the booking service that Daybook is measured against: what a good
// engineer would build without a ledger. One PostgreSQL; each write is one transaction that
// locks the day's row, judges Daybook's own rules on current rows, and writes reservation,
// idempotency key and audit entry. HTTP, tokens and forms are Daybook's, so they cost the same.
//
// It is made to be fast: two round trips a write, prepared statements, indexes that answer
// by themselves, restaurants kept in memory for a second. What only Daybook does is left
// out: alternatives for a refusal, a record of refused demand, encryption, views.
//
// What belongs here: the calls that the measurement makes. How load is made and measured is
// internal/bench's.
package baseline

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
	"daybook/internal/telemetry"
	"daybook/internal/tokens"
)

//go:embed schema.sql
var schema string

// poolSize bounds the connections. More of them only wait longer for a day's lock; fewer
// let too few commits share a sync.
const poolSize = 32

// Service is the baseline. Safe for concurrent use.
type Service struct {
	pool  *pgxpool.Pool
	clock func() time.Time
	known *restaurants
}

// Open connects to a database that Seed has filled.
func Open(ctx context.Context, url string) (*Service, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	cfg.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("baseline: %w", err)
	}
	s := &Service{pool: pool, clock: time.Now}
	s.known = newRestaurants(pool, s.clock)
	return s, nil
}

// Close ends the connections.
func (s *Service) Close() { s.pool.Close() }

// Handler serves the calls, metrics included, the way Daybook's own server does.
func (s *Service) Handler(signer *tokens.Signer) http.Handler {
	metrics := telemetry.New("baseline")
	api := httpapi.New(httpapi.Config{Users: signer.User, Version: "baseline", Observe: metrics.Request})
	s.routes(api)
	return api.Engine
}

func (s *Service) now() domain.Instant { return domain.InstantOf(s.clock()) }

// Seed makes the schema in an empty database and puts restaurants in. Shifts are on every
// day of the week.
func Seed(ctx context.Context, url string, all []restaurant.State) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, schema); err != nil {
		return fmt.Errorf("baseline: schema: %w", err)
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for i := range all {
			if err := seed(ctx, tx, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		_, err = conn.Exec(ctx, "ANALYZE")
	}
	if err != nil {
		return fmt.Errorf("baseline: seed: %w", err)
	}
	return nil
}

func seed(ctx context.Context, tx pgx.Tx, r *restaurant.State) error {
	var id int64
	err := tx.QueryRow(ctx, `INSERT INTO restaurants (public_id, time_zone, day_boundary, hold_minutes, horizon_days,
		notice_minutes, buffer_minutes, pacing_covers) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		r.ID, r.Profile.TimeZone, r.DayBoundary, r.Policy.HoldMinutes, r.Policy.HorizonDays,
		r.Policy.NoticeMinutes, r.Policy.BufferMinutes, r.Policy.PacingCovers).Scan(&id)
	if err != nil {
		return err
	}
	rows := &pgx.Batch{}
	for _, t := range r.Policy.Turns {
		rows.Queue("INSERT INTO turn_times VALUES ($1, $2, $3)", id, t.UpToParty, t.Minutes)
	}
	for _, s := range r.Shifts {
		rows.Queue(`INSERT INTO shifts (restaurant, weekdays, name, opens, last_seating, closes, slot_minutes)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, s.Days.Names(), s.Name, s.Opens, s.LastSeating, s.Closes, s.SlotMinutes)
	}
	for i, t := range r.Tables {
		rows.Queue(`INSERT INTO dining_tables (restaurant, public_id, number, min_party, max_party, area, floor_order)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, t.ID, t.Number, t.Min, t.Max, t.Area, i)
	}
	return tx.SendBatch(ctx, rows).Close()
}

package baseline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// restaurantAge is how old a restaurant in memory may be, the same as in Daybook.
const restaurantAge = time.Second

// restaurants keeps those that were asked for, with the plans of their days.
type restaurants struct {
	pool  *pgxpool.Pool
	clock func() time.Time
	mu    sync.Mutex
	all   map[domain.RestaurantID]*known
}

// known is one restaurant. What it holds is replaced, never written to.
type known struct {
	mu      sync.Mutex
	house   *house
	checked time.Time
}

// house is one version of a restaurant.
type house struct {
	id      int64
	version int64
	loc     *time.Location
	state   restaurant.State
	byRow   map[int64]restaurantday.Table
	longest domain.Instant // the most a table can be occupied by one party

	mu    sync.Mutex
	plans map[domain.ServiceDate]*restaurantday.Plan
}

func newRestaurants(pool *pgxpool.Pool, clock func() time.Time) *restaurants {
	return &restaurants{pool: pool, clock: clock, all: map[domain.RestaurantID]*known{}}
}

// get returns the restaurant as it was at most restaurantAge ago.
func (r *restaurants) get(ctx context.Context, id domain.RestaurantID) (*house, error) {
	r.mu.Lock()
	k, ok := r.all[id]
	if !ok {
		k = &known{}
		r.all[id] = k
	}
	r.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := r.clock()
	if k.house != nil && now.Sub(k.checked) < restaurantAge {
		return k.house, nil
	}
	if k.house != nil {
		var version int64
		if err := r.pool.QueryRow(ctx, "SELECT version FROM restaurants WHERE id = $1", k.house.id).Scan(&version); err != nil {
			return nil, err
		}
		if version == k.house.version {
			k.checked = now
			return k.house, nil
		}
	}
	h, err := r.load(ctx, id)
	if err != nil {
		return nil, err
	}
	k.house, k.checked = h, now
	return h, nil
}

func (r *restaurants) load(ctx context.Context, id domain.RestaurantID) (*house, error) {
	h := &house{
		state: restaurant.State{ID: id, Status: restaurant.StatusOpen},
		byRow: map[int64]restaurantday.Table{}, plans: map[domain.ServiceDate]*restaurantday.Plan{},
	}
	s := &h.state
	err := pgx.BeginTxFunc(ctx, r.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT id, version, time_zone, day_boundary, hold_minutes, horizon_days, notice_minutes,
			buffer_minutes, pacing_covers FROM restaurants WHERE public_id = $1`, id).Scan(
			&h.id, &h.version, &s.Profile.TimeZone, &s.DayBoundary, &s.Policy.HoldMinutes, &s.Policy.HorizonDays,
			&s.Policy.NoticeMinutes, &s.Policy.BufferMinutes, &s.Policy.PacingCovers)
		if errors.Is(err, pgx.ErrNoRows) {
			return domain.Reject(domain.CodeNotFound, "no such restaurant")
		}
		if err != nil {
			return err
		}
		return h.loadParts(ctx, tx)
	})
	if err != nil {
		return nil, err
	}
	for _, t := range s.Policy.Turns {
		h.longest = max(h.longest, domain.Instant(0).AddMinutes(t.Minutes+s.Policy.BufferMinutes))
	}
	h.loc, err = time.LoadLocation(s.Profile.TimeZone)
	return h, err
}

func (h *house) loadParts(ctx context.Context, tx pgx.Tx) error {
	s := &h.state
	parts := &pgx.Batch{}
	parts.Queue("SELECT up_to_party, minutes FROM turn_times WHERE restaurant = $1 ORDER BY up_to_party", h.id).Query(func(rows pgx.Rows) (err error) {
		s.Policy.Turns, err = pgx.CollectRows(rows, pgx.RowToStructByPos[restaurantday.TurnTime])
		return err
	})
	parts.Queue("SELECT weekdays, name, opens, last_seating, closes, slot_minutes FROM shifts WHERE restaurant = $1 ORDER BY id", h.id).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var shift restaurant.Shift
			var days []string
			err := rows.Scan(&days, &shift.Name, &shift.Opens, &shift.LastSeating, &shift.Closes, &shift.SlotMinutes)
			if err != nil {
				return err
			}
			if shift.Days, err = restaurant.ParseWeekdays(days); err != nil {
				return fmt.Errorf("shift %s: %w", shift.Name, err)
			}
			s.Shifts = append(s.Shifts, shift)
		}
		return rows.Err()
	})
	parts.Queue("SELECT id, public_id, number, min_party, max_party, area FROM dining_tables WHERE restaurant = $1 ORDER BY floor_order", h.id).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var row int64
			var t restaurantday.Table
			if err := rows.Scan(&row, &t.ID, &t.Number, &t.Min, &t.Max, &t.Area); err != nil {
				return err
			}
			h.byRow[row] = t
			s.Tables = append(s.Tables, t)
		}
		return rows.Err()
	})
	return tx.SendBatch(ctx, parts).Close()
}

// plan is the day's: slots, policy and horizon.
func (h *house) plan(date domain.ServiceDate) (*restaurantday.Plan, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p, ok := h.plans[date]; ok {
		return p, nil
	}
	p, err := h.state.DayPlan(date, uint64(h.version), h.loc)
	if err != nil {
		return nil, err
	}
	h.plans[date] = p
	return p, nil
}

// slot finds the slot that clocks show as hhmm.
func slot(p *restaurantday.Plan, hhmm string) (restaurantday.Slot, error) {
	var found []restaurantday.Slot
	for _, s := range p.Slots {
		if s.Time == hhmm {
			found = append(found, s)
		}
	}
	switch {
	case len(p.Slots) == 0:
		return restaurantday.Slot{}, domain.Reject(domain.CodeClosed, "the restaurant is closed on that date")
	case len(found) == 0:
		return restaurantday.Slot{}, domain.Reject(domain.CodeOutsideHours, "parties are seated at other times")
	case len(found) > 1:
		return restaurantday.Slot{}, domain.Reject(domain.CodeAmbiguousTime, "clocks show that time twice")
	}
	return found[0], nil
}

// turn is how long a party keeps its table, and how long nobody else gets it.
func turn(p *restaurantday.Plan, s restaurantday.Slot, party domain.PartySize) (turn, occupied domain.Interval) {
	end := s.StartsAt.AddMinutes(p.Policy.Turn(party))
	if s.Closes > s.StartsAt {
		end = min(end, s.Closes)
	}
	return domain.Interval{From: s.StartsAt, To: end},
		domain.Interval{From: s.StartsAt, To: end.AddMinutes(p.Policy.BufferMinutes)}
}

// refuse is why party cannot have the slot at now, whatever is free: empty where it can.
// covers is how many covers start in the slot already.
func refuse(p *restaurantday.Plan, s restaurantday.Slot, party domain.PartySize, covers int, now domain.Instant) domain.Code {
	switch limit := p.Policy.PacingCovers; {
	case s.StartsAt < now:
		return domain.CodeInPast
	case s.StartsAt < now.AddMinutes(p.Policy.NoticeMinutes):
		return domain.CodeTooSoon
	case now < p.BookableFrom:
		return domain.CodeTooFarAhead
	case party > p.LargestParty():
		return domain.CodePartyTooLarge
	case limit > 0 && covers+int(party) > limit:
		return domain.CodePacingFull
	}
	return ""
}

package reporting

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// The length of a page: DefaultLimit where none is asked for, MaxLimit at most.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// ErrNotFound says that there is no such row, or none yet.
var ErrNotFound = errors.New("reporting: not found")

// Page is a stretch of a list. NextCursor asks for what follows; it is empty at the end.
type Page[T any] struct {
	Items      []T
	NextCursor string
}

// Reservation is a row of the table reservations, with its tables. A zero instant means none.
type Reservation struct {
	ID               domain.ReservationID
	Restaurant       domain.RestaurantID
	Date             domain.ServiceDate
	Number           uint32
	Diner            domain.UserID // empty for a guest without an account
	Party            domain.PartySize
	Status           restaurantday.Status
	Time             string // local HH:MM
	Shift            string
	StartsAt, EndsAt domain.Instant
	OccupiedUntil    domain.Instant
	ExpiresAt        domain.Instant
	Code             string
	Source           domain.ActorKind
	Origin           restaurantday.Source
	HeldAt           domain.Instant
	ConfirmedAt      domain.Instant
	SeatedAt         domain.Instant
	EndedAt          domain.Instant
	CancelledBy      restaurantday.CancelledBy
	Late             bool             // cancelled after the last free cancellation
	Covers           domain.PartySize // who sit, or sat
	Waitlist         domain.WaitlistID
	MovedFrom        domain.ReservationID
	MovedTo          domain.ReservationID
	Tables           []domain.TableID // by id
	Bound            bool             // the tables are the party's own
	Revision         eventstore.Revision
	Position         eventstore.Position
}

const selectReservation = `SELECT reservation_id, restaurant_id, service_date, number, diner_id, party, status, slot_time, shift,
	starts_at, ends_at, occupied_until, expires_at, confirmation_code, source, origin, held_at, confirmed_at, seated_at, ended_at, cancelled_by,
	late, covers, waitlist_id, moved_from, moved_to, bound, revision, position,
	(SELECT string_agg(t.table_id, ' ' ORDER BY t.table_id) FROM reservation_tables t
		WHERE t.reservation_id = r.reservation_id AND NOT t.given_up)
	FROM reservations r `

func scanReservation(row scanner) (Reservation, error) {
	var r Reservation
	var date string
	var diner, cancelledBy, waitlist, movedFrom, movedTo, tables sql.NullString
	var expiresAt, confirmedAt, seatedAt, endedAt sql.NullInt64
	var revision, position int64
	if err := row.Scan(&r.ID, &r.Restaurant, &date, &r.Number, &diner, &r.Party, &r.Status, &r.Time, &r.Shift,
		&r.StartsAt, &r.EndsAt, &r.OccupiedUntil, &expiresAt, &r.Code, &r.Source, &r.Origin, &r.HeldAt, &confirmedAt, &seatedAt, &endedAt,
		&cancelledBy, &r.Late, &r.Covers, &waitlist, &movedFrom, &movedTo, &r.Bound, &revision, &position, &tables); err != nil {
		return r, err
	}
	r.Diner, r.CancelledBy = domain.UserID(diner.String), restaurantday.CancelledBy(cancelledBy.String)
	r.Waitlist = domain.WaitlistID(waitlist.String)
	r.MovedFrom, r.MovedTo = domain.ReservationID(movedFrom.String), domain.ReservationID(movedTo.String)
	r.ExpiresAt, r.ConfirmedAt = domain.Instant(expiresAt.Int64), domain.Instant(confirmedAt.Int64)
	r.SeatedAt, r.EndedAt = domain.Instant(seatedAt.Int64), domain.Instant(endedAt.Int64)
	if r.Origin == originBooking {
		r.Origin = restaurantday.SourceBooking
	}
	r.Revision, r.Position = eventstore.Revision(revision), eventstore.Position(position)
	for id := range strings.FieldsSeq(tables.String) {
		r.Tables = append(r.Tables, domain.TableID(id))
	}
	var err error
	r.Date, err = domain.ParseServiceDate(date)
	return r, err
}

// Reservation returns one reservation. ErrNotFound if there is none.
func (db *Database) Reservation(ctx context.Context, id domain.ReservationID) (Reservation, error) {
	found, err := list(ctx, db, scanReservation, selectReservation+"WHERE reservation_id = $1", string(id))
	if err != nil {
		return Reservation{}, fmt.Errorf("reporting: reservation: %w", err)
	}
	if len(found) == 0 {
		return Reservation{}, ErrNotFound
	}
	return found[0], nil
}

// ReservationsOfDiner lists the reservations that user holds or held, the one made last
// first. limit is as Page says. ErrBadCursor for a cursor of another list.
func (db *Database) ReservationsOfDiner(ctx context.Context, user domain.UserID, limit int, after string) (Page[Reservation], error) {
	mark := queryMark("diner", string(user))
	c, given, err := decodeCursor(after, mark)
	if err != nil {
		return Page[Reservation]{}, err
	}
	limit = clampLimit(limit)
	q := condition{text: selectReservation}
	q.and("diner_id = ?", string(user))
	if given {
		q.and("(held_at, reservation_id) < (?, ?)", c.at, c.key)
	}
	q.text += " ORDER BY held_at DESC, reservation_id DESC LIMIT " + strconv.Itoa(limit+1)
	items, err := list(ctx, db, scanReservation, q.text, q.args...)
	if err != nil {
		return Page[Reservation]{}, fmt.Errorf("reporting: reservations of a diner: %w", err)
	}
	return page(items, limit, func(r Reservation) string {
		return cursor{int64(r.HeldAt), string(r.ID)}.encode(mark)
	}), nil
}

// DaySummary is a row of the table days. Of a day that is not opened only Refused is known,
// and Revision and Position mean nothing.
type DaySummary struct {
	Restaurant                            domain.RestaurantID
	Date                                  domain.ServiceDate
	OpenedAt                              domain.Instant // 0 while it is not opened
	PlanRevision                          uint64
	Tables, Seats, Slots                  int
	Reservations                          int // the nine below add up to it
	Pending, Confirmed, Seated, Completed int
	Cancelled, Expired, NoShow            int
	Moved, Withdrawn                      int
	WalkIns                               int // of the seated and completed
	Covers                                int // people of the pending, confirmed, seated and completed
	CoversSeated, CoversNoShow            int
	Waitlist                              int // entries ever; the four below add up to it
	Waiting, Offered, Accepted, Left      int
	Refused                               int64
	Revision                              eventstore.Revision
	Position                              eventstore.Position
}

// DaySummary returns the counts of one day. ErrNotFound if nobody has asked for it yet.
func (db *Database) DaySummary(ctx context.Context, restaurant domain.RestaurantID, date domain.ServiceDate) (DaySummary, error) {
	d := DaySummary{Restaurant: restaurant, Date: date}
	var openedAt, planRevision, revision, position sql.NullInt64
	err := one(ctx, db.query, []any{
		&openedAt, &planRevision, &d.Tables, &d.Seats, &d.Slots, &d.Reservations, &d.Pending, &d.Confirmed, &d.Seated, &d.Completed,
		&d.Cancelled, &d.Expired, &d.NoShow, &d.Moved, &d.Withdrawn, &d.WalkIns, &d.Covers, &d.CoversSeated, &d.CoversNoShow,
		&d.Waitlist, &d.Waiting, &d.Offered, &d.Accepted, &d.Left, &d.Refused, &revision, &position,
	}, `SELECT opened_at, plan_revision, tables, seats, slots, reservations, pending, confirmed, seated, completed, cancelled, expired,
		no_show, moved, withdrawn, walk_ins, covers, covers_seated, covers_no_show, waitlist, waitlist_waiting, waitlist_offered,
		waitlist_accepted, waitlist_left, refused, revision, position FROM days WHERE restaurant_id = $1 AND service_date = $2`, string(restaurant), date.String())
	if errors.Is(err, errNoRow) {
		return DaySummary{}, ErrNotFound
	}
	if err != nil {
		return DaySummary{}, fmt.Errorf("reporting: day: %w", err)
	}
	d.OpenedAt, d.PlanRevision = domain.Instant(openedAt.Int64), uint64(planRevision.Int64)
	d.Revision, d.Position = eventstore.Revision(revision.Int64), eventstore.Position(position.Int64)
	return d, nil
}

// Demand is how many requests for one date one rule turned away.
type Demand struct {
	Date     domain.ServiceDate
	Code     domain.Code
	Requests int64
	Covers   int64 // people in them
}

// Demand counts the refused requests for the dates from through to, by date and code.
func (db *Database) Demand(ctx context.Context, restaurant domain.RestaurantID, from, to domain.ServiceDate) ([]Demand, error) {
	all, err := list(ctx, db, func(row scanner) (Demand, error) {
		var d Demand
		var date string
		if err := row.Scan(&date, &d.Code, &d.Requests, &d.Covers); err != nil {
			return d, err
		}
		var err error
		d.Date, err = domain.ParseServiceDate(date)
		return d, err
	}, `SELECT service_date, code, COUNT(*), SUM(party) FROM refusals
		WHERE restaurant_id = $1 AND service_date BETWEEN $2 AND $3
		GROUP BY service_date, code ORDER BY service_date, code`, string(restaurant), from.String(), to.String())
	if err != nil {
		return nil, fmt.Errorf("reporting: demand: %w", err)
	}
	return all, nil
}

// OverlapQuery lists every promise of a table that begins before an earlier one of the same
// table has ended. It must never find a row: the ledger promises no table twice.
const OverlapQuery = `SELECT restaurant_id, table_id, service_date, reservation_id, starts_at, taken_until
FROM (
    SELECT restaurant_id, table_id, service_date, reservation_id, starts_at,
           MAX(occupied_until) OVER (
               PARTITION BY table_id ORDER BY starts_at, reservation_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS taken_until
    FROM reservation_tables
    WHERE live
) AS promises
WHERE starts_at < taken_until
ORDER BY restaurant_id, table_id, starts_at`

// Overlap is a row that OverlapQuery found.
type Overlap struct {
	Restaurant  domain.RestaurantID
	Table       domain.TableID
	Date        domain.ServiceDate
	Reservation domain.ReservationID
	StartsAt    domain.Instant
	TakenUntil  domain.Instant // by an earlier promise
}

// Overlaps runs OverlapQuery: at most limit rows.
func (db *Database) Overlaps(ctx context.Context, limit int) ([]Overlap, error) {
	all, err := list(ctx, db, func(row scanner) (Overlap, error) {
		var o Overlap
		var date string
		if err := row.Scan(&o.Restaurant, &o.Table, &date, &o.Reservation, &o.StartsAt, &o.TakenUntil); err != nil {
			return o, err
		}
		var err error
		o.Date, err = domain.ParseServiceDate(date)
		return o, err
	}, OverlapQuery+" LIMIT "+strconv.Itoa(clampLimit(limit)))
	if err != nil {
		return nil, fmt.Errorf("reporting: overlaps: %w", err)
	}
	return all, nil
}

// condition puts a query together from the filters that are given, so that the database
// plans for these and no others.
type condition struct {
	text  string
	args  []any
	begun bool
}

// and adds a condition; each ? in it is the next argument.
func (q *condition) and(text string, args ...any) {
	word := " AND "
	if !q.begun {
		word, q.begun = "WHERE ", true
	}
	for _, arg := range args {
		q.args = append(q.args, arg)
		text = strings.Replace(text, "?", "$"+strconv.Itoa(len(q.args)), 1)
	}
	q.text += word + text
}

func clampLimit(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// list reads all rows of a query.
func list[T any](ctx context.Context, db *Database, scan func(scanner) (T, error), text string, args ...any) (items []T, err error) {
	err = db.query(ctx, func(row scanner) error {
		item, err := scan(row)
		items = append(items, item)
		return err
	}, text, args...)
	return items, err
}

// page cuts what was read, one row more than limit, to a page.
func page[T any](items []T, limit int, cursorAt func(T) string) Page[T] {
	if len(items) <= limit {
		return Page[T]{Items: items}
	}
	return Page[T]{Items: items[:limit], NextCursor: cursorAt(items[limit-1])}
}

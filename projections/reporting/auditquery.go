package reporting

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"daybook/domain"
	"daybook/eventstore"
)

// AuditQuery asks for changes. Restaurant, Reservations or Account must be given; of the
// others, what is zero filters nothing.
type AuditQuery struct {
	Restaurant domain.RestaurantID
	// Reservations are those of which any changed: one, or all that it was moved from and
	// to. A cursor stays good where more of them are named after the first.
	Reservations []domain.ReservationID
	Account      domain.UserID      // whose account changed
	Date         domain.ServiceDate // of the day's book that changed
	Actor        domain.UserID
	Kinds        []domain.ActorKind // those of actors
	// Types are event types, such as "reservation.held", and beginnings of such, which end
	// with a full stop: "reservation.". One of them must fit.
	Types       []string
	Correlation string
	From, To    domain.Instant      // decided in [From, To)
	UpTo        eventstore.Position // of the ledger; 0 for its end
	OldestFirst bool                // else the newest comes first
	Limit       int
	Cursor      string
}

// AuditEntry is a row of the table audit_entries.
type AuditEntry struct {
	Event       string // its id
	Position    eventstore.Position
	Stream      eventstore.StreamName
	Revision    eventstore.Revision  // of the event in the stream
	Restaurant  domain.RestaurantID  // empty for a change of an account
	Account     domain.UserID        // whose account changed; empty for none
	Date        domain.ServiceDate   // 0 for a change of the restaurant itself
	Reservation domain.ReservationID // empty where no one reservation changed
	Waitlist    domain.WaitlistID    // likewise
	Type        string
	Actor       domain.Actor
	Role        string // what the actor was there then; may be empty, as the next two
	APIKey      string // id of the key that the request came with
	Process     string // the process manager that acted
	DecidedAt   domain.Instant
	RecordedAt  domain.Instant
	Command     string // a UUID; empty where no command is known
	Request     string // its id; empty where nobody asked
	Cause       string // the event, or the import, that made the command; empty for none
	Correlation string // shared by all that follows from one request; may be empty
	Reason      string // a word such as "hold_lapsed", never free text
	ReasonGiven bool   // somebody said why in words: they stand in the event, not here
	Before      json.RawMessage
	After       json.RawMessage // nil where there was, or is, nothing
}

// ErrBadAuditQuery refuses a query for neither a restaurant nor a reservation.
var ErrBadAuditQuery = errors.New("reporting: an audit query names a restaurant, a reservation or an account")

// Audit lists changes by the instant they were decided at, then in the ledger's order.
// ErrBadCursor for a cursor that another query gave out.
func (db *Database) Audit(ctx context.Context, a AuditQuery) (Page[AuditEntry], error) {
	if a.Restaurant == "" && len(a.Reservations) == 0 && a.Account == "" {
		return Page[AuditEntry]{}, ErrBadAuditQuery
	}
	first := ""
	if len(a.Reservations) > 0 {
		first = string(a.Reservations[0])
	}
	mark := queryMark("audit", string(a.Restaurant), first, string(a.Account), a.Date.String(), string(a.Actor), fmt.Sprint(a.Kinds),
		strings.Join(a.Types, ","), a.Correlation, a.From.String(), a.To.String(), fmt.Sprint(a.UpTo), strconv.FormatBool(a.OldestFirst))
	c, given, err := decodeCursor(a.Cursor, mark)
	if err != nil {
		return Page[AuditEntry]{}, err
	}
	q := a.condition("SELECT " + strings.Join(auditColumns, ", ") + " FROM audit_entries ")
	past, order := "<", "DESC"
	if a.OldestFirst {
		past, order = ">", "ASC"
	}
	if given {
		position, err := strconv.ParseInt(c.key, 10, 64)
		if err != nil {
			return Page[AuditEntry]{}, ErrBadCursor
		}
		q.and("(decided_at, position) "+past+" (?, ?)", c.at, position)
	}
	if !a.printable() {
		return Page[AuditEntry]{}, nil // no event has such a type, and Postgres refuses the text
	}
	limit := clampLimit(a.Limit)
	q.text += " ORDER BY decided_at " + order + ", position " + order + " LIMIT " + strconv.Itoa(limit+1)
	items, err := list(ctx, db, scanAuditEntry, q.text, q.args...)
	if err != nil {
		return Page[AuditEntry]{}, fmt.Errorf("reporting: audit: %w", err)
	}
	return page(items, limit, func(e AuditEntry) string {
		return cursor{int64(e.DecidedAt), strconv.FormatUint(uint64(e.Position), 10)}.encode(mark)
	}), nil
}

// AuditCount counts what a query finds, limit and cursor aside, but no further than most.
func (db *Database) AuditCount(ctx context.Context, a AuditQuery, most int) (n int, err error) {
	if a.Restaurant == "" && len(a.Reservations) == 0 && a.Account == "" {
		return 0, ErrBadAuditQuery
	}
	if !a.printable() {
		return 0, nil
	}
	q := a.condition("SELECT 1 AS one FROM audit_entries ")
	err = one(ctx, db.query, []any{&n}, "SELECT COUNT(*) FROM ("+q.text+" LIMIT "+strconv.Itoa(most)+") AS found", q.args...)
	if err != nil {
		return 0, fmt.Errorf("reporting: audit: %w", err)
	}
	return n, nil
}

// printable reports whether an event can have the texts that are asked for: Postgres refuses
// some others.
func (a AuditQuery) printable() bool {
	return printable(strings.Join(a.Types, "")) && printable(a.Correlation)
}

// condition is a query for what fits.
func (a AuditQuery) condition(text string) condition {
	q := condition{text: text}
	if a.Restaurant != "" {
		q.and("restaurant_id = ?", string(a.Restaurant))
	}
	if n := len(a.Reservations); n > 0 {
		ids := make([]any, n)
		for i, id := range a.Reservations {
			ids[i] = string(id)
		}
		q.and("reservation_id IN (?"+strings.Repeat(", ?", n-1)+")", ids...)
	}
	if a.Account != "" {
		q.and("account_id = ?", string(a.Account))
	}
	if a.Date != 0 {
		q.and("service_date = ?", a.Date.String())
	}
	if a.Actor != "" {
		q.and("actor_id = ?", string(a.Actor))
	}
	if n := len(a.Kinds); n > 0 {
		kinds := make([]any, n)
		for i, k := range a.Kinds {
			kinds[i] = string(k)
		}
		q.and("actor_kind IN (?"+strings.Repeat(", ?", n-1)+")", kinds...)
	}
	if len(a.Types) > 0 {
		text, args := ofTypes(a.Types)
		q.and(text, args...)
	}
	if a.Correlation != "" {
		q.and("correlation = ?", a.Correlation)
	}
	if a.UpTo != 0 {
		q.and("position <= ?", int64(a.UpTo))
	}
	if a.From != 0 {
		q.and("decided_at >= ?", int64(a.From))
	}
	if a.To != 0 {
		q.and("decided_at < ?", int64(a.To))
	}
	return q
}

// ofTypes is the condition that one of the types fits. Texts compare by their bytes, and what
// follows a full stop in ASCII is a slash.
func ofTypes(types []string) (text string, args []any) {
	parts := make([]string, len(types))
	for i, name := range types {
		if beginning, ok := strings.CutSuffix(name, "."); ok {
			parts[i] = "(type >= ? AND type < ?)"
			args = append(args, name, beginning+"/")
			continue
		}
		parts[i] = "type = ?"
		args = append(args, name)
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}

// auditColumns are what scanAuditEntry reads, in its order.
var auditColumns = auditRows.columns

func scanAuditEntry(row scanner) (AuditEntry, error) {
	var e AuditEntry
	var position, revision int64
	var restaurant, account, date, reservation, waitlist, actor, role, key, process sql.NullString
	var command, request, cause, correlation, reason, before, after sql.NullString
	if err := row.Scan(&position, &e.Event, &e.Stream, &revision, &restaurant, &account, &date, &reservation, &waitlist,
		&e.Type, &e.Actor.Kind, &actor, &role, &key, &process, &e.DecidedAt, &e.RecordedAt, &command, &request, &cause, &correlation,
		&reason, &e.ReasonGiven, &before, &after); err != nil {
		return e, err
	}
	e.Position, e.Revision = eventstore.Position(position), eventstore.Revision(revision)
	e.Restaurant, e.Account = domain.RestaurantID(restaurant.String), domain.UserID(account.String)
	e.Reservation, e.Waitlist = domain.ReservationID(reservation.String), domain.WaitlistID(waitlist.String)
	e.Actor.User, e.Role, e.APIKey, e.Process = domain.UserID(actor.String), role.String, key.String, process.String
	e.Command, e.Request, e.Cause, e.Correlation = command.String, request.String, cause.String, correlation.String
	e.Reason = reason.String
	if before.Valid {
		e.Before = json.RawMessage(before.String)
	}
	if after.Valid {
		e.After = json.RawMessage(after.String)
	}
	if !date.Valid {
		return e, nil
	}
	var err error
	e.Date, err = domain.ParseServiceDate(date.String)
	return e, err
}

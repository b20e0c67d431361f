package readapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/projections/book"
	"daybook/projections/reporting"
)

func (r *reads) reservations(api *httpapi.API) {
	one := get("read-reservation", "/reservations/{id}", "Read a reservation", "Booking")
	one.Description = "One that was moved to another day is answered for with the reservation it became, under every id it ever had. " +
		"With asOf, with the one that it was then."
	one.Security, one.Errors = httpapi.LoggedIn, append(one.Errors, http.StatusNotFound)
	httpapi.Handle(api, one, func(ctx context.Context, in *struct {
		After
		AsOf
		ID string `path:"id" doc:"the reservation's id, rsv_…"`
	}) (*body[reservationBody], error) {
		chain, staff, err := r.visible(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		past, err := r.past(ctx, in.AsOf)
		if err != nil {
			return nil, err
		}
		if past != nil {
			if chain, err = chainThen(ctx, past, domain.ReservationID(in.ID), r.now()); err != nil {
				return nil, err
			}
		}
		e := chain[len(chain)-1]
		f := httpapi.ReservationOf(e.ID, e.Reservation, e.Zone, e.Revision)
		if staff {
			f = f.ForStaff(e.Reservation)
		}
		return &body[reservationBody]{reservationBody{f, momentOf(past, e.Zone)}}, nil
	})

	own := get("own-reservations", "/users/me/reservations", "Your own reservations, newest first", "People")
	own.Security = httpapi.LoggedIn
	httpapi.Handle(api, own, func(ctx context.Context, in *struct {
		After
		Paging
	}) (*body[page[ownReservation]], error) {
		if err := r.wait(ctx, reportingView, in.After); err != nil {
			return nil, err
		}
		found, err := r.Reporting.ReservationsOfDiner(ctx, httpapi.User(ctx), in.Limit, in.Cursor)
		if err != nil {
			return nil, ofEngine("reporting database", err)
		}
		out := page[ownReservation]{Items: make([]ownReservation, len(found.Items)), NextCursor: found.NextCursor}
		for i, row := range found.Items {
			out.Items[i] = r.own(ctx, row)
		}
		return &body[page[ownReservation]]{out}, nil
	})
}

// reservationBody is a reservation, and of when.
type reservationBody struct {
	httpapi.Reservation
	Moment
}

// visible reads a reservation with all that it was moved from and to, for its diner or the
// restaurant's staff. To everybody else it is not there.
func (r *reads) visible(ctx context.Context, a After, id string) (chain []book.Entry, staff bool, err error) {
	rid, err := domain.ParseReservationID(id)
	if err != nil {
		return nil, false, notFound("reservation")
	}
	if err := r.reached(ctx, a); err != nil {
		return nil, false, err
	}
	chain, err = r.Book.Chain(ctx, rid, r.now())
	if errors.Is(err, book.ErrNotFound) {
		err = notFound("reservation")
	}
	if err != nil {
		return nil, false, err
	}
	restaurant, _, _ := rid.Day()
	own, staff, err := r.whose(ctx, chain[len(chain)-1].Reservation.Diner, restaurant)
	if err != nil {
		return nil, false, err
	}
	if !own && !staff {
		return nil, false, notFound("reservation")
	}
	return chain, staff, nil
}

// ownReservation is one of a diner's own, without what is personal: read the reservation
// itself for that.
type ownReservation struct {
	httpapi.Reservation
	RestaurantName string `json:"restaurantName,omitempty"`
	HeldAt         string `json:"heldAt" format:"date-time"`
}

func (r *reads) own(ctx context.Context, row reporting.Reservation) ownReservation {
	zone, name := "", ""
	// A list is not refused for one restaurant that cannot be read: its times are in UTC then.
	if s, _, err := r.Book.Restaurant(ctx, row.Restaurant); err == nil {
		zone, name = s.Profile.TimeZone, s.Profile.Name
	}
	status, expires := row.Status, row.ExpiresAt
	if status == restaurantday.StatusPending && expires <= r.now() {
		status = restaurantday.StatusExpired
	}
	entry := &restaurantday.Reservation{
		Number: row.Number, Diner: row.Diner, Party: row.Party, Slot: restaurantday.Slot{Time: row.Time},
		Turn: domain.Interval{From: row.StartsAt, To: row.EndsAt}, Tables: row.Tables, Bound: row.Bound, Status: status,
		ExpiresAt: expires, Code: row.Code, Source: row.Origin, Covers: row.Covers, SeatedAt: row.SeatedAt,
		By: row.CancelledBy, Late: row.Late, MovedFrom: row.MovedFrom, MovedTo: row.MovedTo,
	}
	if status == restaurantday.StatusCompleted {
		entry.FreedAt = row.EndedAt
	}
	f := httpapi.ReservationOf(row.ID, entry, zone, uint64(row.Revision))
	f.WaitlistID = string(row.Waitlist)
	return ownReservation{f, name, httpapi.InZone(zone)(row.HeldAt)}
}

// change is one entry of an audit trail.
type change struct {
	EventID       string          `json:"eventId"`
	Position      uint64          `json:"position"`
	Type          string          `json:"type"`
	Date          string          `json:"date,omitempty" doc:"service date, where a day's book was changed"`
	ReservationID string          `json:"reservationId,omitempty"`
	Actor         actor           `json:"actor"`
	DecidedAt     string          `json:"decidedAt" format:"date-time"`
	RecordedAt    string          `json:"recordedAt" format:"date-time"`
	Reason        string          `json:"reason,omitempty"`
	ReasonGiven   bool            `json:"reasonGiven,omitempty" doc:"somebody said why in words, which the reservation itself keeps"`
	Before        json.RawMessage `json:"before,omitempty" doc:"what it was"`
	After         json.RawMessage `json:"after,omitempty" doc:"what it became"`
}

type actor struct {
	Kind   string `json:"kind" enum:"diner,staff,system,import"`
	UserID string `json:"userId,omitempty"`
}

func (r *reads) audit(api *httpapi.API) {
	op := get("audit", "/restaurants/{id}/audit", "Every change, newest first: who, when, what, why, before, after", "Ledger")
	op.Security, op.Errors = httpapi.LoggedIn, append(op.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		Paging
		ID            string `path:"id" doc:"the restaurant's id, rst_…"`
		From          string `query:"from" maxLength:"40" doc:"RFC 3339: decided at or after"`
		To            string `query:"to" maxLength:"40" doc:"RFC 3339: decided before"`
		Actor         string `query:"actor" maxLength:"30" doc:"a user id"`
		ReservationID string `query:"reservationId" maxLength:"40"`
		Type          string `query:"type" maxLength:"128" doc:"an event type, such as reservation.held"`
	}) (*body[page[change]], error) {
		state, _, err := r.restaurant(ctx, After{}, in.ID)
		if err != nil {
			return nil, err
		}
		if !state.MayManage(httpapi.User(ctx)) {
			return nil, domain.Reject(domain.CodeForbidden, "only those who manage the restaurant see its audit trail")
		}
		q := reporting.AuditQuery{Restaurant: state.ID, Type: in.Type, Limit: in.Limit, Cursor: in.Cursor}
		if q.From, err = instant("from", in.From); err != nil {
			return nil, err
		}
		if q.To, err = instant("to", in.To); err != nil {
			return nil, err
		}
		if in.Actor != "" {
			if q.Actor, err = domain.ParseUserID(in.Actor); err != nil {
				return nil, badQuery("actor", err.Error())
			}
		}
		if in.ReservationID != "" {
			id, err := domain.ParseReservationID(in.ReservationID)
			if err != nil {
				return nil, badQuery("reservationId", err.Error())
			}
			q.Reservations = []domain.ReservationID{id}
		}
		return r.trail(ctx, in.After, q, state.Profile.TimeZone)
	})

	history := get("reservation-history", "/reservations/{id}/history", "Every change of one reservation, oldest first", "Ledger")
	history.Description = "With those of the reservations that it was moved from and to."
	history.Security, history.Errors = httpapi.LoggedIn, append(history.Errors, http.StatusNotFound)
	httpapi.Handle(api, history, func(ctx context.Context, in *struct {
		After
		Paging
		ID string `path:"id" doc:"the reservation's id, rsv_…"`
	}) (*body[page[change]], error) {
		chain, _, err := r.visible(ctx, After{}, in.ID)
		if err != nil {
			return nil, err
		}
		restaurant, _, _ := chain[0].ID.Day()
		q := reporting.AuditQuery{Restaurant: restaurant, OldestFirst: true, Limit: in.Limit, Cursor: in.Cursor}
		for _, e := range chain {
			q.Reservations = append(q.Reservations, e.ID)
		}
		return r.trail(ctx, in.After, q, chain[0].Zone)
	})
}

func (r *reads) trail(ctx context.Context, a After, q reporting.AuditQuery, zone string) (*body[page[change]], error) {
	if err := r.wait(ctx, reportingView, a); err != nil {
		return nil, err
	}
	found, err := r.Reporting.Audit(ctx, q)
	if err != nil {
		return nil, ofEngine("reporting database", err)
	}
	at := httpapi.InZone(zone)
	out := page[change]{Items: make([]change, len(found.Items)), NextCursor: found.NextCursor}
	for i, e := range found.Items {
		out.Items[i] = change{
			EventID: e.Event, Position: uint64(e.Position), Type: e.Type, ReservationID: string(e.Reservation),
			Actor: actor{Kind: string(e.Actor.Kind), UserID: string(e.Actor.User)}, DecidedAt: at(e.DecidedAt),
			RecordedAt: at(e.RecordedAt), Reason: e.Reason, ReasonGiven: e.ReasonGiven, Before: e.Before, After: e.After,
		}
		if e.Date != 0 {
			out.Items[i].Date = e.Date.String()
		}
	}
	return &body[page[change]]{out}, nil
}

func instant(name, text string) (domain.Instant, error) {
	if text == "" {
		return 0, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, badQuery(name, "want RFC 3339 with an offset, such as 2026-11-21T19:30:00+01:00")
	}
	return domain.InstantOf(t), nil
}

package readapi

import (
	"context"
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

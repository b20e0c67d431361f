package writeapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

type reserveBody struct {
	RestaurantID    string         `json:"restaurantId" maxLength:"30" doc:"rst_…"`
	Date            string         `json:"date,omitempty" maxLength:"10" doc:"service date, YYYY-MM-DD; may be left out beside startsAt"`
	Time            string         `json:"time,omitempty" maxLength:"5" doc:"local time of the slot, HH:MM"`
	StartsAt        string         `json:"startsAt,omitempty" format:"date-time" doc:"the slot's instant, instead of time"`
	Party           int            `json:"party" minimum:"1" maximum:"500"`
	Guest           *httpapi.Guest `json:"guest,omitempty" doc:"whom the table is kept for, if not for the caller"`
	Notes           string         `json:"notes,omitempty" maxLength:"1000"`
	Occasion        string         `json:"occasion,omitempty" maxLength:"100"`
	SpecialRequests string         `json:"specialRequests,omitempty" maxLength:"1000"`
	TableID         string         `json:"tableId,omitempty" maxLength:"30" doc:"this table or none"`
	Area            string         `json:"area,omitempty" maxLength:"60" doc:"a table in this area or none"`
	Confirm         bool           `json:"confirm,omitempty" doc:"confirm at once"`

	Override *httpapi.Override `json:"override,omitempty" doc:"only for the restaurant's staff: a rule to set aside"`
}

type cancelBody struct {
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

func (w *writes) reservations(api *httpapi.API) {
	reserve := huma.Operation{
		OperationID: "reserve", Method: http.MethodPost, Path: "/reservations", Tags: []string{"Booking"}, Security: httpapi.LoggedIn,
		Summary:       "Hold a table",
		Description:   "Promises a table until expiresAt. Confirm it before, or send confirm: true.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
	httpapi.Handle(api, reserve, func(ctx context.Context, in *struct {
		Keyed
		Body reserveBody
	}) (*answer[httpapi.Reservation], error) {
		c, err := caller(ctx, &reserve, in.Keyed, in.Body)
		if err != nil {
			return nil, err
		}
		hold, err := in.Body.command()
		if err != nil {
			return nil, refused(err)
		}
		return reservation(w.app.HoldTable(ctx, c, hold))
	})

	confirm := huma.Operation{
		OperationID: "confirm-reservation", Method: http.MethodPost, Path: "/reservations/{id}/confirm", Tags: []string{"Booking"},
		Security: httpapi.LoggedIn, Summary: "Confirm a hold", Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
	httpapi.Handle(api, confirm, func(ctx context.Context, in *struct {
		Keyed
		ID string `path:"id" doc:"the reservation's id, rsv_…"`
	}) (*answer[httpapi.Reservation], error) {
		c, id, err := addressed(ctx, &confirm, in.Keyed, in.ID, nil)
		if err != nil {
			return nil, err
		}
		return reservation(w.app.ConfirmReservation(ctx, c, id))
	})

	cancel := huma.Operation{
		OperationID: "cancel-reservation", Method: http.MethodPatch, Path: "/reservations/{id}/cancel", Tags: []string{"Booking"},
		Security: httpapi.LoggedIn, Summary: "Cancel a reservation", Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
	httpapi.Handle(api, cancel, func(ctx context.Context, in *struct {
		Keyed
		ID   string `path:"id" doc:"the reservation's id, rsv_…"`
		Body *cancelBody
	}) (*answer[httpapi.Reservation], error) {
		body := cancelBody{}
		if in.Body != nil {
			body = *in.Body
		}
		c, id, err := addressed(ctx, &cancel, in.Keyed, in.ID, body)
		if err != nil {
			return nil, err
		}
		reason, err := domain.Prose("reason", body.Reason, maxReason)
		if err != nil {
			return nil, refused(err)
		}
		return reservation(w.app.CancelReservation(ctx, c, id, reason))
	})
}

// earliest is an instant that, wherever clocks are, belongs to a service date that there
// is: those begin with 2000.
var earliest = time.Date(2000, 1, 2, 0, 0, 0, 0, time.UTC)

// command checks what the schema cannot.
func (b reserveBody) command() (h commands.HoldTable, err error) {
	if h.Restaurant, err = domain.ParseRestaurantID(b.RestaurantID); err != nil {
		return h, field("body.restaurantId", err)
	}
	if b.Date != "" {
		if h.Date, err = domain.ParseServiceDate(b.Date); err != nil {
			return h, field("body.date", err)
		}
	}
	if b.StartsAt == "" && (b.Time == "" || b.Date == "") {
		return h, field("body.time", errors.New("name the slot: date and time, or startsAt"))
	}
	if h.StartsAt, err = slot(b.Time, b.StartsAt); err != nil {
		return h, err
	}
	h.Time = b.Time
	if h.Party, err = domain.NewPartySize(b.Party); err != nil {
		return h, field("body.party", err)
	}
	if b.TableID != "" {
		if h.Wish.Table, err = domain.ParseTableID(b.TableID); err != nil {
			return h, field("body.tableId", err)
		}
	}
	if h.Wish.Area, err = domain.Line("area", b.Area, maxArea); err != nil {
		return h, err
	}
	h.Confirm = b.Confirm
	if h.Override, err = override(b.Override); err != nil {
		return h, err
	}
	h.Details, err = b.details()
	return h, err
}

// slot checks how a body names a start, if it does: as a time or as an instant.
func slot(clock, startsAt string) (domain.Instant, error) {
	switch {
	case startsAt != "" && clock != "":
		return 0, field("body.time", errors.New("send time or startsAt, not both"))
	case startsAt != "":
		at, err := time.Parse(time.RFC3339, startsAt)
		if err != nil || at.Before(earliest) || at.UTC().Year() > 2169 {
			return 0, field("body.startsAt", errors.New("want RFC 3339 with an offset, such as 2026-11-21T19:30:00+01:00"))
		}
		return domain.InstantOf(at), nil
	case clock != "":
		if _, err := domain.ParseClock(clock); err != nil {
			return 0, field("body.time", err)
		}
	}
	return 0, nil
}

// override is the rule that staff set aside, and why, tidied.
func override(o *httpapi.Override) (restaurantday.Override, error) {
	if o == nil {
		return restaurantday.Override{}, nil
	}
	reason, err := domain.Prose("override.reason", o.Reason, maxReason)
	return restaurantday.Override{Rule: domain.Code(o.Rule), Reason: reason}, err
}

// The longest texts about a reservation, in characters; the forms' tags say the same.
const (
	maxNotes    = 1000
	maxOccasion = 100
	maxReason   = 500
	maxGuest    = 100
	maxArea     = 60
)

// details is what the party tells of itself, tidied: the book keeps it for good.
func (b reserveBody) details() (d restaurantday.Details, err error) {
	if d.Notes, err = domain.Prose("notes", b.Notes, maxNotes); err != nil {
		return d, err
	}
	if d.SpecialRequests, err = domain.Prose("special_requests", b.SpecialRequests, maxNotes); err != nil {
		return d, err
	}
	if d.Occasion, err = domain.Line("occasion", b.Occasion, maxOccasion); err != nil {
		return d, err
	}
	d.Guest, err = guest(b.Guest)
	return d, err
}

// guest is whom a table is kept for, tidied.
func guest(b *httpapi.Guest) (g restaurantday.Guest, err error) {
	if b == nil {
		return g, nil
	}
	if g.Name, err = domain.Line("guest_name", b.Name, maxGuest); err != nil {
		return g, err
	}
	if g.Email, err = guestEmail(b.Email); err != nil {
		return g, err
	}
	g.Phone, err = domain.NormalizePhone("guest_phone", b.Phone)
	return g, err
}

// guestEmail checks the address of a guest, who need not have one.
func guestEmail(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return domain.NormalizeEmail("guest_email", text)
}

// addressed makes the caller of a request about one reservation.
func addressed(ctx context.Context, op *huma.Operation, k Keyed, id string, body any) (commands.Caller, domain.ReservationID, error) {
	c, err := caller(ctx, op, k, body)
	if err != nil {
		return c, "", err
	}
	rid, err := domain.ParseReservationID(id)
	if err != nil {
		return c, "", domain.Reject(domain.CodeNotFound, "no such reservation")
	}
	return c, rid, nil
}

// reservation is the answer to whatever changes a reservation.
func reservation(b commands.Booked, err error) (*answer[httpapi.Reservation], error) {
	if err != nil {
		return nil, refusedThere(err, b.Restaurant, b.Date, b.Zone, b.Staff)
	}
	return &answer[httpapi.Reservation]{wrote(b.Position, b.Replayed), reservationForm(b)}, nil
}

func reservationForm(b commands.Booked) httpapi.Reservation {
	f := httpapi.ReservationOf(b.ID, &b.Reservation, b.Zone, b.Revision)
	if b.Staff {
		f = f.ForStaff(&b.Reservation)
	}
	return f
}

// refusedThere turns a refusal by a day into a problem that tells times by that restaurant's
// clocks, and staff which entries are in the way.
func refusedThere(err error, restaurant domain.RestaurantID, date domain.ServiceDate, zone string, staff bool) error {
	no, ok := domain.Rejected(err)
	if !ok || restaurant == "" || no.Code == domain.CodeInvalid {
		return refused(err)
	}
	var entry func(uint32) string
	if staff {
		entry = func(number uint32) string { return string(domain.NewReservationID(restaurant, date, number)) }
	}
	return problem.FromRejection(no, httpapi.InZone(zone), entry)
}

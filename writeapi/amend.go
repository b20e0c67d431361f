package writeapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
)

type amendBody struct {
	Date            string       `json:"date,omitempty" minLength:"10" maxLength:"10" doc:"service date, YYYY-MM-DD; another than its own moves it there"`
	Time            string       `json:"time,omitempty" minLength:"5" maxLength:"5" doc:"local time of the slot, HH:MM"`
	StartsAt        string       `json:"startsAt,omitempty" format:"date-time" doc:"the slot's instant, instead of time"`
	Party           int          `json:"party,omitempty" minimum:"1" maximum:"500"`
	Guest           *guestChange `json:"guest,omitempty"`
	Notes           *string      `json:"notes,omitempty" maxLength:"1000"`
	Occasion        *string      `json:"occasion,omitempty" maxLength:"100"`
	SpecialRequests *string      `json:"specialRequests,omitempty" maxLength:"1000"`
	TableID         *string      `json:"tableId,omitempty" maxLength:"30" doc:"this table or none; empty for any"`
	Area            *string      `json:"area,omitempty" maxLength:"60" doc:"a table in this area or none; empty for any"`

	Override *httpapi.Override `json:"override,omitempty" doc:"only for the restaurant's staff: a rule to set aside"`
}

// guestChange changes what it names of a guest; empty takes it away.
type guestChange struct {
	Name  *string `json:"name,omitempty" maxLength:"100"`
	Email *string `json:"email,omitempty" maxLength:"254"`
	Phone *string `json:"phone,omitempty" maxLength:"40"`
}

// amending adds the route by which a reservation is changed.
func (w *writes) amending(api *httpapi.API) {
	amend := huma.Operation{
		OperationID: "amend-reservation", Method: http.MethodPatch, Path: "/reservations/{id}", Tags: []string{"Booking"},
		Security: httpapi.LoggedIn, Summary: "Change a reservation",
		Description: "What is not sent stays as it is. Where the new time, party or table is refused, the reservation stays as it was. " +
			"Another date moves it there, with the time and the party that are sent beside it and nothing else: the answer is the reservation " +
			"on that day, which has an id of its own; the old table is given up only once the new one is confirmed.",
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
	httpapi.Handle(api, amend, func(ctx context.Context, in *struct {
		Keyed
		ID   string `path:"id" doc:"the reservation's id, rsv_…"`
		Body amendBody
	}) (*answer[httpapi.Reservation], error) {
		c, id, err := addressed(ctx, &amend, in.Keyed, in.ID, in.Body)
		if err != nil {
			return nil, err
		}
		command, err := in.Body.command()
		if err != nil {
			return nil, refused(err)
		}
		// Which of the two it is goes by the id that was asked with, so that a repeat is the
		// same, wherever the reservation is by then.
		if _, own, _ := id.Day(); command.Date == 0 || command.Date == own {
			return reservation(w.app.AmendReservation(ctx, c, id, command))
		}
		m := commands.MoveReservation{Date: command.Date, Time: command.Time, StartsAt: command.StartsAt, Party: command.Party}
		if command != (commands.AmendReservation{Date: m.Date, Time: m.Time, StartsAt: m.StartsAt, Party: m.Party}) {
			return nil, field("body.date", errors.New("a move to another date takes time, startsAt and party alone; change the rest once it is there"))
		}
		b, err := w.app.MoveReservation(ctx, c, id, m)
		if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeInvalid && len(no.Reasons) == 1 && no.Reasons[0].Rule == "to" {
			return nil, field("body.date", errors.New("the reservation is on that date already; leave date out to change it there"))
		}
		return reservation(b, err)
	})
}

// command checks what the schema cannot.
func (b amendBody) command() (m commands.AmendReservation, err error) {
	if b.Date != "" {
		if m.Date, err = domain.ParseServiceDate(b.Date); err != nil {
			return m, field("body.date", err)
		}
	}
	if m.StartsAt, err = slot(b.Time, b.StartsAt); err != nil {
		return m, err
	}
	m.Time, m.Party = b.Time, domain.PartySize(b.Party)
	if b.TableID != nil {
		table := domain.TableID("")
		if *b.TableID != "" {
			if table, err = domain.ParseTableID(*b.TableID); err != nil {
				return m, field("body.tableId", err)
			}
		}
		m.Wish.Table = &table
	}
	if m.Wish.Area, err = changed(b.Area, func(s string) (string, error) { return domain.Line("area", s, maxArea) }); err != nil {
		return m, err
	}
	if m.Override, err = override(b.Override); err != nil {
		return m, err
	}
	m.Details, err = b.details()
	return m, err
}

// details is what the party tells otherwise, tidied.
func (b amendBody) details() (d restaurantday.DetailsChanges, err error) {
	g := guestChange{}
	if b.Guest != nil {
		g = *b.Guest
	}
	for _, c := range []struct {
		from *string
		into **string
		tidy func(string) (string, error)
	}{
		{from: b.Notes, into: &d.Notes, tidy: func(s string) (string, error) { return domain.Prose("notes", s, maxNotes) }},
		{from: b.SpecialRequests, into: &d.SpecialRequests, tidy: func(s string) (string, error) { return domain.Prose("special_requests", s, maxNotes) }},
		{from: b.Occasion, into: &d.Occasion, tidy: func(s string) (string, error) { return domain.Line("occasion", s, maxOccasion) }},
		{from: g.Name, into: &d.GuestName, tidy: func(s string) (string, error) { return domain.Line("guest_name", s, maxGuest) }},
		{from: g.Email, into: &d.GuestEmail, tidy: guestEmail},
		{from: g.Phone, into: &d.GuestPhone, tidy: func(s string) (string, error) { return domain.NormalizePhone("guest_phone", s) }},
	} {
		if *c.into, err = changed(c.from, c.tidy); err != nil {
			return d, err
		}
	}
	return d, nil
}

// changed tidies a text that was sent.
func changed(text *string, tidy func(string) (string, error)) (*string, error) {
	if text == nil {
		return nil, nil
	}
	tidied, err := tidy(*text)
	return &tidied, err
}

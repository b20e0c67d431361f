package writeapi

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/internal/httpapi"
)

type seatBody struct {
	Covers   int      `json:"covers,omitempty" minimum:"1" maximum:"500" doc:"all who sit by now; the whole party by default"`
	TableIDs []string `json:"tableIds,omitempty" minItems:"1" maxItems:"8" doc:"others than it has"`
}

type reinstateBody struct {
	Override *httpapi.Override `json:"override,omitempty"`
}

type moveTableBody struct {
	TableIDs []string `json:"tableIds" minItems:"1" maxItems:"8"`
}

type walkInBody struct {
	Party      int            `json:"party,omitempty" minimum:"1" maximum:"500" doc:"may be left out beside waitlistId"`
	Covers     int            `json:"covers,omitempty" minimum:"1" maximum:"500" doc:"who sit down now; the whole party by default"`
	TableIDs   []string       `json:"tableIds,omitempty" minItems:"1" maxItems:"8" doc:"any that fit by default"`
	Area       string         `json:"area,omitempty" maxLength:"60" doc:"a table in this area or none"`
	WaitlistID string         `json:"waitlistId,omitempty" maxLength:"40" doc:"the entry of today's waitlist whose party it is"`
	Guest      *httpapi.Guest `json:"guest,omitempty"`
	Notes      string         `json:"notes,omitempty" maxLength:"1000"`

	Override *httpapi.Override `json:"override,omitempty"`
}

type undoBody struct {
	Action        int    `json:"action,omitempty" minimum:"1" maximum:"1000000000" doc:"its number among the day's; the last by default"`
	ReservationID string `json:"reservationId,omitempty" maxLength:"40" doc:"the last on this reservation"`
}

type undoneBody struct {
	Action      int                 `json:"action" doc:"its number among the day's"`
	Kind        string              `json:"kind" enum:"confirm,cancel,amend,move_table,pin,unpin,seat,complete,no_show,reinstate"`
	Reservation httpapi.Reservation `json:"reservation" doc:"as it is again"`
}

// hosting is an operation of a restaurant's own people during service.
func hosting(id, method, path, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Floor"}, Security: httpapi.LoggedIn,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
}

// AboutReservation is a request that addresses one reservation, and says no more.
type AboutReservation struct {
	Keyed
	ID string `path:"id" doc:"the reservation's id, rsv_…"`
}

// evening adds the routes of what hosts do while a restaurant is open.
func (w *writes) evening(api *httpapi.API) {
	w.seating(api)
	w.door(api)
	plain := func(op huma.Operation, do func(context.Context, commands.Caller, domain.ReservationID) (commands.Booked, error)) {
		httpapi.Handle(api, op, func(ctx context.Context, in *AboutReservation) (*answer[httpapi.Reservation], error) {
			c, id, err := addressed(ctx, &op, in.Keyed, in.ID, nil)
			if err != nil {
				return nil, err
			}
			return reservation(do(ctx, c, id))
		})
	}
	pin := func(off bool) func(context.Context, commands.Caller, domain.ReservationID) (commands.Booked, error) {
		return func(ctx context.Context, c commands.Caller, id domain.ReservationID) (commands.Booked, error) {
			return w.app.PinTable(ctx, c, id, off)
		}
	}
	plain(hosting("complete-seating", http.MethodPost, "/reservations/{id}/complete", "The party has left: its tables are free"),
		func(ctx context.Context, c commands.Caller, id domain.ReservationID) (commands.Booked, error) {
			return w.app.CompleteSeating(ctx, c, id)
		})
	plain(hosting("mark-no-show", http.MethodPost, "/reservations/{id}/no-show", "The party did not come"),
		func(ctx context.Context, c commands.Caller, id domain.ReservationID) (commands.Booked, error) {
			return w.app.MarkNoShow(ctx, c, id)
		})
	plain(hosting("pin-table", http.MethodPost, "/reservations/{id}/pin", "Bind a party to the tables it has"), pin(false))
	plain(hosting("unpin-table", http.MethodDelete, "/reservations/{id}/pin", "Let a party be given other tables again"), pin(true))

	undo := hosting("undo-action", http.MethodPost, "/restaurants/{id}/days/{date}/undo", "Take back what staff did")
	undo.Description = "The last action of the day, the last on one reservation, or the one of a number."
	httpapi.Handle(api, undo, func(ctx context.Context, in *struct {
		About
		Date string `path:"date" doc:"service date, YYYY-MM-DD"`
		Body *undoBody
	}) (*answer[undoneBody], error) {
		body := undoBody{}
		if in.Body != nil {
			body = *in.Body
		}
		c, id, err := in.address(ctx, &undo, []any{in.Date, body})
		if err != nil {
			return nil, err
		}
		date, err := domain.ParseServiceDate(in.Date)
		if err != nil {
			return nil, domain.Reject(domain.CodeNotFound, "no such date: "+err.Error())
		}
		number, err := body.number(id, date)
		if err != nil {
			return nil, err
		}
		u, err := w.app.UndoAction(ctx, c, id, date, uint32(body.Action), number)
		if err != nil {
			return nil, refusedThere(err, u.Restaurant, u.Date, u.Zone, u.Staff)
		}
		return &answer[undoneBody]{wrote(u.Position, u.Replayed), undoneBody{int(u.Action), string(u.Kind), reservationForm(u.Booked)}}, nil
	})
}

// number is that of the reservation whose last action is to be undone, 0 for any.
func (b undoBody) number(restaurant domain.RestaurantID, date domain.ServiceDate) (uint32, error) {
	if b.ReservationID == "" {
		return 0, nil
	}
	id, err := domain.ParseReservationID(b.ReservationID)
	if err != nil {
		return 0, field("body.reservationId", err)
	}
	of, on, number := id.Day()
	if of != restaurant || on != date {
		return 0, domain.Reject(domain.CodeNotFound, "no such reservation of this restaurant on that day")
	}
	return number, nil
}

// seating adds the routes that say where a party sits.
func (w *writes) seating(api *httpapi.API) {
	seat := hosting("seat-party", http.MethodPost, "/reservations/{id}/seat", "Seat a party, or the part of it that is there")
	httpapi.Handle(api, seat, func(ctx context.Context, in *struct {
		AboutReservation
		Body *seatBody
	}) (*answer[httpapi.Reservation], error) {
		body := seatBody{}
		if in.Body != nil {
			body = *in.Body
		}
		c, id, err := addressed(ctx, &seat, in.Keyed, in.ID, body)
		if err != nil {
			return nil, err
		}
		tables, err := tableIDs(body.TableIDs)
		if err != nil {
			return nil, err
		}
		return reservation(w.app.SeatParty(ctx, c, id, domain.PartySize(body.Covers), tables))
	})

	move := hosting("move-table", http.MethodPost, "/reservations/{id}/move-table", "Give a party the tables that you choose, for good")
	httpapi.Handle(api, move, func(ctx context.Context, in *struct {
		AboutReservation
		Body moveTableBody
	}) (*answer[httpapi.Reservation], error) {
		c, id, err := addressed(ctx, &move, in.Keyed, in.ID, in.Body)
		if err != nil {
			return nil, err
		}
		tables, err := tableIDs(in.Body.TableIDs)
		if err != nil {
			return nil, err
		}
		return reservation(w.app.MoveTable(ctx, c, id, tables))
	})

	reinstate := hosting("reinstate-reservation", http.MethodPost, "/reservations/{id}/reinstate", "Take back that it was cancelled, a no-show or completed")
	httpapi.Handle(api, reinstate, func(ctx context.Context, in *struct {
		AboutReservation
		Body *reinstateBody
	}) (*answer[httpapi.Reservation], error) {
		body := reinstateBody{}
		if in.Body != nil {
			body = *in.Body
		}
		c, id, err := addressed(ctx, &reinstate, in.Keyed, in.ID, body)
		if err != nil {
			return nil, err
		}
		set, err := override(body.Override)
		if err != nil {
			return nil, refused(err)
		}
		return reservation(w.app.Reinstate(ctx, c, id, set))
	})
}

// door adds the route of parties that come unasked.
func (w *writes) door(api *httpapi.API) {
	walkIn := hosting("seat-walk-in", http.MethodPost, "/restaurants/{id}/walk-ins", "Seat a party that stands at the door, now")
	walkIn.DefaultStatus = http.StatusCreated
	httpapi.Handle(api, walkIn, func(ctx context.Context, in *struct {
		About
		Body walkInBody
	}) (*answer[httpapi.Reservation], error) {
		c, id, err := in.address(ctx, &walkIn, in.Body)
		if err != nil {
			return nil, err
		}
		command, err := in.Body.command(id)
		if err != nil {
			return nil, refused(err)
		}
		return reservation(w.app.SeatWalkIn(ctx, c, command))
	})
}

// command checks what the schema cannot.
func (b walkInBody) command(id domain.RestaurantID) (s commands.SeatWalkIn, err error) {
	s.Restaurant, s.Party, s.Covers = id, domain.PartySize(b.Party), domain.PartySize(b.Covers)
	if b.WaitlistID != "" {
		if s.Waitlist, err = domain.ParseWaitlistID(b.WaitlistID); err != nil {
			return s, field("body.waitlistId", err)
		}
	} else if b.Party == 0 {
		return s, field("body.party", errors.New("say how many they are, or whose entry of the waitlist it is"))
	}
	if s.Tables, err = tableIDs(b.TableIDs); err != nil {
		return s, err
	}
	if s.Wish.Area, err = domain.Line("area", b.Area, maxArea); err != nil {
		return s, err
	}
	if s.Details.Notes, err = domain.Prose("notes", b.Notes, maxNotes); err != nil {
		return s, err
	}
	if s.Override, err = override(b.Override); err != nil {
		return s, err
	}
	s.Details.Guest, err = guest(b.Guest)
	return s, err
}

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

type joinBody struct {
	RestaurantID string         `json:"restaurantId" maxLength:"30" doc:"rst_…"`
	Date         string         `json:"date,omitempty" minLength:"10" maxLength:"10" doc:"service date, YYYY-MM-DD; not for a walk-in, which waits today"`
	From         string         `json:"from,omitempty" minLength:"5" maxLength:"5" doc:"the first local time that will do, HH:MM; not for a walk-in"`
	To           string         `json:"to,omitempty" minLength:"5" maxLength:"5" doc:"the last local time that will do, HH:MM; not for a walk-in"`
	Party        int            `json:"party" minimum:"1" maximum:"500"`
	Area         string         `json:"area,omitempty" maxLength:"60" doc:"a table in this area or none"`
	Guest        *httpapi.Guest `json:"guest,omitempty" doc:"who waits, if not the caller"`
	Notes        string         `json:"notes,omitempty" maxLength:"1000"`
	WalkIn       bool           `json:"walkIn,omitempty" doc:"only for the restaurant's staff: the party stands at the door"`
}

// AboutEntry is a request that addresses one entry of a waitlist.
type AboutEntry struct {
	Keyed
	ID string `path:"id" doc:"the entry's id, wtl_…"`
}

// waitlist adds the routes of those who wait for a table.
func (w *writes) waitlist(api *httpapi.API) {
	operation := func(id, method, path, summary string) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: "/waitlist" + path, Summary: summary, Tags: []string{"Waitlist"}, Security: httpapi.LoggedIn,
			Errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		}
	}
	join := operation("join-waitlist", http.MethodPost, "/join", "Wait for a table to become free")
	join.DefaultStatus = http.StatusCreated
	join.Description = "Whatever becomes free is offered to those who wait, in their order, before anybody can book it. What is free already is offered at once."
	httpapi.Handle(api, join, func(ctx context.Context, in *struct {
		Keyed
		Body joinBody
	}) (*answer[httpapi.WaitlistEntry], error) {
		c, err := caller(ctx, &join, in.Keyed, in.Body)
		if err != nil {
			return nil, err
		}
		command, err := in.Body.command()
		if err != nil {
			return nil, refused(err)
		}
		return entry(w.app.JoinWaitlist(ctx, c, command))
	})

	leave := operation("leave-waitlist", http.MethodDelete, "/{id}", "Wait no longer, or turn an offer down")
	httpapi.Handle(api, leave, func(ctx context.Context, in *AboutEntry) (*answer[httpapi.WaitlistEntry], error) {
		c, id, err := in.address(ctx, &leave)
		if err != nil {
			return nil, err
		}
		return entry(w.app.LeaveWaitlist(ctx, c, id))
	})

	accept := operation("accept-offer", http.MethodPost, "/{id}/accept", "Accept what was offered")
	httpapi.Handle(api, accept, func(ctx context.Context, in *AboutEntry) (*answer[httpapi.Reservation], error) {
		c, id, err := in.address(ctx, &accept)
		if err != nil {
			return nil, err
		}
		return reservation(w.app.AcceptOffer(ctx, c, id))
	})
}

func (a *AboutEntry) address(ctx context.Context, op *huma.Operation) (commands.Caller, domain.WaitlistID, error) {
	c, err := caller(ctx, op, a.Keyed, nil)
	if err != nil {
		return c, "", err
	}
	id, err := domain.ParseWaitlistID(a.ID)
	if err != nil {
		return c, "", domain.Reject(domain.CodeNotFound, "no such entry of the waitlist")
	}
	return c, id, nil
}

// command checks what the schema cannot.
func (b joinBody) command() (j commands.JoinWaitlist, err error) {
	if j.Restaurant, err = domain.ParseRestaurantID(b.RestaurantID); err != nil {
		return j, field("body.restaurantId", err)
	}
	if j.Party, err = domain.NewPartySize(b.Party); err != nil {
		return j, field("body.party", err)
	}
	j.WalkIn, j.FromTime, j.ToTime = b.WalkIn, b.From, b.To
	for _, value := range []struct{ name, text string }{{"date", b.Date}, {"from", b.From}, {"to", b.To}} {
		switch {
		case b.WalkIn && value.text != "":
			return j, field("body."+value.name, errors.New("a walk-in waits today, from now on: leave it out"))
		case !b.WalkIn && value.text == "":
			return j, field("body."+value.name, errors.New("say for which date, and the first and the last time that will do"))
		case b.WalkIn:
			continue
		case value.name == "date":
			j.Date, err = domain.ParseServiceDate(value.text)
		default:
			_, err = domain.ParseClock(value.text)
		}
		if err != nil {
			return j, field("body."+value.name, err)
		}
	}
	if j.Wish.Area, err = domain.Line("area", b.Area, maxArea); err != nil {
		return j, err
	}
	if j.Details.Notes, err = domain.Prose("notes", b.Notes, maxNotes); err != nil {
		return j, err
	}
	j.Details.Guest, err = guest(b.Guest)
	return j, err
}

// entry is the answer to what changes an entry of the waitlist.
func entry(e commands.Waiting, err error) (*answer[httpapi.WaitlistEntry], error) {
	if err != nil {
		return nil, refusedThere(err, e.Restaurant, e.Date, e.Zone, e.Staff)
	}
	f := httpapi.WaitlistEntryOf(e.ID, &e.Entry, e.Zone, e.Place, e.ExpiresAt, e.Revision)
	if e.Staff {
		f = f.ForStaff(e.ID, &e.Entry)
	}
	return &answer[httpapi.WaitlistEntry]{wrote(e.Position, e.Replayed), f}, nil
}

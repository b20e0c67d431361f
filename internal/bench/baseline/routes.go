package baseline

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/internal/httpapi"
)

// The forms are those of Daybook's own routes, so that reading and checking them costs the same.

type reserveBody struct {
	RestaurantID    string         `json:"restaurantId"`
	Date            string         `json:"date"`
	Time            string         `json:"time"`
	Party           int            `json:"party" minimum:"1" maximum:"500"`
	Guest           *httpapi.Guest `json:"guest,omitempty"`
	Notes           string         `json:"notes,omitempty" maxLength:"1000"`
	Occasion        string         `json:"occasion,omitempty" maxLength:"100"`
	SpecialRequests string         `json:"specialRequests,omitempty" maxLength:"1000"`
}

type cancelBody struct {
	Reason string `json:"reason,omitempty" maxLength:"500"`
}

// Keyed is exported because huma reads no parameters off an embedded type that is not.
type Keyed struct {
	Key string `header:"Idempotency-Key" maxLength:"255"`
}

type answer struct {
	Position int64  `header:"Ledger-Position"`
	Replay   string `header:"Idempotent-Replay"`
	Body     httpapi.Reservation
}

func (s *Service) routes(api *httpapi.API) {
	reserve := huma.Operation{
		OperationID: "reserve", Method: http.MethodPost, Path: "/reservations", Security: httpapi.LoggedIn,
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}
	httpapi.Handle(api, reserve, func(ctx context.Context, in *struct {
		Keyed
		Body reserveBody
	}) (*answer, error) {
		return answered(s.hold(ctx, in.Body, in.Key))
	})

	cancel := huma.Operation{
		OperationID: "cancel-reservation", Method: http.MethodPatch, Path: "/reservations/{id}/cancel", Security: httpapi.LoggedIn,
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}
	httpapi.Handle(api, cancel, func(ctx context.Context, in *struct {
		Keyed
		ID   string `path:"id"`
		Body *cancelBody
	}) (*answer, error) {
		body := cancelBody{}
		if in.Body != nil {
			body = *in.Body
		}
		return answered(s.cancel(ctx, in.ID, body, in.Key))
	})

	available := huma.Operation{
		OperationID: "read-availability", Method: http.MethodGet, Path: "/restaurants/{id}/availability",
		Errors: []int{http.StatusNotFound},
	}
	httpapi.Handle(api, available, func(ctx context.Context, in *struct {
		ID    string `path:"id"`
		Date  string `query:"date" required:"true"`
		Party int    `query:"party" required:"true" minimum:"1" maximum:"500"`
	}) (*struct{ Body availability }, error) {
		body, err := s.availability(ctx, in.ID, in.Date, domain.PartySize(in.Party))
		if err != nil {
			return nil, err
		}
		return &struct{ Body availability }{body}, nil
	})

	api.Engine.GET("/readyz", ready(s))
}

func answered(w written, err error) (*answer, error) {
	if err != nil {
		return nil, err
	}
	a := &answer{Position: w.position, Body: w.answer}
	if w.replayed {
		a.Replay = "true"
	}
	return a, nil
}

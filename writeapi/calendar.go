package writeapi

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
)

type closureBody struct {
	From   string `json:"from" maxLength:"10" doc:"the first service date, YYYY-MM-DD"`
	To     string `json:"to" maxLength:"10" doc:"the last service date, YYYY-MM-DD"`
	Reason string `json:"reason" minLength:"1" maxLength:"200" doc:"shown to guests"`
	OpenDaysBody
}

type dayHoursBody struct {
	httpapi.DayHours
	OpenDaysBody
}

type closureIDBody struct {
	ClosureID string `json:"closureId"`
}

// calendar adds the routes of the days on which a restaurant is not as the week has it.
func (w *writes) calendar(api *httpapi.API) {
	type OneDay struct {
		Planned
		Date string `path:"date" doc:"service date, YYYY-MM-DD"`
	}
	address := func(ctx context.Context, in *OneDay, op *huma.Operation, body any) (commands.Caller, domain.RestaurantID, domain.ServiceDate, error) {
		c, id, err := in.asked(ctx, op, []any{in.Date, body})
		if err != nil {
			return c, "", 0, err
		}
		date, err := domain.ParseServiceDate(in.Date)
		if err != nil {
			return c, "", 0, domain.Reject(domain.CodeNotFound, "no such date: "+err.Error())
		}
		return c, id, date, nil
	}
	set := managing("set-special-day", http.MethodPut, "/{id}/special-days/{date}", "Give a date hours of its own, or close it", http.StatusOK)
	httpapi.Handle(api, set, func(ctx context.Context, in *struct {
		OneDay
		Body dayHoursBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, date, err := address(ctx, &in.OneDay, &set, in.Body)
		if err != nil {
			return nil, err
		}
		day, err := in.Body.Domain(date)
		if err != nil {
			return nil, within("body", err)
		}
		r, err := plan(ctx, w, &in.Planned, c, id, &set, commands.SetSpecialDay{Day: day}, &in.Body.OpenDaysBody, wholeRestaurant)
		return r, ofPath(err, "date")
	})

	unset := managing("remove-special-day", http.MethodDelete, "/{id}/special-days/{date}", "Give a date the week's hours again", http.StatusOK)
	httpapi.Handle(api, unset, func(ctx context.Context, in *struct {
		OneDay
		Body *OpenDaysBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, date, err := address(ctx, &in.OneDay, &unset, in.Body.orNil())
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &unset, commands.RemoveSpecialDay{Date: date}, in.Body, wholeRestaurant)
	})

	add := managing("add-closure", http.MethodPost, "/{id}/closures", "Close on a range of dates", http.StatusCreated)
	httpapi.Handle(api, add, func(ctx context.Context, in *struct {
		Planned
		Body closureBody
	}) (*planned[closureIDBody], error) {
		c, id, err := in.asked(ctx, &add, in.Body)
		if err != nil {
			return nil, err
		}
		k := restaurant.Closure{Reason: in.Body.Reason}
		if k.From, err = domain.ParseServiceDate(in.Body.From); err != nil {
			return nil, field("body.from", err)
		}
		if k.To, err = domain.ParseServiceDate(in.Body.To); err != nil {
			return nil, field("body.to", err)
		}
		return plan(ctx, w, &in.Planned, c, id, &add, commands.AddClosure{Closure: k}, &in.Body.OpenDaysBody,
			func(_ commands.Receipt[restaurant.State], made string) closureIDBody { return closureIDBody{made} })
	})

	remove := managing("remove-closure", http.MethodDelete, "/{id}/closures/{closureId}", "End a closure", http.StatusOK)
	httpapi.Handle(api, remove, func(ctx context.Context, in *struct {
		Planned
		ClosureID string `path:"closureId" doc:"the closure's id, cls_…"`
		Body      *OpenDaysBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, closure, err := askedPart(ctx, &in.Planned, &remove, in.ClosureID, in.Body.orNil(), domain.ParseClosureID, "closure")
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &remove, commands.RemoveClosure{ID: closure}, in.Body, wholeRestaurant)
	})
}

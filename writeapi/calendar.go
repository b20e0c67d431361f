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
}

type closureIDBody struct {
	ClosureID string `json:"closureId"`
}

// calendar adds the routes of the days on which a restaurant is not as the week has it.
func (w *writes) calendar(api *httpapi.API) {
	type OneDay struct {
		About
		Date string `path:"date" doc:"service date, YYYY-MM-DD"`
	}
	address := func(ctx context.Context, in *OneDay, op *huma.Operation, body any) (commands.Caller, domain.RestaurantID, domain.ServiceDate, error) {
		c, id, err := in.address(ctx, op, []any{in.Date, body})
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
		Body httpapi.DayHours
	}) (*answer[httpapi.Restaurant], error) {
		c, id, date, err := address(ctx, &in.OneDay, &set, in.Body)
		if err != nil {
			return nil, err
		}
		day, err := in.Body.Domain(date)
		if err != nil {
			return nil, within("body", err)
		}
		r, err := restaurantAnswer(w.app.SetSpecialDay(ctx, c, id, day))
		return r, ofPath(err, "date")
	})

	unset := managing("remove-special-day", http.MethodDelete, "/{id}/special-days/{date}", "Give a date the week's hours again", http.StatusOK)
	httpapi.Handle(api, unset, func(ctx context.Context, in *OneDay) (*answer[httpapi.Restaurant], error) {
		c, id, date, err := address(ctx, in, &unset, nil)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.RemoveSpecialDay(ctx, c, id, date))
	})

	add := managing("add-closure", http.MethodPost, "/{id}/closures", "Close on a range of dates", http.StatusCreated)
	httpapi.Handle(api, add, func(ctx context.Context, in *struct {
		About
		Body closureBody
	}) (*answer[closureIDBody], error) {
		c, id, err := in.address(ctx, &add, in.Body)
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
		r, closure, err := w.app.AddClosure(ctx, c, id, k)
		if err != nil {
			return nil, refused(err)
		}
		return &answer[closureIDBody]{wrote(r.Position, r.Replayed), closureIDBody{string(closure)}}, nil
	})

	remove := managing("remove-closure", http.MethodDelete, "/{id}/closures/{closureId}", "End a closure", http.StatusOK)
	httpapi.Handle(api, remove, func(ctx context.Context, in *struct {
		About
		ClosureID string `path:"closureId" doc:"the closure's id, cls_…"`
	}) (*answer[httpapi.Restaurant], error) {
		c, id, closure, err := addressPart(ctx, &in.About, &remove, in.ClosureID, nil, domain.ParseClosureID, "closure")
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.RemoveClosure(ctx, c, id, closure))
	})
}

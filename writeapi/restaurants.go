package writeapi

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/internal/httpapi"
)

type profileBody struct {
	Name         string            `json:"name" minLength:"1" maxLength:"200"`
	Cuisine      string            `json:"cuisine" minLength:"1" maxLength:"100"`
	Address      string            `json:"address" minLength:"1" maxLength:"300"`
	City         string            `json:"city" minLength:"1" maxLength:"100"`
	State        string            `json:"state,omitempty" maxLength:"100"`
	Zip          string            `json:"zip,omitempty" maxLength:"20"`
	Location     *httpapi.Location `json:"location,omitempty"`
	TimeZone     string            `json:"timeZone" minLength:"1" maxLength:"64" doc:"IANA name, such as Europe/Berlin"`
	PriceLevel   int               `json:"priceLevel,omitempty" minimum:"0" maximum:"4" doc:"1 (cheap) to 4; 0 for not said"`
	Features     []string          `json:"features,omitempty" maxItems:"50"`
	Description  string            `json:"description,omitempty" maxLength:"4000"`
	ContactEmail string            `json:"contactEmail,omitempty" maxLength:"254"`
	ContactPhone string            `json:"contactPhone,omitempty" maxLength:"40"`
}

type changeProfileBody struct {
	Name         *string           `json:"name,omitempty" minLength:"1" maxLength:"200"`
	Cuisine      *string           `json:"cuisine,omitempty" minLength:"1" maxLength:"100"`
	Address      *string           `json:"address,omitempty" minLength:"1" maxLength:"300"`
	City         *string           `json:"city,omitempty" minLength:"1" maxLength:"100"`
	State        *string           `json:"state,omitempty" maxLength:"100"`
	Zip          *string           `json:"zip,omitempty" maxLength:"20"`
	Location     *httpapi.Location `json:"location,omitempty"`
	TimeZone     *string           `json:"timeZone,omitempty" minLength:"1" maxLength:"64"`
	PriceLevel   *int              `json:"priceLevel,omitempty" minimum:"0" maximum:"4"`
	Features     *[]string         `json:"features,omitempty" maxItems:"50"`
	Description  *string           `json:"description,omitempty" maxLength:"4000"`
	ContactEmail *string           `json:"contactEmail,omitempty" maxLength:"254"`
	ContactPhone *string           `json:"contactPhone,omitempty" maxLength:"40"`
}

type tableBody struct {
	Number      string `json:"number" minLength:"1" maxLength:"20"`
	MinCapacity int    `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int    `json:"capacity" minimum:"1" maximum:"500"`
	Area        string `json:"area,omitempty" maxLength:"60"`
}

type changeTableBody struct {
	Number      *string `json:"number,omitempty" minLength:"1" maxLength:"20"`
	MinCapacity *int    `json:"minCapacity,omitempty" minimum:"1" maximum:"500"`
	Capacity    *int    `json:"capacity,omitempty" minimum:"1" maximum:"500"`
	Area        *string `json:"area,omitempty" maxLength:"60"`
}

type hoursBody struct {
	Shifts      []httpapi.Shift `json:"shifts" maxItems:"28"`
	DayBoundary string          `json:"dayBoundary,omitempty" maxLength:"5" doc:"local time HH:MM at which the service date turns; 05:00 by default"`
}

type restaurantIDBody struct {
	RestaurantID string `json:"restaurantId"`
}

type tableIDBody struct {
	TableID string `json:"tableId"`
}

// About is a request that addresses one restaurant.
type About struct {
	Keyed
	ID string `path:"id" doc:"the restaurant's id, rst_…"`
}

func (w *writes) restaurants(api *httpapi.API) {
	op := func(id, method, path, summary string, status int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: "/restaurants" + path, Summary: summary, Tags: []string{"Restaurants"},
			Security: httpapi.LoggedIn, DefaultStatus: status,
			Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
		}
	}

	create := op("register-restaurant", http.MethodPost, "", "Register a restaurant, whose owner you become", http.StatusCreated)
	httpapi.Handle(api, create, func(ctx context.Context, in *struct {
		Keyed
		Body profileBody
	}) (*answer[restaurantIDBody], error) {
		c, err := caller(ctx, &create, in.Keyed, in.Body)
		if err != nil {
			return nil, err
		}
		r, err := w.app.RegisterRestaurant(ctx, c, commands.RegisterRestaurant{Profile: in.Body.profile()})
		if err != nil {
			return nil, refused(err)
		}
		return &answer[restaurantIDBody]{wrote(r.Position, r.Replayed), restaurantIDBody{string(r.State.ID)}}, nil
	})

	change := op("change-restaurant", http.MethodPatch, "/{id}", "Change the profile", http.StatusOK)
	httpapi.Handle(api, change, func(ctx context.Context, in *struct {
		About
		Body changeProfileBody
	}) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &change, in.Body)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.ChangeProfile(ctx, c, id, in.Body.changes()))
	})

	hours := op("set-hours", http.MethodPut, "/{id}/hours", "Set the weekly shifts", http.StatusOK)
	httpapi.Handle(api, hours, func(ctx context.Context, in *struct {
		About
		Body hoursBody
	}) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &hours, in.Body)
		if err != nil {
			return nil, err
		}
		command, err := in.Body.command()
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.SetHours(ctx, c, id, command))
	})

	policy := op("set-policy", http.MethodPut, "/{id}/policy", "Set the booking policy", http.StatusOK)
	httpapi.Handle(api, policy, func(ctx context.Context, in *struct {
		About
		Body httpapi.Policy
	}) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &policy, in.Body)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.SetPolicy(ctx, c, id, in.Body.Domain()))
	})

	publish := op("publish-restaurant", http.MethodPost, "/{id}/publish", "Open for booking", http.StatusOK)
	httpapi.Handle(api, publish, func(ctx context.Context, in *About) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &publish, nil)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.Publish(ctx, c, id))
	})

	addTable := op("add-table", http.MethodPost, "/{id}/tables", "Put a table on the floor", http.StatusCreated)
	httpapi.Handle(api, addTable, func(ctx context.Context, in *struct {
		About
		Body tableBody
	}) (*answer[tableIDBody], error) {
		c, id, err := in.address(ctx, &addTable, in.Body)
		if err != nil {
			return nil, err
		}
		r, table, err := w.app.AddTable(ctx, c, id, restaurantday.Table{
			Number: in.Body.Number, Min: domain.PartySize(max(in.Body.MinCapacity, 1)), Max: domain.PartySize(in.Body.Capacity), Area: in.Body.Area,
		})
		if err != nil {
			return nil, refused(err)
		}
		return &answer[tableIDBody]{wrote(r.Position, r.Replayed), tableIDBody{string(table)}}, nil
	})

	type OneTable struct {
		About
		TableID string `path:"tableId" doc:"the table's id, tbl_…"`
	}
	changeTable := op("change-table", http.MethodPatch, "/{id}/tables/{tableId}", "Change a table", http.StatusOK)
	httpapi.Handle(api, changeTable, func(ctx context.Context, in *struct {
		OneTable
		Body changeTableBody
	}) (*answer[httpapi.Restaurant], error) {
		c, id, table, err := in.addressTable(ctx, &changeTable, in.TableID, in.Body)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.ChangeTable(ctx, c, id, table, in.Body.changes()))
	})

	removeTable := op("remove-table", http.MethodDelete, "/{id}/tables/{tableId}", "Take a table off the floor", http.StatusOK)
	httpapi.Handle(api, removeTable, func(ctx context.Context, in *OneTable) (*answer[httpapi.Restaurant], error) {
		c, id, table, err := in.addressTable(ctx, &removeTable, in.TableID, nil)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.RemoveTable(ctx, c, id, table))
	})
}

func (a *About) address(ctx context.Context, op *huma.Operation, body any) (commands.Caller, domain.RestaurantID, error) {
	c, err := caller(ctx, op, a.Keyed, body)
	if err != nil {
		return c, "", err
	}
	id, err := domain.ParseRestaurantID(a.ID)
	if err != nil {
		return c, "", domain.Reject(domain.CodeNotFound, "no such restaurant")
	}
	return c, id, nil
}

// addressTable addresses a table; which one is part of what a repeat must equal.
func (a *About) addressTable(
	ctx context.Context, op *huma.Operation, table string, body any,
) (commands.Caller, domain.RestaurantID, domain.TableID, error) {
	c, id, err := a.address(ctx, op, []any{table, body})
	if err != nil {
		return c, "", "", err
	}
	tableID, err := domain.ParseTableID(table)
	if err != nil {
		return c, "", "", domain.Reject(domain.CodeNotFound, "no such table")
	}
	return c, id, tableID, nil
}

func restaurantAnswer(r commands.Receipt[restaurant.State], err error) (*answer[httpapi.Restaurant], error) {
	if err != nil {
		return nil, refused(err)
	}
	return &answer[httpapi.Restaurant]{wrote(r.Position, r.Replayed), httpapi.RestaurantOf(r.State, r.Revision)}, nil
}

func (b profileBody) profile() restaurant.Profile {
	p := restaurant.Profile{
		Name: b.Name, Cuisine: b.Cuisine, Address: b.Address, City: b.City, State: b.State, Zip: b.Zip, TimeZone: b.TimeZone,
		PriceLevel: b.PriceLevel, Features: b.Features, Description: b.Description,
		ContactEmail: b.ContactEmail, ContactPhone: b.ContactPhone,
	}
	if b.Location != nil {
		p.Location = &restaurant.Location{Lat: b.Location.Lat, Lng: b.Location.Lng}
	}
	return p
}

func (b changeProfileBody) changes() restaurant.ProfileChanges {
	c := restaurant.ProfileChanges{
		Name: b.Name, Cuisine: b.Cuisine, Address: b.Address, City: b.City, State: b.State, Zip: b.Zip, TimeZone: b.TimeZone,
		PriceLevel: b.PriceLevel, Features: b.Features, Description: b.Description,
		ContactEmail: b.ContactEmail, ContactPhone: b.ContactPhone,
	}
	if b.Location != nil {
		c.Location = &restaurant.Location{Lat: b.Location.Lat, Lng: b.Location.Lng}
	}
	return c
}

func (b hoursBody) command() (h commands.SetHours, err error) {
	h.Shifts = make([]restaurant.Shift, len(b.Shifts))
	for i, s := range b.Shifts {
		if h.Shifts[i], err = s.Domain(); err != nil {
			return h, field(fmt.Sprintf("body.shifts[%d]", i), err)
		}
	}
	if b.DayBoundary != "" {
		minutes, err := domain.ParseClock(b.DayBoundary)
		if err != nil {
			return h, field("body.dayBoundary", err)
		}
		h.DayBoundary = &minutes
	}
	return h, nil
}

func (b changeTableBody) changes() commands.TableChanges {
	party := func(n *int) *domain.PartySize {
		if n == nil {
			return nil
		}
		p := domain.PartySize(*n)
		return &p
	}
	return commands.TableChanges{Number: b.Number, Min: party(b.MinCapacity), Max: party(b.Capacity), Area: b.Area}
}

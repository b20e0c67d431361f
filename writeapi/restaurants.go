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

	AcceptZoneChange []string `json:"acceptZoneChange,omitempty" maxItems:"800" doc:"with another timeZone: the open days, as zone_in_use named them, that may keep the times of the old zone"`
}

type tableBody struct {
	Number      string `json:"number" minLength:"1" maxLength:"20"`
	MinCapacity int    `json:"minCapacity,omitempty" minimum:"0" maximum:"500" doc:"1 by default"`
	Capacity    int    `json:"capacity" minimum:"1" maximum:"500"`
	Area        string `json:"area,omitempty" maxLength:"60"`
	OfflineOnly bool   `json:"offlineOnly,omitempty" doc:"for walk-ins and what staff book; never promised online"`
	OpenDaysBody
}

type changeTableBody struct {
	Number      *string `json:"number,omitempty" minLength:"1" maxLength:"20"`
	MinCapacity *int    `json:"minCapacity,omitempty" minimum:"1" maximum:"500"`
	Capacity    *int    `json:"capacity,omitempty" minimum:"1" maximum:"500"`
	Area        *string `json:"area,omitempty" maxLength:"60"`
	OfflineOnly *bool   `json:"offlineOnly,omitempty"`
	OpenDaysBody
}

type hoursBody struct {
	Shifts      []httpapi.Shift `json:"shifts" maxItems:"28"`
	DayBoundary string          `json:"dayBoundary,omitempty" maxLength:"5" doc:"local time HH:MM at which the service date turns; 05:00 by default. Refused where a reservation of an open day would be of another date by it"`

	SpecialDays *[]httpapi.SpecialDay `json:"specialDays,omitempty" maxItems:"366" doc:"all the dates there are to be with hours of their own; left as they are by default"`
	OpenDaysBody
}

type policyBody struct {
	httpapi.Policy
	OpenDaysBody
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

// managing is an operation of those who manage a restaurant; its path is below /restaurants.
func managing(id, method, path, summary string, status int) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: "/restaurants" + path, Summary: summary, Tags: []string{"Restaurants"},
		Security: httpapi.LoggedIn, DefaultStatus: status,
		Errors: []int{http.StatusForbidden, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
}

func (w *writes) restaurants(api *httpapi.API) {
	create := managing("register-restaurant", http.MethodPost, "", "Register a restaurant, whose owner you become", http.StatusCreated)
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

	change := managing("change-restaurant", http.MethodPatch, "/{id}", "Change the profile", http.StatusOK)
	httpapi.Handle(api, change, func(ctx context.Context, in *struct {
		About
		Body changeProfileBody
	}) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &change, in.Body)
		if err != nil {
			return nil, err
		}
		command := commands.ChangeProfile{Changes: in.Body.changes()}
		for i, text := range in.Body.AcceptZoneChange {
			date, err := domain.ParseServiceDate(text)
			if err != nil {
				return nil, field(fmt.Sprintf("body.acceptZoneChange[%d]", i), err)
			}
			command.AcceptZoneChange = append(command.AcceptZoneChange, date)
		}
		return restaurantAnswer(w.app.ChangeProfile(ctx, c, id, command))
	})

	hours := managing("set-hours", http.MethodPut, "/{id}/hours", "Set the weekly shifts, and the days that differ", http.StatusOK)
	httpapi.Handle(api, hours, func(ctx context.Context, in *struct {
		Planned
		Body hoursBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, err := in.asked(ctx, &hours, in.Body)
		if err != nil {
			return nil, err
		}
		command, err := in.Body.command()
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &hours, command, &in.Body.OpenDaysBody, wholeRestaurant)
	})

	policy := managing("set-policy", http.MethodPut, "/{id}/policy", "Set the booking policy", http.StatusOK)
	httpapi.Handle(api, policy, func(ctx context.Context, in *struct {
		Planned
		Body policyBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, err := in.asked(ctx, &policy, in.Body)
		if err != nil {
			return nil, err
		}
		change := commands.SetPolicy{Policy: in.Body.Domain(), KeepAssignment: !in.Body.Binds()}
		return plan(ctx, w, &in.Planned, c, id, &policy, change, &in.Body.OpenDaysBody, wholeRestaurant)
	})

	publish := managing("publish-restaurant", http.MethodPost, "/{id}/publish", "Open for booking", http.StatusOK)
	httpapi.Handle(api, publish, func(ctx context.Context, in *About) (*answer[httpapi.Restaurant], error) {
		c, id, err := in.address(ctx, &publish, nil)
		if err != nil {
			return nil, err
		}
		return restaurantAnswer(w.app.Publish(ctx, c, id))
	})

	addTable := managing("add-table", http.MethodPost, "/{id}/tables", "Put a table on the floor", http.StatusCreated)
	httpapi.Handle(api, addTable, func(ctx context.Context, in *struct {
		Planned
		Body tableBody
	}) (*planned[tableIDBody], error) {
		c, id, err := in.asked(ctx, &addTable, in.Body)
		if err != nil {
			return nil, err
		}
		change := commands.AddTable{Table: restaurantday.Table{
			Number: in.Body.Number, Min: domain.PartySize(max(in.Body.MinCapacity, 1)), Max: domain.PartySize(in.Body.Capacity),
			Area: in.Body.Area, OfflineOnly: in.Body.OfflineOnly,
		}}
		return plan(ctx, w, &in.Planned, c, id, &addTable, change, &in.Body.OpenDaysBody,
			func(_ commands.Receipt[restaurant.State], made string) tableIDBody { return tableIDBody{made} })
	})

	type OneTable struct {
		Planned
		TableID string `path:"tableId" doc:"the table's id, tbl_…"`
	}
	changeTable := managing("change-table", http.MethodPatch, "/{id}/tables/{tableId}", "Change a table", http.StatusOK)
	httpapi.Handle(api, changeTable, func(ctx context.Context, in *struct {
		OneTable
		Body changeTableBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, table, err := askedPart(ctx, &in.Planned, &changeTable, in.TableID, in.Body, domain.ParseTableID, "table")
		if err != nil {
			return nil, err
		}
		change := commands.ChangeTable{ID: table, Changes: in.Body.changes()}
		return plan(ctx, w, &in.Planned, c, id, &changeTable, change, &in.Body.OpenDaysBody, wholeRestaurant)
	})

	removeTable := managing("remove-table", http.MethodDelete, "/{id}/tables/{tableId}", "Take a table off the floor", http.StatusOK)
	httpapi.Handle(api, removeTable, func(ctx context.Context, in *struct {
		OneTable
		Body *OpenDaysBody
	}) (*planned[httpapi.Restaurant], error) {
		c, id, table, err := askedPart(ctx, &in.Planned, &removeTable, in.TableID, in.Body.orNil(), domain.ParseTableID, "table")
		if err != nil {
			return nil, err
		}
		return plan(ctx, w, &in.Planned, c, id, &removeTable, commands.RemoveTable{ID: table}, in.Body, wholeRestaurant)
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

// askedPart addresses a part of a restaurant; which one is part of what a repeat must equal.
func askedPart[ID ~string](
	ctx context.Context, p *Planned, op *huma.Operation, part string, body any, parse func(string) (ID, error), what string,
) (commands.Caller, domain.RestaurantID, ID, error) {
	c, id, err := p.asked(ctx, op, []any{part, body})
	if err != nil {
		return c, "", "", err
	}
	partID, err := parse(part)
	if err != nil {
		return c, "", "", domain.Reject(domain.CodeNotFound, "no such "+what)
	}
	return c, id, partID, nil
}

func restaurantAnswer(r commands.Receipt[restaurant.State], err error) (*answer[httpapi.Restaurant], error) {
	if err != nil {
		return nil, refused(err)
	}
	return &answer[httpapi.Restaurant]{wrote(r.Position, r.Replayed), httpapi.RestaurantOf(r.State, r.Revision, true)}, nil
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
	if b.SpecialDays != nil {
		days := make([]restaurant.SpecialDay, len(*b.SpecialDays))
		for i, d := range *b.SpecialDays {
			place := fmt.Sprintf("body.specialDays[%d]", i)
			date, err := domain.ParseServiceDate(d.Date)
			if err != nil {
				return h, field(place+".date", err)
			}
			if days[i], err = d.Domain(date); err != nil {
				return h, within(place, err)
			}
		}
		h.SpecialDays = &days
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
	return commands.TableChanges{Number: b.Number, Min: party(b.MinCapacity), Max: party(b.Capacity), Area: b.Area, OfflineOnly: b.OfflineOnly}
}

package readapi

import (
	"context"
	"errors"
	"net/http"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
	"daybook/projections/availability"
	"daybook/projections/book"
)

func (r *reads) restaurants(api *httpapi.API) {
	op := get("read-restaurant", "/restaurants/{id}", "Read a restaurant", "Restaurants")
	op.Errors = append(op.Errors, http.StatusNotFound)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		ID string `path:"id" doc:"the restaurant's id, rst_…"`
	}) (*body[httpapi.Restaurant], error) {
		state, revision, err := r.restaurant(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		return &body[httpapi.Restaurant]{httpapi.RestaurantOf(state, revision, false)}, nil
	})
}

func (r *reads) restaurant(ctx context.Context, a After, id string) (restaurant.State, uint64, error) {
	rid, err := domain.ParseRestaurantID(id)
	if err != nil {
		return restaurant.State{}, 0, notFound("restaurant")
	}
	if err := r.reached(ctx, a); err != nil {
		return restaurant.State{}, 0, err
	}
	state, revision, err := r.Book.Restaurant(ctx, rid)
	if errors.Is(err, book.ErrNotFound) {
		err = notFound("restaurant")
	}
	return state, revision, err
}

// slot is one time at which a party may be seated.
type slot struct {
	Time       string `json:"time" doc:"local, HH:MM"`
	StartsAt   string `json:"startsAt" format:"date-time"`
	EndsAt     string `json:"endsAt" format:"date-time" doc:"of the turn"`
	Available  bool   `json:"available"`
	TablesLeft int    `json:"tablesLeft" doc:"free tables that seat the party"`
	Code       string `json:"code,omitempty" doc:"why it cannot be booked"`
}

type availabilityBody struct {
	RestaurantID string `json:"restaurantId"`
	Date         string `json:"date"`
	Party        int    `json:"party"`
	Revision     uint64 `json:"revision" doc:"of the restaurant-day"`
	Slots        []slot `json:"slots"`
	Code         string `json:"code,omitempty" doc:"why the day has no slots"`
}

func (r *reads) availability(api *httpapi.API) {
	op := get("read-availability", "/restaurants/{id}/availability", "Which slots of a day are free for a party", "Booking")
	op.Errors = append(op.Errors, http.StatusNotFound)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		ID    string `path:"id" doc:"the restaurant's id, rst_…"`
		Date  string `query:"date" required:"true" maxLength:"10" doc:"service date, YYYY-MM-DD"`
		Party int    `query:"party" required:"true" minimum:"1" maximum:"500"`
	}) (*body[availabilityBody], error) {
		id, err := domain.ParseRestaurantID(in.ID)
		if err != nil {
			return nil, notFound("restaurant")
		}
		date, err := domain.ParseServiceDate(in.Date)
		if err != nil {
			return nil, badQuery("date", err.Error())
		}
		answer, code, err := r.day(ctx, in.After, id, date, domain.PartySize(in.Party))
		if err != nil {
			return nil, err
		}
		return &body[availabilityBody]{availabilityBody{
			RestaurantID: in.ID, Date: date.String(), Party: in.Party, Revision: answer.Revision,
			Slots: slotsOf(answer), Code: string(code),
		}}, nil
	})
}

// day answers for one day, and has it opened where this is the first question after it. A
// day that cannot be opened has no slots, and the code says why.
func (r *reads) day(
	ctx context.Context, a After, id domain.RestaurantID, date domain.ServiceDate, party domain.PartySize,
) (availability.Answer, domain.Code, error) {
	answer, err := r.ask(ctx, a, id, date, party)
	if err != nil {
		return answer, "", err
	}
	if !answer.Opened {
		at, err := r.OpenDay(ctx, id, date)
		if no, ok := domain.Rejected(err); ok && no.Code != domain.CodeNotFound {
			return answer, no.Code, nil
		}
		if err != nil {
			return answer, "", err
		}
		if answer, err = r.ask(ctx, After{uint64(at)}, id, date, party); err != nil {
			return answer, "", err
		}
	}
	if len(answer.Slots) == 0 {
		return answer, domain.CodeClosed, nil
	}
	return answer, "", nil
}

func (r *reads) ask(
	ctx context.Context, a After, id domain.RestaurantID, date domain.ServiceDate, party domain.PartySize,
) (availability.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	answer, err := r.Availability.Day(ctx, id, date, party, a.asking()...)
	return answer, behind(err)
}

func slotsOf(a availability.Answer) []slot {
	slots := make([]slot, len(a.Slots))
	if len(slots) == 0 {
		return slots
	}
	at := httpapi.InZone(a.Plan.Zone)
	for i, s := range a.Slots {
		slots[i] = slot{
			Time: s.Time, StartsAt: at(s.StartsAt), EndsAt: at(s.EndsAt), Available: s.Refusal == "",
			TablesLeft: s.TablesLeft, Code: string(s.Refusal),
		}
	}
	return slots
}

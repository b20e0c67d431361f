package readapi

import (
	"context"
	"errors"
	"net/http"
	"slices"

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
		AsOf
		ID string `path:"id" doc:"the restaurant's id, rst_…"`
	}) (*body[restaurantBody], error) {
		state, revision, err := r.restaurant(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		past, err := r.past(ctx, in.AsOf)
		if err != nil {
			return nil, err
		}
		if past != nil {
			if state, revision, err = restaurantThen(ctx, past, state.ID); err != nil {
				return nil, err
			}
		}
		return &body[restaurantBody]{restaurantBody{httpapi.RestaurantOf(state, revision, false), momentOf(past, state.Profile.TimeZone)}}, nil
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

// restaurantBody is a restaurant, and of when.
type restaurantBody struct {
	httpapi.Restaurant
	Moment
}

// slot is one time at which a party may be seated.
type slot struct {
	Time       string `json:"time" doc:"local, HH:MM"`
	StartsAt   string `json:"startsAt" format:"date-time"`
	EndsAt     string `json:"endsAt" format:"date-time" doc:"of the turn"`
	Available  bool   `json:"available"`
	TablesLeft int    `json:"tablesLeft" doc:"free tables that seat the party; 1 where a combination, or giving others another table, makes room"`
	Code       string `json:"code,omitempty" doc:"why it cannot be booked"`
	Waitlist   bool   `json:"waitlist,omitempty" doc:"it is taken or blocked, and there is room on the waitlist"`
}

type availabilityBody struct {
	Moment
	RestaurantID     string        `json:"restaurantId"`
	Date             string        `json:"date"`
	Party            int           `json:"party"`
	Revision         uint64        `json:"revision" doc:"of the restaurant-day"`
	Slots            []slot        `json:"slots" doc:"a time that the clock change repeats stands twice: tell them apart by startsAt"`
	Code             string        `json:"code,omitempty" doc:"why the day has no slots"`
	Reason           string        `json:"reason,omitempty" doc:"why it is closed, as the restaurant says it"`
	AlternativeDates []calendarDay `json:"alternativeDates,omitempty" doc:"days with free slots, the nearest first; where asked for, and no slot is free"`
}

func (r *reads) availability(api *httpapi.API) {
	op := get("read-availability", "/restaurants/{id}/availability", "Which slots of a day are free for a party", "Booking")
	op.Errors = append(op.Errors, http.StatusNotFound)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		AsOf
		DayQuery
		Alternatives bool `query:"alternatives" doc:"where no slot is free, tell of the days around that have some"`
	}) (*body[availabilityBody], error) {
		asked, err := in.read()
		if err != nil {
			return nil, err
		}
		past, err := r.past(ctx, in.AsOf)
		if err != nil {
			return nil, err
		}
		if past != nil {
			return r.availabilityThen(ctx, in.After, past, asked, in.Alternatives)
		}
		answer, err := r.offers(ctx, in.After, asked)
		if err != nil {
			return nil, err
		}
		if in.Alternatives && answer.full() {
			if answer.AlternativeDates, err = r.around(ctx, in.After, asked); err != nil {
				return nil, err
			}
		}
		return &body[availabilityBody]{answer}, nil
	})
}

// DayQuery asks for a day and a party.
type DayQuery struct {
	ID    string `path:"id" doc:"the restaurant's id, rst_…"`
	Date  string `query:"date" required:"true" maxLength:"10" doc:"service date, YYYY-MM-DD"`
	Party int    `query:"party" required:"true" minimum:"1" maximum:"500"`
}

// dayAsked is a DayQuery, checked.
type dayAsked struct {
	restaurant domain.RestaurantID
	date       domain.ServiceDate
	party      domain.PartySize
}

func (q DayQuery) read() (d dayAsked, err error) {
	if d.restaurant, err = domain.ParseRestaurantID(q.ID); err != nil {
		return d, notFound("restaurant")
	}
	if d.date, err = domain.ParseServiceDate(q.Date); err != nil {
		return d, badQuery("date", err.Error())
	}
	d.party = domain.PartySize(q.Party)
	return d, nil
}

// offers tells what a day offers a party.
func (r *reads) offers(ctx context.Context, a After, asked dayAsked) (availabilityBody, error) {
	answer, code, err := r.day(ctx, a, asked.restaurant, asked.date, asked.party)
	if err != nil {
		return availabilityBody{}, err
	}
	return offersOf(asked, answer, code), nil
}

// offersOf is the answer's form. code is why the day has no slots.
func offersOf(asked dayAsked, answer availability.Answer, code domain.Code) availabilityBody {
	b := availabilityBody{
		RestaurantID: string(asked.restaurant), Date: asked.date.String(), Party: int(asked.party), Revision: answer.Revision,
		Slots: slotsOf(answer), Code: string(code),
	}
	if code == domain.CodeClosed && answer.Plan != nil {
		b.Reason = answer.Plan.Closure
	}
	return b
}

// full reports whether no slot is free.
func (b availabilityBody) full() bool {
	return !slices.ContainsFunc(b.Slots, func(s slot) bool { return s.Available })
}

// daysAround is how many days before and after one are looked at for free slots.
const daysAround = 3

// around finds the days around that have free slots, the nearest first and of two as near
// the earlier.
func (r *reads) around(ctx context.Context, a After, asked dayAsked) ([]calendarDay, error) {
	state, revision, err := r.Book.Restaurant(ctx, asked.restaurant)
	if err != nil {
		return nil, err
	}
	days, err := r.days(ctx, a, state, revision, datesAround(asked.date), asked.party)
	return withSlots(days), err
}

// datesAround is the dates around one, the nearest first and of two as near the earlier.
func datesAround(date domain.ServiceDate) (dates []domain.ServiceDate) {
	for n := 1; n <= daysAround; n++ {
		for _, near := range []domain.ServiceDate{date.AddDays(-n), date.AddDays(n)} {
			if _, err := domain.ParseServiceDate(near.String()); err == nil {
				dates = append(dates, near)
			}
		}
	}
	return dates
}

func withSlots(days []calendarDay) []calendarDay {
	return slices.DeleteFunc(days, func(d calendarDay) bool { return d.AvailableSlots == 0 })
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
			Waitlist: s.Waitable,
		}
	}
	return slots
}

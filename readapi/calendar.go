package readapi

import (
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/internal/httpapi"
	"daybook/projections/availability"
)

// calendarDay is what one date offers a party.
type calendarDay struct {
	Date           string `json:"date"`
	Open           bool   `json:"open" doc:"whether anybody is seated on it"`
	AvailableSlots int    `json:"availableSlots"`
	Name           string `json:"name,omitempty" doc:"what day it is, where its hours are its own"`
	Code           string `json:"code,omitempty" doc:"why nothing can be booked, where one rule is why"`
	Reason         string `json:"reason,omitempty" doc:"why it is closed, as the restaurant says it"`
}

type calendarBody struct {
	Moment
	RestaurantID string        `json:"restaurantId"`
	Month        string        `json:"month"`
	Party        int           `json:"party"`
	Days         []calendarDay `json:"days"`
}

func (r *reads) calendar(api *httpapi.API) {
	op := get("read-calendar", "/restaurants/{id}/calendar", "Which days of a month have free slots for a party", "Booking")
	op.Description = "Opens no day: one that nobody has asked for by itself is judged by the plan it would be opened with."
	op.Errors = append(op.Errors, http.StatusNotFound)
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		AsOf
		ID    string `path:"id" doc:"the restaurant's id, rst_…"`
		Month string `query:"month" required:"true" maxLength:"7" doc:"of service dates, YYYY-MM"`
		Party int    `query:"party" required:"true" minimum:"1" maximum:"500"`
	}) (*body[calendarBody], error) {
		state, revision, err := r.restaurant(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		dates, err := datesOf(in.Month)
		if err != nil {
			return nil, badQuery("month", err.Error())
		}
		past, err := r.past(ctx, in.AsOf)
		if err != nil {
			return nil, err
		}
		answer := calendarBody{RestaurantID: in.ID, Month: in.Month, Party: in.Party}
		if past == nil {
			answer.Days, err = r.days(ctx, in.After, state, revision, dates, domain.PartySize(in.Party))
		} else if state, revision, err = restaurantThen(ctx, past, state.ID); err == nil {
			answer.Days, err = daysThen(ctx, past, state, revision, dates, domain.PartySize(in.Party))
		}
		if err != nil {
			return nil, err
		}
		answer.Moment = momentOf(past, state.Profile.TimeZone)
		return &body[calendarBody]{answer}, nil
	})
}

// datesOf is the dates of a month.
func datesOf(month string) ([]domain.ServiceDate, error) {
	first, err := domain.ParseServiceDate(month + "-01")
	if err != nil {
		return nil, err
	}
	begins, err := time.Parse("2006-01", month)
	if err != nil {
		return nil, err
	}
	dates := make([]domain.ServiceDate, begins.AddDate(0, 1, -1).Day())
	for i := range dates {
		dates[i] = first.AddDays(i)
	}
	return dates, nil
}

// How days are asked for: so many together, and so many of these at once.
const (
	daysTogether = 8
	askedAtOnce  = 4
)

// days tells of each date what it offers, in the order of dates. The days that can be booked
// are asked of the view, a few at a time; those of them without a book, and all others, of
// the plan.
func (r *reads) days(
	ctx context.Context, a After, state restaurant.State, revision uint64, dates []domain.ServiceDate, party domain.PartySize,
) ([]calendarDay, error) {
	zone, err := httpapi.Zone(state.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	today, last := bookable(state, zone, r.now())
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	days := make([]calendarDay, len(dates))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askedAtOnce)
	for from := 0; from < len(dates); from += daysTogether {
		to := min(from+daysTogether, len(dates))
		group.Go(func() error {
			var keys []availability.DayKey
			for _, date := range dates[from:to] {
				if today <= date && date <= last {
					keys = append(keys, availability.DayKey{Restaurant: state.ID, Date: date})
				}
			}
			answers, err := r.Availability.Days(ctx, keys, party, a.asking()...)
			if err != nil {
				return behind(err)
			}
			for i, date := range dates[from:to] {
				var answer availability.Answer
				if today <= date && date <= last {
					answer, answers = answers[0], answers[1:]
				}
				code := domain.Code("")
				if !answer.Opened {
					answer, err = r.unopened(state, revision, date, party)
					no, refused := domain.Rejected(err)
					if refused {
						code = no.Code
					} else if err != nil {
						return err
					}
				}
				days[from+i] = calendarDayOf(state, date, answer, code)
			}
			return nil
		})
	}
	return days, group.Wait()
}

// bookable is the first and the last date that can be booked at an instant.
func bookable(state restaurant.State, zone *time.Location, now domain.Instant) (today, last domain.ServiceDate) {
	today = domain.ServiceDateAt(now, zone, state.DayBoundary)
	return today, domain.ServiceDateAt(now, zone, 0).AddDays(state.Policy.HorizonDays) // booking opens at midnight
}

// calendarDayOf sums an answer up. code is why there is none.
func calendarDayOf(state restaurant.State, date domain.ServiceDate, answer availability.Answer, code domain.Code) calendarDay {
	day := calendarDay{Date: date.String(), Open: len(answer.Slots) > 0, Code: string(code)}
	if code != "" {
		return day
	}
	if special, ok := state.SpecialDay(date); ok && day.Open {
		day.Name = special.Name
	}
	if !day.Open {
		day.Code, day.Reason = string(domain.CodeClosed), answer.Plan.Closure
		return day
	}
	for i, s := range answer.Slots {
		switch {
		case s.Refusal == "":
			day.AvailableSlots++
		case i == 0:
			day.Code = string(s.Refusal)
		case day.Code != string(s.Refusal):
			day.Code = ""
		}
	}
	if day.AvailableSlots > 0 {
		day.Code = ""
	}
	return day
}

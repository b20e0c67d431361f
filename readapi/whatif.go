package readapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections/whatif"
)

// How much a what-if may take of a process that has others to serve.
const (
	maxWhatIfDays    = 31
	maxWhatIfs       = 2 // at once
	whatIfPatience   = 10 * time.Second
	maxWhatIfChanges = 500 // differences in one answer
)

// WhatIfBody is what is asked.
type WhatIfBody struct {
	From          string            `json:"from" maxLength:"10" doc:"first service date, YYYY-MM-DD"`
	To            string            `json:"to" maxLength:"10" doc:"last service date, at most 31 days in all"`
	Plan          httpapi.OtherPlan `json:"plan" doc:"what is another; {} for nothing, which has to give no differences"`
	SpendPerCover *httpapi.Money    `json:"spendPerCover,omitempty" doc:"what a cover spends; with it the answer tells revenue by available seat-hour"`
}

// WhatIf is a restaurant's days side by side: as they were, and as the same requests would
// have come out under another plan.
type WhatIf struct {
	RestaurantID string             `json:"restaurantId"`
	Name         string             `json:"name"`
	TimeZone     string             `json:"timeZone"`
	From         string             `json:"from"`
	To           string             `json:"to"`
	Decisions    int                `json:"decisions" doc:"commands and refused requests that were decided again"`
	Total        WhatIfFigures      `json:"total"`
	Days         []WhatIfDay        `json:"days" doc:"those that have a book, or were asked for"`
	Differences  []WhatIfDifference `json:"differences" doc:"what came to something else, by day and instant; the first 500"`
	LeftOut      int                `json:"differencesLeftOut,omitempty"`
}

// WhatIfDay is one day.
type WhatIfDay struct {
	Date string `json:"date"`
	WhatIfFigures
}

// WhatIfFigures is figures side by side. Difference is what-if less history.
type WhatIfFigures struct {
	History    DayFigures `json:"history"`
	WhatIf     DayFigures `json:"whatIf"`
	Difference DayFigures `json:"difference"`
}

// DayFigures is what a day, or several, came to.
type DayFigures struct {
	Requests           int            `json:"requests" doc:"bookings and walk-ins, accepted or not"`
	Accepted           int            `json:"accepted"`
	Refused            int            `json:"refused"`
	RefusedBy          map[string]int `json:"refusedBy" doc:"by code"`
	Reservations       int            `json:"reservations" doc:"confirmed, seated or completed in the end"`
	Covers             int            `json:"covers" doc:"of those"`
	NoShows            int            `json:"noShows"`
	Cancelled          int            `json:"cancelled"`
	Assumed            int            `json:"assumed" doc:"reservations that are taken to come, though history knows nothing of that"`
	SeatMinutesSold    int64          `json:"seatMinutesSold"`
	SeatMinutesOffered int64          `json:"seatMinutesOffered"`
	Utilisation        float64        `json:"utilisation" doc:"seat-hours sold by seat-hours offered"`

	Revenue            *httpapi.Money `json:"revenue,omitempty" doc:"covers times spendPerCover"`
	RevenuePerSeatHour *float64       `json:"revenuePerSeatHour,omitempty" doc:"by available seat-hour, in minor units"`
}

// WhatIfDifference is one request, or one thing done later, that came to something else.
type WhatIfDifference struct {
	Date          string        `json:"date"`
	At            string        `json:"at" format:"date-time" doc:"when it was asked"`
	What          string        `json:"what" doc:"booking, walk_in, waitlist or move; or what was done later, such as seat"`
	ReservationID string        `json:"reservationId,omitempty" doc:"where history has one"`
	WaitlistID    string        `json:"waitlistId,omitempty"`
	Party         int           `json:"party,omitempty"`
	StartsAt      string        `json:"startsAt,omitempty" doc:"the start asked for"`
	Time          string        `json:"time,omitempty" doc:"or the time"`
	History       WhatIfOutcome `json:"history"`
	WhatIf        WhatIfOutcome `json:"whatIf"`
}

// WhatIfOutcome is what came of it in one world.
type WhatIfOutcome struct {
	Code        string   `json:"code,omitempty" doc:"with which it was refused"`
	Status      string   `json:"status,omitempty" doc:"in the end"`
	StartsAt    string   `json:"startsAt,omitempty"`
	Tables      []string `json:"tables,omitempty" doc:"their numbers, in the end"`
	FirstTables []string `json:"firstTables,omitempty" doc:"that it was given at first, where others"`
}

// whatIfs sees to it that what-ifs leave room for everybody else. Safe for concurrent use.
type whatIfs struct {
	mu      sync.Mutex
	running map[domain.RestaurantID]bool
	ended   chan struct{} // closed when one ends
}

// wait takes a place as soon as there is one, or says that there was none before ctx ended.
func (w *whatIfs) wait(ctx context.Context, id domain.RestaurantID) (end func(), err error) {
	for {
		w.mu.Lock()
		if w.ended == nil {
			w.ended = make(chan struct{})
		}
		ended := w.ended
		w.mu.Unlock()
		if end, err = w.begin(id); err == nil {
			return end, nil
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return nil, err
		}
	}
}

// begin takes a place, or says that there is none now.
func (w *whatIfs) begin(id domain.RestaurantID) (end func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.running[id]:
		return nil, problem.New(problem.Overloaded, "one what-if of this restaurant is under way; wait for its answer")
	case len(w.running) >= maxWhatIfs:
		return nil, problem.New(problem.Overloaded, fmt.Sprintf("%d what-ifs are under way; ask again", maxWhatIfs))
	}
	if w.running == nil {
		w.running = map[domain.RestaurantID]bool{}
	}
	w.running[id] = true
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.running, id)
		if w.ended != nil {
			close(w.ended)
			w.ended = nil
		}
	}, nil
}

func (r *reads) whatIf(api *httpapi.API) {
	op := huma.Operation{
		OperationID: "ask-what-if", Method: http.MethodPost, Path: "/restaurants/{id}/what-if", Tags: []string{"Reports"},
		Summary: "What days would have come to under another plan, for the owner", Security: httpapi.LoggedIn,
		Errors: []int{http.StatusNotFound, http.StatusForbidden, http.StatusServiceUnavailable},
	}
	op.Description = "Decides the real requests of the days again, accepted and refused, under a plan that differs in what the body names. Nothing is written, so it takes no Idempotency-Key."
	type answered struct {
		Position uint64 `header:"Ledger-Position" doc:"up to where in the ledger, at least, all is in it"`
		Body     WhatIf
	}
	httpapi.Handle(api, op, func(ctx context.Context, in *struct {
		After
		ID   string `path:"id" doc:"the restaurant's id, rst_…"`
		Body WhatIfBody
	}) (*answered, error) {
		state, _, err := r.restaurant(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		if !state.MayManage(httpapi.User(ctx)) {
			return nil, domain.Reject(domain.CodeForbidden, "only the restaurant's own people see its history")
		}
		q, spend, err := in.Body.question()
		if err != nil {
			return nil, err
		}
		waiting, done := context.WithTimeout(ctx, patience)
		end, err := r.whatIfs.wait(waiting, state.ID)
		done()
		if err != nil {
			return nil, err
		}
		defer end()
		ctx, cancel := context.WithTimeout(ctx, whatIfPatience)
		defer cancel()
		q.Restaurant, q.Now = state.ID, r.now()
		position, err := r.Head(ctx)
		if err != nil {
			return nil, err
		}
		answer, err := whatif.Ask(ctx, r.Ledger, q)
		if no, ok := domain.Rejected(err); ok {
			return nil, badBody("plan", no.Detail)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, problem.New(problem.Overloaded, fmt.Sprintf("it was not done within %s; ask for fewer days", whatIfPatience))
		}
		if err != nil {
			return nil, err
		}
		return &answered{uint64(position), WhatIfOf(answer, q, spend, maxWhatIfChanges)}, nil
	})
}

func (b WhatIfBody) question() (q whatif.Question, spend domain.Money, err error) {
	if q.From, err = domain.ParseServiceDate(b.From); err != nil {
		return q, spend, badBody("from", err.Error())
	}
	if q.To, err = domain.ParseServiceDate(b.To); err != nil {
		return q, spend, badBody("to", err.Error())
	}
	switch days := int(q.To-q.From) + 1; {
	case days < 1:
		return q, spend, badBody("to", "it is before from")
	case days > maxWhatIfDays:
		return q, spend, badBody("to", fmt.Sprintf("%d days; want at most %d", days, maxWhatIfDays))
	}
	if q.Plan, err = b.Plan.Domain(); err != nil {
		return q, spend, badBody("plan", err.Error())
	}
	if spend, err = b.SpendPerCover.Domain(); err != nil {
		return q, spend, badBody("spendPerCover", err.Error())
	}
	return q, spend, nil
}

// badBody refuses one value of the body.
func badBody(name, why string) *problem.Problem {
	p := problem.New(domain.CodeInvalid, why)
	p.Errors = []problem.Field{{Location: "body." + name, Message: why}}
	return p
}

// WhatIfOf is the form of an answer, with at most so many differences.
func WhatIfOf(a whatif.Answer, q whatif.Question, spend domain.Money, most int) WhatIf {
	f := WhatIf{
		RestaurantID: string(a.Restaurant), Name: a.Name, TimeZone: a.Zone, From: q.From.String(), To: q.To.String(), Decisions: a.Decisions,
		Days: make([]WhatIfDay, len(a.Days)), Differences: []WhatIfDifference{},
	}
	var history, other whatif.Figures
	for i, d := range a.Days {
		history, other = history.Plus(d.History), other.Plus(d.WhatIf)
		f.Days[i] = WhatIfDay{d.Date.String(), WhatIfFiguresOf(d.History, d.WhatIf, spend)}
	}
	f.Total = WhatIfFiguresOf(history, other, spend)
	f.LeftOut = max(0, len(a.Differences)-most)
	for _, d := range a.Differences[:len(a.Differences)-f.LeftOut] {
		f.Differences = append(f.Differences, differenceOf(a, d))
	}
	return f
}

// Figures is what the form tells, to add it up.
func (d DayFigures) Figures() whatif.Figures {
	f := whatif.Figures{
		Requests: d.Requests, Accepted: d.Accepted, Refused: make(map[domain.Code]int, len(d.RefusedBy)), Reservations: d.Reservations,
		Covers: d.Covers, NoShows: d.NoShows, Cancelled: d.Cancelled, Assumed: d.Assumed,
		SeatMinutesSold: d.SeatMinutesSold, SeatMinutesOffered: d.SeatMinutesOffered,
	}
	for code, n := range d.RefusedBy {
		f.Refused[domain.Code(code)] = n
	}
	return f
}

// WhatIfFiguresOf is the form of figures side by side.
func WhatIfFiguresOf(history, other whatif.Figures, spend domain.Money) WhatIfFigures {
	f := WhatIfFigures{History: figuresOf(history, spend), WhatIf: figuresOf(other, spend)}
	h, w := f.History, f.WhatIf
	f.Difference = DayFigures{
		Requests: w.Requests - h.Requests, Accepted: w.Accepted - h.Accepted, Refused: w.Refused - h.Refused, RefusedBy: map[string]int{},
		Reservations: w.Reservations - h.Reservations, Covers: w.Covers - h.Covers, NoShows: w.NoShows - h.NoShows,
		Cancelled: w.Cancelled - h.Cancelled, Assumed: w.Assumed - h.Assumed, SeatMinutesSold: w.SeatMinutesSold - h.SeatMinutesSold,
		SeatMinutesOffered: w.SeatMinutesOffered - h.SeatMinutesOffered, Utilisation: w.Utilisation - h.Utilisation,
	}
	codes := maps.Clone(h.RefusedBy)
	maps.Copy(codes, w.RefusedBy)
	for code := range codes {
		if n := w.RefusedBy[code] - h.RefusedBy[code]; n != 0 {
			f.Difference.RefusedBy[code] = n
		}
	}
	if h.Revenue != nil {
		by := *w.RevenuePerSeatHour - *h.RevenuePerSeatHour
		f.Difference.Revenue = &httpapi.Money{Amount: w.Revenue.Amount - h.Revenue.Amount, Currency: spend.Currency}
		f.Difference.RevenuePerSeatHour = &by
	}
	return f
}

func figuresOf(f whatif.Figures, spend domain.Money) DayFigures {
	d := DayFigures{
		Requests: f.Requests, Accepted: f.Accepted, Refused: f.RefusedInAll(), RefusedBy: make(map[string]int, len(f.Refused)),
		Reservations: f.Reservations, Covers: f.Covers, NoShows: f.NoShows, Cancelled: f.Cancelled, Assumed: f.Assumed,
		SeatMinutesSold: f.SeatMinutesSold, SeatMinutesOffered: f.SeatMinutesOffered, Utilisation: f.Utilisation(),
	}
	for code, n := range f.Refused {
		d.RefusedBy[string(code)] = n
	}
	if spend != (domain.Money{}) {
		by := f.RevenuePerSeatHour(spend)
		d.Revenue, d.RevenuePerSeatHour = &httpapi.Money{Amount: f.Revenue(spend), Currency: spend.Currency}, &by
	}
	return d
}

func differenceOf(a whatif.Answer, d whatif.Difference) WhatIfDifference {
	at := httpapi.InZone(a.Zone)
	f := WhatIfDifference{
		Date: d.Date.String(), At: at(d.At), What: d.What, Party: int(d.Party), StartsAt: at(d.StartsAt), Time: d.Time,
		History: outcomeOf(d.History, at), WhatIf: outcomeOf(d.WhatIf, at),
	}
	switch {
	case d.Number == 0: // history refused it
	case d.What == string(whatif.KindWaitlist):
		f.WaitlistID = string(domain.NewWaitlistID(a.Restaurant, d.Date, d.Number))
	default:
		f.ReservationID = string(domain.NewReservationID(a.Restaurant, d.Date, d.Number))
	}
	return f
}

func outcomeOf(o whatif.Outcome, at func(domain.Instant) string) WhatIfOutcome {
	f := WhatIfOutcome{Code: string(o.Code), Status: o.Status, StartsAt: at(o.Last.StartsAt), Tables: o.Last.Tables}
	if !slices.Equal(o.First.Tables, o.Last.Tables) {
		f.FirstTables = o.First.Tables
	}
	return f
}

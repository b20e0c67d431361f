package readapi

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/projections/book"
	"daybook/projections/reports"
)

// maxReportDays is the longest range of one report, in days: a year and some more, to
// compare with.
const maxReportDays = 400

// reportTime bounds the making of one report.
const reportTime = 15 * time.Second

// reportQuery is what every report takes.
type reportQuery struct {
	After
	AsOf
	ID      string `path:"id" doc:"the restaurant's id, rst_…"`
	From    string `query:"from" required:"true" maxLength:"10" doc:"the first service date, YYYY-MM-DD"`
	To      string `query:"to" required:"true" maxLength:"10" doc:"the last one; at most 400 days in all"`
	GroupBy string `query:"groupBy" enum:"day,week,month,weekday,shift,slot,party,code" default:"day"`
	Format  string `query:"format" enum:"json,csv" default:"json" doc:"csv has the rows, without the total"`
}

// reportAsked is a reportQuery, checked.
type reportAsked struct {
	restaurant restaurant.State // as it was, where the report is of the past
	zone       *time.Location
	dates      []domain.ServiceDate
	by         reports.GroupBy
	past       *book.Past // nil for now
	after      After
}

func (a reportAsked) from() domain.ServiceDate { return a.dates[0] }
func (a reportAsked) to() domain.ServiceDate   { return a.dates[len(a.dates)-1] }

// reportBody is a report in JSON.
type reportBody[R any] struct {
	RestaurantID string `json:"restaurantId"`
	Kind         string `json:"report"`
	From         string `json:"from"`
	To           string `json:"to"`
	GroupBy      string `json:"groupBy"`
	TimeZone     string `json:"timeZone"`
	AsOf         string `json:"asOf" format:"date-time" doc:"the instant it tells of"`
	Position     uint64 `json:"position" doc:"up to where in the ledger, at least, all is in it; of the past, that of the newest event in it"`
	reports.Report[R]
}

// reportAnswer is either form of a report.
type reportAnswer struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        any    // a reportBody, or CSV
}

func (r *reads) reports(api *httpapi.API) {
	report(r, api, "covers", "Covers: booked, seated, walked in, cancelled, not come", reports.ForEntries, r.entries(false), reports.Covers)
	report(r, api, "no-shows", "Who of those who booked did not come", reports.ForEntries, r.entries(false), reports.NoShows)
	report(r, api, "lead-times", "How long before they come parties book", reports.ForEntries, r.entries(true), reports.LeadTimes)
	report(r, api, "utilisation", "Seat-hours sold, of those offered", reports.ForSeatTime, r.seatTime, reports.Utilisation)
	report(r, api, "refusals", "Requests that were turned away, by the rule that did", reports.ForRefusals, r.refusals, reports.RefusalsBy)
}

// source counts what a report is made of, and tells up to where in the ledger it did.
type source[T any] func(context.Context, reportAsked) ([]T, eventstore.Position, error)

// report registers one report: made is what it makes of what from counts.
func report[T, R any](
	r *reads, api *httpapi.API, name, summary string, groups []reports.GroupBy,
	from source[T], made func(reports.Scope, []T) reports.Report[R],
) {
	op := get("report-"+name, "/restaurants/{id}/reports/"+name, summary, "Reports")
	op.Security, op.Errors = httpapi.LoggedIn, append(op.Errors, http.StatusNotFound, http.StatusForbidden)
	op.Description = "For the restaurant's own people. By service date; groupBy is one of " + joined(groups) + "."
	op.Responses = map[string]*huma.Response{"200": {Description: "the report", Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromType(api.Huma.OpenAPI().Components.Schemas, reflect.TypeFor[reportBody[R]]())},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: strings.Join(reports.Columns[R](), ",")}},
	}}}
	httpapi.Handle(api, op, func(ctx context.Context, in *reportQuery) (*reportAnswer, error) {
		ctx, cancel := context.WithTimeout(ctx, reportTime)
		defer cancel()
		asked, err := r.reportAsked(ctx, in, groups)
		if err != nil {
			return nil, err
		}
		things, position, err := from(ctx, asked)
		if err != nil {
			return nil, err
		}
		b := reportBody[R]{
			RestaurantID: in.ID, Kind: name, From: asked.from().String(), To: asked.to().String(), GroupBy: in.GroupBy,
			TimeZone: asked.zone.String(), AsOf: exactly(r.now(), asked.zone.String()), Position: uint64(position),
			Report: made(reports.Scope{By: asked.by, DayBoundary: asked.restaurant.DayBoundary}, things),
		}
		if asked.past != nil {
			b.AsOf = exactly(asked.past.Named(), asked.zone.String())
		}
		if in.Format != "csv" {
			return &reportAnswer{ContentType: "application/json", Body: b}, nil
		}
		var out bytes.Buffer
		if err := b.Report.WriteCSV(&out); err != nil {
			return nil, err
		}
		return &reportAnswer{
			ContentType: "text/csv; charset=utf-8", Body: out.Bytes(),
			Disposition: fmt.Sprintf(`attachment; filename="%s-%s-%s.csv"`, name, b.From, b.To),
		}, nil
	})
}

func joined(groups []reports.GroupBy) string {
	var b strings.Builder
	for i, g := range groups {
		switch {
		case i > 0 && i == len(groups)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(g))
	}
	return b.String()
}

func (r *reads) reportAsked(ctx context.Context, in *reportQuery, groups []reports.GroupBy) (a reportAsked, err error) {
	a = reportAsked{by: reports.GroupBy(in.GroupBy), after: in.After}
	if a.restaurant, _, err = r.restaurant(ctx, in.After, in.ID); err != nil {
		return a, err
	}
	if !a.restaurant.MayManage(httpapi.User(ctx)) {
		return a, domain.Reject(domain.CodeForbidden, "only those who work at the restaurant see its reports")
	}
	first, err := domain.ParseServiceDate(in.From)
	if err != nil {
		return a, badQuery("from", err.Error())
	}
	last, err := domain.ParseServiceDate(in.To)
	if err != nil {
		return a, badQuery("to", err.Error())
	}
	switch days := int(last-first) + 1; {
	case days < 1:
		return a, badQuery("to", "the range ends before it begins")
	case days > maxReportDays:
		return a, badQuery("to", fmt.Sprintf("that are %d days; a report is of %d at most", days, maxReportDays))
	}
	for date := first; date <= last; date++ {
		a.dates = append(a.dates, date)
	}
	if !slices.Contains(groups, a.by) {
		return a, badQuery("groupBy", "this report can be grouped by "+joined(groups))
	}
	if a.past, err = r.past(ctx, in.AsOf); err != nil {
		return a, err
	}
	if a.past != nil {
		if a.restaurant, _, err = restaurantThen(ctx, a.past, a.restaurant.ID); err != nil {
			return a, err
		}
	}
	a.zone, err = httpapi.Zone(a.restaurant.Profile.TimeZone)
	return a, err
}

// entries counts entries of the book, with their lead times if wished.
func (r *reads) entries(leads bool) source[reports.Entries] {
	return func(ctx context.Context, a reportAsked) ([]reports.Entries, eventstore.Position, error) {
		if a.past == nil {
			if err := r.wait(ctx, reportingView, a.after); err != nil {
				return nil, 0, err
			}
			list, position, err := r.Reporting.Entries(ctx, a.restaurant.ID, a.from(), a.to(), a.by, leads)
			return list, position, ofEngine("reporting database", err)
		}
		list, err := book.OfDays(ctx, a.past, a.restaurant.ID, a.dates, func(_ int, d book.Day, opened bool) ([]reports.Entries, error) {
			if !opened {
				return nil, nil
			}
			return reports.OfDay(d.State), nil
		})
		return list, a.past.Position(), err
	}
}

// refusals counts what was turned away.
func (r *reads) refusals(ctx context.Context, a reportAsked) ([]reports.Refusals, eventstore.Position, error) {
	if a.past == nil {
		if err := r.wait(ctx, reportingView, a.after); err != nil {
			return nil, 0, err
		}
		list, position, err := r.Reporting.Refusals(ctx, a.restaurant.ID, a.from(), a.to(), a.by, a.zone)
		return list, position, ofEngine("reporting database", err)
	}
	var list []reports.Refusals
	for _, date := range a.dates {
		turnedAway, err := a.past.Demand(ctx, a.restaurant.ID, date)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, reports.OfDemand(date, turnedAway, a.zone)...)
	}
	return list, a.past.Position(), nil
}

// seatTime counts what was offered and sold. What a day offers that nobody has asked for no
// table tells, so that is folded, for now as for then: by the plan that the restaurant had
// when the day was over, or has now.
func (r *reads) seatTime(ctx context.Context, a reportAsked) ([]reports.SeatTime, eventstore.Position, error) {
	var list []reports.SeatTime
	var position eventstore.Position
	p, dates := a.past, a.dates
	if p == nil {
		if err := r.wait(ctx, reportingView, a.after); err != nil {
			return nil, 0, err
		}
		times, known, at, err := r.Reporting.SeatTime(ctx, a.restaurant.ID, a.from(), a.to(), a.by)
		if err != nil {
			return nil, 0, ofEngine("reporting database", err)
		}
		list, position, p = times, at, r.Book.Present(r.now())
		dates = slices.DeleteFunc(slices.Clone(dates), func(d domain.ServiceDate) bool { return known[d] })
	}
	over := make([]domain.Instant, len(dates))
	for i, date := range dates {
		over[i] = date.AddDays(1).Clock(a.restaurant.DayBoundary, a.zone) - 1
	}
	versions, err := p.Versions(ctx, a.restaurant.ID, over)
	if err != nil {
		return nil, 0, err
	}
	planned := func(i int) ([]reports.SeatTime, error) { return plannedSeatTime(versions[i], dates[i], p.At()) }
	if a.past == nil {
		for i := range dates {
			more, err := planned(i)
			if err != nil {
				return nil, 0, err
			}
			list = append(list, more...)
		}
		return list, position, nil
	}
	list, err = book.OfDays(ctx, p, a.restaurant.ID, dates, func(i int, d book.Day, opened bool) ([]reports.SeatTime, error) {
		if opened {
			return reports.SeatTimeOf(d.State), nil
		}
		return planned(i)
	})
	return list, p.Position(), err
}

// plannedSeatTime is what a day without a book would have to offer.
func plannedSeatTime(v book.Version, date domain.ServiceDate, at domain.Instant) ([]reports.SeatTime, error) {
	if !v.State.Registered() {
		return nil, nil
	}
	zone, err := httpapi.Zone(v.State.Profile.TimeZone)
	if err != nil {
		return nil, err
	}
	d, err := book.Planned(v.State, v.Revision, date, zone, at)
	if _, refused := domain.Rejected(err); refused {
		return nil, nil // it took no bookings
	}
	if err != nil {
		return nil, err
	}
	return reports.SeatTimeOf(d.State), nil
}

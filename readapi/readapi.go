// Package readapi is where Daybook is read over HTTP: restaurants, availability,
// reservations, the audit trail, and how the house is.
//
// What belongs here: the shape of answers and who may see them. What changes something is
// writeapi's; how a view is built and queried is its own package's, below projections. A
// read changes nothing, but that the first question after a day has it opened.
package readapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections"
	"daybook/projections/availability"
	"daybook/projections/book"
	"daybook/projections/deliveries"
	"daybook/projections/discovery"
	"daybook/projections/ledger"
	"daybook/projections/proof"
	"daybook/projections/reporting"
)

// Views is what is read.
type Views struct {
	Book         *book.Book
	Availability *availability.View
	Reporting    *reporting.Database
	Words        *reporting.Words // of audit entries
	Discovery    *discovery.Index
	// Ledger is where what-ifs read history.
	Ledger     eventstore.Reader
	Deliveries *deliveries.Store // of webhooks
	Proof      *proof.View
	// Events is the same ledger, as it is handed out.
	Events *ledger.Ledger
	// Wait waits until a view has reached a position: projections.ErrBehind where it does not.
	Wait func(ctx context.Context, view string, at eventstore.Position) error
	// Head is the end of the ledger.
	Head func(context.Context) (eventstore.Position, error)
	// OpenDay opens a day inside its restaurant's horizon, or is refused.
	OpenDay func(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error)
	Clock   func() time.Time
	// Closing is closed when requests are to end that otherwise would not; nil for never.
	Closing <-chan struct{}
}

// patience is how long a read waits for its view.
const patience = 2 * time.Second

// The names under which views are fed.
const (
	reportingView = "reporting"
	discoveryView = "discovery"
)

type reads struct {
	Views
	planned     planned
	streams     chan struct{} // has a place for each stream that may be open
	whatIfs     whatIfs
	ledgerReads openReads
	exports     chan struct{} // likewise for each file that may be written at once
}

// Register adds the routes that read.
func Register(api *httpapi.API, v Views) {
	r := &reads{Views: v, streams: make(chan struct{}, maxStreams), exports: make(chan struct{}, maxExports)}
	r.restaurants(api)
	r.search(api)
	r.availability(api)
	r.stream(api)
	r.calendar(api)
	r.reservations(api)
	r.waitlist(api)
	r.board(api)
	r.audit(api)
	r.webhooks(api)
	r.ledger(api)
	r.receipts(api)
	r.imports(api)
	r.reports(api)
	r.whatIf(api)
	r.events(api)
}

// After is a request that wants to read at least up to a position.
type After struct {
	Position uint64 `header:"Min-Ledger-Position" doc:"the Ledger-Position of a write that must be seen; waits up to 2 s"`
}

// asking is what the availability view is asked beside the day.
func (a After) asking() []availability.Asking {
	if a.Position == 0 {
		return nil
	}
	return []availability.Asking{availability.AtLeast(eventstore.Position(a.Position))}
}

// wait waits until a view has reached what the request wants to see.
func (r *reads) wait(ctx context.Context, view string, a After) error {
	if a.Position == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return behind(r.Wait(ctx, view, eventstore.Position(a.Position)))
}

// reached checks a position against the ledger itself, for reads that always are current.
func (r *reads) reached(ctx context.Context, a After) error {
	if a.Position == 0 {
		return nil
	}
	head, err := r.Head(ctx)
	if err == nil && head < eventstore.Position(a.Position) {
		err = projections.ErrBehind
	}
	return behind(err)
}

func behind(err error) error {
	if errors.Is(err, projections.ErrBehind) {
		return problem.New(problem.ViewBehind, "the view has not reached Min-Ledger-Position within "+patience.String()+"; read again")
	}
	return err
}

func (r *reads) now() domain.Instant { return domain.InstantOf(r.Clock()) }

// page is a list's answer.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty" doc:"send it as cursor to go on; missing at the end"`
}

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"300" doc:"nextCursor of the page before"`
}

type body[T any] struct {
	Body T
}

func get(id, path, summary, tag string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{tag},
		Errors: []int{http.StatusServiceUnavailable},
	}
}

func notFound(what string) error { return domain.Reject(domain.CodeNotFound, "no such "+what) }

// badQuery refuses one value of the query.
func badQuery(name, why string) *problem.Problem {
	p := problem.New(domain.CodeInvalid, why)
	p.Errors = []problem.Field{{Location: "query." + name, Message: why}}
	return p
}

// ofEngine tells what went wrong with a view's engine; its own refusals were told before.
func ofEngine(engine string, err error) error {
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, reporting.ErrBadCursor), errors.Is(err, discovery.ErrInvalidQuery):
		return badQuery("cursor", "the cursor is not one that this list gave out")
	case errors.Is(err, reporting.ErrRebuilding):
		return problem.New(problem.ViewRebuilding, "the reports of this version are being filled from the ledger; /readyz tells how far that is")
	}
	return problem.Unreachable(engine, err)
}

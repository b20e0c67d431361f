package readapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/projections/ledger"
)

// Limits of reading the ledger.
const (
	maxLedgerReads    = 64 // open at once in this process
	maxLedgerOfCaller = 4  // and of one caller
	ledgerContentType = "application/x-ndjson"
)

// eventsQuery is what the ledger is asked.
type eventsQuery struct {
	After       string `query:"after" maxLength:"20" pattern:"^[0-9]+$" default:"0" doc:"the position to go on from: of the last line that was received; 0 for the beginning"`
	Types       string `query:"types" maxLength:"2000" doc:"event types with commas between; one that ends in . stands for all that begin so, such as reservation."`
	Stream      string `query:"stream" maxLength:"512" doc:"the name of one stream; one that ends in - stands for all that begin so, such as day-"`
	Restaurants string `query:"restaurantId" maxLength:"2000" doc:"ids of restaurants with commas between, whose events alone are wanted; an owner names its own"`
	Limit       int    `query:"limit" minimum:"0" maximum:"100000" default:"1000" doc:"end after so many events; with follow, 0 is for never"`
	Follow      bool   `query:"follow" doc:"go on with each event as it is recorded"`
}

// openReads counts those of the ledger that are under way.
type openReads struct {
	mu       sync.Mutex
	all      int
	ofCaller map[string]int
}

// begin takes a place for a caller; the answer is false where none is left.
func (o *openReads) begin(caller string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.all >= maxLedgerReads || o.ofCaller[caller] >= maxLedgerOfCaller {
		return false
	}
	if o.ofCaller == nil {
		o.ofCaller = make(map[string]int)
	}
	o.all++
	o.ofCaller[caller]++
	return true
}

// end gives the place back.
func (o *openReads) end(caller string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all--
	if o.ofCaller[caller]--; o.ofCaller[caller] == 0 {
		delete(o.ofCaller, caller)
	}
}

func (r *reads) events(api *httpapi.API) {
	op := get("ledger-events", "/ledger/events", "The ledger's events, from any position on", "Ledger")
	op.Description = "A line of JSON for each event: {\"position\", \"recordedAt\", \"event\"}, where event is the canonical form: what is personal is replaced by the hash " +
		"of its ciphertext, and nothing else is changed, so that each line can be verified. To go on, send the position of the last line as after. " +
		"With follow=true the answer goes on with each event as it is recorded; a line {\"position\"} without an event, at least every 15 seconds, tells that nothing before it is left out. " +
		"A line with end is the last one and says why: closing, age, slow, unauthenticated, forbidden or unavailable; go on from its position. " +
		"Without follow, a last line {\"position\"} says that the ledger was read for " + ledger.PageWithin.String() + " and its end was not reached: there the next request goes on. " +
		"An owner names its restaurants, or a stream of one of them; whoever runs the service reads all, with the operator's token."
	op.Security, op.Errors = httpapi.LoggedInOrOperator, append(op.Errors, http.StatusNotFound, http.StatusForbidden)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "events, in the order of the ledger",
		Content:     map[string]*huma.MediaType{ledgerContentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	httpapi.Handle(api, op, func(ctx context.Context, in *eventsQuery) (*huma.StreamResponse, error) {
		s, err := r.eventsAsked(ctx, in)
		if err != nil {
			return nil, err
		}
		if !r.ledgerReads.begin(s.caller) {
			return nil, problem.New(problem.Overloaded, "you read the ledger "+strconv.Itoa(maxLedgerOfCaller)+
				" times at once already, or this service is read by as many as it has room for; let one end first")
		}
		if err := s.open(httpapi.OpenEnded(ctx), in.Follow); err != nil {
			r.ledgerReads.end(s.caller)
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			defer r.ledgerReads.end(s.caller)
			defer s.close()
			hc.SetHeader("Content-Type", ledgerContentType)
			hc.SetHeader("Cache-Control", "no-store")
			hc.SetHeader("X-Accel-Buffering", "no")
			if w, ok := hc.BodyWriter().(http.ResponseWriter); ok {
				s.out, s.line = w, http.NewResponseController(w)
				s.run()
			}
		}}, nil
	})
}

// eventsAsked checks what is asked, and that the caller may ask it.
func (r *reads) eventsAsked(ctx context.Context, in *eventsQuery) (*lines, error) {
	s := &lines{reads: r, choice: ledger.Choice{Stream: in.Stream}, left: in.Limit, caller: "operator", stillIn: httpapi.StillIn(ctx), pace: ledgerPace}
	after, err := strconv.ParseUint(in.After, 10, 64)
	if err != nil {
		return nil, badQuery("after", "want a position of the ledger, a whole number below 2⁶⁴")
	}
	s.at = eventstore.Position(after)
	if in.Types != "" {
		s.choice.Types = strings.Split(in.Types, ",")
		if err := s.choice.Check(); err != nil {
			return nil, badQuery("types", "every one must be an event type, such as reservation.held, or the beginning of one up to a full stop")
		}
	}
	if strings.HasPrefix(in.Stream, "$") {
		return nil, badQuery("stream", "streams that begin with $ are the engine's own and are not shown")
	}
	if in.Limit == 0 && !in.Follow {
		return nil, badQuery("limit", "0, for never, goes with follow=true")
	}
	if in.Restaurants != "" {
		for name := range strings.SplitSeq(in.Restaurants, ",") {
			id, err := domain.ParseRestaurantID(name)
			if err != nil {
				return nil, badQuery("restaurantId", err.Error())
			}
			s.choice.Restaurants = append(s.choice.Restaurants, id)
		}
	}
	if !httpapi.Operator(ctx) {
		user := httpapi.User(ctx)
		s.caller, s.user = string(user), user
		if len(s.choice.Restaurants) == 0 {
			id, ok := ledger.Owner(in.Stream)
			if !ok {
				return nil, domain.Reject(domain.CodeForbidden,
					"name restaurants of yours with restaurantId, or a stream of one of them; only whoever runs the service reads the whole ledger")
			}
			s.choice.Restaurants = []domain.RestaurantID{id}
		}
		if err := s.allowed(ctx); err != nil {
			return nil, err
		}
	}
	head, err := r.Events.Head(ctx)
	if err == nil && s.at > head {
		return nil, badQuery("after", "the ledger ends at position "+strconv.FormatUint(uint64(head), 10))
	}
	if err == nil {
		err = r.Events.Check(ctx, s.at)
	}
	if errors.Is(err, eventstore.ErrInvalid) {
		return nil, badQuery("after", "no event has that position")
	}
	return s, err
}

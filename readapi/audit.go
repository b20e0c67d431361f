package readapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/internal/httpapi"
	"daybook/projections/reporting"
)

// change is one entry of an audit trail.
type change struct {
	EventID       string          `json:"eventId"`
	Position      uint64          `json:"position"`
	Type          string          `json:"type" doc:"what happened, such as reservation.held"`
	Summary       string          `json:"summary" doc:"the same in one line, for people"`
	Date          string          `json:"date,omitempty" doc:"service date, where a day's book was changed"`
	ReservationID string          `json:"reservationId,omitempty"`
	WaitlistID    string          `json:"waitlistId,omitempty"`
	Actor         actor           `json:"actor"`
	DecidedAt     string          `json:"decidedAt" format:"date-time"`
	RecordedAt    string          `json:"recordedAt" format:"date-time" doc:"later than decidedAt for what an import decided in the past"`
	CommandID     string          `json:"commandId,omitempty" doc:"changes of one command share it"`
	RequestID     string          `json:"requestId,omitempty" doc:"the request that asked for it"`
	Cause         string          `json:"cause,omitempty" doc:"the event that made the command or, of an import, the batch"`
	Correlation   string          `json:"correlation,omitempty" doc:"shared by all that follows from one request"`
	Reason        string          `json:"reason,omitempty" doc:"why, as a word"`
	ReasonGiven   bool            `json:"reasonGiven,omitempty" doc:"somebody said why in words"`
	Words         string          `json:"words,omitempty" doc:"these words; missing where they were erased with whom they tell of"`
	Changed       []string        `json:"changed,omitempty" doc:"what differs between before and after"`
	Before        json.RawMessage `json:"before,omitempty" doc:"what it was"`
	After         json.RawMessage `json:"after,omitempty" doc:"what it became"`
}

type actor struct {
	Kind    string `json:"kind" enum:"diner,staff,system,import"`
	UserID  string `json:"userId,omitempty"`
	Role    string `json:"role,omitempty" doc:"what the user was at the restaurant then, such as owner"`
	APIKey  string `json:"apiKey,omitempty" doc:"id of the key that the request came with"`
	Process string `json:"process,omitempty" doc:"what the house did by itself: moves, plan-rollout, hold-expiry, …"`
}

// auditAsked is what an audit trail can be asked for.
type auditAsked struct {
	After
	Paging
	ID            string `path:"id" doc:"the restaurant's id, rst_…"`
	Date          string `query:"date" maxLength:"10" doc:"a service date, YYYY-MM-DD: changes of that day's book"`
	From          string `query:"from" maxLength:"40" doc:"RFC 3339: decided at or after"`
	To            string `query:"to" maxLength:"40" doc:"RFC 3339: decided before"`
	Actor         string `query:"actor" maxLength:"40" doc:"a user id, or one of diner, staff, system, import"`
	ReservationID string `query:"reservationId" maxLength:"40"`
	Type          string `query:"type" maxLength:"600" doc:"event types, or beginnings of them that end with a full stop, with commas between: reservation.cancelled,waitlist."`
	Correlation   string `query:"correlation" maxLength:"64" doc:"all that followed from one request: the correlation of an entry"`
	Format        string `query:"format" enum:"json,csv" doc:"csv is the whole range, oldest first, without pages; so is Accept: text/csv"`
	Accept        string `header:"Accept" hidden:"true"`
}

func (r *reads) audit(api *httpapi.API) {
	op := get("audit", "/restaurants/{id}/audit", "Every change, newest first: who, when, what, why, before, after", "Ledger")
	op.Security, op.Errors = httpapi.LoggedIn, append(op.Errors, http.StatusNotFound, http.StatusForbidden)
	op.Description = "Drawn from the ledger alone: every event of the restaurant, its days and its webhooks is in it. " +
		"Requests that were refused changed nothing and are in the report of refusals."
	op.Responses = map[string]*huma.Response{"200": {Description: "the trail", Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromType(api.Huma.OpenAPI().Components.Schemas, reflect.TypeFor[page[change]]())},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: strings.Join(auditColumns, ",")}},
	}}}
	httpapi.Handle(api, op, func(ctx context.Context, in *auditAsked) (*huma.StreamResponse, error) {
		q, zone, err := r.auditQuery(ctx, in)
		if err != nil {
			return nil, err
		}
		if in.Format == "csv" || in.Format == "" && wantsCSV(in.Accept) {
			return r.auditCSV(ctx, in.After, q, zone)
		}
		out, err := r.trail(ctx, in.After, q, teller{zone: zone, staff: true})
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hc huma.Context) {
			hc.SetHeader("Content-Type", "application/json")
			_ = api.Huma.Marshal(hc.BodyWriter(), "application/json", out.Body) // the connection is gone: nobody to tell
		}}, nil
	})

	history := get("reservation-history", "/reservations/{id}/history", "Every change of one reservation, oldest first", "Ledger")
	history.Description = "With those of the reservations that it was moved from and to. For its diner and for the restaurant's own people; " +
		"to the diner it does not tell which of them acted, nor what they noted for themselves."
	history.Security, history.Errors = httpapi.LoggedIn, append(history.Errors, http.StatusNotFound)
	httpapi.Handle(api, history, func(ctx context.Context, in *struct {
		After
		Paging
		ID string `path:"id" doc:"the reservation's id, rsv_…"`
	}) (*body[page[change]], error) {
		chain, staff, err := r.visible(ctx, After{}, in.ID)
		if err != nil {
			return nil, err
		}
		restaurant, _, _ := chain[0].ID.Day()
		q := reporting.AuditQuery{Restaurant: restaurant, OldestFirst: true, Limit: in.Limit, Cursor: in.Cursor}
		for _, e := range chain {
			q.Reservations = append(q.Reservations, e.ID)
		}
		return r.trail(ctx, in.After, q, teller{zone: chain[0].Zone, staff: staff, user: httpapi.User(ctx)})
	})

	account := get("account-history", "/users/me/history", "Every change of your own account, newest first", "People")
	account.Security = httpapi.LoggedIn
	httpapi.Handle(api, account, func(ctx context.Context, in *struct {
		After
		Paging
	}) (*body[page[change]], error) {
		q := reporting.AuditQuery{Account: httpapi.User(ctx), Limit: in.Limit, Cursor: in.Cursor}
		return r.trail(ctx, in.After, q, teller{user: httpapi.User(ctx)})
	})
}

// auditQuery checks what was asked for, and who asks.
func (r *reads) auditQuery(ctx context.Context, in *auditAsked) (q reporting.AuditQuery, zone string, err error) {
	state, _, err := r.restaurant(ctx, After{}, in.ID)
	if err != nil {
		return q, "", err
	}
	if !state.MayManage(httpapi.User(ctx)) {
		return q, "", domain.Reject(domain.CodeForbidden, "only those who manage the restaurant see its audit trail")
	}
	q = reporting.AuditQuery{Restaurant: state.ID, Correlation: in.Correlation, Limit: in.Limit, Cursor: in.Cursor}
	if q.From, err = instant("from", in.From); err != nil {
		return q, "", err
	}
	if q.To, err = instant("to", in.To); err != nil {
		return q, "", err
	}
	if q.From != 0 && q.To != 0 && q.To <= q.From {
		return q, "", badQuery("to", "must be after from")
	}
	if in.Date != "" {
		if q.Date, err = domain.ParseServiceDate(in.Date); err != nil {
			return q, "", badQuery("date", err.Error())
		}
	}
	switch kind := domain.ActorKind(in.Actor); kind {
	case "":
	case domain.ActorDiner, domain.ActorStaff, domain.ActorSystem, domain.ActorImport:
		q.Kinds = []domain.ActorKind{kind}
	default:
		if q.Actor, err = domain.ParseUserID(in.Actor); err != nil {
			return q, "", badQuery("actor", "want a user id, or one of diner, staff, system, import")
		}
	}
	if in.ReservationID != "" {
		id, err := domain.ParseReservationID(in.ReservationID)
		if err != nil {
			return q, "", badQuery("reservationId", err.Error())
		}
		q.Reservations = []domain.ReservationID{id}
	}
	if in.Type != "" {
		if q.Types = strings.Split(in.Type, ","); len(q.Types) > maxTypes {
			return q, "", badQuery("type", "at most 20 types at once; a beginning such as reservation. stands for many")
		}
		for _, t := range q.Types {
			if !reporting.KnownType(t) {
				return q, "", badQuery("type", "there is no event type "+t+"; a beginning of some ends with a full stop")
			}
		}
	}
	return q, state.Profile.TimeZone, nil
}

const maxTypes = 20

func (r *reads) trail(ctx context.Context, a After, q reporting.AuditQuery, to teller) (*body[page[change]], error) {
	if err := r.wait(ctx, reportingView, a); err != nil {
		return nil, err
	}
	found, err := r.Reporting.Audit(ctx, q)
	if err != nil {
		return nil, ofEngine("reporting database", err)
	}
	out := page[change]{Items: make([]change, len(found.Items)), NextCursor: found.NextCursor}
	for i, e := range found.Items {
		if out.Items[i], err = r.change(ctx, e, to); err != nil {
			return nil, err
		}
	}
	return &body[page[change]]{out}, nil
}

// teller is to whom a trail is shown, and in which zone.
type teller struct {
	zone  string
	staff bool // of the restaurant
	user  domain.UserID
}

// change shows an entry. Words that somebody gave are read from the ledger now.
func (r *reads) change(ctx context.Context, e reporting.AuditEntry, to teller) (change, error) {
	at := httpapi.InZone(to.zone)
	c := change{
		EventID: e.Event, Position: uint64(e.Position), Type: e.Type, Summary: e.Summary(),
		ReservationID: string(e.Reservation), WaitlistID: string(e.Waitlist),
		Actor: actor{
			Kind: string(e.Actor.Kind), UserID: string(e.Actor.User), Role: e.Role, APIKey: e.APIKey, Process: e.Process,
		},
		DecidedAt: at(e.DecidedAt), RecordedAt: at(e.RecordedAt), CommandID: e.Command, RequestID: e.Request, Cause: e.Cause,
		Correlation: e.Correlation, Reason: e.Reason, ReasonGiven: e.ReasonGiven, Changed: e.Changed(),
		Before: inZone(e.Before, to.zone), After: inZone(e.After, to.zone),
	}
	if e.Date != 0 {
		c.Date = e.Date.String()
	}
	if !to.staff {
		c.forDiner(to.user)
		c.ReasonGiven = c.ReasonGiven && e.MeantForDiner()
	}
	if c.ReasonGiven {
		words, err := r.Words.Of(ctx, e)
		if err != nil {
			return c, err
		}
		c.Words = words
	}
	return c, nil
}

// forDiner leaves out which of the restaurant's people acted, by which request, and what
// they noted for themselves.
func (c *change) forDiner(user domain.UserID) {
	if c.Actor.UserID != string(user) {
		c.Actor.UserID, c.Actor.APIKey, c.CommandID, c.RequestID, c.Correlation = "", "", "", "", ""
	}
}

// utcInstants are the instants in what the audit keeps, which are in UTC.
var utcInstants = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`)

// inZone writes the instants of a state as clocks at the restaurant show them.
func inZone(state json.RawMessage, zone string) json.RawMessage {
	if len(state) == 0 {
		return nil
	}
	at := httpapi.InZone(zone)
	return utcInstants.ReplaceAllFunc(state, func(text []byte) []byte {
		t, err := time.Parse(`"2006-01-02T15:04:05.000Z"`, string(text))
		if err != nil {
			return text
		}
		return []byte(`"` + at(domain.InstantOf(t)) + `"`)
	})
}

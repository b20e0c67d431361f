// Package problem is how Daybook says no over HTTP: application/problem+json (RFC 9457)
// with a stable code, and the one table from codes to statuses and titles.
//
// What belongs here: the table and the form. Which command is refused and why is domain's;
// a new code needs a row here and a page in docs/errors.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"daybook/domain"
)

// ContentType is that of every Problem.
const ContentType = "application/problem+json"

// Codes that no aggregate knows: of the way a request came, or of the house's own state.
const (
	Malformed        domain.Code = "malformed"
	KeyMissing       domain.Code = "idempotency_key_missing"
	KeyReused        domain.Code = "idempotency_key_reused"
	Unauthenticated  domain.Code = "unauthenticated"
	RouteNotFound    domain.Code = "route_not_found"
	MethodNotAllowed domain.Code = "method_not_allowed"
	NotAcceptable    domain.Code = "not_acceptable"
	TooLarge         domain.Code = "too_large"
	UnsupportedMedia domain.Code = "unsupported_media_type"
	TimedOut         domain.Code = "request_timeout"
	Contended        domain.Code = "contended"
	ViewBehind       domain.Code = "view_behind"
	ViewRebuilding   domain.Code = "view_rebuilding"
	Overloaded       domain.Code = "overloaded"
	Unavailable      domain.Code = "unavailable"
	OutcomeUnknown   domain.Code = "outcome_unknown"
	LedgerDiffers    domain.Code = "ledger_differs"
	Internal         domain.Code = "internal"
)

// kind is what a code always means.
type kind struct {
	status     int
	title      string
	retryAfter int // seconds; 0 where trying again changes nothing
}

var kinds = map[domain.Code]kind{
	Malformed:        {http.StatusBadRequest, "The request cannot be read", 0},
	KeyMissing:       {http.StatusBadRequest, "An Idempotency-Key is missing", 0},
	Unauthenticated:  {http.StatusUnauthorized, "Log in first", 0},
	RouteNotFound:    {http.StatusNotFound, "There is no such path", 0},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "The path does not take this method", 0},
	NotAcceptable:    {http.StatusNotAcceptable, "The answer cannot be given in this form", 0},
	TooLarge:         {http.StatusRequestEntityTooLarge, "The request is too large", 0},
	UnsupportedMedia: {http.StatusUnsupportedMediaType, "Send JSON", 0},
	TimedOut:         {http.StatusRequestTimeout, "The request took too long to arrive", 0},
	KeyReused:        {http.StatusUnprocessableEntity, "The Idempotency-Key was used for another request", 0},
	Contended:        {http.StatusServiceUnavailable, "Too many write here at once", 1},
	ViewBehind:       {http.StatusServiceUnavailable, "The view has not read that far yet", 1},
	ViewRebuilding:   {http.StatusServiceUnavailable, "The view is being made anew for this version", 10},
	Overloaded:       {http.StatusServiceUnavailable, "Too many wait here already", 2},
	Unavailable:      {http.StatusServiceUnavailable, "An engine cannot be reached", 5},
	OutcomeUnknown:   {http.StatusServiceUnavailable, "It is not known whether it was done", 1},
	LedgerDiffers:    {http.StatusConflict, "The ledger is not the one that was signed", 0},
	Internal:         {http.StatusInternalServerError, "Something went wrong here", 0},

	domain.CodeInvalid:         {http.StatusUnprocessableEntity, "A value is not allowed", 0},
	domain.CodeAmbiguousTime:   {http.StatusUnprocessableEntity, "The clock shows that time twice", 0},
	domain.CodeBadCredentials:  {http.StatusUnauthorized, "Wrong address or password", 0},
	domain.CodeForbidden:       {http.StatusForbidden, "Not yours to do", 0},
	domain.CodeNotFound:        {http.StatusNotFound, "Not found", 0},
	domain.CodeEmailTaken:      {http.StatusConflict, "The address has an account", 0},
	domain.CodeTableNumberUsed: {http.StatusConflict, "The table number is taken", 0},
	domain.CodeZoneInUse:       {http.StatusConflict, "Days are open by the old clocks", 0},
	domain.CodeNotReady:        {http.StatusConflict, "Not ready to publish", 0},
	domain.CodeInPast:          {http.StatusConflict, "The time is past", 0},
	domain.CodeTooSoon:         {http.StatusConflict, "Too short notice", 0},
	domain.CodeTooFarAhead:     {http.StatusConflict, "Not open for booking yet", 0},
	domain.CodeClosed:          {http.StatusConflict, "Closed", 0},
	domain.CodeBlocked:         {http.StatusConflict, "Blocked", 0},
	domain.CodeOutsideHours:    {http.StatusConflict, "Outside the hours", 0},
	domain.CodeOffSlot:         {http.StatusConflict, "Between two slots", 0},
	domain.CodePartyTooLarge:   {http.StatusConflict, "No table is that large", 0},
	domain.CodeNoTable:         {http.StatusConflict, "No table is free", 0},
	domain.CodePacingFull:      {http.StatusConflict, "The kitchen is full", 0},
	domain.CodeHoldExpired:     {http.StatusConflict, "The hold has lapsed", 0},
	domain.CodeCancelled:       {http.StatusConflict, "Already cancelled", 0},
	domain.CodeStarted:         {http.StatusConflict, "The seating has begun", 0},
	domain.CodeCompleted:       {http.StatusConflict, "The party has left", 0},
	domain.CodeNoShow:          {http.StatusConflict, "The party did not come", 0},
	domain.CodeMovedAway:       {http.StatusConflict, "The reservation is on another day now", 0},
	domain.CodeMoving:          {http.StatusConflict, "The reservation is being moved", 0},
	domain.CodeNotConfirmed:    {http.StatusConflict, "The reservation is not confirmed", 0},
	domain.CodeNotSeated:       {http.StatusConflict, "The party is not seated", 0},
	domain.CodeTooEarly:        {http.StatusConflict, "It is too early for that", 0},
	domain.CodeUndoBlocked:     {http.StatusConflict, "Something later is in the way", 0},
	domain.CodeNothingToUndo:   {http.StatusConflict, "There is nothing to undo", 0},
	domain.CodeNotOverridable:  {http.StatusConflict, "The rule cannot be set aside", 0},
	domain.CodeNotWaiting:      {http.StatusConflict, "The entry does not wait", 0},
	domain.CodeAlreadyWaiting:  {http.StatusConflict, "You are on the waitlist already", 0},
	domain.CodeWaitlistFull:    {http.StatusConflict, "The waitlist is full", 0},
	domain.CodeNotMoving:       {http.StatusConflict, "No such move is under way", 0},
	domain.CodeDecisionNeeded:  {http.StatusConflict, "Reservations are touched", 0},
	domain.CodeWithdrawn:       {http.StatusConflict, "It was taken back with its import", 0},
	domain.CodeImportRunning:   {http.StatusConflict, "Another import is not ended", 0},
	domain.CodeNotOpened:       {http.StatusConflict, "The day is not open", 0},
	domain.CodeLaterEntries:    {http.StatusConflict, "The day has later entries", 0},
}

// Codes lists every code there is.
func Codes() []domain.Code {
	codes := make([]domain.Code, 0, len(kinds))
	for c := range kinds {
		codes = append(codes, c)
	}
	return codes
}

// Problem is one refusal. It is an error, so a handler returns it.
type Problem struct {
	Type         string        `json:"type" doc:"where the code is explained"`
	Title        string        `json:"title"`
	Status       int           `json:"status"`
	Detail       string        `json:"detail,omitempty"`
	Code         domain.Code   `json:"code" doc:"stable: decide by it"`
	RequestID    string        `json:"requestId,omitempty"`
	Errors       []Field       `json:"errors,omitempty" doc:"the values that are not allowed"`
	Reasons      []Reason      `json:"reasons,omitempty" doc:"the rules in the way, and the entries"`
	Alternatives []Alternative `json:"alternatives,omitempty" doc:"near slots that would be accepted, those of the same day first"`

	retryAfter int
	cause      error
}

// Field is one value of the request that is not allowed.
type Field struct {
	Location string `json:"location"`
	Message  string `json:"message"`
}

// Reason is one rule in the way.
type Reason struct {
	Rule     string  `json:"rule"`
	Limit    int64   `json:"limit,omitempty"`
	Actual   int64   `json:"actual,omitempty"`
	LimitAt  string  `json:"limitAt,omitempty" format:"date-time" doc:"the limit of a rule about an instant"`
	ActualAt string  `json:"actualAt,omitempty" format:"date-time" doc:"and what it was held against"`
	Date     string  `json:"date,omitempty" doc:"the service date it is about, where that is not the one addressed"`
	Entries  []Entry `json:"entries,omitempty"`
}

// Entry is a promise that holds what was asked for.
type Entry struct {
	ReservationID string `json:"reservationId,omitempty" doc:"only for the restaurant's staff"`
	TableID       string `json:"tableId"`
	Until         string `json:"until,omitempty" doc:"when the table is free again; missing where no time is involved"`
	Hold          bool   `json:"hold" doc:"a hold, which may lapse before"`
}

// Alternative is a slot that would be accepted.
type Alternative struct {
	Time     string `json:"time"`
	StartsAt string `json:"startsAt"`
	Date     string `json:"date,omitempty" doc:"the service date it is on, where that is not the one addressed"`
}

// New makes a problem of a code; one that is not in the table is an internal error.
func New(code domain.Code, detail string) *Problem {
	k, ok := kinds[code]
	if !ok {
		return Because(fmt.Errorf("problem: unknown code %q: %s", code, detail))
	}
	return &Problem{Type: "/errors/" + string(code), Title: k.title, Status: k.status, Detail: detail, Code: code, retryAfter: k.retryAfter}
}

// Because makes an internal error, whose cause is for the log alone.
func Because(cause error) *Problem {
	k := kinds[Internal]
	return &Problem{
		Type: "/errors/" + string(Internal), Title: k.title, Status: k.status, Code: Internal, cause: cause,
		Detail: "It was not your request. The request id helps us find the cause.",
	}
}

// Unreachable says that an engine which answers this request cannot be reached. Why is for
// the log alone.
func Unreachable(engine string, cause error) *Problem {
	p := New(Unavailable, "the "+engine+" cannot be reached; nothing was changed")
	p.cause = cause
	return p
}

// FromRejection makes a problem of a decider's no. id names an entry of the day that was
// addressed, or is nil where the asker may not know of it.
func FromRejection(r *domain.Rejection, at func(domain.Instant) string, id func(number uint32) string) *Problem {
	p := New(r.Code, r.Detail)
	for _, why := range r.Reasons {
		if r.Code == domain.CodeInvalid {
			// A value that only the domain could refuse is told where the form's checks tell theirs.
			p.Errors = append(p.Errors, Field{Location: "body." + camel(why.Rule), Message: r.Detail})
			continue
		}
		reason := Reason{Rule: why.Rule, Limit: why.Limit, Actual: why.Actual}
		if why.LimitAt != 0 {
			reason.LimitAt = at(why.LimitAt)
		}
		if why.ActualAt != 0 {
			reason.ActualAt = at(why.ActualAt)
		}
		if why.Date != 0 {
			reason.Date = why.Date.String()
		}
		for _, b := range why.Blocked {
			e := Entry{TableID: string(b.Table), Hold: b.Hold}
			if b.Until != 0 {
				e.Until = at(b.Until)
			}
			if id != nil {
				e.ReservationID = id(b.Number)
			}
			reason.Entries = append(reason.Entries, e)
		}
		p.Reasons = append(p.Reasons, reason)
	}
	for _, a := range r.Alternatives {
		other := Alternative{Time: a.Time, StartsAt: at(a.StartsAt)}
		if a.Date != 0 {
			other.Date = a.Date.String()
		}
		p.Alternatives = append(p.Alternatives, other)
	}
	return p
}

// camel turns a rule's name into a field's: time_zone into timeZone.
func camel(rule string) string {
	words := strings.Split(rule, "_")
	for i, w := range words[1:] {
		if w != "" {
			words[i+1] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, "")
}

// From makes a problem of any error; what it does not know is an internal error.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	if no, ok := domain.Rejected(err); ok {
		return FromRejection(no, domain.Instant.String, nil)
	}
	return Because(err)
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// Unwrap returns the cause that is for the log alone, if there is one.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the content type of the answer.
func (p *Problem) ContentType(string) string { return ContentType }

// RetryAfter is in how many seconds to try again; 0 where that changes nothing.
func (p *Problem) RetryAfter() int { return p.retryAfter }

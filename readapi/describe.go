package readapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"daybook/domain"
	"daybook/internal/problem"
)

// The description of the API says for each operation which codes it answers with. Those that
// follow from what an operation takes are added by describe; refusals lists the rest, which
// only the rules behind the operation know. An operation without a row fails a test.
var refusals = map[string][]domain.Code{
	"register-user": {domain.CodeEmailTaken},
	"log-in":        {domain.CodeBadCredentials},

	"register-restaurant": {},
	"search-restaurants":  {},
	"read-restaurant":     {domain.CodeNotFound},
	"change-restaurant":   {domain.CodeNotFound, domain.CodeForbidden, domain.CodeZoneInUse},
	"set-hours":           {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"set-policy":          {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"publish-restaurant":  {domain.CodeNotFound, domain.CodeForbidden, domain.CodeNotReady},
	"add-table":           {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded, domain.CodeTableNumberUsed},
	"change-table":        {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded, domain.CodeTableNumberUsed},
	"remove-table":        {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"add-combination":     {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"remove-combination":  {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"set-special-day":     {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"remove-special-day":  {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"add-closure":         {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"remove-closure":      {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"add-block":           {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},
	"remove-block":        {domain.CodeNotFound, domain.CodeForbidden, domain.CodeDecisionNeeded},

	"read-availability":   {domain.CodeNotFound},
	"stream-availability": {domain.CodeNotFound, problem.Overloaded},
	"read-calendar":       {domain.CodeNotFound},
	"reserve": {
		domain.CodeNotFound, domain.CodeInPast, domain.CodeTooSoon, domain.CodeTooFarAhead, domain.CodeClosed, domain.CodeOutsideHours,
		domain.CodeOffSlot, domain.CodeAmbiguousTime, domain.CodePartyTooLarge, domain.CodeNoTable, domain.CodePacingFull, domain.CodeBlocked,
		domain.CodeForbidden, domain.CodeNotOverridable,
	},
	"confirm-reservation": ofReservation(domain.CodeHoldExpired, domain.CodeCancelled),
	"cancel-reservation":  ofReservation(domain.CodeHoldExpired, domain.CodeStarted),
	"amend-reservation": ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeStarted, domain.CodeInPast,
		domain.CodeTooSoon, domain.CodeTooFarAhead, domain.CodeClosed, domain.CodeOutsideHours, domain.CodeOffSlot, domain.CodeAmbiguousTime,
		domain.CodePartyTooLarge, domain.CodeNoTable, domain.CodePacingFull, domain.CodeBlocked, domain.CodeNotOverridable,
		domain.CodeNotConfirmed, domain.CodeNotMoving),
	"read-reservation": {domain.CodeNotFound},
	"own-reservations": {},
	"account-history":  {},

	"seat-party": ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeNotConfirmed, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeTooEarly,
		domain.CodeNoTable, domain.CodeBlocked),
	"complete-seating": ofReservation(domain.CodeForbidden, domain.CodeNotConfirmed, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeNotSeated),
	"mark-no-show": ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeNotConfirmed, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeStarted,
		domain.CodeTooEarly),
	"reinstate-reservation": ofReservation(domain.CodeForbidden, domain.CodeNotConfirmed, domain.CodeHoldExpired, domain.CodeInPast, domain.CodeNoTable,
		domain.CodeBlocked, domain.CodePacingFull, domain.CodeClosed, domain.CodeOutsideHours, domain.CodeOffSlot, domain.CodeNotOverridable),
	"move-table":  ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeNoTable, domain.CodeBlocked),
	"pin-table":   ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeHoldExpired, domain.CodeCancelled),
	"unpin-table": ofReservation(domain.CodeForbidden, domain.CodeMoving, domain.CodeHoldExpired, domain.CodeCancelled, domain.CodeStarted),
	"seat-walk-in": {
		domain.CodeNotFound, domain.CodeForbidden, domain.CodeClosed, domain.CodeOutsideHours, domain.CodePartyTooLarge, domain.CodePacingFull,
		domain.CodeNoTable, domain.CodeBlocked, domain.CodeNotWaiting, domain.CodeNotOverridable,
	},
	"undo-action": {domain.CodeNotFound, domain.CodeForbidden, domain.CodeNotOpened, domain.CodeNothingToUndo, domain.CodeUndoBlocked},

	"join-waitlist": {
		domain.CodeNotFound, domain.CodeForbidden, domain.CodeInPast, domain.CodeTooSoon, domain.CodeTooFarAhead, domain.CodeClosed,
		domain.CodeOutsideHours, domain.CodePartyTooLarge, domain.CodeAlreadyWaiting, domain.CodeWaitlistFull,
	},
	"read-waitlist-entry": {domain.CodeNotFound},
	"leave-waitlist":      {domain.CodeNotFound, domain.CodeNotWaiting},
	"accept-offer":        ofReservation(domain.CodeNotWaiting, domain.CodeHoldExpired, domain.CodeCancelled),

	"read-day":            {domain.CodeNotFound, domain.CodeForbidden, domain.CodeInPast, domain.CodeTooFarAhead, domain.CodeClosed},
	"report-covers":       {domain.CodeNotFound, domain.CodeForbidden},
	"report-no-shows":     {domain.CodeNotFound, domain.CodeForbidden},
	"report-lead-times":   {domain.CodeNotFound, domain.CodeForbidden},
	"report-utilisation":  {domain.CodeNotFound, domain.CodeForbidden},
	"report-refusals":     {domain.CodeNotFound, domain.CodeForbidden},
	"ask-what-if":         {domain.CodeNotFound, domain.CodeForbidden, problem.Overloaded},
	"audit":               {domain.CodeNotFound, domain.CodeForbidden},
	"ledger-events":       {domain.CodeNotFound, domain.CodeForbidden, problem.Overloaded},
	"reservation-history": {domain.CodeNotFound},

	"record-import": {domain.CodeNotFound, domain.CodeForbidden, domain.CodeImportRunning},
	"list-imports":  {domain.CodeNotFound, domain.CodeForbidden},
	"read-import":   {domain.CodeNotFound, domain.CodeForbidden},
	"undo-import":   {domain.CodeNotFound, domain.CodeForbidden, domain.CodeImportRunning},

	"create-webhook":        {domain.CodeNotFound, domain.CodeForbidden},
	"change-webhook":        {domain.CodeNotFound, domain.CodeForbidden},
	"remove-webhook":        {domain.CodeNotFound, domain.CodeForbidden},
	"pause-webhook":         {domain.CodeNotFound, domain.CodeForbidden},
	"resume-webhook":        {domain.CodeNotFound, domain.CodeForbidden},
	"rotate-webhook-secret": {domain.CodeNotFound, domain.CodeForbidden},
	"replay-webhook":        {domain.CodeNotFound, domain.CodeForbidden},
	"test-webhook":          {domain.CodeNotFound, domain.CodeForbidden},
	"list-webhooks":         {domain.CodeNotFound, domain.CodeForbidden},
	"read-webhook":          {domain.CodeNotFound, domain.CodeForbidden},
	"list-deliveries":       {domain.CodeNotFound, domain.CodeForbidden},
	"read-checkpoint":       {problem.LedgerDiffers},
	"prove-inclusion":       {domain.CodeNotFound, problem.LedgerDiffers},
	"prove-consistency":     {problem.LedgerDiffers},
	"read-verifier-key":     {},
	"read-receipt":          {domain.CodeNotFound, problem.LedgerDiffers},
	"read-waitlist-receipt": {domain.CodeNotFound, problem.LedgerDiffers},
}

// ofReservation is these codes, and those with which any command about one reservation may
// be refused.
func ofReservation(codes ...domain.Code) []domain.Code {
	return append(codes, domain.CodeNotFound, domain.CodeCompleted, domain.CodeNoShow, domain.CodeMovedAway)
}

// examples are bodies that the form of the request accepts.
var examples = map[string]string{
	"register-user":       `{"email": "ada@example.com", "password": "correct horse battery", "firstName": "Ada", "lastName": "Reed"}`,
	"log-in":              `{"email": "ada@example.com", "password": "correct horse battery"}`,
	"register-restaurant": `{"name": "Zur Linde", "cuisine": "German", "address": "Auguststrasse 12", "city": "Berlin", "timeZone": "Europe/Berlin", "priceLevel": 2}`,
	"change-restaurant":   `{"description": "Seasonal cooking under a lime tree.", "features": ["terrace", "vegetarian"]}`,
	"set-hours":           `{"shifts": [{"days": ["fri", "sat"], "name": "Dinner", "opens": "17:00", "lastSeating": "23:30", "closes": "01:00", "slotMinutes": 30}], "specialDays": [{"date": "2026-12-25", "name": "Christmas Day", "shifts": []}]}`,
	"set-policy":          `{"holdMinutes": 10, "horizonDays": 60, "noticeMinutes": 60, "turnMinutes": [{"upToParty": 2, "minutes": 90}, {"upToParty": 12, "minutes": 120}], "bufferMinutes": 10, "pacingCovers": 24, "cancelMinutes": 1440, "waitlistOfferMinutes": 10, "tableBinding": "late"}`,
	"add-table":           `{"number": "7", "minCapacity": 2, "capacity": 4, "area": "Terrace"}`,
	"change-table":        `{"capacity": 6}`,
	"add-combination":     `{"tableIds": ["tbl_…", "tbl_…"], "minCapacity": 5, "capacity": 8}`,
	"set-special-day":     `{"name": "New Year's Eve", "shifts": [{"name": "Menu", "opens": "19:00", "lastSeating": "20:00", "closes": "01:00", "slotMinutes": 30, "turnMinutes": [{"upToParty": 500, "minutes": 300}]}]}`,
	"add-closure":         `{"from": "2026-08-03", "to": "2026-08-16", "reason": "Summer holidays", "onOpenDays": {"seen": [{"date": "2026-08-03", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "cancel", "message": "We are closed that week; please choose another."}], "default": "keep"}}`,
	"add-block":           `{"date": "2026-12-05", "from": "18:00", "to": "22:30", "tableIds": ["tbl_…"], "reason": "a wobbly leg"}`,
	"remove-table":        `{"onOpenDays": {"seen": [{"date": "2026-12-05", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "move"}], "default": "keep"}}`,
	"remove-combination":  `{"onOpenDays": {"seen": [{"date": "2026-12-05", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "move"}], "default": "keep"}}`,
	"remove-special-day":  `{"onOpenDays": {"seen": [{"date": "2026-12-05", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "move"}], "default": "keep"}}`,
	"remove-closure":      `{"onOpenDays": {"seen": [{"date": "2026-12-05", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "move"}], "default": "keep"}}`,
	"remove-block":        `{"onOpenDays": {"seen": [{"date": "2026-12-05", "revision": 41}], "decisions": [{"reservationId": "rsv_…", "do": "move"}], "default": "keep"}}`,
	"reserve":             `{"restaurantId": "rst_…", "date": "2026-12-05", "time": "19:30", "party": 4, "notes": "a high chair, please"}`,
	"cancel-reservation":  `{"reason": "the plane is late"}`,
	"amend-reservation":   `{"time": "20:00", "party": 5, "notes": "a high chair, and room for a pram"}`,

	"record-import": `{"batch": "spring-2027", "mapping": {"source": "old-book", "columns": {"externalId": "no", "date": "day", "time": "time", "party": "covers"}},` +
		` "data": "no,day,time,covers\n17,2027-03-20,19:00,4\n"}`,
	"undo-import":           `{"force": false}`,
	"create-webhook":        `{"url": "https://hooks.example.com/daybook", "description": "the till", "events": ["reservation.", "waitlist."]}`,
	"change-webhook":        `{"url": "https://hooks.example.com/in", "events": []}`,
	"rotate-webhook-secret": `{"overlapMinutes": 60}`,
	"replay-webhook":        `{"after": 41}`,

	"seat-party":            `{"covers": 2}`,
	"move-table":            `{"tableIds": ["tbl_…"]}`,
	"reinstate-reservation": `{"override": {"rule": "pacing_full", "reason": "they were here all along"}}`,
	"seat-walk-in":          `{"party": 2, "area": "Terrace", "guest": {"name": "Greta"}}`,
	"undo-action":           `{"reservationId": "rsv_…"}`,
	"ask-what-if":           `{"from": "2026-11-01", "to": "2026-11-30", "plan": {"turnMinutesBy": -30, "policy": {"pacingCovers": 24}}, "spendPerCover": {"amount": 3250, "currency": "EUR"}}`,
	"join-waitlist":         `{"restaurantId": "rst_…", "date": "2026-12-05", "from": "19:00", "to": "20:30", "party": 4}`,
}

// tags order the operations.
var tags = []*huma.Tag{
	{Name: "People", Description: "Accounts, and logging in."},
	{Name: "Restaurants", Description: "A restaurant, its tables, its hours and its policy. Its owner changes them; everybody reads them."},
	{Name: "Booking", Description: "What is free, holding a table, confirming, amending, cancelling."},
	{Name: "Waitlist", Description: "Waiting for what becomes free, and accepting what is offered."},
	{Name: "Floor", Description: "An evening as it goes: seating, walk-ins, no-shows, tables, and taking back what was a mistake. Only the restaurant's own people do that, and see the board."},
	{Name: "Reports", Description: "What a restaurant's days came to, in figures; of now, or as it was told at any moment before."},
	{Name: "Imports", Description: "Bookings of another system, recorded as they are there: nothing is refused for want of room, conflicts are flagged for staff, and a batch can be taken back."},
	{Name: "Webhooks", Description: "Having others told of what happens: signed messages, at least once and in order, sent again until they are acknowledged, and again from any place of the ledger. The restaurant's owner's alone."},
	{Name: "Ledger", Description: "Every change that was made, by whom, and when, and the proof that nobody altered it since."},
}

const description = `A reservation ledger: hold a table, confirm it, and read every change that was made.

Whatever changes something carries an Idempotency-Key of your own making. The same key and body get the same answer, however often they are sent, so send again, with the same key, whenever no answer comes.

An accepted write answers with Ledger-Position. A read that carries it as Min-Ledger-Position sees that write.

A refusal is application/problem+json with a stable code: decide by it. Its type is the address of a page about it.`

// describe completes what huma made of the routes.
func describe(d *huma.OpenAPI) {
	d.Info.Description = description
	d.Info.License = &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"}
	d.Servers = []*huma.Server{{URL: "/"}}
	d.Tags = tags
	d.Security = []map[string][]string{{}} // nobody need log in, but where an operation says so
	if bearer := d.Components.SecuritySchemes["bearer"]; bearer != nil {
		bearer.Description = "accessToken as POST /users/login or /users/register answers with"
	}
	var all []any
	for _, code := range problem.Codes() {
		all = append(all, string(code))
	}
	slices.SortFunc(all, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	d.Components.Schemas.Map()["Problem"].Properties["code"].Enum = all
	for _, item := range d.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil {
				describeOperation(op)
			}
		}
	}
}

func describeOperation(op *huma.Operation) {
	codes := append([]domain.Code{domain.CodeInvalid, problem.Unavailable, problem.Internal}, refusals[op.OperationID]...)
	for _, p := range op.Parameters {
		if p.Schema != nil {
			p.Schema.Description = "" // it is the parameter's
		}
		switch p.Name {
		case "Idempotency-Key":
			// It is required, but by the handler: huma would refuse with a code of the form.
			p.Required = true
			codes = append(codes, problem.KeyMissing, problem.KeyReused, problem.Contended, problem.Overloaded, problem.OutcomeUnknown)
		case "Min-Ledger-Position":
			codes = append(codes, problem.ViewBehind, problem.ViewRebuilding)
		}
	}
	if op.RequestBody != nil {
		codes = append(codes, problem.Malformed, problem.TooLarge, problem.UnsupportedMedia, problem.TimedOut)
		if example, ok := examples[op.OperationID]; ok {
			op.RequestBody.Content["application/json"].Example = json.RawMessage(example)
		}
	}
	if len(op.Security) > 0 {
		codes = append(codes, problem.Unauthenticated)
	}
	describeAnswers(op, codes)
}

// describeAnswers replaces huma's answers of refusal by what codes say.
func describeAnswers(op *huma.Operation, codes []domain.Code) {
	var form *huma.MediaType
	for status, answer := range op.Responses {
		if n, err := strconv.Atoi(status); err == nil && n < 400 {
			for _, h := range answer.Headers {
				h.Description, h.Schema.Description = h.Schema.Description, ""
			}
			continue
		}
		if m := answer.Content[problem.ContentType]; m != nil {
			form = m
		}
		delete(op.Responses, status)
	}
	byStatus := map[int][]string{}
	for _, code := range codes {
		status := problem.New(code, "").Status
		byStatus[status] = append(byStatus[status], string(code))
	}
	for status, of := range byStatus {
		slices.Sort(of)
		answer := &huma.Response{
			Description: fmt.Sprintf("%s: `%s`", http.StatusText(status), strings.Join(of, "`, `")),
			Content:     map[string]*huma.MediaType{problem.ContentType: form},
			Extensions:  map[string]any{"x-codes": of},
		}
		switch status {
		case http.StatusServiceUnavailable:
			answer.Headers = map[string]*huma.Param{"Retry-After": {
				Description: "in how many seconds to send it again", Required: true, Schema: &huma.Schema{Type: "integer"},
			}}
		case http.StatusUnauthorized:
			if len(op.Security) > 0 {
				answer.Headers = map[string]*huma.Param{"WWW-Authenticate": {Required: true, Schema: &huma.Schema{Type: "string"}}}
			}
		}
		op.Responses[strconv.Itoa(status)] = answer
	}
}

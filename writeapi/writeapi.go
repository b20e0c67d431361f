// Package writeapi is where commands come in over HTTP: one route a use case.
//
// What belongs here: the shape of requests, and turning them into commands and receipts
// into answers. Rules are domain's, retrying and idempotency are commands', and reading is
// readapi's; this room knows nothing of views.
package writeapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// Tokens makes access tokens.
type Tokens interface {
	Access(user string) (token string, expiresIn time.Duration, err error)
}

type writes struct {
	app    commands.UseCases
	tokens Tokens
}

// Register adds the routes that change something.
func Register(api *httpapi.API, app commands.UseCases, tokens Tokens) {
	w := &writes{app: app, tokens: tokens}
	w.users(api)
	w.restaurants(api)
	w.calendar(api)
	w.floor(api)
	w.imports(api)
	w.reservations(api)
	w.amending(api)
	w.evening(api)
	w.waitlist(api)
	w.webhooks(api)
}

// Keyed is a request that is recognised when it comes again.
type Keyed struct {
	Key string `header:"Idempotency-Key" maxLength:"255" doc:"of your own making, such as a UUID: the same key and body get the same answer, however often they are sent"`
}

// Written is what an answer to a write carries beside its body.
type Written struct {
	Position uint64 `header:"Ledger-Position" doc:"send it as Min-Ledger-Position to read what was written"`
	Replay   string `header:"Idempotent-Replay" doc:"true where this is the first answer again"`
}

func wrote(at eventstore.Position, replayed bool) Written {
	w := Written{Position: uint64(at)}
	if replayed {
		w.Replay = "true"
	}
	return w
}

// answer is a write's whole answer.
type answer[B any] struct {
	Written
	Body B
}

// caller makes the caller of a request. body is what a repeat must equal; a nil body is none.
func caller(ctx context.Context, op *huma.Operation, k Keyed, body any) (commands.Caller, error) {
	if k.Key == "" {
		return commands.Caller{}, problem.New(problem.KeyMissing,
			"send an Idempotency-Key header of your own making, such as a UUID; send the same one again if no answer comes")
	}
	canonical, err := json.Marshal(body)
	if err != nil {
		return commands.Caller{}, fmt.Errorf("writeapi: canonical form of %s: %w", op.OperationID, err)
	}
	return commands.Caller{
		User: httpapi.User(ctx), Route: op.Method + " " + op.Path, Key: k.Key, Body: canonical, RequestID: httpapi.RequestID(ctx),
	}, nil
}

// refused turns what commands answer into problems.
func refused(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, commands.ErrKeyReused):
		return problem.New(problem.KeyReused, "take a new Idempotency-Key for a new request")
	case errors.Is(err, commands.ErrContended):
		return problem.New(problem.Contended, "send it again with the same Idempotency-Key")
	case errors.Is(err, commands.ErrOverloaded):
		return problem.New(problem.Overloaded, "send it again with the same Idempotency-Key")
	}
	if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeInvalid {
		return invalid(no)
	}
	return err
}

// places are the values of a body that rules of another name are for.
var places = map[string]string{
	"table_number": "number", "shift_name": "shifts", "days": "shifts", "opens": "shifts", "last_seating": "shifts", "closes": "shifts",
	"slot_minutes": "shifts", "shift_turn_minutes": "shifts", "shift_pacing_covers": "shifts", "special_day_name": "name", "guest_name": "guest.name", "guest_email": "guest.email", "guest_phone": "guest.phone",
	"tables": "tableIds", "webhooks": "url", "source": "mapping.source",
}

// invalid is the problem of a value that only the domain could refuse.
func invalid(no *domain.Rejection) *problem.Problem {
	p := problem.From(no)
	for i, why := range no.Reasons {
		rule, index, _ := strings.Cut(why.Rule, "[")
		if place, other := places[rule]; other {
			if p.Errors[i].Location = "body." + place; index != "" {
				p.Errors[i].Location += "[" + index
			}
		}
	}
	return p
}

// ofPath says of a value that it stands in the path, where it was taken for one of the body.
func ofPath(err error, name string) error {
	var p *problem.Problem
	if errors.As(err, &p) {
		for i := range p.Errors {
			if p.Errors[i].Location == "body."+name {
				p.Errors[i].Location = "path." + name
			}
		}
	}
	return err
}

// within refuses a part of a form that stands at place.
func within(place string, err error) *problem.Problem {
	var part *httpapi.AtError
	if errors.As(err, &part) {
		place += "." + part.Place
	}
	return field(place, err)
}

// field refuses one value of a request.
func field(location string, err error) *problem.Problem {
	p := problem.New(domain.CodeInvalid, err.Error())
	p.Errors = []problem.Field{{Location: location, Message: err.Error()}}
	return p
}

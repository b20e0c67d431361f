package readapi

import (
	"context"
	"net/http"
	"strconv"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/projections/deliveries"
)

// webhookStanding is a webhook and how far it has come.
type webhookStanding struct {
	httpapi.Webhook
	Position     uint64 `json:"position" doc:"all that stands in the ledger up to here was entered for sending"`
	Behind       uint64 `json:"behind" doc:"positions of the ledger from there to its end, which are not numbered without gaps; 0 where it has caught up"`
	Pending      int    `json:"pending" doc:"events that were entered, and not acknowledged"`
	OldestAt     string `json:"oldestAt,omitempty" format:"date-time" doc:"when the oldest of them was decided"`
	NextAttempt  string `json:"nextAttemptAt,omitempty" format:"date-time" doc:"when the next of them is due"`
	DeliveredAt  string `json:"deliveredAt,omitempty" format:"date-time" doc:"when its receiver last acknowledged something"`
	FailingSince string `json:"failingSince,omitempty" format:"date-time" doc:"since when its receiver has acknowledged nothing"`
}

// deliverySeen is one event on its way to a receiver, or there.
type deliverySeen struct {
	MessageID   string       `json:"messageId" doc:"the webhook-id header, the same whenever it is sent"`
	EventID     string       `json:"eventId"`
	Type        string       `json:"type"`
	Test        bool         `json:"test,omitempty"`
	Position    uint64       `json:"position"`
	DecidedAt   string       `json:"decidedAt" format:"date-time"`
	Status      string       `json:"status" enum:"pending,delivered,superseded,gave_up" doc:"superseded: another place in the ledger was asked for before; gave_up: a test that was not taken"`
	Attempts    int          `json:"attempts"`
	NextAttempt string       `json:"nextAttemptAt,omitempty" format:"date-time"`
	Last        *attemptSeen `json:"lastAttempt,omitempty"`
}

type attemptSeen struct {
	At      string `json:"at" format:"date-time"`
	Took    int64  `json:"tookMs"`
	Code    int    `json:"responseCode,omitempty" doc:"missing where there was no answer"`
	Failure string `json:"failure,omitempty" enum:"refused,gone,timeout,unreachable,unknown_host,tls,private_address"`
	Answer  string `json:"answer,omitempty" doc:"the first bytes of the answer"`
}

func (r *reads) webhooks(api *httpapi.API) {
	list := get("list-webhooks", "/restaurants/{id}/webhooks", "Who is told of what happens, and how far they have come", "Webhooks")
	list.Security, list.Errors = httpapi.LoggedIn, append(list.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, list, func(ctx context.Context, in *struct {
		After
		ID string `path:"id" doc:"the restaurant's id, rst_…"`
	}) (*body[page[webhookStanding]], error) {
		all, err := r.webhooksOf(ctx, in.After, in.ID)
		if err != nil {
			return nil, err
		}
		return &body[page[webhookStanding]]{page[webhookStanding]{Items: all.bodies()}}, nil
	})

	one := get("read-webhook", "/restaurants/{id}/webhooks/{webhookId}", "Read a webhook, and how far it has come", "Webhooks")
	one.Security, one.Errors = httpapi.LoggedIn, append(one.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, one, func(ctx context.Context, in *struct {
		After
		ID        string `path:"id" doc:"the restaurant's id, rst_…"`
		WebhookID string `path:"webhookId" doc:"the webhook's id, whk_…"`
	}) (*body[webhookStanding], error) {
		all, w, err := r.webhookOf(ctx, in.After, in.ID, in.WebhookID)
		if err != nil {
			return nil, err
		}
		return &body[webhookStanding]{all.body(w)}, nil
	})

	sent := get("list-deliveries", "/restaurants/{id}/webhooks/{webhookId}/deliveries", "What was sent to a receiver and what waits, newest first", "Webhooks")
	sent.Description = "All that waits, and the last 1000 of the others."
	sent.Security, sent.Errors = httpapi.LoggedIn, append(sent.Errors, http.StatusNotFound, http.StatusForbidden)
	httpapi.Handle(api, sent, func(ctx context.Context, in *struct {
		After
		Paging
		ID        string `path:"id" doc:"the restaurant's id, rst_…"`
		WebhookID string `path:"webhookId" doc:"the webhook's id, whk_…"`
		Status    string `query:"status" enum:"pending,delivered,superseded,gave_up"`
	}) (*body[page[deliverySeen]], error) {
		all, w, err := r.webhookOf(ctx, in.After, in.ID, in.WebhookID)
		if err != nil {
			return nil, err
		}
		q := deliveries.Query{Webhook: w.ID, Status: webhook.DeliveryStatus(in.Status), Limit: in.Limit}
		if in.Cursor != "" {
			if q.Before, err = strconv.ParseUint(in.Cursor, 10, 63); err != nil || q.Before == 0 {
				return nil, badQuery("cursor", "the cursor is not one that this list gave out")
			}
		}
		found, err := r.Deliveries.List(ctx, q)
		if err != nil {
			return nil, ofEngine("database of deliveries", err)
		}
		out := page[deliverySeen]{Items: make([]deliverySeen, len(found))}
		for i, d := range found {
			out.Items[i] = deliveryOf(d, all.zone)
		}
		if n := len(found); n == in.Limit {
			out.NextCursor = strconv.FormatUint(found[n-1].Entry, 10)
		}
		return &body[page[deliverySeen]]{out}, nil
	})
}

// webhooksRead is a restaurant's webhooks as its owner sees them.
type webhooksRead struct {
	state     webhook.State
	standings map[domain.WebhookID]webhook.Standing
	head      eventstore.Position
	zone      string
}

// webhooksOf reads a restaurant's webhooks for its owner.
func (r *reads) webhooksOf(ctx context.Context, a After, id string) (w webhooksRead, err error) {
	restaurant, _, err := r.restaurant(ctx, a, id)
	if err != nil {
		return w, err
	}
	if user := httpapi.User(ctx); user == "" || user != restaurant.Owner {
		return w, domain.Reject(domain.CodeForbidden, "only the restaurant's owner has to do with its webhooks")
	}
	if w.state, err = r.Book.Webhooks(ctx, restaurant.ID); err != nil {
		return w, err
	}
	if w.head, err = r.Head(ctx); err != nil {
		return w, err
	}
	found, err := r.Deliveries.Of(ctx, restaurant.ID)
	if err != nil {
		return w, ofEngine("database of deliveries", err)
	}
	w.zone, w.standings = restaurant.Profile.TimeZone, make(map[domain.WebhookID]webhook.Standing, len(found))
	for _, s := range found {
		w.standings[s.Webhook] = s
	}
	return w, nil
}

// webhookOf is one of them, beside all.
func (r *reads) webhookOf(ctx context.Context, a After, id, hook string) (webhooksRead, webhook.Webhook, error) {
	all, err := r.webhooksOf(ctx, a, id)
	if err != nil {
		return all, webhook.Webhook{}, err
	}
	w, ok := all.state.Webhook(domain.WebhookID(hook))
	if !ok {
		return all, w, notFound("webhook")
	}
	return all, w, nil
}

func (w webhooksRead) bodies() []webhookStanding {
	list := make([]webhookStanding, len(w.state.Webhooks))
	for i, hook := range w.state.Webhooks {
		list[i] = w.body(hook)
	}
	return list
}

func (w webhooksRead) body(hook webhook.Webhook) webhookStanding {
	at, s := httpapi.InZone(w.zone), w.standings[hook.ID]
	b := webhookStanding{
		Webhook: httpapi.WebhookOf(hook, w.zone), Position: s.Position, Pending: s.Pending, OldestAt: at(s.Oldest),
		DeliveredAt: at(s.DeliveredAt), FailingSince: at(s.FailingSince),
	}
	if hook.Status == webhook.StatusActive {
		b.NextAttempt = at(s.NextAt)
	}
	if s.Webhook != "" && uint64(w.head) > s.Position {
		b.Behind = uint64(w.head) - s.Position
	}
	return b
}

func deliveryOf(d webhook.Delivery, zone string) deliverySeen {
	at := httpapi.InZone(zone)
	b := deliverySeen{
		MessageID: webhook.MessageID(d.Webhook, d.Event), EventID: eventstore.EventID(d.Event).String(), Type: d.Type, Test: d.Test(),
		Position: d.Position, DecidedAt: at(d.DecidedAt), Status: string(d.Status), Attempts: d.Attempts, NextAttempt: at(d.NextAt),
	}
	if d.Last != (webhook.Attempt{}) {
		b.Last = &attemptSeen{At: at(d.Last.At), Took: d.Last.Took, Code: d.Last.Code, Failure: string(d.Last.Failure), Answer: d.Last.Answer}
	}
	return b
}

package writeapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"daybook/commands"
	"daybook/domain"
	"daybook/internal/httpapi"
)

type webhookBody struct {
	URL          string   `json:"url" minLength:"1" maxLength:"2000" doc:"where messages are posted to, https://…"`
	Description  string   `json:"description,omitempty" maxLength:"200" doc:"for yourself"`
	Events       []string `json:"events,omitempty" maxItems:"40" doc:"starts of the types of events to be sent, such as reservation. or waitlist.offered; all by default"`
	PersonalData bool     `json:"personalData,omitempty" doc:"also send names, addresses, notes and confirmation codes"`
	After        *uint64  `json:"after,omitempty" maximum:"9223372036854775807" doc:"a position of the ledger: what stands after it is sent, 0 for all there is; by default what happens from now on"`
}

type changeWebhookBody struct {
	URL          *string   `json:"url,omitempty" minLength:"1" maxLength:"2000"`
	Description  *string   `json:"description,omitempty" maxLength:"200"`
	Events       *[]string `json:"events,omitempty" maxItems:"40" doc:"all that are to be sent from now on; an empty list for all there are"`
	PersonalData *bool     `json:"personalData,omitempty"`
}

type rotateBody struct {
	OverlapMinutes *int `json:"overlapMinutes,omitempty" minimum:"0" maximum:"10080" doc:"for how long messages are signed with both secrets; a day by default"`
}

// defaultOverlap gives a receiver a day to learn the new secret.
const defaultOverlap = 24 * time.Hour

type replayBody struct {
	After uint64 `json:"after" maximum:"9223372036854775807" doc:"a position of the ledger: what stands after it is sent, also what was sent before; what is outstanding from before it is not"`
}

// secretBody is a webhook with its secret, which is shown this once.
type secretBody struct {
	httpapi.Webhook
	Secret string `json:"secret" doc:"whsec_…: keep it; no other answer shows it"`
}

type webhookIDBody struct {
	WebhookID string `json:"webhookId"`
}

// OneWebhook is a request that addresses one webhook.
type OneWebhook struct {
	About
	WebhookID string `path:"webhookId" doc:"the webhook's id, whk_…"`
}

func (o *OneWebhook) address(ctx context.Context, op *huma.Operation, body any) (commands.Caller, domain.RestaurantID, domain.WebhookID, error) {
	c, id, err := o.About.address(ctx, op, body)
	if err != nil {
		return c, "", "", err
	}
	hook, err := domain.ParseWebhookID(o.WebhookID)
	if err != nil {
		return c, "", "", domain.Reject(domain.CodeNotFound, "no such webhook")
	}
	return c, id, hook, nil
}

func hooking(id, method, path, summary string, status int) huma.Operation {
	op := managing(id, method, "/{id}/webhooks"+path, summary, status)
	op.Tags = []string{"Webhooks"}
	return op
}

func hooked(r commands.Webhooked) *answer[httpapi.Webhook] {
	return &answer[httpapi.Webhook]{wrote(r.Position, r.Replayed), httpapi.WebhookOf(r.Webhook, "")}
}

func withSecret(r commands.Webhooked) *answer[secretBody] {
	b := secretBody{Webhook: httpapi.WebhookOf(r.Webhook, "")}
	if len(r.Webhook.Secrets) > 0 {
		b.Secret = r.Webhook.Secrets[0].Value
	}
	return &answer[secretBody]{wrote(r.Position, r.Replayed), b}
}

// webhooks adds the routes by which an owner has others told of what happens.
func (w *writes) webhooks(api *httpapi.API) {
	create := hooking("create-webhook", http.MethodPost, "", "Have a receiver told of what happens", http.StatusCreated)
	create.Description = "Every event is sent at least once, those of a day in order; docs/webhooks.md says what a receiver has to know."
	httpapi.Handle(api, create, func(ctx context.Context, in *struct {
		About
		Body webhookBody
	}) (*answer[secretBody], error) {
		c, id, err := in.address(ctx, &create, in.Body)
		if err != nil {
			return nil, err
		}
		r, err := w.app.CreateWebhook(ctx, c, id, commands.CreateWebhook{
			URL: in.Body.URL, Description: in.Body.Description, Events: in.Body.Events, Personal: in.Body.PersonalData, After: in.Body.After,
		})
		if err != nil {
			return nil, refused(err)
		}
		return withSecret(r), nil
	})

	change := hooking("change-webhook", http.MethodPatch, "/{webhookId}", "Change where to, of what and how much a receiver is told", http.StatusOK)
	httpapi.Handle(api, change, func(ctx context.Context, in *struct {
		OneWebhook
		Body changeWebhookBody
	}) (*answer[httpapi.Webhook], error) {
		c, id, hook, err := in.address(ctx, &change, in.Body)
		if err != nil {
			return nil, err
		}
		r, err := w.app.ChangeWebhook(ctx, c, id, hook, commands.ChangeWebhook{
			URL: in.Body.URL, Description: in.Body.Description, Events: in.Body.Events, Personal: in.Body.PersonalData,
		})
		if err != nil {
			return nil, refused(err)
		}
		return hooked(r), nil
	})

	rotate := hooking("rotate-webhook-secret", http.MethodPost, "/{webhookId}/rotate-secret", "Sign with another secret", http.StatusOK)
	httpapi.Handle(api, rotate, func(ctx context.Context, in *struct {
		OneWebhook
		Body *rotateBody
	}) (*answer[secretBody], error) {
		overlap := defaultOverlap
		if in.Body != nil && in.Body.OverlapMinutes != nil {
			overlap = time.Duration(*in.Body.OverlapMinutes) * time.Minute
		}
		c, id, hook, err := in.address(ctx, &rotate, overlap)
		if err != nil {
			return nil, err
		}
		r, err := w.app.RotateWebhookSecret(ctx, c, id, hook, overlap)
		if err != nil {
			return nil, refused(err)
		}
		return withSecret(r), nil
	})

	replay := hooking("replay-webhook", http.MethodPost, "/{webhookId}/replay", "Send again from a place of the ledger on, or go on from a later one", http.StatusOK)
	httpapi.Handle(api, replay, func(ctx context.Context, in *struct {
		OneWebhook
		Body replayBody
	}) (*answer[httpapi.Webhook], error) {
		c, id, hook, err := in.address(ctx, &replay, in.Body)
		if err != nil {
			return nil, err
		}
		r, err := w.app.ReplayWebhook(ctx, c, id, hook, in.Body.After)
		if err != nil {
			return nil, refused(err)
		}
		return hooked(r), nil
	})

	remove := hooking("remove-webhook", http.MethodDelete, "/{webhookId}", "Tell a receiver nothing more, for ever", http.StatusOK)
	httpapi.Handle(api, remove, func(ctx context.Context, in *OneWebhook) (*answer[webhookIDBody], error) {
		c, id, hook, err := in.address(ctx, &remove, nil)
		if err != nil {
			return nil, err
		}
		r, err := w.app.RemoveWebhook(ctx, c, id, hook)
		if err != nil {
			return nil, refused(err)
		}
		return &answer[webhookIDBody]{wrote(r.Position, r.Replayed), webhookIDBody{string(hook)}}, nil
	})

	w.plainly(api, hooking("pause-webhook", http.MethodPost, "/{webhookId}/pause", "Send nothing until it is resumed; its place is kept", http.StatusOK),
		commands.UseCases.PauseWebhook)
	w.plainly(api, hooking("resume-webhook", http.MethodPost, "/{webhookId}/resume", "Go on from where it was paused", http.StatusOK),
		commands.UseCases.ResumeWebhook)
	w.plainly(api, hooking("test-webhook", http.MethodPost, "/{webhookId}/test", "Send a message that tells of nothing, once", http.StatusOK),
		commands.UseCases.TestWebhook)
}

// plainly adds a route that takes nothing but the webhook's name.
func (w *writes) plainly(
	api *httpapi.API, op huma.Operation,
	do func(commands.UseCases, context.Context, commands.Caller, domain.RestaurantID, domain.WebhookID) (commands.Webhooked, error),
) {
	httpapi.Handle(api, op, func(ctx context.Context, in *OneWebhook) (*answer[httpapi.Webhook], error) {
		c, id, hook, err := in.address(ctx, &op, nil)
		if err != nil {
			return nil, err
		}
		r, err := do(w.app, ctx, c, id, hook)
		if err != nil {
			return nil, refused(err)
		}
		return hooked(r), nil
	})
}

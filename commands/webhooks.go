package commands

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// CreateWebhook begins to tell a receiver of what happens at a restaurant.
type CreateWebhook struct {
	URL         string
	Description string
	Events      []string // starts of event types, such as "reservation."; none for all
	Personal    bool     // also what is personal
	After       *uint64  // what stands after this position of the ledger; nil for what happens from now on
}

// ChangeWebhook changes what is not nil.
type ChangeWebhook struct {
	URL         *string
	Description *string
	Events      *[]string
	Personal    *bool
}

// Webhooked is what an accepted command about a webhook answers with.
type Webhooked struct {
	Webhook  webhook.Webhook // right after the command; after its removal its id alone
	Position eventstore.Position
	Replayed bool
}

// secretBytes is how long a signing secret is.
const secretBytes = 32

func newSecret() string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails; see crypto/rand
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// CreateWebhook creates a webhook. The answer, and none but this and RotateWebhookSecret's, is
// to be shown with the secret.
func (a *App) CreateWebhook(ctx context.Context, c Caller, id domain.RestaurantID, w CreateWebhook) (Webhooked, error) {
	if err := a.ownerOf(ctx, c, id); err != nil {
		return Webhooked{}, err
	}
	url, host, err := a.receiver(w.URL)
	if err != nil {
		return Webhooked{}, err
	}
	if err := knownEvents(w.Events); err != nil {
		return Webhooked{}, err
	}
	if err := a.inLedger(ctx, w.After); err != nil {
		return Webhooked{}, err
	}
	command := a.commandID(c, "webhooks of "+string(id))
	hook := domain.NewWebhookID(command)
	return a.webhookCommand(ctx, c, command, id, hook, webhook.Create{
		Now: a.now(), ID: hook, URL: url, Host: host, Description: w.Description, Events: w.Events, Personal: w.Personal,
		After: w.After, Secret: newSecret(),
	})
}

// ChangeWebhook changes what is not nil.
func (a *App) ChangeWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, w ChangeWebhook) (Webhooked, error) {
	change := webhook.Change{Now: a.now(), ID: hook, Description: w.Description, Events: w.Events, Personal: w.Personal}
	if err := a.ownerOf(ctx, c, id); err != nil {
		return Webhooked{}, err
	}
	if w.URL != nil {
		url, host, err := a.receiver(*w.URL)
		if err != nil {
			return Webhooked{}, err
		}
		change.URL, change.Host = &url, &host
	}
	if w.Events != nil {
		if err := knownEvents(*w.Events); err != nil {
			return Webhooked{}, err
		}
	}
	return a.aboutWebhook(ctx, c, id, hook, change)
}

// PauseWebhook sends nothing until it is resumed.
func (a *App) PauseWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID) (Webhooked, error) {
	return a.ownersWebhook(ctx, c, id, hook, webhook.Pause{Now: a.now(), ID: hook, Because: webhook.ByOwner})
}

// ResumeWebhook goes on from where a webhook was paused.
func (a *App) ResumeWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID) (Webhooked, error) {
	return a.ownersWebhook(ctx, c, id, hook, webhook.Resume{Now: a.now(), ID: hook})
}

// RemoveWebhook ends a webhook for ever. Its secret and address can be read by nobody then.
func (a *App) RemoveWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID) (Webhooked, error) {
	return a.ownersWebhook(ctx, c, id, hook, webhook.Remove{Now: a.now(), ID: hook})
}

// RotateWebhookSecret makes another secret, beside which the one before signs for overlap.
func (a *App) RotateWebhookSecret(
	ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, overlap time.Duration,
) (Webhooked, error) {
	return a.ownersWebhook(ctx, c, id, hook, webhook.Rotate{Now: a.now(), ID: hook, Secret: newSecret(), Overlap: overlap})
}

// ReplayWebhook goes on after another position of the ledger: an earlier one sends again what
// was sent, a later one leaves out what is outstanding.
func (a *App) ReplayWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, after uint64) (Webhooked, error) {
	if err := a.ownerOf(ctx, c, id); err != nil {
		return Webhooked{}, err
	}
	if err := a.inLedger(ctx, &after); err != nil {
		return Webhooked{}, err
	}
	return a.aboutWebhook(ctx, c, id, hook, webhook.Replay{Now: a.now(), ID: hook, After: after})
}

// TestWebhook has a message sent that tells of nothing.
func (a *App) TestWebhook(ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID) (Webhooked, error) {
	return a.ownersWebhook(ctx, c, id, hook, webhook.Test{Now: a.now(), ID: hook})
}

// SuspendWebhook pauses a webhook that is active since an instant, for a reason of its
// receiver's. It is the house's own; a webhook that is gone is none to pause.
func (a *App) SuspendWebhook(
	ctx context.Context, id domain.RestaurantID, hook domain.WebhookID, since domain.Instant, because webhook.Because,
) error {
	_, err := a.webhooks.handle(ctx, codec.WebhooksStream(id), Request[webhook.Command]{
		Command: webhook.Pause{Now: a.now(), ID: hook, Because: because, Since: since}, Meta: byItself(ctx, ""),
	})
	if no, ok := domain.Rejected(err); ok && no.Code == domain.CodeNotFound {
		return nil
	}
	return err
}

// ForgetWebhook destroys the key that a removed webhook's secret and address are encrypted with.
func (a *App) ForgetWebhook(ctx context.Context, hook domain.WebhookID) error {
	return a.cfg.Codec.Forget(ctx, codec.WebhookSubject(hook))
}

// ownerOf refuses a caller who does not own the restaurant.
func (a *App) ownerOf(ctx context.Context, c Caller, id domain.RestaurantID) error {
	r, err := a.restaurantState(ctx, id)
	if err != nil {
		return err
	}
	if c.User == "" || c.User != r.State.Owner {
		return domain.Reject(domain.CodeForbidden, "only the restaurant's owner has to do with its webhooks")
	}
	return nil
}

func (a *App) ownersWebhook(
	ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, command webhook.Command,
) (Webhooked, error) {
	if err := a.ownerOf(ctx, c, id); err != nil {
		return Webhooked{}, err
	}
	return a.aboutWebhook(ctx, c, id, hook, command)
}

func (a *App) aboutWebhook(
	ctx context.Context, c Caller, id domain.RestaurantID, hook domain.WebhookID, command webhook.Command,
) (Webhooked, error) {
	return a.webhookCommand(ctx, c, a.commandID(c, string(hook)+" of "+string(id)), id, hook, command)
}

func (a *App) webhookCommand(
	ctx context.Context, c Caller, commandID [16]byte, id domain.RestaurantID, hook domain.WebhookID, command webhook.Command,
) (Webhooked, error) {
	o, err := a.webhooks.handle(ctx, codec.WebhooksStream(id), Request[webhook.Command]{
		Command: command, ID: commandID, Meta: a.metadata(ctx, c, domain.Staff(c.User), string(restaurant.RoleOwner)),
	})
	if err != nil {
		return Webhooked{}, err
	}
	w, ok := o.State.Webhook(hook)
	if !ok {
		w.ID = hook
	}
	return Webhooked{Webhook: w, Position: o.Position, Replayed: o.Replayed}, nil
}

// receiver checks where to send to.
func (a *App) receiver(url string) (tidied, host string, err error) {
	if a.cfg.Receiver == nil {
		return "", "", domain.Invalid("url", "this house sends no webhooks")
	}
	if len(url) > webhook.MaxURL {
		return "", "", domain.Reject(domain.CodeInvalid, fmt.Sprintf("the url is longer than %d bytes", webhook.MaxURL),
			domain.Reason{Rule: "url", Limit: webhook.MaxURL, Actual: int64(len(url))})
	}
	if tidied, host, err = a.cfg.Receiver(url); err != nil {
		return "", "", domain.Invalid("url", err.Error())
	}
	return tidied, host, nil
}

// inLedger refuses a position that the ledger does not have: past its end, or none at all.
func (a *App) inLedger(ctx context.Context, after *uint64) error {
	if after == nil {
		return nil
	}
	head, err := a.cfg.Store.Head(ctx)
	if err != nil {
		return err
	}
	if *after > uint64(head) {
		return domain.Reject(domain.CodeInvalid, "the ledger does not reach that position yet",
			domain.Reason{Rule: "after", Limit: int64(head), Actual: int64(min(*after, 1<<62))})
	}
	err = eventstore.CheckPosition(ctx, a.cfg.Store, eventstore.Position(*after))
	if errors.Is(err, eventstore.ErrInvalid) {
		return domain.Invalid("after", "no event of the ledger has that position")
	}
	return err
}

// tradeTypes are the starts of the types of the events that webhooks tell of.
var tradeTypes = []string{"day.", "reservation.", "action.", "waitlist.", "demand.", "restaurant."}

// knownEvents refuses starts that no event's type has, such as one that is misspelt.
func knownEvents(starts []string) error {
	for i, start := range starts[:min(len(starts), webhook.MaxEvents)] {
		if !slices.ContainsFunc(codec.Types(), func(t string) bool {
			return strings.HasPrefix(t, start) && slices.ContainsFunc(tradeTypes, func(kind string) bool { return strings.HasPrefix(t, kind) })
		}) {
			return domain.Invalid(fmt.Sprintf("events[%d]", i), fmt.Sprintf("no event that is told of has a type that starts with %.70q", start))
		}
	}
	return nil
}

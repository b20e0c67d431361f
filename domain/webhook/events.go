package webhook

import (
	"slices"

	"daybook/domain"
)

// Event is something that happened to a restaurant's webhooks. The events of this package
// are all there are.
type Event interface {
	DecidedAt() domain.Instant
	webhookEvent()
}

// Created begins a webhook.
type Created struct {
	domain.Stamp
	ID          domain.WebhookID
	After       *uint64 // it is sent what stands after this position of the ledger; nil for after this event
	Events      []string
	Personal    bool
	Host        string
	URL         string // secret, as a token may stand in it: kept as personal data is
	Description string // likewise
	Secret      string // likewise
}

// Changed holds all that can be changed, as it is now.
type Changed struct {
	domain.Stamp
	ID          domain.WebhookID
	Events      []string
	Personal    bool
	Host        string
	URL         string // secret
	Description string // likewise
}

// Paused ends sending for a while.
type Paused struct {
	domain.Stamp
	ID      domain.WebhookID
	Because Because
}

// Resumed goes on with sending, from where it was paused.
type Resumed struct {
	domain.Stamp
	ID domain.WebhookID
}

// SecretRotated signs with another secret from now on, and with the one before beside it
// until OldUntil.
type SecretRotated struct {
	domain.Stamp
	ID       domain.WebhookID
	OldUntil domain.Instant // never before the event
	Secret   string         // secret, of course
}

// Replayed gives a webhook another place in the ledger: what stands after it is sent, also
// what was sent before, and what was outstanding before it is not.
type Replayed struct {
	domain.Stamp
	ID    domain.WebhookID
	After uint64 // a position of the ledger
}

// TestRequested asks for a message that tells of nothing.
type TestRequested struct {
	domain.Stamp
	ID domain.WebhookID
}

// Removed ends a webhook.
type Removed struct {
	domain.Stamp
	ID domain.WebhookID
}

func (Created) webhookEvent()       {}
func (Changed) webhookEvent()       {}
func (Paused) webhookEvent()        {}
func (Resumed) webhookEvent()       {}
func (SecretRotated) webhookEvent() {}
func (Replayed) webhookEvent()      {}
func (TestRequested) webhookEvent() {}
func (Removed) webhookEvent()       {}

// IDOf is the webhook that an event is about.
func IDOf(e Event) domain.WebhookID {
	switch e := e.(type) {
	case Created:
		return e.ID
	case Changed:
		return e.ID
	case Paused:
		return e.ID
	case Resumed:
		return e.ID
	case SecretRotated:
		return e.ID
	case Replayed:
		return e.ID
	case TestRequested:
		return e.ID
	case Removed:
		return e.ID
	}
	return ""
}

func evolve(s State, e Event) State {
	s.ChangedAt = max(s.ChangedAt, e.DecidedAt())
	switch e := e.(type) {
	case Created:
		s.Created++
		s.Webhooks = append(slices.Clip(s.Webhooks), Webhook{
			ID: e.ID, URL: e.URL, Host: e.Host, Description: e.Description, Events: e.Events, Personal: e.Personal, After: e.After,
			Secrets: []Secret{{Value: e.Secret}}, Status: StatusActive, CreatedAt: e.At, ChangedAt: e.At, ActiveSince: e.At, Rounds: 1,
		})
	case Changed:
		return s.with(e.ID, e.At, func(w *Webhook) {
			w.URL, w.Host, w.Description, w.Events, w.Personal = e.URL, e.Host, e.Description, e.Events, e.Personal
		})
	case Paused:
		return s.with(e.ID, e.At, func(w *Webhook) { w.Status, w.Because, w.PausedAt = StatusPaused, e.Because, e.At })
	case Resumed:
		return s.with(e.ID, e.At, func(w *Webhook) {
			w.Status, w.Because, w.PausedAt, w.ActiveSince = StatusActive, "", 0, e.At
		})
	case SecretRotated:
		return s.with(e.ID, e.At, func(w *Webhook) {
			secrets := []Secret{{Value: e.Secret}}
			if len(w.Secrets) > 0 {
				secrets = append(secrets, Secret{Value: w.Secrets[0].Value, Until: e.OldUntil})
			}
			w.Secrets = secrets
		})
	case Replayed:
		return s.with(e.ID, e.At, func(w *Webhook) { w.Rounds++ })
	case TestRequested:
		return s.with(e.ID, e.At, func(w *Webhook) { w.Tests++ })
	case Removed:
		s.Webhooks = slices.DeleteFunc(slices.Clone(s.Webhooks), func(w Webhook) bool { return w.ID == e.ID })
	}
	return s
}

// with changes one webhook in a copy.
func (s State) with(id domain.WebhookID, at domain.Instant, change func(*Webhook)) State {
	s.Webhooks = slices.Clone(s.Webhooks)
	for i := range s.Webhooks {
		if s.Webhooks[i].ID == id {
			s.Webhooks[i].ChangedAt = at
			change(&s.Webhooks[i])
		}
	}
	return s
}

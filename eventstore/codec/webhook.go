package codec

import (
	"fmt"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
)

// The secret of a webhook and its address, in which a token may stand, are kept as personal
// data is, with a key of the webhook's own: nobody reads them in the log, and once the
// webhook is removed its key is dropped, and nobody ever does.

// webhookSealed is the sealed part of a webhook's events.
type webhookSealed struct {
	URL         string `json:"url,omitempty"`
	Description string `json:"description,omitempty"`
	Secret      string `json:"secret,omitempty"`
}

// WebhookSubject names the key that a webhook's secret and address are encrypted with.
func WebhookSubject(id domain.WebhookID) string { return string(id) }

func webhookSubject(id domain.WebhookID) (string, error) {
	if id == "" {
		return "", fmt.Errorf("%w: a webhook has no id", eventstore.ErrInvalid)
	}
	return WebhookSubject(id), nil
}

type webhookCreatedV1 struct {
	ID       domain.WebhookID `json:"id"`
	After    *uint64          `json:"after,omitempty"`
	Events   []string         `json:"events,omitempty"`
	Personal bool             `json:"personalData,omitempty"`
	Host     string           `json:"host"`
	sealed
}

var webhookCreated = &kind[webhook.Created, webhookCreatedV1, webhookSealed]{
	name: TypeWebhookCreated,
	to: func(e webhook.Created) (webhookCreatedV1, webhookSealed) {
		return webhookCreatedV1{ID: e.ID, After: e.After, Events: e.Events, Personal: e.Personal, Host: e.Host},
			webhookSealed{URL: e.URL, Description: e.Description, Secret: e.Secret}
	},
	from: func(f webhookCreatedV1, p webhookSealed, s domain.Stamp) webhook.Created {
		return webhook.Created{
			Stamp: s, ID: f.ID, After: f.After, Events: f.Events, Personal: f.Personal, Host: f.Host,
			URL: p.URL, Description: p.Description, Secret: p.Secret,
		}
	},
	subject: func(_ eventstore.StreamName, e webhook.Created) (string, error) { return webhookSubject(e.ID) },
	box:     func(f *webhookCreatedV1) *sealed { return &f.sealed },
}

type webhookChangedV1 struct {
	ID       domain.WebhookID `json:"id"`
	Events   []string         `json:"events,omitempty"`
	Personal bool             `json:"personalData,omitempty"`
	Host     string           `json:"host"`
	sealed
}

var webhookChanged = &kind[webhook.Changed, webhookChangedV1, webhookSealed]{
	name: TypeWebhookChanged,
	to: func(e webhook.Changed) (webhookChangedV1, webhookSealed) {
		return webhookChangedV1{ID: e.ID, Events: e.Events, Personal: e.Personal, Host: e.Host},
			webhookSealed{URL: e.URL, Description: e.Description}
	},
	from: func(f webhookChangedV1, p webhookSealed, s domain.Stamp) webhook.Changed {
		return webhook.Changed{
			Stamp: s, ID: f.ID, Events: f.Events, Personal: f.Personal, Host: f.Host, URL: p.URL, Description: p.Description,
		}
	},
	subject: func(_ eventstore.StreamName, e webhook.Changed) (string, error) { return webhookSubject(e.ID) },
	box:     func(f *webhookChangedV1) *sealed { return &f.sealed },
}

type webhookRotatedV1 struct {
	ID       domain.WebhookID `json:"id"`
	OldUntil domain.Instant   `json:"oldUntil"`
	sealed
}

var webhookSecretRotated = &kind[webhook.SecretRotated, webhookRotatedV1, webhookSealed]{
	name: TypeWebhookSecretRotated,
	to: func(e webhook.SecretRotated) (webhookRotatedV1, webhookSealed) {
		return webhookRotatedV1{ID: e.ID, OldUntil: e.OldUntil}, webhookSealed{Secret: e.Secret}
	},
	from: func(f webhookRotatedV1, p webhookSealed, s domain.Stamp) webhook.SecretRotated {
		return webhook.SecretRotated{Stamp: s, ID: f.ID, OldUntil: f.OldUntil, Secret: p.Secret}
	},
	subject: func(_ eventstore.StreamName, e webhook.SecretRotated) (string, error) { return webhookSubject(e.ID) },
	box:     func(f *webhookRotatedV1) *sealed { return &f.sealed },
}

type webhookPausedV1 struct {
	ID      domain.WebhookID `json:"id"`
	Because webhook.Because  `json:"because"`
}

var webhookPaused = open(TypeWebhookPaused,
	func(e webhook.Paused) webhookPausedV1 { return webhookPausedV1{ID: e.ID, Because: e.Because} },
	func(f webhookPausedV1, s domain.Stamp) webhook.Paused {
		return webhook.Paused{Stamp: s, ID: f.ID, Because: f.Because}
	})

type webhookIDV1 struct {
	ID domain.WebhookID `json:"id"`
}

var webhookResumed = open(TypeWebhookResumed,
	func(e webhook.Resumed) webhookIDV1 { return webhookIDV1{ID: e.ID} },
	func(f webhookIDV1, s domain.Stamp) webhook.Resumed { return webhook.Resumed{Stamp: s, ID: f.ID} })

type webhookReplayedV1 struct {
	ID    domain.WebhookID `json:"id"`
	After uint64           `json:"after"`
}

var webhookReplayed = open(TypeWebhookReplayed,
	func(e webhook.Replayed) webhookReplayedV1 { return webhookReplayedV1{ID: e.ID, After: e.After} },
	func(f webhookReplayedV1, s domain.Stamp) webhook.Replayed {
		return webhook.Replayed{Stamp: s, ID: f.ID, After: f.After}
	})

var webhookTestRequested = open(TypeWebhookTestRequested,
	func(e webhook.TestRequested) webhookIDV1 { return webhookIDV1{ID: e.ID} },
	func(f webhookIDV1, s domain.Stamp) webhook.TestRequested {
		return webhook.TestRequested{Stamp: s, ID: f.ID}
	})

var webhookRemoved = open(TypeWebhookRemoved,
	func(e webhook.Removed) webhookIDV1 { return webhookIDV1{ID: e.ID} },
	func(f webhookIDV1, s domain.Stamp) webhook.Removed { return webhook.Removed{Stamp: s, ID: f.ID} })

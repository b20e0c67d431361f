package reporting

import (
	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// webhookFold is a restaurant's webhooks and the last event that made them so.
type webhookFold struct {
	webhook.State
	last codec.Decoded
}

var webhookDecider = webhook.Decider()

func newWebhookFold() webhookFold { return webhookFold{State: webhookDecider.Initial()} }

func (s webhookFold) evolve(d codec.Decoded) webhookFold {
	s.last = d
	if e, ok := d.Event.(webhook.Event); ok {
		s.State = webhookDecider.Evolve(s.State, e)
	}
	return s
}

// webhookSnapshot is a webhook as the audit shows it: without its secrets, and of its address
// only the host, as tokens may stand in the rest. All of it stands in clear in the events, so
// it is the same once the webhook's key is dropped.
type webhookSnapshot struct {
	ID       domain.WebhookID `json:"webhookId"`
	Host     string           `json:"host"`
	Events   []string         `json:"events,omitempty"`
	Personal bool             `json:"personalData,omitempty"`
	Status   string           `json:"status"`
	Because  string           `json:"because,omitempty"`
	Secrets  int              `json:"secrets"`                  // 2 once it was given another
	OldUntil domain.Instant   `json:"oldSecretUntil,omitempty"` // until then the one before signs, too
	Rounds   uint32           `json:"rounds"`
	Replayed *uint64          `json:"replayedAfter,omitempty"` // the place in the ledger that it was given by this change
	Tests    uint32           `json:"tests,omitempty"`
}

// webhookSnapshotOf is nil where there is no such webhook.
func webhookSnapshotOf(s webhook.State, id domain.WebhookID) any {
	w, ok := s.Webhook(id)
	if !ok {
		return nil
	}
	shot := webhookSnapshot{
		ID: w.ID, Host: w.Host, Events: w.Events, Personal: w.Personal, Status: string(w.Status), Because: string(w.Because),
		Secrets: len(w.Secrets), Rounds: w.Rounds, Tests: w.Tests,
	}
	if len(w.Secrets) > 1 {
		shot.OldUntil = w.Secrets[1].Until
	}
	return shot
}

func (c *changes) webhookChanged(id domain.RestaurantID, r eventstore.Record, meta codec.Metadata, e webhook.Event, before, after webhook.State) {
	entry := entry{record: r, meta: meta, restaurant: id}
	entry.before, entry.after = webhookSnapshotOf(before, webhook.IDOf(e)), webhookSnapshotOf(after, webhook.IDOf(e))
	switch e := e.(type) {
	case webhook.Paused:
		entry.reason = string(e.Because)
	case webhook.Replayed:
		if shot, ok := entry.after.(webhookSnapshot); ok {
			shot.Replayed = &e.After
			entry.after = shot
		}
	}
	c.entry(entry)
}

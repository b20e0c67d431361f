// Package webhook is a restaurant's webhooks: who outside is told of what happens at it,
// where, and how what they are told is signed; and the rules by which one event on its way
// to one receiver is sent, sent again and given up.
//
// What belongs here: the commands and events of webhooks, the rules between them, and the
// values and the schedule of deliveries. Sending is gateways/webhooks', driving what is sent
// along the ledger is processes/webhooks', keeping what is outstanding is
// projections/deliveries'; who may change a webhook is commands'.
package webhook

import (
	"slices"
	"strings"

	"daybook/domain"
)

// Status is whether a webhook is sent to.
type Status string

// The statuses.
const (
	StatusActive Status = "active"
	StatusPaused Status = "paused" // it keeps its place: see Because
)

// Because is why a webhook is paused.
type Because string

// Why webhooks are paused.
const (
	ByOwner        Because = "owner"
	BecauseFailing Because = "failing" // its receiver did not take an event for days
	BecauseGone    Because = "gone"    // its receiver answered 410
)

// Secret signs what is sent.
type Secret struct {
	Value string         // "whsec_" and base64
	Until domain.Instant // it signs beside the newer one until then; 0 for the newest
}

// Webhook is one receiver of a restaurant's events.
type Webhook struct {
	ID          domain.WebhookID
	URL         string // empty once the key that it was encrypted with is gone
	Host        string // of the URL
	Description string
	Events      []string // starts of event types; none for all
	Personal    bool     // it is sent what is personal, too
	After       *uint64  // the position after which it began; nil for that of its creation
	Secrets     []Secret // the newest first; never more than two
	Status      Status
	Because     Because // why it is paused; empty where it is not
	CreatedAt   domain.Instant
	ChangedAt   domain.Instant
	PausedAt    domain.Instant // 0 where it is active
	ActiveSince domain.Instant // when it was created or last resumed
	Rounds      uint32         // how often it was given another place in the ledger, its first place counted
	Tests       uint32         // test messages that were asked for
}

// Wants reports whether events of a type are sent.
func (w Webhook) Wants(eventType string) bool {
	return len(w.Events) == 0 || slices.ContainsFunc(w.Events, func(start string) bool { return strings.HasPrefix(eventType, start) })
}

// Signing is the secrets that a message sent at an instant is signed with, the newest first.
func (w Webhook) Signing(at domain.Instant) []string {
	var values []string
	for _, s := range w.Secrets {
		if s.Value != "" && (s.Until == 0 || at < s.Until) {
			values = append(values, s.Value)
		}
	}
	return values
}

// State is the webhooks of one restaurant, folded. It is a value: Evolve returns a new one
// and shares what did not change.
type State struct {
	Webhooks  []Webhook // in the order they were created; removed ones are not there
	Created   uint32    // how many there ever were
	ChangedAt domain.Instant
}

// Webhook finds one by its id.
func (s State) Webhook(id domain.WebhookID) (Webhook, bool) {
	i := slices.IndexFunc(s.Webhooks, func(w Webhook) bool { return w.ID == id })
	if i < 0 {
		return Webhook{}, false
	}
	return s.Webhooks[i], true
}

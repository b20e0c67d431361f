package httpapi

import "daybook/domain/webhook"

// Webhook is a webhook as every answer shows it to the restaurant's owner.
type Webhook struct {
	WebhookID      string   `json:"webhookId"`
	URL            string   `json:"url"`
	Description    string   `json:"description,omitempty"`
	Events         []string `json:"events" doc:"starts of the types of events that are sent; none for all"`
	PersonalData   bool     `json:"personalData" doc:"what is personal is sent, too"`
	Status         string   `json:"status" enum:"active,paused"`
	Because        string   `json:"because,omitempty" enum:"owner,failing,gone" doc:"why it is paused: you asked for it, its receiver took nothing for days, or its receiver answered 410"`
	CreatedAt      string   `json:"createdAt" format:"date-time"`
	ChangedAt      string   `json:"changedAt" format:"date-time"`
	PausedAt       string   `json:"pausedAt,omitempty" format:"date-time"`
	OldSecretUntil string   `json:"oldSecretUntil,omitempty" format:"date-time" doc:"until then messages are signed with the secret before, too"`
}

// WebhookOf is the form of a webhook, with instants in the restaurant's zone.
func WebhookOf(w webhook.Webhook, zone string) Webhook {
	at := InZone(zone)
	f := Webhook{
		WebhookID: string(w.ID), URL: w.URL, Description: w.Description, Events: w.Events, PersonalData: w.Personal, Status: string(w.Status),
		Because: string(w.Because), CreatedAt: at(w.CreatedAt), ChangedAt: at(w.ChangedAt), PausedAt: at(w.PausedAt),
	}
	if f.Events == nil {
		f.Events = []string{}
	}
	if len(w.Secrets) > 1 {
		f.OldSecretUntil = at(w.Secrets[1].Until)
	}
	return f
}

package main

import (
	"context"
	"time"

	"daybook/commands"
	"daybook/eventstore/codec"
	senders "daybook/gateways/webhooks"
	"daybook/internal/telemetry"
	"daybook/processes/webhooks"
)

// openWebhooks makes the process that tells receivers outside of what happens.
func openWebhooks(e *engines, c *codec.Codec, app *commands.App, sender *senders.Sender, clock func() time.Time) (*webhooks.Process, error) {
	return webhooks.New(webhooks.Config{
		Store: e.store, Codec: c, Sender: sender, App: app, Clock: clock,
		Lead: func(ctx context.Context) (webhooks.Lead, error) { return e.outbox.Lead(ctx) },
	})
}

// totalsTimeout bounds what the metrics ask of the database of deliveries.
const totalsTimeout = 2 * time.Second

// observeWebhooks shows what was sent and what waits in the metrics.
func observeWebhooks(m *telemetry.Metrics, p *webhooks.Process, e *engines) {
	for name, c := range map[string]struct {
		help string
		read func(webhooks.Stats) int64
	}{
		"daybook_webhook_attempts_total":  {"Messages sent to receivers, those sent again counted again.", func(s webhooks.Stats) int64 { return s.Attempts }},
		"daybook_webhook_failures_total":  {"Messages that were not acknowledged.", func(s webhooks.Stats) int64 { return s.Failures }},
		"daybook_webhook_delivered_total": {"Messages that were acknowledged.", func(s webhooks.Stats) int64 { return s.Delivered }},
		"daybook_webhook_suspended_total": {"Webhooks that were paused because their receivers failed.", func(s webhooks.Stats) int64 { return s.Suspended }},
	} {
		m.Counter(name, c.help, func() float64 { return float64(c.read(p.Stats())) })
	}
	m.Gauge("daybook_webhook_leads", "1 where this process is the one that sends.", nil, func() float64 {
		if p.Stats().Leads {
			return 1
		}
		return 0
	})
	totals := func() (pending, failing int) {
		ctx, cancel := context.WithTimeout(context.Background(), totalsTimeout)
		defer cancel()
		pending, failing, err := e.outbox.Totals(ctx)
		if err != nil {
			return -1, -1 // the database is away; zero would be good news
		}
		return pending, failing
	}
	m.Gauge("daybook_webhook_backlog", "Messages that are entered and not acknowledged, in all; what stands in the ledger after them is not counted. -1 where that cannot be told.", nil,
		func() float64 { pending, _ := totals(); return float64(pending) })
	m.Gauge("daybook_webhook_failing", "Webhooks whose receivers have acknowledged nothing since they first failed. -1 where that cannot be told.", nil,
		func() float64 { _, failing := totals(); return float64(failing) })
}

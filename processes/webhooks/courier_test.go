package webhooks

import (
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/webhook"
)

// TestTheBreaker leaves a receiver alone after failures in a row and for as long as it asks,
// and lets one message try.
func TestTheBreaker(t *testing.T) {
	const now = domain.Instant(1_795_000_000_000)
	var b breaker
	for i := range tripAfter {
		if !b.lets(now, 3) {
			t.Errorf("after %d failures nothing is sent", i)
		}
		b.failed(now, 0)
	}
	if b.lets(now, 0) || b.lets(now.Add(leftAlone-time.Second), 0) {
		t.Error("it is not left alone")
	}
	for range 3 { // what was under way fails, too
		b.failed(now.Add(time.Second), 0)
	}
	later := now.Add(leftAlone + leftAlone/5)
	if !b.lets(later, 0) || b.lets(later, 1) {
		t.Error("not one message tries")
	}
	b.failed(later, 0)
	if b.lets(later.Add(2*leftAlone-time.Second), 0) || !b.lets(later.Add(2*leftAlone*6/5), 0) {
		t.Error("it is not left alone for twice as long")
	}
	for range 100 {
		later = b.until
		b.failed(later, 0)
	}
	if b.lets(later.Add(aloneMost-time.Second), 0) || !b.lets(later.Add(aloneMost*6/5), 0) {
		t.Error("it is left alone for ever")
	}
	if !b.succeeded() || b.succeeded() || !b.lets(later, 9) {
		t.Error("it is not taken back")
	}
	b.failed(now, time.Minute)
	if b.lets(now.Add(time.Minute-1), 0) || !b.lets(now.Add(time.Minute), 5) {
		t.Error("what it asked for is not kept to")
	}
	b.failed(now, 100*webhook.MaxAsked)
	if !b.lets(now.Add(webhook.MaxAsked), 5) {
		t.Error("it can ask for too much")
	}
	if b.succeeded() {
		t.Error("it was never away")
	}
}

// TestAHouseThatStoodStill for longer than the schedule tries a receiver again before it gives it up.
func TestAHouseThatStoodStill(t *testing.T) {
	const failed = domain.Instant(1_000_000)
	c := &courier{office: &office{Config: &Config{Schedule: webhook.Schedule{time.Minute, time.Hour}}}}
	c.webhook.Secrets = []webhook.Secret{{Value: "whsec_eA=="}}
	c.standing.FailingSince = failed
	now, due := failed.Add(72*time.Hour), webhook.Delivery{Round: 1, Attempts: 1}
	if got := c.hopeless(due, now); got != "" {
		t.Errorf("before it was tried: %s", got)
	}
	c.breaker.failed(now, 0)
	if got := c.hopeless(due, now); got != webhook.BecauseFailing {
		t.Errorf("after it failed once more: %q", got)
	}
	if got := c.hopeless(due, failed.Add(time.Hour)); got != "" {
		t.Errorf("within the schedule: %s", got)
	}
}

package webhooks

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/gateways"
)

// sent is what became of sending a message: the delivery as it is on record, or why there was
// no attempt.
type sent struct {
	delivery webhook.Delivery
	asked    time.Duration // to be left alone
	err      error
}

// send sets the first message of a lane on its way. The lane is the message's until it is
// settled.
func (c *courier) send(l *lane, d webhook.Delivery) {
	c.queue.take(l)
	c.underWay++
	w, o := c.webhook, c.office
	go func() { c.done <- o.deliver(o.hard, w, c.restaurant, l, d) }()
}

// deliver makes one attempt and has it written down.
func (o *office) deliver(ctx context.Context, w webhook.Webhook, restaurant domain.RestaurantID, l *lane, d webhook.Delivery) sent {
	select {
	case o.sends <- struct{}{}:
		defer func() { <-o.sends }()
	case <-ctx.Done():
		return sent{delivery: d, err: ctx.Err()}
	}
	body, err := o.letter(ctx, w, restaurant, &l.day, d)
	if errors.Is(err, errNoRecord) || errors.Is(err, eventstore.ErrStreamNotFound) {
		o.Log.Error("an event that was to be sent is not in the ledger any more; was that restored?", "webhook", w.ID, "stream", d.Stream, "revision", d.Revision)
		d.Status, d.NextAt = webhook.Superseded, 0
		return o.writeDown(ctx, d, 0)
	}
	if err != nil {
		return sent{delivery: d, err: err}
	}
	began := o.Clock()
	at := domain.InstantOf(began)
	answer, err := o.Sender.Send(ctx, gateways.Message{
		URL: w.URL, ID: webhook.MessageID(w.ID, d.Event), Secrets: w.Signing(at), At: began, Body: body,
	})
	if err != nil {
		return sent{delivery: d, err: err}
	}
	if ctx.Err() != nil && answer.Code == 0 {
		return sent{delivery: d, err: ctx.Err()} // it was cut off here: nothing is the receiver's fault
	}
	ended := o.Clock()
	d.Attempts++
	d.Last = webhook.Attempt{
		At: at, Took: max(ended.Sub(began).Milliseconds(), 0), Code: answer.Code, Failure: failureOf(answer), Answer: answer.Body,
	}
	o.stats.attempts.Add(1)
	o.judge(&d, answer, domain.InstantOf(ended))
	return o.writeDown(ctx, d, answer.RetryAfter)
}

// writeDown has what became of a delivery put on record, and returns when it is.
func (o *office) writeDown(ctx context.Context, d webhook.Delivery, asked time.Duration) sent {
	done := make(chan error, 1)
	select {
	case o.records <- record{d, done}:
	case <-ctx.Done():
		return sent{delivery: d, err: ctx.Err()}
	}
	if err := <-done; err != nil {
		return sent{delivery: d, err: err}
	}
	return sent{delivery: d, asked: asked}
}

// judge says what follows from an attempt.
func (o *office) judge(d *webhook.Delivery, answer gateways.Answer, now domain.Instant) {
	switch {
	case d.Last.Taken():
		o.stats.delivered.Add(1)
		d.Status, d.NextAt = webhook.Delivered, 0
		return
	case d.Test():
		d.Status, d.NextAt = webhook.GaveUp, 0
	default:
		// What is not to be tried again, too, stays pending and due: that is how the webhook
		// comes to be paused, however often this program ends before.
		d.NextAt = now
		wait, again := o.Schedule.Next(d.Attempts, answer.RetryAfter, rand.Float64()) //nolint:gosec // it spreads, and hides nothing
		if again && d.Last.Failure != webhook.FailedGone {
			d.NextAt = now.Add(wait)
		}
	}
	o.stats.failures.Add(1)
}

// failureOf is why an answer is no acknowledgement; empty where it is one.
func failureOf(a gateways.Answer) webhook.Failure {
	switch {
	case a.Code >= 200 && a.Code < 300:
		return ""
	case a.Code == 410:
		return webhook.FailedGone
	case a.Code != 0:
		return webhook.FailedAnswer
	case a.Failure == gateways.Timeout:
		return webhook.FailedTimeout
	case a.Failure == gateways.UnknownHost:
		return webhook.FailedName
	case a.Failure == gateways.BadTLS:
		return webhook.FailedTLS
	case a.Failure == gateways.Forbidden:
		return webhook.FailedForbidden
	default:
		return webhook.FailedUnreachable
	}
}

// Package gateways is the ports to third parties: what the house asks of them, in plain Go,
// whoever answers.
//
// What belongs here: a port and its values. Each package below fits one third party, or one
// way to reach many, to a port; when to reach them is processes' to say.
package gateways

import (
	"context"
	"time"
)

// Message is one webhook message to one receiver.
type Message struct {
	URL     string
	ID      string // the same whenever this message is sent
	Secrets []string
	At      time.Time // of this attempt
	Body    []byte    // JSON
}

// Answer is what came of sending a message.
type Answer struct {
	Code       int           // the HTTP status; 0 where there was no answer
	RetryAfter time.Duration // for how long the receiver asked to be left alone; 0 for nothing
	Body       string        // the first bytes of the answer, as text
	Failure    Failure       // why there was no answer; empty where there was one
}

// Failure is why a message got no answer.
type Failure string

// Why messages get no answer.
const (
	Timeout     Failure = "timeout"
	Unreachable Failure = "unreachable"
	UnknownHost Failure = "unknown_host"
	BadTLS      Failure = "tls"
	Forbidden   Failure = "private_address" // the address is one that nothing may be sent to
)

// Webhooks sends messages. Safe for concurrent use.
type Webhooks interface {
	// Send sends a message once, and returns when it was answered or cannot be any more. It
	// fails only where the message itself cannot be sent: a secret that is none, no address.
	Send(context.Context, Message) (Answer, error)
}

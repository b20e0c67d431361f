package webhook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/domain"
)

// The limits of webhooks.
const (
	// MaxWebhooks is how many a restaurant has at most.
	MaxWebhooks = 10
	// MaxURL is the longest address in bytes.
	MaxURL = 2000
	// MaxEvents is how many starts of event types one names at most.
	MaxEvents      = 40
	maxEventStart  = 64 // bytes
	maxDescription = 200
	// MaxOverlap is how long a secret may sign beside the one that took its place.
	MaxOverlap = 7 * 24 * time.Hour
)

// Command is something asked of a restaurant's webhooks. The commands of this package are
// all there are. Who may give them was judged before.
type Command interface{ webhookCommand() }

// Create begins a webhook. It is already so where there is one with this id.
type Create struct {
	Now         domain.Instant
	ID          domain.WebhookID
	URL, Host   string // checked
	Description string
	Events      []string // starts of event types, such as "reservation."; none for all
	Personal    bool
	After       *uint64 // no later than the end of the ledger; nil for from now on
	Secret      string  // "whsec_" and base64
}

// Change changes what is not nil.
type Change struct {
	Now         domain.Instant
	ID          domain.WebhookID
	URL, Host   *string // checked; both or none
	Description *string
	Events      *[]string
	Personal    *bool
}

// Pause ends sending for a while. It is already so where it is paused, for whatever reason.
// Where Since is not 0, it is so only for a webhook that is active since then: for a process
// that judged what came of that time.
type Pause struct {
	Now     domain.Instant
	ID      domain.WebhookID
	Because Because
	Since   domain.Instant
}

// Resume goes on with sending. It is already so where it is active.
type Resume struct {
	Now domain.Instant
	ID  domain.WebhookID
}

// Rotate puts another secret in place of the webhook's, which signs beside it for Overlap,
// 0 to MaxOverlap.
type Rotate struct {
	Now     domain.Instant
	ID      domain.WebhookID
	Secret  string
	Overlap time.Duration
}

// Replay goes on from another place of the ledger, earlier or later.
type Replay struct {
	Now   domain.Instant
	ID    domain.WebhookID
	After uint64 // no later than the end of the ledger
}

// Test asks for a message that tells of nothing, to an active webhook or a paused one.
type Test struct {
	Now domain.Instant
	ID  domain.WebhookID
}

// Remove ends a webhook.
type Remove struct {
	Now domain.Instant
	ID  domain.WebhookID
}

func (Create) webhookCommand() {}
func (Change) webhookCommand() {}
func (Pause) webhookCommand()  {}
func (Resume) webhookCommand() {}
func (Rotate) webhookCommand() {}
func (Replay) webhookCommand() {}
func (Test) webhookCommand()   {}
func (Remove) webhookCommand() {}

// Decider returns the decider of webhooks.
func Decider() domain.Decider[State, Command, Event] {
	return domain.Decider[State, Command, Event]{
		Initial: func() State { return State{} },
		Decide:  decide,
		Evolve:  evolve,
	}
}

func decide(s State, c Command) ([]Event, error) {
	switch c := c.(type) {
	case Create:
		return s.create(c)
	case Change:
		return s.change(c)
	case Pause:
		return s.about(c.ID, func(w Webhook) ([]Event, error) {
			if w.Status == StatusPaused || (c.Since != 0 && c.Since != w.ActiveSince) {
				return nil, nil
			}
			return []Event{Paused{Stamp: s.stamp(c.Now), ID: c.ID, Because: c.Because}}, nil
		})
	case Resume:
		return s.about(c.ID, func(w Webhook) ([]Event, error) {
			if w.Status == StatusActive {
				return nil, nil
			}
			return []Event{Resumed{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
		})
	case Rotate:
		return s.rotate(c)
	case Replay:
		return s.about(c.ID, func(Webhook) ([]Event, error) {
			return []Event{Replayed{Stamp: s.stamp(c.Now), ID: c.ID, After: c.After}}, nil
		})
	case Test:
		return s.about(c.ID, func(Webhook) ([]Event, error) {
			return []Event{TestRequested{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
		})
	case Remove:
		return s.about(c.ID, func(Webhook) ([]Event, error) {
			return []Event{Removed{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
		})
	default:
		return nil, fmt.Errorf("webhook: unknown command %T", c)
	}
}

// stamp is the time of webhooks for a command given at now; it never goes back.
func (s State) stamp(now domain.Instant) domain.Stamp {
	return domain.Stamp{At: max(now, s.ChangedAt)}
}

func (s State) about(id domain.WebhookID, decide func(Webhook) ([]Event, error)) ([]Event, error) {
	w, ok := s.Webhook(id)
	if !ok {
		return nil, domain.Reject(domain.CodeNotFound, "no such webhook")
	}
	return decide(w)
}

func (s State) create(c Create) ([]Event, error) {
	if _, ok := s.Webhook(c.ID); ok {
		return nil, nil
	}
	if len(s.Webhooks) >= MaxWebhooks {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("a restaurant has at most %d webhooks", MaxWebhooks),
			domain.Reason{Rule: "webhooks", Limit: MaxWebhooks, Actual: int64(len(s.Webhooks))})
	}
	description, err := domain.Line("description", c.Description, maxDescription)
	if err != nil {
		return nil, err
	}
	events, err := checkedEvents(c.Events)
	if err != nil {
		return nil, err
	}
	return []Event{Created{
		Stamp: s.stamp(c.Now), ID: c.ID, After: c.After, Events: events, Personal: c.Personal,
		Host: c.Host, URL: c.URL, Description: description, Secret: c.Secret,
	}}, nil
}

func (s State) change(c Change) ([]Event, error) {
	return s.about(c.ID, func(w Webhook) ([]Event, error) {
		is := Changed{
			Stamp: s.stamp(c.Now), ID: c.ID, Events: w.Events, Personal: w.Personal, Host: w.Host, URL: w.URL, Description: w.Description,
		}
		if c.URL != nil && c.Host != nil {
			is.URL, is.Host = *c.URL, *c.Host
		}
		if c.Personal != nil {
			is.Personal = *c.Personal
		}
		var err error
		if c.Description != nil {
			if is.Description, err = domain.Line("description", *c.Description, maxDescription); err != nil {
				return nil, err
			}
		}
		if c.Events != nil {
			if is.Events, err = checkedEvents(*c.Events); err != nil {
				return nil, err
			}
		}
		if is.URL == w.URL && is.Description == w.Description && is.Personal == w.Personal && slices.Equal(is.Events, w.Events) {
			return nil, nil
		}
		return []Event{is}, nil
	})
}

func (s State) rotate(c Rotate) ([]Event, error) {
	return s.about(c.ID, func(Webhook) ([]Event, error) {
		if c.Overlap < 0 || c.Overlap > MaxOverlap {
			return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("both secrets sign for at most %d hours", int(MaxOverlap.Hours())),
				domain.Reason{Rule: "overlap_minutes", Limit: int64(MaxOverlap.Minutes()), Actual: int64(c.Overlap.Minutes())})
		}
		stamp := s.stamp(c.Now)
		return []Event{SecretRotated{Stamp: stamp, ID: c.ID, OldUntil: stamp.At.Add(c.Overlap), Secret: c.Secret}}, nil
	})
}

// checkedEvents returns the starts of event types as they are kept: sorted, each once.
func checkedEvents(starts []string) ([]string, error) {
	if len(starts) > MaxEvents {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("a webhook names at most %d starts of event types", MaxEvents),
			domain.Reason{Rule: "events", Limit: MaxEvents, Actual: int64(len(starts))})
	}
	for _, start := range starts {
		if start == "" || len(start) > maxEventStart || strings.Trim(start, "abcdefghijklmnopqrstuvwxyz_.") != "" {
			return nil, domain.Invalid("events", fmt.Sprintf("%.70q is no start of an event type, such as reservation. or reservation.held", start))
		}
	}
	if len(starts) == 0 {
		return nil, nil
	}
	sorted := slices.Sorted(slices.Values(starts))
	return slices.Compact(sorted), nil
}

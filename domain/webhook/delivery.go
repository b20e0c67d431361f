package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"daybook/domain"
)

// Delivery is one event on its way to one receiver.
type Delivery struct {
	Webhook   domain.WebhookID
	Entry     uint64 // in the order in which the webhook's deliveries were entered, from 1
	Round     uint32 // the place in the ledger that it was entered from: see Webhook.Rounds; 0 for a test
	Position  uint64 // of the event in the ledger
	Event     [16]byte
	Stream    string // of the event; deliveries of one stream are sent in order
	Revision  uint64 // of the event in its stream
	Type      string
	DecidedAt domain.Instant
	Status    DeliveryStatus
	Attempts  int            // that were made
	NextAt    domain.Instant // when it is due; 0 where it no longer is
	Last      Attempt        // zero before the first
}

// Test reports whether the delivery tells of nothing.
func (d Delivery) Test() bool { return d.Round == 0 }

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The statuses of a delivery.
const (
	Pending    DeliveryStatus = "pending"
	Delivered  DeliveryStatus = "delivered"  // the receiver answered with 2xx
	Superseded DeliveryStatus = "superseded" // another place in the ledger was asked for before that
	GaveUp     DeliveryStatus = "gave_up"    // a test that was not taken: it is not sent again
)

// Attempt is one sending of a delivery, and what came of it.
type Attempt struct {
	At      domain.Instant
	Took    int64   // milliseconds
	Code    int     // the HTTP status of the answer; 0 where there was none
	Failure Failure // empty where it was taken
	Answer  string  // the first bytes of the answer's body, as text
}

// Failure is why an attempt failed, as a word.
type Failure string

// Why attempts fail.
const (
	FailedAnswer      Failure = "refused"         // an answer that is not 2xx
	FailedGone        Failure = "gone"            // 410: the receiver wants no more
	FailedTimeout     Failure = "timeout"         // no whole answer in time
	FailedUnreachable Failure = "unreachable"     // no connection, or it broke
	FailedName        Failure = "unknown_host"    // its name leads nowhere
	FailedTLS         Failure = "tls"             // its certificate is not good
	FailedForbidden   Failure = "private_address" // its name leads where nothing may be sent
)

// Taken reports whether the receiver acknowledged it.
func (a Attempt) Taken() bool { return a.Failure == "" }

// Schedule is how a delivery that fails is tried again: the first of its waits follows the
// first attempt. When all waits are used up, the webhook is paused as failing.
type Schedule []time.Duration

// DefaultSchedule tries again for three days and a bit.
var DefaultSchedule = Schedule{
	5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// MaxAsked bounds how long a receiver may ask to be left alone.
const MaxAsked = 24 * time.Hour

// Next is how long to wait after so many attempts that failed, at least as long as the
// receiver asked for (0 for nothing, a day at most counts). chance, from 0 up to 1, spreads
// what failed together: a wait is prolonged by up to a fifth. ok is false where there is no
// further attempt.
func (s Schedule) Next(attempts int, asked time.Duration, chance float64) (wait time.Duration, ok bool) {
	if attempts < 1 || attempts > len(s) {
		return 0, false
	}
	wait = max(s[attempts-1], min(max(asked, 0), MaxAsked))
	return wait + time.Duration(float64(wait)*chance/5), true
}

// Whole is how long all waits are, the spread left out. A receiver that has taken nothing
// for so long is failing, however few attempts were made.
func (s Schedule) Whole() (whole time.Duration) {
	for _, wait := range s {
		whole += wait
	}
	return whole
}

// Standing is how far a webhook has come.
type Standing struct {
	Webhook    domain.WebhookID
	Restaurant domain.RestaurantID
	Active     bool
	// ActiveSince is when it was created or last resumed.
	ActiveSince domain.Instant
	Round       uint32
	// Position is the place in the ledger up to which deliveries were entered. What stands
	// after it waits in the ledger.
	Position uint64
	// FailingSince is when its receiver first failed since it last took something; 0 where it
	// takes what it is sent.
	FailingSince domain.Instant
	DeliveredAt  domain.Instant // when it last took something; 0 for never
	// Pending counts deliveries that were entered and not acknowledged, Oldest is when the first
	// of them was decided (0 for none), and NextAt when the next of them is due: of each stream
	// the first, as the others wait for it.
	Pending int
	Oldest  domain.Instant
	NextAt  domain.Instant
}

// Note is an event of a restaurant's webhooks with its place in the ledger.
type Note struct {
	Restaurant domain.RestaurantID
	Event      Event
	ID         [16]byte
	Position   uint64
	Stream     string
	Revision   uint64
	Type       string
}

// Move is a webhook's way along the ledger, past what it does not want.
type Move struct {
	Webhook domain.WebhookID
	Round   uint32
	To      uint64
}

var (
	// ErrLeadLost says that another process delivers now: nothing was written.
	ErrLeadLost = errors.New("webhook: another process delivers now")
	// ErrMoved says that a webhook was given another place in the ledger meanwhile: nothing
	// was written.
	ErrMoved = errors.New("webhook: it stands elsewhere in the ledger by now")
)

// MessageID is the id of the message that tells one webhook of one event, whenever it is sent.
func MessageID(id domain.WebhookID, event [16]byte) string {
	sum := sha256.Sum256(append([]byte(id), event[:]...))
	return "msg_" + hex.EncodeToString(sum[:16])
}

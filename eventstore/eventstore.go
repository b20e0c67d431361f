// Package eventstore is the contract of the ledger: streams of events, appended
// with an expected revision and read back in order, one stream at a time or all
// together.
//
// What belongs here: the words every store shares (records, positions,
// expectations, the conflict error) and nothing that stores. Look in embedded for
// the store in process, in esdb for the one over EventStoreDB's protocol, in feed
// for subscriptions as Watermill messages, in codec for what an event's bytes mean,
// and in storetest for the suite that every store passes.
package eventstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"
)

// Limits that every store keeps, so that what one accepts no other refuses.
const (
	// MaxStreamName is the longest stream name, in bytes.
	MaxStreamName = 512
	// MaxEventType is the longest event type, in bytes.
	MaxEventType = 128
	// MaxEventSize bounds one event's data and metadata together, in bytes.
	MaxEventSize = 1 << 20
	// MaxAppendEvents is the most events one append takes.
	MaxAppendEvents = 4096
	// MaxAppendSize bounds the data and metadata of one append, in bytes.
	MaxAppendSize = 4 << 20
)

// StreamName names one stream, for example "day-<restaurant>-2026-11-21". Names that
// start with "$" belong to the engine.
type StreamName string

// EventID identifies an event for ever. An append is retried with the same ids.
type EventID [16]byte

// String returns the id in the usual 8-4-4-4-12 form.
func (id EventID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:36], id[10:16])
	return string(b[:])
}

// ParseEventID reads an id as String writes it, and nothing else.
func ParseEventID(text string) (id EventID, ok bool) {
	if len(text) != 36 {
		return EventID{}, false
	}
	digits := text[0:8] + text[9:13] + text[14:18] + text[19:23] + text[24:36]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil || id.String() != text {
		return EventID{}, false
	}
	return id, true
}

// Revision counts a stream's events from 0.
type Revision uint64

// Position orders all events of a store. It grows along the ledger but is not dense:
// only comparing two positions of one store says anything. Start comes before every event.
//
// Reads and subscriptions take Start, End, and what the store gave: the position of a
// record, an append, a batch or the head. A position is an offset into files for some
// stores, and those refuse a number that somebody made up or computed with ErrInvalid.
type Position uint64

// Start is the position before the first event.
const Start Position = 0

// End is after every event: reads backwards begin there.
const End Position = math.MaxUint64

// Last is where a read backwards of a stream begins, whatever its last revision is.
const Last Revision = math.MaxUint64

// Event is what a caller appends.
type Event struct {
	ID       EventID
	Type     string // one of codec's names, such as "reservation.held"
	Data     []byte // JSON, unless Binary
	Metadata []byte // JSON
	// Binary says that Data is no JSON. Daybook's own events never are; those of other
	// clients of the same store may be.
	Binary bool
}

// Record is an event as the store keeps it. Its byte slices may be shared between
// readers: never write to them.
type Record struct {
	Event
	Stream   StreamName
	Revision Revision
	Position Position  // always greater than Start
	Recorded time.Time // the store's clock, UTC
}

// Appended says where an append ended.
type Appended struct {
	Revision Revision // of its last event
	Position Position // of its last event
}

// Expected is what a writer believes of a stream. It is sealed: make one with
// NoStream, At, Exists or Any. The zero value is refused with ErrNoExpectation, so
// that forgetting it is never the same as not caring.
type Expected struct {
	kind     expectedKind
	revision Revision
}

type expectedKind uint8

const (
	kindUnset expectedKind = iota
	kindNoStream
	kindAt
	kindExists
	kindAny
)

// NoStream expects that the stream has no event yet.
func NoStream() Expected { return Expected{kind: kindNoStream} }

// At expects that the stream's last event has revision r.
func At(r Revision) Expected { return Expected{kind: kindAt, revision: r} }

// Exists expects at least one event.
func Exists() Expected { return Expected{kind: kindExists} }

// Any expects nothing. The store then cannot protect a decision; it is for records
// that decide nothing.
func Any() Expected { return Expected{kind: kindAny} }

// Is reports whether e is the same expectation as other.
func (e Expected) Is(other Expected) bool { return e == other }

// Revision returns the revision of an At expectation; ok is false for the others.
func (e Expected) Revision() (r Revision, ok bool) { return e.revision, e.kind == kindAt }

// Valid reports whether e was made by a constructor.
func (e Expected) Valid() bool { return e.kind != kindUnset }

// Permits reports whether a stream in state a meets the expectation.
func (e Expected) Permits(a Actual) bool {
	switch e.kind {
	case kindNoStream:
		return !a.Exists
	case kindAt:
		return a.Exists && a.Revision == e.revision
	case kindExists:
		return a.Exists
	case kindAny:
		return true
	default:
		return false
	}
}

func (e Expected) String() string {
	switch e.kind {
	case kindNoStream:
		return "no stream"
	case kindAt:
		return fmt.Sprintf("revision %d", e.revision)
	case kindExists:
		return "an existing stream"
	case kindAny:
		return "anything"
	default:
		return "no expectation"
	}
}

// Actual is where a stream really stands.
type Actual struct {
	Exists   bool
	Revision Revision // of its last event; 0 where it does not exist
}

func (a Actual) String() string {
	if !a.Exists {
		return "no stream"
	}
	return fmt.Sprintf("revision %d", a.Revision)
}

// ConflictError says that a stream was not where its writer expected it. Nothing was
// appended.
type ConflictError struct {
	Stream   StreamName
	Expected Expected
	Actual   Actual
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("eventstore: stream %q is at %s, expected %s", e.Stream, e.Actual, e.Expected)
}

// IsConflict reports whether err is, or wraps, a ConflictError.
func IsConflict(err error) bool {
	var c *ConflictError
	return errors.As(err, &c)
}

var (
	// ErrNoExpectation refuses an append whose Expected is the zero value.
	ErrNoExpectation = errors.New("eventstore: append without an expectation")
	// ErrStreamNotFound answers a read of a stream that has no event, or none that is shown.
	ErrStreamNotFound = errors.New("eventstore: stream not found")
	// ErrStreamDeleted answers reads and appends of a stream that was ended for ever with a
	// tombstone. Daybook does so to no stream.
	ErrStreamDeleted = errors.New("eventstore: stream deleted")
	// ErrInvalid refuses an append or a read whose arguments can never be right: an empty
	// or over-long name, no events, a zero or repeated event id, an event too large.
	ErrInvalid = errors.New("eventstore: invalid")
	// ErrUnknownOutcome says that an append may or may not have happened, for example
	// because the connection broke after it was sent. Read the stream, or append again
	// with the same event ids.
	ErrUnknownOutcome = errors.New("eventstore: outcome unknown")
	// ErrUnavailable says that the store could not be reached; nothing was appended.
	ErrUnavailable = errors.New("eventstore: unavailable")
	// ErrDenied stands beside ErrUnavailable where the store answered that this user may not
	// do it, or that it knows no such user: asking again soon ends the same.
	ErrDenied = errors.New("eventstore: access denied")
	// ErrClosed answers calls on a closed store or subscription.
	ErrClosed = errors.New("eventstore: closed")
)

// Appender writes. Safe for concurrent use.
type Appender interface {
	// Append adds events to the end of stream, all or none, if the stream meets expected.
	// It returns after the events are durable.
	//
	// An append retried with the same event ids is the same append: where the stream already
	// holds exactly these ids in this order (for At(r), from r+1 on; for NoStream, from 0 on;
	// for Exists and Any, anywhere), Append succeeds with the place of the events
	// that stand there and adds nothing.
	//
	// Errors: *ConflictError, ErrInvalid, ErrNoExpectation, ErrUnknownOutcome,
	// ErrUnavailable, ErrClosed, or the context's error if it ended before the append was
	// handed to the log. A context that ends later yields ErrUnknownOutcome.
	Append(ctx context.Context, stream StreamName, expected Expected, events ...Event) (Appended, error)
}

// Reader reads. Safe for concurrent use. A sequence yields records in order; it yields
// at most one error, as its last element.
type Reader interface {
	// ReadStream yields the records of stream from revision from on, forwards. A stream
	// without events yields ErrStreamNotFound; a from past the end yields nothing.
	ReadStream(ctx context.Context, stream StreamName, from Revision) iter.Seq2[Record, error]
	// ReadStreamBackwards yields the records of stream from revision from, or from its last one
	// where that comes before it, back to its first.
	ReadStreamBackwards(ctx context.Context, stream StreamName, from Revision) iter.Seq2[Record, error]
	// ReadAll yields the records after position after that pass filter, forwards, up to the
	// end of the ledger as it stood at some moment after the call.
	ReadAll(ctx context.Context, after Position, filter Filter) iter.Seq2[Record, error]
	// ReadAllBackwards yields the records up to position from, the one there included, that
	// pass filter, from there back to the ledger's first.
	ReadAllBackwards(ctx context.Context, from Position, filter Filter) iter.Seq2[Record, error]
}

// Subscriber follows the ledger. Safe for concurrent use.
type Subscriber interface {
	// Subscribe follows all records after position after that pass filter: first those that
	// are there, then each as it is appended, in order, without a gap and without repeating.
	// Ending ctx ends the subscription.
	Subscribe(ctx context.Context, after Position, filter Filter) (Subscription, error)
}

// Subscription is one reader's place in the ledger. Next is for one goroutine; Close may
// be called from any.
type Subscription interface {
	// Next waits for the next batch. Errors: the context's, ErrClosed, ErrUnavailable when
	// the store broke the subscription off (subscribe again from the last batch's Position).
	Next(ctx context.Context) (Batch, error)
	Close() error
}

// MaxBatch is the most records one Batch carries.
const MaxBatch = 2048

// Batch is the next stretch of the ledger. It may hold no records: then it only tells
// that nothing up to Position passed the filter, or that the subscription caught up.
type Batch struct {
	Records  []Record
	Position Position // all up to and including this position has been seen
	Live     bool     // nothing more was there when the batch was made
}

// Store is a whole ledger.
type Store interface {
	Appender
	Reader
	Subscriber
	// Head returns the position of the last record, Start for an empty ledger.
	Head(ctx context.Context) (Position, error)
	// Close ends subscriptions and releases what the store holds. Appends under way finish first.
	Close() error
}

// Filter chooses records by the start of their stream's name or of their type. The zero
// value passes every record but the engine's own ("$…"), which pass Everything alone.
type Filter struct {
	streams    []string
	types      []string
	everything bool
}

// Everything passes every record, the engine's own too.
func Everything() Filter { return Filter{everything: true} }

// StreamPrefix passes records whose stream name starts with one of prefixes.
func StreamPrefix(prefixes ...string) Filter { return Filter{streams: prefixes} }

// TypePrefix passes records whose type starts with one of prefixes.
func TypePrefix(prefixes ...string) Filter { return Filter{types: prefixes} }

// StreamPrefixes returns what StreamPrefix was given.
func (f Filter) StreamPrefixes() []string { return f.streams }

// TypePrefixes returns what TypePrefix was given.
func (f Filter) TypePrefixes() []string { return f.types }

// PassesAll reports whether f is Everything.
func (f Filter) PassesAll() bool { return f.everything }

// Passes reports whether a record of this stream and type passes.
func (f Filter) Passes(stream StreamName, eventType string) bool {
	if f.everything {
		return true
	}
	if strings.HasPrefix(string(stream), "$") || strings.HasPrefix(eventType, "$") {
		return false
	}
	switch {
	case len(f.streams) > 0:
		return hasAnyPrefix(string(stream), f.streams)
	case len(f.types) > 0:
		return hasAnyPrefix(eventType, f.types)
	default:
		return true
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// CheckPosition refuses with ErrInvalid a position that somebody sent, where the store can
// tell that it never gave it. Errors: the store's too.
func CheckPosition(ctx context.Context, r Reader, p Position) error {
	for _, err := range r.ReadAllBackwards(ctx, p, Everything()) {
		return err
	}
	return nil
}

// CheckAppend refuses with ErrInvalid or ErrNoExpectation what no store takes. Every
// store calls it first.
func CheckAppend(stream StreamName, expected Expected, events []Event) error {
	if !expected.Valid() {
		return ErrNoExpectation
	}
	if err := CheckStream(stream); err != nil {
		return err
	}
	if strings.HasPrefix(string(stream), "$") {
		return fmt.Errorf("%w: stream %q: names that start with $ belong to the engine", ErrInvalid, stream)
	}
	for i, e := range events {
		if strings.HasPrefix(e.Type, "$") {
			return fmt.Errorf("%w: event %d: type %q: types that start with $ belong to the engine", ErrInvalid, i, e.Type)
		}
	}
	return CheckWrite(stream, expected, events)
}

// CheckWrite is CheckAppend for an Engine's Write: without the rule about "$".
func CheckWrite(stream StreamName, expected Expected, events []Event) error {
	if !expected.Valid() {
		return ErrNoExpectation
	}
	if err := CheckStream(stream); err != nil {
		return err
	}
	if len(events) == 0 || len(events) > MaxAppendEvents {
		return fmt.Errorf("%w: append of %d events, want 1 to %d", ErrInvalid, len(events), MaxAppendEvents)
	}
	seen := make(map[EventID]struct{}, len(events))
	total := 0
	for i, e := range events {
		if e.ID == (EventID{}) {
			return fmt.Errorf("%w: event %d has no id", ErrInvalid, i)
		}
		if _, twice := seen[e.ID]; twice {
			return fmt.Errorf("%w: event id %s stands twice in one append", ErrInvalid, e.ID)
		}
		seen[e.ID] = struct{}{}
		if e.Type == "" || len(e.Type) > MaxEventType {
			return fmt.Errorf("%w: event %d: type %q must have 1 to %d bytes", ErrInvalid, i, e.Type, MaxEventType)
		}
		size := len(e.Data) + len(e.Metadata)
		if size > MaxEventSize {
			return fmt.Errorf("%w: event %d has %d bytes, at most %d", ErrInvalid, i, size, MaxEventSize)
		}
		total += size
	}
	if total > MaxAppendSize {
		return fmt.Errorf("%w: append of %d bytes, at most %d", ErrInvalid, total, MaxAppendSize)
	}
	return nil
}

// CheckStream refuses with ErrInvalid a name that no stream can have. Every stream can
// have metadata, so the names of those are as much longer as MetadataOf makes them.
func CheckStream(stream StreamName) error {
	name, _ := strings.CutPrefix(string(stream), "$$")
	if name == "" || len(name) > MaxStreamName {
		return fmt.Errorf("%w: stream name of %d bytes, want 1 to %d", ErrInvalid, len(name), MaxStreamName)
	}
	return nil
}

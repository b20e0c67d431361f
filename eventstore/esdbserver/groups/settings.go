package groups

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"daybook/eventstore"
)

// All is the stream name of a group that consumes the whole ledger.
const All eventstore.StreamName = "$all"

// Limits of a group, whatever its settings ask for.
const (
	// MaxGroups is how many groups there can be.
	MaxGroups = 1000
	// MaxConsumers is how many consumers one group takes, also where its settings name no limit.
	MaxConsumers = 1000
	// MaxBuffer is the most messages that one consumer can hold unanswered.
	MaxBuffer = 10_000
	// maxReadAhead bounds the messages that wait for a consumer.
	maxReadAhead = 10_000
	// maxHeldBytes bounds what one group keeps in memory, waiting or unanswered; one
	// message may go past it.
	maxHeldBytes = 16 << 20
	// maxAllHeldBytes bounds what all groups keep together, but for one message each.
	maxAllHeldBytes = 256 << 20
	// maxReadBatch bounds one read of the source.
	maxReadBatch = 1000
)

// Key names a group: a group's name is its own only together with its stream.
type Key struct {
	Stream eventstore.StreamName // All for the whole ledger
	Group  string
}

// id is what the names of a group's streams are made of.
func (k Key) id() string { return string(k.Stream) + "::" + k.Group }

const ownPrefix = "$persistentsubscription-"

func (k Key) checkpoints() eventstore.StreamName {
	return eventstore.StreamName(ownPrefix + k.id() + "-checkpoint")
}

func (k Key) parked() eventstore.StreamName {
	return eventstore.StreamName(ownPrefix + k.id() + "-parked")
}

// own reports whether stream is one that groups write. No group over the whole ledger is
// given it: each checkpoint would be a message that asks for the next.
func own(stream eventstore.StreamName) bool {
	name := strings.TrimPrefix(string(stream), "$$")
	return strings.HasPrefix(name, ownPrefix) || name == configStream
}

func (k Key) check() error {
	if err := eventstore.CheckStream(k.Stream); err != nil {
		return err
	}
	if k.Group == "" {
		return invalid("a group needs a name")
	}
	if !utf8.ValidString(string(k.Stream)) || !utf8.ValidString(k.Group) {
		return invalid("the name of a stream or group is not UTF-8")
	}
	if err := eventstore.CheckStream(eventstore.MetadataOf(k.checkpoints())); err != nil {
		return invalid("stream and group have %d bytes together, too many for the names of their own streams", len(k.Stream)+len(k.Group))
	}
	return nil
}

// Strategy is how a group chooses the consumer of a message.
type Strategy string

// The strategies, by the names that EventStoreDB gives them.
const (
	// RoundRobin takes consumers in turn.
	RoundRobin Strategy = "RoundRobin"
	// DispatchToSingle fills the consumer that came first, then the next.
	DispatchToSingle Strategy = "DispatchToSingle"
	// Pinned keeps the events of one stream with one consumer.
	Pinned Strategy = "Pinned"
	// PinnedByCorrelation keeps events with one $correlationId in their metadata with one
	// consumer, and those without by their stream.
	PinnedByCorrelation Strategy = "PinnedByCorrelation"
)

// Settings are how a group treats its consumers. The zero value of a number means what
// its comment says.
type Settings struct {
	// ResolveLinks hands out what a link stands for together with the link.
	ResolveLinks bool
	// ExtraStatistics measures how long each consumer takes.
	ExtraStatistics bool
	// MessageTimeout is how long a consumer may take to answer before a message is given
	// to another; 0: for ever.
	MessageTimeout time.Duration
	// MaxRetryCount is how often a message is given again before it is parked.
	MaxRetryCount int
	// HistoryBufferSize is how many messages are read ahead; 0: 500. LiveBufferSize is
	// kept for clients that ask: one buffer serves history and what is new.
	HistoryBufferSize, LiveBufferSize int
	// ReadBatchSize is how many records are read at a time; 0: 20.
	ReadBatchSize int
	// CheckpointAfter is the shortest time between two checkpoints of fewer than
	// MaxCheckpointCount messages.
	CheckpointAfter time.Duration
	// MinCheckpointCount is the fewest answered messages that a checkpoint is written for;
	// MaxCheckpointCount is how many force one. 0 is 1.
	MinCheckpointCount, MaxCheckpointCount int
	// MaxConsumers at a time; 0: MaxConsumers.
	MaxConsumers int
	Strategy     Strategy
}

func (s Settings) check() error {
	for _, number := range []struct {
		name  string
		value int64
	}{
		{"message timeout", int64(s.MessageTimeout)},
		{"max retry count", int64(s.MaxRetryCount)},
		{"history buffer size", int64(s.HistoryBufferSize)},
		{"live buffer size", int64(s.LiveBufferSize)},
		{"read batch size", int64(s.ReadBatchSize)},
		{"checkpoint after", int64(s.CheckpointAfter)},
		{"min checkpoint count", int64(s.MinCheckpointCount)},
		{"max checkpoint count", int64(s.MaxCheckpointCount)},
		{"max subscriber count", int64(s.MaxConsumers)},
	} {
		if number.value < 0 {
			return invalid("the %s is %d, and cannot be negative", number.name, number.value)
		}
	}
	const longest = math.MaxInt32 * time.Millisecond // what the protocol can say
	if s.MessageTimeout > longest || s.CheckpointAfter > longest {
		return invalid("a time is longer than %s", longest)
	}
	switch s.Strategy {
	case RoundRobin, DispatchToSingle, Pinned, PinnedByCorrelation:
		return nil
	default:
		return invalid("there is no consumer strategy %.64q", s.Strategy)
	}
}

func (s Settings) readAhead() int {
	if s.HistoryBufferSize == 0 {
		return 500
	}
	return min(s.HistoryBufferSize, maxReadAhead)
}

func (s Settings) batch() int {
	if s.ReadBatchSize == 0 {
		return 20
	}
	return min(s.ReadBatchSize, maxReadBatch)
}

func (s Settings) maxConsumers() int {
	if s.MaxConsumers == 0 {
		return MaxConsumers
	}
	return min(s.MaxConsumers, MaxConsumers)
}

// From is where a group begins that has no checkpoint yet.
type From struct {
	// End begins with what comes after the group was made, and At says nothing.
	End bool
	// At is the first message's revision, or its position as EventStoreDB counts it, from
	// 0: one less than eventstore.Position.
	At uint64
}

func (f From) check() error {
	if !f.End && f.At > math.MaxInt64 {
		return invalid("a group cannot begin at %d", f.At)
	}
	return nil
}

// Config is a whole group.
type Config struct {
	Key
	Settings
	From   From
	Filter *Filter // for a group over All; nil passes everything
}

func (c Config) check() error {
	if err := c.Key.check(); err != nil {
		return err
	}
	if err := c.Settings.check(); err != nil {
		return err
	}
	if err := c.From.check(); err != nil {
		return err
	}
	if c.Filter != nil && c.Stream != All {
		return invalid("a group over one stream cannot be filtered")
	}
	if c.Filter != nil {
		for _, s := range append([]string{c.Filter.Regex}, c.Filter.Prefixes...) {
			if !utf8.ValidString(s) {
				return invalid("a filter is not UTF-8")
			}
		}
	}
	_, err := c.Filter.matcher()
	return err
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", eventstore.ErrInvalid, fmt.Sprintf(format, args...))
}

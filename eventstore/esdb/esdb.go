// Package esdb is the event store contract over the official EventStoreDB client: a
// ledger in EventStoreDB or KurrentDB, or in another process of Daybook that serves
// its own through esdbserver.
//
// What belongs here: the client, its traps, and the translation between its words and
// the contract's. What does not: the other end of the wire (look in esdbserver), the
// store in this process (embedded), and what an event's bytes mean (codec).
//
// # Positions
//
// A server's first event may stand at log position 0, and the contract's Start, which
// is 0, comes before every event. So a record at commit position p has
// eventstore.Position p+1; commit and prepare position are taken to be equal, as they
// are for every event written by an append. It is an offset into the server's files: from any
// other number a server cannot read. The newer ones say so, which is eventstore.ErrInvalid;
// those before 24.2 fail as if they were broken.
//
// # What a server must bring
//
// Version 23.10 or later, which says when a subscription has caught up. Its limit on
// an append must allow eventstore.MaxAppendSize: KurrentDB's default is 1 MiB, so
// start it with --max-append-size=4194304 where appends may get that large.
//
// The server recognises an append that is retried. With the expectations At and
// NoStream it does so for ever; with Any and Exists a KurrentDB recalls only what it
// appended lately, esdbserver everything.
//
// # When the other side changes
//
// A call that fails because no server is there, or because the connection broke, is not
// made again here: the caller knows from ErrUnavailable and ErrUnknownOutcome what that
// means, and its next call finds the server again. A call that met a server which leads no
// longer was not looked at there, so it is made again at the leader. A connection on which
// a call got no answer in time is not used for another. Subscriptions end with
// ErrUnavailable on all of these; subscribe again from the last position.
//
// # The client's traps
//
// They are dealt with here so that no one else has to know them. A client object whose
// discovery fails once is dead, and calls that wait for it then hang; one that
// reconnects by itself loses hold of its old connection. So every client object is
// used until its first sign of trouble and then replaced, and its first call is made
// alone (link.go). Leaving out an expected revision means no check, leaving out a
// start means the end, and a zero event id means a random one, so nothing is left out
// (append.go, subscribe.go). Its FromError does not look into wrapped errors, and the
// actual revision of a conflict stands only in an error's text (errors.go).
package esdb

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
)

// Options of a Store. The zero value is fit for use.
type Options struct {
	// CallTimeout bounds each append, each wait for the next record of a read, and the
	// opening of a subscription, beside the caller's context; 10 s if 0. It also bounds
	// how long a client object that is being replaced stays for the calls under way on it.
	CallTimeout time.Duration
	// Logger receives what the client logs; slog's default if nil.
	Logger *slog.Logger
}

// Store is an eventstore.Store on a server. Safe for concurrent use.
type Store struct {
	links    *links
	timeout  time.Duration
	counters counters

	// open ends in Close, and with it reads and subscriptions.
	open   context.Context
	end    context.CancelFunc
	mu     sync.Mutex
	closed bool
	// appends under way, which Close waits for.
	appends sync.WaitGroup
}

var _ eventstore.Store = (*Store)(nil)

// Open connects to the server at url, such as "esdb://host:2113?tls=false" or, for a
// cluster, "esdb+discover://host:2113" or "esdb://a:2113,b:2113"; "kurrentdb" may
// stand for "esdb". See ParseURL for what else a url may say.
//
// It returns an error that says what is wrong with a url, and eventstore.ErrUnavailable
// where no server answers. A server that goes away later is reconnected to by the
// calls that need it.
func Open(ctx context.Context, url string, options Options) (*Store, error) {
	config, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	if options.CallTimeout <= 0 {
		options.CallTimeout = 10 * time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	config.Logger = logTo(options.Logger)
	s := &Store{timeout: options.CallTimeout}
	s.links = newLinks(*config, options.CallTimeout, &s.counters)
	s.open, s.end = context.WithCancel(context.Background())
	u, err := s.links.acquire(ctx)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	u.release()
	return s, nil
}

// Close waits for the appends under way, ends subscriptions and reads, and disconnects.
// Calls after it yield eventstore.ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.appends.Wait() // first, for an append may have to read its place back
	s.end()
	s.links.close()
	return nil
}

// begin counts an append in; the store stays until done is called.
func (s *Store) begin() (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, eventstore.ErrClosed
	}
	s.appends.Add(1)
	return s.appends.Done, nil
}

// Head returns the position of the last record that is not the engine's own.
func (s *Store) Head(ctx context.Context) (eventstore.Position, error) {
	for r, err := range s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
		return r.Position, err
	}
	return eventstore.Start, nil
}

// fromServer is the contract's form of a log position; see the package comment.
func fromServer(commit uint64) eventstore.Position {
	if commit == math.MaxUint64 {
		return math.MaxUint64
	}
	return eventstore.Position(commit + 1)
}

// toServer is the log position of a record at p, which is not Start.
func toServer(p eventstore.Position) client.Position {
	return client.Position{Commit: uint64(p) - 1, Prepare: uint64(p) - 1}
}

// toRecord translates one event that was read. It fails where the server left the
// position out, as old ones do in reads of one stream.
func toRecord(resolved *client.ResolvedEvent) (eventstore.Record, error) {
	e := resolved.OriginalEvent()
	if e == nil {
		return eventstore.Record{}, fmt.Errorf("%w: the server sent a read response without an event", eventstore.ErrUnavailable)
	}
	if e.Position.Commit == math.MaxUint64 {
		return eventstore.Record{}, fmt.Errorf("%w: the server gives no position for revision %d of stream %q; it is too old",
			eventstore.ErrUnavailable, e.EventNumber, e.StreamID)
	}
	return eventstore.Record{
		Event: eventstore.Event{
			ID:       eventstore.EventID(e.EventID),
			Type:     e.EventType,
			Data:     e.Data,
			Metadata: e.UserMetadata,
			Binary:   e.ContentType != "application/json",
		},
		Stream:   eventstore.StreamName(e.StreamID),
		Revision: eventstore.Revision(e.EventNumber),
		Position: fromServer(e.Position.Commit),
		Recorded: e.CreatedDate.UTC(),
	}, nil
}

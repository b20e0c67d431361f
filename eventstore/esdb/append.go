package esdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"daybook/eventstore"
)

// Append adds events to stream; see eventstore.Appender.
func (s *Store) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.CheckAppend(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, err
	}
	done, err := s.begin()
	if err != nil {
		return eventstore.Appended{}, err
	}
	defer done()
	for attempt := 0; ; attempt++ {
		a, err := s.call(ctx, stream, expected, events)
		if err != nil {
			return eventstore.Appended{}, err
		}
		if !s.moved(ctx, a.err, attempt) {
			return s.answered(ctx, stream, expected, events, a)
		}
	}
}

// call hands an append to the server, once. Its error is of an append that was not sent,
// or not waited for.
func (s *Store) call(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event) (answer, error) {
	connecting, connected := context.WithTimeout(ctx, s.timeout)
	u, err := s.links.acquire(connecting)
	connected()
	if err != nil {
		return answer{}, s.notConnected(ctx, err)
	}
	answered := make(chan answer, 1)
	copied := proposals(events)
	s.counters.appends.Add(1)
	s.appends.Add(1) // Close waits for it also after the caller has left
	go func() {
		defer s.appends.Done()
		defer u.release()
		answered <- s.send(context.WithoutCancel(ctx), u, stream, expected, copied)
	}()
	select {
	case a := <-answered:
		return a, nil
	case <-ctx.Done():
		s.counters.unknown.Add(1)
		return answer{}, fmt.Errorf("%w: %v while the append was under way", eventstore.ErrUnknownOutcome, ctx.Err())
	}
}

// answer is what the client made of one append.
type answer struct {
	result *client.WriteResult
	err    error
}

// send makes the client's call. Once begun it runs to its end, whatever becomes of the
// caller: the client has a data race where the context of an append ends while it
// sends. Nothing is lost by it, for the outcome is unknown from there on anyway.
func (s *Store) send(ctx context.Context, u *use, stream eventstore.StreamName, expected eventstore.Expected, events []client.EventData) answer {
	result, err := guarded(func() (*client.WriteResult, error) {
		return u.client.AppendToStream(u.context(ctx), string(stream), client.AppendToStreamOptions{
			ExpectedRevision: revisionOf(expected),
			Deadline:         &s.timeout,
		}, events...)
	})
	if err != nil && (broken(err) || late(err)) {
		s.links.fail(u.link)
	}
	return answer{result, err}
}

func (s *Store) answered(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event, a answer) (at eventstore.Appended, err error) {
	switch {
	case a.err == nil:
		at, err = s.placed(ctx, stream, expected, events, a.result)
	case codeOf(a.err) == client.ErrorCodeWrongExpectedVersion:
		at, err = s.conflicted(ctx, stream, expected, events, a.err)
	default:
		err = appendFailure(ctx, a.err)
	}
	s.counters.count(err, len(events))
	return at, err
}

// notConnected is the contract's error where no link was to be had: nothing was sent.
func (s *Store) notConnected(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, eventstore.ErrClosed), errors.Is(err, eventstore.ErrUnavailable):
		return err
	default:
		return fmt.Errorf("%w: no connection within %s", eventstore.ErrUnavailable, s.timeout)
	}
}

// placed turns the server's success into the place of the events. An append that was
// retried may be answered with other values than its first time, and the client makes
// 0 of a position that was left out; where the answer may not be right the stream says.
// NoStream also goes on behind what a stream hides, at another revision than 0.
func (s *Store) placed(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event, result *client.WriteResult) (eventstore.Appended, error) {
	answered := eventstore.Revision(result.NextExpectedVersion)
	must, known := lastRevision(expected, len(events))
	if result.CommitPosition != 0 && (!known || must == answered) {
		return eventstore.Appended{Revision: answered, Position: fromServer(result.CommitPosition)}, nil
	}
	candidates := []eventstore.Revision{answered}
	if known && must != answered {
		candidates = []eventstore.Revision{must, answered}
	}
	for _, last := range candidates {
		at, stands, err := s.standing(ctx, stream, last, events)
		if err != nil {
			return eventstore.Appended{}, fmt.Errorf("%w: appended, but its place could not be read: %v", eventstore.ErrUnknownOutcome, err)
		}
		if stands {
			return at, nil
		}
	}
	return eventstore.Appended{}, fmt.Errorf("%w: the server says that it appended to %q, and the stream does not hold it", eventstore.ErrUnknownOutcome, stream)
}

// conflicted turns the server's "wrong version" into a ConflictError, unless the
// stream already holds exactly these events where they belong: then this is a retry
// that the server did not recognise.
func (s *Store) conflicted(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event, cause error) (eventstore.Appended, error) {
	actual, ok := actualOf(cause)
	if !ok {
		var err error
		if actual, err = s.actual(ctx, stream); err != nil {
			return eventstore.Appended{}, fmt.Errorf("%w: the stream was not as expected, and how it is could not be read: %v", eventstore.ErrUnavailable, err)
		}
	}
	if last, known := lastRevision(expected, len(events)); known && actual.Exists && actual.Revision >= last {
		at, stands, err := s.standing(ctx, stream, last, events)
		if err != nil {
			return eventstore.Appended{}, fmt.Errorf("%w: whether the stream holds this append already could not be read: %v", eventstore.ErrUnknownOutcome, err)
		}
		if stands {
			s.counters.retries.Add(1)
			return at, nil
		}
	}
	if actual.Exists && actual.Revision == eventstore.DeletedRevision {
		return eventstore.Appended{}, eventstore.ErrStreamDeleted
	}
	return eventstore.Appended{}, &eventstore.ConflictError{Stream: stream, Expected: expected, Actual: actual}
}

// standing reports whether the events stand in stream with the last of them at
// revision last, and where that is.
func (s *Store) standing(ctx context.Context, stream eventstore.StreamName, last eventstore.Revision, events []eventstore.Event) (eventstore.Appended, bool, error) {
	if uint64(last)+1 < uint64(len(events)) {
		return eventstore.Appended{}, false, nil
	}
	first := uint64(last) + 1 - uint64(len(events))
	var place eventstore.Appended
	n := 0
	for r, err := range s.read(ctx, streamFrom(stream, client.Forwards, client.Revision(first), uint64(len(events)))) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return eventstore.Appended{}, false, nil
		}
		if err != nil {
			return eventstore.Appended{}, false, err
		}
		if n == len(events) || r.ID != events[n].ID || uint64(r.Revision) != first+uint64(n) {
			return eventstore.Appended{}, false, nil
		}
		place = eventstore.Appended{Revision: r.Revision, Position: r.Position}
		n++
	}
	return place, n == len(events), nil
}

// actual reads where a stream stands.
func (s *Store) actual(ctx context.Context, stream eventstore.StreamName) (eventstore.Actual, error) {
	for r, err := range s.read(ctx, streamFrom(stream, client.Backwards, client.End{}, 1)) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		return eventstore.Actual{Exists: err == nil, Revision: r.Revision}, err
	}
	return eventstore.Actual{}, nil
}

// lastRevision is the revision that the last of n events gets, where the expectation
// says.
func lastRevision(expected eventstore.Expected, n int) (last eventstore.Revision, known bool) {
	if r, exact := expected.Revision(); exact {
		return r + eventstore.Revision(n), true
	}
	if expected.Is(eventstore.NoStream()) {
		return eventstore.Revision(n - 1), true
	}
	return 0, false
}

// revisionOf never returns nil, which the client takes for "do not check".
func revisionOf(expected eventstore.Expected) client.ExpectedRevision {
	if r, exact := expected.Revision(); exact {
		return client.Revision(uint64(r))
	}
	switch {
	case expected.Is(eventstore.NoStream()):
		return client.NoStream{}
	case expected.Is(eventstore.Exists()):
		return client.StreamExists{}
	case expected.Is(eventstore.Any()):
		return client.Any{}
	default:
		panic("esdb: an expectation that CheckAppend should have refused")
	}
}

// proposals copies the events: the caller may write to its memory again as soon as
// Append has returned, and send may still be reading then.
func proposals(events []eventstore.Event) []client.EventData {
	out := make([]client.EventData, len(events))
	for i, e := range events {
		content := client.ContentTypeJson
		if e.Binary {
			content = client.ContentTypeBinary
		}
		out[i] = client.EventData{
			EventID:     uuid.UUID(e.ID), // not zero, CheckAppend has seen to it
			EventType:   e.Type,
			ContentType: content,
			Data:        bytes.Clone(e.Data),
			Metadata:    bytes.Clone(e.Metadata),
		}
	}
	return out
}

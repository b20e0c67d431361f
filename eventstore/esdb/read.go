package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"sync/atomic"
	"time"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
)

// everything is the count of a read without an end of its own. Servers keep counts as
// signed numbers.
const everything = math.MaxInt64

// ReadStream reads stream forwards; see eventstore.Reader.
func (s *Store) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	if from > math.MaxInt64 {
		// No stream gets there, but whether there is one at all still has to be said.
		from = math.MaxInt64
	}
	return s.readStream(ctx, stream, streamFrom(stream, client.Forwards, client.Revision(uint64(from)), everything))
}

// ReadStreamBackwards reads stream from a revision back; see eventstore.Reader.
func (s *Store) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	var start client.StreamPosition = client.End{}
	if from <= math.MaxInt64 { // servers keep revisions as signed numbers
		start = client.Revision(uint64(from))
	}
	return s.readStream(ctx, stream, streamFrom(stream, client.Backwards, start, everything))
}

func (s *Store) readStream(ctx context.Context, stream eventstore.StreamName, start opening) iter.Seq2[eventstore.Record, error] {
	if err := eventstore.CheckStream(stream); err != nil {
		return failed(err)
	}
	return s.read(ctx, start)
}

// ReadAll reads the ledger forwards; see eventstore.Reader. The filter is applied
// here: the client filters subscriptions only.
func (s *Store) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range s.readAll(ctx, client.Forwards, allPosition(after), everything) {
			// The server's read begins with the record at its position.
			if (err != nil || r.Position > after && filter.Passes(r.Stream, r.Type)) && !yield(r, err) {
				return
			}
		}
	}
}

// ReadAllBackwards reads the ledger from a position back; see eventstore.Reader. A server's
// read backwards leaves out the record where it begins, so that one is read by itself.
func (s *Store) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if from == eventstore.Start {
			if err := s.usable(ctx); err != nil {
				yield(eventstore.Record{}, err)
			}
			return
		}
		var at client.AllPosition = client.End{}
		if from <= math.MaxInt64 { // servers keep positions as signed numbers
			for r, err := range s.readAll(ctx, client.Forwards, toServer(from), 1) {
				if err != nil {
					yield(r, err)
					return
				}
				at = toServer(r.Position)
				if r.Position == from && filter.Passes(r.Stream, r.Type) && !yield(r, nil) {
					return
				}
			}
		}
		for r, err := range s.readAll(ctx, client.Backwards, at, everything) {
			if (err != nil || r.Position < from && filter.Passes(r.Stream, r.Type)) && !yield(r, err) {
				return
			}
		}
	}
}

func (s *Store) readAll(ctx context.Context, direction client.Direction, from client.AllPosition, count uint64) iter.Seq2[eventstore.Record, error] {
	return s.read(ctx, func(ctx context.Context, c *client.Client) (*client.ReadStream, error) {
		return c.ReadAll(ctx, client.ReadAllOptions{Direction: direction, From: from}, count)
	})
}

// allPosition is where a read or subscription after a position starts. It never
// returns nil, which the client takes for the end.
func allPosition(after eventstore.Position) client.AllPosition {
	if after == eventstore.Start {
		return client.Start{}
	}
	return toServer(after)
}

func failed(err error) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) { yield(eventstore.Record{}, err) }
}

// opening starts a read.
type opening func(context.Context, *client.Client) (*client.ReadStream, error)

func streamFrom(stream eventstore.StreamName, direction client.Direction, from client.StreamPosition, count uint64) opening {
	return func(ctx context.Context, c *client.Client) (*client.ReadStream, error) {
		return c.ReadStream(ctx, string(stream), client.ReadStreamOptions{Direction: direction, From: from}, count)
	}
}

func (s *Store) usable(ctx context.Context) error {
	if s.open.Err() != nil {
		return eventstore.ErrClosed
	}
	return ctx.Err()
}

// errSilent is a server that keeps a reader waiting for longer than the call timeout.
var errSilent = errors.New("the server did not answer in time")

// read reads from the server; each use of the sequence is a read of its own.
func (s *Store) read(ctx context.Context, start opening) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if err := s.usable(ctx); err != nil {
			yield(eventstore.Record{}, err)
			return
		}
		for attempt := 0; s.readOnce(ctx, start, attempt, yield); {
			attempt++
		}
	}
}

// readOnce makes one call. It returns whether the call should be made again, because the
// leader was another and nothing has been yielded.
func (s *Store) readOnce(ctx context.Context, start opening, attempt int, yield func(eventstore.Record, error) bool) (again bool) {
	connecting, connected := context.WithTimeout(ctx, s.timeout)
	u, err := s.links.acquire(connecting)
	connected()
	if err != nil {
		yield(eventstore.Record{}, s.notConnected(ctx, err))
		return false
	}
	defer u.release()
	call, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.open, cancel)()
	// The caller may take its time with a record, the server not.
	var silent atomic.Bool
	patience := time.AfterFunc(s.timeout, func() { silent.Store(true); cancel() })
	defer patience.Stop()
	begun := false
	fail := func(err error) bool {
		if !begun && s.moved(ctx, err, attempt) {
			return true
		}
		if silent.Load() && s.usable(ctx) == nil {
			s.links.fail(u.link) // see late
			err = fmt.Errorf("%w: %v", eventstore.ErrUnavailable, errSilent)
		}
		yield(eventstore.Record{}, s.readFailure(ctx, u, err))
		return false
	}

	stream, err := guarded(func() (*client.ReadStream, error) { return start(u.context(call), u.client) })
	if err != nil {
		return fail(err)
	}
	defer stream.Close()
	receive := stream.Recv
	for {
		resolved, err := guarded(receive)
		if errors.Is(err, io.EOF) {
			return false
		}
		patience.Stop()
		if err != nil {
			return fail(err)
		}
		record, err := toRecord(resolved)
		if err != nil {
			return fail(err)
		}
		begun = true
		if !yield(record, nil) {
			return false
		}
		if err := s.usable(ctx); err != nil {
			// What is in flight would still come, and the caller no longer wants it.
			yield(eventstore.Record{}, err)
			return false
		}
		patience.Reset(s.timeout)
	}
}

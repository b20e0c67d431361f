package esdb_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"strings"
	"sync"

	"daybook/eventstore"
)

// section is a part of a ledger that others write to as well, made to look like a ledger
// of its own: it begins empty, and holds the streams whose names begin with its mark. It
// lets the suite run on a cluster that nobody can empty.
type section struct {
	mark  string
	begin eventstore.Position // of the ledger when the section was made

	mu    sync.Mutex
	names map[eventstore.StreamName]eventstore.StreamName // by the names in the ledger, where they cannot be told from those
}

func newSection(ctx context.Context, s eventstore.Store) (*section, error) {
	begin, err := s.Head(ctx)
	var id [6]byte
	_, _ = rand.Read(id[:]) // never fails
	return &section{
		mark: "daybooktest" + hex.EncodeToString(id[:]) + "-", begin: begin,
		names: map[eventstore.StreamName]eventstore.StreamName{},
	}, err
}

// outer is a stream's name in the ledger.
func (c *section) outer(name eventstore.StreamName) eventstore.StreamName {
	if len(c.mark)+len(name) <= eventstore.MaxStreamName {
		return eventstore.StreamName(c.mark) + name
	}
	sum := sha256.Sum256([]byte(name))
	short := eventstore.StreamName(c.mark + "long-" + hex.EncodeToString(sum[:]))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[short] = name
	return short
}

// inner makes a record of the ledger one of the section; ok is false if it is not of it.
func (c *section) inner(r eventstore.Record) (eventstore.Record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name, long := c.names[r.Stream]; long {
		r.Stream = name
		return r, true
	}
	name, ok := strings.CutPrefix(string(r.Stream), c.mark)
	r.Stream = eventstore.StreamName(name)
	return r, ok && r.Position > c.begin
}

// sectioned is a store that sees a section alone.
type sectioned struct {
	eventstore.Store
	of *section
}

func (s sectioned) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.CheckAppend(stream, expected, events); err != nil {
		return eventstore.Appended{}, err // the mark would hide what is wrong with a name
	}
	at, err := s.Store.Append(ctx, s.of.outer(stream), expected, events...)
	var conflict *eventstore.ConflictError
	if errors.As(err, &conflict) {
		return at, &eventstore.ConflictError{Stream: stream, Expected: conflict.Expected, Actual: conflict.Actual}
	}
	return at, err
}

func (s sectioned) own(records iter.Seq2[eventstore.Record, error], filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range records {
			ok := true
			if err == nil {
				if r.Position <= s.of.begin {
					return // backwards, and through
				}
				r, ok = s.of.inner(r)
				ok = ok && filter.Passes(r.Stream, r.Type)
			}
			if ok && !yield(r, err) {
				return
			}
		}
	}
}

func (s sectioned) ofStream(name eventstore.StreamName, read func(eventstore.StreamName) iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	if eventstore.CheckStream(name) != nil {
		return read(name)
	}
	return s.own(read(s.of.outer(name)), eventstore.Filter{})
}

func (s sectioned) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return s.ofStream(stream, func(name eventstore.StreamName) iter.Seq2[eventstore.Record, error] {
		return s.Store.ReadStream(ctx, name, from)
	})
}

func (s sectioned) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return s.ofStream(stream, func(name eventstore.StreamName) iter.Seq2[eventstore.Record, error] {
		return s.Store.ReadStreamBackwards(ctx, name, from)
	})
}

func (s sectioned) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return s.own(s.Store.ReadAll(ctx, max(after, s.of.begin), eventstore.Filter{}), filter)
}

func (s sectioned) ReadAllBackwards(ctx context.Context, from eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return s.own(s.Store.ReadAllBackwards(ctx, from, eventstore.Filter{}), filter)
}

func (s sectioned) Head(ctx context.Context) (eventstore.Position, error) {
	if _, err := s.Store.Head(ctx); err != nil {
		return eventstore.Start, err
	}
	for r, err := range s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{}) {
		return r.Position, err
	}
	return eventstore.Start, nil
}

func (s sectioned) Subscribe(ctx context.Context, after eventstore.Position, filter eventstore.Filter) (eventstore.Subscription, error) {
	sub, err := s.Store.Subscribe(ctx, max(after, s.of.begin), eventstore.StreamPrefix(s.of.mark))
	if err != nil {
		return nil, err
	}
	return &sectionedSubscription{sub, s.of, filter, after}, nil
}

type sectionedSubscription struct {
	eventstore.Subscription
	of     *section
	filter eventstore.Filter
	at     eventstore.Position // of the section's records alone
}

func (s *sectionedSubscription) Next(ctx context.Context) (eventstore.Batch, error) {
	batch, err := s.Subscription.Next(ctx)
	all := batch.Records
	batch.Records = nil
	for _, r := range all {
		r, ok := s.of.inner(r)
		if !ok {
			continue
		}
		s.at = r.Position
		if s.filter.Passes(r.Stream, r.Type) {
			batch.Records = append(batch.Records, r)
		}
	}
	batch.Position = s.at
	return batch, err
}

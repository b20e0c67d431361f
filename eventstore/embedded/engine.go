package embedded

import (
	"context"
	"fmt"

	"daybook/eventstore"
)

// Write implements eventstore.Engine.
func (s *Store) Write(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if err := eventstore.CheckWrite(stream, expected, events); err != nil {
		return eventstore.Appended{}, err
	}
	_, metadata := original(stream)
	var l limits
	for i := range events {
		if events[i].Type == eventstore.StreamDeletedType {
			return eventstore.Appended{}, fmt.Errorf("%w: event %d: type %q is for tombstones", eventstore.ErrInvalid, i, events[i].Type)
		}
		if metadata {
			var err error
			if l, err = readMetadata(&events[i]); err != nil {
				return eventstore.Appended{}, fmt.Errorf("%w: event %d: %w", eventstore.ErrInvalid, i, err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Appended{}, err
	}
	r := newRequest(stream, expected, events)
	r.limits = l
	return s.send(ctx, r)
}

// Delete implements eventstore.Engine.
func (s *Store) Delete(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected) (eventstore.Position, error) {
	return s.sendEnd(ctx, deleting, stream, expected)
}

// Tombstone implements eventstore.Engine.
func (s *Store) Tombstone(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected) (eventstore.Position, error) {
	return s.sendEnd(ctx, ending, stream, expected)
}

func (s *Store) sendEnd(ctx context.Context, how kind, stream eventstore.StreamName, expected eventstore.Expected) (eventstore.Position, error) {
	if !expected.Valid() {
		return eventstore.Start, eventstore.ErrNoExpectation
	}
	if err := eventstore.CheckStream(stream); err != nil {
		return eventstore.Start, err
	}
	if of, is := original(stream); is {
		return eventstore.Start, fmt.Errorf("%w: %q holds the metadata of stream %q: they are replaced by newer ones, and end with it", eventstore.ErrInvalid, stream, of)
	}
	if err := ctx.Err(); err != nil {
		return eventstore.Start, err
	}
	r := newRequest(stream, expected, nil)
	r.kind = how
	at, err := s.send(ctx, r)
	return at.Position, err
}

// Package codec says what an event's bytes mean: the names of events, their JSON forms,
// the versions of those forms, what is encrypted in them, and the names of the streams
// they stand in.
//
// What belongs here: everything that must stay readable for as long as the ledger lives.
// The events themselves, and the rules between them, are domain's; keeping the bytes is
// the stores'; keeping the keys is internal/keystore's. Nothing here knows HTTP: what a
// client sees is written by writeapi and readapi, in forms of their own.
//
// # Versions
//
// An event's type names what happened and never changes, so that filters by type hold for
// ever. The version of its JSON form stands in the metadata as "v". A form that was ever
// written keeps a golden file in testdata; one that is no longer written keeps an
// up-caster, which turns it into the next form whenever it is read. Fields may be added
// to a form without a new version if their zero value means what their absence meant.
//
// # Personal data
//
// What tells of a person is not in the form itself. It is one JSON object, encrypted with
// that person's own key and bound to the stream, the id and the type of its event; the
// form carries it as "personal" and the key's name as "subject". Once the key is dropped
// the event still tells what happened, but no longer to whom.
package codec

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"daybook/domain"
	"daybook/eventstore"
)

var (
	// ErrUnknownType says that an event's type has no form here. A view passes over such an
	// event; a decision must not be made without it.
	ErrUnknownType = errors.New("codec: unknown event type")
	// ErrNewerVersion says that an event was written in a form newer than this program
	// knows. Neither a view nor a decision may go on without it.
	ErrNewerVersion = errors.New("codec: event form is newer than this program")
	// ErrCorrupt says that an event's bytes are not what this package wrote.
	ErrCorrupt = errors.New("codec: corrupt event")
)

// Codec turns events into bytes and back. It is safe for concurrent use.
type Codec struct {
	ring   *ring
	byName map[string]form
	byType map[reflect.Type]form
}

// New makes a codec whose keys come from keys. It remembers up to some thousand of them,
// each for a minute at most: so long a key dropped by another process may still be used
// in this one.
func New(keys Keys) *Codec { return newCodec(keys, allForms(), time.Now) }

func newCodec(keys Keys, forms []form, now func() time.Time) *Codec {
	c := &Codec{
		ring:   newRing(keys, now),
		byName: make(map[string]form, len(forms)),
		byType: make(map[reflect.Type]form, len(forms)),
	}
	for _, f := range forms {
		c.byName[f.typeName()] = f
		c.byType[f.goType()] = f
	}
	return c
}

// Encode writes an event, as it is to stand in stream under id. The metadata's DecidedAt
// is taken from the event, whatever meta says.
//
// Errors: ErrUnknownType for a value that is no event of the domain; ErrErased when it
// holds personal data of somebody whose key was dropped; else the key store's.
func (c *Codec) Encode(ctx context.Context, stream eventstore.StreamName, id eventstore.EventID, event any, meta Metadata) (eventstore.Event, error) {
	f, ok := c.byType[reflect.TypeOf(event)]
	if !ok {
		return eventstore.Event{}, fmt.Errorf("%w: %T", ErrUnknownType, event)
	}
	at := place{stream: stream, id: id, eventType: f.typeName()}
	data, decidedAt, err := f.encode(ctx, c.ring, at, event)
	if err != nil {
		return eventstore.Event{}, fmt.Errorf("codec: encode %s: %w", f.typeName(), err)
	}
	meta.DecidedAt = decidedAt
	return eventstore.Event{
		ID: id, Type: f.typeName(), Data: data,
		Metadata: appendMetadata(make([]byte, 0, 256), f.version(), &meta),
	}, nil
}

// Decoded is an event read back.
type Decoded struct {
	Event  any // the domain's value, such as restaurantday.Held
	Meta   Metadata
	Erased bool // it held personal fields whose key is gone; they are empty
}

// Decode reads an event. Personal fields whose key is gone come back empty; a key store
// that cannot answer is an error, never taken for erasure.
//
// Errors: ErrUnknownType, ErrNewerVersion, ErrCorrupt, else the key store's.
func (c *Codec) Decode(ctx context.Context, r eventstore.Record) (Decoded, error) {
	f, ok := c.byName[r.Type]
	if !ok {
		return Decoded{}, fmt.Errorf("%w: %q", ErrUnknownType, r.Type)
	}
	meta, version, err := decodeMetadata(r)
	if err != nil {
		return Decoded{}, err
	}
	if version > f.version() {
		return Decoded{}, fmt.Errorf("%w: %s version %d, known up to %d", ErrNewerVersion, r.Type, version, f.version())
	}
	at := place{stream: r.Stream, id: r.ID, eventType: r.Type}
	event, erased, err := f.decode(ctx, c.ring, at, version, r.Data, domain.Stamp{At: meta.DecidedAt})
	if err != nil {
		return Decoded{}, fmt.Errorf("codec: decode %s at revision %d of %q: %w", r.Type, r.Revision, r.Stream, err)
	}
	return Decoded{Event: event, Meta: meta, Erased: erased}, nil
}

// Forget drops a subject's key for ever, in the key store and in this codec's memory.
func (c *Codec) Forget(ctx context.Context, subject string) error {
	return c.ring.drop(ctx, subject)
}

package reporting

import (
	"context"
	"fmt"

	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// Words reads what somebody said in words of why he did something. They are personal, so no
// table has them: they stand in the event, encrypted, and are read from there when they are
// shown. Safe for concurrent use.
type Words struct {
	store eventstore.Reader
	codec *codec.Codec
}

// NewWords makes a reader of words.
func NewWords(store eventstore.Reader, c *codec.Codec) *Words { return &Words{store: store, codec: c} }

// Of returns the words of an entry of which ReasonGiven tells that there are some. They are
// empty where they were erased with the person they tell of. Errors are the store's and the
// key store's.
func (w *Words) Of(ctx context.Context, e AuditEntry) (string, error) {
	for r, err := range w.store.ReadStream(ctx, e.Stream, e.Revision) {
		if err != nil {
			return "", fmt.Errorf("reporting: words of %s at revision %d: %w", e.Stream, e.Revision, err)
		}
		d, err := w.codec.Decode(ctx, r)
		if err != nil {
			return "", fmt.Errorf("reporting: words of %s at revision %d: %w", e.Stream, e.Revision, err)
		}
		return wordsOf(d.Event), nil
	}
	return "", fmt.Errorf("reporting: %s ends before revision %d: %w", e.Stream, e.Revision, eventstore.ErrUnavailable)
}

func wordsOf(event any) string {
	switch e := event.(type) {
	case restaurantday.Held:
		return e.Override.Reason
	case restaurantday.Amended:
		return e.Override.Reason
	case restaurantday.Cancelled:
		return e.Reason
	case restaurant.BookingDecided:
		return e.Message
	case restaurant.BlockAdded:
		return e.Block.Reason
	}
	return ""
}

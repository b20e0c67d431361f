package book

import (
	"testing"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// TestConcerns tells of each kind of stream whom its events are about.
func TestConcerns(t *testing.T) {
	s := newShelf(t)
	user := domain.NewUserID([16]byte{4})
	for stream, want := range map[eventstore.StreamName]Concerned{
		codec.UserStream(user):           {User: user},
		codec.RestaurantStream(ida):      {Restaurant: ida},
		codec.WebhooksStream(ida):        {Restaurant: ida},
		codec.DemandStream(ida, evening): {Restaurant: ida},
		codec.DayStream(ida, evening):    {Restaurant: ida},
		codec.EmailStream([32]byte{5}):   {},
		"another-client":                 {},
	} {
		r := eventstore.Record{Stream: stream, Event: eventstore.Event{Data: []byte(`{}`)}}
		if got, err := s.book.Concerns(t.Context(), r, noon); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", stream, got, err, want)
		}
	}
}

package esdb

import (
	"errors"
	"fmt"
	"io"
	"testing"

	client "github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"daybook/eventstore"
)

func TestActualOf(t *testing.T) {
	type result struct {
		actual eventstore.Actual
		ok     bool
	}
	cases := map[string]result{
		"wrong expected version: expecting 'no_stream' but got '12'":   {eventstore.Actual{Exists: true, Revision: 12}, true},
		"wrong expected version: expecting '3' but got 'no_stream'":    {eventstore.Actual{}, true},
		"wrapped: wrong expected version: expecting 'any' but got '0'": {eventstore.Actual{Exists: true}, true},
		"wrong expected version: expecting '3' but got '-1'":           {},
		"wrong expected version: expecting '3' but got ''":             {},
		"the stream has moved": {},
	}
	for text, want := range cases {
		actual, ok := actualOf(errors.New(text))
		if got := (result{actual, ok}); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

// TestHandedOver has each kind of error the client gives for an append. A wrong "no"
// is the dangerous one: the caller would think that nothing was appended.
func TestHandedOver(t *testing.T) {
	var bare error = &client.Error{} // as it is given while waiting for the answer
	cases := []struct {
		name string
		err  error
		want bool
	}{
		{"no answer", bare, true},
		{"before the end of the request", fmt.Errorf("could not send append request. Reason: %w", bare), false},
		{"not of the client", io.ErrUnexpectedEOF, true},
		{"a panic", fmt.Errorf("%w: %v", errClientPanic, "closed channel"), true},
	}
	for _, c := range cases {
		if got := handedOver(c.err); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

func TestGuardedTurnsPanicsIntoErrors(t *testing.T) {
	_, err := guarded(func() (int, error) { panic("send on closed channel") })
	if !errors.Is(err, errClientPanic) || !broken(err) {
		t.Fatalf("%v, want errClientPanic, which breaks a link", err)
	}
}

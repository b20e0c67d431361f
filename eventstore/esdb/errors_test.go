package esdb

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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

// FuzzActualOf requires that a text gives a state only if it names one, and the one it
// names.
func FuzzActualOf(f *testing.F) {
	for _, s := range []string{"12", "no_stream", "-1", "", "18446744073709551615", "18446744073709551616", "0x1", "1' but got '2", "+3", " 4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, got string) {
		actual, ok := actualOf(fmt.Errorf("wrong expected version: expecting '7' but got '%s'", got))
		if !ok {
			if _, err := strconv.ParseUint(got, 10, 64); err == nil || got == "no_stream" {
				t.Errorf("%q was not understood", got)
			}
			return
		}
		if actual.Exists && !strings.HasPrefix(strings.TrimLeft(got, "0"), strings.TrimLeft(strconv.FormatUint(uint64(actual.Revision), 10), "0")) {
			t.Errorf("%q was read as %s", got, actual)
		}
		if !actual.Exists && (actual.Revision != 0 || !strings.HasPrefix(got, "no_stream")) {
			t.Errorf("%q was read as %+v", got, actual)
		}
	})
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

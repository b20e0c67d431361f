package webhooks

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/internal/keystore"
)

// TestEveryEventTellsWhatItIsAbout reads an event of each form that ledgers hold: a message
// names the reservation or the entry of the waitlist that it is about.
func TestEveryEventTellsWhatItIsAbout(t *testing.T) {
	keys, err := keystore.Memory(t.Context())
	must(t, err)
	defer func() { _ = keys.Close() }()
	c := codec.New(keys) // which opens nothing personal
	files, err := filepath.Glob("../../eventstore/codec/testdata/*.json")
	must(t, err)
	told := map[string]bool{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		must(t, err)
		var entry struct {
			Stream         eventstore.StreamName
			ID, Type       string
			Data, Metadata json.RawMessage
		}
		must(t, json.Unmarshal(raw, &entry))
		id, err := hex.DecodeString(strings.ReplaceAll(entry.ID, "-", ""))
		must(t, err)
		d, err := c.Decode(t.Context(), eventstore.Record{Stream: entry.Stream, Event: eventstore.Event{
			ID: eventstore.EventID(id), Type: entry.Type, Data: entry.Data, Metadata: entry.Metadata,
		}})
		must(t, err)
		e, ok := d.Event.(restaurantday.Event)
		if !ok {
			continue
		}
		kind, _, _ := strings.Cut(entry.Type, ".")
		switch kind {
		case "reservation", "action":
			if restaurantday.ReservationOf(e) == 0 {
				t.Errorf("%s: a message names no reservation", entry.Type)
			}
		case "waitlist":
			if restaurantday.EntryOf(e) == 0 {
				t.Errorf("%s: a message names no entry of the waitlist", entry.Type)
			}
		case "day", "demand": // about no one
		default:
			t.Errorf("%s: say in restaurantday.ReservationOf or EntryOf what it is about, and in commands' tradeTypes that it is told of", entry.Type)
		}
		told[entry.Type] = true
	}
	if len(told) < 20 {
		t.Errorf("only %d types were read", len(told))
	}
}

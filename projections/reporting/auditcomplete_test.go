package reporting

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// untold lists the types that the audit can neither show nor leaves out for a reason.
func untold(types []string) (missing []string) {
	for _, name := range types {
		_, shown := sentences[name]
		if _, left := unshown[name]; shown == left {
			missing = append(missing, name)
		}
	}
	return missing
}

// TestEveryEventIsTold: whoever adds an event to the ledger says how the audit tells it.
func TestEveryEventIsTold(t *testing.T) {
	if missing := untold(codec.Types()); len(missing) > 0 {
		t.Errorf("the audit cannot tell of %v: give them a sentence in auditsummary.go, and collect what they change", missing)
	}
	for _, name := range slices.Concat(keysOf(sentences), keysOf(unshown)) {
		if !slices.Contains(codec.Types(), name) {
			t.Errorf("no event has the type %s", name)
		}
	}
	// The guard itself: a type that nobody thought of is named.
	if got := untold(append(codec.Types(), "payment.taken")); !slices.Equal(got, []string{"payment.taken"}) {
		t.Errorf("an event that is new is not missed: %v", got)
	}
}

func keysOf[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

// golden is an event as ledgers hold it.
type golden struct {
	file     string
	Stream   eventstore.StreamName `json:"stream"`
	Type     string                `json:"type"`
	Data     json.RawMessage       `json:"data"`
	Metadata json.RawMessage       `json:"metadata"`
}

// noKeys is a key store that has dropped all.
type noKeys struct{}

func (noKeys) Ensure(context.Context, string) (codec.Key, error) { return codec.Key{}, codec.ErrErased }
func (noKeys) Get(context.Context, string) (codec.Key, error)    { return codec.Key{}, codec.ErrErased }
func (noKeys) Drop(context.Context, string) error                { return nil }

// TestEveryFormHasItsEntry puts every form of an event that a ledger can hold where such
// events stand, and looks for it in the audit: exactly one entry each, which is told in words
// and says what is, or was.
func TestEveryFormHasItsEntry(t *testing.T) {
	files, err := filepath.Glob("../../eventstore/codec/testdata/*.json")
	if err != nil || len(files) < len(codec.Types()) {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	var all []golden
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{file: strings.TrimSuffix(filepath.Base(file), ".json")}
		if err := json.Unmarshal(raw, &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	find := func(file string) golden {
		i := slices.IndexFunc(all, func(g golden) bool { return g.file == file })
		return all[i]
	}
	opened, held, joined := find("day.opened.v1.whole"), find("reservation.held.v1"), find("waitlist.joined.v1")
	registered, tabled, hooked := find("restaurant.registered.v1"), find("restaurant.table_added.v1"), find("webhook.created.v1")

	l := newLedger(t)
	l.codec = codec.New(noKeys{}) // whom they tell of was erased
	want := map[string]string{}   // by the event's id
	n := uint16(0)
	write := func(stream eventstore.StreamName, g golden, number int) string {
		n++
		id := eventstore.EventID{0: 0xee, 14: byte(n >> 8), 15: byte(n)}
		e := eventstore.Event{ID: id, Type: g.Type, Data: numbered(t, g.Data, number), Metadata: compact(t, g.Metadata)}
		if _, err := l.store.Append(context.Background(), stream, eventstore.Any(), e); err != nil {
			t.Fatalf("%s: %v", g.file, err)
		}
		return id.String()
	}
	for i, g := range all {
		r := domain.NewRestaurantID([16]byte{0: 7, 14: byte(i >> 8), 15: byte(i)})
		stream, number := g.Stream, 1
		_, _, day := codec.ParseDayStream(g.Stream)
		_, isRestaurant := codec.ParseRestaurantStream(g.Stream)
		_, isWebhook := codec.ParseWebhooksStream(g.Stream)
		switch {
		case day:
			stream = codec.DayStream(r, day1)
			if g.Type != codec.TypeDayOpened {
				write(stream, opened, 0)
				write(stream, held, 1)
				write(stream, joined, 1)
			}
			if g.Type == codec.TypeReservationHeld || g.Type == codec.TypeReservationRecorded || g.Type == codec.TypeWaitlistJoined {
				number = 2
			}
		case isRestaurant:
			stream = codec.RestaurantStream(r)
			if g.Type != codec.TypeRestaurantRegistered {
				write(stream, registered, 0)
				write(stream, tabled, 0)
			}
		case isWebhook:
			stream = codec.WebhooksStream(r)
			if g.Type != codec.TypeWebhookCreated {
				write(stream, hooked, 0)
			}
		}
		want[write(stream, g, number)] = g.file
	}

	db := openDatabase(t, filepath.Join(t.TempDir(), "all.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 512)
	entries, err := list(context.Background(), db, scanAuditEntry, "SELECT "+strings.Join(auditColumns, ", ")+" FROM audit_entries")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, e := range entries {
		file, asked := want[e.Event]
		if !asked {
			continue
		}
		seen[file]++
		if e.Summary() == "" || strings.Contains(e.Summary(), "%!") || strings.Contains(e.Summary(), "<nil>") {
			t.Errorf("%s is told as %q", file, e.Summary())
		}
		account := e.Account != ""
		if (e.Restaurant == "") != account {
			t.Errorf("%s is of restaurant %q and account %q", file, e.Restaurant, e.Account)
		}
		if e.Before == nil && e.After == nil && !account && !strings.HasPrefix(e.Type, "restaurant.") && !strings.HasPrefix(e.Type, "webhook.") {
			t.Errorf("%s says neither what was nor what is", file)
		}
	}
	for _, g := range all {
		times := 1
		if _, left := unshown[g.Type]; left {
			times = 0
		}
		if seen[g.file] != times {
			t.Errorf("%s has %d entries, want %d", g.file, seen[g.file], times)
		}
	}
	var parked int
	if err := one(context.Background(), db.engine.query, []any{&parked}, "SELECT COUNT(*) FROM parked_records"); err != nil || parked != 0 {
		t.Errorf("%d records are parked, %v", parked, err)
	}
}

// numbered puts another number into an event of a day, so that it is of an entry that is there.
func numbered(t *testing.T, data json.RawMessage, number int) []byte {
	t.Helper()
	if number == 0 {
		return compact(t, data)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"number", "entry"} {
		if _, ok := fields[name]; ok {
			fields[name] = number
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func compact(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestWhatChanged: names of what differs, in the order of what is.
func TestWhatChanged(t *testing.T) {
	for _, c := range []struct {
		before, after string
		want          []string
	}{
		{`{"a":1,"b":[1,{"x":"y"}],"c":"d"}`, `{"c":"e","b":[1,{"x":"y"}],"n":null,"a":2}`, []string{"c", "n", "a"}},
		{`{"b":[1,{"x":"y"}],"z":1,"y":1}`, `{"b":[1,{"x":"z"}]}`, []string{"b", "y", "z"}},
		{`{"a":1}`, `{"a":1}`, nil}, {``, `{"a":1}`, nil}, {`{"a":1}`, ``, nil},
	} {
		e := AuditEntry{Before: json.RawMessage(c.before), After: json.RawMessage(c.after)}
		if got := e.Changed(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.before, c.after, got, c.want)
		}
	}
}

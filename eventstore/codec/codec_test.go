package codec

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/eventstore"
)

// memoryKeys is a key store in memory that can be made to fail.
type memoryKeys struct {
	mu     sync.Mutex
	keys   map[string]Key
	erased map[string]bool
	fail   error
	asked  int
}

func newMemoryKeys() *memoryKeys {
	return &memoryKeys{keys: map[string]Key{}, erased: map[string]bool{}}
}

func (m *memoryKeys) Ensure(ctx context.Context, subject string) (Key, error) {
	key, err := m.Get(ctx, subject)
	if errors.Is(err, ErrNoKey) {
		m.mu.Lock()
		defer m.mu.Unlock()
		key = Key{byte(len(m.keys) + 1)}
		m.keys[subject] = key
		return key, nil
	}
	return key, err
}

func (m *memoryKeys) Get(_ context.Context, subject string) (Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if m.fail != nil {
		return Key{}, m.fail
	}
	if m.erased[subject] {
		return Key{}, ErrErased
	}
	key, ok := m.keys[subject]
	if !ok {
		return Key{}, ErrNoKey
	}
	return key, nil
}

func (m *memoryKeys) Drop(_ context.Context, subject string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, subject)
	m.erased[subject] = true
	return m.fail
}

var (
	testRestaurant = domain.NewRestaurantID([16]byte{1})
	testUser       = domain.NewUserID([16]byte{2})
	testDate       = domain.ServiceDate(20778) // 2026-11-21
	testDay        = DayStream(testRestaurant, testDate)
	testID         = EventID(testDay, [16]byte{3}, 0)
	testMeta       = Metadata{
		CommandID: [16]byte{3, 4, 5}, BodyHash: []byte("sixteen bytes ab"), Actor: domain.Diner(testUser),
		Reason: "walk-in <late>", RequestID: "req-1",
	}
	fullMeta = Metadata{
		CommandID: testMeta.CommandID, BodyHash: testMeta.BodyHash, Actor: domain.Staff(testUser), Reason: "move", RequestID: "req-2",
		Role: "owner", APIKey: "key_1", Process: "moves", Cause: "3cea4954-2e82-55fb-b550-1b7ee10f76e3", Correlation: "req-1",
	}
)

func record(stream eventstore.StreamName, e eventstore.Event) eventstore.Record {
	return eventstore.Record{Event: e, Stream: stream, Revision: 7, Position: 8, Recorded: time.Unix(1, 0).UTC()}
}

// TestRoundTrip fills every field of every event, so that one added to an event and
// forgotten in its form is missed here.
func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	c := New(newMemoryKeys())
	for _, f := range allForms() {
		t.Run(f.typeName(), func(t *testing.T) {
			event := filled(t, f.goType())
			e, err := c.Encode(ctx, testDay, testID, event, fullMeta)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Decode(ctx, record(testDay, e))
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, e.Data, e.Metadata)
			}
			meta := fullMeta
			meta.DecidedAt = event.(stamped).DecidedAt()
			if want := (Decoded{Event: event, Meta: meta}); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v\n%s", got, want, e.Data)
			}
			zero := reflect.Zero(f.goType()).Interface()
			if e, err = c.Encode(ctx, testDay, testID, zero, Metadata{}); err != nil {
				t.Fatal(err)
			}
			got, err = c.Decode(ctx, record(testDay, e))
			if want := (Decoded{Event: zero}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("zero value: got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

// TestCorrelation: what shares it is found whatever stands in place of it.
func TestCorrelation(t *testing.T) {
	for want, m := range map[string]Metadata{
		"":                                     {},
		"a":                                    {Correlation: "a", RequestID: "b", CommandID: [16]byte{1}},
		"b":                                    {RequestID: "b", CommandID: [16]byte{1}},
		"imp_1":                                {CommandID: [16]byte{1}, Actor: domain.Importer(), Cause: "imp_1"},
		"01000000-0000-0000-0000-000000000000": {CommandID: [16]byte{1}},
	} {
		if got := m.CorrelationID(); got != want {
			t.Errorf("%+v: got %q, want %q", m, got, want)
		}
	}
}

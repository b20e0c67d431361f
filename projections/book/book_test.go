package book

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/storetest"
	"daybook/internal/keystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const noon = domain.Instant(1_793_000_000_000)

var (
	ida     = domain.NewRestaurantID([16]byte{1})
	owner   = domain.NewUserID([16]byte{2})
	ada     = domain.NewUserID([16]byte{3})
	evening = domain.ServiceDate(20_778)
	table   = restaurantday.Table{ID: domain.NewTableID([16]byte{4}), Number: "1", Min: 1, Max: 2}
	slot    = restaurantday.Slot{Time: "19:00", StartsAt: noon + 3_600_000, Closes: noon + 10_000_000, Shift: "dinner"}
)

// shelf is a ledger, the keys to it and the book that is read off it.
type shelf struct {
	t     *testing.T
	store eventstore.Store
	keys  *keystore.Store
	book  *Book
	n     byte
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	store, err := embedded.Open("ledger", embedded.Options{FS: vfs.NewMem(), Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	keys, err := keystore.Memory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	sparse := storetest.Sparse(store)
	return &shelf{t: t, store: sparse, keys: keys, book: New(sparse, codec.New(keys))}
}

func (s *shelf) write(stream eventstore.StreamName, events ...any) {
	s.t.Helper()
	c := codec.New(s.keys)
	for _, e := range events {
		s.n++
		meta := codec.Metadata{}
		if decided, ok := e.(interface{ DecidedAt() domain.Instant }); ok {
			meta.DecidedAt = decided.DecidedAt()
		}
		encoded, err := c.Encode(s.t.Context(), stream, eventstore.EventID{s.n}, e, meta)
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.store.Append(s.t.Context(), stream, eventstore.Any(), encoded); err != nil {
			s.t.Fatal(err)
		}
	}
}

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func opened() restaurantday.Opened {
	return restaurantday.Opened{Stamp: stamp(noon), Restaurant: ida, Date: evening, Plan: restaurantday.Plan{
		Zone: "Europe/Berlin", Slots: []restaurantday.Slot{slot}, Tables: []restaurantday.Table{table},
	}}
}

func held(number uint32) restaurantday.Held {
	return restaurantday.Held{
		Stamp: stamp(noon), Number: number, Diner: ada, Party: 2, Slot: slot,
		Turn:     domain.Interval{From: slot.StartsAt, To: slot.StartsAt + 5_400_000},
		Occupied: domain.Interval{From: slot.StartsAt, To: slot.StartsAt + 5_400_000},
		Tables:   []domain.TableID{table.ID}, ExpiresAt: noon + 600_000, Code: "ABCDEFGH",
		Details: restaurantday.Details{Notes: "by the window", Occasion: "birthday"},
	}
}

func TestRestaurant(t *testing.T) {
	s := newShelf(t)
	stream := codec.RestaurantStream(ida)
	if _, _, err := s.book.Restaurant(t.Context(), ida); !errors.Is(err, ErrNotFound) {
		t.Errorf("before it is registered: got %v", err)
	}
	profile := restaurant.Profile{Name: "Ida", Cuisine: "French", Address: "1 Rue", City: "Berlin", TimeZone: "Europe/Berlin"}
	want := restaurant.State{
		ID: ida, Owner: owner, Profile: profile, DayBoundary: 300, Policy: restaurant.DefaultPolicy(),
		Status: restaurant.StatusDraft, RegisteredAt: noon, ChangedAt: noon,
	}
	s.write(stream, restaurant.Registered{Stamp: stamp(noon), ID: ida, Owner: owner, Profile: profile, DayBoundary: 300, Policy: restaurant.DefaultPolicy()})
	check := func(revision uint64) {
		t.Helper()
		got, at, err := s.book.Restaurant(t.Context(), ida)
		if err != nil || !reflect.DeepEqual(got, want) || at != revision {
			t.Errorf("got %+v at %d, %v\nwant %+v at %d", got, at, err, want, revision)
		}
	}
	check(0)
	check(0)
	// What was written is there at once.
	s.write(stream, restaurant.Published{Stamp: stamp(noon + 5)})
	want.Status, want.ChangedAt = restaurant.StatusOpen, noon+5
	check(1)
}

func TestReservation(t *testing.T) {
	s := newShelf(t)
	stream := codec.DayStream(ida, evening)
	id := domain.NewReservationID(ida, evening, 1)
	h := held(1)
	want := Entry{ID: id, Zone: "Europe/Berlin", Revision: 1, Reservation: &restaurantday.Reservation{
		Number: 1, Diner: ada, Party: 2, Slot: slot, Turn: h.Turn, Occupied: h.Occupied, Tables: h.Tables,
		Status: restaurantday.StatusPending, ExpiresAt: h.ExpiresAt, Code: h.Code, Details: h.Details, HeldAt: noon, ChangedAt: noon,
	}}
	check := func(when string, now domain.Instant) {
		t.Helper()
		got, err := s.book.Reservation(t.Context(), id, now)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v %+v\nwant\n%+v %+v", when, got, got.Reservation, want, want.Reservation)
		}
	}
	s.write(stream, opened(), h)
	check("while it is held", h.ExpiresAt-1)

	want.Reservation.Status = restaurantday.StatusExpired
	check("when the hold has lapsed", h.ExpiresAt)
	want.Reservation.Status = restaurantday.StatusPending
	check("what was read before is not written to", h.ExpiresAt-1)

	s.write(stream, restaurantday.Confirmed{Stamp: stamp(noon + 7), Number: 1})
	want.Reservation.Status, want.Reservation.ExpiresAt, want.Reservation.ChangedAt, want.Revision = restaurantday.StatusConfirmed, 0, noon+7, 2
	want.Reservation.Changes = 1
	check("right after it was confirmed", h.ExpiresAt+1)

	s.write(stream, restaurantday.Cancelled{Stamp: stamp(noon + 9), Number: 1, Diner: ada, By: restaurantday.ByDiner, Reason: "ill"})
	want.Reservation.Status, want.Reservation.ChangedAt, want.Revision = restaurantday.StatusCancelled, noon+9, 3
	want.Reservation.By, want.Reservation.Changes = restaurantday.ByDiner, 2
	want.Reservation.Reason, want.Reservation.Told = "ill", true
	check("right after it was cancelled", h.ExpiresAt+1)
}

// The day's own clock may be ahead of the reader's: what it decided by has lapsed.
func TestALapseByTheDaysClock(t *testing.T) {
	s := newShelf(t)
	h := held(1)
	later := held(2)
	later.At, later.ExpiresAt = h.ExpiresAt, h.ExpiresAt+600_000
	s.write(codec.DayStream(ida, evening), opened(), h, later)
	for number, want := range map[uint32]restaurantday.Status{1: restaurantday.StatusExpired, 2: restaurantday.StatusPending} {
		got, err := s.book.Reservation(t.Context(), domain.NewReservationID(ida, evening, number), noon)
		if err != nil || got.Reservation.Status != want {
			t.Errorf("entry %d: got %+v, %v", number, got.Reservation, err)
		}
	}
}

func TestReservationNotFound(t *testing.T) {
	s := newShelf(t)
	for _, when := range []string{"before the day is opened", "in an open day"} {
		for _, number := range []uint32{1, 1 << 29} {
			if _, err := s.book.Reservation(t.Context(), domain.NewReservationID(ida, evening, number), noon); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s, entry %d: got %v", when, number, err)
			}
		}
		s.write(codec.DayStream(ida, evening), opened())
	}
}

func TestAPersonWhoWasErased(t *testing.T) {
	s := newShelf(t)
	s.write(codec.DayStream(ida, evening), opened(), held(1))
	if err := s.keys.Drop(t.Context(), string(ada)); err != nil {
		t.Fatal(err)
	}
	got, err := s.book.Reservation(t.Context(), domain.NewReservationID(ida, evening, 1), noon)
	if err != nil || got.Reservation.Details != (restaurantday.Details{}) || got.Reservation.Party != 2 {
		t.Errorf("got %+v, %v", got.Reservation, err)
	}
}

// Nothing is shown with a part of its history left out.
func TestAStreamThatCannotBeRead(t *testing.T) {
	corrupt := func(stream eventstore.StreamName, s *shelf) {
		e := eventstore.Event{ID: eventstore.EventID{99}, Type: codec.TypeReservationConfirmed, Data: []byte("{"), Metadata: []byte(`{"v":1}`)}
		if _, err := s.store.Append(t.Context(), stream, eventstore.Any(), e); err != nil {
			t.Fatal(err)
		}
	}
	foreign := func(stream eventstore.StreamName, s *shelf) {
		s.write(stream, restaurant.Published{Stamp: stamp(noon)})
	}
	unknown := func(stream eventstore.StreamName, s *shelf) {
		e := eventstore.Event{ID: eventstore.EventID{99}, Type: "reservation.teleported", Data: []byte("{}"), Metadata: []byte(`{"v":1}`)}
		if _, err := s.store.Append(t.Context(), stream, eventstore.Any(), e); err != nil {
			t.Fatal(err)
		}
	}
	for name, spoil := range map[string]func(eventstore.StreamName, *shelf){"corrupt": corrupt, "of another aggregate": foreign, "unknown": unknown} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			stream := codec.DayStream(ida, evening)
			s.write(stream, opened(), held(1))
			spoil(stream, s)
			for range 2 {
				got, err := s.book.Reservation(t.Context(), domain.NewReservationID(ida, evening, 1), noon)
				if err == nil || errors.Is(err, ErrNotFound) {
					t.Errorf("got %+v, %v", got, err)
				}
			}
		})
	}
	t.Run("a restaurant's", func(t *testing.T) {
		s := newShelf(t)
		s.write(codec.RestaurantStream(ida), opened())
		if _, _, err := s.book.Restaurant(t.Context(), ida); err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

// A fold that panics must not be passed over either.
func TestAFoldThatPanics(t *testing.T) {
	s := newShelf(t)
	s.write(codec.DayStream(ida, evening), opened())
	fold := evolve(codec.New(s.keys), func(restaurantday.State, restaurantday.Event) restaurantday.State { panic("out of range") })
	for r, err := range s.store.ReadStream(t.Context(), codec.DayStream(ida, evening), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fold(t.Context(), restaurantday.State{}, r); err == nil {
			t.Error("the record was passed over")
		}
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	s := newShelf(t)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.book.Reservation(t.Context(), domain.NewReservationID(ida, evening, 1), noon)
	if !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.book.Restaurant(t.Context(), ida); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

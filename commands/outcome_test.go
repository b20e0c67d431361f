package commands

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// unsure answers the next appends to days with ErrUnknownOutcome.
type unsure struct {
	how  string // "written", "lost", or "late": written after the day was read again
	left atomic.Int64

	mu   sync.Mutex
	late []func()
}

func (u *unsure) around(store eventstore.Store) eventstore.Store {
	return &hooked{
		Store: store,
		append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
			if _, _, day := codec.ParseDayStream(s); !day || u.left.Add(-1) < 0 {
				return do(ctx, s, x, es...)
			}
			switch u.how {
			case "written":
				if _, err := do(ctx, s, x, es...); err != nil {
					return eventstore.Appended{}, err
				}
			case "late":
				u.mu.Lock()
				u.late = append(u.late, func() { _, _ = do(context.Background(), s, x, es...) })
				u.mu.Unlock()
			}
			return eventstore.Appended{}, fmt.Errorf("%w: the connection broke", eventstore.ErrUnknownOutcome)
		},
		done: func(eventstore.StreamName) {
			u.mu.Lock()
			defer u.mu.Unlock()
			for _, write := range u.late {
				write()
			}
			u.late = nil
		},
	}
}

func TestUnknownOutcomes(t *testing.T) {
	for _, how := range []string{"written", "lost", "late"} {
		for _, times := range []int64{1, 2, 5} {
			t.Run(fmt.Sprintf("%s %d times", how, times), func(t *testing.T) {
				h := newHouse(t)
				id := h.restaurant(20)
				u := unsure{how: how}
				a := h.app(on(u.around(h.store)))
				if _, err := a.HoldTable(t.Context(), caller(noor, "before"), firmTable(id)); err != nil {
					t.Fatal(err)
				}
				u.left.Store(times)
				// Several at once, so that they share a write.
				got := make([]Booked, 6)
				var wg sync.WaitGroup
				for i := range got {
					wg.Go(func() {
						var err error
						if got[i], err = a.HoldTable(t.Context(), caller(ada, fmt.Sprint(i)), firmTable(id)); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				for i, b := range got {
					again, err := h.app().HoldTable(t.Context(), caller(ada, fmt.Sprint(i)), firmTable(id))
					if err != nil || !again.Replayed {
						t.Fatalf("got %+v, %v", again, err)
					}
					// A write's answers carry its last position, a repeat its own.
					if again.Position > b.Position {
						t.Errorf("answered with position %d, but stands at %d", b.Position, again.Position)
					}
					again.Position, again.Replayed = b.Position, b.Replayed
					if !reflect.DeepEqual(again, b) {
						t.Errorf("answered\n%+v\nbut the stream holds\n%+v", b, again)
					}
				}
				if n := len(h.records(codec.DayStream(id, evening))); n != 3+2*len(got) {
					t.Errorf("the stream has %d entries", n)
				}
				if err := h.doubleBookings(id); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Where it never becomes known, that is the answer, and the key finds out later.
func TestNeverKnown(t *testing.T) {
	for how, entries := range map[string]int{"lost": 3, "late": 3} {
		t.Run(how, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(20)
			u := unsure{how: how}
			a := h.app(on(&hooked{Store: u.around(h.store), read: func(s eventstore.StreamName) error {
				if _, _, day := codec.ParseDayStream(s); day && u.left.Load() < 1000 && u.left.Load() > 0 {
					return fmt.Errorf("%w: gone", eventstore.ErrUnavailable)
				}
				return nil
			}}))
			u.left.Store(1000)
			_, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
			if !errors.Is(err, eventstore.ErrUnknownOutcome) {
				t.Fatalf("after an attempt that may have been written: got %v", err)
			}
			u.left.Store(0)
			for range 2 {
				if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(h.records(codec.DayStream(id, evening))); n != entries {
				t.Errorf("the stream has %d entries", n)
			}
		})
	}
}

func TestAStoreThatIsAway(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	away := true
	a := h.app(on(&hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		if away {
			return eventstore.Appended{}, eventstore.ErrUnavailable
		}
		return do(ctx, s, x, es...)
	}}))
	_, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if !errors.Is(err, eventstore.ErrUnavailable) || errors.Is(err, eventstore.ErrUnknownOutcome) {
		t.Errorf("got %v", err)
	}
	away = false
	if b, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)); err != nil || b.Replayed {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestAClientThatLeaves(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	g := newGate()
	a := h.app(on(g.around(h.store)))
	// He leaves while his write is under way.
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := a.HoldTable(ctx, caller(ada, "k"), firmTable(id))
		if !errors.Is(err, eventstore.ErrUnknownOutcome) || !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	<-g.blocked
	leave()
	wg.Wait()
	// Another leaves while his request waits: nothing comes of it.
	ctx, leave = context.WithCancel(t.Context())
	wg.Go(func() {
		if _, err := a.HoldTable(ctx, caller(noor, "k"), firmTable(id)); !errors.Is(err, eventstore.ErrUnknownOutcome) {
			t.Errorf("got %v", err)
		}
	})
	until(t, "it waits", func() bool { return a.waiting(id) == 1 })
	leave()
	wg.Wait()
	close(g.open)
	b, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil || !b.Replayed || b.Reservation.Number != 1 {
		t.Errorf("got %+v, %v", b, err)
	}
	b, err = a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id))
	if err != nil || b.Replayed || b.Reservation.Number != 2 {
		t.Errorf("got %+v, %v", b, err)
	}
}

// together has the day's worker busy with one write while ask gives it more to do, one
// after the other, and returns how many events each append had.
func (h *house) together(id domain.RestaurantID, n int, ask func(a *App, i int), changes ...func(*Config)) []int {
	h.t.Helper()
	g := newGate()
	a := h.app(append(changes, on(g.around(h.store)))...)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := a.HoldTable(h.t.Context(), caller(noor, "first"), firmTable(id)); err != nil {
			h.t.Error(err)
		}
	})
	<-g.blocked
	for i := range n {
		wg.Go(func() { ask(a, i) })
		until(h.t, "it waits", func() bool { return a.waiting(id) == i+1 })
	}
	close(g.open)
	wg.Wait()
	return g.appends()
}

func TestOneWriteForMany(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	got := make([]Booked, 12)
	appends := h.together(id, len(got), func(a *App, i int) {
		var err error
		if got[i], err = a.HoldTable(t.Context(), caller(ada, fmt.Sprint(i)), firmTable(id)); err != nil {
			t.Error(err)
		}
	})
	if want := []int{3, 2 * len(got)}; !reflect.DeepEqual(appends, want) {
		t.Errorf("appends of %v events, want %v", appends, want)
	}
	log := h.records(codec.DayStream(id, evening))
	for i, b := range got {
		if b.Reservation.Number != uint32(i+2) || b.Revision != uint64(4+2*i) || b.Position != log[len(log)-1].Position {
			t.Errorf("the %d. to ask got %+v", i+1, b)
		}
	}
}

func TestOneKeyTwiceInOneWrite(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	got := make([]Booked, 2)
	appends := h.together(id, 3, func(a *App, i int) {
		c := caller(ada, "k")
		if i == 2 {
			c.Body = []byte("another")
			if _, err := a.HoldTable(t.Context(), c, firmTable(id)); !errors.Is(err, ErrKeyReused) {
				t.Errorf("with another body: got %v", err)
			}
			return
		}
		var err error
		if got[i], err = a.HoldTable(t.Context(), c, firmTable(id)); err != nil {
			t.Error(err)
		}
	})
	if want := []int{3, 2}; !reflect.DeepEqual(appends, want) || got[0].Replayed || !got[1].Replayed {
		t.Errorf("appends of %v events; %+v", appends, got)
	}
	got[1].Replayed = false
	if !reflect.DeepEqual(got[0], got[1]) {
		t.Errorf("answers differ:\n%+v\n%+v", got[0], got[1])
	}
}

// What does not fit into one write comes in the next, in the same order.
func TestMoreThanOneWriteTakes(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(200)
	notes := strings.Repeat("a", 20<<10)
	got := make([]Booked, 140)
	appends := h.together(id, len(got), func(a *App, i int) {
		want := firmTable(id)
		want.Details.Notes = notes
		var err error
		if got[i], err = a.HoldTable(t.Context(), caller(ada, fmt.Sprint(i)), want); err != nil {
			t.Error(err)
		}
	})
	total := 0
	for _, n := range appends {
		total += n
	}
	if len(appends) != 3 || total != 3+2*len(got) {
		t.Errorf("appends of %v events", appends)
	}
	for i, b := range got {
		if b.Reservation.Number != uint32(i+2) {
			t.Errorf("the %d. to ask got entry %d", i+1, b.Reservation.Number)
		}
	}
}

// keysWithout has no key for one subject.
type keysWithout struct {
	codec.Keys
	subject string
}

var errNoKeys = errors.New("the key store is away")

func (k keysWithout) Ensure(ctx context.Context, subject string) (codec.Key, error) {
	if subject == k.subject {
		return codec.Key{}, errNoKeys
	}
	return k.Keys.Ensure(ctx, subject)
}

// One request that fails is nothing to those that share its write.
func TestOneBadRequestInAWrite(t *testing.T) {
	zoe := domain.NewUserID([16]byte{9})
	d := restaurantday.Decider()
	frail := d
	frail.Decide = func(s restaurantday.State, c restaurantday.Command) ([]restaurantday.Event, error) {
		if h, ok := c.(restaurantday.Hold); ok && h.Wish.Area == "panic" {
			panic("out of the window")
		}
		return d.Decide(s, c)
	}
	for name, bad := range map[string]struct {
		spoil func(*HoldTable)
		user  domain.UserID
		check func(error) bool
	}{
		"without a key":   {func(*HoldTable) {}, zoe, func(err error) bool { return errors.Is(err, errNoKeys) }},
		"too large":       {func(h *HoldTable) { h.Details.Notes = string(make([]byte, 2<<20)) }, ada, func(err error) bool { return errors.Is(err, eventstore.ErrInvalid) }},
		"refused":         {func(h *HoldTable) { h.Party = 3 }, ada, func(err error) bool { return code(err) == domain.CodePartyTooLarge }},
		"a broken rule":   {func(h *HoldTable) { h.Wish.Area = "panic" }, ada, func(err error) bool { return err != nil && code(err) == "" }},
		"nothing at all ": {func(h *HoldTable) { h.Time = "" }, ada, func(err error) bool { return code(err) != "" }},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(20)
			appends := h.together(id, 3, func(a *App, i int) {
				want, user := firmTable(id), ada
				want.Details.Notes = "by the window"
				if i == 1 {
					bad.spoil(&want)
					user = bad.user
				}
				b, err := a.HoldTable(t.Context(), caller(user, fmt.Sprint(i)), want)
				if i == 1 && !bad.check(err) || i != 1 && (err != nil || b.Reservation.Number != uint32(2+i/2)) {
					t.Errorf("%d: got %+v, %v", i, b, err)
				}
			}, func(c *Config) {
				c.Codec, c.Day = codec.New(keysWithout{h.keys, string(zoe)}), &frail
			})
			if want := []int{3, 4}; !reflect.DeepEqual(appends, want) {
				t.Errorf("appends of %v events, want %v", appends, want)
			}
		})
	}
}

// An import that calls its write off, because its refusals cannot be recorded, is nothing
// to those who wait beside it.
func TestAnImportThatFailsInAQueue(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	h.store = &hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		if _, _, demand := codec.ParseDemandStream(s); demand {
			return eventstore.Appended{}, eventstore.ErrUnavailable
		}
		return do(ctx, s, x, es...)
	}}
	h.together(id, 4, func(a *App, i int) {
		if i == 1 {
			_, err := a.BringIn(t.Context(), BringIn{Restaurant: id, Date: evening, Rows: []BringInRow{
				{Key: "large", At: a.now(), Time: "19:00", Party: 3},
			}})
			if !errors.Is(err, eventstore.ErrUnavailable) {
				t.Errorf("the import: got %v", err)
			}
			return
		}
		if _, err := a.HoldTable(t.Context(), caller(ada, fmt.Sprint(i)), firmTable(id)); err != nil {
			t.Errorf("%d: got %v", i, err)
		}
	})
	if n := len(h.records(codec.DayStream(id, evening))); n != 3+3*2 {
		t.Errorf("the stream has %d entries", n)
	}
}

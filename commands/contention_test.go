package commands

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// insist sends until there is an answer, always under one key.
func insist(ctx context.Context, a *App, c Caller, want HoldTable) (Booked, error) {
	for {
		b, err := a.HoldTable(ctx, c, want)
		if !errors.Is(err, ErrContended) && !errors.Is(err, ErrOverloaded) && !errors.Is(err, eventstore.ErrUnknownOutcome) || ctx.Err() != nil {
			return b, err
		}
	}
}

// crowd has so many clients ask for one slot at once, each once and in turn at one of apps.
func crowd(t *testing.T, id domain.RestaurantID, clients int, apps ...*App) (accepted, noTable int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var yes, no atomic.Int64
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			b, err := insist(ctx, apps[i%len(apps)], caller(ada, fmt.Sprint("client ", i)), firmTable(id))
			switch {
			case err == nil && b.Reservation.Status == restaurantday.StatusConfirmed:
				yes.Add(1)
			case code(err) == domain.CodeNoTable:
				no.Add(1)
			default:
				t.Errorf("client %d: %+v, %v", i, b, err)
			}
		})
	}
	wg.Wait()
	return yes.Load(), no.Load()
}

func TestOneTableTooFew(t *testing.T) {
	const tables, clients = 299, 300
	apart := func(h *house, d time.Duration) func(*Config) {
		return by(func() time.Time { return h.clock.now().Add(d) })
	}
	for name, apps := range map[string]func(h *house) []*App{
		"one process": func(h *house) []*App { return []*App{h.app()} },
		"two processes, ten seconds apart": func(h *house) []*App {
			return []*App{h.app(), h.app(apart(h, 10*time.Second))}
		},
		"two processes and one over the network": func(h *house) []*App {
			return []*App{h.app(), h.app(apart(h, 10*time.Second)), h.app(on(remote(h.t, h.store)), apart(h, -10*time.Second))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			id := h.restaurant(tables)
			accepted, noTable := crowd(t, id, clients, apps(h)...)
			if accepted != tables || noTable != clients-tables {
				t.Errorf("%d accepted, %d refused", accepted, noTable)
			}
			if err := h.doubleBookings(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// twoAtOnce has two processes decide on one table before either has written.
func twoAtOnce(t *testing.T, wrap func(eventstore.Store) eventstore.Store) error {
	t.Helper()
	h := newHouse(t)
	id := h.restaurant(1)
	var arrived sync.WaitGroup
	arrived.Add(2)
	var apps []*App
	for range 2 {
		var first sync.Once
		apps = append(apps, h.app(on(&hooked{Store: wrap(h.store), append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
			if _, _, ok := codec.ParseDayStream(s); ok {
				first.Do(func() {
					arrived.Done()
					arrived.Wait()
				})
			}
			return do(ctx, s, x, es...)
		}})))
	}
	crowd(t, id, 2, apps...)
	return h.doubleBookings(id)
}

func TestTwoAtOnce(t *testing.T) {
	if err := twoAtOnce(t, func(s eventstore.Store) eventstore.Store { return s }); err != nil {
		t.Error(err)
	}
}

// The guard: with the expected version taken off, the check above must fail.
func TestTwoAtOnceWithoutExpectedVersion(t *testing.T) {
	careless := func(s eventstore.Store) eventstore.Store {
		return &hooked{Store: s, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, _ eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
			return do(ctx, s, eventstore.Any(), es...)
		}}
	}
	if err := twoAtOnce(t, careless); err == nil {
		t.Error("nobody was double-booked: the check finds nothing")
	}
}

// aroundALapse has a hold lapse by one clock and not yet by the other: the quick process
// gives its table away, the slow one confirms the hold.
func aroundALapse(t *testing.T, day *domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event]) (confirm, doubled error) {
	t.Helper()
	h := newHouse(t)
	id := h.restaurant(1)
	ours := func(c *Config) { c.Day = day }
	slow := h.app(ours)
	quick := h.app(ours, on(remote(t, h.store)), by(func() time.Time { return h.clock.now().Add(10 * time.Second) }))
	held, err := slow.HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
	if err != nil {
		t.Fatal(err)
	}
	h.clock.set(held.Reservation.ExpiresAt.Time().Add(-5 * time.Second))
	if _, err := quick.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); err != nil {
		t.Fatal(err)
	}
	_, err = slow.ConfirmReservation(t.Context(), caller(ada, "c"), held.ID)
	return err, h.doubleBookings(id)
}

func TestTwoClocksAroundALapse(t *testing.T) {
	if confirm, doubled := aroundALapse(t, nil); code(confirm) != domain.CodeHoldExpired || doubled != nil {
		t.Errorf("got %v; %v", confirm, doubled)
	}
}

// ruleless is the day without its rule on clocks: it forgets its time, and keeps no record
// of lapses.
func ruleless() domain.Decider[restaurantday.State, restaurantday.Command, restaurantday.Event] {
	d := restaurantday.Decider()
	free := d
	free.Decide = func(s restaurantday.State, c restaurantday.Command) (kept []restaurantday.Event, err error) {
		events, err := d.Decide(s, c)
		for _, e := range events {
			if _, lapse := e.(restaurantday.Expired); !lapse {
				kept = append(kept, e)
			}
		}
		return kept, err
	}
	free.Evolve = func(s restaurantday.State, e restaurantday.Event) restaurantday.State {
		switch known := e.(type) {
		case restaurantday.Opened:
			known.Stamp = domain.Stamp{}
			e = known
		case restaurantday.Held:
			known.Stamp = domain.Stamp{}
			e = known
		case restaurantday.Confirmed:
			known.Stamp = domain.Stamp{}
			e = known
		}
		return d.Evolve(s, e)
	}
	return free
}

// The guard: with the clock rule taken off, the same two clocks sell one table twice.
func TestTwoClocksWithoutTheClockRule(t *testing.T) {
	free := ruleless()
	if confirm, doubled := aroundALapse(t, &free); confirm != nil || doubled == nil {
		t.Errorf("the table was not sold twice: %v; %v", confirm, doubled)
	}
}

// hostile puts an entry that means nothing into a day just before each of the first so many
// appends to it.
func (h *house) hostile(id domain.RestaurantID, times int) (store eventstore.Store, left *atomic.Int64) {
	c := codec.New(h.keys)
	stream := codec.DayStream(id, evening)
	left = new(atomic.Int64)
	left.Store(int64(times))
	return &hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		if s == stream && left.Add(-1) >= 0 {
			e, err := c.Encode(ctx, s, eventstore.EventID(newID()), restaurantday.Confirmed{Number: 999_999}, codec.Metadata{Actor: domain.System()})
			if err != nil {
				return eventstore.Appended{}, err
			}
			if _, err := h.store.Append(ctx, s, eventstore.Any(), e); err != nil {
				return eventstore.Appended{}, err
			}
		}
		return do(ctx, s, x, es...)
	}}, left
}

func TestContentionIsNoRefusal(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	store, left := h.hostile(id, maxAttempts+3)
	a := h.app(on(store))
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)); !errors.Is(err, ErrContended) {
		t.Fatalf("got %v", err)
	}
	if n := left.Load(); n != 3 {
		t.Errorf("%d attempts were made", maxAttempts+3-n)
	}
	b, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil || b.Replayed {
		t.Errorf("got %+v, %v", b, err)
	}
	left.Store(1 << 30)
	if _, err := a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); code(err) != domain.CodeNoTable {
		t.Errorf("a refusal, which appends nothing: got %v", err)
	}
}

// blockedReads stops readings of the day from when it is told to.
type blockedReads struct {
	on      atomic.Bool
	reached chan struct{}
	release chan struct{}
}

func (b *blockedReads) around(store eventstore.Store) eventstore.Store {
	b.reached, b.release = make(chan struct{}, 64), make(chan struct{})
	return &hooked{Store: store, read: func(s eventstore.StreamName) error {
		if _, _, day := codec.ParseDayStream(s); day && b.on.Load() {
			b.reached <- struct{}{}
			<-b.release
		}
		return nil
	}}
}

// A process that thinks the day is full looks again before it says so.
func TestNoRefusalFromMemory(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	var reads blockedReads
	a, b := h.app(on(reads.around(h.store))), h.app()
	taken, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	reads.on.Store(true)
	var got Booked
	answered := make(chan error, 1)
	go func() {
		var err error
		got, err = a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id))
		answered <- err
	}()
	select {
	case <-reads.reached:
	case err := <-answered:
		t.Fatalf("answered without a look at the stream: %v", err)
	}
	if _, err := b.CancelReservation(t.Context(), caller(ada, "c"), taken.ID, ""); err != nil {
		t.Fatal(err)
	}
	close(reads.release)
	if err := <-answered; err != nil || got.Reservation.Number != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// The same of what is said to be so already: that it is confirmed, though it was cancelled.
func TestNothingIsSoFromMemory(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a, b := h.app(), h.app()
	taken, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.CancelReservation(t.Context(), caller(ada, "c"), taken.ID, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ConfirmReservation(t.Context(), caller(ada, "d"), taken.ID); code(err) != domain.CodeCancelled {
		t.Errorf("got %v", err)
	}
}

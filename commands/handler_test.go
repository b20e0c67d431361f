package commands

import (
	"errors"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// hold is a table asked for at the ledger itself, where an outcome shows its events.
func (h *house) hold(a *App, id domain.RestaurantID, key, body string) (dayOutcome, error) {
	h.t.Helper()
	r, err := a.restaurantState(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	open, err := a.opening(r, evening, a.now())
	if err != nil {
		h.t.Fatal(err)
	}
	c := caller(ada, key)
	c.Body = []byte(body)
	command := a.commandID(c, "the day")
	return a.days.handle(h.t.Context(), codec.DayStream(id, evening), Request[restaurantday.Command]{
		ID: command, Meta: a.metadata(h.t.Context(), c, domain.Diner(ada), roleDiner),
		Command: restaurantday.Hold{
			Now: a.now(), Opening: open, Actor: domain.Diner(ada), Diner: ada, Party: 2, Time: "19:00",
			Confirm: true, Code: confirmationCode(command),
			Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Ada", Phone: "+4930"}, Notes: "by the window"},
		},
	})
}

func TestFirstAnswerAgain(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	a := h.app(func(c *Config) { c.HotDays = 1 })
	first, err := h.hold(a, id, "k", "body")
	if err != nil || first.Replayed || len(first.Events) != 3 {
		t.Fatalf("got %+v, %v", first, err)
	}
	// The first answer is that of its time, whatever came after.
	h.clock.set(morning.Add(time.Hour))
	for _, key := range []string{"l", "m"} {
		if _, err := h.hold(a, id, key, "body"); err != nil {
			t.Fatal(err)
		}
	}
	want := first
	want.Replayed = true
	again := func(how string, a *App) {
		t.Helper()
		before := len(h.records(codec.DayStream(id, evening)))
		got, err := h.hold(a, id, "k", "body")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%+v, %v\nwant\n%+v", how, got, err, want)
		}
		if _, err := h.hold(a, id, "k", "another body"); !errors.Is(err, ErrKeyReused) {
			t.Errorf("%s, with another body: got %v", how, err)
		}
		if after := len(h.records(codec.DayStream(id, evening))); after != before {
			t.Errorf("%s: %d entries were added", how, after-before)
		}
	}
	again("from memory", a)

	// Its worker ends a moment after its last answer; until then it is not dropped.
	lane := a.days.lane(codec.DayStream(id, evening))
	for busy := true; busy; {
		lane.mu.Lock()
		busy = lane.running
		lane.mu.Unlock()
		runtime.Gosched()
	}
	other := codec.DayStream(id, evening+1)
	if _, err := a.days.state(t.Context(), other, 0); err != nil {
		t.Fatal(err)
	}
	if _, kept := a.days.lanes[codec.DayStream(id, evening)]; kept || len(a.days.lanes) != 1 {
		t.Fatalf("%d days are kept", len(a.days.lanes))
	}
	again("after it was dropped from memory", a)
	again("by another process", h.app())
	again("by a process elsewhere", h.app(on(remote(t, h.store))))
}

func TestFirstAnswerAgainAfterARestart(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	first, err := h.app().HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Close(); err != nil {
		t.Fatal(err)
	}
	h.store = ledgerOn(t, h.fs)
	again, err := h.app().HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	first.Replayed = true
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("got\n%+v, %v\nwant\n%+v", again, err, first)
	}
	c := caller(ada, "k")
	c.Body = []byte("another")
	if _, err := h.app().HoldTable(t.Context(), c, firmTable(id)); !errors.Is(err, ErrKeyReused) {
		t.Errorf("with another body: got %v", err)
	}
}

func TestOneKeyAtOnce(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(20)
	apps := []*App{h.app(), h.app()}
	got := make([]Booked, 16)
	errs := make([]error, len(got))
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			got[i], errs[i] = apps[i%len(apps)].HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
		})
	}
	wg.Wait()
	first := 0
	for i, b := range got {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !b.Replayed {
			first++
		}
		b.Replayed = got[0].Replayed
		if !reflect.DeepEqual(b, got[0]) {
			t.Errorf("answers differ:\n%+v\n%+v", b, got[0])
		}
	}
	want := []string{codec.TypeDayOpened, codec.TypeReservationHeld, codec.TypeReservationConfirmed}
	if types := h.types(codec.DayStream(id, evening)); first != 1 || !reflect.DeepEqual(types, want) {
		t.Errorf("%d first answers; the stream has %v", first, types)
	}
}

// A refusal leaves nothing in the day's stream, so its key is still free.
func TestARefusalIsDecidedAnew(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	taken, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); code(err) != domain.CodeNoTable {
			t.Fatalf("got %v", err)
		}
	}
	if _, err := a.CancelReservation(t.Context(), caller(ada, "c"), taken.ID, ""); err != nil {
		t.Fatal(err)
	}
	if b, err := a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); err != nil || b.Replayed {
		t.Errorf("got %+v, %v", b, err)
	}
}

func TestAlreadySo(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	b, err := a.HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.ConfirmReservation(t.Context(), caller(ada, "c"), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	confirmed := h.records(codec.DayStream(id, evening))[2]
	for name, a := range map[string]*App{"here": a, "elsewhere": h.app()} {
		again, err := a.ConfirmReservation(t.Context(), caller(ada, "another key"), b.ID)
		if err != nil || !reflect.DeepEqual(again, first) || again.Position != confirmed.Position {
			t.Errorf("%s: got\n%+v, %v\nwant\n%+v", name, again, err, first)
		}
	}
	if n := len(h.records(codec.DayStream(id, evening))); n != 3 {
		t.Errorf("the stream has %d entries", n)
	}
}

// What is so by an event of the same write is so only once that is written.
func TestAlreadySoWithinOneWrite(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	b, err := h.app().HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
	if err != nil {
		t.Fatal(err)
	}
	g := newGate()
	a := h.app(on(g.around(h.store)))
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := a.HoldTable(t.Context(), caller(noor, "first"), tableFor(id, 2)); err != nil {
			t.Error(err)
		}
	})
	<-g.blocked
	got := make([]Booked, 2)
	for i := range got {
		wg.Go(func() {
			var err error
			if got[i], err = a.ConfirmReservation(t.Context(), caller(ada, string(rune('c'+i))), b.ID); err != nil {
				t.Error(err)
			}
		})
		until(t, "it waits", func() bool { return a.waiting(id) == i+1 })
	}
	close(g.open)
	wg.Wait()
	log := h.records(codec.DayStream(id, evening))
	last := log[len(log)-1]
	if last.Type != codec.TypeReservationConfirmed || len(g.appends()) != 2 {
		t.Fatalf("%v in appends of %v", h.types(codec.DayStream(id, evening)), g.appends())
	}
	for i, b := range got {
		if b.Position != last.Position || b.Revision != uint64(last.Revision) || b.Reservation.Status != restaurantday.StatusConfirmed {
			t.Errorf("answer %d: %+v, but the entry stands at %d", i, b, last.Position)
		}
	}
}

func TestWithoutAKeyEachIsAnother(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	one, err1 := a.HoldTable(t.Context(), caller(ada, ""), firmTable(id))
	two, err2 := a.HoldTable(t.Context(), caller(ada, ""), firmTable(id))
	if err1 != nil || err2 != nil || one.ID == two.ID || two.Replayed {
		t.Errorf("got %+v, %v and %+v, %v", one, err1, two, err2)
	}
}

func TestStreamsDroppedFromMemory(t *testing.T) {
	h := newHouse(t)
	a := h.app(func(c *Config) { c.HotDays = 8 })
	id := h.restaurant(1)
	for i := range domain.ServiceDate(40) {
		want := firmTable(id)
		want.Date += i
		if _, err := a.HoldTable(t.Context(), caller(ada, "k"), want); err != nil {
			t.Fatal(err)
		}
		if n := len(a.days.lanes); n > 8 {
			t.Fatalf("%d days are kept", n)
		}
	}
}

// A lane that is at work is not dropped: what waits in it would be forgotten.
func TestBusyStreamsAreKept(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	g := newGate()
	a := h.app(on(g.around(h.store)), func(c *Config) { c.HotDays = 1 })
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)); err != nil {
			t.Error(err)
		}
	})
	<-g.blocked
	for i := range domain.ServiceDate(3) {
		if _, err := a.days.state(t.Context(), codec.DayStream(id, evening+1+i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, kept := a.days.lanes[codec.DayStream(id, evening)]; !kept {
		t.Error("the busy day was dropped")
	}
	close(g.open)
	wg.Wait()
}

func TestStateIsAsFreshAsAsked(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	reads := 0
	a := h.app(on(&hooked{Store: h.store, read: func(eventstore.StreamName) error { reads++; return nil }}))
	stream := codec.RestaurantStream(id)
	for _, c := range []struct {
		after, maxAge time.Duration
		reads         int
	}{{0, time.Second, 1}, {0, time.Second, 0}, {time.Second - 1, time.Second, 0}, {1, time.Second, 1}, {0, 0, 1}, {0, 0, 1}} {
		h.clock.set(h.clock.now().Add(c.after))
		reads = 0
		o, err := a.restaurants.state(t.Context(), stream, c.maxAge)
		if err != nil || !o.State.Registered() || reads != c.reads {
			t.Errorf("%+v: %d reads, %v", c, reads, err)
		}
	}
}

func TestTooManyWait(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	g := newGate()
	a := h.app(on(g.around(h.store)))
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)) })
	<-g.blocked
	crowd := make([]Request[restaurantday.Command], maxWaiting)
	for i := range crowd {
		crowd[i].Command = restaurantday.Lapse{}
	}
	wg.Go(func() { _, _ = a.days.handleAll(t.Context(), codec.DayStream(id, evening), crowd, nil) })
	until(t, "the crowd waits", func() bool { return a.waiting(id) == maxWaiting })
	if _, err := a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); !errors.Is(err, ErrOverloaded) {
		t.Errorf("got %v", err)
	}
	close(g.open)
	wg.Wait()
	if _, err := a.HoldTable(t.Context(), caller(noor, "k"), firmTable(id)); err != nil {
		t.Error(err)
	}
}

// Two processes decide on one key before either has written. They would give its events
// the same ids if those came from the key alone, and the store would take the second
// append for the first one repeated, though it says something else.
func TestOneKeyInTwoProcesses(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       error
	}{{"the same body", "{}", nil}, {"another body", "another", ErrKeyReused}} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(2)
			g := newGate()
			ahead := func() time.Time { return h.clock.now().Add(10 * time.Second) }
			slow, quick := h.app(on(g.around(h.store)), by(ahead)), h.app()
			var got Booked
			var err error
			var wg sync.WaitGroup
			wg.Go(func() {
				other := caller(ada, "k")
				other.Body = []byte(c.body)
				want := tableFor(id, 2)
				want.Time = "20:30"
				got, err = slow.HoldTable(t.Context(), other, want)
			})
			<-g.blocked
			first, err1 := quick.HoldTable(t.Context(), caller(ada, "k"), tableFor(id, 2))
			close(g.open)
			wg.Wait()
			if err1 != nil || !errors.Is(err, c.want) {
				t.Fatalf("got %v and %v", err1, err)
			}
			first.Replayed = true
			if c.want == nil && !reflect.DeepEqual(got, first) {
				t.Errorf("got\n%+v\nthe first answer was\n%+v", got, first)
			}
			// What the loser keeps in memory is what stands in the stream.
			if _, err := slow.HoldTable(t.Context(), caller(noor, "l"), firmTable(id)); err != nil {
				t.Error(err)
			}
			if _, err := slow.HoldTable(t.Context(), caller(noor, "m"), firmTable(id)); code(err) != domain.CodeNoTable {
				t.Errorf("the third party for two tables: got %v", err)
			}
			if err := h.doubleBookings(id); err != nil {
				t.Error(err)
			}
		})
	}
}

package commands

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// books is a restaurant that existed before, and what was booked there.
type books struct {
	place BringInRestaurant
	days  []BringIn // without the restaurant
}

// oldBooks has two days: on the first all fit but two, on the second there are more rows
// than one write takes, most of which do not fit.
func oldBooks() books {
	b := books{place: place("Ida", 2)}
	at := func(i int) domain.Instant { return domain.InstantOf(morning).Add(time.Duration(i) * time.Second) }
	first := BringIn{Date: evening}
	for i, want := range []struct {
		time  string
		party domain.PartySize
	}{{"19:00", 2}, {"19:00", 1}, {"19:30", 2}, {"20:30", 2}, {"19:00", 3}, {"21:00", 1}} {
		first.Rows = append(first.Rows, BringInRow{Key: fmt.Sprint("a", i), At: at(i), Time: want.time, Party: want.party})
	}
	second := BringIn{Date: evening + 1}
	for i := range maxBringIn + 20 {
		second.Rows = append(second.Rows, BringInRow{
			Key: fmt.Sprint("b", i), At: at(i), Time: []string{"18:00", "19:30", "19:59"}[i%3], Party: 2,
		})
	}
	last := &second.Rows[len(second.Rows)-3]
	last.Time, last.StartsAt = "", domain.InstantOf(time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC))
	b.days = []BringIn{first, second}
	return b
}

// bringIn brings all of it in and returns what came of each row.
func (b books) bringIn(ctx context.Context, a *App) (domain.RestaurantID, []BroughtIn, error) {
	id, err := a.BringInRestaurant(ctx, b.place)
	if err != nil {
		return "", nil, err
	}
	var all []BroughtIn
	for _, d := range b.days {
		d.Restaurant = id
		some, err := a.BringIn(ctx, d)
		if err != nil {
			return id, nil, err
		}
		all = append(all, some...)
	}
	return id, all, nil
}

// entry is what must be the same in two ledgers that hold the same book: event ids tell of
// the arrival, and positions of what else was written meanwhile.
type entry struct {
	Type, Data, Metadata string
	Revision             eventstore.Revision
}

func (h *house) ledger() map[eventstore.StreamName][]entry {
	h.t.Helper()
	all := map[eventstore.StreamName][]entry{}
	for r, err := range h.store.ReadAll(context.Background(), eventstore.Start, eventstore.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		all[r.Stream] = append(all[r.Stream], entry{r.Type, string(r.Data), string(r.Metadata), r.Revision})
	}
	return all
}

// plain leaves out what a repeat tells otherwise.
func plain(list []BroughtIn) (same []BroughtIn) {
	for _, b := range list {
		b.Replayed, b.Detail = false, ""
		same = append(same, b)
	}
	return same
}

func TestBringIn(t *testing.T) {
	h := newHouse(t)
	b := oldBooks()
	id, got, err := b.bringIn(t.Context(), h.app())
	if err != nil {
		t.Fatal(err)
	}
	var codes []domain.Code
	for i, r := range got[:len(b.days[0].Rows)] {
		codes = append(codes, r.Refused)
		if r.Refused == "" {
			row := b.days[0].Rows[i]
			if r.Reservation.Status != restaurantday.StatusConfirmed || r.Reservation.HeldAt != row.At || r.Reservation.Party != row.Party || r.Replayed {
				t.Errorf("row %d: %+v", i, r)
			}
		}
	}
	want := []domain.Code{"", "", domain.CodeNoTable, "", domain.CodePartyTooLarge, ""}
	if !reflect.DeepEqual(codes, want) {
		t.Errorf("got %q, want %q", codes, want)
	}
	accepted, refusals := 0, 0
	for _, r := range got[len(b.days[0].Rows):] {
		if r.Refused == "" {
			accepted++
		} else {
			refusals++
		}
	}
	day, demand := h.records(codec.DayStream(id, evening+1)), h.records(codec.DemandStream(id, evening+1))
	if accepted != 5 || len(day) != 1+2*accepted || len(demand) != refusals {
		t.Errorf("%d accepted, %d refused; %d and %d entries", accepted, refusals, len(day), len(demand))
	}
}

// A repeat changes nothing: not by this process, nor by another, nor after the owner
// changed what was brought in.
func TestBringInAgain(t *testing.T) {
	h := newHouse(t)
	b := oldBooks()
	first := h.app()
	id, want, err := b.bringIn(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	changed := place("Ida", 0).Policy
	changed.HoldMinutes = 20
	if _, err := alter(t, first, caller(owner, "p"), id, SetPolicy{Policy: changed}); err != nil {
		t.Fatal(err)
	}
	if _, err := first.CancelReservation(t.Context(), caller(owner, "c"), want[0].ID, ""); err != nil {
		t.Fatal(err)
	}
	before := h.ledger()
	for name, a := range map[string]*App{"this process": first, "another": h.app(), "one elsewhere": h.app(on(remote(t, h.store)))} {
		_, got, err := b.bringIn(t.Context(), a)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, r := range got {
			if !r.Replayed {
				t.Fatalf("%s decided row %d anew: %+v", name, i, r)
			}
		}
		if !reflect.DeepEqual(plain(got), plain(want)) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, got, want)
		}
	}
	if after := h.ledger(); !reflect.DeepEqual(after, before) {
		t.Error("the ledger changed")
	}
}

// What was so already at first left no trace of its own, and is still not done by a repeat.
func TestBringInAgainWhatWasTheDefault(t *testing.T) {
	h := newHouse(t)
	b := place("Ida", 1)
	a := h.app()
	draft, err := a.RegisterRestaurant(t.Context(), caller(owner, "d"), RegisterRestaurant{Profile: b.Profile})
	if err != nil {
		t.Fatal(err)
	}
	b.Policy = draft.State.Policy
	id, err := a.BringInRestaurant(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alter(t, a, caller(owner, "p"), id, SetPolicy{Policy: place("Ida", 0).Policy}); err != nil {
		t.Fatal(err)
	}
	before := h.ledger()
	if again, err := a.BringInRestaurant(t.Context(), b); err != nil || again != id {
		t.Errorf("got %s, %v", again, err)
	}
	for name, spoil := range map[string]func(*BringInRestaurant){
		"another name":   func(b *BringInRestaurant) { b.Profile.Name = "Otto" },
		"another policy": func(b *BringInRestaurant) { b.Policy.HoldMinutes++ },
		"another table":  func(b *BringInRestaurant) { b.Tables = append(b.Tables, place("", 2).Tables[1]) },
		"another owner":  func(b *BringInRestaurant) { b.Owner = ada },
	} {
		other := b
		spoil(&other)
		if _, err := a.BringInRestaurant(t.Context(), other); !errors.Is(err, ErrKeyReused) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if after := h.ledger(); !reflect.DeepEqual(after, before) {
		t.Error("the ledger changed")
	}
}

func TestBringInRestaurantIsWholeOrNothing(t *testing.T) {
	h := newHouse(t)
	b := place("Ida", 2)
	b.Tables[1].Min = 3
	if _, err := h.app().BringInRestaurant(t.Context(), b); code(err) != domain.CodeInvalid {
		t.Errorf("got %v", err)
	}
	if l := h.ledger(); len(l) != 0 {
		t.Errorf("left %v", l)
	}
}

func TestBringInAnotherRowUnderOneKey(t *testing.T) {
	h := newHouse(t)
	b := oldBooks()
	a := h.app()
	if _, _, err := b.bringIn(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	before := h.ledger()
	b.days[0].Rows[0].Party = 1
	if _, _, err := b.bringIn(t.Context(), a); !errors.Is(err, ErrKeyReused) {
		t.Errorf("got %v", err)
	}
	if after := h.ledger(); !reflect.DeepEqual(after, before) {
		t.Error("the ledger changed")
	}
}

// mortal is a store whose process dies at its n-th append: before it is written, or right
// after. Whatever is asked later fails.
func mortal(store eventstore.Store, n int, written bool) (s eventstore.Store, dead func() bool) {
	var mu sync.Mutex
	died := false
	return &hooked{
		Store: store,
		read: func(eventstore.StreamName) error {
			mu.Lock()
			defer mu.Unlock()
			if died {
				return eventstore.ErrUnavailable
			}
			return nil
		},
		append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
			mu.Lock()
			defer mu.Unlock()
			if n--; n >= 0 && !died {
				return do(ctx, s, x, es...)
			}
			if !died && written {
				if _, err := do(ctx, s, x, es...); err != nil {
					return eventstore.Appended{}, err
				}
			}
			died = true
			return eventstore.Appended{}, eventstore.ErrUnknownOutcome
		},
	}, func() bool { mu.Lock(); defer mu.Unlock(); return died }
}

func TestBringInAfterACrash(t *testing.T) {
	b := oldBooks()
	whole := newHouse(t)
	_, answers, err := b.bringIn(t.Context(), whole.app())
	if err != nil {
		t.Fatal(err)
	}
	want := whole.ledger()
	const appends = 7 // the restaurant; demand and day; twice more, for the second day's two writes
	for n := range appends + 1 {
		for name, written := range map[string]bool{"before": false, "after": true} {
			t.Run(fmt.Sprintf("%s append %d", name, n), func(t *testing.T) {
				h := newHouse(t)
				store, dead := mortal(h.store, n, written)
				_, _, err := b.bringIn(t.Context(), h.app(on(store)))
				if died := n < appends; died != dead() || died != (err != nil) {
					t.Fatalf("the process died: %t, and answered %v", dead(), err)
				}
				_, got, err := b.bringIn(t.Context(), h.app())
				if err != nil || !reflect.DeepEqual(plain(got), plain(answers)) {
					t.Errorf("answered otherwise after the crash: %v", err)
				}
				if after := h.ledger(); !reflect.DeepEqual(after, want) {
					t.Errorf("the ledger holds\n%v\nwant\n%v", after, want)
				}
			})
		}
	}
}

func TestTwoBringInTheSame(t *testing.T) {
	b := oldBooks()
	whole := newHouse(t)
	_, answers, err := b.bringIn(t.Context(), whole.app())
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t)
	apps := []*App{h.app(), h.app(), h.app(on(remote(t, h.store)))}
	var wg sync.WaitGroup
	for _, a := range apps {
		wg.Go(func() {
			_, got, err := b.bringIn(t.Context(), a)
			if err != nil {
				t.Error(err)
			} else if !reflect.DeepEqual(plain(got), plain(answers)) {
				for i := range got {
					if !reflect.DeepEqual(plain(got[i:i+1]), plain(answers[i:i+1])) {
						t.Errorf("row %d: got %+v, want %+v", i, got[i], answers[i])
					}
				}
			}
		})
	}
	wg.Wait()
	got, want := h.ledger(), whole.ledger()
	for stream := range want {
		if _, _, demand := codec.ParseDemandStream(stream); demand {
			continue // each once, but how much of the day was seen depends on who was first
		}
		if !reflect.DeepEqual(got[stream], want[stream]) {
			t.Errorf("%s: got\n%v\nwant\n%v", stream, got[stream], want[stream])
		}
	}
	for stream, list := range want {
		if len(got[stream]) != len(list) {
			t.Errorf("%s has %d entries, want %d", stream, len(got[stream]), len(list))
		}
	}
}

// A row older than what the book holds no longer fits in, and is no demand.
func TestBringInTooLate(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(4)
	a := h.app()
	if _, err := a.HoldTable(t.Context(), caller(ada, "k"), firmTable(id)); err != nil {
		t.Fatal(err)
	}
	now := domain.InstantOf(morning)
	got, err := a.BringIn(t.Context(), BringIn{Restaurant: id, Date: evening, Rows: []BringInRow{
		{Key: "old", At: now - 1, Time: "19:00", Party: 2}, {Key: "new", At: now, Time: "19:00", Party: 2},
	}})
	if err != nil || got[0].Refused != domain.CodeLaterEntries || got[0].Detail == "" || got[1].Refused != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	if n := len(h.records(codec.DemandStream(id, evening))); n != 0 {
		t.Errorf("%d entries of demand", n)
	}
}

func TestBringInWhereThereIsNoRestaurant(t *testing.T) {
	h := newHouse(t)
	_, err := h.app().BringIn(t.Context(), BringIn{Restaurant: domain.NewRestaurantID([16]byte{7}), Date: evening, Rows: []BringInRow{{}}})
	if code(err) != domain.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

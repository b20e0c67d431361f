package commands

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// unhurried looks at neighbours for longer than a test takes, so that load changes nothing.
func unhurried(c *Config) { c.NeighboursWithin = patience }

// shownAs writes alternatives as "date time", without the date where it is the day's own.
func shownAs(err error) (list []string) {
	no, _ := domain.Rejected(err)
	if no == nil {
		return nil
	}
	for _, a := range no.Alternatives {
		if a.Date == 0 {
			list = append(list, a.Time)
			continue
		}
		list = append(list, a.Date.String()[5:]+" "+a.Time)
	}
	return list
}

// taken books a table at a time of a date.
func taken(t *testing.T, a *App, id domain.RestaurantID, date domain.ServiceDate, at string) Booked {
	t.Helper()
	want := firmTable(id)
	want.Date, want.Time = date, at
	b, err := a.HoldTable(t.Context(), caller(noor, date.String()+at), want)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wish is firmTable at a time.
func wish(id domain.RestaurantID, at string) HoldTable {
	h := firmTable(id)
	h.Time = at
	return h
}

func TestARefusalNamesTheDaysAround(t *testing.T) {
	for name, c := range map[string]struct {
		today time.Time
		taken map[domain.ServiceDate][]string
		ask   string
		want  []string
	}{
		"the days beside are free": {
			taken: map[domain.ServiceDate][]string{evening: {"19:00"}}, ask: "19:00",
			want: []string{"20:30", "21:00", "11-20 19:00", "11-22 19:00", "11-20 18:30", "11-20 19:30"},
		},
		"one of them is open and has a party": {
			taken: map[domain.ServiceDate][]string{evening: {"19:00"}, evening - 1: {"20:00"}}, ask: "19:00",
			want: []string{"20:30", "21:00", "11-22 19:00", "11-20 18:30", "11-22 18:30", "11-22 19:30"},
		},
		"both are full": {
			taken: map[domain.ServiceDate][]string{
				evening: {"18:00", "19:30", "21:00"}, evening - 1: {"18:00", "19:30", "21:00"}, evening + 1: {"18:00", "19:30", "21:00"},
			}, ask: "20:00",
			want: []string{"11-19 20:00", "11-23 20:00", "11-19 19:30", "11-19 20:30"},
		},
		"yesterday is no alternative": {
			today: local(12, 0), taken: map[domain.ServiceDate][]string{evening: {"19:00"}}, ask: "19:00",
			want: []string{"20:30", "21:00", "11-22 19:00", "11-22 18:30", "11-22 19:30", "11-22 18:00"},
		},
		"the day itself has enough": {
			taken: map[domain.ServiceDate][]string{evening: {"18:00"}}, ask: "18:00",
			want: []string{"19:30", "20:00", "20:30", "21:00"},
		},
		"between two slots": {
			taken: map[domain.ServiceDate][]string{evening: {"19:00"}}, ask: "19:10",
			want: []string{"20:30", "21:00", "11-20 19:00", "11-22 19:00", "11-20 19:30", "11-22 19:30"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(1)
			a := h.app(unhurried)
			for date, times := range c.taken {
				for _, at := range times {
					taken(t, a, id, date, at)
				}
			}
			if !c.today.IsZero() {
				h.clock.set(c.today)
			}
			_, err := a.HoldTable(t.Context(), caller(ada, "k"), wish(id, c.ask))
			if got := shownAs(err); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v: %v", got, c.want, err)
			}
			if len(h.records(codec.DayStream(id, evening+3))) > 0 {
				t.Error("a look at a day opened it")
			}
			no, _ := domain.Rejected(err)
			for i, other := range no.Alternatives {
				want := wish(id, "")
				want.Date, want.StartsAt = 0, other.StartsAt
				b, err := a.HoldTable(t.Context(), caller(ada, fmt.Sprint("take ", i)), want)
				if err != nil || other.Date != 0 && b.Date != other.Date {
					t.Errorf("%+v cannot be had: %+v, %v", other, b, err)
				} else if _, err := a.CancelReservation(t.Context(), caller(ada, fmt.Sprint("leave ", i)), b.ID, ""); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// By the instant and by the clock the same is asked for, in the small hours too.
func TestTheSmallHoursAreNearTheSmallHours(t *testing.T) {
	h := newHouse(t)
	place := place("Nox", 1)
	place.Shifts[0].LastSeating, place.Shifts[0].Closes = 1*60, 4*60
	id, err := h.app().BringInRestaurant(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	a := h.app(unhurried)
	for _, at := range []string{"18:00", "19:30", "21:00", "22:30", "00:00"} {
		taken(t, a, id, evening, at)
	}
	_, byClock := a.HoldTable(t.Context(), caller(ada, "1"), wish(id, "00:30"))
	instant := wish(id, "")
	instant.Date, instant.StartsAt = 0, domain.InstantOf(time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC))
	_, byInstant := a.HoldTable(t.Context(), caller(ada, "2"), instant)
	want := []string{"11-20 00:30", "11-22 00:30", "11-20 00:00", "11-20 01:00"}
	if got := shownAs(byClock); !reflect.DeepEqual(got, want) {
		t.Errorf("by the clock: %v, %v", got, byClock)
	}
	if got := shownAs(byInstant); !reflect.DeepEqual(got, want) {
		t.Errorf("by the instant: %v, %v", got, byInstant)
	}
}

func TestAnAmendmentAndAWaiterAreShownOtherDays(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app(unhurried)
	b := taken(t, a, id, evening, "18:00")
	taken(t, a, id, evening, "19:30")
	taken(t, a, id, evening, "21:00")
	_, err := a.AmendReservation(t.Context(), caller(noor, "a"), b.ID, AmendReservation{Time: "20:00"})
	want := []string{"11-20 20:00", "11-22 20:00", "11-20 19:30", "11-20 20:30"} // not 18:00, which it has
	if got := shownAs(err); !reflect.DeepEqual(got, want) {
		t.Errorf("amended: got %v, want %v: %v", got, want, err)
	}
	if _, err := alter(t, a, caller(owner, "c"), id, AddClosure{restaurant.Closure{From: evening + 10, To: evening + 10, Reason: "holidays"}}); err != nil {
		t.Fatal(err)
	}
	_, err = h.app(unhurried).JoinWaitlist(t.Context(), caller(ada, "j"), JoinWaitlist{
		Restaurant: id, Date: evening + 10, FromTime: "19:00", ToTime: "20:00", Party: 2,
	})
	want = []string{"11-30 19:00", "12-02 19:00", "11-30 18:30", "11-30 19:30"}
	if got := shownAs(err); code(err) != domain.CodeClosed || !reflect.DeepEqual(got, want) {
		t.Errorf("joined: got %v, want %v: %v", got, want, err)
	}
}

// A party that cannot be moved is shown the days around the one it wanted, and its own day,
// but not the slot that it has.
func TestARefusedMoveNamesItsOwnDayToo(t *testing.T) {
	for name, c := range map[string]struct {
		to    domain.ServiceDate
		party domain.PartySize
		want  []string
	}{
		"far away":        {evening + 5, 0, []string{"11-25 19:00", "11-27 19:00", "11-25 18:30", "11-21 18:30"}},
		"beside":          {evening + 1, 0, []string{"11-23 19:00", "11-21 18:30", "11-21 19:30", "11-23 18:30"}},
		"as fewer people": {evening + 1, 1, []string{"11-21 19:00", "11-23 19:00", "11-21 18:30", "11-21 19:30"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(2)
			a := h.app(unhurried)
			b := taken(t, a, id, evening, "19:00")
			for n, at := range []string{"18:00", "19:30", "21:00", "18:00", "19:30", "21:00"} {
				full := wish(id, at)
				full.Date = c.to
				if _, err := a.HoldTable(t.Context(), caller(ada, fmt.Sprint(n)), full); err != nil {
					t.Fatal(err)
				}
			}
			_, err := a.MoveReservation(t.Context(), caller(noor, "m"), b.ID, MoveReservation{Date: c.to, Party: c.party})
			if got := shownAs(err); code(err) != domain.CodeNoTable || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v: %v", got, c.want, err)
			}
		})
	}
}

// What keeps a neighbour from being read leaves the refusal as it is.
func TestALookAroundFailsAlone(t *testing.T) {
	for name, c := range map[string]struct {
		read  func(context.Context) error
		limit time.Duration
	}{
		"a read fails":       {read: func(context.Context) error { return errors.New("the disk is gone") }, limit: patience},
		"it takes long":      {read: func(ctx context.Context) error { <-ctx.Done(); return nil }, limit: time.Millisecond},
		"a fold that panics": {read: func(context.Context) error { panic("the neighbour's book is torn") }, limit: patience},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			id := h.restaurant(1)
			taken(t, h.app(), id, evening, "19:00")
			held, release := context.WithCancel(t.Context())
			defer release()
			a := h.app(func(cfg *Config) { cfg.NeighboursWithin = c.limit }, on(&hooked{Store: h.store, read: func(s eventstore.StreamName) error {
				if _, date, day := codec.ParseDayStream(s); day && date != evening {
					return c.read(held)
				}
				return nil
			}}))
			_, err := a.HoldTable(t.Context(), caller(ada, "k"), wish(id, "19:00"))
			if got := shownAs(err); code(err) != domain.CodeNoTable || !reflect.DeepEqual(got, []string{"20:30", "21:00"}) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// What another day cannot help with is not looked for there.
func TestOtherDaysHelpNobodyWhoIsRefusedForHimself(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app(unhurried)
	large := wish(id, "19:00")
	large.Party = 9
	far := wish(id, "19:00")
	far.Date = evening + 300
	for want, command := range map[domain.Code]HoldTable{domain.CodePartyTooLarge: large, domain.CodeTooFarAhead: far} {
		_, err := a.HoldTable(t.Context(), caller(ada, string(want)), command)
		if got := shownAs(err); code(err) != want || got != nil {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

func BenchmarkRefusal(b *testing.B) {
	for _, c := range []struct {
		name   string
		around time.Duration
		hot    bool
	}{{"its own day alone", 1, true}, {"days around, hot", patience, true}, {"days around, anew", patience, false}} {
		b.Run(c.name, func(b *testing.B) {
			h := newHouse(b)
			a := h.app(func(cfg *Config) { cfg.NeighboursWithin = c.around })
			p := place("Full", 20)
			p.Policy.Assignment = restaurantday.LateBinding
			id, err := a.BringInRestaurant(b.Context(), p)
			if err != nil {
				b.Fatal(err)
			}
			for day := evening - 3; day <= evening+3; day++ {
				for n := range 60 {
					want := firmTable(id)
					want.Date, want.Time = day, []string{"18:00", "19:30", "21:00"}[n%3]
					if _, err := a.HoldTable(b.Context(), caller(noor, fmt.Sprint(day, n)), want); err != nil {
						b.Fatal(err)
					}
				}
			}
			for b.Loop() {
				if !c.hot {
					a.offered.kept = nil
				}
				if _, err := a.HoldTable(b.Context(), caller(ada, ""), wish(id, "19:30")); code(err) != domain.CodeNoTable {
					b.Fatal(err)
				}
			}
		})
	}
}

package commands

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// happened is one use as its client saw it. The day's log is the order in which all of them
// took place, if each took place between its first and its last sight of the log's length.
type happened struct {
	what     string
	from, to int // entries in the log before it was asked and after it was answered
	got      Booked
	err      error
}

// erratic loses, delays and doubts appends now and then.
func erratic(store eventstore.Store, seed uint64) eventstore.Store {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	var late []func()
	return &hooked{
		Store: store,
		append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
			mu.Lock()
			fate := rng.IntN(10)
			mu.Unlock()
			switch fate {
			case 0:
				return eventstore.Appended{}, eventstore.ErrUnknownOutcome
			case 1:
				_, _ = do(ctx, s, x, es...)
				return eventstore.Appended{}, eventstore.ErrUnknownOutcome
			case 2:
				mu.Lock()
				late = append(late, func() { _, _ = do(context.Background(), s, x, es...) })
				mu.Unlock()
				return eventstore.Appended{}, eventstore.ErrUnknownOutcome
			}
			return do(ctx, s, x, es...)
		},
		done: func(eventstore.StreamName) {
			mu.Lock()
			writes := late
			late = nil
			mu.Unlock()
			for _, write := range writes {
				write()
			}
		},
	}
}

// TestEveryAnswerHasItsPlace books and cancels one slot's tables from many clients of
// several processes on a store that is often in doubt, and then finds for every answer the
// place in the log at which it was true, within the time in which it was asked for.
func TestEveryAnswerHasItsPlace(t *testing.T) {
	seeds, steps := 3, 25
	if soak() {
		seeds, steps = 200, 60
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHouse(t)
			const tables, clients = 5, 9
			id := h.restaurant(tables)
			stream := codec.DayStream(id, evening)
			var apps []*App
			for i := range 3 {
				apart := time.Duration(i) * 10 * time.Second
				apps = append(apps, h.app(
					on(erratic(h.store, seed*10+uint64(i))), func(c *Config) { c.HotDays = 1 },
					by(func() time.Time { return h.clock.now().Add(apart) })))
			}
			length := func() int { return len(h.records(stream)) }
			histories := make([][]happened, clients)
			var wg sync.WaitGroup
			for n := range clients {
				wg.Go(func() {
					c := client{house: h, apps: apps, restaurant: id, name: fmt.Sprint(n), rng: rand.New(rand.NewPCG(seed, uint64(100+n))), length: length}
					for step := range steps {
						c.step(step)
					}
					histories[n] = c.history
				})
			}
			wg.Wait()
			log := h.events(stream)
			free := freeTables(log, tables)
			for _, history := range histories {
				for _, e := range history {
					if err := e.place(log, free); err != nil {
						t.Errorf("%s, asked at %d and answered at %d with %+v, %v: %v", e.what, e.from, e.to, e.got, e.err, err)
					}
				}
			}
			if err := h.doubleBookings(id); err != nil {
				t.Error(err)
			}
		})
	}
}

// client asks for one thing after the other.
type client struct {
	*house
	apps       []*App
	restaurant domain.RestaurantID
	name       string
	rng        *rand.Rand
	length     func() int
	history    []happened
	mine       []Booked
	keys       []string // of mine
}

func (c *client) step(n int) {
	key := fmt.Sprint(c.name, " ", n)
	a := c.apps[c.rng.IntN(len(c.apps))]
	what := c.rng.IntN(10)
	switch {
	case what < 5 || len(c.mine) == 0:
		b, err := c.do("hold", func() (Booked, error) {
			return a.HoldTable(context.Background(), caller(ada, key), firmTable(c.restaurant))
		})
		if err == nil {
			c.mine, c.keys = append(c.mine, b), append(c.keys, key)
		}
	case what < 8:
		i := c.rng.IntN(len(c.mine))
		_, _ = c.do("cancel", func() (Booked, error) {
			return a.CancelReservation(context.Background(), caller(ada, key), c.mine[i].ID, "")
		})
	case what < 9: // a day that takes the other's place in memory
		if _, err := a.days.state(context.Background(), codec.DayStream(c.restaurant, evening+1), 0); err != nil {
			c.t.Error(err)
		}
	default:
		i := c.rng.IntN(len(c.mine))
		again, err := c.do("again", func() (Booked, error) {
			return a.HoldTable(context.Background(), caller(ada, c.keys[i]), firmTable(c.restaurant))
		})
		again.Position, again.Replayed = c.mine[i].Position, c.mine[i].Replayed
		if err != nil || !reflect.DeepEqual(again, c.mine[i]) {
			c.t.Errorf("again: got %+v, %v; the first answer was %+v", again, err, c.mine[i])
		}
	}
}

// do insists on an answer and notes when it was asked and given.
func (c *client) do(what string, ask func() (Booked, error)) (Booked, error) {
	e := happened{what: what, from: c.length()}
	e.got, e.err = ask()
	for e.err != nil && code(e.err) == "" {
		e.got, e.err = ask()
	}
	e.to = c.length()
	c.history = append(c.history, e)
	return e.got, e.err
}

// freeTables counts for every length of the log the tables that were free then.
func freeTables(log []codec.Decoded, tables int) []int {
	free := []int{tables}
	for _, d := range log {
		switch d.Event.(type) {
		case restaurantday.Held:
			tables--
		case restaurantday.Cancelled:
			tables++
		}
		free = append(free, tables)
	}
	return free
}

// place finds the use in the log, or says why there is no place for it.
func (e happened) place(log []codec.Decoded, free []int) error {
	if e.err != nil {
		for n := e.from; n <= e.to; n++ {
			if code(e.err) == domain.CodeNoTable && free[n] == 0 {
				return nil
			}
		}
		return fmt.Errorf("at no time in between was it so")
	}
	last := int(e.got.Revision)
	if last >= e.to || last < e.from && e.what == "hold" {
		return fmt.Errorf("its entries are not from that time")
	}
	number := e.got.Reservation.Number
	switch entry := log[last].Event.(type) {
	case restaurantday.Confirmed:
		held, ok := log[last-1].Event.(restaurantday.Held)
		if e.what != "cancel" && ok && entry.Number == number && held.Number == number && reflect.DeepEqual(held.Tables, e.got.Reservation.Tables) {
			return nil
		}
	case restaurantday.Cancelled:
		if e.what == "cancel" && entry.Number == number {
			return nil
		}
	}
	// A cancellation of what was cancelled before is true at the end of the log it saw.
	if e.what == "cancel" && e.got.Reservation.Status == restaurantday.StatusCancelled {
		for _, d := range log[:last+1] {
			if c, ok := d.Event.(restaurantday.Cancelled); ok && c.Number == number {
				return nil
			}
		}
	}
	return fmt.Errorf("entry %d of the log is %+v", last, log[last].Event)
}

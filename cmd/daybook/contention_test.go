package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver"
	"daybook/internal/enginetest"
)

// sharedEngines starts what several processes share: one ledger behind the protocol, one
// Postgres, one Redis.
func sharedEngines(t *testing.T) engineFlags {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := esdbserver.New(store, esdbserver.Options{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return engineFlags{
		EventstoreURL: "esdb://" + listener.Addr().String() + "?tls=false",
		PostgresURL:   enginetest.Postgres(t), RedisURL: enginetest.Redis(t),
		MasterKey: base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32))),
	}
}

// twoHouses are two processes on one ledger whose clocks are ten seconds apart.
func twoHouses(t *testing.T, cfg houseConfig) (slow, fast *house) {
	t.Helper()
	cfg.engineFlags = sharedEngines(t)
	behind := cfg
	behind.clock = func() time.Time { return time.Now().Add(-5 * time.Second) }
	slow = startHouse(t, behind)
	ahead := cfg
	ahead.clock = func() time.Time { return time.Now().Add(5 * time.Second) }
	return slow, startHouse(t, ahead)
}

// manyTables brings in a restaurant with n two-seat tables and one slot a day.
func (h *house) manyTables(t *testing.T, n int) string {
	t.Helper()
	policy := restaurant.DefaultPolicy()
	tables := make([]restaurantday.Table, n)
	for i := range tables {
		tables[i] = restaurantday.Table{Number: strconv.Itoa(i + 1), Min: 1, Max: 2}
	}
	id, err := h.app.BringInRestaurant(t.Context(), commands.BringInRestaurant{
		Key: "many", At: domain.InstantOf(h.cfg.clock()), Policy: policy, Tables: tables,
		Profile: restaurant.Profile{Name: "Many Tables", Cuisine: "Test", Address: "1 Test Street", City: "Testville", TimeZone: "Europe/Berlin"},
		Shifts:  []restaurant.Shift{{Days: restaurant.EveryDay, Name: "dinner", Opens: 19 * 60, LastSeating: 19 * 60, Closes: 22 * 60, SlotMinutes: 30}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(id)
}

// rush sends clients at one slot, all at once and turn by turn to the houses, until each
// has a yes or a no. It returns how many were accepted, and on how many different tables.
func rush(t *testing.T, houses []*house, clients, tables int) (accepted, refused, distinct int) {
	t.Helper()
	id := houses[0].manyTables(t, tables)
	diner := houses[0].client(t).register("diner")
	date := houses[0].tomorrow()
	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"confirm":true}`, id, date)
	var mu sync.Mutex
	var wg sync.WaitGroup
	start := make(chan struct{})
	seated := map[string]bool{}
	for i := range clients {
		wg.Go(func() {
			c := diner
			c.base = houses[i%len(houses)].client(t).base
			key := newKey()
			<-start
			for {
				r, err := c.try(t.Context(), http.MethodPost, "/reservations", body, "Idempotency-Key", key)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				switch {
				case r.status == http.StatusCreated:
					accepted++
					seated[r.field("tableIds")] = true
				case r.status == http.StatusConflict && r.field("code") == "no_table":
					refused++
				case r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
					mu.Unlock()
					continue // contended: nobody was answered, so the same request goes again
				default:
					t.Errorf("got %s", r)
				}
				mu.Unlock()
				return
			}
		})
	}
	close(start)
	wg.Wait()
	return accepted, refused, len(seated)
}

func TestThreeHundredForTwoHundredNinetyNine(t *testing.T) {
	t.Parallel()
	check := func(t *testing.T, houses ...*house) {
		t.Helper()
		accepted, refused, distinct := rush(t, houses, 300, 299)
		if accepted != 299 || refused != 1 || distinct != 299 {
			t.Errorf("%d accepted on %d tables, %d refused; want 299 on 299, and 1", accepted, distinct, refused)
		}
		overlaps, err := houses[0].engines.database.Overlaps(t.Context(), 10)
		if err != nil || len(overlaps) > 0 {
			t.Errorf("overlaps: %v, %v", overlaps, err)
		}
	}
	t.Run("one process", func(t *testing.T) { check(t, startHouse(t, houseConfig{})) })
	t.Run("two processes with clocks ten seconds apart", func(t *testing.T) {
		slow, fast := twoHouses(t, houseConfig{})
		check(t, slow, fast)
	})
}

// anyVersion is a store that ignores what its writers expect. The first hold of each of the
// processes that share decided waits until the others have decided theirs, so that they
// decide on the same book however busy the machine is.
type anyVersion struct {
	eventstore.Store
	first   sync.Once
	decided *sync.WaitGroup
}

func (s *anyVersion) Append(ctx context.Context, stream eventstore.StreamName, _ eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if _, _, day := codec.ParseDayStream(stream); day && slices.ContainsFunc(events, func(e eventstore.Event) bool { return e.Type == codec.TypeReservationHeld }) {
		s.first.Do(func() {
			s.decided.Done()
			s.decided.Wait()
		})
	}
	return s.Store.Append(ctx, stream, eventstore.Any(), events...)
}

// TestTheExpectedVersionIsWhatGuards shows that the rush above would tell: without the
// expected version, two processes sell tables twice.
func TestTheExpectedVersionIsWhatGuards(t *testing.T) {
	t.Parallel()
	var decided sync.WaitGroup
	decided.Add(2)
	slow, fast := twoHouses(t, houseConfig{wrap: func(s eventstore.Store) eventstore.Store {
		return &anyVersion{Store: s, decided: &decided}
	}})
	accepted, _, distinct := rush(t, []*house{slow, fast}, 100, 99)
	if accepted <= distinct {
		t.Errorf("%d accepted on %d tables with the guard off: this test cannot tell", accepted, distinct)
	}
}

// lapse has the fast process give a lapsed hold's table away, and the slow one confirm that
// hold. It returns the answer to the confirmation.
func lapse(t *testing.T, cfg houseConfig) (confirmation reply) {
	t.Helper()
	clock := newTestClock()
	cfg.engineFlags = sharedEngines(t)
	cfg.clock = clock.now
	slow := startHouse(t, cfg)
	cfg.clock = func() time.Time { return clock.now().Add(10 * time.Second) }
	fast := startHouse(t, cfg)
	id := slow.manyTables(t, 1)
	diner := slow.client(t).register("diner")
	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2}`, id, slow.tomorrow())
	first := diner.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	clock.advance(5*time.Minute - 5*time.Second) // lapsed by the fast clock, not by the slow one
	other := diner
	other.base = fast.client(t).base
	second := other.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	other.send(http.MethodPost, "/reservations/"+second.field("reservationId")+"/confirm", "").want(t, 200, "")
	return diner.send(http.MethodPost, "/reservations/"+first.field("reservationId")+"/confirm", "")
}

func TestASlowClockConfirmsNothingThatLapsed(t *testing.T) {
	t.Parallel()
	lapse(t, houseConfig{}).want(t, 409, "hold_expired")
}

// TestTheClockRuleIsWhatGuards takes the rule away: a day that forgets its time and keeps
// no record of lapses lets the slow process confirm what is sold already.
func TestTheClockRuleIsWhatGuards(t *testing.T) {
	t.Parallel()
	rule := restaurantday.Decider()
	off := rule
	off.Decide = func(s restaurantday.State, c restaurantday.Command) ([]restaurantday.Event, error) {
		events, err := rule.Decide(s, c)
		var kept []restaurantday.Event
		for _, e := range events {
			if _, lapsed := e.(restaurantday.Expired); !lapsed {
				kept = append(kept, e)
			}
		}
		return kept, err
	}
	off.Evolve = func(s restaurantday.State, e restaurantday.Event) restaurantday.State {
		switch e := e.(type) {
		case restaurantday.Opened:
			e.At = 0
			return rule.Evolve(s, e)
		case restaurantday.Held:
			e.At = 0
			return rule.Evolve(s, e)
		case restaurantday.Confirmed:
			e.At = 0
			return rule.Evolve(s, e)
		}
		return rule.Evolve(s, e)
	}
	if r := lapse(t, houseConfig{day: &off}); r.status != http.StatusOK {
		t.Errorf("got %s with the guard off: this test cannot tell", r)
	}
}

// TestTheLedgerIsOne checks that what the two houses wrote is one gapless stream.
func TestTheLedgerIsOne(t *testing.T) {
	t.Parallel()
	slow, fast := twoHouses(t, houseConfig{})
	rush(t, []*house{slow, fast}, 20, 30)
	rev := map[eventstore.StreamName]uint64{}
	for r, err := range fast.engines.store.ReadAll(t.Context(), eventstore.Start, eventstore.StreamPrefix(codec.DayPrefix)) {
		if err != nil {
			t.Fatal(err)
		}
		if uint64(r.Revision) != rev[r.Stream] {
			t.Fatalf("stream %s: revision %d, want %d", r.Stream, r.Revision, rev[r.Stream])
		}
		rev[r.Stream]++
	}
	if len(rev) != 1 {
		t.Errorf("%d days, want 1", len(rev))
	}
}

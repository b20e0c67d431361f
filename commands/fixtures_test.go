package commands

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdb"
	"daybook/eventstore/esdbserver"
	"daybook/internal/keystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than anything here takes that works.
const patience = time.Minute

var (
	morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	evening = mustDate("2026-11-21")
	owner   = domain.NewUserID([16]byte{1})
	ada     = domain.NewUserID([16]byte{2})
	noor    = domain.NewUserID([16]byte{3})
)

func mustDate(s string) domain.ServiceDate {
	d, err := domain.ParseServiceDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// soak tells whether the large counts were asked for.
func soak() bool { return os.Getenv("DAYBOOK_SOAK") == "1" }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// clock stands still until a test moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: morning} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// plainPasswords are hashed in no time; each hash is another, as with salt.
type plainPasswords struct {
	hashed, verified atomic.Int64
	fail             error
}

func (p *plainPasswords) Hash(_ context.Context, password string) (string, error) {
	return fmt.Sprintf("%d$%s", p.hashed.Add(1), password), p.fail
}

func (p *plainPasswords) Verify(_ context.Context, password, hash string) (bool, error) {
	p.verified.Add(1)
	_, kept, ok := strings.Cut(hash, "$")
	return ok && kept == password, nil
}

// ledgerOn opens a ledger on fs that lives as long as the test, or until it is closed.
func ledgerOn(t testing.TB, fs vfs.FS) eventstore.Store {
	t.Helper()
	s, err := embedded.Open("ledger", embedded.Options{FS: fs, Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, eventstore.ErrClosed) {
			t.Errorf("close the ledger: %v", err)
		}
	})
	return s
}

// remote serves store as a process of its own would be served, and connects to it.
func remote(t testing.TB, store eventstore.Store) eventstore.Store {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	engine, ok := store.(eventstore.Engine)
	if !ok {
		t.Fatalf("%T cannot be served: it is no engine", store)
	}
	server := esdbserver.New(engine, esdbserver.Options{Logger: quiet()})
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Shutdown(context.Background()), <-served); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	s, err := esdb.Open(t.Context(), "esdb://"+lis.Addr().String()+"?tls=false", esdb.Options{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// house is a ledger and what all processes on it share.
type house struct {
	t     testing.TB
	fs    vfs.FS
	store eventstore.Store
	keys  codec.Keys
	clock *clock
}

func newHouse(t testing.TB) *house {
	t.Helper()
	keys, err := keystore.Memory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	fs := vfs.NewMem()
	return &house{t: t, fs: fs, store: ledgerOn(t, fs), keys: keys, clock: newClock()}
}

// app is one process on the ledger: it shares no memory with the others.
func (h *house) app(changes ...func(*Config)) *App {
	h.t.Helper()
	cfg := Config{
		Store: h.store, Codec: codec.New(h.keys), Passwords: &plainPasswords{}, Clock: h.clock.now, Log: quiet(),
		BodyKey: []byte("the bodies' key, shared"), EmailKey: []byte("the addresses' key, shared"),
	}
	for _, change := range changes {
		change(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = a.Close(context.Background()) })
	return a
}

func on(store eventstore.Store) func(*Config) { return func(c *Config) { c.Store = store } }

func by(clock func() time.Time) func(*Config) { return func(c *Config) { c.Clock = clock } }

// place describes a restaurant with so many tables for two.
func place(key string, tables int) BringInRestaurant {
	boundary := 5 * 60
	b := BringInRestaurant{
		Key: key, At: domain.InstantOf(morning), Owner: owner, DayBoundary: &boundary,
		Profile: restaurant.Profile{Name: "Chez " + key, Cuisine: "French", Address: "1 Rue", City: "Berlin", TimeZone: "Europe/Berlin"},
		Shifts: []restaurant.Shift{{
			Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 21 * 60, Closes: 23 * 60, SlotMinutes: 30,
		}},
		Policy: restaurantday.Policy{
			HoldMinutes: 10, HorizonDays: 60, Turns: []restaurantday.TurnTime{{UpToParty: 20, Minutes: 90}},
		},
	}
	for i := range tables {
		b.Tables = append(b.Tables, restaurantday.Table{Number: fmt.Sprint(i + 1), Min: 1, Max: 2, Area: "room"})
	}
	return b
}

// restaurant opens a restaurant with so many tables for two.
func (h *house) restaurant(tables int) domain.RestaurantID {
	h.t.Helper()
	id, err := h.app().BringInRestaurant(context.Background(), place("Ida", tables))
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

func caller(user domain.UserID, key string) Caller {
	return Caller{User: user, Route: "POST /reservations", Key: key, Body: []byte("{}"), RequestID: "req"}
}

// alter changes a plan without a decision for days that are open.
func alter(t testing.TB, a *App, c Caller, id domain.RestaurantID, change PlanChange) (Receipt[restaurant.State], error) {
	t.Helper()
	r, _, err := a.ChangePlan(t.Context(), c, id, change, OnOpenDays{})
	return r, err
}

func tableFor(id domain.RestaurantID, party domain.PartySize) HoldTable {
	return HoldTable{Restaurant: id, Date: evening, Time: "19:00", Party: party}
}

func firmTable(id domain.RestaurantID) HoldTable {
	h := tableFor(id, 2)
	h.Confirm = true
	return h
}

// records reads a stream; it is empty where there is none.
func (h *house) records(stream eventstore.StreamName) (list []eventstore.Record) {
	h.t.Helper()
	for r, err := range h.store.ReadStream(context.Background(), stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			h.t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// events reads a stream decoded.
func (h *house) events(stream eventstore.StreamName) (list []codec.Decoded) {
	h.t.Helper()
	c := codec.New(h.keys)
	for _, r := range h.records(stream) {
		d, err := c.Decode(context.Background(), r)
		if err != nil {
			h.t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

func (h *house) types(stream eventstore.StreamName) (list []string) {
	for _, r := range h.records(stream) {
		list = append(list, r.Type)
	}
	return list
}

// doubleBookings tells by the day's log alone which entries share a table.
func (h *house) doubleBookings(id domain.RestaurantID) error {
	live := map[uint32]restaurantday.Held{}
	var last uint32
	var errs []error
	for _, d := range h.events(codec.DayStream(id, evening)) {
		switch e := d.Event.(type) {
		case restaurantday.Held:
			if e.Number != last+1 {
				errs = append(errs, fmt.Errorf("entry %d follows entry %d", e.Number, last))
			}
			last = e.Number
			live[e.Number] = e
		case restaurantday.Cancelled:
			delete(live, e.Number)
		case restaurantday.Expired:
			delete(live, e.Number)
		}
	}
	for _, a := range live {
		for _, b := range live {
			if a.Number < b.Number && a.Tables[0] == b.Tables[0] && a.Occupied.Overlaps(b.Occupied) {
				errs = append(errs, fmt.Errorf("entries %d and %d sit at one table", a.Number, b.Number))
			}
		}
	}
	return errors.Join(errs...)
}

type appendFunc func(context.Context, eventstore.StreamName, eventstore.Expected, ...eventstore.Event) (eventstore.Appended, error)

// hooked is a process's own way to a shared ledger, in which a test stands.
type hooked struct {
	eventstore.Store
	append func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error)
	read   func(s eventstore.StreamName) error // before each reading
	done   func(s eventstore.StreamName)       // after each reading
}

func (h *hooked) Append(ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es ...eventstore.Event) (eventstore.Appended, error) {
	if h.append == nil {
		return h.Store.Append(ctx, s, x, es...)
	}
	return h.append(h.Store.Append, ctx, s, x, es)
}

func (h *hooked) ReadStream(ctx context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		if h.read != nil {
			if err := h.read(s); err != nil {
				yield(eventstore.Record{}, err)
				return
			}
		}
		// Read out first, so that what is done after it comes after all of it.
		type item struct {
			r   eventstore.Record
			err error
		}
		var items []item
		for r, err := range h.Store.ReadStream(ctx, s, from) {
			items = append(items, item{r, err})
		}
		if h.done != nil {
			h.done(s)
		}
		for _, i := range items {
			if !yield(i.r, i.err) {
				return
			}
		}
	}
}

// gate blocks the first append until it is opened, and counts them all.
type gate struct {
	blocked, open chan struct{}
	once          sync.Once
	mu            sync.Mutex
	sizes         []int // of the appends, in events
}

func newGate() *gate { return &gate{blocked: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) appends() []int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.sizes)
}

func (g *gate) around(store eventstore.Store) eventstore.Store {
	return &hooked{Store: store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
		g.mu.Lock()
		g.sizes = append(g.sizes, len(es))
		g.mu.Unlock()
		g.once.Do(func() {
			close(g.blocked)
			<-g.open
		})
		return do(ctx, s, x, es...)
	}}
}

// until polls for what another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// waiting is how many requests wait in a day's queue.
func (a *App) waiting(id domain.RestaurantID) int {
	lane := a.days.lane(codec.DayStream(id, evening))
	lane.mu.Lock()
	defer lane.mu.Unlock()
	return lane.waiting
}

func code(err error) domain.Code {
	if no, ok := domain.Rejected(err); ok {
		return no.Code
	}
	return ""
}

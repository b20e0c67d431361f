package processes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/feed"
	"daybook/internal/enginetest"
	"daybook/internal/keystore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = time.Minute

var (
	morning = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	ada     = domain.NewUserID([16]byte{2})
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

type noPasswords struct{}

func (noPasswords) Hash(context.Context, string) (string, error)         { return "", nil }
func (noPasswords) Verify(context.Context, string, string) (bool, error) { return false, nil }

// checkpoints in memory.
type checkpoints struct {
	mu   sync.Mutex
	at   feed.Place
	fail error
}

func (c *checkpoints) Load(context.Context, string) (feed.Place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, c.fail
}

func (c *checkpoints) Reset(ctx context.Context, name string) error {
	return c.Save(ctx, name, feed.Place{})
}

func (c *checkpoints) Save(_ context.Context, _ string, at feed.Place) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail == nil {
		c.at = at
	}
	return c.fail
}

// house is a ledger with a restaurant, and a clock that the test moves.
type house struct {
	t     *testing.T
	store eventstore.Store
	keys  codec.Keys
	app   *commands.App
	id    domain.RestaurantID
	date  domain.ServiceDate
	now   atomic.Int64 // milliseconds
	n     int

	restored func() *house // as it would be, were the ledger restored to now
}

func newHouse(t *testing.T) *house {
	t.Helper()
	o := embedded.Options{FS: vfs.NewMem(), Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20}
	store, err := embedded.Open("ledger", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	keys, err := keystore.Memory(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	h := &house{t: t, store: store, keys: keys}
	h.restored = func() *house {
		r := &house{t: t, store: enginetest.Backup(t, store, o), keys: keys, id: h.id, date: h.date, n: h.n + 1000}
		r.now.Store(h.now.Load())
		r.openApp()
		return r
	}
	if h.date, err = domain.ParseServiceDate("2026-11-21"); err != nil {
		t.Fatal(err)
	}
	h.now.Store(morning.UnixMilli())
	h.openApp()
	boundary := 5 * 60
	place := commands.BringInRestaurant{
		Key: "Ida", At: domain.InstantOf(morning), DayBoundary: &boundary,
		Profile: restaurant.Profile{Name: "Ida", Cuisine: "French", Address: "1 Rue", City: "Berlin", TimeZone: "Europe/Berlin"},
		Shifts: []restaurant.Shift{{
			Days: restaurant.EveryDay, Name: "dinner", Opens: 18 * 60, LastSeating: 21 * 60, Closes: 23 * 60, SlotMinutes: 30,
		}},
		Policy: restaurantday.Policy{HoldMinutes: 10, HorizonDays: 60, Turns: []restaurantday.TurnTime{{UpToParty: 20, Minutes: 90}}},
	}
	for i := range 20 {
		place.Tables = append(place.Tables, restaurantday.Table{Number: fmt.Sprint(i + 1), Min: 1, Max: 2})
	}
	if h.id, err = h.app.BringInRestaurant(t.Context(), place); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) openApp() {
	h.t.Helper()
	var err error
	h.app, err = commands.New(commands.Config{
		Store: h.store, Codec: codec.New(h.keys), Passwords: noPasswords{}, Clock: h.clock, Log: quiet(),
		BodyKey: make([]byte, 16), EmailKey: make([]byte, 16),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = h.app.Close(context.Background()) })
}

func (h *house) clock() time.Time { return time.UnixMilli(h.now.Load()).UTC() }

func (h *house) caller() commands.Caller {
	h.n++
	return commands.Caller{User: ada, Route: "test", Key: fmt.Sprint(h.n)}
}

func (h *house) hold(date domain.ServiceDate) commands.Booked {
	h.t.Helper()
	b, err := h.app.HoldTable(h.t.Context(), h.caller(), commands.HoldTable{Restaurant: h.id, Date: date, Time: "19:00", Party: 2})
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// moveTo sets the clock and puts something into the feed, upon which the process looks at
// the clock: for as long as nothing comes it sleeps by the machine's own.
func (h *house) moveTo(at domain.Instant) {
	h.t.Helper()
	h.now.Store(int64(at))
	h.stir()
}

func (h *house) stir() {
	h.t.Helper()
	h.n++
	e, err := codec.New(h.keys).Encode(h.t.Context(), "stir", eventstore.EventID{byte(h.n), byte(h.n >> 8), 1},
		restaurantday.Confirmed{Number: 1}, codec.Metadata{})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.store.Append(h.t.Context(), "stir", eventstore.Any(), e); err != nil {
		h.t.Fatal(err)
	}
}

// lapsed lists the entries of a day that are on record as lapsed.
func (h *house) lapsed(date domain.ServiceDate) (numbers []uint32) {
	h.t.Helper()
	c := codec.New(h.keys)
	for r, err := range h.store.ReadStream(h.t.Context(), codec.DayStream(h.id, date), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		d, err := c.Decode(h.t.Context(), r)
		if err != nil {
			h.t.Fatal(err)
		}
		if e, ok := d.Event.(restaurantday.Expired); ok {
			numbers = append(numbers, e.Number)
		}
	}
	return numbers
}

// expiryConfig is what a hold expiry is made of.
type expiryConfig struct {
	Config
	Record func(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error)
}

func (h *house) config(at *checkpoints) Config {
	return Config{Store: h.store, Codec: codec.New(h.keys), Checkpoints: at, Clock: h.clock, Log: quiet()}
}

// start runs a process until stop, which waits for its end.
func (h *house) start(at *checkpoints, changes ...func(*expiryConfig)) (p *Deadlines, stop func()) {
	h.t.Helper()
	cfg := expiryConfig{h.config(at), h.app.RecordLapses}
	for _, change := range changes {
		change(&cfg)
	}
	p, err := NewHoldExpiry(cfg.Config, cfg.Record)
	if err != nil {
		h.t.Fatal(err)
	}
	return p, h.run(p)
}

func (h *house) run(p *Deadlines) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				h.t.Errorf("ended with %v", err)
			}
		})
	}
	h.t.Cleanup(stop)
	return stop
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// read waits until p has read all that is in the ledger.
func (h *house) read(p *Deadlines, waiting int) {
	h.t.Helper()
	h.until(fmt.Sprintf("%d holds are pending", waiting), func() bool { return p.Live() && p.Waiting() == waiting })
}

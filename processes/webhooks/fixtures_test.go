package webhooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/domain/webhook"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	senders "daybook/gateways/webhooks"
	"daybook/internal/enginetest"
	"daybook/internal/keystore"
	"daybook/projections/deliveries"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(enginetest.SupervisorFunc))
}

const patience = time.Minute

var owner = domain.NewUserID([16]byte{7})

// soon is a schedule for those who wait for it.
var soon = webhook.Schedule{
	time.Millisecond, 2 * time.Millisecond, 4 * time.Millisecond, 8 * time.Millisecond, 16 * time.Millisecond, 16 * time.Millisecond,
	16 * time.Millisecond, 16 * time.Millisecond, 16 * time.Millisecond, 16 * time.Millisecond, 16 * time.Millisecond, 16 * time.Millisecond,
}

type noPasswords struct{}

func (noPasswords) Hash(context.Context, string) (string, error)         { return "", nil }
func (noPasswords) Verify(context.Context, string, string) (bool, error) { return false, nil }

// town is a ledger with a restaurant, its commands, and the tables of deliveries.
type town struct {
	t      *testing.T
	store  eventstore.Store
	keys   *keystore.Store
	codec  *codec.Codec
	app    *commands.App
	tables *deliveries.Store
	sender *senders.Sender
	id     domain.RestaurantID
	date   domain.ServiceDate
	mu     sync.Mutex
	asked  int

	restored func() *town // as it would be, were the ledger restored to now; the tables stay
}

func openStore(t *testing.T) (*embedded.Store, embedded.Options) {
	t.Helper()
	o := embedded.Options{FS: vfs.NewMem(), Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20}
	store, err := embedded.Open("ledger", o)
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	return store, o
}

// on is the town with another ledger, and all else as it is.
func (w *town) on(store eventstore.Store) *town {
	other := &town{
		t: w.t, store: store, keys: w.keys, codec: w.codec, sender: w.sender, tables: w.tables, id: w.id, date: w.date, asked: w.asked + 1000,
	}
	other.openApp()
	return other
}

func newTown(t *testing.T, url string) *town {
	t.Helper()
	store, o := openStore(t)
	keys, err := keystore.Memory(context.Background())
	must(t, err)
	t.Cleanup(func() { _ = keys.Close() })
	if url == "" {
		url = filepath.Join(t.TempDir(), "webhooks.db")
	}
	w := &town{t: t, store: store, keys: keys, codec: codec.New(keys), sender: senders.New(senders.Options{AllowPrivate: true, Timeout: 2 * time.Second})}
	t.Cleanup(func() { _ = w.sender.Close() })
	w.tables, err = deliveries.Open(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = w.tables.Close() })
	w.restored = func() *town { return w.on(enginetest.Backup(t, store, o)) }
	w.openApp()
	w.date = domain.DateOf(time.Now().UTC()).AddDays(3)
	w.openRestaurant()
	return w
}

func (w *town) openApp() {
	w.t.Helper()
	var err error
	w.app, err = commands.New(commands.Config{
		Store: w.store, Codec: w.codec, Passwords: noPasswords{}, BodyKey: make([]byte, 16), EmailKey: make([]byte, 16),
		Log: slog.New(slog.DiscardHandler), Receiver: w.sender.Check,
	})
	must(w.t, err)
	w.t.Cleanup(func() { _ = w.app.Close(context.Background()) })
}

func (w *town) openRestaurant() {
	w.t.Helper()
	ctx := w.t.Context()
	r, err := w.app.RegisterRestaurant(ctx, w.caller(), commands.RegisterRestaurant{Profile: restaurant.Profile{
		Name: "Ida", Cuisine: "French", Address: "1 Rue", City: "Berlin", TimeZone: "Europe/Berlin",
	}})
	must(w.t, err)
	w.id = r.State.ID
	for i := range 6 {
		_, _, err = w.app.ChangePlan(ctx, w.caller(), w.id, commands.AddTable{Table: restaurantday.Table{Number: fmt.Sprint(i + 1), Min: 1, Max: 4}}, commands.OnOpenDays{})
		must(w.t, err)
	}
	_, _, err = w.app.ChangePlan(ctx, w.caller(), w.id, commands.SetHours{Shifts: []restaurant.Shift{{
		Days: restaurant.EveryDay, Name: "Dinner", Opens: 17 * 60, LastSeating: 22 * 60, Closes: 23 * 60, SlotMinutes: 30,
	}}}, commands.OnOpenDays{})
	must(w.t, err)
	_, err = w.app.Publish(ctx, w.caller(), w.id)
	must(w.t, err)
}

func (w *town) caller() commands.Caller {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return commands.Caller{User: owner, Route: "test", Key: fmt.Sprint(w.asked)}
}

// create makes a webhook to a receiver, from now on or after a position.
func (w *town) create(r *receiver, change ...func(*commands.CreateWebhook)) domain.WebhookID {
	w.t.Helper()
	c := commands.CreateWebhook{URL: r.URL}
	for _, change := range change {
		change(&c)
	}
	made, err := w.app.CreateWebhook(w.t.Context(), w.caller(), w.id, c)
	must(w.t, err)
	r.trust(made.Webhook.Secrets[0].Value)
	return made.Webhook.ID
}

// book makes a reservation on the day n days after the first, which is one or more events.
func (w *town) book(n int) domain.ReservationID {
	w.t.Helper()
	b, err := w.app.HoldTable(w.t.Context(), w.caller(), commands.HoldTable{
		Restaurant: w.id, Date: w.date.AddDays(n), Time: "19:00", Party: 2, Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Zoë Quill"}},
	})
	must(w.t, err)
	return b.ID
}

// bustle has so many reservations held, confirmed and cancelled, on several days at once.
func (w *town) bustle(reservations, days int) {
	w.t.Helper()
	var all sync.WaitGroup
	for day := range days {
		all.Go(func() {
			for range reservations / days {
				b, err := w.app.HoldTable(w.t.Context(), w.caller(), commands.HoldTable{Restaurant: w.id, Date: w.date.AddDays(day), Time: "19:00", Party: 2})
				if err == nil {
					_, err = w.app.ConfirmReservation(w.t.Context(), w.caller(), b.ID)
				}
				if err == nil {
					_, err = w.app.CancelReservation(w.t.Context(), w.caller(), b.ID, "")
				}
				if err != nil {
					w.t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// config is that of a process on the town.
func (w *town) config(changes ...func(*Config)) Config {
	cfg := Config{
		Store: w.store, Codec: w.codec, Sender: w.sender, App: w.app, Log: slog.New(slog.DiscardHandler), Schedule: soon,
		Lead: func(ctx context.Context) (Lead, error) { return w.tables.Lead(ctx) },
	}
	for _, change := range changes {
		change(&cfg)
	}
	return cfg
}

// start runs a process until stop.
func (w *town) start(changes ...func(*Config)) (p *Process, stop func()) {
	w.t.Helper()
	p, err := New(w.config(changes...))
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			w.t.Errorf("ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return p, stop
}

func (w *town) standing(id domain.WebhookID) (found webhook.Standing) {
	w.t.Helper()
	list, err := w.tables.Of(w.t.Context(), w.id)
	must(w.t, err)
	for _, s := range list {
		if s.Webhook == id {
			found = s
		}
	}
	return found
}

// trade lists the events of the restaurant's trade after a position, by stream.
func (w *town) trade(after eventstore.Position) map[string][]string {
	w.t.Helper()
	streams := map[string][]string{}
	for r, err := range w.store.ReadAll(w.t.Context(), after, eventstore.StreamPrefix(codec.TradePrefixes(w.id)...)) {
		must(w.t, err)
		streams[string(r.Stream)] = append(streams[string(r.Stream)], r.ID.String())
	}
	return streams
}

func (w *town) head() eventstore.Position {
	w.t.Helper()
	at, err := w.store.Head(w.t.Context())
	must(w.t, err)
	return at
}

func (w *town) until(what string, ok func() bool) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain until %s", what)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// cutLeader has the database end the connection that holds the lead.
func cutLeader(t *testing.T, url string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	return errors.Join(err, conn.Close(t.Context()))
}

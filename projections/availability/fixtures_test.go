package availability

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"log/slog"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/redis/go-redis/v9"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/internal/daytest"
	"daybook/internal/enginetest"
	"daybook/projections"
)

const (
	restaurant = domain.RestaurantID("rst_00000000000000000000000001")
	date       = domain.ServiceDate(20833) // 2027-01-15, the day of evening
	minute     = domain.Instant(60_000)
	hour       = 60 * minute
	evening    = domain.Instant(1_800_000_000_000) // 2027-01-15 08:00 UTC: the first slot
	morning    = evening - 24*hour
)

var today = DayKey{Restaurant: restaurant, Date: date}

// plan has a slot each half hour and tables for 2, 2 and 4.
func plan() *restaurantday.Plan {
	p := &restaurantday.Plan{
		Revision: 7, Zone: "Europe/Berlin",
		Tables: []restaurantday.Table{
			{ID: "tbl_a", Number: "1", Min: 1, Max: 2},
			{ID: "tbl_b", Number: "2", Min: 1, Max: 2},
			{ID: "tbl_c", Number: "3", Min: 2, Max: 4, Area: "window"},
		},
		Policy: restaurantday.Policy{
			HoldMinutes: 5, HorizonDays: 30, NoticeMinutes: 60, BufferMinutes: 10,
			Turns: []restaurantday.TurnTime{{UpToParty: 2, Minutes: 60}, {UpToParty: 4, Minutes: 90}},
		},
		BookableFrom: evening - 30*24*hour,
	}
	for i := range domain.Instant(9) {
		p.Slots = append(p.Slots, restaurantday.Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: evening + i*30*minute, Closes: evening + 5*hour, Shift: "dinner",
		})
	}
	return p
}

// house is a ledger, a clock, and the commands that a test gives.
type house struct {
	t     testing.TB
	store eventstore.Store
	now   atomic.Int64
	codec *codec.Codec
	folds *projections.Folds[restaurantday.State]

	restored func() *house // as it would be, were the ledger restored to now
}

func newHouse(t testing.TB) *house {
	t.Helper()
	o := embedded.Options{FS: vfs.NewMem(), MemTableBytes: 1 << 20, CacheBytes: 1 << 20, Logger: quiet}
	store, err := embedded.Open("ledger", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{t: t, store: store, codec: codec.New(&keyring{keys: make(map[string]codec.Key)})}
	h.restored = func() *house {
		r := &house{t: t, store: enginetest.Backup(t, store, o), codec: h.codec}
		r.now.Store(h.now.Load())
		r.folds = projections.NewFolds(eventstore.Reader(r.store), 1024, decider.Initial, r.evolve)
		return r
	}
	h.now.Store(int64(morning))
	h.folds = projections.NewFolds(eventstore.Reader(store), 1024, decider.Initial, h.evolve)
	return h
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func (h *house) clock() domain.Instant { return domain.Instant(h.now.Load()) }

func (h *house) evolve(ctx context.Context, s restaurantday.State, r eventstore.Record) (restaurantday.State, error) {
	d, err := h.codec.Decode(ctx, r)
	if err != nil {
		return s, err
	}
	return decider.Evolve(s, d.Event.(restaurantday.Event)), nil
}

// try decides and appends until no other writer is in the way.
func (h *house) try(key DayKey, c restaurantday.Command) (eventstore.Appended, error) {
	ctx := context.Background()
	stream := codec.DayStream(key.Restaurant, key.Date)
	for {
		s, n, err := h.folds.Latest(ctx, stream)
		if err != nil {
			return eventstore.Appended{}, err
		}
		decided, err := decider.Decide(s, c)
		if err != nil || len(decided) == 0 {
			return eventstore.Appended{}, err
		}
		events := make([]eventstore.Event, len(decided))
		for i, e := range decided {
			var id eventstore.EventID
			rand.Read(id[:])
			if events[i], err = h.codec.Encode(ctx, stream, id, e, codec.Metadata{}); err != nil {
				return eventstore.Appended{}, err
			}
		}
		expected := eventstore.NoStream()
		if n > 0 {
			expected = eventstore.At(n - 1)
		}
		at, err := h.store.Append(ctx, stream, expected, events...)
		if !eventstore.IsConflict(err) {
			return at, err
		}
	}
}

// do gives commands that must be accepted, and returns where the last one ended.
func (h *house) do(key DayKey, commands ...restaurantday.Command) (at eventstore.Appended) {
	h.t.Helper()
	for i, c := range commands {
		var err error
		if at, err = h.try(key, c); err != nil {
			h.t.Fatalf("command %d: %v", i, err)
		}
	}
	return at
}

func (h *house) hold(key DayKey, party domain.PartySize, at string) restaurantday.Hold {
	now := h.clock()
	return restaurantday.Hold{
		Now: now, Opening: &restaurantday.Open{Now: now, Restaurant: key.Restaurant, Date: key.Date, Plan: plan()},
		Actor: domain.System(), Party: party, Time: at, Code: "CODE", Confirm: true,
		Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Ada"}},
	}
}

func (h *house) pending(key DayKey, party domain.PartySize, at string) restaurantday.Hold {
	c := h.hold(key, party, at)
	c.Confirm = false
	return c
}

// draw is any command of the day as it stands.
func (h *house) draw(key DayKey, r *mathrand.Rand) restaurantday.Command {
	h.t.Helper()
	s, _, err := h.folds.Latest(context.Background(), codec.DayStream(key.Restaurant, key.Date))
	if err != nil {
		h.t.Error(err)
	}
	c, _ := daytest.Draw{
		Rand: r, Restaurant: key.Restaurant, Date: key.Date, Plan: plan(), Staff: domain.NewUserID([16]byte{9}),
		Diners: []domain.UserID{domain.NewUserID([16]byte{1}), domain.NewUserID([16]byte{2})}, Personal: secret,
	}.Command(s, h.clock())
	return c
}

// secret stands in everything personal.
const secret = "SECRET"

// undrawn lists the types of a day's events of which the ledger has none.
func (h *house) undrawn() (missing []string) {
	h.t.Helper()
	drawn := map[string]bool{codec.TypeDemandRefused: true} // of a stream of its own
	for r, err := range h.store.ReadAll(context.Background(), 0, eventstore.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		drawn[r.Type] = true
	}
	for _, name := range codec.Types() {
		of, _, _ := strings.Cut(name, ".")
		if !drawn[name] && slices.Contains([]string{"day", "reservation", "waitlist", "action"}, of) {
			missing = append(missing, name)
		}
	}
	return missing
}

// withoutReasons is a plan as Redis has it: it is not told why tables are blocked.
func withoutReasons(p *restaurantday.Plan) *restaurantday.Plan {
	if p == nil || len(p.Blocks) == 0 {
		return p
	}
	shown := *p
	shown.Blocks = slices.Clone(p.Blocks)
	for i := range shown.Blocks {
		shown.Blocks[i].Reason = ""
	}
	return &shown
}

// state folds the day up to and including revision.
func (h *house) state(key DayKey, revision uint64) restaurantday.State {
	h.t.Helper()
	s := decider.Initial()
	for r, err := range h.store.ReadStream(context.Background(), codec.DayStream(key.Restaurant, key.Date), 0) {
		if err != nil {
			h.t.Fatal(err)
		}
		if uint64(r.Revision) > revision {
			break
		}
		if s, err = h.evolve(context.Background(), s, r); err != nil {
			h.t.Fatal(err)
		}
	}
	return s
}

// want is the answer that the stream gives at a revision, at the house's time.
func (h *house) want(key DayKey, revision uint64, party domain.PartySize) Answer {
	h.t.Helper()
	s := h.state(key, revision)
	return Answer{Opened: true, Revision: revision, Plan: withoutReasons(s.Plan), Slots: s.Slots(party, max(h.clock(), s.Clock()))}
}

// check asks for a day and compares the whole answer with the stream at revision.
func (h *house) check(v *View, key DayKey, revision uint64, party domain.PartySize, how ...Asking) Answer {
	h.t.Helper()
	got, err := v.Day(context.Background(), key.Restaurant, key.Date, party, how...)
	if err != nil {
		h.t.Fatal(err)
	}
	position := got.Position
	got.Position = 0
	if want := h.want(key, revision, party); !reflect.DeepEqual(got, want) {
		h.t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
	got.Position = position
	return got
}

// view makes a view as another process would.
func (h *house) view(client redis.UniversalClient, change ...func(*Options)) *View {
	h.t.Helper()
	o := Options{Redis: client, Store: h.store, Clock: h.clock, Logger: quiet}
	for _, f := range change {
		f(&o)
	}
	v, err := New(o)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// feed brings the view from where it stands to the end of the ledger, as a runner would.
func (h *house) feed(v *View, from eventstore.Position) eventstore.Position {
	h.t.Helper()
	b := eventstore.Batch{Position: from, Live: true}
	for r, err := range h.store.ReadAll(context.Background(), from, eventstore.Filter{}) {
		if err != nil {
			h.t.Fatal(err)
		}
		b.Records = append(b.Records, r)
		b.Position = r.Position
	}
	if err := v.Apply(context.Background(), b); err != nil {
		h.t.Fatal(err)
	}
	return b.Position
}

func (h *house) checkpoint(v *View) eventstore.Position {
	h.t.Helper()
	p, err := v.Checkpoint(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return p.Position
}

// run starts a runner for v, which ends with the test.
func (h *house) run(v *View) *projections.Runner {
	h.t.Helper()
	r, err := projections.NewRunner(h.store, projections.Options{Logger: quiet, MaxBackoff: 100 * time.Millisecond}, v)
	if err != nil {
		h.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	h.t.Cleanup(func() {
		if err := r.Close(); err != nil {
			h.t.Error(err)
		}
		if err := <-ended; err != nil {
			h.t.Error(err)
		}
	})
	return r
}

func (h *house) wait(r *projections.Runner, p eventstore.Position) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Wait(ctx, Name, p); err != nil {
		h.t.Fatalf("%v; status %+v", err, r.Status())
	}
}

// keyring is a key store in memory.
type keyring struct {
	mu   sync.Mutex
	keys map[string]codec.Key
}

func (k *keyring) Ensure(_ context.Context, subject string) (codec.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.keys[subject]
	if !ok {
		rand.Read(key[:])
		k.keys[subject] = key
	}
	return key, nil
}

func (k *keyring) Get(_ context.Context, subject string) (codec.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.keys[subject]; ok {
		return key, nil
	}
	return codec.Key{}, codec.ErrNoKey
}

func (k *keyring) Drop(context.Context, string) error { return errors.New("not in these tests") }

// counting counts the streams read, and lets a test step in at the end of one.
type counting struct {
	eventstore.Store
	reads atomic.Int64
	atEnd atomic.Pointer[func()]
}

func (c *counting) ReadStream(ctx context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	c.reads.Add(1)
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range c.Store.ReadStream(ctx, s, from) {
			if !yield(r, err) {
				return
			}
		}
		if f := c.atEnd.Load(); f != nil {
			(*f)()
		}
	}
}

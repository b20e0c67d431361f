package webhooks

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/webhook"
	"daybook/internal/enginetest"
	"daybook/projections/deliveries"
)

// rounds is how much of a random test is run: a little, or what a soak takes.
func rounds(few, many int) int {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return many
	}
	return few
}

// seeded is chance that can be had again.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// mortal is the lead of a process that is killed after so many writes: from then on nothing
// that it does is written, whether or not it was done.
type mortal struct {
	Lead
	left *atomic.Int64
	lost chan struct{}
	once sync.Once
}

func (m *mortal) Lost() <-chan struct{} { return m.lost }

func (m *mortal) die() error {
	if m.left.Add(-1) >= 0 {
		return nil
	}
	m.once.Do(func() { close(m.lost) })
	return webhook.ErrLeadLost
}

func (m *mortal) Note(ctx context.Context, at uint64, notes []webhook.Note, now domain.Instant) error {
	return errors.Join(m.die(), onlyIf(m, func() error { return m.Lead.Note(ctx, at, notes, now) }))
}

func (m *mortal) Enter(ctx context.Context, id domain.WebhookID, round uint32, from, to uint64, list []webhook.Delivery) error {
	return errors.Join(m.die(), onlyIf(m, func() error { return m.Lead.Enter(ctx, id, round, from, to, list) }))
}

func (m *mortal) Record(ctx context.Context, list []webhook.Delivery) error {
	return errors.Join(m.die(), onlyIf(m, func() error { return m.Lead.Record(ctx, list) }))
}

// onlyIf does nothing once the process is dead.
func onlyIf(m *mortal, do func() error) error {
	if m.left.Load() < 0 {
		return nil
	}
	return do()
}

// runKilled runs a process until it is killed after so many writes, again and again, until done.
func (w *town) runKilled(chance *rand.Rand, done func() bool, change ...func(*Config)) (lives int) {
	w.t.Helper()
	for deadline := time.Now().Add(2 * patience); !done(); lives++ {
		if time.Now().After(deadline) {
			w.t.Fatal("it never came to its end")
		}
		var left atomic.Int64
		left.Store(chance.Int64N(25))
		change := append(slices.Clone(change), func(c *Config) {
			lead := c.Lead
			c.Lead = func(ctx context.Context) (Lead, error) {
				l, err := lead(ctx)
				return &mortal{Lead: l, left: &left, lost: make(chan struct{})}, err
			}
		})
		p, err := New(w.config(change...))
		must(w.t, err)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		for running := true; running; {
			select {
			case err := <-ended:
				if !errors.Is(err, errLost) {
					w.t.Errorf("ended with %v", err)
				}
				running = false
			case <-time.After(5 * time.Millisecond):
				if done() {
					cancel()
				}
			}
			if ctx.Err() != nil {
				<-ended
				running = false
			}
		}
		cancel()
	}
	return lives
}

// moody answers with errors, late, or not at all, by chance.
func moody(chance *rand.Rand) func(int, received) int {
	var mu sync.Mutex
	return func(int, received) int {
		mu.Lock()
		mood := chance.IntN(20)
		mu.Unlock()
		switch {
		case mood < 4:
			return []int{500, 503, 429, 404}[mood]
		case mood < 6:
			time.Sleep(3 * time.Millisecond)
		}
		return 200
	}
}

// TestKilledAtRandom: the process is killed at random, between an acknowledgement and its being
// written down too, and its receiver fails at random.
func TestKilledAtRandom(t *testing.T) {
	for range rounds(1, 40) {
		w := newTown(t, "")
		chance := seeded(t)
		r := receive(t, moody(rand.New(rand.NewPCG(chance.Uint64(), 1))))
		r.crowded = true // what a killed process had sent may still be on its way
		from := w.head()
		w.create(r)
		var busy atomic.Bool
		busy.Store(true)
		go func() {
			defer busy.Store(false)
			w.bustle(rounds(24, 120), 4)
		}()
		lives := w.runKilled(chance, func() bool { return !busy.Load() && r.distinct() == total(w.trade(from)) },
			func(c *Config) { c.Schedule = slices.Repeat(webhook.Schedule{time.Millisecond}, 500) })
		r.check(w.trade(from))
		t.Logf("%d lives, %d requests, %d events", lives, r.seen, total(w.trade(from)))
	}
}

// TestAReceiverThatIsKilled again and again gets all, in order, when it is back.
func TestAReceiverThatIsKilled(t *testing.T) {
	w := newTown(t, "")
	chance := seeded(t)
	var away atomic.Bool
	r := receive(t, func(int, received) int {
		if away.Load() {
			panic("http: the connection is cut") // the server ends it without an answer
		}
		return 200
	})
	r.Config.ErrorLog = silent()
	r.crowded = true
	from := w.head()
	w.create(r)
	w.start(func(c *Config) { c.Schedule = slices.Repeat(webhook.Schedule{time.Millisecond}, 5000) })
	for range rounds(6, 100) {
		away.Store(chance.IntN(2) == 0)
		if away.Load() {
			r.CloseClientConnections()
		}
		w.bustle(4, 2)
	}
	away.Store(false)
	w.until("all is taken", func() bool { return r.distinct() == total(w.trade(from)) })
	r.check(w.trade(from))
}

// TestASlowReceiverHoldsNobodyUp.
func TestASlowReceiverHoldsNobodyUp(t *testing.T) {
	w := newTown(t, "")
	release := make(chan bool)
	slow := receive(t, func(int, received) int { <-release; return 200 })
	quick := receive(t, nil)
	from := w.head()
	w.create(slow)
	w.create(quick)
	w.start(func(c *Config) { c.Parallel = 2 })
	w.bustle(12, 3)
	want := w.trade(from)
	w.until("the quick one has all", func() bool { return quick.distinct() >= total(want) })
	if slow.count() != 0 {
		t.Errorf("the slow one took %d", slow.count())
	}
	close(release)
	w.until("the slow one, too", func() bool { return slow.distinct() == total(w.trade(from)) })
	slow.check(w.trade(from))
}

// TestTwoProcessesOnOnePostgres: one delivers; when its connection is cut the other goes on.
func TestTwoProcessesOnOnePostgres(t *testing.T) {
	url := enginetest.Postgres(t)
	w := newTown(t, url)
	second, err := deliveries.Open(t.Context(), url)
	must(t, err)
	defer func() { _ = second.Close() }()
	chance := seeded(t)
	r := receive(t, moody(chance))
	r.crowded = true
	from := w.head()
	w.create(r)
	schedule := func(c *Config) { c.Schedule = slices.Repeat(webhook.Schedule{time.Millisecond}, 500) }
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var leads [2]atomic.Int64
	for i, tables := range []*deliveries.Store{w.tables, second} {
		p, err := New(w.config(schedule, func(c *Config) {
			c.Lead = func(ctx context.Context) (Lead, error) {
				l, err := tables.Lead(ctx)
				if err == nil {
					leads[i].Add(1)
				}
				return l, err
			}
		}))
		must(t, err)
		all.Go(func() {
			for ctx.Err() == nil {
				if err := p.Run(ctx); !errors.Is(err, errLost) && ctx.Err() == nil {
					t.Logf("a process begins again: %v", err)
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	for range rounds(3, 20) {
		w.bustle(8, 2)
		w.until("somebody leads", func() bool { return leads[0].Load()+leads[1].Load() > 0 })
		before := leads[0].Load() + leads[1].Load()
		must(t, cutLeader(t, url))
		w.until("somebody leads again", func() bool { return leads[0].Load()+leads[1].Load() > before })
	}
	w.until("all is taken", func() bool { return r.distinct() == total(w.trade(from)) })
	r.check(w.trade(from))
}

// hasty is a lead that has deliveries done as soon as they are entered: the place moves before
// the receiver has acknowledged.
type hasty struct{ Lead }

func (h hasty) Record(context.Context, []webhook.Delivery) error { return nil }

func (h hasty) Pending(ctx context.Context, id domain.WebhookID) ([]webhook.Delivery, error) {
	list, err := h.Lead.Pending(ctx, id)
	done := slices.Clone(list)
	for i := range done {
		done[i].Status, done[i].NextAt = webhook.Delivered, 0
	}
	return list, errors.Join(err, h.Lead.Record(ctx, done))
}

// TestWithoutTheGuards: each test above would find what its guard prevents.
func TestWithoutTheGuards(t *testing.T) {
	t.Run("lanes", func(t *testing.T) {
		w := newTown(t, "")
		r := receive(t, moody(seeded(t)))
		r.crowded = true
		from := w.head()
		w.create(r)
		w.bustle(24, 2)
		w.start(func(c *Config) {
			c.laneOf = func(d webhook.Delivery) string { return webhook.MessageID(d.Webhook, d.Event) }
			c.Parallel, c.Schedule = 16, slices.Repeat(webhook.Schedule{time.Millisecond}, 500)
		})
		w.until("all is taken", func() bool { return r.distinct() == total(w.trade(from)) })
		if wrong := r.wrong(w.trade(from)); !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, "came before") }) {
			t.Errorf("without lanes nothing came out of order: %q", wrong)
		}
	})
	t.Run("the place", func(t *testing.T) {
		w := newTown(t, "")
		release := make(chan bool)
		r := receive(t, func(int, received) int { <-release; return 500 })
		from := w.head()
		w.create(r)
		w.bustle(6, 2)
		_, stop := w.start(func(c *Config) {
			lead := c.Lead
			c.Lead = func(ctx context.Context) (Lead, error) {
				l, err := lead(ctx)
				return hasty{l}, err
			}
		})
		w.until("it sends", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.seen > 0 })
		close(release)
		stop()
		r.mu.Lock()
		r.answer = nil
		r.mu.Unlock()
		w.start()
		w.book(3)
		w.until("the last is taken", func() bool { return slices.Contains(r.types(), "day.opened") && r.count() >= 2 })
		if wrong := r.wrong(w.trade(from)); !slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, "never came") }) {
			t.Errorf("though the place moved first nothing was lost: %q", wrong)
		}
	})
}

package groups_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"daybook/eventstore"
	"daybook/eventstore/esdbserver/groups"
)

// failing is an engine that fails now and then, before or after the fact.
type failing struct {
	eventstore.Engine
	mu   sync.Mutex
	rng  *rand.Rand
	odds int // in 100; 0 never
	// unsure is a stream whose next write happens, and is not told of.
	unsure eventstore.StreamName
}

func (e *failing) fails() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rng.IntN(100) < e.odds
}

func (e *failing) set(odds int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.odds = odds
}

func (e *failing) Write(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if e.fails() {
		return eventstore.Appended{}, eventstore.ErrUnavailable
	}
	at, err := e.Engine.Write(ctx, stream, expected, events...)
	e.mu.Lock()
	unsure := e.unsure == stream
	if unsure {
		e.unsure = ""
	}
	e.mu.Unlock()
	if unsure || e.fails() {
		return eventstore.Appended{}, eventstore.ErrUnknownOutcome
	}
	return at, err
}

func (e *failing) breaking(records iter.Seq2[eventstore.Record, error]) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range records {
			if e.fails() {
				yield(eventstore.Record{}, eventstore.ErrUnavailable)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (e *failing) ReadStreamBackwards(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return e.breaking(e.Engine.ReadStreamBackwards(ctx, stream, from))
}

func (e *failing) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return e.breaking(e.Engine.ReadStream(ctx, stream, from))
}

func (e *failing) ReadAll(ctx context.Context, after eventstore.Position, f eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return e.breaking(e.Engine.ReadAll(ctx, after, f))
}

func (e *failing) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	if e.fails() {
		return nil, eventstore.ErrUnavailable
	}
	sub, err := e.Engine.Subscribe(ctx, after, f)
	return &breakingSubscription{sub, e}, err
}

type breakingSubscription struct {
	eventstore.Subscription
	engine *failing
}

func (s *breakingSubscription) Next(ctx context.Context) (eventstore.Batch, error) {
	if s.engine.fails() {
		return eventstore.Batch{}, eventstore.ErrUnavailable
	}
	return s.Subscription.Next(ctx)
}

// TestAFailingLedgerLosesNothing consumes, parks and checkpoints over a ledger that fails
// now and then, and requires that everything is given and parked all the same, once.
func TestAFailingLedgerLosesNothing(t *testing.T) {
	for _, stream := range []eventstore.StreamName{day, groups.All} {
		t.Run(string(stream), func(t *testing.T) {
			f := newFixture(t)
			engine := &failing{Engine: f.engine, rng: rand.New(rand.NewPCG(1, 2))}
			f.groups = groups.New(engine, groups.Options{Logger: quiet()})
			g := group(stream, "g")
			if stream == groups.All {
				g.Filter = &groups.Filter{Prefixes: []string{"day-"}}
			}
			f.create(g)
			c := f.connect(g.Key, 4)
			engine.set(3)
			got := map[eventstore.Revision]bool{}
			for round := range 10 {
				f.write(day, round*20, round*20+19)
				for range 20 {
					d := next(t, c)
					if got[d.Record.Revision] {
						t.Fatalf("revision %d is given twice", d.Record.Revision)
					}
					got[d.Record.Revision] = true
					if d.Record.Revision%10 == 0 {
						nack(t, c, groups.Park, d)
					} else {
						ack(t, c, d)
					}
				}
			}
			engine.set(0)
			want := "199"
			if stream == groups.All {
				want = ""
			}
			var info groups.Info
			eventually(t, "all is checkpointed", func() bool {
				info = f.info(g.Key)
				return info.Parked == 20 && (info.Checkpointed == want || want == "" && info.Checkpointed != "" && info.Outstanding == 0)
			})
			parked := f.parked(g.Key)
			for n, link := range parked {
				if link != fmt.Sprintf("%d@day-1", n*10) {
					t.Fatalf("parked %v, want every tenth once", parked)
				}
			}
		})
	}
}

// TestMessagesAreParkedOnce, also if the ledger does not tell that they are.
func TestMessagesAreParkedOnce(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 3)
	engine := &failing{Engine: f.engine, rng: rand.New(rand.NewPCG(1, 2)), unsure: "$persistentsubscription-day-1::g-parked"}
	f.groups = groups.New(engine, groups.Options{Logger: quiet()})
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 4)
	for range 4 {
		nack(t, c, groups.Park, next(t, c))
	}
	eventually(t, "all is finished", func() bool { return f.info(g.Key).Checkpointed == "3" })
	if got, want := f.parked(g.Key), []string{"0@day-1", "1@day-1", "2@day-1", "3@day-1"}; !slices.Equal(got, want) {
		t.Errorf("parked %v, want %v", got, want)
	}
}

// TestAFailedRestartIsTriedAgain, by whoever asks next.
func TestAFailedRestartIsTriedAgain(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 0)
	engine := &failing{Engine: f.engine, rng: rand.New(rand.NewPCG(1, 2))}
	f.groups = groups.New(engine, groups.Options{Logger: quiet()})
	g := group(day, "g")
	f.create(g)
	engine.set(100)
	if err := f.groups.Restart(within(t)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("restart over a failing ledger: %v, want ErrUnavailable", err)
	}
	engine.set(0)
	wantNumbers(t, "after the failure", taken(t, f.connect(g.Key, 1), 1), []int{0})
}

func TestAClosedLedgerEndsConsumers(t *testing.T) {
	f := newFixture(t)
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 4)
	f.open = false // what follows closes it
	if err := f.engine.Close(); err != nil {
		t.Fatalf("close the ledger: %v", err)
	}
	if _, err := c.Next(within(t)); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("over a closed ledger: %v, want ErrClosed", err)
	}
	if _, err := f.groups.Connect(within(t), g.Key, 4, groups.Peer{}); err == nil {
		t.Error("connected over a closed ledger")
	}
	if err := f.groups.Close(within(t)); err != nil {
		t.Errorf("close with nothing to write: %v", err)
	}
	if _, err := f.groups.List(within(t), ""); !errors.Is(err, groups.ErrClosed) {
		t.Errorf("list after close: %v, want ErrClosed", err)
	}
	if err := f.groups.Close(within(t)); err != nil {
		t.Errorf("close again: %v", err)
	}
}

// TestRefusedWritesChangeNothing: what was not written to the ledger is not there.
func TestRefusedWritesChangeNothing(t *testing.T) {
	f := newFixture(t)
	engine := &failing{Engine: f.engine, rng: rand.New(rand.NewPCG(1, 2))}
	f.groups = groups.New(engine, groups.Options{Logger: quiet()})
	g, other := group(day, "g"), group(day, "other")
	f.create(g)
	engine.set(100)
	changed := g
	changed.MaxRetryCount = 9
	for what, err := range map[string]error{
		"create": f.groups.Create(within(t), other, "tester"),
		"update": f.groups.Update(within(t), changed, "tester"),
		"delete": f.groups.Delete(within(t), g.Key, "tester"),
	} {
		if !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
	engine.set(0)
	infos, err := f.groups.List(within(t), "")
	if err != nil || len(infos) != 1 || infos[0].Config.Settings != g.Settings {
		t.Errorf("the groups are %+v, %v, want only the first as it was", infos, err)
	}
	f.write(day, 0, 0)
	wantNumbers(t, "the first", taken(t, f.connect(g.Key, 1), 1), []int{0})
}

// TestSlowWritesDoNotHoldConsumers: only what waits for the write waits.
func TestSlowWritesDoNotHoldConsumers(t *testing.T) {
	f := newFixture(t)
	f.write(day, 0, 30)
	engine := &stuck{Engine: f.engine, release: make(chan struct{})}
	f.groups = groups.New(engine, groups.Options{Logger: quiet()})
	g := group(day, "g")
	f.create(g)
	c := f.connect(g.Key, 2)
	engine.hold()
	wantNumbers(t, "while a checkpoint is stuck", taken(t, c, 25), numbers(0, 24))
	close(engine.release)
	eventually(t, "a checkpoint", func() bool { return f.info(g.Key).Checkpointed == "24" })
}

// stuck is an engine whose writes wait once hold was called.
type stuck struct {
	eventstore.Engine
	mu      sync.Mutex
	held    bool
	release chan struct{}
}

func (e *stuck) hold() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held = true
}

func (e *stuck) Write(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	e.mu.Lock()
	held := e.held
	e.mu.Unlock()
	if held {
		select {
		case <-e.release:
		case <-ctx.Done():
			return eventstore.Appended{}, ctx.Err()
		case <-time.After(patience):
		}
	}
	return e.Engine.Write(ctx, stream, expected, events...)
}

// shown counts what stream shows.
func (f *fixture) shown(stream eventstore.StreamName) int {
	f.t.Helper()
	n := 0
	for _, err := range f.engine.ReadStream(within(f.t), stream, 0) {
		if errors.Is(err, eventstore.ErrStreamNotFound) {
			break
		}
		if err != nil {
			f.t.Fatalf("read %s: %v", stream, err)
		}
		n++
	}
	return n
}

// TestOwnStreamsStayShort, and keep what others say of them.
func TestOwnStreamsStayShort(t *testing.T) {
	f := newFixture(t)
	const checkpoints, parked = "$persistentsubscription-day-1::g-checkpoint", "$persistentsubscription-day-1::g-parked"
	f.put(eventstore.MetadataOf(parked), eventstore.Event{ID: eventID(1), Type: "$metadata", Data: []byte(`{"$acl":{"$r":"$admins"}}`)})
	for range 2 { // the second after a delete, which must not make the first's places show again
		f.write(day, 0, 19)
		g := group(day, "g")
		g.MaxCheckpointCount = 1
		f.create(g)
		c := f.connect(g.Key, 1)
		taken(t, c, 19)
		nack(t, c, groups.Park, next(t, c))
		eventually(t, "one is parked", func() bool { return f.info(g.Key).Parked == 1 })
		if err := f.groups.Replay(within(t), g.Key, eventstore.Last); err != nil {
			t.Fatalf("replay: %v", err)
		}
		taken(t, c, 1)
		eventually(t, "nothing is shown as parked", func() bool { return f.shown(parked) == 0 })
		eventually(t, "a checkpoint", func() bool { return f.info(g.Key).Checkpointed == "19" })
		if got := f.shown(checkpoints); got > 2 {
			t.Errorf("%d checkpoints are shown, want 2 at most", got)
		}
		for r, err := range f.engine.ReadStreamBackwards(within(t), eventstore.MetadataOf(parked), eventstore.Last) {
			if want := `"$acl":{"$r":"$admins"}`; err != nil || !strings.Contains(string(r.Data), want) {
				t.Errorf("the metadata of what is parked are %s, %v: somebody's %s is gone", r.Data, err, want)
			}
			break
		}
		if err := f.groups.Delete(within(t), g.Key, "tester"); err != nil {
			t.Fatalf("delete: %v", err)
		}
		if got := f.shown(checkpoints) + f.shown(parked); got != 0 {
			t.Errorf("%d events of a deleted group are shown", got)
		}
	}
	if got := f.shown("$persistentSubscriptionConfig"); got > 2 {
		t.Errorf("%d configurations are shown, want 2 at most", got)
	}
}

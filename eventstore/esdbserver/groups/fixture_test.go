package groups_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/esdbserver/groups"
)

const (
	patience = 30 * time.Second
	day      = eventstore.StreamName("day-1")
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// fixture is a ledger with its groups, which can be closed and opened again.
type fixture struct {
	t      testing.TB
	fs     vfs.FS
	engine eventstore.Engine
	groups *groups.Groups
	open   bool
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{t: t, fs: vfs.NewMem()}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fixture) start() {
	f.t.Helper()
	engine, err := embedded.Open("ledger", embedded.Options{FS: f.fs, Logger: quiet(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		f.t.Fatalf("open the ledger: %v", err)
	}
	f.engine, f.open = engine, true
	f.groups = groups.New(engine, groups.Options{Logger: quiet()})
}

func (f *fixture) stop() {
	if !f.open {
		return
	}
	f.open = false
	if err := f.groups.Close(within(f.t)); err != nil {
		f.t.Errorf("close the groups: %v", err)
	}
	if err := f.engine.Close(); err != nil {
		f.t.Errorf("close the ledger: %v", err)
	}
}

func (f *fixture) restart() {
	f.stop()
	f.start()
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func eventID(n int) eventstore.EventID { return eventstore.EventID{0xee, byte(n >> 8), byte(n), 1} }

// write appends events first to last, numbered in their ids and data.
func (f *fixture) write(stream eventstore.StreamName, first, last int) {
	f.t.Helper()
	var events []eventstore.Event
	for n := first; n <= last; n++ {
		events = append(events, eventstore.Event{
			ID: eventID(n), Type: "reservation.held",
			Data: fmt.Appendf(nil, `{"n":%d}`, n), Metadata: fmt.Appendf(nil, `{"$correlationId":"c-%d"}`, n%3),
		})
	}
	f.put(stream, events...)
}

func (f *fixture) put(stream eventstore.StreamName, events ...eventstore.Event) {
	f.t.Helper()
	if _, err := f.engine.Write(within(f.t), stream, eventstore.Any(), events...); err != nil {
		f.t.Fatalf("write to %s: %v", stream, err)
	}
}

func settings() groups.Settings {
	return groups.Settings{
		MessageTimeout: 20 * time.Second, MaxRetryCount: 3, HistoryBufferSize: 50, LiveBufferSize: 50, ReadBatchSize: 7,
		MinCheckpointCount: 1, MaxCheckpointCount: 10, Strategy: groups.RoundRobin,
	}
}

func group(stream eventstore.StreamName, name string) groups.Config {
	return groups.Config{Key: groups.Key{Stream: stream, Group: name}, Settings: settings()}
}

func (f *fixture) create(c groups.Config) {
	f.t.Helper()
	if err := f.groups.Create(within(f.t), c, "tester"); err != nil {
		f.t.Fatalf("create %v: %v", c.Key, err)
	}
}

func (f *fixture) connect(key groups.Key, buffer int) *groups.Consumer {
	f.t.Helper()
	c, err := f.groups.Connect(within(f.t), key, buffer, groups.Peer{From: "here", User: "tester", Connection: "test"})
	if err != nil {
		f.t.Fatalf("connect to %v: %v", key, err)
	}
	return c
}

// next takes the next message of a consumer.
func next(t testing.TB, c *groups.Consumer) groups.Delivery {
	t.Helper()
	d, err := c.Next(within(t))
	if err != nil {
		t.Fatalf("next message: %v", err)
	}
	return d
}

// nothing requires that a consumer is given nothing in a short while.
func nothing(t testing.TB, c *groups.Consumer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if d, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("given revision %d of %s, error %v, want nothing", d.Record.Revision, d.Record.Stream, err)
	}
}

// taken takes and acknowledges n messages, and returns their revisions.
func taken(t testing.TB, c *groups.Consumer, n int) []int {
	t.Helper()
	var out []int
	for range n {
		d := next(t, c)
		out = append(out, int(d.Record.Revision))
		ack(t, c, d)
	}
	return out
}

func ack(t testing.TB, c *groups.Consumer, d groups.Delivery) {
	t.Helper()
	if err := c.Ack(d.Record.ID); err != nil {
		t.Fatalf("ack: %v", err)
	}
}

func nack(t testing.TB, c *groups.Consumer, action groups.Action, d groups.Delivery) {
	t.Helper()
	if err := c.Nack(action, "no reason", d.Record.ID); err != nil {
		t.Fatalf("nack: %v", err)
	}
}

// eventually waits until what holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (f *fixture) info(key groups.Key) groups.Info {
	f.t.Helper()
	info, err := f.groups.Info(within(f.t), key)
	if err != nil {
		f.t.Fatalf("info of %v: %v", key, err)
	}
	return info
}

func numbers(first, last int) []int {
	var out []int
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

func wantNumbers(t testing.TB, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: given %v, want %v", what, got, want)
	}
}

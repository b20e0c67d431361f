package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"daybook/eventstore"
)

// logGate stands before every sync and write of the log.
type logGate struct {
	mu     sync.Mutex
	shut   chan struct{} // syncs wait while it is open
	behind int           // syncs that wait
	broken error
}

func (g *logGate) MaybeError(op errorfs.Op) error {
	if !strings.HasSuffix(op.Path, ".log") {
		return nil
	}
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
	default:
		return nil
	}
	g.mu.Lock()
	shut := g.shut
	if shut != nil {
		g.behind++
	}
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

func (g *logGate) String() string { return "gate before the log's syncs" }

func (g *logGate) close() (open func()) {
	shut := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut, g.behind = shut, 0
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.shut == shut {
			g.shut = nil
			close(shut)
		}
	}
}

func (g *logGate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = err
}

func (g *logGate) waiting() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.behind
}

func (s *Store) queuedNow() int {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	return len(s.queue.list)
}

// eventually polls; every wait of these tests is for something that must happen.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func gated(t *testing.T, fs vfs.FS) (*Store, *logGate) {
	t.Helper()
	gate := &logGate{}
	s, err := Open("ledger", Options{
		FS: errorfs.Wrap(fs, gate), MemTableBytes: 1 << 20, CacheBytes: 1 << 20,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, gate
}

var lastID uint64

func numbered(count int) []eventstore.Event {
	events := make([]eventstore.Event, count)
	for i := range events {
		lastID++
		events[i] = eventstore.Event{Type: "reservation.held", Data: fmt.Appendf(nil, `{"n":%d}`, lastID)}
		binary.BigEndian.PutUint64(events[i].ID[8:], lastID)
	}
	return events
}

type answer struct {
	at  eventstore.Appended
	err error
}

func (s *Store) later(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events []eventstore.Event) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		at, err := s.Append(ctx, stream, expected, events...)
		c <- answer{at, err}
	}()
	return c
}

// TestNothingShowsBeforeItIsDurable holds a sync up and looks from every side.
func TestNothingShowsBeforeItIsDurable(t *testing.T) {
	s, gate := gated(t, vfs.NewMem())
	ctx := context.Background()
	first := numbered(1)
	if _, err := s.Append(ctx, "day", eventstore.NoStream(), first...); err != nil {
		t.Fatal(err)
	}
	sub, err := s.Subscribe(ctx, 1, eventstore.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Close() }()
	if b, err := sub.Next(ctx); err != nil || !b.Live {
		t.Fatalf("%+v, %v", b, err)
	}

	open := gate.close()
	defer open()
	more := s.later(ctx, "day", eventstore.At(0), numbered(2))
	eventually(t, "a sync waits", func() bool { return gate.waiting() > 0 })
	other := s.later(ctx, "new", eventstore.NoStream(), numbered(1))
	eventually(t, "the writer applied the next group", func() bool {
		_, found, err := getNumber(s.db, "stream number", appendNameKey(nil, "new"))
		return err == nil && found
	})
	// What rests on the unsynced records is not told either.
	conflict := s.later(ctx, "day", eventstore.At(0), numbered(1))
	eventually(t, "the third append is queued or judged", func() bool { return s.queuedNow() > 0 || len(conflict) > 0 })

	for what, seq := range map[string]int{
		"stream":           count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadStream(ctx, "day", 0)(y) }),
		"stream backwards": count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadStreamBackwards(ctx, "day", eventstore.Last)(y) }),
		"all":              count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadAll(ctx, 0, eventstore.Filter{})(y) }),
		"all backwards": count(t, s, func(y func(eventstore.Record, error) bool) {
			s.ReadAllBackwards(ctx, eventstore.End, eventstore.Filter{})(y)
		}),
	} {
		if seq != 1 {
			t.Errorf("read of %s: %d records, 1 is durable", what, seq)
		}
	}
	for _, err := range s.ReadStream(ctx, "new", 0) {
		if !errors.Is(err, eventstore.ErrStreamNotFound) {
			t.Errorf("read of a stream that is not durable: %v", err)
		}
	}
	if head, err := s.Head(ctx); err != nil || head != 1 {
		t.Errorf("head %d, %v, want 1", head, err)
	}
	brief, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if b, err := sub.Next(brief); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("subscription gave %+v, %v", b, err)
	}
	if len(more)+len(other)+len(conflict) > 0 {
		t.Errorf("an append was answered before it was durable")
	}

	open()
	if a := <-more; a != (answer{at: eventstore.Appended{Revision: 2, Position: 3}}) {
		t.Errorf("append: %+v", a)
	}
	if a := <-other; a != (answer{at: eventstore.Appended{Revision: 0, Position: 4}}) {
		t.Errorf("append: %+v", a)
	}
	want := eventstore.ConflictError{Stream: "day", Expected: eventstore.At(0), Actual: eventstore.Actual{Exists: true, Revision: 2}}
	var got *eventstore.ConflictError
	if a := <-conflict; !errors.As(a.err, &got) || *got != want {
		t.Errorf("append: %+v, want %v", a, &want)
	}
	if b, err := sub.Next(ctx); err != nil || len(b.Records) < 2 {
		t.Errorf("subscription gave %+v, %v", b, err)
	}
}

func count(t *testing.T, _ *Store, seq func(func(eventstore.Record, error) bool)) int {
	t.Helper()
	n := 0
	for _, err := range seq {
		if err != nil {
			t.Error(err)
		}
		n++
	}
	return n
}

// TestGroupSeesItself puts appends that depend on each other into one group.
func TestGroupSeesItself(t *testing.T) {
	s, gate := gated(t, vfs.NewMem())
	ctx := context.Background()
	open := gate.close()
	defer open()
	blockers := []<-chan answer{
		s.later(ctx, "blocker", eventstore.Any(), numbered(1)),
	}
	eventually(t, "a sync waits", func() bool { return gate.waiting() > 0 })
	blockers = append(blockers, s.later(ctx, "blocker", eventstore.Any(), numbered(1)))
	// The second group is applied and waits to be handed over; from here on all queues.
	eventually(t, "the second group is applied", func() bool {
		_, found, err := getNumber(s.db, "event", streamKey(1, 1))
		return found || err != nil // an entry is no number: found either way
	})

	large := numbered(pendingScan + 1)
	small := numbered(3)
	refused := &eventstore.ConflictError{}
	steps := []struct {
		expected eventstore.Expected
		events   []eventstore.Event
		at       eventstore.Revision
		conflict bool
	}{
		{eventstore.NoStream(), small, 2, false},
		{eventstore.NoStream(), small, 2, false},                                  // the same append
		{eventstore.Any(), small[1:], 2, false},                                   // part of it
		{eventstore.Any(), []eventstore.Event{small[2], small[0]}, 0, true},       // out of order
		{eventstore.At(0), small[1:], 2, false},                                   // as At
		{eventstore.At(1), numbered(1), 0, true},                                  // lost the race
		{eventstore.Exists(), large, eventstore.Revision(3 + pendingScan), false}, // too much to search
		{eventstore.Any(), large, eventstore.Revision(3 + pendingScan), false},    // so a new group
		{eventstore.Any(), append(numbered(1), large[0]), 0, true},
		{eventstore.At(eventstore.Revision(3 + pendingScan)), numbered(2), eventstore.Revision(5 + pendingScan), false},
	}
	answers := make([]<-chan answer, len(steps))
	for i, step := range steps {
		answers[i] = s.later(ctx, "day", step.expected, step.events)
		eventually(t, "queued in order", func() bool { return s.queuedNow() == i+1 })
	}
	groups := s.counters.groups.Load()
	open()
	for _, b := range blockers {
		if a := <-b; a.err != nil {
			t.Fatal(a.err)
		}
	}
	for i, step := range steps {
		a := <-answers[i]
		switch {
		case step.conflict && !errors.As(a.err, &refused):
			t.Errorf("step %d: %+v, want a conflict", i, a)
		case !step.conflict && (a.err != nil || a.at.Revision != step.at):
			t.Errorf("step %d: %+v, want revision %d", i, a, step.at)
		}
	}
	if n := s.counters.groups.Load() - groups; n != 4 {
		t.Errorf("%d groups, want 4: two that blocked, and two of the steps", n)
	}
	if n, want := count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadStream(ctx, "day", 0)(y) }), 6+pendingScan; n != want {
		t.Errorf("the stream has %d events, want %d", n, want)
	}
}

// TestWithdrawnWhileQueued cancels an append that the writer has not taken yet.
func TestWithdrawnWhileQueued(t *testing.T) {
	s, gate := gated(t, vfs.NewMem())
	ctx := context.Background()
	open := gate.close()
	defer open()
	sent, abandon := context.WithCancel(ctx)
	first := s.later(sent, "blocker", eventstore.Any(), numbered(1))
	eventually(t, "a sync waits", func() bool { return gate.waiting() > 0 })
	second := s.later(ctx, "blocker", eventstore.Any(), numbered(1))
	eventually(t, "the second group is applied", func() bool {
		_, found, err := getNumber(s.db, "event", streamKey(1, 1))
		return found || err != nil
	})
	cancelled, cancel := context.WithCancel(ctx)
	third := s.later(cancelled, "day", eventstore.NoStream(), numbered(1))
	eventually(t, "queued", func() bool { return s.queuedNow() == 1 })
	cancel()
	if a := <-third; a.err != context.Canceled {
		t.Errorf("withdrawn append: %v, want %v", a.err, context.Canceled)
	}
	abandon()
	if a := <-first; !errors.Is(a.err, eventstore.ErrUnknownOutcome) || errors.Is(a.err, context.Canceled) {
		t.Errorf("append cancelled while it was written: %v, want ErrUnknownOutcome alone", a.err)
	}
	open()
	if a := <-second; a.err != nil {
		t.Error(a.err)
	}
	if _, err := s.Append(ctx, "day", eventstore.NoStream(), numbered(1)...); err != nil {
		t.Errorf("the withdrawn append is there: %v", err)
	}
	if head, err := s.Head(ctx); err != nil || head != 3 {
		t.Errorf("head %d, %v, want 3", head, err)
	}
}

// TestFailedSync lets a sync fail once: nothing is appended any more, also when the
// disk would take it again, what was durable can be read, and reopening goes on.
func TestFailedSync(t *testing.T) {
	fs := vfs.NewMem()
	s, gate := gated(t, fs)
	ctx := context.Background()
	kept := numbered(2)
	if _, err := s.Append(ctx, "day", eventstore.NoStream(), kept...); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Failed():
		t.Fatal("failed before anything did")
	default:
	}
	broken := errors.New("the disk is gone")
	open := gate.close()
	defer open()
	gate.fail(broken)
	lost := s.later(ctx, "day", eventstore.At(1), numbered(1))
	eventually(t, "a sync waits", func() bool { return gate.waiting() > 0 })
	behind := s.later(ctx, "other", eventstore.NoStream(), numbered(1))
	eventually(t, "the second group is applied", func() bool {
		_, found, _ := getNumber(s.db, "stream number", appendNameKey(nil, "other"))
		return found
	})
	conflict := s.later(ctx, "day", eventstore.At(1), numbered(1))
	eventually(t, "queued", func() bool { return s.queuedNow() == 1 })
	open()
	<-s.Failed()
	for what, c := range map[string]<-chan answer{"first": lost, "second": behind} {
		if a := <-c; !errors.Is(a.err, eventstore.ErrUnknownOutcome) {
			t.Errorf("%s append of the failed sync: %+v, want ErrUnknownOutcome", what, a)
		}
	}
	if a := <-conflict; !errors.Is(a.err, eventstore.ErrUnavailable) {
		t.Errorf("append judged on lost records: %+v, want ErrUnavailable", a)
	}
	gate.fail(nil)
	for range 3 {
		if _, err := s.Append(ctx, "day", eventstore.Any(), numbered(1)...); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Errorf("append after a failed sync: %v, want ErrUnavailable", err)
		}
	}
	if err := s.Failure(); err == nil || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("failure: %v", err)
	}
	if n := count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadAll(ctx, 0, eventstore.Filter{})(y) }); n != len(kept) {
		t.Errorf("%d records shown, %d are durable", n, len(kept))
	}
	if head, err := s.Head(ctx); err != nil || head != 2 {
		t.Errorf("head %d, %v, want 2", head, err)
	}
	if err := s.Close(); err == nil {
		t.Error("close of a failed store says nothing")
	}

	s, _ = gated(t, fs)
	if n := count(t, s, func(y func(eventstore.Record, error) bool) { s.ReadAll(ctx, 0, eventstore.Filter{})(y) }); n < len(kept) {
		t.Errorf("%d records after reopening, %d were acknowledged", n, len(kept))
	}
	if _, err := s.Append(ctx, "day", eventstore.Exists(), numbered(1)...); err != nil {
		t.Errorf("append after reopening: %v", err)
	}
}

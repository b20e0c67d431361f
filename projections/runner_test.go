package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"daybook/eventstore"
)

func TestRunnerBringsTheLedgerToEachView(t *testing.T) {
	l := newLedger(t)
	p := l.append("a", "1", "2")
	one, two := &book{name: "one"}, &book{name: "two", at: p}
	r := newRunner(t, l, Options{}, one, two)
	run(t, r)
	wait(t, r, "one", p)
	l.append("b", "3")
	p = l.append("a", "4", "5")
	wait(t, r, "one", p)
	wait(t, r, "two", p)
	if got, want := one.seen(), []string{"1", "2", "3", "4", "5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("one has %q, want %q", got, want)
	}
	if got, want := two.seen(), []string{"3", "4", "5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("two has %q, want %q", got, want)
	}
	want := []Status{{Name: "one", Position: p, Live: true}, {Name: "two", Position: p, Live: true}}
	eventually(t, func() bool { return reflect.DeepEqual(r.Status(), want) }, func() string {
		return fmt.Sprintf("status %+v, want %+v", r.Status(), want)
	})
}

func eventually(t *testing.T, ok func() bool, what func() string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what())
		}
	}
}

// A view whose engine is away is tried again until it is back; the other goes on.
func TestAnOutageHoldsUpOneViewOnly(t *testing.T) {
	l := newLedger(t)
	log := &lines{}
	var mu sync.Mutex
	away := errors.New("the engine is away")
	failing, attempts := away, 0
	one, two := &book{name: "one"}, &book{name: "two"}
	one.fail = func(eventstore.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		attempts++
		return failing
	}
	r := newRunner(t, l, Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, one, two)
	run(t, r)
	p := l.append("a", "1")
	wait(t, r, "two", p)
	eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return attempts > 10
	}, func() string { return "not tried again" })
	if s := r.Status()[0]; s.LastError != away.Error() || s.Live {
		t.Errorf("status %+v, want its error", s)
	}
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("%d errors logged for one outage", n)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := r.Wait(ctx, "one", p); !errors.Is(err, ErrBehind) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a view that is away: %v, want ErrBehind", err)
	}
	mu.Lock()
	failing = nil
	mu.Unlock()
	wait(t, r, "one", p)
	if got, want := one.seen(), []string{"1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("one has %q, want %q", got, want)
	}
	if s := r.Status()[0]; s.LastError != "" {
		t.Errorf("status %+v after the outage", s)
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), s)
}

func TestWhatCannotBeAppliedIsParked(t *testing.T) {
	l := newLedger(t)
	log := &lines{}
	plain, keeping := &book{name: "plain"}, &keeper{book{name: "keeping"}}
	// All in one append, so that they come in one batch, and one more at the end.
	p := l.append("a", "1", "corrupt", "2", "panic", "3")
	r := newRunner(t, l, Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, plain, keeping)
	run(t, r)
	wait(t, r, "plain", p)
	wait(t, r, "keeping", p)
	p = l.append("a", "4")
	wait(t, r, "plain", p)
	wait(t, r, "keeping", p)
	want := []string{"1", "2", "3", "4"}
	if got := plain.seen(); !reflect.DeepEqual(got, want) {
		t.Errorf("plain has %q, want %q", got, want)
	}
	if got := keeping.seen(); !reflect.DeepEqual(got, want) {
		t.Errorf("keeping has %q, want %q", got, want)
	}
	if want := []string{"corrupt", "panic"}; !reflect.DeepEqual(keeping.parked, want) {
		t.Errorf("parked %q, want %q", keeping.parked, want)
	}
	for _, s := range r.Status() {
		if s.Parked != 2 || s.LastError != "" {
			t.Errorf("status %+v, want 2 parked and no outage", s)
		}
	}
	if n := log.count("level=ERROR"); n != 4 {
		t.Errorf("%d errors logged, want one for each record parked", n)
	}
}

// Somebody else moved a view's checkpoint: forwards, then back.
func TestAMovedCheckpointIsGoneOnFrom(t *testing.T) {
	l := newLedger(t)
	p1 := l.append("a", "1")
	p2 := l.append("a", "2")
	v := &book{name: "one"}
	moves := 0
	v.fail = func(b eventstore.Batch) error {
		switch {
		case moves == 0 && b.Position >= p1:
			moves, v.at = 1, p2
			return ErrMoved
		case moves == 1 && b.Position > p2:
			moves, v.at, v.said = 2, 0, nil
			return ErrMoved
		}
		return nil
	}
	r := newRunner(t, l, Options{}, v)
	run(t, r)
	wait(t, r, "one", p2)
	p3 := l.append("a", "3")
	wait(t, r, "one", p3)
	if got, want := v.seen(), []string{"1", "2", "3"}; !reflect.DeepEqual(got, want) || moves != 2 {
		t.Errorf("got %q after %d moves, want %q", got, moves, want)
	}
}

func TestManyWait(t *testing.T) {
	l := newLedger(t)
	v := &book{name: "one"}
	r := newRunner(t, l, Options{}, v)
	run(t, r)
	var positions []eventstore.Position
	var wg sync.WaitGroup
	first := l.append("a", "0")
	for i := range 500 {
		// Positions past the end, which will come.
		positions = append(positions, first+eventstore.Position(i%50))
	}
	for _, p := range positions {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			if err := r.Wait(ctx, "one", p); err != nil {
				t.Error(err)
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			if v.at < p {
				t.Errorf("released at %d, waited for %d", v.at, p)
			}
		})
	}
	for end := first; end < first+50; {
		end = l.append("a", "x")
	}
	wg.Wait()
	if n := len(r.all["one"].progress.waiting); n != 0 {
		t.Errorf("%d waiters left behind", n)
	}
	if err := r.Wait(context.Background(), "two", 1); !errors.Is(err, ErrUnknownView) {
		t.Errorf("waiting for no view: %v, want ErrUnknownView", err)
	}
}

// A view that another process feeds is asked for its checkpoint, by one for all who wait.
func TestWaitForAViewElsewhere(t *testing.T) {
	l := newLedger(t)
	v := &book{name: "far"}
	r := newRunner(t, l, Options{Elsewhere: []View{v}, PollEvery: time.Millisecond})
	run(t, r)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() { wait(t, r, "far", 7) })
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := r.Wait(ctx, "far", 9); !errors.Is(err, ErrBehind) {
		t.Errorf("got %v, want ErrBehind", err)
	}
	v.mu.Lock()
	v.at = 8
	v.mu.Unlock()
	wg.Wait()
	polls := func() int {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.asked
	}
	idle := func() bool {
		r.all["far"].progress.mu.Lock()
		defer r.all["far"].progress.mu.Unlock()
		return !r.all["far"].progress.polling
	}
	eventually(t, idle, func() string { return "polling though nobody waits" })
	if n := polls(); n > 2000 {
		t.Errorf("%d polls for 200 who waited together", n)
	}
	wait(t, r, "far", 8)
}

func TestRunnersThatCannotBe(t *testing.T) {
	l := newLedger(t)
	if _, err := NewRunner(l, Options{}, &book{name: "one"}, &book{name: "one"}); err == nil {
		t.Error("two views of one name were taken")
	}
	if _, err := NewRunner(l, Options{Elsewhere: []View{&book{name: "one"}}}, &book{name: "one"}); err == nil {
		t.Error("a view here and elsewhere was taken")
	}
	r := newRunner(t, l, Options{}, &book{name: "one"})
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if err := r.Run(context.Background()); err == nil {
		t.Error("a closed runner ran")
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	l := newLedger(t)
	v := &book{name: "one"}
	v.fail = func(eventstore.Batch) error { return errors.New("away") }
	r := newRunner(t, l, Options{}, v)
	l.append("a", "1")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Error(err)
	}
}

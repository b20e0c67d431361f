package projections

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// read runs a runner until its view has read the whole ledger.
func read(t *testing.T, l *ledger, v View) {
	t.Helper()
	r := newRunner(t, l, Options{}, v)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	head, err := l.Head(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	wait(t, r, v.Name(), head)
	if err := errors.Join(r.Close(), <-ended); err != nil {
		t.Fatal(err)
	}
}

// TestALedgerThatWasPutBack to an earlier state, whether it has grown past the view or not, is
// not gone on with: the view is built anew by who may, and stands still otherwise.
func TestALedgerThatWasPutBack(t *testing.T) {
	for _, more := range [][]string{nil, {"4"}, {"4", "5", "6", "7"}} {
		t.Run(fmt.Sprintf("%d more", len(more)), func(t *testing.T) {
			l := newLedger(t)
			l.append("a", "1", "2")
			restored := l.backup()
			l.append("a", "lost", "lost too")
			still, anew := &book{name: "still"}, &shelf{book: book{name: "anew"}}
			read(t, l, still)
			read(t, l, anew)
			p, err := restored.Head(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if more != nil {
				p = restored.append("a", more...)
			}
			r := newRunner(t, restored, Options{Build: func() (string, error) { return "this", nil }}, still, anew)
			run(t, r)
			wait(t, r, "anew", p)
			p = restored.append("b", "end")
			wait(t, r, "anew", p)
			if got, want := anew.seen(), append(append([]string{"1", "2"}, more...), "end"); !reflect.DeepEqual(got, want) {
				t.Errorf("it has %q, want %q", got, want)
			}
			eventually(t, func() bool {
				return strings.HasSuffix(r.Status()[0].LastError, feed.ErrEstranged.Error()+"; run daybook rebuild still")
			},
				func() string { return fmt.Sprintf("status %+v", r.Status()[0]) })
			if got, want := still.seen(), []string{"1", "2", "lost", "lost too"}; !reflect.DeepEqual(got, want) {
				t.Errorf("went on to %q, want %q", got, want)
			}
		})
	}
}

// TestACopyOfALedgerThatWasPutBack: what a rebuild left unfinished before is not gone on with.
func TestACopyOfALedgerThatWasPutBack(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1")
	restored := l.backup()
	lost := l.append("a", "lost")
	restored.append("a", "2", "3")
	begun := &keeper{book{name: "one"}}
	read(t, l, begun)
	v := &resumed{shelf: shelf{book: book{name: "one"}}, left: begun}
	if _, err := Rebuild(context.Background(), restored, v, RebuildOptions{Options: Options{Logger: quiet}}); err != nil {
		t.Fatal(err)
	}
	if got, want := v.seen(), []string{"1", "2", "3"}; !reflect.DeepEqual(got, want) || begun.at != lost {
		t.Errorf("it has %q, want %q; what was left stands at %d", got, want, begun.at)
	}
	if _, err := Rebuild(context.Background(), restored, v, RebuildOptions{Options: Options{Logger: quiet}, Rollback: true}); !errors.Is(err, feed.ErrEstranged) {
		t.Errorf("put back: %v", err)
	}
}

// resumed is a shelf with a copy left unfinished, which is also what it would put back.
type resumed struct {
	shelf
	left *keeper
}

func (v *resumed) Kept(context.Context) (Rebuilding, error) { return Rebuilding{View: v.left}, nil }

func (v *resumed) Rebuild(ctx context.Context, build string) (Rebuilding, error) {
	r, err := v.shelf.Rebuild(ctx, build)
	if v.abandoned == 0 {
		r.View = v.left
	}
	return r, err
}

// TestALedgerThatIsPutBackMeanwhile ends the runner: a process has more in memory than views.
func TestALedgerThatIsPutBackMeanwhile(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1")
	restored := l.backup()
	p := l.append("a", "lost")
	s := &switched{Store: l.Store}
	s.now.Store(l)
	v := &shelf{book: book{name: "one"}}
	r := newRunner(t, s, Options{Build: func() (string, error) { return "this", nil }}, v)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	wait(t, r, "one", p)
	restored.append("a", "2", "3")
	s.now.Store(restored)
	l.append("a", "wakes the subscription, which breaks off")
	if err := <-ended; !errors.Is(err, feed.ErrEstranged) || !strings.Contains(err.Error(), "start it again") {
		t.Errorf("ended with %v", err)
	}
	if got, want := v.seen(), []string{"1", "lost"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
}

// switched is a ledger in whose place another comes, which breaks subscriptions off.
type switched struct {
	eventstore.Store
	now atomic.Pointer[ledger]
}

func (s *switched) Subscribe(ctx context.Context, after eventstore.Position, f eventstore.Filter) (eventstore.Subscription, error) {
	l := s.now.Load()
	sub, err := l.Subscribe(ctx, after, f)
	return &breaking{Subscription: sub, s: s, l: l}, err
}

type breaking struct {
	eventstore.Subscription
	s *switched
	l *ledger
}

func (b *breaking) Next(ctx context.Context) (eventstore.Batch, error) {
	batch, err := b.Subscription.Next(ctx)
	if b.s.now.Load() != b.l {
		return eventstore.Batch{}, eventstore.ErrUnavailable
	}
	return batch, err
}

func (s *switched) ReadStream(ctx context.Context, stream eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return s.now.Load().ReadStream(ctx, stream, from)
}

// TestAViewOfAnEarlierForm is built anew before it goes on.
func TestAViewOfAnEarlierForm(t *testing.T) {
	l := newLedger(t)
	l.append("a", "1")
	v := &outdated{shelf: shelf{book: book{name: "one", said: []string{"of old"}, at: 1}}}
	r := newRunner(t, l, Options{Build: func() (string, error) { return "this", nil }}, v)
	run(t, r)
	wait(t, r, "one", l.append("a", "2"))
	if got, want := v.seen(), []string{"1", "2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it has %q, want %q", got, want)
	}
}

// outdated is a shelf that has to be rebuilt first.
type outdated struct{ shelf }

func (v *outdated) Checkpoint(ctx context.Context) (feed.Place, error) {
	if len(v.copies) == 0 {
		return feed.Place{}, ErrOutdated
	}
	return v.shelf.Checkpoint(ctx)
}

package projections

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/feed"
	"daybook/internal/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// ledger is a store in memory whose events are numbered.
type ledger struct {
	eventstore.Store
	t    testing.TB
	next uint16

	backup func() *ledger // as it would be, were it restored to now

	mu    sync.Mutex
	reads []string // of streams: name from revision
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	o := embedded.Options{FS: vfs.NewMem(), MemTableBytes: 1 << 20, CacheBytes: 1 << 20, Logger: quiet}
	s, err := embedded.Open("ledger", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &ledger{Store: s, t: t, backup: func() *ledger {
		return &ledger{Store: enginetest.Backup(t, s, o), t: t, next: 1000}
	}}
}

// append adds one event for each of data to stream and returns the position of the last.
func (l *ledger) append(stream eventstore.StreamName, data ...string) eventstore.Position {
	l.t.Helper()
	var events []eventstore.Event
	for _, d := range data {
		l.next++
		events = append(events, eventstore.Event{ID: eventstore.EventID{byte(l.next >> 8), byte(l.next), 1}, Type: "said", Data: []byte(d)})
	}
	at, err := l.Append(context.Background(), stream, eventstore.Any(), events...)
	if err != nil {
		l.t.Fatal(err)
	}
	return at.Position
}

func (l *ledger) records(stream eventstore.StreamName) (all []eventstore.Record) {
	l.t.Helper()
	for r, err := range l.Store.ReadStream(context.Background(), stream, 0) {
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func (l *ledger) ReadStream(ctx context.Context, s eventstore.StreamName, from eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	l.mu.Lock()
	l.reads = append(l.reads, fmt.Sprintf("%s from %d", s, from))
	l.mu.Unlock()
	return l.Store.ReadStream(ctx, s, from)
}

// taken returns the reads since it was last asked.
func (l *ledger) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := l.reads
	l.reads = nil
	return reads
}

// book is a view that writes down what it is given, all or nothing as a view should.
type book struct {
	name string

	mu     sync.Mutex
	at     eventstore.Position
	mark   feed.Mark
	said   []string
	parked []string
	fail   func(b eventstore.Batch) error // before anything is written
	asked  int                            // for the checkpoint
}

func (v *book) Name() string { return v.name }

func (v *book) Checkpoint(context.Context) (feed.Place, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	return feed.Place{Position: v.at, Record: v.mark}, nil
}

func (v *book) Apply(_ context.Context, b eventstore.Batch) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fail != nil {
		if err := v.fail(b); err != nil {
			return err
		}
	}
	for _, r := range b.Records {
		switch string(r.Data) {
		case "panic":
			panic("no such word")
		case "corrupt":
			return fmt.Errorf("%w: no such word", ErrCorrupt)
		}
	}
	for _, r := range b.Records {
		if r.Position > v.at {
			v.said = append(v.said, string(r.Data))
		}
	}
	p := feed.Place{Position: v.at, Record: v.mark}.After(b)
	v.at, v.mark = p.Position, p.Record
	return nil
}

func (v *book) seen() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]string(nil), v.said...)
}

// keeper is a book that keeps what it could not apply.
type keeper struct{ book }

func (v *keeper) Parked(_ context.Context, r eventstore.Record, cause error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !errors.Is(cause, ErrCorrupt) {
		return fmt.Errorf("parked for %w", cause)
	}
	v.parked = append(v.parked, string(r.Data))
	v.at = r.Position
	return nil
}

func run(t *testing.T, r *Runner) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func newRunner(t *testing.T, l eventstore.Store, o Options, views ...View) *Runner {
	t.Helper()
	if o.Logger == nil {
		o.Logger = quiet
	}
	o.MinBackoff, o.MaxBackoff = time.Millisecond, 5*time.Millisecond
	r, err := NewRunner(l, o, views...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wait(t *testing.T, r *Runner, view string, p eventstore.Position) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.Wait(ctx, view, p); err != nil {
		t.Fatalf("%v; status %+v", err, r.Status())
	}
}

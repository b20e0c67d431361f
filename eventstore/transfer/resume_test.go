package transfer_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
	"daybook/eventstore/transfer"
)

// soak multiplies rounds when DAYBOOK_SOAK=1.
func soak(rounds int) int {
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		return rounds * 50
	}
	return rounds
}

// isBeginning requires that to holds the first records of from, and returns how many.
func isBeginning(t testing.TB, from, to eventstore.Store) int {
	t.Helper()
	want, got := records(t, from), records(t, to)
	if len(got) > len(want) {
		t.Fatalf("%d records, the source has %d", len(got), len(want))
	}
	for i := range got {
		if kept(want[i]) != kept(got[i]) {
			t.Fatalf("record %d:\n got %s\nwant %s", i, kept(got[i]), kept(want[i]))
		}
	}
	return len(got)
}

// counting ends a copy's context when the target has taken some appends.
type counting struct {
	eventstore.Store
	left atomic.Int64
	stop context.CancelFunc
	// after is whether the append that is the last still happens.
	after bool
}

func (c *counting) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	if c.left.Add(-1) > 0 {
		return c.Store.Append(ctx, stream, expected, events...)
	}
	if c.after {
		_, _ = c.Store.Append(context.WithoutCancel(ctx), stream, expected, events...)
	}
	c.stop()
	return c.Store.Append(ctx, stream, expected, events...)
}

// TestStoppedCopyGoesOn ends the context at many moments, before and after an append.
func TestStoppedCopyGoesOn(t *testing.T) {
	from := ledger(t)
	book(t, from, 1500, 3)
	to := ledger(t)
	rng := rand.New(rand.NewPCG(3, 3))
	stops := 0
	for {
		ctx, cancel := context.WithCancel(t.Context())
		target := &counting{Store: to, stop: cancel, after: rng.IntN(2) == 0}
		target.left.Store(1 + rng.Int64N(60))
		report, err := transfer.Copy(ctx, from, target, transfer.Options{BatchEvents: 1 + rng.IntN(8)})
		cancel()
		held := isBeginning(t, from, to)
		if err == nil {
			if held != 1500 || report.Found+report.Copied != 1500 {
				t.Fatalf("the copy holds %d records: %+v", held, report)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped copy: %v, want %v", err, context.Canceled)
		}
		stops++
	}
	if stops < 5 {
		t.Fatalf("stopped only %d times", stops)
	}
	sameLedgers(t, from, to)
}

// TestPowerFailureWhileCopying takes what the target's disk holds at random moments,
// without a part of what was not synced, and goes on from there in a new store.
func TestPowerFailureWhileCopying(t *testing.T) {
	const seed = 11
	t.Logf("seed %d", seed)
	from := ledger(t)
	book(t, from, 600, 4)
	rng := rand.New(rand.NewPCG(seed, 5))
	for range soak(6) {
		fs := vfs.NewCrashableMem()
		for failures := 0; ; failures++ {
			to := open(t, fs)
			target := &crashing{Store: to, fs: fs, rng: rng, left: 1 + rng.IntN(120)}
			report, err := transfer.Copy(t.Context(), from, target, transfer.Options{Patience: 1})
			crashed := target.clone
			if closeErr := to.Close(); closeErr != nil {
				t.Fatalf("close: %v", closeErr)
			}
			if err == nil {
				if report.Found+report.Copied != 600 || report.Verified.Records != 600 {
					t.Fatalf("after %d failures: %+v", failures, report)
				}
				break
			}
			if !errors.Is(err, errPower) {
				t.Fatalf("copy: %v, want %v", err, errPower)
			}
			fs = crashed
			after := open(t, fs)
			if held := isBeginning(t, from, after); uint64(held) < report.Found+report.Copied {
				t.Fatalf("%d records after the failure, %d were acknowledged", held, report.Found+report.Copied)
			}
			if err := after.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
	}
}

var errPower = errors.New("the power failed")

// crashing is a store whose machine loses its power in an append.
type crashing struct {
	*embedded.Store
	fs    *vfs.MemFS
	rng   *rand.Rand
	left  int
	clone *vfs.MemFS
}

func (c *crashing) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	c.left--
	if c.left > 0 {
		return c.Store.Append(ctx, stream, expected, events...)
	}
	// Somewhere beside the append that is under way.
	percent := c.rng.IntN(101)
	var clone sync.WaitGroup
	clone.Add(1)
	go func() {
		defer clone.Done()
		c.clone = c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(percent), 7))})
	}()
	_, _ = c.Store.Append(ctx, stream, expected, events...)
	clone.Wait()
	return eventstore.Appended{}, errPower
}

// TestUnknownOutcomesAreMadeGood loses answers and whole appends on the way.
func TestUnknownOutcomesAreMadeGood(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 900, 6)
	report := mustCopy(t, flaky{from, &atomic.Int64{}}, flaky{to, &atomic.Int64{}}, transfer.Options{})
	sameLedgers(t, from, to)
	if report.Copied != 900 || report.Verified.Records != 900 {
		t.Errorf("report %+v", report)
	}
}

// flaky is a store on a bad line: every few calls fail, in the several ways there are.
type flaky struct {
	eventstore.Store
	calls *atomic.Int64
}

func (f flaky) Head(ctx context.Context) (eventstore.Position, error) {
	if f.calls.Add(1)%2 == 1 {
		return 0, eventstore.ErrUnavailable
	}
	return f.Store.Head(ctx)
}

func (f flaky) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	switch f.calls.Add(1) % 40 {
	case 0:
		return eventstore.Appended{}, eventstore.ErrUnavailable
	case 10:
		return eventstore.Appended{}, eventstore.ErrUnknownOutcome
	case 20:
		_, _ = f.Store.Append(ctx, stream, expected, events...)
		return eventstore.Appended{}, eventstore.ErrUnknownOutcome
	default:
		return f.Store.Append(ctx, stream, expected, events...)
	}
}

func (f flaky) ReadAll(ctx context.Context, after eventstore.Position, filter eventstore.Filter) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for r, err := range f.Store.ReadAll(ctx, after, filter) {
			if f.calls.Add(1)%97 == 0 {
				yield(eventstore.Record{}, eventstore.ErrUnavailable)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	from := ledger(t)
	book(t, from, 3, 7)
	gone := unavailable{ledger(t)}
	report, err := transfer.Copy(t.Context(), from, gone, transfer.Options{Patience: 1})
	if !errors.Is(err, eventstore.ErrUnavailable) || report.Copied != 0 {
		t.Errorf("copy into a store that is away: %v, %+v", err, report)
	}
	if _, err := transfer.Copy(t.Context(), gone, from, transfer.Options{Patience: 1}); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Errorf("copy from a store that is away: %v", err)
	}
}

type unavailable struct{ eventstore.Store }

func (unavailable) Head(context.Context) (eventstore.Position, error) {
	return 0, eventstore.ErrUnavailable
}

func (unavailable) Append(context.Context, eventstore.StreamName, eventstore.Expected, ...eventstore.Event) (eventstore.Appended, error) {
	return eventstore.Appended{}, eventstore.ErrUnavailable
}

// TestTwoCopiesAtOnce runs copies of the same source into one target side by side, with
// other limits each.
func TestTwoCopiesAtOnce(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 800, 8)
	var both sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		both.Add(1)
		go func() {
			defer both.Done()
			_, errs[i] = transfer.Copy(t.Context(), from, to, transfer.Options{BatchEvents: 1 + 3*i})
		}()
	}
	both.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	sameLedgers(t, from, to)
}

// TestSourceThatGrows appends to the source from within the copy of it.
func TestSourceThatGrows(t *testing.T) {
	from, to := ledger(t), ledger(t)
	book(t, from, 500, 9)
	rounds := map[transfer.Phase]int{}
	report := mustCopy(t, from, to, transfer.Options{Progress: func(p transfer.Progress) {
		rounds[p.Phase]++
		if rounds[p.Phase] == 1 && p.Phase != transfer.Comparing {
			book(t, grown{from, p.Phase}, 40, 100+uint64(p.Phase))
		}
	}})
	held := isBeginning(t, from, to)
	if uint64(held) != report.Copied || report.Copied+report.Left != uint64(len(records(t, from))) || report.Left == 0 {
		t.Fatalf("%d of %d records copied: %+v", held, len(records(t, from)), report)
	}
	again := mustCopy(t, from, to, transfer.Options{})
	if again.Left != 0 || again.Found != uint64(held) || again.Copied != report.Left {
		t.Errorf("the next copy: %+v after %+v", again, report)
	}
	sameLedgers(t, from, to)
}

// grown keeps the streams of one phase's book apart from the others'.
type grown struct {
	eventstore.Store
	phase transfer.Phase
}

func (g grown) Append(ctx context.Context, stream eventstore.StreamName, expected eventstore.Expected, events ...eventstore.Event) (eventstore.Appended, error) {
	return g.Store.Append(ctx, stream+eventstore.StreamName("-"+g.phase.String()), expected, events...)
}

package storetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daybook/eventstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func memoryOpener(f faults) func(testing.TB) Opener {
	return func(testing.TB) Opener {
		return func() (eventstore.Store, error) { return newMemory(f), nil }
	}
}

func TestSuitePassesARightStore(t *testing.T) {
	Run(t, Features{Volatile: true}, memoryOpener(faults{}))
}

// TestSuiteTakesPositionsAsTheyAre runs it over positions that nothing can be computed from.
func TestSuiteTakesPositionsAsTheyAre(t *testing.T) {
	Run(t, Features{Volatile: true}, func(testing.TB) Opener {
		return func() (eventstore.Store, error) { return Sparse(newMemory(faults{})), nil }
	})
}

// TestSuiteCatchesBrokenStores runs the whole suite over stores with one fault each:
// the checks named must fail.
func TestSuiteCatchesBrokenStores(t *testing.T) {
	cases := []struct {
		name   string
		faults faults
		caught []string
	}{
		{"ignores the expected version", faults{ignoreExpected: true}, []string{"append/expectations", "contention/one expectation, one winner", "append/a batch is all or nothing"}},
		{"checks, then appends", faults{checkThenAct: true}, []string{"contention/one expectation, one winner", "retry/same append at the same time"}},
		{"forgets ids", faults{forgetIDs: true}, []string{"retry/same ids are the same append", "retry/much later", "retry/same append at the same time"}},
		{"trusts the first id", faults{trustFirstID: true}, []string{"retry/partly matching ids conflict"}},
		{"tears batches", faults{tearBatches: true}, []string{"append/a batch is all or nothing"}},
		{"keeps the caller's memory", faults{keepCallersMemory: true}, []string{"append/caller may reuse its memory"}},
		{"takes invalid input", faults{skipChecks: true}, []string{"append/invalid input is refused", "append/no expectation is refused", "read/invalid stream name"}},
		{"reads from, not after", faults{inclusiveStart: true}, []string{"read/all forwards", "subscribe/from the start"}},
		{"ignores filters", faults{ignoreFilter: true}, []string{"read/all with filters", "subscribe/filtered"}},
		{"finds every stream", faults{missingIsEmpty: true}, []string{"read/stream not found"}},
		{"skips when going live", faults{skipAtJoin: true}, []string{"subscribe/from the start"}},
		{"repeats when going live", faults{repeatAtJoin: true}, []string{"subscribe/from the start"}},
		{"drops for slow subscribers", faults{dropWhenSlow: true}, []string{"subscribe/slow reader misses nothing"}},
		{"keeps filtered positions to itself", faults{silentFilter: true}, []string{"subscribe/filtered positions advance"}},
		{"is never live", faults{neverLive: true}, []string{"subscribe/empty ledger is live"}},
		{"ignores contexts", faults{ignoreContext: true}, []string{"context/append", "context/read", "context/head", "context/read cancelled under way", "context/subscribe", "context/next"}},
		{"says it saw what it did not give", faults{eagerPosition: true}, []string{"subscribe/catch up to live under writers", "subscribe/resume from a batch's position"}},
		{"leaves subscriptions waiting at close", faults{deafSubscriptions: true}, []string{"close/ends subscriptions"}},
		{"tells a wrong actual", faults{wrongActual: true}, []string{"append/expectations", "append/conflict is typed"}},
		{"has a stuck head", faults{stuckHead: true}, []string{"head", "read/own append at once"}},
		{"answers after close", faults{sloppyClose: true}, []string{"close/calls are refused"}},
		{"reads back from before", faults{exclusiveBackwards: true}, []string{"read/all backwards"}},
		{"reads forwards backwards", faults{backwardsForwards: true}, []string{"read/stream backwards"}},
	}
	for _, c := range cases {
		for _, name := range c.caught {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := slices.IndexFunc(checks, func(ch check) bool { return ch.name == name })
				if i < 0 {
					t.Fatalf("there is no check %q", name)
				}
				failure := failureOf(t, func(tb testing.TB) { checks[i].run(newEnv(tb, memoryOpener(c.faults)(tb))) })
				if failure == "" {
					t.Fatalf("the check passed a store that %s", c.name)
				}
				t.Log(failure)
				if strings.Contains(failure, "panic") {
					t.Fatalf("the check did not find it, it broke: %s", failure)
				}
			})
		}
	}
}

// failureOf runs one check and returns what it failed with, "" if it passed. A check
// that hangs on a broken store would fail at its patience; a test of the suite waits
// shorter.
func failureOf(t *testing.T, check func(testing.TB)) string {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanup()
		defer func() {
			if p := recover(); p != nil {
				r.note(fmt.Sprintf("panic: %v", p))
			}
		}()
		check(r)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
		r.note("hangs")
		r.cleanup() // ends the check's context, and with it the check
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.failures, "\n")
}

// recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) note(failure string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, failure)
}

func (r *recorder) Helper()                           {}
func (r *recorder) Errorf(format string, args ...any) { r.note(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.note(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) cleanup() {
	for {
		r.mu.Lock()
		n := len(r.cleanups)
		if n == 0 {
			r.mu.Unlock()
			return
		}
		f := r.cleanups[n-1]
		r.cleanups = r.cleanups[:n-1]
		r.mu.Unlock()
		f()
	}
}

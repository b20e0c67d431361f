// Package storetest is the suite that every event store passes: what
// eventstore's contract promises, said as checks.
//
// What belongs here: checks that any implementation of eventstore.Store must pass,
// written against the contract alone. Not here: tests of one store's own promises
// (crashes, its files, its protocol); those stand beside that store.
package storetest

import (
	"context"
	"os"
	"testing"
	"time"

	"daybook/eventstore"
)

// Opener opens one ledger: the first call finds it empty, each later call finds what
// was appended before. The suite closes every store it opened, and opens a ledger
// again only after it closed the store it had of it, unless Features.Shared is set.
type Opener func() (eventstore.Store, error)

// Features says what a store can do beyond the contract, or cannot do by its nature.
// The zero value is a store that keeps its ledger over Close and has it to itself.
type Features struct {
	// Volatile stores forget their ledger when closed; checks that reopen are left out.
	Volatile bool
	// Shared ledgers can be open several times at once; checks then also run over
	// two stores of one ledger.
	Shared bool
	// Brief runs one check or two of each kind: for a store that the whole suite runs on
	// elsewhere, and that is only reached in another way. DAYBOOK_SOAK=1 runs all of them.
	Brief bool
}

// Run runs every check as a parallel subtest. fresh prepares an empty ledger that
// lives as long as the test it is given, and returns how to open it.
func Run(t *testing.T, features Features, fresh func(t testing.TB) Opener) {
	t.Helper()
	for _, c := range checks {
		if c.needs != nil && !c.needs(features) || features.Brief && !c.brief && soak(1) == 1 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newEnv(t, fresh(t)))
		})
	}
}

type check struct {
	name  string
	needs func(Features) bool // nil: every store
	brief bool                // one of those that stand for its kind
	run   func(e *env)
}

func durable(f Features) bool { return !f.Volatile }
func shared(f Features) bool  { return f.Shared }

var checks = []check{
	{name: "append/expectations", brief: true, run: checkExpectations},
	{name: "append/conflict is typed", run: checkConflictError},
	{name: "append/no expectation is refused", run: checkNoExpectation},
	{name: "append/invalid input is refused", run: checkInvalidAppend},
	{name: "append/limits are taken", brief: true, run: checkLimits},
	{name: "append/a batch is all or nothing", run: checkBatchIsWhole},
	{name: "append/caller may reuse its memory", run: checkCallerKeepsItsMemory},
	{name: "append/odd stream names stay apart", run: checkStreamNamesStayApart},
	{name: "retry/same ids are the same append", run: checkRetry},
	{name: "retry/much later", run: checkRetryMuchLater},
	{name: "retry/after reopen", needs: durable, run: checkRetryAfterReopen},
	{name: "retry/partly matching ids conflict", run: checkPartlyMatchingRetry},
	{name: "retry/same append at the same time", brief: true, run: checkConcurrentRetry},
	{name: "contention/one expectation, one winner", run: checkOneWinner},
	{name: "contention/one winner over two stores", brief: true, needs: shared, run: checkOneWinnerOverTwoStores},
	{name: "contention/many writers, many streams", run: checkManyWriters},
	{name: "read/stream forwards", run: checkReadStream},
	{name: "read/stream backwards", run: checkReadStreamBackwards},
	{name: "read/stream not found", run: checkStreamNotFound},
	{name: "read/invalid stream name", run: checkReadInvalidStream},
	{name: "read/all forwards", run: checkReadAll},
	{name: "read/all backwards", brief: true, run: checkReadAllBackwards},
	{name: "read/all with filters", brief: true, run: checkReadAllFiltered},
	{name: "read/early break", run: checkEarlyBreak},
	{name: "read/a sequence can be read again", run: checkSequenceTwice},
	{name: "read/long streams", run: checkLongRead},
	{name: "read/own append at once", run: checkReadYourAppend},
	{name: "head", run: checkHead},
	{name: "subscribe/from the start", run: checkSubscribeFromStart},
	{name: "subscribe/empty ledger is live", run: checkSubscribeEmptyLedger},
	{name: "subscribe/catch up to live under writers", run: checkSubscribeUnderWriters},
	{name: "subscribe/slow reader misses nothing", run: checkSlowSubscriber},
	{name: "subscribe/filtered", run: checkSubscribeFiltered},
	{name: "subscribe/filtered positions advance", brief: true, run: checkFilteredPositionAdvances},
	{name: "subscribe/resume from a batch's position", brief: true, run: checkResume},
	{name: "subscribe/close", run: checkSubscriptionClose},
	{name: "context/append", run: checkAppendCancelled},
	{name: "context/append cancelled under way", brief: true, run: checkAppendCancelledUnderWay},
	{name: "context/read", run: checkReadCancelled},
	{name: "context/read cancelled under way", brief: true, run: checkReadCancelledUnderWay},
	{name: "context/head", run: checkHeadCancelled},
	{name: "context/subscribe", run: checkSubscribeCancelled},
	{name: "context/next", run: checkNextCancelled},
	{name: "close/calls are refused", run: checkClosed},
	{name: "close/ends subscriptions", brief: true, run: checkCloseEndsSubscriptions},
	{name: "close/under appends", needs: durable, run: checkCloseUnderAppends},
	{name: "reopen/keeps all", brief: true, needs: durable, run: checkReopen},
}

// patience bounds each check: long enough for a loaded machine under the race
// detector, and reached only by a store that fails.
const patience = 2 * time.Minute

// soak multiplies rounds when DAYBOOK_SOAK=1.
func soak(rounds int) int {
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		return rounds * 20
	}
	return rounds
}

// env is one check's surroundings.
type env struct {
	testing.TB
	open Opener
	ctx  context.Context // ends when patience does
}

func newEnv(t testing.TB, open Opener) *env {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &env{TB: t, open: open, ctx: ctx}
}

func (e *env) context() context.Context { return e.ctx }

// store opens the ledger and closes the store when the check ends.
func (e *env) store() eventstore.Store {
	e.Helper()
	s, err := e.open()
	if err != nil {
		e.Fatalf("open: %v", err)
	}
	e.Cleanup(func() {
		if err := s.Close(); err != nil && !isClosed(err) {
			e.Errorf("close: %v", err)
		}
	})
	return s
}

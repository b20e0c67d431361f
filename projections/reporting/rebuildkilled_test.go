package reporting

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"daybook/eventstore"
	"daybook/projections"
)

// What a process that rebuilds is told, where this test binary is run as one.
const (
	rebuildLedgerEnv   = "DAYBOOK_TEST_REBUILD_LEDGER"
	rebuildDatabaseEnv = "DAYBOOK_TEST_REBUILD_DATABASE"
)

// TestRebuilds is no test of its own: it is the process that TestRebuildKilled kills.
func TestRebuilds(t *testing.T) {
	dir := os.Getenv(rebuildLedgerEnv)
	if dir == "" {
		return
	}
	l := openLedger(t, dir)
	db := openDatabase(t, os.Getenv(rebuildDatabaseEnv))
	_, err := projections.Rebuild(t.Context(), l.store, db.View(l.store, l.codec), projections.RebuildOptions{
		Build: "a", Batch: 8, Progress: func(p projections.Progress) { fmt.Println(p.Stage, uint64(p.At)) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRebuildKilled kills a process that rebuilds, over and over, wherever it is. The next
// one goes on where it was, the live tables are whole all the time, and the end is what it
// would have been.
func TestRebuildKilled(t *testing.T) {
	kills := 4
	if soak() {
		kills = 60
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	bothEnds(t, func(t *testing.T, fresh func() string) {
		random := rand.New(rand.NewPCG(seed, 1))
		dir, url := t.TempDir(), fresh()
		l := openLedger(t, dir)
		l.random(rand.New(rand.NewPCG(27, 27)), 120)
		records := l.records()
		db := openDatabase(t, url)
		applyAll(t, db.View(l.store, l.codec), records, 40)
		want := dump(t, db)
		if err := l.store.Close(); err != nil {
			t.Fatal(err)
		}
		last, wentOn := eventstore.Position(0), 0
		for n := range kills {
			// #nosec G204 -- it is this very program
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRebuilds$")
			c.Env = append(os.Environ(), rebuildLedgerEnv+"="+dir, rebuildDatabaseEnv+"="+url)
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			stop := 1 + random.IntN(len(records)/8/2)
			lines := bufio.NewScanner(out)
			for i := 0; lines.Scan() && strings.HasPrefix(lines.Text(), string(projections.StageBuild)); i++ {
				var at uint64
				if _, err := fmt.Sscanf(lines.Text(), "build %d", &at); err != nil {
					t.Fatalf("%q: %v", lines.Text(), err)
				}
				if i == 0 { // it says first where it begins
					if n > 0 && at > 0 {
						wentOn++
					}
					if eventstore.Position(at) < last {
						t.Errorf("begins at %d after %d was reached", at, last)
					}
				}
				last = eventstore.Position(at)
				if i == stop {
					break
				}
			}
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if last == records[len(records)-1].Position {
				last = 0 // it may have got as far as the swap
			}
			_ = c.Wait() // it was killed
			sameRows(t, "live", dump(t, db), want)
		}
		if wentOn == 0 {
			t.Error("no rebuild went on with what another had left")
		}
		l = openLedger(t, dir)
		done, err := projections.Rebuild(context.Background(), l.store, db.View(l.store, l.codec), projections.RebuildOptions{Build: "a"})
		if err != nil || !done.Equal() {
			t.Fatalf("%+v, %v", done, err)
		}
		sameRows(t, "rebuilt", dump(t, db), want)
		noCopyLeft(t, db)
	})
}

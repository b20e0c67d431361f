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
	db.engine = tellingEngine{db.engine}
	_, err := projections.Rebuild(t.Context(), l.store, db.View(l.store, l.codec), projections.RebuildOptions{
		Build: "a", Batch: 8, Progress: func(p projections.Progress) { fmt.Println(p.Stage, uint64(p.At)) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

// tellingEngine tells of each change of the tables themselves before it begins.
type tellingEngine struct{ engine }

func (e tellingEngine) exclusive(ctx context.Context, fn func(tx) error) error {
	fmt.Println("exclusive")
	return e.engine.exclusive(ctx, fn)
}

// startRebuilding runs TestRebuilds as a process, whose lines are to be read.
func startRebuilding(t *testing.T, dir, url string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
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
	return c, bufio.NewScanner(out)
}

// built reads where a process that builds begins, and up to stop positions that it reaches.
func built(t *testing.T, lines *bufio.Scanner, stop int) (reached []eventstore.Position) {
	t.Helper()
	for len(reached) <= stop && lines.Scan() && !strings.HasPrefix(lines.Text(), string(projections.StageFinish)) {
		if !strings.HasPrefix(lines.Text(), string(projections.StageBuild)) {
			continue
		}
		var at uint64
		if _, err := fmt.Sscanf(lines.Text(), "build %d", &at); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		reached = append(reached, eventstore.Position(at))
	}
	if len(reached) == 0 {
		t.Fatal("it did not begin to build")
	}
	return reached
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
			c, lines := startRebuilding(t, dir, url)
			stop := 1 + random.IntN(len(records)/8/2)
			reached := built(t, lines, stop)
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if reached[0] < last {
				t.Errorf("begins at %d after %d was reached", reached[0], last)
			}
			if n > 0 && reached[0] > 0 {
				wentOn++
			}
			// A batch is told of when it is folded, and is written when the next one is.
			last = reached[max(0, len(reached)-2)]
			for lines.Scan() { // it went on until it was killed
				if strings.HasPrefix(lines.Text(), string(projections.StageSwap)) {
					last = 0 // the next one begins anew
				}
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

// TestKilledAtItsIndexes kills a process while it makes the indexes of its copy, one index
// later each time. The next one makes those that are missing.
func TestKilledAtItsIndexes(t *testing.T) {
	bothEnds(t, func(t *testing.T, fresh func() string) {
		dir, url := t.TempDir(), fresh()
		l := openLedger(t, dir)
		l.random(rand.New(rand.NewPCG(29, 29)), 20)
		db := openDatabase(t, url)
		applyAll(t, db.View(l.store, l.codec), l.records(), 512)
		rows, indexes := dump(t, db), indexesOf(t, db, "")
		if err := l.store.Close(); err != nil {
			t.Fatal(err)
		}
		for _, made := range []int{0, 1, len(indexes) - 1} {
			c, lines := startRebuilding(t, dir, url)
			for finishing, left := false, made; lines.Scan(); {
				finishing = finishing || strings.HasPrefix(lines.Text(), string(projections.StageFinish))
				if finishing && lines.Text() == "exclusive" {
					if left == 0 {
						break
					}
					left--
				}
			}
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = c.Wait() // it was killed
			if n := len(indexesOf(t, db, nextPrefix)); n < made {
				t.Errorf("%d indexes are there after %d were made", n, made)
			}
			equal(t, "indexes of the live tables", indexesOf(t, db, ""), indexes)
		}
		l = openLedger(t, dir)
		done, err := projections.Rebuild(context.Background(), l.store, db.View(l.store, l.codec), projections.RebuildOptions{Build: "a"})
		if err != nil || !done.Equal() {
			t.Fatalf("%+v, %v", done, err)
		}
		sameRows(t, "rebuilt", dump(t, db), rows)
		equal(t, "indexes afterwards", indexesOf(t, db, ""), indexes)
		noCopyLeft(t, db)
	})
}

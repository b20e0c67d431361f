package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
)

// standing is how often each booking of the old system stands on the days of a batch.
func (h *house) standing(id domain.RestaurantID, m restaurant.Import) map[string]int {
	h.t.Helper()
	n := map[string]int{}
	for _, date := range m.Dates {
		s := h.day(id, date)
		for _, number := range s.Facts() {
			r, _ := s.Reservation(number)
			n[r.Fact.External]++
		}
	}
	return n
}

// allOf is each row of a file, standing once.
func allOf(f RecordFacts) map[string]int {
	n := map[string]int{}
	for _, row := range f.Rows {
		n[row.External] = 1
	}
	return n
}

// held stops a process at its first write to the evening's book: once before the write and
// once after it, until the test lets it go on.
type held struct {
	reached, write, written, answer chan struct{}
	once                            sync.Once
}

func newHeld() *held {
	return &held{reached: make(chan struct{}), write: make(chan struct{}), written: make(chan struct{}), answer: make(chan struct{})}
}

func (g *held) around(store eventstore.Store) eventstore.Store {
	return &hooked{Store: store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (at eventstore.Appended, err error) {
		first := false
		if strings.HasPrefix(string(s), "day-") && strings.HasSuffix(string(s), evening.String()) {
			g.once.Do(func() { first = true })
		}
		if !first {
			return do(ctx, s, x, es...)
		}
		close(g.reached)
		<-g.write
		at, err = do(ctx, s, x, es...)
		close(g.written)
		<-g.answer
		return at, err
	}}
}

// A write that comes in after its batch was taken back is no booking of the file that is
// recorded next: that one has its own, also where the file has it on another day.
func TestALateWriteIsNotTakenForKnown(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		h := newHouse(t)
		id, f := h.restaurant(3), oldSystem()
		again := f
		if elsewhere {
			again.Digest, again.Rows = "d2", slices.Clone(f.Rows)
			for i := range again.Rows {
				again.Rows[i].StartsAt += 7 * 24 * 3_600_000
			}
		}
		g := newHeld()
		ended := make(chan error, 1)
		late := h.app(on(g.around(h.store)))
		go func() {
			_, err := late.RecordFacts(context.Background(), manager("k"), id, f)
			ended <- err
		}()
		<-g.reached
		if _, err := h.app().UndoFacts(t.Context(), manager("u"), id, f.Batch, false); err != nil {
			t.Fatal(err)
		}
		close(g.write)
		<-g.written
		shown, err := h.app().PreviewFacts(t.Context(), manager(""), id, again)
		if err != nil || shown.Counts.Recorded != len(f.Rows) {
			t.Errorf("elsewhere %t: previewed %+v, %v", elsewhere, shown.Counts, err)
		}
		got, err := h.app().RecordFacts(t.Context(), manager("k2"), id, again)
		if err != nil || got.Counts.Recorded != len(f.Rows) || got.Import.Run != 2 {
			t.Errorf("elsewhere %t: recorded again: %+v, %v", elsewhere, got.Counts, err)
		}
		close(g.answer)
		if err := <-ended; code(err) != domain.CodeImportRunning {
			t.Errorf("elsewhere %t: the run that was undone: %v", elsewhere, err)
		}
		if stand, want := h.standing(id, got.Import), allOf(again); fmt.Sprint(stand) != fmt.Sprint(want) {
			t.Errorf("elsewhere %t: %v stand, want each once", elsewhere, stand)
		}
	}
}

// Two processes are at one run. The slower one finds it ended, and the batch run again since:
// what is recorded stays.
func TestARunThatAnotherEndedTakesNothingBack(t *testing.T) {
	h := newHouse(t)
	id, f := h.restaurant(3), oldSystem()
	g := newHeld()
	ended := make(chan error, 1)
	slow := h.app(on(g.around(h.store)))
	go func() {
		_, err := slow.RecordFacts(context.Background(), manager("k"), id, f)
		ended <- err
	}()
	<-g.reached
	if _, err := h.app().RecordFacts(t.Context(), manager("k2"), id, f); err != nil {
		t.Fatal(err)
	}
	more := f
	more.Digest, more.Rows = "d2", append(slices.Clone(f.Rows), theirs(90, 0, 1, 2))
	got, err := h.app().RecordFacts(t.Context(), manager("k3"), id, more)
	if err != nil || got.Counts.Recorded != 1 || got.Counts.Known != len(f.Rows) {
		t.Fatalf("%+v, %v", got.Counts, err)
	}
	close(g.write)
	close(g.answer)
	if err := <-ended; err != nil {
		t.Errorf("the slow one: %v", err)
	}
	if stand, want := h.standing(id, got.Import), allOf(more); fmt.Sprint(stand) != fmt.Sprint(want) {
		t.Errorf("%v stand, want each once", stand)
	}
}

// An undoing that another overtook takes nothing back of what was recorded since.
func TestALateUndoingSparesALaterRun(t *testing.T) {
	h := newHouse(t)
	id, f := h.restaurant(3), oldSystem()
	if _, err := h.app().RecordFacts(t.Context(), manager("k"), id, f); err != nil {
		t.Fatal(err)
	}
	g := newHeld()
	ended := make(chan error, 1)
	slow := h.app(on(g.around(h.store)))
	go func() {
		_, err := slow.UndoFacts(context.Background(), manager("u"), id, f.Batch, false)
		ended <- err
	}()
	<-g.reached
	if _, err := h.app().UndoFacts(t.Context(), manager("u2"), id, f.Batch, false); err != nil {
		t.Fatal(err)
	}
	got, err := h.app().RecordFacts(t.Context(), manager("k2"), id, f)
	if err != nil || got.Counts.Recorded != len(f.Rows) {
		t.Fatalf("%+v, %v", got.Counts, err)
	}
	close(g.write)
	close(g.answer)
	if err := <-ended; err != nil {
		t.Errorf("the slow one: %v", err)
	}
	if stand, want := h.standing(id, got.Import), allOf(f); fmt.Sprint(stand) != fmt.Sprint(want) {
		t.Errorf("%v stand, want each once", stand)
	}
}

// Whoever records and whoever undoes, at the same moment and over and over: of a batch that
// is done every booking stands once, and of one that was taken back none.
func TestRecordingRacesUndoing(t *testing.T) {
	f, rounds := oldSystem(), 8
	if soak() {
		rounds = 400
	}
	came := map[string]int{}
	for round := range rounds {
		h := newHouse(t)
		id, apps := h.restaurant(3), []*App{h.app(), h.app(), h.app()}
		var wg sync.WaitGroup
		var mu sync.Mutex
		note := func(what string, err error) {
			if err != nil && code(err) != domain.CodeImportRunning && code(err) != domain.CodeNotFound {
				t.Errorf("round %d: %s: %v", round, what, err)
			}
			mu.Lock()
			defer mu.Unlock()
			came[fmt.Sprint(what, " ", code(err))]++
		}
		for i, app := range apps {
			wg.Go(func() {
				for k := range 3 {
					key := manager(fmt.Sprint(round, " ", i, " ", k))
					if (i+k+round)%2 == 0 {
						_, err := app.RecordFacts(context.Background(), key, id, f)
						note("recorded", err)
					} else {
						_, err := app.UndoFacts(context.Background(), key, id, f.Batch, false)
						note("undone", err)
					}
				}
			})
		}
		wg.Wait()
		is := h.imported(id, f.Batch)
		want := map[string]int{}
		if is.Status == restaurant.ImportDone {
			want = allOf(f)
		}
		if stand := h.standing(id, is); is.Status == restaurant.ImportUndoing || is.Status == restaurant.ImportRunning || fmt.Sprint(stand) != fmt.Sprint(want) {
			t.Fatalf("round %d: the batch is %s, and %d of %d stand: %v", round, is.Status, len(stand), len(want), stand)
		}
		for _, date := range is.Dates {
			apartOn(t, h.day(id, date))
		}
	}
	t.Log(came)
}

// imported is a batch as the restaurant's stream tells of it.
func (h *house) imported(id domain.RestaurantID, batch string) restaurant.Import {
	h.t.Helper()
	run, err := h.app().factRun(context.Background(), manager(""), id, RecordFacts{Batch: batch})
	if err != nil {
		h.t.Fatal(err)
	}
	m, _ := run.r.State.Import(batch)
	return m
}

package commands

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// manager is the owner's request with this key.
func manager(key string) Caller {
	return Caller{User: owner, Route: "POST imports", Key: key, Body: []byte(key)}
}

// theirs is a booking of another system, so many half hours after 18:00 so many evenings
// after the first.
func theirs(line, evenings, halfHours int, party domain.PartySize, tables ...string) FactRow {
	starts := time.Date(2026, 11, 21+evenings, 17, 30*halfHours, 0, 0, time.UTC)
	return FactRow{
		Line: line, External: fmt.Sprintf("R-%d", line), StartsAt: domain.InstantOf(starts), Time: starts.Add(time.Hour).Format("15:04"),
		Party: party, Status: restaurantday.StatusConfirmed, Tables: tables, MadeAt: domain.InstantOf(morning) - domain.Instant(line),
		Details: restaurantday.Details{Guest: restaurantday.Guest{Name: fmt.Sprintf("Guest %d", line)}, Notes: "by the window"},
	}
}

// oldSystem is a file of three evenings: more than fits, on tables that are not all there.
func oldSystem() RecordFacts {
	f := RecordFacts{Batch: "march", Source: "old-book", Digest: "d1", Bad: 1, Skipped: 2}
	for i := range 40 {
		row := theirs(i+2, i%3, i%5, domain.PartySize(1+i%3))
		switch i % 7 {
		case 1:
			row.Tables = []string{"1"}
		case 2:
			row.Tables = []string{"99"}
		case 3:
			row.Status = restaurantday.StatusCancelled
		}
		f.Rows = append(f.Rows, row)
	}
	return f
}

// outcomes is how many rows came to what.
func outcomes(r FactsReport) map[FactOutcome]int {
	n := map[FactOutcome]int{}
	for _, row := range r.Results {
		n[row.Outcome]++
	}
	return n
}

// apartOn checks that no table has two parties at once, and that who has none stands in conflict.
func apartOn(t *testing.T, s restaurantday.State) {
	t.Helper()
	list := s.Bookings()
	for i, a := range list {
		for _, b := range list[:i] {
			if a.From < b.To && b.From < a.To && slices.ContainsFunc(a.Tables, func(n int) bool { return slices.Contains(b.Tables, n) }) {
				t.Errorf("%d and %d have one table on %s", a.Number, b.Number, s.Date)
			}
		}
		if r, _ := s.Reservation(a.Number); len(a.Tables) == 0 && len(r.Open()) == 0 {
			t.Errorf("%d on %s has no table and no conflict", a.Number, s.Date)
		}
	}
}

func TestFactsArePreviewedRecordedAndKnownAgain(t *testing.T) {
	h := newHouse(t)
	id, f := h.restaurant(2), oldSystem()
	before := h.ledger()
	shown, err := h.app().PreviewFacts(t.Context(), manager(""), id, f)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, h.ledger()) {
		t.Fatal("a preview wrote something")
	}
	got, err := h.app().RecordFacts(t.Context(), manager("k"), id, f)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Results, shown.Results) || !reflect.DeepEqual(got.Counts, shown.Counts) {
		t.Errorf("recorded\n%+v\npreviewed\n%+v", got.Counts, shown.Counts)
	}
	if got.Counts.Recorded != 40 || got.Counts.Bad != 1 || got.Counts.Skipped != 2 || len(got.Counts.Conflicts) == 0 {
		t.Errorf("%+v", got.Counts)
	}
	if m := got.Import; m.Status != restaurant.ImportDone || m.Run != 1 || len(m.Dates) != 3 || !reflect.DeepEqual(m.Counts, got.Counts) {
		t.Errorf("%+v", m)
	}
	for i := range 3 {
		apartOn(t, h.day(id, evening+domain.ServiceDate(i)))
	}
	written := h.ledger()
	// The same request again has its first answer, and so has the same run by another process.
	for range 2 {
		again, err := h.app().RecordFacts(t.Context(), manager("k"), id, f)
		if err != nil || !reflect.DeepEqual(again.Counts, got.Counts) || !reflect.DeepEqual(again.Results, got.Results) || !again.Replayed {
			t.Errorf("again: %+v, %v", again.Counts, err)
		}
	}
	if !reflect.DeepEqual(written, h.ledger()) {
		t.Error("a repeat wrote something")
	}
	// A second run knows all rows; one that says something else now is told of, not applied.
	second := f
	second.Rows = slices.Clone(f.Rows)
	second.Digest = "d2"
	second.Rows[0].Party++
	second.Rows[1].StartsAt += 7 * 24 * 3_600_000 // another day
	second.Rows = append(second.Rows, theirs(90, 0, 1, 2), theirs(91, 0, 1, 2))
	second.Rows[41].External = "R-90" // stands there twice, and differs
	second.Rows[41].Party = 1
	re, err := h.app().RecordFacts(t.Context(), manager("k2"), id, second)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[FactOutcome]int{FactKnown: 38, FactChanged: 2, FactRecorded: 1, FactBad: 1}; !reflect.DeepEqual(outcomes(re), want) {
		t.Errorf("got %v, want %v", outcomes(re), want)
	}
	if re.Import.Run != 2 || re.Results[1].Why == "" || re.Results[1].ID == "" {
		t.Errorf("%+v\n%+v", re.Import, re.Results[1])
	}
	if _, err := h.app().RecordFacts(t.Context(), Caller{User: ada, Key: "x"}, id, f); code(err) != domain.CodeForbidden {
		t.Errorf("by somebody else: %v", err)
	}
	if _, err := h.app().PreviewFacts(t.Context(), Caller{User: ada}, id, f); code(err) != domain.CodeForbidden {
		t.Errorf("previewed by somebody else: %v", err)
	}
}

// Wherever a run is cut off, the same batch sent again ends it, with each booking once; and
// so with an undoing.
func TestFactsAreRecordedOnceWhereverARunIsCutOff(t *testing.T) {
	whole := newHouse(t)
	id := whole.restaurant(2)
	f := oldSystem()
	want, err := whole.app().RecordFacts(t.Context(), manager("k"), id, f)
	if err != nil {
		t.Fatal(err)
	}
	const appends = 5 // begun, three days, ended; and so for an undoing
	for n := range 2 * appends {
		cut, written := n/2, n%2 == 1
		h := newHouse(t)
		h.restaurant(2)
		store, dead := mortal(h.store, cut, written)
		if _, err := h.app(on(store)).RecordFacts(t.Context(), manager("k"), id, f); err == nil || !dead() {
			t.Fatalf("%d: it was not cut off: %v", n, err)
		}
		begun, ended := n > 0, n == 2*appends-1
		// Meanwhile another file of the source has to wait.
		other := RecordFacts{Batch: "april", Source: "old-book", Digest: "d9"}
		if _, err := h.app().PreviewFacts(t.Context(), manager(""), id, other); (code(err) == domain.CodeImportRunning) != (begun && !ended) {
			t.Errorf("%d, another batch: %v", n, err)
		}
		key := "k"
		if cut%2 == 1 {
			key = "another"
		}
		var got [2]FactsReport
		var wg sync.WaitGroup
		for i := range got { // two processes at once
			wg.Go(func() {
				var err error
				if got[i], err = h.app().RecordFacts(context.Background(), manager(key), id, f); err != nil {
					t.Errorf("%d, then: %v", n, err)
				}
			})
		}
		wg.Wait()
		for i := range got {
			if !reflect.DeepEqual(got[i].Counts, want.Counts) {
				t.Errorf("%d: got %+v, want %+v", n, got[i].Counts, want.Counts)
			}
		}
		for date := range domain.ServiceDate(3) {
			if got, want := h.day(id, evening+date), whole.day(id, evening+date); !reflect.DeepEqual(got.Bookings(), want.Bookings()) {
				t.Errorf("%d: %s has\n%+v\nwant\n%+v", n, evening+date, got.Bookings(), want.Bookings())
			}
		}
		store, dead = mortal(h.store, cut, written)
		if _, err := h.app(on(store)).UndoFacts(t.Context(), manager("u"), id, "march", false); err == nil || !dead() {
			t.Fatalf("%d: the undoing was not cut off: %v", n, err)
		}
		done, err := h.app().UndoFacts(t.Context(), manager("u"), id, "march", false)
		if err != nil || done.Import.Withdrawn != 40 || len(done.Kept) != 0 || done.Import.Status != restaurant.ImportTaken {
			t.Errorf("%d: undone: %+v, %v", n, done, err)
		}
	}
}

func TestABatchIsTakenBack(t *testing.T) {
	h := newHouse(t)
	id, f := h.restaurant(3), oldSystem()
	app := h.app()
	first, err := app.HoldTable(t.Context(), caller(ada, "h"), HoldTable{Restaurant: id, Date: evening, Time: "18:30", Party: 2, Confirm: true})
	if err != nil {
		t.Fatal(err)
	}
	before := h.day(id, evening).Bookings()
	report, err := app.RecordFacts(t.Context(), manager("k"), id, f)
	if err != nil {
		t.Fatal(err)
	}
	var live []FactResult
	for _, r := range report.Results {
		if r.Status == restaurantday.StatusConfirmed && len(r.Tables) > 0 {
			live = append(live, r)
		}
	}
	if _, err := app.CancelReservation(t.Context(), manager("c"), live[0].ID, "called"); err != nil {
		t.Fatal(err)
	}
	notes := "a high chair"
	if _, err := app.AmendReservation(t.Context(), manager("a"), live[1].ID, AmendReservation{Details: restaurantday.DetailsChanges{Notes: &notes}}); err != nil {
		t.Fatal(err)
	}
	done, err := app.UndoFacts(t.Context(), manager("u"), id, "march", false)
	if err != nil {
		t.Fatal(err)
	}
	var kept []domain.ReservationID
	for _, k := range done.Kept {
		kept = append(kept, k.ID)
		if k.Forced != (k.ID == live[1].ID) {
			t.Errorf("%+v", k)
		}
	}
	slices.Sort(kept)
	want := []domain.ReservationID{live[0].ID, live[1].ID}
	slices.Sort(want)
	if !slices.Equal(kept, want) || done.Import.Withdrawn != 38 || done.Import.Kept != 2 {
		t.Errorf("kept %v, want %v; %+v", kept, want, done.Import)
	}
	if _, err := app.ConfirmReservation(t.Context(), manager("x"), report.Results[10].ID); code(err) != domain.CodeWithdrawn {
		t.Errorf("an entry that was taken back: %v", err)
	}
	forced, err := app.UndoFacts(t.Context(), manager("u2"), id, "march", true)
	if err != nil || forced.Import.Withdrawn != 39 || len(forced.Kept) != 1 || forced.Kept[0].ID != live[0].ID {
		t.Errorf("forced: %+v, %v", forced, err)
	}
	if after := h.day(id, evening).Bookings(); !reflect.DeepEqual(after, before) {
		t.Errorf("the evening has\n%+v\nand had\n%+v", after, before)
	}
	if r, _ := h.day(id, evening).Reservation(1); r.Status != restaurantday.StatusConfirmed || first.Reservation.Number != 1 {
		t.Errorf("who booked here: %+v", r)
	}
	// The same file again is recorded anew.
	anew, err := app.RecordFacts(t.Context(), manager("k3"), id, f)
	if err != nil || anew.Counts.Recorded != 39 || anew.Counts.Changed+anew.Counts.Known != 1 || anew.Import.Run != 2 {
		t.Errorf("anew: %+v, %v", anew.Counts, err)
	}
	if _, err := app.UndoFacts(t.Context(), manager("u3"), id, "nope", false); code(err) != domain.CodeNotFound {
		t.Errorf("no such batch: %v", err)
	}
}

// A run that is undone and killed before it has taken its last write back leaves that to the
// next undoing; one that lives takes back its own alone, not what a later run recorded.
func TestWhatARunLeftBehindIsTakenBack(t *testing.T) {
	h := newHouse(t)
	id, app, f := h.restaurant(3), h.app(), oldSystem()
	late, err := app.factRun(t.Context(), manager("k"), id, f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.RecordFacts(t.Context(), manager("k"), id, f); err != nil {
		t.Fatal(err)
	}
	if _, err := app.UndoFacts(t.Context(), manager("u"), id, f.Batch, false); err != nil {
		t.Fatal(err)
	}
	late.n = 1
	write := func() {
		for _, i := range late.days[evening] {
			open, err := app.opening(late.r, evening, app.now())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := app.days.handle(t.Context(), codec.DayStream(id, evening), Request[restaurantday.Command]{Command: late.command(i, app.now(), open), Meta: late.meta}); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	if len(h.day(id, evening).Facts()) == 0 {
		t.Fatal("nothing came in late")
	}
	done, err := app.UndoFacts(t.Context(), manager("u2"), id, f.Batch, false)
	if left := h.day(id, evening).Facts(); err != nil || len(left) != 0 || done.Import.Status != restaurant.ImportTaken {
		t.Errorf("%v are left: %+v, %v", left, done.Import, err)
	}
	written := h.ledger()
	if _, err := app.UndoFacts(t.Context(), manager("u3"), id, f.Batch, false); err != nil || !reflect.DeepEqual(h.ledger(), written) {
		t.Errorf("with nothing left, it wrote: %v", err)
	}
	// The second run is recorded, and then the first comes to look.
	if _, err := app.RecordFacts(t.Context(), manager("k2"), id, f); err != nil {
		t.Fatal(err)
	}
	stands := h.day(id, evening).Facts()
	if _, err := app.withdrawDay(t.Context(), id, evening, restaurantday.Withdraw{Actor: late.actor, Batch: f.Batch, Run: 1}, late.meta); err != nil {
		t.Fatal(err)
	}
	if got := h.day(id, evening).Facts(); len(got) == 0 || !slices.Equal(got, stands) {
		t.Errorf("of the later run %v stand, want %v", got, stands)
	}
}

// Facts and bookings that come at the same moment keep to the rule of one party a table.
func TestFactsRaceBookings(t *testing.T) {
	h := newHouse(t)
	id, f := h.restaurant(3), oldSystem()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := h.app().RecordFacts(context.Background(), manager("k"), id, f); err != nil {
			t.Error(err)
		}
	})
	other := h.app()
	for i := range 30 {
		wg.Go(func() {
			_, err := other.HoldTable(context.Background(), caller(ada, fmt.Sprint("b", i)), HoldTable{
				Restaurant: id, Date: evening + domain.ServiceDate(i%3), Time: []string{"18:00", "18:30", "19:00", "20:00"}[i%4], Party: 2, Confirm: true,
			})
			if err != nil && code(err) == "" {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i := range domain.ServiceDate(3) {
		apartOn(t, h.day(id, evening+i))
	}
}

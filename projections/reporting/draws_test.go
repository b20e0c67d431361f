package reporting

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// undrawn lists the types of which no record is there.
func undrawn(types []string, records []eventstore.Record) (missing []string) {
	drawn := map[string]bool{}
	for _, r := range records {
		drawn[r.Type] = true
	}
	for _, name := range types {
		if !drawn[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

// TestEveryEventIsDrawn: what these tests say of random ledgers they say of every event
// there is.
func TestEveryEventIsDrawn(t *testing.T) {
	var all []eventstore.Record
	for seed := range uint64(5) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(seed, 1)), 250)
		all = append(all, l.records()...)
	}
	if missing := undrawn(codec.Types(), all); len(missing) > 0 {
		t.Errorf("no random ledger has %v: draw them in internal/daytest, or in ledger_test.go where they are of no day", missing)
	}
	if got := undrawn(append(codec.Types(), "payment.taken"), all); !slices.Equal(got, []string{"payment.taken"}) {
		t.Errorf("an event that is new is not missed: %v", got)
	}
}

// checkRows compares what the rows tell of each reservation, each table it has or had, and
// each entry of a waitlist with the days as they are folded.
func checkRows(t *testing.T, l *ledger, db *Database) {
	t.Helper()
	var want []string
	for _, s := range l.days {
		for n := uint32(1); int(n) <= s.Reservations(); n++ {
			r, _ := s.Reservation(n)
			batch := ""
			if r.Fact != nil {
				batch = r.Fact.Batch
			}
			want = append(want, fmt.Sprintln("reservation", s.ID(n), r.Status, r.Party, r.Slot.Time, r.Slot.Shift, int64(r.Turn.From), int64(r.Turn.To),
				int64(r.Occupied.To), int64(r.ExpiresAt), int64(r.SeatedAt), r.By, r.Late, r.Covers, r.Exception, len(r.Open()), batch, r.MovedFrom, r.MovedTo, r.Bound))
			for _, table := range r.Tables {
				want = append(want, fmt.Sprintln("table", s.ID(n), table, int64(r.Occupied.From), int64(r.Occupied.To),
					r.Status.Live() || r.Status == restaurantday.StatusCompleted))
			}
		}
		for n := uint32(1); int(n) <= s.WaitlistEntries(); n++ {
			w, _ := s.WaitlistEntry(n)
			offered := domain.ReservationID("")
			if w.Number != 0 {
				offered = s.ID(w.Number)
			}
			want = append(want, fmt.Sprintln("waits", domain.NewWaitlistID(s.Restaurant, s.Date, n), w.Status, w.Party, int64(w.From), int64(w.To),
				int64(w.Quoted), w.Reason, w.WalkIn, offered))
		}
	}
	var got []string
	read := func(columns int, flags []int, sql string) {
		t.Helper()
		err := db.engine.query(context.Background(), func(row scanner) error {
			values, dest := make([]any, columns), make([]any, columns)
			for i := range values {
				dest[i] = &values[i]
			}
			if err := row.Scan(dest...); err != nil {
				return err
			}
			for _, i := range flags { // SQLite has none
				if n, ok := values[i].(int64); ok {
					values[i] = n != 0
				}
			}
			got = append(got, fmt.Sprintln(values...))
			return nil
		}, sql)
		if err != nil {
			t.Fatal(err)
		}
	}
	read(20, []int{12, 14, 19}, `SELECT 'reservation', reservation_id, status, party, slot_time, shift, starts_at, ends_at, occupied_until, COALESCE(expires_at, 0),
		COALESCE(seated_at, 0), COALESCE(cancelled_by, ''), late, covers, exception, conflicts, COALESCE(import_batch, ''), COALESCE(moved_from, ''),
		COALESCE(moved_to, ''), bound FROM reservations`)
	read(6, []int{5}, `SELECT 'table', reservation_id, table_id, starts_at, occupied_until, live FROM reservation_tables WHERE NOT given_up`)
	read(10, []int{8}, `SELECT 'waits', waitlist_id, status, party, earliest, latest, COALESCE(quoted_for, 0), COALESCE(left_because, ''), walk_in,
		COALESCE(reservation_id, '') FROM waitlist_entries`)
	slices.Sort(want)
	slices.Sort(got)
	sameRows(t, "rows", got, want)
}

// TestRowsTellOfDays: whatever happens on a day, the rows tell what the day came to.
func TestRowsTellOfDays(t *testing.T) {
	seeds := 4
	if soak() {
		seeds = 60
	}
	for seed := range uint64(seeds) {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(seed, 2)), 400)
		db := openDatabase(t, filepath.Join(t.TempDir(), "rows.db"))
		applyAll(t, db.View(l.store, l.codec), l.records(), 37)
		checkRows(t, l, db)
		checkCounts(t, l, db)
		for _, line := range dump(t, db) {
			if strings.Contains(line, secret) {
				t.Fatalf("personal data in clear: %s", line)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestAnOfferThatIsOneAgain: staff confirmed what was offered, and took that back.
func TestAnOfferThatIsOneAgain(t *testing.T) {
	l := newLedger(t)
	r, staff, diner := restaurantID(1), domain.Staff(userID(9)), domain.Diner(userID(1))
	open := &restaurantday.Open{Now: opening, Restaurant: r, Date: day1, Plan: planOf(1, day1)}
	l.do(r, day1, diner, restaurantday.JoinWaitlist{
		Now: opening, Opening: open, Actor: diner, Diner: diner.User, Party: 2, From: evening, To: evening, Code: "J",
	})
	l.do(r, day1, staff, restaurantday.Confirm{Now: opening + 1, Actor: staff, Number: 1})
	l.do(r, day1, staff, restaurantday.Undo{Now: opening + 2, Actor: staff})
	s := l.days[codec.DayStream(r, day1)]
	if w, ok := s.WaitlistEntry(1); !ok || w.Status != restaurantday.WaitlistOffering {
		t.Fatalf("%+v is no offer", w)
	}
	db := openDatabase(t, filepath.Join(t.TempDir(), "offer.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 1)
	checkRows(t, l, db)
	var ended int
	if err := one(context.Background(), db.engine.query, []any{&ended}, "SELECT COUNT(*) FROM waitlist_entries WHERE ended_at IS NOT NULL"); err != nil || ended != 0 {
		t.Errorf("%d entries have ended, %v", ended, err)
	}
}

// TestAnExceptionIsTold: a reservation that a change of the plan keeps is an exception, and
// its row says so though nothing else happened to it.
func TestAnExceptionIsTold(t *testing.T) {
	l := newLedger(t)
	r, staff := restaurantID(1), domain.Staff(userID(9))
	hold := holdOf(1, day1, opening, staff, 2, "18:00")
	hold.Confirm = true
	l.do(r, day1, staff, hold)
	next := planOf(1, day1)
	next.Revision, next.Slots = 8, next.Slots[1:]
	l.do(r, day1, staff, restaurantday.ChangePlan{Now: opening + 1, Actor: staff, Change: "c", Plan: next, Default: restaurantday.Keep})
	if kept, _ := l.days[codec.DayStream(r, day1)].Reservation(1); !kept.Exception {
		t.Fatalf("%+v is no exception", kept)
	}
	db := openDatabase(t, filepath.Join(t.TempDir(), "kept.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 1)
	checkRows(t, l, db)
}

package reporting

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// TestTheRandomLedgerHasAllEvents: what the tests of rebuilding and batches compare is all
// that can happen on a day, but for changed plans.
func TestTheRandomLedgerHasAllEvents(t *testing.T) {
	missing := map[string]bool{}
	for _, kind := range strings.Fields(`day.opened reservation.held reservation.reassigned reservation.confirmed reservation.cancelled
		reservation.expired reservation.amended reservation.tables_moved reservation.pinned reservation.unpinned reservation.seated
		reservation.completed reservation.no_show reservation.reinstated reservation.move_started reservation.moved reservation.move_aborted
		action.undone waitlist.joined waitlist.offered waitlist.passed_over waitlist.left`) {
		missing[kind] = true
	}
	for seed := uint64(0); seed < 10 && len(missing) > 0; seed++ {
		l := newLedger(t)
		l.random(rand.New(rand.NewPCG(seed, 1)), 1000)
		for _, r := range l.records() {
			delete(missing, r.Type)
		}
	}
	if len(missing) > 0 {
		t.Errorf("never written: %v", missing)
	}
}

// TestAuditOfAnEvening: what a hold under an override, a seat, an undo and the waitlist leave.
func TestAuditOfAnEvening(t *testing.T) {
	l := newLedger(t)
	r, staff := restaurantID(1), domain.Staff(userID(9))
	hold := holdOf(1, day1, evening-30*minute, staff, 2, "18:00")
	hold.Confirm, hold.Override = true, restaurantday.Override{Rule: domain.CodeTooSoon, Reason: secret}
	for _, c := range []restaurantday.Command{
		hold,
		restaurantday.Seat{Now: evening - minute, Actor: staff, Number: 1, Covers: 1},
		restaurantday.Undo{Now: evening, Actor: staff},
		restaurantday.JoinWaitlist{Now: evening + 1, Actor: staff, Party: 4, WalkIn: true, Code: "Q"},
		restaurantday.LeaveWaitlist{Now: evening + 2, Actor: staff, Entry: 1},
		restaurantday.StartMove{Now: evening + 3, Actor: staff, Number: 1, To: day1 + 1, Move: "m"},
	} {
		if !l.do(r, day1, staff, c) {
			t.Fatalf("%T was refused", c)
		}
	}
	db := openDatabase(t, filepath.Join(t.TempDir(), "audit.db"))
	applyAll(t, db.View(l.store, l.codec), l.records(), 512)
	all, err := db.Audit(context.Background(), AuditQuery{Restaurant: r, OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Type, Reason string
		Given        bool
		After        string
	}
	var got []line
	for _, e := range all.Items {
		got = append(got, line{e.Type, e.Reason, e.ReasonGiven, rest(t, e.After)})
	}
	want := []line{
		{"day.opened", "", false, `{}`},
		{"reservation.held", "override_too_soon", true, `{"override":"too_soon","status":"pending"}`},
		{"reservation.confirmed", "", false, `{"override":"too_soon","status":"confirmed"}`},
		{"reservation.seated", "", false, `{"bound":true,"covers":1,"override":"too_soon","seatedAt":"2026-11-21T17:59:00.000Z","status":"seated"}`},
		{"action.undone", "undo_seat", false, `{"bound":true,"covers":1,"override":"too_soon","seatedAt":"2026-11-21T17:59:00.000Z","status":"seated"}`},
		{"reservation.reinstated", "", false, `{"override":"too_soon","status":"confirmed"}`},
		{"waitlist.joined", "", false, `{"place":1,"quotedFor":"QUOTED","status":"waiting","walkIn":true}`},
		{"waitlist.left", "left", false, `{"leftBecause":"left","quotedFor":"QUOTED","status":"left","walkIn":true}`},
		{"reservation.move_started", "", false, `{"movingTo":"2026-11-22","override":"too_soon","status":"confirmed"}`},
	}
	equal(t, "the evening", got, want)
}

// rest is what a snapshot says besides what other tests compare, by name.
func rest(t *testing.T, snapshot json.RawMessage) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(snapshot, &all); err != nil {
		t.Fatalf("%s: %v", snapshot, err)
	}
	for name := range all {
		switch name {
		case "status", "override", "bound", "covers", "seatedAt", "movingTo", "place", "leftBecause", "walkIn":
		case "quotedFor":
			all[name] = "QUOTED"
		default:
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

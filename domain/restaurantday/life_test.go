package restaurantday

import (
	"reflect"
	"slices"
	"testing"

	"daybook/domain"
)

var host = domain.Staff("usr_00000000000000000000000009")

// firm is a confirmed hold.
func firm(at domain.Instant, party domain.PartySize, time string) Hold {
	h := hold(at, party, time)
	h.Confirm = true
	return h
}

func sameEvents(t *testing.T, got []Event, want ...Event) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func until(from, to domain.Instant) domain.Interval { return domain.Interval{From: from, To: to} }

func TestSeatCompleteAndTakeBack(t *testing.T) {
	s := given(t, firm(now, 4, "18:00"))
	d := Decider()
	early := evening - 10*minute
	c := []domain.TableID{"tbl_c"}

	part := decided(t, s, Seat{Now: early, Actor: host, Number: 1, Covers: 2})
	sameEvents(t, part, Seated{Stamp: stamp(early), Number: 1, Covers: 2, Tables: c, Occupied: until(early, evening+100*minute)})
	s = d.Fold(s, part...)
	if got := decided(t, s, Seat{Now: early, Actor: host, Number: 1, Covers: 2}); got != nil {
		t.Errorf("seated again: %+v", got)
	}
	if no := refused(t, s, Seat{Now: early, Actor: host, Number: 1, Covers: 1}); no.Code != domain.CodeInvalid {
		t.Errorf("fewer than sit: %v", no)
	}
	rest := decided(t, s, Seat{Now: evening, Actor: host, Number: 1})
	sameEvents(t, rest, Seated{Stamp: stamp(evening), Number: 1, Covers: 4, Tables: c, Occupied: until(early, evening+100*minute)})
	s = d.Fold(s, rest...)

	done := evening + 30*minute
	left := decided(t, s, Complete{Now: done, Actor: host, Number: 1})
	sameEvents(t, left, Completed{Stamp: stamp(done), Number: 1, FreedAt: done})
	over := d.Fold(s, left...)
	if r, _ := over.Reservation(1); r.Status != StatusCompleted || r.Occupied != until(early, done) || r.FreedAt != done {
		t.Errorf("completed: %+v", r)
	}
	sameEvents(t, decided(t, over, Undo{Now: done + 1, Actor: host}),
		Undone{Stamp: stamp(done + 1), Number: 1, Action: 3, Kind: ActionComplete},
		Reinstated{
			Stamp: stamp(done + 1), Number: 1, From: StatusCompleted, To: StatusSeated, Covers: 4, Tables: c, Bound: true,
			Turn: until(evening, evening+90*minute), Occupied: until(early, evening+100*minute),
		})

	// Somebody else sits there by then: undoing names who.
	taken := d.Fold(over, decided(t, over, WalkIn{Now: done + minute, Actor: host, Party: 4})...)
	no := refused(t, taken, Undo{Now: done + 2*minute, Actor: host, Number: 1})
	if no.Code != domain.CodeUndoBlocked || len(no.Reasons) != 1 || len(no.Reasons[0].Blocked) != 1 || no.Reasons[0].Blocked[0].Number != 2 {
		t.Errorf("undo with the table taken: %+v", no)
	}
	// So does one who sat there and has left: the party cannot have been there all the time.
	gone := d.Fold(taken, decided(t, taken, Complete{Now: done + 5*minute, Actor: host, Number: 2})...)
	no = refused(t, gone, Undo{Now: done + 10*minute, Actor: host, Number: 1})
	if no.Code != domain.CodeUndoBlocked || len(no.Reasons) != 1 || len(no.Reasons[0].Blocked) != 1 || no.Reasons[0].Blocked[0].Number != 2 {
		t.Errorf("undo after another party: %+v", no)
	}
}

// A party that goes back to the table it was moved from sits there from then on: others may
// have sat there meanwhile.
func TestBackAtTheTableBefore(t *testing.T) {
	moved, back := evening+10*minute, evening+30*minute
	s := given(t, firm(now, 2, "18:00"), Seat{Now: evening, Actor: host, Number: 1},
		MoveTable{Now: moved, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_b"}})
	sameEvents(t, decided(t, s, Undo{Now: back, Actor: host}),
		Undone{Stamp: stamp(back), Number: 1, Action: 2, Kind: ActionMoveTable},
		Reinstated{
			Stamp: stamp(back), Number: 1, From: StatusSeated, To: StatusSeated, Covers: 2, Tables: []domain.TableID{"tbl_a"}, Bound: true,
			Turn: until(evening, evening+60*minute), Occupied: until(back, evening+70*minute),
		})
}

func TestWhoSitsIsNotSatUpon(t *testing.T) {
	s := given(t, firm(now, 4, "18:00"), firm(now, 4, "20:00"), Seat{Now: evening, Actor: host, Number: 1})
	// The first party still sits when the second is due, longer than it was to.
	no := refused(t, s, Seat{Now: evening + 2*hour, Actor: host, Number: 2})
	if no.Code != domain.CodeNoTable || no.Reasons[0].Blocked[0].Number != 1 {
		t.Errorf("got %+v", no)
	}
	s = Decider().Fold(s, decided(t, s, Complete{Now: evening + 2*hour + 1, Actor: host, Number: 1})...)
	decided(t, s, Seat{Now: evening + 2*hour + 2, Actor: host, Number: 2})
}

// A party that is told of on a later date sat when it was to: by then that date has the table.
func TestSeatedOnALaterDate(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"))
	held, _ := s.Reservation(1)
	late := evening + 48*hour
	got := decided(t, s, Seat{Now: late, Actor: host, Number: 1})
	want := []Event{Seated{Stamp: stamp(late), Number: 1, Covers: 2, Tables: held.Tables, Occupied: held.Occupied}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	// Also where the date has been closed since, and has no times any more.
	closed := *s.Plan
	closed.Revision, closed.Slots, closed.Closure = closed.Revision+1, nil, "works"
	s.Plan = &closed
	if got := decided(t, s, Seat{Now: late, Actor: host, Number: 1}); !reflect.DeepEqual(got, want) {
		t.Errorf("of a date that was closed: got %+v\nwant %+v", got, want)
	}
}

// Staff who ask for a table are told which is taken, and what party has it.
func TestATableThatIsTaken(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"))
	no := refused(t, s, MoveTable{Now: now, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_b"}})
	want := domain.Reject(domain.CodeNoTable, "table 2 is taken then, by a party of 2", domain.Reason{
		Rule: "turn_time", Limit: 70, Actual: 1, Blocked: []domain.Block{{Number: 2, Table: "tbl_b", Until: evening + 70*minute}},
	})
	if !reflect.DeepEqual(no, want) {
		t.Errorf("got  %+v\nwant %+v", no, want)
	}
}

// A refused amendment offers other times, and the time that the party has only if that would
// be another booking.
func TestAlternativesToAnAmendment(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "20:30"), firm(now, 2, "20:30"), firm(now, 3, "20:30"))
	for name, c := range map[string]struct {
		c    Amend
		want []string
	}{
		"to a full slot":    {Amend{Number: 1, Time: "20:30"}, []string{"19:00", "22:00", "18:30"}},
		"out of the hours":  {Amend{Number: 1, Time: "17:00"}, []string{"18:30", "19:00", "22:00"}},
		"and with one more": {Amend{Number: 1, Time: "20:30", Party: 3}, []string{"18:30", "18:00"}},
	} {
		c.c.Now, c.c.Actor = now, domain.Diner(diner)
		var got []string
		for _, a := range refused(t, s, c.c).Alternatives {
			got = append(got, a.Time)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNoShowAndReinstate(t *testing.T) {
	s := given(t, firm(now, 4, "18:00"))
	if no := refused(t, s, MarkNoShow{Now: evening - 1, Actor: host, Number: 1}); no.Code != domain.CodeTooEarly {
		t.Errorf("before its time: %v", no)
	}
	if no := refused(t, s, MarkNoShow{Now: evening, Actor: domain.Diner(diner), Number: 1}); no.Code != domain.CodeForbidden {
		t.Errorf("by the diner: %v", no)
	}
	gone := given(t, firm(now, 4, "18:00"), MarkNoShow{Now: evening + 15*minute, Actor: host, Number: 1})
	at := evening + 20*minute
	sameEvents(t, decided(t, gone, Reinstate{Now: at, Actor: host, Number: 1}), Reinstated{
		Stamp: stamp(at), Number: 1, From: StatusNoShow, To: StatusConfirmed, Tables: []domain.TableID{"tbl_c"},
		Turn: until(evening, evening+90*minute), Occupied: until(at, evening+100*minute),
	})
	taken := Decider().Fold(gone, decided(t, gone, WalkIn{Now: at, Actor: host, Party: 3})...)
	if no := refused(t, taken, Reinstate{Now: at + 1, Actor: host, Number: 1}); no.Code != domain.CodeNoTable || no.Reasons[0].Blocked[0].Number != 2 {
		t.Errorf("with the table taken: %+v", no)
	}
	// Who sat there meanwhile and has left is in nobody's way.
	free := Decider().Fold(taken, decided(t, taken, Complete{Now: at + 10*minute, Actor: host, Number: 2})...)
	back := decided(t, free, Reinstate{Now: at + 11*minute, Actor: host, Number: 1})
	if r := back[len(back)-1].(Reinstated); r.Occupied != until(at+11*minute, evening+100*minute) {
		t.Errorf("reinstated after another party: %+v", r)
	}
	if no := refused(t, gone, Reinstate{Now: evening + 3*hour, Actor: host, Number: 1}); no.Code != domain.CodeInPast {
		t.Errorf("when its time is over: %v", no)
	}
	// A party that sat down when its time was over, and was completed by mistake, sits as
	// long as if it had come then.
	late := evening + 100*minute
	left := given(t, firm(now, 4, "18:00"), Seat{Now: late, Actor: host, Number: 1}, Complete{Now: late + 5*minute, Actor: host, Number: 1})
	sits := decided(t, left, Reinstate{Now: late + 6*minute, Actor: host, Number: 1})
	if r := sits[len(sits)-1].(Reinstated); r.Occupied != until(late, late+100*minute) || r.To != StatusSeated {
		t.Errorf("reinstated after it came late: %+v", r)
	}
}

func TestAmend(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 4, "18:00"))
	me := domain.Diner(diner)
	later := decided(t, s, Amend{Now: now + 1, Actor: me, Number: 1, Time: "20:00", Details: DetailsChanges{Notes: ptr("late")}})
	sameEvents(t, later, Amended{
		Stamp: stamp(now + 1), Number: 1, Diner: diner, Party: 2, Slot: plan().Slots[4], Turn: until(evening+2*hour, evening+3*hour),
		Occupied: until(evening+2*hour, evening+3*hour+10*minute), Tables: []domain.TableID{"tbl_a"}, Told: true, Details: Details{Notes: "late"},
	})
	no := refused(t, s, Amend{Now: now + 1, Actor: me, Number: 1, Party: 3})
	if no.Code != domain.CodeNoTable || no.Reasons[0].Blocked[0].Number != 2 || len(no.Alternatives) == 0 {
		t.Errorf("more than fit: %+v", no)
	}
	if got := decided(t, s, Amend{Now: now + 1, Actor: me, Number: 1, Party: 2, Time: "18:00"}); got != nil {
		t.Errorf("the same again: %+v", got)
	}
	decided(t, s, Amend{Now: now + 1, Actor: me, Number: 1, On: s.Date, Time: "20:00"})
	if no := refused(t, s, Amend{Now: now + 1, Actor: me, Number: 1, On: s.Date + 1, Time: "20:00"}); no.Code != domain.CodeInvalid {
		t.Errorf("on another date: %v", no)
	}
	// Inside the notice its own time can be kept, but no other be had.
	near := evening - 10*minute
	decided(t, s, Amend{Now: near, Actor: me, Number: 1, Party: 1})
	if no := refused(t, s, Amend{Now: near, Actor: me, Number: 1, Time: "18:30"}); no.Code != domain.CodeTooSoon {
		t.Errorf("too soon: %v", no)
	}
	if no := refused(t, s, Amend{Now: near, Actor: me, Number: 1, Time: "18:30", Override: Override{Rule: domain.CodeTooSoon, Reason: "please"}}); no.Code != domain.CodeForbidden {
		t.Errorf("a diner's override: %v", no)
	}
	by := decided(t, s, Amend{Now: near, Actor: host, Number: 1, Time: "18:30", Override: Override{Rule: domain.CodeTooSoon, Reason: "regulars"}})
	s = Decider().Fold(s, by...)
	if r, _ := s.Reservation(1); r.Override.Reason != "regulars" || r.Slot.Time != "18:30" {
		t.Errorf("overridden: %+v", r)
	}
	s = Decider().Fold(s, decided(t, s, Undo{Now: near + 1, Actor: host})...)
	if r, _ := s.Reservation(1); r.Slot.Time != "18:00" || len(s.Actions()) != 0 {
		t.Errorf("undone: %+v, %+v", r, s.Actions())
	}
}

// What an amendment does not name stays as it is when it is decided, whoever changed it and
// whatever the sender had read.
func TestAmendmentsDoNotUndoEachOther(t *testing.T) {
	first := firm(now, 2, "18:00")
	first.Details = Details{Guest: Guest{Name: "Bo", Phone: "+4930123456"}, Notes: "by the window", SpecialRequests: "no nuts", Occasion: "birthday"}
	s := given(t, first)
	me := domain.Diner(diner)
	for _, c := range []Amend{
		{Details: DetailsChanges{Notes: ptr("in the garden")}},
		{Wish: WishChanges{Area: ptr("")}, Details: DetailsChanges{GuestName: ptr("Bob"), GuestEmail: ptr("bob@example.com")}},
		{Wish: WishChanges{Table: ptr(domain.TableID("tbl_b"))}},
		{Details: DetailsChanges{SpecialRequests: ptr("")}},
		{Party: 1, Details: DetailsChanges{Occasion: ptr("a wedding"), GuestPhone: ptr("")}},
	} {
		c.Now, c.Actor, c.Number = now+1, me, 1
		s = Decider().Fold(s, decided(t, s, c)...)
	}
	r, _ := s.Reservation(1)
	want := Details{Guest: Guest{Name: "Bob", Email: "bob@example.com"}, Notes: "in the garden", Occasion: "a wedding"}
	if r.Details != want || r.Wish != (Wish{Table: "tbl_b"}) || r.Party != 1 {
		t.Errorf("got %+v for %d wishing %+v, want %+v", r.Details, r.Party, r.Wish, want)
	}
	if got := decided(t, s, Amend{Now: now + 2, Actor: me, Number: 1, Details: DetailsChanges{Notes: ptr("in the garden")}}); got != nil {
		t.Errorf("the same again: %+v", got)
	}
}

func ptr[T any](v T) *T { return &v }

func TestOverridesHaveLimits(t *testing.T) {
	ask := func(rule domain.Code, reason string, time string) Hold {
		h := hold(now, 2, time)
		h.Actor, h.Override = host, Override{Rule: rule, Reason: reason}
		return h
	}
	if no := refused(t, State{}, ask(domain.CodeNoTable, "please", "18:00")); no.Code != domain.CodeNotOverridable {
		t.Errorf("double booking: %v", no)
	}
	if no := refused(t, State{}, ask(domain.CodePacingFull, "", "18:00")); no.Code != domain.CodeInvalid {
		t.Errorf("no reason: %v", no)
	}
	held := decided(t, State{}, ask(domain.CodeOutsideHours, "old friends", "17:15"))[1].(Held)
	if want := (Slot{Time: "17:15", StartsAt: evening - 45*minute, Closes: evening - 45*minute + 12*hour, Shift: "dinner"}); held.Slot != want {
		t.Errorf("a slot was made: %+v, want %+v", held.Slot, want)
	}
}

func TestLateCancellation(t *testing.T) {
	h := firm(now, 2, "18:00")
	p := plan()
	p.Policy.CancelMinutes = 120
	h.Opening.Plan = p
	s := given(t, h)
	for at, late := range map[domain.Instant]bool{evening - 2*hour: false, evening - 2*hour + 1: true} {
		sameEvents(t, decided(t, s, Cancel{Now: at, Actor: domain.Diner(diner), Number: 1}),
			Cancelled{Stamp: stamp(at), Number: 1, Diner: diner, By: ByDiner, Late: late})
	}
}

func TestMoveToAnotherDay(t *testing.T) {
	me := domain.Diner(diner)
	s := given(t, firm(now, 2, "18:00"), StartMove{Now: now, Actor: me, Number: 1, To: 20001, Move: "m"})
	for _, c := range []Command{
		Seat{Now: evening, Actor: host, Number: 1}, Amend{Now: now, Actor: me, Number: 1, Party: 1},
		StartMove{Now: now, Actor: me, Number: 1, To: 20002, Move: "n"}, MarkNoShow{Now: evening, Actor: host, Number: 1},
	} {
		if no := refused(t, s, c); no.Code != domain.CodeMoving {
			t.Errorf("%T: %v", c, no)
		}
	}
	for _, c := range []Command{StartMove{Now: now, Actor: me, Number: 1, To: 20001, Move: "m"}, AbortMove{Now: now, Actor: domain.System(), Number: 1, Move: "n"}} {
		if got := decided(t, s, c); got != nil {
			t.Errorf("%T: %+v", c, got)
		}
	}
	there := domain.NewReservationID(restaurant, 20001, 7)
	finish := FinishMove{Now: now + 1, Actor: domain.System(), Number: 1, Move: "m", To: there}
	sameEvents(t, decided(t, s, finish), Moved{Stamp: stamp(now + 1), Number: 1, To: there})
	sameEvents(t, decided(t, s, AbortMove{Now: now, Actor: domain.System(), Number: 1, Move: "m", Reason: domain.CodeNoTable}),
		MoveAborted{Stamp: stamp(now), Number: 1, Move: "m", Reason: domain.CodeNoTable})
	ended := Decider().Fold(s, decided(t, s, Cancel{Now: now, Actor: me, Number: 1})...)
	if no := refused(t, ended, finish); no.Code != domain.CodeCancelled {
		t.Errorf("finished after a cancellation: %v", no)
	}

	h := hold(now, 2, "18:00")
	h.MovedFrom = there
	other := given(t, h)
	sameEvents(t, decided(t, other, ExtendHold{Now: now + minute, Actor: domain.System(), Number: 1, Until: now + 20*minute}),
		HoldExtended{Stamp: stamp(now + minute), Number: 1, ExpiresAt: now + 20*minute})
	kept := given(t, h, ExtendHold{Now: now + minute, Actor: domain.System(), Number: 1, Until: now + 20*minute})
	decided(t, kept, Confirm{Now: now + 19*minute, Actor: domain.System(), Number: 1})
	if no := refused(t, kept, Confirm{Now: now + 20*minute, Actor: domain.System(), Number: 1}); no.Code != domain.CodeHoldExpired {
		t.Errorf("lapsed: %v", no)
	}
}

// A party that sits on is not sat upon when the next one's time is over, too.
func TestWhoSitsOnThroughTheNext(t *testing.T) {
	at := evening + 3*hour
	s := given(t, firm(now, 4, "18:00"), firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "20:00"))
	for n := range uint32(3) {
		s = Decider().Fold(s, decided(t, s, Seat{Now: evening, Actor: host, Number: n + 1})...)
	}
	s = Decider().Fold(s, decided(t, s, Cancel{Now: evening, Actor: host, Number: 4})...)
	s = Decider().Fold(s, decided(t, s, firm(evening, 2, "19:30"))...)
	s = Decider().Fold(s, decided(t, s, MoveTable{Now: evening + hour, Actor: host, Number: 5, Tables: []domain.TableID{"tbl_a"}})...)
	walk := WalkIn{Now: at, Actor: host, Party: 2, Tables: []domain.TableID{"tbl_a"}}
	if no := refused(t, s, walk); no.Code != domain.CodeNoTable {
		t.Errorf("got %+v", no)
	}
}

// What staff may set aside is the hours of the day, not the day.
func TestOutsideHoursIsOfTheDay(t *testing.T) {
	aside := Override{Rule: domain.CodeOutsideHours, Reason: "regulars"}
	s := given(t, firm(now, 2, "18:00"))
	for _, at := range []domain.Instant{evening - 20*hour, evening + 24*hour, evening + 5000*24*hour, 1, 1 << 62} {
		h := hold(now, 2, "")
		h.Actor, h.StartsAt, h.Override = host, at, aside
		if no := refused(t, s, h); no.Code != domain.CodeOutsideHours {
			t.Errorf("held for %s: %+v", at, no)
		}
		if no := refused(t, s, Amend{Now: now, Actor: host, Number: 1, StartsAt: at, Override: aside}); no.Code != domain.CodeOutsideHours {
			t.Errorf("amended to %s: %+v", at, no)
		}
	}
	for _, at := range []domain.Instant{evening + 25*hour, evening + 5000*24*hour} {
		if no := refused(t, s, WalkIn{Now: at, Actor: host, Party: 2, Override: aside}); no.Code != domain.CodeOutsideHours {
			t.Errorf("seated at %s: %+v", at, no)
		}
	}
	decided(t, s, WalkIn{Now: evening + 8*hour, Actor: host, Party: 2, Override: aside})
	h := hold(now, 2, "")
	h.Actor, h.StartsAt, h.Override = host, evening-2*hour, aside
	if got := decided(t, s, h)[0].(Held).Slot; got != (Slot{Time: "16:00", StartsAt: evening - 2*hour, Closes: evening + 10*hour, Shift: "dinner"}) {
		t.Errorf("held for %+v", got)
	}
}

// A party that is told the time it has is not asked for notice again, though its shift closes
// at another time by now.
func TestAmendedToItsOwnTime(t *testing.T) {
	next := plan()
	next.Revision = 1
	for i := range next.Slots {
		next.Slots[i].Closes -= 10 * minute
	}
	s := given(t, firm(now, 2, "18:00"), ChangePlan{Now: now, Actor: host, Change: "c", Plan: next})
	late := evening - 30*minute
	guest := domain.Diner(diner)
	if got := decided(t, s, Amend{Now: late, Actor: guest, Number: 1, Time: "18:00", Party: 2}); got != nil {
		t.Errorf("nothing was changed, yet %+v", got)
	}
	got := decided(t, s, Amend{Now: late, Actor: guest, Number: 1, Time: "18:00", Party: 1})
	if a := got[0].(Amended); a.Party != 1 || a.Slot != next.Slots[0] {
		t.Errorf("amended: %+v", a)
	}
}

// Staff's actions can be undone one after the other, the last first.
func TestUndoOneAfterTheOther(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"))
	held := s
	for _, c := range []Command{
		MoveTable{Now: now, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_b"}},
		Pin{Now: now, Actor: host, Number: 1, Off: true},
		Amend{Now: now, Actor: host, Number: 1, Party: 1, Time: "18:30"},
		Cancel{Now: now, Actor: host, Number: 1},
		Reinstate{Now: now, Actor: host, Number: 1},
		Seat{Now: evening, Actor: host, Number: 1},
		Complete{Now: evening + hour, Actor: host, Number: 1},
	} {
		s = Decider().Fold(s, decided(t, s, c)...)
	}
	actions := s.Actions()
	if no := refused(t, s, Undo{Now: evening + hour, Actor: host, Action: 2}); no.Code != domain.CodeUndoBlocked || no.Reasons[0].Actual != 3 {
		t.Errorf("the second of seven: %+v", no)
	}
	for i := len(actions) - 1; i >= 1; i-- {
		events := decided(t, s, Undo{Now: evening + hour, Actor: host, Number: 1})
		s = Decider().Fold(s, events...)
		if u := events[0].(Undone); u.Action != actions[i].Sequence || len(s.Actions()) != i {
			t.Errorf("undone: %+v, of %+v", u, actions[i])
		}
	}
	// The first of them is left.
	s = Decider().Fold(s, decided(t, s, Undo{Now: evening + hour, Actor: host})...)
	was, _ := held.Reservation(1)
	is, _ := s.Reservation(1)
	got := *is
	got.ChangedAt = was.ChangedAt
	if !reflect.DeepEqual(got, *was) {
		t.Errorf("got\n%+v\nwant\n%+v", got, *was)
	}
}

// A party that made way after it was unpinned goes back to the tables that it was bound to.
func TestUndoUnpinAfterMakingWay(t *testing.T) {
	late := plan()
	late.Policy.Assignment = LateBinding
	late.Tables[2].Min = 1
	first := firm(now, 2, "18:00")
	first.Opening.Plan = late
	s := given(t, first, MoveTable{Now: now, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_c"}},
		Pin{Now: now, Actor: host, Number: 1, Off: true}, firm(now, 4, "18:00"))
	if r, _ := s.Reservation(1); r.Tables[0] != "tbl_a" {
		t.Fatalf("it did not make way: %+v", r)
	}
	if no := refused(t, s, Undo{Now: now, Actor: host, Number: 1}); no.Code != domain.CodeUndoBlocked {
		t.Errorf("with the table given away: %+v", no)
	}
	s = Decider().Fold(s, decided(t, s, Cancel{Now: now, Actor: domain.System(), Number: 2})...)
	s = Decider().Fold(s, decided(t, s, Undo{Now: now, Actor: host, Number: 1})...)
	if r, _ := s.Reservation(1); r.Tables[0] != "tbl_c" || !r.Bound {
		t.Errorf("taken back: %+v", r)
	}
}

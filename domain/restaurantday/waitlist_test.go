package restaurantday

import (
	"testing"

	"daybook/domain"
)

func waits(at domain.Instant, who domain.UserID, party domain.PartySize) JoinWaitlist {
	return JoinWaitlist{Now: at, Actor: domain.Diner(who), Diner: who, Party: party, FromTime: "18:00", ToTime: "18:30", Code: "WAIT"}
}

// full has no table from 18:00 on, and three who wait: for four, for two, for two.
func full(t *testing.T) State {
	t.Helper()
	return given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00"),
		waits(now, "usr_4", 4), waits(now, "usr_5", 2), waits(now, "usr_6", 2))
}

func TestWhatIsFreedIsOfferedInOrder(t *testing.T) {
	at := now + hour
	s := full(t)
	got := decided(t, s, Cancel{Now: at, Actor: host, Number: 1})
	sameEvents(t, got,
		Cancelled{Stamp: stamp(at), Number: 1, Diner: diner, By: ByRestaurant},
		WaitlistPassedOver{Stamp: stamp(at), Entry: 1, For: 2, Code: domain.CodeNoTable},
		Held{
			Stamp: stamp(at), Number: 4, Diner: "usr_5", Party: 2, Slot: plan().Slots[0], Turn: until(evening, evening+hour),
			Occupied: until(evening, evening+70*minute), Tables: []domain.TableID{"tbl_a"}, ExpiresAt: at + 10*minute, Code: "WAIT",
			Online: true, Source: SourceWaitlist, Entry: 2,
		},
		WaitlistOffered{Stamp: stamp(at), Entry: 2, Number: 4, ExpiresAt: at + 10*minute})
	s = Decider().Fold(s, got...)
	if no := refused(t, s, hold(at, 2, "18:00")); no.Code != domain.CodeNoTable {
		t.Errorf("the open pool: %v", no)
	}

	t.Run("accepted", func(t *testing.T) {
		yes := decided(t, s, AcceptOffer{Now: at + 1, Actor: domain.Diner("usr_5"), Entry: 2})
		sameEvents(t, yes, Confirmed{Stamp: stamp(at + 1), Number: 4})
		if w, _ := Decider().Fold(s, yes...).WaitlistEntry(2); w.Status != WaitlistAccepted {
			t.Errorf("%+v", w)
		}
	})
	t.Run("declined, it goes to the next", func(t *testing.T) {
		nay := decided(t, s, LeaveWaitlist{Now: at + 1, Actor: domain.Diner("usr_5"), Entry: 2})
		next := Decider().Fold(s, nay...)
		if w, _ := next.WaitlistEntry(3); w.Status != WaitlistOffering || w.Number != 5 {
			t.Errorf("%+v", w)
		}
		if w, _ := next.WaitlistEntry(2); w.Status != WaitlistGone || w.Reason != LeftDeclined {
			t.Errorf("%+v", w)
		}
	})
	t.Run("lapsed, it goes to the next before anybody who asks", func(t *testing.T) {
		later := at + 10*minute
		if no := refused(t, s, hold(later, 2, "18:00")); no.Code != domain.CodeNoTable {
			t.Errorf("got %v", no)
		}
		next := Decider().Fold(s, decided(t, s, Lapse{Now: later})...)
		if w, _ := next.WaitlistEntry(3); w.Status != WaitlistOffering {
			t.Errorf("%+v", w)
		}
		if no := refused(t, next, AcceptOffer{Now: later, Actor: domain.Diner("usr_5"), Entry: 2}); no.Code != domain.CodeHoldExpired {
			t.Errorf("accepted too late: %v", no)
		}
	})
	t.Run("who left and comes back is last", func(t *testing.T) {
		back := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00"), waits(now, "usr_5", 2), waits(now, "usr_6", 2),
			LeaveWaitlist{Now: now, Actor: domain.Diner("usr_5"), Entry: 1}, waits(now, "usr_5", 2))
		if back.Place(3) != 2 || back.Place(2) != 1 || back.Place(1) != 0 {
			t.Errorf("places %d, %d, %d", back.Place(1), back.Place(2), back.Place(3))
		}
	})
}

func TestWhoMayWait(t *testing.T) {
	s := full(t)
	for name, c := range map[string]struct {
		c    JoinWaitlist
		code domain.Code
	}{
		"twice":         {waits(now, "usr_4", 2), domain.CodeAlreadyWaiting},
		"too large":     {waits(now, "usr_7", 5), domain.CodePartyTooLarge},
		"nobody":        {waits(now, "usr_7", 0), domain.CodeInvalid},
		"what is past":  {waits(evening+hour, "usr_7", 2), domain.CodeInPast},
		"other's entry": {JoinWaitlist{Now: now, Actor: domain.Diner("usr_7"), Party: 2, WalkIn: true}, domain.CodeForbidden},
		"backwards":     {JoinWaitlist{Now: now, Actor: host, Party: 2, From: evening, To: evening - 1}, domain.CodeInvalid},
	} {
		if no := refused(t, s, c.c); no.Code != c.code {
			t.Errorf("%s: got %v, want %s", name, no, c.code)
		}
	}
	if no := refused(t, s, LeaveWaitlist{Now: now, Actor: domain.Diner("usr_7"), Entry: 1}); no.Code != domain.CodeNotFound {
		t.Errorf("another's: %v", no)
	}
}

func TestTheDoor(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00"),
		Seat{Now: evening, Actor: host, Number: 1}, Seat{Now: evening, Actor: host, Number: 2}, Seat{Now: evening, Actor: host, Number: 3})
	at := evening + 10*minute
	first := decided(t, s, JoinWaitlist{Now: at, Actor: host, Party: 2, WalkIn: true})
	joined := WaitlistJoined{
		Stamp: stamp(at), Entry: 1, Party: 2, From: at, To: evening + 5*hour, WalkIn: true, Quoted: evening + 70*minute,
	}
	sameEvents(t, first, joined)
	s = Decider().Fold(s, first...)
	s = Decider().Fold(s, decided(t, s, JoinWaitlist{Now: at, Actor: host, Party: 3, WalkIn: true})...)
	if w, _ := s.WaitlistEntry(2); w.Quoted != evening+100*minute {
		t.Errorf("quoted %s", w.Quoted)
	}
	// Parties that stay half as long as they were to halve what is left of the others' turns.
	quick := s
	quick.turns = turns{parties: 3, planned: 180 * minute, actual: 90 * minute}
	if got, want := quick.Quote(4, Wish{}, at), evening+55*minute+90*minute+10*minute; got != want {
		t.Errorf("after quick turns: quoted %s, want %s", got, want) // one of three waits before it
	}
	s = Decider().Fold(s, decided(t, s, Complete{Now: at + 1, Actor: host, Number: 3})...)
	got := decided(t, s, WalkIn{Now: at + 2, Actor: host, Entry: 2})
	c := []domain.TableID{"tbl_c"}
	occupied := until(at+2, at+2+100*minute)
	sameEvents(t, got,
		WaitlistPassedOver{Stamp: stamp(at + 2), Entry: 1, For: 2, Code: domain.CodeStaffChoice},
		Held{
			Stamp: stamp(at + 2), Number: 4, Party: 3, Slot: Slot{Time: "18:10", StartsAt: at + 2, Closes: evening + 5*hour, Shift: "dinner"},
			Turn: until(at+2, at+2+90*minute), Occupied: occupied, Tables: c, ExpiresAt: at + 2 + 5*minute, Bound: true, Source: SourceWalkIn,
		},
		Confirmed{Stamp: stamp(at + 2), Number: 4},
		Seated{Stamp: stamp(at + 2), Number: 4, Covers: 3, Tables: c, Occupied: occupied},
		WaitlistLeft{Stamp: stamp(at + 2), Entry: 2, By: ByRestaurant, Reason: LeftSeated})
}

// A table is freed by a party that is seated elsewhere, too, and one can be had that was not
// while a party was pinned.
func TestSeatingAndUnpinningFree(t *testing.T) {
	at := evening - 50*minute
	s := given(t, firm(now, 4, "18:00"), waits(now, "usr_4", 4))
	s = Decider().Fold(s, decided(t, s, Seat{Now: at, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_a"}})...)
	if w, _ := s.WaitlistEntry(1); w.Status != WaitlistOffering {
		t.Errorf("seated elsewhere: %+v", w)
	}

	late := plan()
	late.Policy.Assignment = LateBinding
	late.Tables[2].Min = 1
	opened := firm(now, 2, "18:00")
	opened.Opening.Plan = late
	s = given(t, opened, MoveTable{Now: now, Actor: host, Number: 1, Tables: []domain.TableID{"tbl_c"}}, waits(now, "usr_4", 4))
	s = Decider().Fold(s, decided(t, s, Pin{Now: now, Actor: host, Number: 1, Off: true})...)
	if w, _ := s.WaitlistEntry(1); w.Status != WaitlistOffering {
		t.Errorf("unpinned: %+v", w)
	}
}

// Nobody waits for what cannot be.
func TestNothingToWaitFor(t *testing.T) {
	c := waits(now, "usr_4", 2)
	c.Wish = Wish{Area: "cellar"}
	if no := refused(t, full(t), c); no.Code != domain.CodeNoTable || no.Reasons[0].Rule != "table_capacity" {
		t.Errorf("got %+v", no)
	}
}

// An offer that staff accepted, and take that back, is an offer again: its guest can turn it
// down.
func TestAcceptedByMistake(t *testing.T) {
	s := given(t, firm(now, 4, "18:00"), waits(now, "usr_4", 4))
	for _, c := range []Command{
		Cancel{Now: now, Actor: host, Number: 1}, AcceptOffer{Now: now + 1, Actor: host, Entry: 1}, Undo{Now: now + 2, Actor: host},
	} {
		s = Decider().Fold(s, decided(t, s, c)...)
	}
	if w, _ := s.WaitlistEntry(1); w.Status != WaitlistOffering {
		t.Errorf("taken back: %+v", w)
	}
	s = Decider().Fold(s, decided(t, s, LeaveWaitlist{Now: now + 3, Actor: domain.Diner("usr_4"), Entry: 1})...)
	if r, _ := s.Reservation(2); r.Status != StatusCancelled {
		t.Errorf("turned down: %+v", r)
	}
}

// TestWaitableSlots: of the slots that are refused, those are shown as waitable for which
// somebody would be put on the waitlist.
func TestWaitableSlots(t *testing.T) {
	paced := plan()
	paced.Policy.PacingCovers = 2
	blocked := plan()
	blocked.Blocks = []Block{{ID: "blk_1", During: until(evening, evening+2*hour)}}
	crowd := []Command{firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00")}
	for n := range maxWaiting {
		crowd = append(crowd, waits(now, domain.UserID("usr_"+string(rune('a'+n))), 2))
	}
	// Who stands at the door, or is being offered a table, takes nobody's place on the list.
	door := []Command{firm(now, 2, "18:00"), firm(now, 2, "18:00"), firm(now, 4, "18:00")}
	for range maxWaiting {
		door = append(door, JoinWaitlist{Now: now, Actor: host, Party: 2, WalkIn: true})
	}
	on := func(p *Plan) Command { return Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: p} }
	for name, c := range map[string]struct {
		s        State
		waitable int
	}{
		"others have the tables": {full(t), 3}, "a block": {given(t, on(blocked)), 4},
		"the kitchen": {given(t, on(paced), firm(now, 2, "18:00")), 1}, "nobody may wait any more": {given(t, crowd...), 0},
		"a crowd at the door": {given(t, door...), 3}, "one is being offered a table": {given(t, append(crowd, Cancel{Now: now, Actor: host, Number: 1})...), 3},
	} {
		waitable := 0
		for _, slot := range c.s.Slots(2, now) {
			if slot.Refusal == "" && !slot.Waitable {
				continue
			}
			_, err := Decider().Decide(c.s, JoinWaitlist{
				Now: now, Actor: domain.Diner("usr_new"), Diner: "usr_new", Party: 2, From: slot.StartsAt, To: slot.StartsAt, Code: "WAIT",
			})
			if slot.Waitable != (err == nil) {
				t.Errorf("%s: at %s, refused with %q, waitable is %t; joining is answered with %v", name, slot.Time, slot.Refusal, slot.Waitable, err)
			}
			if slot.Waitable {
				waitable++
			}
		}
		if waitable != c.waitable {
			t.Errorf("%s: %d slots are waitable, want %d", name, waitable, c.waitable)
		}
	}
	if no := refused(t, given(t, door...), door[len(door)-1]); no.Code != domain.CodeWaitlistFull {
		t.Errorf("one more at the door: %v", no)
	}
}

// What was said when a reservation was cancelled stays with it: the diner's own words and
// the message of a change are for the diner, what staff say among themselves is not.
func TestWhyItWasCancelled(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"))
	for name, c := range map[string]struct {
		by   CancelledBy
		plan string
		told bool
	}{"by its diner": {ByDiner, "", true}, "by staff": {ByRestaurant, "", false}, "by a change": {ByRestaurant, "7", true}} {
		gone := Decider().Fold(s, Cancelled{Stamp: stamp(now), Number: 1, Diner: diner, By: c.by, Reason: "a cold", Change: c.plan})
		if r, _ := gone.Reservation(1); r.Reason != "a cold" || r.Told != c.told {
			t.Errorf("%s: %q, told %t", name, r.Reason, r.Told)
		}
		if back, _ := Decider().Fold(gone, Reinstated{Stamp: stamp(now), Number: 1, To: StatusConfirmed}).Reservation(1); back.Reason != "" || back.Told {
			t.Errorf("%s: reinstated with %q", name, back.Reason)
		}
	}
}

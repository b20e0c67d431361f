package restaurantday

import (
	"reflect"
	"testing"

	"daybook/domain"
)

const (
	restaurant = domain.RestaurantID("rst_00000000000000000000000001")
	diner      = domain.UserID("usr_00000000000000000000000001")
	minute     = domain.Instant(60_000)
	hour       = 60 * minute
	evening    = domain.Instant(1_800_000_000_000) // 18:00 on the day
	now        = evening - 24*hour
)

// plan has slots each half hour from 18:00 to 22:00 and tables for 2, 2 and 4.
func plan() *Plan {
	p := &Plan{
		Tables: []Table{
			{ID: "tbl_a", Number: "1", Min: 1, Max: 2},
			{ID: "tbl_b", Number: "2", Min: 1, Max: 2},
			{ID: "tbl_c", Number: "3", Min: 2, Max: 4, Area: "window"},
		},
		Policy: Policy{
			HoldMinutes: 5, HorizonDays: 30, NoticeMinutes: 60, BufferMinutes: 10,
			Turns: []TurnTime{{UpToParty: 2, Minutes: 60}, {UpToParty: 4, Minutes: 90}},
		},
		BookableFrom: evening - 30*24*hour,
	}
	for i := range domain.Instant(9) {
		p.Slots = append(p.Slots, Slot{
			Time: domain.FormatClock(18*60 + int(i)*30), StartsAt: evening + i*30*minute, Closes: evening + 5*hour, Shift: "dinner",
		})
	}
	return p
}

func hold(at domain.Instant, party domain.PartySize, time string) Hold {
	return Hold{
		Now: at, Opening: &Open{Now: at, Restaurant: restaurant, Date: 20000, Plan: plan()},
		Actor: domain.Diner(diner), Diner: diner, Party: party, Time: time, Code: "CODE",
	}
}

// given folds the events of commands that must all be accepted.
func given(t *testing.T, commands ...Command) State {
	t.Helper()
	d := Decider()
	s := d.Initial()
	for i, c := range commands {
		events, err := d.Decide(s, c)
		if err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		s = d.Fold(s, events...)
	}
	return s
}

func decided(t *testing.T, s State, c Command) []Event {
	t.Helper()
	events, err := Decider().Decide(s, c)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return events
}

func refused(t *testing.T, s State, c Command) *domain.Rejection {
	t.Helper()
	events, err := Decider().Decide(s, c)
	no, ok := domain.Rejected(err)
	if !ok {
		t.Fatalf("got %v, %v, want a rejection", events, err)
	}
	return no
}

func stamp(at domain.Instant) domain.Stamp { return domain.Stamp{At: at} }

func TestFirstHoldOpensTheDay(t *testing.T) {
	got := decided(t, State{}, hold(now, 2, "18:30"))
	want := []Event{
		Opened{Stamp: stamp(now), Restaurant: restaurant, Date: 20000, Plan: *plan()},
		Held{
			Stamp: stamp(now), Number: 1, Diner: diner, Party: 2, Slot: plan().Slots[1],
			Turn:      domain.Interval{From: evening + 30*minute, To: evening + 90*minute},
			Occupied:  domain.Interval{From: evening + 30*minute, To: evening + 100*minute},
			Tables:    []domain.TableID{"tbl_a"},
			ExpiresAt: now + 5*minute, Code: "CODE", Online: true,
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestHoldAndConfirmInOne(t *testing.T) {
	c := hold(now, 2, "18:30")
	c.Confirm = true
	got := decided(t, given(t, hold(now, 2, "18:30")), c)
	if len(got) != 2 || !reflect.DeepEqual(got[1], Event(Confirmed{Stamp: stamp(now), Number: 2})) {
		t.Errorf("got %+v, want a hold and its confirmation", got)
	}
}

func TestBestFit(t *testing.T) {
	tables := func(s State) (ids []domain.TableID) {
		for n := uint32(1); int(n) <= s.Reservations(); n++ {
			r, _ := s.Reservation(n)
			ids = append(ids, r.Tables...)
		}
		return ids
	}
	for name, c := range map[string]struct {
		commands []Command
		want     []domain.TableID
	}{
		"smallest first, larger when those are taken": {
			[]Command{hold(now, 2, "18:00"), hold(now, 2, "18:00"), hold(now, 2, "18:00")}, []domain.TableID{"tbl_a", "tbl_b", "tbl_c"}},
		"the party's size decides": {
			[]Command{hold(now, 4, "18:00"), hold(now, 1, "18:00")}, []domain.TableID{"tbl_c", "tbl_a"}},
		"the tighter gap, so that room is left": {
			// At 20:30 tbl_a has been idle since 19:10 and tbl_b since 20:10.
			[]Command{hold(now, 2, "18:00"), hold(now, 2, "19:00"), hold(now, 2, "20:30"), hold(now, 2, "19:30")},
			[]domain.TableID{"tbl_a", "tbl_b", "tbl_b", "tbl_a"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tables(given(t, c.commands...)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	full := []Command{hold(now, 2, "18:00"), hold(now, 2, "18:00"), hold(now, 4, "18:00")}
	paced := plan()
	paced.Policy.PacingCovers = 5
	withPlan := func(h Hold, p *Plan) Hold {
		h.Opening = &Open{Now: h.Now, Restaurant: restaurant, Date: 20000, Plan: p}
		return h
	}
	at := func(h Hold, i domain.Instant) Hold { h.Time, h.StartsAt = "", i; return h }
	wish := func(h Hold, w Wish) Hold { h.Wish = w; return h }
	twice := plan()
	twice.Slots[2].Time = "18:30"
	inOrder := hold(now-1, 2, "20:00")
	inOrder.InOrder = true
	closed := plan()
	closed.Slots = nil

	for name, c := range map[string]struct {
		given []Command
		when  Command
		code  domain.Code
		near  []string
	}{
		"past":               {nil, hold(evening+1, 2, "18:00"), domain.CodeInPast, []string{"19:30", "20:00", "20:30", "21:00"}},
		"too soon":           {nil, hold(evening-60*minute+1, 2, "18:00"), domain.CodeTooSoon, []string{"18:30", "19:00", "19:30", "20:00"}},
		"too far ahead":      {nil, hold(evening-30*24*hour-1, 2, "18:00"), domain.CodeTooFarAhead, nil},
		"closed":             {nil, withPlan(hold(now, 2, "18:00"), closed), domain.CodeClosed, nil},
		"before opening":     {nil, hold(now, 2, "17:30"), domain.CodeOutsideHours, []string{"18:00", "18:30", "19:00", "19:30"}},
		"after last seating": {nil, hold(now, 2, "00:30"), domain.CodeOutsideHours, []string{"22:00", "21:30", "21:00", "20:30"}},
		"between slots":      {nil, hold(now, 2, "18:10"), domain.CodeOffSlot, []string{"18:00", "18:30", "19:00", "19:30"}},
		"instant off a slot": {nil, at(hold(now, 2, ""), evening+1), domain.CodeOffSlot, []string{"18:00", "18:30", "19:00", "19:30"}},
		"clock shows it twice": {nil, withPlan(hold(now, 2, "18:30"), twice), domain.CodeAmbiguousTime,
			[]string{"18:30", "18:00", "18:30", "19:30"}},
		"party too large":                     {nil, hold(now, 5, "18:00"), domain.CodePartyTooLarge, nil},
		"no table":                            {full, hold(now, 2, "18:00"), domain.CodeNoTable, []string{"19:30", "20:00", "20:30", "21:00"}},
		"no table as the turn before runs on": {full, hold(now, 2, "19:00"), domain.CodeNoTable, []string{"19:30", "20:00", "20:30", "21:00"}},
		"no such table":                       {nil, wish(hold(now, 4, "18:00"), Wish{Table: "tbl_a"}), domain.CodeNoTable, nil},
		"pacing": {[]Command{withPlan(hold(now, 4, "18:00"), paced)}, hold(now, 2, "18:00"), domain.CodePacingFull,
			[]string{"18:30", "19:00", "19:30", "20:00"}},
		"no plan":       {nil, withPlanNone(hold(now, 2, "18:00")), domain.CodeNotOpened, nil},
		"later entries": {[]Command{hold(now, 2, "18:00")}, inOrder, domain.CodeLaterEntries, nil},
	} {
		t.Run(name, func(t *testing.T) {
			no := refused(t, given(t, c.given...), c.when)
			var near []string
			for _, a := range no.Alternatives {
				near = append(near, a.Time)
			}
			if no.Code != c.code || !reflect.DeepEqual(near, c.near) {
				t.Errorf("got %s with alternatives %q, want %s with %q (%s)", no.Code, near, c.code, c.near, no.Detail)
			}
		})
	}
}

func withPlanNone(h Hold) Hold { h.Opening = nil; return h }

func TestNoTableNamesWhatBlocks(t *testing.T) {
	s := given(t, hold(now, 2, "18:00"), Confirm{Now: now, Actor: domain.System(), Number: 1}, hold(now, 2, "18:00"), hold(now, 4, "18:00"))
	got := refused(t, s, hold(now, 2, "18:30")).Reasons
	want := []domain.Reason{{Rule: "turn_time", Limit: 70, Actual: 3, Blocked: []domain.Block{
		{Number: 1, Table: "tbl_a", Until: evening + 70*minute},
		{Number: 2, Table: "tbl_b", Until: evening + 70*minute, Hold: true},
		{Number: 3, Table: "tbl_c", Until: evening + 100*minute, Hold: true},
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLapse(t *testing.T) {
	full := given(t, hold(now, 2, "18:00"), hold(now, 2, "18:00"), hold(now, 4, "18:00"))
	t.Run("a hold binds until its last millisecond", func(t *testing.T) {
		refused(t, full, hold(now+5*minute-1, 2, "18:00"))
	})
	t.Run("then its table is free, and the lapse goes on record first", func(t *testing.T) {
		at := now + 5*minute
		got := decided(t, full, hold(at, 2, "18:00"))
		if len(got) != 4 {
			t.Fatalf("got %+v, want three lapses and a hold", got)
		}
		for i, e := range got[:3] {
			if want := (Expired{Stamp: stamp(at), Number: uint32(i + 1), LapsedAt: at}); !reflect.DeepEqual(e, Event(want)) {
				t.Errorf("event %d: got %+v, want %+v", i, e, want)
			}
		}
	})
	t.Run("a refusal records nothing", func(t *testing.T) {
		refused(t, full, hold(now+5*minute, 5, "18:00"))
	})
	t.Run("it is never confirmed, nor cancelled", func(t *testing.T) {
		for _, c := range []Command{
			Confirm{Now: now + 5*minute, Actor: domain.Diner(diner), Number: 1}, Cancel{Now: now + 5*minute, Actor: domain.Diner(diner), Number: 1},
		} {
			if no := refused(t, full, c); no.Code != domain.CodeHoldExpired {
				t.Errorf("%T: got %s", c, no.Code)
			}
		}
	})
	t.Run("the sweep records each once", func(t *testing.T) {
		sweep := Lapse{Now: now + 5*minute}
		s := given(t, hold(now, 2, "18:00"), hold(now+minute, 2, "18:00"), sweep)
		if got := decided(t, s, sweep); got != nil {
			t.Errorf("second sweep: got %+v, want nothing", got)
		}
		if got := decided(t, s, Lapse{Now: now + 6*minute}); len(got) != 1 {
			t.Errorf("later sweep: got %+v, want one lapse", got)
		}
	})
}

// Two processes judge by clocks ten seconds apart: what the fast one has let lapse, the
// slow one must not confirm.
func TestTheDaysClockNeverGoesBack(t *testing.T) {
	fast := now + 5*minute
	slow := fast - 10_000
	full := given(t, hold(now, 2, "18:00"), hold(now, 2, "18:00"), hold(now, 4, "18:00"))
	d := Decider()
	s := d.Fold(full, decided(t, full, hold(fast, 2, "18:00"))...)
	if no := refused(t, s, Confirm{Now: slow, Actor: domain.Diner(diner), Number: 1}); no.Code != domain.CodeHoldExpired {
		t.Errorf("slow confirm: got %s, want %s", no.Code, domain.CodeHoldExpired)
	}
	// Something unrelated that the fast process wrote moves the day's clock as well.
	s = d.Fold(full, decided(t, full, hold(fast-1, 2, "21:00"))...)
	for _, e := range decided(t, s, hold(slow, 2, "21:00")) {
		if e.DecidedAt() != fast-1 {
			t.Errorf("%T decided at %s, want the day's clock %s", e, e.DecidedAt(), fast-1)
		}
	}
}

func TestConfirmAndCancel(t *testing.T) {
	held := given(t, hold(now, 2, "18:00"))
	confirm := Confirm{Now: now + 1, Actor: domain.Diner(diner), Number: 1}
	cancel := Cancel{Now: now + 2, Actor: domain.Diner(diner), Number: 1, Reason: "ill"}
	t.Run("confirmed outlives the hold", func(t *testing.T) {
		s := given(t, hold(now, 2, "18:00"), confirm, Lapse{Now: now + hour})
		if r, _ := s.Reservation(1); r.Status != StatusConfirmed || r.ExpiresAt != 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("twice is already so", func(t *testing.T) {
		if got := decided(t, given(t, hold(now, 2, "18:00"), confirm), confirm); got != nil {
			t.Errorf("confirm: got %+v", got)
		}
		if got := decided(t, given(t, hold(now, 2, "18:00"), confirm, cancel), cancel); got != nil {
			t.Errorf("cancel: got %+v", got)
		}
	})
	t.Run("cancelled frees the table", func(t *testing.T) {
		s := given(t, hold(now, 2, "18:00"), confirm, cancel)
		if left := s.Slots(2, now)[0].TablesLeft; left != 3 {
			t.Errorf("%d tables left, want 3", left)
		}
		if no := refused(t, s, confirm); no.Code != domain.CodeCancelled {
			t.Errorf("confirm after cancel: got %s", no.Code)
		}
	})
	t.Run("by whom", func(t *testing.T) {
		byStaff := cancel
		byStaff.Actor = domain.Staff("usr_2")
		want := []Event{Cancelled{Stamp: stamp(now + 2), Number: 1, Diner: diner, By: ByRestaurant, Reason: "ill"}}
		if got := decided(t, held, byStaff); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
	t.Run("others do not see it", func(t *testing.T) {
		other := domain.Diner("usr_00000000000000000000000002")
		for _, c := range []Command{Confirm{Now: now, Actor: other, Number: 1}, Cancel{Now: now, Actor: other, Number: 1}, Confirm{Now: now, Actor: domain.System(), Number: 2}} {
			if no := refused(t, held, c); no.Code != domain.CodeNotFound {
				t.Errorf("%+v: got %s", c, no.Code)
			}
		}
	})
	t.Run("not once the party is seated", func(t *testing.T) {
		s := given(t, hold(now, 2, "18:00"), confirm)
		late := cancel
		late.Now = evening
		if no := refused(t, s, late); no.Code != domain.CodeStarted {
			t.Errorf("got %s", no.Code)
		}
	})
}

func TestTurnEndsAtClosing(t *testing.T) {
	events := decided(t, State{}, hold(now, 4, "22:00"))
	want := domain.Interval{From: evening + 4*hour, To: evening + 5*hour}
	if got := events[1].(Held).Turn; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

package restaurantday

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// evening of anyLife: every command there is, by clocks that go on.
func anyLife(t *rapid.T, s State, plan *Plan, now domain.Instant) Command {
	someone := rapid.SampledFrom([]domain.UserID{"usr_1", "usr_2"}).Draw(t, "diner")
	host := domain.Staff("usr_9")
	actor := rapid.SampledFrom([]domain.Actor{host, host, domain.System(), domain.Diner(someone)}).Draw(t, "actor")
	number := uint32(max(1, s.Reservations()-rapid.IntRange(-1, 6).Draw(t, "back")))
	entry := uint32(max(1, s.WaitlistEntries()-rapid.IntRange(-1, 3).Draw(t, "entry back")))
	party := domain.PartySize(rapid.IntRange(1, int(plan.LargestParty())).Draw(t, "party"))
	slot := plan.Slots[rapid.IntRange(0, len(plan.Slots)-1).Draw(t, "slot")]
	open := &Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: plan}
	table := []domain.TableID{plan.Tables[rapid.IntRange(0, len(plan.Tables)-1).Draw(t, "table")].ID}
	if other := plan.Tables[rapid.IntRange(0, len(plan.Tables)-1).Draw(t, "second table")].ID; rapid.IntRange(0, 3).Draw(t, "two tables") == 0 && other != table[0] {
		table = append(table, other)
	}
	wish := rapid.SampledFrom([]Wish{{}, {}, {}, {}, {Table: "tbl_0"}, {Area: "bar"}}).Draw(t, "wish")
	override := rapid.SampledFrom([]Override{
		{}, {}, {}, {Rule: domain.CodePacingFull, Reason: "friends"}, {Rule: domain.CodeTooSoon, Reason: "friends"},
		{Rule: domain.CodeOutsideHours, Reason: "friends"}, {Rule: domain.CodePartyTooLarge, Reason: "friends"}, {Rule: domain.CodeInPast, Reason: "friends"},
	}).Draw(t, "override")
	off := domain.Instant(0)
	if override.Rule == domain.CodeOutsideHours || override.Rule == domain.CodePartyTooLarge {
		off = 10 * minute
		party += domain.PartySize(rapid.IntRange(0, 3).Draw(t, "too many"))
	}
	switch rapid.SampledFrom([]string{
		"hold", "hold", "hold", "hold", "confirm", "confirm", "cancel", "lapse", "amend", "move table", "pin", "seat", "seat", "complete",
		"complete", "no-show", "reinstate", "walk in", "join", "join", "join", "leave", "accept", "start", "finish", "abort", "undo", "undo", "change", "fence", "extend",
		"record", "record", "withdraw",
	}).Draw(t, "command") {
	case "confirm":
		return Confirm{Now: now, Actor: actor, Number: number}
	case "cancel":
		return Cancel{Now: now, Actor: actor, Number: number}
	case "lapse":
		return Lapse{Now: now}
	case "amend":
		c := Amend{Now: now, Actor: actor, Number: number, Party: party, StartsAt: slot.StartsAt + off, Override: overrideOf(actor, override)}
		if rapid.IntRange(0, 3).Draw(t, "same time") == 0 {
			c.StartsAt = 0
		}
		if wish != (Wish{}) {
			c.Wish = WishChanges{Table: &wish.Table, Area: &wish.Area}
		}
		if rapid.IntRange(0, 3).Draw(t, "told") == 0 {
			c.Details.Notes = &[]string{"window"}[0]
		}
		return c
	case "move table":
		return MoveTable{Now: now, Actor: actor, Number: number, Tables: table}
	case "pin":
		return Pin{Now: now, Actor: actor, Number: number, Off: rapid.Bool().Draw(t, "off")}
	case "seat":
		c := Seat{Now: now, Actor: actor, Number: number, Covers: domain.PartySize(rapid.IntRange(0, 2).Draw(t, "covers"))}
		if rapid.IntRange(0, 4).Draw(t, "elsewhere") == 4 {
			c.Tables = table
		}
		return c
	case "complete":
		return Complete{Now: now, Actor: actor, Number: number}
	case "no-show":
		return MarkNoShow{Now: now, Actor: actor, Number: number}
	case "reinstate":
		return Reinstate{Now: now, Actor: actor, Number: number, Override: overrideOf(actor, override)}
	case "walk in":
		c := WalkIn{Now: now, Actor: actor, Opening: open, Party: party, Wish: wish, Override: overrideOf(actor, override)}
		if rapid.IntRange(0, 3).Draw(t, "at these") == 0 {
			c.Tables = table
		}
		if w, ok := s.WaitlistEntry(entry); ok && w.WalkIn {
			c.Entry = entry
		}
		return c
	case "join":
		return JoinWaitlist{
			Now: now, Opening: open, Actor: actor, Diner: someone, Party: party, Wish: wish, From: slot.StartsAt,
			To: slot.StartsAt + domain.Instant(rapid.IntRange(0, 3).Draw(t, "half hours"))*30*minute, WalkIn: rapid.IntRange(0, 3).Draw(t, "at the door") == 3,
		}
	case "leave":
		return LeaveWaitlist{Now: now, Actor: actor, Entry: entry}
	case "accept":
		return AcceptOffer{Now: now, Actor: actor, Entry: entry}
	case "start":
		return StartMove{Now: now, Actor: actor, Number: number, To: 20001, Move: "m"}
	case "finish":
		return FinishMove{Now: now, Actor: actor, Number: number, Move: "m", To: "rsv_x"}
	case "abort":
		return AbortMove{Now: now, Actor: actor, Number: number, Move: "m"}
	case "undo":
		c := Undo{Now: now, Actor: actor}
		if rapid.Bool().Draw(t, "undo of one") {
			c.Number = number
		}
		return c
	case "extend":
		return ExtendHold{Now: now, Actor: actor, Number: number, Until: now + 10*minute}
	case "record":
		return anyFact(t, plan, now, actor)
	case "withdraw":
		return Withdraw{Now: now, Actor: actor, Batch: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "batch"), Force: rapid.Bool().Draw(t, "force")}
	case "change", "fence":
		next := anyNext(t, s, plan, slot, table)
		if rapid.IntRange(0, 2).Draw(t, "fence") == 0 {
			return FencePlan{Now: now, Actor: host, Change: fmt.Sprint(next.Revision), Plan: next}
		}
		do := []Resolution{Keep, Relocate, CallOff, ""}
		return ChangePlan{
			Now: now, Actor: host, Change: fmt.Sprint(next.Revision), Plan: next, Binding: rapid.Bool().Draw(t, "binding"),
			Default: rapid.SampledFrom(do).Draw(t, "default"), Decisions: []Decision{{Number: number, Do: rapid.SampledFrom(do[:3]).Draw(t, "decision")}},
		}
	}
	return Hold{
		Now: now, Opening: open, Actor: actor, Diner: someone, Party: party, StartsAt: slot.StartsAt + off, Wish: wish,
		Confirm: rapid.Bool().Draw(t, "confirm"), Override: overrideOf(actor, override),
		MovedFrom: rapid.SampledFrom([]domain.ReservationID{"", "", "", "rsv_y"}).Draw(t, "moved from"),
	}
}

// anyNext draws what becomes of a plan: tables and hours go and come back, and the rules are others.
func anyNext(t *rapid.T, s State, plan *Plan, slot Slot, tables []domain.TableID) *Plan {
	next := *plan
	if s.Plan != nil {
		next.Revision = s.Plan.Revision + uint64(rapid.IntRange(1, 2).Draw(t, "revision"))
	}
	next.Slots = slices.DeleteFunc(slices.Clone(plan.Slots), func(o Slot) bool { return o == slot && rapid.Bool().Draw(t, "slot gone") })
	change := rapid.IntRange(0, 7).Draw(t, "change")
	if change == 0 || change == 1 {
		next.Tables = slices.DeleteFunc(slices.Clone(plan.Tables), func(o Table) bool { return slices.Contains(tables, o.ID) })
		next.Combinations = slices.DeleteFunc(slices.Clone(plan.Combinations), func(c Combination) bool {
			return slices.ContainsFunc(c.Tables, func(id domain.TableID) bool { return slices.Contains(tables, id) })
		})
	}
	switch change {
	case 2:
		next.Combinations = nil
	case 3:
		next.Blocks = append(slices.Clip(plan.Blocks), Block{ID: "blk_1", Tables: tables, During: domain.Interval{From: slot.StartsAt, To: slot.StartsAt + hour}})
	case 4:
		next.Blocks = nil
	case 5:
		next.Policy.Assignment = rapid.SampledFrom([]Assignment{FirstFit, LateBinding}).Draw(t, "assignment then")
		next.Policy.BufferMinutes = rapid.SampledFrom([]int{0, 15}).Draw(t, "buffer then")
	case 6:
		next.Tables = slices.Clone(plan.Tables)
		for i := range next.Tables {
			o := &next.Tables[i]
			o.OfflineOnly, o.Min, o.Max = !o.OfflineOnly, min(o.Min+1, o.Max), max(o.Min, o.Max-1)
		}
		slices.SortStableFunc(next.Tables, func(a, b Table) int { return int(a.Max - b.Max) })
	case 7:
		next.Policy.Turns = []TurnTime{{UpToParty: 500, Minutes: 40}}
		next.Slots = slices.Clone(next.Slots)
		for i := range next.Slots {
			next.Slots[i].Closes -= 30 * minute
		}
	}
	return &next
}

func overrideOf(a domain.Actor, o Override) Override {
	if a.Kind != domain.ActorStaff {
		return Override{}
	}
	return o
}

// lawful judges what a command came to by the rules of a reservation's life.
func lawful(before, after State, c Command, events []Event) error {
	at := before
	for _, e := range events {
		next := Decider().Evolve(at, e)
		for n := uint32(1); int(n) <= at.Reservations(); n++ {
			was, _ := at.Reservation(n)
			is, _ := next.Reservation(n)
			if was.Status != is.Status && !legal(was, is, e) {
				return fmt.Errorf("%d went from %s to %s by %T", n, was.Status, is.Status, e)
			}
		}
		if confirmed, ok := e.(Confirmed); ok {
			if was, _ := at.Reservation(confirmed.Number); was.ExpiresAt <= e.DecidedAt() {
				return fmt.Errorf("a hold until %s was confirmed at %s", was.ExpiresAt, e.DecidedAt())
			}
		}
		if offered, ok := e.(WaitlistOffered); ok {
			if err := inTurn(at, offered, events); err != nil {
				return err
			}
		}
		at = next
	}
	if err := apart(after); err != nil {
		return err
	}
	return first(before, after, c, events)
}

// legal reports whether the table of transitions has this change of a status.
func legal(was, is *Reservation, e Event) bool {
	if _, ok := e.(Reinstated); ok {
		return was.Status != StatusExpired && was.Status != StatusMoved && is.Status.Live()
	}
	return slices.ContainsFunc(Transitions(), func(tr Transition) bool {
		return tr.From == was.Status && tr.To == is.Status && !tr.Already
	})
}

// inTurn checks that whoever would have taken the slot before was passed over on record.
func inTurn(s State, o WaitlistOffered, events []Event) error {
	r, _ := s.Reservation(o.Number)
	for _, w := range s.Waiting() {
		if w.Entry >= o.Entry || !w.wants(r.Slot) {
			continue
		}
		if !slices.ContainsFunc(events, func(e Event) bool {
			p, ok := e.(WaitlistPassedOver)
			return ok && p.Entry == w.Entry && p.For == o.Entry && p.Code != ""
		}) {
			return fmt.Errorf("%d was offered %d before %d without a word", o.Entry, o.Number, w.Entry)
		}
	}
	return nil
}

// apart finds two parties on one table, and what the occupancy and the book tell apart.
func apart(s State) error {
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		b, ok := s.booking(n)
		if r.Status.Live() != (ok && r.Status != StatusCompleted) {
			return fmt.Errorf("%d is %s and on the floor: %t", n, r.Status, ok)
		}
		if ok && !reflect.DeepEqual(*b, s.bookingOf(r)) {
			return fmt.Errorf("the book has %+v, the floor %+v", r, b)
		}
	}
	for i, uses := range s.tables {
		for j, b := range uses {
			if b.From >= b.To {
				return fmt.Errorf("%d has table %d from %s to %s", b.Number, i, b.From, b.To)
			}
			for _, a := range uses[:j] {
				if a.occupied().Overlaps(b.occupied()) {
					return fmt.Errorf("%d and %d have table %d at once", a.Number, b.Number, i)
				}
			}
		}
	}
	return nil
}

// first checks that what a command freed reached those who wait before all others: none of
// them could have a table now.
func first(before, after State, c Command, events []Event) error {
	freed := slices.ContainsFunc(events, func(e Event) bool {
		switch e.(type) {
		case Cancelled, Expired, Completed, NoShow, Moved, WaitlistJoined, PlanChanged, Amended, TablesMoved, Seated, Reinstated, Unpinned, Withdrawn:
			return true
		default:
			return false
		}
	})
	if _, hold := c.(Hold); !freed || hold {
		return nil
	}
	for _, o := range after.Occupancy.offers(after.Clock(), after.next()) {
		return fmt.Errorf("%d waits, and could have %s", o.Entry, o.Slot.Time)
	}
	return nil
}

// Whatever is asked in whatever order, no table has two parties, every change of a status
// is one of the table's, and the waitlist is served in its order.
func TestLifeIsLawful(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := anyRules(t)
		d := Decider()
		s := d.Initial()
		var log []Event
		now := evening - rapid.SampledFrom([]domain.Instant{0, hour, 3 * hour, 20 * hour}).Draw(t, "begin")
		for range rapid.IntRange(10, 80).Draw(t, "commands") {
			now += rapid.SampledFrom([]domain.Instant{0, 0, minute, 5 * minute, 20 * minute}).Draw(t, "step")
			c := anyLife(t, s, plan, now)
			was := remember(s)
			events, err := d.Decide(s, c)
			if _, ok := domain.Rejected(err); err != nil && !ok {
				t.Fatalf("%+v: %v", c, err)
			}
			one, two := d.Fold(s, events...), d.Fold(s, events...)
			if !reflect.DeepEqual(was, remember(s)) || !reflect.DeepEqual(one, two) {
				t.Fatalf("%+v: folding twice, or deciding, changed the state", c)
			}
			if err := lawful(s, one, c, events); err != nil {
				t.Fatalf("%T %+v\n%+v\n%v", c, c, events, err)
			}
			if err := undone(s, one, c, events); err != nil {
				t.Fatalf("%+v: %v", events, err)
			}
			s, log = one, append(log, events...)
		}
		if again := d.Fold(d.Initial(), log...); !reflect.DeepEqual(again, s) {
			t.Fatal("read again, the log gives another day")
		}
	})
}

// undone checks that an undo made the entry as it was before the action, but for other
// tables where it was not bound to those, and for a hold that begins again.
func undone(before, after State, c Command, events []Event) error {
	u, ok := c.(Undo)
	if !ok || len(events) == 0 {
		return nil
	}
	i := slices.IndexFunc(events, func(e Event) bool { _, is := e.(Undone); return is })
	mark := events[i].(Undone)
	a := before.Actions()[slices.IndexFunc(before.Actions(), func(a Action) bool { return a.Sequence == mark.Action })]
	is, _ := after.Reservation(mark.Number)
	want, got := *a.before, *is
	for _, r := range []*Reservation{&want, &got} {
		r.ChangedAt, r.ExpiresAt, r.Override, r.Exception = 0, 0, Override{}, false
		r.Moving = Moving{} // a cancellation has ended that for good
		if !r.Bound {
			r.Tables = nil
		}
	}
	if a.Kind == ActionReinstate && !want.Status.Live() {
		// It has no tables again. Those it had last are the reinstatement's, which took them from
		// its own time on.
		want.Occupied, got.Occupied = domain.Interval{}, domain.Interval{}
		want.Tables, got.Tables, want.Bound, got.Bound = nil, nil, false, false
		want.Conflicts, got.Conflicts = nil, nil // of what is over none waits for staff
	}
	if want.Status == StatusSeated && (a.Kind == ActionMoveTable || a.Kind == ActionSeat) {
		want.Occupied, got.Occupied = domain.Interval{}, domain.Interval{}
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("undoing %+v by %+v gave\n%+v\nwant\n%+v", a, u, got, want)
	}
	if len(after.Actions()) != len(before.Actions())-1 {
		return fmt.Errorf("%d actions after undoing one of %d", len(after.Actions()), len(before.Actions()))
	}
	return nil
}

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
	override := rapid.SampledFrom([]Override{{}, {}, {}, {Rule: domain.CodePacingFull, Reason: "friends"}, {Rule: domain.CodeTooSoon, Reason: "friends"}}).Draw(t, "override")
	switch rapid.SampledFrom([]string{
		"hold", "hold", "hold", "hold", "confirm", "confirm", "cancel", "lapse", "amend", "move table", "pin", "seat", "seat", "complete",
		"complete", "no-show", "reinstate", "walk in", "join", "join", "join", "leave", "accept", "start", "finish", "abort", "undo", "undo", "change", "fence",
	}).Draw(t, "command") {
	case "confirm":
		return Confirm{Now: now, Actor: actor, Number: number}
	case "cancel":
		return Cancel{Now: now, Actor: actor, Number: number}
	case "lapse":
		return Lapse{Now: now}
	case "amend":
		return Amend{Now: now, Actor: actor, Number: number, Party: party, StartsAt: slot.StartsAt, Override: override}
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
		return Reinstate{Now: now, Actor: actor, Number: number, Override: override}
	case "walk in":
		c := WalkIn{Now: now, Actor: actor, Opening: open, Party: party, Override: override}
		if w, ok := s.WaitlistEntry(entry); ok && w.WalkIn {
			c.Entry = entry
		}
		return c
	case "join":
		return JoinWaitlist{
			Now: now, Opening: open, Actor: actor, Diner: someone, Party: party, From: slot.StartsAt,
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
		return Undo{Now: now, Actor: actor}
	case "change", "fence":
		next := *plan
		if s.Plan != nil {
			next.Revision = s.Plan.Revision + 1
		}
		next.Slots = slices.DeleteFunc(slices.Clone(plan.Slots), func(o Slot) bool { return o == slot && rapid.Bool().Draw(t, "slot gone") })
		if len(plan.Tables) > 1 && rapid.Bool().Draw(t, "table gone") {
			next.Tables = slices.DeleteFunc(slices.Clone(plan.Tables), func(o Table) bool { return o.ID == table[0] })
		}
		if rapid.IntRange(0, 2).Draw(t, "fence") == 0 {
			return FencePlan{Now: now, Actor: host, Change: "c", Plan: &next}
		}
		return ChangePlan{Now: now, Actor: host, Change: "c", Plan: &next, Binding: rapid.Bool().Draw(t, "binding"), Default: rapid.SampledFrom([]Resolution{Keep, Relocate, CallOff, ""}).Draw(t, "default")}
	}
	return Hold{
		Now: now, Opening: open, Actor: actor, Diner: someone, Party: party, StartsAt: slot.StartsAt,
		Confirm: rapid.Bool().Draw(t, "confirm"), Override: overrideOf(actor, override),
	}
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
		if ok && (b.From != r.Occupied.From || b.To != r.Occupied.To || b.Bound != r.Bound || b.Expires != r.ExpiresAt) {
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
		case Cancelled, Expired, Completed, NoShow, Moved, WaitlistJoined, PlanChanged, Amended:
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
		plan := anyPlan(t)
		plan.Policy.Assignment = rapid.SampledFrom([]Assignment{FirstFit, LateBinding}).Draw(t, "assignment")
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
		r.ChangedAt, r.ExpiresAt, r.Changes, r.Override, r.Exception = 0, 0, 0, Override{}, false
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

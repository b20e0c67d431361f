package restaurantday

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// anyFact draws a booking of another system: at any time, of any size, on tables that are
// taken or not there at all.
func anyFact(t *rapid.T, plan *Plan, now domain.Instant, actor domain.Actor) Record {
	at := plan.Slots[rapid.IntRange(0, len(plan.Slots)-1).Draw(t, "slot")].StartsAt +
		rapid.SampledFrom([]domain.Instant{0, 0, 0, 10 * minute, -12 * hour}).Draw(t, "beside the slot")
	return Record{
		Now: now, Opening: &Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: plan}, Actor: actor,
		Fact: Fact{
			Batch: rapid.SampledFrom([]string{"one", "two"}).Draw(t, "batch"), Source: "theirs",
			External: fmt.Sprint(rapid.IntRange(1, 40).Draw(t, "external")), Digest: rapid.SampledFrom([]string{"a", "a", "a", "b"}).Draw(t, "digest"),
			MadeAt: now - hour,
			Named:  rapid.SampledFrom([][]string{nil, nil, {"0"}, {"1"}, {"0", "1"}, {"99"}}).Draw(t, "named"),
		},
		Status: rapid.SampledFrom([]Status{
			StatusConfirmed, StatusConfirmed, StatusConfirmed, StatusSeated, StatusCompleted, StatusCancelled, StatusNoShow,
		}).Draw(t, "status"),
		Party: domain.PartySize(rapid.IntRange(1, int(plan.LargestParty())+2).Draw(t, "party")), StartsAt: at, Time: "19:07",
		Minutes: rapid.SampledFrom([]int{0, 0, 45}).Draw(t, "minutes"), Details: Details{Notes: "by the window"},
	}
}

// A fact of another service date has no place in this day's book.
func TestAFactOfAnotherDay(t *testing.T) {
	s := given(t, firm(now, 2, "18:00"))
	fact := func(at domain.Instant) Record {
		return Record{
			Now: now, Actor: host, Fact: Fact{Batch: "one", Source: "theirs", External: "1"}, Status: StatusConfirmed, Party: 2, StartsAt: at, Time: "18:00",
		}
	}
	for _, off := range []domain.Instant{-30 * hour, 25 * hour, 5000 * 24 * hour} {
		if no := refused(t, s, fact(evening+off)); no.Code != domain.CodeInvalid || no.Reasons[0].Rule != "starts_at" {
			t.Errorf("%d hours away: %v", off/hour, no)
		}
	}
	for _, off := range []domain.Instant{-18 * hour, 0, 23 * hour} {
		decided(t, s, fact(evening+off))
	}
}

// factsHold checks what must be true of a day's facts beside what holds of all entries: who
// has no table stands in conflict, and nobody is in conflict about an entry that is not there.
func factsHold(s State) error {
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		if r.Fact == nil {
			continue
		}
		if listed := slices.Contains(s.Facts(), n); listed != (r.Status != StatusWithdrawn) {
			return fmt.Errorf("%d is %s and among the facts: %t", n, r.Status, listed)
		}
		// A change of the plan can take a party's table away, and tells that itself.
		if r.Status.Live() && len(r.Tables) == 0 && len(r.Open()) == 0 && !r.Exception && !r.Touched() {
			return fmt.Errorf("%+v has no table and no conflict", r)
		}
		for _, c := range r.Conflicts {
			for _, other := range c.Entries {
				if _, ok := s.Reservation(other); !ok || other == n {
					return fmt.Errorf("%d is in conflict with %d", n, other)
				}
			}
		}
	}
	return nil
}

// Facts of any kind, among bookings, keep the day's rules; and a batch that is taken back
// leaves what was there before, but for who was given another table meanwhile.
func TestFactsAreRecordedAndTakenBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := anyPlan(t)
		plan.Policy.Assignment = rapid.SampledFrom([]Assignment{FirstFit, LateBinding}).Draw(t, "assignment")
		d := Decider()
		s := d.Initial()
		now := evening - rapid.SampledFrom([]domain.Instant{20 * hour, 0, -hour, -24 * hour}).Draw(t, "begin")
		staff := domain.Staff("usr_9")
		open := Open{Now: now, Restaurant: restaurant, Date: 20000, Plan: plan}
		do := func(c Command) []Event {
			events, err := d.Decide(s, c)
			if _, ok := domain.Rejected(err); err != nil && !ok {
				t.Fatalf("%+v: %v", c, err)
			}
			was := remember(s)
			next, again := d.Fold(s, events...), d.Fold(s, events...)
			if !reflect.DeepEqual(next, again) || !reflect.DeepEqual(was, remember(s)) {
				t.Fatalf("%+v: folding twice, or deciding, changed the state", c)
			}
			s = next
			if err := apart(s); err != nil {
				t.Fatalf("%+v\n%+v\n%v", c, events, err)
			}
			if err := factsHold(s); err != nil {
				t.Fatalf("%+v\n%+v\n%v", c, events, err)
			}
			return events
		}
		do(open)
		for range rapid.IntRange(0, 6).Draw(t, "bookings") {
			slot := plan.Slots[rapid.IntRange(0, len(plan.Slots)-1).Draw(t, "slot")]
			do(Hold{Now: now, Actor: staff, Party: domain.PartySize(rapid.IntRange(1, int(plan.LargestParty())).Draw(t, "party")), StartsAt: slot.StartsAt, Confirm: true})
		}
		before := s
		var facts []Record
		for range rapid.IntRange(1, 20).Draw(t, "facts") {
			c := anyFact(t, plan, now, staff)
			c.Fact.Batch = "one"
			if len(do(c)) > 0 {
				facts = append(facts, c)
			}
		}
		for _, c := range facts { // told again, nothing comes of it
			if events := do(c); len(events) != 0 {
				t.Fatalf("told again: %+v", events)
			}
			c.Fact.Digest = "other"
			if _, err := d.Decide(s, c); code(err) != domain.CodeFactChanged {
				t.Fatalf("told otherwise: %v", err)
			}
		}
		do(Withdraw{Now: now, Actor: staff, Batch: "two", Force: true})
		do(Withdraw{Now: now, Actor: staff, Batch: "one"})
		if left := s.Facts(); len(left) != 0 {
			t.Fatalf("%v of the batch are left", left)
		}
		if got, want := placesOf(s, plan), placesOf(before, plan); !reflect.DeepEqual(got, want) {
			t.Fatalf("after the batch was taken back\n%+v\nwant\n%+v", got, want)
		}
	})
}

// placesOf is what is on the floor, without the tables of those who may be moved.
func placesOf(s State, plan *Plan) []Booking {
	list := s.Bookings()
	for i := range list {
		if plan.Policy.Assignment == LateBinding && !list[i].Bound {
			list[i].Tables = nil
		}
	}
	slices.SortFunc(list, func(a, b Booking) int { return int(a.Number) - int(b.Number) })
	return list
}

func code(err error) domain.Code {
	no, ok := domain.Rejected(err)
	if !ok {
		return ""
	}
	return no.Code
}

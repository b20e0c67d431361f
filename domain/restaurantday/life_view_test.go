package restaurantday

import (
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// looked counts what the days of a test were asked.
type looked struct{ slots, refusals, modelled int }

// Whatever an evening brings, what is shown is what is decided, a trial of everything says
// the same, those named in a refusal are enough, alternatives can be had, and what is shown
// stays so as long as it is said to.
func TestWhatIsShownIsDecided(t *testing.T) {
	var sum looked
	rapid.Check(t, func(t *rapid.T) {
		plan := anyRules(t)
		d := Decider()
		s := d.Initial()
		now := evening - rapid.SampledFrom([]domain.Instant{0, hour, 3 * hour, 20 * hour}).Draw(t, "begin")
		for range rapid.IntRange(10, 60).Draw(t, "commands") {
			now += rapid.SampledFrom([]domain.Instant{0, 0, minute, 5 * minute, 20 * minute}).Draw(t, "step")
			c := anyLife(t, s, plan, now)
			events, err := d.Decide(s, c)
			if s = d.Fold(s, events...); err != nil || !s.Opened() {
				continue
			}
			party := domain.PartySize(rapid.IntRange(1, int(plan.LargestParty())+1).Draw(t, "onlooker's party"))
			if err := sum.look(s, party, now); err != nil {
				t.Fatalf("after %T %+v: %v", c, c, err)
			}
		}
	})
	t.Logf("%d slots, %d of them by the model, %d refusals for parties' sake", sum.slots, sum.modelled, sum.refusals)
}

// look compares what the day shows a party with what it decides.
func (n *looked) look(s State, party domain.PartySize, now domain.Instant) error {
	at := s.at(now)
	shown, until := s.Slots(party, at), s.HoldsUntil(at)
	if again := NewOccupancy(s.Plan, s.Bookings()).WithWaiting(s.waiting).Slots(party, at); !reflect.DeepEqual(again, shown) {
		return fmt.Errorf("rebuilt from its bookings the day shows\n%+v\nnot\n%+v", again, shown)
	}
	for _, later := range []domain.Instant{at + 1, at + minute, at + 20*minute, until - 1} {
		if later <= at || (until != 0 && later >= until) {
			continue
		}
		if then := s.Slots(party, later); !reflect.DeepEqual(then, shown) {
			return fmt.Errorf("what is shown at %s until %s differs at %s", at, until, later)
		}
	}
	page, err := s.page(now, nil)
	if err != nil {
		return err
	}
	settled := page.Occupancy // as s.settled has it, but for the numbers of offers
	m := model{plan: s.Plan, now: at}
	for _, slot := range shown {
		ask := func(starts domain.Instant) (*domain.Rejection, domain.Code) {
			_, err := decide(s, Hold{Now: now, Actor: domain.Diner(diner), Diner: diner, Party: party, StartsAt: starts})
			if no, ok := domain.Rejected(err); ok {
				return no, no.Code
			}
			return nil, ""
		}
		no, code := ask(slot.StartsAt)
		if code != slot.Refusal {
			return fmt.Errorf("for %d at %s %q is shown, and decided %+v", party, slot.Time, slot.Refusal, no)
		}
		n.slots++
		r := Request{Slot: slot.Slot, Party: party, Now: at}
		if tables := code == "" || code == domain.CodeNoTable || code == domain.CodeBlocked; tables && len(m.guests(settled)) <= 9 {
			n.modelled++
			if fits := m.accepts(settled, r); fits != (code == "") {
				return fmt.Errorf("for %d at %s: %q; by trying everything it fits: %t\n%+v", party, slot.Time, code, fits, settled.Bookings())
			}
		}
		if no == nil {
			continue
		}
		if named, err := enough(settled, r, no); err != nil {
			return err
		} else if named {
			n.refusals++
		}
		for _, other := range no.Alternatives {
			if _, code := ask(other.StartsAt); code != "" {
				return fmt.Errorf("for %d at %s there is %s instead, and that is refused: %q", party, slot.Time, other.Time, code)
			}
		}
	}
	return nil
}

// enough checks that a refusal names those without whom the same is accepted, or nobody
// where nobody's leaving would help.
func enough(o Occupancy, r Request, no *domain.Rejection) (named bool, err error) {
	without := o
	for _, reason := range no.Reasons {
		for _, b := range reason.Blocked {
			named = true
			without = without.release(b.Number)
		}
	}
	switch _, never := NewOccupancy(o.Plan, nil).judge(r); {
	case !named && never == nil:
		return false, fmt.Errorf("%+v was refused for parties' sake without a name: %+v", r, no)
	case !named:
		return false, nil
	case never != nil:
		return true, fmt.Errorf("%+v can never be let in, yet %+v", r, no)
	}
	if _, still := without.judge(r); still != nil {
		return true, fmt.Errorf("%+v was refused with %+v; without those named still with %+v", r, no, still)
	}
	return true, nil
}

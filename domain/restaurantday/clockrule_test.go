package restaurantday

import (
	"reflect"
	"slices"
	"testing"

	"daybook/domain"
)

func sameMemory(a, b State) bool { return reflect.DeepEqual(remember(a), remember(b)) }

// without returns the decider with parts of the rule on clocks taken away: the day's clock
// that never goes back, and the lapses that go on record.
func without(clock, record bool) domain.Decider[State, Command, Event] {
	d := Decider()
	return domain.Decider[State, Command, Event]{
		Initial: d.Initial,
		Decide: func(s State, c Command) ([]Event, error) {
			events, err := d.Decide(s, c)
			if record {
				events = slices.DeleteFunc(events, func(e Event) bool { _, lapse := e.(Expired); return lapse })
			}
			return events, err
		},
		Evolve: func(s State, e Event) State {
			s = d.Evolve(s, e)
			if clock {
				s.clock = 0
			}
			return s
		},
	}
}

// Two processes, ten seconds apart, at the end of a hold: the fast one gives its table to
// another party, the slow one confirms it, and the second hold is confirmed too. The rule on
// clocks has two halves of which each alone prevents that; with neither the table is sold
// twice, and the invariant sees it.
func TestWithoutTheClockRuleATableIsSoldTwice(t *testing.T) {
	one := plan()
	one.Tables = one.Tables[:1]
	lapse := now + 5*minute
	fast, slow := lapse, lapse-10_000
	asked := func(at domain.Instant) Hold {
		h := hold(at, 2, "18:00")
		h.Opening.Plan = one
		return h
	}
	for name, c := range map[string]struct {
		clock, record bool
		oversold      bool
	}{
		"the whole rule":  {},
		"no clock":        {clock: true},
		"no record":       {record: true},
		"neither of them": {clock: true, record: true, oversold: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(one, without(c.clock, c.record))
			for _, command := range []Command{
				asked(now),
				asked(fast),
				Confirm{Now: slow, Actor: domain.Diner(diner), Number: 1},
				Confirm{Now: fast + 1, Actor: domain.Diner(diner), Number: 2},
			} {
				_, broken := w.do(command)
				t.Logf("%T: broken: %v", command, broken)
			}
			if broken := w.oversold(); (broken != nil) != c.oversold {
				t.Errorf("got %v; sold twice: want %v", broken, c.oversold)
			}
		})
	}
}

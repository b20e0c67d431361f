package restaurantday

import (
	"fmt"
	"reflect"
	"slices"

	"daybook/domain"
)

// world is one day's stream and the rules that must hold of it, told again from the log
// alone: it asks nothing of the code under test but its events.
type world struct {
	decider domain.Decider[State, Command, Event]
	plan    *Plan
	s       State
	log     []Event
	entries []entry
	relied  domain.Instant // the latest time by which anything was decided
	kept    []generation
}

// entry is a reservation as the log tells it.
type entry struct {
	held    Held
	tables  []domain.TableID // that it has now
	status  Status
	expires domain.Instant
}

// binds reports whether the entry keeps its table at t.
func (e entry) binds(t domain.Instant) bool {
	return e.status == StatusConfirmed || (e.status == StatusPending && e.expires > t)
}

// generation is an earlier state and what it was when it was new.
type generation struct {
	state State
	was   memory
}

// memory is all that a state holds, copied out of it.
type memory struct {
	clock    domain.Instant
	pending  []pending
	bookings []Booking
	entries  []Reservation
}

func remember(s State) memory {
	m := memory{clock: s.clock, pending: slices.Clone(s.pending), bookings: s.Bookings()}
	for n := uint32(1); int(n) <= s.Reservations(); n++ {
		r, _ := s.Reservation(n)
		m.entries = append(m.entries, *r)
	}
	return m
}

func newWorld(plan *Plan, d domain.Decider[State, Command, Event]) *world {
	return &world{decider: d, plan: plan, s: d.Initial()}
}

// do decides a command and, where it is accepted, checks and appends what comes of it. The
// error is a broken rule; a refusal is none.
func (w *world) do(c Command) (no *domain.Rejection, broken error) {
	base, was := w.s, remember(w.s)
	events, err := w.decider.Decide(base, c)
	if !reflect.DeepEqual(remember(base), was) {
		return nil, fmt.Errorf("deciding %+v changed the state", c)
	}
	if err != nil {
		no, ok := domain.Rejected(err)
		if !ok {
			return nil, err
		}
		return no, nil
	}
	one, two := w.decider.Fold(base, events...), w.decider.Fold(base, events...)
	if !reflect.DeepEqual(remember(one), remember(two)) {
		return nil, fmt.Errorf("folding %+v twice gave two states", events)
	}
	w.kept = append(w.kept, generation{base, was})
	w.s = one
	for _, e := range events {
		if err := w.append(e); err != nil {
			return nil, fmt.Errorf("%+v\ncame of %+v: %w", events, c, err)
		}
	}
	if w.s.Clock() < base.Clock() || w.s.Reservations() != len(w.entries) {
		return nil, fmt.Errorf("the clock went from %s to %s, the book has %d of %d entries", base.Clock(), w.s.Clock(), w.s.Reservations(), len(w.entries))
	}
	switch c.(type) {
	case Hold, Lapse: // what they rely on, or are for, goes on record
		for _, e := range w.entries {
			if e.status == StatusPending && e.expires <= w.s.Clock() && len(events) > 0 {
				return nil, fmt.Errorf("%+v left %+v without a record that it lapsed", c, e)
			}
		}
	}
	return nil, w.oversold()
}

// append takes an event into the log and judges it there.
func (w *world) append(e Event) error {
	t := e.DecidedAt()
	w.log = append(w.log, e)
	w.relied = max(w.relied, t)
	switch e := e.(type) {
	case Held:
		if int(e.Number) != len(w.entries)+1 {
			return fmt.Errorf("number %d follows %d entries", e.Number, len(w.entries))
		}
		if !w.seats(e.Tables, e.Party, e.Occupied) {
			return fmt.Errorf("a party of %d sits at %v from %s", e.Party, e.Tables, e.Occupied.From)
		}
		if occupied := w.occupied(e.Slot, e.Party); e.Occupied != occupied {
			return fmt.Errorf("occupied %v, want %v", e.Occupied, occupied)
		}
		if covers, limit := w.covers(e.Slot, t)+int(e.Party), w.pacing(e.Slot); limit != 0 && covers > limit {
			return fmt.Errorf("%d covers begin in one slot", covers)
		}
		w.entries = append(w.entries, entry{e, e.Tables, StatusPending, e.ExpiresAt})
	case Reassigned:
		r := &w.entries[e.Number-1]
		switch {
		case w.plan.Policy.Assignment != LateBinding || !r.binds(t) || r.held.Occupied.From <= t || int(e.For) != len(w.entries)+1:
			return fmt.Errorf("entry %+v was moved by %+v", r, e)
		case !w.seats(e.Tables, r.held.Party, r.held.Occupied):
			return fmt.Errorf("entry %+v was moved to %v", r, e.Tables)
		}
		r.tables = e.Tables
	case Confirmed:
		r := &w.entries[e.Number-1]
		if r.status != StatusPending || r.expires <= t {
			return fmt.Errorf("entry %d, %s and held until %s, was confirmed at %s", e.Number, r.status, r.expires, t)
		}
		r.status = StatusConfirmed
	case Cancelled:
		r := &w.entries[e.Number-1]
		if !r.binds(t) {
			return fmt.Errorf("entry %d, %s and held until %s, was cancelled at %s", e.Number, r.status, r.expires, t)
		}
		r.status = StatusCancelled
	case Expired:
		r := &w.entries[e.Number-1]
		if r.status != StatusPending || r.expires != e.LapsedAt || e.LapsedAt > t {
			return fmt.Errorf("entry %d, %s and held until %s, was recorded as lapsed at %s", e.Number, r.status, r.expires, t)
		}
		r.status = StatusExpired
	}
	return nil
}

// occupied is how long party, seated in slot, keeps others from its table.
func (w *world) occupied(slot Slot, party domain.PartySize) domain.Interval {
	turns := w.plan.Policy.Turns
	for _, shift := range w.plan.Shifts {
		if shift.Name == slot.Shift && shift.Turns != nil {
			turns = shift.Turns
		}
	}
	for _, turn := range turns {
		if party <= turn.UpToParty {
			end := min(slot.StartsAt+domain.Instant(turn.Minutes)*minute, slot.Closes)
			return domain.Interval{From: slot.StartsAt, To: end + domain.Instant(w.plan.Policy.BufferMinutes)*minute}
		}
	}
	panic("a plan has a turn for every party")
}

// covers counts by the log those who begin in slot, at t.
func (w *world) covers(slot Slot, t domain.Instant) (n int) {
	for _, e := range w.entries {
		if e.held.Slot == slot && e.binds(t) {
			n += int(e.held.Party)
		}
	}
	return n
}

// pacing is how many covers may begin in slot.
func (w *world) pacing(slot Slot) int {
	for _, shift := range w.plan.Shifts {
		if shift.Name == slot.Shift && shift.PacingCovers > 0 {
			return shift.PacingCovers
		}
	}
	return w.plan.Policy.PacingCovers
}

// seats reports whether tables together are one that seats party, or a combination that
// does, and nothing keeps them free.
func (w *world) seats(tables []domain.TableID, party domain.PartySize, during domain.Interval) bool {
	return model{plan: w.plan}.among(guest{during: during, party: party}, w.plan.tableIndexes(tables))
}

// oversold finds two parties on one table. A hold counts until it lapses by the latest
// clock that anybody decided by: it can be confirmed until then, and not after.
func (w *world) oversold() error {
	for i, a := range w.entries {
		for _, b := range w.entries[:i] {
			shared := slices.ContainsFunc(a.tables, func(id domain.TableID) bool { return slices.Contains(b.tables, id) })
			if shared && a.binds(w.relied) && b.binds(w.relied) && a.held.Occupied.Overlaps(b.held.Occupied) {
				return fmt.Errorf("two parties on one table by %s:\n%+v\n%+v", w.relied, a, b)
			}
		}
	}
	return nil
}

// free counts by the log the tables that seat party, which books online, in slot at t.
func (w *world) free(slot Slot, party domain.PartySize, t domain.Instant) (n int) {
	want := w.occupied(slot, party)
	for _, set := range (model{plan: w.plan}).places(guest{during: want, party: party, online: true}) {
		taken := slices.ContainsFunc(w.entries, func(e entry) bool {
			return slices.Contains(e.tables, set[0]) && e.binds(t) && e.held.Occupied.Overlaps(want)
		})
		if len(set) == 1 && !taken {
			n++
		}
	}
	return n
}

// fits tries by the log whether party, which books online, can be seated in slot at t, where
// those are few who would have to be tried.
func (w *world) fits(slot Slot, party domain.PartySize, t domain.Instant) (fits, small bool) {
	guests := []guest{{during: w.occupied(slot, party), party: party, online: true}}
	for _, e := range w.entries {
		if e.binds(t) {
			g := guest{during: e.held.Occupied, party: e.held.Party, wish: e.held.Wish, online: e.held.Online}
			if w.plan.Policy.Assignment == FirstFit || e.held.Occupied.From <= t {
				g.fixed = e.tables
			}
			guests = append(guests, g)
		}
	}
	if len(guests) > 9 {
		return false, false
	}
	slices.Reverse(guests) // who asks comes last: the others are known to fit
	return model{plan: w.plan}.fits(guests), true
}

// viewAgrees checks that what is shown at now is what would be decided, and is true.
func (w *world) viewAgrees(party domain.PartySize, now domain.Instant) error {
	if !w.s.Opened() {
		return nil
	}
	t := max(now, w.s.Clock())
	shown := w.s.Slots(party, t)
	if again := NewOccupancy(w.plan, w.s.Bookings()).Slots(party, t); !reflect.DeepEqual(again, shown) {
		return fmt.Errorf("rebuilt from its bookings the day shows\n%+v\nnot\n%+v", again, shown)
	}
	for _, slot := range shown {
		_, err := w.decider.Decide(w.s, Hold{Now: now, Actor: domain.Diner("usr_1"), Diner: "usr_1", Party: party, StartsAt: slot.StartsAt})
		var code domain.Code
		if no, ok := domain.Rejected(err); ok {
			code = no.Code
		}
		if code != slot.Refusal || (slot.TablesLeft > 0) != (err == nil) {
			return fmt.Errorf("for %d at %s, shown at %s: %d tables, %q; decided: %v", party, slot.Time, t, slot.TablesLeft, slot.Refusal, err)
		}
		limit := w.pacing(slot.Slot)
		full := limit > 0 && w.covers(slot.Slot, t)+int(party) > limit
		if (code == "" && full) || (code == domain.CodePacingFull && !full) {
			return fmt.Errorf("for %d at %s, shown at %s: %q with %d covers of %d", party, slot.Time, t, code, w.covers(slot.Slot, t), limit)
		}
		if fits, small := w.fits(slot.Slot, party, t); small && (code == "" || code == domain.CodeNoTable) && fits != (code == "") {
			return fmt.Errorf("for %d at %s, shown at %s: %q; by trying everything it fits: %v", party, slot.Time, t, code, fits)
		}
		n := w.free(slot.Slot, party, t)
		if code == "" && n == 0 && (w.plan.Policy.Assignment == LateBinding || w.plan.Combinations != nil) {
			n = 1
		}
		if (code == "" || code == domain.CodeNoTable) && n != slot.TablesLeft {
			return fmt.Errorf("for %d at %s, shown at %s: %d tables, by the log %d", party, slot.Time, t, slot.TablesLeft, n)
		}
	}
	return nil
}

// viewHolds checks that what is shown at now stays so at instants before HoldsUntil.
func (w *world) viewHolds(party domain.PartySize, now domain.Instant, later ...domain.Instant) error {
	if !w.s.Opened() {
		return nil
	}
	shown, until := w.s.Slots(party, now), w.s.HoldsUntil(now)
	for _, at := range append(later, until-1) {
		if at <= now || (until != 0 && at >= until) {
			continue
		}
		if then := w.s.Slots(party, at); !reflect.DeepEqual(then, shown) {
			return fmt.Errorf("what is shown at %s should hold until %s, but differs at %s", now, until, at)
		}
	}
	return nil
}

// keptAsTheyWere checks that no earlier state was written to by what came after it.
func (w *world) keptAsTheyWere() error {
	for i, g := range w.kept {
		if !reflect.DeepEqual(remember(g.state), g.was) {
			return fmt.Errorf("state %d of %d was written to:\n%+v\nit was\n%+v", i, len(w.kept), remember(g.state), g.was)
		}
	}
	return nil
}

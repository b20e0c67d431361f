package restaurantday

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// A model of who can be seated, by trying all there is: every party that may be moved at
// every set of tables it could have. It shares no code with the search, only its types.
type model struct {
	plan *Plan
	now  domain.Instant
}

// guest is a party as the model sees it.
type guest struct {
	during domain.Interval
	party  domain.PartySize
	wish   Wish
	online bool
	fixed  []domain.TableID // where it must stay; none where it may be moved
	stays  []domain.TableID // where it may stay, whatever has become of the floor; nil for nowhere
}

// guests are the parties of an occupancy.
func (m model) guests(o Occupancy) (list []guest) {
	for _, b := range o.Bookings() {
		g := guest{during: domain.Interval{From: b.From, To: b.To}, party: b.Party, wish: b.Wish, online: b.Online, stays: m.plan.tableIDs(b.Tables)}
		if m.plan.Policy.Assignment == FirstFit || b.Bound || b.From <= m.now {
			g.fixed = g.stays
		}
		list = append(list, g)
	}
	return list
}

// places are the sets of tables that g could have in an empty house.
func (m model) places(g guest) (sets [][]domain.TableID) {
	if g.fixed != nil {
		return [][]domain.TableID{g.fixed}
	}
	if g.stays != nil {
		sets = append(sets, g.stays)
	}
	usable := func(t Table) bool {
		if g.online && t.OfflineOnly {
			return false
		}
		for _, b := range m.plan.Blocks {
			if (len(b.Tables) == 0 || slices.Contains(b.Tables, t.ID)) && b.During.From < g.during.To && g.during.From < b.During.To {
				return false
			}
		}
		return true
	}
	for _, t := range m.plan.Tables {
		if usable(t) && t.Min <= g.party && g.party <= t.Max && (g.wish.Table == "" || g.wish.Table == t.ID) && (g.wish.Area == "" || g.wish.Area == t.Area) {
			sets = append(sets, []domain.TableID{t.ID})
		}
	}
	for _, c := range m.plan.Combinations {
		ok := c.Min <= g.party && g.party <= c.Max && (g.wish.Table == "" || slices.Contains(c.Tables, g.wish.Table))
		for _, t := range m.plan.Tables {
			if slices.Contains(c.Tables, t.ID) {
				ok = ok && usable(t) && (g.wish.Area == "" || g.wish.Area == t.Area)
			}
		}
		if ok {
			sets = append(sets, c.Tables)
		}
	}
	return sets
}

// fits reports whether all guests can have a place at once.
func (m model) fits(guests []guest) bool {
	type use struct {
		table  domain.TableID
		during domain.Interval
	}
	var taken []use
	var try func(int) bool
	try = func(i int) bool {
		if i == len(guests) {
			return true
		}
		for _, set := range m.places(guests[i]) {
			clash := slices.ContainsFunc(taken, func(u use) bool {
				return slices.Contains(set, u.table) && u.during.From < guests[i].during.To && guests[i].during.From < u.during.To
			})
			if clash {
				continue
			}
			n := len(taken)
			for _, t := range set {
				taken = append(taken, use{t, guests[i].during})
			}
			if try(i + 1) {
				return true
			}
			taken = taken[:n]
		}
		return false
	}
	return try(0)
}

// accepts reports whether r can be seated beside those in o.
func (m model) accepts(o Occupancy, r Request) bool {
	_, want := m.plan.turn(r.Slot, r.Party)
	asks := guest{during: want, party: r.Party, wish: r.Wish, online: !r.Staff}
	return m.fits(append(m.guests(o), asks))
}

// legal says what is wrong with what seat answered.
func (m model) legal(o Occupancy, r Request, s Seating) error {
	before := map[uint32]Booking{}
	for _, b := range o.Bookings() {
		before[b.Number] = b
	}
	for _, move := range s.Moves {
		b, ok := before[move.Number]
		switch {
		case !ok || !slices.Equal(b.Tables, move.From) || slices.Equal(move.From, move.To):
			return fmt.Errorf("move %+v of %+v", move, b)
		case m.plan.Policy.Assignment != LateBinding || b.Bound || b.From <= m.now:
			return fmt.Errorf("%+v was moved, which must stay", b)
		}
		if g := (guest{during: b.occupied(), party: b.Party, wish: b.Wish, online: b.Online}); !m.among(g, move.To) {
			return fmt.Errorf("%+v was moved to %v", b, move.To)
		}
		o = o.rebind(move.Number, move.To)
	}
	if !m.among(guest{during: s.Occupied, party: r.Party, wish: r.Wish, online: !r.Staff}, s.Tables) {
		return fmt.Errorf("%+v was seated at %v", r, s.Tables)
	}
	return disjoint(o.place(Booking{Number: 1 << 20, Tables: s.Tables, From: s.Occupied.From, To: s.Occupied.To}))
}

// among reports whether tables are one of the places of g.
func (m model) among(g guest, tables []int) bool {
	var ids []domain.TableID
	for _, t := range tables {
		ids = append(ids, m.plan.Tables[t].ID)
	}
	return slices.ContainsFunc(m.places(g), func(set []domain.TableID) bool {
		set = slices.Clone(set)
		slices.Sort(set)
		return slices.Equal(set, slices.Sorted(slices.Values(ids)))
	})
}

// disjoint says where two parties have one table.
func disjoint(o Occupancy) error {
	all := o.Bookings()
	for i, a := range all {
		for _, b := range all[:i] {
			if a.From < b.To && b.From < a.To && slices.ContainsFunc(a.Tables, func(t int) bool { return slices.Contains(b.Tables, t) }) {
				return fmt.Errorf("two parties on one table:\n%+v\n%+v", a, b)
			}
		}
	}
	return nil
}

// anyFloor draws a plan with all that matters to who sits where.
func anyFloor(t *rapid.T) *Plan {
	p := anyPlan(t)
	p.Policy.NoticeMinutes, p.Policy.PacingCovers = 0, 0
	p.Policy.Assignment = rapid.SampledFrom([]Assignment{LateBinding, LateBinding, LateBinding, FirstFit}).Draw(t, "assignment")
	for i := range p.Tables {
		p.Tables[i].OfflineOnly = rapid.IntRange(0, 5).Draw(t, "offline") == 5
	}
	if n := len(p.Tables); n > 1 {
		for i := range rapid.IntRange(0, 2).Draw(t, "combinations") {
			a := rapid.IntRange(0, n-2).Draw(t, "first table")
			c := Combination{ID: domain.CombinationID(fmt.Sprintf("cmb_%d", i)), Min: 1, Tables: []domain.TableID{p.Tables[a].ID, p.Tables[a+1].ID}}
			c.Max = p.Tables[a].Max + p.Tables[a+1].Max
			if a+2 < n && rapid.Bool().Draw(t, "three") {
				c.Tables = append(c.Tables, p.Tables[a+2].ID)
				c.Max += 2
			}
			c.Min += domain.PartySize(rapid.IntRange(0, 2).Draw(t, "combination's min"))
			p.Combinations = append(p.Combinations, c)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "block") == 0 {
		from := evening + domain.Instant(rapid.IntRange(0, 6).Draw(t, "block from"))*30*minute
		p.Blocks = []Block{{ID: "blk_0", Tables: []domain.TableID{p.Tables[0].ID}, During: domain.Interval{From: from, To: from + 45*minute}}}
	}
	return p
}

// anyRequest draws what a day of this plan can be asked for.
func anyRequest(t *rapid.T, p *Plan, now domain.Instant) Request {
	return Request{
		Slot: p.Slots[rapid.IntRange(0, len(p.Slots)-1).Draw(t, "slot")], Now: now,
		Party: domain.PartySize(rapid.IntRange(1, int(p.LargestParty())).Draw(t, "party")),
		Wish:  rapid.SampledFrom([]Wish{{}, {}, {}, {}, {}, {Table: "tbl_0"}, {Area: "bar"}}).Draw(t, "wish"),
		Staff: rapid.IntRange(0, 3).Draw(t, "staff") == 0,
	}
}

// accept returns the occupancy with a seating as number.
func accept(o Occupancy, r Request, s Seating, number uint32) Occupancy {
	for _, m := range s.Moves {
		o = o.rebind(m.Number, m.To)
	}
	return o.place(Booking{
		Number: number, Tables: s.Tables, From: s.Occupied.From, To: s.Occupied.To, Slot: r.Slot.StartsAt,
		Party: r.Party, Wish: r.Wish, Online: !r.Staff,
	})
}

// The search accepts what a trial of everything accepts, and nothing else.
func TestSeatingAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			seatedAsTheModelSays(t)
		}
	})
}

// seatedAsTheModelSays plays one drawn day.
func seatedAsTheModelSays(t *rapid.T) {
	p := anyFloor(t)
	m := model{plan: p, now: evening - hour}
	o := NewOccupancy(p, nil)
	number := uint32(0)
	for range rapid.IntRange(4, 30).Draw(t, "requests") {
		switch rapid.IntRange(0, 19).Draw(t, "what") {
		case 0, 1:
			o = o.release(uint32(rapid.IntRange(0, int(number)).Draw(t, "released")))
		case 2:
			o = o.bind(uint32(rapid.IntRange(0, int(number)).Draw(t, "bound")), true)
		case 3:
			m.now += domain.Instant(rapid.IntRange(0, 2).Draw(t, "later")) * 20 * minute
		}
		r := anyRequest(t, p, m.now)
		if len(o.Bookings()) > 9 {
			o = o.release(o.Bookings()[0].Number)
		}
		s, ok := o.seat(r)
		if want := m.accepts(o, r); ok != want {
			t.Fatalf("%+v beside %+v: seated %v, %d steps; the model says %v", r, o.Bookings(), ok, s.Steps, want)
		}
		if !ok {
			continue
		}
		if err := m.legal(o, r, s); err != nil {
			t.Fatal(err)
		}
		number++
		o = accept(o, r, s, number)
	}
}

// On full evenings, where searches go deep and turn back, whom the search moves and where is
// legal, too, and a search leaves nothing behind for the next one.
func TestFullEvenings(t *testing.T) {
	seeds := uint64(2)
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		seeds = 100
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		p := eveningOf(4, evenTables(9), LateBinding)
		for i := range 4 {
			a, b := p.Tables[2*i], p.Tables[2*i+1]
			p.Combinations = append(p.Combinations, Combination{ID: "cmb_1", Tables: []domain.TableID{a.ID, b.ID}, Min: a.Max + 1, Max: a.Max + b.Max})
		}
		m := model{plan: p, now: now}
		o := NewOccupancy(p, nil)
		moved := 0
		for number := range uint32(150) {
			if random.IntN(4) == 0 {
				o = o.release(uint32(random.IntN(int(number) + 1)))
			}
			h := anyHold(random, p)
			slot, _ := p.slotAt(h.StartsAt)
			r := Request{Slot: slot, Party: h.Party + domain.PartySize(random.IntN(3)), Now: now}
			s, ok := o.seat(r)
			shared := &seeker{o: o}
			for _, other := range p.Slots[:3] {
				steps := searchSteps
				shared.seat(Request{Slot: other, Party: 4, Now: now}, &steps)
			}
			steps := searchSteps
			if again, _ := shared.seat(r, &steps); !reflect.DeepEqual(again, s) {
				t.Fatalf("seed %d: asked alone %+v, after others %+v", seed, s, again)
			}
			if !ok {
				continue
			}
			if err := m.legal(o, r, s); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			moved += len(s.Moves)
			o = accept(o, r, s, number+1)
		}
		if moved == 0 {
			t.Errorf("seed %d: nobody was moved", seed)
		}
	}
}

package availability

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// full is a day in which every field of the value is set.
func full() (header, day) {
	p := plan()
	p.Policy.PacingCovers = 12
	p.Slots[8].Closes = 0
	p.Closure = "renovation"
	p.Policy.CancelMinutes, p.Policy.WaitlistOfferMinutes, p.Policy.Assignment = 1440, 15, restaurantday.LateBinding
	p.Shifts = []restaurantday.ShiftPlan{{Name: "dinner", Turns: []restaurantday.TurnTime{{UpToParty: 4, Minutes: 80}}, PacingCovers: 30}, {}}
	p.Tables[1].OfflineOnly = true
	p.Combinations = []restaurantday.Combination{{ID: "cmb_1", Tables: []domain.TableID{p.Tables[0].ID, p.Tables[2].ID}, Min: 4, Max: 6}}
	p.Blocks = []restaurantday.Block{
		{ID: "blk_1", During: domain.Interval{From: evening, To: evening + hour}},
		{ID: "blk_2", Tables: []domain.TableID{p.Tables[1].ID}, During: domain.Interval{From: evening, To: evening + hour}},
	}
	bookings := []restaurantday.Booking{
		{Number: 1, Tables: []int{0}, From: evening, To: evening + 70*minute, Slot: evening, Party: 2, Bound: true},
		{Number: 900, Tables: []int{0, 2}, From: evening + 90*minute, To: evening + 160*minute, Expires: morning + 5*minute, Party: 1, Online: true},
		{Number: 3, Tables: []int{2}, From: evening + 30*minute, To: evening + 90*minute, Slot: evening + 40*minute, Party: 300, Wish: restaurantday.Wish{Area: "bar"}},
		{Number: 4, From: evening, To: evening + hour, Slot: evening, Party: 2, Wish: restaurantday.Wish{Table: p.Tables[1].ID}},
	}
	d := day{plan: &encodedPlan{encodePlan(p)}}
	d.state.Occupancy = restaurantday.NewOccupancy(p, bookings).WithWaiting([]restaurantday.Waiting{
		{Entry: 1, Party: 4, From: evening, To: evening + hour, Online: true},
		{Entry: 7, Party: 2, From: evening - hour, To: evening + hour, Wish: restaurantday.Wish{Area: "bar"}},
	})
	h := header{epoch: epoch{1, 2, 15: 3}, revision: 1 << 40, asOf: morning + 1, clock: morning, lapses: morning + 5*minute}
	return h, d
}

// TestValueTellsNoReasons: why tables are blocked is sealed in the ledger, and not in Redis.
func TestValueTellsNoReasons(t *testing.T) {
	p := &restaurantday.Plan{Zone: "UTC", Blocks: []restaurantday.Block{{ID: "blk_1", Reason: "for Zoë"}}}
	if b := encodePlan(p); bytes.Contains(b, []byte("for Zoë")) {
		t.Errorf("%q", b)
	}
}

func TestValueComesBack(t *testing.T) {
	for name, p := range map[string]*restaurantday.Plan{"full": nil, "closed": {Zone: "UTC"}} {
		h, d := full()
		if p != nil {
			d = day{plan: &encodedPlan{encodePlan(p)}}
			d.state.Occupancy = restaurantday.NewOccupancy(p, nil)
		}
		raw := string(encodeValue(h, d))
		gotHeader, ok := parseHeader(raw)
		if !ok || gotHeader != h {
			t.Errorf("%s: header %+v, want %+v", name, gotHeader, h)
		}
		got, ok := decodeValue(raw, nil)
		if !ok || !reflect.DeepEqual(got.occupancy, d.state.Occupancy) {
			t.Errorf("%s: got %+v, want %+v", name, got.occupancy, d.state.Occupancy)
		}
		again, ok := decodeValue(raw, &remembered{content: got})
		if !ok || !reflect.DeepEqual(again, got) || again.occupancy.Plan != got.occupancy.Plan {
			t.Errorf("%s: a plan that is known was not taken", name)
		}
	}
}

// Whatever stands in Redis, reading it ends, and a shortened value is never taken.
func TestDamagedValues(t *testing.T) {
	raw := string(encodeValue(full()))
	for n := range len(raw) {
		if _, ok := parseHeader(raw[:n]); !ok {
			continue
		}
		if _, ok := decodeValue(raw[:n], nil); ok {
			t.Errorf("%d bytes of %d were taken for a value", n, len(raw))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		b := []byte(raw)
		for range 1 + r.IntN(4) {
			b[headerSize+r.IntN(len(b)-headerSize)] = byte(r.Uint32())
		}
		if c, ok := decodeValue(string(b), nil); ok {
			c.occupancy.Bookings() // and what is taken can be worked with
		}
	}
}

func TestNewer(t *testing.T) {
	h, d := full()
	base := string(encodeValue(h, d))
	with := func(change func(*header)) string {
		next := h
		change(&next)
		return string(encodeValue(next, d))
	}
	for name, c := range map[string]struct {
		next, old string
		want      bool
	}{
		"none there":       {base, "", true},
		"the same":         {base, base, false},
		"later revision":   {with(func(h *header) { h.revision++; h.asOf = 0 }), base, true},
		"earlier revision": {with(func(h *header) { h.revision--; h.asOf += hour }), base, false},
		"known for longer": {with(func(h *header) { h.asOf++ }), base, true},
		"other epoch":      {with(func(h *header) { h.epoch[3]++; h.revision = 0 }), base, true},
	} {
		if got := newer(c.next[:ageSize], c.old[:min(ageSize, len(c.old))]); got != c.want {
			t.Errorf("%s: newer is %v", name, got)
		}
	}
}

func TestMemory(t *testing.T) {
	_, d := full()
	occ := d.state.Occupancy
	loads := 0
	load := func(*remembered) (content, bool) {
		loads++
		return content{occupancy: occ}, true
	}
	m := newMemory(2)
	ask := func(key DayKey, h header, party domain.PartySize, now domain.Instant) {
		t.Helper()
		got, ok := m.answer(key, h, party, now, load)
		want := Answer{Opened: true, Revision: h.revision, Plan: occ.Plan, Slots: occ.Slots(party, now)}
		if !ok || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	h := header{revision: 5}
	for _, c := range []struct {
		what  string
		ask   func()
		loads int
	}{
		{"first", func() { ask(today, h, 2, morning) }, 1},
		{"again", func() { ask(today, h, 2, morning+1) }, 1},
		{"another party", func() { ask(today, h, 4, morning) }, 1},
		{"at the instant a hold lapses", func() { ask(today, h, 2, morning+5*minute) }, 1},
		{"a clock that went back", func() { ask(today, h, 2, morning) }, 1},
		{"another epoch", func() { ask(today, header{revision: 5, epoch: epoch{1}}, 2, morning) }, 2},
		{"a later revision", func() { ask(today, header{revision: 6, epoch: epoch{1}}, 2, morning) }, 3},
		{"an earlier one", func() { ask(today, header{revision: 5, epoch: epoch{1}}, 2, morning) }, 4},
		{"which pushed nothing out", func() { ask(today, header{revision: 6, epoch: epoch{1}}, 2, morning) }, 4},
	} {
		if c.ask(); loads != c.loads {
			t.Errorf("%s: loaded %d times, want %d", c.what, loads, c.loads)
		}
	}
	for i := range domain.ServiceDate(10) {
		ask(DayKey{restaurant, date + i}, h, 2, morning)
	}
	if len(m.byKey) != 2 || m.order.Len() != 2 {
		t.Errorf("%d days kept, want 2", len(m.byKey))
	}
	for party := range domain.PartySize(500) {
		ask(today, h, party+1, morning)
	}
	if n := len(m.byKey[today].Value.(*remembered).answers); n > maxAnswers {
		t.Errorf("%d answers kept, want %d at most", n, maxAnswers)
	}
}

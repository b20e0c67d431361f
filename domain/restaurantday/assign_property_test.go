package restaurantday

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"daybook/domain"
)

// anyHouse draws a day under way: parties that are firm, held, bound or due, some of whom
// were moved for others, and some who wait.
func anyHouse(t *rapid.T, p *Plan, now domain.Instant) Occupancy {
	o := NewOccupancy(p, nil)
	for number := range uint32(rapid.IntRange(0, 30).Draw(t, "asked for")) {
		r := anyRequest(t, p, now)
		s, ok := o.seat(r)
		if !ok {
			continue
		}
		o = accept(o, r, s, number+1)
		o = o.edit(number+1, func(b *Booking) {
			b.Bound = rapid.IntRange(0, 4).Draw(t, "bound") == 0
			b.Expires = now + rapid.SampledFrom([]domain.Instant{0, 0, 0, 1, 5 * minute, hour}).Draw(t, "expires")
			if b.Expires == now {
				b.Expires = 0
			}
		})
	}
	return o
}

func withWaiting(t *rapid.T, o Occupancy) Occupancy {
	slots := o.Plan.Slots
	for entry := range uint32(rapid.IntRange(0, 6).Draw(t, "waiting")) {
		first := rapid.IntRange(0, len(slots)-1).Draw(t, "from")
		last := rapid.IntRange(first, len(slots)-1).Draw(t, "to")
		o = o.wait(Waiting{
			Entry: entry + 1, Party: domain.PartySize(rapid.IntRange(1, int(o.Plan.LargestParty())+1).Draw(t, "waiting party")),
			From: slots[first].StartsAt, To: slots[last].StartsAt, Online: rapid.Bool().Draw(t, "online"),
		})
	}
	return o
}

// anyRules draws a floor with rules on time and pacing, too.
func anyRules(t *rapid.T) *Plan {
	p := anyFloor(t)
	p.Policy.NoticeMinutes = rapid.SampledFrom([]int{0, 0, 60}).Draw(t, "notice again")
	p.Policy.PacingCovers = rapid.SampledFrom([]int{0, 0, 4, 6}).Draw(t, "pacing again")
	p.Policy.WaitlistOfferMinutes = rapid.SampledFrom([]int{0, 3, 30}).Draw(t, "offer minutes")
	if rapid.IntRange(0, 3).Draw(t, "a shift of its own") == 0 {
		p.Shifts = []ShiftPlan{{Name: "late", PacingCovers: 3, Turns: []TurnTime{{UpToParty: 500, Minutes: 50}}}}
	}
	return p
}

// A refusal names rules alone where no party's leaving would help, and else parties that,
// gone, let the very same request in.
func TestRefusalsAreExplained(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 12 {
			checked += explained(t)
		}
	})
	t.Logf("%d refusals for parties' sake", checked)
}

// explained checks the refusals of one drawn day, and counts those that name parties.
func explained(t *rapid.T) (checked int) {
	p := anyRules(t)
	now := evening - rapid.SampledFrom([]domain.Instant{hour, -45 * minute, 50 * hour}).Draw(t, "before")
	o := anyHouse(t, p, now).settled(now)
	r := anyRequest(t, p, now)
	for i := range len(p.Slots) * int(p.LargestParty()+1) {
		r.Slot, r.Party = p.Slots[i%len(p.Slots)], domain.PartySize(1+i/len(p.Slots))
		if _, no := o.judge(r); no != nil {
			named, err := enough(o, r, no)
			if err != nil {
				t.Fatal(err)
			}
			if named {
				checked++
			}
		}
	}
	return checked
}

// What a day shows stays so until HoldsUntil, whatever binds late, lapses or waits.
func TestShownHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyRules(t)
		now := evening - rapid.SampledFrom([]domain.Instant{hour, 0, -45 * minute}).Draw(t, "before")
		o := withWaiting(t, anyHouse(t, p, now))
		for range 6 {
			party := domain.PartySize(rapid.IntRange(1, int(p.LargestParty())).Draw(t, "onlooker's party"))
			shown, until := o.Slots(party, now), o.HoldsUntil(now)
			if until == 0 {
				break
			}
			for _, at := range []domain.Instant{until - 1, now + (until-now)/2} {
				if then := o.Slots(party, at); !reflect.DeepEqual(then, shown) {
					t.Fatalf("what is shown at %s should hold until %s, but differs at %s:\n%+v\n%+v", now, until, at, shown, then)
				}
			}
			for _, slot := range shown {
				if (slot.TablesLeft > 0) != (slot.Refusal == "") {
					t.Fatalf("shown: %+v", slot)
				}
			}
			now = until
		}
	})
}

// Who waits is offered what lapses, in order, before anybody else can have it; a place is
// offered once, and nothing is left that one of them could have.
func TestLapsesAreOffered(t *testing.T) {
	offered := 0
	rapid.Check(t, func(t *rapid.T) {
		p := anyRules(t)
		now := evening - hour
		o := anyHouse(t, p, now)
		before := slices.Clone(o.Bookings())
		o = withWaiting(t, o)
		// At first nobody can have anything: who waits came to a full house.
		for _, offer := range o.offers(now, 100) {
			o = o.unwait(offer.Entry)
		}
		later := now + rapid.SampledFrom([]domain.Instant{1, 5 * minute, hour}).Draw(t, "later")
		freed := slices.DeleteFunc(before, func(b Booking) bool { return b.lapsed(later) })
		empty := NewOccupancy(p, freed).WithWaiting(o.waiting)
		offers := empty.offers(later, 100)
		settled := o.settled(later)
		m := model{plan: p, now: later}
		base := empty
		for i, offer := range offers {
			offered++
			r := offer.request(offer.Slot, later)
			if code := base.bars(r); code != "" {
				t.Fatalf("%+v was offered though %s", offer, code)
			}
			if err := m.legal(base, r, offer.Seating); err != nil {
				t.Fatal(err)
			}
			for _, passed := range offer.Passed {
				w := base.waiting[slices.IndexFunc(base.waiting, func(w Waiting) bool { return w.Entry == passed.Entry })]
				if passed.Entry >= offer.Entry || !w.wants(offer.Slot) || passed.Code == "" {
					t.Fatalf("%+v passed over in %+v", passed, offer)
				}
			}
			base = base.take(offer, 100+uint32(i), later.AddMinutes(p.Policy.OfferMinutes()))
		}
		for _, w := range settled.waiting {
			for _, slot := range p.Slots {
				if r := w.request(slot, later); w.wants(slot) && settled.bars(r) == "" && m.accepts(settled, r) && len(before) != len(freed) {
					t.Fatalf("%+v could still have %s beside\n%+v", w, slot.Time, settled.Bookings())
				}
			}
		}
		if err := disjoint(settled); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%d offers", offered)
}

// No occupancy is written to by what comes after it.
func TestOccupanciesStayAsTheyWere(t *testing.T) {
	type was struct {
		o        Occupancy
		bookings []Booking
		waiting  []Waiting
	}
	rapid.Check(t, func(t *rapid.T) {
		p := anyRules(t)
		now := evening - hour
		o := withWaiting(t, anyHouse(t, p, now))
		var kept []was
		keep := func(next Occupancy) {
			kept = append(kept, was{o, slices.Clone(o.Bookings()), slices.Clone(o.waiting)})
			o = next
		}
		for range 12 {
			number := uint32(rapid.IntRange(1, 15).Draw(t, "number"))
			switch rapid.IntRange(0, 7).Draw(t, "change") {
			case 0:
				keep(o.release(number))
			case 1:
				keep(o.firm(number))
			case 2:
				keep(o.bind(number, true))
			case 3:
				keep(o.settled(now + 5*minute))
			case 4:
				keep(o.wait(Waiting{Entry: 9, Party: 1}))
			case 5:
				keep(o.unwait(number))
			case 6:
				keep(o.replan(p))
			default:
				r := anyRequest(t, p, now)
				if s, ok := o.seat(r); ok {
					keep(accept(o, r, s, 100+number))
				}
			}
			again := NewOccupancy(p, o.Bookings()).WithWaiting(o.waiting)
			if party := domain.PartySize(1 + number%4); !reflect.DeepEqual(again.Slots(party, now), o.Slots(party, now)) {
				t.Fatalf("rebuilt from its bookings the day shows another:\n%+v\n%+v", again, o)
			}
		}
		for _, k := range kept {
			if !reflect.DeepEqual(k.o.Bookings(), k.bookings) || !slices.Equal(k.o.waiting, k.waiting) {
				t.Fatalf("%+v was written to; it was %+v", k.o.Bookings(), k.bookings)
			}
		}
	})
}

package restaurantday

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"daybook/domain"
)

// busyDay is a day of 60 tables and 25 slots whose book has 2,500 entries and whose tables
// are four fifths full; the rest was cancelled.
func busyDay(tb testing.TB) State {
	tb.Helper()
	plan := &Plan{
		BookableFrom: evening - 90*24*hour,
		Policy: Policy{HoldMinutes: 5, HorizonDays: 90, Turns: []TurnTime{
			{UpToParty: 2, Minutes: 90}, {UpToParty: 4, Minutes: 105}, {UpToParty: 6, Minutes: 120}, {UpToParty: 500, Minutes: 150},
		}},
	}
	for i := range 60 {
		seats := domain.PartySize(2 + 2*(i/20))
		plan.Tables = append(plan.Tables, Table{ID: domain.NewTableID([16]byte{byte(i)}), Number: fmt.Sprint(i + 1), Min: 1, Max: seats})
	}
	for i := range domain.Instant(25) {
		plan.Slots = append(plan.Slots, Slot{Time: domain.FormatClock(10*60 + int(i)*30), StartsAt: evening + i*30*minute, Closes: evening + 14*hour, Shift: "all day"})
	}
	const target = 80
	random := rand.New(rand.NewPCG(1, 2))
	d, s := Decider(), State{}
	var firm []uint32
	for s.Reservations() < 2500 {
		if s.Opened() && occupied(s) >= target {
			i := random.IntN(len(firm))
			s = d.Fold(s, accepted(tb, s, Cancel{Now: now, Actor: domain.System(), Number: firm[i]})...)
			firm[i] = firm[len(firm)-1]
			firm = firm[:len(firm)-1]
			continue
		}
		events, err := d.Decide(s, Hold{
			Now: now, Opening: &Open{Now: now, Restaurant: domain.NewRestaurantID([16]byte{1}), Date: 20000, Plan: plan}, Actor: domain.System(),
			Party: domain.PartySize(1 + random.IntN(6)), StartsAt: plan.Slots[random.IntN(25)].StartsAt, Confirm: true,
		})
		if err == nil {
			s = d.Fold(s, events...)
			firm = append(firm, uint32(s.Reservations()))
		}
	}
	return s
}

// occupied is how much of the tables' time is promised, in percent.
func occupied(s State) int {
	var taken domain.Instant
	for _, uses := range s.tables {
		for _, b := range uses {
			taken += b.To - b.From
		}
	}
	return int(100 * taken / (domain.Instant(len(s.Plan.Tables)) * 14 * hour))
}

func accepted(tb testing.TB, s State, c Command) []Event {
	tb.Helper()
	events, err := Decider().Decide(s, c)
	if err != nil {
		tb.Fatal(err)
	}
	return events
}

// freeSlots are the slots that party can still have.
func freeSlots(s State, party domain.PartySize) (free []SlotState) {
	for _, slot := range s.Slots(party, now) {
		if slot.Refusal == "" {
			free = append(free, slot)
		}
	}
	return free
}

func BenchmarkBusyDay(b *testing.B) {
	s := busyDay(b)
	d := Decider()
	free := freeSlots(s, 2)
	full := freeSlots(s, 2)[0]
	for _, slot := range s.Slots(6, now) {
		if slot.Refusal == domain.CodeNoTable {
			full = slot
		}
	}
	ask := func(i int) Hold {
		return Hold{Now: now, Actor: domain.Diner(diner), Diner: diner, Party: 2, StartsAt: free[i%len(free)].StartsAt, Code: "CODE"}
	}
	b.Run("hold", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			d.Fold(s, accepted(b, s, ask(i))...)
		}
	})
	b.Run("hold and cancel", func(b *testing.B) {
		b.ReportAllocs()
		number := uint32(s.Reservations() + 1)
		for i := range b.N {
			held := d.Fold(s, accepted(b, s, ask(i))...)
			d.Fold(held, accepted(b, held, Cancel{Now: now, Actor: domain.Diner(diner), Number: number})...)
		}
	})
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := d.Decide(s, Hold{Now: now, Actor: domain.Diner(diner), Diner: diner, Party: 6, StartsAt: full.StartsAt}); err == nil {
				b.Fatal("accepted")
			}
		}
	})
	b.Run("slots shown", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			s.Slots(2, now)
		}
	})
	b.Run("rebuilt from bookings", func(b *testing.B) {
		b.ReportAllocs()
		bookings := s.Bookings()
		for range b.N {
			NewOccupancy(s.Plan, bookings)
		}
	})
}

// The benchmark measures what it says.
func TestBusyDay(t *testing.T) {
	s := busyDay(t)
	if percent := occupied(s); s.Reservations() != 2500 || percent < 78 || percent > 81 || len(freeSlots(s, 2)) == 0 {
		t.Errorf("%d entries, %d %% occupied, %d free slots for two", s.Reservations(), percent, len(freeSlots(s, 2)))
	}
}

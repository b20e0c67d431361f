package main

import (
	"math/rand/v2"
	"strconv"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

// The house that is booked: 60 tables for two to eight and six seatings a day, two hours
// apart, each as long as a turn with its buffer. So a day has 360 table-slots, and can be
// kept at four fifths of them: with seatings at any half hour, a random book jams at 72 %
// of its table time, since what cancelled parties leave fits hardly anyone.
const (
	opens       = 11 * 60
	lastSeating = 21 * 60
	closes      = 22*60 + 45
	slotMinutes = 120
	turnMinutes = 105
	buffer      = 15
	horizonDays = 700
	holdMinutes = 60  // so that no hold lapses while its day is measured
	pacing      = 220 // covers a seating: judged every time, and seldom in the way
	zone        = "Europe/Berlin"

	tableSlots = 360
	kept       = tableSlots * 80 / 100 // promises at which a day is kept
	perDay     = 5000                  // accepted writes, after which a fresh day is taken
)

// seats is how many tables there are of each size.
var seats = []struct{ size, tables int }{{2, 20}, {4, 24}, {6, 10}, {8, 6}}

var policy = restaurantday.Policy{
	HoldMinutes: holdMinutes, HorizonDays: horizonDays, NoticeMinutes: 30, BufferMinutes: buffer, PacingCovers: pacing,
	Turns: []restaurantday.TurnTime{{UpToParty: 8, Minutes: turnMinutes}},
}

var everyDay = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// floor is one such restaurant; n keeps their ids apart.
func floor(n int) (restaurant.State, error) {
	days, err := restaurant.ParseWeekdays(everyDay)
	if err != nil {
		return restaurant.State{}, err
	}
	r := restaurant.State{
		ID:      domain.NewRestaurantID([16]byte{byte(n >> 8), byte(n)}),
		Profile: restaurant.Profile{Name: "Bench " + strconv.Itoa(n), TimeZone: zone},
		Shifts: []restaurant.Shift{{
			Days: days, Name: "all day", Opens: opens, LastSeating: lastSeating, Closes: closes, SlotMinutes: slotMinutes,
		}},
		DayBoundary: 5 * 60, Policy: policy, Status: restaurant.StatusOpen,
	}
	for _, s := range seats {
		for range s.tables {
			t := len(r.Tables) + 1
			r.Tables = append(r.Tables, restaurantday.Table{
				ID:     domain.NewTableID([16]byte{byte(n >> 8), byte(n), byte(t)}),
				Number: strconv.Itoa(t), Min: domain.PartySize(max(1, s.size-2)), Max: domain.PartySize(s.size),
			})
		}
	}
	return r, nil
}

// ask is a party and when it wants to sit.
type ask struct {
	time  string
	party int
}

// parties is who comes, in percent: two above all, then four.
var parties = []struct{ size, percent int }{{1, 6}, {2, 40}, {3, 14}, {4, 22}, {5, 7}, {6, 6}, {7, 2}, {8, 3}}

// draw picks a party and one of the day's seatings.
func draw(r *rand.Rand) ask {
	p := r.IntN(100)
	for _, party := range parties {
		if p -= party.percent; p < 0 {
			return ask{seatings[r.IntN(len(seatings))], party.size}
		}
	}
	panic("the parties do not add up to 100 percent")
}

// seatings are the slots as clocks show them.
var seatings = func() (times []string) {
	for at := opens; at <= lastSeating; at += slotMinutes {
		times = append(times, domain.FormatClock(at))
	}
	return times
}()

// firstDate is a day after any notice, whatever the zone.
func firstDate(now time.Time) domain.ServiceDate { return domain.DateOf(now.UTC()).AddDays(2) }

package reporting

import (
	"fmt"
	"math/rand/v2"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// service writes n commands of the evening of day1, as staff and diners give them. Those
// that the day refuses leave nothing.
func (l *ledger) service(rnd *rand.Rand, n int) {
	l.tb.Helper()
	staff := domain.Staff(userID(9))
	now := evening - 90*minute
	for i := range n {
		now += domain.Instant(rnd.IntN(360_000))
		r := byte(1 + rnd.IntN(3))
		id := restaurantID(r)
		open := &restaurantday.Open{Now: now, Restaurant: id, Date: day1, Plan: planOf(r, day1)}
		do := func(c restaurantday.Command) { l.do(id, day1, staff, c) }
		details := restaurantday.Details{Guest: restaurantday.Guest{Name: secret}, Notes: secret}
		party := domain.PartySize(1 + rnd.IntN(4))
		switch rnd.IntN(6) {
		case 0:
			do(restaurantday.WalkIn{Now: now, Opening: open, Actor: staff, Party: party, Code: "W", Details: details})
			continue
		case 1:
			diner := domain.Diner(userID(byte(20 + i%200)))
			l.do(id, day1, diner, restaurantday.JoinWaitlist{
				Now: now, Opening: open, Actor: diner, Diner: diner.User, Party: party, From: evening, To: evening + 4*hour, Code: "J", Details: details,
			})
			continue
		case 2:
			do(restaurantday.JoinWaitlist{Now: now, Opening: open, Actor: staff, Party: party, WalkIn: true, Code: "Q", Details: details})
			continue
		}
		s, ok := l.days[codec.DayStream(id, day1)]
		if !ok || s.Reservations() == 0 {
			continue
		}
		number := uint32(1 + rnd.IntN(s.Reservations()))
		sits := number // one that sits, where there is one: to complete
		for n := 1; n <= s.Reservations(); n++ {
			if r, _ := s.Reservation(uint32(n)); r.Status == restaurantday.StatusSeated {
				sits = r.Number
			}
		}
		table := []domain.TableID{tableID(r, byte(1+rnd.IntN(3)))}
		move := fmt.Sprint("move ", number)
		for _, c := range [][]restaurantday.Command{
			{restaurantday.Confirm{Now: now, Actor: staff, Number: number}},
			{restaurantday.Seat{Now: now, Actor: staff, Number: number}},
			{restaurantday.Complete{Now: now, Actor: staff, Number: sits}},
			{restaurantday.MarkNoShow{Now: now, Actor: staff, Number: number}},
			{restaurantday.Reinstate{Now: now, Actor: staff, Number: number}},
			{restaurantday.Amend{Now: now, Actor: staff, Number: number, Party: party, Override: restaurantday.Override{Rule: domain.CodeTooSoon, Reason: secret}}},
			{restaurantday.MoveTable{Now: now, Actor: staff, Number: number, Tables: table}},
			{restaurantday.Pin{Now: now, Actor: staff, Number: number}, restaurantday.Pin{Now: now + 1, Actor: staff, Number: number, Off: true}},
			{restaurantday.Undo{Now: now, Actor: staff}},
			{restaurantday.StartMove{Now: now, Actor: staff, Number: number, To: day1 + 1, Move: move},
				restaurantday.FinishMove{Now: now + 1, Actor: domain.System(), Number: number, Move: move, To: domain.NewReservationID(id, day1+1, 1)}},
			{restaurantday.StartMove{Now: now, Actor: staff, Number: number, To: day1 + 1, Move: move},
				restaurantday.AbortMove{Now: now + 1, Actor: domain.System(), Number: number, Move: move, Reason: domain.CodeNoTable}},
			{restaurantday.Cancel{Now: now, Actor: staff, Number: number, Reason: secret}},
			{restaurantday.AcceptOffer{Now: now, Actor: staff, Entry: uint32(1 + rnd.IntN(1+s.WaitlistEntries()))}},
			{restaurantday.LeaveWaitlist{Now: now, Actor: staff, Entry: uint32(1 + rnd.IntN(1+s.WaitlistEntries()))}},
			{restaurantday.Lapse{Now: now}},
		}[rnd.IntN(15)] {
			do(c)
		}
	}
}

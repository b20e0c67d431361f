package commands

import (
	"testing"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/domain/restaurantday"
)

var aside = restaurantday.Override{Rule: domain.CodeOutsideHours, Reason: "regulars"}

// TestHoursSetAsideStayOnTheirDate: staff who set the hours aside reach no instant of another
// service date, whose book has promised the same tables.
func TestHoursSetAsideStayOnTheirDate(t *testing.T) {
	h := newHouse(t)
	a := h.app()
	id := h.restaurant(1)
	staff := func(key string) Caller { return caller(owner, key) }
	if _, err := a.HoldTable(t.Context(), staff("late"), HoldTable{Restaurant: id, Date: evening, Time: "21:00", Party: 2, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	next, err := a.HoldTable(t.Context(), staff("next"), HoldTable{Restaurant: id, Date: evening + 1, Time: "20:00", Party: 2, Confirm: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]AmendReservation{
		"the evening before": {StartsAt: domain.InstantOf(local(21, 30)), Override: aside},
		"the evening after":  {StartsAt: domain.InstantOf(local(24+24+17, 30)), Override: aside},
	} {
		if _, err := a.AmendReservation(t.Context(), staff(name), next.ID, m); code(err) != domain.CodeInvalid {
			t.Errorf("amended to %s: %v", name, err)
		}
	}
	for at, want := range map[string]domain.Instant{
		"17:00": domain.InstantOf(local(24+17, 0)), "04:30": domain.InstantOf(local(48+4, 30)), "05:00": domain.InstantOf(local(24+5, 0)),
	} {
		got, err := a.AmendReservation(t.Context(), staff(at), next.ID, AmendReservation{Time: at, Override: aside})
		if err != nil || got.Date != evening+1 || got.Reservation.Slot.StartsAt != want || got.Reservation.Slot.Time != at {
			t.Errorf("amended to %s: %+v, %v; want it at %s", at, got, err, want)
		}
	}

	// Of a house that serves lunch alone the small hours are nearer to the lunch before them.
	b := place("lunch", 1)
	b.Shifts[0].Opens, b.Shifts[0].LastSeating, b.Shifts[0].Closes = 12*60, 14*60, 15*60
	lunch, err := a.BringInRestaurant(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.HoldTable(t.Context(), staff("lunch"), HoldTable{Restaurant: lunch, Date: evening + 1, Time: "03:00", Party: 2, Confirm: true, Override: aside})
	if want := domain.InstantOf(local(48+3, 0)); err != nil || got.Date != evening+1 || got.Reservation.Slot.StartsAt != want || got.Reservation.Slot.Time != "03:00" {
		t.Errorf("held at %+v, %v; want %s", got.Reservation.Slot, err, want)
	}
}

// TestTurningDaysKeepsDates: the hour at which days turn is not moved past a party, or the book
// of the date that begins then would give its table away.
func TestTurningDaysKeepsDates(t *testing.T) {
	h := newHouse(t)
	a := h.app()
	b := place("night", 1)
	b.Shifts[0].LastSeating, b.Shifts[0].Closes = 3*60, 4*60+30
	id, err := a.BringInRestaurant(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.set(local(26, 10))
	walk := SeatWalkIn{Restaurant: id, Party: 2}
	seated, err := a.SeatWalkIn(t.Context(), caller(owner, "one"), walk)
	if err != nil || seated.Date != evening {
		t.Fatalf("%+v, %v", seated, err)
	}
	turn := func(key string, boundary int) error {
		early := b.Shifts[0]
		early.Opens, early.LastSeating, early.Closes = boundary, boundary+60, boundary+300
		hours := SetHours{Shifts: []restaurant.Shift{early}, DayBoundary: &boundary}
		_, _, err := a.ChangePlan(t.Context(), caller(owner, key), id, hours, OnOpenDays{Default: restaurantday.Keep})
		return err
	}
	if err := turn("two", 2*60); code(err) != domain.CodeInvalid {
		t.Errorf("the day turned under the party: %v", err)
	}
	if err := turn("four", 4*60); err != nil {
		t.Errorf("a boundary after the party is refused: %v", err)
	}
	if b, err := a.SeatWalkIn(t.Context(), caller(owner, "again"), walk); code(err) == "" {
		t.Errorf("the table of the party was given away: %+v, %v", b, err)
	}
	if _, err := a.CompleteSeating(t.Context(), caller(owner, "left"), seated.ID); err != nil {
		t.Fatal(err)
	}
	if err := turn("then", 2*60); err != nil {
		t.Errorf("nobody is there, and it is refused: %v", err)
	}
}

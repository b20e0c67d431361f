package httpapi

import (
	"reflect"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

var (
	house   = domain.NewRestaurantID([16]byte{1})
	date    = must(domain.ParseServiceDate("2026-11-20"))
	another = domain.NewReservationID(house, date+1, 4)
	evening = domain.InstantOf(time.Date(2026, 11, 20, 19, 0, 0, 0, time.UTC))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestReservationForms(t *testing.T) {
	id := domain.NewReservationID(house, date, 7)
	full := restaurantday.Reservation{
		Number: 7, Party: 3, Slot: restaurantday.Slot{Time: "20:00"}, Turn: domain.Interval{From: evening, To: evening.AddMinutes(90)},
		Tables: []domain.TableID{"tbl_a", "tbl_b"}, Status: restaurantday.StatusCompleted, ExpiresAt: evening, Code: "ABCDEFGH", Bound: true,
		Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Bo", Phone: "+4930"}, Notes: "n", SpecialRequests: "s", Occasion: "o"},
		Wish:    restaurantday.Wish{Table: "tbl_a", Area: "hall"}, Source: restaurantday.SourceWaitlist, Entry: 2, Covers: 2,
		Override: restaurantday.Override{Rule: domain.CodePacingFull, Reason: "the mayor"}, Exception: true,
		SeatedAt: evening.AddMinutes(5), FreedAt: evening.AddMinutes(60), By: restaurantday.ByDiner, Late: true, MovedFrom: another,
	}
	want := Reservation{
		ReservationID: string(id), Status: "completed", ConfirmationCode: "ABCDEFGH", RestaurantID: string(house), Date: "2026-11-20", Time: "20:00",
		StartsAt: "2026-11-20T20:00:00+01:00", EndsAt: "2026-11-20T21:30:00+01:00", Party: 3, TableIDs: []string{"tbl_a", "tbl_b"}, Bound: true, Revision: 9,
		Source: "waitlist", Wish: &Wish{TableID: "tbl_a", Area: "hall"}, Guest: &Guest{Name: "Bo", Phone: "+4930"}, Notes: "n", SpecialRequests: "s",
		Occasion: "o", Covers: 2, SeatedAt: "2026-11-20T20:05:00+01:00", CompletedAt: "2026-11-20T21:00:00+01:00",
		WaitlistID: string(domain.NewWaitlistID(house, date, 2)), MovedFrom: string(another),
	}
	got := ReservationOf(id, &full, "Europe/Berlin", 9)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("a diner sees\n%+v\nwant\n%+v", got, want)
	}
	want.Override, want.Exception = &Override{Rule: "pacing_full", Reason: "the mayor"}, true
	if got := got.ForStaff(&full); !reflect.DeepEqual(got, want) {
		t.Errorf("staff see\n%+v\nwant\n%+v", got, want)
	}

	ended := restaurantday.Reservation{Status: restaurantday.StatusCancelled, By: restaurantday.ByRestaurant, Late: true, ExpiresAt: evening, Reason: "he was rude"}
	if f := ReservationOf(id, &ended, "Europe/Berlin", 1); f.CancelledBy != "restaurant" || !f.Late || f.ExpiresAt != "" || f.Wish != nil || f.Guest != nil || f.Bound {
		t.Errorf("cancelled: %+v", f)
	}
	for told, want := range map[bool]string{false: "", true: "he was rude"} {
		ended.Told = told
		f := ReservationOf(id, &ended, "Europe/Berlin", 1)
		if staff := f.ForStaff(&ended); f.Reason != want || staff.Reason != "he was rude" {
			t.Errorf("told %t: the diner reads %q, staff %q", told, f.Reason, staff.Reason)
		}
	}
	held := restaurantday.Reservation{Status: restaurantday.StatusPending, ExpiresAt: evening, Moving: restaurantday.Moving{To: date + 1}}
	if f := ReservationOf(id, &held, "Europe/Berlin", 1); f.ExpiresAt != "2026-11-20T20:00:00+01:00" || f.MovingTo != "2026-11-21" || f.CancelledBy != "" {
		t.Errorf("pending: %+v", f)
	}
}

func TestWaitlistForms(t *testing.T) {
	id := domain.NewWaitlistID(house, date, 3)
	w := restaurantday.WaitlistEntry{
		Entry: 3, Party: 4, From: evening, To: evening.AddMinutes(30), Wish: restaurantday.Wish{Area: "hall"}, Code: "ABCDEFGH",
		Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Bo"}, Notes: "n"}, Status: restaurantday.WaitlistOffering, Number: 8,
		JoinedAt: evening.AddMinutes(-60), Passed: []restaurantday.Passed{{At: evening.AddMinutes(-30), For: 4, Code: domain.CodeNoTable}},
	}
	want := WaitlistEntry{
		WaitlistID: string(id), Status: "offered", RestaurantID: string(house), Date: "2026-11-20", From: "20:00", To: "20:30",
		Earliest: "2026-11-20T20:00:00+01:00", Latest: "2026-11-20T20:30:00+01:00", Party: 4, Wish: &Wish{Area: "hall"}, ConfirmationCode: "ABCDEFGH",
		ReservationID: string(domain.NewReservationID(house, date, 8)), ExpiresAt: "2026-11-20T19:40:00+01:00", JoinedAt: "2026-11-20T19:00:00+01:00",
		PassedOver: []PassedOver{{
			At: "2026-11-20T19:30:00+01:00", Code: "no_table", Why: "what became free does not seat a party of 4 at a time it would take",
		}}, Revision: 5, Guest: &Guest{Name: "Bo"}, Notes: "n",
	}
	got := WaitlistEntryOf(id, &w, "Europe/Berlin", 0, evening.AddMinutes(-20), 5)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("a diner sees\n%+v\nwant\n%+v", got, want)
	}
	staff := want
	staff.PassedOver = []PassedOver{want.PassedOver[0]}
	staff.PassedOver[0].WaitlistID = string(domain.NewWaitlistID(house, date, 4))
	if got := got.ForStaff(id, &w); !reflect.DeepEqual(got, staff) {
		t.Errorf("staff see\n%+v\nwant\n%+v", got, staff)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("what staff see got into what the diner sees")
	}
}

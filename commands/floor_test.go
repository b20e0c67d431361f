package commands

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore/codec"
)

// local is an instant of the evening at the restaurant, in Berlin in November.
func local(hour, minute int) time.Time {
	return time.Date(2026, 11, 21, hour-1, minute, 0, 0, time.UTC)
}

func TestAnEveningOnTheFloor(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(2)
	a := h.app()
	staff := func(key string) Caller { return caller(owner, key) }
	hold := func(key, at string) domain.ReservationID {
		t.Helper()
		command := firmTable(id)
		command.Time = at
		b, err := a.HoldTable(t.Context(), caller(ada, key), command)
		if err != nil {
			t.Fatal(err)
		}
		return b.ID
	}
	first, second, third := hold("1", "18:00"), hold("2", "18:00"), hold("3", "20:00")

	amended, err := a.AmendReservation(t.Context(), caller(ada, "a"), third, AmendReservation{Time: "20:30"})
	if err != nil || amended.Reservation.Slot.Time != "20:30" {
		t.Fatalf("amended: %+v, %v", amended, err)
	}
	h.clock.set(local(18, 0))
	if _, err := a.SeatParty(t.Context(), caller(ada, "s"), first, 0, nil); code(err) != domain.CodeForbidden {
		t.Errorf("a diner seated himself: %v", err)
	}
	seated, err := a.SeatParty(t.Context(), staff("s1"), first, 1, nil)
	if err != nil || seated.Reservation.Status != restaurantday.StatusSeated || seated.Reservation.Covers != 1 || !seated.Reservation.Bound {
		t.Fatalf("seated in part: %+v, %v", seated.Reservation, err)
	}
	if seated, err = a.SeatParty(t.Context(), staff("s2"), first, 0, nil); err != nil || seated.Reservation.Covers != 2 {
		t.Fatalf("seated: %+v, %v", seated.Reservation, err)
	}
	h.clock.set(local(18, 20))
	absent, err := a.MarkNoShow(t.Context(), staff("n"), second)
	if err != nil || absent.Reservation.Status != restaurantday.StatusNoShow {
		t.Fatalf("no-show: %+v, %v", absent.Reservation, err)
	}
	walkIn := SeatWalkIn{Restaurant: id, Party: 2, Details: restaurantday.Details{Guest: restaurantday.Guest{Name: "Greta"}}}
	if _, err := a.SeatWalkIn(t.Context(), caller(ada, "w"), walkIn); code(err) != domain.CodeForbidden {
		t.Errorf("a diner seated a walk-in: %v", err)
	}
	door, err := a.SeatWalkIn(t.Context(), staff("w"), walkIn)
	if err != nil || door.Date != evening || door.Reservation.Status != restaurantday.StatusSeated || door.Reservation.Source != restaurantday.SourceWalkIn {
		t.Fatalf("walk-in: %+v, %v", door, err)
	}
	again, err := h.app().SeatWalkIn(t.Context(), staff("w"), walkIn)
	door.Replayed = true
	if err != nil || !reflect.DeepEqual(again, door) {
		t.Errorf("the same walk-in again: got\n%+v, %v\nwant\n%+v", again, err, door)
	}
	if _, err := a.Reinstate(t.Context(), staff("r"), second, restaurantday.Override{}); code(err) != domain.CodeNoTable {
		t.Errorf("reinstated without a table: %v", err)
	}
	if _, err := a.CompleteSeating(t.Context(), staff("c"), door.ID); err != nil {
		t.Fatal(err)
	}
	back, err := a.Reinstate(t.Context(), staff("r"), second, restaurantday.Override{})
	if err != nil || back.Reservation.Status != restaurantday.StatusConfirmed {
		t.Fatalf("reinstated: %+v, %v", back.Reservation, err)
	}
	undone, err := a.UndoAction(t.Context(), staff("u"), id, evening, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if undone.ID != second || undone.Reservation.Status != restaurantday.StatusNoShow || undone.Action != 6 || undone.Kind != restaurantday.ActionReinstate {
		t.Errorf("undoing the last action: %+v", undone)
	}
	twice, err := h.app().UndoAction(t.Context(), staff("u"), id, evening, 0, 0)
	undone.Replayed = true
	if err != nil || !reflect.DeepEqual(twice, undone) {
		t.Errorf("the same undoing again: got\n%+v, %v\nwant\n%+v", twice, err, undone)
	}
	if _, err := a.UndoAction(t.Context(), caller(ada, "u"), id, evening, 0, 0); code(err) != domain.CodeForbidden {
		t.Errorf("a diner undid: %v", err)
	}

	pinned, err := a.PinTable(t.Context(), staff("p"), third, false)
	if err != nil || !pinned.Reservation.Bound {
		t.Fatalf("pinned: %+v, %v", pinned.Reservation, err)
	}
	if pinned, err = a.PinTable(t.Context(), staff("q"), third, true); err != nil || pinned.Reservation.Bound {
		t.Fatalf("unpinned: %+v, %v", pinned.Reservation, err)
	}
	other := seated.Reservation.Tables[0]
	if slices.Contains(pinned.Reservation.Tables, other) {
		other = door.Reservation.Tables[0]
	}
	moved, err := a.MoveTable(t.Context(), staff("m"), third, []domain.TableID{other})
	if err != nil || !slices.Equal(moved.Reservation.Tables, []domain.TableID{other}) || !moved.Reservation.Bound {
		t.Fatalf("moved: %+v, %v", moved.Reservation, err)
	}
}

// A command that makes way for those who wait answers with its own reservation, not theirs.
func TestAHoldAfterALapseIsOfferedLast(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(2)
	a := h.app()
	firm := func(key string) Booked {
		t.Helper()
		b, err := a.HoldTable(t.Context(), caller(owner, key), firmTable(id))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	keeps := firm("1")
	if _, err := a.HoldTable(t.Context(), caller(owner, "2"), tableFor(id, 2)); err != nil {
		t.Fatal(err)
	}
	joined, err := a.JoinWaitlist(t.Context(), caller(ada, "j"), JoinWaitlist{
		Restaurant: id, Date: evening, FromTime: "19:00", ToTime: "19:00", Party: 2,
	})
	if err != nil || joined.Place != 1 || joined.Entry.Status != restaurantday.WaitlistWaiting {
		t.Fatalf("joined: %+v, %v", joined, err)
	}
	h.clock.set(morning.Add(10 * time.Minute)) // the hold lapses by the clock alone
	if _, err := a.HoldTable(t.Context(), caller(noor, "3"), tableFor(id, 2)); code(err) != domain.CodeNoTable {
		t.Fatalf("what lapsed went past the waitlist: %v", err)
	}
	later := tableFor(id, 2)
	later.Time = "21:00"
	b, err := a.HoldTable(t.Context(), caller(noor, "4"), later)
	if err != nil || b.Reservation.Diner != noor || b.Reservation.Slot.Time != "21:00" || b.Reservation.Source != restaurantday.SourceBooking {
		t.Fatalf("got %+v, %v", b.Reservation, err)
	}
	accepted, err := a.AcceptOffer(t.Context(), caller(ada, "k"), joined.ID)
	if err != nil || accepted.Reservation.Status != restaurantday.StatusConfirmed || accepted.Reservation.Diner != ada || accepted.Reservation.Slot.Time != "19:00" {
		t.Fatalf("accepted: %+v, %v", accepted.Reservation, err)
	}
	want := []string{
		codec.TypeDayOpened, codec.TypeReservationHeld, codec.TypeReservationConfirmed, codec.TypeReservationHeld, "waitlist.joined",
		codec.TypeReservationExpired, codec.TypeReservationHeld, "waitlist.offered", codec.TypeReservationHeld, codec.TypeReservationConfirmed,
	}
	if got := h.types(codec.DayStream(id, evening)); !slices.Equal(got, want) {
		t.Errorf("the book says\n%v\nwant\n%v", got, want)
	}
	if keeps.Reservation.Status != restaurantday.StatusConfirmed {
		t.Error("the first booking changed")
	}
}

func TestLeavingTheWaitlist(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	if _, err := a.HoldTable(t.Context(), caller(owner, "1"), firmTable(id)); err != nil {
		t.Fatal(err)
	}
	join := JoinWaitlist{Restaurant: id, Date: evening, FromTime: "19:00", ToTime: "19:00", Party: 2}
	first, err := a.JoinWaitlist(t.Context(), caller(ada, "j"), join)
	if err != nil {
		t.Fatal(err)
	}
	second, err := a.JoinWaitlist(t.Context(), caller(noor, "j"), join)
	if err != nil || second.Place != 2 {
		t.Fatalf("second: %+v, %v", second, err)
	}
	if _, err := a.LeaveWaitlist(t.Context(), caller(noor, "x"), first.ID); code(err) != domain.CodeNotFound {
		t.Errorf("one left in another's name: %v", err)
	}
	left, err := a.LeaveWaitlist(t.Context(), caller(ada, "l"), first.ID)
	if err != nil || left.Entry.Status != restaurantday.WaitlistGone || left.Place != 0 {
		t.Fatalf("left: %+v, %v", left, err)
	}
	back, err := a.JoinWaitlist(t.Context(), caller(ada, "again"), join)
	if err != nil || back.Place != 2 {
		t.Errorf("whoever comes back is the last: %+v, %v", back, err)
	}
	if _, err := a.JoinWaitlist(t.Context(), caller("usr_x", "j"), JoinWaitlist{Restaurant: id, WalkIn: true, Party: 2}); code(err) != domain.CodeForbidden {
		t.Errorf("a diner queued at the door: %v", err)
	}
}

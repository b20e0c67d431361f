package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// promised folds both days of a move in the order of the ledger and tells, after each
// write, where the party has a table: so many of each.
func (h *house) promised(id domain.RestaurantID, days ...domain.ServiceDate) (history []string) {
	h.t.Helper()
	c, decider := codec.New(h.keys), restaurantday.Decider()
	states := map[eventstore.StreamName]restaurantday.State{}
	var command [16]byte
	for r, err := range h.store.ReadAll(context.Background(), eventstore.Start, eventstore.StreamPrefix("day-")) {
		if err != nil {
			h.t.Fatal(err)
		}
		d, err := c.Decode(context.Background(), r)
		if err != nil {
			h.t.Fatal(err)
		}
		states[r.Stream] = decider.Evolve(states[r.Stream], d.Event.(restaurantday.Event))
		tells := ""
		for _, date := range days {
			firm, held := 0, 0
			s := states[codec.DayStream(id, date)]
			for n := 1; n <= s.Reservations(); n++ {
				switch e, _ := s.Reservation(uint32(n)); {
				case e.Diner != ada:
				case e.Status == restaurantday.StatusConfirmed:
					firm++
				case e.Status == restaurantday.StatusPending:
					held++
				}
			}
			tells += fmt.Sprintf("%d+%d ", firm, held)
		}
		if d.Meta.CommandID != command || command == ([16]byte{}) {
			history = append(history, tells) // else the rest of one write
		}
		history[len(history)-1], command = tells, d.Meta.CommandID
	}
	return slices.Compact(history)
}

func TestAMoveToAnotherDay(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	old, err := a.HoldTable(t.Context(), caller(ada, "1"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	other := evening + 7
	move := MoveReservation{Date: other, Time: "20:00"}
	b, err := a.MoveReservation(t.Context(), caller(ada, "m"), old.ID, move)
	if err != nil || b.Date != other || b.Reservation.Status != restaurantday.StatusConfirmed || b.Reservation.Slot.Time != "20:00" ||
		b.Reservation.Code != old.Reservation.Code || b.Reservation.MovedFrom != old.ID {
		t.Fatalf("got %+v, %v", b, err)
	}
	again, err := h.app().MoveReservation(t.Context(), caller(ada, "m"), old.ID, move)
	if err != nil || again.ID != b.ID || !again.Replayed {
		t.Errorf("again: %+v, %v", again, err)
	}
	// Never none, and two only while the new one was made safe.
	want := []string{"1+0 0+0 ", "1+0 0+1 ", "1+0 1+0 ", "0+0 1+0 "}
	if got := h.promised(id, evening, other); !slices.Equal(got, want) {
		t.Errorf("the book went\n%v\nwant\n%v", got, want)
	}
	// The first id goes on serving.
	cancelled, err := a.CancelReservation(t.Context(), caller(ada, "c"), old.ID, "ill")
	if err != nil || cancelled.ID != b.ID || cancelled.Reservation.Status != restaurantday.StatusCancelled {
		t.Errorf("cancelled by its first id: %+v, %v", cancelled, err)
	}
	repeat, err := h.app().CancelReservation(t.Context(), caller(ada, "c"), old.ID, "ill")
	if err != nil || repeat.ID != b.ID || !repeat.Replayed {
		t.Errorf("cancelled again: %+v, %v", repeat, err)
	}
}

func TestAMoveThatIsRefused(t *testing.T) {
	h := newHouse(t)
	id := h.restaurant(1)
	a := h.app()
	old, err := a.HoldTable(t.Context(), caller(ada, "1"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	other := evening + 7
	taken := firmTable(id)
	taken.Date = other
	rival, err := a.HoldTable(t.Context(), caller(noor, "1"), taken)
	if err != nil {
		t.Fatal(err)
	}
	move := MoveReservation{Date: other}
	no, err := a.MoveReservation(t.Context(), caller(ada, "m"), old.ID, move)
	if code(err) != domain.CodeNoTable || no.Date != other {
		t.Fatalf("got %+v, %v", no, err)
	}
	if r, _ := domain.Rejected(err); len(r.Alternatives) == 0 {
		t.Error("the other day names no alternatives")
	}
	if b, err := a.CompleteSeating(t.Context(), caller(owner, "x"), old.ID); code(err) != domain.CodeNotSeated {
		t.Errorf("the old reservation is not as it was: %+v, %v", b, err)
	}
	// The same request is decided anew once there is room.
	if _, err := a.CancelReservation(t.Context(), caller(noor, "c"), rival.ID, ""); err != nil {
		t.Fatal(err)
	}
	if b, err := a.MoveReservation(t.Context(), caller(ada, "m"), old.ID, move); err != nil || b.Date != other {
		t.Errorf("got %+v, %v", b, err)
	}
}

// Whoever dies between two writes of a move leaves one that another process finishes:
// never two tables in the end, and never none.
func TestAMoveKilledAtEveryStep(t *testing.T) {
	for step := range 4 {
		for _, written := range []bool{false, true} { // the write that killed it did, or did not, reach the ledger
			for _, cancelled := range []bool{false, true} { // meanwhile
				t.Run(fmt.Sprintf("step %d written %t cancelled %t", step, written, cancelled), func(t *testing.T) {
					killedAtStep(t, step, written, cancelled)
				})
			}
		}
	}
}

func killedAtStep(t *testing.T, step int, written, cancelled bool) {
	h := newHouse(t)
	id := h.restaurant(1)
	old, err := h.app().HoldTable(t.Context(), caller(ada, "1"), firmTable(id))
	if err != nil {
		t.Fatal(err)
	}
	dead := errors.New("killed")
	appends := 0
	dying := h.app(on(&hooked{Store: h.store, append: func(
		do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event,
	) (eventstore.Appended, error) {
		appends++
		switch {
		case appends < step+1:
			return do(ctx, s, x, es...)
		case appends == step+1 && written:
			if _, err := do(ctx, s, x, es...); err != nil {
				return eventstore.Appended{}, err
			}
		}
		return eventstore.Appended{}, dead
	}}))
	other := evening + 7
	if _, err := dying.MoveReservation(t.Context(), caller(ada, "m"), old.ID, MoveReservation{Date: other}); err == nil && !(written && step == 3) {
		t.Fatal("it was not killed")
	}
	if cancelled {
		// By whoever holds the first id, which may have gone through the move already.
		if _, err := h.app().CancelReservation(t.Context(), caller(ada, "c"), old.ID, ""); err != nil {
			t.Fatal(err)
		}
	}
	h.clock.set(morning.Add(time.Hour)) // a hold on the other day has lapsed by then
	alive := h.app()
	for _, d := range h.events(codec.DayStream(id, evening)) {
		if e, ok := d.Event.(restaurantday.MoveStarted); ok {
			open, err := alive.GoOnWithMove(t.Context(), old.ID, restaurantday.Moving{
				To: e.To, Time: e.Time, StartsAt: e.StartsAt, Party: e.Party, Move: e.Move,
			})
			if open || err != nil {
				t.Fatalf("left open %t: %v", open, err)
			}
		}
	}
	if _, err := alive.RecordLapses(t.Context(), id, other); err != nil && code(err) != domain.CodeNotOpened {
		t.Fatal(err)
	}
	history := h.promised(id, evening, other)
	last := history[len(history)-1]
	switch {
	case cancelled && last != "0+0 0+0 ":
		t.Errorf("it was cancelled, and the book went %v", history)
	case !cancelled && last != "0+0 1+0 " && last != "1+0 0+0 ":
		t.Errorf("the book went %v", history)
	}
	if !cancelled {
		confirmed := false
		for _, at := range history {
			firm := at != "0+0 0+0 " && at != "0+1 0+0 " && at != "0+0 0+1 "
			if confirmed && !firm {
				t.Errorf("there was a time without a table: %v", history)
			}
			confirmed = confirmed || firm
		}
	}
}

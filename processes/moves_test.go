package processes

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// mortal is a process's way to the ledger, which it dies on after so many appends.
type mortal struct {
	eventstore.Store
	left atomic.Int64
}

func (m *mortal) Append(ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es ...eventstore.Event) (eventstore.Appended, error) {
	if m.left.Add(-1) < 0 {
		return eventstore.Appended{}, errors.New("killed")
	}
	return m.Store.Append(ctx, s, x, es...)
}

// A move whose handler died is finished a while later; one that was finished is left alone.
func TestMovesAreFinished(t *testing.T) {
	h := newHouse(t)
	firm := func(at string) domain.ReservationID {
		t.Helper()
		b, err := h.app.HoldTable(t.Context(), h.caller(), commands.HoldTable{
			Restaurant: h.id, Date: h.date, Time: at, Party: 2, Confirm: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		return b.ID
	}
	done, left := firm("19:00"), firm("20:30")
	move := commands.MoveReservation{Date: h.date + 1}
	if _, err := h.app.MoveReservation(t.Context(), h.caller(), done, move); err != nil {
		t.Fatal(err)
	}
	store := &mortal{Store: h.store}
	store.left.Store(1)
	dying, err := commands.New(commands.Config{
		Store: store, Codec: codec.New(h.keys), Passwords: noPasswords{}, Clock: h.clock, Log: quiet(),
		BodyKey: make([]byte, 16), EmailKey: make([]byte, 16),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dying.Close(context.Background()) })
	if _, err := dying.MoveReservation(t.Context(), h.caller(), left, move); err == nil {
		t.Fatal("it did not die")
	}

	var tries, others atomic.Int64
	p, err := NewMoves(h.config(&checkpoints{}), func(ctx context.Context, id domain.ReservationID, m restaurantday.Moving) (bool, error) {
		if id != left || m.To != move.Date || m.Time != "20:30" || m.Party != 2 {
			others.Add(1)
		}
		if tries.Add(1) == 1 {
			return true, errors.New("the ledger is away")
		}
		return h.app.GoOnWithMove(ctx, id, m)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.run(p)
	h.read(p, 1)
	at := domain.InstantOf(h.clock()).Add(movePatience)
	h.moveTo(at - 1)
	h.moveTo(at)
	h.until("it was tried", func() bool { return tries.Load() == 1 })
	h.moveTo(at.Add(retryAfter))
	h.read(p, 0)
	if tries.Load() != 2 || others.Load() != 0 {
		t.Errorf("went on %d times, %d of them with something else", tries.Load(), others.Load())
	}
	b, err := h.app.MoveReservation(t.Context(), h.caller(), left, move)
	if code, _ := domain.Rejected(err); code == nil || code.Code != domain.CodeInvalid {
		t.Errorf("it is not on the other day: %+v, %v", b, err)
	}
}

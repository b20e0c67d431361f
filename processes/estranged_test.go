package processes

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/feed"
)

// TestALedgerThatWasPutBack and has grown past the checkpoint: what was settled and is open again
// is seen to, and so is what came since; what never was is not.
func TestALedgerThatWasPutBack(t *testing.T) {
	h := newHouse(t)
	again := h.hold(h.date)
	restored := h.restored()
	if _, err := h.app.ConfirmReservation(t.Context(), h.caller(), again.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.app.CancelReservation(t.Context(), h.caller(), h.hold(h.date+1).ID, ""); err != nil {
		t.Fatal(err)
	}
	var at checkpoints
	p, stop := h.start(&at)
	h.read(p, 0)
	stop()

	since := restored.hold(h.date)
	for range 5 {
		restored.stir()
	}
	if head, _ := restored.store.Head(t.Context()); head <= at.at.Position {
		t.Fatalf("the ledger ends at %d and the checkpoint is %d", head, at.at.Position)
	}
	var told atomic.Int64
	cfg := expiryConfig{restored.config(&at), func(ctx context.Context, r domain.RestaurantID, d domain.ServiceDate) (eventstore.Position, error) {
		told.Add(1)
		return restored.app.RecordLapses(ctx, r, d)
	}}
	p, err := NewHoldExpiry(cfg.Config, cfg.Record)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); !errors.Is(err, feed.ErrEstranged) || at.at != (feed.Place{}) {
		t.Fatalf("it ended with %v, and is to go on from %+v", err, at.at)
	}
	stop = restored.run(p)
	restored.read(p, 2)
	restored.moveTo(since.Reservation.ExpiresAt)
	restored.read(p, 0)
	stop()
	if got, want := restored.lapsed(h.date), []uint32{again.Reservation.Number, since.Reservation.Number}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v are recorded as lapsed, want %v", got, want)
	}
	if n := told.Load(); n != 1 {
		t.Errorf("told %d times of lapses on one day", n)
	}
}

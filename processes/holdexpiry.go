package processes

import (
	"context"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// NewHoldExpiry makes the process that records what lapses: whenever a hold's time is over
// and it was neither confirmed nor cancelled, or the last time for which a party waits is
// past, then the day is told to record its lapses. The tables are free by the clock alone;
// this only tells the views, and offers what is free to those who wait.
func NewHoldExpiry(
	cfg Config, record func(context.Context, domain.RestaurantID, domain.ServiceDate) (eventstore.Position, error),
) (*Deadlines, error) {
	r := rule{
		once: true,
		types: map[string]bool{
			codec.TypeReservationHeld: true, codec.TypeReservationConfirmed: true, codec.TypeReservationCancelled: true,
			codec.TypeReservationExpired: true, codec.TypeReservationHoldExtended: true, codec.TypeReservationReinstated: true,
			codec.TypeWaitlistJoined: true, codec.TypeWaitlistOffered: true, codec.TypeWaitlistLeft: true,
		},
		see: seeLapses,
	}
	if record != nil {
		r.act = func(ctx context.Context, k key) error {
			restaurant, date, ok := codec.ParseDayStream(k.stream)
			if !ok {
				return errSettled
			}
			_, err := record(ctx, restaurant, date)
			return err
		}
	}
	return newDeadlines("hold-expiry", cfg, r)
}

func seeLapses(d *Deadlines, stream eventstore.StreamName, event any) {
	hold := func(number uint32) key { return key{stream, aHold, number} }
	wait := func(entry uint32) key { return key{stream, aWait, entry} }
	switch e := event.(type) {
	case restaurantday.Held:
		d.await(hold(e.Number), e.ExpiresAt)
	case restaurantday.HoldExtended:
		d.await(hold(e.Number), e.ExpiresAt)
	case restaurantday.Reinstated: // a confirmation that was undone is a hold again
		if e.To == restaurantday.StatusPending {
			d.await(hold(e.Number), e.ExpiresAt)
		}
	case restaurantday.Confirmed:
		d.settle(hold(e.Number))
	case restaurantday.Cancelled:
		d.settle(hold(e.Number))
	case restaurantday.Expired:
		d.settle(hold(e.Number))
	case restaurantday.WaitlistJoined:
		d.await(wait(e.Entry), e.To+1) // until then its last time will do
	case restaurantday.WaitlistOffered:
		d.settle(wait(e.Entry))
	case restaurantday.WaitlistLeft:
		d.settle(wait(e.Entry))
	}
}

package processes

import (
	"context"
	"time"

	"daybook/commands"
	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// movePatience is how long whoever asked for a move is left to finish it himself.
const movePatience = 10 * time.Second

// NewMoves makes the process that finishes moves to another day: whenever one has begun and
// is neither finished nor given up a while later, because who asked for it went away or the
// process that handled it died, then it is gone on with from wherever it stands. goOn
// answers whether anything is left to do.
func NewMoves(
	cfg Config, goOn func(ctx context.Context, id domain.ReservationID, m restaurantday.Moving) (open bool, err error),
) (*Deadlines, error) {
	m := &moves{goOn: goOn, asked: map[key]restaurantday.Moving{}}
	r := rule{
		types: map[string]bool{
			codec.TypeReservationMoveStarted: true, codec.TypeReservationMoved: true, codec.TypeReservationMoveAborted: true,
		},
		see: m.see,
	}
	if goOn != nil {
		r.act = m.act
	}
	return newDeadlines(commands.ProcessMoves, cfg, r)
}

type moves struct {
	goOn  func(context.Context, domain.ReservationID, restaurantday.Moving) (bool, error)
	asked map[key]restaurantday.Moving
}

func (m *moves) see(d *Deadlines, stream eventstore.StreamName, event any) {
	switch e := event.(type) {
	case restaurantday.MoveStarted:
		k := key{stream, aMove, e.Number}
		m.asked[k] = restaurantday.Moving{To: e.To, Time: e.Time, StartsAt: e.StartsAt, Party: e.Party, Move: e.Move}
		d.await(k, e.At.Add(movePatience))
	case restaurantday.Moved:
		m.settle(d, key{stream, aMove, e.Number})
	case restaurantday.MoveAborted:
		m.settle(d, key{stream, aMove, e.Number})
	}
}

func (m *moves) settle(d *Deadlines, k key) {
	delete(m.asked, k)
	d.settle(k)
}

func (m *moves) act(ctx context.Context, k key) error {
	restaurant, date, ok := codec.ParseDayStream(k.stream)
	if !ok {
		return errSettled
	}
	open, err := m.goOn(ctx, domain.NewReservationID(restaurant, date, k.number), m.asked[k])
	if err == nil && !open {
		// A cancellation ends a move without a word of its own.
		delete(m.asked, k)
		return errSettled
	}
	return err
}

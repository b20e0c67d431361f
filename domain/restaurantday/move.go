package restaurantday

import "daybook/domain"

// The move of a reservation to another day goes through four commands on two days: here
// StartMove, there Hold with MovedFrom, kept alive by ExtendHold and made firm by Confirm,
// here FinishMove, or AbortMove. In between the reservation here keeps its tables, and all
// but a cancellation waits. Who gives these commands is processes'.

func (s State) startMove(c StartMove) ([]Event, error) {
	if c.Move == "" || c.To == 0 || c.To == s.Date {
		return nil, domain.Invalid("to", "want another day, and a name for the move")
	}
	p, r, err := s.open(VerbStartMove, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	to := Moving{To: c.To, Time: c.Time, StartsAt: c.StartsAt, Party: c.Party, Move: c.Move}
	if to.Time == "" && to.StartsAt == 0 {
		to.Time = r.Slot.Time
	}
	if to.Party == 0 {
		to.Party = r.Party
	}
	switch {
	case r.Moving == to:
		return nil, nil
	case r.Moving != Moving{}:
		return nil, domain.Reject(domain.CodeMoving, "the reservation is being moved to "+r.Moving.To.String(), domain.Reason{Rule: "moving", Date: r.Moving.To})
	case c.Actor.Kind == domain.ActorDiner && r.Turn.From <= p.t:
		return nil, domain.Reject(domain.CodeStarted, "the seating has begun; only the restaurant can change it now",
			domain.Reason{Rule: "starts_at", LimitAt: r.Turn.From, ActualAt: p.t})
	}
	p.add(MoveStarted{
		Stamp: p.stamp(), Number: r.Number, To: to.To, Time: to.Time, StartsAt: to.StartsAt, Party: to.Party, Move: to.Move,
	})
	return p.end(), nil
}

func (s State) extendHold(c ExtendHold) ([]Event, error) {
	p, r, err := s.open(VerbExtendHold, c.Number, c.Actor, c.Now)
	if p == nil || c.Until <= r.ExpiresAt {
		return nil, err
	}
	if r.MovedFrom == "" {
		return nil, domain.Reject(domain.CodeNotMoving, "only the hold of a move is kept alive")
	}
	p.add(HoldExtended{Stamp: p.stamp(), Number: r.Number, ExpiresAt: c.Until})
	return p.end(), nil
}

func (s State) finishMove(c FinishMove) ([]Event, error) {
	if c.To == "" {
		return nil, domain.Invalid("to", "name the reservation that takes its place")
	}
	p, r, err := s.open(VerbFinishMove, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	if r.Moving.Move == "" || r.Moving.Move != c.Move {
		return nil, domain.Reject(domain.CodeNotMoving, "no such move of this reservation is under way")
	}
	p.add(Moved{Stamp: p.stamp(), Number: r.Number, To: c.To})
	return p.end(), nil
}

func (s State) abortMove(c AbortMove) ([]Event, error) {
	r, err := s.entry(c.Number, c.Actor)
	if err != nil {
		return nil, err
	}
	if c.Actor.Kind != domain.ActorDiner && (r.Moving.Move == "" || r.Moving.Move != c.Move) {
		return nil, nil // a cancellation, or this command before, has ended it
	}
	p, r, err := s.open(VerbAbortMove, c.Number, c.Actor, c.Now)
	if p == nil {
		return nil, err
	}
	p.add(MoveAborted{Stamp: p.stamp(), Number: r.Number, Move: c.Move, Reason: c.Reason})
	return p.end(), nil
}

package restaurantday

import (
	"daybook/domain"
)

// Verb is what is done to a reservation.
type Verb string

// The verbs.
const (
	VerbConfirm    Verb = "confirm"
	VerbAmend      Verb = "amend"
	VerbMoveTable  Verb = "move table"
	VerbPin        Verb = "pin"
	VerbUnpin      Verb = "unpin"
	VerbSeat       Verb = "seat"
	VerbComplete   Verb = "complete"
	VerbNoShow     Verb = "no-show"
	VerbCancel     Verb = "cancel"
	VerbReinstate  Verb = "reinstate"
	VerbStartMove  Verb = "start move"
	VerbFinishMove Verb = "finish move"
	VerbAbortMove  Verb = "abort move"
	VerbExtendHold Verb = "extend hold"
	VerbLapse      Verb = "lapse"
)

// Transition is what a verb makes of a reservation of a status.
type Transition struct {
	Verb  Verb
	From  Status
	To    Status
	Staff bool // not for diners
	// Already says that it is so already: nothing is written, and that is no refusal.
	Already bool
	// Moving says that it is possible while a move to another day is under way.
	Moving bool
}

// Transitions is every transition there is. What is not listed is refused.
var transitions = []Transition{
	{Verb: VerbConfirm, From: StatusPending, To: StatusConfirmed},
	{Verb: VerbConfirm, From: StatusConfirmed, To: StatusConfirmed, Already: true, Moving: true},
	{Verb: VerbConfirm, From: StatusSeated, To: StatusSeated, Already: true},
	{Verb: VerbAmend, From: StatusPending, To: StatusPending},
	{Verb: VerbAmend, From: StatusConfirmed, To: StatusConfirmed},
	{Verb: VerbMoveTable, From: StatusPending, To: StatusPending, Staff: true},
	{Verb: VerbMoveTable, From: StatusConfirmed, To: StatusConfirmed, Staff: true},
	{Verb: VerbMoveTable, From: StatusSeated, To: StatusSeated, Staff: true},
	{Verb: VerbPin, From: StatusPending, To: StatusPending, Staff: true},
	{Verb: VerbPin, From: StatusConfirmed, To: StatusConfirmed, Staff: true},
	{Verb: VerbPin, From: StatusSeated, To: StatusSeated, Staff: true, Already: true},
	{Verb: VerbUnpin, From: StatusPending, To: StatusPending, Staff: true},
	{Verb: VerbUnpin, From: StatusConfirmed, To: StatusConfirmed, Staff: true},
	{Verb: VerbSeat, From: StatusConfirmed, To: StatusSeated, Staff: true},
	{Verb: VerbSeat, From: StatusSeated, To: StatusSeated, Staff: true},
	{Verb: VerbComplete, From: StatusSeated, To: StatusCompleted, Staff: true},
	{Verb: VerbComplete, From: StatusCompleted, To: StatusCompleted, Staff: true, Already: true},
	{Verb: VerbNoShow, From: StatusConfirmed, To: StatusNoShow, Staff: true},
	{Verb: VerbNoShow, From: StatusNoShow, To: StatusNoShow, Staff: true, Already: true},
	{Verb: VerbCancel, From: StatusPending, To: StatusCancelled},
	{Verb: VerbCancel, From: StatusConfirmed, To: StatusCancelled, Moving: true},
	{Verb: VerbCancel, From: StatusCancelled, To: StatusCancelled, Already: true},
	{Verb: VerbReinstate, From: StatusCancelled, To: StatusConfirmed, Staff: true},
	{Verb: VerbReinstate, From: StatusNoShow, To: StatusConfirmed, Staff: true},
	{Verb: VerbReinstate, From: StatusCompleted, To: StatusSeated, Staff: true},
	{Verb: VerbReinstate, From: StatusConfirmed, To: StatusConfirmed, Staff: true, Already: true, Moving: true},
	{Verb: VerbReinstate, From: StatusSeated, To: StatusSeated, Staff: true, Already: true},
	{Verb: VerbStartMove, From: StatusConfirmed, To: StatusConfirmed, Moving: true},
	{Verb: VerbFinishMove, From: StatusConfirmed, To: StatusMoved, Staff: true, Moving: true},
	{Verb: VerbFinishMove, From: StatusMoved, To: StatusMoved, Staff: true, Already: true},
	{Verb: VerbAbortMove, From: StatusConfirmed, To: StatusConfirmed, Staff: true, Moving: true},
	{Verb: VerbExtendHold, From: StatusPending, To: StatusPending, Staff: true},
	{Verb: VerbLapse, From: StatusPending, To: StatusExpired, Staff: true},
	{Verb: VerbWithdraw, From: StatusConfirmed, To: StatusWithdrawn, Staff: true},
	{Verb: VerbWithdraw, From: StatusSeated, To: StatusWithdrawn, Staff: true},
	{Verb: VerbWithdraw, From: StatusCompleted, To: StatusWithdrawn, Staff: true},
	{Verb: VerbWithdraw, From: StatusCancelled, To: StatusWithdrawn, Staff: true},
	{Verb: VerbWithdraw, From: StatusNoShow, To: StatusWithdrawn, Staff: true},
	{Verb: VerbWithdraw, From: StatusWithdrawn, To: StatusWithdrawn, Staff: true, Already: true},
}

// Transitions lists every transition there is, by verb and status. What is not listed is
// refused, with the code that Refusal tells.
func Transitions() []Transition { return append([]Transition(nil), transitions...) }

// Refusal is the code with which a verb is refused for a reservation of this status.
func Refusal(from Status) domain.Code {
	switch from {
	case StatusPending:
		return domain.CodeNotConfirmed
	case StatusConfirmed:
		return domain.CodeNotSeated
	case StatusSeated:
		return domain.CodeStarted
	case StatusCompleted:
		return domain.CodeCompleted
	case StatusCancelled:
		return domain.CodeCancelled
	case StatusExpired:
		return domain.CodeHoldExpired
	case StatusNoShow:
		return domain.CodeNoShow
	case StatusMoved:
		return domain.CodeMovedAway
	case StatusWithdrawn:
		return domain.CodeWithdrawn
	default:
		return domain.CodeNotFound
	}
}

// statusAt is where r stands at t: a hold that has lapsed is over, recorded or not.
func (r *Reservation) statusAt(t domain.Instant) Status {
	if r.Status == StatusPending && r.ExpiresAt <= t {
		return StatusExpired
	}
	return r.Status
}

// may tells whether a verb can be done to r, or is so already.
func (s State) may(v Verb, r *Reservation, a domain.Actor, t domain.Instant) (already bool, err error) {
	from := r.statusAt(t)
	for _, tr := range transitions {
		if tr.Verb != v {
			continue
		}
		if tr.Staff && a.Kind == domain.ActorDiner {
			return false, domain.Reject(domain.CodeForbidden, "only the restaurant's own people can do that")
		}
		if tr.From != from {
			continue
		}
		if r.Moving != (Moving{}) && !tr.Moving {
			return false, domain.Reject(domain.CodeMoving, "the reservation is being moved to "+r.Moving.To.String()+"; wait, or cancel it",
				domain.Reason{Rule: "moving"})
		}
		return tr.Already, nil
	}
	return false, refusal(r, from, t)
}

// refusal says what r is instead.
func refusal(r *Reservation, from Status, t domain.Instant) *domain.Rejection {
	details := map[Status]string{
		StatusPending:   "the reservation is not confirmed yet",
		StatusConfirmed: "the party is not seated",
		StatusSeated:    "the party is seated",
		StatusCompleted: "the party has left",
		StatusCancelled: "the reservation was cancelled",
		StatusNoShow:    "the party did not come",
		StatusMoved:     "the reservation was moved to another day",
		StatusWithdrawn: "the reservation was taken back with the import it came with",
	}
	if from == StatusExpired {
		return domain.Reject(domain.CodeHoldExpired, "the hold has lapsed and its table may be somebody else's; hold again",
			domain.Reason{Rule: "hold_minutes", LimitAt: r.ExpiresAt, ActualAt: t})
	}
	return domain.Reject(Refusal(from), details[from], domain.Reason{Rule: "status", ActualAt: r.ChangedAt})
}

// entry finds what a command addresses. To those who may not know of it, it is not there.
func (s State) entry(number uint32, actor domain.Actor) (*Reservation, error) {
	r, ok := s.book.get(number)
	if !ok || !actor.Speaks(r.Diner) {
		return nil, domain.Reject(domain.CodeNotFound, "no such reservation")
	}
	return r, nil
}

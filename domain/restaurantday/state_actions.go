package restaurantday

import (
	"slices"

	"daybook/domain"
)

// ActionKind is what staff did.
type ActionKind string

// What staff do that can be undone.
const (
	ActionConfirm   ActionKind = "confirm"
	ActionCancel    ActionKind = "cancel"
	ActionAmend     ActionKind = "amend"
	ActionMoveTable ActionKind = "move_table"
	ActionPin       ActionKind = "pin"
	ActionUnpin     ActionKind = "unpin"
	ActionSeat      ActionKind = "seat"
	ActionComplete  ActionKind = "complete"
	ActionNoShow    ActionKind = "no_show"
	ActionReinstate ActionKind = "reinstate"
)

// Action is one thing that staff did on the day, and can undo.
type Action struct {
	Sequence uint32 // among the day's, from 1
	Kind     ActionKind
	Number   uint32 // the entry of the book
	At       domain.Instant
	before   *Reservation
	plan     uint64 // the revision of the plan it was done under
}

// actionsKept is how many of staff's last actions can be undone.
const actionsKept = 20

// Actions lists staff's last actions that were not undone, oldest first.
func (s State) Actions() []Action { return s.actions }

// acts remembers an entry as it was before an action.
func (s State) acts(kind ActionKind, number uint32, at domain.Instant) State {
	before, ok := s.book.get(number)
	if s.undoing == number || !ok {
		s.undoing = 0 // taking an action back is no action
		return s
	}
	s.acted++
	from := max(0, len(s.actions)+1-actionsKept)
	s.actions = append(slices.Clone(s.actions[from:]), Action{Sequence: s.acted, Kind: kind, Number: number, At: at, before: before, plan: s.Plan.Revision})
	return s
}

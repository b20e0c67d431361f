package restaurantday

// ReservationOf is the number of the entry of the book that an event is about: a reservation,
// a walk-in, or the hold of an offer to the waitlist. 0 for none.
func ReservationOf(e Event) uint32 {
	switch e := e.(type) {
	case Held:
		return e.Number
	case Reassigned:
		return e.Number
	case Confirmed:
		return e.Number
	case HoldExtended:
		return e.Number
	case Cancelled:
		return e.Number
	case Expired:
		return e.Number
	case Amended:
		return e.Number
	case TablesMoved:
		return e.Number
	case Pinned:
		return e.Number
	case Unpinned:
		return e.Number
	case Seated:
		return e.Number
	case Completed:
		return e.Number
	case NoShow:
		return e.Number
	case Reinstated:
		return e.Number
	case Undone:
		return e.Number
	case MoveStarted:
		return e.Number
	case Moved:
		return e.Number
	case MoveAborted:
		return e.Number
	case Recorded:
		return e.Number
	case Withdrawn:
		return e.Number
	case WaitlistOffered:
		return e.Number
	}
	return 0
}

// EntryOf is the entry of the waitlist that an event is about; 0 for none.
func EntryOf(e Event) uint32 {
	switch e := e.(type) {
	case WaitlistJoined:
		return e.Entry
	case WaitlistOffered:
		return e.Entry
	case WaitlistPassedOver:
		return e.Entry
	case WaitlistLeft:
		return e.Entry
	}
	return 0
}

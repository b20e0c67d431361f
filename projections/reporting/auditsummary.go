package reporting

import (
	"encoding/json"
	"fmt"
	"strings"

	"daybook/eventstore/codec"
)

// sentences tell of each type of event, in one line for people, what an audit entry of it
// says. It is the list of what the audit can show: a type of the ledger that is missing here
// fails a test. A type that is nobody's change is in unshown, with why.
var sentences = map[string]func(told) string{
	codec.TypeReservationHeld:         held,
	codec.TypeReservationReassigned:   reassigned,
	codec.TypeReservationConfirmed:    func(t told) string { return "Confirmed: " + t.party() },
	codec.TypeReservationHoldExtended: func(t told) string { return "Held for longer: " + t.party() },
	codec.TypeReservationCancelled:    cancelled,
	codec.TypeReservationExpired:      func(t told) string { return "The hold lapsed: " + t.party() },
	codec.TypeReservationAmended:      func(t told) string { return "Changed: " + t.changes() },
	codec.TypeReservationTablesMoved:  func(t told) string { return "Given " + t.tables(t.is) + " instead of " + t.tables(t.was) },
	codec.TypeReservationPinned:       func(t told) string { return "Bound to " + t.tables(t.is) },
	codec.TypeReservationUnpinned:     func(t told) string { return "No longer bound to " + t.tables(t.is) },
	codec.TypeReservationSeated:       seated,
	codec.TypeReservationCompleted:    func(t told) string { return "Left " + t.tables(t.is) + ": " + t.seating() },
	codec.TypeReservationNoShow:       func(t told) string { return "Did not come: " + t.party() },
	codec.TypeReservationReinstated: func(t told) string {
		return "From " + t.text(t.was, "status") + " back to " + t.text(t.is, "status") + ": " + t.party()
	},
	codec.TypeReservationMoveStarted: func(t told) string { return "A move to " + t.text(t.is, "movingTo") + " began: " + t.party() },
	codec.TypeReservationMoved:       func(t told) string { return "Moved to " + t.text(t.was, "movingTo") + ": " + t.party() },
	codec.TypeReservationMoveAborted: func(t told) string {
		return "The move to " + t.text(t.was, "movingTo") + " came to nothing (" + t.Reason + "): " + t.party()
	},
	codec.TypeReservationRecorded:  recorded,
	codec.TypeReservationWithdrawn: func(t told) string { return "Taken back with its import: " + t.party() },
	codec.TypeActionUndone:         func(t told) string { return "Undone by staff: " + strings.TrimPrefix(t.Reason, "undo_") },

	codec.TypeWaitlistJoined:     joined,
	codec.TypeWaitlistOffered:    func(t told) string { return "Offered a table: " + t.waits() },
	codec.TypeWaitlistPassedOver: func(t told) string { return "Passed over for another party (" + t.Reason + "): " + t.waits() },
	codec.TypeWaitlistLeft:       func(t told) string { return "Off the waitlist (" + t.Reason + "): " + t.waits() },

	codec.TypeDayOpened: func(t told) string {
		return fmt.Sprintf("The book was opened: %s tables, %s slots", t.text(t.is, "tables"), t.text(t.is, "slots"))
	},
	codec.TypeDayPlanFenced: func(t told) string {
		return "Change " + t.text(t.is, "change") + " of the restaurant takes something away from this day: that is no longer booked"
	},
	codec.TypeDayPlanChanged: planChanged,

	codec.TypeRestaurantRegistered:        func(told) string { return "The restaurant was registered" },
	codec.TypeRestaurantProfileChanged:    func(t told) string { return "The profile was changed: " + t.changes() },
	codec.TypeRestaurantHoursSet:          func(told) string { return "The weekly hours were set" },
	codec.TypeRestaurantPolicySet:         func(t told) string { return "The booking policy was set: " + t.changes() },
	codec.TypeRestaurantPublished:         func(told) string { return "The restaurant was opened for booking" },
	codec.TypeRestaurantTableAdded:        func(t told) string { return t.floorTable(t.is) + " was added" },
	codec.TypeRestaurantTableChanged:      func(t told) string { return t.floorTable(t.was) + " was changed: " + t.changes() },
	codec.TypeRestaurantTableRemoved:      func(t told) string { return t.floorTable(t.was) + " was removed" },
	codec.TypeRestaurantSpecialDaySet:     func(t told) string { return "Hours of its own for " + t.text(t.is, "date") },
	codec.TypeRestaurantSpecialDayRemoved: func(t told) string { return "No more hours of its own for " + t.text(t.was, "date") },
	codec.TypeRestaurantClosureAdded:      func(t told) string { return "Closed " + t.dates(t.is) },
	codec.TypeRestaurantClosureRemoved:    func(t told) string { return "No longer closed " + t.dates(t.was) },
	codec.TypeRestaurantBlockAdded:        func(t told) string { return "Tables blocked on " + t.text(t.is, "date") + ", " + t.dates(t.is) },
	codec.TypeRestaurantBlockRemoved: func(t told) string {
		return "Tables no longer blocked on " + t.text(t.was, "date") + ", " + t.dates(t.was)
	},
	codec.TypeRestaurantCombinationAdded:   func(t told) string { return "A combination of " + t.tables(t.is) + " was added" },
	codec.TypeRestaurantCombinationRemoved: func(t told) string { return "A combination of " + t.tables(t.was) + " was removed" },
	codec.TypeRestaurantBookingDecided:     func(t told) string { return "Decided for a booking that a change touches: " + t.text(t.is, "do") },
	codec.TypeRestaurantPlanDecided: func(t told) string {
		return fmt.Sprintf("Decided for bookings that the change touches where nothing else was said: %s; open days: %d",
			orNone(t.text(t.is, "default")), len(t.list(t.is, "days")))
	},

	codec.TypeRestaurantImportBegun:     func(t told) string { return "An import began: " + t.imports() },
	codec.TypeRestaurantImportEnded:     func(t told) string { return "An import ended: " + t.imports() },
	codec.TypeRestaurantImportUndoBegun: func(t told) string { return "The undoing of an import began: " + t.imports() },
	codec.TypeRestaurantImportUndone:    func(t told) string { return "An import was undone: " + t.imports() },

	codec.TypeWebhookCreated:       func(t told) string { return "A webhook to " + t.text(t.is, "host") + " was made" },
	codec.TypeWebhookChanged:       func(t told) string { return "The webhook to " + t.text(t.is, "host") + " was changed: " + t.changes() },
	codec.TypeWebhookPaused:        func(t told) string { return "The webhook to " + t.text(t.is, "host") + " was paused: " + t.Reason },
	codec.TypeWebhookResumed:       func(t told) string { return "The webhook to " + t.text(t.is, "host") + " was resumed" },
	codec.TypeWebhookSecretRotated: func(t told) string { return "The webhook to " + t.text(t.is, "host") + " got another secret" },
	codec.TypeWebhookReplayed: func(t told) string {
		return "The webhook to " + t.text(t.is, "host") + " was put back to position " + t.text(t.is, "replayedAfter")
	},
	codec.TypeWebhookTestRequested: func(t told) string { return "A test of the webhook to " + t.text(t.is, "host") },
	codec.TypeWebhookRemoved:       func(t told) string { return "The webhook to " + t.text(t.was, "host") + " was removed" },

	codec.TypeUserRegistered: func(told) string { return "The account was registered" },
	codec.TypeUserLoggedIn:   func(told) string { return "Logged in" },
	codec.TypeEmailClaimed:   func(told) string { return "An e-mail address was claimed for the account" },
}

// unshown are the types that no audit entry is made of.
var unshown = map[string]string{
	codec.TypeDemandRefused: "nobody changed anything; the table refusals has them",
}

// KnownType reports whether the audit has entries of a type or, where it ends with a full
// stop, of types that begin so.
func KnownType(name string) bool {
	_, known := sentences[name]
	for other := range sentences {
		known = known || strings.HasSuffix(name, ".") && strings.HasPrefix(other, name)
	}
	return known
}

// MeantForDiner reports whether the words that were given are for the diner to read, or are
// his own. Others are what the restaurant's people noted for themselves.
func (e AuditEntry) MeantForDiner() bool {
	return e.Type == codec.TypeReservationCancelled || e.Type == codec.TypeRestaurantBookingDecided
}

// told is an audit entry whose states are read.
type told struct {
	AuditEntry
	was, is map[string]any
}

// Summary tells in one line of English what the change was, without who did it and when. It
// holds nothing that Before and After do not. It is empty for a type that an earlier or a
// later version wrote and this one does not know.
func (e AuditEntry) Summary() string {
	tell, known := sentences[e.Type]
	if !known {
		return ""
	}
	t := told{AuditEntry: e}
	_ = json.Unmarshal(e.Before, &t.was) // this program wrote them; where there is none, none is told
	_ = json.Unmarshal(e.After, &t.is)
	return tell(t)
}

// Changed names what differs between Before and After, sorted as After has it; none where
// there was or is nothing.
func (e AuditEntry) Changed() []string {
	if len(e.Before) == 0 || len(e.After) == 0 {
		return nil
	}
	names, was, is := fieldsOf(e.Before, e.After)
	var changed []string
	for _, name := range names {
		if string(was[name]) != string(is[name]) {
			changed = append(changed, name)
		}
	}
	return changed
}

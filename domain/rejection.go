package domain

import "errors"

// Code names a rule that refuses a command. Codes are stable: clients decide by them.
type Code string

// The codes of refused commands. Each has a page in docs/errors.
const (
	CodeInPast          Code = "in_the_past"
	CodeTooSoon         Code = "too_soon"
	CodeTooFarAhead     Code = "too_far_ahead"
	CodeClosed          Code = "closed"
	CodeOutsideHours    Code = "outside_hours"
	CodeOffSlot         Code = "off_slot"
	CodeAmbiguousTime   Code = "ambiguous_time"
	CodePartyTooLarge   Code = "party_too_large"
	CodeNoTable         Code = "no_table"
	CodePacingFull      Code = "pacing_full"
	CodeBlocked         Code = "blocked"
	CodeHoldExpired     Code = "hold_expired"
	CodeCancelled       Code = "already_cancelled"
	CodeStarted         Code = "already_started"
	CodeNotFound        Code = "not_found"
	CodeNotOpened       Code = "day_not_opened"
	CodeLaterEntries    Code = "later_entries"
	CodeEmailTaken      Code = "email_taken"
	CodeBadCredentials  Code = "bad_credentials"
	CodeTableNumberUsed Code = "table_number_taken"
	CodeNotReady        Code = "not_ready_to_publish"
	CodeZoneInUse       Code = "zone_in_use"
	CodeInvalid         Code = "invalid"
	CodeForbidden       Code = "forbidden"
	CodeCompleted       Code = "already_completed"
	CodeNoShow          Code = "marked_no_show"
	CodeMovedAway       Code = "moved_to_another_day"
	CodeMoving          Code = "moving"
	CodeNotConfirmed    Code = "not_confirmed"
	CodeNotSeated       Code = "not_seated"
	CodeTooEarly        Code = "too_early"
	CodeUndoBlocked     Code = "undo_blocked"
	CodeNothingToUndo   Code = "nothing_to_undo"
	CodeNotOverridable  Code = "not_overridable"
	CodeStaffChoice     Code = "staff_choice" // no refusal: why an entry of the waitlist was passed over
	CodeNotWaiting      Code = "not_waiting"
	CodeAlreadyWaiting  Code = "already_waiting"
	CodeWaitlistFull    Code = "waitlist_full"
	CodeNotMoving       Code = "not_moving"
	CodeDecisionNeeded  Code = "decision_needed"
	CodeWithdrawn       Code = "withdrawn"
	CodeImportRunning   Code = "import_running"
	CodeFactChanged     Code = "fact_changed"  // of a row of an import: it was recorded before, and says something else now
	CodeTableTaken      Code = "table_taken"   // no refusal: a conflict of an imported entry; see restaurantday.Conflict
	CodeTableUnknown    Code = "table_unknown" // likewise
)

// Rejection is a decider's "no": which rule, why in one sentence, what blocks it, and what
// would be accepted instead. A rejection changes nothing.
type Rejection struct {
	Code         Code
	Detail       string
	Reasons      []Reason
	Alternatives []Alternative
}

// Reason is one rule that stands in the way, with the numbers that decided it.
type Reason struct {
	Rule     string  // the policy or fact, such as "turn_time" or "notice_minutes"
	Limit    int64   // what the rule allows, in the rule's own unit; 0 where it has none
	Actual   int64   // what was asked for or is taken, in the same unit
	LimitAt  Instant // likewise, where the rule is about an instant; 0 where it is not
	ActualAt Instant
	Blocked  []Block     // the entries that hold what was asked for
	Date     ServiceDate // the day it is about, where that is not the one addressed
}

// Block is an entry of the day's book that holds a table.
type Block struct {
	Number uint32 // in the book of the day addressed
	Table  TableID
	Until  Instant // when the table is free again
	Hold   bool    // a hold, which may lapse before that
}

// Alternative is a slot near the one asked for that would have been accepted.
type Alternative struct {
	Time     string // local HH:MM
	StartsAt Instant
	Date     ServiceDate // its day, where that is not the one addressed
}

func (r *Rejection) Error() string { return string(r.Code) + ": " + r.Detail }

// Reject makes a rejection.
func Reject(code Code, detail string, reasons ...Reason) *Rejection {
	return &Rejection{Code: code, Detail: detail, Reasons: reasons}
}

// Rejected returns the rejection in err's chain.
func Rejected(err error) (*Rejection, bool) {
	var r *Rejection
	ok := errors.As(err, &r)
	return r, ok
}

// Invalid refuses a command because one of its fields, named as in "time_zone", is not
// what it must be.
func Invalid(field, detail string) *Rejection {
	return Reject(CodeInvalid, detail, Reason{Rule: field})
}

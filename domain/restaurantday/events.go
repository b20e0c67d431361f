package restaurantday

import "daybook/domain"

// Event is something that happened on a day. The events of this package are all there are.
type Event interface {
	DecidedAt() domain.Instant
	dayEvent()
}

// Opened begins a day's book with a copy of the plan.
type Opened struct {
	domain.Stamp
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Plan       Plan
}

// Source is how an entry came into the book.
type Source string

// The sources.
const (
	SourceBooking  Source = ""         // somebody asked for a table
	SourceWalkIn   Source = "walk_in"  // the party stood at the door
	SourceWaitlist Source = "waitlist" // an offer to the waitlist
	SourceMove     Source = "move"     // the new place of a reservation of another day
)

// Override is one rule that staff set aside, and why. The zero value sets none aside.
type Override struct {
	Rule   domain.Code
	Reason string // personal data: free text
}

// Held promises tables until ExpiresAt.
type Held struct {
	domain.Stamp
	Number    uint32 // the next in the book
	Diner     domain.UserID
	Party     domain.PartySize
	Slot      Slot
	Turn      domain.Interval
	Occupied  domain.Interval
	Tables    []domain.TableID
	ExpiresAt domain.Instant
	Code      string
	Details   Details
	Wish      Wish                 // what a re-assignment keeps to
	Bound     bool                 // the tables are its own: never re-assigned
	Online    bool                 // never re-assigned to a table that is offline only
	Source    Source               // how it came into the book
	Entry     uint32               // of the waitlist, where the source is that; else 0
	MovedFrom domain.ReservationID // the reservation of another day that it is to replace; else empty
	Override  Override
}

// Reassigned gives a party that is not bound other tables, so that another can be seated.
type Reassigned struct {
	domain.Stamp
	Number uint32
	Tables []domain.TableID
	For    uint32 // the entry that gains by it
}

// Confirmed makes a hold firm.
type Confirmed struct {
	domain.Stamp
	Number uint32
	Staff  bool // staff confirmed it; entries of before that was told have false
}

// HoldExtended keeps a hold alive that a move from another day waits on.
type HoldExtended struct {
	domain.Stamp
	Number    uint32
	ExpiresAt domain.Instant
}

// CancelledBy says who ended a reservation.
type CancelledBy string

// Who can cancel.
const (
	ByDiner      CancelledBy = "diner"
	ByRestaurant CancelledBy = "restaurant"
)

// Cancelled gives the tables back.
type Cancelled struct {
	domain.Stamp
	Number uint32
	Diner  domain.UserID // whose reservation it was; empty for a guest without an account
	By     CancelledBy
	Reason string // personal data: free text
	Late   bool   // after the last free cancellation, by the policy of the day
	Change string // the change of the restaurant that it could not be kept under; else empty
}

// Expired records that a hold lapsed. The table was free from LapsedAt on, whether or
// not this was recorded yet.
type Expired struct {
	domain.Stamp
	Number   uint32
	LapsedAt domain.Instant
}

// Amended gives an entry another party, time, tables or details. All of what it says holds
// from then on, changed or not.
type Amended struct {
	domain.Stamp
	Number   uint32
	Diner    domain.UserID // whose reservation it is; empty for a guest without an account
	Party    domain.PartySize
	Slot     Slot
	Turn     domain.Interval
	Occupied domain.Interval
	Tables   []domain.TableID
	Wish     Wish
	Bound    bool
	Told     bool    // Details take the place of those before
	Details  Details // zero where not Told
	Staff    bool    // staff did it
	Override Override
	// Conflicts are those in which it stands from then on.
	Conflicts []Conflict
}

// TablesMoved gives a party the tables that staff chose, for good.
type TablesMoved struct {
	domain.Stamp
	Number uint32
	Tables []domain.TableID
}

// Pinned binds a party to the tables it has.
type Pinned struct {
	domain.Stamp
	Number uint32
}

// Unpinned lets a party be re-assigned again.
type Unpinned struct {
	domain.Stamp
	Number uint32
}

// Seated puts a party, or the part of it that is there, at its tables, and binds it to them.
type Seated struct {
	domain.Stamp
	Number   uint32
	Covers   domain.PartySize // who sit by now, 1 up to the party
	Tables   []domain.TableID
	Occupied domain.Interval // begins earlier than promised where the party came early
}

// Completed ends a seating. The tables are free from FreedAt on.
type Completed struct {
	domain.Stamp
	Number  uint32
	FreedAt domain.Instant
}

// NoShow records that a party never came. Its tables are free again.
type NoShow struct {
	domain.Stamp
	Number uint32
}

// Reinstated gives an entry back the status, the tables and the stretch that it says.
type Reinstated struct {
	domain.Stamp
	Number    uint32
	From      Status // what it was until now
	To        Status
	Covers    domain.PartySize // who sit; 0 where it is not seated
	Tables    []domain.TableID
	Bound     bool
	Turn      domain.Interval
	Occupied  domain.Interval
	ExpiresAt domain.Instant // of the hold, where it is pending again; else 0
	Conflicts []Conflict     // in which it stands from then on
}

// Undone says that what follows in the same append takes back an action of staff.
type Undone struct {
	domain.Stamp
	Number uint32
	Action uint32 // its number among the day's actions of staff
	Kind   ActionKind
}

// MoveStarted begins to move a reservation to another day. Until the move is finished or
// aborted the reservation keeps its tables, and confirming, seating and amending wait.
type MoveStarted struct {
	domain.Stamp
	Number   uint32
	To       domain.ServiceDate
	Time     string         // the local time asked for there, HH:MM, if it was given so
	StartsAt domain.Instant // or the instant asked for
	Party    domain.PartySize
	Move     string // names the move on both days
}

// Moved ends a reservation whose party has a table on another day.
type Moved struct {
	domain.Stamp
	Number uint32
	To     domain.ReservationID
}

// MoveAborted ends a move that came to nothing; the reservation is as it was.
type MoveAborted struct {
	domain.Stamp
	Number uint32
	Move   string
	Reason domain.Code // why the other day would not have it
}

// WaitlistJoined puts a party on the day's waitlist, behind all who are there.
type WaitlistJoined struct {
	domain.Stamp
	Entry   uint32 // the next of the waitlist
	Diner   domain.UserID
	Party   domain.PartySize
	From    domain.Instant // the first and
	To      domain.Instant // the last start that the party would take
	Wish    Wish
	Online  bool // it cannot have a table that is offline only
	WalkIn  bool // it waits at the door; staff seat it
	Quoted  domain.Instant
	Code    string
	Details Details
}

// WaitlistOffered gives an entry the hold of that number, until it lapses.
type WaitlistOffered struct {
	domain.Stamp
	Entry     uint32
	Number    uint32 // in the book: the hold that keeps the tables
	ExpiresAt domain.Instant
}

// WaitlistPassedOver records why an entry was not the one that was offered a table, though
// it stood before it.
type WaitlistPassedOver struct {
	domain.Stamp
	Entry uint32
	For   uint32      // the entry of the waitlist that was
	Code  domain.Code // the rule by which it could not; staff_choice where staff chose
}

// LeftBecause is why an entry left the waitlist.
type LeftBecause string

// Why entries leave.
const (
	LeftItself   LeftBecause = "left"
	LeftDeclined LeftBecause = "declined" // it turned an offer down
	LeftLapsed   LeftBecause = "lapsed"   // it let an offer lapse
	LeftSeated   LeftBecause = "seated"   // staff gave it a table
	LeftPast     LeftBecause = "date_past"
	LeftPlan     LeftBecause = "plan_changed" // no slot is left that it would take
)

// WaitlistLeft takes an entry off the waitlist. One that comes back is the last.
type WaitlistLeft struct {
	domain.Stamp
	Entry  uint32
	By     CancelledBy
	Reason LeftBecause
}

// PlanFenced keeps new bookings off what a change of the restaurant takes away, until the
// plan is changed.
type PlanFenced struct {
	domain.Stamp
	Change       string                 // names the change
	Revision     uint64                 // of the plan that it waits for; 0 for the next
	Slots        []domain.Instant       // starts that are no longer offered
	Blocks       []Block                // tables that are no longer promised
	Combinations []domain.CombinationID // that are no longer put together
}

// PlanChanged puts another plan in place of the day's.
type PlanChanged struct {
	domain.Stamp
	Change string
	Plan   Plan
	Kept   []uint32 // entries that stay as they are though the plan would not have them
	// Settled tells of each entry that the change touched what became of it.
	Settled []Settlement
}

// Refused is demand that the day could not meet. It stands in a stream of its own, decides
// nothing, and holds nothing personal.
type Refused struct {
	domain.Stamp
	Code     domain.Code
	Party    domain.PartySize
	Time     string         // the local time asked for, HH:MM, if it was given so
	StartsAt domain.Instant // or the instant asked for
	Seen     uint64         // entries in the day's stream when it was decided: its revision plus one
	Wish     Wish
	By       domain.ActorKind // the capacity in which it was asked; empty in entries of before that was told
	Skip     domain.Code      // the rule that staff asked to set aside; empty for none
	Slot     Slot             // of the plan it was decided by; zero where that has no such slot, and in entries of before
}

func (Opened) dayEvent()             {}
func (Held) dayEvent()               {}
func (Reassigned) dayEvent()         {}
func (Confirmed) dayEvent()          {}
func (HoldExtended) dayEvent()       {}
func (Cancelled) dayEvent()          {}
func (Expired) dayEvent()            {}
func (Amended) dayEvent()            {}
func (TablesMoved) dayEvent()        {}
func (Pinned) dayEvent()             {}
func (Unpinned) dayEvent()           {}
func (Seated) dayEvent()             {}
func (Completed) dayEvent()          {}
func (NoShow) dayEvent()             {}
func (Reinstated) dayEvent()         {}
func (Undone) dayEvent()             {}
func (MoveStarted) dayEvent()        {}
func (Moved) dayEvent()              {}
func (MoveAborted) dayEvent()        {}
func (WaitlistJoined) dayEvent()     {}
func (WaitlistOffered) dayEvent()    {}
func (WaitlistPassedOver) dayEvent() {}
func (WaitlistLeft) dayEvent()       {}
func (PlanFenced) dayEvent()         {}
func (PlanChanged) dayEvent()        {}

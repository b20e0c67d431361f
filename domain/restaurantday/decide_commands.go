package restaurantday

import "daybook/domain"

// Command is something asked of a day. The commands of this package are all there are.
// Now is the time by the clock of who asks, Actor who that is, Number an entry of the book.
type Command interface{ dayCommand() }

// Open begins the day's book. It is already so where the day has a plan.
type Open struct {
	Now        domain.Instant
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Plan       *Plan
}

// Hold asks for a table. Time or StartsAt names the slot; StartsAt wins.
type Hold struct {
	Now       domain.Instant
	Opening   *Open // opens the day first where it has no plan yet
	Actor     domain.Actor
	Diner     domain.UserID // whom the table is for; empty for a guest without an account
	Party     domain.PartySize
	Time      string // local HH:MM
	StartsAt  domain.Instant
	Wish      Wish
	Confirm   bool // confirm at once
	InOrder   bool // refuse where the book has later entries: for bringing in what is past
	Code      string
	Details   Details
	Override  Override             // staff's only
	MovedFrom domain.ReservationID // the reservation of another day that this is to replace
}

// Confirm makes a hold firm. It is already so where it is confirmed.
type Confirm struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
}

// Cancel gives the tables back. It is already so where it is cancelled.
type Cancel struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Reason string
}

// Lapse records the holds that have lapsed, with the offers that this brings about, and
// who waits for what is past.
type Lapse struct {
	Now domain.Instant
}

// Amend changes a reservation that is not seated. What is left zero stays as it is, and so
// does what a change does not name. Where the new place is refused the old one stays.
type Amend struct {
	Now      domain.Instant
	Actor    domain.Actor
	Number   uint32
	On       domain.ServiceDate // the date it is wanted on; 0 for whichever it is
	Party    domain.PartySize
	Time     string // local HH:MM
	StartsAt domain.Instant
	Wish     WishChanges
	Details  DetailsChanges
	Override Override
}

// WishChanges names what is wished for otherwise; what is nil stays as it is when the
// command is decided. Empty lifts a wish.
type WishChanges struct {
	Table *domain.TableID
	Area  *string
}

// DetailsChanges names which details are others; what is nil stays as it is when the
// command is decided.
type DetailsChanges struct {
	GuestName, GuestEmail, GuestPhone *string
	Notes                             *string
	SpecialRequests                   *string
	Occasion                          *string
}

// MoveTable gives a party the tables that staff choose, and binds it to them.
type MoveTable struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Tables []domain.TableID // at least one
}

// Pin binds a party to the tables it has; with Off it lets it be re-assigned again.
type Pin struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Off    bool
}

// Seat puts a party at its tables, or the part of it that came: Covers are all who sit by
// then, 0 for the whole party. Again when more come. On a later date it is told of a party
// that sat when it was to.
type Seat struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Covers domain.PartySize
	Tables []domain.TableID // others than it has; none for those
}

// Complete ends a seating and frees its tables.
type Complete struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
}

// MarkNoShow records that a party did not come. Not before its time.
type MarkNoShow struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
}

// Reinstate takes back that a reservation was cancelled, was a no-show or was completed,
// where there are tables for it.
type Reinstate struct {
	Now      domain.Instant
	Actor    domain.Actor
	Number   uint32
	Override Override // pacing_full and outside_hours alone have an effect
}

// WalkIn seats a party that stands at the door, now.
type WalkIn struct {
	Now      domain.Instant
	Opening  *Open
	Actor    domain.Actor
	Diner    domain.UserID
	Party    domain.PartySize // 0 with Entry: the entry's
	Covers   domain.PartySize // who sit down now; 0 for the whole party
	Tables   []domain.TableID // those that staff choose; none for any
	Wish     Wish
	Entry    uint32 // of the waitlist, whose party it is; 0 for none
	Code     string
	Details  Details
	Override Override
}

// JoinWaitlist puts a party on the waitlist. From and To are the first and the last start
// that it would take; where they are 0, FromTime and ToTime are. A walk-in waits from now
// on and has no need of them.
type JoinWaitlist struct {
	Now      domain.Instant
	Opening  *Open
	Actor    domain.Actor
	Diner    domain.UserID
	Party    domain.PartySize
	From, To domain.Instant
	FromTime string // local HH:MM
	ToTime   string
	Wish     Wish
	WalkIn   bool
	Code     string
	Details  Details
}

// LeaveWaitlist takes an entry off the waitlist, or turns down what it was offered.
type LeaveWaitlist struct {
	Now   domain.Instant
	Actor domain.Actor
	Entry uint32
}

// AcceptOffer confirms what an entry was offered.
type AcceptOffer struct {
	Now   domain.Instant
	Actor domain.Actor
	Entry uint32
}

// StartMove begins to move a reservation to another day. Without Time and StartsAt it is to
// be at the time of day that it is now, without Party as large as it is.
type StartMove struct {
	Now      domain.Instant
	Actor    domain.Actor
	Number   uint32
	To       domain.ServiceDate
	Time     string // local HH:MM, on that day
	StartsAt domain.Instant
	Party    domain.PartySize
	Move     string // names the move, on both days
}

// ExtendHold keeps the hold of a move alive until an instant. It is already so where it
// lasts as long.
type ExtendHold struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Until  domain.Instant
}

// FinishMove ends a reservation whose party has its place on another day.
type FinishMove struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Move   string
	To     domain.ReservationID
}

// AbortMove ends a move that came to nothing. It is already so where no such move is under way.
type AbortMove struct {
	Now    domain.Instant
	Actor  domain.Actor
	Number uint32
	Move   string
	Reason domain.Code
}

// FencePlan keeps new bookings off what Plan takes away from the day, until ChangePlan. It
// is already so where the day has no book yet.
type FencePlan struct {
	Now    domain.Instant
	Actor  domain.Actor
	Change string // names the change of the restaurant
	Plan   *Plan
}

// ChangePlan puts another plan in place of the day's, with what becomes of each reservation
// that it touches. It is already so where the day has no book yet, or that plan or a later one.
type ChangePlan struct {
	Now       domain.Instant
	Actor     domain.Actor
	Change    string
	Plan      *Plan
	Decisions []Decision
	Default   Resolution // for those without a decision, which may be newer than the preview; empty for none
	// Binding says that the change stands in the restaurant's book: for what has no decision,
	// or one that can no longer be carried out, another is found rather than the change refused.
	Binding bool
}

// Undo takes back what staff did.
type Undo struct {
	Now    domain.Instant
	Actor  domain.Actor
	Action uint32 // its number; 0 for the last
	Number uint32 // of the last on this entry; 0 for any
}

func (Open) dayCommand()          {}
func (Hold) dayCommand()          {}
func (Confirm) dayCommand()       {}
func (Cancel) dayCommand()        {}
func (Lapse) dayCommand()         {}
func (Amend) dayCommand()         {}
func (MoveTable) dayCommand()     {}
func (Pin) dayCommand()           {}
func (Seat) dayCommand()          {}
func (Complete) dayCommand()      {}
func (MarkNoShow) dayCommand()    {}
func (Reinstate) dayCommand()     {}
func (WalkIn) dayCommand()        {}
func (JoinWaitlist) dayCommand()  {}
func (LeaveWaitlist) dayCommand() {}
func (AcceptOffer) dayCommand()   {}
func (StartMove) dayCommand()     {}
func (ExtendHold) dayCommand()    {}
func (FinishMove) dayCommand()    {}
func (AbortMove) dayCommand()     {}
func (FencePlan) dayCommand()     {}
func (ChangePlan) dayCommand()    {}
func (Undo) dayCommand()          {}

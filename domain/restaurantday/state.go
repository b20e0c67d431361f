// Package restaurantday is the book of one restaurant on one service date: the place where
// a table can be promised, and the unit that can be oversold.
//
// What belongs here: the day's plan, its occupancy, the commands and events of a day and
// the rules between them. How a plan comes from a restaurant's hours is restaurant's; how
// an event becomes JSON is eventstore/codec's; who may send which command, and what is
// retried, is commands'.
package restaurantday

import "daybook/domain"

// State is a day's book, folded. It is a value: Evolve returns a new one and shares what
// did not change.
type State struct {
	Restaurant domain.RestaurantID
	Date       domain.ServiceDate
	Occupancy
	clock    domain.Instant // the last event's: a day's time never goes back
	book     book
	pending  []pending // holds that wait for confirmation, by expiry
	waitlist waitlist
	seated   []uint32  // entries that sit, by when they were seated
	facts    factIndex // of those that were not taken back
	turns    turns
	actions  []Action // staff's last, oldest first
	acted    uint32   // how many there were in all
	undoing  uint32   // the entry whose action the next event takes back; 0 for none
	fences   fenceList
	unfenced *Plan // without what the fences keep from being booked; nil where there are none
}

type pending struct {
	number  uint32
	expires domain.Instant
}

// Opened reports whether the day has a plan.
func (s State) Opened() bool { return s.Plan != nil }

// Clock is the instant of the last entry; no later decision has an earlier one.
func (s State) Clock() domain.Instant { return s.clock }

// Reservations is how many entries the book has; they are numbered from 1.
func (s State) Reservations() int { return s.book.len() }

// Reservation finds the entry with this number.
func (s State) Reservation(number uint32) (*Reservation, bool) { return s.book.get(number) }

// ID names the entry with this number.
func (s State) ID(number uint32) domain.ReservationID {
	return domain.NewReservationID(s.Restaurant, s.Date, number)
}

// Status is where a reservation stands.
type Status string

// The statuses.
const (
	StatusPending   Status = "pending"
	StatusConfirmed Status = "confirmed"
	StatusSeated    Status = "seated" // the whole party, or a part: see Covers
	StatusCompleted Status = "completed"
	StatusCancelled Status = "cancelled"
	StatusExpired   Status = "expired"
	StatusNoShow    Status = "no_show"
	StatusMoved     Status = "moved" // to another day
)

// Live reports whether a reservation of this status has tables or will: it is neither over
// nor ended.
func (s Status) Live() bool {
	return s == StatusPending || s == StatusConfirmed || s == StatusSeated
}

// Reservation is one entry of the book as it stands. It is never written to once it can
// be reached from a State.
type Reservation struct {
	Number    uint32
	Diner     domain.UserID // empty for a guest without an account
	Party     domain.PartySize
	Slot      Slot
	Turn      domain.Interval
	Occupied  domain.Interval // the turn and the buffer after it
	Tables    []domain.TableID
	Status    Status
	ExpiresAt domain.Instant // of the hold; 0 once it is firm
	Code      string         // what the diner says at the door
	Details   Details
	HeldAt    domain.Instant
	ChangedAt domain.Instant

	Wish      Wish
	Bound     bool // pinned, moved by staff or seated: never re-assigned
	Online    bool
	Source    Source
	Entry     uint32 // of the waitlist, which it was offered to; 0 for none
	Override  Override
	Covers    domain.PartySize // who sit, or sat
	SeatedAt  domain.Instant   // the first of them; 0 for not yet
	FreedAt   domain.Instant   // when the party left; 0 for not yet
	By        CancelledBy      // who cancelled; empty where nobody did
	Late      bool             // cancelled after the last free cancellation
	Reason    string           // why it was cancelled, as whoever did it said; personal data
	Told      bool             // Reason is the diner's own, or was written to him
	Moving    Moving           // the move that is under way
	MovedTo   domain.ReservationID
	MovedFrom domain.ReservationID
	Changes   uint32 // how often it was changed, re-assignments left out
	Exception bool   // kept though the plan would not have it

	Fact      *Fact      // where it comes from that was recorded as a fact; nil for what was booked here
	Conflicts []Conflict // in which it stands until staff resolve them; see Open
}

// Moving is a move to another day that is under way; the zero value is none.
type Moving struct {
	To       domain.ServiceDate
	Time     string         // the local time asked for there, if it was given so
	StartsAt domain.Instant // or the instant asked for
	Party    domain.PartySize
	Move     string
}

// Details is what the party told of itself. All of it is personal data.
type Details struct {
	Guest           Guest
	Notes           string
	SpecialRequests string
	Occasion        string
}

// Guest is the person a table is kept for, where that is not the diner's own account.
type Guest struct {
	Name, Email, Phone string
}

// Personal reports whether anything personal stands in the details.
func (d Details) Personal() bool {
	return d.Guest != Guest{} || d.Notes != "" || d.SpecialRequests != ""
}

// book is the list of entries, in pieces so that changing one copies little.
type book struct {
	pages [][]*Reservation
	n     int
}

const pageSize = 64

func (b book) len() int { return b.n }

func (b book) get(number uint32) (*Reservation, bool) {
	i := int(number) - 1
	if i < 0 || i >= b.n {
		return nil, false
	}
	return b.pages[i/pageSize][i%pageSize], true
}

// put returns a book with entry r replaced or, when its number is the next one, added.
func (b book) put(r *Reservation) book {
	i := int(r.Number) - 1
	pages := make([][]*Reservation, len(b.pages), len(b.pages)+1)
	copy(pages, b.pages)
	if i/pageSize == len(pages) {
		pages = append(pages, nil)
	}
	old := pages[i/pageSize]
	page := make([]*Reservation, max(len(old), i%pageSize+1), pageSize)
	copy(page, old)
	page[i%pageSize] = r
	pages[i/pageSize] = page
	return book{pages: pages, n: max(b.n, i+1)}
}

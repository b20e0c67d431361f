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

// Held promises a table until ExpiresAt.
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
}

// CancelledBy says who ended a reservation.
type CancelledBy string

// Who can cancel.
const (
	ByDiner      CancelledBy = "diner"
	ByRestaurant CancelledBy = "restaurant"
)

// Cancelled gives the table back.
type Cancelled struct {
	domain.Stamp
	Number uint32
	Diner  domain.UserID // whose reservation it was; empty for a guest without an account
	By     CancelledBy
	Reason string // personal data: free text
}

// Expired records that a hold lapsed. The table was free from LapsedAt on, whether or
// not this was recorded yet.
type Expired struct {
	domain.Stamp
	Number   uint32
	LapsedAt domain.Instant
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
}

func (Opened) dayEvent()     {}
func (Held) dayEvent()       {}
func (Reassigned) dayEvent() {}
func (Confirmed) dayEvent()  {}
func (Cancelled) dayEvent()  {}
func (Expired) dayEvent()    {}

func evolve(s State, e Event) State {
	s.clock = max(s.clock, e.DecidedAt())
	switch e := e.(type) {
	case Opened:
		plan := e.Plan
		s.Restaurant, s.Date = e.Restaurant, e.Date
		s.Occupancy = NewOccupancy(&plan, nil)
	case Held:
		r := &Reservation{
			Number: e.Number, Diner: e.Diner, Party: e.Party, Slot: e.Slot, Turn: e.Turn, Occupied: e.Occupied,
			Tables: e.Tables, Status: StatusPending, ExpiresAt: e.ExpiresAt, Code: e.Code, Details: e.Details,
			HeldAt: e.At, ChangedAt: e.At,
		}
		s.book = s.book.put(r)
		s.pending = withPending(s.pending, pending{e.Number, e.ExpiresAt})
		s.Occupancy = s.place(Booking{
			Number: r.Number, Tables: s.Plan.tableIndexes(r.Tables), From: r.Occupied.From, To: r.Occupied.To,
			Expires: r.ExpiresAt, Slot: r.Slot.StartsAt, Party: r.Party,
		})
	case Reassigned:
		old, ok := s.book.get(e.Number)
		if !ok {
			break
		}
		r := *old
		r.Tables, r.ChangedAt = e.Tables, e.At
		s.book = s.book.put(&r)
		s.Occupancy = s.rebind(e.Number, s.Plan.tableIndexes(e.Tables))
	case Confirmed:
		r, ok := s.changed(e.Number, e.At, StatusConfirmed)
		if !ok {
			break
		}
		r.ExpiresAt = 0
		s.book = s.book.put(r)
		s.pending = withoutPending(s.pending, r.Number)
		s.Occupancy = s.firm(r.Number)
	case Cancelled:
		s = s.ended(e.Number, e.At, StatusCancelled)
	case Expired:
		s = s.ended(e.Number, e.At, StatusExpired)
	}
	return s
}

// changed returns a copy of an entry with its new status.
func (s State) changed(number uint32, at domain.Instant, status Status) (*Reservation, bool) {
	old, ok := s.book.get(number)
	if !ok {
		return nil, false
	}
	r := *old
	r.Status, r.ChangedAt = status, at
	return &r, true
}

// ended returns the day with an entry ended and its table given back.
func (s State) ended(number uint32, at domain.Instant, status Status) State {
	r, ok := s.changed(number, at, status)
	if !ok {
		return s
	}
	s.book = s.book.put(r)
	s.pending = withoutPending(s.pending, number)
	s.Occupancy = s.release(number)
	return s
}

func withPending(list []pending, p pending) []pending {
	i := len(list)
	for i > 0 && list[i-1].expires > p.expires {
		i--
	}
	next := make([]pending, 0, len(list)+1)
	return append(append(append(next, list[:i]...), p), list[i:]...)
}

func withoutPending(list []pending, number uint32) []pending {
	next := make([]pending, 0, len(list))
	for _, p := range list {
		if p.number != number {
			next = append(next, p)
		}
	}
	return next
}

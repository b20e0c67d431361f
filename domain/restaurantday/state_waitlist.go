package restaurantday

import (
	"slices"

	"daybook/domain"
)

// WaitlistStatus is where an entry of the waitlist stands.
type WaitlistStatus string

// The statuses of the waitlist.
const (
	WaitlistWaiting  WaitlistStatus = "waiting"
	WaitlistOffering WaitlistStatus = "offered"
	WaitlistAccepted WaitlistStatus = "accepted"
	WaitlistGone     WaitlistStatus = "left"
)

// WaitlistEntry is one entry of the waitlist as it stands. It is never written to once it
// can be reached from a State.
type WaitlistEntry struct {
	Entry    uint32
	Diner    domain.UserID
	Party    domain.PartySize
	From     domain.Instant // the first and
	To       domain.Instant // the last start that it would take
	Wish     Wish
	Online   bool
	WalkIn   bool           // it waits at the door; staff seat it
	Quoted   domain.Instant // when it was told there would be a table; 0 for not said
	Code     string
	Details  Details
	Status   WaitlistStatus
	Reason   LeftBecause // why it left
	Number   uint32      // in the book: what it was offered last; 0 for nothing yet
	JoinedAt domain.Instant
	Passed   []Passed // the last times it was passed over, at most passedKept
}

// Passed is one time that an entry was passed over.
type Passed struct {
	At   domain.Instant
	For  uint32 // the entry of the waitlist that was offered a table
	Code domain.Code
}

// passedKept is how many times of being passed over the book keeps at hand for each entry;
// the ledger has all.
const passedKept = 8

// waitlist is all entries by number, from 1.
type waitlist []*WaitlistEntry

func (l waitlist) get(entry uint32) (*WaitlistEntry, bool) {
	if entry == 0 || int(entry) > len(l) {
		return nil, false
	}
	return l[entry-1], true
}

func (l waitlist) edit(entry uint32, change func(*WaitlistEntry)) waitlist {
	old, ok := l.get(entry)
	if !ok {
		return l
	}
	next := *old
	change(&next)
	l = slices.Clone(l)
	l[entry-1] = &next
	return l
}

// WaitlistEntry finds an entry of the waitlist.
func (s State) WaitlistEntry(entry uint32) (*WaitlistEntry, bool) { return s.waitlist.get(entry) }

// WaitlistEntries is how many entries the waitlist ever had; they are numbered from 1.
func (s State) WaitlistEntries() int { return len(s.waitlist) }

// Place is how many stand before an entry that waits, plus one; 0 where it does not wait.
// Those at the door and the others stand in lists of their own.
func (s State) Place(entry uint32) int {
	w, ok := s.waitlist.get(entry)
	if !ok || w.Status != WaitlistWaiting {
		return 0
	}
	place := 1
	for _, other := range s.waitlist[:entry-1] {
		if other.Status == WaitlistWaiting && other.WalkIn == w.WalkIn {
			place++
		}
	}
	return place
}

func evolveWaitlist(s State, e Event) State {
	switch e := e.(type) {
	case WaitlistJoined:
		s.waitlist = append(slices.Clip(s.waitlist), &WaitlistEntry{
			Entry: e.Entry, Diner: e.Diner, Party: e.Party, From: e.From, To: e.To, Wish: e.Wish, Online: e.Online,
			WalkIn: e.WalkIn, Quoted: e.Quoted, Code: e.Code, Details: e.Details, Status: WaitlistWaiting, JoinedAt: e.At,
		})
		if !e.WalkIn {
			s.Occupancy = s.WithWaiting(append(slices.Clip(s.waiting), Waiting{
				Entry: e.Entry, Party: e.Party, From: e.From, To: e.To, Wish: e.Wish, Online: e.Online,
			}))
		}
	case WaitlistOffered:
		s.waitlist = s.waitlist.edit(e.Entry, func(w *WaitlistEntry) { w.Status, w.Number = WaitlistOffering, e.Number })
		s.Occupancy = s.unwait(e.Entry)
	case WaitlistPassedOver:
		s.waitlist = s.waitlist.edit(e.Entry, func(w *WaitlistEntry) {
			from := max(0, len(w.Passed)+1-passedKept)
			w.Passed = append(slices.Clone(w.Passed[from:]), Passed{At: e.At, For: e.For, Code: e.Code})
		})
	case WaitlistLeft:
		s.waitlist = s.waitlist.edit(e.Entry, func(w *WaitlistEntry) { w.Status, w.Reason = WaitlistGone, e.Reason })
		s.Occupancy = s.unwait(e.Entry)
	}
	return s
}

// turns is how long the day's parties kept their tables, and how long they were to.
type turns struct {
	parties         int
	planned, actual domain.Instant // milliseconds of all together
}

// add counts a party that left, or with sign -1 takes it out again.
func (t turns) add(r *Reservation, freed domain.Instant, sign int) turns {
	if r.SeatedAt == 0 || r.Fact != nil { // when a fact sat down is not known here
		return t
	}
	t.parties += sign
	t.planned += domain.Instant(sign) * (r.Turn.To - r.Turn.From)
	t.actual += domain.Instant(sign) * max(0, freed-r.SeatedAt)
	return t
}

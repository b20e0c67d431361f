package restaurantday

import (
	"slices"
	"sort"

	"daybook/domain"
)

// Plan is what a restaurant-day was opened with: everything a decision needs, so that it
// needs no other stream and no time zone table. A Plan is never changed after it was made.
type Plan struct {
	Revision     uint64        // of the restaurant's stream, which the plan was made from
	Zone         string        // IANA name, for display
	Slots        []Slot        // by StartsAt; none on a day that is closed
	Shifts       []ShiftPlan   // what the slots' shifts do otherwise than the policy; names are told once
	Tables       []Table       // by capacity, then number
	Combinations []Combination // by capacity, then how many tables they take
	Blocks       []Block       // by when they begin
	Policy       Policy
	BookableFrom domain.Instant // when booking opens: the horizon before the date's midnight
	// Closure is why the date is closed, where a closure says so and not the weekly hours;
	// there are no slots then.
	Closure string
}

// Slot is a time at which a party may be seated.
type Slot struct {
	Time     string // what clocks at the restaurant show, HH:MM
	StartsAt domain.Instant
	Closes   domain.Instant // the end of its shift, which cuts the turn short
	Shift    string         // the shift's name
}

// ShiftPlan is what one shift of the day has of its own. A shift that has nothing of its
// own need not be listed.
type ShiftPlan struct {
	Name         string
	Turns        []TurnTime // as in Policy; none for the policy's
	PacingCovers int        // covers that may start in one slot; 0 for the policy's
}

// Table is one table on the floor.
type Table struct {
	ID          domain.TableID
	Number      string           // what the floor calls it
	Min, Max    domain.PartySize // the parties it seats
	Area        string
	OfflineOnly bool // for walk-ins and what staff book; never promised to who books online
}

// Combination is tables that are put together for one party: all of them are taken, or
// none. It is used when no single table will do.
type Combination struct {
	ID       domain.CombinationID
	Tables   []domain.TableID // 2 to 8 of the plan's, no two alike
	Min, Max domain.PartySize // the parties it seats
}

// Block is a stretch for which tables cannot be promised: a private party, a broken chair.
type Block struct {
	ID     domain.BlockID
	Tables []domain.TableID // of the plan's; none for the whole floor
	During domain.Interval
	Reason string // for the restaurant's own people
}

// Covers reports whether the block takes this table.
func (b Block) Covers(table domain.TableID) bool {
	return len(b.Tables) == 0 || slices.Contains(b.Tables, table)
}

// Assignment is how a restaurant gives its tables to parties.
type Assignment string

// The ways to assign tables.
const (
	// FirstFit gives a party its table when it books, for good.
	FirstFit Assignment = ""
	// LateBinding binds a party to its table when it is seated or pinned; until then it may
	// be moved to another that seats it, where that lets one more party in.
	LateBinding Assignment = "late_binding"
)

// Policy is how a restaurant lets itself be booked.
type Policy struct {
	HoldMinutes   int        // how long a hold waits for its confirmation, 1 to 60
	HorizonDays   int        // how far ahead one can book, 0 to 730
	NoticeMinutes int        // how long before the seating one must have booked, 0 to 10080
	BufferMinutes int        // between two turns on one table, 0 to 240
	PacingCovers  int        // covers that may start in one slot; 0 for no limit
	Turns         []TurnTime // by UpToParty, rising
	// CancelMinutes is how long before the seating the last free cancellation is, 0 to
	// 43200; one that comes later is late. With 0 none before the seating is.
	CancelMinutes int
	// WaitlistOfferMinutes is how long an offer to the waitlist stands, 1 to 120. A policy
	// of before there were offers has 0: ask OfferMinutes.
	WaitlistOfferMinutes int
	Assignment           Assignment
}

// DefaultOfferMinutes is how long an offer to the waitlist stands where no policy says so.
const DefaultOfferMinutes = 10

// OfferMinutes is how long an offer to the waitlist stands.
func (p Policy) OfferMinutes() int {
	if p.WaitlistOfferMinutes == 0 {
		return DefaultOfferMinutes
	}
	return p.WaitlistOfferMinutes
}

// TurnTime is how long parties up to a size keep their table.
type TurnTime struct {
	UpToParty domain.PartySize
	Minutes   int // 5 to 720
}

// Turn returns the turn time of party in minutes where the shift has none of its own: the
// first rule that is large enough, else the last.
func (p Policy) Turn(party domain.PartySize) int { return turnOf(p.Turns, party) }

func turnOf(turns []TurnTime, party domain.PartySize) int {
	for _, t := range turns {
		if party <= t.UpToParty {
			return t.Minutes
		}
	}
	if len(turns) == 0 {
		return 0
	}
	return turns[len(turns)-1].Minutes
}

// shift is what the shift with this name has of its own.
func (p *Plan) shift(name string) ShiftPlan {
	for _, s := range p.Shifts {
		if s.Name == name {
			return s
		}
	}
	return ShiftPlan{Name: name}
}

// Turn is how many minutes party keeps its table when seated in slot, unless the shift
// closes before: the shift's turn time, else the policy's.
func (p *Plan) Turn(s Slot, party domain.PartySize) int {
	if turns := p.shift(s.Shift).Turns; len(turns) > 0 {
		return turnOf(turns, party)
	}
	return p.Policy.Turn(party)
}

// Pacing is how many covers may start in slot: the shift's limit, else the policy's. Zero
// is no limit.
func (p *Plan) Pacing(s Slot) int {
	if covers := p.shift(s.Shift).PacingCovers; covers > 0 {
		return covers
	}
	return p.Policy.PacingCovers
}

// LargestParty is the most that any one table or combination seats.
func (p *Plan) LargestParty() domain.PartySize {
	return p.largest(func(Table) bool { return true })
}

// LargestOnlineParty is the most that any table or combination seats that who books online
// can have.
func (p *Plan) LargestOnlineParty() domain.PartySize {
	return p.largest(func(t Table) bool { return !t.OfflineOnly })
}

// largest is the most that a table or combination seats, of the tables wanted.
func (p *Plan) largest(wanted func(Table) bool) domain.PartySize {
	var most domain.PartySize
	for _, t := range p.Tables {
		if wanted(t) {
			most = max(most, t.Max)
		}
	}
	for _, c := range p.Combinations {
		if c.Max > most && !slices.ContainsFunc(c.Tables, func(id domain.TableID) bool {
			t, ok := p.table(id)
			return !ok || !wanted(t)
		}) {
			most = c.Max
		}
	}
	return most
}

func (p *Plan) table(id domain.TableID) (Table, bool) {
	for i := range p.Tables {
		if p.Tables[i].ID == id {
			return p.Tables[i], true
		}
	}
	return Table{}, false
}

// turn is the stretch for which party keeps a table when seated in slot, and the longer
// one for which the table cannot be promised to others.
func (p *Plan) turn(s Slot, party domain.PartySize) (turn, occupied domain.Interval) {
	end := s.StartsAt.AddMinutes(p.Turn(s, party))
	if s.Closes > s.StartsAt && end > s.Closes {
		end = s.Closes
	}
	turn = domain.Interval{From: s.StartsAt, To: end}
	occupied = domain.Interval{From: s.StartsAt, To: end.AddMinutes(p.Policy.BufferMinutes)}
	return turn, occupied
}

// slotAt finds the slot that starts at an instant.
func (p *Plan) slotAt(at domain.Instant) (Slot, bool) {
	i := sort.Search(len(p.Slots), func(i int) bool { return p.Slots[i].StartsAt >= at })
	if i == len(p.Slots) || p.Slots[i].StartsAt != at {
		return Slot{}, false
	}
	return p.Slots[i], true
}

// slotsAt finds the slots whose clock time is hhmm: two where the zone repeats it.
func (p *Plan) slotsAt(hhmm string) (found []Slot) {
	for _, s := range p.Slots {
		if s.Time == hhmm {
			found = append(found, s)
		}
	}
	return found
}

// betweenSlots reports whether at falls between two slots of one shift.
func (p *Plan) betweenSlots(at domain.Instant) bool {
	i := sort.Search(len(p.Slots), func(i int) bool { return p.Slots[i].StartsAt > at })
	return i > 0 && i < len(p.Slots) && p.Slots[i-1].Shift == p.Slots[i].Shift
}

// instantNear is the instant of a clock time, of the first of two, or where the time is no
// slot a guess at it, for naming the slots near it.
func (p *Plan) instantNear(hhmm string) domain.Instant {
	if found := p.slotsAt(hhmm); len(found) > 0 {
		return found[0].StartsAt
	}
	first, last := p.Slots[0], p.Slots[len(p.Slots)-1]
	want, err := domain.ParseClock(hhmm)
	base, err2 := domain.ParseClock(first.Time)
	if err != nil || err2 != nil {
		return first.StartsAt
	}
	// The small hours are before the first slot or after the last one, whichever is nearer.
	before := first.StartsAt.AddMinutes(want - base)
	after := before.AddMinutes(1440)
	if before < first.StartsAt && after-last.StartsAt < first.StartsAt-before {
		return after
	}
	return before
}

// ShiftHours is a stretch over which a shift of a day is open.
type ShiftHours struct {
	Shift  string
	During domain.Interval // from its first slot until it closes
}

// Hours is when the shifts are open, by their first slots. One that closes and opens again
// stands twice.
func (p *Plan) Hours() (all []ShiftHours) {
	at := map[string]int{}
	for _, slot := range p.Slots { // by StartsAt
		i, ok := at[slot.Shift]
		if !ok || slot.StartsAt >= all[i].During.To {
			i = len(all)
			at[slot.Shift] = i
			all = append(all, ShiftHours{slot.Shift, domain.Interval{From: slot.StartsAt, To: slot.Closes}})
		}
		all[i].During.To = max(all[i].During.To, slot.Closes)
	}
	return all
}

// FreeTime is for how many milliseconds of a stretch no block takes a table.
func (p *Plan) FreeTime(table domain.TableID, during domain.Interval) (free domain.Instant) {
	from := during.From
	for _, b := range p.Blocks { // by when they begin; they may overlap
		if !b.Covers(table) || b.During.To <= from || b.During.From >= during.To {
			continue
		}
		free += max(0, b.During.From-from)
		from = b.During.To
	}
	return free + max(0, during.To-from)
}

package restaurantday

import (
	"slices"

	"daybook/domain"
)

// A fact is a booking that another system has made. It is recorded as it is: nobody asks
// whether there is room. Where it contradicts the day's book or plan it stands with a
// conflict, for staff to resolve by giving it tables, changing it or cancelling it. The
// rule that no two parties have one table at once holds for facts, too: one for which no
// table is free has none.

// SourceImport is the source of an entry that was recorded as a fact.
const SourceImport Source = "import"

// StatusWithdrawn is that of a fact that was taken back with its batch: as if it had never
// been recorded, but for the record.
const StatusWithdrawn Status = "withdrawn"

// VerbWithdraw takes a fact back.
const VerbWithdraw Verb = "withdraw"

// Fact is where an entry comes from that was made in another system.
type Fact struct {
	Batch    string         // what it is undone with
	Run      uint32         // which run of the batch recorded it
	Source   string         // the other system; the same booking has the same External there
	External string         // the booking's id there; nothing personal
	Digest   string         // keyed hash of all that was told of it
	MadeAt   domain.Instant // when it was made there; 0 for not told
	Named    []string       // the tables that it has there, by number
}

// Conflict is one thing in which a fact contradicts the day's book or plan.
type Conflict struct {
	// Code is the rule: table_taken or table_unknown for the tables it has in the other system,
	// no_table where no other is free, blocked, party_too_large, pacing_full, outside_hours or
	// closed.
	Code    domain.Code
	Limit   int64    // what the rule allows, in its own unit; 0 where it has none
	Actual  int64    // what there is, in the same unit
	Entries []uint32 // of the book, that are in the way; at most 20
}

// Open lists the conflicts that wait for staff: those of an entry that is live.
func (r *Reservation) Open() []Conflict {
	if !r.Status.Live() {
		return nil
	}
	return r.Conflicts
}

// Touched reports whether anybody changed an entry since it came into the book. That it was
// given other tables so that another party could be seated is no change.
func (r *Reservation) Touched() bool { return r.Changes != 0 }

// Withdrawable reports whether a batch's undoing takes r back. With force it also takes
// back what was changed and is still to come; never what happened in the house.
func (r *Reservation) Withdrawable(force bool) bool {
	switch {
	case r.Fact == nil || r.Status == StatusWithdrawn:
		return false
	case !r.Touched():
		return true
	default:
		return force && r.Status == StatusConfirmed && r.Moving == Moving{}
	}
}

// Record puts a booking of another system into the book. It is already so where the same
// booking of the same source stands there, told the same; told otherwise, it is refused
// with domain.CodeFactChanged. It is refused for no want of room.
type Record struct {
	Now      domain.Instant
	Opening  *Open // opens the day first where it has no plan yet
	Actor    domain.Actor
	Fact     Fact
	Status   Status // confirmed, seated, completed, cancelled or no_show
	Party    domain.PartySize
	StartsAt domain.Instant
	Time     string // what clocks at the restaurant show then, HH:MM
	Minutes  int    // for which it has its tables there, 5 to 720; 0 for the plan's turn
	Code     string
	Details  Details
}

// Withdraw takes back the facts of a batch that nobody has touched since, at most
// WithdrawnAtOnce of them; with Force see Reservation.Withdrawable. It is already so where
// there are none.
type Withdraw struct {
	Now   domain.Instant
	Actor domain.Actor
	Batch string
	Run   uint32 // only what runs of the batch up to this one recorded; 0 for all runs
	Force bool
}

// WithdrawnAtOnce is how many facts one Withdraw takes back, so that it fits into one write.
const WithdrawnAtOnce = 256

// Recorded puts a booking of another system into the book, as it is there.
type Recorded struct {
	domain.Stamp
	Number    uint32 // the next in the book
	Fact      Fact
	Status    Status
	Party     domain.PartySize
	Slot      Slot // made for it where the plan has none then
	Turn      domain.Interval
	Occupied  domain.Interval
	Tables    []domain.TableID // none where none was free; of what is over for information
	Bound     bool             // it has the tables that it has in the other system
	FreedAt   domain.Instant   // when it left, where it is completed; else 0
	Code      string
	Details   Details
	Conflicts []Conflict
}

// Withdrawn takes a fact back with its batch.
type Withdrawn struct {
	domain.Stamp
	Number uint32
	Batch  string
	Forced bool // though it was changed since
}

func (Record) dayCommand()   {}
func (Withdraw) dayCommand() {}

func (Recorded) dayEvent()  {}
func (Withdrawn) dayEvent() {}

// Facts lists the entries that were recorded as facts and not taken back, by number.
func (s State) Facts() (numbers []uint32) {
	if s.facts.n == 0 {
		return nil
	}
	for _, page := range s.book.pages {
		for _, r := range page {
			if r.Fact != nil && r.Status != StatusWithdrawn {
				numbers = append(numbers, r.Number)
			}
		}
	}
	return numbers
}

// FactOf finds the entry that a booking of another system has, if it was not taken back.
func (s State) FactOf(source, external string) (*Reservation, bool) {
	for _, number := range s.facts.near(source, external) {
		if r, ok := s.book.get(number); ok && r.Fact.External == external && r.Fact.Source == source {
			return r, true
		}
	}
	return nil, false
}

// factIndex is the numbers of the facts that stand, by a hash of where they come from. It is
// in pieces so that one more copies little: an import can bring thousands to one day.
type factIndex struct {
	pieces [][]uint32 // none before the first fact
	n      int
}

const factPieces = 256

// piece is where a booking of another system belongs, by FNV-1a of its source and id there.
func (factIndex) piece(source, external string) int {
	h := uint32(2166136261)
	for _, part := range [2]string{source, external} {
		for i := range len(part) {
			h = (h ^ uint32(part[i])) * 16777619
		}
	}
	return int((h ^ h>>16) % factPieces)
}

// near lists the facts among which a booking is, if it stands.
func (x factIndex) near(source, external string) []uint32 {
	if x.n == 0 {
		return nil
	}
	return x.pieces[x.piece(source, external)]
}

// with returns an index with one fact more.
func (x factIndex) with(f *Fact, number uint32) factIndex {
	next := factIndex{make([][]uint32, factPieces), x.n + 1}
	copy(next.pieces, x.pieces)
	i := x.piece(f.Source, f.External)
	next.pieces[i] = append(slices.Clip(next.pieces[i]), number)
	return next
}

// without returns an index with one fact less.
func (x factIndex) without(f *Fact, number uint32) factIndex {
	next := factIndex{slices.Clone(x.pieces), x.n - 1}
	i := x.piece(f.Source, f.External)
	next.pieces[i] = withoutNumber(next.pieces[i], number)
	return next
}

func evolveFacts(s State, e Event) State {
	switch e := e.(type) {
	case Recorded:
		s = s.recorded(e)
	case Withdrawn:
		if r, ok := s.book.get(e.Number); ok && r.Fact != nil && r.Status != StatusWithdrawn {
			s.facts = s.facts.without(r.Fact, e.Number)
		}
		s = s.ended(e.Number, e.At, StatusWithdrawn, nil)
	}
	return s
}

func (s State) recorded(e Recorded) State {
	fact := e.Fact
	r := &Reservation{
		Number: e.Number, Party: e.Party, Slot: e.Slot, Turn: e.Turn, Occupied: e.Occupied, Tables: e.Tables, Status: e.Status,
		Code: e.Code, Details: e.Details, HeldAt: e.At, ChangedAt: e.At, Bound: e.Bound, Source: SourceImport,
		FreedAt: e.FreedAt, Fact: &fact, Conflicts: e.Conflicts,
	}
	if fact.MadeAt != 0 {
		r.HeldAt = fact.MadeAt
	}
	switch e.Status {
	case StatusSeated:
		s.seated = append(slices.Clip(s.seated), e.Number)
		fallthrough
	case StatusCompleted:
		r.Covers, r.SeatedAt = e.Party, e.Turn.From
	default: // nobody sat down yet, or ever
	}
	s.book = s.book.put(r)
	s.facts = s.facts.with(r.Fact, e.Number)
	if r.Status.Live() || (r.Status == StatusCompleted && e.Occupied.From < e.Occupied.To) {
		s.Occupancy = s.place(s.bookingOf(r))
	}
	return s
}

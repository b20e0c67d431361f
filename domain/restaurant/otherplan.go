package restaurant

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// OtherPlan is what a day might have been opened with instead. What it does not name stays
// as the day had it; the zero value names nothing. It is for asking, never for deciding: no
// event holds one.
type OtherPlan struct {
	// Shifts take the place of the week's, with the turn times and the pacing that shifts
	// have of their own. Closures and special days come before them, as ever.
	Shifts []Shift
	// DayBoundary has to be the one that the restaurant has: requests stand in the book of
	// their service date. Nil for not named.
	DayBoundary *int
	// Tables take the place of all. One whose number the day knows is that table; an id that
	// stands here counts for nothing. Nil for not named.
	Tables []restaurantday.Table
	// Combinations take the place of all. Nil for not named: then those stay whose tables are
	// all there.
	Combinations []NumberedCombination
	Policy       OtherPolicy
	// TurnMinutesBy makes every turn time longer or, where it is negative, shorter, after what
	// else is said of them.
	TurnMinutesBy int
}

// NumberedCombination is tables, named by their numbers, that are put together for parties.
type NumberedCombination struct {
	Tables   []string
	Min, Max domain.PartySize // a Min of 0 becomes 1
}

// OtherPolicy is the part of a policy that is another; what is nil is not named.
type OtherPolicy struct {
	HoldMinutes, HorizonDays, NoticeMinutes, BufferMinutes, PacingCovers, CancelMinutes, WaitlistOfferMinutes *int

	Turns      []restaurantday.TurnTime // for shifts that have none of their own
	Assignment *restaurantday.Assignment
}

// Over is the plan of a day with what o names in its place. S is the restaurant as the plan
// was made from it, loc the zone of the plan. Where o names nothing it is the plan itself.
//
// What no restaurant can be set to is refused with domain.CodeInvalid, as it is when a
// restaurant is set to it.
func (o OtherPlan) Over(plan *restaurantday.Plan, s State, date domain.ServiceDate, loc *time.Location) (*restaurantday.Plan, error) {
	next := *plan
	var err error
	if next.Policy, err = o.Policy.over(plan.Policy); err != nil {
		return nil, err
	}
	if o.Policy.HorizonDays != nil {
		next.BookableFrom = date.AddDays(-next.Policy.HorizonDays).Clock(0, loc)
	}
	if err := o.hours(&next, s, date, loc); err != nil {
		return nil, err
	}
	if err := o.floor(&next); err != nil {
		return nil, err
	}
	if err := o.turns(&next); err != nil {
		return nil, err
	}
	if next.SameAs(plan) {
		return plan, nil
	}
	return &next, nil
}

func (o OtherPolicy) over(p restaurantday.Policy) (restaurantday.Policy, error) {
	was := p
	set := func(value *int, to *int) {
		if to != nil {
			*value = *to
		}
	}
	set(&p.HoldMinutes, o.HoldMinutes)
	set(&p.HorizonDays, o.HorizonDays)
	set(&p.NoticeMinutes, o.NoticeMinutes)
	set(&p.BufferMinutes, o.BufferMinutes)
	set(&p.PacingCovers, o.PacingCovers)
	set(&p.CancelMinutes, o.CancelMinutes)
	set(&p.WaitlistOfferMinutes, o.WaitlistOfferMinutes)
	if o.Turns != nil {
		p.Turns = o.Turns
	}
	if o.Assignment != nil {
		p.Assignment = *o.Assignment
	}
	if p.SameAs(was) {
		return was, nil // as it is, though no restaurant could be set to it now
	}
	return checkedPolicy(p)
}

// hours gives the plan the slots of other shifts.
func (o OtherPlan) hours(plan *restaurantday.Plan, s State, date domain.ServiceDate, loc *time.Location) error {
	if o.DayBoundary != nil && *o.DayBoundary != s.DayBoundary {
		return domain.Invalid("day_boundary", fmt.Sprintf("the restaurant's day turns at %s, and its requests stand in the books of its own service dates",
			domain.FormatClock(s.DayBoundary)))
	}
	if o.Shifts == nil {
		return nil
	}
	shifts, err := checkedHours(o.Shifts, s.DayBoundary)
	if err != nil {
		return err
	}
	s.Shifts, s.Status, s.Profile.TimeZone = shifts, StatusOpen, plan.Zone
	made, err := s.DayPlan(date, plan.Revision, loc)
	if err != nil {
		return err
	}
	plan.Slots, plan.Shifts, plan.Closure = made.Slots, made.Shifts, made.Closure
	return nil
}

// floor gives the plan other tables, other combinations, or both.
func (o OtherPlan) floor(plan *restaurantday.Plan) error {
	if o.Tables == nil && o.Combinations == nil {
		return nil
	}
	s := State{ID: "rst", Tables: plan.Tables, Combinations: plan.Combinations}
	if o.Tables != nil {
		tables, err := o.tables(plan)
		if err != nil {
			return err
		}
		s.Tables = tables
		gone := func(id domain.TableID) bool { _, ok := s.Table(id); return !ok }
		s.Combinations = without(plan.Combinations, func(k restaurantday.Combination) bool { return slices.ContainsFunc(k.Tables, gone) })
		plan.Tables, plan.Blocks = s.floor(), blocksOf(plan.Blocks, gone)
	}
	if o.Combinations != nil {
		had := plan.Combinations
		s.Combinations = nil
		for _, k := range o.Combinations {
			if err := s.combine(k, had); err != nil {
				return err
			}
		}
	}
	plan.Combinations = s.combined()
	return nil
}

// blocksOf is the blocks without the tables that are gone. One of those alone goes with
// them: without a table it would be one of the whole floor.
func blocksOf(blocks []restaurantday.Block, gone func(domain.TableID) bool) (left []restaurantday.Block) {
	for _, b := range blocks {
		whole := len(b.Tables) == 0
		b.Tables = without(b.Tables, gone)
		if whole || len(b.Tables) > 0 {
			left = append(left, b)
		}
	}
	return left
}

// tables are those of o, each the day's own where that has one of the same number.
func (o OtherPlan) tables(plan *restaurantday.Plan) ([]restaurantday.Table, error) {
	if len(o.Tables) == 0 || len(o.Tables) > maxTables {
		return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("there are %d tables; want 1 to %d", len(o.Tables), maxTables),
			domain.Reason{Rule: "tables", Limit: maxTables, Actual: int64(len(o.Tables))})
	}
	tables := make([]restaurantday.Table, 0, len(o.Tables))
	for _, t := range o.Tables {
		t, err := checkedTable(t)
		if err != nil {
			return nil, err
		}
		same := func(other restaurantday.Table) bool { return other.Number == t.Number }
		if slices.ContainsFunc(tables, same) {
			return nil, domain.Invalid("table_number", fmt.Sprintf("there are two tables %s", t.Number))
		}
		if i := slices.IndexFunc(plan.Tables, same); i >= 0 {
			t.ID = plan.Tables[i].ID
		} else {
			t.ID = domain.NewTableID(named("table", t.Number))
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// combine adds a combination, under the id that one of the same tables had.
func (s *State) combine(k NumberedCombination, had []restaurantday.Combination) error {
	c := restaurantday.Combination{Min: k.Min, Max: k.Max}
	parts := []string{"combination"}
	for _, number := range k.Tables {
		i := slices.IndexFunc(s.Tables, func(t restaurantday.Table) bool { return t.Number == number })
		if i < 0 {
			return domain.Invalid("combinations", fmt.Sprintf("there is no table %.40q to combine", number))
		}
		c.Tables = append(c.Tables, s.Tables[i].ID)
		parts = append(parts, number)
	}
	c.ID = domain.NewCombinationID(named(parts...))
	if i := slices.IndexFunc(had, func(h restaurantday.Combination) bool { return sameTables(h.Tables, c.Tables) }); i >= 0 {
		c.ID = had[i].ID
	}
	decider := Decider()
	events, err := decider.Decide(*s, AddCombination{Now: 1, Actor: domain.Importer(), Combination: c})
	if err != nil {
		return err
	}
	*s = decider.Fold(*s, events...)
	return nil
}

// named is an id made of names alone, so that one plan is the same on every day.
func named(parts ...string) (id [16]byte) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	copy(id[:], sum[:])
	return id
}

// turns makes the turn times longer or shorter.
func (o OtherPlan) turns(plan *restaurantday.Plan) error {
	if o.TurnMinutesBy == 0 {
		return nil
	}
	by := func(turns []restaurantday.TurnTime) ([]restaurantday.TurnTime, error) {
		turns = slices.Clone(turns)
		for i := range turns {
			t := &turns[i]
			t.Minutes += o.TurnMinutesBy
			if t.Minutes < minTurnMinutes || t.Minutes > maxTurnMinutes {
				return nil, domain.Reject(domain.CodeInvalid, fmt.Sprintf("a turn time of %d minutes by %+d is not from %d to %d, for parties up to %d",
					t.Minutes-o.TurnMinutesBy, o.TurnMinutesBy, minTurnMinutes, maxTurnMinutes, t.UpToParty),
					domain.Reason{Rule: "turn_minutes_by", Limit: minTurnMinutes, Actual: int64(t.Minutes)})
			}
		}
		return turns, nil
	}
	var err error
	if plan.Policy.Turns, err = by(plan.Policy.Turns); err != nil {
		return err
	}
	plan.Shifts = slices.Clone(plan.Shifts)
	for i := range plan.Shifts {
		if plan.Shifts[i].Turns, err = by(plan.Shifts[i].Turns); err != nil {
			return err
		}
	}
	return nil
}

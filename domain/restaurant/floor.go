package restaurant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// The limits of what is made of tables; blocks are counted but for those over for more
// than a month.
const (
	maxBlocks       = 1000
	maxCombinations = 200
	minCombined     = 2
	maxCombined     = 8
)

// AddBlock keeps tables from being promised for a stretch of one service date. It is
// already so where the very same block is there.
type AddBlock struct {
	Now   domain.Instant
	Actor domain.Actor
	Block Block
}

// RemoveBlock ends a block. It is already so where there is no such block.
type RemoveBlock struct {
	Now   domain.Instant
	Actor domain.Actor
	ID    domain.BlockID
}

// AddCombination lets tables be put together for one party; a Min of 0 becomes 1. It is
// already so where the very same combination is there.
type AddCombination struct {
	Now         domain.Instant
	Actor       domain.Actor
	Combination restaurantday.Combination
}

// RemoveCombination ends a combination. It is already so where there is none such.
type RemoveCombination struct {
	Now   domain.Instant
	Actor domain.Actor
	ID    domain.CombinationID
}

func (AddBlock) restaurantCommand()          {}
func (RemoveBlock) restaurantCommand()       {}
func (AddCombination) restaurantCommand()    {}
func (RemoveCombination) restaurantCommand() {}

// checkedTables refuses tables that are not on the floor, or named twice.
func (s State) checkedTables(ids []domain.TableID) error {
	for i, id := range ids {
		if _, ok := s.Table(id); !ok {
			return domain.Invalid("table_ids", fmt.Sprintf("there is no table %.40q", id))
		}
		if slices.Contains(ids[:i], id) {
			return domain.Invalid("table_ids", fmt.Sprintf("the table %s is named twice", id))
		}
	}
	return nil
}

func (s State) addBlock(c AddBlock) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	b := c.Block
	if _, err := domain.ParseBlockID(string(b.ID)); err != nil {
		return nil, domain.Invalid("block_id", err.Error())
	}
	reason, err := domain.Line("reason", b.Reason, maxReason)
	if err != nil {
		return nil, err
	}
	b.Reason = reason
	for _, old := range s.Blocks {
		if old.equal(b) {
			return nil, nil
		}
		if old.ID == b.ID {
			return nil, domain.Invalid("block_id", "there is another block with this id")
		}
	}
	if err := upcoming("date", b.Date, c.Now); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		field   string
		minutes int
	}{{"from", b.From}, {"to", b.To}} {
		if t.minutes < 0 || t.minutes >= day {
			return nil, domain.Invalid(t.field, "the block has a time that no clock shows; want 00:00 to 23:59")
		}
	}
	if from, to := b.span(s.DayBoundary); to > s.DayBoundary+day {
		turns := domain.FormatClock(s.DayBoundary)
		return nil, domain.Invalid("to", fmt.Sprintf("the block from %s to %s goes on after the next day began at %s",
			domain.FormatClock(from), domain.FormatClock(to), turns))
	}
	if err := s.checkedTables(b.Tables); err != nil {
		return nil, err
	}
	b.Tables = slices.Clone(b.Tables)
	blocks := withBlock(s.Blocks, b, c.Now)
	if len(blocks) > maxBlocks {
		return nil, tooMany("blocks", "a restaurant has at most %d blocks", maxBlocks, len(blocks))
	}
	return []Event{BlockAdded{Stamp: s.stamp(c.Now), Block: b}}, nil
}

func (s State) removeBlock(c RemoveBlock) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Blocks, func(old Block) bool { return old.ID == c.ID }) {
		return nil, nil
	}
	return []Event{BlockRemoved{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
}

func (s State) addCombination(c AddCombination) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	k := c.Combination
	if _, err := domain.ParseCombinationID(string(k.ID)); err != nil {
		return nil, domain.Invalid("combination_id", err.Error())
	}
	if k.Min == 0 {
		k.Min = 1
	}
	if len(k.Tables) < minCombined || len(k.Tables) > maxCombined {
		return nil, outOfRange("table_ids", len(k.Tables), minCombined, maxCombined)
	}
	if err := s.checkedTables(k.Tables); err != nil {
		return nil, err
	}
	if k.Max < 1 || k.Max > domain.MaxPartySize {
		return nil, outOfRange("capacity", int(k.Max), 1, int(domain.MaxPartySize))
	}
	if k.Min < 1 || k.Min > k.Max {
		return nil, outOfRange("min_capacity", int(k.Min), 1, int(k.Max))
	}
	for _, old := range s.Combinations {
		same := sameTables(old.Tables, k.Tables)
		switch {
		case old.ID == k.ID && same && old.Min == k.Min && old.Max == k.Max:
			return nil, nil
		case old.ID == k.ID:
			return nil, domain.Invalid("combination_id", "there is another combination with this id")
		case same:
			return nil, domain.Invalid("table_ids", fmt.Sprintf("these tables are combined already, for parties of %d to %d", old.Min, old.Max))
		}
	}
	if len(s.Combinations) >= maxCombinations {
		return nil, tooMany("combinations", "a restaurant has at most %d combinations", maxCombinations, len(s.Combinations)+1)
	}
	k.Tables = slices.Clone(k.Tables)
	return []Event{CombinationAdded{Stamp: s.stamp(c.Now), Combination: k}}, nil
}

// sameTables reports whether two lists, each without repeats, name the same tables.
func sameTables(a, b []domain.TableID) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(id domain.TableID) bool { return !slices.Contains(b, id) })
}

func (s State) removeCombination(c RemoveCombination) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Combinations, func(old restaurantday.Combination) bool { return old.ID == c.ID }) {
		return nil, nil
	}
	return []Event{CombinationRemoved{Stamp: s.stamp(c.Now), ID: c.ID}}, nil
}

// removeTable takes a table off the floor, and with it what cannot be without it: the
// combinations it belongs to, and the blocks of it alone. Else such a block would become
// one of the whole floor.
func (s State) removeTable(c RemoveTable) ([]Event, error) {
	if err := s.allow(c.Actor); err != nil {
		return nil, err
	}
	if _, ok := s.Table(c.ID); !ok {
		return nil, nil
	}
	stamp := s.stamp(c.Now)
	var events []Event
	for _, k := range s.Combinations {
		if slices.Contains(k.Tables, c.ID) {
			events = append(events, CombinationRemoved{Stamp: stamp, ID: k.ID})
		}
	}
	for _, b := range s.Blocks {
		if len(b.Tables) == 1 && b.Tables[0] == c.ID {
			events = append(events, BlockRemoved{Stamp: stamp, ID: b.ID})
		}
	}
	return append(events, TableRemoved{Stamp: stamp, ID: c.ID}), nil
}

// blocksWithout is the blocks when a table is gone; one that was of it alone is removed by
// an event of its own before.
func blocksWithout(list []Block, table domain.TableID) []Block {
	if len(list) == 0 {
		return list
	}
	blocks := slices.Clone(list)
	for i, b := range blocks {
		if slices.Contains(b.Tables, table) {
			blocks[i].Tables = without(b.Tables, func(id domain.TableID) bool { return id == table })
		}
	}
	return blocks
}

func withBlock(list []Block, b Block, at domain.Instant) []Block {
	blocks := append(without(list, func(o Block) bool { return o.ID == b.ID || bygone(o.Date, at) }), b)
	slices.SortStableFunc(blocks, func(a, b Block) int { return cmp.Compare(a.Date, b.Date) })
	return blocks
}

// span is the block in minutes after the service date's midnight, which may pass a day.
func (b Block) span(boundary int) (from, to int) {
	from, to = b.From, b.To
	if from < boundary {
		from += day
	}
	for to <= from {
		to += day
	}
	return from, to
}

// blocksFit refuses another day boundary by which a block to come would mean other hours.
func (s State) blocksFit(boundary int, now domain.Instant) error {
	for _, b := range s.Blocks {
		if over(b.Date, now) {
			continue
		}
		from, to := b.span(s.DayBoundary)
		if newFrom, newTo := b.span(boundary); newFrom != from || newTo != to || to > boundary+day {
			return domain.Invalid("day_boundary", fmt.Sprintf("the block on %s from %s to %s does not fit a day that turns at %s",
				b.Date, domain.FormatClock(b.From), domain.FormatClock(b.To), domain.FormatClock(boundary)))
		}
	}
	return nil
}

// blocksOn are the blocks of a service date as its plan has them, by when they begin. Where
// clocks show a block's time twice it stands twice, where they skip it not at all.
func (s State) blocksOn(date domain.ServiceDate, loc *time.Location) (blocks []restaurantday.Block) {
	for _, b := range s.Blocks {
		if b.Date != date {
			continue
		}
		from, to := b.span(s.DayBoundary)
		for _, during := range shown(date, s.DayBoundary, from, to, loc) {
			blocks = append(blocks, restaurantday.Block{ID: b.ID, Tables: b.Tables, During: during, Reason: b.Reason})
		}
	}
	slices.SortStableFunc(blocks, func(a, b restaurantday.Block) int { return cmp.Compare(a.During.From, b.During.From) })
	return blocks
}

// shown lists the stretches of a service date in which clocks show from up to, but not
// including, to, both in minutes after the date's midnight. It goes through the stretches
// of one offset from UTC; what meets at a change without a gap becomes one.
func shown(date domain.ServiceDate, boundary, from, to int, loc *time.Location) (stretches []domain.Interval) {
	at, end := date.Clock(boundary, loc), date.AddDays(1).Clock(boundary, loc)
	midnight := domain.Instant(date) * 86_400_000 // as if in UTC
	for at < end {
		t := at.Time().In(loc)
		_, offset := t.Zone()
		next := end
		if _, change := t.ZoneBounds(); !change.IsZero() {
			next = min(end, domain.InstantOf(change))
		}
		wall := midnight - domain.Instant(offset)*1000
		part := domain.Interval{From: max(at, wall.AddMinutes(from)), To: min(next, wall.AddMinutes(to))}
		if n := len(stretches); part.From < part.To {
			if n > 0 && stretches[n-1].To == part.From {
				stretches[n-1].To = part.To
			} else {
				stretches = append(stretches, part)
			}
		}
		at = next
	}
	return stretches
}

// floor lists the tables by capacity, then by number as people count: 2 before 10.
func (s State) floor() []restaurantday.Table {
	tables := slices.Clone(s.Tables)
	slices.SortStableFunc(tables, func(a, b restaurantday.Table) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), compareNatural(a.Number, b.Number))
	})
	return tables
}

// combined lists the combinations by capacity, then by how many tables they take.
func (s State) combined() []restaurantday.Combination {
	if len(s.Combinations) == 0 {
		return nil
	}
	combinations := slices.Clone(s.Combinations)
	slices.SortStableFunc(combinations, func(a, b restaurantday.Combination) int {
		return cmp.Or(cmp.Compare(a.Max, b.Max), cmp.Compare(len(a.Tables), len(b.Tables)))
	})
	return combinations
}

// compareNatural orders by stretches: those of digits by value, others by letter.
func compareNatural(a, b string) int {
	restA, restB := a, b
	for restA != "" && restB != "" {
		var partA, partB string
		var digitsA, digitsB bool
		partA, digitsA, restA = stretch(restA)
		partB, digitsB, restB = stretch(restB)
		if digitsA && digitsB {
			partA, partB = strings.TrimLeft(partA, "0"), strings.TrimLeft(partB, "0")
			if c := cmp.Compare(len(partA), len(partB)); c != 0 {
				return c
			}
		}
		if c := strings.Compare(partA, partB); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(len(restA), len(restB)), strings.Compare(a, b))
}

// stretch cuts the leading run of digits, or of anything else, off s.
func stretch(s string) (part string, digits bool, rest string) {
	isDigit := func(i int) bool { return s[i] >= '0' && s[i] <= '9' }
	digits = isDigit(0)
	i := 1
	for i < len(s) && isDigit(i) == digits {
		i++
	}
	return s[:i], digits, s[i:]
}

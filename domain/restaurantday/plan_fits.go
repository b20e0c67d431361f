package restaurantday

import (
	"slices"

	"daybook/domain"
)

// Place is what a reservation takes of a day, as far as a plan can contradict it.
type Place struct {
	Party    domain.PartySize
	StartsAt domain.Instant
	Occupied domain.Interval  // as it was decided, whatever turn times are now
	Tables   []domain.TableID // one, or those of a combination
	Online   bool             // booked by the guest himself, who is given no offline-only table
}

// Misfit is one thing in which a place and a plan contradict each other.
type Misfit struct {
	Code  domain.Code    // with which a request for the same place would be refused
	Rule  string         // "closure", "slot", "table", "table_capacity", "offline_only", "combination" or "block"
	Table domain.TableID // the table at fault, if one is
	Block domain.BlockID // the block at fault, if one is
}

// Keeps reports whether the plan leaves a reservation where it is.
func (p *Plan) Keeps(at Place) bool { return len(p.Misfits(at)) == 0 }

// Misfits lists all in which a reservation's place contradicts the plan: the date is closed
// or has no slot then, a table is gone, does not seat the party or is not given online, the
// tables are not combined, or a block is in the way. Other reservations, pacing, notice and
// turn times are not looked at: what was promised was promised by the rules of its day.
func (p *Plan) Misfits(at Place) (misfits []Misfit) {
	if _, ok := p.slotAt(at.StartsAt); !ok {
		misfits = append(misfits, p.withoutSlot(at.StartsAt))
	}
	single := len(at.Tables) == 1
	for _, id := range at.Tables {
		t, ok := p.table(id)
		switch {
		case !ok:
			misfits = append(misfits, Misfit{Code: domain.CodeNoTable, Rule: "table", Table: id})
			continue
		case single && (at.Party < t.Min || at.Party > t.Max):
			misfits = append(misfits, Misfit{Code: domain.CodeNoTable, Rule: "table_capacity", Table: id})
		}
		if at.Online && t.OfflineOnly {
			misfits = append(misfits, Misfit{Code: domain.CodeNoTable, Rule: "offline_only", Table: id})
		}
	}
	if !single && !p.combines(at.Tables, at.Party) {
		misfits = append(misfits, Misfit{Code: domain.CodeNoTable, Rule: "combination"})
	}
	for _, b := range p.Blocks {
		if !b.During.Overlaps(at.Occupied) {
			continue
		}
		for _, id := range at.Tables {
			if b.Covers(id) {
				misfits = append(misfits, Misfit{Code: domain.CodeBlocked, Rule: "block", Table: id, Block: b.ID})
			}
		}
	}
	return misfits
}

// Breaks lists what a change from old to p makes a misfit. What was one before, such as a
// walk-in that came between two slots or an override, is not the change's doing.
func (p *Plan) Breaks(old *Plan, at Place) []Misfit {
	before := old.Misfits(at)
	return slices.DeleteFunc(p.Misfits(at), func(m Misfit) bool { return slices.Contains(before, m) })
}

// withoutSlot says why there is no slot at an instant.
func (p *Plan) withoutSlot(at domain.Instant) Misfit {
	switch {
	case p.Closure != "":
		return Misfit{Code: domain.CodeClosed, Rule: "closure"}
	case len(p.Slots) == 0:
		return Misfit{Code: domain.CodeClosed, Rule: "slot"}
	case p.betweenSlots(at):
		return Misfit{Code: domain.CodeOffSlot, Rule: "slot"}
	}
	return Misfit{Code: domain.CodeOutsideHours, Rule: "slot"}
}

// combines reports whether just these tables are a combination that seats party.
func (p *Plan) combines(tables []domain.TableID, party domain.PartySize) bool {
	return slices.ContainsFunc(p.Combinations, func(c Combination) bool {
		return party >= c.Min && party <= c.Max && len(c.Tables) == len(tables) &&
			!slices.ContainsFunc(tables, func(id domain.TableID) bool { return !slices.Contains(c.Tables, id) })
	})
}

package availability

import (
	"daybook/domain"
	"daybook/domain/restaurantday"
)

// encodePlan leaves out why tables are blocked: it decides nothing, and is nobody's to read
// in Redis.
func encodePlan(p *restaurantday.Plan) []byte {
	w := writer{make([]byte, 0, 64+64*(len(p.Tables)+len(p.Slots)))}
	w.uvarint(p.Revision)
	w.text(p.Zone)
	w.instant(p.BookableFrom)
	o := p.Policy
	for _, n := range []int{o.HoldMinutes, o.HorizonDays, o.NoticeMinutes, o.BufferMinutes, o.PacingCovers, o.CancelMinutes, o.WaitlistOfferMinutes} {
		w.number(n)
	}
	w.text(string(o.Assignment))
	w.turns(o.Turns)
	w.uvarint(uint64(len(p.Slots)))
	var last domain.Instant
	for _, s := range p.Slots {
		w.text(s.Time)
		w.instant(s.StartsAt - last)
		w.instant(s.Closes - s.StartsAt)
		w.text(s.Shift)
		last = s.StartsAt
	}
	w.uvarint(uint64(len(p.Tables)))
	for _, t := range p.Tables {
		w.text(string(t.ID))
		w.text(t.Number)
		w.number(int(t.Min))
		w.number(int(t.Max))
		w.text(t.Area)
		w.uvarint(bit(t.OfflineOnly, 1))
	}
	w.uvarint(uint64(len(p.Shifts)))
	for _, s := range p.Shifts {
		w.text(s.Name)
		w.turns(s.Turns)
		w.number(s.PacingCovers)
	}
	w.uvarint(uint64(len(p.Combinations)))
	for _, c := range p.Combinations {
		w.text(string(c.ID))
		w.tables(c.Tables)
		w.number(int(c.Min))
		w.number(int(c.Max))
	}
	w.uvarint(uint64(len(p.Blocks)))
	for _, k := range p.Blocks {
		w.text(string(k.ID))
		w.tables(k.Tables)
		w.instant(k.During.From)
		w.instant(k.During.To)
	}
	w.text(p.Closure)
	return w.b
}

func (w *writer) turns(turns []restaurantday.TurnTime) {
	w.uvarint(uint64(len(turns)))
	for _, t := range turns {
		w.number(int(t.UpToParty))
		w.number(t.Minutes)
	}
}

func (r *reader) turns() (turns []restaurantday.TurnTime) {
	if n := r.count(2); n > 0 {
		turns = make([]restaurantday.TurnTime, n)
	}
	for i := range turns {
		turns[i] = restaurantday.TurnTime{UpToParty: domain.PartySize(r.number()), Minutes: r.number()}
	}
	return turns
}

func (w *writer) tables(ids []domain.TableID) {
	w.uvarint(uint64(len(ids)))
	for _, id := range ids {
		w.text(string(id))
	}
}

func (r *reader) tables() (ids []domain.TableID) {
	if n := r.count(1); n > 0 {
		ids = make([]domain.TableID, n)
	}
	for i := range ids {
		ids[i] = domain.TableID(r.text())
	}
	return ids
}

func (r *reader) plan() *restaurantday.Plan {
	p := &restaurantday.Plan{Revision: r.uvarint(), Zone: r.text(), BookableFrom: r.instant()}
	o := &p.Policy
	for _, n := range []*int{&o.HoldMinutes, &o.HorizonDays, &o.NoticeMinutes, &o.BufferMinutes, &o.PacingCovers, &o.CancelMinutes, &o.WaitlistOfferMinutes} {
		*n = r.number()
	}
	o.Assignment = restaurantday.Assignment(r.text())
	o.Turns = r.turns()
	if n := r.count(4); n > 0 {
		p.Slots = make([]restaurantday.Slot, n)
	}
	var last domain.Instant
	for i := range p.Slots {
		s := &p.Slots[i]
		s.Time = r.text()
		s.StartsAt = last + r.instant()
		s.Closes = s.StartsAt + r.instant()
		s.Shift = r.text()
		last = s.StartsAt
	}
	if n := r.count(6); n > 0 {
		p.Tables = make([]restaurantday.Table, n)
	}
	for i := range p.Tables {
		p.Tables[i] = restaurantday.Table{
			ID: domain.TableID(r.text()), Number: r.text(),
			Min: domain.PartySize(r.number()), Max: domain.PartySize(r.number()), Area: r.text(), OfflineOnly: r.uvarint() == 1,
		}
	}
	if n := r.count(3); n > 0 {
		p.Shifts = make([]restaurantday.ShiftPlan, n)
	}
	for i := range p.Shifts {
		p.Shifts[i] = restaurantday.ShiftPlan{Name: r.text(), Turns: r.turns(), PacingCovers: r.number()}
	}
	if n := r.count(4); n > 0 {
		p.Combinations = make([]restaurantday.Combination, n)
	}
	for i := range p.Combinations {
		p.Combinations[i] = restaurantday.Combination{
			ID: domain.CombinationID(r.text()), Tables: r.tables(), Min: domain.PartySize(r.number()), Max: domain.PartySize(r.number()),
		}
	}
	if n := r.count(4); n > 0 {
		p.Blocks = make([]restaurantday.Block, n)
	}
	for i := range p.Blocks {
		p.Blocks[i] = restaurantday.Block{
			ID: domain.BlockID(r.text()), Tables: r.tables(), During: domain.Interval{From: r.instant(), To: r.instant()},
		}
	}
	p.Closure = r.text()
	return p
}

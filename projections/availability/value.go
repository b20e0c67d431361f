package availability

import (
	"encoding/binary"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// A value is a header of fixed size, the plan's length, the plan, and the bookings. The
// header alone tells whether the value counts.
const headerSize = 1 + 16 + 8 + 8 + 8 + 8

// ageSize is the part of the header that tells which of two values is newer.
const ageSize = 1 + 16 + 8 + 8

type header struct {
	epoch    epoch
	revision uint64         // of the day's last event
	asOf     domain.Instant // when the stream was known to end there
	clock    domain.Instant // the day's own: no decision comes before it
	lapses   domain.Instant // when the first hold after asOf lapses; 0 for never
}

func (h header) append(b []byte) []byte {
	b = append(b, layout)
	b = append(b, h.epoch[:]...)
	b = binary.BigEndian.AppendUint64(b, h.revision)
	b = binary.BigEndian.AppendUint64(b, uint64(h.asOf))
	b = binary.BigEndian.AppendUint64(b, uint64(h.clock))
	return binary.BigEndian.AppendUint64(b, uint64(h.lapses))
}

func parseHeader(raw string) (h header, ok bool) {
	if len(raw) < headerSize || raw[0] != layout {
		return header{}, false
	}
	b := []byte(raw[1:headerSize])
	copy(h.epoch[:], b)
	h.revision = binary.BigEndian.Uint64(b[16:])
	h.asOf = domain.Instant(binary.BigEndian.Uint64(b[24:]))
	h.clock = domain.Instant(binary.BigEndian.Uint64(b[32:]))
	h.lapses = domain.Instant(binary.BigEndian.Uint64(b[40:]))
	return h, true
}

// newer reports whether the value that starts with next may replace the one that starts
// with old: it is of another epoch, of a later revision, or known to be current for longer.
func newer(next, old string) bool {
	if len(old) < ageSize || old[:17] != next[:17] {
		return true
	}
	return next[17:ageSize] > old[17:ageSize]
}

// encodeValue writes d as it is at h.
func encodeValue(h header, d day) []byte {
	bookings := d.state.Bookings()
	b := make([]byte, 0, headerSize+binary.MaxVarintLen64+len(d.plan.bytes)+16*len(bookings))
	b = h.append(b)
	b = binary.AppendUvarint(b, uint64(len(d.plan.bytes)))
	b = append(b, d.plan.bytes...)
	b = binary.AppendUvarint(b, uint64(len(bookings)))
	var last domain.Instant
	for _, k := range bookings {
		b = binary.AppendUvarint(b, uint64(k.Number))
		b = binary.AppendUvarint(b, uint64(k.Table))
		b = binary.AppendVarint(b, int64(k.From-last))
		b = binary.AppendVarint(b, int64(k.To-k.From))
		b = binary.AppendVarint(b, int64(k.Expires))
		b = binary.AppendUvarint(b, uint64(k.Party)<<1|bit(k.Extra))
		last = k.From
	}
	return b
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// decodeValue reads what stands behind a value's header. It takes the plan from old where
// that is the same. ok is false for what this layout did not write.
func decodeValue(raw string, old *remembered) (content, bool) {
	r := reader{rest: raw[headerSize:]}
	c := content{rawPlan: r.text()}
	if old != nil && old.rawPlan == c.rawPlan {
		c.rawPlan, c.occupancy.Plan = old.rawPlan, old.occupancy.Plan
	} else {
		p := reader{rest: c.rawPlan}
		c.occupancy.Plan = p.plan()
		if p.failed || p.rest != "" {
			return content{}, false
		}
	}
	bookings := make([]restaurantday.Booking, r.count(6))
	var last domain.Instant
	for i := range bookings {
		b := &bookings[i]
		b.Number = uint32(r.uvarint())
		b.Table = int(r.uvarint())
		b.From = last + domain.Instant(r.varint())
		b.To = b.From + domain.Instant(r.varint())
		b.Expires = domain.Instant(r.varint())
		party := r.uvarint()
		b.Party, b.Extra = domain.PartySize(party>>1), party&1 == 1
		last = b.From
	}
	if r.failed || r.rest != "" {
		return content{}, false
	}
	c.occupancy = restaurantday.NewOccupancy(c.occupancy.Plan, bookings)
	return c, true
}

func encodePlan(p *restaurantday.Plan) []byte {
	w := writer{make([]byte, 0, 64+64*(len(p.Tables)+len(p.Slots)))}
	w.uvarint(p.Revision)
	w.text(p.Zone)
	w.instant(p.BookableFrom)
	o := p.Policy
	for _, n := range []int{o.HoldMinutes, o.HorizonDays, o.NoticeMinutes, o.BufferMinutes, o.PacingCovers} {
		w.number(n)
	}
	w.uvarint(uint64(len(o.Turns)))
	for _, t := range o.Turns {
		w.number(int(t.UpToParty))
		w.number(t.Minutes)
	}
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
	}
	return w.b
}

func (r *reader) plan() *restaurantday.Plan {
	p := &restaurantday.Plan{Revision: r.uvarint(), Zone: r.text(), BookableFrom: r.instant()}
	o := &p.Policy
	for _, n := range []*int{&o.HoldMinutes, &o.HorizonDays, &o.NoticeMinutes, &o.BufferMinutes, &o.PacingCovers} {
		*n = r.number()
	}
	if n := r.count(2); n > 0 {
		o.Turns = make([]restaurantday.TurnTime, n)
	}
	for i := range o.Turns {
		o.Turns[i] = restaurantday.TurnTime{UpToParty: domain.PartySize(r.number()), Minutes: r.number()}
	}
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
	if n := r.count(5); n > 0 {
		p.Tables = make([]restaurantday.Table, n)
	}
	for i := range p.Tables {
		p.Tables[i] = restaurantday.Table{
			ID: domain.TableID(r.text()), Number: r.text(),
			Min: domain.PartySize(r.number()), Max: domain.PartySize(r.number()), Area: r.text(),
		}
	}
	return p
}

type writer struct{ b []byte }

func (w *writer) uvarint(n uint64)         { w.b = binary.AppendUvarint(w.b, n) }
func (w *writer) number(n int)             { w.b = binary.AppendVarint(w.b, int64(n)) }
func (w *writer) instant(i domain.Instant) { w.b = binary.AppendVarint(w.b, int64(i)) }
func (w *writer) text(s string) {
	w.uvarint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// reader takes a value apart. Its texts share the value's memory. Once something does not
// fit it has failed, and gives zeros.
type reader struct {
	rest   string
	failed bool
}

func (r *reader) fail() {
	r.rest, r.failed = "", true
}

func (r *reader) uvarint() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		if r.rest == "" {
			break
		}
		c := r.rest[0]
		r.rest = r.rest[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	r.fail()
	return 0
}

func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) number() int             { return int(r.varint()) }
func (r *reader) instant() domain.Instant { return domain.Instant(r.varint()) }

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

// count reads how many things of at least size bytes follow; no more than can be there.
func (r *reader) count(size int) int {
	n := r.uvarint()
	if n > uint64(len(r.rest)/size) {
		r.fail()
		return 0
	}
	return int(n)
}

package availability

import (
	"encoding/binary"

	"daybook/domain"
	"daybook/domain/restaurantday"
)

// A value is a header of fixed size, the plan's length, the plan, the bookings, and who
// waits. The header alone tells whether the value counts.
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
	waiting := d.state.Waiting()
	w := writer{make([]byte, 0, headerSize+2*binary.MaxVarintLen64+len(d.plan.bytes)+20*(len(bookings)+len(waiting)))}
	w.b = h.append(w.b)
	w.uvarint(uint64(len(d.plan.bytes)))
	w.b = append(w.b, d.plan.bytes...)
	w.uvarint(uint64(len(bookings)))
	var last domain.Instant
	for _, k := range bookings {
		w.booking(k, last)
		last = k.From
	}
	w.uvarint(uint64(len(waiting)))
	for _, k := range waiting {
		w.uvarint(uint64(k.Entry))
		w.uvarint(uint64(k.Party))
		w.instant(k.From - last)
		w.instant(k.To - k.From)
		w.uvarint(bit(k.Online, online) | bit(k.Wish != restaurantday.Wish{}, wishes))
		w.wish(k.Wish)
		last = k.From
	}
	return w.b
}

// What a booking or who waits may have besides its numbers.
const (
	bound   = 1 << iota
	online  // it was booked online
	wishes  // a wish follows
	expires // an expiry follows
	moved   // a slot of its own follows: it is not counted where it begins
)

func bit(b bool, is uint64) uint64 {
	if b {
		return is
	}
	return 0
}

// booking writes k, its times from last on.
func (w *writer) booking(k restaurantday.Booking, last domain.Instant) {
	w.uvarint(uint64(k.Number))
	w.uvarint(uint64(len(k.Tables)))
	for _, t := range k.Tables {
		w.uvarint(uint64(t))
	}
	w.instant(k.From - last)
	w.instant(k.To - k.From)
	w.uvarint(uint64(k.Party))
	w.uvarint(bit(k.Bound, bound) | bit(k.Online, online) | bit(k.Wish != restaurantday.Wish{}, wishes) |
		bit(k.Expires != 0, expires) | bit(k.Slot != k.From, moved))
	w.wish(k.Wish)
	if k.Expires != 0 {
		w.instant(k.Expires)
	}
	if k.Slot != k.From {
		w.instant(k.Slot - k.From)
	}
}

// wish writes what is no empty wish.
func (w *writer) wish(k restaurantday.Wish) {
	if k != (restaurantday.Wish{}) {
		w.text(string(k.Table))
		w.text(k.Area)
	}
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
	// The lists of tables, most of them of one, lie in one piece of memory.
	room := make([]int, 0, 2*len(bookings))
	var last domain.Instant
	for i := range bookings {
		bookings[i], room = r.booking(last, room)
		last = bookings[i].From
	}
	var waiting []restaurantday.Waiting
	if n := r.count(5); n > 0 {
		waiting = make([]restaurantday.Waiting, n)
	}
	for i := range waiting {
		k := &waiting[i]
		k.Entry = uint32(r.uvarint())
		k.Party = domain.PartySize(r.uvarint())
		k.From = last + r.instant()
		k.To = k.From + r.instant()
		has := r.uvarint()
		k.Online = has&online != 0
		k.Wish = r.wish(has)
		last = k.From
	}
	if r.failed || r.rest != "" {
		return content{}, false
	}
	c.occupancy = restaurantday.NewOccupancy(c.occupancy.Plan, bookings)
	if waiting != nil {
		c.occupancy = c.occupancy.WithWaiting(waiting)
	}
	return c, true
}

// booking reads what writer.booking wrote, its tables into room, which it returns with what
// is left of it.
func (r *reader) booking(last domain.Instant, room []int) (k restaurantday.Booking, left []int) {
	k.Number = uint32(r.uvarint())
	if n := r.count(1); n > 0 {
		if n > cap(room) {
			room = make([]int, 0, 2*n)
		}
		k.Tables, room = room[:n:n], room[n:n]
	}
	for i := range k.Tables {
		k.Tables[i] = int(r.uvarint())
	}
	k.From = last + r.instant()
	k.To = k.From + r.instant()
	k.Party = domain.PartySize(r.uvarint())
	has := r.uvarint()
	k.Bound, k.Online, k.Slot = has&bound != 0, has&online != 0, k.From
	k.Wish = r.wish(has)
	if has&expires != 0 {
		k.Expires = r.instant()
	}
	if has&moved != 0 {
		k.Slot = k.From + r.instant()
	}
	return k, room
}

func (r *reader) wish(has uint64) (w restaurantday.Wish) {
	if has&wishes != 0 {
		w.Table, w.Area = domain.TableID(r.text()), r.text()
	}
	return w
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

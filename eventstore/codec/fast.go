package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"daybook/domain"
	"daybook/domain/restaurantday"
	"daybook/eventstore"
)

// What follows does what encoding/json does with the metadata and the hot events, several
// times faster. Each write agrees with json.Marshal byte for byte; each scan takes only
// what its write writes and leaves all else to json.Unmarshal. Tests and a fuzzer hold
// them to it.

func writeMetadata(b []byte, f *metadataV1) []byte {
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, int64(f.Version), 10)
	b = appendInstant(append(b, `,"decidedAt":`...), f.DecidedAt)
	if f.CommandID != (commandID{}) {
		b = append(b, `,"commandId":"`...)
		b = append(b, eventstore.EventID(f.CommandID).String()...)
		b = append(b, '"')
	}
	b = appendBytes(b, `,"bodyHash":`, f.BodyHash)
	if f.Actor != (actorV1{}) {
		b = appendString(append(b, `,"actor":{"kind":`...), string(f.Actor.Kind))
		b = append(appendOptional(b, `,"user":`, string(f.Actor.User)), '}')
	}
	b = appendOptional(b, `,"reason":`, f.Reason)
	b = appendOptional(b, `,"requestId":`, f.RequestID)
	b = appendOptional(b, `,"role":`, f.Role)
	b = appendOptional(b, `,"apiKey":`, f.APIKey)
	b = appendOptional(b, `,"process":`, f.Process)
	b = appendOptional(b, `,"cause":`, f.Cause)
	b = appendOptional(b, `,"correlation":`, f.Correlation)
	return append(b, '}')
}

func scanMetadata(data []byte, f *metadataV1) bool {
	s := scanner{rest: data}
	s.want(`{"v":`)
	f.Version = int(s.number(1 << 30))
	s.want(`,"decidedAt":`)
	f.DecidedAt = s.instant()
	if s.has(`,"commandId":`) {
		s.check(scanUUID(s.text(), &f.CommandID))
	}
	f.BodyHash = s.bytes(`,"bodyHash":`)
	if s.has(`,"actor":{"kind":`) {
		f.Actor.Kind = actorKind(s.text())
		f.Actor.User = domain.UserID(s.optional(`,"user":`))
		s.want(`}`)
	}
	f.Reason = s.optional(`,"reason":`)
	f.RequestID = s.optional(`,"requestId":`)
	if s.has(`,"role":`) {
		f.Role = role(s.text())
	}
	f.APIKey = s.optional(`,"apiKey":`)
	f.Process = s.optional(`,"process":`)
	f.Cause = s.optional(`,"cause":`)
	f.Correlation = s.optional(`,"correlation":`)
	return s.end()
}

// actorKind spares a string of its own for the usual kinds.
func actorKind(b []byte) domain.ActorKind {
	for _, k := range [...]domain.ActorKind{domain.ActorDiner, domain.ActorStaff, domain.ActorSystem, domain.ActorImport} {
		if string(b) == string(k) {
			return k
		}
	}
	return domain.ActorKind(b)
}

// role does likewise for the usual roles.
func role(b []byte) string {
	switch string(b) { // spares the string, too
	case "diner":
		return "diner"
	case "owner":
		return "owner"
	}
	return string(b)
}

func writeHeld(b []byte, f *heldV2) []byte {
	b = strconv.AppendUint(append(b, `{"number":`...), uint64(f.Number), 10)
	b = appendOptional(b, `,"diner":`, string(f.Diner))
	b = strconv.AppendInt(append(b, `,"party":`...), int64(f.Party), 10)
	b = appendString(append(b, `,"slot":{"time":`...), f.Slot.Time)
	b = appendInstant(append(b, `,"startsAt":`...), f.Slot.StartsAt)
	b = appendInstant(append(b, `,"closes":`...), f.Slot.Closes)
	b = appendOptional(b, `,"shift":`, f.Slot.Shift)
	b = appendInterval(append(b, `},"turn":`...), f.Turn)
	b = appendInterval(append(b, `,"occupied":`...), f.Occupied)
	for i, table := range f.Tables {
		if i == 0 {
			b = append(b, `,"tables":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(b, string(table))
	}
	if len(f.Tables) > 0 {
		b = append(b, ']')
	}
	b = appendInstant(append(b, `,"expiresAt":`...), f.ExpiresAt)
	b = appendOptional(b, `,"code":`, f.Code)
	if f.Wish != (wishV1{}) {
		b = append(b, `,"wish":{`...)
		if b = appendOptional(b, `"table":`, string(f.Wish.Table)); f.Wish.Table != "" && f.Wish.Area != "" {
			b = append(b, ',')
		}
		b = append(appendOptional(b, `"area":`, f.Wish.Area), '}')
	}
	b = appendTrue(b, `,"bound":true`, f.Bound)
	b = appendTrue(b, `,"online":true`, f.Online)
	b = appendOptional(b, `,"source":`, string(f.Source))
	if f.Entry != 0 {
		b = strconv.AppendUint(append(b, `,"entry":`...), uint64(f.Entry), 10)
	}
	b = appendOptional(b, `,"movedFrom":`, string(f.MovedFrom))
	b = appendOptional(b, `,"override":`, string(f.Override))
	return appendSealed(b, &f.sealed)
}

// appendTrue writes a field that is left out where it is false.
func appendTrue(b []byte, field string, is bool) []byte {
	if !is {
		return b
	}
	return append(b, field...)
}

func scanHeld(data []byte, f *heldV2) bool {
	s := scanner{rest: data}
	s.want(`{"number":`)
	f.Number = uint32(s.number(1 << 32))
	f.Diner = domain.UserID(s.optional(`,"diner":`))
	s.want(`,"party":`)
	f.Party = domain.PartySize(s.number(1 << 30))
	s.want(`,"slot":{"time":`)
	f.Slot.Time = string(s.text())
	s.want(`,"startsAt":`)
	f.Slot.StartsAt = s.instant()
	s.want(`,"closes":`)
	f.Slot.Closes = s.instant()
	f.Slot.Shift = s.optional(`,"shift":`)
	s.want(`},"turn":`)
	f.Turn = s.interval()
	s.want(`,"occupied":`)
	f.Occupied = s.interval()
	if s.has(`,"tables":[`) {
		f.Tables = append(make([]domain.TableID, 0, 1), domain.TableID(s.text()))
		for s.has(`,`) {
			f.Tables = append(f.Tables, domain.TableID(s.text()))
		}
		s.want(`]`)
	}
	s.want(`,"expiresAt":`)
	f.ExpiresAt = s.instant()
	f.Code = s.optional(`,"code":`)
	if s.has(`,"wish":{`) {
		if f.Wish.Table = domain.TableID(s.optional(`"table":`)); f.Wish.Table == "" {
			f.Wish.Area = s.optional(`"area":`)
		} else {
			f.Wish.Area = s.optional(`,"area":`)
		}
		s.check(f.Wish != wishV1{})
		s.want(`}`)
	}
	f.Bound = s.has(`,"bound":true`)
	f.Online = s.has(`,"online":true`)
	f.Source = restaurantday.Source(s.optional(`,"source":`))
	if s.has(`,"entry":`) {
		f.Entry = uint32(s.number(1 << 32))
		s.check(f.Entry != 0)
	}
	f.MovedFrom = domain.ReservationID(s.optional(`,"movedFrom":`))
	f.Override = domain.Code(s.optional(`,"override":`))
	s.sealed(&f.sealed)
	return s.end()
}

func writeConfirmed(b []byte, f *confirmedV1) []byte {
	b = strconv.AppendUint(append(b, `{"number":`...), uint64(f.Number), 10)
	return append(appendTrue(b, `,"staff":true`, f.Staff), '}')
}

func scanConfirmed(data []byte, f *confirmedV1) bool {
	s := scanner{rest: data}
	s.want(`{"number":`)
	f.Number = uint32(s.number(1 << 32))
	f.Staff = s.has(`,"staff":true`)
	return s.end()
}

func writeCancelled(b []byte, f *cancelledV1) []byte {
	b = strconv.AppendUint(append(b, `{"number":`...), uint64(f.Number), 10)
	b = appendOptional(b, `,"diner":`, string(f.Diner))
	b = appendString(append(b, `,"by":`...), string(f.By))
	b = appendTrue(b, `,"late":true`, f.Late)
	b = appendOptional(b, `,"change":`, f.Change)
	return appendSealed(b, &f.sealed)
}

func scanCancelled(data []byte, f *cancelledV1) bool {
	s := scanner{rest: data}
	s.want(`{"number":`)
	f.Number = uint32(s.number(1 << 32))
	f.Diner = domain.UserID(s.optional(`,"diner":`))
	s.want(`,"by":`)
	f.By = restaurantday.CancelledBy(s.text())
	f.Late = s.has(`,"late":true`)
	f.Change = s.optional(`,"change":`)
	s.sealed(&f.sealed)
	return s.end()
}

// appendSealed ends an object with its personal part.
func appendSealed(b []byte, f *sealed) []byte {
	b = appendOptional(b, `,"subject":`, f.Subject)
	return append(appendBytes(b, `,"personal":`, f.Personal), '}')
}

func appendInterval(b []byte, i intervalV1) []byte {
	b = appendInstant(append(b, `{"from":`...), i.From)
	return append(appendInstant(append(b, `,"to":`...), i.To), '}')
}

// appendOptional leaves out what is empty.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

func appendBytes(b []byte, name string, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	b = append(append(b, name...), '"')
	return append(base64.StdEncoding.AppendEncode(b, value), '"')
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain(s[i]) {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always has a JSON form
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// plain reports whether a byte stands for itself in a string as encoding/json writes it.
func plain(c byte) bool {
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
}

// Instants from the year 0 up to 9999 have four digits for the year.
const (
	firstInstant domain.Instant = -62167219200000
	lastInstant  domain.Instant = 253402300799999
)

func appendInstant(b []byte, i domain.Instant) []byte {
	if i < firstInstant || i > lastInstant {
		return append(append(append(b, '"'), i.String()...), '"')
	}
	t := i.Time()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = append(b, '"')
	b = append(appendTwo(appendTwo(b, year/100), year%100), '-')
	b = append(appendTwo(b, int(month)), '-')
	b = append(appendTwo(b, day), 'T')
	b = append(appendTwo(b, hour), ':')
	b = append(appendTwo(b, minute), ':')
	b = append(appendTwo(b, second), '.')
	milli := t.Nanosecond() / int(time.Millisecond)
	return append(appendTwo(append(b, byte('0'+milli/100)), milli%100), 'Z', '"')
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// scanner reads on while all is as expected; after the first surprise it reads nothing.
type scanner struct {
	rest   []byte
	failed bool
}

func (s *scanner) check(ok bool) {
	if !ok {
		s.rest, s.failed = nil, true
	}
}

func (s *scanner) end() bool {
	s.want(`}`)
	return !s.failed && len(s.rest) == 0
}

func (s *scanner) has(literal string) bool {
	if len(s.rest) < len(literal) || string(s.rest[:len(literal)]) != literal {
		return false
	}
	s.rest = s.rest[len(literal):]
	return true
}

func (s *scanner) want(literal string) { s.check(s.has(literal)) }

// text reads a string without escapes. What it returns is the input's own bytes.
func (s *scanner) text() []byte {
	if !s.has(`"`) {
		s.check(false)
		return nil
	}
	n := bytes.IndexByte(s.rest, '"')
	if n < 0 {
		s.check(false)
		return nil
	}
	text := s.rest[:n]
	for _, c := range text {
		if !plain(c) {
			s.check(false)
			return nil
		}
	}
	s.rest = s.rest[n+1:]
	return text
}

// optional reads a string that is left out when empty.
func (s *scanner) optional(name string) string {
	if !s.has(name) {
		return ""
	}
	return string(s.text())
}

func (s *scanner) bytes(name string) []byte {
	if !s.has(name) {
		return nil
	}
	text := s.text()
	value, err := base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
	s.check(err == nil)
	return value
}

// number reads a whole number from 0 up to, but not including, limit.
func (s *scanner) number(limit uint64) uint64 {
	var n uint64
	i := 0
	for i < len(s.rest) && s.rest[i]-'0' <= 9 && n < limit {
		n = n*10 + uint64(s.rest[i]-'0')
		i++
	}
	if i == 0 || n >= limit || (s.rest[0] == '0' && i > 1) {
		s.check(false)
		return 0
	}
	s.rest = s.rest[i:]
	return n
}

func (s *scanner) interval() (i intervalV1) {
	s.want(`{"from":`)
	i.From = s.instant()
	s.want(`,"to":`)
	i.To = s.instant()
	s.want(`}`)
	return i
}

const instantForm = `"0000-00-00T00:00:00.000Z"`

func (s *scanner) instant() domain.Instant {
	if len(s.rest) < len(instantForm) {
		s.check(false)
		return 0
	}
	b := s.rest[:len(instantForm)]
	for i := range len(instantForm) {
		if digit := instantForm[i] == '0'; digit && b[i]-'0' > 9 || !digit && b[i] != instantForm[i] {
			s.check(false)
			return 0
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	month, day, hour, minute, second := two(6), two(9), two(12), two(15), two(18)
	// Days past the 28th are left to time.Date: it moves what no month has to the next one.
	if month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		s.check(false)
		return 0
	}
	milli := int(b[21]-'0')*100 + two(22)
	t := time.Date(two(1)*100+two(3), time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), time.UTC)
	if day > 28 && t.Day() != day {
		s.check(false)
		return 0
	}
	s.rest = s.rest[len(instantForm):]
	return domain.InstantOf(t)
}

func (s *scanner) sealed(f *sealed) {
	f.Subject = s.optional(`,"subject":`)
	f.Personal = s.bytes(`,"personal":`)
}

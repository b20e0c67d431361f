package canon

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"daybook/eventstore"
)

// Line is an event read back from a line. Its slices share the line's bytes.
type Line struct {
	// Form is the canonical form, exactly as it stands in the line.
	Form []byte
	// Position and Recorded are what the store said that the line came from; zero in a line
	// that is the form alone. Nothing proves them.
	Position eventstore.Position
	Recorded time.Time

	ID       eventstore.EventID
	Revision eventstore.Revision
	Stream   eventstore.StreamName // empty where the form names its hash alone; so is Type
	Type     string
	Binary   bool
	// Data and Metadata are what the form carries: without ciphertexts, whose hashes stand
	// in their place. Nil where the form names their hash alone.
	Data, Metadata []byte
}

// FromLine reads a line that AppendLine wrote, or a form alone; a line feed at its end is
// allowed. It takes nothing else: what it takes has the form of some record, byte for
// byte. A line that another program has rewritten, such as one that a JSON tool has put
// in another order, is not taken, as its leaf would be another. Error: ErrForm.
func FromLine(line []byte) (Line, error) {
	c := &cursor{rest: bytes.TrimSuffix(line, []byte("\n"))}
	var l Line
	if c.has(`{"position":`) {
		l.Position = eventstore.Position(c.number())
		l.Recorded = c.instant(`,"recordedAt":"`)
		c.want(`,"event":`)
		if len(c.rest) == 0 || c.rest[len(c.rest)-1] != '}' {
			c.fail("the end")
		} else {
			c.rest = c.rest[:len(c.rest)-1]
		}
	}
	l.Form = c.rest
	c.form(&l)
	if c.failed != "" {
		return Line{}, fmt.Errorf("%w: want %s before the last %d bytes", ErrForm, c.failed, c.left)
	}
	return l, nil
}

// Record returns the event as it is read when nobody's key is left: the personal parts
// are gone. So it decodes, and its form is not Form. It is an error, ErrForm, if the form
// does not carry all of the event.
func (l Line) Record() (eventstore.Record, error) {
	if l.Data == nil || l.Metadata == nil || l.Stream == "" || l.Type == "" {
		return eventstore.Record{}, fmt.Errorf("%w: event %s is not carried, only named", ErrForm, l.ID)
	}
	data, ok := erased(l.Data)
	if !ok {
		return eventstore.Record{}, fmt.Errorf("%w: data of event %s", ErrForm, l.ID)
	}
	metadata, ok := erased(l.Metadata)
	if !ok {
		return eventstore.Record{}, fmt.Errorf("%w: metadata of event %s", ErrForm, l.ID)
	}
	return eventstore.Record{
		Event:  eventstore.Event{ID: l.ID, Type: l.Type, Data: data, Metadata: metadata},
		Stream: l.Stream, Revision: l.Revision, Position: l.Position, Recorded: l.Recorded,
	}, nil
}

// erased returns a document of a form without the hashes of its personal parts.
func erased(document []byte) ([]byte, bool) {
	w := walk{in: document, personal: withheldHash, out: make([]byte, 0, len(document))}
	w.member = func(w *walk, from int, first bool) bool {
		w.copyTo(max(from, w.copied)) // the comma may be gone with the member before
		if first && w.peek() == ',' { // the next one has no other before it either
			w.copied = w.at + 1
		} else {
			w.copied = w.at
		}
		return false
	}
	ok := w.all()
	return w.out, ok
}

// withheldHash moves past what stands for a ciphertext.
func withheldHash(w *walk) bool {
	if len(w.in)-w.at < withheldSize {
		return false
	}
	value := w.in[w.at : w.at+withheldSize]
	digits := value[len(withheld) : withheldSize-2]
	if string(value[:len(withheld)]) != withheld || string(value[withheldSize-2:]) != `"}` || !lowerHex(digits) {
		return false
	}
	w.at += withheldSize
	return true
}

func lowerHex(digits []byte) bool {
	for _, d := range digits {
		if !isHex(d) || d >= 'A' && d <= 'F' {
			return false
		}
	}
	return true
}

// cursor reads on while all is as expected, and notes the first thing that is not.
type cursor struct {
	rest   []byte
	failed string // what was expected
	left   int    // how much was left then
}

func (c *cursor) fail(wanted string) {
	if c.failed == "" {
		c.failed, c.left = wanted, len(c.rest)
	}
	c.rest = nil
}

func (c *cursor) has(literal string) bool {
	if len(c.rest) < len(literal) || string(c.rest[:len(literal)]) != literal {
		return false
	}
	c.rest = c.rest[len(literal):]
	return true
}

func (c *cursor) want(literal string) {
	if !c.has(literal) {
		c.fail(literal)
	}
}

func (c *cursor) form(l *Line) {
	c.want("{")
	l.Binary = c.has(`"binary":true,`)
	l.Data = c.document("data", l.Binary)
	c.want(`,"id":"`)
	l.ID = c.id()
	c.want(`",`)
	l.Metadata = c.document("metadata", false)
	c.want(`,"revision":`)
	l.Revision = eventstore.Revision(c.number())
	c.want(`,`)
	l.Stream = eventstore.StreamName(c.name("stream"))
	c.want(`,`)
	l.Type = c.name("type")
	c.want(`}`)
	if c.failed == "" && len(c.rest) > 0 {
		c.fail("the end")
	}
}

// hashed reads a member that names a hash, if that is what stands here.
func (c *cursor) hashed(name string) bool {
	if !c.has(`"` + name + `Sha256":"`) {
		return false
	}
	const digits = 2 * len(Hash{})
	if len(c.rest) < digits || !lowerHex(c.rest[:digits]) {
		c.fail("the SHA-256 of " + name)
		return true
	}
	c.rest = c.rest[digits:]
	c.want(`"`)
	return true
}

func (c *cursor) document(name string, binary bool) []byte {
	if c.hashed(name) {
		return nil
	}
	if binary {
		c.fail("the SHA-256 of " + name)
		return nil
	}
	c.want(`"` + name + `":`)
	w := walk{in: c.rest, personal: withheldHash}
	if !w.value(0) {
		c.fail(name)
		return nil
	}
	document := c.rest[:w.at:w.at]
	c.rest = c.rest[w.at:]
	return document
}

// name reads a member that is a string, or its hash.
func (c *cursor) name(name string) string {
	before := c.rest
	if c.hashed(name) {
		return ""
	}
	c.want(`"` + name + `":`)
	w := walk{in: c.rest}
	t, ok := w.text()
	if !ok {
		c.fail(name)
		return ""
	}
	value := t.inside
	if t.escaped {
		value = unescaped(t.inside)
	}
	s := string(value)
	if len(s) == 0 || s[0] == '$' || !bytes.HasPrefix(before, appendName(nil, name, s)) {
		c.fail(name)
		return ""
	}
	c.rest = c.rest[w.at:]
	return s
}

// unescaped undoes what appendName escapes. What else it is given comes out as something
// that appendName writes otherwise.
func unescaped(inside []byte) []byte {
	var out []byte
	for i := 0; i < len(inside); i++ {
		c := inside[i]
		if c == '\\' && i+1 < len(inside) {
			i++
			if c = inside[i]; c == 'u' && i+4 < len(inside) {
				n, _ := strconv.ParseUint(string(inside[i+1:i+5]), 16, 16)
				c, i = byte(n), i+4
			}
		}
		out = append(out, c)
	}
	return out
}

// number reads a whole number as strconv writes it.
func (c *cursor) number() uint64 {
	n := 0
	for n < len(c.rest) && c.rest[n] >= '0' && c.rest[n] <= '9' {
		n++
	}
	value, err := strconv.ParseUint(string(c.rest[:n]), 10, 64)
	if err != nil || n > 1 && c.rest[0] == '0' {
		c.fail("a whole number")
		return 0
	}
	c.rest = c.rest[n:]
	return value
}

func (c *cursor) instant(before string) time.Time {
	c.want(before)
	n := bytes.IndexByte(c.rest, '"')
	if n < 0 {
		c.fail("an instant")
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, string(c.rest[:n]))
	if err != nil {
		c.fail("an instant")
		return time.Time{}
	}
	c.rest = c.rest[n+1:]
	return t.UTC()
}

func (c *cursor) id() eventstore.EventID {
	const size = 36
	if len(c.rest) < size {
		c.fail("an event id")
		return eventstore.EventID{}
	}
	id, ok := eventstore.ParseEventID(string(c.rest[:size]))
	if !ok {
		c.fail("an event id")
		return id
	}
	c.rest = c.rest[size:]
	return id
}

package canon

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deeply a document may be nested and still be carried. Readers of JSON
// have limits of their own, and a line that one of them refuses is of no use as a proof.
const maxDepth = 64

// walk goes once through a JSON document without white space between its parts. It
// copies it to out, with another value for what is personal.
type walk struct {
	in     []byte
	at     int
	copied int // in[:copied] has been dealt with
	out    []byte
	// personal is called where the value of a member named "personal" begins. It moves past
	// the value, and may put another in its place. False ends the walk.
	personal func(*walk) bool
	// member, where set, is called behind such a member. It is told where the member began,
	// the comma before it included, and whether nothing of its object was kept before it.
	member func(w *walk, from int, first bool) (kept bool)
}

// all walks through the whole document and reports whether it is one that can be carried.
// On false out holds some of it.
func (w *walk) all() bool {
	if !w.value(0) || w.at != len(w.in) {
		return false
	}
	w.copyTo(len(w.in))
	return true
}

// copyTo copies what was passed over and not cut out.
func (w *walk) copyTo(end int) {
	w.out = append(w.out, w.in[w.copied:end]...)
	w.copied = end
}

// next takes one byte; 0 stands for the end, as no byte of value 0 is ever right here.
func (w *walk) next() byte {
	if w.at >= len(w.in) {
		return 0
	}
	w.at++
	return w.in[w.at-1]
}

func (w *walk) peek() byte {
	if w.at >= len(w.in) {
		return 0
	}
	return w.in[w.at]
}

func (w *walk) value(depth int) bool {
	switch c := w.peek(); {
	case c == '"':
		_, ok := w.text()
		return ok
	case c == '{':
		return depth < maxDepth && w.object(depth+1)
	case c == '[':
		return depth < maxDepth && w.array(depth+1)
	case c == '-' || c >= '0' && c <= '9':
		return w.number()
	case c == 't':
		return w.literal("true")
	case c == 'f':
		return w.literal("false")
	case c == 'n':
		return w.literal("null")
	default:
		return false
	}
}

func (w *walk) literal(word string) bool {
	end := w.at + len(word)
	if end > len(w.in) || string(w.in[w.at:end]) != word {
		return false
	}
	w.at = end
	return true
}

func (w *walk) array(depth int) bool {
	w.at++
	if w.peek() == ']' {
		w.at++
		return true
	}
	for {
		if !w.value(depth) {
			return false
		}
		switch w.next() {
		case ',':
		case ']':
			return true
		default:
			return false
		}
	}
}

func (w *walk) object(depth int) bool {
	w.at++
	if w.peek() == '}' {
		w.at++
		return true
	}
	first := true
	from := w.at // of the member, its comma included
	for {
		name, ok := w.text()
		if !ok || w.next() != ':' {
			return false
		}
		kept := true
		switch known(name) {
		case isPersonal:
			if !w.personal(w) {
				return false
			}
			if w.member != nil {
				kept = w.member(w, from, first)
			}
		case isOther:
			if !w.value(depth) {
				return false
			}
		default:
			return false
		}
		first = first && !kept
		from = w.at
		switch w.next() {
		case ',':
		case '}':
			return true
		default:
			return false
		}
	}
}

type kindOfName int

const (
	isOther kindOfName = iota
	isPersonal
	isDisguised // encoding/json would take it for "personal", and it is not that name
)

const personalName = "personal"

func known(name text) kindOfName {
	if !name.escaped && len(name.inside) == len(personalName) && string(name.inside) == personalName {
		return isPersonal
	}
	plain := name.inside
	if name.escaped {
		var s string
		if json.Unmarshal(name.whole, &s) != nil {
			return isDisguised
		}
		plain = []byte(s)
	}
	if len(plain) >= len(personalName) && bytes.EqualFold(plain, []byte(personalName)) {
		return isDisguised
	}
	return isOther
}

// text is a JSON string as it stands.
type text struct {
	whole, inside []byte // with its quotes, and without
	escaped       bool   // it has an escape
}

// special are the bytes in a string that do not stand for themselves alone.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < 0x20 || c >= utf8.RuneSelf || strings.IndexByte(`"\`, byte(c)) >= 0
	}
	return t
}()

func (w *walk) text() (t text, ok bool) {
	if w.next() != '"' {
		return text{}, false
	}
	from, wide := w.at, false
	for w.at < len(w.in) {
		c := w.in[w.at]
		w.at++
		if !special[c] {
			continue
		}
		switch {
		case c == '"':
			t.inside, t.whole = w.in[from:w.at-1], w.in[from-1:w.at]
			return t, !wide || utf8.Valid(t.inside)
		case c == '\\':
			t.escaped = true
			if !w.escape() {
				return text{}, false
			}
		case c < 0x20:
			return text{}, false
		default:
			wide = true
		}
	}
	return text{}, false
}

func (w *walk) escape() bool {
	switch w.next() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if !isHex(w.next()) {
				return false
			}
		}
		return true
	default:
		return false
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func (w *walk) number() bool {
	if w.peek() == '-' {
		w.at++
	}
	if w.peek() == '0' {
		w.at++
	} else if !w.digits() {
		return false
	}
	if w.peek() == '.' {
		w.at++
		if !w.digits() {
			return false
		}
	}
	if c := w.peek(); c == 'e' || c == 'E' {
		w.at++
		if c := w.peek(); c == '+' || c == '-' {
			w.at++
		}
		return w.digits()
	}
	return true
}

// digits takes one or more.
func (w *walk) digits() bool {
	from := w.at
	for w.at < len(w.in) && w.in[w.at] >= '0' && w.in[w.at] <= '9' {
		w.at++
	}
	return w.at > from
}

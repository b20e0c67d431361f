package reporting

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"
)

// ErrBadCursor refuses a cursor that this query did not give out: cut, made up, or given
// out by another query or for other filters.
var ErrBadCursor = errors.New("reporting: cursor does not belong to this query")

// cursor is the place after which a page goes on: the sort key of the last row shown. It is
// opaque to clients, not secret: base64 of a hash over the query, a number and a text.
type cursor struct {
	at  int64
	key string
}

// queryMark tells one query and its filters from all others.
func queryMark(parts ...string) uint32 {
	h := fnv.New32a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0})
	}
	return h.Sum32()
}

const maxCursor = 200

func (c cursor) encode(mark uint32) string {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 64), mark)
	b = binary.AppendVarint(b, c.at)
	return base64.RawURLEncoding.EncodeToString(append(b, c.key...))
}

// decodeCursor reads what encode wrote; an empty text is no cursor.
func decodeCursor(text string, mark uint32) (c cursor, given bool, err error) {
	if text == "" {
		return cursor{}, false, nil
	}
	if len(text) > maxCursor {
		return cursor{}, false, ErrBadCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 5 || binary.BigEndian.Uint32(b) != mark {
		return cursor{}, false, ErrBadCursor
	}
	at, n := binary.Varint(b[4:])
	if n <= 0 {
		return cursor{}, false, ErrBadCursor
	}
	key := string(b[4+n:])
	if !printable(key) {
		return cursor{}, false, ErrBadCursor
	}
	return cursor{at, key}, true, nil
}

// printable reports whether text is plain ASCII, as all keys and names here are. Postgres
// refuses a zero byte and what is no UTF-8.
func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Package canon says what of an event is proved: the canonical form, one line of JSON that
// an event of the ledger has for ever, and the leaf that stands for it in a Merkle log.
//
// What belongs here: the form, how it is written from a record and read back from a line,
// and the leaf hash. What does not: the log of the leaves, its heads and proofs, which are
// projections/proof's; what an event's fields mean, which is codec's. Nothing here knows a
// type of event, so that the form of what is not written yet is settled already.
//
// # The form
//
// An event's form is one JSON object without white space, whose members stand in this
// order, the order of their names:
//
//	{"data":…,"id":"…","metadata":…,"revision":…,"stream":"…","type":"…"}
//
// id is the event's UUID in lower-case 8-4-4-4-12 form, revision its number in its stream,
// from 0. Data and metadata are carried byte for byte: numbers, escapes and the order of
// members stay as they were written, so that a change of any byte changes the form. Of
// that there is one exception: the value of each member named "personal", at any depth,
// which is a base64 string of ciphertext, is replaced by
//
//	{"sha256":"<SHA-256 of the ciphertext, in lower-case hexadecimal>"}
//
// so that a form tells of nobody, and stays the same when a person's key is dropped.
//
// Data or metadata that cannot be carried so are named by their SHA-256 instead, as
// "dataSha256" or "metadataSha256" in the place of "data" or "metadata", in lower-case
// hexadecimal. That goes for bytes that are not JSON, for JSON with white space between
// its parts, with bytes that are not UTF-8, or nested deeper than 64, and for JSON that has
// a member whose name encoding/json would take for "personal" and which is not exactly
// that name with a string of standard base64, padded, without stray bits. Daybook writes
// no such event; other clients of the same store may. What is binary is always named by
// its hash, and has the member "binary":true before it.
//
// The name of a stream and a type are JSON strings in which ", \ and the bytes below 0x20
// alone are escaped, the latter as \u00xx with lower-case digits. One that is not UTF-8 is
// named by its hash as well: "streamSha256", "typeSha256".
//
// So two records have the same form exactly if they have the same id, revision, stream,
// type, data, metadata and binary flag, as far as SHA-256 tells. Neither position nor
// time of recording is in it: those are each store's own, and a copied book keeps its
// forms. The form has no line feed; where lines are kept, one ends each of them and is not
// part of it.
package canon

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"daybook/eventstore"
)

var (
	// ErrNoEvent refuses a record that is no event of the ledger: one without a stream or a
	// type, or one of the engine's own ("$…"), which have no form.
	ErrNoEvent = errors.New("canon: no event of the ledger")
	// ErrForm says that a line is not what this package writes.
	ErrForm = errors.New("canon: not a canonical form")
)

// Hash is a SHA-256.
type Hash = [sha256.Size]byte

// Form returns the canonical form of an event. Error: ErrNoEvent.
func Form(r eventstore.Record) ([]byte, error) {
	return AppendForm(make([]byte, 0, len(r.Data)+len(r.Metadata)+len(r.Stream)+len(r.Type)+160), r)
}

// AppendForm is Form into a slice of the caller's. With an error b comes back as it was.
func AppendForm(b []byte, r eventstore.Record) ([]byte, error) {
	switch {
	case r.Stream == "" || strings.HasPrefix(string(r.Stream), "$"):
		return b, fmt.Errorf("%w: stream %q", ErrNoEvent, r.Stream)
	case r.Type == "" || strings.HasPrefix(r.Type, "$"):
		return b, fmt.Errorf("%w: type %q", ErrNoEvent, r.Type)
	}
	b = append(b, '{')
	if r.Binary {
		b = append(b, `"binary":true,`...)
	}
	b = appendDocument(b, "data", r.Data, !r.Binary)
	b = append(append(append(b, `,"id":"`...), r.ID.String()...), `",`...)
	b = appendDocument(b, "metadata", r.Metadata, true)
	b = strconv.AppendUint(append(b, `,"revision":`...), uint64(r.Revision), 10)
	b = appendName(append(b, ','), "stream", string(r.Stream))
	b = appendName(append(b, ','), "type", r.Type)
	return append(b, '}'), nil
}

// Leaf is the leaf hash of RFC 6962 over a form: SHA-256 of a zero byte and the form.
func Leaf(form []byte) Hash {
	var short [2048]byte
	return sha256.Sum256(append(append(short[:0], 0), form...))
}

// AppendLine appends the line by which the API and exports hand out an event, without the
// line feed: {"position":…,"recordedAt":"…","event":<form>}. Position and recordedAt are
// what this store says of it; recordedAt is RFC 3339 in UTC. Error: ErrNoEvent, and b
// comes back as it was.
func AppendLine(b []byte, r eventstore.Record) ([]byte, error) {
	before := len(b)
	b = strconv.AppendUint(append(b, `{"position":`...), uint64(r.Position), 10)
	b = r.Recorded.UTC().AppendFormat(append(b, `,"recordedAt":"`...), time.RFC3339Nano)
	b, err := AppendForm(append(b, `","event":`...), r)
	if err != nil {
		return b[:before], err
	}
	return append(b, '}'), nil
}

// appendDocument writes a member that is JSON where json says it may be, else its hash.
func appendDocument(b []byte, name string, document []byte, json bool) []byte {
	before := len(b)
	b = append(append(append(b, '"'), name...), `":`...)
	if json {
		w := walk{in: document, out: b, personal: withholdText}
		if w.all() {
			return w.out
		}
	}
	return appendHashed(b[:before], name, document)
}

// appendName writes a member that is a string, or its hash where it is not UTF-8.
func appendName(b []byte, name, value string) []byte {
	if !utf8.ValidString(value) {
		return appendHashed(b, name, []byte(value))
	}
	b = append(append(append(b, '"'), name...), `":"`...)
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(append(b, `\u00`...), hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

const hexDigits = "0123456789abcdef"

func appendHashed(b []byte, name string, value []byte) []byte {
	sum := sha256.Sum256(value)
	b = append(append(append(b, '"'), name...), `Sha256":"`...)
	return append(hex.AppendEncode(b, sum[:]), '"')
}

// withheld begins what stands for a ciphertext; 64 digits follow, and `"}`.
const withheld = `{"sha256":"`

const withheldSize = len(withheld) + 2*sha256.Size + len(`"}`)

var ciphertext = base64.StdEncoding.Strict()

// withholdText puts the hash of a ciphertext in the place of the ciphertext.
func withholdText(w *walk) bool {
	from := w.at
	text, ok := w.text()
	if !ok || text.escaped {
		return false
	}
	w.copyTo(from)
	w.copied = w.at
	// The room behind what is written so far serves to decode into.
	at := len(w.out)
	scratch, err := ciphertext.AppendDecode(w.out, text.inside)
	if err != nil {
		return false
	}
	sum := sha256.Sum256(scratch[at:])
	w.out = append(scratch[:at], withheld...)
	w.out = append(hex.AppendEncode(w.out, sum[:]), `"}`...)
	return true
}

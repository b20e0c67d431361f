package domain

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line checks one line that a person typed and returns it without the space around it. It
// is refused with CodeInvalid where it has more than limit characters, control characters
// or bytes that are no text. It may be empty.
func Line(field, s string, limit int) (string, error) {
	return text(field, s, limit, unicode.IsControl)
}

// Prose is Line for text that may have several lines.
func Prose(field, s string, limit int) (string, error) {
	return text(field, s, limit, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) })
}

// RequiredLine is Line for what must not be empty.
func RequiredLine(field, s string, limit int) (string, error) {
	line, err := Line(field, s, limit)
	if err == nil && line == "" {
		return "", Invalid(field, spoken(field)+" is missing")
	}
	return line, err
}

func text(field, s string, limit int, unwanted func(rune) bool) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unwanted):
		return "", Invalid(field, spoken(field)+" has characters that are no text")
	case utf8.RuneCountInString(s) > limit:
		return "", Reject(CodeInvalid, fmt.Sprintf("%s is longer than %d characters", spoken(field), limit),
			Reason{Rule: field, Limit: int64(limit), Actual: int64(utf8.RuneCountInString(s))})
	}
	return s, nil
}

// spoken is a field's name as it stands in a sentence.
func spoken(field string) string { return "the " + strings.ReplaceAll(field, "_", " ") }

// The longest address and its longest part before the @, in bytes, by RFC 5321.
const (
	maxEmail      = 254
	maxEmailLocal = 64
)

// NormalizeEmail returns the one form of an e-mail address by which it is known: without
// the space around it and in lower case throughout, as no provider of note tells cases
// apart. Dots and "+tags" before the @ stay. It is refused with CodeInvalid where it has
// more than 254 bytes, quoting, or characters beyond ASCII; a domain beyond ASCII is
// written in its xn-- form.
func NormalizeEmail(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxEmail {
		return "", Reject(CodeInvalid, fmt.Sprintf("%s is longer than %d bytes", spoken(field), maxEmail),
			Reason{Rule: field, Limit: maxEmail, Actual: int64(len(s))})
	}
	// Judged before it is lowered: the Kelvin sign, for one, would become a k.
	local, host, _ := strings.Cut(s, "@")
	if len(local) > maxEmailLocal || !dotted(local, isAtom) || !isHost(host) {
		return "", Invalid(field, spoken(field)+" is not of the form name@example.com")
	}
	return strings.ToLower(s), nil
}

// dotted reports whether s is one or more parts of wanted characters with single dots between.
func dotted(s string, wanted func(rune) bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool { return !wanted(r) }) {
			return false
		}
	}
	return true
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isAtom(r rune) bool {
	return isAlphanumeric(r) || strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", r)
}

func isHost(s string) bool {
	if !strings.Contains(s, ".") || !dotted(s, func(r rune) bool { return isAlphanumeric(r) || r == '-' }) {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// NormalizePhone returns a telephone number without the separators people write in it:
// "+" and 7 to 15 digits as in E.164 or, for a number given without its country, 5 to 15
// digits. An empty one stays empty; what is no number is refused with CodeInvalid.
func NormalizePhone(field, s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", nil
	}
	digits := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "").Replace(s)
	number, international := strings.CutPrefix(digits, "+")
	least := 5
	if international {
		least = 7
	}
	if len(number) < least || len(number) > 15 || strings.Trim(number, "0123456789") != "" || (international && number[0] == '0') {
		return "", Invalid(field, spoken(field)+" is no telephone number; write it as +49 30 1234567")
	}
	return digits, nil
}

package meilibleve

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxTerm bounds a word or a keyword in the index, in bytes. Longer ones are cut.
const maxTerm = 468

// ligatures are letters that Unicode does not take apart but readers do.
var ligatures = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "ı", "i")

// words cuts text into the words it is searched by: runs of letters and digits, in lower
// case and without accents, and each character by itself in scripts that put no spaces
// between words. At most limit words.
func words(text string, limit int) []string {
	var found []string
	var word strings.Builder
	flush := func() {
		if word.Len() == 0 {
			return
		}
		if len(found) < limit {
			found = append(found, cut(ligatures.Replace(word.String())))
		}
		word.Reset()
	}
	for _, r := range norm.NFKD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r):
			// An accent, taken off its letter by the normal form.
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			flush()
			word.WriteRune(r)
			flush()
		case unicode.IsLetter(r), unicode.IsNumber(r):
			word.WriteRune(unicode.ToLower(r))
		default:
			flush()
		}
		if len(found) >= limit {
			return found
		}
	}
	flush()
	return found
}

// keyword is the form in which strings are compared by filters: equal but for case and
// the way they are encoded.
func keyword(s string) string {
	return cut(strings.ToLower(norm.NFKD.String(strings.TrimSpace(s))))
}

func cut(s string) string {
	if len(s) <= maxTerm {
		return s
	}
	n := maxTerm
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

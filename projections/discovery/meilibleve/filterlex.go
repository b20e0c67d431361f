package meilibleve

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end kind = iota
	word
	quoted
	symbol
)

type token struct {
	kind kind
	text string
	at   int // where it begins, in bytes
}

// is tells whether the token is a keyword, which are written in capitals and unquoted.
func (t token) is(keyword string) bool { return t.kind == word && t.text == keyword }

var keywords = []string{"AND", "OR", "NOT", "IN", "TO", "EXISTS", "IS", "NULL", "EMPTY", "STARTS", "WITH", "CONTAINS", "_geoRadius", "_geoBoundingBox"}

func (t token) reserved() bool { return t.kind == word && slices.Contains(keywords, t.text) }

// lexer cuts a filter into tokens.
type lexer struct {
	text string
	pos  int
}

func (l *lexer) lex() (token, error) {
	for l.pos < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.pos:])
		if !unicode.IsSpace(r) {
			break
		}
		l.pos += n
	}
	at := l.pos
	if at == len(l.text) {
		return token{kind: end, at: at}, nil
	}
	switch c := l.text[at]; {
	case c == '\'' || c == '"':
		return l.quoted(c)
	case strings.IndexByte("()[],", c) >= 0:
		l.pos++
		return token{symbol, l.text[at:l.pos], at}, nil
	case strings.IndexByte("=<>!", c) >= 0:
		l.pos++
		if l.pos < len(l.text) && l.text[l.pos] == '=' && c != '=' {
			l.pos++
		}
		if l.text[at:l.pos] == "!" {
			return token{}, invalidFilter("Expected `!=`, found `!`.\n%d:%d %s", at+1, at+2, brief(l.text))
		}
		return token{symbol, l.text[at:l.pos], at}, nil
	}
	for l.pos < len(l.text) {
		r, n := utf8.DecodeRuneInString(l.text[l.pos:])
		if !(unicode.IsLetter(r) || unicode.IsNumber(r) || strings.ContainsRune("_-/.+", r)) {
			break
		}
		l.pos += n
	}
	if l.pos == at {
		return token{}, invalidFilter("Found an unexpected character at `%s`.\n%d:%d %s", brief(l.text[at:]), at+1, at+2, brief(l.text))
	}
	return token{word, l.text[at:l.pos], at}, nil
}

// quoted reads up to the closing quote. A backslash keeps the character after it from
// closing; it is itself left out before that quote only, and stays before all else, another
// backslash included. That is Meilisearch's rule, and it has no way to end in a backslash.
func (l *lexer) quoted(quote byte) (token, error) {
	at := l.pos
	for i := at + 1; i < len(l.text); i++ {
		switch l.text[i] {
		case quote:
			l.pos = i + 1
			return token{quoted, strings.ReplaceAll(l.text[at+1:i], `\`+string(quote), string(quote)), at}, nil
		case '\\':
			i++
		}
	}
	return token{}, invalidFilter("Expression `%s` is missing the following closing delimiter: `%c`.", brief(l.text[at:]), quote)
}

// brief cuts text for a message.
func brief(text string) string {
	const most = 120
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

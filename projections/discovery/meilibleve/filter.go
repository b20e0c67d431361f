package meilibleve

import (
	"encoding/json"
	"strings"
)

// Limits of a filter: bytes, and how deep parentheses and NOTs may nest.
const (
	maxFilter      = 64 << 10
	maxFilterDepth = 100
)

// filter is one node of a parsed filter.
type filter interface{ isFilter() }

type (
	allOf []filter // AND
	anyOf []filter // OR
	not   struct{ of filter }

	// compare is attribute operator value; operator is one of = > >= < <=.
	compare struct {
		attribute, operator, value string
	}
	between struct {
		attribute, from, to string
	}
	oneOf struct {
		attribute string
		values    []string
	}
	// has is a question about the presence of an attribute: exists, null or empty.
	has struct {
		attribute string
		state     presence
	}
	startsWith struct{ attribute, value string }
	// within is a circle, its radius in metres.
	within struct{ lat, lng, radius float64 }
	// box is a rectangle; it spans the date line where left is east of right.
	box struct{ top, right, bottom, left float64 }
)

func (allOf) isFilter()      {}
func (anyOf) isFilter()      {}
func (not) isFilter()        {}
func (compare) isFilter()    {}
func (between) isFilter()    {}
func (oneOf) isFilter()      {}
func (has) isFilter()        {}
func (startsWith) isFilter() {}
func (within) isFilter()     {}
func (box) isFilter()        {}

type presence string

const (
	exists presence = "e"
	null   presence = "n"
	empty  presence = "0"
)

func invalidFilter(format string, args ...any) *apiError {
	return badRequest("invalid_search_filter", format, args...)
}

// parseFilterJSON reads a filter as requests carry it: a string, or an array that is ANDed,
// in which an array is ORed. Nothing, and an empty one, give nil.
func parseFilterJSON(raw json.RawMessage) (filter, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return parseFilter(text)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, invalidFilter("Invalid syntax for the filter parameter: `expected String, Array, found: %s`.", brief(string(raw)))
	}
	var all allOf
	for _, item := range list {
		var alternatives []string
		if json.Unmarshal(item, &text) == nil {
			alternatives = []string{text}
		} else if err := json.Unmarshal(item, &alternatives); err != nil {
			return nil, invalidFilter("Invalid syntax for the filter parameter: `expected String, found: %s`.", brief(string(item)))
		}
		var any anyOf
		for _, text := range alternatives {
			f, err := parseFilter(text)
			if err != nil {
				return nil, err
			}
			if f != nil {
				any = append(any, f)
			}
		}
		if len(any) > 0 {
			all = append(all, any)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// parseFilter reads a filter expression. A blank one gives nil.
func parseFilter(text string) (filter, error) {
	if len(text) > maxFilter {
		return nil, invalidFilter("The filter is %d bytes long, more than the %d that are read.", len(text), maxFilter)
	}
	p := parser{lexer: lexer{text: text}}
	if err := p.next(); err != nil {
		return nil, err
	}
	if p.tok.kind == end {
		return nil, nil
	}
	f, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.tok.kind != end {
		return nil, p.unexpected("the end of the filter, AND or OR")
	}
	return f, nil
}

type parser struct {
	lexer
	tok token
}

func (p *parser) next() (err error) {
	p.tok, err = p.lex()
	return err
}

func (p *parser) unexpected(wanted string) error {
	found := "`" + brief(p.tok.text) + "`"
	if p.tok.kind == end {
		found = "the end of the filter"
	}
	return invalidFilter("Expected %s, found %s.\n%d:%d %s", wanted, found, p.tok.at+1, p.tok.at+1+len(p.tok.text), brief(p.text))
}

func (p *parser) or(depth int) (filter, error) {
	f, err := p.and(depth)
	if err != nil || !p.tok.is("OR") {
		return f, err
	}
	any := anyOf{f}
	for p.tok.is("OR") {
		if err := p.next(); err != nil {
			return nil, err
		}
		if f, err = p.and(depth); err != nil {
			return nil, err
		}
		any = append(any, f)
	}
	return any, nil
}

func (p *parser) and(depth int) (filter, error) {
	f, err := p.not(depth)
	if err != nil || !p.tok.is("AND") {
		return f, err
	}
	all := allOf{f}
	for p.tok.is("AND") {
		if err := p.next(); err != nil {
			return nil, err
		}
		if f, err = p.not(depth); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func (p *parser) not(depth int) (filter, error) {
	if depth > maxFilterDepth {
		return nil, invalidFilter("The filter nests deeper than %d.", maxFilterDepth)
	}
	switch {
	case p.tok.is("NOT"):
		if err := p.next(); err != nil {
			return nil, err
		}
		f, err := p.not(depth + 1)
		return not{f}, err
	case p.tok.kind == symbol && p.tok.text == "(":
		if err := p.next(); err != nil {
			return nil, err
		}
		f, err := p.or(depth + 1)
		if err != nil {
			return nil, err
		}
		return f, p.take(")")
	}
	return p.condition()
}

// take passes over a symbol.
func (p *parser) take(text string) error {
	if p.tok.kind != symbol || p.tok.text != text {
		return p.unexpected("`" + text + "`")
	}
	return p.next()
}

// value reads a word or a quoted string.
func (p *parser) value(wanted string) (string, error) {
	if p.tok.kind != word && p.tok.kind != quoted {
		return "", p.unexpected(wanted)
	}
	if p.tok.reserved() {
		return "", invalidFilter("`%s` is a reserved keyword and thus can't be used as a filter expression: put it in quotes.", p.tok.text)
	}
	text := p.tok.text
	return text, p.next()
}

func (p *parser) condition() (filter, error) {
	if p.tok.kind == word {
		switch p.tok.text {
		case "_geoRadius":
			n, err := p.numbers(3, false)
			if err != nil {
				return nil, err
			}
			return within{n[0], n[1], n[2]}, checkCircle(n)
		case "_geoBoundingBox":
			n, err := p.numbers(4, true)
			if err != nil {
				return nil, err
			}
			return box{n[0], n[1], n[2], n[3]}, checkBox(n)
		case "_geo", "_geoDistance", "_geoPoint":
			return nil, invalidFilter("`%s` is a reserved keyword and thus can't be used as a filter expression. Use the `_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, longitude], [latitude, longitude])` built-in rules to filter on `_geo` coordinates.", p.tok.text)
		}
	}
	attribute, err := p.value("an attribute")
	if err != nil {
		return nil, err
	}
	negated := p.tok.is("NOT")
	if negated {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	f, err := p.rest(attribute, negated)
	if err != nil || !negated {
		return f, err
	}
	return not{f}, nil
}

// rest reads what follows the attribute, and NOT if there was one.
func (p *parser) rest(attribute string, negated bool) (filter, error) {
	operator := p.tok
	switch {
	case operator.is("IN"):
		values, err := p.list()
		return oneOf{attribute, values}, err
	case operator.is("EXISTS"):
		return has{attribute, exists}, p.next()
	case operator.is("STARTS"):
		if err := p.next(); err != nil {
			return nil, err
		}
		if !p.tok.is("WITH") {
			return nil, p.unexpected("WITH")
		}
		if err := p.next(); err != nil {
			return nil, err
		}
		value, err := p.value("a value")
		return startsWith{attribute, value}, err
	case negated:
		return nil, p.unexpected("IN, EXISTS or STARTS WITH")
	case operator.is("IS"):
		return p.is(attribute)
	case operator.kind == symbol && strings.Contains(" = != > >= < <= ", " "+operator.text+" "):
		if err := p.next(); err != nil {
			return nil, err
		}
		value, err := p.value("a value")
		if operator.text == "!=" {
			return not{compare{attribute, "=", value}}, err
		}
		return compare{attribute, operator.text, value}, err
	}
	from, err := p.value("an operator: =, !=, >=, >, <=, <, IN, NOT IN, TO, EXISTS, NOT EXISTS, IS NULL, IS NOT NULL, IS EMPTY, IS NOT EMPTY, STARTS WITH, _geoRadius or _geoBoundingBox")
	if err != nil {
		return nil, err
	}
	if !p.tok.is("TO") {
		return nil, p.unexpected("an operator")
	}
	if err := p.next(); err != nil {
		return nil, err
	}
	to, err := p.value("a value")
	return between{attribute, from, to}, err
}

func (p *parser) is(attribute string) (filter, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	negated := p.tok.is("NOT")
	if negated {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	var f filter
	switch {
	case p.tok.is("NULL"):
		f = has{attribute, null}
	case p.tok.is("EMPTY"):
		f = has{attribute, empty}
	default:
		return nil, p.unexpected("NULL or EMPTY")
	}
	if negated {
		f = not{f}
	}
	return f, p.next()
}

// list reads IN's values; a comma after the last is allowed.
func (p *parser) list() ([]string, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	if err := p.take("["); err != nil {
		return nil, err
	}
	var values []string
	for p.tok.kind != symbol || p.tok.text != "]" {
		value, err := p.value("a value or `]`")
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if p.tok.kind == symbol && p.tok.text == "," {
			if err := p.next(); err != nil {
				return nil, err
			}
		} else if p.tok.kind != symbol || p.tok.text != "]" {
			return nil, p.unexpected("`,` or `]`")
		}
	}
	return values, p.next()
}

package groups

import (
	"regexp"
	"regexp/syntax"
	"strings"

	"daybook/eventstore"
)

// Limits of a filter, which is kept for as long as its group.
const (
	// maxExpression bounds a regular expression, or all prefixes together, in bytes.
	maxExpression = 4 << 10
	// maxPrefixes bounds the number of prefixes.
	maxPrefixes = 256
	// maxProgram bounds what an expression is compiled to, in instructions: a short one that
	// repeats much is compiled to a long program.
	maxProgram = 8 << 10
)

// Filter chooses what a group over the whole ledger is given: by stream name, or by event
// type where Types is set; by Prefixes, or by the regular expression Regex.
type Filter struct {
	Types    bool
	Prefixes []string
	Regex    string
}

// matcher returns what f passes. A nil filter passes all.
func (f *Filter) matcher() (func(eventstore.Record) bool, error) {
	if f == nil {
		return func(eventstore.Record) bool { return true }, nil
	}
	size := len(f.Regex)
	for _, p := range f.Prefixes {
		size += len(p)
	}
	if size > maxExpression || len(f.Prefixes) > maxPrefixes {
		return nil, invalid("a filter of %d bytes and %d prefixes, at most %d and %d", size, len(f.Prefixes), maxExpression, maxPrefixes)
	}
	var matches func(string) bool
	switch {
	case len(f.Prefixes) > 0 && f.Regex != "":
		return nil, invalid("a filter takes prefixes or a regular expression, not both")
	case len(f.Prefixes) > 0:
		matches = func(s string) bool {
			for _, p := range f.Prefixes {
				if strings.HasPrefix(s, p) {
					return true
				}
			}
			return false
		}
	case f.Regex != "":
		parsed, err := syntax.Parse(f.Regex, syntax.Perl)
		if err != nil {
			return nil, invalid("a filter's regular expression: %v", err)
		}
		if weight(parsed) > maxProgram {
			return nil, invalid("a filter's regular expression repeats too much")
		}
		compiled, err := regexp.Compile(f.Regex)
		if err != nil {
			return nil, invalid("a filter's regular expression: %v", err)
		}
		matches = compiled.MatchString
	default:
		return nil, invalid("a filter with neither prefixes nor a regular expression")
	}
	if f.Types {
		return func(r eventstore.Record) bool { return matches(r.Type) }, nil
	}
	return func(r eventstore.Record) bool { return matches(string(r.Stream)) }, nil
}

// weight is about how many instructions an expression is compiled to; beyond maxProgram it
// only says that it is more.
func weight(e *syntax.Regexp) int {
	own := 1
	if e.Op == syntax.OpLiteral {
		own = len(e.Rune)
	}
	for _, sub := range e.Sub {
		own = min(own+weight(sub), maxProgram+1)
	}
	if e.Op == syntax.OpRepeat {
		return min(own*max(e.Min, e.Max, 1), maxProgram+1)
	}
	return own
}

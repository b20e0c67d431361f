package meilibleve

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxDerivations bounds how many words of the index stand in for one word of a query.
const maxDerivations = 150

// vocabulary is the set of words of an index, by first letter, for finding those that a
// word of a query may have meant. Words stay in it when the last document that had them
// goes, until the index is opened again: they find nothing then. Safe for concurrent use.
type vocabulary struct {
	mu    sync.RWMutex
	known map[string]struct{}
	by    map[rune][]string
}

func newVocabulary() *vocabulary {
	return &vocabulary{known: make(map[string]struct{}), by: make(map[rune][]string)}
}

func (v *vocabulary) add(words []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range words {
		if _, ok := v.known[w]; ok || w == "" {
			continue
		}
		w = strings.Clone(w)
		v.known[w] = struct{}{}
		first, _ := utf8.DecodeRuneInString(w)
		v.by[first] = append(v.by[first], w)
	}
}

// derivation is a word of the index that stands in for one of a query.
type derivation struct {
	term   string
	typos  int
	prefix bool // only the beginning of term was asked for
}

// derive lists the words that word may have meant, the best first: itself, words within
// typos edits of it and, where prefix is set, those that begin like that. An edit of the
// first letter counts as two, as people seldom get that one wrong.
func (v *vocabulary) derive(word string, typos int, prefix bool) []derivation {
	v.mu.RLock()
	defer v.mu.RUnlock()
	var found []derivation
	consider := func(term string) {
		d, whole := distance([]rune(word), []rune(term), typos, prefix)
		if d <= typos {
			found = append(found, derivation{term: term, typos: d, prefix: !whole})
		}
	}
	first, _ := utf8.DecodeRuneInString(word)
	for _, term := range v.by[first] {
		if typos > 0 || term == word || (prefix && strings.HasPrefix(term, word)) {
			consider(term)
		}
	}
	if typos >= 2 {
		for letter, terms := range v.by {
			if letter == first {
				continue
			}
			for _, term := range terms {
				if misheard(word, term) {
					consider(term)
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b derivation) int {
		return cmp.Or(cmp.Compare(a.typos, b.typos), compareBool(a.prefix, b.prefix),
			cmp.Compare(len(a.term), len(b.term)), strings.Compare(a.term, b.term))
	})
	return found[:min(len(found), maxDerivations)]
}

// misheard tells, at little cost, whether term can be word with its first letter wrong, left
// out, put in or changed over with the second, and perhaps its end left off.
func misheard(word, term string) bool {
	_, w := utf8.DecodeRuneInString(word)
	_, t := utf8.DecodeRuneInString(term)
	tail, rest := word[w:], term[t:]
	if strings.HasPrefix(rest, tail) || strings.HasPrefix(term, tail) || strings.HasPrefix(rest, word) {
		return true
	}
	second, n := utf8.DecodeRuneInString(tail)
	other, m := utf8.DecodeRuneInString(rest)
	return n > 0 && m > 0 && strings.HasPrefix(term, string(second)) && strings.HasPrefix(word, string(other)) &&
		strings.HasPrefix(rest[m:], tail[n:])
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// distance is the number of letters put in, left out, changed, or changed over with their
// neighbour, between word and term (or, where prefix is set, the beginning of term that is
// nearest), an edit of the first letter counted twice. whole is false where only a
// beginning was that near. Past limit, any number above limit is given.
func distance(word, term []rune, limit int, prefix bool) (edits int, whole bool) {
	if len(word)-len(term) > limit || (!prefix && len(term)-len(word) > limit) {
		return limit + 1, true
	}
	if prefix && len(term) > len(word)+limit {
		term = term[:len(word)+limit]
		edits, _ = distanceWithin(word, term, limit, true)
		return edits, false
	}
	edits, whole = distanceWithin(word, term, limit, prefix)
	return edits, whole
}

func distanceWithin(word, term []rune, limit int, prefix bool) (edits int, whole bool) {
	// rows of the table for the last two letters of word and the one at hand
	width := len(term) + 1
	before, last, row := make([]int, width), make([]int, width), make([]int, width)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(word); i++ {
		row[0] = i
		best := row[0]
		for j := 1; j <= len(term); j++ {
			change := 1
			if word[i-1] == term[j-1] {
				change = 0
			}
			n := min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && word[i-1] == term[j-2] && word[i-2] == term[j-1] {
				n = min(n, before[j-2]+1)
			}
			row[j] = n
			best = min(best, n)
		}
		if best > limit {
			return limit + 1, true
		}
		before, last, row = last, row, before
	}
	edits, whole = last[len(term)], true
	if prefix {
		for _, n := range last {
			if n < edits {
				edits, whole = n, false
			}
		}
	}
	if edits > 0 && (len(word) == 0 || len(term) == 0 || word[0] != term[0]) {
		edits++
	}
	return edits, whole
}

package meilibleve

import (
	"cmp"
	"slices"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
)

// rules are the ranking rules that are computed from matches, and sort.
var rules = []string{"words", "typo", "proximity", "attribute", "attributeRank", "wordPosition", "sort", "exactness"}

const (
	maxQueryWords = 10 // as Meilisearch
	maxProximity  = 8  // how far apart two words are at most
)

// queryWord is a word that was asked for, and the words of the index that stand in for it.
type queryWord struct {
	terms map[string]derivation
	query query.Query
}

// understand finds what the words of a query may mean. Only the last may be the beginning
// of a word, and only where the text does not end in a space.
func understand(text string, v *vocabulary, s settings) []queryWord {
	asked := words(text, maxQueryWords)
	var all []queryWord
	for i, w := range asked {
		last := i == len(asked)-1
		prefix := last && !endsInSpace(text)
		q := queryWord{terms: make(map[string]derivation)}
		var list []query.Query
		for _, d := range v.derive(w, s.TypoTolerance.typosFor(w), prefix) {
			q.terms[d.term] = d
			one := bleve.NewTermQuery(d.term)
			one.SetField(wordsField)
			one.SetBoost(d.weight())
			list = append(list, one)
		}
		q.query = bleve.NewMatchNoneQuery()
		if len(list) > 0 {
			q.query = bleve.NewDisjunctionQuery(list...)
		}
		all = append(all, q)
	}
	return all
}

func endsInSpace(text string) bool {
	return text != "" && (text[len(text)-1] == ' ' || text[len(text)-1] == '\t')
}

// weight only decides which hits are looked at where there are more than a search ranks.
func (d derivation) weight() float64 {
	switch {
	case d.typos > 0:
		return 1 / float64(1+d.typos)
	case d.prefix:
		return 2
	}
	return 8
}

// match is how a hit matches: lower is better, but for words and exact.
type match struct {
	hit       *search.DocumentMatch
	words     int // how many, from the first on
	typos     int
	proximity int // how far the words stand apart, in all
	attribute int // the ranks of the attributes, in all
	position  int // the places in them
	exact     int // words matched as they were asked for
}

// place is one match of one word.
type place struct {
	typos, position int
	exact           bool
}

func matchOf(hit *search.DocumentMatch, asked []queryWord, starOnly bool) match {
	m := match{hit: hit}
	found := hit.Locations[wordsField]
	var before []place
	for i, q := range asked {
		var at []place
		for term, locations := range found {
			d, ok := q.terms[term]
			if !ok {
				continue
			}
			for _, l := range locations {
				at = append(at, place{d.typos, int(l.Pos), d.typos == 0 && !d.prefix})
			}
		}
		if len(at) == 0 {
			break
		}
		m.words++
		best := slices.MinFunc(at, func(a, b place) int {
			return cmp.Or(cmp.Compare(a.typos, b.typos), cmp.Compare(a.position, b.position), compareBool(b.exact, a.exact))
		})
		m.typos += best.typos
		if !starOnly {
			m.attribute += best.position / attributeWidth
		}
		m.position += best.position % attributeWidth
		if slices.ContainsFunc(at, func(p place) bool { return p.exact }) {
			m.exact++
		}
		at = slices.DeleteFunc(at, func(p place) bool { return p.typos > best.typos })
		if i > 0 {
			m.proximity += nearest(before, at)
		}
		before = at
	}
	return m
}

// nearest is how far apart two words stand where they stand nearest; the wrong way round
// counts one more.
func nearest(a, b []place) int {
	best := maxProximity
	for _, p := range a {
		for _, q := range b {
			d := q.position - p.position
			if d < 0 {
				d = 1 - d
			}
			if d > 0 {
				best = min(best, d)
			}
		}
	}
	return best
}

// rank puts matches in order by the ranking rules, and by arrival where all are equal.
func rank(matches []match, s settings, by sorting) {
	slices.SortStableFunc(matches, func(a, b match) int {
		for _, rule := range s.RankingRules {
			var c int
			switch rule {
			case "words":
				c = cmp.Compare(b.words, a.words)
			case "typo":
				c = cmp.Compare(a.typos, b.typos)
			case "proximity":
				c = cmp.Compare(a.proximity, b.proximity)
			case "attribute":
				c = cmp.Or(cmp.Compare(a.attribute, b.attribute), cmp.Compare(a.position, b.position))
			case "attributeRank":
				c = cmp.Compare(a.attribute, b.attribute)
			case "wordPosition":
				c = cmp.Compare(a.position, b.position)
			case "exactness":
				c = cmp.Compare(b.exact, a.exact)
			default:
				c = by.compare(rule, a.hit, b.hit)
			}
			if c != 0 {
				return c
			}
		}
		return by.arrival(a.hit, b.hit)
	})
}

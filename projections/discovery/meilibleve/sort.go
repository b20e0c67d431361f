package meilibleve

import (
	"slices"
	"strings"

	"github.com/blevesearch/bleve/v2/search"
)

// criterion is one thing to sort by.
type criterion struct {
	attribute  string
	from       *point // the distance from here, instead of an attribute
	descending bool
}

// parseSort reads criteria such as "rating:desc" and "_geoPoint(48.8, 2.3):asc".
func parseSort(list []string, s settings) ([]criterion, error) {
	var all []criterion
	for _, text := range list {
		of, descending := strings.CutSuffix(text, ":desc")
		if !descending {
			var ascending bool
			if of, ascending = strings.CutSuffix(text, ":asc"); !ascending {
				return nil, badRequest("invalid_search_sort", "Invalid syntax for the sort parameter: expected expression ending by `:asc` or `:desc`, found `%s`.", brief(text))
			}
		}
		c := criterion{attribute: of, descending: descending}
		if strings.HasPrefix(of, "_geo") {
			p, ok := parseGeoPoint(of)
			if !ok {
				return nil, badRequest("invalid_search_sort", "Invalid syntax for the sort parameter: `%s` is no `_geoPoint(latitude, longitude)` on the globe.", brief(of))
			}
			c.attribute, c.from = "_geo", &p
		}
		if _, ok := covers(s.SortableAttributes, c.attribute); !ok {
			available := "This index does not have configured sortable attributes."
			if len(s.SortableAttributes) > 0 {
				available = "Available sortable attributes are: `" + strings.Join(slices.Sorted(slices.Values(s.SortableAttributes)), ", ") + "`."
			}
			return nil, badRequest("invalid_search_sort", "Attribute `%s` is not sortable. %s", brief(c.attribute), available)
		}
		all = append(all, c)
	}
	return all, nil
}

// keys are what Bleve sorts by for a criterion: numbers before strings, and documents that
// have neither at the end, whichever the direction. known tells which fields there are: to
// look for others in every document would cost as much.
func (c criterion) keys(known func(field string) bool) search.SortOrder {
	var all search.SortOrder
	if c.from != nil {
		distance, err := search.NewSortGeoDistance(geoField, "m", c.from.lng, c.from.lat, c.descending)
		if err != nil {
			panic(err) // "m" is a unit
		}
		if c.descending { // ascending, Bleve puts those without a place last itself
			all = append(all, &search.SortField{Field: hasGeoField, Type: search.SortFieldAsString})
		}
		return append(all, distance)
	}
	mode := search.SortFieldMin
	if c.descending {
		mode = search.SortFieldMax
	}
	for _, field := range []string{sortPrefix + c.attribute, stringPrefix + c.attribute} {
		if known(field) {
			all = append(all, &search.SortField{Field: field, Desc: c.descending, Type: search.SortFieldAsString, Mode: mode})
		}
	}
	return all
}

// sorting is what Bleve sorts by, and which of it belongs to which ranking rule.
type sorting struct {
	keys  search.SortOrder
	rules map[string]span // by the rule's text; "sort" is what the request asked for
}

type span struct{ from, to int }

// sortingFor puts the keys together in the order of the ranking rules. Where words are
// searched, the rules on how they match are there as Bleve's score: it decides which hits
// are ranked where there are too many, not how. Arrival is the last key.
func sortingFor(s settings, asked []criterion, withWords bool, known func(field string) bool) sorting {
	all := sorting{rules: make(map[string]span)}
	scored := false
	for i, rule := range s.RankingRules {
		if _, twice := all.rules[rule]; twice {
			continue
		}
		from := len(all.keys)
		attribute, descending, custom := customRule(rule)
		switch {
		case rule == "sort":
			for _, c := range asked {
				all.keys = append(all.keys, c.keys(known)...)
			}
		case custom:
			all.keys = append(all.keys, criterion{attribute: attribute, descending: descending}.keys(known)...)
		case withWords && !scored && (rule != "words" || i > 0):
			all.keys = append(all.keys, &search.SortScore{Desc: true})
			scored = true
			continue
		default:
			continue
		}
		all.rules[rule] = span{from, len(all.keys)}
	}
	all.keys = append(all.keys, &search.SortField{Field: orderField, Type: search.SortFieldAsString})
	return all
}

// compare compares two hits by the keys of one rule, from the values that Bleve kept.
func (s sorting) compare(rule string, a, b *search.DocumentMatch) int {
	of := s.rules[rule]
	return s.compareKeys(of.from, of.to, a, b)
}

// arrival compares two hits by which came first.
func (s sorting) arrival(a, b *search.DocumentMatch) int {
	return s.compareKeys(len(s.keys)-1, len(s.keys), a, b)
}

func (s sorting) compareKeys(from, to int, a, b *search.DocumentMatch) int {
	for i := from; i < to; i++ {
		if c := strings.Compare(a.Sort[i], b.Sort[i]); c != 0 {
			if s.keys[i].Descending() {
				return -c
			}
			return c
		}
	}
	return 0
}

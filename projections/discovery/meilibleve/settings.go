package meilibleve

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// settings is what an index is told about its documents. The zero value of a field that
// has a default is never kept: see defaultSettings.
type settings struct {
	RankingRules         []string      `json:"rankingRules"`
	SearchableAttributes []string      `json:"searchableAttributes"`
	DisplayedAttributes  []string      `json:"displayedAttributes"`
	FilterableAttributes []string      `json:"filterableAttributes"`
	SortableAttributes   []string      `json:"sortableAttributes"`
	TypoTolerance        typoTolerance `json:"typoTolerance"`
	Pagination           pagination    `json:"pagination"`
	Faceting             faceting      `json:"faceting"`
}

type typoTolerance struct {
	Enabled             bool                `json:"enabled"`
	MinWordSizeForTypos minWordSizeForTypos `json:"minWordSizeForTypos"`
	DisableOnWords      []string            `json:"disableOnWords"`
	DisableOnAttributes []string            `json:"disableOnAttributes"`
	DisableOnNumbers    bool                `json:"disableOnNumbers"`
}

// minWordSizeForTypos is how many letters a word must have for one typo, and for two.
type minWordSizeForTypos struct {
	OneTypo  int `json:"oneTypo"`
	TwoTypos int `json:"twoTypos"`
}

type pagination struct {
	MaxTotalHits int `json:"maxTotalHits"`
}

type faceting struct {
	MaxValuesPerFacet int               `json:"maxValuesPerFacet"`
	SortFacetValuesBy map[string]string `json:"sortFacetValuesBy"`
}

func defaultSettings() settings {
	return settings{
		RankingRules:         []string{"words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"},
		SearchableAttributes: []string{"*"},
		DisplayedAttributes:  []string{"*"},
		FilterableAttributes: []string{},
		SortableAttributes:   []string{},
		TypoTolerance: typoTolerance{
			Enabled:             true,
			MinWordSizeForTypos: minWordSizeForTypos{OneTypo: 5, TwoTypos: 9},
			DisableOnWords:      []string{},
			DisableOnAttributes: []string{},
		},
		Pagination: pagination{MaxTotalHits: 1000},
		Faceting:   faceting{MaxValuesPerFacet: 100, SortFacetValuesBy: map[string]string{"*": "alpha"}},
	}
}

// fixed are the settings which this engine does not act on, in the one value it takes.
var fixed = map[string]any{
	"distinctAttribute":   nil,
	"stopWords":           []any{},
	"synonyms":            map[string]any{},
	"dictionary":          []any{},
	"separatorTokens":     []any{},
	"nonSeparatorTokens":  []any{},
	"localizedAttributes": nil,
	"proximityPrecision":  "byWord",
	"searchCutoffMs":      nil,
	"prefixSearch":        "indexingTime",
	"facetSearch":         true,
	"embedders":           map[string]any{},
}

// change returns s with what raw holds laid over it: null puts a setting back to its
// default. Lists that answers give in order are put in order here.
func (s settings) change(raw map[string]json.RawMessage) (settings, error) {
	// A copy by way of JSON, so that maps and lists are not shared with s.
	kept, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	var next settings
	if err := json.Unmarshal(kept, &next); err != nil {
		return s, err
	}
	fallback := defaultSettings()
	for name, value := range raw {
		code := "invalid_settings_" + snake(name)
		if want, ok := fixed[name]; ok {
			var got any
			if err := json.Unmarshal(value, &got); err != nil || (got != nil && !reflect.DeepEqual(got, want)) {
				return s, badRequest(code, "The embedded engine takes no other `%s` than its default.", name)
			}
			continue
		}
		target, standard := next.field(name), fallback.field(name)
		if target == nil {
			return s, badRequest("bad_request", "Unknown field `%s`.", brief(name))
		}
		if string(value) == "null" {
			reflect.ValueOf(target).Elem().Set(reflect.ValueOf(standard).Elem())
			continue
		}
		if list, ok := target.(*[]string); ok {
			*list = nil // Unmarshal would write into the old one's items
		}
		if err := json.Unmarshal(value, target); err != nil {
			return s, badRequest(code, "Invalid value for `%s`: %s.", name, err)
		}
	}
	return next.checked()
}

func (s *settings) field(name string) any {
	switch name {
	case "rankingRules":
		return &s.RankingRules
	case "searchableAttributes":
		return &s.SearchableAttributes
	case "displayedAttributes":
		return &s.DisplayedAttributes
	case "filterableAttributes":
		return &s.FilterableAttributes
	case "sortableAttributes":
		return &s.SortableAttributes
	case "typoTolerance":
		return &s.TypoTolerance
	case "pagination":
		return &s.Pagination
	case "faceting":
		return &s.Faceting
	}
	return nil
}

// The bounds of what is taken from settings.
const (
	maxAttributes = 500
	maxTotalHits  = 10_000
	maxFacets     = 1000
)

func (s settings) checked() (settings, error) {
	for _, rule := range s.RankingRules {
		if _, _, ok := customRule(rule); !ok && !slices.Contains(rules, rule) {
			return s, badRequest("invalid_settings_ranking_rules", "`%s` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, attributeRank, wordPosition, exactness and custom ranking rules.", brief(rule))
		}
	}
	for _, list := range []*[]string{&s.SearchableAttributes, &s.DisplayedAttributes, &s.FilterableAttributes, &s.SortableAttributes} {
		if len(*list) > maxAttributes {
			return s, badRequest("bad_request", "More than %d attributes.", maxAttributes)
		}
		if *list == nil {
			*list = []string{}
		}
	}
	// These two are sets, and are answered in order.
	slices.Sort(s.FilterableAttributes)
	slices.Sort(s.SortableAttributes)
	s.FilterableAttributes = slices.Compact(s.FilterableAttributes)
	s.SortableAttributes = slices.Compact(s.SortableAttributes)

	t := &s.TypoTolerance
	if size := t.MinWordSizeForTypos; size.OneTypo < 0 || size.OneTypo > size.TwoTypos || size.TwoTypos > 255 {
		return s, badRequest("invalid_settings_typo_tolerance", "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found `oneTypo: %d` and `twoTypos: %d`.", size.OneTypo, size.TwoTypos)
	}
	if len(t.DisableOnAttributes) > 0 {
		return s, badRequest("invalid_settings_typo_tolerance", "The embedded engine does not switch typo tolerance off for single attributes.")
	}
	if t.DisableOnWords == nil {
		t.DisableOnWords = []string{}
	}
	if t.DisableOnAttributes == nil {
		t.DisableOnAttributes = []string{}
	}
	if n := s.Pagination.MaxTotalHits; n < 1 || n > maxTotalHits {
		return s, badRequest("invalid_settings_pagination", "`maxTotalHits` is %d: the embedded engine takes 1 to %d.", n, maxTotalHits)
	}
	if n := s.Faceting.MaxValuesPerFacet; n < 0 || n > maxFacets {
		return s, badRequest("invalid_settings_faceting", "`maxValuesPerFacet` is %d: the embedded engine takes 0 to %d.", n, maxFacets)
	}
	for _, order := range s.Faceting.SortFacetValuesBy {
		if order != "alpha" && order != "count" {
			return s, badRequest("invalid_settings_faceting", "Unknown value `%s` at `.sortFacetValuesBy`: expected one of `alpha`, `count`.", brief(order))
		}
	}
	return s, nil
}

// answer is every setting, also the fixed ones.
func (s settings) answer() map[string]any {
	all := maps.Clone(fixed)
	for _, name := range []string{"rankingRules", "searchableAttributes", "displayedAttributes", "filterableAttributes",
		"sortableAttributes", "typoTolerance", "pagination", "faceting"} {
		all[name] = reflect.ValueOf(s.field(name)).Elem().Interface()
	}
	return all
}

// relayout tells whether documents are laid out differently under o.
func (s settings) relayout(o settings) bool {
	return !slices.Equal(s.SearchableAttributes, o.SearchableAttributes) ||
		!slices.Equal(s.FilterableAttributes, o.FilterableAttributes) ||
		!slices.Equal(s.SortableAttributes, o.SortableAttributes) ||
		!slices.Equal(s.customAttributes(), o.customAttributes())
}

// customAttributes are those that custom ranking rules sort by.
func (s settings) customAttributes() []string {
	var list []string
	for _, rule := range s.RankingRules {
		if attribute, _, ok := customRule(rule); ok {
			list = append(list, attribute)
		}
	}
	return list
}

// customRule reads a ranking rule such as "rating:desc".
func customRule(rule string) (attribute string, descending, ok bool) {
	if a, found := strings.CutSuffix(rule, ":desc"); found && a != "" {
		return a, true, true
	}
	a, found := strings.CutSuffix(rule, ":asc")
	return a, false, found && a != ""
}

// typosFor is how many typos a word of a query may have.
func (t typoTolerance) typosFor(word string) int {
	letters := len([]rune(word))
	number := strings.Trim(word, "0123456789") == ""
	switch {
	case !t.Enabled, t.DisableOnNumbers && number, slices.Contains(t.DisableOnWords, word):
		return 0
	case letters >= t.MinWordSizeForTypos.TwoTypos:
		return 2
	case letters >= t.MinWordSizeForTypos.OneTypo:
		return 1
	}
	return 0
}

// covers tells whether path is one of the attributes or inside of one; rank is which.
func covers(attributes []string, path string) (rank int, ok bool) {
	for i, a := range attributes {
		if a == "*" || a == path || (strings.HasPrefix(path, a) && path[len(a)] == '.') {
			return i, true
		}
	}
	return 0, false
}

// snake writes camelCase as error codes do.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

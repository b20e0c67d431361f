package meilibleve

import (
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search/query"
)

// bleveFilter turns a filter into a query. Attributes that are not filterable are refused.
func bleveFilter(f filter, s settings) (query.Query, error) {
	switch f := f.(type) {
	case allOf:
		list, err := bleveFilters(f, s)
		return bleve.NewConjunctionQuery(list...), err
	case anyOf:
		list, err := bleveFilters(f, s)
		return bleve.NewDisjunctionQuery(list...), err
	case not:
		of, err := bleveFilter(f.of, s)
		if err != nil {
			return nil, err
		}
		q := bleve.NewBooleanQuery()
		q.AddMust(bleve.NewMatchAllQuery())
		q.AddMustNot(of)
		return q, nil
	case compare:
		if err := s.filterable(f.attribute); err != nil {
			return nil, err
		}
		if f.operator == "=" {
			return equal(f.attribute, f.value), nil
		}
		n, err := strconv.ParseFloat(f.value, 64)
		if err != nil || !finite(n) {
			return nil, invalidFilter("Invalid value `%s`: expected a number after `%s`.", brief(f.value), f.operator)
		}
		inclusive := strings.HasSuffix(f.operator, "=")
		if f.operator[0] == '>' {
			return numbers(f.attribute, &n, nil, inclusive), nil
		}
		return numbers(f.attribute, nil, &n, inclusive), nil
	case between:
		if err := s.filterable(f.attribute); err != nil {
			return nil, err
		}
		from, err1 := strconv.ParseFloat(f.from, 64)
		to, err2 := strconv.ParseFloat(f.to, 64)
		if err1 != nil || err2 != nil || !finite(from) || !finite(to) {
			return nil, invalidFilter("Invalid values `%s` and `%s`: expected numbers around TO.", brief(f.from), brief(f.to))
		}
		return numbers(f.attribute, &from, &to, true), nil
	case oneOf:
		if err := s.filterable(f.attribute); err != nil {
			return nil, err
		}
		var list []query.Query
		for _, v := range f.values {
			list = append(list, equal(f.attribute, v))
		}
		if len(list) == 0 {
			return bleve.NewMatchNoneQuery(), nil
		}
		return bleve.NewDisjunctionQuery(list...), nil
	case startsWith:
		if err := s.filterable(f.attribute); err != nil {
			return nil, err
		}
		q := bleve.NewPrefixQuery(keyword(f.value))
		q.SetField(stringPrefix + f.attribute)
		return q, nil
	case has:
		if err := s.filterable(f.attribute); err != nil {
			return nil, err
		}
		return term(statePrefix, string(f.state)+f.attribute), nil
	case within:
		if err := s.filterable("_geo"); err != nil {
			return nil, err
		}
		q := bleve.NewGeoDistanceQuery(f.lng, f.lat, strconv.FormatFloat(f.radius, 'f', -1, 64)+"m")
		q.SetField(geoField)
		return q, nil
	case box:
		if err := s.filterable("_geo"); err != nil {
			return nil, err
		}
		q := bleve.NewGeoBoundingBoxQuery(f.left, f.top, f.right, f.bottom)
		q.SetField(geoField)
		return q, nil
	}
	return nil, invalidFilter("An unknown filter.")
}

func bleveFilters(list []filter, s settings) ([]query.Query, error) {
	var all []query.Query
	for _, f := range list {
		q, err := bleveFilter(f, s)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

func (s settings) filterable(attribute string) error {
	if _, ok := covers(s.FilterableAttributes, attribute); ok {
		return nil
	}
	if len(s.FilterableAttributes) == 0 {
		return invalidFilter("Attribute `%s` is not filterable. This index does not have configured filterable attributes.", brief(attribute))
	}
	return invalidFilter("Attribute `%s` is not filterable. Available filterable attribute patterns are: `%s`.", brief(attribute), strings.Join(slices.Sorted(slices.Values(s.FilterableAttributes)), ", "))
}

func term(field, value string) query.Query {
	q := bleve.NewTermQuery(value)
	q.SetField(field)
	return q
}

// equal finds a string and, where the value is one, a number.
func equal(attribute, value string) query.Query {
	text := term(stringPrefix+attribute, keyword(value))
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !finite(n) {
		return text
	}
	return bleve.NewDisjunctionQuery(text, numbers(attribute, &n, &n, true))
}

func numbers(attribute string, from, to *float64, inclusive bool) query.Query {
	q := bleve.NewNumericRangeInclusiveQuery(from, to, &inclusive, &inclusive)
	q.SetField(numberPrefix + attribute)
	return q
}

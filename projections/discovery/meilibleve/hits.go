package meilibleve

import (
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search"
)

// hits reads the documents of a page. One that has gone since is left out.
func (t *table) hits(page []*search.DocumentMatch, attributes []string, s settings, asked []criterion) ([]source, error) {
	for _, a := range attributes {
		if strings.Contains(a, ".") {
			return nil, badRequest("invalid_search_attributes_to_retrieve", "The embedded engine retrieves whole attributes, no parts such as `%s`.", brief(a))
		}
	}
	var from *point
	for _, c := range asked {
		if c.from != nil && from == nil {
			from = c.from
		}
	}
	hits := []source{}
	for _, hit := range page {
		d, found, err := t.get(hit.ID)
		if err != nil {
			return nil, err
		}
		if !found {
			continue
		}
		doc := d.doc.only(s.DisplayedAttributes)
		if attributes != nil {
			doc = doc.only(append([]string{""}, attributes...)) // none given is none, not all
		}
		if p, here, err := parseGeo(d.doc["_geo"]); from != nil && here && err == nil {
			doc = doc.with("_geoDistance", strconv.FormatInt(int64(math.Round(metres(*from, p))), 10))
		}
		hits = append(hits, doc)
	}
	return hits, nil
}

// with returns a copy that has one more attribute.
func (s source) with(name, value string) source {
	next := make(source, len(s)+1)
	for n, v := range s {
		next[n] = v
	}
	next[name] = json.RawMessage(value)
	return next
}

// facetsRead is how many values of a facet are counted before some are left out.
const facetsRead = 10_000

// facetsOf lists the attributes whose values are to be counted.
func facetsOf(asked []string, s settings) ([]string, error) {
	var list []string
	for _, name := range asked {
		if name == "*" {
			list = append(list, s.FilterableAttributes...)
			continue
		}
		if _, ok := covers(s.FilterableAttributes, name); !ok {
			return nil, badRequest("invalid_search_facets", "Invalid facet distribution: Attribute `%s` is not filterable. Available filterable attributes patterns are: `%s`.", brief(name), strings.Join(s.FilterableAttributes, ", "))
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(name string) bool { return name == "_geo" || name == "*" }), nil
}

func (p plan) addFacets(req *bleve.SearchRequest) {
	for _, name := range p.facets {
		req.AddFacet(name, bleve.NewFacetRequest(facetPrefix+name, facetsRead))
	}
}

// limits is the least and the greatest number of a facet.
type limits struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// facetAnswer counts values; strings that differ only in case count as one, shown as the
// most frequent of them is written.
func facetAnswer(found search.FacetResults, names []string, s settings) (map[string]counts, map[string]limits) {
	distribution, stats := make(map[string]counts), make(map[string]limits)
	for _, name := range names {
		values := make(map[string]*count)
		var list counts
		if f := found[name]; f != nil && f.Terms != nil {
			for _, t := range f.Terms.Terms() {
				value := t.Term[1:]
				if t.Term[:1] == facetNumber {
					if n, err := strconv.ParseFloat(value, 64); err == nil {
						l, ok := stats[name]
						if !ok {
							l = limits{n, n}
						}
						stats[name] = limits{min(l.Min, n), max(l.Max, n)}
					}
				}
				key := keyword(value)
				if c, ok := values[key]; ok {
					c.n += t.Count
				} else {
					values[key] = &count{value, t.Count}
				}
			}
		}
		for _, c := range values {
			list = append(list, *c)
		}
		order, ok := s.Faceting.SortFacetValuesBy[name]
		if !ok {
			order = s.Faceting.SortFacetValuesBy["*"]
		}
		slices.SortFunc(list, func(a, b count) int {
			if order == "count" {
				return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.value, b.value))
			}
			return strings.Compare(keyword(a.value), keyword(b.value))
		})
		distribution[name] = list[:min(len(list), s.Faceting.MaxValuesPerFacet)]
	}
	return distribution, stats
}

type count struct {
	value string
	n     int
}

// counts is an object in JSON, its members in this order.
type counts []count

// MarshalJSON writes {"value": n, …}.
func (c counts) MarshalJSON() ([]byte, error) {
	body := []byte{'{'}
	for i, one := range c {
		if i > 0 {
			body = append(body, ',')
		}
		value, err := json.Marshal(one.value)
		if err != nil {
			return nil, err
		}
		body = append(append(body, value...), ':')
		body = strconv.AppendInt(body, int64(one.n), 10)
	}
	return append(body, '}'), nil
}

// listDocuments answers documents in the order of arrival, or sorted.
func (e *Engine) listDocuments(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Offset int             `json:"offset"`
		Limit  *int            `json:"limit"`
		Fields []string        `json:"fields"`
		Filter json.RawMessage `json:"filter"`
		Sort   []string        `json:"sort"`
		IDs    []string        `json:"ids"`
	}
	offset, limit, err := page(r, "document")
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		if err := readJSON(r, &body); err != nil {
			return err
		}
		if offset = body.Offset; body.Limit != nil {
			limit = *body.Limit
		}
	} else if fields := r.URL.Query().Get("fields"); fields != "" {
		body.Fields = strings.Split(fields, ",")
	}
	if offset < 0 || limit < 0 || limit > maxTotalHits || offset > math.MaxInt32 {
		return badRequest("invalid_document_limit", "`limit` is 0 to %d, and `offset` 0 or more.", maxTotalHits)
	}
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	s := t.entry.Settings
	asked, err := parseSort(body.Sort, s)
	if err != nil {
		return err
	}
	s.RankingRules = []string{"sort"}
	p := plan{table: t.table, settings: s, asked: asked}
	f, err := parseFilterJSON(body.Filter)
	if err != nil {
		return err
	}
	if f != nil {
		if p.filter, err = bleveFilter(f, s); err != nil {
			return err
		}
	}
	q := bleve.NewBooleanQuery()
	if body.IDs != nil {
		q.AddMust(bleve.NewDocIDQuery(body.IDs))
	}
	req := p.request(q, sortingFor(s, asked, false, p.has), limit)
	req.From = offset
	result, err := p.bleve.SearchInContext(r.Context(), req)
	if err != nil {
		return err
	}
	results := []source{}
	for _, hit := range result.Hits {
		d, found, err := t.get(hit.ID)
		if err != nil {
			return err
		}
		if found {
			results = append(results, d.doc.only(body.Fields))
		}
	}
	answer(w, http.StatusOK, map[string]any{"results": results, "offset": offset, "limit": limit, "total": result.Total})
	return nil
}

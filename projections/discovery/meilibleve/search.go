package meilibleve

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/search"
	"github.com/blevesearch/bleve/v2/search/query"
)

// maxQuery bounds the text of a search, in bytes.
const maxQuery = 2000

// searchRequest is what of a search's parameters is acted on.
type searchRequest struct {
	Query                *string         `json:"q"`
	Offset               *int            `json:"offset"`
	Limit                *int            `json:"limit"`
	Page                 *int            `json:"page"`
	HitsPerPage          *int            `json:"hitsPerPage"`
	Filter               json.RawMessage `json:"filter"`
	Sort                 []string        `json:"sort"`
	Facets               []string        `json:"facets"`
	AttributesToRetrieve []string        `json:"attributesToRetrieve"`
	MatchingStrategy     string          `json:"matchingStrategy"`
	Locales              []string        `json:"locales"` // words are cut alike in every language
	Hybrid               *struct{}       `json:"hybrid"`  // clients send null
}

// bounds reads offset and limit; paged tells that pages were asked for instead.
func (q searchRequest) bounds() (offset, limit int, paged bool, err error) {
	value := func(p *int, fallback int, name string) int {
		if p == nil {
			return fallback
		}
		if *p < 0 || *p > math.MaxInt32 {
			err = badRequest("invalid_search_"+snake(name), "Invalid value at `.%s`: %d is no positive integer.", name, *p)
		}
		return *p
	}
	offset, limit = value(q.Offset, 0, "offset"), value(q.Limit, 20, "limit")
	if q.Page != nil || q.HitsPerPage != nil {
		paged = true
		page, size := value(q.Page, 1, "page"), value(q.HitsPerPage, 20, "hitsPerPage")
		offset, limit = max(page-1, 0)*size, size
		if page == 0 {
			limit = 0
		}
	}
	return offset, limit, paged, err
}

func (e *Engine) search(w http.ResponseWriter, r *http.Request) error {
	started := e.now()
	t, err := e.read(r.PathValue("uid"))
	if err != nil {
		return err
	}
	defer t.done()
	var q searchRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	s := t.entry.Settings
	offset, limit, paged, err := q.bounds()
	if err != nil {
		return err
	}
	if q.Hybrid != nil {
		return badRequest("invalid_search_hybrid", "The embedded engine does not search by vectors.")
	}
	if !slices.Contains([]string{"", "last", "all"}, q.MatchingStrategy) {
		return badRequest("invalid_search_matching_strategy", "Unknown value `%s` at `.matchingStrategy`: the embedded engine takes `last` and `all`.", brief(q.MatchingStrategy))
	}
	var text string
	if q.Query != nil {
		text = *q.Query
	}
	if len(text) > maxQuery {
		return badRequest("invalid_search_q", "The query is longer than %d bytes.", maxQuery)
	}
	asked, err := parseSort(q.Sort, s)
	if err != nil {
		return err
	}
	p := plan{table: t.table, settings: s, asked: asked, all: q.MatchingStrategy == "all"}
	if p.facets, err = facetsOf(q.Facets, s); err != nil {
		return err
	}
	f, err := parseFilterJSON(q.Filter)
	if err != nil {
		return err
	}
	if f != nil {
		if p.filter, err = bleveFilter(f, s); err != nil {
			return err
		}
	}
	// Like Meilisearch, nothing past maxTotalHits can be reached.
	reach := s.Pagination.MaxTotalHits
	offset = min(offset, reach)
	limit = min(limit, reach-offset)

	found, err := p.run(r.Context(), text, offset, limit)
	if err != nil {
		return err
	}
	hits, err := t.hits(found.page, q.AttributesToRetrieve, s, asked)
	if err != nil {
		return err
	}
	total := min(found.total, reach)
	body := map[string]any{"hits": hits, "query": text, "processingTimeMs": e.now().Sub(started).Milliseconds()}
	if paged {
		size := limit
		if q.HitsPerPage != nil {
			size = *q.HitsPerPage
		}
		number, pages := 1, 0
		if q.Page != nil {
			number = *q.Page
		}
		if size > 0 {
			pages = (total + size - 1) / size
		}
		body["page"], body["hitsPerPage"], body["totalHits"], body["totalPages"] = number, size, total, pages
	} else {
		body["offset"], body["limit"], body["estimatedTotalHits"] = offset, limit, total
		if q.Limit != nil {
			body["limit"] = *q.Limit
		}
	}
	if len(p.facets) > 0 {
		body["facetDistribution"], body["facetStats"] = facetAnswer(found.facets, p.facets, s)
	}
	answer(w, http.StatusOK, body)
	return nil
}

// plan is a search, understood.
type plan struct {
	*table
	settings settings
	asked    []criterion
	all      bool // every word must match, not only the first ones
	filter   query.Query
	facets   []string
}

type outcome struct {
	page   []*search.DocumentMatch
	total  int
	facets search.FacetResults
}

// run finds one page. Without words, Bleve's order is the answer. With words, what Bleve
// finds is ranked here, up to maxTotalHits of it: all that can be reached.
func (p plan) run(ctx context.Context, text string, offset, limit int) (outcome, error) {
	asked := understand(text, p.vocab, p.settings)
	by := sortingFor(p.settings, p.asked, len(asked) > 0, p.has)
	if len(asked) == 0 {
		req := p.request(bleve.NewBooleanQuery(), by, limit)
		req.From = offset
		p.addFacets(req)
		result, err := p.bleve.SearchInContext(ctx, req)
		if err != nil {
			return outcome{}, err
		}
		return outcome{result.Hits, int(result.Total), result.Facets}, nil
	}

	reach := p.settings.Pagination.MaxTotalHits
	least := 1 // how many words, from the first on, must match
	if p.all {
		least = len(asked)
	}
	req := p.request(matching(asked, least, false), by, reach)
	req.IncludeLocations = true
	p.addFacets(req)
	result, err := p.bleve.SearchInContext(ctx, req)
	if err != nil {
		return outcome{}, err
	}
	out := outcome{total: int(result.Total), facets: result.Facets}
	hits := result.Hits
	if wordsFirst := slices.Index(p.settings.RankingRules, "words") == 0; wordsFirst && out.total > reach && least < len(asked) {
		// There are more than are ranked. Those with the most words come first, and which
		// they are is not seen from one query's order.
		if hits, err = p.byWords(ctx, asked, by, reach); err != nil {
			return outcome{}, err
		}
	}
	matches := make([]match, len(hits))
	starOnly := slices.Equal(p.settings.SearchableAttributes, []string{"*"})
	for i, hit := range hits {
		matches[i] = matchOf(hit, asked, starOnly)
	}
	rank(matches, p.settings, by)
	for _, m := range matches[min(offset, len(matches)):min(offset+limit, len(matches))] {
		out.page = append(out.page, m.hit)
	}
	return out, nil
}

// byWords finds hits that match all words, then all but the last, and so on, until there
// are enough.
func (p plan) byWords(ctx context.Context, asked []queryWord, by sorting, enough int) (search.DocumentMatchCollection, error) {
	var hits search.DocumentMatchCollection
	for n := len(asked); n > 0 && len(hits) < enough; n-- {
		req := p.request(matching(asked, n, true), by, enough-len(hits))
		req.IncludeLocations = true
		result, err := p.bleve.SearchInContext(ctx, req)
		if err != nil {
			return nil, err
		}
		hits = append(hits, result.Hits...)
	}
	return hits, nil
}

// matching asks for documents with the first n words; exactly tells that the next must not
// match. The others count where they match.
func matching(asked []queryWord, n int, exactly bool) *query.BooleanQuery {
	q := bleve.NewBooleanQuery()
	for i, word := range asked {
		switch {
		case i < n:
			q.AddMust(word.query)
		case i == n && exactly:
			q.AddMustNot(word.query)
		default:
			q.AddShould(word.query)
		}
	}
	return q
}

// request asks for what q and the plan's filter find, by order of by and then of arrival.
func (p plan) request(q *query.BooleanQuery, by sorting, size int) *bleve.SearchRequest {
	if q.Must == nil {
		q.AddMust(bleve.NewMatchAllQuery())
	}
	if p.filter != nil {
		q.AddFilter(p.filter)
	}
	req := bleve.NewSearchRequestOptions(q, size, 0, false)
	req.SortByCustom(by.keys)
	return req
}

// matching lists the ids of the documents that a filter finds.
func (t *table) matching(ctx context.Context, f filter) ([]string, error) {
	q, err := bleveFilter(f, t.entry.Settings)
	if err != nil {
		return nil, err
	}
	n, err := t.count()
	if err != nil {
		return nil, err
	}
	result, err := t.bleve.SearchInContext(ctx, bleve.NewSearchRequestOptions(q, int(n), 0, false))
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(result.Hits))
	for i, hit := range result.Hits {
		ids[i] = hit.ID
	}
	return ids, nil
}

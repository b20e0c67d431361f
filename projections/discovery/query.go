package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/meilisearch/meilisearch-go"

	"daybook/domain"
	"daybook/domain/restaurant"
)

// The limits of a query. The API checks them as well, to say which field is wrong.
const (
	MaxText         = 200       // bytes of Text
	MaxValue        = 200       // bytes of Cuisine and City
	MaxLimit        = 100       // restaurants a page
	DefaultLimit    = 20        // where Limit is 0
	MaxReach        = 1000      // restaurants over all pages
	MaxRadiusMeters = 1_000_000 // 1,000 km
	MaxRating       = 5
)

var (
	// ErrInvalidQuery says that a query is outside the limits; the text says how.
	ErrInvalidQuery = errors.New("discovery: invalid query")
	// ErrNotFound says that there is no such restaurant in the index.
	ErrNotFound = errors.New("discovery: no such restaurant")
)

// Sort is the order of a search's results.
type Sort string

// The orders.
const (
	ByRelevance Sort = "relevance" // also where empty
	ByDistance  Sort = "distance"  // nearest first; needs Near
	ByRating    Sort = "rating"    // best first, those without a rating last
)

// Query asks for open restaurants. The zero value finds all of them.
type Query struct {
	// Text is searched in name, cuisine, features and place; words may be mistyped, and the
	// last may be the beginning of one. At most MaxText bytes.
	Text          string
	Cuisine, City string // equal but for case; at most MaxValue bytes
	// Near measures distances, and with RadiusMeters, 0 to MaxRadiusMeters, leaves out what
	// is further away. 0 leaves out nothing.
	Near         *Point
	RadiusMeters float64
	MinRating    float64 // 0 to 5; restaurants without a rating match 0 only
	MaxPrice     int     // 1 to 4; 0 for any
	MinParty     int     // a party this large can be seated at all; 0 for any
	Sort         Sort
	Limit        int    // 0 to MaxLimit; 0 is DefaultLimit
	Cursor       string // of the page before; empty for the first
	Facets       bool   // count cuisines, cities and price levels over all pages
}

// Hit is a restaurant found.
type Hit struct {
	Document
	DistanceMeters *int64 // from Near; nil where there is none, or the restaurant has no place
}

// Page is a part of what a query finds.
type Page struct {
	Hits []Hit
	// Total is about how many there are over all pages, at most MaxReach.
	Total int64
	// NextCursor asks for the next page; empty on the last.
	NextCursor string
	// Facets are how many restaurants have each value of "cuisine", "city" and "priceLevel".
	Facets map[string]map[string]int
}

// Search finds open restaurants. Errors: ErrInvalidQuery, else the engine's.
func (ix *Index) Search(ctx context.Context, q Query) (Page, error) {
	request, err := q.request()
	if err != nil {
		return Page{}, err
	}
	response, err := ix.service.Index(ix.name).SearchWithContext(ctx, request.Query, request)
	if err != nil {
		return Page{}, fmt.Errorf("discovery: search: %w", opened(err))
	}
	page := Page{Hits: make([]Hit, 0, len(response.Hits)), Total: response.EstimatedTotalHits}
	for _, h := range response.Hits {
		var hit Hit
		if err := h.DecodeInto(&hit.Document); err != nil {
			return Page{}, fmt.Errorf("discovery: read a hit: %w", err)
		}
		if raw, ok := h["_geoDistance"]; ok {
			if err := json.Unmarshal(raw, &hit.DistanceMeters); err != nil {
				return Page{}, fmt.Errorf("discovery: read a hit's distance: %w", err)
			}
		}
		if hit.DistanceMeters == nil && q.Near != nil && hit.Geo != nil {
			d := distance(*q.Near, *hit.Geo)
			hit.DistanceMeters = &d
		}
		page.Hits = append(page.Hits, hit)
	}
	if len(response.FacetDistribution) > 0 {
		if err := json.Unmarshal(response.FacetDistribution, &page.Facets); err != nil {
			return Page{}, fmt.Errorf("discovery: read facets: %w", err)
		}
	}
	if end := request.Offset + int64(len(page.Hits)); len(page.Hits) > 0 && end < min(page.Total, MaxReach) {
		page.NextCursor = cursorPrefix + strconv.FormatInt(end, 10)
	}
	return page, nil
}

// Get returns a restaurant's document, whatever its status. Errors: ErrNotFound, else the
// engine's.
func (ix *Index) Get(ctx context.Context, id domain.RestaurantID) (Document, error) {
	if _, err := domain.ParseRestaurantID(string(id)); err != nil {
		return Document{}, fmt.Errorf("%w: %w", ErrNotFound, err) // also the checkpoint's id ends here
	}
	var doc Document
	err := ix.service.Index(ix.name).GetDocumentWithContext(ctx, string(id), nil, &doc)
	if hasCode(err, codeDocumentNotFound) {
		return Document{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	if err != nil {
		return Document{}, fmt.Errorf("discovery: get %s: %w", id, opened(err))
	}
	return doc, nil
}

const cursorPrefix = "o"

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidQuery, fmt.Sprintf(format, args...))
}

// check tells what is outside the limits. Comparisons are written so that NaN is too.
func (q Query) check() error {
	for name, text := range map[string]string{"text": q.Text, "cuisine": q.Cuisine, "city": q.City} {
		most := MaxValue
		if name == "text" {
			most = MaxText
		}
		if len(text) > most {
			return invalid("the %s is longer than %d bytes", name, most)
		}
		if !utf8.ValidString(text) {
			return invalid("the %s is not UTF-8", name)
		}
	}
	switch {
	case q.Near != nil && !(math.Abs(q.Near.Lat) <= 90 && math.Abs(q.Near.Lng) <= 180):
		return invalid("near is not on the globe: latitude is −90 to 90, longitude −180 to 180")
	case !(q.RadiusMeters >= 0 && q.RadiusMeters <= MaxRadiusMeters):
		return invalid("the radius is 0 to %d m", MaxRadiusMeters)
	case q.RadiusMeters > 0 && q.Near == nil:
		return invalid("a radius needs a place to be near")
	case !(q.MinRating >= 0 && q.MinRating <= MaxRating):
		return invalid("the rating is 0 to %d", MaxRating)
	case q.MaxPrice < 0 || q.MaxPrice > 4:
		return invalid("the price level is 1 to 4")
	case q.MinParty < 0 || q.MinParty > 10_000:
		return invalid("the party is 1 to 10000")
	case q.Limit < 0 || q.Limit > MaxLimit:
		return invalid("the limit is 1 to %d", MaxLimit)
	case q.Sort == ByDistance && q.Near == nil:
		return invalid("sorting by distance needs a place to be near")
	case q.Sort != "" && q.Sort != ByRelevance && q.Sort != ByDistance && q.Sort != ByRating:
		return invalid("there is no such sort: relevance, distance or rating")
	}
	return nil
}

// request puts the query into the engine's terms.
func (q Query) request() (*meilisearch.SearchRequest, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	r := &meilisearch.SearchRequest{Query: plain(q.Text), Filter: q.filter(), Limit: int64(q.Limit)}
	if q.Limit == 0 {
		r.Limit = DefaultLimit
	}
	if q.Cursor != "" {
		digits, ok := strings.CutPrefix(q.Cursor, cursorPrefix)
		offset, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil || offset < 0 || offset > MaxReach {
			return nil, invalid("the cursor is none that a search gave")
		}
		r.Offset = offset
		r.Limit = min(r.Limit, max(MaxReach-offset, 1))
	}
	switch q.Sort {
	case ByDistance:
		r.Sort = []string{fmt.Sprintf("_geoPoint(%s,%s):asc", decimal(q.Near.Lat), decimal(q.Near.Lng))}
	case ByRating:
		r.Sort = []string{"rating:desc"}
	case ByRelevance:
	}
	if q.Facets {
		r.Facets = []string{"cuisine", "city", "priceLevel"}
	}
	return r, nil
}

// filter leaves out what is not asked for. All that comes from outside is either a number
// written here or quoted.
func (q Query) filter() string {
	all := []string{"status = " + quote(string(restaurant.StatusOpen))}
	if q.Cuisine != "" {
		all = append(all, "cuisine = "+quote(q.Cuisine))
	}
	if q.City != "" {
		all = append(all, "city = "+quote(q.City))
	}
	if q.MinRating > 0 {
		all = append(all, "rating >= "+decimal(q.MinRating))
	}
	if q.MaxPrice > 0 {
		all = append(all, "priceLevel 1 TO "+strconv.Itoa(q.MaxPrice))
	}
	if q.MinParty > 0 {
		all = append(all, "maxParty >= "+strconv.Itoa(q.MinParty))
	}
	if q.Near != nil && q.RadiusMeters > 0 {
		all = append(all, fmt.Sprintf("_geoRadius(%s, %s, %s)", decimal(q.Near.Lat), decimal(q.Near.Lng), decimal(q.RadiusMeters)))
	}
	return strings.Join(all, " AND ")
}

// quote writes text as a value of a filter. In a filter's quotes a backslash keeps the next
// character from closing them, but stands for itself all the same; so one that comes from
// outside is doubled, which is safe at the end too, and such a value equals none: no cuisine
// and no city has a backslash.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// plain takes from a text what the engine would read as an operator: quotes make phrases,
// and a leading minus leaves out; and control characters.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '"' || r == '\u201c' || r == '\u201d' || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = strings.TrimLeft(w, "-")
	}
	plain := strings.Join(words, " ")
	if strings.HasSuffix(text, " ") && plain != "" {
		plain += " " // the last word is whole
	}
	return plain
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// distance is along the globe, in metres.
func distance(a, b Point) int64 {
	const (
		earthRadius = 6_371_000
		rad         = math.Pi / 180
	)
	sinLat, sinLng := math.Sin((b.Lat-a.Lat)*rad/2), math.Sin((b.Lng-a.Lng)*rad/2)
	h := sinLat*sinLat + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*sinLng*sinLng
	return int64(math.Round(2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))))
}

package discovery

import (
	"cmp"
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"daybook/domain/restaurant"
)

func TestTextSearch(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix,
			doc(1, "Trattoria Bellavista", city("Hamburg")),
			doc(2, "Café Königin", cuisine("Coffee")),
			doc(3, "Luigi's Kitchen", city("Bremen")),
			doc(4, "Sushi Garden", cuisine("Japanese")),
			doc(5, "Garden House", cuisine("German"), city("Dresden")),
			doc(6, "The Long Table", func(d *Document) { d.Description = "A garden with old trees."; d.Cuisine = "German" }),
			doc(7, "Closed Garden", func(d *Document) { d.Status = restaurant.StatusDraft }),
		)
		for _, c := range []struct {
			text string
			want []string
		}{
			{"bellavista", []string{"Trattoria Bellavista"}},
			{"BELLAVISTA", []string{"Trattoria Bellavista"}},
			{"bela", []string{}},                        // four letters: no typo
			{"belav", []string{"Trattoria Bellavista"}}, // five: one, and the beginning is enough
			{"belavista", []string{"Trattoria Bellavista"}},
			{"belavitsa", []string{"Trattoria Bellavista"}}, // nine: two
			{"bellav", []string{"Trattoria Bellavista"}},
			{"bellav ", []string{}}, // a space ends the word
			{"cafe konigin", []string{"Café Königin"}},
			{"koenigin", []string{"Café Königin"}},
			{"koenigine", []string{"Café Königin"}}, // nine letters: two typos
			{"koeniginne", []string{}},
			{"luigi", []string{"Luigi's Kitchen"}},
			{"garden", []string{"Garden House", "Sushi Garden", "The Long Table"}}, // by attribute and place in it
			{"sushi garden", []string{"Sushi Garden"}},
			{"garden dresden", []string{"Garden House", "Sushi Garden", "The Long Table"}}, // both words, then one
			{"japanese", []string{"Sushi Garden"}},
			{"hamburg", []string{"Trattoria Bellavista"}},
			{`"bellavista" -berlin`, []string{"Trattoria Bellavista"}}, // no operators
			{"pizzeria", []string{}},
			{`\" OR status = draft`, []string{}},
		} {
			if got := names(find(t, ix, Query{Text: c.text})); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q: got %q, want %q", c.text, got, c.want)
			}
		}
	})
}

func TestNothingButOpenRestaurants(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		draft := doc(1, "Draft", func(d *Document) { d.Status = restaurant.StatusDraft })
		open := doc(2, "Open")
		fill(t, ix, draft, open)
		want := Page{Hits: []Hit{{Document: open}}, Total: 1}
		if got := find(t, ix, Query{}); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		// Filters from outside stay values, whatever they hold.
		for _, evil := range []string{`Italian" OR status = "draft`, `x' OR status = 'draft`, `\`, `\" OR status = draft OR city = "`, `Berlin") OR (status = draft`, "Berlin\x00", `a" OR id EXISTS OR city = "a`} {
			for _, q := range []Query{{Cuisine: evil}, {City: evil}} {
				if got := find(t, ix, q); len(got.Hits) != 0 {
					t.Errorf("%+v: got %+v", q, got)
				}
			}
		}
	})
}

func TestQuotedValuesMatch(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, doc(1, "One", cuisine(`Chef's "Own" Cooking`)), doc(2, "Two", cuisine("AND (x) OR [y], = !=")), doc(3, "Three", city("  São Paulo ")))
		for _, c := range []struct {
			q    Query
			want []string
		}{
			{Query{Cuisine: `Chef's "Own" Cooking`}, []string{"One"}},
			{Query{Cuisine: `chef's "own" cooking`}, []string{"One"}},
			{Query{Cuisine: "AND (x) OR [y], = !="}, []string{"Two"}},
			{Query{City: "são paulo"}, []string{"Three"}},
		} {
			if got := names(find(t, ix, c.q)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v: got %q, want %q", c.q, got, c.want)
			}
		}
	})
}

// TestAgainstAScan compares searches without text with what a scan of the documents finds.
func TestAgainstAScan(t *testing.T) {
	all := town(200)
	berlin := Point{52.52, 13.405}
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, all...)
		for _, q := range []Query{
			{},
			{City: "berlin"},
			{Cuisine: "ITALIAN", MinRating: 3.5},
			{City: "Hamburg", Cuisine: "Mexican", MaxPrice: 2, MinParty: 4},
			{Near: &berlin, RadiusMeters: 5000},
			{Near: &berlin, RadiusMeters: 8000, MinRating: 4, Cuisine: "Indian"},
			{MinRating: 5},
		} {
			for _, sort := range []Sort{ByRating, ByDistance} {
				q := q
				q.Sort, q.Limit = sort, 30
				if sort == ByDistance {
					q.Near = &berlin
				}
				want := scan(all, q)
				var got []Hit
				for {
					page := find(t, ix, q)
					if page.Total != int64(len(want)) {
						t.Fatalf("%+v: total %d, want %d", q, page.Total, len(want))
					}
					got = append(got, page.Hits...)
					if page.NextCursor == "" {
						break
					}
					if len(page.Hits) != 30 {
						t.Fatalf("%+v: a page of %d before the last", q, len(page.Hits))
					}
					q.Cursor = page.NextCursor
				}
				compare(t, q, got, want)
			}
		}
	})
}

// scan filters open restaurants.
func scan(all []Document, q Query) []Document {
	var found []Document
	for _, d := range all {
		if d.Status == restaurant.StatusOpen &&
			(q.City == "" || strings.EqualFold(q.City, d.City)) && (q.Cuisine == "" || strings.EqualFold(q.Cuisine, d.Cuisine)) &&
			(q.MinRating == 0 || (d.Rating != nil && *d.Rating >= q.MinRating)) && (q.MaxPrice == 0 || d.PriceLevel <= q.MaxPrice) &&
			d.MaxParty >= q.MinParty && (q.RadiusMeters == 0 || float64(distance(*q.Near, *d.Geo)) <= q.RadiusMeters) {
			found = append(found, d)
		}
	}
	return found
}

// compare wants the same documents, in order but where two are as good as each other.
func compare(t *testing.T, q Query, got []Hit, want []Document) {
	t.Helper()
	value := func(h Hit) float64 {
		switch {
		case q.Sort == ByDistance:
			return float64(*h.DistanceMeters)
		case h.Rating == nil:
			return 0
		}
		return -*h.Rating
	}
	if !slices.IsSortedFunc(got, func(a, b Hit) int { return cmp.Compare(value(a), value(b)) }) {
		t.Errorf("%+v: not in order", q)
	}
	var docs []Document
	for _, h := range got {
		if h.DistanceMeters != nil {
			if d := float64(distance(*q.Near, *h.Geo)); math.Abs(d-float64(*h.DistanceMeters)) > 2+d/200 {
				t.Errorf("%s is %v m away, not %v", h.ID, d, *h.DistanceMeters)
			}
		}
		docs = append(docs, h.Document)
	}
	slices.SortFunc(docs, func(a, b Document) int { return cmp.Compare(a.ID, b.ID) })
	if !reflect.DeepEqual(docs, want) {
		t.Errorf("%+v: got %d documents, want %d, or they differ", q, len(docs), len(want))
	}
}

func TestFacets(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, doc(1, "One"), doc(2, "Two", cuisine("italian")), doc(3, "Three", cuisine("Thai"), city("Bonn")),
			doc(4, "Four", func(d *Document) { d.PriceLevel = 3 }), doc(5, "Five", func(d *Document) { d.Status = restaurant.StatusDraft }))
		got := find(t, ix, Query{Facets: true}).Facets
		// Which of two spellings stands for both is the engine's choice.
		if n, ok := got["cuisine"]["italian"]; ok {
			delete(got["cuisine"], "italian")
			got["cuisine"]["Italian"] += n
		}
		want := map[string]map[string]int{
			"cuisine": {"Italian": 3, "Thai": 1}, "city": {"Berlin": 3, "Bonn": 1}, "priceLevel": {"0": 3, "3": 1},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestTextAndDistance(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix,
			doc(1, "Far Oven", at(52.60, 13.4)), doc(2, "Near Oven", at(52.521, 13.4)), doc(3, "Nearest Lamp", at(52.52, 13.4)),
			doc(4, "Nowhere Oven"), doc(5, "Mid Oven", at(52.54, 13.4)))
		here := Point{52.52, 13.4}
		page := find(t, ix, Query{Text: "oven", Near: &here, Sort: ByDistance})
		if got, want := names(page), []string{"Near Oven", "Mid Oven", "Far Oven", "Nowhere Oven"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if page.Hits[3].DistanceMeters != nil {
			t.Errorf("nowhere is %d m away", *page.Hits[3].DistanceMeters)
		}
		// The word counts before the distance.
		if got, want := names(find(t, ix, Query{Text: "oven far", Near: &here, Sort: ByDistance})), []string{"Far Oven", "Near Oven", "Mid Oven", "Nowhere Oven"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestQueryLimits(t *testing.T) {
	ix := embeddedEngine(t, "")
	berlin := Point{52.52, 13.405}
	for name, q := range map[string]Query{
		"text":           {Text: strings.Repeat("x", MaxText+1)},
		"text not UTF-8": {Text: "\xff"},
		"cuisine":        {Cuisine: strings.Repeat("x", MaxValue+1)},
		"city":           {City: strings.Repeat("x", MaxValue+1)},
		"limit":          {Limit: MaxLimit + 1},
		"limit below":    {Limit: -1},
		"latitude":       {Near: &Point{90.1, 0}},
		"longitude":      {Near: &Point{0, -180.1}},
		"not a number":   {Near: &Point{math.NaN(), 0}},
		"radius":         {Near: &berlin, RadiusMeters: MaxRadiusMeters + 1},
		"radius below":   {Near: &berlin, RadiusMeters: -1},
		"radius NaN":     {Near: &berlin, RadiusMeters: math.NaN()},
		"radius alone":   {RadiusMeters: 1},
		"rating":         {MinRating: 5.1},
		"rating NaN":     {MinRating: math.NaN()},
		"price":          {MaxPrice: 5},
		"party":          {MinParty: -1},
		"sort":           {Sort: "best"},
		"distance alone": {Sort: ByDistance},
		"cursor":         {Cursor: "20"},
		"cursor below":   {Cursor: "o-1"},
		"cursor beyond":  {Cursor: "o1001"},
	} {
		if _, err := ix.Search(context.Background(), q); !errors.Is(err, ErrInvalidQuery) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for name, q := range map[string]Query{
		"text":     {Text: strings.Repeat("x", MaxText)},
		"operator": {Text: `" -- '' () <> !`},
		"bounds":   {Near: &Point{90, -180}, RadiusMeters: MaxRadiusMeters, MinRating: 5, MaxPrice: 4, Limit: MaxLimit, Sort: ByDistance, Cursor: "o1000"},
	} {
		if _, err := ix.Search(context.Background(), q); err != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzFiltersStayValues(f *testing.F) {
	for _, seed := range []string{`a`, `"`, `\`, `\"`, `' OR status = draft`, "\x00", `" OR status EXISTS OR city = "`} {
		f.Add(seed, seed, seed)
	}
	ix := embeddedEngine(f, "")
	fill(f, ix, doc(1, "Draft", city("Nowhere at all"), cuisine("None at all"), func(d *Document) { d.Status = restaurant.StatusDraft }))
	f.Fuzz(func(t *testing.T, text, cuisine, city string) {
		page, err := ix.Search(context.Background(), Query{Text: text, Cuisine: cuisine, City: city})
		if err != nil && !errors.Is(err, ErrInvalidQuery) {
			t.Fatal(err)
		}
		if len(page.Hits) > 0 {
			t.Fatalf("found %+v", page)
		}
	})
}

package discovery

import (
	"context"
	"testing"
)

// The benchmarks run on the embedded engine on disk, with 20,000 restaurants.
const benchDocs = 20_000

func filled(b *testing.B) (*Index, *Writer) {
	ix := embeddedEngine(b, b.TempDir())
	all := town(benchDocs)
	w := writer(b, ix)
	for from := 0; from < len(all); from += 1000 {
		apply(b, w, Changes{To: upTo(w.at.Position + 1), Upserts: all[from : from+1000]})
	}
	b.ResetTimer()
	return ix, w
}

func BenchmarkUpsertOne(b *testing.B) {
	_, w := filled(b)
	d := doc(1, "Golden Lantern")
	for i := range b.N {
		d.Revision = uint64(i + 2)
		apply(b, w, Changes{To: upTo(w.at.Position + 1), Upserts: []Document{d}})
	}
}

func BenchmarkFill(b *testing.B) {
	all := town(benchDocs)
	b.ResetTimer()
	for range b.N {
		w := writer(b, embeddedEngine(b, b.TempDir()))
		for from := 0; from < len(all); from += 1000 {
			apply(b, w, Changes{To: upTo(w.at.Position + 1), Upserts: all[from : from+1000]})
		}
	}
	b.ReportMetric(float64(benchDocs*b.N)/b.Elapsed().Seconds(), "docs/s")
}

func BenchmarkSearch(b *testing.B) {
	ix, _ := filled(b)
	berlin := Point{52.52, 13.405}
	for _, c := range []struct {
		name string
		q    Query
	}{
		{"all", Query{}},
		{"rare", Query{Text: "golden lantern italian"}},
		{"typo", Query{Text: "goldne lantren"}}, //nolint:misspell // the typo is the point
		{"prefix", Query{Text: "lan"}},
		{"common", Query{Text: "berlin"}},
		{"near", Query{Near: &berlin, RadiusMeters: 2000, Sort: ByDistance}},
		{"text+near", Query{Text: "garden", Near: &berlin, RadiusMeters: 5000, Sort: ByDistance}},
		{"filters", Query{Cuisine: "Italian", City: "Berlin", MinRating: 4, Sort: ByRating}},
		{"facets", Query{Text: "garden", Facets: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				if _, err := ix.Search(context.Background(), c.q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package discovery

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/feed"
	"daybook/projections/discovery/meilibleve"
)

// onEveryEnd runs a test on the embedded engine and, where MEILISEARCH_URL is set, on a
// Meilisearch (with the key in MEILISEARCH_KEY), each in an empty index of its own.
func onEveryEnd(t *testing.T, test func(t *testing.T, ix *Index)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, embeddedEngine(t, t.TempDir())) })
	t.Run("memory", func(t *testing.T) { test(t, embeddedEngine(t, "")) })
	t.Run("meilisearch", func(t *testing.T) {
		url := os.Getenv("MEILISEARCH_URL")
		if url == "" {
			t.Skip("MEILISEARCH_URL is not set")
		}
		ix := setUp(t, Options{URL: url, Key: os.Getenv("MEILISEARCH_KEY"), Name: fmt.Sprintf("test_%d_%d", os.Getpid(), rand.Int64())})
		t.Cleanup(func() {
			for _, uid := range []string{ix.name, ix.name + besideSuffix} {
				if err := ix.drop(context.Background(), uid); err != nil {
					t.Error(err)
				}
			}
		})
		test(t, ix)
	})
}

func embeddedEngine(t testing.TB, dir string) *Index {
	t.Helper()
	engine, err := meilibleve.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return setUp(t, Options{URL: meilibleve.URL, Client: engine.Client(0)})
}

func setUp(t testing.TB, o Options) *Index {
	t.Helper()
	o.CheckpointEvery = time.Millisecond
	ix, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := ix.Setup(context.Background()); err != nil {
		t.Fatal(err)
	}
	return ix
}

// id numbers restaurants.
func id(n int) domain.RestaurantID {
	return domain.NewRestaurantID([16]byte{14: byte(n >> 8), 15: byte(n)})
}

// doc makes an open restaurant.
func doc(n int, name string, with ...func(*Document)) Document {
	d := Document{
		ID: id(n), Name: name, Cuisine: "Italian", Address: fmt.Sprintf("High Street %d", n), City: "Berlin", TimeZone: "Europe/Berlin",
		Features: []string{}, SeatingCapacity: 40, MaxParty: 8, Status: restaurant.StatusOpen, Revision: 1,
	}
	for _, w := range with {
		w(&d)
	}
	return d
}

func city(name string) func(*Document)  { return func(d *Document) { d.City = name } }
func cuisine(c string) func(*Document)  { return func(d *Document) { d.Cuisine = c } }
func rated(r float64) func(*Document)   { return func(d *Document) { d.Rating, d.Reviews = &r, 3 } }
func revision(n uint64) func(*Document) { return func(d *Document) { d.Revision = n } }
func at(lat, lng float64) func(*Document) {
	return func(d *Document) { d.Geo = &Point{lat, lng} }
}

// fill writes documents to an empty index.
func fill(t testing.TB, ix *Index, docs ...Document) {
	t.Helper()
	w := writer(t, ix)
	apply(t, w, Changes{To: upTo(w.at.Position + 1), Upserts: docs})
}

func upTo(p eventstore.Position) feed.Place { return feed.Place{Position: p} }

func writer(t testing.TB, ix *Index) *Writer {
	t.Helper()
	w := ix.Writer()
	if _, err := w.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

func apply(t testing.TB, w *Writer, c Changes) {
	t.Helper()
	if err := w.Apply(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

func checkpointOf(t testing.TB, ix *Index) eventstore.Position {
	t.Helper()
	p, err := ix.Writer().Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return p.Position
}

func find(t testing.TB, ix *Index, q Query) Page {
	t.Helper()
	page, err := ix.Search(context.Background(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	return page
}

func names(p Page) []string {
	list := []string{}
	for _, h := range p.Hits {
		list = append(list, h.Name)
	}
	return list
}

// town is n restaurants made up with a fixed seed, around Berlin and Hamburg.
func town(n int) []Document {
	r := rand.New(rand.NewPCG(1, 2))
	first := []string{"Golden", "Blue", "Old", "Little", "Silver", "Quiet", "Happy", "Green"}
	second := []string{"Lantern", "Garden", "Harbour", "Kitchen", "Table", "Oven", "Bridge", "Orchard", "Dragon", "Swan"}
	kinds := []string{"Italian", "Japanese", "Mexican", "Indian", "German"}
	var all []Document
	for i := range n {
		lat, lng, where := 52.52, 13.405, "Berlin"
		if i%3 == 0 {
			lat, lng, where = 53.55, 9.993, "Hamburg"
		}
		d := doc(i, first[r.IntN(len(first))]+" "+second[r.IntN(len(second))], city(where), cuisine(kinds[r.IntN(len(kinds))]),
			at(lat+(r.Float64()-0.5)/5, lng+(r.Float64()-0.5)/5))
		d.PriceLevel = 1 + r.IntN(4)
		d.MaxParty = 2 + r.IntN(10)
		if i%5 > 0 {
			rated(1 + float64(r.IntN(41))/10)(&d)
		}
		if i%10 == 9 {
			d.Status = restaurant.StatusDraft
		}
		all = append(all, d)
	}
	return all
}

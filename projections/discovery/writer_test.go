package discovery

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/projections"
	"daybook/projections/discovery/meilibleve"
)

func TestApply(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		if p := checkpointOf(t, ix); p != 0 {
			t.Fatalf("an empty index stands at %d", p)
		}
		w := writer(t, ix)
		full := doc(1, "One", at(52.5, 13.4), rated(4.5), func(d *Document) {
			d.State, d.Zip, d.PriceLevel, d.Features, d.Description = "BE", "10115", 2, []string{"terrace", "vegan"}, "Old \"house\".\nLines."
		})
		apply(t, w, Changes{To: upTo(10), Upserts: []Document{full, doc(2, "Two")}})
		if got, err := ix.Get(ctx, id(1)); err != nil || !reflect.DeepEqual(got, full) {
			t.Errorf("got %+v, %v, want %+v", got, err, full)
		}
		if p := checkpointOf(t, ix); p != 10 {
			t.Errorf("the index stands at %d, want 10", p)
		}
		apply(t, w, Changes{To: upTo(20), Upserts: []Document{doc(3, "Three")}, Deletes: []domain.RestaurantID{id(2)}})
		if _, err := ix.Get(ctx, id(2)); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted: got %v", err)
		}
		if got, want := names(find(t, ix, Query{})), []string{"One", "Three"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// What was applied is passed over.
		apply(t, w, Changes{To: upTo(20), Upserts: []Document{doc(4, "Four")}})
		if _, err := ix.Get(ctx, id(4)); !errors.Is(err, ErrNotFound) {
			t.Errorf("passed over: got %v", err)
		}
		for _, bad := range []domain.RestaurantID{checkpointID, "", "../settings", "rst_"} {
			if _, err := ix.Get(ctx, bad); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get(%q): got %v", bad, err)
			}
		}
		if err := ix.Ping(ctx); err != nil {
			t.Error(err)
		}
		if err := ix.Setup(ctx); err != nil { // again, beside documents
			t.Error(err)
		}
	})
}

// TestNeverBackwards brings older documents, as a redelivery does.
func TestNeverBackwards(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, doc(1, "New", revision(7)))
		w := writer(t, ix)
		apply(t, w, Changes{To: upTo(5), Upserts: []Document{doc(1, "Old", revision(6)), doc(2, "Beside", revision(1))}})
		if got, want := names(find(t, ix, Query{})), []string{"New", "Beside"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		// The same revision comes again where something else of the document changed.
		apply(t, w, Changes{To: upTo(6), Upserts: []Document{doc(1, "Rated", revision(7))}})
		if got, want := names(find(t, ix, Query{})), []string{"Rated", "Beside"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if p := checkpointOf(t, ix); p != 6 {
			t.Errorf("the index stands at %d, want 6", p)
		}
	})
}

// TestCheckpointMoved lets a second writer at the index.
func TestCheckpointMoved(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		a, b := writer(t, ix), writer(t, ix)
		apply(t, a, Changes{To: upTo(10), Upserts: []Document{doc(1, "One")}})
		change := Changes{To: upTo(12), Upserts: []Document{doc(1, "Late", revision(2))}}
		for range 2 { // until the checkpoint is asked for
			if err := b.Apply(ctx, change); !errors.Is(err, projections.ErrMoved) {
				t.Fatalf("got %v", err)
			}
		}
		if got, want := names(find(t, ix, Query{})), []string{"One"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if p, err := b.Checkpoint(ctx); p.Position != 10 || err != nil {
			t.Errorf("got %+v, %v", p, err)
		}
		apply(t, b, change)
		if err := a.Apply(ctx, Changes{To: upTo(11), Upserts: []Document{doc(1, "Older", revision(1))}}); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("got %v", err)
		}
		if err := ix.Writer().Apply(ctx, change); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("without a checkpoint: got %v", err)
		}
	})
}

// TestCheckpointAlone moves over records that change no document.
func TestCheckpointAlone(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		w := writer(t, ix)
		apply(t, w, Changes{To: upTo(10)})
		eventually(t, func() bool { return checkpointOf(t, ix) == 10 })
		w.ix.every = time.Hour
		apply(t, w, Changes{To: upTo(11)})
		apply(t, w, Changes{To: upTo(12)})
		if p := checkpointOf(t, ix); p != 10 {
			t.Errorf("the checkpoint was written at once: %d", p)
		}
		if err := w.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if p := checkpointOf(t, ix); p != 12 {
			t.Errorf("the index stands at %d, want 12", p)
		}
		apply(t, w, Changes{To: upTo(13)})
		apply(t, w, Changes{To: upTo(14), Upserts: []Document{doc(1, "One")}})
		if p := checkpointOf(t, ix); p != 14 {
			t.Errorf("the index stands at %d, want 14", p)
		}
	})
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
	}
}

func TestRebuild(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, doc(1, "Live"), doc(2, "Gone"))
		live := writer(t, ix)
		for _, c := range []struct {
			build string
			from  eventstore.Position
		}{{"other", 0}, {"other", 3}, {"mine", 0}} {
			w, err := ix.beginRebuild(ctx, c.build)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := w.Checkpoint(ctx); p.Position != c.from || err != nil {
				t.Fatalf("%s begins at %d, want %d, %v", c.build, p.Position, c.from, err)
			}
			if c.build == "other" {
				apply(t, w, Changes{To: upTo(3), Upserts: []Document{doc(9, "Left behind")}})
			}
		}
		r, err := ix.beginRebuild(ctx, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := r.Checkpoint(ctx); p.Position != 0 || err != nil {
			t.Fatalf("got %+v, %v", p, err)
		}
		apply(t, r, Changes{To: upTo(50), Upserts: []Document{doc(1, "Rebuilt")}})
		apply(t, r, Changes{To: upTo(60)})
		// The live index answers and moves meanwhile.
		apply(t, live, Changes{To: upTo(55), Upserts: []Document{doc(3, "Meanwhile")}})
		if got, want := names(find(t, ix, Query{})), []string{"Live", "Gone", "Meanwhile"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for range 2 { // again, as after an answer that was lost
			if err := r.takePlace(ctx); err != nil {
				t.Fatal(err)
			}
			if got, want := names(find(t, ix, Query{})), []string{"Rebuilt"}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if p := checkpointOf(t, ix); p != 60 {
				t.Errorf("the index stands at %d, want 60", p)
			}
		}
		if err := live.Apply(ctx, Changes{To: upTo(61), Upserts: []Document{doc(4, "Four")}}); !errors.Is(err, projections.ErrMoved) {
			t.Errorf("the old index's writer: got %v", err)
		}
		// Who built it stays known while it is written to.
		apply(t, writer(t, ix), Changes{To: upTo(62), Upserts: []Document{doc(5, "After")}})
		if err := r.takePlace(ctx); err != nil {
			t.Fatal(err)
		}
		if got, want := names(find(t, ix, Query{})), []string{"Rebuilt", "After"}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// away is a transport that fails, before or after the request went through.
type away struct {
	http.RoundTripper
	before, after func(*http.Request) error
}

func (a *away) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.before != nil {
		if err := a.before(r); err != nil {
			return nil, err
		}
	}
	response, err := a.RoundTripper.RoundTrip(r)
	if err == nil && a.after != nil {
		err = a.after(r)
	}
	return response, err
}

var errAway = errors.New("away")

// TestEngineAway loses requests and answers: the checkpoint moves only with the documents.
func TestEngineAway(t *testing.T) {
	ctx := context.Background()
	engine, err := meilibleve.Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	line := &away{RoundTripper: engine.Client(0).Transport}
	ix := setUp(t, Options{URL: meilibleve.URL, Client: &http.Client{Transport: line}})
	w := writer(t, ix)
	apply(t, w, Changes{To: upTo(1), Upserts: []Document{doc(1, "One")}})

	posts := func(r *http.Request) error {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/documents") {
			return errAway
		}
		return nil
	}
	change := Changes{To: upTo(2), Upserts: []Document{doc(1, "Two", revision(2))}}
	line.before = posts
	if err := w.Apply(ctx, change); !errors.Is(err, errAway) {
		t.Fatalf("got %v", err)
	}
	if p := checkpointOf(t, ix); p != 1 {
		t.Errorf("the index stands at %d", p)
	}
	line.before, line.after = nil, posts // it happens, but nobody hears of it
	if err := w.Apply(ctx, change); !errors.Is(err, errAway) {
		t.Fatalf("got %v", err)
	}
	if p := checkpointOf(t, ix); p != 2 {
		t.Errorf("the index stands at %d", p)
	}
	line.after = nil
	apply(t, w, change)
	apply(t, w, Changes{To: upTo(3), Upserts: []Document{doc(2, "Three")}})
	if got, want := names(find(t, ix, Query{})), []string{"Two", "Three"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	// A task that fails is an error, and changes nothing.
	if err := w.Apply(ctx, Changes{To: upTo(4), Upserts: []Document{doc(3, "Three"), {ID: "no id!"}}}); !hasCode(err, "invalid_document_id") {
		t.Errorf("got %v", err)
	}
	if got, want := names(find(t, ix, Query{})), []string{"Two", "Three"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if p := checkpointOf(t, ix); p != 3 {
		t.Errorf("the index stands at %d", p)
	}

	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ix.Search(canceled, Query{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestReopen finds documents and checkpoint where they were.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	t.Run("write", func(t *testing.T) { fill(t, embeddedEngine(t, dir), town(200)...) })
	t.Run("read", func(t *testing.T) {
		ix := embeddedEngine(t, dir)
		if p := checkpointOf(t, ix); p != 1 {
			t.Errorf("the index stands at %d", p)
		}
		if got := find(t, ix, Query{Text: "golden lantren"}); len(got.Hits) == 0 || got.Hits[0].Name != "Golden Lantern" { //nolint:misspell // the typo is the point
			t.Errorf("got %v", names(got))
		}
	})
}

package discovery

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/meilisearch/meilisearch-go"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/projections"
)

// noKeys: restaurants without contacts tell of no person.
type noKeys struct{ codec.Keys }

// houses is a ledger of restaurants.
type houses struct {
	t     *testing.T
	store *embedded.Store
	codec *codec.Codec
	next  map[domain.RestaurantID]eventstore.Revision
}

var storeOptions = embedded.Options{Logger: slog.New(slog.DiscardHandler), CacheBytes: 8 << 20, MemTableBytes: 4 << 20}

func newHouses(t *testing.T) *houses {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), storeOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &houses{t: t, store: store, codec: codec.New(noKeys{}), next: make(map[domain.RestaurantID]eventstore.Revision)}
}

// named registers a restaurant, or gives it another name.
func (h *houses) named(id domain.RestaurantID, name string) {
	h.t.Helper()
	ctx, stream, expected := context.Background(), codec.RestaurantStream(id), eventstore.NoStream()
	profile := restaurant.Profile{Name: name, Cuisine: "Italian", Address: "High Street 1", City: "Berlin", TimeZone: "Europe/Berlin"}
	events := []any{restaurant.Registered{ID: id, Profile: profile}, restaurant.Published{}}
	if n := h.next[id]; n > 0 {
		expected = eventstore.At(n - 1)
		events = []any{restaurant.ProfileChanged{Profile: profile}}
	}
	for i, e := range events {
		command := [16]byte{1, byte(h.next[id]), 15: byte(i)}
		encoded, err := h.codec.Encode(ctx, stream, codec.EventID(stream, command, i), e, codec.Metadata{CommandID: command, Actor: domain.System()})
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.store.Append(ctx, stream, expected, encoded); err != nil {
			h.t.Fatal(err)
		}
		expected = eventstore.At(h.next[id])
		h.next[id]++
	}
}

func (h *houses) head() eventstore.Position {
	h.t.Helper()
	p, err := h.store.Head(context.Background())
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// A view is rebuilt, put back, and put back again; what was spoiled by hand is found.
func TestRebuildAndPutBack(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		h := newHouses(t)
		h.named(id(1), "Linde")
		h.named(id(2), "Eiche")
		rebuild := func(o projections.RebuildOptions) (projections.Rebuilt, error) {
			return projections.Rebuild(ctx, h.store, ix.View(h.store, h.codec), o)
		}
		if _, err := rebuild(projections.RebuildOptions{Rollback: true}); !errors.Is(err, projections.ErrNothingKept) {
			t.Errorf("with nothing kept: %v", err)
		}
		if _, err := rebuild(projections.RebuildOptions{Build: "a"}); err != nil {
			t.Fatal(err)
		}
		spoiled := find(t, ix, Query{Text: "Eiche"}).Hits[0].Document
		spoiled.Name = "Spoiled"
		key := "id"
		if err := ix.task(ctx)(ix.service.Index(ix.name).AddDocumentsWithContext(ctx, []Document{spoiled}, &meilisearch.DocumentOptions{PrimaryKey: &key})); err != nil {
			t.Fatal(err)
		}
		differ := []projections.Compared{{What: "documents", Entries: 2, OnlyLive: 1, OnlyCopy: 1}}
		done, err := rebuild(projections.RebuildOptions{Build: "a", IfEqual: true})
		if !errors.Is(err, projections.ErrDiffers) || !reflect.DeepEqual(done.Compared, differ) {
			t.Errorf("got %+v, %v", done, err)
		}
		h.named(id(1), "Linden")
		for _, c := range []struct {
			rollback bool
			second   string
		}{{false, "Eiche"}, {true, "Spoiled"}, {true, "Eiche"}, {false, "Eiche"}} {
			done, err := rebuild(projections.RebuildOptions{Build: "a", Rollback: c.rollback})
			if err != nil || done.Position != h.head() {
				t.Fatalf("%+v, %v", done, err)
			}
			found := map[string]bool{}
			for _, name := range names(find(t, ix, Query{})) {
				found[name] = true
			}
			if want := map[string]bool{"Linden": true, c.second: true}; !reflect.DeepEqual(found, want) {
				t.Errorf("got %v, want %v", found, want)
			}
			if p := checkpointOf(t, ix); p != h.head() {
				t.Errorf("stands at %d, want %d", p, h.head())
			}
		}
	})
}

// What a rebuild left unfinished is gone on with only where it is to replace the index that
// is live: else what it replaced could not be put back. It is not what is kept, either.
func TestRebuildOfAnIndexThatIsLiveNoMore(t *testing.T) {
	ctx := context.Background()
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		fill(t, ix, doc(1, "First"))
		first, err := ix.beginRebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		h := newHouses(t)
		if _, err := ix.View(h.store, h.codec).Kept(ctx); !errors.Is(err, projections.ErrNothingKept) {
			t.Errorf("what is unfinished is kept: %v", err)
		}
		apply(t, first, Changes{To: upTo(2), Upserts: []Document{doc(1, "Second")}})
		if err := first.takePlace(ctx); err != nil {
			t.Fatal(err)
		}
		if err := ix.drop(ctx, ix.name+besideSuffix); err != nil {
			t.Fatal(err)
		}
		left, err := ix.beginRebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		apply(t, left, Changes{To: upTo(3), Upserts: []Document{doc(1, "Left")}})
		// The live index is lost, and made anew by whoever comes first.
		if err := ix.drop(ctx, ix.name); err != nil {
			t.Fatal(err)
		}
		if err := ix.Setup(ctx); err != nil {
			t.Fatal(err)
		}
		w, err := ix.beginRebuild(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		if p, err := w.Checkpoint(ctx); err != nil || p.Position != 0 || w.origin.Replaces != "" {
			t.Errorf("begins at %d in place of %q, %v", p.Position, w.origin.Replaces, err)
		}
	})
}

package discovery

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"reflect"
	"testing"
	"time"

	"daybook/internal/enginetest"
	"daybook/projections"
)

// TestALedgerThatWasPutBack and has grown past where the index stands: it is made anew, and
// nobody finds what is lost.
func TestALedgerThatWasPutBack(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, ix *Index) {
		h := newHouses(t)
		h.named(id(1), "Linde")
		restored := &houses{t: t, store: enginetest.Backup(t, h.store, storeOptions), codec: h.codec, next: maps.Clone(h.next)}
		h.named(id(2), "Lost")
		run := func(h *houses) {
			t.Helper()
			v := ix.View(h.store, h.codec)
			r, err := projections.NewRunner(h.store, projections.Options{
				Logger: slog.New(slog.DiscardHandler), Build: func() (string, error) { return "this", nil },
			}, v)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- r.Run(context.Background()) }()
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			if err := errors.Join(r.Wait(ctx, viewName, h.head()), r.Close(), <-ended, v.Close(ctx)); err != nil {
				t.Fatalf("%v; %+v", err, r.Status())
			}
		}
		run(h)
		for i := range 3 {
			restored.named(id(3+i), []string{"Ahorn", "Birke", "Erle"}[i])
		}
		run(restored)
		found := map[string]bool{}
		for _, name := range names(find(t, ix, Query{})) {
			found[name] = true
		}
		if want := map[string]bool{"Linde": true, "Ahorn": true, "Birke": true, "Erle": true}; !reflect.DeepEqual(found, want) {
			t.Errorf("found %v, want %v", found, want)
		}
	})
}

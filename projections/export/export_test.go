package export

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"daybook/domain"
	"daybook/domain/restaurant"
	"daybook/eventstore"
	"daybook/eventstore/canon"
	"daybook/eventstore/codec"
	"daybook/eventstore/embedded"
	"daybook/eventstore/storetest"
	"daybook/projections/reporting"
)

// book is a ledger with its tables, whose clock the test sets.
type book struct {
	t     *testing.T
	store eventstore.Store
	db    *reporting.Database
	view  *reporting.View
	now   time.Time
	n     byte
}

func newBook(t *testing.T) *book {
	t.Helper()
	return newBookOn(t, filepath.Join(t.TempDir(), "reporting.db"))
}

// newBookOn has its tables at a place of reporting.Open.
func newBookOn(t *testing.T, tables string) *book {
	t.Helper()
	b := &book{t: t, now: time.Date(2026, 9, 30, 12, 0, 0, 0, time.UTC)}
	var err error
	store, err := embedded.Open("ledger", embedded.Options{
		FS: vfs.NewMem(), Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20, MemTableBytes: 1 << 20, Clock: func() time.Time { return b.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.store = storetest.Sparse(store)
	if b.db, err = reporting.Open(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.db.Close() })
	b.view = b.db.View(b.store, codec.New(nil))
	return b
}

// register puts a restaurant on record, now, and an event of another client beside it.
func (b *book) register(name string) {
	b.t.Helper()
	b.n++
	id := domain.NewRestaurantID([16]byte{b.n})
	stream := codec.RestaurantStream(id)
	e, err := codec.New(nil).Encode(b.t.Context(), stream, eventstore.EventID{1, b.n}, restaurant.Registered{
		Stamp: domain.Stamp{At: domain.InstantOf(b.now)}, ID: id, Owner: domain.NewUserID([16]byte{9}),
		Profile: restaurant.Profile{Name: name, TimeZone: "Europe/Berlin"},
	}, codec.Metadata{Actor: domain.Actor{Kind: domain.ActorSystem}})
	if err != nil {
		b.t.Fatal(err)
	}
	foreign := eventstore.Event{ID: eventstore.EventID{2, b.n}, Type: "written", Data: []byte(`{"by": "another"}`), Metadata: []byte(`x`)}
	if _, err := b.store.Append(b.t.Context(), stream, eventstore.Any(), e); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.store.Append(b.t.Context(), "another-client", eventstore.Any(), foreign); err != nil {
		b.t.Fatal(err)
	}
	b.follow()
}

func (b *book) follow() {
	b.t.Helper()
	at, err := b.view.Checkpoint(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	batch := eventstore.Batch{Position: at.Position}
	for r, err := range b.store.ReadAll(b.t.Context(), at.Position, eventstore.Filter{}) {
		if err != nil {
			b.t.Fatal(err)
		}
		batch.Records, batch.Position = append(batch.Records, r), r.Position
	}
	if err := b.view.Apply(b.t.Context(), batch); err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) run(o Options) (Report, error) {
	o.Now = func() time.Time { return time.Unix(0, 0) }
	r, err := Run(b.t.Context(), b.store, b.db, o)
	r.Took = 0
	return r, err
}

func (b *book) export(o Options) Report {
	b.t.Helper()
	r, err := b.run(o)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// contents is every file below a folder but the lock.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == lockName {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, path))
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestIncremental: a later run writes what is new, and the folder is then what one run at
// the end would have made of it, but for how events are divided into parts.
func TestIncremental(t *testing.T) {
	for _, format := range Formats {
		b, dir := newBook(t), t.TempDir()
		b.register("one")
		first := b.export(Options{To: dir, Format: format})
		if first.Events != 2 || first.Rows != 2 || first.Kept != 0 || first.Files != 4 {
			t.Errorf("%s: the first run: %+v", format, first)
		}
		before := contents(t, dir)
		again := b.export(Options{To: dir, Format: format})
		if again.Events != 0 || again.Rows != 0 || again.Files != 0 || again.Kept != 3 || !reflect.DeepEqual(contents(t, dir), before) {
			t.Errorf("%s: nothing happened, yet: %+v", format, again)
		}
		b.now = b.now.AddDate(0, 0, 1) // October
		b.register("two")
		b.register("three")
		later := b.export(Options{To: dir, Format: format})
		if later.Events != 4 || later.Kept != 2 { // parked_records, and September of audit_entries
			t.Errorf("%s: the later run: %+v", format, later)
		}
		whole := t.TempDir()
		b.export(Options{To: whole, Format: format})
		if got, want := contents(t, dir), contents(t, whole); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: by runs %q\nat once %q", format, keys(got), keys(want))
		}
	}
}

func keys(m map[string]string) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

// TestCutOff ends runs in the middle and finishes them with the next.
func TestCutOff(t *testing.T) {
	b, whole := newBook(t), t.TempDir()
	for range 4 {
		b.register("one")
		b.now = b.now.AddDate(0, 1, 0)
	}
	b.export(Options{To: whole, Format: "ndjson"})
	want := contents(t, whole)

	// Before each stage ends.
	for _, stage := range Names() {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Run(ctx, b.store, b.db, Options{To: dir, Format: "ndjson", Progress: func(s string, _, _ uint64) {
			if s == stage {
				cancel()
			}
		}})
		cancel()
		if err == nil && stage != Events && stage != "parked_records" {
			t.Errorf("%s: it was not cut off", stage)
		}
		b.export(Options{To: dir, Format: "ndjson"})
		if got := contents(t, dir); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", stage, keys(got), keys(want))
		}
	}

	// A commit that was begun, some files in place already, is finished; what was not, is swept.
	dir := t.TempDir()
	f, err := openFolder(Options{To: dir, Format: "ndjson"})
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	if err := json.Unmarshal([]byte(want[manifestName]), &j.Manifest); err != nil {
		t.Fatal(err)
	}
	for path, text := range want {
		if path == manifestName {
			continue
		}
		j.Place = append(j.Place, path)
		name := path
		if len(j.Place)%2 == 0 {
			name += partial
		}
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.write(journalName, j), f.close(), os.WriteFile(filepath.Join(dir, "left"+partial), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if r := b.export(Options{To: dir, Format: "ndjson"}); r.Files != 0 || !reflect.DeepEqual(contents(t, dir), want) {
		t.Errorf("%+v: %q", r, keys(contents(t, dir)))
	}
}

// TestLinesAreTheLedgers: events as NDJSON are the ledger's canonical lines, in path order.
func TestLinesAreTheLedgers(t *testing.T) {
	b, dir := newBook(t), t.TempDir()
	for range 3 {
		b.register("one")
		b.now = b.now.AddDate(0, 1, 0)
	}
	b.export(Options{To: dir, Format: "ndjson", What: []string{Events}})
	var want, got []byte
	for r, err := range b.store.ReadAll(t.Context(), 0, eventstore.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if want, err = canon.AppendLine(want, r); err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
	}
	parts, err := filepath.Glob(filepath.Join(dir, "events", "*", "*.ndjson"))
	if err != nil || len(parts) != 3 {
		t.Fatalf("%q, %v", parts, err)
	}
	for _, p := range parts {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, text...)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	some := t.TempDir()
	if r := b.export(Options{To: some, Format: "csv", What: []string{Events}, Since: "2026-10", Until: "2026-10"}); r.Events != 2 || r.Files != 1 {
		t.Errorf("of one month: %+v", r)
	}
}

func TestRefusals(t *testing.T) {
	b, dir := newBook(t), t.TempDir()
	b.register("one")
	for _, o := range []Options{
		{To: dir, Format: "xlsx"}, {To: dir, Format: "csv", What: []string{"passwords"}}, {To: dir, Format: "csv", Since: "2026"},
		{To: dir, Format: "csv", Since: "2026-02", Until: "2026-01"},
	} {
		if _, err := b.run(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if len(contents(t, dir)) != 0 {
		t.Errorf("a refused run wrote %q", keys(contents(t, dir)))
	}
	b.export(Options{To: dir, Format: "csv"})
	before := contents(t, dir)
	for name, try := range map[string]func() error{
		"another format": func() error { _, err := b.run(Options{To: dir, Format: "parquet"}); return err },
		"other months":   func() error { _, err := b.run(Options{To: dir, Format: "csv", Since: "2026-01"}); return err },
		"another ledger": func() error {
			other := newBook(t)
			other.n = 100
			other.register("other")
			other.register("other")
			_, err := other.run(Options{To: dir, Format: "csv"})
			return err
		},
		"an earlier state": func() error {
			other := newBook(t)
			_, err := other.run(Options{To: dir, Format: "csv"})
			return err
		},
		"a manifest without contents": func() error {
			some := t.TempDir()
			text := []byte(`{"version":1,"format":"csv","datasets":{"events":null,"days":null}}`)
			if err := os.WriteFile(filepath.Join(some, manifestName), text, 0o600); err != nil {
				return err
			}
			_, err := b.run(Options{To: some, Format: "csv"})
			return err
		},
		"what is no export": func() error {
			some := t.TempDir()
			if err := os.WriteFile(filepath.Join(some, "photo.jpg"), nil, 0o600); err != nil {
				return err
			}
			_, err := b.run(Options{To: some, Format: "csv"})
			return err
		},
	} {
		if err := try(); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, err := openFolder(Options{To: dir, Format: "csv"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(Options{To: dir, Format: "csv"}); !errors.Is(err, ErrBusy) {
		t.Errorf("two at once: %v", err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if !reflect.DeepEqual(contents(t, dir), before) {
		t.Error("a refused run changed something")
	}
	if !strings.Contains(before["restaurants/part.csv"], "one") {
		t.Errorf("restaurants: %s", before["restaurants/part.csv"])
	}
}

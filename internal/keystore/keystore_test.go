package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"daybook/eventstore/codec"
	"daybook/internal/enginetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction(enginetest.SupervisorFunc))
}

var testMaster = MasterKey{1, 2, 3}

// ends lists what the suite runs over. Each call of the inner function opens the same
// database once more.
func ends(t *testing.T) map[string]func(MasterKey) (*Store, error) {
	dir, url := t.TempDir(), enginetest.Postgres(t)
	return map[string]func(MasterKey) (*Store, error){
		"file":     func(m MasterKey) (*Store, error) { return OpenFile(t.Context(), dir, &m) },
		"postgres": func(m MasterKey) (*Store, error) { return OpenPostgres(t.Context(), url, m) },
	}
}

// onEveryEnd runs test with a function that opens stores on one fresh database; they are
// closed when the test ends.
func onEveryEnd(t *testing.T, test func(t *testing.T, open func() *Store)) {
	for name, end := range ends(t) {
		t.Run(name, func(t *testing.T) {
			test(t, func() *Store {
				t.Helper()
				s, err := end(testMaster)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			})
		})
	}
}

func wantErr(t *testing.T, want error, err error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func mustEnsure(t *testing.T, s *Store, subject string) codec.Key {
	t.Helper()
	key, err := s.Ensure(context.Background(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeys(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx := t.Context()
		s := open()
		_, err := s.Get(ctx, "usr_a")
		wantErr(t, codec.ErrNoKey, err)
		a, b := mustEnsure(t, s, "usr_a"), mustEnsure(t, s, "usr_b")
		if a == b || a == (codec.Key{}) || b == (codec.Key{}) {
			t.Errorf("keys %x and %x", a, b)
		}
		if again := mustEnsure(t, s, "usr_a"); again != a {
			t.Errorf("ensured again: %x, want %x", again, a)
		}
		if got, err := s.Get(ctx, "usr_a"); got != a || err != nil {
			t.Errorf("get: %x, %v", got, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(ctx, "usr_a"); err == nil || errors.Is(err, codec.ErrNoKey) || errors.Is(err, codec.ErrErased) {
			t.Errorf("a closed store says of a key: %v", err)
		}
		_, err = s.writer.ensure(ctx, "usr_c")
		wantErr(t, ErrClosed, err)
		if got, err := open().Get(ctx, "usr_a"); got != a || err != nil {
			t.Errorf("after opening again: %x, %v", got, err)
		}
	})
}

func TestDropIsForEver(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		ctx := t.Context()
		s, other := open(), open()
		kept := mustEnsure(t, s, "usr_kept")
		mustEnsure(t, s, "usr_dropped")
		for _, subject := range []string{"usr_dropped", "usr_dropped", "usr_never_was"} {
			if err := s.Drop(ctx, subject); err != nil {
				t.Fatal(err)
			}
		}
		for _, store := range []*Store{s, other, open()} {
			for _, subject := range []string{"usr_dropped", "usr_never_was"} {
				_, err := store.Get(ctx, subject)
				wantErr(t, codec.ErrErased, err)
				_, err = store.Ensure(ctx, subject)
				wantErr(t, codec.ErrErased, err)
				_, err = store.writer.ensure(ctx, subject) // lost the race against the drop
				wantErr(t, codec.ErrErased, err)
			}
			if got, err := store.Get(ctx, "usr_kept"); got != kept || err != nil {
				t.Errorf("the other key: %x, %v", got, err)
			}
		}
	})
}

// TestOneKeyForAll races many goroutines and two stores for the same subjects.
func TestOneKeyForAll(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		stores := []*Store{open(), open()}
		const subjects, racers = 40, 8
		got := make([][racers]codec.Key, subjects)
		var all sync.WaitGroup
		for i := range subjects {
			for j := range racers {
				all.Go(func() {
					// Straight to the writer, so that all come there at once.
					key, err := stores[j%2].writer.ensure(context.Background(), fmt.Sprint("usr_", i))
					if err != nil {
						t.Error(err)
					}
					got[i][j] = key
				})
			}
		}
		all.Wait()
		different := map[codec.Key]bool{}
		for i, keys := range got {
			for _, key := range keys {
				if key != keys[0] {
					t.Fatalf("subject %d has several keys", i)
				}
			}
			different[keys[0]] = true
		}
		if len(different) != subjects {
			t.Errorf("%d different keys for %d subjects", len(different), subjects)
		}
	})
}

// TestMoreThanOneWrite: what does not fit into one write comes with the next.
func TestMoreThanOneWrite(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		s := open()
		var all sync.WaitGroup
		for i := range 3 * maxKeysPerWrite {
			all.Go(func() {
				key, err := s.Ensure(context.Background(), fmt.Sprint("usr_", i))
				if err != nil {
					t.Error(err)
				} else if got, err := s.Get(context.Background(), fmt.Sprint("usr_", i)); got != key || err != nil {
					t.Errorf("subject %d: %v", i, err)
				}
			})
		}
		all.Wait()
	})
}

func TestEnsureGivesUp(t *testing.T) {
	release := make(chan struct{})
	var w writer
	w.init(func(_ context.Context, subjects []string) (map[string]found, error) {
		<-release
		all := map[string]found{}
		for _, s := range subjects[:len(subjects)-1] {
			all[s] = found{key: codec.Key{byte(len(s))}}
		}
		return all, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.ensure(ctx, "first")
	wantErr(t, context.Canceled, err)
	close(release)
	w.close() // waits for the write that was begun
	_, err = w.ensure(context.Background(), "second")
	wantErr(t, ErrClosed, err)
}

func TestFailedWrite(t *testing.T) {
	away := errors.New("away")
	for _, tc := range []struct{ fails, want error }{{away, away}, {nil, errVanished}} {
		var w writer
		w.init(func(context.Context, []string) (map[string]found, error) { return nil, tc.fails })
		key, err := w.ensure(context.Background(), "usr_a")
		wantErr(t, tc.want, err)
		if key != (codec.Key{}) {
			t.Errorf("got key %x", key)
		}
		w.close()
	}
}

func TestSecrets(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		stores := []*Store{open(), open()}
		var all sync.WaitGroup
		got := make([][]byte, 16)
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = stores[i%2].Secret(context.Background(), "tokens"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, secret := range got {
			if len(secret) != 32 || !bytes.Equal(secret, got[0]) {
				t.Fatalf("several secrets: %x", got)
			}
		}
		if other, err := stores[0].Secret(t.Context(), "emails"); err != nil || bytes.Equal(other, got[0]) {
			t.Errorf("another secret: %x, %v", other, err)
		}
		if later, err := open().Secret(t.Context(), "tokens"); err != nil || !bytes.Equal(later, got[0]) {
			t.Errorf("later: %x, %v; want %x", later, err, got[0])
		}
	})
}

func TestWrongMasterKey(t *testing.T) {
	for name, open := range ends(t) {
		t.Run(name, func(t *testing.T) {
			s, err := open(testMaster)
			if err != nil {
				t.Fatal(err)
			}
			key := mustEnsure(t, s, "usr_a")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := open(MasterKey{9}); !errors.Is(err, ErrMasterKey) {
				t.Errorf("opened with another master key: %v", err)
			}
			if s, err = open(testMaster); err != nil {
				t.Fatal(err)
			}
			if got := mustEnsure(t, s, "usr_a"); got != key {
				t.Errorf("got %x, want %x", got, key)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestMovedRow: a wrapped key put under another subject does not open.
func TestMovedRow(t *testing.T) {
	onEveryEnd(t, func(t *testing.T, open func() *Store) {
		s := open()
		mustEnsure(t, s, "usr_a")
		if _, err := s.db.Exec(`UPDATE keystore_subjects SET subject = 'usr_b'`); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "usr_b")
		wantErr(t, ErrMasterKey, err)
	})
}

package keystore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

	w = writer{}
	w.init(func(context.Context, []string) (map[string]found, error) { return map[string]found{}, nil })
	if key, err := w.ensure(context.Background(), "vanished"); err == nil {
		t.Errorf("a key that does not stand in the database was answered as %x", key)
	}
	away := errors.New("away")
	w.init(func(context.Context, []string) (map[string]found, error) { return nil, away })
	_, err = w.ensure(context.Background(), "usr_a")
	wantErr(t, away, err)
	w.close()
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

func TestOwnMasterKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "with space?&#%41")
	open := func() (*Store, error) { return OpenFile(t.Context(), dir, nil) }
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	key := mustEnsure(t, s, "usr_a")
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 { // keys.db, its -wal and -shm, master.key
		t.Errorf("files %q, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = open(); err != nil {
		t.Fatal(err)
	}
	if got := mustEnsure(t, s, "usr_a"); got != key {
		t.Errorf("got %x, want %x", got, key)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, masterFile)
	for _, text := range []string{"", "AAAA", "no base 64", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open()
		wantErr(t, ErrMasterKey, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = open()
	wantErr(t, ErrMasterKey, err)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lost master key was replaced: %v", err)
	}
}

// TestManyBegin: processes that start at once on an empty folder agree on one master key.
func TestManyBegin(t *testing.T) {
	dir := t.TempDir()
	var all sync.WaitGroup
	keys := make([]codec.Key, 6)
	for i := range keys {
		all.Go(func() {
			s, err := OpenFile(context.Background(), dir, nil)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = mustEnsure(t, s, "usr_a")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("several keys")
		}
	}
}

// TestDroppedKeyLeavesTheFiles: not even its wrapped form is found afterwards.
func TestDroppedKeyLeavesTheFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenFile(t.Context(), dir, &testMaster)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	mustEnsure(t, s, "usr_kept")
	key := mustEnsure(t, s, "usr_dropped")
	var wrapped []byte
	if err := s.db.QueryRow(`SELECT wrapped FROM keystore_subjects WHERE subject = 'usr_dropped'`).Scan(&wrapped); err != nil {
		t.Fatal(err)
	}
	if on := onDisk(t, dir, wrapped); !on {
		t.Error("the wrapped key is not in the files even before the drop: the test looks in the wrong place")
	}
	if onDisk(t, dir, key[:]) {
		t.Error("the key is in the files as it is")
	}
	if err := s.Drop(t.Context(), "usr_dropped"); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, dir, wrapped) {
		t.Error("the wrapped key is still in the files")
	}
}

func onDisk(t *testing.T, dir string, what []byte) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, what) {
			return true
		}
	}
	return false
}

func TestMemory(t *testing.T) {
	s, err := Memory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { mustEnsure(t, s, "usr_a") })
	}
	all.Wait()
	if got, err := s.Get(t.Context(), "usr_a"); err != nil || got != mustEnsure(t, s, "usr_a") {
		t.Errorf("got %x, %v", got, err)
	}
	if err := s.Drop(t.Context(), "usr_a"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Get(t.Context(), "usr_a")
	wantErr(t, codec.ErrErased, err)
}

func TestMasterKeyHidesItself(t *testing.T) {
	text := base64.StdEncoding.EncodeToString(testMaster[:])
	key, err := ParseMasterKey(text + "\n")
	if err != nil || key != testMaster {
		t.Fatalf("got %v", err)
	}
	for _, shown := range []string{fmt.Sprint(key), fmt.Sprintf("%+v %#v %s", key, key, key)} {
		if strings.Contains(shown, "1, 2") || strings.Contains(shown, "1 2") || strings.Contains(shown, "0x1") {
			t.Errorf("shows itself as %s", shown)
		}
	}
	if _, err := ParseMasterKey(text[:20]); !errors.Is(err, ErrMasterKey) || strings.Contains(err.Error(), text[:8]) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkEnsure(b *testing.B) {
	s, err := OpenFile(b.Context(), b.TempDir(), &testMaster)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	b.SetParallelism(32)
	var n sync.Mutex
	i := 0
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n.Lock()
			i++
			subject := fmt.Sprint("rsv_", i)
			n.Unlock()
			if _, err := s.Ensure(b.Context(), subject); err != nil {
				b.Fatal(err)
			}
		}
	})
}

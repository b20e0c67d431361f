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

	"daybook/eventstore/codec"
)

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
	// Enough of them that rows are moved within pages and between them.
	wrapped := map[string][]byte{}
	for i := range 60 {
		subject := fmt.Sprint("usr_", i)
		key := mustEnsure(t, s, subject)
		var w []byte
		if err := s.db.QueryRow(`SELECT wrapped FROM keystore_subjects WHERE subject = $1`, subject).Scan(&w); err != nil {
			t.Fatal(err)
		}
		if onDisk(t, dir, key[:]) {
			t.Fatal("the key is in the files as it is")
		}
		wrapped[subject] = w
	}
	for subject, w := range wrapped {
		if !onDisk(t, dir, w) {
			t.Fatal("the wrapped key is not in the files even before the drop: the test looks in the wrong place")
		}
		if err := s.Drop(t.Context(), subject); err != nil {
			t.Fatal(err)
		}
		if onDisk(t, dir, w) {
			t.Fatal("the wrapped key is still in the files")
		}
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

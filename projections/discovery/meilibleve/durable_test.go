package meilibleve

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// TestSwap changes over two pairs at once, while searches go on.
func TestSwap(t *testing.T) {
	onBoth(t, func(t *testing.T, e *Engine) {
		for _, uid := range []string{"a", "b", "c", "d"} {
			succeed(t, e, "POST", "/indexes/"+uid+"/documents", `{"id": "`+uid+`"}`)
		}
		stop := make(chan struct{})
		var searching sync.WaitGroup
		for range 2 {
			searching.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						ids(t, e, "a", `{}`)
					}
				}
			})
		}
		for range 6 {
			succeed(t, e, "POST", "/swap-indexes", `[{"indexes": ["a", "b"]}, {"indexes": ["c", "d"]}]`)
			succeed(t, e, "PATCH", "/indexes/b/settings", `{"sortableAttributes": ["x"]}`) // lays b out anew
			succeed(t, e, "DELETE", "/indexes/b/settings", ``)
		}
		succeed(t, e, "POST", "/swap-indexes", `[{"indexes": ["a", "b"]}, {"indexes": ["c", "d"]}]`)
		close(stop)
		searching.Wait()
		for uid, want := range map[string]any{"a": "b", "b": "a", "c": "d", "d": "c"} {
			if got := ids(t, e, uid, `{}`); !reflect.DeepEqual(got, []any{want}) {
				t.Errorf("%s: got %v, want %v", uid, got, want)
			}
		}
		succeed(t, e, "POST", "/swap-indexes", `[{"indexes": ["a", "e"], "rename": true}]`)
		_, got := call(t, e, "GET", "/indexes", "")
		if total := got.(map[string]any)["total"]; total != 4.0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	succeed(t, e, "PATCH", "/indexes/a/settings", `{"filterableAttributes": ["x"]}`)
	succeed(t, e, "POST", "/indexes/a/documents", `[{"id": 1, "x": "one"}, {"id": 2, "x": "restaurant"}]`)
	succeed(t, e, "POST", "/indexes/b/documents", `{"id": "b"}`)
	succeed(t, e, "POST", "/swap-indexes", `[{"indexes": ["a", "b"]}]`)
	succeed(t, e, "DELETE", "/indexes/a", "")
	if _, err := Open(dir); !errors.Is(err, ErrInUse) {
		t.Errorf("a second time: got %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := call(t, e, "GET", "/health", ""); status != http.StatusServiceUnavailable {
		t.Errorf("closed: got %d", status)
	}
	if status, _ := call(t, e, "POST", "/indexes/b/documents", `{"id": 1}`); status != http.StatusServiceUnavailable {
		t.Errorf("closed: got %d", status)
	}
	// What work that was cut short left behind goes.
	left := filepath.Join(dir, folderPrefix+"999")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	e = open(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if status, _ := call(t, e, "GET", "/indexes/a", ""); status != http.StatusNotFound {
		t.Errorf("dropped: got %d", status)
	}
	if got, want := ids(t, e, "b", `{"q": "restuar"}`), []any{2.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	succeed(t, e, "POST", "/indexes/b/documents", `{"id": 0, "x": "one"}`)
	if got, want := ids(t, e, "b", `{"filter": "x = one"}`), []any{1.0, 0.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("in the order of arrival: got %v, want %v", got, want)
	}
}

const childDir = "MEILIBLEVE_TEST_CHILD_DIR"

// child writes pairs of documents until it is killed, and says after each that it is done.
func child(dir string) int {
	e, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for n := 1; ; n++ {
		body := fmt.Sprintf(`[{"id": "a", "n": %d}, {"id": "b", "n": %d}, {"id": "n%d"}]`, n, n, n)
		r, err := http.NewRequest(http.MethodPost, URL+"/indexes/a/documents", strings.NewReader(body))
		if err != nil {
			return 1
		}
		r.Header.Set("Content-Type", "application/json")
		response, err := e.Client(0).Do(r)
		if err != nil || response.StatusCode != http.StatusAccepted {
			return 1
		}
		fmt.Println(n)
	}
}

// TestKilled kills a process while it writes: what it had said is there, and what it wrote
// in one task is there wholly or not at all.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		said := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() && said < 40 {
			if _, err := fmt.Sscan(lines.Text(), &said); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
		}
		if said < 40 {
			t.Fatalf("it ended after %d", said)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if n := 0; func() bool { _, err := fmt.Sscan(lines.Text(), &n); return err == nil }() {
				said = n
			}
		}
		_ = cmd.Wait()

		e, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]float64{}
		for _, id := range []string{"a", "b"} {
			_, got := call(t, e, "GET", "/indexes/a/documents/"+id, "")
			n[id] = got.(map[string]any)["n"].(float64)
		}
		if n["a"] != n["b"] || int(n["a"]) < said || int(n["a"]) > said+1 {
			t.Errorf("it said %d, and there is %v", said, n)
		}
		if status, _ := call(t, e, "GET", fmt.Sprintf("/indexes/a/documents/n%d", said), ""); status != http.StatusOK {
			t.Errorf("document n%d is lost", said)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMemoryStaysSmall writes many small batches in memory, where nothing merges them.
func TestMemoryStaysSmall(t *testing.T) {
	e := open(t, "")
	for i := range 1000 {
		succeed(t, e, "POST", "/indexes/a/documents", fmt.Sprintf(`{"id": %d, "n": %d}`, i%7, i))
	}
	e.mu.RLock()
	batches := e.tables["a"].batches
	e.mu.RUnlock()
	if batches > 200 {
		t.Errorf("%d batches lie about", batches)
	}
	if _, got := call(t, e, "GET", "/indexes/a/documents/5", ""); !reflect.DeepEqual(got, parsed(t, `{"id": 5, "n": 999}`)) {
		t.Errorf("got %v", got)
	}
}

func TestTransport(t *testing.T) {
	panics := http.Client{Transport: Transport{http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("no") })}}
	get := func(ctx context.Context, c *http.Client, path string) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Do(r)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := get(context.Background(), &panics, "/"); err == nil {
		t.Error("a panic is no error")
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	e := open(t, "")
	if err := get(canceled, e.Client(0), "/health"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	// A write gives up waiting for another one when its context ends.
	e.writing <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, URL+"/indexes/a", nil)
		if err != nil {
			done <- err
			return
		}
		response, err := e.Client(0).Do(r)
		if err == nil {
			response.Body.Close()
		}
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-e.writing
}

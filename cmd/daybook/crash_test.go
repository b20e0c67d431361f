package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestMain lets the test binary be daybook itself, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("DAYBOOK_TEST_RUN") != "" {
		if broken := os.Getenv(brokenDiskEnv); broken != "" {
			ledgerFiles = brokenDisk(broken)
		}
		main()
		return
	}
	os.Exit(m.Run())
}

// brokenDiskEnv names a file: once it is there, the ledger's log is synced no more.
const brokenDiskEnv = "DAYBOOK_TEST_BROKEN_DISK"

func brokenDisk(sign string) vfs.FS {
	return errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.HasSuffix(op.Path, ".log") {
			return nil
		}
		switch op.Kind {
		case errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
			if _, err := os.Stat(sign); err == nil {
				return syscall.EIO
			}
		default:
		}
		return nil
	}))
}

// daybook is the command line's program as a process of its own.
func daybook(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), "DAYBOOK_TEST_RUN=1")
	return c
}

// served is a serving process.
type served struct {
	cmd    *exec.Cmd
	client client
	words  *words
	silent chan struct{} // closed when it has said its last
}

// words is what a process says, safe to be read while it speaks.
type words struct {
	mu   sync.Mutex
	text strings.Builder
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// serve starts a process on a data folder and waits until it listens.
func serve(t *testing.T, data string, flags ...string) *served {
	t.Helper()
	c := daybook(t.Context(), append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-format", "json"}, flags...)...)
	s := &served{cmd: c, words: &words{}, silent: make(chan struct{})}
	pipe, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	go func() {
		defer close(s.silent)
		_, _ = io.Copy(s.words, pipe)
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, text := range strings.Split(s.words.String(), "\n") {
			var line struct{ Msg, Addr string }
			if json.Unmarshal([]byte(text), &line) == nil && line.Msg == "listening" {
				s.client = client{t: t, base: "http://" + line.Addr}
				return s
			}
		}
		select {
		case <-s.silent:
			t.Fatalf("it never listened:\n%s", s.words)
		case <-tick.C:
		}
	}
}

func (s *served) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed, and says so
}

// TestKilledUnderLoad kills a serving process again and again while it takes bookings: what
// was acknowledged is there afterwards, and what was not can be sent again.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := 3
	if os.Getenv("DAYBOOK_SOAK") != "" {
		rounds = 30
	}
	data := t.TempDir()
	s := serve(t, data)
	owner := s.client.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 6, 4: 4}})
	type booking struct{ key, body, id string }
	var all []booking // acknowledged
	days := time.Now().AddDate(0, 0, 2)
	for round := range rounds {
		var mu sync.Mutex
		var wg sync.WaitGroup
		var open []booking // sent, never answered
		ctx, cancel := context.WithCancel(t.Context())
		for worker := range 8 {
			wg.Go(func() {
				c := owner
				c.base = s.client.base
				for n := 0; ctx.Err() == nil; n++ {
					b := booking{key: newKey(), body: fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"%02d:%02d","party":%d,"confirm":true}`,
						id, days.AddDate(0, 0, (round*8+worker)%60).Format(time.DateOnly), 17+n%7, n%2*30, 1+n%4)}
					r, err := c.try(ctx, http.MethodPost, "/reservations", b.body, "Idempotency-Key", b.key)
					mu.Lock()
					switch {
					case err != nil:
						open = append(open, b)
					case r.status == http.StatusCreated:
						b.id = r.field("reservationId")
						all = append(all, b)
					case r.status != http.StatusConflict:
						t.Errorf("got %s", r)
					}
					mu.Unlock()
				}
			})
		}
		enough := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(all) >= 25*(round+1)
		}
		for !enough() {
			time.Sleep(5 * time.Millisecond)
		}
		s.kill(t)
		cancel()
		wg.Wait()

		s = serve(t, data)
		owner.base = s.client.base
		for _, b := range all {
			if got := owner.get("/reservations/" + b.id); got.status != http.StatusOK || got.field("status") != "confirmed" {
				t.Fatalf("round %d: acknowledged booking %s: %s", round, b.id, got)
			}
		}
		for _, b := range open {
			first := owner.send(http.MethodPost, "/reservations", b.body, "Idempotency-Key", b.key)
			again := owner.send(http.MethodPost, "/reservations", b.body, "Idempotency-Key", b.key)
			if first.status == http.StatusCreated {
				if again.field("reservationId") != first.field("reservationId") {
					t.Errorf("round %d: one key booked %s and %s", round, first, again)
				}
				all = append(all, booking{b.key, b.body, first.field("reservationId")})
			}
		}
	}
	t.Logf("%d acknowledged bookings outlived %d kills", len(all), rounds)
	s.kill(t)
	checkBook(t, data, len(all))
}

// checkBook opens a data folder and compares its reporting tables with the ledger: no
// table promised twice, and as many reservations as were accepted.
func checkBook(t *testing.T, data string, reservations int) {
	t.Helper()
	h, err := openHouse(t.Context(), houseConfig{engineFlags: engineFlags{Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	}()
	h.startViews()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := h.waitForViews(ctx); err != nil {
		t.Fatal(err)
	}
	overlaps, err := h.engines.database.Overlaps(ctx, 10)
	if err != nil || len(overlaps) > 0 {
		t.Errorf("overlaps: %v, %v", overlaps, err)
	}
	if n := countEvents(t, h, "reservation.held"); n != reservations {
		t.Errorf("the ledger has %d reservations, want %d", n, reservations)
	}
}

func countEvents(t *testing.T, h *house, eventType string) (n int) {
	t.Helper()
	for r, err := range h.engines.store.ReadAll(t.Context(), 0, typeFilter(eventType)) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Type == eventType {
			n++
		}
	}
	return n
}

// TestSecondStart says that the folder is in use, and by whom.
func TestSecondStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := serve(t, data)
	out, err := daybook(t.Context(), "serve", "--data", data, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("in use by process %d", first.cmd.Process.Pid)) {
		t.Errorf("second start: %v: %s", err, out)
	}
}

// TestGracefulStop ends on SIGTERM without an error, with what it acknowledged on record.
func TestGracefulStop(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := serve(t, data)
	owner := s.client.register("owner")
	id := owner.openRestaurant(floor{tables: map[int]int{2: 1}})
	body := fmt.Sprintf(`{"restaurantId":%q,"date":%q,"time":"19:00","party":2,"confirm":true}`, id, time.Now().AddDate(0, 0, 3).Format(time.DateOnly))
	owner.send(http.MethodPost, "/reservations", body).want(t, 201, "")
	owner.send(http.MethodPost, "/reservations", body).want(t, 409, "no_table")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	checkBook(t, data, 1)
	h, err := openHouse(t.Context(), houseConfig{engineFlags: engineFlags{Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if n := countEvents(t, h, "demand.refused"); n != 1 {
		t.Errorf("%d refusals on record, want 1", n)
	}
	if _, err := os.Stat(filepath.Join(data, "LOCK")); err != nil {
		t.Error(err)
	}
}

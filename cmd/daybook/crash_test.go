package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be daybook itself, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("DAYBOOK_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
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
	said   string // until it listened
}

// serve starts a process on a data folder and waits until it listens.
func serve(t *testing.T, data string, flags ...string) *served {
	t.Helper()
	s := &served{cmd: daybook(t.Context(), append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-format", "json"}, flags...)...)}
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	})
	var said strings.Builder
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() {
				for lines.Scan() { // keeps the pipe from filling up
				}
			}()
			s.client, s.said = client{t: t, base: "http://" + line.Addr}, said.String()
			return s
		}
	}
	t.Fatalf("it never listened:\n%s", said.String())
	return nil
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
	data := t.TempDir()
	first := serve(t, data)
	out, err := daybook(t.Context(), "serve", "--data", data, "--listen", "127.0.0.1:0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("in use by process %d", first.cmd.Process.Pid)) {
		t.Errorf("second start: %v: %s", err, out)
	}
}

// TestGracefulStop ends on SIGTERM without an error, with what it acknowledged on record.
func TestGracefulStop(t *testing.T) {
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

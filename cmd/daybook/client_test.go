package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// startHouse opens and starts a house for a test, embedded in a folder of its own unless
// cfg says otherwise.
func startHouse(t testing.TB, cfg houseConfig) *house {
	t.Helper()
	if cfg.Data == "" {
		cfg.Data = t.TempDir()
	}
	cfg.Listen = "127.0.0.1:0"
	h, err := openHouse(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := h.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// client speaks to one daybook as one user.
type client struct {
	t     testing.TB
	base  string
	token string
}

var keys atomic.Uint64

// newKey is an idempotency key never used before.
func newKey() string { return "key-" + strconv.FormatUint(keys.Add(1), 10) }

func (h *house) client(t testing.TB) client { return client{t: t, base: "http://" + h.addr.String()} }

// reply is an answer, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// json reads the body into v.
func (r reply) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%s: %v", r, err)
	}
}

// field is one top-level string or number of the body.
func (r reply) field(name string) string {
	var all map[string]any
	if json.Unmarshal(r.body, &all) != nil || all[name] == nil {
		return ""
	}
	return fmt.Sprint(all[name])
}

func (r reply) position() string { return r.header.Get("Ledger-Position") }

// httpClient is shared, so that hundreds of test clients need not as many idle connections.
var httpClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 400, MaxConnsPerHost: 400}}

// try sends a request; headers are pairs.
func (c client) try(ctx context.Context, method, path, body string, headers ...string) (reply, error) {
	if !strings.HasPrefix(path, "/healthz") && !strings.HasPrefix(path, "/readyz") && !strings.HasPrefix(path, "/openapi") && !strings.HasPrefix(path, "/metrics") {
		path = "/api/v1" + path
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return reply{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := httpClient.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return reply{answer.StatusCode, answer.Header, raw}, err
}

// send sends a write with a key of its own.
func (c client) send(method, path, body string, headers ...string) reply {
	c.t.Helper()
	r, err := c.try(c.t.Context(), method, path, body, append([]string{"Idempotency-Key", newKey()}, headers...)...)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

// get reads.
func (c client) get(path string, headers ...string) reply {
	c.t.Helper()
	r, err := c.try(c.t.Context(), http.MethodGet, path, "", headers...)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return r
}

// want fails the test unless the answer has this status, and this code where it is a problem.
func (r reply) want(t testing.TB, status int, code string) reply {
	t.Helper()
	if r.status != status || (code != "" && r.field("code") != code) {
		t.Fatalf("got %s, want %d %s", r, status, code)
	}
	if status >= 400 {
		if got := r.header.Get("Content-Type"); got != "application/problem+json" {
			t.Fatalf("content type %q, want application/problem+json", got)
		}
	}
	return r
}

const testPassword = "correct horse battery"

// register makes an account and returns its client.
func (c client) register(name string) client {
	c.t.Helper()
	r := c.send(http.MethodPost, "/users/register",
		fmt.Sprintf(`{"email":"%s@example.com","password":"%s","firstName":"%s","lastName":"Test"}`, name, testPassword, name)).want(c.t, 201, "")
	c.token = r.field("accessToken")
	return c
}

// floor is a restaurant to be made: tables by capacity, open for dinner every day.
type floor struct {
	zone   string
	tables map[int]int // how many of each capacity
	policy string
	shifts string
}

// openRestaurant registers, furnishes and publishes a restaurant, and returns its id.
func (c client) openRestaurant(f floor) string {
	c.t.Helper()
	if f.zone == "" {
		f.zone = "Europe/Berlin"
	}
	if f.policy == "" {
		f.policy = `{"holdMinutes":5,"horizonDays":90,"noticeMinutes":0,"bufferMinutes":0,"turnMinutes":[{"upToParty":500,"minutes":90}]}`
	}
	if f.shifts == "" {
		f.shifts = `[{"days":["mon","tue","wed","thu","fri","sat","sun"],"name":"dinner","opens":"17:00","lastSeating":"23:30","closes":"01:30","slotMinutes":30}]`
	}
	id := c.send(http.MethodPost, "/restaurants",
		fmt.Sprintf(`{"name":"Test House","cuisine":"Test","address":"1 Test Street","city":"Testville","timeZone":%q}`, f.zone)).want(c.t, 201, "").field("restaurantId")
	n := 0
	for capacity, count := range f.tables {
		for range count {
			n++
			c.send(http.MethodPost, "/restaurants/"+id+"/tables", fmt.Sprintf(`{"number":"%d","capacity":%d}`, n, capacity)).want(c.t, 201, "")
		}
	}
	c.send(http.MethodPut, "/restaurants/"+id+"/hours", `{"shifts":`+f.shifts+`}`).want(c.t, 200, "")
	c.send(http.MethodPut, "/restaurants/"+id+"/policy", f.policy).want(c.t, 200, "")
	c.send(http.MethodPost, "/restaurants/"+id+"/publish", "").want(c.t, 200, "")
	return id
}

// tomorrow is a service date that can be booked in every zone.
func (h *house) tomorrow() string { return h.inDays(2) }

func (h *house) inDays(n int) string { return h.cfg.clock().AddDate(0, 0, n).Format(time.DateOnly) }

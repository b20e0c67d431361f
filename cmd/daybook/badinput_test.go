package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gin-gonic/gin"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
)

// TestBadInput spoils one good request to every operation that /openapi.json lists in
// every way it can think of. All are refused with a problem, none with a fault of ours, and
// the ledger has nothing new afterwards. At the end the good requests are sent as they
// are, and accepted: so it was what was spoiled that each refusal was for.
func TestBadInput(t *testing.T) {
	faults := watchFaults(t)
	h := startHouse(t, houseConfig{})
	town := newTown(t, h)
	api := town.spec(t)
	var behind []bad
	for i, op := range api.operations {
		good, known := town.good[op.OperationID]
		if !known {
			t.Errorf("%s has no good request to spoil: add one to newTown", op.name())
			continue
		}
		behind = append(behind, badPositions(op, good)...)
		t.Run(op.OperationID, func(t *testing.T) {
			unchanged := town.ledgerUnchanged(t)
			refuseAll(t, h, thinned(i, slices.Concat(
				badPaths(op, good), badQueries(op, good), badHeaders(op, good), badBodies(api, op, good), badTokens(h, town, op, good))))
			unchanged()
		})
	}
	t.Run("positions", func(t *testing.T) {
		unchanged := town.ledgerUnchanged(t)
		refuseAll(t, h, behind)
		unchanged()
	})
	t.Run("methods", func(t *testing.T) {
		unchanged := town.ledgerUnchanged(t)
		refuseAll(t, h, append(badMethods(api, town), badPages(t, h, api)...))
		unchanged()
	})
	t.Run("good ones", func(t *testing.T) {
		for _, op := range api.operations {
			if r := send(t, h, town.good[op.OperationID].request(op)); r.status >= 300 {
				t.Errorf("%s: the good request was answered with %s", op.name(), r)
			}
		}
	})
	for _, s := range h.runner.Status() {
		if s.Parked != 0 || s.LastError != "" {
			t.Errorf("view %s parked %d records; last error %q", s.Name, s.Parked, s.LastError)
		}
	}
	faults(t)
}

// thinned leaves an operation one in four of the cases that are the same for most operations,
// other ones for the next operation, so that each is tried on several. With DAYBOOK_SOAK all
// are tried on all.
func thinned(operation int, all []bad) []bad {
	if os.Getenv("DAYBOOK_SOAK") != "" {
		return all
	}
	slices.SortStableFunc(all, func(a, b bad) int { return strings.Compare(a.what, b.what) })
	turn := operation
	return slices.DeleteFunc(all, func(b bad) bool {
		if b.common {
			turn++
		}
		return b.common && turn%4 != 0
	})
}

// TestProblemsLeadToPages asks for the page that each problem's type names.
func TestProblemsLeadToPages(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	for _, code := range problem.Codes() {
		page := problem.New(code, "").Type
		if r := send(t, h, request{method: http.MethodGet, path: page}); r.status != http.StatusOK || !strings.Contains(string(r.body), string(code)) {
			t.Errorf("%s: %.200s", page, r)
		}
	}
}

// pages are the paths that /openapi.json does not list: they take nothing but GET.
var pages = []string{
	"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js", "/docs/icon.svg", "/errors/", "/errors/:code",
}

// badPages asks every path that the description leaves out for what it does not have.
func badPages(t *testing.T, h *house, api *apiSpec) (all []bad) {
	for _, route := range h.server.Handler.(*gin.Engine).Routes() {
		parts := strings.Split(route.Path, "/")
		for i, part := range parts {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		if _, described := api.Paths[strings.Join(parts, "/")]; described {
			continue
		}
		if !slices.Contains(pages, route.Path) || route.Method != http.MethodGet {
			t.Errorf("%s %s is neither in /openapi.json nor in the list of pages", route.Method, route.Path)
			continue
		}
		for _, method := range []string{"HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
			all = append(all, bad{what: "page", request: request{method: method, path: route.Path}, status: []int{405}})
		}
		for _, query := range []string{"a=%ff", "a=%zz", "%00"} {
			all = append(all, bad{what: "page", request: request{method: http.MethodGet, path: route.Path, query: query}, status: []int{400}})
		}
	}
	for _, code := range []string{"nothing", "%00", "..%2f..%2fgo.mod", "invalid.md", "INVALID", strings.Repeat("a", 5000)} {
		for _, accept := range []string{"text/html", "*/*"} {
			all = append(all, bad{what: "error page", request: request{method: http.MethodGet, path: "/errors/" + code, header: map[string]string{"Accept": accept}}, status: []int{400, 404}})
		}
	}
	return all
}

// request is one request as it goes out; the key is filled in where it has none of its own.
type request struct {
	method, path, query, body string
	token                     string
	header                    map[string]string
	chunked                   bool
}

// bad is a request that must be refused.
type bad struct {
	what string
	request
	status   []int  // what it may be refused with; any 4xx where empty
	location string // the value that is not allowed, where the refusal is for one
	common   bool   // most operations have the same case
}

// send sends r and reads the answer.
func send(t testing.TB, h *house, r request) reply {
	t.Helper()
	target := "http://" + h.addr.String() + r.path
	if r.query != "" {
		target += "?" + r.query
	}
	var body interface{ Read([]byte) (int, error) } = strings.NewReader(r.body)
	if r.chunked {
		body = struct{ *strings.Reader }{strings.NewReader(r.body)} // of no length that net/http knows
	}
	out, err := http.NewRequestWithContext(t.Context(), r.method, target, body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, target, err)
	}
	if r.body != "" {
		out.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		out.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.method != http.MethodGet {
		out.Header.Set("Idempotency-Key", newKey())
	}
	for name, value := range r.header {
		if out.Header.Set(name, value); value == "" {
			out.Header.Del(name)
		}
	}
	answer, err := noRedirects.Do(out)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, target, err)
	}
	return readReply(t, answer)
}

var noRedirects = &http.Client{
	Transport:     httpClient.Transport,
	Timeout:       httpClient.Timeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// refuseAll sends all requests, a few at a time.
func refuseAll(t *testing.T, h *house, all []bad) {
	t.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(all); i = next.Add(1) - 1 {
				b := all[i]
				r := send(t, h, b.request)
				if why := b.judge(r); why != "" {
					t.Errorf("%s: %s\n  %s %s?%s %.200q\n  %.600s", b.what, why, b.method, b.path, b.query, b.body, r)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d bad requests", len(all))
}

// judge returns what is wrong with a refusal.
func (b bad) judge(r reply) string {
	if len(b.status) == 0 && r.status >= 400 && r.status < 500 || slices.Contains(b.status, r.status) {
		if b.method == http.MethodHead {
			return ""
		}
		return wrongProblem(r, b.location)
	}
	return fmt.Sprintf("status %d, want %v", r.status, b.status)
}

// wrongProblem returns what is wrong with a problem; location is the value it should be for.
func wrongProblem(r reply, location string) string {
	var p problem.Problem
	if err := json.Unmarshal(r.body, &p); err != nil {
		return "no JSON: " + err.Error()
	}
	table := problem.New(p.Code, "")
	switch {
	case r.header.Get("Content-Type") != problem.ContentType:
		return "content type " + r.header.Get("Content-Type")
	case !slices.Contains(problem.Codes(), p.Code):
		return fmt.Sprintf("the code %q is not in the table", p.Code)
	case p.Status != r.status || p.Status != table.Status || p.Title != table.Title || p.Type != "/errors/"+string(p.Code):
		return "status, title or type are not those of the code"
	case p.Detail == "":
		return "no detail"
	case p.RequestID == "" || p.RequestID != r.header.Get("X-Request-Id"):
		return "the request id is not the header's"
	case strings.Contains(string(r.body), "Go struct") || strings.Contains(string(r.body), "Go value") || strings.Contains(string(r.body), "daybook/"):
		return "it tells how we are built"
	case len(r.body) > 16<<10:
		return fmt.Sprintf("%d bytes long", len(r.body))
	case r.status == http.StatusUnauthorized && p.Code == problem.Unauthenticated && r.header.Get("WWW-Authenticate") == "":
		return "no WWW-Authenticate"
	case r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") == "":
		return "no Retry-After"
	case p.Code == domain.CodeInvalid && location != "" && !names(p.Errors, location):
		return "no error names " + location
	}
	return ""
}

// names reports whether one error is for location: itself, a value that it is part of, or
// the object that lacks it.
func names(errs []problem.Field, location string) bool {
	parent, last, _ := cutLast(location)
	for _, e := range errs {
		if e.Location == location || e.Location != "body" && strings.HasPrefix(location, e.Location+".") ||
			strings.HasPrefix(location, e.Location+"[") || e.Location == parent && strings.Contains(e.Message, last) {
			return true
		}
	}
	return false
}

func cutLast(location string) (parent, last string, found bool) {
	i := strings.LastIndexAny(location, ".[")
	if i < 0 {
		return "", location, false
	}
	return location[:i], strings.Trim(location[i:], ".[]"), true
}

// ledgerUnchanged returns a check that nothing was appended since but refused demand.
func (town *town) ledgerUnchanged(t *testing.T) func() {
	before, err := town.h.engines.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		for r, err := range town.h.engines.store.ReadAll(t.Context(), before, eventstore.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(r.Stream), "demand-") {
				t.Errorf("refused requests left %s in %s: %.200s", r.Type, r.Stream, r.Data)
			}
		}
	}
}

// watchFaults returns a check that no handler panicked and no request failed inside.
func watchFaults(t *testing.T) func(*testing.T) {
	t.Helper()
	before := slog.Default()
	w := &faultLog{Handler: slog.DiscardHandler}
	slog.SetDefault(slog.New(w))
	t.Cleanup(func() { slog.SetDefault(before) })
	return func(t *testing.T) {
		t.Helper()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, line := range w.lines {
			t.Errorf("logged: %s", line)
		}
	}
}

// faultLog keeps what is logged as an error.
type faultLog struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (l *faultLog) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

func (l *faultLog) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	return nil
}

func (l *faultLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l *faultLog) WithGroup(string) slog.Handler      { return l }

// path is where an operation stands with these parameters.
func (g goodRequest) path(op operation, params map[string]string) string {
	path := op.path
	for name, value := range params {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

func (g goodRequest) request(op operation) request {
	return request{method: op.method, path: g.path(op, g.params), query: g.query, body: g.body, token: g.token}
}

// outside reports whether the operation stands outside the API's base path.
func (op operation) outside() bool { return !strings.HasPrefix(op.path, httpapi.Base) }

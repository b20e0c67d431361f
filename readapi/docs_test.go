package readapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"daybook/docs"
	"daybook/domain"
	"daybook/internal/httpapi"
	"daybook/internal/problem"
	"daybook/readapi"
	"daybook/writeapi"
)

// house registers every route there is. None of those behind /api/v1 gets as far as what
// it would ask.
func house() *httpapi.API {
	api := httpapi.New(httpapi.Config{Users: func(string) (string, error) { return string(domain.NewUserID([16]byte{1})), nil }, Version: "test"})
	writeapi.Register(api, nil, nil)
	readapi.Register(api, readapi.Views{})
	readapi.RegisterDocs(api)
	return api
}

func ask(t *testing.T, h http.Handler, method, path, accept, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Accept", accept)
	r.Header.Set("Authorization", "Bearer x")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	api := house()
	const html, css, js = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
	for _, c := range []struct {
		path, accept string
		status       int
		contentType  string
		holds        string
	}{
		{"/docs", "text/html", 200, html, `src="/docs/docs.js"`},
		{"/docs/docs.css", "*/*", 200, css, "{"},
		{"/docs/docs.js", "*/*", 200, js, "/openapi.json"},
		{"/docs/index.html", "*/*", 404, problem.ContentType, "route_not_found"},
		{"/errors/", "text/html", 200, html, "/errors/no_table"},
		{"/errors/no_table", "text/html,*/*;q=0.8", 200, html, "<h1>No table is free</h1>"},
		{"/errors/no_table", "*/*", 200, "text/markdown; charset=utf-8", "# No table is free\n"},
		{"/errors/nope", "text/html", 404, problem.ContentType, "route_not_found"},
		{"/errors/..%2fdocs", "*/*", 404, problem.ContentType, "route_not_found"},
		{"/openapi.json", "*/*", 200, "application/openapi+json", `"openapi":"3.1.0"`},
	} {
		w := ask(t, api.Engine, "GET", c.path, c.accept, "")
		if w.Code != c.status || w.Header().Get("Content-Type") != c.contentType || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s as %s: %d %s\n%.300s\nwant %d %s with %q", c.path, c.accept, w.Code, w.Header().Get("Content-Type"), w.Body, c.status, c.contentType, c.holds)
		}
		if policy := w.Header().Get("Content-Security-Policy"); c.contentType == html && (policy == "" || strings.Contains(policy, "unsafe")) {
			t.Errorf("%s: Content-Security-Policy %q", c.path, policy)
		}
	}
}

// TestPagesNeedNothingElse keeps the pages to what their policy lets them load.
func TestPagesNeedNothingElse(t *testing.T) {
	page, _ := docs.Asset("index.html")
	list := append(docs.ErrorListHTML(), page...)
	for _, forbidden := range []string{"http://", "https://", "<style", " style=", " onclick=", "<script>", "javascript:"} {
		if strings.Contains(string(list), forbidden) {
			t.Errorf("a page has %q", forbidden)
		}
	}
}

func operations(api *httpapi.API) map[string]*huma.Operation {
	all := map[string]*huma.Operation{}
	for _, item := range api.Huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil {
				all[op.OperationID] = op
			}
		}
	}
	return all
}

// TestEveryOperationIsDescribed holds the tables of this room and the routes to each other.
func TestEveryOperationIsDescribed(t *testing.T) {
	api := house()
	ops := operations(api)
	if len(ops) < 15 {
		t.Fatalf("only %d operations: that is not the whole API", len(ops))
	}
	for id := range readapi.Refusals {
		if ops[id] == nil {
			t.Errorf("there is a row for %s, but no such operation", id)
		}
	}
	tagged := map[string]bool{}
	for _, tag := range api.Huma.OpenAPI().Tags {
		tagged[tag.Name] = true
	}
	for id, op := range ops {
		if _, ok := readapi.Refusals[id]; !ok {
			t.Errorf("%s: say in readapi/describe.go with which codes it refuses", id)
		}
		if op.Summary == "" || len(op.Tags) != 1 || !tagged[op.Tags[0]] {
			t.Errorf("%s: summary %q, tags %v: want a summary, and one tag that is described", id, op.Summary, op.Tags)
		}
		for _, p := range op.Parameters {
			if p.In == "path" && p.Description == "" {
				t.Errorf("%s: what is %s? Give it a doc", id, p.Name)
			}
		}
		for status, answer := range op.Responses {
			if strings.HasPrefix(status, "2") {
				if op.Method != http.MethodGet && answer.Headers["Ledger-Position"] == nil {
					t.Errorf("%s: a write whose answer has no Ledger-Position", id)
				}
				continue
			}
			if form := answer.Content[problem.ContentType]; form == nil || form.Schema == nil || form.Schema.Ref != "#/components/schemas/Problem" {
				t.Errorf("%s: the answer %s is no problem: %+v", id, status, form)
			}
			codes, _ := answer.Extensions["x-codes"].([]string)
			if len(codes) == 0 || len(slices.Compact(slices.Clone(codes))) != len(codes) {
				t.Errorf("%s: the codes of %s are %v", id, status, codes)
			}
			for _, code := range codes {
				if _, ok := docs.ErrorPage(code); !ok {
					t.Errorf("%s: %s has no page", id, code)
				}
			}
		}
	}
}

func TestAnswersOfOneOperation(t *testing.T) {
	got := map[string][]string{}
	for status, answer := range operations(house())["confirm-reservation"].Responses {
		got[status], _ = answer.Extensions["x-codes"].([]string)
	}
	want := map[string][]string{
		"200": nil,
		"400": {"idempotency_key_missing"},
		"401": {"unauthenticated"},
		"404": {"not_found"},
		"409": {"already_cancelled", "already_completed", "hold_expired", "marked_no_show", "moved_to_another_day"},
		"422": {"idempotency_key_reused", "invalid"},
		"500": {"internal"},
		"503": {"contended", "outcome_unknown", "overloaded", "unavailable"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestExamplesAreAccepted sends each example without a key: a body that the form refuses is
// refused before the key is missed, or the restaurant of that name is not found.
func TestExamplesAreAccepted(t *testing.T) {
	api := house()
	ops := operations(api)
	for id, example := range readapi.Examples {
		if ops[id] == nil || id == "log-in" { // which takes no key, and would go on
			continue
		}
		path := strings.NewReplacer("{id}", "x", "{tableId}", "x", "{date}", "x").Replace(ops[id].Path)
		w := ask(t, api.Engine, ops[id].Method, path, "*/*", example)
		want := problem.KeyMissing
		if !slices.ContainsFunc(ops[id].Parameters, func(p *huma.Param) bool { return p.Name == "Idempotency-Key" }) {
			want = domain.CodeNotFound
		}
		var p problem.Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != want {
			t.Errorf("%s: %s", id, w.Body)
		}
	}
	for id, op := range ops {
		if _, ok := readapi.Examples[id]; op.RequestBody != nil && !ok {
			t.Errorf("%s takes a body: give readapi/describe.go an example", id)
		}
	}
}

// TestTheKeyIsMissedByName shows that calling the key required in the description leaves
// its refusal as it is.
func TestTheKeyIsMissedByName(t *testing.T) {
	w := ask(t, house().Engine, "POST", "/api/v1/reservations/x/confirm", "*/*", "")
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"idempotency_key_missing"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

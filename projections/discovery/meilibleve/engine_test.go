package meilibleve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	// bleve keeps a pool of workers for the life of the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/blevesearch/bleve_index_api.AnalysisWorker"))
}

func open(t testing.TB, dir string) *Engine {
	t.Helper()
	e, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// call sends a request and reads the answer into a map or list.
func call(t testing.TB, e *Engine, method, path, body string) (int, any) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := e.Client(0).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s %s: %q: %v", method, path, raw, err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s %s: %s", method, path, kind)
	}
	return response.StatusCode, v
}

// run sends a write and returns its task; it wants the write taken.
func run(t testing.TB, e *Engine, method, path, body string) map[string]any {
	t.Helper()
	status, v := call(t, e, method, path, body)
	if status != http.StatusAccepted {
		t.Fatalf("%s %s: %d %v", method, path, status, v)
	}
	_, task := call(t, e, http.MethodGet, fmt.Sprintf("/tasks/%v", v.(map[string]any)["taskUid"]), "")
	return task.(map[string]any)
}

func succeed(t testing.TB, e *Engine, method, path, body string) {
	t.Helper()
	if task := run(t, e, method, path, body); task["status"] != "succeeded" {
		t.Fatalf("%s %s: %v", method, path, task)
	}
}

func parsed(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// onBoth runs a test on disk and in memory.
func onBoth(t *testing.T, test func(t *testing.T, e *Engine)) {
	t.Run("disk", func(t *testing.T) { test(t, open(t, t.TempDir())) })
	t.Run("memory", func(t *testing.T) { test(t, open(t, "")) })
}

func TestAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, e *Engine) {
		succeed(t, e, "POST", "/indexes", `{"uid": "a", "primaryKey": "id"}`)
		succeed(t, e, "PATCH", "/indexes/a/settings", `{"filterableAttributes": ["kind", "n"], "sortableAttributes": ["n"]}`)
		succeed(t, e, "POST", "/indexes/a/documents", `[{"id": 1, "kind": "x", "n": 1}, {"id": "two", "kind": "Y", "n": null}, {"id": 3, "kind": ["x", "z"]}]`)
		succeed(t, e, "PUT", "/indexes/a/documents", `{"id": 1, "n": 5}`)
		for _, c := range []struct {
			method, path, body string
			status             int
			want               string // "" for whatever
		}{
			{"GET", "/health", "", 200, `{"status": "available"}`},
			{"GET", "/version", "", 200, ``},
			{"GET", "/indexes/a/documents/1", "", 200, `{"id": 1, "kind": "x", "n": 5}`},
			{"GET", "/indexes/a/documents/1?fields=n", "", 200, `{"n": 5}`},
			{"GET", "/indexes/a/documents?limit=1&offset=1", "", 200, `{"results": [{"id": "two", "kind": "Y", "n": null}], "offset": 1, "limit": 1, "total": 3}`},
			{"POST", "/indexes/a/documents/fetch", `{"ids": ["3", "1", "none"], "fields": ["id"]}`, 200, `{"results": [{"id": 1}, {"id": 3}], "offset": 0, "limit": 20, "total": 2}`},
			{"POST", "/indexes/a/documents/fetch", `{"filter": "kind = X", "sort": ["n:desc"]}`, 200, `{"results": [{"id": 1, "kind": "x", "n": 5}, {"id": 3, "kind": ["x", "z"]}], "offset": 0, "limit": 20, "total": 2}`},
			{"GET", "/indexes/a/settings/filterable-attributes", "", 200, `["kind", "n"]`},
			{"GET", "/indexes/a/stats", "", 200, `{"numberOfDocuments": 3, "isIndexing": false, "fieldDistribution": {"id": 3, "kind": 3, "n": 2}}`},
			{"POST", "/indexes/a/search", `{"page": 2, "hitsPerPage": 2, "attributesToRetrieve": ["id"], "facets": ["kind", "n"]}`, 200,
				`{"hits": [{"id": 3}], "query": "", "processingTimeMs": 0, "page": 2, "hitsPerPage": 2, "totalHits": 3, "totalPages": 2,
				 "facetDistribution": {"kind": {"x": 2, "Y": 1, "z": 1}, "n": {"5": 1}}, "facetStats": {"n": {"min": 5, "max": 5}}}`},

			{"GET", "/indexes/b", "", 404, `{"message": "Index ` + "`b`" + ` not found.", "code": "index_not_found", "type": "invalid_request", "link": "https://docs.meilisearch.com/errors#index_not_found"}`},
			{"GET", "/indexes/a/documents/9", "", 404, `document_not_found`},
			{"GET", "/tasks/999", "", 404, `task_not_found`},
			{"GET", "/tasks/x", "", 400, `invalid_task_uid`},
			{"GET", "/tasks?limit=x", "", 400, `invalid_task_limit`},
			{"GET", "/nowhere", "", 404, `not_found`},
			{"POST", "/multi-search", "{}", 404, `not_found`},
			{"GET", "/indexes?limit=-1", "", 400, `invalid_index_limit`},
			{"POST", "/indexes", `{}`, 400, `missing_index_uid`},
			{"POST", "/indexes", `{"uid": "a b"}`, 400, `invalid_index_uid`},
			{"POST", "/indexes", `{"uid": `, 400, `malformed_payload`},
			{"POST", "/indexes", `{"uid": "a"} x`, 400, `malformed_payload`},
			{"POST", "/indexes", ` `, 400, `malformed_payload`},
			{"POST", "/indexes/a%2Fb/documents", `[]`, 400, `invalid_index_uid`},
			{"POST", "/indexes/a/documents", `[1]`, 400, `malformed_payload`},
			{"POST", "/indexes/a/documents", `[null]`, 400, `malformed_payload`},
			{"POST", "/indexes/a/documents", `x`, 400, `malformed_payload`},
			{"POST", "/swap-indexes", `[{"indexes": ["a"]}]`, 400, `invalid_swap_indexes`},
			{"POST", "/swap-indexes", `[{"indexes": ["a", "a"]}]`, 400, `invalid_swap_duplicate_index_found`},
			{"PATCH", "/indexes/a/settings", `{"rankingRules": ["best"]}`, 400, `invalid_settings_ranking_rules`},
			{"PATCH", "/indexes/a/settings", `{"synonyms": {"a": ["b"]}}`, 400, `invalid_settings_synonyms`},
			{"PATCH", "/indexes/a/settings", `{"sortableAttributes": 1}`, 400, `invalid_settings_sortable_attributes`},
			{"PATCH", "/indexes/a/settings", `{"colour": 1}`, 400, `bad_request`},
			{"PUT", "/indexes/a/settings/stop-words", `["a"]`, 400, `invalid_settings_stop_words`},
			{"GET", "/indexes/a/settings/colour", "", 404, `not_found`},
			{"POST", "/indexes/a/search", `{"filter": "kind ="}`, 400, `invalid_search_filter`},
			{"POST", "/indexes/a/search", `{"filter": "id = 1"}`, 400, `invalid_search_filter`},
			{"POST", "/indexes/a/search", `{"filter": "n > x"}`, 400, `invalid_search_filter`},
			{"POST", "/indexes/a/search", `{"filter": 5}`, 400, `invalid_search_filter`},
			{"POST", "/indexes/a/search", `{"filter": "_geoRadius(1, 2, 3)"}`, 400, `invalid_search_filter`},
			{"POST", "/indexes/a/search", `{"sort": ["kind:asc"]}`, 400, `invalid_search_sort`},
			{"POST", "/indexes/a/search", `{"sort": ["n"]}`, 400, `invalid_search_sort`},
			{"POST", "/indexes/a/search", `{"sort": ["_geoPoint(1, 200):asc"]}`, 400, `invalid_search_sort`},
			{"POST", "/indexes/a/search", `{"facets": ["id"]}`, 400, `invalid_search_facets`},
			{"POST", "/indexes/a/search", `{"limit": -1}`, 400, `invalid_search_limit`},
			{"POST", "/indexes/a/search", `{"highlightPreTag": "<b>"}`, 400, `bad_request`},
			{"POST", "/indexes/a/search", `{"matchingStrategy": "frequency"}`, 400, `invalid_search_matching_strategy`},
			{"POST", "/indexes/a/search", `{"attributesToRetrieve": ["kind.of"]}`, 400, `invalid_search_attributes_to_retrieve`},
			{"POST", "/indexes/a/search", `{"q": "` + strings.Repeat("x", maxQuery+1) + `"}`, 400, `invalid_search_q`},
			{"POST", "/indexes/a/search", `"` + strings.Repeat("x", maxBody) + `"`, 413, `payload_too_large`},
			{"POST", "/indexes/b/search", `{}`, 404, `index_not_found`},
		} {
			status, got := call(t, e, c.method, c.path, c.body)
			switch {
			case status != c.status:
				t.Errorf("%s %s %.80s: got %d %v", c.method, c.path, c.body, status, got)
			case strings.HasPrefix(c.want, "{") || strings.HasPrefix(c.want, "["):
				if m, ok := got.(map[string]any); ok && m["processingTimeMs"] != nil {
					m["processingTimeMs"] = 0.0
				}
				if !reflect.DeepEqual(got, parsed(t, c.want)) {
					t.Errorf("%s %s %.80s: got %v", c.method, c.path, c.body, got)
				}
			case c.want != "":
				if code := got.(map[string]any)["code"]; code != c.want {
					t.Errorf("%s %s %.80s: got %v", c.method, c.path, c.body, got)
				}
			}
		}
	})
}

func TestTasksThatFail(t *testing.T) {
	onBoth(t, func(t *testing.T, e *Engine) {
		succeed(t, e, "POST", "/indexes/a/documents?primaryKey=id", `[{"id": 1, "t": "one"}]`)
		succeed(t, e, "PATCH", "/indexes/a/settings", `{"filterableAttributes": ["_geo"]}`)
		for _, c := range []struct{ method, path, body, code string }{
			{"POST", "/indexes", `{"uid": "a"}`, "index_already_exists"},
			{"DELETE", "/indexes/b", "", "index_not_found"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"t": "none"}]`, "missing_document_id"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"id": "a b"}]`, "invalid_document_id"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"id": 1.5}]`, "invalid_document_id"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"id": 3, "_geo": {"lat": 91, "lng": 1}}]`, "invalid_document_geo_field"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"id": 3, "_geo": "here"}]`, "invalid_document_geo_field"},
			{"POST", "/indexes/a/documents", `[{"id": 2}, {"id": 3, "x": ` + strings.Repeat(`{"x":`, 30) + "1" + strings.Repeat("}", 30) + `}]`, "max_fields_limit_exceeded"},
			{"POST", "/indexes/a/documents?primaryKey=t", `[{"id": 2, "t": "x"}]`, "index_primary_key_already_exists"},
			{"POST", "/indexes/c/documents", `[{"name": "x"}]`, "index_primary_key_no_candidate_found"},
			{"POST", "/indexes/c/documents", `[{"id": 1, "uid": 1}]`, "index_primary_key_multiple_candidates_found"},
			{"DELETE", "/indexes/b/documents/1", "", "index_not_found"},
			{"POST", "/swap-indexes", `[{"indexes": ["a", "b"]}]`, "index_not_found"},
			{"POST", "/indexes/a/documents/delete", `{"filter": "t = one"}`, "invalid_search_filter"},
		} {
			task := run(t, e, c.method, c.path, c.body)
			if failure, ok := task["error"].(map[string]any); task["status"] != "failed" || !ok || failure["code"] != c.code {
				t.Errorf("%s %s %.60s: got %v", c.method, c.path, c.body, task)
			}
		}
		// Nothing of them happened.
		if _, got := call(t, e, "GET", "/indexes/a/documents", ""); !reflect.DeepEqual(got, parsed(t, `{"results": [{"id": 1, "t": "one"}], "offset": 0, "limit": 20, "total": 1}`)) {
			t.Errorf("got %v", got)
		}
	})
}

func ids(t testing.TB, e *Engine, index, search string) []any {
	t.Helper()
	status, got := call(t, e, "POST", "/indexes/"+index+"/search", search)
	if status != http.StatusOK {
		t.Fatalf("%s: %d %v", search, status, got)
	}
	list := []any{}
	for _, h := range got.(map[string]any)["hits"].([]any) {
		list = append(list, h.(map[string]any)["id"])
	}
	return list
}

func TestFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, e *Engine) {
		succeed(t, e, "PATCH", "/indexes/a/settings", `{"filterableAttributes": ["s", "n", "list", "o", "gone", "flag", "_geo"]}`)
		succeed(t, e, "POST", "/indexes/a/documents", `[
			{"id": 1, "s": "Red", "n": 1, "list": ["a", "b"], "o": {"k": 1}, "flag": true, "_geo": {"lat": 52.52, "lng": 13.40}},
			{"id": 2, "s": "red wine", "n": 2.5, "list": [], "o": {"k": 2}, "flag": false, "_geo": {"lat": 52.53, "lng": 13.40}},
			{"id": 3, "s": "", "n": -3, "list": null, "o": {}, "gone": null, "_geo": null},
			{"id": 4, "s": "12", "n": 12, "list": ["b", 7], "o": [{"k": 3}, {"k": 1}], "_geo": {"lat": "48.8", "lng": "2.3"}}]`)
		for f, want := range map[string][]any{
			"s = red":                         {1.0},
			"s = 'RED WINE'":                  {2.0},
			"s != red":                        {2.0, 3.0, 4.0},
			"s = 12":                          {4.0},
			"n = 2.5":                         {2.0},
			"n = '12'":                        {4.0},
			"n > 1":                           {2.0, 4.0},
			"n >= 1":                          {1.0, 2.0, 4.0},
			"n < 1":                           {3.0},
			"n <= 1":                          {1.0, 3.0},
			"n 1 TO 2.5":                      {1.0, 2.0},
			"NOT n 1 TO 2.5":                  {3.0, 4.0},
			"s IN [RED, '12']":                {1.0, 4.0},
			"s NOT IN [RED, '12']":            {2.0, 3.0},
			"list = b":                        {1.0, 4.0},
			"list = 7":                        {4.0},
			"list IS EMPTY":                   {2.0},
			"list IS NULL":                    {3.0},
			"list IS NOT NULL":                {1.0, 2.0, 4.0},
			"s IS EMPTY":                      {3.0},
			"gone EXISTS":                     {3.0},
			"gone NOT EXISTS":                 {1.0, 2.0, 4.0},
			"gone IS NULL":                    {3.0},
			"o.k = 1":                         {1.0, 4.0},
			"o.k > 1":                         {2.0, 4.0},
			"o IS EMPTY":                      {3.0},
			"flag = true":                     {1.0},
			"s STARTS WITH RED":               {1.0, 2.0},
			"s = red AND n = 1 OR n = 12":     {1.0, 4.0},
			"s = red AND (n = 2 OR n = 12)":   {},
			"_geoRadius(52.52, 13.4, 500)":    {1.0},
			"_geoRadius(52.52, 13.4, 1200)":   {1.0, 2.0},
			"NOT _geoRadius(52.52, 13.4, 99)": {2.0, 3.0, 4.0},
			"_geoBoundingBox([52.6, 13.5], [52.525, 13.3])": {2.0},
		} {
			body, err := json.Marshal(map[string]string{"filter": f})
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(t, e, "a", string(body)); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, want %v", f, got, want)
			}
		}
		if got, want := ids(t, e, "a", `{"filter": ["n > 1", ["s = 12", "s = '12'"]]}`), []any{4.0}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		succeed(t, e, "POST", "/indexes/a/documents/delete", `{"filter": "n > 1"}`)
		succeed(t, e, "POST", "/indexes/a/documents/delete-batch", `[3, "none"]`)
		if got, want := ids(t, e, "a", `{}`), []any{1.0}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		succeed(t, e, "DELETE", "/indexes/a/documents", "")
		if got := ids(t, e, "a", `{}`); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

func TestSort(t *testing.T) {
	onBoth(t, func(t *testing.T, e *Engine) {
		succeed(t, e, "PATCH", "/indexes/a/settings", `{"sortableAttributes": ["v", "w", "_geo"]}`)
		succeed(t, e, "POST", "/indexes/a/documents", `[
			{"id": 1, "v": 2, "w": "b", "_geo": {"lat": 1, "lng": 1}}, {"id": 2, "v": "Apple", "w": "a"}, {"id": 3, "w": "a", "_geo": {"lat": 0.5, "lng": 0.5}},
			{"id": 4, "v": -10, "w": "b", "_geo": {"lat": 0, "lng": 0}}, {"id": 5, "v": [1, 30], "w": "c"}, {"id": 6, "v": "banana", "w": null, "_geo": {"lat": 0, "lng": 179}}]`)
		for sort, want := range map[string][]any{
			`"v:asc"`:                {4.0, 5.0, 1.0, 2.0, 6.0, 3.0}, // numbers, strings, none
			`"v:desc"`:               {5.0, 1.0, 4.0, 6.0, 2.0, 3.0},
			`"w:asc", "v:desc"`:      {2.0, 3.0, 1.0, 4.0, 5.0, 6.0},
			`"_geoPoint(0,0):asc"`:   {4.0, 3.0, 1.0, 6.0, 2.0, 5.0},
			`"_geoPoint(0, 0):desc"`: {6.0, 1.0, 3.0, 4.0, 2.0, 5.0},
		} {
			if got := ids(t, e, "a", `{"sort": [`+sort+`]}`); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, want %v", sort, got, want)
			}
		}
	})
}

// TestMoreThanAreRanked searches where more match than are ranked: those that match best,
// or come first, must still be found.
func TestMoreThanAreRanked(t *testing.T) {
	e := open(t, "")
	succeed(t, e, "PATCH", "/indexes/a/settings", `{"sortableAttributes": ["n"], "pagination": {"maxTotalHits": 20}, "rankingRules": ["words", "sort", "typo", "proximity", "attribute", "exactness"]}`)
	var docs []string
	for i := range 300 {
		text := "old house"
		if i%100 == 50 {
			text = "house of the old garden" // three of them have both words
		}
		docs = append(docs, fmt.Sprintf(`{"id": %d, "text": "%s", "n": %d}`, i, text, 300-i))
	}
	succeed(t, e, "POST", "/indexes/a/documents", "["+strings.Join(docs, ",")+"]")
	if got, want := ids(t, e, "a", `{"q": "house garden", "limit": 5, "sort": ["n:asc"]}`), []any{250.0, 150.0, 50.0, 299.0, 298.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := ids(t, e, "a", `{"q": "house garden", "matchingStrategy": "all"}`), []any{50.0, 150.0, 250.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, got := call(t, e, "POST", "/indexes/a/search", `{"q": "house", "limit": 1000, "offset": 15}`)
	if m := got.(map[string]any); m["estimatedTotalHits"] != 20.0 || len(m["hits"].([]any)) != 5 {
		t.Errorf("got %v", m)
	}
}

// TestRanking orders documents by one rule after the other.
func TestRanking(t *testing.T) {
	e := open(t, "")
	succeed(t, e, "PATCH", "/indexes/a/settings", `{"searchableAttributes": ["title", "text"], "rankingRules": ["words", "typo", "proximity", "attribute", "exactness", "score:desc"]}`)
	succeed(t, e, "POST", "/indexes/a/documents", `[
		{"id": 1, "title": "one", "text": "golden bridge", "score": 1},
		{"id": 2, "title": "golden", "text": "nothing here at all", "score": 9},
		{"id": 3, "title": "goldan bridge"},
		{"id": 4, "title": "golden big old bridge"},
		{"id": 5, "title": "golden bridge"},
		{"id": 6, "title": "golden bridges"},
		{"id": 7, "title": "bridge golden"},
		{"id": 8, "title": "one", "text": "golden bridge", "score": 2}]`)
	if got, want := ids(t, e, "a", `{"q": "golden bridge"}`), []any{5.0, 6.0, 8.0, 1.0, 7.0, 4.0, 3.0, 2.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

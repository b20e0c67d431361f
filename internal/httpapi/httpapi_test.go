package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// TestLatencyOfAnAnswerThatGoesOn: how long somebody listens is no latency, and the answer
// counts once it is over all the same.
func TestLatencyOfAnAnswerThatGoesOn(t *testing.T) {
	type seen struct {
		route  string
		status int
		took   time.Duration
	}
	var all []seen
	api := New(Config{Version: "test", Observe: func(_, route string, status int, took time.Duration) {
		all = append(all, seen{route, status, took})
	}})
	const listened = 50 * time.Millisecond
	for path, going := range map[string]func(context.Context) context.Context{
		"/going": OpenEnded, "/usual": func(ctx context.Context) context.Context { return ctx },
	} {
		Handle(api, huma.Operation{OperationID: path[1:], Method: http.MethodGet, Path: path},
			func(context.Context, *struct{}) (*huma.StreamResponse, error) {
				return &huma.StreamResponse{Body: func(hc huma.Context) {
					going(hc.Context())
					time.Sleep(listened)
				}}, nil
			})
		began := time.Now()
		api.Engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, Base+path, nil))
		whole := time.Since(began)
		if len(all) != 1 || all[0].route != Base+path || all[0].status != http.StatusOK {
			t.Fatalf("%s was observed as %+v", path, all)
		}
		if took, goes := all[0].took, path == "/going"; goes && (took <= 0 || took > whole-listened) || !goes && took < listened {
			t.Errorf("%s, of %v in all with %v of listening, was observed as %v", path, whole, listened, took)
		}
		all = nil
	}
}

// TestStillIn: an answer that goes on finds out when the token it was asked for with ends,
// and whether it is another's by now.
func TestStillIn(t *testing.T) {
	const user, other = "usr_08000000000000000000000000", "usr_0c000000000000000000000000"
	users, operators := map[string]string{"a": user, "b": user}, map[string]bool{"op": true}
	api := New(Config{
		Version: "test", Operator: func(token string) bool { return operators[token] },
		Users: func(token string) (string, error) {
			if users[token] == "" {
				return "", context.DeadlineExceeded
			}
			return users[token], nil
		},
	})
	var good []func() bool
	Handle(api, huma.Operation{OperationID: "still", Method: http.MethodGet, Path: "/still", Security: LoggedInOrOperator},
		func(ctx context.Context, _ *struct{}) (*struct{}, error) {
			good = append(good, StillIn(ctx))
			return nil, nil
		})
	for _, token := range []string{"a", "b", "op"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Base+"/still", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		api.Engine.ServeHTTP(httptest.NewRecorder(), r)
	}
	good = append(good, StillIn(t.Context())) // of nobody who logged in
	states := func() (all []bool) {
		for _, is := range good {
			all = append(all, is())
		}
		return all
	}
	if got := states(); !slices.Equal(got, []bool{true, true, true, true}) {
		t.Fatalf("at first: %t", got)
	}
	delete(users, "a")
	users["b"] = other
	delete(operators, "op")
	if got := states(); !slices.Equal(got, []bool{false, false, false, true}) {
		t.Errorf("later: %t", got)
	}
}

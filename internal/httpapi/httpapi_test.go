package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
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

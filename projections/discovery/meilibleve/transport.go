package meilibleve

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

// URL is the address to give a client that uses Client: nothing listens there.
const URL = "http://meilibleve.invalid"

// Client returns an HTTP client whose requests go to the Engine by a call, not by the
// network. timeout bounds a request; 0 leaves that to its context.
func (e *Engine) Client(timeout time.Duration) *http.Client {
	return &http.Client{Transport: Transport{e}, Timeout: timeout}
}

// Transport is the http.RoundTripper that calls Handler.
type Transport struct{ Handler http.Handler }

// RoundTrip calls the handler and returns what it answered, whole. A write under way when
// the context ends is completed: then, as with any server, the client does not know.
func (t Transport) RoundTrip(r *http.Request) (response *http.Response, err error) {
	if r.Body == nil {
		r = r.Clone(r.Context())
		r.Body = http.NoBody
	}
	defer func() { _ = r.Body.Close() }() // a RoundTripper closes it; there is nobody to tell
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	// A server ends a connection whose handler panics; so must this, and not the process.
	defer func() {
		if v := recover(); v != nil {
			response, err = nil, fmt.Errorf("meilibleve: panic: %v", v)
		}
	}()
	inner := r.Clone(r.Context())
	inner.RequestURI = r.URL.RequestURI()
	w := &recorder{header: make(http.Header)}
	t.Handler.ServeHTTP(w, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          io.NopCloser(&w.body),
		ContentLength: int64(w.body.Len()),
		Request:       r,
	}, nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// TestWireAgainstTheRealServer asks Go's own server, whose answers it has to read.
func TestWireAgainstTheRealServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Ledger-Position", "42")
		if r.URL.Path == "/long" {
			for range 5 {
				_, _ = io.WriteString(w, strings.Repeat("x", 5000))
				w.(http.Flusher).Flush() // in chunks, without a length
			}
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL, r.Header.Get("Authorization"), body)
	}))
	defer server.Close()
	w, err := dial(t.Context(), server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for range 2 { // over the same connection
		w.head(http.MethodPost, "/a", "/b?c=d")
		w.header("Authorization", "Bearer x")
		r, err := w.send([]byte("{}"))
		want := reply{http.StatusCreated, 42, []byte("POST /a/b?c=d Bearer x {}")}
		if err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("got %v %q, %v; want %v", r, r.body, err, want)
		}
		w.head(http.MethodGet, "/long")
		r, err = w.send(nil)
		want = reply{http.StatusOK, 42, []byte(strings.Repeat("x", 25000))}
		if err != nil || !reflect.DeepEqual(r, want) {
			t.Errorf("got %d, %d bytes, %v", r.status, len(r.body), err)
		}
	}
}

func TestWireRefusesWhatIsNoAnswer(t *testing.T) {
	for _, answer := range []string{
		"", "SMTP ready\r\n\r\n", "HTTP/1.1 2xx OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
	} {
		w := &wire{in: bufio.NewReader(strings.NewReader(answer))}
		if r, err := w.read(); err == nil {
			t.Errorf("%q was read as %v", answer, r)
		}
	}
}

func TestText(t *testing.T) {
	body := []byte(`{"code":"no_table","reservationId":"rsv_1","n":1}`)
	got := []string{text(body, "code"), text(body, "reservationId"), text(body, "n"), text(body, "other"), text([]byte(`{"code":"cut`), "code")}
	if want := []string{"no_table", "rsv_1", "", "", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestBadWire speaks to the port as no HTTP client would. What cannot be read as HTTP is
// refused by net/http itself, in plain text; what can be is refused with a problem. The
// house stays up, and nothing is appended.
func TestBadWire(t *testing.T) {
	faults := watchFaults(t)
	h := startHouse(t, houseConfig{})
	town := newTown(t, h)
	good := town.good["reserve"]
	head := "POST /api/v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: wire\r\nAuthorization: Bearer " + good.token + "\r\n"
	unchanged := town.ledgerUnchanged(t)
	for _, c := range []struct {
		what, send string
		half       bool   // no more is sent, and that is told
		status     string // of the first answer; several of which any will do, or "closed"
		problem    bool
	}{
		{what: "body shorter than told", send: head + "Content-Length: 500\r\n\r\n{", half: true, status: "400", problem: true},
		{what: "chunks that are none", send: head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", status: "400", problem: true},
		{what: "a chunk cut off", send: head + "Transfer-Encoding: chunked\r\n\r\n40\r\n{", half: true, status: "400", problem: true},
		{what: "a chunk of 2⁶⁴ bytes", send: head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}", status: "400", problem: true},
		{what: "two lengths", send: head + "Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}", status: "400"},
		{what: "a length below 0", send: head + "Content-Length: -1\r\n\r\n{}", status: "400"},
		{what: "an encoding nobody knows", send: head + "Transfer-Encoding: gzip\r\n\r\n{}", status: "501"},
		{what: "no host", send: "GET /api/v1/restaurants HTTP/1.1\r\n\r\n", status: "400"},
		{what: "HTTP/9", send: "GET / HTTP/9.9\r\nHost: x\r\n\r\n", status: "505"},
		{what: "no HTTP at all", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", status: "400"},
		{what: "a NUL in a header", send: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n", status: "400"},
		{what: "a header without a name", send: "GET /healthz HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", status: "400"},
		{what: "a space before the colon", send: head + "Content-Length : 2\r\n\r\n{}", status: "400"},
		{what: "20 KiB of one header", send: "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", status: "431"},
		{what: "3000 headers", send: "GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: 1234\r\n", 3000) + "\r\n", status: "431"},
		{what: "a request line of 20 KiB", send: "GET /" + strings.Repeat("a", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", status: "431"},
		{what: "another host's address", send: "GET http://elsewhere/api/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", status: "404", problem: true},
		{what: "a star", send: "GET * HTTP/1.1\r\nHost: x\r\n\r\n", status: "400 404"},
		{what: "half a percent", send: "GET /api/v1/restaurants/%zz HTTP/1.1\r\nHost: x\r\n\r\n", status: "400"},
		{what: "a question after its key was left out", send: strings.Replace(head, "Idempotency-Key: wire\r\n", "", 1) + "Content-Length: 2\r\n\r\n{}", status: "422", problem: true},
		{what: "CONNECT", send: "CONNECT elsewhere:443 HTTP/1.1\r\nHost: elsewhere:443\r\n\r\n", status: "404 405", problem: true},
		{what: "Expect something else", send: head + "Expect: tea\r\nContent-Length: 2\r\n\r\n{}", status: "417"},
		{what: "HTTP/1.0", send: "GET /api/v1/nothing HTTP/1.0\r\n\r\n", status: "404", problem: true},
		{what: "a websocket", send: "GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", status: "404", problem: true},
		{what: "a length and chunks", send: head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", status: "400 422"},
	} {
		t.Run(c.what, func(t *testing.T) {
			conn := dial(t, h)
			write(t, conn, c.send)
			if c.half {
				_ = conn.(*net.TCPConn).CloseWrite()
			}
			r := answer(t, bufio.NewReader(conn))
			if !strings.Contains(c.status, fmt.Sprint(r.status)) {
				t.Fatalf("got %.300s, want %s", r, c.status)
			}
			if why := wrongProblem(r, ""); c.problem && why != "" {
				t.Errorf("%s: %.300s", why, r)
			}
		})
	}
	unchanged()

	t.Run("one after another on one connection", func(t *testing.T) {
		conn := dial(t, h)
		bad := head + "Content-Length: 3\r\n\r\n{x}"
		write(t, conn, bad+bad+"GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(conn)
		for _, want := range []int{400, 400, 404} {
			if r := answer(t, in); r.status != want || wrongProblem(r, "") != "" {
				t.Fatalf("got %s, want %d", r, want)
			}
		}
	})
	t.Run("request ids", func(t *testing.T) {
		for sent, kept := range map[string]bool{"a-b_C9": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "a\tb": false, "é": false, "%0d%0aX-Evil:1": false, "<b>": false, `"`: false, "": false} {
			r := send(t, h, request{method: http.MethodGet, path: "/api/v1/nothing", header: map[string]string{"X-Request-Id": sent}})
			if id := r.field("requestId"); (id == sent) != kept || wrongProblem(r, "") != "" {
				t.Errorf("sent %q, got %q", sent, id)
			}
		}
	})
	t.Run("keys", func(t *testing.T) {
		for _, key := range []string{"a b", "é", "\xff\xfe", "'; DROP TABLE keys; --", "🍕", strings.Repeat("k", 255), "../..", "0", "null"} {
			body := strings.Replace(restaurantBody, "Second", "House of a key", 1)
			post := request{method: http.MethodPost, path: "/api/v1/restaurants", body: body, token: town.rival.token, header: map[string]string{"Idempotency-Key": key}}
			first, again := send(t, h, post).want(t, 201, ""), send(t, h, post).want(t, 201, "")
			if first.field("restaurantId") != again.field("restaurantId") || again.header.Get("Idempotent-Replay") != "true" {
				t.Errorf("key %q: first %s, again %s", key, first, again)
			}
			post.body = restaurantBody
			send(t, h, post).want(t, 422, "idempotency_key_reused")
		}
	})
	faults(t)
}

// TestSlowWire: whoever sends too slowly is told so or cut off, and keeps nobody waiting.
func TestSlowWire(t *testing.T) {
	t.Parallel()
	h := startHouse(t, houseConfig{})
	public := h.client(t)
	owner := public.register("owner")
	begun := time.Now()
	slowBody, slowHead := dial(t, h), dial(t, h)
	write(t, slowBody, "POST /api/v1/restaurants HTTP/1.1\r\nHost: x\r\nIdempotency-Key: slow\r\nAuthorization: Bearer "+owner.token+"\r\nContent-Length: 50000\r\n\r\n{")
	write(t, slowHead, "POST /api/v1/restaurants HTTP/1.1\r\nHost: x\r\nX-A: ")
	idle := make([]net.Conn, 100)
	for i := range idle {
		idle[i] = dial(t, h)
		write(t, idle[i], "GET /healthz HTTP/1.1\r\n")
	}
	public.get("/healthz").want(t, 200, "")
	if waited := time.Since(begun); waited > 4*time.Second {
		t.Errorf("others waited %s", waited)
	}
	r := answer(t, bufio.NewReader(slowBody))
	if r.status != http.StatusRequestTimeout || r.field("code") != "request_timeout" || wrongProblem(r, "") != "" {
		t.Errorf("a slow body got %s", r)
	}
	rest, err := io.ReadAll(slowHead) // until it is cut off, or the deadline of dial
	if err != nil || len(rest) > 0 && !strings.HasPrefix(string(rest), "HTTP/1.1 408") && !strings.HasPrefix(string(rest), "HTTP/1.1 400") {
		t.Errorf("slow headers got %q, %v", rest, err)
	}
}

func dial(t *testing.T, h *house) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", h.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func answer(t *testing.T, in *bufio.Reader) reply {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, r)
}

package webhooks

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"daybook/gateways"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first  = "whsec_Zmlyc3Qgc2VjcmV0IG9mIDMyIGJ5dGVzIQ=="
	second = "whsec_c2Vjb25kIHNlY3JldCBvZiAzMiBieXRlcw=="
)

func newSender(t *testing.T, o Options) *Sender {
	t.Helper()
	s := New(o)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func message(url string) gateways.Message {
	return gateways.Message{URL: url, ID: "msg_1", Secrets: []string{first}, At: time.Now(), Body: []byte(`{"type":"x"}`)}
}

func send(t *testing.T, s *Sender, m gateways.Message) gateways.Answer {
	t.Helper()
	a, err := s.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAReceiverVerifies with the library that receivers use, by either of two secrets.
func TestAReceiverVerifies(t *testing.T) {
	var header http.Header
	var body []byte
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		header = in.Header.Clone()
		body, _ = io.ReadAll(in.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "  thanks\x00\x1b[31m\xff  ")
	}))
	defer r.Close()
	m := message(r.URL)
	m.Secrets = []string{second, first}
	got := send(t, newSender(t, Options{AllowPrivate: true, UserAgent: "Daybook/1"}), m)
	if want := (gateways.Answer{Code: 202, Body: "thanks  [31m�"}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, secret := range []string{first, second, "whsec_b3RoZXI="} {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Verify(body, header); (err == nil) != (secret != "whsec_b3RoZXI=") {
			t.Errorf("verified with %s: %v", secret, err)
		}
		if err := w.Verify(append(body, ' '), header); err == nil {
			t.Error("another body is verified")
		}
	}
	if got := []string{header.Get("Content-Type"), header.Get("User-Agent"), header.Get("Webhook-Id")}; !reflect.DeepEqual(got, []string{"application/json", "Daybook/1", "msg_1"}) {
		t.Errorf("headers %q", got)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	s := newSender(t, Options{AllowPrivate: true})
	for name, spoil := range map[string]func(*gateways.Message){
		"no secret": func(m *gateways.Message) { m.Secrets = nil }, "a secret that is none": func(m *gateways.Message) { m.Secrets = []string{"whsec_%%"} },
		"no address": func(m *gateways.Message) { m.URL = "http://[::1/token" },
	} {
		m := message("http://127.0.0.1/")
		spoil(&m)
		if a, err := s.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "%%") {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// TestNothingPrivateIsReached though a name leads there; with the guard off it is.
func TestNothingPrivateIsReached(t *testing.T) {
	var reached atomic.Int64
	r := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer r.Close()
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	_, port, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := newSender(t, Options{Roots: pool})
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "169.254.169.254", "10.0.0.1", "[fd00::1]"} {
		if got := send(t, s, message("https://"+host+":"+port)); got.Failure != gateways.Forbidden {
			t.Errorf("%s: %+v", host, got)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("it was reached %d times", reached.Load())
	}
	if got := send(t, newSender(t, Options{AllowPrivate: true, Roots: pool}), message("https://127.0.0.1:"+port)); got.Code != 200 || reached.Load() != 1 {
		t.Errorf("without the guard: %+v, reached %d times", got, reached.Load())
	}
}

// TestNoRedirectIsFollowed: the answer that redirects is the answer.
func TestNoRedirectIsFollowed(t *testing.T) {
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	r := httptest.NewServer(http.RedirectHandler(inside.URL, http.StatusPermanentRedirect))
	defer r.Close()
	if got := send(t, newSender(t, Options{AllowPrivate: true}), message(r.URL)); got.Code != 308 || reached.Load() != 0 {
		t.Errorf("got %+v, and it was followed %d times", got, reached.Load())
	}
}

func TestFailures(t *testing.T) {
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshakes that fail
	secure.StartTLS()
	defer secure.Close()
	release := make(chan bool)
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, in *http.Request) {
		_, _ = io.Copy(io.Discard, in.Body)
		select {
		case <-release:
		case <-in.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(release)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100") // of which few come
		_, _ = io.WriteString(w, "few")
	}))
	defer broken.Close()
	gone, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	for _, c := range []struct {
		url  string
		want gateways.Failure
	}{
		{secure.URL, gateways.BadTLS},
		{strings.Replace(slow.URL, "http:", "https:", 1), gateways.BadTLS},
		{slow.URL, gateways.Timeout},
		{broken.URL, gateways.Unreachable},
		{"http://" + gone.Addr().String(), gateways.Unreachable},
		{"http://nowhere.invalid", gateways.UnknownHost},
	} {
		s := newSender(t, Options{AllowPrivate: true, Timeout: 300 * time.Millisecond})
		if c.want != gateways.Timeout {
			s = newSender(t, Options{AllowPrivate: true})
		}
		if got := send(t, s, message(c.url)); got != (gateways.Answer{Failure: c.want}) && !(c.want == gateways.UnknownHost && got.Failure != "") {
			t.Errorf("%s: got %+v, want %s", c.url, got, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := newSender(t, Options{AllowPrivate: true}).Send(ctx, message(slow.URL)); err != nil || got.Failure != gateways.Unreachable {
		t.Errorf("cut off: %+v, %v", got, err)
	}
}

// TestALongAnswer is neither read to its end nor kept.
func TestALongAnswer(t *testing.T) {
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			if _, err := io.WriteString(w, strings.Repeat("long ", 1000)); err != nil {
				return
			}
		}
	}))
	defer r.Close()
	got := send(t, newSender(t, Options{AllowPrivate: true}), message(r.URL))
	if got.Code != 200 || len(got.Body) > keptAnswer {
		t.Errorf("%d, %d bytes kept", got.Code, len(got.Body))
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "-1": 0, "soon": 0, "99999999999999": 0,
		"Sat, 21 Nov 2026 12:01:00 GMT": time.Minute, "Sat, 21 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	strict, lax := newSender(t, Options{}), newSender(t, Options{AllowPrivate: true})
	for _, c := range []struct{ url, strict, lax string }{ // the tidied forms; empty where refused
		{"https://Hooks.Example.com/In?token=A", "https://hooks.example.com/In?token=A", "https://hooks.example.com/In?token=A"},
		{" HTTPS://example.com:8443 ", "https://example.com:8443", "https://example.com:8443"},
		{"http://example.com", "", "http://example.com"},
		{"https://localhost/x", "", "https://localhost/x"},
		{"https://intranet/x", "", "https://intranet/x"},
		{"https://10.1.2.3", "", "https://10.1.2.3"},
		{"https://[::1]:8443/", "", "https://[::1]:8443/"},
		{"https://8.8.8.8/x", "https://8.8.8.8/x", "https://8.8.8.8/x"},
		{"https://user:pass@example.com", "", ""},
		{"https://example.com/#part", "", ""},
		{"https://example.com:0", "", ""},
		{"https://example.com:", "", ""},
		{"https://example.com:99999", "", ""},
		{"https:example.com", "", ""},
		{"https://", "", ""},
		{"ftp://example.com", "", ""},
		{"file:///etc/passwd", "", ""},
		{"://", "", ""},
		{"", "", ""},
		{"https://exa mple.com", "", ""},
		{"https://example.com/\x7f", "", ""},
	} {
		for s, want := range map[*Sender]string{strict: c.strict, lax: c.lax} {
			got, host, err := s.Check(c.url)
			if got != want || (err == nil) != (want != "") || (err == nil) != (host != "") {
				t.Errorf("%q (private %t): got %q at %q, %v; want %q", c.url, s.options.AllowPrivate, got, host, err, want)
			}
		}
	}
}

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.0.1": true, "172.32.0.1": true, "2606:4700::1111": true, "2a00:1450:4001::1": true,
		"127.0.0.1": false, "127.255.0.1": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "192.0.0.192": false, "198.18.0.1": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:8.8.8.8": true, "::127.0.0.1": false, "fe80::1": false, "fe80::1%eth0": false,
		"fc00::1": false, "fd00:ec2::254": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false, "2001::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: public %t, want %t", address, got, want)
		}
	}
}

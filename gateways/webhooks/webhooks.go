// Package webhooks sends webhook messages over HTTP, signed as Standard Webhooks says
// (https://www.standardwebhooks.com), to addresses that others chose.
//
// What belongs here: signing, the connection with its limits, and what may be connected to.
// What a message says, and when it is sent again, is processes/webhooks'.
//
// # Where to
//
// Whoever owns a restaurant may name an address, so a request here must not reach what only
// this machine reaches: itself, its network, a cloud's metadata. The address is judged when
// the connection is made, after its name was looked up, so that no name leads there in the
// end; no redirect is followed, and no proxy of the environment's is used.
package webhooks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"daybook/gateways"
)

// Limits on a receiver.
const (
	defaultTimeout = 15 * time.Second // for the whole of an attempt
	connectTimeout = 5 * time.Second
	maxAnswer      = 64 << 10 // bytes read of an answer, so that the connection can be used again
	keptAnswer     = 512      // bytes kept of it
	maxHeaders     = 16 << 10
	idlePerHost    = 4
	idleInAll      = 100
	idleTimeout    = 90 * time.Second
)

// Options say how messages are sent. The zero value is for production.
type Options struct {
	// AllowPrivate lets messages go to private and loopback addresses, and without TLS.
	AllowPrivate bool
	// Timeout bounds an attempt, 15 s by default.
	Timeout time.Duration
	// UserAgent names the sender to receivers.
	UserAgent string
	// Roots are the certificates to trust instead of the machine's; nil for those.
	Roots *x509.CertPool
}

// Sender sends messages. Safe for concurrent use.
type Sender struct {
	options Options
	client  *http.Client
}

var _ gateways.Webhooks = (*Sender)(nil)

// New makes a Sender. Close it to end idle connections.
func New(o Options) *Sender {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "daybook-webhooks"
	}
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	if !o.AllowPrivate {
		dialer.ControlContext = publicOnly
	}
	return &Sender{options: o, client: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, TLSHandshakeTimeout: connectTimeout,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
			ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaders,
			MaxIdleConns: idleInAll, MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: idleTimeout,
		},
		// The answer that redirects is the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close ends idle connections.
func (s *Sender) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// Check judges an address before anything is sent to it, and returns it tidied, with its
// host. It looks up no name: where that leads is judged whenever something is sent.
func (s *Sender) Check(address string) (tidied, host string, err error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return "", "", errors.New("the url cannot be read")
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch {
	case u.Scheme != "https" && !(s.options.AllowPrivate && u.Scheme == "http"):
		return "", "", errors.New("the url must begin with https://")
	case u.Hostname() == "" || u.Opaque != "":
		return "", "", errors.New("the url names no host")
	case u.User != nil:
		return "", "", errors.New("the url must hold no user and password: messages are signed instead")
	case u.Fragment != "":
		return "", "", errors.New("the url must have no part after #: receivers never see it")
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "", "", errors.New("the url's port is none")
	case !s.options.AllowPrivate && namesPrivate(u.Hostname()):
		return "", "", errors.New("the url leads to a private address, to which this house sends nothing")
	}
	return u.String(), u.Hostname(), nil
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && 0 < n && n < 1<<16
}

// Send sends a message once.
func (s *Sender) Send(ctx context.Context, m gateways.Message) (gateways.Answer, error) {
	signature, err := sign(m)
	if err != nil {
		return gateways.Answer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, strings.NewReader(string(m.Body)))
	if err != nil {
		return gateways.Answer{}, errors.New("webhooks: the address cannot be read") // it may hold a token
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", s.options.UserAgent)
	r.Header.Set(standardwebhooks.HeaderWebhookID, m.ID)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	response, err := s.client.Do(r)
	if err != nil {
		return gateways.Answer{Failure: failureOf(err)}, nil
	}
	defer func() { _ = response.Body.Close() }() // what was read of it is all there is to it
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil && response.StatusCode/100 == 2 {
		// A receiver that breaks off may not have done what its status says.
		return gateways.Answer{Failure: failureOf(err)}, nil
	}
	return gateways.Answer{
		Code: response.StatusCode, Body: text(body), RetryAfter: retryAfter(response.Header.Get("Retry-After"), m.At),
	}, nil
}

// sign signs with each secret, so that a receiver who knows one of them can verify.
func sign(m gateways.Message) (string, error) {
	if len(m.Secrets) == 0 {
		return "", errors.New("webhooks: no secret to sign with")
	}
	signatures := make([]string, len(m.Secrets))
	for i, secret := range m.Secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return "", errors.New("webhooks: a secret is not in base64") // the cause quotes it
		}
		if signatures[i], err = w.Sign(m.ID, m.At, m.Body); err != nil {
			return "", fmt.Errorf("webhooks: sign: %w", err)
		}
	}
	return strings.Join(signatures, " "), nil
}

// failureOf says why there was no answer.
func failureOf(err error) gateways.Failure {
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var timeout net.Error
	switch {
	case errors.Is(err, errPrivate):
		return gateways.Forbidden
	case errors.As(err, &certificate), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch):
		return gateways.BadTLS
	case errors.As(err, &name) && !name.IsTimeout:
		return gateways.UnknownHost
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return gateways.Timeout
	}
	return gateways.Unreachable
}

// text is the beginning of an answer as it can be shown: valid, and without control characters.
func text(body []byte) string {
	shown := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), keptAnswer)]), "�"))
	return strings.TrimSpace(shown)
}

// retryAfter reads seconds or a date; 0 for anything else.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

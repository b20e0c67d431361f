package readapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
	"daybook/projections/book"
	"daybook/projections/ledger"
)

// Whoever runs the service follows restaurants that it does not own for as long as it likes.
func TestOperatorFollowsRestaurants(t *testing.T) {
	s := &lines{choice: ledger.Choice{Restaurants: []domain.RestaurantID{"rst_1"}}, caller: "operator"}
	if err := s.allowed(t.Context()); err != nil {
		t.Error(err)
	}
}

// fed is a ledger whose subscriptions hand out what next makes. No stream is in it.
type fed struct {
	eventstore.Reader
	next  func(ctx context.Context, n int64) (eventstore.Batch, error) // n counts batches, from 1
	asked atomic.Int64
	open  atomic.Int64
}

func (f *fed) Head(context.Context) (eventstore.Position, error) { return 1 << 40, nil }
func (f *fed) ReadStream(context.Context, eventstore.StreamName, eventstore.Revision) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		yield(eventstore.Record{}, eventstore.ErrStreamNotFound)
	}
}

func (f *fed) Subscribe(context.Context, eventstore.Position, eventstore.Filter) (eventstore.Subscription, error) {
	f.open.Add(1)
	return f, nil
}

func (f *fed) Next(ctx context.Context) (eventstore.Batch, error) { return f.next(ctx, f.asked.Add(1)) }

func (f *fed) Close() error {
	f.open.Add(-1)
	return nil
}

// large is a batch of one event that fills several parts.
func large(n int64) eventstore.Batch {
	text := `"` + strings.Repeat("x", 200<<10) + `"`
	e := eventstore.Event{ID: eventstore.EventID{byte(n)}, Type: "large", Data: []byte(text), Metadata: []byte(`{}`)}
	return eventstore.Batch{Records: []eventstore.Record{{Event: e, Stream: "s", Position: eventstore.Position(n)}}, Position: eventstore.Position(n), Live: true}
}

// never is a ledger in which nothing happens after the first batch.
func never(ctx context.Context, n int64) (eventstore.Batch, error) {
	if n == 1 {
		return eventstore.Batch{Position: 7, Live: true}, nil
	}
	<-ctx.Done()
	return eventstore.Batch{}, ctx.Err()
}

// tailing serves tails of f, as s is, and tells when one has ended.
func tailing(t *testing.T, f *fed, change func(*lines)) (url string, ended <-chan struct{}) {
	t.Helper()
	over := make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &lines{
			reads:  &reads{Views: Views{Events: ledger.New(f), Book: book.New(f, codec.New(nil))}},
			caller: "operator", stillIn: func() bool { return true }, pace: pace{beat: time.Hour, slow: time.Hour, gone: time.Hour},
			out: w, line: http.NewResponseController(w),
		}
		if change != nil {
			change(s)
		}
		if err := s.open(r.Context(), true); err != nil {
			t.Error(err)
			return
		}
		s.judged = time.Time{}
		s.run()
		s.close()
		over <- struct{}{}
	}))
	t.Cleanup(server.Close)
	return server.URL, over
}

func within(t *testing.T, what string, happened <-chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(20 * time.Second):
		t.Fatal("waited in vain until " + what)
	}
}

// TestTailOfAClientThatStopsReading: it is let go, and no more is read for it than its
// connection and two pieces hold.
func TestTailOfAClientThatStopsReading(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	f := &fed{next: func(_ context.Context, n int64) (eventstore.Batch, error) { return large(n), nil }}
	url, ended := tailing(t, f, func(s *lines) { s.pace.gone = 100 * time.Millisecond })
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	within(t, "the client is let go", ended)
	if asked := f.asked.Load(); asked > 200 { // 40 MB; a loopback connection buffers a few
		t.Errorf("%d batches were read for a client that reads nothing", asked)
	}
	if f.open.Load() != 0 {
		t.Error("its subscription is still there")
	}
}

// ends reads a tail to its last line.
func ends(t *testing.T, url string) (m mark) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	var last []byte
	for lines.Scan() {
		last = append(last[:0], lines.Bytes()...)
	}
	if err := errors.Join(lines.Err(), json.Unmarshal(last, &m)); err != nil {
		t.Fatal(err)
	}
	return m
}

// slowly takes a while for each part.
type slowly struct{ http.ResponseWriter }

func (w slowly) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w slowly) Write(b []byte) (int, error) {
	time.Sleep(5 * time.Millisecond)
	return w.ResponseWriter.Write(b)
}

// TestHowTailsEnd: the last line of each says why, and where to go on.
func TestHowTailsEnd(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t); http.DefaultClient.CloseIdleConnections() })
	every := func(_ context.Context, n int64) (eventstore.Batch, error) { return large(n), nil }
	for name, c := range map[string]struct {
		next   func(context.Context, int64) (eventstore.Batch, error)
		change func(*lines)
		want   mark
	}{
		"a slow client": {every, func(s *lines) { s.pace.slow, s.out = time.Millisecond, slowly{s.out} },
			mark{1, "slow", "you took longer than 1ms for a part of it; go on with after=1"}},
		"a token that ends before anything comes": {never, func(s *lines) { s.stillIn = func() bool { return false } },
			mark{0, "unauthenticated", "the access token is no longer good; log in again; go on with after=0"}},
		"a token that ends between two pieces": {every, func(s *lines) {
			asked := 0
			s.stillIn = func() bool { asked++; return asked < 3 }
		}, mark{2, "unauthenticated", "the access token is no longer good; log in again; go on with after=2"}},
		"a token that ends while nothing comes": {never, func(s *lines) {
			asked := 0
			s.pace.beat, s.stillIn = time.Millisecond, func() bool { asked++; return asked < 4 }
		}, mark{7, "unauthenticated", "the access token is no longer good; log in again; go on with after=7"}},
		"somebody whose restaurant it no longer is": {never, func(s *lines) {
			s.user, s.choice.Restaurants = "usr_1", []domain.RestaurantID{domain.NewRestaurantID([16]byte{1})}
		}, mark{0, "not_found", "no such restaurant; go on with after=0"}},
		"an engine that goes away": {func(context.Context, int64) (eventstore.Batch, error) {
			return eventstore.Batch{}, eventstore.ErrUnavailable
		}, nil,
			mark{0, "unavailable", "the ledger cannot be read just now; go on with after=0"}},
	} {
		f := &fed{next: c.next}
		url, ended := tailing(t, f, c.change)
		if got := ends(t, url); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
		within(t, name+" is over", ended)
		if f.open.Load() != 0 {
			t.Errorf("%s: its subscription is still there", name)
		}
	}
}

// TestTailThatHasNothingToTell is kept alive, and ends with its client.
func TestTailThatHasNothingToTell(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t); http.DefaultClient.CloseIdleConnections() })
	f := &fed{next: never}
	url, ended := tailing(t, f, func(s *lines) { s.pace.beat = time.Millisecond })
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for range 4 {
		if !lines.Scan() || lines.Text() != `{"position":7}` && lines.Text() != `{"position":0}` {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
	}
	stop()
	within(t, "the tail is over", ended)
	if f.open.Load() != 0 {
		t.Error("its subscription is still there")
	}
}

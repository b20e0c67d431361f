package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/goleak"

	"daybook/eventstore"
	"daybook/eventstore/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// ledger is a store of numbered batches, which breaks a subscription off when told to.
type ledger struct {
	mu       sync.Mutex
	batches  []eventstore.Batch
	grown    chan struct{}
	breaks   map[eventstore.Position]int // how often the batch of this position is not handed out
	refused  int                         // how often Subscribe fails
	subs     int                         // open
	subFroms []eventstore.Position
}

func newLedger(n int) *ledger {
	l := &ledger{grown: make(chan struct{}), breaks: map[eventstore.Position]int{}}
	l.grow(n)
	return l
}

func (l *ledger) grow(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		p := eventstore.Position(10 * (len(l.batches) + 1))
		l.batches = append(l.batches, eventstore.Batch{Records: []eventstore.Record{{Position: p}}, Position: p})
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *ledger) Subscribe(_ context.Context, after eventstore.Position, _ eventstore.Filter) (eventstore.Subscription, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused > 0 {
		l.refused--
		return nil, eventstore.ErrUnavailable
	}
	l.subs++
	l.subFroms = append(l.subFroms, after)
	return &place{l: l, at: after}, nil
}

type place struct {
	l  *ledger
	at eventstore.Position
}

func (p *place) Next(ctx context.Context) (eventstore.Batch, error) {
	for {
		p.l.mu.Lock()
		for _, b := range p.l.batches {
			if b.Position <= p.at {
				continue
			}
			if p.l.breaks[b.Position] > 0 {
				p.l.breaks[b.Position]--
				p.l.mu.Unlock()
				return eventstore.Batch{}, eventstore.ErrUnavailable
			}
			p.at = b.Position
			b.Live = b.Position == p.l.batches[len(p.l.batches)-1].Position
			p.l.mu.Unlock()
			return b, nil
		}
		grown := p.l.grown
		p.l.mu.Unlock()
		select {
		case <-grown:
		case <-ctx.Done():
			return eventstore.Batch{}, ctx.Err()
		}
	}
}

func (p *place) Close() error {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.l.subs--
	return nil
}

// from is the start of a reader that remembers nothing.
func from(p eventstore.Position) feed.Start {
	return func(context.Context, string) (eventstore.Position, error) { return p, nil }
}

func subscriber(t *testing.T, c feed.Config) *feed.Subscriber {
	t.Helper()
	c.Logger = quiet
	c.MinBackoff, c.MaxBackoff = time.Millisecond, 4*time.Millisecond
	if c.Start == nil {
		c.Start = from(0)
	}
	s, err := feed.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func subscribe(t *testing.T, s *feed.Subscriber) <-chan *message.Message {
	t.Helper()
	c, err := s.Subscribe(context.Background(), "view")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// next takes a message and returns the position its batch ends at.
func next(t *testing.T, c <-chan *message.Message) (*message.Message, eventstore.Position) {
	t.Helper()
	select {
	case msg, ok := <-c:
		if !ok {
			t.Fatal("the channel was closed")
		}
		b, ok := feed.BatchOf(msg)
		if !ok || len(b.Records) != 1 || b.Records[0].Position != b.Position {
			t.Fatalf("message %s carries %+v", msg.UUID, b)
		}
		return msg, b.Position
	case <-time.After(10 * time.Second):
		t.Fatal("no message after 10 s")
		return nil, 0
	}
}

func TestOneBatchAtATimeInOrder(t *testing.T) {
	l := newLedger(2)
	type acked struct {
		topic string
		at    eventstore.Position
		live  bool
	}
	heard := make(chan acked, 10)
	s := subscriber(t, feed.Config{Store: l, Start: from(10), Acked: func(topic string, at eventstore.Position, live bool) {
		heard <- acked{topic, at, live}
	}})
	c := subscribe(t, s)
	l.grow(1)
	for _, want := range []eventstore.Position{20, 30} {
		msg, got := next(t, c)
		if got != want {
			t.Fatalf("batch up to %d, want %d", got, want)
		}
		select {
		case <-c:
			t.Fatal("another batch before the acknowledgement")
		case <-msg.Context().Done():
			t.Fatal("the context ended before the acknowledgement")
		default:
		}
		msg.Ack()
		<-msg.Context().Done()
		h := <-heard
		h.live = h.live || want == 20 // or not, where it was read after the ledger grew
		if want := (acked{"view", want, true}); h != want {
			t.Errorf("heard %+v, want %+v", h, want)
		}
	}
}

func TestRefusedComesAgain(t *testing.T) {
	c := subscribe(t, subscriber(t, feed.Config{Store: newLedger(2)}))
	for range 3 {
		msg, at := next(t, c)
		if at != 10 {
			t.Fatalf("batch up to %d, want the first again", at)
		}
		msg.Nack()
	}
	msg, _ := next(t, c)
	msg.Ack()
	if _, at := next(t, c); at != 20 {
		t.Fatalf("batch up to %d, want 20", at)
	}
}

func TestBrokenOffIsTakenUpAgain(t *testing.T) {
	l := newLedger(3)
	l.breaks[20], l.breaks[30] = 2, 1
	l.refused = 2
	starts, reached := 0, eventstore.Position(0)
	c := subscribe(t, subscriber(t, feed.Config{Store: l, Start: func(_ context.Context, topic string) (eventstore.Position, error) {
		if starts++; starts < 3 {
			return 0, errors.New("the checkpoint cannot be read")
		}
		return reached, nil
	}}))
	for _, want := range []eventstore.Position{10, 20, 30} {
		msg, got := next(t, c)
		if got != want {
			t.Fatalf("batch up to %d, want %d", got, want)
		}
		reached = got
		msg.Ack()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// Asked twice in vain, twice for subscriptions that were refused, and for each that was opened.
	if want := []eventstore.Position{0, 10, 10, 20}; !reflect.DeepEqual(l.subFroms, want) || starts != 8 || l.subs != 1 {
		t.Errorf("subscribed from %v with %d starts and %d left open, want %v, 8, 1", l.subFroms, starts, l.subs, want)
	}
}

func TestRestartAsksForTheStartAgain(t *testing.T) {
	at := eventstore.Position(0)
	c := subscribe(t, subscriber(t, feed.Config{Store: newLedger(3), Start: func(context.Context, string) (eventstore.Position, error) {
		return at, nil
	}}))
	for i, want := range []eventstore.Position{10, 30, 10} {
		msg, got := next(t, c)
		if got != want {
			t.Fatalf("batch up to %d, want %d", got, want)
		}
		at = []eventstore.Position{20, 0, 0}[i]
		feed.Restart(msg)
		if i == 0 {
			msg.Nack()
		} else {
			msg.Ack()
		}
	}
}

func TestEnds(t *testing.T) {
	s := subscriber(t, feed.Config{Store: newLedger(1)})
	ctx, cancel := context.WithCancel(context.Background())
	one, err := s.Subscribe(ctx, "one")
	if err != nil {
		t.Fatal(err)
	}
	two := subscribe(t, s)
	msg, _ := next(t, one)
	cancel()
	if _, open := <-one; open {
		t.Error("a message after the context's end")
	}
	<-msg.Context().Done()
	msg, _ = next(t, two)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-msg.Context().Done()
	if _, open := <-two; open {
		t.Error("a message after Close")
	}
	if _, err := s.Subscribe(context.Background(), "late"); !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("subscribing after Close: %v, want ErrClosed", err)
	}
}

func TestAMessageOfSomebodyElse(t *testing.T) {
	msg := message.NewMessage("1", nil)
	if b, ok := feed.BatchOf(msg); ok {
		t.Errorf("got %+v of a message that carries none", b)
	}
	feed.Restart(msg) // and nothing happens
}

func TestRetry(t *testing.T) {
	var log strings.Builder
	var failed []string
	retry := feed.Retry{Min: time.Millisecond, Max: 2 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Failed: func(err error, attempt int) { failed = append(failed, fmt.Sprint(attempt, " ", err)) }}
	calls := 0
	h := retry.Middleware(func(*message.Message) ([]*message.Message, error) {
		if calls++; calls < 4 {
			return nil, fmt.Errorf("away %d", calls)
		}
		return nil, nil
	})
	if _, err := h(message.NewMessage("1", nil)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1 away 1", "2 away 2", "3 away 3"}; !reflect.DeepEqual(failed, want) {
		t.Errorf("told of %q, want %q", failed, want)
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("%d lines for one outage, want its begin and its end:\n%s", n, log.String())
	}

	ctx, cancel := context.WithCancel(context.Background())
	away := feed.Retry{Min: time.Hour, Logger: quiet, Failed: func(error, int) { cancel() }}.Middleware(
		func(*message.Message) ([]*message.Message, error) { return nil, errors.New("away") })
	if _, err := away(message.NewMessageWithContext(ctx, "1", nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context's end: %v, want its error", err)
	}
}

package webhooks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"daybook/eventstore/codec"
)

// received is a message as its receiver took it.
type received struct {
	id   string
	body letterRead
	raw  string
}

// letterRead is what a receiver makes of a message.
type letterRead struct {
	Type       string
	ID         string
	Position   uint64
	Restaurant string `json:"restaurantId"`
	Data       struct {
		Date        string
		Revision    uint64
		Reservation *struct {
			ID       string `json:"reservationId"`
			Status   string
			Before   string `json:"previousStatus"`
			Personal *struct{ Name string }
		}
	}
}

// receiver takes messages, verifies them by the library that receivers use, and notes which
// it acknowledged, in order.
type receiver struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	secrets []string
	taken   []received
	seen    int // requests, taken or not
	answer  func(n int, m received) int
	during  map[string]int // messages of a day that are being answered
	crowded bool           // several of a day at once are no surprise: a sender was killed, or has no lanes
	badly   []string
}

// receive starts a receiver. answer decides with which status each request is answered; nil
// is 204 for all.
func receive(t *testing.T, answer func(n int, m received) int) *receiver {
	r := &receiver{t: t, answer: answer, during: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	t.Cleanup(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, bad := range r.badly {
			t.Error(bad)
		}
	})
	return r
}

func (r *receiver) trust(secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets = append(r.secrets, secret)
}

func (r *receiver) serve(out http.ResponseWriter, in *http.Request) {
	body, err := io.ReadAll(in.Body)
	if err != nil {
		return
	}
	m := received{id: in.Header.Get("webhook-id"), raw: string(body)}
	if err := json.Unmarshal(body, &m.body); err != nil {
		r.complain("a body that is no JSON: %s", body)
	}
	r.mu.Lock()
	good := len(r.secrets) == 0 // it was not told yet
	for _, secret := range r.secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		good = good || (err == nil && w.Verify(body, in.Header) == nil)
	}
	n := r.seen
	r.seen++
	lane := m.body.Data.Date
	r.during[lane]++
	together := r.during[lane]
	answer := r.answer
	r.mu.Unlock()
	if !good {
		r.complain("message %s is not signed with a secret that was given out", m.id)
	}
	if lane != "" && together > 1 && !r.crowded {
		r.complain("two messages of %s at once", lane)
	}
	status := http.StatusNoContent
	if answer != nil {
		status = answer(n, m)
	}
	r.mu.Lock()
	r.during[lane]--
	if status/100 == 2 {
		r.taken = append(r.taken, m)
	}
	r.mu.Unlock()
	out.WriteHeader(status)
}

func (r *receiver) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.badly) < 10 {
		r.badly = append(r.badly, fmt.Sprintf(format, args...))
	}
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken)
}

// held is the last message that was taken of a hold.
func (r *receiver) held() (last received) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.taken {
		if m.body.Type == codec.TypeReservationHeld {
			last = m
		}
	}
	if last.body.Data.Reservation == nil {
		r.t.Fatal("no hold was taken")
	}
	return last
}

// types lists what was taken.
func (r *receiver) types() (types []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.taken {
		types = append(types, m.body.Type)
	}
	return types
}

// check compares what was taken with what the ledger holds.
func (r *receiver) check(streams map[string][]string) {
	r.t.Helper()
	for _, wrong := range r.wrong(streams) {
		r.t.Error(wrong)
	}
}

// wrong says what is not as it must be: every event at least once, each for the first time
// only after all before it in its stream, and always under one id.
func (r *receiver) wrong(streams map[string][]string) (wrong []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, ids := map[string]int{}, map[string]string{}
	for i, m := range r.taken {
		if _, again := first[m.body.ID]; !again {
			first[m.body.ID] = i
		}
		if id, again := ids[m.body.ID]; again && id != m.id {
			wrong = append(wrong, fmt.Sprintf("event %s came as %s and as %s", m.body.ID, id, m.id))
		}
		ids[m.body.ID] = m.id
	}
	for stream, events := range streams {
		last := -1
		for revision, e := range events {
			at, ok := first[e]
			if !ok {
				wrong = append(wrong, fmt.Sprintf("%s: event %d never came", stream, revision))
				continue
			}
			if at < last {
				wrong = append(wrong, fmt.Sprintf("%s: event %d came before the one before it", stream, revision))
			}
			last = max(last, at)
		}
	}
	return wrong
}

// distinct is how many events were taken.
func (r *receiver) distinct() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	events := map[string]bool{}
	for _, m := range r.taken {
		events[m.body.ID] = true
	}
	return len(events)
}

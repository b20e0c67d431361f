package commands

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"daybook/domain"
	"daybook/eventstore"
	"daybook/eventstore/codec"
)

// asked is one use of a day by a client. All tables are alike and all parties fit them, and
// the two times are so far apart that neither takes from the other.
type asked struct {
	verb   string
	number uint32 // of an entry of the book or, to accept, of the waitlist
	later  bool   // of the two times: the later one
}

// answered is what came of it.
type answered struct {
	number uint32 // of what was made: an entry of the book, of the waitlist
	offer  uint32 // the entry of the book that was offered at once
	code   domain.Code
}

// modelBook is the day as little as it can be: for each entry its status and its time, and
// for each of the waitlist its time and what it was offered. A value, written apart from
// the aggregate: it counts heads and knows no tables.
type modelBook struct {
	entries string // two bytes each: one of "pcsdx", and '0' or '1'
	waits   string // two bytes each: '0' or '1', and the number offered, 0 for none yet
}

func (m modelBook) live(at byte) (n int) {
	for i := 0; i < len(m.entries); i += 2 {
		if m.entries[i+1] == at && strings.IndexByte("pcs", m.entries[i]) >= 0 {
			n++
		}
	}
	return n
}

func (m modelBook) add(status, at byte) (modelBook, uint32) {
	m.entries += string([]byte{status, at})
	return m, uint32(len(m.entries) / 2)
}

func (m modelBook) set(number uint32, status, at byte) modelBook {
	b := []byte(m.entries)
	b[2*number-2], b[2*number-1] = status, at
	m.entries = string(b)
	return m
}

// offer gives what became free at a time to the first that waits for it.
func (m modelBook) offer(at byte) modelBook {
	for i := 0; i < len(m.waits); i += 2 {
		if m.waits[i] == at && m.waits[i+1] == 0 {
			next, number := m.add('p', at)
			next.waits = m.waits[:i+1] + string([]byte{byte(number)}) + m.waits[i+2:]
			return next
		}
	}
	return m
}

// refusals are the codes with which an entry of a status refuses what it does not allow.
var refusals = map[byte]domain.Code{
	'p': domain.CodeNotConfirmed, 'c': domain.CodeNotSeated, 's': domain.CodeStarted, 'd': domain.CodeCompleted, 'x': domain.CodeCancelled,
}

// ask is what the model answers, and what it is then.
func (m modelBook) ask(q asked, tables int) (answered, modelBook) {
	at := byte('0')
	if q.later {
		at = '1'
	}
	switch q.verb {
	case "hold":
		if m.live(at) >= tables {
			return answered{code: domain.CodeNoTable}, m
		}
		next, number := m.add('p', at)
		return answered{number: number}, next
	case "join":
		entry, offered := uint32(len(m.waits)/2+1), uint32(0)
		if m.live(at) < tables {
			m, offered = m.add('p', at)
		}
		m.waits += string([]byte{at, byte(offered)})
		return answered{number: entry, offer: offered}, m
	case "accept":
		if q.number = uint32(m.waits[2*q.number-1]); q.number == 0 {
			return answered{code: domain.CodeNotWaiting}, m
		}
		q.verb = "confirm"
	}
	return m.change(q, at, tables)
}

func (m modelBook) change(q asked, at byte, tables int) (answered, modelBook) {
	status, had := m.entries[2*q.number-2], m.entries[2*q.number-1]
	switch q.verb + " " + string(status) {
	case "confirm p":
		return answered{}, m.set(q.number, 'c', had)
	case "confirm c", "confirm s", "cancel x", "seat s", "complete d":
		return answered{}, m
	case "cancel p", "cancel c":
		return answered{}, m.set(q.number, 'x', had).offer(had)
	case "complete s":
		return answered{}, m.set(q.number, 'd', had).offer(had)
	case "seat c":
		if had == '1' {
			return answered{code: domain.CodeTooEarly}, m
		}
		return answered{}, m.set(q.number, 's', had)
	case "amend p", "amend c":
		if had == at {
			return answered{}, m
		}
		if m.live(at) >= tables {
			return answered{code: domain.CodeNoTable}, m
		}
		return answered{}, m.set(q.number, status, at).offer(had)
	}
	return answered{code: refusals[status]}, m
}

func dayModel(tables int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return modelBook{} },
		Step: func(state, input, output any) (bool, any) {
			want, next := state.(modelBook).ask(input.(asked), tables)
			return want == output.(answered), next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
}

// recorder asks a day and notes what was asked when, and what came of it.
type recorder struct {
	id      domain.RestaurantID
	now     atomic.Int64
	entries atomic.Uint32 // that somebody was told of
	waits   atomic.Uint32
	mu      sync.Mutex
	history []porcupine.Operation
}

func (r *recorder) do(t *testing.T, client int, a *App, q asked) {
	call := r.now.Add(1)
	got, err := r.ask(a, q)
	if err != nil {
		if got.code = code(err); got.code == "" {
			t.Errorf("%+v: %v", q, err)
			return
		}
	}
	op := porcupine.Operation{ClientId: client, Input: q, Output: got, Call: call, Return: r.now.Add(1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history = append(r.history, op)
}

func atLeast(n *atomic.Uint32, number uint32) {
	for old := n.Load(); old < number && !n.CompareAndSwap(old, number); old = n.Load() {
		continue
	}
}

func (r *recorder) ask(a *App, q asked) (got answered, err error) {
	ctx, host := context.Background(), caller(owner, "")
	at, id := "19:00", domain.NewReservationID(r.id, evening, q.number)
	if q.later {
		at = "21:00"
	}
	switch q.verb {
	case "hold":
		want := tableFor(r.id, 2)
		want.Time = at
		var b Booked
		b, err = a.HoldTable(ctx, caller(ada, ""), want)
		got.number = b.Reservation.Number
		atLeast(&r.entries, got.number)
	case "join":
		who := domain.NewUserID(newID()) // nobody waits twice
		var w Waiting
		w, err = a.JoinWaitlist(ctx, caller(who, ""), JoinWaitlist{Restaurant: r.id, Date: evening, FromTime: at, ToTime: at, Party: 2})
		got.number, got.offer = w.Entry.Entry, w.Entry.Number
		atLeast(&r.waits, got.number)
		atLeast(&r.entries, got.offer)
	case "accept":
		_, err = a.AcceptOffer(ctx, host, domain.NewWaitlistID(r.id, evening, q.number))
	case "confirm":
		_, err = a.ConfirmReservation(ctx, host, id)
	case "cancel":
		_, err = a.CancelReservation(ctx, host, id, "")
	case "seat":
		_, err = a.SeatParty(ctx, host, id, 0, nil)
	case "complete":
		_, err = a.CompleteSeating(ctx, host, id)
	case "amend":
		_, err = a.AmendReservation(ctx, host, id, AmendReservation{Time: at})
	}
	return got, err
}

// draw is what a client asks next, of entries that somebody knows of.
func (r *recorder) draw(rng *rand.Rand) asked {
	verbs := []string{
		"hold", "hold", "join", "join", "accept", "accept", "confirm", "confirm", "confirm", "cancel",
		"seat", "seat", "seat", "complete", "complete", "amend", "amend",
	}
	q := asked{verb: verbs[rng.IntN(len(verbs))], later: rng.IntN(3) == 0}
	known := r.entries.Load()
	if q.verb == "accept" {
		known = r.waits.Load()
	}
	switch {
	case q.verb == "join" || q.verb == "hold":
	case known == 0:
		q.verb = "hold"
	default:
		q.number = max(1, known-min(known, uint32(rng.IntN(6)))) // mostly what is new
	}
	if q.verb != "hold" && q.verb != "join" && q.verb != "amend" {
		q.later = false
	}
	return q
}

// TestADayIsLinear has many clients of two processes use one day, and finds one order of all
// they did in which the model gives each the answer that it got, when it was asked for.
func TestADayIsLinear(t *testing.T) {
	const tables, clients, steps = 2, 5, 24
	seeds := uint64(12)
	if soak() {
		seeds = 1000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			h := newHouse(t)
			h.clock.set(local(18, 30))
			r := &recorder{id: h.restaurant(tables)}
			slow := on(&hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
				runtime.Gosched() // let the others be first
				return do(ctx, s, x, es...)
			}})
			apps := []*App{h.app(slow), h.app(slow)}
			var wg sync.WaitGroup
			for client := range clients {
				wg.Go(func() {
					rng := rand.New(rand.NewPCG(seed, uint64(client)))
					for range steps {
						r.do(t, client, apps[(client+rng.IntN(2))%2], r.draw(rng))
					}
				})
			}
			wg.Wait()
			if got := porcupine.CheckOperationsTimeout(dayModel(tables), r.history, patience); got != porcupine.Ok {
				t.Errorf("%s", got)
				for _, op := range r.history {
					t.Logf("%d to %d: %+v: %+v", op.Call, op.Return, op.Input, op.Output)
				}
			}
		})
	}
}

// The guard: with the expected version off, two holds of one table have no order.
func TestADayIsLinearOnlyByItsExpectedVersion(t *testing.T) {
	for want, guarded := range map[porcupine.CheckResult]bool{porcupine.Ok: true, porcupine.Illegal: false} {
		h := newHouse(t)
		r := &recorder{id: h.restaurant(1)}
		var decided, wg sync.WaitGroup
		decided.Add(2)
		for client := range 2 {
			var first sync.Once
			a := h.app(on(&hooked{Store: h.store, append: func(do appendFunc, ctx context.Context, s eventstore.StreamName, x eventstore.Expected, es []eventstore.Event) (eventstore.Appended, error) {
				if _, _, day := codec.ParseDayStream(s); day {
					first.Do(func() {
						decided.Done()
						decided.Wait()
					})
					if !guarded {
						x = eventstore.Any()
					}
				}
				return do(ctx, s, x, es...)
			}}))
			wg.Go(func() { r.do(t, client, a, asked{verb: "hold"}) })
		}
		wg.Wait()
		if got := porcupine.CheckOperationsTimeout(dayModel(1), r.history, time.Minute); got != want {
			t.Errorf("guarded %t: %s, want %s: %+v", guarded, got, want, r.history)
		}
	}
}

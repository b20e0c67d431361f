package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// client is one that asks, answer by answer, over a connection of its own.
type client struct {
	wire   *wire
	rand   *rand.Rand
	diner  *diner
	name   string // makes its idempotency keys its own
	asked  int
	key    []byte
	form   []byte
	window *window
	tally  tally
}

// window is the stretch that is measured.
type window struct{ from, to time.Time }

func (w *window) holds(t time.Time) bool { return !t.Before(w.from) && t.Before(w.to) }

// tally is what a client saw within the window.
type tally struct {
	took     []time.Duration // of what was accepted
	refused  map[string]int  // by code
	position uint64          // the last write's, in the window or not
}

func (t *tally) add(o tally) {
	t.took = append(t.took, o.took...)
	t.position = max(t.position, o.position)
	if t.refused == nil {
		t.refused = map[string]int{}
	}
	for code, n := range o.refused {
		t.refused[code] += n
	}
}

// quantile is the latency that a share of what was accepted did not exceed. It sorts.
func (t *tally) quantile(share float64) time.Duration {
	if len(t.took) == 0 {
		return 0
	}
	slices.Sort(t.took)
	return t.took[min(int(share*float64(len(t.took))), len(t.took)-1)]
}

func (t *tally) refusals() (n int) {
	for _, times := range t.refused {
		n += times
	}
	return n
}

// runs tells apart the keys of clients of one process.
var runs atomic.Int64

func newClient(ctx context.Context, s *system, n int, w *window) (*client, error) {
	conn, err := dial(ctx, s.addr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	run := runs.Add(1)
	return &client{
		wire: conn, rand: rand.New(rand.NewPCG(uint64(n), 20260101)), diner: s.diners[n%len(s.diners)],
		name: fmt.Sprintf("bench-%d-%d-", n, run), window: w, tally: tally{refused: map[string]int{}},
	}, nil
}

// write does one deed at a place.
func (c *client) write(p *place) error {
	d, err := p.choose(c.rand)
	if err != nil {
		return err
	}
	return c.do(p, d, draw(c.rand))
}

// do asks for a deed, a hold as a says, and takes down how it ended.
func (c *client) do(p *place, d deed, a ask) error {
	c.asked++
	c.key = strconv.AppendInt(append(c.key[:0], c.name...), int64(c.asked), 10)
	by, want := c.diner, http.StatusCreated
	if d.cancel.id == "" {
		c.wire.head(http.MethodPost, "/api/v1/reservations")
		c.form = append(append(c.form[:0], `{"restaurantId":"`...), d.restaurant...)
		c.form = append(append(c.form, `","date":"`...), d.date...)
		c.form = append(append(c.form, `","time":"`...), a.time...)
		c.form = append(strconv.AppendInt(append(c.form, `","party":`...), int64(a.party), 10), '}')
	} else {
		by, want = d.cancel.diner, http.StatusOK
		c.wire.head(http.MethodPatch, "/api/v1/reservations/", d.cancel.id, "/cancel")
		c.form = append(c.form[:0], "{}"...)
	}
	c.wire.header("Authorization", by.bearer)
	c.wire.header("Idempotency-Key", string(c.key))
	began := time.Now()
	r, err := c.wire.send(c.form)
	if err != nil {
		return err
	}
	ended := time.Now()
	accepted := r.status == want
	id := ""
	if accepted && d.cancel.id == "" {
		if id = text(r.body, "reservationId"); id == "" {
			return fmt.Errorf("a hold without an id: %.300s", r.body)
		}
	}
	p.done(d, accepted, id, by)
	c.tally.position = max(c.tally.position, r.position)
	switch {
	case accepted:
		if c.window.holds(ended) {
			c.tally.took = append(c.tally.took, ended.Sub(began))
		}
	case r.status == http.StatusConflict || r.status == http.StatusServiceUnavailable:
		if c.window.holds(ended) {
			c.tally.refused[text(r.body, "code")]++
		}
	default:
		return fmt.Errorf("an answer that the load does not expect: %d %.300s", r.status, r.body)
	}
	return nil
}

// read asks what is free on the day that a place is at.
func (c *client) read(p *place) error {
	restaurant, date := p.today()
	c.wire.head(http.MethodGet, "/api/v1/restaurants/", restaurant, "/availability?party=", strconv.Itoa(1+c.rand.IntN(8)), "&date=", date)
	began := time.Now()
	r, err := c.wire.send(nil)
	if err != nil {
		return err
	}
	ended := time.Now()
	switch {
	case r.status == http.StatusServiceUnavailable:
		if c.window.holds(ended) {
			c.tally.refused[text(r.body, "code")]++
		}
	case r.status != http.StatusOK || text(r.body, "time") == "":
		return fmt.Errorf("an answer that the load does not expect: %d %.300s", r.status, r.body)
	case c.window.holds(ended):
		c.tally.took = append(c.tally.took, ended.Sub(began))
	}
	return nil
}

// drive lets n clients do something at random places, each as soon as its last answer is
// there, until the window closes. A perSecond above 0 spaces out what they do together.
func drive(ctx context.Context, s *system, n int, places []*place, w *window, perSecond int, do func(*client, *place) error) (tally, error) {
	clients := make([]*client, n)
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.wire.close() // what was to be read has been
			}
		}
	}()
	for i := range clients {
		c, err := newClient(ctx, s, i, w)
		if err != nil {
			return tally{}, err
		}
		clients[i] = c
	}
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i, c := range clients {
		g.Go(func() error {
			for k := 0; ctx.Err() == nil && time.Now().Before(w.to); k++ {
				if perSecond > 0 {
					due := began.Add(time.Duration(k*n+i) * time.Second / time.Duration(perSecond))
					time.Sleep(time.Until(due))
				}
				if err := do(c, places[c.rand.IntN(len(places))]); err != nil {
					return fmt.Errorf("%s, client %d: %w", s.name, i, err)
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return tally{}, err
	}
	var all tally
	for _, c := range clients {
		all.add(c.tally)
	}
	return all, nil
}

var errNotFilled = errors.New("a day does not fill: too much is refused")

// fillUp brings every place to its share of promises.
func fillUp(ctx context.Context, s *system, places []*place) (position uint64, err error) {
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	for n := range dinersAtWrite {
		g.Go(func() error {
			c, err := newClient(ctx, s, n, &window{})
			if err != nil {
				return err
			}
			defer c.wire.close()
			for i := n; i < len(places); i += dinersAtWrite {
				for tries := 0; places[i].short(); tries++ {
					if tries > fillTries {
						return errNotFilled
					}
					if err := errors.Join(ctx.Err(), c.write(places[i])); err != nil {
						return fmt.Errorf("%s, filling: %w", s.name, err)
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			position = max(position, c.tally.position)
			return nil
		})
	}
	return position, g.Wait()
}

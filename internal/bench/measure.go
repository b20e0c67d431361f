package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// cell is one thing that is measured on each system.
type cell struct {
	part    string
	what    string
	clients int
	writes  int // accepted a second, on the side of what is measured; 0 for none
}

// result is a cell's on one system.
type result struct {
	tally
	seconds float64
	settled time.Duration // until the views had caught up, or the checkpoint was made
	aside   int           // writes accepted on the side
}

func (r *result) rate() float64 { return float64(len(r.took)) / r.seconds }

// row is a cell's results by system.
type row struct {
	cell
	results map[string]*result
}

// sideWrites is how much is written while availability is read: well within what either
// system can do, so that both bear the same.
const (
	sideWrites  = 500
	sideWriters = 8
)

// cells lists what is to be measured.
func cells(c settings) (all []cell) {
	has := func(part string) bool { return slices.Contains(c.only, part) }
	if has("hot") {
		for _, n := range c.clients {
			all = append(all, cell{part: "hot", what: "writes, one hot day", clients: n})
		}
	}
	if has("many") {
		for _, n := range c.clients {
			all = append(all, cell{part: "many", what: "writes, 100 days", clients: n})
		}
	}
	if has("availability") {
		for _, n := range c.clients {
			all = append(all, cell{part: "availability", what: "availability, idle", clients: n})
		}
		for _, n := range c.clients {
			all = append(all, cell{part: "availability", what: fmt.Sprintf("availability, %d writes/s", sideWrites), clients: n, writes: sideWrites})
		}
	}
	return all
}

// measure runs every cell on every system, taking turns in who goes first.
func measure(ctx context.Context, c settings, systems []*system, progress io.Writer) ([]row, error) {
	if slices.Contains(c.only, "many") || slices.Contains(c.only, "availability") {
		for _, s := range systems {
			fmt.Fprintf(progress, "filling %d days of %s ...\n", len(s.many), s.name)
			position, err := fillUp(ctx, s, s.many)
			if err == nil {
				err = s.settle(ctx, position)
			}
			if err != nil {
				return nil, s.failed(err)
			}
		}
	}
	if err := profiling(c, systems, syscall.SIGUSR1); err != nil {
		return nil, err
	}
	var rows []row
	for i, ce := range cells(c) {
		r := row{cell: ce, results: map[string]*result{}}
		for k := range systems {
			s := systems[(k+i)%len(systems)]
			fmt.Fprintf(progress, "%s, %d clients: %s ...\n", ce.what, ce.clients, s.name)
			got, err := one(ctx, c, s, ce)
			if err != nil {
				return nil, s.failed(err)
			}
			r.results[s.name] = got
		}
		rows = append(rows, r)
	}
	return rows, profiling(c, systems, syscall.SIGUSR2)
}

// failed adds what the server said last to an error.
func (s *system) failed(err error) error {
	return fmt.Errorf("%w\nthe server's last words:\n%s", err, s.server.tail())
}

// profiling starts or ends the profile, if one is asked for.
func profiling(c settings, systems []*system, sig syscall.Signal) error {
	for _, s := range systems {
		if c.profile != "" && s.name == "daybook" {
			return s.server.cmd.Process.Signal(sig)
		}
	}
	return nil
}

// one measures a cell on a system.
func one(ctx context.Context, c settings, s *system, ce cell) (*result, error) {
	from := time.Now().Add(c.warmup)
	w := &window{from: from, to: from.Add(c.duration)}
	r := &result{seconds: c.duration.Seconds()}
	places, do := s.many, (*client).write
	if ce.part == "hot" {
		places = s.hot
	}
	if ce.part == "availability" {
		do = (*client).read
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		r.tally, err = drive(gctx, s, ce.clients, places, w, 0, do)
		return err
	})
	var side tally
	if ce.writes > 0 {
		g.Go(func() (err error) {
			side, err = drive(gctx, s, sideWriters, places, w, ce.writes, (*client).write)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.aside = len(side.took)
	if len(r.took) == 0 {
		return nil, errors.New(s.name + ": nothing was accepted")
	}
	ended := time.Now()
	if position := max(r.position, side.position); position > 0 {
		if err := s.settle(ctx, position); err != nil {
			return nil, err
		}
	}
	r.settled = time.Since(ended)
	return r, nil
}

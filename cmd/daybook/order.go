package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"
)

// order says what is wanted of the process that has a data folder.
type order interface {
	check() error // says why it is none
	work() string // what it asks for, with its article; the same is done once at a time
}

// orderLine is a line of what is said to an order: how far it is, any number of times, and in
// the end what came of it or why nothing did.
type orderLine[D any] struct {
	Progress *progressOf `json:",omitempty"`
	Done     *D          `json:",omitempty"`
	Error    string      `json:",omitempty"`
}

type progressOf struct {
	Stage       string
	Done, Total uint64
}

// tell is told how far a piece of work is: see meter.tell.
type tell func(stage string, done, total uint64)

const (
	maxOrder  = 64 << 10
	tellEvery = 100 * time.Millisecond // at most; the end of a stage is told always
)

// takeOrdersFor has orders to a path carried out from now on.
func takeOrdersFor[O order, D any](a *admin, path string, do func(context.Context, O, tell) (D, error)) {
	if a == nil {
		return
	}
	var underWay sync.Map
	a.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		lines := json.NewEncoder(w)
		say := func(line orderLine[D]) {
			_ = lines.Encode(line) // whoever asked may have gone: then its context ends
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		var o O
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder)).Decode(&o)
		if err == nil {
			err = o.check()
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			say(orderLine[D]{Error: fmt.Sprintf("this is no order for %s: %v", o.work(), err)})
			return
		}
		if _, busy := underWay.LoadOrStore(o.work(), true); busy {
			w.WriteHeader(http.StatusConflict)
			say(orderLine[D]{Error: o.work() + " is under way already"})
			return
		}
		slog.Info("an order is carried out", "work", o.work(), "order", o)
		var told time.Time
		done, err := func() (D, error) {
			// It is over before that is said: whoever hears it may order the next.
			defer underWay.Delete(o.work())
			return do(r.Context(), o, func(stage string, done, total uint64) {
				if now := time.Now(); now.Sub(told) >= tellEvery || done >= total {
					told = now
					say(orderLine[D]{Progress: &progressOf{Stage: stage, Done: done, Total: total}})
				}
			})
		}()
		if err != nil {
			slog.Warn("an order failed", "work", o.work(), "error", err)
			say(orderLine[D]{Error: err.Error()})
			return
		}
		slog.Info("an order was carried out", "work", o.work(), "result", done)
		say(orderLine[D]{Done: &done})
	})
}

// errNobodyTakesOrders says that no process takes such orders at a data folder.
var errNobodyTakesOrders = errors.New("no process takes such orders there")

// give asks the process that has a data folder for something, and waits for what comes of it.
func give[D any](ctx context.Context, data, path string, o order, progress tell) (done D, err error) {
	addr, release, err := socketAddress(filepath.Join(data, adminFolder, adminSocket))
	if err != nil {
		return done, fmt.Errorf("%w: %w", errNobodyTakesOrders, err)
	}
	defer release()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", addr)
	if err != nil {
		return done, fmt.Errorf("%w: %w", errNobodyTakesOrders, err)
	}
	defer func() { _ = conn.Close() }() // the answer has been read by then
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	defer transport.CloseIdleConnections()
	body, err := json.Marshal(o)
	if err != nil {
		return done, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://daybook"+path, bytes.NewReader(body))
	if err != nil {
		return done, err
	}
	reply, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return done, err
	}
	defer reply.Body.Close()
	if reply.StatusCode == http.StatusNotFound {
		return done, errNobodyTakesOrders
	}
	for lines := json.NewDecoder(reply.Body); ; {
		var line orderLine[D]
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF):
			return done, errors.New("the process that has the data folder ended before it said what came of the order")
		case ctx.Err() != nil:
			return done, context.Cause(ctx)
		case err != nil:
			return done, fmt.Errorf("the process that has the data folder answers %s: %w", reply.Status, err)
		case line.Error != "":
			return done, errors.New(line.Error)
		case line.Done != nil:
			return *line.Done, nil
		case line.Progress != nil:
			progress(line.Progress.Stage, line.Progress.Done, line.Progress.Total)
		}
	}
}

// giveInstead gives an order where a data folder cannot be opened because another process
// has it.
func giveInstead[D any](ctx context.Context, inUse error, data, path string, o order, progress tell) (D, error) {
	done, err := give[D](ctx, data, path, o, progress)
	if errors.Is(err, errNobodyTakesOrders) {
		err = fmt.Errorf("%w; it takes no orders for %s either (%w)", inUse, o.work(), err)
	}
	return done, err
}

// carryOut does a piece of work here, where no process has the data folder, or has the one
// that does do it.
func carryOut[O order, D any](ctx context.Context, f engineFlags, path string, o O, progress tell, do func(context.Context, *house, O, tell) (D, error)) (done D, err error) {
	h, err := openHouse(ctx, houseConfig{engineFlags: f})
	if errors.Is(err, errDataInUse) {
		return giveInstead[D](ctx, err, f.Data, path, o, progress)
	}
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	return do(ctx, h, o, progress)
}

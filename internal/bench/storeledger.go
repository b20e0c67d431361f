package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"daybook/eventstore"
	"daybook/eventstore/embedded"
)

// ledgerArg makes this program the process whose opening and memory are measured: nothing
// else lives in it. Its arguments are "fill" or "open", a folder, and a number of events.
const ledgerArg = "ledger"

// The form of that ledger.
const (
	streamLength = 200 // events of one stream
	fillBatch    = 20  // events of one append
	fillWriters  = 8
	samples      = 10 // of the memory while it is filled
)

// sample is what the ledger's process takes at some moment.
type sample struct {
	Events int
	RSS    uint64 // bytes of memory that the process has
	Took   time.Duration
}

// ledgerResult is what came of the ledger's process.
type ledgerResult struct {
	events int
	fill   []sample // Took since the beginning
	open   sample   // Took until the first event was read
}

func (b *storeBench) ledgerFolder() string { return filepath.Join(b.dir, ledgerArg) }

// measureLedger fills a ledger in a process of its own, and opens it in another.
func (b *storeBench) measureLedger(ctx context.Context) (r ledgerResult, err error) {
	r.events = b.settings.store.events
	if r.fill, err = b.ledgerProcess(ctx, "fill"); err != nil {
		return r, err
	}
	opened, err := b.ledgerProcess(ctx, "open")
	if err == nil && len(opened) == 1 {
		r.open = opened[0]
	}
	return r, err
}

func (b *storeBench) ledgerProcess(ctx context.Context, what string) (all []sample, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, self, ledgerArg, what, b.ledgerFolder(), strconv.Itoa(b.settings.store.events))
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", what, err, &errs)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// ledgerMain is that process.
func ledgerMain(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("%s: want fill or open, a folder and a number", ledgerArg)
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if args[0] == "fill" {
		return fillLedger(args[1], n)
	}
	return openLedger(args[1], n)
}

// fillLedger appends n events, streamLength to a stream, and prints samples.
func fillLedger(dir string, n int) error {
	s, err := embedded.Open(dir, embedded.Options{Logger: quiet()})
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	began := time.Now()
	var ids, streams atomic.Uint64
	for part := range samples {
		left := atomic.Int64{}
		left.Store(int64(n*(part+1)/samples - n*part/samples))
		var g errgroup.Group
		for range fillWriters {
			g.Go(func() error {
				stream, length := eventstore.StreamName(""), streamLength
				for {
					size := fillBatch + min(0, int(left.Add(-fillBatch)))
					if size <= 0 {
						return nil
					}
					if length >= streamLength {
						stream, length = ledgerStream(streams.Add(1)-1), 0
					}
					events := make([]eventstore.Event, size)
					for i := range events {
						events[i] = eventstore.Event{ID: spread(ids.Add(1)), Type: holdType, Data: holdData, Metadata: holdMetadata}
					}
					expected := eventstore.NoStream()
					if length > 0 {
						expected = eventstore.At(eventstore.Revision(length - 1))
					}
					if _, err := s.Append(context.Background(), stream, expected, events...); err != nil {
						return err
					}
					length += size
				}
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if err := out.Encode(sample{int(s.Stats().Events), resident(), time.Since(began)}); err != nil {
			return err
		}
	}
	return s.Close()
}

func ledgerStream(n uint64) eventstore.StreamName {
	return eventstore.StreamName(fmt.Sprintf("day-%d", n))
}

// openLedger opens it, reads one event, and prints what that took.
func openLedger(dir string, n int) error {
	began := time.Now()
	s, err := embedded.Open(dir, embedded.Options{Logger: quiet()})
	if err != nil {
		return err
	}
	head, err := s.Head(context.Background())
	if err != nil {
		return err
	}
	if uint64(head) < uint64(n) {
		return fmt.Errorf("the ledger ends at %d, want %d events", head, n)
	}
	for _, err := range s.ReadStream(context.Background(), ledgerStream(0), 0) {
		if err != nil {
			return err
		}
		break
	}
	if err := json.NewEncoder(os.Stdout).Encode(sample{n, resident(), time.Since(began)}); err != nil {
		return err
	}
	return s.Close()
}

// resident is how many bytes of memory the process has; where the system does not tell,
// how many Go took from it.
func resident() uint64 {
	if raw, err := os.ReadFile("/proc/self/status"); err == nil {
		if _, rest, found := strings.Cut(string(raw), "VmRSS:"); found {
			if kib, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"daybook/eventstore"
)

// outage is the disk as a power failure leaves it, with what was known just before.
type outage struct {
	disk    *vfs.MemFS
	durable eventstore.Position // that anyone may have seen
	calls   int                 // that had been answered
	copied  bool                // a backup had been finished
}

// answered is a call that was acknowledged: where its last record stands, and of an
// append what it was.
type answered struct {
	at       eventstore.Position
	revision eventstore.Revision
	stream   eventstore.StreamName
	expected eventstore.Expected
	events   []eventstore.Event
}

// powerRun is one life of a disk, cut at many moments.
type powerRun struct {
	seed uint64
	disk *vfs.MemFS
	s    atomic.Pointer[Store]

	mu     sync.Mutex
	rng    *rand.Rand
	calls  []answered
	cuts   []outage
	copied bool
	limit  int
}

// MaybeError stands before each operation of the file system. Now and then it takes a
// cut: the power fails just before that operation.
func (p *powerRun) MaybeError(op errorfs.Op) error {
	s := p.s.Load()
	if s == nil {
		return nil
	}
	switch op.Kind {
	case errorfs.OpFileRead, errorfs.OpFileReadAt, errorfs.OpStat, errorfs.OpFileStat, errorfs.OpList, errorfs.OpOpen, errorfs.OpFileClose:
		return nil // the disk is as it was before the last one
	default:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.cuts) < p.limit && p.rng.IntN(10) == 0 {
		c := outage{durable: s.end(), calls: len(p.calls), copied: p.copied}
		c.disk = p.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: p.rng.IntN(3) * 50, RNG: p.rng})
		p.cuts = append(p.cuts, c)
	}
	return nil
}

func (p *powerRun) String() string { return "power that fails" }

func (p *powerRun) acknowledge(a answered) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, a)
}

// write calls all there is, on streams that other writers use too.
func (p *powerRun) write(t *testing.T, s *Store, w int, calls int) {
	ctx := context.Background()
	rng := rand.New(rand.NewPCG(p.seed, uint64(w)+1))
	for i := range calls {
		stream := eventstore.StreamName(fmt.Sprintf("day-%d", rng.IntN(5)))
		a := answered{stream: stream, expected: eventstore.Any()}
		var err error
		switch rng.IntN(12) {
		case 0:
			a.at, err = s.Delete(ctx, stream, eventstore.Any())
		case 1:
			if rng.IntN(3) == 0 {
				a.at, err = s.Tombstone(ctx, eventstore.StreamName(fmt.Sprintf("gone-%d-%d", w, i)), eventstore.Any())
			}
		default:
			var at eventstore.Appended
			a.events = someEvents(rng, 1+rng.IntN(5))
			switch rng.IntN(6) {
			case 0:
				a.stream = eventstore.MetadataOf(stream)
				a.events = a.events[:1]
				a.events[0].Binary = false
				a.events[0].Data = fmt.Appendf(nil, `{"$maxCount":%d,"$tb":%d}`, rng.IntN(9), rng.IntN(30))
			case 1:
				a.stream = eventstore.StreamName(fmt.Sprintf("gone-%d-%d", w, i+1)) // perhaps ended in the next round
				a.expected = eventstore.NoStream()
			case 2:
				a.expected = eventstore.NoStream() // of a deleted stream, with luck
			}
			at, err = s.Write(ctx, a.stream, a.expected, a.events...)
			a.at, a.revision = at.Position, at.Revision
		}
		switch {
		case err == nil && a.at != eventstore.Start:
			p.acknowledge(a)
		case err != nil && !eventstore.IsConflict(err) && !errors.Is(err, eventstore.ErrStreamDeleted):
			t.Errorf("seed %d: %v", p.seed, err)
			return
		}
	}
}

func someEvents(rng *rand.Rand, count int) []eventstore.Event {
	events := make([]eventstore.Event, count)
	for i := range events {
		events[i] = eventstore.Event{Type: "reservation.held", Binary: rng.IntN(5) == 0}
		for j := range events[i].ID {
			events[i].ID[j] = byte(rng.Uint32())
		}
		events[i].Data = bytes.Repeat([]byte(`{}`), 1+rng.IntN(200))
	}
	return events
}

// TestPowerFailureAtAnyMoment cuts the power before operations of the file system chosen
// by chance, while writers write, delete, end and limit streams and a backup is made.
// What the disk then holds must be the beginning of what was written, no shorter than
// what was acknowledged or shown, cut between two calls, and sound in every entry.
func TestPowerFailureAtAnyMoment(t *testing.T) {
	rounds, cuts := 3, 12
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		rounds, cuts = 300, 20
	}
	first := uint64(2026)
	total, longer := 0, 0
	for round := range rounds {
		p := &powerRun{seed: first + uint64(round), disk: vfs.NewCrashableMem(), limit: cuts}
		p.rng = rand.New(rand.NewPCG(p.seed, 0))
		opts := quietOptions(errorfs.Wrap(p.disk, p))
		opts.MemTableBytes = 32 << 10
		s, err := Open("ledger", opts)
		if err != nil {
			t.Fatal(err)
		}
		p.s.Store(s)
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Add(1)
			go func() {
				defer writers.Done()
				p.write(t, s, w, 60)
			}()
		}
		if err := s.Backup(context.Background(), "copy"); err != nil {
			t.Fatalf("seed %d: backup: %v", p.seed, err)
		}
		p.mu.Lock()
		p.copied = true
		p.mu.Unlock()
		writers.Wait()
		p.s.Store(nil)
		ledger := everything(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		ends := boundaries(ledger, p.calls)
		for i, c := range p.cuts {
			what := fmt.Sprintf("seed %d, cut %d", p.seed, i)
			if end := c.verify(t, what, ledger, ends, p.calls); end > c.durable {
				longer++
			}
			total++
		}
	}
	t.Logf("seeds %d to %d: the power failed %d times; %d times the disk held more than was acknowledged", first, first+uint64(rounds)-1, total, longer)
	if total < 4*rounds {
		t.Errorf("the power failed only %d times", total)
	}
}

// boundaries are the positions at which a call ends.
func boundaries(ledger []eventstore.Record, calls []answered) map[eventstore.Position]bool {
	ends := map[eventstore.Position]bool{eventstore.Start: true}
	for _, a := range calls {
		end := a.at
		if int(end) < len(ledger) { // what recreates a stream belongs to the append before it
			next := ledger[end]
			if _, is := original(next.Stream); is && next.Type == eventstore.MetadataType && !bytes.Equal(next.Data, deletion) {
				end++
			}
		}
		ends[end] = true
	}
	return ends
}

// begins reports whether ledger begins with these records.
func begins(ledger, records []eventstore.Record) bool {
	return len(records) <= len(ledger) && (len(records) == 0 || reflect.DeepEqual(records, ledger[:len(records)]))
}

func (c *outage) verify(t *testing.T, what string, ledger []eventstore.Record, ends map[eventstore.Position]bool, calls []answered) eventstore.Position {
	t.Helper()
	ctx := context.Background()
	least := c.durable
	for _, a := range calls[:c.calls] {
		least = max(least, a.at)
	}
	r := mustCheck(t, "ledger", c.disk)
	if !r.Sound() {
		t.Fatalf("%s: the check says %q", what, r.Faults)
	}
	s, err := Open("ledger", quietOptions(c.disk))
	if err != nil {
		t.Fatalf("%s: open: %v", what, err)
	}
	defer func() { _ = s.Close() }()
	got := everything(t, s)
	end := eventstore.Position(len(got))
	switch {
	case end < least:
		t.Fatalf("%s: the ledger ends at %d, %d was acknowledged or shown", what, end, least)
	case !begins(ledger, got):
		t.Fatalf("%s: what is there is not what was written: %d records of %d", what, len(got), len(ledger))
	case !ends[end]:
		t.Fatalf("%s: the ledger ends at %d, in the middle of an append", what, end)
	}
	// What was acknowledged is known again, wherever it stands; and the ledger goes on.
	for i := max(0, c.calls-8); i < c.calls; i++ {
		a := calls[i]
		if a.events == nil {
			continue
		}
		want := eventstore.Appended{Revision: a.revision, Position: a.at}
		if state, err := s.Look(ctx, a.stream); err != nil || state.Deleted {
			continue
		}
		if at, err := s.Write(ctx, a.stream, eventstore.Any(), a.events...); err != nil || at != want {
			t.Fatalf("%s: an acknowledged append, retried: %+v, %v, want %+v", what, at, err, want)
		}
	}
	if _, err := s.Append(ctx, "later", eventstore.NoStream(), numbered(2)...); err != nil {
		t.Fatalf("%s: append: %v", what, err)
	}
	c.verifyCopy(t, what, ledger)
	return end
}

// verifyCopy requires of the backup that was under way that it is whole or says so.
func (c *outage) verifyCopy(t *testing.T, what string, ledger []eventstore.Record) {
	t.Helper()
	r, err := Check(context.Background(), "copy", quietOptions(c.disk), nil)
	unfinished := errors.Is(err, ErrUnfinished) || errors.Is(err, fs.ErrNotExist)
	switch {
	case unfinished && !c.copied:
		return
	case err != nil || !r.Sound():
		t.Fatalf("%s: the backup: %v, %q", what, err, r.Faults)
	}
	s, err := Open("copy", quietOptions(c.disk))
	if err != nil {
		t.Fatalf("%s: open of the backup: %v", what, err)
	}
	defer func() { _ = s.Close() }()
	if got := everything(t, s); !begins(ledger, got) {
		t.Fatalf("%s: the backup is not the beginning of the ledger", what)
	}
}

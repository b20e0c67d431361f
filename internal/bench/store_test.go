package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestStoreRun measures every cell of the store's part, for a moment each.
func TestStoreRun(t *testing.T) {
	var out, errs bytes.Buffer
	err := run(context.WithoutCancel(t.Context()), []string{
		"-only", "store", "-duration", "200ms", "-rounds", "2", "-writers", "1,4", "-events", "4000", "-dir", t.TempDir(),
	}, &out, &errs)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, &out, &errs)
	}
	for _, want := range append(contestants, "all", "streams of 200", "in process", "through the client", "a ledger of 4000 events") {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, &out)
		}
	}
	for _, figure := range []string{" NaN", " 0 ", "Inf"} {
		if strings.Contains(out.String(), figure) {
			t.Errorf("a figure is%s:\n%s", figure, &out)
		}
	}
}

// TestMemoryIsFlat fills a ledger and holds the memory of the process that does it to what
// it took at a fifth of the way: history must not cost memory.
func TestMemoryIsFlat(t *testing.T) {
	if os.Getenv("DAYBOOK_SOAK") != "1" {
		t.Skip("5 million events: with DAYBOOK_SOAK=1")
	}
	const events = 5_000_000
	b := &storeBench{settings: settings{store: storeSettings{events: events}}, dir: t.TempDir()}
	r, err := b.measureLedger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	early := r.fill[1].RSS
	for _, s := range r.fill[2:] {
		if s.RSS > early*3/2 {
			t.Errorf("%d MiB at %d events, after %d MiB at %d", s.RSS>>20, s.Events, early>>20, r.fill[1].Events)
		}
	}
	if r.open.Took > 5*time.Second {
		t.Errorf("opening %d events took %s", events, r.open.Took)
	}
}

func TestStoreReport(t *testing.T) {
	took := make([]time.Duration, 100)
	for i := range took {
		took[i] = time.Duration(i+1) * 100 * time.Microsecond
	}
	r := &storeReport{
		facts: "a machine", settings: settings{duration: 3 * time.Second, store: storeSettings{rounds: 3, writers: []int{1, 16}}},
		writes: []*writeCell{
			{rawDisk, 1, []float64{5000, 4000, 4500}},
			{bareEngine, 1, []float64{2000, 1000, 4000}}, {bareIndex, 1, []float64{1800, 900, 3600}},
			{storeOwn, 1, []float64{1620, 810, 3240}}, {storeHot, 1, []float64{900, 450, 1800}},
			{clientOwn, 1, []float64{180, 90, 360}}, {clientHot, 1, []float64{180, 90, 360}},
			{bareEngine, 16, []float64{1, 2, 3}}, {bareIndex, 16, []float64{1, 2, 3}},
			{storeOwn, 16, []float64{1, 2, 3}}, {storeHot, 16, []float64{1, 2, 3}}, {clientOwn, 16, []float64{1, 2, 3}}, {clientHot, 16, []float64{1, 2, 3}},
		},
		reads: []*readCell{{"all", []float64{300, 100, 200}, []float64{30, 10, 20}}},
		live:  []*liveCell{{"in process", tally{took: took}}},
		ledger: ledgerResult{
			events: 2000, fill: []sample{{1000, 50 << 20, time.Second}, {2000, 60 << 20, 4 * time.Second}}, open: sample{2000, 40 << 20, 150 * time.Millisecond},
		},
	}
	var out strings.Builder
	err := r.print(&out)
	want := `a machine
the store: medians of 3 rounds of 1s each, taking turns; events of 444 bytes; client, server and store share the cores

               durable appends/s  1 at once  of one key  of its keys  16 at once  of one key  of its keys
           fdatasync of the disk       4500                                                              
           Pebble alone, one key       2000                                    2                         
  Pebble alone, the store's keys       1800                                    2                         
              store, own streams       1620        81 %         90 %           2       100 %        100 %
           store, one hot stream        900        45 %         50 %           2       100 %        100 %
             client, own streams        180         9 %         10 %           2       100 %        100 %
          client, one hot stream        180         9 %         10 %           2       100 %        100 %
its keys: an event's own and two small ones, by which it is found in its stream and by its id
aim for the store: 80 % of Pebble alone with its keys, at every width; missed by store, one hot stream with 1 writers

  reads, events/s  in process  through the client
              all         200                  20
aim for all, in process: 300000

  from append to live subscription  p50 ms  p99 ms
                        in process    5.10   10.00
aim for p50: 1.00

a ledger of 2000 events, written at 500/s in appends of 20: opened, and one event read, in 150.00 ms with 40 MiB
memory of the process that wrote it, MiB at each tenth: 50 60
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}

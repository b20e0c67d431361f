package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the processes that the program runs of itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == baselineArg || os.Args[1] == ledgerArg) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestFlags(t *testing.T) {
	got, err := parse([]string{"-duration", "2s", "-clients", "1,8", "-only", "hot,many,store", "-systems", "daybook", "-profile", "cpu",
		"-writers", "2", "-rounds", "3", "-events", "4000", "-dir", "disk", "-ledgers", "10,2000000"}, io.Discard)
	want := settings{
		duration: 2 * time.Second, warmup: time.Second, clients: []int{1, 8}, only: []string{"hot", "many", "store"},
		systems: []string{"daybook"}, profile: "cpu", store: storeSettings{dir: "disk", writers: []int{2}, rounds: 3, events: 4000},
		ledgers: []int{10, 2_000_000},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	for _, bad := range [][]string{
		{"-clients", "0"}, {"-clients", "x"}, {"-only", "cold"}, {"-systems", "other"}, {"-duration", "1ms"}, {"-warmup", "-1s"}, {"more"}, {"-nope"},
		{"-writers", "0"}, {"-rounds", "0"}, {"-events", "999"}, {"-ledgers", "0"},
	} {
		if _, err := parse(bad, io.Discard); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestRun measures the baseline alone, process and all; with DAYBOOK_SOAK=1 both systems.
func TestRun(t *testing.T) {
	systems, header := "baseline", "baseline/s"
	if os.Getenv("DAYBOOK_SOAK") == "1" {
		systems, header = "daybook,baseline", "daybook/s"
	}
	var out, errs bytes.Buffer
	err := run(context.WithoutCancel(t.Context()), []string{
		"-systems", systems, "-duration", "200ms", "-warmup", "0s", "-clients", "2", "-only", "hot",
	}, &out, &errs)
	if err != nil || !strings.Contains(out.String(), header) || !strings.Contains(out.String(), "writes, one hot day") {
		t.Errorf("%v\n%s\n%s", err, &out, &errs)
	}
}

// TestRebuildPart builds every view from two small ledgers.
func TestRebuildPart(t *testing.T) {
	var out, errs bytes.Buffer
	err := run(context.WithoutCancel(t.Context()), []string{"-only", "rebuild", "-ledgers", "500,1500"}, &out, &errs)
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	for _, want := range append([]string{"of reading", "aim: 50 %", "rate at 15"}, rebuiltViews...) {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

func TestReport(t *testing.T) {
	took := func(n int, d time.Duration) []time.Duration {
		all := make([]time.Duration, n)
		for i := range all {
			all[i] = d
		}
		all[0] = 10 * d // the slowest of all
		return all
	}
	rows := []row{
		{cell{"hot", "writes, one hot day", 64, 0}, map[string]*result{
			"daybook":  {tally{took(1000, time.Millisecond), map[string]int{"no_table": 9, "contended": 1}, 7}, 2, 30 * time.Millisecond, 0},
			"baseline": {tally{took(100, 20*time.Millisecond), nil, 7}, 2, time.Second, 0},
		}},
		{cell{"availability", "availability, idle", 1, 0}, map[string]*result{
			"daybook":  {tally{took(10, time.Millisecond), map[string]int{"no_table": 1}, 7}, 2, 0, 0},
			"baseline": {tally{took(10, time.Millisecond), nil, 7}, 2, 0, 0},
		}},
		{cell{"availability", "availability, 500 writes/s", 1, 500}, map[string]*result{
			"daybook":  {tally{took(20, time.Millisecond), nil, 7}, 2, 5 * time.Millisecond, 1000},
			"baseline": {tally{took(10, time.Millisecond), nil, 7}, 2, 0, 900},
		}},
	}
	var out strings.Builder
	err := print(&out, "a machine", settings{duration: 2 * time.Second, warmup: time.Second, systems: []string{"daybook", "baseline"}}, rows)
	want := `a machine
each cell 2s after 1s of warm-up; servers and load generator share the cores

                    measured  clients  daybook/s  p50 ms  p99 ms  refused  baseline/s  p50 ms  p99 ms  refused  ratio  views after ms
         writes, one hot day       64        500    1.00    1.00    1.0 %          50   20.00  200.00    0.0 %  10.0×              30
          availability, idle        1          5    1.00   10.00    9.1 %           5    1.00   10.00    0.0 %   1.0×                
  availability, 500 writes/s        1         10    1.00   10.00    0.0 %           5    1.00   10.00    0.0 %   2.0×               5

daybook refused: contended 1, no_table 10
daybook took at least 500 writes/s beside its readers
baseline took at least 450 writes/s beside its readers
A write is a hold or a cancel, near 288 of a day's 360 table-slots; only what was accepted counts.
Views after: how long after the last write Daybook's reporting had read all of them.
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}
